use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::claim_set::ClaimSet;
use crate::config::metrics::MetricsConfig;
use crate::decision::{Decision, TOKEN_VALID};
use crate::headers::Headers;
use crate::metrics::{Board, Metrics, Policy};
use crate::principal::{Identity, Method, Principal};
use crate::request::Request;
use crate::stage::{Completion, Facts, Stage};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn config(business: &Value) -> MetricsConfig {
    serde_json::from_value(json!({"labels": [], "histograms": [], "business": business})).unwrap()
}

fn stage(business: &Value) -> Metrics {
    Metrics::new(Rc::new(Policy::compile(&config(business)).unwrap().0), false)
}

fn exchange(method: &str, path: &str, claims: &Value) -> Exchange {
    let headers = Headers::from_pairs([(":method", method), (":path", path), (":authority", "api.example.com")]);
    let mut exchange = Exchange::new(Request::new(headers), Some(NOW));
    exchange.decision = Some(Decision::allow("orders".into(), TOKEN_VALID, Some("uaa".into())));
    let principal = Principal {
        issuer: "https://uaa".into(),
        subject: None,
        roles: Vec::new(),
        scopes: Vec::new(),
        audiences: Vec::new(),
        claims: ClaimSet::read(claims.to_string()).unwrap(),
        method: Method::Jwt,
        token_id: None,
        expires_at: None,
    };
    exchange.identity = Some(Rc::new(Identity::new(principal, "uaa".into())));
    exchange
}

fn ended(status: u16) -> Completion {
    let facts = Facts { request_bytes: Some(11), received_bytes: Some(711), response_bytes: Some(2_048), ..Facts::default() };
    Completion { status: Some(status), duration: Some(Duration::from_micros(7_900)), facts }
}

/// What stands on the board beside the requests.
fn shown(board: &Board) -> Vec<(&str, &[u64])> {
    let own = board.values.iter().filter(|(name, _)| !name.ends_with("portcullis_requests_total"));
    own.map(|(name, values)| (name.as_str(), values.as_slice())).collect()
}

fn placed_orders() -> Value {
    json!({"name": "placed_orders", "match": {"methods": ["POST"], "paths": ["/orders"]}, "status": "2xx",
        "labels": {"tenant": "{claim.tenant}"}})
}

#[test]
fn counts_the_requests_that_match_and_were_answered_so() {
    let (mut stage, mut board) = (stage(&json!([placed_orders()])), Board::default());
    let blue = json!({"tenant": "blue"});
    for (method, path, status) in [
        ("POST", "/orders", 201),
        ("POST", "/orders", 204),
        ("GET", "/orders", 200),
        ("POST", "/x", 200),
        ("POST", "/orders", 409),
    ] {
        stage.on_log(&exchange(method, path, &blue), &ended(status), NOW, &mut board);
    }
    stage.on_log(&exchange("POST", "/orders", &blue), &Completion::default(), NOW, &mut board);
    stage.on_log(&exchange("POST", "/x%2f..%2forders", &blue), &ended(200), NOW, &mut board);
    assert_eq!(shown(&board), [("tenant=.=blue;.;portcullis_placed_orders_total", &[1, 1][..])]);
}

