//! What fetches say of traces, and what is told of how they went.

use portcullis_core::config::probability::Probability;
use portcullis_core::tracing::{CalloutTraces, Minter, Span, SpanEnd};

use super::*;

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

thread_local! {
    static SPANS: RefCell<Vec<(Span, SpanEnd)>> = const { RefCell::new(Vec::new()) };
    static TRACES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what it is told.
struct Told;

impl Stage for Told {
    fn on_span(&mut self, span: &Span, end: SpanEnd) {
        SPANS.with_borrow_mut(|spans| spans.push((span.clone(), end)));
    }

    fn on_log(&mut self, exchange: &Exchange, _ending: &dyn Ending, _now: UnixTime, _observer: &mut dyn Observer) {
        TRACES.with_borrow_mut(|traces| traces.push(exchange.trace_id().map_or_else(String::new, |trace| trace.to_string())));
    }
}

const TELLS: Plugin = Plugin {
    load: |document, platform| {
        let mut loaded = load(document, platform)?;
        loaded.callout_traces = CalloutTraces::new(Minter::new([7; 32], Probability::ALWAYS), true, true, true);
        loaded.stages.push(Box::new(Told));
        Ok(loaded)
    },
    ..DECIDES
};

/// A request that waits for the fetch 7, beside which another one is due.
fn waiting<'a>(proxy: &'a FakeProxy, plugin: &Plugin) -> Dispatcher<&'a FakeProxy> {
    let mut stage = Script { callout: Some(Callout::Jwks), ..waits_for(7, Verdict::Continue) };
    stage.due.push(fetch(8));
    let (dispatcher, _) = begin(proxy, plugin, vec![stage]);
    let traceparent = ("traceparent".to_owned(), TRACEPARENT.to_owned());
    proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().headers.push(traceparent);
    assert_eq!(dispatcher.request_headers(STREAM), Action::Pause);
    dispatcher
}

#[test]
fn a_fetch_belongs_to_the_trace_of_the_request_that_waits_for_it() {
    let proxy = FakeProxy::default();
    let _ = waiting(&proxy, &DECIDES);
    assert_eq!(*proxy.traces.borrow(), [vec![("traceparent", TRACEPARENT.to_owned())], vec![]]);
}

#[test]
fn a_fetch_that_a_request_waits_for_is_told_of_as_a_span() {
    let proxy = FakeProxy::default();
    let dispatcher = waiting(&proxy, &TELLS);
    let [caused, other] = &proxy.traces.borrow()[..] else { panic!("two fetches") };
    assert_eq!(caused.iter().chain(other).map(|(name, _)| *name).collect::<Vec<_>>(), ["traceparent", "b3", "traceparent", "b3"]);
    assert!(!other[0].1.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "what nobody waits for is a trace of its own");
    proxy.seconds.set(1_002);
    answer(&proxy, &dispatcher, 101);
    answer(&proxy, &dispatcher, 102);
    let spans = SPANS.take();
    let [(span, end)] = &spans[..] else { panic!("one span: {spans:?}") };
    let context = span.context;
    let written = format!("00-{}-{}-01", context.trace, context.span);
    assert_eq!((&caused[0].1, context.trace.to_string()), (&written, "4bf92f3577b34da6a3ce929d0e0e4736".to_owned()));
    assert_eq!(context.parent.unwrap().to_string(), "00f067aa0ba902b7");
    assert_eq!((span.callout, &*span.server, span.method), (Callout::Jwks, "uaa.example.com", "GET"));
    assert_eq!((end.end.since(span.start), end.status), (Duration::from_secs(2), Some(200)));
}

#[test]
fn what_was_not_sent_is_not_told_of() {
    let proxy = FakeProxy::default();
    proxy.failing.borrow_mut().insert("send");
    let mut stage = Script { callout: Some(Callout::Jwks), ..waits_for(7, Verdict::Continue) };
    stage.due.push(fetch(8));
    let (dispatcher, _) = begin(&proxy, &TELLS, vec![stage]);
    dispatcher.request_headers(STREAM);
    assert_eq!(SPANS.take(), []);
}

#[test]
fn a_module_that_observes_learns_of_the_trace_that_began_after_it() {
    const OBSERVES: Plugin = Plugin { load: TELLS.load, ..READS };
    for (plugin, expected) in [(OBSERVES, "4bf92f3577b34da6a3ce929d0e0e4736"), (TELLS, "")] {
        let proxy = FakeProxy::default();
        let needs = Needs { upstream_identity: true, ..Needs::default() };
        let (dispatcher, _) = begin(&proxy, &plugin, vec![Script { needs, ..script([]) }]);
        assert_eq!(dispatcher.request_headers(STREAM), Action::Continue);
        let traceparent = ("traceparent".to_owned(), TRACEPARENT.to_owned());
        proxy.streams.borrow_mut().get_mut(&STREAM).unwrap().headers.push(traceparent);
        dispatcher.log(STREAM);
        assert_eq!(TRACES.take(), [expected]);
    }
}
