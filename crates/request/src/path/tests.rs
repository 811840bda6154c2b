use proptest::prelude::*;

use super::targets::targets;
use super::*;

fn parse(target: &[u8]) -> RequestPath {
    RequestPath::parse(target).unwrap()
}

#[test]
fn writes_plain_paths_in_one_spelling() {
    for (target, expected) in [
        ("/", "/"),
        ("/orders", "/orders"),
        ("/orders/", "/orders/"),
        ("/orders/7/approve", "/orders/7/approve"),
        ("/admin?x=/public/", "/admin"),
        ("/admin#/public", "/admin"),
        ("/admin?x#/public/", "/admin"),
        ("/?", "/"),
        ("/%61dmin", "/admin"),
        ("/%61%64%6D%69%6e", "/admin"),
        ("/%7Euser/%2d%2E%5f", "/~user/-._"),
        ("/a%20b", "/a%20b"),
        ("/a b", "/a%20b"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/caf\u{e9}", "/caf%C3%A9"),
        ("/bob%40example.com", "/bob%40example.com"),
        ("/bob@example.com", "/bob@example.com"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a/%2e%2E/b", "/b"),
        ("/a/.%2e/b", "/b"),
        ("/../../b", "/b"),
        ("/a/..", "/"),
        ("/a/.", "/a/"),
        ("/a/...", "/a/..."),
        ("/100%25", "/100%25"),
        ("/100%25-off", "/100%25-off"),
        ("/a:b,c=d&e+f$g!h'i(j)k*", "/a:b,c=d&e+f$g!h'i(j)k*"),
        ("/%3a", "/%3A"),
        ("/Admin", "/Admin"),
    ] {
        let path = parse(target.as_bytes());
        assert_eq!(path.as_str(), expected, "{target}");
        assert!(!path.is_ambiguous(), "{target}");
        assert_eq!(path.readings(), Some(&[expected.to_owned()][..]), "{target}");
    }
}

#[test]
fn lists_what_an_ambiguous_path_may_mean() {
    for (target, normal, meanings) in [
        (&b"//admin"[..], "//admin", &["//admin", "/admin"][..]),
        (b"/a//../b", "/a/b", &["/a/b", "/b"]),
        (b"/a/..%2fadmin", "/a/..%2Fadmin", &["/a/..%2Fadmin", "/admin"]),
        (b"/a/..%2Fadmin", "/a/..%2Fadmin", &["/admin"]),
        (b"/a/%2e%2e%2fadmin", "/a/..%2Fadmin", &["/admin"]),
        (b"/a%2fadmin", "/a%2Fadmin", &["/a%2Fadmin", "/a/admin"]),
        (b"/a%252fadmin", "/a%252fadmin", &["/a%252fadmin", "/a/admin"]),
        (b"/a%25252fadmin", "/a%25252fadmin", &["/a/admin"]),
        (b"/a%2525252fadmin", "/a%2525252fadmin", &["/a/admin"]),
        (b"/%252e%252e/admin", "/%252e%252e/admin", &["/admin"]),
        (b"/%2561dmin", "/%2561dmin", &["/admin"]),
        (b"/%25%36%31dmin", "/%2561dmin", &["/admin"]),
        (b"/a\\..\\admin", "/a\\..\\admin", &["/a\\..\\admin", "/admin"]),
        (b"/a%5c..%5cadmin", "/a%5C..%5Cadmin", &["/admin"]),
        (b"/a%5c../admin", "/a%5C../admin", &["/a%5C../admin", "/admin"]),
        (b"/admin;x=1", "/admin;x=1", &["/admin;x=1", "/admin"]),
        (b"/admin;x=1/users", "/admin;x=1/users", &["/admin/users"]),
        (b"/a/..;/admin", "/a/..;/admin", &["/admin"]),
        (b"/a/..;x=1/admin", "/a/..;x=1/admin", &["/admin"]),
        (b"/admin%3bx", "/admin%3Bx", &["/admin"]),
        (b"/a;%2f../admin", "/a;%2F../admin", &["/a/admin", "/admin"]),
        (b"/admin%00", "/admin%00", &["/admin"]),
        (b"/admin%00.png", "/admin%00.png", &["/admin"]),
        (b"/admin%2500.png", "/admin%2500.png", &["/admin"]),
        (b"/admin%0a", "/admin%0A", &["/admin%0A"]),
        (b"/admin\x7f", "/admin%7F", &["/admin%7F"]),
        (b"/admin\n", "/admin%0A", &["/admin%0A"]),
        (b"/%", "/%25", &["/%25"]),
        (b"/%zz", "/%25zz", &["/%25zz"]),
        (b"/%2", "/%252", &["/%252"]),
        (b"/%2%66admin", "/%252fadmin", &["//admin", "/admin"]),
        (b"/a%c0%afadmin", "/a%C0%AFadmin", &["/a%C0%AFadmin"]),
        (b"/a\xc0\xafadmin", "/a%C0%AFadmin", &["/a%C0%AFadmin"]),
        (b"/a%e0%80%afadmin", "/a%E0%80%AFadmin", &["/a%E0%80%AFadmin"]),
        (b"/a%f0%80%80%afadmin", "/a%F0%80%80%AFadmin", &["/a%F0%80%80%AFadmin"]),
        (b"//admin/x%2f..%2f..%2fpublic", "//admin/x%2F..%2F..%2Fpublic", &["/admin/x%2F..%2F..%2Fpublic", "/public"]),
        (b"", "/", &["/"]),
        (b"?x", "/", &["/"]),
        (b"admin", "/admin", &["/admin"]),
        (b"http://h/admin", "/http://h/admin", &["/admin"]),
        (b"http://h", "/http://h", &["/"]),
        (b"h:443", "/h:443", &["/h:443"]),
        (b"**", "/**", &["/**"]),
    ] {
        let shown = String::from_utf8_lossy(target);
        let path = parse(target);
        assert_eq!(path.as_str(), normal, "{shown}");
        assert!(path.is_ambiguous(), "{shown}");
        let readings = path.readings().unwrap();
        for meaning in meanings {
            assert!(readings.iter().any(|reading| reading == meaning), "{shown} may mean {meaning}: {readings:?}");
        }
    }
}

#[test]
fn reads_no_path_from_an_asterisk() {
    assert!(RequestPath::parse(b"*").is_none());
}

#[test]
fn gives_up_on_what_is_too_much_to_list() {
    assert_eq!(parse(format!("//{}", "a".repeat(1023)).as_bytes()).readings(), None);
    assert!(parse(format!("//{}", "a".repeat(1022)).as_bytes()).readings().is_some());
    assert!(parse(b"/a%252525252fb").readings().is_none(), "escaped five times");
    let target = "/a;b%2f..%252f\\c%00;d//%25252fe;%5cf%2500/..;g/%25252500h;//%2525255ci%3bj";
    assert_eq!(parse(target.as_bytes()).readings(), None);
}

#[test]
fn splits_at_slashes() {
    for (target, expected) in [("/", &[""][..]), ("/a/b", &["a", "b"]), ("/a/b/", &["a", "b", ""])] {
        assert_eq!(parse(target.as_bytes()).segments().collect::<Vec<_>>(), expected, "{target}");
    }
}

proptest! {
    #[test]
    fn normalizing_is_idempotent(target in targets()) {
        let once = parse(&target);
        let twice = parse(once.as_str().as_bytes());
        prop_assert_eq!(once.as_str(), twice.as_str());
        prop_assert!(once.is_ambiguous() || !twice.is_ambiguous());
    }

    #[test]
    fn any_bytes_become_visible_ascii_without_dot_segments(target in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assume!(target != b"*");
        let path = parse(&target);
        for text in std::iter::once(path.as_str()).chain(path.readings().unwrap_or_default().iter().map(String::as_str)) {
            prop_assert!(text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()), "{}", text);
            prop_assert!(!segments(text).any(|segment| matches!(segment, "." | "..")), "{}", text);
        }
    }

    #[test]
    fn decoding_a_plain_path_makes_no_new_segments(target in targets()) {
        let path = parse(&target);
        if !path.is_ambiguous() {
            let decoded = decode(path.as_str().as_bytes());
            let slashes = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'/').count();
            prop_assert_eq!(slashes(&decoded), slashes(path.as_str().as_bytes()));
            prop_assert_eq!(decode(&decoded), decoded.clone());
            let dotted = decoded.split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b".."));
            prop_assert!(!dotted);
        }
    }

    #[test]
    fn a_path_reads_as_itself(target in targets()) {
        let path = parse(&target);
        if let Some(readings) = path.readings() {
            prop_assert!(readings.iter().any(|reading| reading == path.as_str()));
        }
    }
}

proptest! {
    #[test]
    fn a_path_that_is_normal_as_it_stands_is_what_spelling_gives(path in "(/|[a-c.%;\\\\2f!~-]){0,10}") {
        let path = format!("/{path}");
        if is_normal(path.as_bytes()) {
            let (spelled, malformed) = escapes::spell(path.as_bytes());
            prop_assert!(!malformed && !escapes::is_ambiguous(&spelled));
            prop_assert_eq!(&dot_segments::remove(&spelled), &path);
        }
    }
}