#[test]
fn labels_are_made_of_claims_paths_and_what_was_decided() {
    let metric = json!([{"name": "changes", "match": {"paths": ["/{kind}/{id}/approve", "/{kind}/approve"]}, "status": ["2xx", 404],
        "labels": {"a1": "{claim.tenant.name}", "b1": "{path.kind}", "c1": "{rule}-{decision}-{issuer}", "d1": "{method}/{status_class}",
            "e1": "fixed"}}]);
    for (claims, expected) in [
        (json!({"tenant": {"name": "blue"}}), "blue"),
        (json!({"tenant": {"name": 7}}), "7"),
        (json!({"tenant": {"name": true}}), "true"),
        (json!({"tenant": {"name": ["a", "b"]}}), "other"),
        (json!({"tenant": {"name": {}}}), "other"),
        (json!({"tenant": {"name": null}}), "none"),
        (json!({"tenant": {"name": ""}}), "none"),
        (json!({"tenant": "blue"}), "none"),
        (json!({}), "none"),
    ] {
        let (mut stage, mut board) = (stage(&metric), Board::default());
        stage.on_log(&exchange("PUT", "/orders/7/approve", &claims), &ended(404), NOW, &mut board);
        let name = format!(
            "a1=.={expected};.;b1=.=orders;.;c1=.=orders-allow-uaa;.;d1=.=PUT/4xx;.;e1=.=fixed;.;portcullis_changes_total"
        );
        assert_eq!(shown(&board), [(name.as_str(), &[1][..])], "{claims}");
    }
    let (mut stage, mut board) = (stage(&metric), Board::default());
    let anonymous = Exchange { identity: None, decision: None, ..exchange("PUT", "/orders/approve", &json!({})) };
    stage.on_log(&anonymous, &ended(200), NOW, &mut board);
    assert_eq!(
        shown(&board)[0].0,
        "a1=.=none;.;b1=.=orders;.;c1=.=none-none-none;.;d1=.=PUT/2xx;.;e1=.=fixed;.;portcullis_changes_total"
    );
}

#[test]
fn no_request_makes_a_sum_absurd() {
    const TERABYTE: u64 = 1 << 40;
    let facts = |announced, received, sent| Facts {
        request_bytes: announced,
        received_bytes: received,
        response_bytes: sent,
        ..Facts::default()
    };
    let years = Duration::from_secs(u64::MAX);
    for (value, facts, expected) in [
        ("request_bytes", facts(Some(1_000), Some(1_300), None), Some(1_000)),
        ("request_bytes", facts(Some(9_000_000_000_000_000_000), Some(300), None), Some(300)),
        // Minus one, as the proxy parses it.
        ("request_bytes", facts(Some(u64::MAX), Some(300), None), Some(300)),
        ("request_bytes", facts(Some(u64::MAX), Some(u64::MAX), None), Some(TERABYTE)),
        ("request_bytes", facts(Some(1_000), None, None), None),
        ("request_bytes", facts(None, Some(300), None), None),
        ("response_bytes", facts(None, None, Some(u64::MAX)), Some(TERABYTE)),
        ("duration_ms", Facts::default(), Some(TERABYTE)),
    ] {
        let ending = Completion { status: Some(200), duration: Some(years), facts };
        let amount = amount(serde_json::from_value(json!(value)).unwrap(), &ending, NOW);
        assert_eq!(amount, expected, "{value} {ending:?}");
    }
}

#[test]
fn kinds_and_values() {
    for (kind, value, name, expected) in [
        ("counter", json!(null), "portcullis_x_total", 1),
        ("counter", json!("response_bytes"), "portcullis_x_bytes_total", 2_048),
        ("histogram", json!("request_bytes"), "portcullis_x_bytes", 11),
        ("histogram", json!("duration_ms"), "portcullis_x_ms", 7),
        ("gauge", json!("timestamp_seconds"), "portcullis_x_timestamp_seconds", 1_700_000_000),
        ("gauge", json!("response_bytes"), "portcullis_x_bytes", 2_048),
    ] {
        let mut metric = json!({"name": "x", "kind": kind});
        if !value.is_null() {
            metric["value"] = value;
        }
        let (mut stage, mut board) = (stage(&json!([metric])), Board::default());
        for _ in 0..2 {
            stage.on_log(&exchange("GET", "/", &json!({})), &ended(200), NOW, &mut board);
        }
        assert_eq!(shown(&board), [(name, &[expected, expected][..])]);
        let unknown = Completion { status: Some(200), ..Completion::default() };
        stage.on_log(&exchange("GET", "/", &json!({})), &unknown, NOW, &mut board);
        let is_known = matches!(name, "portcullis_x_total" | "portcullis_x_timestamp_seconds");
        assert_eq!(shown(&board)[0].1.len(), if is_known { 3 } else { 2 }, "what the proxy does not know is left out");
    }
}

