//! The life of contexts and requests, with stages that do what the test says.

mod answering;
mod draining;
mod measuring;
mod observing;
mod responding;
mod stripping;
mod tracing;
mod waiting;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use portcullis_core::answer::{LocalReply, Refusal};
use portcullis_core::config::{ConfigError, Warning};
use portcullis_core::decision::{Decision, TOKEN_VALID};
use portcullis_core::edits::HeaderEdits;
use portcullis_core::headers::Headers;
use portcullis_core::health::{Health, IssuerHealth, KeyState};
use portcullis_core::metrics::Callout;
use portcullis_core::module::Loaded;
use portcullis_core::principal::{Identity, Principal};
use portcullis_core::publication::Publication;
use portcullis_core::rejection::Rejection;
use portcullis_core::stage::{
    Completion, Due, Ending, Exchange, Fetch, FetchId, FetchOutcome, LogLevel, Message, Needs, Observer, SharedData, Stage,
    Surroundings, Verdict,
};
use portcullis_core::time::UnixTime;

use super::*;
use crate::fake::{FakeAnswer, FakeProxy, FakeStream};
use crate::plugin::{Callbacks, Module};

/// What a scripted stage is told to say, and what it saw.
#[derive(Debug, Default)]
struct Script {
    verdicts: VecDeque<Verdict>,
    due: Vec<Fetch>,
    settled: Vec<FetchId>,
    outcomes: Vec<FetchOutcome>,
    asked: u32,
    logs: Vec<(Option<Decision>, Completion)>,
    needs: Needs,
    subjects: Vec<Option<String>>,
    rules: Vec<Option<Vec<u8>>>,
    route_records: Vec<Option<Vec<u8>>>,
    identifies: bool,
    asks_how_it_ended: bool,
    publication: Publication,
    strips: bool,
    keeps_answers: bool,
    clears_route_cache: bool,
    /// How many things it has left to send.
    left: u32,
    /// How often it was told that it is out of force.
    closed: u32,
    is_pressing: bool,
    only_observes: bool,
    /// Nobody is to tell it how requests end.
    never_observes: bool,
    /// What its fetches are for.
    callout: Option<Callout>,
    is_ill: bool,
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

    fn decides(&self) -> bool {
        !self.0.borrow().only_observes
    }

    fn observes(&self) -> bool {
        !self.0.borrow().never_observes
    }

    fn is_pressing(&self, _now: UnixTime) -> bool {
        self.0.borrow().is_pressing
    }

    fn health(&self, _now: UnixTime, health: &mut Health) {
        if self.0.borrow().is_ill {
            health.add_issuer(IssuerHealth { place: 0, name: "uaa".into(), is_named: true, keys: KeyState::None, age: None });
        }
    }

    fn catch_up(&mut self, _now: UnixTime, shared: &mut dyn SharedData) {
        let mut script = self.0.borrow_mut();
        script.is_ill &= !matches!(shared.read("cure"), Ok(Some(_)));
    }

    fn close(&mut self, _now: UnixTime, _observer: &mut dyn Observer) {
        self.0.borrow_mut().closed += 1;
    }

    fn callout(&self, _fetch: FetchId) -> Option<Callout> {
        self.0.borrow().callout
    }

    fn drain(&mut self) -> bool {
        self.0.borrow().left == 0
    }

    fn abandon(&mut self, observer: &mut dyn Observer) {
        for left in 0..std::mem::take(&mut self.0.borrow_mut().left) {
            observer.print(&format!("left {left}"));
        }
    }

