//! Requests that are held until a fetch ends.

use super::*;

#[test]
fn holds_a_request_until_its_fetch_ends_then_lets_it_go_once() {
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![waits_for(7, Verdict::Continue), script([])]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 0, 0));
    assert_eq!(proxy.sent.borrow().as_slice(), [(ROOT, fetch(7))], "sent by the root, for a stream's fetches end with it");
    assert_eq!(scripts[1].borrow().asked, 0);
    answer(&proxy, &dispatcher, 101);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 1, 0));
    assert_eq!(
        scripts[0].borrow().outcomes,
        [FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body: b"{}".to_vec() }]
    );
    assert!(proxy.lines.borrow().contains(&(Severity::Info, "portcullis: keys fetched".to_owned())));
    answer(&proxy, &dispatcher, 101);
    proxy.seconds.set(2_000);
    dispatcher.tick(ROOT);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 1, 0), "a second outcome changes nothing");
}

#[test]
fn refuses_a_held_request_once() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![waits_for(7, refuse(Rejection::KeyUnknown))]);
    dispatcher.request_headers(STREAM);
    answer(&proxy, &dispatcher, 101);
    answer(&proxy, &dispatcher, 101);
    assert_eq!(end_of(&proxy, STREAM), (vec![401], 0, 0));
}

#[test]
fn an_unknown_token_and_another_fetch_change_nothing() {
    let proxy = FakeProxy::default();
    let mut first = waits_for(7, Verdict::Continue);
    first.due.push(fetch(8));
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![first]);
    dispatcher.request_headers(STREAM);
    answer(&proxy, &dispatcher, 4242);
    answer(&proxy, &dispatcher, 102);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 0, 0));
    answer(&proxy, &dispatcher, 101);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 1, 0));
}

#[test]
fn an_answer_after_the_stream_is_gone_changes_nothing() {
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![waits_for(7, Verdict::Continue)]);
    dispatcher.request_headers(STREAM);
    dispatcher.log(STREAM);
    dispatcher.delete(STREAM);
    answer(&proxy, &dispatcher, 101);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 0, 0));
    assert_eq!(scripts[0].borrow().asked, 1);
    assert_eq!(scripts[0].borrow().logs.len(), 1);
}

#[test]
fn every_request_that_waits_for_the_same_fetch_goes_on() {
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![waits_for(7, Verdict::Wait(FetchId(7)))]);
    dispatcher.request_headers(STREAM);
    add_stream(&dispatcher, &proxy, 3);
    dispatcher.request_headers(3);
    assert_eq!(proxy.sent.borrow().len(), 1);
    assert_eq!(scripts[0].borrow().asked, 2);
    answer(&proxy, &dispatcher, 101);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 1, 0));
    assert_eq!(end_of(&proxy, 3), (vec![], 1, 0));
    assert_eq!(proxy.context.get(), ROOT);
}

#[test]
fn a_fetch_that_cannot_be_sent_is_told_and_the_request_asked_again() {
    let proxy = FakeProxy::default();
    proxy.failing.borrow_mut().insert("send");
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![waits_for(7, refuse(Rejection::KeysUnavailable))]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(scripts[0].borrow().outcomes, [FetchOutcome::NotSent]);
    assert_eq!(end_of(&proxy, STREAM), (vec![503], 0, 0));
}

/// A stage that wants the same fetch each time it is asked.
struct Insisting;

impl Stage for Insisting {
    fn on_request(&mut self, _exchange: &mut Exchange, _now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        Verdict::Wait(FetchId(0))
    }

    fn due(&mut self, _now: UnixTime, _shared: &mut dyn SharedData) -> Due {
        Due { fetches: vec![fetch(0)], ..Due::default() }
    }
}

fn load_insisting(_document: &[u8], _: Platform<'_>) -> Result<Loaded, ConfigError> {
    Ok(Loaded { stages: vec![Box::new(Insisting)], ..Loaded::default() })
}

#[test]
fn a_stage_that_insists_on_a_fetch_that_cannot_be_sent_is_refused_in_the_end() {
    let proxy = FakeProxy::default();
    proxy.failing.borrow_mut().insert("send");
    let (dispatcher, _) = begin(&proxy, &Plugin { load: load_insisting, ..DECIDES }, vec![]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(end_of(&proxy, STREAM), (vec![503], 0, 0));
}

#[test]
fn a_wait_has_an_end_even_when_the_answer_never_comes() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &Plugin { load: load_insisting, ..DECIDES }, vec![]);
    dispatcher.request_headers(STREAM);
    proxy.seconds.set(1_030);
    dispatcher.tick(ROOT);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 0, 0));
    proxy.seconds.set(1_061);
    dispatcher.tick(ROOT);
    assert_eq!(end_of(&proxy, STREAM), (vec![503], 0, 0));
}

