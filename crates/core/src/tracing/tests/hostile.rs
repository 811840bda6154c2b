//! Whatever bytes come, what goes on can be read by a strict reader, and is one trace.

use proptest::prelude::*;

use super::super::*;
use crate::config::Variable;
use crate::edits::Edit;
use crate::headers::Headers;
use crate::platform::Platform;
use crate::request::Request;
use crate::stage::Alone;

type Pairs = Vec<(String, Vec<u8>)>;

const CONFIGURATIONS: [&str; 6] = [
    "{}",
    r#"{"propagate":["w3c","b3","b3multi"]}"#,
    r#"{"propagate":["w3c","b3","b3multi"],"mint":false,"sample":0}"#,
    r#"{"propagate":["b3"],"proxyHeader":"x-proxy-trace"}"#,
    r#"{"propagate":["b3multi"],"mint":false}"#,
    r#"{"propagate":[],"proxyHeader":"x-proxy-trace","mint":false}"#,
];
const NAMES: [&str; 9] = [
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-proxy-trace",
];

/// Bytes of any kind, and texts that are nearly right.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let trace =
        "(4bf92f3577b34da6a3ce929d0e0e4736|463ac35c9f6413ad|00000000000000000000000000000000|0000000000000000|[0-9a-fA-F]{32})";
    let span = "(00f067aa0ba902b7|0000000000000000|[0-9a-fA-F]{16})";
    let near = format!(
        "((00|cc|ff)-)?({trace}-?)?({span})?(-[01d]|-[0-9a-f]{{2}})?(-({span}|new))?|[01d]|[a-z]=[ -~]{{0,4}}(,[a-z]=1)?"
    );
    let near = proptest::string::string_regex(&near).unwrap().prop_map(String::into_bytes);
    let bytes = proptest::collection::vec(any::<u8>(), 0..80);
    (prop_oneof![4 => near, 1 => bytes], proptest::option::weighted(0.1, (any::<prop::sample::Index>(), any::<u8>()))).prop_map(
        |(mut bytes, changed)| {
            if let Some((place, byte)) = changed.filter(|_| !bytes.is_empty()) {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes
        },
    )
}

/// The trace that is settled, the headers that the upstream sees, and those of what is sent because of the request and by itself.
fn settled(config: &str, headers: &Pairs) -> (Option<TraceContext>, Pairs, [Option<Pairs>; 2]) {
    let environment = |_: &str| Variable::Unset;
    let config = serde_json::from_str(config).unwrap();
    let (mut stage, mut callouts) = Tracing::compile(&config, "tracing", &Platform::from(&environment), None).unwrap();
    let pairs = Headers::from_pairs(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
    let mut exchange = Exchange::new(Request::new(pairs), None);
    assert_eq!(stage.on_request(&mut exchange, UnixTime::from_secs(0), &mut Alone), Verdict::Continue);
    let mut seen = headers.clone();
    for edit in exchange.edits.iter() {
        seen.retain(|(name, _)| name != edit.name());
        if let Edit::Set(name, value) = edit {
            seen.push((name.to_string(), value.as_bytes().to_vec()));
        }
    }
    let mut told = |cause: Option<TraceContext>| {
        let trace = callouts.next(cause)?;
        let headers = callouts.headers(&trace).into_iter();
        Some(headers.map(|(name, value)| (name.to_owned(), value.into_bytes())).collect())
    };
    let sent = [exchange.trace().and_then(|trace| told(Some(trace))), told(None)];
    (exchange.trace, seen, sent)
}

/// What is wrong with headers that go somewhere; `trace` is the one that those which are `wanted` must tell.
fn fault(headers: &Pairs, trace: Option<TraceContext>, wanted: &[&str]) -> Option<&'static str> {
    let headers = Headers::from_pairs(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
    let found = TraceHeaders::of(&headers);
    let (w3c, single, parts) = (found.traceparent(), found.b3(), found.b3_parts());
    if w3c == Reading::Malformed || single == Reading::Malformed || parts == Reading::Malformed {
        return Some("something malformed goes on");
    }
    let contexts = [
        ("w3c", w3c.valid().map(|read| read.context)),
        ("b3", single.valid().and_then(|read| read.context)),
        ("b3multi", parts.valid().and_then(|read| read.context)),
    ];
    for (format, context) in contexts {
        let is_told = || context.is_some_and(|context| trace.is_some_and(|trace| context.agrees(&trace)));
        if wanted.contains(&format) && !is_told() {
            return Some("a format that is wanted does not tell the trace");
        }
    }
    if tracestate::combine(&found.tracestate).is_none() || (w3c == Reading::Absent && !found.tracestate.is_empty()) {
        return Some("a state goes on that is malformed, or without a trace");
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_bytes_come_what_goes_on_is_well_formed_and_one_trace(
        place in 0..CONFIGURATIONS.len(),
        headers in proptest::collection::vec((0..NAMES.len(), value()), 0..7),
    ) {
        let config = CONFIGURATIONS[place];
        let headers: Pairs = headers.into_iter().map(|(name, value)| (NAMES[name].to_owned(), value)).collect();
        let (trace, seen, [caused, own]) = settled(config, &headers);
        let mints = !config.contains("\"mint\":false");
        prop_assert!(trace.is_some() || !mints);
        let formats: &[&str] = match place {
            0 => &["w3c"],
            1 | 2 => &["w3c", "b3", "b3multi"],
            3 => &["b3"],
            4 => &["b3multi"],
            _ => &[],
        };
        let wanted = if trace.is_some() { formats } else { &[] };
        prop_assert_eq!(fault(&seen, trace, wanted), None, "{:?}", seen);
        prop_assert!(!config.contains("proxyHeader") || seen.iter().all(|(name, _)| name != "x-proxy-trace"));
        if let Some(caused) = caused {
            prop_assert_eq!(fault(&caused, trace, &["w3c"]), None, "{:?}", caused);
        }
        prop_assert_eq!(own.is_some(), mints);
        if let Some(own) = own {
            prop_assert_eq!(fault(&own, None, &[]), None, "{:?}", own);
        }
    }
}
