//! Paths: one spelling, and no way to a public rule that a path with two meanings could take.

use std::cell::RefCell;

use portcullis_conformance::{Ask, Gate};
use portcullis_core::path::RequestPath;
use portcullis_core::time::UnixTime;
use serde_json::json;

thread_local! {
    static GATE: RefCell<Gate> = RefCell::new(gate());
}

/// Some ways are public, and all else asks for a token that nobody has.
fn gate() -> Gate {
    let rule = |paths: &[&str]| json!({"match": {"paths": paths}, "access": "public"});
    Gate::load(&json!({"rules": [rule(&["/public/**", "/healthz", "/{a}/open", "/assets/*"])], "default": "required"})).unwrap()
}

/// The path has one spelling, which stays; what it may mean is among its readings; and an ambiguous one is never public.
pub fn path(input: &[u8]) {
    let Some(path) = RequestPath::parse(input) else { return };
    let text = path.as_str();
    assert!(text.starts_with('/'), "{text:?} does not begin with a slash");
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text:?} is not visible ASCII");
    assert!(path.segments().all(|segment| segment != "." && segment != ".."), "{text:?} has a dot segment");
    let again = RequestPath::parse(text.as_bytes()).expect("a path is a path");
    assert_eq!(again.as_str(), text, "the spelling changes once more");
    if !path.is_ambiguous() {
        assert!(!again.is_ambiguous(), "{text:?} is ambiguous the second time only");
        assert_eq!(path.readings(), Some(&[text.to_owned()][..]), "{text:?} has two meanings");
    }
    let end = input.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(input.len());
    let bare = RequestPath::parse(&input[..end]).expect("a path without its query is a path");
    assert_eq!((bare.as_str(), bare.is_ambiguous()), (text, path.is_ambiguous()), "the query counts");

    let ask = Ask::get("/").header(":path", input);
    let answer = GATE.with_borrow_mut(|gate| gate.ask(&ask, UnixTime::from_secs(0)));
    assert!(!path.is_ambiguous() || answer.refusal.is_some(), "{:?} is ambiguous and public", input.escape_ascii().to_string());
    let public = |path: &str| {
        let segments: Vec<_> = path.split('/').skip(1).collect();
        match segments.as_slice() {
            ["public", ..] | ["healthz"] => true,
            ["assets", file] => !file.is_empty(),
            [any, "open"] => !any.is_empty(),
            _ => false,
        }
    };
    assert_eq!(answer.refusal.is_none(), !path.is_ambiguous() && public(text), "{text:?}");
}
