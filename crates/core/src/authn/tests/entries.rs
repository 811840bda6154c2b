//! What an entry of `jwtRules` may say of its tokens and of its keys.

use super::*;
use crate::extractor::Source;

#[test]
fn clocks_may_differ_by_five_minutes_at_most() {
    let skew = |skew: &str| json!({"jwtRules": [{"issuer": "a", "secret": {"env": "S"}, "clockSkew": skew}]});
    assert_eq!(authn(&skew("5m")).entries(NOW).count(), 1);
    let expected =
        "jwtRules[0].clockSkew: is longer than 5 minutes; it is for clocks that differ a little, not for expired tokens";
    assert_eq!(error(&skew("301s")), expected);
}

#[test]
fn the_places_of_tokens_are_names() {
    for name in ["", "a b", "a:b", "\u{e9}"] {
        for (key, places, expected) in [
            ("fromHeaders", json!([{"name": name}]), "fromHeaders[0].name: is not a header name; for example Authorization"),
            ("fromParams", json!(["t", name]), "fromParams[1]: is not a name; use letters, digits, `-`, `_` and `.`"),
            ("fromCookies", json!([name]), "fromCookies[0]: is not a name; use letters, digits, `-`, `_` and `.`"),
        ] {
            let entry = with(json!({"issuer": "a", "secret": {"env": "S"}}), key, places);
            assert_eq!(error(&json!({"jwtRules": [entry]})), format!("jwtRules[0].{expected}"), "{name}");
        }
    }
}

#[test]
fn shows_its_entries_and_where_their_tokens_stand() {
    let stage = authn(&json!({"jwtRules": [
        {"name": "a", "issuer": "https://a", "secret": {"env": "S"}, "fromParams": ["t"]},
        {"issuer": "https://b", "secret": {"env": "S"}},
    ]}));
    let entries: Vec<_> =
        stage.entries(NOW).map(|entry| (&**entry.name, entry.issuer.unwrap(), entry.sources.to_vec())).collect();
    let [bearer, dpop] =
        ["Bearer ", "DPoP "].map(|prefix| Source::Header { name: "authorization".into(), prefix: prefix.to_owned() });
    let param = Source::Param("t".to_owned());
    assert_eq!(
        entries,
        [("a", "https://a", vec![param.clone()]), ("https://b", "https://b", vec![bearer.clone(), dpop.clone()])]
    );
    assert_eq!(stage.policy().sources(), [param, bearer, dpop]);
    assert_eq!(stage.policy().issuer_names(), ["a".into(), "https://b".into()] as [Rc<str>; 2]);
}

/// The warnings about a configuration; the environment is not known here.
fn warnings(entry: &Value) -> Vec<String> {
    let config = JwtAuthConfig::parse(json!({"jwtRules": [entry], "routeRules": true}).to_string().as_bytes()).unwrap();
    let mut warnings = Vec::new();
    Policy::compile(&config, None, &|_: &str| Variable::Unknown, &mut warnings).unwrap();
    warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn the_interval_and_the_timeout_of_fetches_have_limits() {
    let entry =
        |key: &str, value: &str| json!({"jwtRules": [with(json!({"issuer": "a", "jwksUri": "https://a"}), key, json!(value))]});
    for (key, value) in [("refresh", "1s"), ("timeout", "1ms"), ("timeout", "60s")] {
        assert_eq!(authn(&entry(key, value)).entries(NOW).count(), 1, "{key} {value}");
    }
    for (key, value, expected) in [
        ("refresh", "999ms", "refresh: is too short; it is at least 1000 ms"),
        ("timeout", "61s", "timeout: is longer than a minute; requests are held that long while the keys are fetched"),
    ] {
        assert_eq!(error(&entry(key, value)), format!("jwtRules[0].{expected}"), "{value}");
    }
}

#[test]
fn says_what_is_doubtful_about_keys() {
    let plain = "jwtRules[0].jwksUri: the keys are fetched without TLS; whoever can change them can let anyone in".to_owned();
    let secret = "jwtRules[0].secret.env: the variable cannot be checked here".to_owned();
    let none = |index: usize, name: &str| format!("jwtRules[0].algorithms[{index}]: none of the keys is for {name}");
    let published =
        "jwtRules[0].tokenKeyUri: whoever can fetch a symmetric key can sign tokens; a `secret` need not be published";
    let pem = json!({"issuer": "a", "jwks": json!({"keys": [TestKeys::get().p256_jwk()]}).to_string()});
    for (entry, expected) in [
        (json!({"issuer": "a", "jwksUri": "https://a", "algorithms": ["RS256", "ES256"]}), vec![]),
        (json!({"issuer": "a", "jwksUri": "http://a"}), vec![plain.clone()]),
        (json!({"issuer": "{tenant}", "tenants": ["a", "b"], "jwksUri": "http://a/{tenant}"}), vec![plain]),
        (json!({"issuer": "a", "secret": {"env": "S"}, "algorithms": ["HS256"]}), vec![secret.clone()]),
        (json!({"issuer": "a", "secret": {"env": "S"}, "algorithms": ["HS256", "RS256"]}), vec![secret, none(1, "RS256")]),
        (json!({"issuer": "a", "tokenKeyUri": "https://a", "algorithms": ["HS256"]}), vec![published.to_owned()]),
        (with(pem.clone(), "algorithms", json!(["ES256"])), vec![]),
        (with(pem, "algorithms", json!(["ES256", "RS256"])), vec![none(1, "RS256")]),
    ] {
        assert_eq!(warnings(&entry), expected, "{entry}");
    }
}

#[test]
fn names_every_cluster_that_keys_are_fetched_from_once() {
    let config = json!({"jwtRules": [
        {"issuer": "https://a", "jwksUri": "https://a/jwks"},
        {"issuer": "https://t/{tenant}", "tenants": ["x", "y"], "jwksUri": "https://t/{tenant}", "cluster": "c"},
        {"issuer": "https://d", "discovery": "https://d", "jwksHosts": [{"host": "keys.example.com"}]},
        {"issuer": "https://s", "secret": {"env": "S"}},
    ]});
    let config = JwtAuthConfig::parse(config.to_string().as_bytes()).unwrap();
    let found = destinations(&config);
    let found: Vec<_> = found.iter().map(|one| (&*one.path, &*one.cluster, one.is_named)).collect();
    let expected = [
        ("jwtRules[0].cluster", "outbound|443||a", false),
        ("jwtRules[1].cluster", "c", true),
        ("jwtRules[2].cluster", "outbound|443||d", false),
        ("jwtRules[2].jwksHosts[0].cluster", "outbound|443||keys.example.com", false),
    ];
    assert_eq!(found, expected);
}
