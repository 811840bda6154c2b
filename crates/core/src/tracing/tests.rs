mod hostile;
mod propagating;

use proptest::prelude::*;

use super::traceparent::Traceparent;
use super::*;
use crate::headers::Headers;

type Case = (&'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const B3: &str = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90";

fn trace(headers: &[(&str, &str)]) -> Option<String> {
    let headers = Headers::from_pairs(headers.iter().copied());
    TraceHeaders::of(&headers).context().map(|context| context.trace.to_string())
}

#[test]
fn reads_w3c_then_b3() {
    let cases: &[Case] = &[
        ("nothing", &[], None),
        ("w3c", &[("traceparent", W3C)], Some(TRACE)),
        ("w3c before b3", &[("b3", B3), ("TraceParent", W3C)], Some(TRACE)),
        (
            "b3 headers, 64 bits",
            &[("X-B3-TraceId", "463ac35c9f6413ad"), ("x-b3-spanid", "00f067aa0ba902b7")],
            Some("463ac35c9f6413ad"),
        ),
        ("b3 headers, 128 bits", &[("x-b3-traceid", TRACE), ("X-B3-SpanId", "00f067aa0ba902b7")], Some(TRACE)),
        ("a trace without a span", &[("x-b3-traceid", TRACE)], None),
        ("single b3", &[("b3", B3)], Some("80f198ee56343ba864fe8b2a57d3eff7")),
        ("single b3 that only denies", &[("b3", "0")], None),
        ("malformed w3c, then b3", &[("traceparent", "00-zz"), ("b3", B3)], Some("80f198ee56343ba864fe8b2a57d3eff7")),
        ("sent twice", &[("traceparent", W3C), ("traceparent", W3C)], None),
        ("sent twice, other spelling", &[("b3", B3), ("B3", B3)], None),
        ("a version to come", &[("traceparent", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-new")], Some(TRACE)),
    ];
    for (case, headers, expected) in cases {
        assert_eq!(trace(headers).as_deref(), *expected, "{case}");
    }
}

#[test]
fn what_is_malformed_says_nothing() {
    let values: &[&[u8]] = &[
        b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        b"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.new",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        b"\xff\xfe",
        b"",
    ];
    for value in values {
        for name in ["traceparent", "x-b3-traceid", "b3"] {
            let headers = Headers::from_pairs([(name.as_bytes(), *value)]);
            let found = TraceHeaders::of(&headers);
            assert_eq!(found.context(), None, "{name}: {}", String::from_utf8_lossy(value));
            let readings =
                [found.traceparent().valid().is_some(), found.b3().valid().is_some(), found.b3_parts().valid().is_some()];
            assert_eq!(readings, [false; 3], "{name}: {}", String::from_utf8_lossy(value));
        }
    }
}

#[test]
fn b3_says_whether_to_record_with_and_without_a_trace() {
    let sampling = |headers: &[(&str, &str)]| {
        let headers = Headers::from_pairs(headers.iter().copied());
        let found = TraceHeaders::of(&headers);
        found.b3().valid().or_else(|| found.b3_parts().valid()).map(|b3| b3.sampling)
    };
    for (headers, expected) in [
        (&[("b3", "0")][..], Some(Sampling::Denied)),
        (&[("b3", "1")], Some(Sampling::Accepted)),
        (&[("b3", "d")], Some(Sampling::Debug)),
        (&[("b3", "0000000000000001-0000000000000003")], Some(Sampling::Undecided)),
        (&[("b3", "0000000000000001-0000000000000003-d")], Some(Sampling::Debug)),
        (&[("b3", "x")], None),
        (&[("x-b3-sampled", "0")], Some(Sampling::Denied)),
        (&[("x-b3-sampled", "d")], None),
        (&[("x-b3-sampled", "true")], None),
        (&[("x-b3-flags", "1")], Some(Sampling::Debug)),
        (&[("x-b3-flags", "1"), ("x-b3-sampled", "0")], Some(Sampling::Debug)),
        (&[("x-b3-flags", "0")], Some(Sampling::Undecided)),
        (&[("x-b3-parentspanid", "0000000000000001")], None),
    ] {
        assert_eq!(sampling(headers), expected, "{headers:?}");
    }
}

#[test]
fn where_several_headers_name_the_trace_the_single_one_may_still_say_whether_to_record() {
    let parts = [("x-b3-traceid", TRACE), ("x-b3-spanid", "00f067aa0ba902b7")];
    for (more, expected) in [
        (&[][..], Sampling::Undecided),
        (&[("b3", "0")], Sampling::Denied),
        (&[("b3", "d")], Sampling::Debug),
        (&[("b3", "0"), ("x-b3-sampled", "1")], Sampling::Denied),
        (&[("b3", "x"), ("x-b3-sampled", "1")], Sampling::Accepted),
        (&[("x-b3-sampled", "1")], Sampling::Accepted),
    ] {
        let headers = Headers::from_pairs(parts.iter().chain(more).copied());
        let context = TraceHeaders::of(&headers).context().unwrap();
        assert_eq!((context.trace.to_string().as_str(), context.sampling), (TRACE, expected), "{more:?}");
    }
}

fn contexts() -> impl Strategy<Value = TraceContext> {
    let sampling =
        prop_oneof![Just(Sampling::Undecided), Just(Sampling::Denied), Just(Sampling::Accepted), Just(Sampling::Debug)];
    let short = any::<u64>().prop_filter_map("zero", |bits| TraceId::of_16_digits(format!("{bits:016x}").as_bytes()));
    let trace = prop_oneof![any::<u128>().prop_filter_map("zero", TraceId::new), short];
    let span = || any::<u64>().prop_filter_map("zero", SpanId::new);
    let parts = (trace, span(), proptest::option::of(span()), sampling, any::<bool>());
    parts.prop_map(|(trace, span, parent, sampling, is_random)| TraceContext { trace, span, parent, sampling, is_random })
}

proptest! {
    #[test]
    fn what_is_written_reads_as_it_was(context in contexts()) {
        let w3c = Traceparent::read(traceparent::write(&context).as_bytes()).unwrap();
        prop_assert!(w3c.is_known_version);
        let expected = TraceContext {
            trace: context.trace.padded(), parent: None, sampling: Sampling::of(context.sampling.is_recorded()), ..context
        };
        prop_assert_eq!(w3c.context, expected);
        let single = b3::B3::read(b3::write(&context).as_bytes()).unwrap();
        let parent = context.parent.filter(|_| context.sampling != Sampling::Undecided);
        let context = TraceContext { is_random: false, ..context };
        prop_assert_eq!(single.context, Some(TraceContext { parent, ..context }));
        let parts = b3::write_parts(&context);
        let several = b3::B3::read_parts(parts.each_ref().map(|part| part.as_deref().map(str::as_bytes))).unwrap();
        prop_assert_eq!((several.context, several.sampling), (Some(context), context.sampling));
    }

    #[test]
    fn what_reads_at_all_reads_the_same_when_it_is_written(value in "[0-9a-f-]{1,3}-?[0-9a-f]{31,32}-[0-9a-f]{15,16}-[0-9a-f]{1,2}(-.{0,3})?") {
        if let Some(read) = Traceparent::read(value.as_bytes()) {
            let written = traceparent::write(&read.context);
            prop_assert_eq!(Traceparent::read(written.as_bytes()).unwrap().context, read.context);
        }
    }

    #[test]
    fn a_combined_state_is_one_line_of_itself(lines in proptest::collection::vec("[a-z =,\t@A]{0,12}", 0..4)) {
        let lines: Vec<_> = lines.iter().map(String::as_bytes).collect();
        if let Some(list) = tracestate::combine(&lines) {
            prop_assert_eq!(tracestate::combine(&[list.as_bytes()]), Some(list));
        }
    }
}