#[test]
fn no_claim_forges_a_label_or_a_name() {
    let (mut stage, mut board) = (stage(&json!([placed_orders()])), Board::default());
    let hostile = [
        "x;.;rule=.=admin;.;portcullis_requests_total",
        "=.=;.;",
        "component.evil.cache.evil.",
        "a\nb\"c\\d",
        "é{}",
        "\u{0}",
        &"long".repeat(10_000),
    ];
    for tenant in hostile {
        stage.on_log(&exchange("POST", "/orders", &json!({"tenant": tenant})), &ended(200), NOW, &mut board);
    }
    assert_eq!(shown(&board).len(), hostile.len());
    for (name, _) in shown(&board) {
        let value = name.strip_prefix("tenant=.=").unwrap().strip_suffix(";.;portcullis_placed_orders_total").unwrap();
        assert!(
            value.len() <= 128 && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_/:@-".contains(&byte)),
            "{value}"
        );
    }
}

#[test]
fn values_beyond_the_limit_share_one_series() {
    let mut metric = placed_orders();
    metric["maxValues"] = json!(3);
    let (mut stage, mut board) = (stage(&json!([metric])), Board::default());
    for round in 0..2 {
        for tenant in 0..5_000 {
            let claims = json!({"tenant": format!("t{tenant}")});
            stage.on_log(&exchange("POST", "/orders", &claims), &ended(200), NOW, &mut board);
        }
        let counts: Vec<_> = shown(&board).into_iter().map(|(name, values)| (name, values.len())).collect();
        let rounds = round + 1;
        let expected = [
            ("tenant=.=other;.;portcullis_placed_orders_total", 4_997 * rounds),
            ("tenant=.=t0;.;portcullis_placed_orders_total", rounds),
            ("tenant=.=t1;.;portcullis_placed_orders_total", rounds),
            ("tenant=.=t2;.;portcullis_placed_orders_total", rounds),
        ];
        assert_eq!(counts, expected);
    }
    assert_eq!(board.names.iter().filter(|name| name.ends_with("placed_orders_total")).count(), 4, "each is defined once");
}

#[test]
fn series_beyond_the_limit_share_one() {
    let metric = json!({"name": "x", "labels": {"a": "{claim.a}", "b": "{claim.b}"}, "maxValues": 100});
    let mut raw = config(&json!([metric]));
    raw.max_series = Some(5);
    let (mut stage, mut board) = (Metrics::new(Rc::new(Policy::compile(&raw).unwrap().0), false), Board::default());
    for number in 0..64 {
        let claims = json!({"a": number % 8, "b": number / 8});
        stage.on_log(&exchange("GET", "/", &claims), &ended(200), NOW, &mut board);
    }
    let counts: Vec<_> = shown(&board).into_iter().map(|(name, values)| (name, values.len())).collect();
    assert_eq!((counts.len(), counts[5]), (6, ("a=.=other;.;b=.=other;.;portcullis_x_total", 59)));
}

/// The proxy forgets no series when a configuration ends.
#[test]
fn a_new_configuration_has_no_new_room() {
    let metric = json!({"name": "x", "labels": {"a": "{claim.a}"}, "maxValues": 3});
    let mut raw = config(&json!([metric]));
    raw.max_series = Some(5);
    let mut board = Board::default();
    for update in 0..20 {
        let mut stage = Metrics::new(Rc::new(Policy::compile(&raw).unwrap().0), false);
        for number in [update * 3, update * 3 + 1, update * 3 + 2, 0] {
            stage.on_log(&exchange("GET", "/", &json!({"a": number})), &ended(200), NOW, &mut board);
        }
    }
    let names: Vec<_> = shown(&board).into_iter().map(|(name, _)| name).collect();
    let name = |value: &str| format!("a=.={value};.;portcullis_x_total");
    assert_eq!(names, ["0", "1", "2", "3", "4", "other"].map(name));
}

