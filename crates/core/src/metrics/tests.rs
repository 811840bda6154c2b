use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};

use super::*;
use crate::config::Warning;
use crate::config::metrics::{Label, MetricsConfig};
use crate::decision::{Decision, TOKEN_VALID};
use crate::ending::Unasked;
use crate::headers::Headers;
use crate::rejection::Rejection;
use crate::request::Request;
use crate::stage::Completion;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn stage(config: Value) -> Metrics {
    let config: MetricsConfig = serde_json::from_value(config).unwrap();
    Metrics::new(Rc::new(Policy::compile(&config).unwrap().0), false)
}

fn exchange(method: &str, decision: Option<Decision>) -> Exchange {
    let headers = Headers::from_pairs([(":method", method), (":path", "/orders/1"), (":authority", "api.example.com")]);
    let mut exchange = Exchange::new(Request::new(headers), Some(NOW));
    exchange.decision = decision;
    exchange
}

fn answered(status: u16) -> Completion {
    Completion { status: Some(status), duration: Some(Duration::from_micros(7_900)), ..Completion::default() }
}

fn allowed(rule: &str) -> Option<Decision> {
    Some(Decision::allow(rule.into(), TOKEN_VALID, Some("uaa".into())))
}

#[test]
fn counts_requests_under_their_labels() {
    let refused = Some(Decision::refuse("orders".into(), Rejection::TokenMissing, None));
    let failed = Some(Decision::refuse("orders".into(), Rejection::KeysUnavailable, None));
    let cases = [
        (
            exchange("GET", allowed("orders")),
            answered(200),
            "rule=.=orders;.;decision=.=allow;.;reason=.=token_valid;.;issuer=.=uaa;.;method=.=GET;.;status_class=.=2xx;.;",
        ),
        (
            exchange("POST", refused),
            answered(401),
            "rule=.=orders;.;decision=.=deny;.;reason=.=token_missing;.;issuer=.=none;.;method=.=POST;.;status_class=.=4xx;.;",
        ),
        (
            exchange("PATCH", failed),
            answered(503),
            "rule=.=orders;.;decision=.=error;.;reason=.=keys_unavailable;.;issuer=.=none;.;method=.=PATCH;.;status_class=.=5xx;.;",
        ),
        (
            exchange("get", None),
            Completion::default(),
            "rule=.=none;.;decision=.=none;.;reason=.=none;.;issuer=.=none;.;method=.=other;.;status_class=.=none;.;",
        ),
        (
            Exchange::new(Request::default(), None),
            answered(700),
            "rule=.=none;.;decision=.=none;.;reason=.=none;.;issuer=.=none;.;method=.=none;.;status_class=.=other;.;",
        ),
        (
            exchange("GET", allowed("a b;c=d|é\".e")),
            answered(304),
            "rule=.=a_b_c_d____.e;.;decision=.=allow;.;reason=.=token_valid;.;issuer=.=uaa;.;method=.=GET;.;status_class=.=3xx;.;",
        ),
    ];
    for (exchange, completion, expected) in cases {
        let mut board = Board::default();
        stage(json!({"histograms": []})).on_log(&exchange, &completion, NOW, &mut board);
        assert_eq!(board.values, BTreeMap::from([(format!("{expected}portcullis_requests_total"), vec![1])]));
    }
}

#[test]
fn measures_durations_by_rule() {
    // (configuration, the histogram's name)
    let cases = [
        (json!({}), Some("rule=.=orders;.;portcullis_request_duration_ms")),
        (json!({"labels": ["method", "rule"]}), Some("rule=.=orders;.;portcullis_request_duration_ms")),
        (json!({"labels": ["method"]}), Some("portcullis_request_duration_ms")),
        (json!({"histograms": []}), None),
    ];
    for (config, expected) in cases {
        let (mut stage, mut board) = (stage(config.clone()), Board::default());
        stage.on_log(&exchange("GET", allowed("orders")), &answered(200), NOW, &mut board);
        let without_duration = Completion { status: Some(200), duration: None, ..Completion::default() };
        stage.on_log(&exchange("GET", allowed("orders")), &without_duration, NOW, &mut board);
        stage.on_tick(NOW, &mut board);
        let durations: Vec<_> = board.values.iter().filter(|(name, _)| name.ends_with(REQUEST_DURATION_MS.name())).collect();
        match expected {
            Some(name) => assert_eq!(durations, [(&name.to_owned(), &vec![7])], "{config}"),
            None => assert!(durations.is_empty(), "{config}"),
        }
    }
}

