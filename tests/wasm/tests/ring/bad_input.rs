//! Configurations that nobody should load, and requests that nobody should send: a clear refusal, and the next one is served.

use portcullis_wasm_tests::{Host, Outcome, fixture, module};
use serde_json::json;

/// The modules that decide about requests.
const DECIDING: [&str; 3] = ["jwt_auth", "auth_header", "portcullis"];

/// Configures a module and returns the line that says why it refuses.
fn refusal(name: &str, configuration: &[u8]) -> String {
    let mut host = Host::boot(&[name]);
    let shown = String::from_utf8_lossy(configuration);
    assert!(!host.configure(configuration), "{name} accepts {shown}");
    let errors: Vec<_> = host.logs().into_iter().filter(|line| line.level >= 4).collect();
    assert_eq!(errors.len(), 1, "{name} says once why it refuses {shown}: {errors:#?}");
    errors[0].text.clone()
}

#[test]
fn every_module_refuses_what_is_no_configuration() {
    let cases: [(&str, &[u8]); 9] = [
        ("nothing", b""),
        ("white space", b" \n"),
        ("half an object", b"{\"jwtAuth\": {"),
        ("a number", b"7"),
        ("null", b"null"),
        ("a list", b"[]"),
        ("a string", b"\"configuration\""),
        ("not UTF-8", b"\xff\xfe{}"),
        ("not UTF-8 inside", b"{\"realm\": \"\xff\"}"),
    ];
    for name in module::MODULES {
        for (case, configuration) in cases {
            let line = refusal(name, configuration);
            assert!(line.len() > "portcullis: configuration refused: ".len(), "{name}, {case}: {line}");
        }
    }
}

#[test]
fn every_module_names_the_unknown_key() {
    for name in module::MODULES {
        let mut configuration: serde_json::Value = serde_json::from_str(&fixture::configuration(name)).unwrap();
        configuration["nonsense"] = json!(1);
        let line = refusal(name, configuration.to_string().as_bytes());
        assert!(line.contains("nonsense"), "{name}: {line}");
    }
}

#[test]
fn says_where_and_what_is_wrong() {
    let cases = [
        ("a misspelt key", json!({"jwtAuht": {}}), vec!["jwtAuht", "jwtAuth"]),
        (
            "a misspelt key inside",
            json!({"jwtAuth": {"jwtRules": [{"isuer": "x", "secret": {"env": "S"}}]}}),
            vec!["jwtAuth.jwtRules[0]", "isuer", "issuer"],
        ),
        ("no jwtAuth", json!({}), vec!["jwtAuth"]),
        (
            "two sources of keys",
            json!({"jwtAuth": {"jwtRules": [{"issuer": "x", "jwks": {"keys": []}, "secret": {"env": "S"}}]}}),
            vec!["jwtAuth.jwtRules[0]", "jwks", "secret"],
        ),
        (
            "a variable that is not set",
            json!({"jwtAuth": {"jwtRules": [{"issuer": "x", "secret": {"env": "NOT_SET"}}]}}),
            vec!["jwtAuth.jwtRules[0].secret.env", "not set"],
        ),
        (
            "a duration without unit",
            json!({"jwtAuth": {"jwtRules": [{"issuer": "x", "secret": {"env": "S"}, "clockSkew": "60"}]}}),
            vec!["jwtAuth.jwtRules[0].clockSkew"],
        ),
        (
            "a key set without keys",
            json!({"jwtAuth": {"jwtRules": [{"issuer": "x", "jwks": {"keys": []}}]}}),
            vec!["jwtAuth.jwtRules[0].jwks"],
        ),
        (
            "an event without a name",
            json!({"jwtAuth": {}, "auditLog": {"events": [{"match": {"paths": ["/"]}}]}}),
            vec!["auditLog.events[0]", "name"],
        ),
        (
            "a metric label that does not exist",
            json!({"jwtAuth": {}, "metrics": {"labels": ["user"]}}),
            vec!["metrics.labels[0]", "status_class"],
        ),
    ];
    for (name, configuration, words) in cases {
        let line = refusal("portcullis", configuration.to_string().as_bytes());
        for word in words {
            assert!(line.contains(word), "{name}: {word} is not in: {line}");
        }
    }
}

