//! The life of contexts and requests, with stages that do what the test says.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use portcullis_core::answer::Refusal;
use portcullis_core::config::{ConfigError, Environment, Warning};
use portcullis_core::decision::{Decision, TOKEN_VALID};
use portcullis_core::module::Loaded;
use portcullis_core::rejection::Rejection;
use portcullis_core::stage::{Completion, Exchange, Fetch, FetchId, FetchOutcome, LogLevel, Needs, Observer, Stage, Verdict};
use portcullis_core::time::UnixTime;

use super::*;
use crate::fake::{FakeAnswer, FakeProxy, FakeStream};
use crate::plugin::Callbacks;

/// What a scripted stage is told to say, and what it saw.
#[derive(Debug, Default)]
struct Script {
    verdicts: VecDeque<Verdict>,
    due: Vec<Fetch>,
    outcomes: Vec<FetchOutcome>,
    asked: u32,
    logs: Vec<(Option<Decision>, Completion)>,
    needs: Needs,
    subjects: Vec<Option<String>>,
}

thread_local! {
    static SCRIPTS: RefCell<Vec<Rc<RefCell<Script>>>> = const { RefCell::new(Vec::new()) };
}

/// Decides what its script says; without a script it allows, as authentication does.
struct Scripted(Rc<RefCell<Script>>);

impl Stage for Scripted {
    fn needs(&self) -> Needs {
        self.0.borrow().needs
    }

    fn on_request(&mut self, exchange: &mut Exchange, _now: UnixTime) -> Verdict {
        let mut script = self.0.borrow_mut();
        script.asked += 1;
        script.subjects.push(exchange.identity.as_ref().and_then(|identity| identity.principal.subject.clone()));
        let verdict = script.verdicts.pop_front().unwrap_or(Verdict::Continue);
        exchange.edits.remove("x-forged");
        if verdict == Verdict::Continue && exchange.decision.is_none() {
            exchange.decision = Some(Decision::allow("orders".into(), TOKEN_VALID, None));
        }
        verdict
    }

    fn on_log(&mut self, exchange: &Exchange, completion: &Completion, _now: UnixTime, observer: &mut dyn Observer) {
        self.0.borrow_mut().logs.push((exchange.decision.clone(), *completion));
        observer.print("logged");
    }

    fn due_fetches(&mut self, _now: UnixTime) -> Vec<Fetch> {
        std::mem::take(&mut self.0.borrow_mut().due)
    }

    fn on_fetched(&mut self, _id: FetchId, outcome: FetchOutcome, _now: UnixTime) -> Option<(LogLevel, String)> {
        self.0.borrow_mut().outcomes.push(outcome);
        Some((LogLevel::Info, "keys fetched".to_owned()))
    }
}

fn load(document: &[u8], _environment: &dyn Environment) -> Result<Loaded, ConfigError> {
    if document == b"bad" {
        return Err(ConfigError::new("rules[0].access", "is not an access").hint("use required"));
    }
    let stages = SCRIPTS
        .with_borrow(|scripts| scripts.iter().map(|script| Box::new(Scripted(Rc::clone(script))) as Box<dyn Stage>).collect());
    Ok(Loaded { stages, warnings: vec![Warning::new("jwtRules[0].secret", "stands in the configuration")] })
}

const ALL: Callbacks = Callbacks { request_headers: true, tick: true, http_call_response: true, log: true };
const DECIDES: Plugin = Plugin { load, publishes_identity: true, callbacks: ALL };
const READS: Plugin = Plugin { load, publishes_identity: false, callbacks: Callbacks { tick: false, ..ALL } };

const ROOT: u32 = 1;
const STREAM: u32 = 2;

/// A dispatcher with a configured root and one stream; `stages` are the scripts of its stages.
fn begin<'a>(
    proxy: &'a FakeProxy,
    plugin: &Plugin,
    stages: Vec<Script>,
) -> (Dispatcher<&'a FakeProxy>, Vec<Rc<RefCell<Script>>>) {
    let scripts: Vec<_> = stages.into_iter().map(|script| Rc::new(RefCell::new(script))).collect();
    SCRIPTS.set(scripts.clone());
    let dispatcher = Dispatcher::new(proxy);
    dispatcher.create(ROOT, 0);
    assert!(dispatcher.configure(plugin, ROOT, 0));
    add_stream(&dispatcher, proxy, STREAM);
    (dispatcher, scripts)
}

