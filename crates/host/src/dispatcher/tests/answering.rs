//! Answers to requests: what a stage says to everyone, and what a refused client reads.

use portcullis_core::config_version::ConfigVersion;
use portcullis_core::health::Answer;

use super::*;

fn answers() -> Verdict {
    let reply =
        LocalReply { status: 200, headers: Vec::new(), body: b"{}".to_vec(), details: "portcullis{keys_served}".to_owned() };
    Verdict::Answer(Rc::new(reply))
}

#[test]
fn an_answer_ends_the_request_and_no_later_stage_is_asked() {
    for (failing, expected) in [(None, vec![200]), (Some("reply"), vec![])] {
        let proxy = FakeProxy::default();
        let (dispatcher, scripts) = begin(&proxy, &READS, vec![script([answers()]), script([])]);
        proxy.failing.borrow_mut().extend(failing);
        assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
        assert_eq!(end_of(&proxy, STREAM).0, expected);
        assert_eq!(scripts[1].borrow().asked, 0);
    }
}

#[test]
fn a_refusal_counts_before_an_answer() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![script([refuse(Rejection::RoleMissing)]), script([answers()])]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(end_of(&proxy, STREAM).0, [403]);
}

#[test]
fn all_stages_tell_of_their_health_and_a_refusal_counts_before_it() {
    let asks = || {
        let answer = Answer { version: ConfigVersion::of(b"{}"), has_details: true, optional_issuers: Vec::new() };
        Verdict::TellHealth(Rc::new(answer))
    };
    for (stages, expected) in
        [(vec![script([asks()]), script([])], 503), (vec![script([refuse(Rejection::RoleMissing)]), script([asks()])], 403)]
    {
        let proxy = FakeProxy::default();
        let (dispatcher, scripts) = begin(&proxy, &DECIDES, stages);
        scripts[1].borrow_mut().is_ill = true;
        assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
        assert_eq!(end_of(&proxy, STREAM).0, [expected]);
    }
}

#[test]
fn every_stage_catches_up_with_other_workers_before_it_tells_of_its_health() {
    let answer = Answer { version: ConfigVersion::of(b"{}"), has_details: true, optional_issuers: Vec::new() };
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![script([Verdict::TellHealth(Rc::new(answer))]), script([])]);
    scripts.iter().for_each(|script| script.borrow_mut().is_ill = true);
    proxy.shared.borrow_mut().insert("cure".to_owned(), (Vec::new(), 1));
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(end_of(&proxy, STREAM).0, [200]);
}

#[test]
fn an_answer_repeats_a_request_id_and_no_other_text_of_the_client() {
    for (id, repeated) in [("r-1", true), (&*"a".repeat(129), false), ("two words", false)] {
        let proxy = FakeProxy::default();
        let (dispatcher, _) = begin(&proxy, &DECIDES, vec![script([refuse(Rejection::TokenMissing)])]);
        for (name, value) in &mut proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().headers {
            if name == "x-request-id" {
                *value = id.to_owned();
            }
        }
        assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
        let body = String::from_utf8(proxy.streams.borrow()[&STREAM].replies[0].body.clone()).unwrap();
        assert_eq!(body.contains(id), repeated, "{body}");
        assert_eq!(body.contains("requestId"), repeated, "{body}");
    }
}
