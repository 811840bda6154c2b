//! What becomes of the headers of answers.

use super::*;

fn answered(plugin: &Plugin, wants_them: bool, failing: &[&'static str]) -> (Action, Vec<String>, u32) {
    answered_by(plugin, wants_them, false, failing)
}

fn answered_by(plugin: &Plugin, wants_them: bool, keeps_answers: bool, failing: &[&'static str]) -> (Action, Vec<String>, u32) {
    let proxy = FakeProxy::default();
    let needs = Needs { response_headers: wants_them, ..Needs::default() };
    let (dispatcher, _) = begin(&proxy, plugin, vec![Script { needs, keeps_answers, ..script([]) }]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Continue);
    let headers = [(":status", "200"), ("x-internal", "1"), ("x-kept", "2"), ("x-internal", "3")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().response_headers = headers;
    proxy.failing.borrow_mut().extend(failing);
    let action = dispatcher.response_headers(STREAM);
    let streams = proxy.streams.borrow();
    let left = streams[&STREAM].response_headers.iter().map(|(name, _)| name.clone()).collect();
    (action, left, streams[&STREAM].reset)
}

#[test]
fn what_stages_remove_from_an_answer_is_gone() {
    for plugin in [&DECIDES, &READS] {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(answered(plugin, true, &[]), (Action::Continue, names(&[":status", "x-kept"]), 0));
        let untouched = names(&[":status", "x-internal", "x-kept", "x-internal"]);
        assert_eq!(answered(plugin, false, &["response_headers"]), (Action::Continue, untouched, 0));
    }
}

#[test]
fn an_answer_that_cannot_be_changed_is_not_sent() {
    for call in ["response_headers", "edit_response"] {
        for more in [None, Some("reset")] {
            let failing: Vec<_> = [call].into_iter().chain(more).collect();
            let (action, _, reset) = answered(&DECIDES, true, &failing);
            assert_eq!((action, reset), (Action::Pause, u32::from(more.is_none())), "{failing:?}");
        }
    }
    let (action, _, reset) = answered_by(&DECIDES, true, true, &[]);
    assert_eq!((action, reset), (Action::Pause, 1), "a stage cannot change it");
}
