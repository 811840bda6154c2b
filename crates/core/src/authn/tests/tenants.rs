//! Many tenants of one provider, each an issuer of its own.

use std::collections::BTreeMap;

use super::*;
use crate::stage::{FetchOutcome, MetricId, MetricKind, Observer};
use portcullis_signatures::test_keys::TestKeys;

/// What the proxy would hold.
#[derive(Default)]
struct Board(Vec<(String, MetricKind)>, BTreeMap<String, u64>);

impl Observer for Board {
    fn define_metric(&mut self, kind: MetricKind, name: &str) -> Option<MetricId> {
        self.0.push((name.to_owned(), kind));
        u32::try_from(self.0.len()).ok().map(MetricId)
    }
    fn increment(&mut self, metric: MetricId, amount: u64) {
        self.record(metric, amount);
    }
    fn adjust(&mut self, _: MetricId, _: i64) {}

    fn record(&mut self, metric: MetricId, value: u64) {
        let index = usize::try_from(metric.0).unwrap().checked_sub(1).unwrap();
        self.1.insert(self.0[index].0.clone(), value);
    }
    fn set_state(&mut self, _: &str, _: &str) {}
    fn print(&mut self, _: &str) {}
}

fn stage() -> Authn {
    authn(&json!({
        "jwtRules": [{
            "name": "login", "issuer": "https://login/{tenant}/v2.0", "tenants": ["acme", "globex"],
            "jwksUri": "https://login/{tenant}/keys",
        }],
        "rules": [{"require": {"issuers": ["login"]}}],
    }))
}

/// Answers the fetches: a key of each of the tenants `with_keys`, and nothing for the others.
fn fetch(stage: &mut Authn, with_keys: &[&str]) {
    for fetch in stage.due(NOW, &mut Alone).fetches {
        let mut key = TestKeys::get().p256_jwk();
        key["kid"] = json!("k1");
        let body = json!({"keys": [key]}).to_string().into_bytes();
        let has_keys = with_keys.iter().any(|tenant| *fetch.path == format!("/{tenant}/keys"));
        let outcome = if has_keys {
            FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body }
        } else {
            FetchOutcome::Lost
        };
        stage.on_fetched(fetch.id, outcome, NOW, &mut Alone);
    }
}

fn reason(stage: &mut Authn, issuer: &str) -> String {
    let token = TestKeys::get().sign(Algorithm::Es256, Some("k1"), &with(valid(), "iss", json!(issuer)));
    let mut exchange = exchange("/", &[("authorization", &format!("Bearer {token}"))]);
    stage.on_request(&mut exchange, NOW, &mut Alone);
    exchange.decision.map_or_else(String::new, |decision| decision.reason.to_string())
}

#[test]
fn a_tenant_is_known_by_its_exact_issuer_and_has_keys_of_its_own() {
    let mut stage = stage();
    fetch(&mut stage, &["acme"]);
    for (issuer, expected) in [
        ("https://login/acme/v2.0", "token_valid"),
        ("https://login/globex/v2.0", "keys_unavailable"),
        ("https://login/{tenant}/v2.0", "issuer_unknown"),
        ("https://login/evil/v2.0", "issuer_unknown"),
        ("https://login/acme/v2.0/", "issuer_unknown"),
        ("https://login/acme/../globex/v2.0", "issuer_unknown"),
        ("https://login/ACME/v2.0", "issuer_unknown"),
        ("https://evil-login/acme/v2.0", "issuer_unknown"),
        ("", "issuer_unknown"),
    ] {
        assert_eq!(reason(&mut stage, issuer), expected, "{issuer}");
    }
}

#[test]
fn the_keys_of_each_tenant_are_shown_by_themselves() {
    let mut stage = stage();
    let mut board = Board::default();
    stage.on_tick(NOW, &mut board);
    assert!(board.0.is_empty(), "a worker that has nothing yet says nothing");
    fetch(&mut stage, &["acme"]);
    stage.on_tick(NOW, &mut board);
    let expected = [
        ("issuer=.=login/acme;.;outcome=.=success;.;portcullis_jwks_fetches_total", 1),
        ("issuer=.=login/acme;.;portcullis_jwks_consecutive_failures", 0),
        ("issuer=.=login/acme;.;portcullis_jwks_keys", 1),
        ("issuer=.=login/acme;.;portcullis_jwks_last_success_timestamp_seconds", NOW.as_secs()),
        ("issuer=.=login/globex;.;outcome=.=no_answer;.;portcullis_jwks_fetches_total", 1),
        ("issuer=.=login/globex;.;portcullis_jwks_consecutive_failures", 1),
    ];
    let shown: Vec<_> = board.1.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(shown, expected);
    let kinds = |kind| board.0.iter().filter(|(_, other)| *other == kind).count();
    assert_eq!((kinds(MetricKind::Counter), kinds(MetricKind::Gauge)), (2, 4));
    stage.on_tick(NOW, &mut board);
    assert_eq!(board.0.len(), 6, "each is defined once");
}