#[test]
fn a_refused_secret_is_not_in_the_log() {
    let secret = "too-short-but-secret";
    let configuration = json!({"jwtAuth": {"jwtRules": [{"issuer": "x", "secret": {"inline": secret}}]}});
    let line = refusal("portcullis", configuration.to_string().as_bytes());
    assert!(line.contains("jwtAuth.jwtRules[0].secret"), "{line}");
    assert!(!line.contains(secret), "{line}");
}

#[test]
fn denies_requests_where_the_configuration_was_refused_or_never_came() {
    for name in DECIDING {
        let mut unconfigured = Host::boot(&[name]);
        let mut refused = Host::boot(&[name]);
        assert!(!refused.configure("{"), "{name}");
        for host in [&mut unconfigured, &mut refused] {
            for request in [fixture::request("GET", "/health", &[]), fixture::bearer("GET", "/orders", &fixture::token(host))] {
                assert_eq!(host.request(&request).summary(), "500 policy_missing", "{name}");
            }
        }
    }
}

/// A header as it is sent.
type Pair<'a> = (&'a str, &'a [u8]);

fn bytes(headers: &[Pair<'_>]) -> Vec<(String, Vec<u8>)> {
    let is_given = |name: &str| headers.iter().any(|(given, _)| *given == name);
    let usual = fixture::request("GET", "/orders", &[]).into_iter().filter(|(name, _)| !is_given(name));
    let usual = usual.map(|(name, value)| (name, value.into_bytes()));
    usual.chain(headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec()))).collect()
}

#[test]
fn refuses_malformed_credentials_and_serves_the_next_request() {
    let mut host = fixture::bundle();
    let token = fixture::token(&host);
    let good = format!("Bearer {token}");
    let joined = format!("{good}, {good}");
    let long = format!("Bearer {}", "a".repeat(64 * 1024));
    let long_jwt = format!("Bearer {token}{}", "A".repeat(64 * 1024));
    let (claims, _) = token.rsplit_once('.').unwrap();
    let cut = format!("Bearer {}", &token[..token.len() - 10]);
    let other_signature = format!("Bearer {claims}.{}", "A".repeat(43));
    type Case<'a> = (&'a str, &'a [Pair<'a>], &'a str);
    let cases: [Case<'_>; 15] = [
        ("bytes that are not ASCII", &[("authorization", b"Bearer \xa1")], "400 authorization_malformed"),
        ("bytes that are not UTF-8", &[("authorization", b"\xff\xfe")], "401 token_missing"),
        ("two of them", &[("authorization", good.as_bytes()), ("authorization", good.as_bytes())], "400 credentials_multiple"),
        ("two in one", &[("authorization", joined.as_bytes())], "400 credentials_multiple"),
        ("an empty one", &[("authorization", b"")], "401 token_missing"),
        ("the scheme alone", &[("authorization", b"Bearer")], "400 authorization_malformed"),
        ("the scheme and a space", &[("authorization", b"Bearer ")], "400 authorization_malformed"),
        ("two words", &[("authorization", b"Bearer a b")], "400 authorization_malformed"),
        ("another scheme", &[("authorization", b"Basic YTpi")], "401 token_missing"),
        ("64 KiB", &[("authorization", long.as_bytes())], "400 token_too_large"),
        ("64 KiB behind a token", &[("authorization", long_jwt.as_bytes())], "400 token_too_large"),
        ("no token", &[("authorization", b"Bearer a.b.c")], "401 token_malformed"),
        ("a signature that is cut", &[("authorization", cut.as_bytes())], "401 token_malformed"),
        ("another signature", &[("authorization", other_signature.as_bytes())], "401 signature_invalid"),
        ("no signature", &[("authorization", b"Bearer eyJhbGciOiJub25lIn0.e30.")], "401 token_malformed"),
    ];
    for (name, headers, expected) in cases {
        let outcome = host.request(&bytes(headers));
        assert_eq!(outcome.summary(), expected, "{name}");
        assert!(host.request(&fixture::bearer("GET", "/orders", &token)).is_continued(), "the next request after {name}");
    }
    let spoken: String = host.logs().into_iter().map(|line| line.text).collect();
    assert!(!spoken.contains(&token), "no token in the log: {spoken}");
}