#[test]
fn durations_that_wait_are_not_lost_where_no_tick_comes() {
    let raw: MetricsConfig = serde_json::from_value(json!({})).unwrap();
    for standalone in [false, true] {
        let mut board = Board::default();
        let mut stage = Metrics::new(Rc::new(Policy::compile(&raw).unwrap().0), standalone);
        assert_eq!(stage.tick_period(), (!standalone).then_some(TICK_PERIOD));
        stage.on_log(&exchange("GET", allowed("orders")), &answered(200), NOW, &mut board);
        let name = "rule=.=orders;.;portcullis_request_duration_ms";
        assert_eq!(board.values.contains_key(name), standalone);
        stage.close(NOW, &mut board);
        assert_eq!(board.values[name], [7]);
    }
}

#[test]
fn labels_stand_in_the_order_of_the_configuration() {
    let mut board = Board::default();
    let mut ordered = stage(json!({"labels": ["status_class", "rule"], "histograms": []}));
    ordered.on_log(&exchange("GET", allowed("orders")), &answered(200), NOW, &mut board);
    let mut bare = stage(json!({"labels": [], "histograms": []}));
    bare.on_log(&exchange("GET", allowed("orders")), &answered(200), NOW, &mut board);
    assert_eq!(board.names, ["status_class=.=2xx;.;rule=.=orders;.;portcullis_requests_total", "portcullis_requests_total"]);
}

#[test]
fn attacker_chosen_words_never_become_a_metric_name() {
    let (mut stage, mut board) = (stage(json!({})), Board::default());
    for number in 0..5_000 {
        let method = format!("EVIL{number}");
        let headers = [(":method", method.clone()), (":path", format!("/evil{number}")), (":authority", format!("evil{number}"))];
        let mut exchange = Exchange::new(Request::new(Headers::from_pairs(headers)), Some(NOW));
        exchange.decision = Some(Decision::refuse("default".into(), Rejection::IssuerUnknown, None));
        stage.on_log(&exchange, &answered(401), NOW, &mut board);
    }
    assert_eq!(board.names.len(), 2, "{:?}", board.names);
    assert!(!board.names.iter().any(|name| name.to_lowercase().contains("evil")));
}

#[test]
fn series_beyond_the_limit_share_one() {
    let (mut stage, mut board) = (stage(json!({"labels": ["rule", "method"], "maxSeries": 3})), Board::default());
    for round in 1..=2 {
        for rule in ["a", "b", "c", "d", "e"] {
            stage.on_log(&exchange("GET", allowed(rule)), &answered(200), NOW, &mut board);
        }
        stage.on_tick(NOW, &mut board);
        let counted: Vec<_> = board.values.iter().map(|(name, values)| (name.as_str(), values.len())).collect();
        let expected = [
            ("rule=.=a;.;method=.=GET;.;portcullis_requests_total", round),
            ("rule=.=a;.;portcullis_request_duration_ms", round),
            ("rule=.=b;.;method=.=GET;.;portcullis_requests_total", round),
            ("rule=.=b;.;portcullis_request_duration_ms", round),
            ("rule=.=c;.;method=.=GET;.;portcullis_requests_total", round),
            ("rule=.=c;.;portcullis_request_duration_ms", round),
            ("rule=.=other;.;method=.=other;.;portcullis_requests_total", 2 * round),
            ("rule=.=other;.;portcullis_request_duration_ms", 2 * round),
        ];
        assert_eq!(counted, expected);
        assert_eq!(board.names.len(), 8);
    }
}