#[test]
fn a_tick_asks_again_and_sends_what_is_due() {
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![waits_for(7, Verdict::Continue)]);
    dispatcher.request_headers(STREAM);
    proxy.context.set(ROOT);
    dispatcher.tick(ROOT);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 0, 0), "too young");
    scripts[0].borrow_mut().due.push(fetch(9));
    proxy.seconds.set(1_001);
    dispatcher.tick(ROOT);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 1, 0));
    assert_eq!(proxy.sent.borrow()[1], (ROOT, fetch(9)));
}

#[test]
fn a_lost_fetch_is_told_as_lost() {
    let cases: [(&str, usize, Option<&'static str>, &str); 4] = [
        ("no headers", 0, None, "200"),
        ("headers that cannot be read", 1, Some("fetched_headers"), "200"),
        ("a body that cannot be read", 1, Some("fetched_body"), "200"),
        ("a status that is no number", 1, None, "ok"),
    ];
    for (name, num_headers, failing, status) in cases {
        let proxy = FakeProxy::default();
        let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![waits_for(7, refuse(Rejection::KeysUnavailable))]);
        dispatcher.request_headers(STREAM);
        proxy.failing.borrow_mut().extend(failing);
        *proxy.answer.borrow_mut() = FakeAnswer { status: status.to_owned(), body: b"{}".to_vec() };
        dispatcher.http_call_response(ROOT, 101, num_headers, 2);
        assert_eq!(scripts[0].borrow().outcomes, [FetchOutcome::Lost], "{name}");
        assert_eq!(end_of(&proxy, STREAM), (vec![503], 0, 0), "{name}");
    }
}

#[test]
fn whatever_call_fails_while_it_waits_the_request_does_not_go_on() {
    let at_first = ["enter", "send"];
    let later = ["enter", "now", "edit", "set_state", "resume"];
    let cases = at_first.map(|call| (call, true)).into_iter().chain(later.map(|call| (call, false)));
    for (call, from_the_start) in cases {
        let proxy = FakeProxy::default();
        let (dispatcher, _) = begin(&proxy, &DECIDES, vec![waits_for(7, Verdict::Wait(FetchId(7)))]);
        if from_the_start {
            proxy.failing.borrow_mut().insert(call);
        }
        assert_eq!(dispatcher.request_headers(STREAM), Action::Pause, "{call}");
        proxy.failing.borrow_mut().insert(call);
        answer(&proxy, &dispatcher, 101);
        assert_eq!(end_of(&proxy, STREAM).1, 0, "{call}");
    }
}

#[test]
fn a_failure_to_enter_the_stream_is_made_good_on_the_next_tick() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![waits_for(7, Verdict::Continue)]);
    dispatcher.request_headers(STREAM);
    proxy.failing.borrow_mut().insert("enter");
    answer(&proxy, &dispatcher, 101);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 0, 0));
    proxy.failing.borrow_mut().clear();
    proxy.seconds.set(1_002);
    dispatcher.tick(ROOT);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 1, 0));
}

#[test]
fn ticks_come_quickly_while_a_request_waits_for_what_another_worker_fetches() {
    let quick = Some(Duration::from_millis(20));
    let slow = Some(Duration::from_secs(1));
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![script([Verdict::Wait(FetchId(7)), Verdict::Continue])]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(proxy.tick_period.get(), quick);
    assert_eq!(proxy.context.get(), STREAM);
    proxy.context.set(ROOT);
    dispatcher.tick(ROOT);
    assert_eq!((end_of(&proxy, STREAM), proxy.tick_period.get()), ((vec![], 0, 0), quick), "nothing came");
    scripts[0].borrow_mut().settled.push(FetchId(7));
    dispatcher.tick(ROOT);
    assert_eq!((end_of(&proxy, STREAM), proxy.tick_period.get()), ((vec![], 1, 0), slow));
}

#[test]
fn what_came_meanwhile_is_not_waited_for() {
    let proxy = FakeProxy::default();
    let script = Script { settled: vec![FetchId(7)], ..script([Verdict::Wait(FetchId(7)), Verdict::Continue]) };
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![script]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Continue);
    assert_eq!(proxy.tick_period.get(), Some(Duration::from_secs(1)));
}

#[test]
fn a_fetch_that_follows_another_is_sent_at_once() {
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![waits_for(7, Verdict::Wait(FetchId(7)))]);
    dispatcher.request_headers(STREAM);
    scripts[0].borrow_mut().due.push(fetch(7));
    answer(&proxy, &dispatcher, 101);
    assert_eq!(proxy.sent.borrow().len(), 2);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 0, 0));
    answer(&proxy, &dispatcher, 102);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 1, 0));
}

#[test]
fn a_pause_holds_the_body_too() {
    // Envoy, `allow_on_headers_stop_iteration: true`: with action 1 a POST that waited for keys went on as soon as its body came.
    assert_eq!((Action::Continue.code(), Action::Pause.code()), (0, 4));
}
