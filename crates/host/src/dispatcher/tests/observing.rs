//! What is read from the modules before, and what is told when an exchange ends.

use super::*;
use crate::observer::ProxyObserver;

#[test]
fn the_end_is_told_once_with_status_and_duration() {
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) =
        begin(&proxy, &DECIDES, vec![Script { asks_how_it_ended: true, ..script([refuse(Rejection::TokenMissing)]) }]);
    dispatcher.request_headers(STREAM);
    proxy.seconds.set(1_002);
    dispatcher.log(STREAM);
    dispatcher.log(STREAM);
    let logs = &scripts[0].borrow().logs;
    let completion = Completion { status: Some(401), duration: Some(Duration::from_secs(2)), ..Completion::default() };
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].1, completion);
    assert_eq!(logs[0].0.as_ref().unwrap().reason, "token_missing");
}

#[test]
fn what_is_known_of_a_request_is_kept_only_for_who_asks_again() {
    const DECIDES_ONLY: Plugin = Plugin { callbacks: Callbacks { log: false, log_and_send: false, ..ALL }, ..DECIDES };
    let held = || waits_for(7, Verdict::Continue);
    for (case, plugin, stage, fetched, kept) in [
        ("it went on, and nobody asks", &DECIDES_ONLY, script([]), false, false),
        ("it was refused, and nobody asks", &DECIDES_ONLY, script([refuse(Rejection::TokenMissing)]), false, false),
        ("it waits", &DECIDES_ONLY, held(), false, true),
        ("it waited, and nobody asks any more", &DECIDES_ONLY, held(), true, false),
        ("its end will be told", &DECIDES, script([]), false, true),
        ("it waited, and its end will be told", &DECIDES, held(), true, true),
        ("no stage wants its end to be told", &DECIDES, Script { never_observes: true, ..script([]) }, false, false),
    ] {
        let proxy = FakeProxy::default();
        let (dispatcher, _) = begin(&proxy, plugin, vec![stage]);
        dispatcher.request_headers(STREAM);
        if fetched {
            dispatcher.http_call_response(ROOT, 101, 1, 0);
        }
        assert_eq!(dispatcher.stream(STREAM).unwrap().exchange.borrow().is_some(), kept, "{case}");
        dispatcher.delete(STREAM);
        assert!(dispatcher.stream(STREAM).is_none(), "{case}");
    }
}

#[test]
fn each_decision_is_published_as_its_own_however_often_others_were() {
    let proxy = FakeProxy::default();
    let verdicts = [0, 1, 0, 2, 1, 0].map(|kind| match kind {
        0 => Verdict::Continue,
        1 => refuse(Rejection::TokenMissing),
        _ => refuse(Rejection::TokenExpired),
    });
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![script(verdicts)]);
    for (id, expected) in (STREAM..).zip(["allow", "token_missing", "allow", "token_expired", "token_missing", "allow"]) {
        add_stream(&dispatcher, &proxy, id);
        dispatcher.request_headers(id);
        let streams = proxy.streams.borrow();
        let published = String::from_utf8(streams[&id].state["portcullis.decision"].clone()).unwrap();
        assert!(published.contains(&format!("\"{expected}\"")), "{id}: {published}");
    }
}

#[test]
fn only_what_is_wanted_is_published_whatever_is_decided() {
    for (principal, decision) in [(true, true), (true, false), (false, true), (false, false)] {
        for verdict in [Verdict::Continue, refuse(Rejection::RoleMissing)] {
            let proxy = FakeProxy::default();
            let wanted = Publication { principal, decision };
            let stage = Script { identifies: true, publication: wanted, ..script([verdict.clone()]) };
            let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![stage]);
            let expected = if verdict == Verdict::Continue { Action::Continue } else { Action::Pause };
            assert_eq!(dispatcher.request_headers(STREAM), expected, "{wanted:?}");
            let is_told = |key| proxy.streams.borrow()[&STREAM].state.contains_key(key);
            assert_eq!((is_told("portcullis.principal"), is_told("portcullis.decision")), (principal, decision), "{verdict:?}");
            dispatcher.log(STREAM);
            let logged = scripts[0].borrow().logs[0].0.clone().unwrap();
            assert_eq!(logged.lets_pass(), verdict == Verdict::Continue, "the stages know it in any case");
        }
    }
}

#[test]
fn a_refusal_by_the_host_stands_in_the_decision_also_where_none_is_published() {
    let proxy = FakeProxy::default();
    let publication = Publication { principal: false, decision: false };
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![Script { publication, ..script([]) }]);
    proxy.failing.borrow_mut().insert("edit");
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    dispatcher.log(STREAM);
    assert_eq!(scripts[0].borrow().logs[0].0.as_ref().unwrap().reason, "host_error");
    assert!(proxy.streams.borrow()[&STREAM].state.is_empty());
}

#[test]
fn the_end_of_a_request_that_came_by_unseen_is_read_from_the_proxy() {
    let proxy = FakeProxy::default();
    let needs = Needs { upstream_identity: true, ..Needs::default() };
    let (dispatcher, scripts) = begin(&proxy, &READS, vec![Script { needs, asks_how_it_ended: true, ..script([]) }]);
    proxy.properties.borrow_mut().insert("response.code".to_owned(), 403_u64.to_le_bytes().to_vec());
    proxy.properties.borrow_mut().insert("request.duration".to_owned(), 1_500_000_u64.to_le_bytes().to_vec());
    let decision = serde_json::to_vec(&Decision::refuse("orders".into(), Rejection::RoleMissing, None)).unwrap();
    proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().state.insert("portcullis.decision".to_owned(), decision);
    dispatcher.log(STREAM);
    let logs = &scripts[0].borrow().logs;
    assert_eq!(
        logs[0].1,
        Completion { status: Some(403), duration: Some(Duration::from_micros(1_500)), ..Completion::default() }
    );
    assert_eq!(logs[0].0.as_ref().unwrap().reason, "role_missing");
    assert!(proxy.lines.borrow().contains(&(Severity::Warn, "logged".to_owned())), "at the level that is shown");
}