#[test]
fn refused_definition_is_not_tried_again() {
    let (mut stage, mut board) = (stage(json!({"maxSeries": 1})), Board { refuses: true, ..Board::default() });
    for rule in ["a", "b", "a", "b", "c"] {
        stage.on_log(&exchange("GET", allowed(rule)), &answered(200), NOW, &mut board);
    }
    assert_eq!(board.names.len(), 4, "one for `a` and one for the rest, in each family");
}

/// The expressions of [`stats_tags`].
fn envoy() -> Vec<(&'static str, Regex)> {
    stats_tags().map(|(tag, expression)| (tag, Regex::new(&expression).unwrap())).collect()
}

/// The expressions that Istio makes of `extraStatTags`.
fn istio() -> Vec<(&'static str, Regex)> {
    let expression = |tag| Regex::new(&format!(r"({tag}=\.=(.*?);\.;)")).unwrap();
    Label::ALL.map(|label| (label.as_str(), expression(label.as_str()))).into()
}

/// What Envoy makes of a name: each expression is matched against the whole name, its second group is the tag's value, and
/// the first groups of all are cut out together.
fn extract(expressions: &[(&'static str, Regex)], name: &str) -> (String, BTreeMap<&'static str, String>) {
    let mut cut = vec![false; name.len()];
    let mut tags = BTreeMap::new();
    for (tag, expression) in expressions {
        if let Some(groups) = expression.captures(name) {
            cut[groups.get(1).unwrap().range()].fill(true);
            tags.insert(*tag, groups[2].to_owned());
        }
    }
    let rest = name.bytes().zip(cut).filter(|(_, cut)| !cut).map(|(byte, _)| char::from(byte)).collect();
    (rest, tags)
}

#[test]
fn stats_tags_turn_names_into_labels() {
    let cases: &[(&str, &[Label])] = &[
        (REQUESTS_TOTAL.name(), &Label::ALL),
        (REQUEST_DURATION_MS.name(), &[Label::Rule]),
        (REQUESTS_TOTAL.name(), &[Label::StatusClass, Label::Method, Label::Rule]),
        (REQUESTS_TOTAL.name(), &[Label::Reason]),
        (REQUESTS_TOTAL.name(), &[]),
    ];
    let values = ["orders", "https://uaa.example.com/a:b@c-d", "rule", "a.b..c.", "", "rule=.=x;.;method=.=y;.;portcullis_z"];
    for (proxy, expressions) in [("Envoy", envoy()), ("Istio", istio())] {
        for value in values {
            for (family, labels) in cases {
                let mut name = SeriesName::default();
                name.write(family, labels, |_| value);
                let (rest, tags) = extract(&expressions, &format!("wasmcustom.{}", name.as_str()));
                assert_eq!(rest, format!("wasmcustom.{family}"), "{proxy}: {}", name.as_str());
                let shown = value.replace([';', '='], "_");
                let expected: BTreeMap<_, _> = labels.iter().map(|label| (label.as_str(), shown.clone())).collect();
                assert_eq!(tags, expected, "{proxy}: {}", name.as_str());
            }
        }
    }
}

#[test]
fn stats_tags_leave_other_metrics_alone() {
    for name in [
        "wasmcustom.rule=.=a;.;other_total",
        "wasmcustom.rule=.=a;.;other_portcullis_requests_total",
        "wasmcustom.other_rule=.=a;.;portcullis_requests_total",
        "wasmcustom.rule=.=a;.;portcullis_requests_total.other",
        "http.rule=.=a;.;portcullis_requests_total",
        "cluster.rule=.=b;.;rq",
    ] {
        assert_eq!(extract(&envoy(), name), (name.to_owned(), BTreeMap::new()));
    }
}

#[test]
fn cuts_long_values() {
    let mut name = SeriesName::default();
    let long = "a".repeat(10_000);
    name.write("f", &[Label::Rule], |_| &long);
    assert_eq!(name.as_str(), format!("rule=.={};.;f", "a".repeat(128)));
}

#[test]
fn refuses_bad_configuration() {
    let cases = [
        (json!({"labels": ["rule", "method", "rule"]}), "labels[2]: is named twice"),
        (json!({"histograms": ["request_duration_ms", "request_duration_ms"]}), "histograms[1]: is named twice"),
        (json!({"maxSeries": 0}), "maxSeries: must be between 1 and 100000"),
        (json!({"maxSeries": 100_001}), "maxSeries: must be between 1 and 100000"),
    ];
    for (config, expected) in cases {
        let config: MetricsConfig = serde_json::from_value(config).unwrap();
        assert_eq!(Policy::compile(&config).unwrap_err().to_string(), expected);
    }
    for unknown in [json!({"label": []}), json!({"labels": ["path"]}), json!({"histograms": ["response_bytes"]})] {
        assert!(serde_json::from_value::<MetricsConfig>(unknown).is_err());
    }
}

#[test]
fn warns_of_labels_that_the_shipped_alerts_need() {
    for (config, expected) in [
        (json!({}), None),
        (json!({"labels": ["reason", "decision", "rule"]}), None),
        (json!({"labels": ["rule", "method", "status_class", "issuer", "reason"]}), Some("`decision`")),
        (json!({"labels": []}), Some("`rule`, `decision`, `reason`")),
    ] {
        let raw: MetricsConfig = serde_json::from_value(config.clone()).unwrap();
        let warnings = Policy::compile(&raw).unwrap().1;
        let expected = expected.map(|missing| {
            Warning::new("labels", format!("without {missing} some of the shipped alerts never fire, and panels stay empty"))
        });
        assert_eq!(warnings, Vec::from_iter(expected), "{config}");
    }
}

#[test]
fn counts_the_headers_that_clients_forged() {
    for (config, expected) in [
        (json!({}), "rule=.=orders;.;portcullis_stripped_headers_total"),
        (json!({"labels": ["method"]}), "portcullis_stripped_headers_total"),
    ] {
        let (mut stage, mut board) = (stage(config), Board::default());
        let mut exchange = exchange("GET", allowed("orders"));
        stage.on_log(&exchange, &answered(200), NOW, &mut board);
        assert!(!board.values.contains_key(expected));
        exchange.stripped.add(&["x-user-id".to_owned(), "x-user-role".to_owned()]);
        stage.on_log(&exchange, &answered(200), NOW, &mut board);
        stage.on_log(&exchange, &answered(200), NOW, &mut board);
        assert_eq!(board.values.get(expected), Some(&vec![2, 2]));
        assert_eq!(board.names.iter().filter(|name| *name == expected).count(), 1);
    }
}

#[test]
fn asks_for_the_decision_of_another_module_where_none_of_its_own_decides() {
    let by_method = json!({"labels": ["method", "status_class"]});
    for (config, standalone, expected) in [(json!({}), true, true), (json!({}), false, false), (by_method, true, true)] {
        let raw: MetricsConfig = serde_json::from_value(config.clone()).unwrap();
        let stage = Metrics::new(Rc::new(Policy::compile(&raw).unwrap().0), standalone);
        assert_eq!(stage.needs(), Needs { upstream_identity: expected, ..Needs::default() }, "{config}");
    }
}

#[test]
fn what_is_not_configured_is_not_asked_for() {
    let mut board = Board::default();
    stage(json!({"labels": ["rule"], "histograms": []})).on_log(
        &exchange("GET", allowed("orders")),
        &Unasked::default(),
        NOW,
        &mut board,
    );
    assert_eq!(board.values, BTreeMap::from([("rule=.=orders;.;portcullis_requests_total".to_owned(), vec![1])]));
}
