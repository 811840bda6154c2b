//! What is told of forged headers, and when the route is chosen anew.

use super::*;

#[test]
fn a_module_tells_of_the_headers_that_it_removed() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![Script { strips: true, ..script([]) }]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Continue);
    let decision = state_of(&proxy, "portcullis.decision").unwrap();
    assert!(decision.ends_with(r#""shadow":false,"stripped":["x-forged"]}"#), "{decision}");
}

#[test]
fn a_module_that_decides_nothing_tells_those_that_observe() {
    let proxy = FakeProxy::default();
    let needs = Needs { upstream_identity: true, ..Needs::default() };
    let (dispatcher, _) = begin(&proxy, &READS, vec![Script { needs, strips: true, ..script([]) }]);
    let told = r#"{"rule":"a","decision":"allow","reason":"token_valid","shadow":false,"stripped":["x-b"]}"#;
    proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().state.insert("portcullis.decision".to_owned(), told.into());
    assert_eq!(dispatcher.request_headers(STREAM), Action::Continue);
    let expected = told.replace(r#"["x-b"]"#, r#"["x-b","x-forged"]"#);
    assert_eq!(state_of(&proxy, "portcullis.decision"), Some(expected));
}

#[test]
fn the_route_is_chosen_anew_for_requests_that_pass_and_ask_for_it() {
    let outcome = |clears_route_cache: bool, verdict: Verdict, failing: &[&'static str]| {
        let proxy = FakeProxy::default();
        let (dispatcher, _) = begin(&proxy, &DECIDES, vec![Script { clears_route_cache, ..script([verdict]) }]);
        proxy.failing.borrow_mut().extend(failing);
        dispatcher.request_headers(STREAM);
        let cleared = proxy.lines.borrow().iter().filter(|(_, line)| line == "route cache cleared").count();
        (cleared, end_of(&proxy, STREAM).0)
    };
    assert_eq!(outcome(true, Verdict::Continue, &[]), (1, vec![]));
    assert_eq!(outcome(false, Verdict::Continue, &[]), (0, vec![]));
    assert_eq!(outcome(true, refuse(Rejection::RoleMissing), &[]), (0, vec![403]));
    assert_eq!(outcome(true, Verdict::Continue, &["clear_route_cache"]), (0, vec![500]));
}
