//! Trace headers: what goes on is one well-formed trace.

use portcullis_conformance::gate::apply;
use portcullis_core::config::Variable;
use portcullis_core::headers::Headers;
use portcullis_core::module::Module;
use portcullis_core::request::Request;
use portcullis_core::stage::{Alone, Exchange};
use portcullis_core::time::UnixTime;
use portcullis_core::tracing::{TraceHeaders, tracestate};

const NAMES: [&str; 8] =
    ["traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"];
const CONFIGURATION: &[u8] = br#"{"tracing":{"propagate":["w3c","b3","b3multi"]}}"#;

/// Whatever comes, each format names the trace that the exchange does, and what goes on does not change when it comes again.
pub fn trace(input: &[u8]) {
    // One header on each line; the first byte chooses its name.
    let lines = input.split(|byte| *byte == b'\n').filter_map(|line| line.split_first());
    let sent: Vec<_> = lines.map(|(name, value)| (NAMES[usize::from(name & 7)].to_owned(), value.to_vec())).collect();
    let (exchange, seen) = settled(&sent);
    let headers = Headers::from_pairs(seen.iter().cloned());
    let found = TraceHeaders::of(&headers);
    let trace = exchange.trace.expect("a trace begins where none came");
    let told = [
        found.traceparent().valid().map(|traceparent| traceparent.context),
        found.b3().valid().and_then(|b3| b3.context),
        found.b3_parts().valid().and_then(|b3| b3.context),
    ];
    for context in told {
        assert!(context.is_some_and(|context| context.agrees(&trace)), "{told:?} {trace:?}");
    }
    assert!(tracestate::combine(&found.tracestate).is_some_and(|list| found.tracestate.is_empty() || !list.is_empty()));
    assert_eq!(settled(&seen).1, seen, "it came to rest");
}

fn settled(sent: &[(String, Vec<u8>)]) -> (Exchange, Vec<(String, Vec<u8>)>) {
    let mut exchange = Exchange::new(Request::new(Headers::from_pairs(sent.iter().cloned())), None);
    let loaded = Module::JwtAuth.load(CONFIGURATION, &|_: &str| Variable::Unset).expect("the configuration");
    for mut stage in loaded.stages.into_iter().take(1) {
        let _ = stage.on_request(&mut exchange, UnixTime::from_secs(0), &mut Alone);
    }
    let mut seen = sent.to_vec();
    exchange.edits.iter().for_each(|edit| apply(edit, &mut seen));
    (exchange, seen)
}
