//! `portcullis audit verify`.

use serde_json::{Value, json};

use crate::run::{Run, event, run, stream};

const OK: &str = "ok: 8 records of 2 streams, their MACs are right; 0 checkpoints vouch for 0 of them; 2 streams have their end; \
                  0 records were dropped; 0 errors, 0 warnings\n";

fn joined(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| format!("{line}\n").into_bytes()).collect()
}

/// Two streams in two files, the first of which the log began to write a line before each record.
fn rotated() -> [Vec<u8>; 2] {
    let mut lines: Vec<String> = stream("aaaa").into_iter().zip(stream("bbbb")).flat_map(|(a, b)| [a, b]).collect();
    lines.insert(3, "[2026-11-25 20:00:00.000][12][info] something else".to_owned());
    for line in lines.iter_mut().take(3) {
        line.insert_str(0, "[2026-11-25 20:00:00.000][12][warning][wasm] ");
    }
    let rest = lines.split_off(5);
    [joined(&lines), joined(&rest)]
}

#[test]
fn vouches_for_rotated_and_merged_files() {
    let [old, new] = rotated();
    let files: [(&str, &[u8]); 2] = [("old", &old), ("new", &new)];
    let expected = Run { stdout: OK.to_owned(), stderr: String::new(), code: 0 };
    for arguments in [
        &["verify", "--key-env", "KEY", "old", "new"][..],
        &["verify", "--key-file", "key.txt", "old", "new"],
        &["verify", "--key-env", "KEY", "--strict", "old", "-"],
        &["verify", "--key-env", "KEY", "--any-order", "new", "old"],
    ] {
        assert_eq!(run(&files, &new, arguments), expected, "{arguments:?}");
    }
}

#[test]
fn tells_what_is_wrong_and_where() {
    let [old, new] = rotated();
    let new = String::from_utf8(new).unwrap();
    let changed = new.replacen("alice", "mallory", 1);
    let run = run(&[("old", &old), ("new", changed.as_bytes())], b"", &["verify", "--key-env", "KEY", "old", "new"]);
    let expected = "error: new:1: stream aaaa, number 3: changed: its MAC is wrong\n\
                    not ok: 7 records of 2 streams, their MACs are right; 0 checkpoints vouch for 0 of them; 2 streams have their \
                    end; 0 records were dropped; 1 errors, 0 warnings\n";
    assert_eq!(run, Run { stdout: expected.to_owned(), stderr: String::new(), code: 1 });
}

#[test]
fn a_missing_end_is_a_warning() {
    let lines = stream("aaaa");
    let log = joined(&lines[..3]);
    let warning = "warning: log:3: stream aaaa, number 3: no end: what came after it, if anything, is not here\n";
    for (strict, code) in [(false, 0), (true, 1)] {
        let arguments = ["verify", "--key-env", "KEY", "log", "--strict"];
        let run = run(&[("log", &log)], b"", if strict { &arguments } else { &arguments[..4] });
        assert!(run.stdout.starts_with(warning) && run.code == code, "{run:?}");
    }
}

#[test]
fn tells_it_as_json() {
    let mut lines = stream("aaaa");
    lines.remove(1);
    let run = run(&[], &joined(&lines), &["verify", "--key-env", "KEY", "--json", "-"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let expected = json!({
        "ok": false, "records": 3, "macsVerified": true, "streams": 1, "streamsEnded": 1, "checkpoints": 0, "recordsSigned": 0,
        "recordsDropped": 0, "errors": 1, "warnings": 0,
        "findings": [{
            "severity": "error", "code": "removed", "file": "stdin", "line": 2, "stream": "aaaa", "seq": 3,
            "message": "removed before it: number 2",
        }],
    });
    assert_eq!((report, run.code), (expected, 1));
}

#[test]
fn a_log_without_proof_is_not_right() {
    let unsealed = joined(&[event("aaaa", 1), event("aaaa", 2)]);
    let other = String::from_utf8(joined(&stream("aaaa"))).unwrap().replace("\"mac\":\"", "\"mac\":\"A").into_bytes();
    for (case, log, expected) in [
        ("empty", Vec::new(), "error: there is no record that the key vouches for; is it the right one?\nnot ok: 0 records"),
        ("unsealed", unsealed, "error: log:1: foreign: 2 records from here on have no seal\nerror: there is no record"),
        ("malformed seals", other, "error: log:1: broken: a part of a record, or one with a malformed seal\n"),
    ] {
        let run = run(&[("log", &log)], b"", &["verify", "--key-env", "KEY", "log"]);
        assert!(run.stdout.starts_with(expected) && run.code == 1, "{case}: {run:?}");
    }
}

#[test]
fn names_of_streams_steer_no_terminal() {
    let line = event("aaaa", 1).replace("\"schema\":\"portcullis.audit/1\"", "\"schema\":\"portcullis.audit/1\",\"x\":1");
    let sealed = format!(
        r#"{},"chain":{{"stream":"\u001b[2J","seq":1,"previous":null,"mac":"{}"}}}}"#,
        &line[..line.len() - 1],
        "A".repeat(43)
    );
    let run = run(&[("log", sealed.as_bytes())], b"", &["verify", "--key-env", "KEY", "log"]);
    assert!(run.stdout.starts_with("error: log:1: stream \\u001b[2J, number 1: changed"), "{run:?}");
}

#[test]
fn what_cannot_be_read_is_told() {
    let gzip = [0x1f, 0x8b, 8, 0];
    for (arguments, expected) in [
        (&["verify", "log"][..], "error: nothing can be proven without a key: --key-env, --key-file or --public-key\n"),
        (&["verify", "--key-env", "ABSENT", "log"], "error: the environment does not have ABSENT\n"),
        (&["verify", "--key-env", "SHORT", "log"], "error: SHORT: the key is too short: it has 6 bytes, and needs 32\n"),
        (
            &["verify", "--key-env", "KEY", "--key-encoding", "hex", "log"],
            "error: KEY: the key is not written so; --key-encoding says how it is\n",
        ),
        (&["verify", "--key-env", "KEY", "absent"], "error: absent: cannot be read: No such file or directory (os error 2)\n"),
        (&["verify", "--key-env", "KEY", "log.gz"], "error: log.gz: is compressed; zcat log.gz | portcullis audit … -\n"),
        (&["verify", "--public-key", "key.txt", "log"], "error: key.txt: the key: is neither PEM nor a JWK\n"),
    ] {
        let run = run(&[("log", b""), ("log.gz", &gzip)], b"", arguments);
        assert_eq!((run.stderr.as_str(), run.code), (expected, 2), "{arguments:?}");
    }
}
