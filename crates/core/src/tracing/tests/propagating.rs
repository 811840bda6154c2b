//! What the upstream is told, and which trace is the request's.

use super::super::*;
use crate::config::Variable;
use crate::edits::Edit;
use crate::headers::Headers;
use crate::platform::Platform;
use crate::request::Request;
use crate::stage::Alone;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SAME_IN_B3: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1";
const OTHER: &str = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90";
const OTHER_IN_W3C: &str = "00-80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-01";

type Pairs = Vec<(String, String)>;

fn stage(config: &str) -> Tracing {
    let environment = |_: &str| Variable::Unset;
    Tracing::compile(&serde_json::from_str(config).unwrap(), "tracing", &Platform::from(&environment), None).unwrap().0
}

/// The exchange, and the headers that the upstream sees.
fn settled(config: &str, headers: &[(&str, &str)]) -> (Exchange, Pairs) {
    let mut exchange = Exchange::new(Request::new(Headers::from_pairs(headers.iter().copied())), None);
    let verdict = stage(config).on_request(&mut exchange, UnixTime::from_secs(0), &mut Alone);
    assert_eq!(verdict, Verdict::Continue);
    let mut seen: Pairs = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), (*value).to_owned())).collect();
    for (edit, is_new) in exchange.edits.writes() {
        assert!(!is_new || !seen.iter().any(|(name, _)| name == edit.name()), "{edit:?} is not new");
        seen.retain(|(name, _)| name != edit.name());
        match edit {
            Edit::Set(name, value) => seen.push((name.to_string(), value.to_string())),
            Edit::Remove(_) => {}
            Edit::Append(..) => panic!("{edit:?}"),
        }
    }
    seen.sort();
    (exchange, seen)
}

fn seen(config: &str, headers: &[(&str, &str)]) -> Pairs {
    settled(config, headers).1
}

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    let mut pairs: Pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    pairs.sort();
    pairs
}

const ALL: &str = r#"{"propagate":["w3c","b3","b3multi"]}"#;

#[test]
fn what_came_is_told_in_every_format_that_is_wanted() {
    let parts = [("x-b3-traceid", TRACE), ("x-b3-spanid", "00f067aa0ba902b7"), ("x-b3-sampled", "1")];
    let all = pairs(&[&[("traceparent", W3C), ("b3", SAME_IN_B3)], &parts[..]].concat());
    assert_eq!(seen(ALL, &[("traceparent", W3C)]), all);
    assert_eq!(seen(ALL, &[("b3", SAME_IN_B3)]), all);
    assert_eq!(seen(ALL, &parts), all);
    let debug = seen(ALL, &[("b3", "463ac35c9f6413ad-a2fb4a1d1a96d312-d")]);
    let expected = pairs(&[
        ("traceparent", "00-0000000000000000463ac35c9f6413ad-a2fb4a1d1a96d312-01"),
        ("b3", "463ac35c9f6413ad-a2fb4a1d1a96d312-d"),
        ("x-b3-traceid", "463ac35c9f6413ad"),
        ("x-b3-spanid", "a2fb4a1d1a96d312"),
        ("x-b3-flags", "1"),
    ]);
    assert_eq!(debug, expected);
}