#[test]
fn how_a_request_ended_is_read_once_and_only_for_who_asks() {
    let asks = |asks_how_it_ended| Script { asks_how_it_ended, ..script([]) };
    let refuses = Script { asks_how_it_ended: true, ..script([refuse(Rejection::TokenMissing)]) };
    for (case, stages, is_seen, expected) in [
        ("nobody asks", vec![asks(false)], true, &[][..]),
        ("two ask", vec![asks(true), asks(false), asks(true)], true, &["response.code"]),
        ("it was answered here", vec![refuses], true, &[]),
        ("it came by unseen", vec![asks(true), asks(true)], false, &["response.code", "request.duration"]),
        ("it came by unseen, and nobody asks", vec![asks(false)], false, &[]),
    ] {
        let proxy = FakeProxy::default();
        let (dispatcher, _) = begin(&proxy, &DECIDES, stages);
        if is_seen {
            dispatcher.request_headers(STREAM);
        }
        dispatcher.log(STREAM);
        assert_eq!(*proxy.read.borrow(), expected, "{case}");
    }
}

#[test]
fn the_rule_that_a_route_names_is_read_as_it_stands() {
    const RULE: &str = "xds.route_metadata.filter_metadata.portcullis.rule";
    for (name, value) in [("absent", None), ("text", Some(&b"approve"[..])), ("empty", Some(b"")), ("no text", Some(b"\xff\0"))] {
        let proxy = FakeProxy::default();
        let needs = Needs { route_rule: true, ..Needs::default() };
        let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![Script { needs, ..script([]) }]);
        proxy.properties.borrow_mut().extend(value.map(|value| (RULE.to_owned(), value.to_vec())));
        dispatcher.request_headers(STREAM);
        assert_eq!(scripts[0].borrow().rules, [value.map(<[u8]>::to_vec)], "{name}");
    }
}

#[test]
fn what_a_route_says_of_the_record_is_read_when_it_ended_and_only_for_who_needs_it() {
    const AUDIT: &str = "xds.route_metadata.filter_metadata.portcullis.audit";
    for (needed, fails, expected) in [(true, false, Some(&b"never"[..])), (true, true, Some(b"")), (false, false, None)] {
        let proxy = FakeProxy::default();
        let needs = Needs { route_record: needed, ..Needs::default() };
        let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![Script { needs, ..script([]) }]);
        proxy.properties.borrow_mut().insert(AUDIT.to_owned(), b"never".to_vec());
        dispatcher.request_headers(STREAM);
        assert!(proxy.read.borrow().is_empty());
        if fails {
            proxy.failing.borrow_mut().insert("property");
        }
        dispatcher.log(STREAM);
        assert_eq!(scripts[0].borrow().route_records, [expected.map(<[u8]>::to_vec)]);
        assert_eq!(proxy.read.borrow().len(), usize::from(needed && !fails));
    }
}

#[test]
fn reads_the_identity_that_a_module_before_it_left_and_leaves_out_what_it_cannot_read() {
    let cases = [
        ("whole", PRINCIPAL.as_bytes(), Some("2")),
        ("cut", b"{\"issuer\":", None),
        ("not UTF-8", b"\xff", None),
        ("empty", b"", None),
    ];
    for (name, state, subject) in cases {
        let proxy = FakeProxy::default();
        let needs = Needs { upstream_identity: true, ..Needs::default() };
        let (dispatcher, scripts) = begin(&proxy, &READS, vec![Script { needs, ..script([]) }]);
        proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().state.insert("portcullis.principal".to_owned(), state.to_vec());
        assert_eq!(dispatcher.request_headers(STREAM), Action::Continue, "{name}");
        assert_eq!(scripts[0].borrow().subjects, [subject.map(str::to_owned)], "{name}");
        let complained = proxy.lines.borrow().iter().any(|(_, line)| line.contains("portcullis.principal"));
        assert_eq!(complained, subject.is_none(), "{name}");
    }
}

#[test]
fn a_module_that_decides_never_reads_an_identity_from_outside() {
    let proxy = FakeProxy::default();
    let needs = Needs { upstream_identity: true, ..Needs::default() };
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![Script { needs, ..script([]) }]);
    proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().state.insert("portcullis.principal".to_owned(), PRINCIPAL.into());
    dispatcher.request_headers(STREAM);
    assert_eq!(scripts[0].borrow().subjects, [None]);
}

#[test]
fn adds_nothing_for_an_amount_of_zero() {
    use portcullis_core::stage::MetricId;
    let proxy = FakeProxy::default();
    let proxy = &proxy;
    let mut observer = ProxyObserver(&proxy);
    observer.increment(MetricId(1), 0);
    assert!(proxy.lines.borrow().is_empty());
    observer.increment(MetricId(1), 2);
    assert_eq!(proxy.lines.borrow().as_slice(), [(Severity::Trace, "increment 2".to_owned())]);
}

#[test]
fn prints_at_the_lowest_level_that_is_shown_but_never_below_info() {
    let cases = [(Severity::Trace, Severity::Info), (Severity::Info, Severity::Info), (Severity::Error, Severity::Error)];
    for (shown, expected) in cases {
        let proxy = FakeProxy::default();
        proxy.shown.set(shown);
        ProxyObserver(&&proxy).print("line");
        assert_eq!(proxy.lines.borrow().as_slice(), [(expected, "line".to_owned())]);
    }
}
