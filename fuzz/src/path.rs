//! Paths: one spelling, and no way to a public rule that a path with two meanings could take.

use std::cell::RefCell;

use portcullis_conformance::{Ask, Gate};
use portcullis_core::path::RequestPath;
use portcullis_core::time::UnixTime;
use serde_json::json;

/// Templates of rules that deny, so alike that many paths fit several of them.
const TEMPLATES: [&str; 14] = [
    "/a",
    "/a/",
    "/a/b",
    "/a/{x}",
    "/a/*/c",
    "/a/b/**",
    "/{x}",
    "/{x}/b",
    "/*/b/c",
    "/public/{x}/d",
    "/a/b/c/d",
    "/%20",
    "/b/**",
    "/a/{x}/**",
];

thread_local! {
    static GATE: RefCell<Gate> = RefCell::new(gate());
    static ORDER: RefCell<(Gate, Vec<Gate>)> = RefCell::new(order());
}

/// All templates as rules in their order, and each of them alone; what none is for passes.
fn order() -> (Gate, Vec<Gate>) {
    let rule = |template: &&str| json!({"name": format!("for:{template}"), "match": {"paths": [template]}, "access": "denied"});
    let gate = |rules: Vec<_>| Gate::load(&json!({"rules": rules, "default": "public"})).unwrap();
    (gate(TEMPLATES.iter().map(rule).collect()), TEMPLATES.iter().map(|template| gate(vec![rule(template)])).collect())
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
    // `*` alone is no path (RFC 9112 section 3.2.4); with a query it is one that nobody understands.
    match RequestPath::parse(&input[..end]) {
        Some(bare) => assert_eq!((bare.as_str(), bare.is_ambiguous()), (text, path.is_ambiguous()), "the query counts"),
        None => assert!(path.is_ambiguous(), "{text:?} is a path by its query"),
    }

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
    if !path.is_ambiguous() {
        the_first_that_matches_decides(&ask);
    }
}

/// Rules are found by an index; it finds what looking at one after the other finds.
fn the_first_that_matches_decides(ask: &Ask) {
    ORDER.with_borrow_mut(|(all, alone)| {
        let now = UnixTime::from_secs(0);
        let first = alone.iter_mut().map(|gate| gate.ask(ask, now)).find(|answer| answer.refusal.is_some());
        let decided = all.ask(ask, now);
        let first = first.and_then(|answer| answer.rule);
        assert_eq!(decided.rule.filter(|_| decided.refusal.is_some()), first, "another rule than the first that matches");
    });
}