#[test]
fn refuses_what_prometheus_or_istio_would_misread() {
    let values =
        "values are `{claim.NAME}`, `{path.NAME}`, `{rule}`, `{decision}`, `{reason}`, `{issuer}`, `{method}`, `{status_class}`";
    let name = "write lower-case letters, digits and `_`, a letter first, 64 at most: `placed_orders`";
    let with_label = |label: &str, text: &str| json!([{"name": "x", "labels": {label: text}}]);
    let cases = [
        (json!([{"name": "Placed"}]), format!("business[0].name: is not a name that Prometheus takes; {name}")),
        (json!([{"name": ""}]), format!("business[0].name: is not a name that Prometheus takes; {name}")),
        (json!([{"name": "_x"}]), format!("business[0].name: is not a name that Prometheus takes; {name}")),
        (json!([{"name": "x_total"}]), "business[0].name: ends with `_total`; leave it out; endings are added".to_owned()),
        (json!([{"name": "x_sum"}]), "business[0].name: ends with `_sum`; leave it out; endings are added".to_owned()),
        (
            json!([{"name": "x_bytes", "kind": "histogram", "value": "response_bytes"}]),
            "business[0].name: ends with `_bytes`; leave it out; endings are added".to_owned(),
        ),
        (
            json!([{"name": "requests"}]),
            "business[0].name: makes `portcullis_requests_total`, which is a metric of the gateway's own".to_owned(),
        ),
        (
            json!([{"name": "x"}, {"name": "x"}]),
            "business[1].name: makes `portcullis_x_total`, which is a metric before it".to_owned(),
        ),
        (json!([{"name": "x", "kind": "gauge"}]), "business[0].value: is missing; only a counter does without".to_owned()),
        (
            json!([{"name": "x", "value": "timestamp_seconds"}]),
            "business[0].value: is for a gauge; set `kind: gauge`".to_owned(),
        ),
        (json!([{"name": "x", "maxValues": 0}]), "business[0].maxValues: must be between 1 and 10000".to_owned()),
        (with_label("Tenant", "a"), format!("business[0].labels.Tenant: is not a name that Prometheus takes; {name}")),
        (with_label("le", "a"), "business[0].labels.le: is a label that Prometheus keeps for itself".to_owned()),
        (
            with_label("my_rule", "a"),
            "business[0].labels.my_rule: ends like the label `rule`, or that ends like this: Istio takes one for the other; call it \
             something else"
                .to_owned(),
        ),
        (
            with_label("class", "a"),
            "business[0].labels.class: ends like the label `status_class`, or that ends like this: Istio takes one for the other; call \
             it something else"
                .to_owned(),
        ),
        (with_label("tenant", ""), format!("business[0].labels.tenant: is empty; {values}")),
        (with_label("tenant", "{claim.}"), format!("business[0].labels.tenant: has braces around something that is no value; {values}")),
        (with_label("tenant", "{header.x}"), format!("business[0].labels.tenant: has braces around something that is no value; {values}")),
        (with_label("tenant", "{claim.a"), format!("business[0].labels.tenant: has a `{{` without its `}}`; {values}")),
        (
            with_label("kind", "{path.kind}"),
            "business[0].labels.kind: `{path.kind}` is not in every path of its match; the paths of its match have no parameter in common"
                .to_owned(),
        ),
        (
            json!([{"name": "x", "match": {"paths": []}}]),
            "business[0].match.paths: is empty, so nothing would match; leave it out to match everything".to_owned(),
        ),
    ];
    for (business, expected) in cases {
        assert_eq!(Policy::compile(&config(&business)).unwrap_err().to_string(), expected);
    }
    let many: serde_json::Map<_, _> = (0..9).map(|number| (format!("l{number}x"), json!("a"))).collect();
    let error = Policy::compile(&config(&json!([{"name": "x", "labels": many}]))).unwrap_err();
    assert_eq!(error.to_string(), "business[0].labels: are more than 8");
}

#[test]
fn says_which_labels_it_writes_and_whether_it_needs_the_route() {
    let by_route = json!({"name": "x", "match": {"routes": ["r"]}, "labels": {"tenant": "a", "issuer": "{issuer}"}});
    let policy = Policy::compile(&config(&json!([by_route, placed_orders()]))).unwrap().0;
    assert_eq!(policy.label_names(), ["issuer", "tenant"]);
    assert!(stage(&json!([by_route])).needs().route_name);
    assert!(!stage(&json!([placed_orders()])).needs().route_name);
}