fn add_stream(dispatcher: &Dispatcher<&FakeProxy>, proxy: &FakeProxy, id: u32) {
    let headers = [(":method", "GET"), (":path", "/"), ("x-forged", "admin"), ("x-request-id", "r-1")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    proxy.streams.borrow_mut().insert(id, FakeStream { headers, ..FakeStream::default() });
    proxy.context.set(id);
    dispatcher.create(id, ROOT);
}

fn script(verdicts: impl IntoIterator<Item = Verdict>) -> Script {
    Script { verdicts: verdicts.into_iter().collect(), ..Script::default() }
}

fn fetch(id: usize) -> Fetch {
    Fetch {
        id: FetchId(id),
        cluster: "uaa".into(),
        scheme: "https".into(),
        authority: "uaa.example.com".into(),
        path: "/jwks".into(),
        timeout: Duration::from_secs(5),
    }
}

fn refuse(rejection: Rejection) -> Verdict {
    Verdict::Refuse(Refusal::from(rejection))
}

fn waits_for(id: usize, then: Verdict) -> Script {
    Script { due: vec![fetch(id)], ..script([Verdict::Wait(FetchId(id)), then]) }
}

/// What became of the stream: statuses it was answered with, times it was resumed, times it was reset.
fn end_of(proxy: &FakeProxy, id: u32) -> (Vec<u16>, u32, u32) {
    let streams = proxy.streams.borrow();
    let stream = &streams[&id];
    (stream.replies.iter().map(|reply| reply.status).collect(), stream.resumed, stream.reset)
}

fn state_of(proxy: &FakeProxy, key: &str) -> Option<String> {
    proxy.streams.borrow()[&STREAM].state.get(key).map(|value| String::from_utf8(value.clone()).unwrap())
}

fn answer(proxy: &FakeProxy, dispatcher: &Dispatcher<&FakeProxy>, token: u32) {
    *proxy.answer.borrow_mut() = FakeAnswer { status: "200".to_owned(), body: b"{}".to_vec() };
    proxy.context.set(ROOT);
    dispatcher.http_call_response(ROOT, token, 1, 2);
}

#[test]
fn passes_an_allowed_request_and_publishes_the_decision() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![script([])]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Continue);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 0, 0));
    assert!(proxy.streams.borrow()[&STREAM].headers.iter().all(|(name, _)| name != "x-forged"));
    let decision = state_of(&proxy, "portcullis.decision").unwrap();
    assert!(decision.contains("\"decision\":\"allow\""), "{decision}");
}

#[test]
fn the_first_refusal_counts_and_later_stages_still_run() {
    let proxy = FakeProxy::default();
    let stages = vec![script([refuse(Rejection::TokenExpired)]), script([refuse(Rejection::ClaimTooLarge)])];
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, stages);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(end_of(&proxy, STREAM), (vec![401], 0, 0));
    assert_eq!(scripts[1].borrow().asked, 1);
    let streams = proxy.streams.borrow();
    assert_eq!(streams[&STREAM].replies[0].details, "portcullis{token_expired}");
    assert!(String::from_utf8_lossy(&streams[&STREAM].replies[0].body).contains("r-1"));
    assert!(streams[&STREAM].headers.iter().all(|(name, _)| name != "x-forged"));
}

#[test]
fn a_refusal_after_an_allow_is_what_is_published() {
    let proxy = FakeProxy::default();
    for plugin in [&DECIDES, &READS] {
        let stages = vec![script([]), script([refuse(Rejection::ClaimTooLarge)])];
        let (dispatcher, _) = begin(&proxy, plugin, stages);
        assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
        let decision: Decision = serde_json::from_str(&state_of(&proxy, "portcullis.decision").unwrap()).unwrap();
        assert_eq!((&*decision.rule, &*decision.reason), ("orders", "claim_too_large"));
    }
}

#[test]
fn a_module_that_decides_passes_nothing_without_a_decision() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![]);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(end_of(&proxy, STREAM), (vec![500], 0, 0));
}

