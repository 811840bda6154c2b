//! Callers who bring a key of their own.

use super::*;

/// `printf %s partner-key-0123456789abcdef | sha256sum`
const KEY: &str = "partner-key-0123456789abcdef";

fn sha256(key: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(key).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

fn with_keys() -> Value {
    let keys = json!([
        {"sha256": sha256(KEY), "subject": "acme", "roles": ["ADMIN"], "claims": {"tenant": "blue"}},
        {"sha256": sha256("other-key-0123456789abcdef").to_uppercase(), "subject": "globex", "scopes": ["w", "x"]},
        {"secret": {"inline": "initech-key-0123456789abcdef01234567"}, "subject": "initech"},
    ]);
    with(config(), "apiKeys", json!([{"name": "partners", "keys": keys}]))
}

fn decided(stage: &mut Authn, path: &str, headers: &[(&str, &str)]) -> (String, Exchange) {
    let mut exchange = exchange(path, headers);
    let verdict = stage.on_request(&mut exchange, NOW, &mut Alone);
    let reason = exchange.decision.as_ref().unwrap().reason.to_string();
    assert_eq!(verdict == Verdict::Continue, exchange.is_allowed());
    (reason, exchange)
}

#[test]
fn a_key_says_whose_it_is() {
    let mut stage = authn(&with_keys());
    for _ in 0..2 {
        let (reason, exchange) = decided(&mut stage, "/admin/x", &[("x-api-key", KEY)]);
        assert_eq!(reason, "api_key_valid");
        let identity = exchange.identity.as_ref().unwrap();
        let principal = identity.principal().unwrap();
        assert_eq!((&*principal.issuer, principal.subject.as_deref()), ("partners", Some("acme")));
        assert!(identity.json().contains(r#""claims":{"tenant":"blue"},"method":"api_key""#), "{}", identity.json());
        assert_eq!(exchange.decision.unwrap().issuer.as_deref(), Some("partners"));
        assert_eq!(exchange.edits.iter().cloned().collect::<Vec<_>>(), [Edit::Remove("x-api-key".into())]);
    }
    for (key, path, expected) in [
        ("other-key-0123456789abcdef", "/write", "api_key_valid"),
        ("other-key-0123456789abcdef", "/admin/x", "role_missing"),
        ("initech-key-0123456789abcdef01234567", "/other", "api_key_valid"),
    ] {
        assert_eq!(decided(&mut stage, path, &[("x-api-key", key)]).0, expected, "{path}");
    }
}

/// A key that is not known, that is not alone, or that stands elsewhere.
#[test]
fn case_37_no_other_key_lets_in() {
    let mut stage = authn(&with_keys());
    let token = signed(&valid());
    let bearer = format!("Bearer {token}");
    let as_bearer = format!("Bearer {KEY}");
    let (longer, shorter, hash) = (format!("{KEY}0"), KEY.strip_suffix('f').unwrap(), sha256(KEY));
    let upper = KEY.to_uppercase();
    let cases = [
        (&[("x-api-key", &*longer)][..], "/x", "api_key_unknown"),
        (&[("x-api-key", shorter)], "/x", "api_key_unknown"),
        (&[("x-api-key", &upper)], "/x", "api_key_unknown"),
        (&[("x-api-key", &hash)], "/x", "api_key_unknown"),
        (&[("x-api-key", &token)], "/x", "api_key_unknown"),
        (&[("x-api-key", "")], "/x", "token_missing"),
        (&[("x-api-key", "no")], "/maybe", "api_key_unknown"),
        (&[("authorization", &as_bearer)], "/x", "token_malformed"),
        (&[("x-api-key", KEY), ("x-api-key", KEY)], "/x", "credentials_multiple"),
        (&[("x-api-key", KEY), ("authorization", &bearer)], "/x", "credentials_multiple"),
        (&[], "/x?api_key=partner-key-0123456789abcdef", "token_missing"),
        (&[], "/x", "token_missing"),
    ];
    for (headers, path, expected) in cases {
        assert_eq!(decided(&mut stage, path, headers).0, expected, "{headers:?} {path}");
    }
    assert_eq!(decided(&mut stage, "/x", &[("authorization", &bearer)]).0, "token_valid");
}

#[test]
fn rules_ask_for_keys_by_the_name_of_their_set() {
    let rules = json!([
        {"name": "partners", "match": {"paths": ["/p"]}, "require": {"issuers": ["partners"]}},
        {"name": "people", "match": {"paths": ["/u"]}, "require": {"issuers": ["uaa"]}},
        {"name": "both", "match": {"paths": ["/b"]}, "require": {"allOf": [{"issuers": ["uaa"]}, {"issuers": ["partners"]}]}},
        {"name": "bound", "match": {"paths": ["/c"]}, "require": {"senderConstrained": true}},
    ]);
    let mut stage = authn(&with(with_keys(), "rules", rules));
    let bearer = format!("Bearer {}", signed(&valid()));
    let (key, token) = (("x-api-key", KEY), ("authorization", &*bearer));
    for (path, headers, expected) in [
        ("/p", &[key][..], "api_key_valid"),
        ("/p", &[token], "issuer_not_allowed"),
        ("/u", &[key], "issuer_not_allowed"),
        ("/b", &[key, token], "token_valid"),
        ("/b", &[key], "token_missing"),
        ("/c", &[key], "token_not_bound"),
    ] {
        assert_eq!(decided(&mut stage, path, headers).0, expected, "{path} {headers:?}");
    }
}

#[test]
fn refuses_keys_that_cannot_be_told_apart() {
    let hash = sha256(KEY);
    let key = |key: Value| json!([{"name": "partners", "keys": [key]}]);
    let elsewhere = json!([{"name": "b", "fromHeaders": [{"name": "X-Api-Key"}], "keys": [{"sha256": hash, "subject": "a"}]}]);
    let cases = [
        (json!([{"name": "", "keys": []}]), "apiKeys[0].name: is empty"),
        (json!([{"name": "p", "keys": []}]), "apiKeys[0].keys: is empty"),
        (json!([{"name": "uaa", "keys": [{"sha256": hash, "subject": "a"}]}]), "apiKeys[0].name: is the name of another entry"),
        (key(json!({"sha256": hash, "subject": " "})), "apiKeys[0].keys[0].subject: is empty"),
        (
            key(json!({"subject": "a"})),
            "apiKeys[0].keys[0]: has not exactly one of `sha256` and `secret`; a hash keeps the key out of the configuration",
        ),
        (
            key(json!({"sha256": "12", "subject": "a"})),
            "apiKeys[0].keys[0].sha256: is not a SHA-256; write 64 hexadecimal digits: `printf %s \"$KEY\" | sha256sum`",
        ),
        (
            key(json!({"sha256": sha256(""), "subject": "a"})),
            "apiKeys[0].keys[0]: is an empty key, which nobody can bring; was the variable set when it was hashed?",
        ),
        (
            json!([{"name": "p", "keys": [{"sha256": hash, "subject": "a"}, {"sha256": hash, "subject": "b"}]}]),
            "apiKeys[0].keys[1]: is the same key as keys[0]",
        ),
        (
            json!([{"name": "a", "keys": [{"sha256": hash, "subject": "a"}]}, elsewhere[0]]),
            "apiKeys[1]: takes keys from a place where another entry finds its credentials; give it places of its own: \
             `fromHeaders`, `fromParams`, `fromCookies`",
        ),
    ];
    for (keys, expected) in cases {
        assert_eq!(error(&with(config(), "apiKeys", keys.clone())), expected, "{keys}");
    }
}

#[test]
fn a_key_in_an_address_is_taken_only_where_it_is_asked_for_and_warned_of() {
    let keys = json!([{"name": "p", "fromParams": ["api_key"], "keys": [{"sha256": sha256(KEY), "subject": "a"}]}]);
    let config = with(config(), "apiKeys", keys);
    let mut warnings = Vec::new();
    let parsed = JwtAuthConfig::parse(config.to_string().as_bytes()).unwrap();
    let environment = |_: &str| Variable::Set(String::from_utf8(SECRET.to_vec()).unwrap());
    Policy::compile(&parsed, None, &environment, &mut warnings).unwrap();
    assert!(warnings.iter().any(|warning| warning.to_string().starts_with("apiKeys[0].fromParams: a key in an address")));
    let (reason, exchange) = decided(&mut authn(&config), &format!("/x?a=1&api_key={KEY}"), &[]);
    assert_eq!(reason, "api_key_valid");
    assert_eq!(exchange.edits.iter().cloned().collect::<Vec<_>>(), [Edit::Set(":path".into(), "/x?a=1".into())]);
}
