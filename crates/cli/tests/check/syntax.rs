//! Files that are malformed, too large, or no text.

use crate::run::{assert_check, run};

#[test]
fn says_where_a_text_is_malformed() {
    for (case, file, contents, stderr) in [
        ("empty", "c.yaml", "", "error: c.yaml: is empty\n"),
        ("blank JSON", "c.json", " \n", "error: c.json: is empty\n"),
        ("only a comment", "c.yaml", "# nothing\n---\n", "error: c.yaml: is empty\n"),
        ("YAML", "c.yaml", "a: 1\nb: [S3CRET\n", "error: line 2, column 4: is not YAML: unclosed bracket '['\n"),
        (
            "tab",
            "c.yaml",
            "a:\n\tb: S3CRET\n",
            "error: line 2, column 2: is not YAML: tabs disallowed within this context (block indentation)\n",
        ),
        (
            "key twice",
            "c.yaml",
            "a: 1\na: S3CRET\n",
            "error: line 2, column 1: is not YAML: duplicate mapping key `a` is not allowed here\n",
        ),
        ("JSON", "c.json", "{\n  \"a\": S3CRET\n}", "error: line 2, column 8: is not JSON: expected value\n"),
        ("a comma too many", "c.json", "{\"a\": 1,}", "error: line 1, column 9: is not JSON: trailing comma\n"),
        ("half", "c.json", "{\"a\": \"S3CRET", "error: line 1, column 13: is not JSON: EOF while parsing a string\n"),
        ("HTML", "c.json", "<html>S3CRET</html>", "error: line 1, column 1: is not JSON: expected value\n"),
        (
            "key twice in JSON",
            "c.json",
            "{\"a\": 1, \"a\": 2}",
            "error: line 1, column 10: is not YAML: duplicate mapping key `a` is not allowed here\n",
        ),
    ] {
        assert_check(case, file, contents, "", stderr, 1);
    }
}

#[test]
fn refuses_what_is_no_text_or_too_much_of_it() {
    let binary = run("c.yaml", b"a: \xff\xfe", &["check", "c.yaml"]);
    assert_eq!(
        (binary.stderr.as_str(), binary.code),
        ("error: c.yaml: is not UTF-8 text: the first wrong byte is at offset 3\n", 1)
    );

    let module = run("m.wasm", b"\0asm\x01\0\0\0", &["check", "m.wasm"]);
    assert_eq!(module.code, 1, "{}", module.stderr);

    let large = run("c.yaml", &vec![b'#'; 17 * 1024 * 1024], &["check", "c.yaml"]);
    assert_eq!((large.stderr.as_str(), large.code), ("error: c.yaml: is longer than 16 MiB\n", 1));

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let bomb = run("c.yaml", bomb.as_bytes(), &["check", "c.yaml"]);
    assert!(bomb.stderr.contains("is not YAML: YAML document too large or too complex"), "{}", bomb.stderr);
    assert_eq!(bomb.code, 1);

    let deep = run("c.json", "[".repeat(100_000).as_bytes(), &["check", "c.json"]);
    assert!(deep.stderr.contains("recursion limit exceeded"), "{}", deep.stderr);
    assert_eq!(deep.code, 1);
}