#[test]
fn denies_where_there_is_no_configuration() {
    let proxy = FakeProxy::default();
    let dispatcher = Dispatcher::new(&proxy);
    dispatcher.create(ROOT, 0);
    *proxy.configuration.borrow_mut() = b"bad".to_vec();
    assert!(!dispatcher.configure(&DECIDES, ROOT, 3));
    add_stream(&dispatcher, &proxy, STREAM);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    assert_eq!(end_of(&proxy, STREAM), (vec![500], 0, 0));
    let line =
        (Severity::Critical, "portcullis: configuration refused: rules[0].access: is not an access; use required".to_owned());
    assert!(proxy.lines.borrow().contains(&line), "{:?}", proxy.lines.borrow());
}

#[test]
fn denies_a_context_that_was_never_created_or_is_a_root() {
    for id in [99, ROOT] {
        let proxy = FakeProxy::default();
        let (dispatcher, _) = begin(&proxy, &DECIDES, vec![script([])]);
        assert_eq!(dispatcher.request_headers(id), Action::Pause, "context {id}");
        assert_eq!(end_of(&proxy, STREAM), (vec![500], 0, 0));
    }
}

#[test]
fn warns_and_asks_for_ticks_when_configured() {
    let proxy = FakeProxy::default();
    begin(&proxy, &DECIDES, vec![]);
    assert_eq!(proxy.tick_period.get(), Some(Duration::from_secs(1)));
    let warning = (Severity::Warn, "portcullis: jwtRules[0].secret: stands in the configuration".to_owned());
    assert!(proxy.lines.borrow().contains(&warning));
    let quiet = FakeProxy::default();
    begin(&quiet, &READS, vec![]);
    assert_eq!(quiet.tick_period.get(), None);
}

#[test]
fn refuses_a_configuration_that_cannot_be_read_or_gets_no_ticks() {
    for call in ["plugin_configuration", "set_tick_period"] {
        let proxy = FakeProxy::default();
        proxy.failing.borrow_mut().insert(call);
        let dispatcher = Dispatcher::new(&proxy);
        dispatcher.create(ROOT, 0);
        assert!(!dispatcher.configure(&DECIDES, ROOT, 0), "{call}");
    }
}

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
    assert_eq!(scripts[0].borrow().outcomes, [FetchOutcome::Answered { status: 200, body: b"{}".to_vec() }]);
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
    fn on_request(&mut self, _exchange: &mut Exchange, _now: UnixTime) -> Verdict {
        Verdict::Wait(FetchId(0))
    }

    fn due_fetches(&mut self, _now: UnixTime) -> Vec<Fetch> {
        vec![fetch(0)]
    }
}

fn load_insisting(_document: &[u8], _environment: &dyn Environment) -> Result<Loaded, ConfigError> {
    Ok(Loaded { stages: vec![Box::new(Insisting)], warnings: vec![] })
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
fn an_update_leaves_requests_with_the_configuration_that_they_began_with() {
    let proxy = FakeProxy::default();
    let (dispatcher, old) = begin(&proxy, &DECIDES, vec![waits_for(7, Verdict::Continue)]);
    dispatcher.request_headers(STREAM);
    let new = Rc::new(RefCell::new(script([refuse(Rejection::AccessDenied)])));
    SCRIPTS.set(vec![Rc::clone(&new)]);
    assert!(dispatcher.configure(&DECIDES, ROOT, 0));
    add_stream(&dispatcher, &proxy, 3);
    assert_eq!(dispatcher.request_headers(3), Action::Pause);
    assert_eq!(end_of(&proxy, 3), (vec![403], 0, 0));
    answer(&proxy, &dispatcher, 101);
    assert_eq!(end_of(&proxy, STREAM), (vec![], 1, 0));
    assert_eq!((old[0].borrow().asked, new.borrow().asked), (2, 1));
}

#[test]
fn a_refused_update_leaves_the_configuration_before_it_in_force() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![script([])]);
    *proxy.configuration.borrow_mut() = b"bad".to_vec();
    assert!(!dispatcher.configure(&DECIDES, ROOT, 3));
    add_stream(&dispatcher, &proxy, 3);
    assert_eq!(dispatcher.request_headers(3), Action::Continue);
}