#[test]
fn a_malformed_request_is_refused_and_malformed_decoration_is_passed_on() {
    let mut host = fixture::bundle();
    let token = format!("Bearer {}", fixture::token(&host));
    let authorization: Pair<'_> = ("authorization", token.as_bytes());
    let long = "x".repeat(100_000);
    let cases: [(&str, Vec<Pair<'_>>); 6] = [
        ("header value that is not UTF-8", vec![authorization, ("x-other", b"\xff\xfe")]),
        ("cookie that is not UTF-8", vec![authorization, ("cookie", b"a=\xff; session=\xfe")]),
        ("request id that is not UTF-8", vec![authorization, ("x-request-id", b"\xff")]),
        ("header name that is not UTF-8", vec![authorization, ("x-\u{fffd}", b"1")]),
        ("a long header", vec![authorization, ("x-other", long.as_bytes())]),
        ("user agent that is not UTF-8", vec![authorization, ("user-agent", b"\xc3\x28")]),
    ];
    for (name, headers) in cases {
        assert!(host.request(&bytes(&headers)).is_continued(), "{name}");
    }
    let without_token: [(&str, &[Pair<'_>]); 8] = [
        ("path that is not UTF-8", &[(":path", b"/\xff/health")]),
        ("path that is empty", &[(":path", b"")]),
        ("path twice", &[(":path", b"/health"), (":path", b"/health")]),
        ("public path in disguise", &[(":path", b"/internal/..%2fhealth")]),
        ("public path in the query", &[(":path", b"/orders?x=/health")]),
        ("public path in the fragment", &[(":path", b"/orders#/health")]),
        ("host that is not UTF-8", &[(":authority", b"\xff"), (":path", b"/orders")]),
        ("method that is not UTF-8", &[(":method", b"\xff"), (":path", b"/orders")]),
    ];
    for (name, headers) in without_token {
        let outcome = host.request(&bytes(headers));
        assert!(
            matches!(&outcome, Outcome::Replied(reply) if (400..500).contains(&reply.status)),
            "{name}: {}",
            outcome.summary()
        );
        let event = host.state("portcullis.audit").expect("it is recorded");
        assert!(serde_json::from_str::<serde_json::Value>(&event).is_ok(), "{name}: {event}");
    }
    assert!(host.request(&bytes(&[authorization])).is_continued());
}

#[test]
fn a_claim_cannot_split_a_header_or_a_line() {
    let mut host = fixture::bundle();
    for subject in ["a\r\nx-user-roles: ADMIN", "a\0b", "a\nb", "é", "\u{2028}"] {
        let mut claims = fixture::claims(host.now());
        claims["sub"] = json!(subject);
        let token = portcullis_wasm_tests::token::hs256(fixture::secret(), claims);
        let outcome = host.request(&fixture::bearer("GET", "/orders", &token));
        let user = outcome.upstream().get("x-user-id").expect("it is encoded");
        assert!(user.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{subject:?} became {user:?}");
        assert_eq!(outcome.upstream().get("x-user-roles").as_deref(), Some("RESTAURANT,USER"), "{subject:?}");
        let event = host.state("portcullis.audit").expect("it is recorded");
        assert!(!event.contains(['\n', '\r']), "{subject:?}: {event:?}");
    }
}

#[test]
fn a_claim_that_is_too_long_for_a_header_is_refused() {
    let mut host = fixture::bundle();
    let mut claims = fixture::claims(host.now());
    claims["sub"] = json!("é".repeat(2000));
    let token = portcullis_wasm_tests::token::hs256(fixture::secret(), claims);
    let outcome = host.request(&fixture::bearer("GET", "/orders", &token));
    assert_eq!(outcome.summary(), "403 claim_too_large");
}
