use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::config::Variable;
use crate::config::auth_header::AuthHeaderConfig;
use crate::jose::{AlgorithmSet, ClaimRules, KeySet};
use crate::principal::Method;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
/// RFC 7515 appendix A.3.
const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
/// RFC 8037 appendix A.2.
const OTHER_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn environment(name: &str) -> Variable {
    match name {
        "KEY" => Variable::Set(KEY.to_owned()),
        "NEXT" => Variable::Set(OTHER_KEY.to_owned()),
        _ => Variable::Unset,
    }
}

fn config(more: &Value) -> InternalTokenConfig {
    let mut all = json!({"issuer": "https://gw", "audience": "services", "key": {"env": "KEY"}});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

fn compile(more: &Value, seed: Option<[u8; 32]>) -> Result<(InternalToken, Vec<PublicKey>), String> {
    let platform = Platform { environment: &environment, native_signatures: None, seed, compressor: None };
    InternalToken::compile(&config(more), "token.internal", &platform, &mut Vec::new()).map_err(|error| error.to_string())
}

fn maker(more: &Value) -> InternalToken {
    compile(more, Some([7; 32])).unwrap().0
}

fn identity(claims: &Value, expires_at: Option<u64>) -> Identity {
    let principal = Principal {
        issuer: "https://uaa".into(),
        subject: claims["sub"].as_str().map(str::to_owned),
        roles: vec!["ADMIN".into(), "USER".into()],
        scopes: vec!["a".into(), "b".into()],
        audiences: vec!["orders".into()],
        claims: claims.as_object().unwrap().clone().into(),
        method: Method::Jwt,
        token_id: Some("original".into()),
        expires_at,
    };
    Identity::new(principal, "uaa".into())
}

fn value(edit: Edit) -> (String, String) {
    let Edit::Set(name, value) = edit else { panic!("{edit:?}") };
    (name.to_string(), value.to_string())
}

/// The header and the claims of the token in an Authorization header.
fn read(authorization: &str) -> (Value, Value) {
    let part = |index| {
        let part = authorization.strip_prefix("Bearer ").unwrap().split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    (part(0), part(1))
}

fn made(more: &Value, claims: &Value, expires_at: Option<u64>) -> Value {
    let edit = maker(more).header_for(&identity(claims, expires_at), true, NOW).unwrap();
    let (_, mut claims) = read(&value(edit).1);
    assert_eq!(claims.as_object_mut().unwrap().remove("jti").unwrap().as_str().unwrap().len(), 22);
    claims
}

#[test]
fn says_who_is_calling() {
    let claims = json!({
        "sub": "alice", "aud": "orders", "jti": "original", "tenant": "blue", "org": {"unit": {"id": 7, "name": "x"}, "a": 1},
        "https://a.example/b": [1], "none": null, "act": {"sub": "svc", "act": {"sub": "web"}}, "azp": "app",
        "cnf": {"jkt": "x"}, "email": "not copied",
    });
    let copied = ["roles", "scopes", "tenant", "org.unit.id", "https://a.example/b", "none", "absent"];
    assert_eq!(
        made(&json!({"claims": copied}), &claims, Some(NOW.as_secs() + 3600)),
        json!({
            "iss": "https://gw", "aud": "services", "sub": "alice", "iat": NOW.as_secs(), "exp": NOW.as_secs() + 60,
            "client_id": "app", "roles": ["ADMIN", "USER"], "scope": "a b", "tenant": "blue", "org": {"unit": {"id": 7}},
            "https://a.example/b": [1], "act": {"sub": "svc", "act": {"sub": "web"}},
            "origin": {"iss": "https://uaa", "jti": "original"},
        })
    );
    let client = json!({"client_id": "batch", "act": "not an object"});
    let plain = made(&json!({}), &client, None);
    assert_eq!((&plain["sub"], &plain["client_id"], plain.get("act")), (&json!("batch"), &json!("batch"), None));
}

#[test]
fn it_verifies_with_the_published_keys_and_is_an_access_token() {
    let (mut token, keys) = compile(&json!({}), Some([7; 32])).unwrap();
    let (name, authorization) = value(token.header_for(&identity(&json!({"sub": "alice"}), None), true, NOW).unwrap());
    assert_eq!(name, "authorization");
    let (header, _) = read(&authorization);
    assert_eq!(header, json!({"alg": "ES256", "kid": keys[0].id(), "typ": "at+jwt"}));
    let set = KeySet::from_jwks(portcullis_minting::key_set(&keys).as_bytes()).unwrap();
    let token = crate::jose::Token::parse(authorization.strip_prefix("Bearer ").unwrap().as_bytes()).unwrap();
    let rules = ClaimRules {
        issuer: Some("https://gw".to_owned()),
        audiences: vec!["services".to_owned()],
        require_type: Some("at+jwt".to_owned()),
        ..serde_rules()
    };
    let verified = set.verify(token, AlgorithmSet::default().with(Algorithm::Es256)).unwrap();
    assert!(rules.check(verified, NOW).is_ok());
}

fn serde_rules() -> ClaimRules {
    ClaimRules {
        issuer: None,
        audiences: Vec::new(),
        clock_skew: Duration::ZERO,
        require_expiration: true,
        max_lifetime: Some(MAX_TTL),
        require_type: None,
        subject_claim: "sub".to_owned(),
        roles_claim: "roles".to_owned(),
        scopes_claim: "scope".to_owned(),
        space_delimited: Vec::new(),
    }
}

#[test]
fn it_never_outlives_the_callers_own() {
    let end = |own: Option<u64>| made(&json!({"ttl": "2m"}), &json!({"sub": "a"}), own)["exp"].as_u64().unwrap();
    let now = NOW.as_secs();
    assert_eq!(
        [end(None), end(Some(now + 500)), end(Some(now + 30)), end(Some(now - 20))],
        [now + 120, now + 120, now + 30, now - 20]
    );
}

#[test]
fn it_is_signed_once_and_used_until_near_its_end() {
    let at = |seconds: f64| UnixTime::from_epoch(NOW.since_epoch() + Duration::from_secs_f64(seconds));
    for is_kept in [true, false] {
        // (the caller's own end, times, how many different tokens they see)
        for (own, times, expected) in [
            (None, &[0.0, 1.0, 47.9][..], 1),
            (None, &[0.0, 48.1], 2),
            (Some(30), &[0.0, 24.5, 29.9], 1),
            (Some(30), &[0.0, 30.1], 2),
            // Accepted within the clock skew: not signed for each request all the same.
            (Some(0), &[0.1, 0.2, 0.9], 1),
            // The clock was set back.
            (None, &[100.0, 0.0], 2),
        ] {
            let mut token = maker(&json!({}));
            let caller = identity(&json!({"sub": "a"}), own.map(|own| NOW.as_secs() + own));
            let mut seen: Vec<String> =
                times.iter().map(|time| value(token.header_for(&caller, is_kept, at(*time)).unwrap()).1).collect();
            seen.dedup();
            assert_eq!(seen.len(), expected, "{own:?} {times:?}");
        }
    }
}

#[test]
fn where_callers_are_not_kept_their_tokens_are_told_apart_and_do_not_pile_up() {
    let mut token = maker(&json!({}));
    let mut header =
        |subject: &str, now| value(token.header_for(&identity(&json!({"sub": subject}), None), false, now).unwrap()).1;
    let (alice, bob) = (header("alice", NOW), header("bob", NOW));
    assert_ne!(read(&alice).1["sub"], read(&bob).1["sub"]);
    assert_eq!((header("alice", NOW), header("bob", NOW)), (alice, bob));
    token.kept.extend((0..MAX_KEPT).map(|index| {
        let until = NOW.saturating_add(Duration::from_secs(9));
        (digest(&index.to_be_bytes()), Lasting { value: "x".into(), from: NOW, until })
    }));
    let _ = token.header_for(&identity(&json!({"sub": "carol"}), None), false, NOW).unwrap();
    assert_eq!(token.kept.len(), 1);
}

#[test]
fn refuses_where_no_token_can_be_made() {
    let caller = identity(&json!({"sub": "alice"}), None);
    let mut without_chance = compile(&json!({}), None).unwrap().0;
    assert_eq!(without_chance.header_for(&caller, true, NOW), Err(Rejection::HostError));
    let mut without_key = InternalToken { key: None, ..maker(&json!({})) };
    assert_eq!(without_key.header_for(&caller, true, NOW), Err(Rejection::HostError));
    let mut token = maker(&json!({"claims": ["big"]}));
    assert_eq!(token.header_for(&identity(&json!({}), None), true, NOW), Err(Rejection::ClaimMissing));
    assert_eq!(token.header_for(&identity(&json!({"sub": ""}), None), true, NOW), Err(Rejection::ClaimMissing));
    let big = json!({"sub": "a", "big": "x".repeat(MAX_VALUE_BYTES)});
    assert_eq!(token.header_for(&identity(&big, None), true, NOW), Err(Rejection::ClaimTooLarge));
}

#[test]
fn keys_of_a_rotation_are_published_and_only_one_signs() {
    let (_, keys) = compile(&json!({"nextKey": {"env": "NEXT"}}), None).unwrap();
    assert_eq!(keys.iter().map(PublicKey::algorithm).collect::<Vec<_>>(), [Algorithm::Es256, Algorithm::EdDsa]);
    let previous = json!({"previousKeys": [{"inline": OTHER_KEY}]});
    let mut warnings = Vec::new();
    let platform = Platform { environment: &environment, native_signatures: None, seed: None, compressor: None };
    let compiled = InternalToken::compile(&config(&previous), "token.internal", &platform, &mut warnings).unwrap();
    assert_eq!((compiled.1, warnings), (keys, Vec::new()), "what is public may stand in the configuration");
}

#[test]
fn refuses_bad_configuration() {
    for (more, expected) in [
        (json!({"issuer": " "}), "token.internal.issuer: is empty"),
        (json!({"audience": ""}), "token.internal.audience: is empty"),
        (json!({"ttl": "0s"}), "token.internal.ttl: is not between 1s and 5m"),
        (json!({"ttl": "301s"}), "token.internal.ttl: is not between 1s and 5m"),
        (json!({"algorithm": "EdDSA"}), "token.internal.algorithm: does not fit the key, which is for ES256"),
        (
            json!({"key": {"env": "ABSENT"}}),
            "token.internal.key.env: the variable is not set in the VM's environment; pass it on with `vmConfig.env` (Istio) or \
             `vm_config.environment_variables` (Envoy)",
        ),
        (json!({"key": {"env": "NEXT"}}), "token.internal.key: has no private part, so it cannot sign"),
        (json!({"nextKey": {"env": "KEY"}}), "token.internal.nextKey: is the same key as one before it"),
        (
            json!({"previousKeys": [{"env": "NEXT"}], "nextKey": {"env": "NEXT"}}),
            "token.internal.nextKey: is the same key as one before it",
        ),
        (json!({"claims": ["sub"]}), "token.internal.claims[0]: is a claim that the token has of its own; leave it out"),
        (json!({"claims": ["cnf.jkt"]}), "token.internal.claims[0]: is a claim that the token has of its own; leave it out"),
        (json!({"claims": ["a", "a"]}), "token.internal.claims[1]: is named twice"),
        (json!({"claims": ["a."]}), "token.internal.claims[0]: is not the path of a claim; for example tenant"),
        (
            json!({"header": "host"}),
            "token.internal.header: would change `host`, which belongs to the connection; name only headers \
             that carry identity",
        ),
        (json!({"prefix": "Bearer\n"}), "token.internal.prefix: cannot stand in a header; for example `Bearer `"),
    ] {
        assert_eq!(compile(&more, None).map(|_| ()), Err(expected.to_owned()), "{more}");
    }
    for (config, expected) in [
        (json!({"token": {"forward": "replace"}}), "token.internal: is missing; it says what the token is replaced by"),
        (
            json!({"token": {"forward": "strip", "internal": {"issuer": "a", "audience": "b", "key": {"env": "KEY"}}}}),
            "token.internal: is for `forward: replace` only",
        ),
        (
            json!({"inject": [{"header": "X_Token", "claim": "sub"}],
                   "token": {"forward": "replace",
                             "internal": {"issuer": "a", "audience": "b", "key": {"env": "KEY"}, "header": "x-token"}}}),
            "token.internal.header: `x-token` is already set by inject[0]",
        ),
    ] {
        let config: AuthHeaderConfig = serde_json::from_value(config).unwrap();
        assert_eq!(crate::auth_header::Policy::compile(&config, &|_: &str| Variable::Unset).unwrap_err().to_string(), expected);
    }
}