#[test]
fn two_configurations_side_by_side_do_not_meet() {
    let proxy = FakeProxy::default();
    let (dispatcher, _) = begin(&proxy, &DECIDES, vec![script([refuse(Rejection::AccessDenied)])]);
    SCRIPTS.set(vec![Rc::default()]);
    dispatcher.create(10, 0);
    assert!(dispatcher.configure(&DECIDES, 10, 0));
    proxy
        .streams
        .borrow_mut()
        .insert(11, FakeStream { headers: vec![("a".to_owned(), "b".to_owned())], ..FakeStream::default() });
    dispatcher.create(11, 10);
    proxy.context.set(11);
    assert_eq!(dispatcher.request_headers(11), Action::Continue);
    proxy.context.set(STREAM);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
}

#[test]
fn the_end_is_told_once_with_status_and_duration() {
    let proxy = FakeProxy::default();
    let (dispatcher, scripts) = begin(&proxy, &DECIDES, vec![script([refuse(Rejection::TokenMissing)])]);
    dispatcher.request_headers(STREAM);
    proxy.seconds.set(1_002);
    dispatcher.log(STREAM);
    dispatcher.log(STREAM);
    let logs = &scripts[0].borrow().logs;
    let completion = Completion { status: Some(401), duration: Some(Duration::from_secs(2)) };
    assert_eq!(logs.len(), 1);
    assert_eq!(logs[0].1, completion);
    assert_eq!(logs[0].0.as_ref().unwrap().reason, "token_missing");
}

#[test]
fn the_end_of_a_request_that_came_by_unseen_is_read_from_the_proxy() {
    let proxy = FakeProxy::default();
    let needs = Needs { upstream_identity: true, ..Needs::default() };
    let (dispatcher, scripts) = begin(&proxy, &READS, vec![Script { needs, ..script([]) }]);
    proxy.properties.borrow_mut().insert("response.code".to_owned(), 403_u64.to_le_bytes().to_vec());
    proxy.properties.borrow_mut().insert("request.duration".to_owned(), 1_500_000_u64.to_le_bytes().to_vec());
    let decision = serde_json::to_vec(&Decision::refuse("orders".into(), Rejection::RoleMissing, None)).unwrap();
    proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().state.insert("portcullis.decision".to_owned(), decision);
    dispatcher.log(STREAM);
    let logs = &scripts[0].borrow().logs;
    assert_eq!(logs[0].1, Completion { status: Some(403), duration: Some(Duration::from_micros(1_500)) });
    assert_eq!(logs[0].0.as_ref().unwrap().reason, "role_missing");
    assert!(proxy.lines.borrow().contains(&(Severity::Warn, "logged".to_owned())), "at the level that is shown");
}

const PRINCIPAL: &str = r#"{"issuer":"https://uaa","subject":"2","roles":[],"scopes":[],"audiences":[],"claims":{},"method":"jwt","tokenId":null,"expiresAt":null}"#;

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
fn whatever_call_fails_the_request_does_not_go_on() {
    let needs = Needs { route_name: true, upstream_identity: true };
    for plugin in [&DECIDES, &READS] {
        for call in ["request_headers", "now", "property", "edit", "set_state"] {
            if call == "set_state" && !plugin.publishes_identity {
                continue;
            }
            for more in [None, Some("reply")] {
                let proxy = FakeProxy::default();
                let (dispatcher, _) = begin(&proxy, plugin, vec![Script { needs, ..script([]) }]);
                proxy.failing.borrow_mut().insert(call);
                proxy.failing.borrow_mut().extend(more);
                assert_eq!(dispatcher.request_headers(STREAM), Action::Pause, "{call} {more:?}");
                let expected = if more.is_some() { (vec![], 0, 1) } else { (vec![500], 0, 0) };
                assert_eq!(end_of(&proxy, STREAM), expected, "{call} {more:?}");
                assert_eq!(dispatcher.request_headers(STREAM), Action::Pause, "asked twice");
            }
        }
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
fn callbacks_for_contexts_that_do_not_exist_do_nothing() {
    let proxy = FakeProxy::default();
    let dispatcher = Dispatcher::new(&proxy);
    dispatcher.tick(5);
    dispatcher.log(5);
    dispatcher.delete(5);
    dispatcher.http_call_response(5, 1, 1, 1);
    dispatcher.create(6, 5);
    dispatcher.log(6);
    assert!(proxy.lines.borrow().is_empty());
    assert!(!dispatcher.configure(&DECIDES, 6, 0), "a stream has no configuration");
}