#[test]
fn what_agrees_goes_on_untouched_and_nothing_is_written() {
    for (config, headers) in [
        ("{}", &[("traceparent", W3C), ("tracestate", "a=1, b=2"), ("tracestate", "c=3")][..]),
        ("{}", &[("traceparent", W3C), ("b3", OTHER)]),
        ("{}", &[("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03")]),
        (r#"{"propagate":["b3"]}"#, &[("b3", OTHER)]),
        (r#"{"propagate":["b3"]}"#, &[("b3", "463ac35c9f6413ad-a2fb4a1d1a96d312")]),
        (r#"{"propagate":["w3c","b3"]}"#, &[("traceparent", W3C), ("b3", SAME_IN_B3)]),
        (r#"{"propagate":[]}"#, &[("b3", "0"), ("tracestate-2", "x")]),
        (r#"{"mint":false}"#, &[("accept", "a")]),
    ] {
        let (exchange, _) = settled(config, headers);
        assert_eq!(exchange.edits.iter().count(), 0, "{config} {headers:?} {:?}", exchange.edits);
    }
}

#[test]
fn where_two_disagree_the_w3c_has_it() {
    assert_eq!(
        seen(r#"{"propagate":["w3c","b3"]}"#, &[("traceparent", W3C), ("b3", OTHER)]),
        pairs(&[("traceparent", W3C), ("b3", SAME_IN_B3)])
    );
    assert_eq!(seen("{}", &[("traceparent", W3C), ("b3", OTHER)]), pairs(&[("traceparent", W3C), ("b3", OTHER)]));
}

#[test]
fn what_is_malformed_never_goes_on() {
    for config in ["{}", ALL, r#"{"propagate":["b3"]}"#, r#"{"propagate":[]}"#, r#"{"mint":false}"#] {
        let (exchange, seen) = settled(
            config,
            &[
                ("traceparent", "00-bad"),
                ("tracestate", "a=1"),
                ("b3", "80f198ee56343ba864fe8b2a57d3eff7"),
                ("x-b3-traceid", TRACE),
                ("x-b3-flags", "0"),
            ],
        );
        let seen: Vec<_> = seen.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let headers = Headers::from_pairs(seen.iter().copied());
        let found = TraceHeaders::of(&headers);
        assert!(found.tracestate.is_empty(), "{config}");
        assert!(found.traceparent() != Reading::Malformed && found.b3() != Reading::Malformed, "{config}");
        assert!(found.b3_parts() != Reading::Malformed, "{config}");
        assert_eq!(exchange.trace.is_some(), !config.contains("mint"), "{config}");
    }
    let translated = seen("{}", &[("traceparent", "00-bad"), ("tracestate", "a=1"), ("b3", OTHER)]);
    assert_eq!(translated, pairs(&[("traceparent", OTHER_IN_W3C), ("b3", OTHER)]));
    let next = format!("cc-{TRACE}-00f067aa0ba902b7-01-new");
    let known = seen("{}", &[("traceparent", &next), ("tracestate", "a=1")]);
    assert_eq!(known, pairs(&[("traceparent", W3C), ("tracestate", "a=1")]));
}

#[test]
fn a_state_goes_with_its_trace_and_without_what_is_malformed() {
    for (lines, expected) in [
        (&["a=1"][..], &["a=1"][..]),
        (&["", "a=1"], &["a=1"]),
        (&["", " "], &[]),
        (&["A=1"], &[]),
        (&["a=1", "b"], &[]),
        (&["a=1", "b=2"], &["a=1", "b=2"]),
    ] {
        let headers: Vec<_> =
            std::iter::once(("traceparent", W3C)).chain(lines.iter().map(|line| ("tracestate", *line))).collect();
        let expected: Vec<_> =
            std::iter::once(("traceparent", W3C)).chain(expected.iter().map(|line| ("tracestate", *line))).collect();
        assert_eq!(seen("{}", &headers), pairs(&expected), "{lines:?}");
    }
    assert!(!seen("{}", &[("tracestate", "a=1")]).iter().any(|(name, _)| name == "tracestate"));
}

#[test]
fn a_trace_begins_where_none_came_and_is_recorded_as_somebody_wanted() {
    for (config, headers, flags) in [
        ("{}", &[][..], "-03"),
        (r#"{"sample":0}"#, &[], "-02"),
        ("{}", &[("b3", "0")], "-02"),
        (r#"{"sample":0}"#, &[("b3", "d")], "-03"),
        (r#"{"sample":0}"#, &[("x-b3-sampled", "1")], "-03"),
    ] {
        let (exchange, seen) = settled(config, headers);
        let (_, written) = seen.iter().find(|(name, _)| name == "traceparent").unwrap();
        let read = traceparent::Traceparent::read(written.as_bytes()).unwrap();
        assert_eq!(exchange.trace_id(), Some(read.context.trace));
        assert!(written.ends_with(flags), "{config} {headers:?}: {written}");
    }
    let open = seen(r#"{"sample":0}"#, &[("b3", "463ac35c9f6413ad-a2fb4a1d1a96d312")]);
    assert_eq!(open[1].1, "00-0000000000000000463ac35c9f6413ad-a2fb4a1d1a96d312-00");
}

#[test]
fn the_trace_of_the_proxy_is_the_requests_and_its_header_goes_no_further() {
    let config = r#"{"propagate":["w3c"],"proxyHeader":"x-proxy-trace"}"#;
    let told = format!("{TRACE}-00f067aa0ba902b7");
    for headers in
        [&[("X-Proxy-Trace", &*told)][..], &[("x-proxy-trace", &told), ("traceparent", OTHER_IN_W3C), ("tracestate", "a=1")]]
    {
        let (exchange, seen) = settled(config, headers);
        assert_eq!(seen, pairs(&[("traceparent", W3C)]));
        assert_eq!(exchange.trace_id().unwrap().to_string(), TRACE);
    }
    for headers in [
        &[("x-proxy-trace", "-"), ("traceparent", W3C)][..],
        &[("x-proxy-trace", &told), ("x-proxy-trace", "b"), ("traceparent", W3C)],
    ] {
        assert_eq!(seen(config, headers), pairs(&[("traceparent", W3C)]), "{headers:?}");
    }
}

#[test]
fn that_a_trace_is_named_at_random_goes_on_with_it_and_what_nobody_knows_does_not() {
    let came = |flags: &str| format!("cc-{TRACE}-00f067aa0ba902b7-{flags}-new");
    for (flags, expected) in [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("fc", "00")] {
        let (exchange, seen) = settled("{}", &[("traceparent", &came(flags))]);
        assert_eq!(seen, pairs(&[("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-{expected}"))]), "{flags}");
        let callouts = CalloutTraces::default();
        let sent = callouts.headers(&CalloutTrace { context: exchange.trace.unwrap(), is_span: false });
        assert_eq!(sent, [("traceparent", seen[0].1.clone())]);
    }
    let proxy = format!("{TRACE}-b7ad6b7169203331");
    let joined = [("x-proxy-trace", &*proxy), ("traceparent", &came("03"))];
    let expected = pairs(&[("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-03"))]);
    assert_eq!(seen(r#"{"proxyHeader":"x-proxy-trace"}"#, &joined), expected);
    assert_eq!(seen("{}", &[("b3", OTHER)]), pairs(&[("traceparent", OTHER_IN_W3C), ("b3", OTHER)]), "B3 does not say it");
}

#[test]
fn what_is_not_to_be_recorded_is_not_recorded_though_another_header_names_the_trace() {
    let parts = [("x-b3-traceid", TRACE), ("x-b3-spanid", "00f067aa0ba902b7")];
    let headers = [&parts[..], &[("b3", "0")]].concat();
    let told = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    assert_eq!(seen("{}", &headers), pairs(&[&headers[..], &[told]].concat()));
}