    fn on_request(&mut self, exchange: &mut Exchange, _now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        let mut script = self.0.borrow_mut();
        script.asked += 1;
        script.rules.push(exchange.route.rule.clone());
        script.subjects.push(exchange.identity.as_ref().and_then(|identity| identity.principal()?.subject.clone()));
        let verdict = script.verdicts.pop_front().unwrap_or(Verdict::Continue);
        exchange.edits.remove("x-forged");
        exchange.clears_route_cache |= script.clears_route_cache;
        if script.strips {
            exchange.stripped.add(&["x-forged".to_owned()]);
        }
        if script.identifies {
            let principal: Principal = serde_json::from_str(PRINCIPAL).unwrap();
            exchange.identity = Some(Rc::new(Identity::new(principal, "uaa".into())));
        }
        if verdict == Verdict::Continue && exchange.decision.is_none() {
            exchange.decision = Some(Decision::allow("orders".into(), TOKEN_VALID, None));
        }
        verdict
    }

    fn on_response(&mut self, headers: &Headers, edits: &mut HeaderEdits) -> Result<(), Rejection> {
        headers.all("x-internal").for_each(|_| edits.remove("x-internal"));
        if self.0.borrow().keeps_answers { Err(Rejection::HostError) } else { Ok(()) }
    }

    fn on_log(&mut self, exchange: &Exchange, ending: &dyn Ending, _now: UnixTime, observer: &mut dyn Observer) {
        let mut script = self.0.borrow_mut();
        let completion = match script.asks_how_it_ended {
            true => Completion { status: ending.status(), duration: ending.duration(), ..Completion::default() },
            false => Completion::default(),
        };
        script.route_records.push(exchange.route.record.clone());
        script.logs.push((exchange.decision.clone(), completion));
        observer.print("logged");
    }

    fn due(&mut self, _now: UnixTime, _shared: &mut dyn SharedData) -> Due {
        let mut script = self.0.borrow_mut();
        Due { fetches: std::mem::take(&mut script.due), settled: std::mem::take(&mut script.settled), messages: Vec::new() }
    }

    fn on_fetched(
        &mut self,
        _id: FetchId,
        outcome: FetchOutcome,
        _now: UnixTime,
        _shared: &mut dyn SharedData,
    ) -> Option<Message> {
        self.0.borrow_mut().outcomes.push(outcome);
        Some(Message { level: LogLevel::Info, text: "keys fetched".to_owned() })
    }
}

fn load(document: &[u8], _: Platform<'_>) -> Result<Loaded, ConfigError> {
    if document == b"bad" {
        return Err(ConfigError::new("rules[0].access", "is not an access").hint("use required"));
    }
    let scripts = SCRIPTS.with_borrow(Clone::clone);
    let publication = scripts.first().map_or_else(Publication::default, |script| script.borrow().publication);
    let stages = scripts.into_iter().map(|script| Box::new(Scripted(script)) as Box<dyn Stage>).collect();
    let warnings = vec![Warning::new("jwtRules[0].secret", "stands in the configuration")];
    Ok(Loaded { stages, warnings, publication, ..Loaded::default() })
}

const PRINCIPAL: &str = r#"{"issuer":"https://uaa","subject":"2","roles":[],"scopes":[],"audiences":[],"claims":{},"method":"jwt","tokenId":null,"expiresAt":null}"#;

const ALL: Callbacks = Callbacks {
    request_headers: true,
    response_headers: true,
    tick: true,
    http_call_response: true,
    log: true,
    log_and_send: true,
    done: true,
    delete: true,
};
const DECIDES: Plugin = Plugin { module: Module::Bundle, load, identity: IdentitySource::Stages, callbacks: ALL };
const READS: Plugin = Plugin {
    module: Module::AuthHeader,
    load,
    identity: IdentitySource::of(Module::AuthHeader),
    callbacks: Callbacks { tick: false, ..ALL },
};

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
        post: None,
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
fn whatever_call_fails_the_request_does_not_go_on() {
    let needs = Needs { route_name: true, route_rule: true, route_record: true, upstream_identity: true, response_headers: true };
    for plugin in [&DECIDES, &READS] {
        for call in ["request_headers", "now", "property", "edit", "set_state"] {
            if call == "set_state" && !matches!(plugin.identity, IdentitySource::Stages) {
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
