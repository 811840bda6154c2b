//! Tokens that are bound to a key or to a certificate of their sender.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_signatures::test_keys::HolderKey;
use sha2::{Digest, Sha256};

use super::*;
use crate::answer::LocalReply;
use crate::sender::thumbprint::thumbprint;
use crate::stage::{NotShared, NotTold, Over, SharedData, Written};

/// A proxy with a TLS connection, whose workers share data.
#[derive(Default)]
struct Around {
    shared: BTreeMap<String, (Vec<u8>, u32)>,
    certificate: Option<Vec<u8>>,
    is_plain: bool,
    is_silent: bool,
    asked: usize,
}

impl SharedData for Around {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        self.asked = self.asked.saturating_add(1);
        if self.is_silent { Err(NotShared) } else { Ok(self.shared.get(key).cloned()) }
    }

    fn write(&mut self, key: &str, value: &[u8], over: Over) -> Result<Written, NotShared> {
        let version = self.shared.get(key).map_or(0, |(_, version)| *version);
        assert_eq!(over, if version == 0 { Over::Nothing } else { Over::Version(version) });
        self.shared.insert(key.to_owned(), (value.to_vec(), version.saturating_add(1)));
        Ok(Written::Done)
    }
}

impl Surroundings for Around {
    fn is_tls(&mut self) -> Result<bool, NotTold> {
        self.asked = self.asked.saturating_add(1);
        if self.is_silent { Err(NotTold) } else { Ok(!self.is_plain) }
    }

    fn client_certificate(&mut self) -> Result<Option<Vec<u8>>, NotTold> {
        self.asked = self.asked.saturating_add(1);
        if self.is_silent { Err(NotTold) } else { Ok(self.certificate.clone()) }
    }
}

fn key() -> HolderKey {
    HolderKey::new(7)
}

fn jkt() -> String {
    URL_SAFE_NO_PAD.encode(thumbprint(key().jwk().as_object().unwrap()).unwrap())
}

fn bound_to(cnf: Value) -> String {
    signed(&with(valid(), "cnf", cnf))
}

fn bound() -> String {
    bound_to(json!({ "jkt": jkt() }))
}

fn proof_with(token: &str, id: &str, more: &[(&str, Value)]) -> String {
    let mut claims = json!({
        "jti": id, "htm": "GET", "htu": "https://api.example.com/", "iat": NOW.as_secs(),
        "ath": URL_SAFE_NO_PAD.encode(Sha256::digest(token)),
    });
    more.iter().for_each(|(name, value)| claims[*name] = value.clone());
    key().sign(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key().jwk()}), &claims)
}

fn proof(token: &str, id: &str) -> String {
    proof_with(token, id, &[])
}

fn plain_config() -> Value {
    json!({"jwtRules": [{"name": "uaa", "issuer": "https://uaa", "secret": {"env": "S"}}]})
}

fn config_with(key: &str, value: Value) -> Value {
    let mut config = plain_config();
    config["jwtRules"][0][key] = value;
    config
}

fn ask(stage: &mut Authn, around: &mut Around, headers: &[(&str, &str)]) -> (Exchange, Option<LocalReply>) {
    let mut exchange = exchange("/", headers);
    let reply = match stage.on_request(&mut exchange, NOW, around) {
        Verdict::Refuse(refusal) => Some(refusal.to_reply(None, None)),
        verdict => {
            assert_eq!(verdict, Verdict::Continue);
            None
        }
    };
    (exchange, reply)
}

fn reason(stage: &mut Authn, around: &mut Around, headers: &[(&str, &str)]) -> String {
    ask(stage, around, headers).0.decision.unwrap().reason.into_owned()
}

fn header<'a>(reply: &'a LocalReply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| &**value)
}

#[test]
fn a_token_that_is_bound_to_a_key_counts_with_a_proof_alone() {
    let (mut stage, mut around) = (authn(&plain_config()), Around::default());
    let (bound, unbound) = (bound(), signed(&valid()));
    let (bearer, dpop) = (format!("Bearer {bound}"), format!("DPoP {bound}"));
    let unbound_dpop = format!("DPoP {unbound}");
    let cases: [(&str, &str, Option<String>, &str); 9] = [
        ("with a proof", &dpop, Some(proof(&bound, "a")), "token_valid"),
        ("from memory, with another proof", &dpop, Some(proof(&bound, "b")), "token_valid"),
        ("from memory, with the same proof", &dpop, Some(proof(&bound, "b")), "dpop_proof_replayed"),
        ("from memory, without a proof", &dpop, None, "dpop_proof_missing"),
        ("as bearer", &bearer, None, "token_binding_mismatch"),
        ("as bearer, with a proof", &bearer, Some(proof(&bound, "c")), "token_binding_mismatch"),
        ("with the proof of another token", &dpop, Some(proof(&unbound, "d")), "dpop_proof_invalid"),
        ("a token that is not bound", &unbound_dpop, Some(proof(&unbound, "e")), "token_binding_mismatch"),
        ("the scheme in lower case", &dpop.replace("DPoP", "dpop"), Some(proof(&bound, "f")), "token_valid"),
    ];
    for (case, authorization, proof, expected) in cases {
        let proof = proof.iter().map(|proof| ("dpop", &**proof));
        let headers: Vec<_> = std::iter::once(("authorization", authorization)).chain(proof).collect();
        assert_eq!(reason(&mut stage, &mut around, &headers), expected, "{case}");
    }
}

#[test]
fn of_a_token_that_is_not_bound_the_proxy_is_asked_nothing() {
    let (mut stage, mut around) = (authn(&plain_config()), Around::default());
    for _ in 0..2 {
        assert_eq!(reason(&mut stage, &mut around, &[("authorization", &bearer(&valid()))]), "token_valid");
    }
    assert_eq!(around.asked, 0);
}

#[test]
fn a_token_that_is_bound_to_something_else_never_counts() {
    let (mut stage, mut around) = (authn(&plain_config()), Around::default());
    for cnf in [json!({"kid": "a"}), json!({"jwk": key().jwk()}), json!(null), json!({}), json!({"jkt": "short"})] {
        let token = bound_to(cnf.clone());
        let proof = proof(&token, "a");
        for authorization in [format!("Bearer {token}"), format!("DPoP {token}")] {
            let headers = [("authorization", &*authorization), ("dpop", &proof)];
            assert_eq!(reason(&mut stage, &mut around, &headers), "token_binding_mismatch", "{cnf}");
        }
    }
}

#[test]
fn a_token_that_is_bound_to_a_certificate_counts_where_the_client_has_shown_it() {
    let (digits, other) = ("ab".repeat(32), "cd".repeat(32));
    let x5t = URL_SAFE_NO_PAD.encode([0xab; 32]);
    let token = bound_to(json!({ "x5t#S256": x5t }));
    let bearer = format!("Bearer {token}");
    let mut stage = authn(&plain_config());
    for (certificate, expected) in
        [(Some(&*digits), "token_valid"), (Some(&*other), "token_binding_mismatch"), (None, "token_binding_mismatch")]
    {
        let mut around = Around { certificate: certificate.map(|digits| digits.as_bytes().to_vec()), ..Around::default() };
        assert_eq!(reason(&mut stage, &mut around, &[("authorization", &bearer)]), expected, "{certificate:?}");
        let forged = format!("Hash={digits}");
        let headers = [("authorization", &*bearer), ("x-forwarded-client-cert", &forged)];
        assert_eq!(reason(&mut stage, &mut around, &headers), expected, "a header is not believed");
    }
    let mut forwarded = authn(&config_with("clientCertificate", json!({"from": "xfcc"})));
    let mut around = Around { certificate: Some(digits.clone().into_bytes()), ..Around::default() };
    for (element, expected) in [
        (format!("By=x;Hash={digits}"), "token_valid"),
        (format!("Hash={other},Hash={digits}"), "token_valid"),
        (format!("Hash={digits},Hash={other}"), "token_binding_mismatch"),
        (String::new(), "token_binding_mismatch"),
    ] {
        let headers = [("authorization", &*bearer), ("x-forwarded-client-cert", &element)];
        assert_eq!(reason(&mut forwarded, &mut around, &headers), expected, "{element}");
    }
    let (_, reply) = ask(&mut stage, &mut Around::default(), &[("authorization", &bearer)]);
    assert!(header(&reply.unwrap(), "www-authenticate").unwrap().starts_with("Bearer error=\"invalid_token\""));
}

#[test]
fn of_two_bindings_both_hold() {
    let token = bound_to(json!({"jkt": jkt(), "x5t#S256": URL_SAFE_NO_PAD.encode([0xab; 32])}));
    let certificate = Some("ab".repeat(32).into_bytes());
    let mut stage = authn(&plain_config());
    let dpop = format!("DPoP {token}");
    for (case, certificate, proof, expected) in [
        ("both", certificate.clone(), Some(proof(&token, "a")), "token_valid"),
        ("the certificate", certificate, None, "dpop_proof_missing"),
        ("the key", None, Some(proof(&token, "b")), "token_binding_mismatch"),
    ] {
        let mut around = Around { certificate, ..Around::default() };
        let proof = proof.iter().map(|proof| ("dpop", &**proof));
        let headers: Vec<_> = std::iter::once(("authorization", &*dpop)).chain(proof).collect();
        assert_eq!(reason(&mut stage, &mut around, &headers), expected, "{case}");
    }
}

#[test]
fn goes_by_what_the_proxy_sees_or_by_the_origins_that_it_is_told() {
    let token = bound();
    let dpop = format!("DPoP {token}");
    let ask = |config: &Value, is_plain, uri: &str, forged: Option<(&str, &str)>| {
        let proof = proof_with(&token, "a", &[("htu", json!(uri))]);
        let headers: Vec<_> = [("authorization", &*dpop), ("dpop", &proof)].into_iter().chain(forged).collect();
        reason(&mut authn(config), &mut Around { is_plain, ..Around::default() }, &headers)
    };
    let (api, plain, other) = ("https://api.example.com/", "http://api.example.com/", "https://other.example.com/");
    let own = plain_config();
    let told = config_with("dpop", json!({"origins": ["https://other.example.com", "https://Other.example.com:8443"]}));
    let invalid = "dpop_proof_invalid";
    for (case, outcome, expected) in [
        ("encrypted", ask(&own, false, api, None), "token_valid"),
        ("encrypted, for what is not", ask(&own, false, plain, None), invalid),
        ("not encrypted", ask(&own, true, plain, None), "token_valid"),
        ("not encrypted, for what is", ask(&own, true, api, None), invalid),
        ("a scheme that the client says", ask(&own, true, api, Some((":scheme", "https"))), invalid),
        ("a forged scheme", ask(&own, true, api, Some(("x-forwarded-proto", "https"))), invalid),
        ("a forged host", ask(&own, false, other, Some(("x-forwarded-host", "other.example.com"))), invalid),
        ("a forged path", ask(&own, false, &format!("{api}x"), Some(("x-envoy-original-path", "/x"))), invalid),
        ("an origin that is told", ask(&told, true, other, None), "token_valid"),
        ("another", ask(&told, true, "https://other.example.com:8443/", None), "token_valid"),
        ("one that is not", ask(&told, false, api, None), invalid),
    ] {
        assert_eq!(outcome, expected, "{case}");
    }
}

#[test]
fn what_the_proxy_does_not_say_is_not_taken_for_granted() {
    let mut around = Around { is_silent: true, ..Around::default() };
    let token = bound();
    let (dpop, proof) = (format!("DPoP {token}"), proof(&token, "a"));
    let headers = [("authorization", &*dpop), ("dpop", &proof)];
    assert_eq!(reason(&mut authn(&plain_config()), &mut around, &headers), "host_error");
    let told = config_with("dpop", json!({"origins": ["https://api.example.com"]}));
    assert_eq!(reason(&mut authn(&told), &mut around, &headers), "dpop_replay_unknown");
    let certificate = bearer(&with(valid(), "cnf", json!({"x5t#S256": URL_SAFE_NO_PAD.encode([1; 32])})));
    assert_eq!(reason(&mut authn(&plain_config()), &mut around, &[("authorization", &certificate)]), "host_error");
}

#[test]
fn gives_out_a_nonce_and_takes_it() {
    let mut stage = authn(&config_with("dpop", json!({"algorithms": ["ES256"], "nonce": {"key": {"env": "N"}}})));
    let mut around = Around::default();
    let token = bound();
    let dpop = format!("DPoP {token}");
    let without = proof(&token, "a");
    let (exchange, reply) = ask(&mut stage, &mut around, &[("authorization", &dpop), ("dpop", &without)]);
    assert_eq!(exchange.decision.unwrap().reason, "dpop_nonce_required");
    let reply = reply.unwrap();
    assert_eq!(reply.status, 401);
    assert_eq!(
        header(&reply, "www-authenticate"),
        Some(
            "DPoP error=\"use_dpop_nonce\", error_description=\"The DPoP proof needs the nonce that comes with this answer.\", \
             algs=\"ES256\""
        )
    );
    let nonce = header(&reply, "dpop-nonce").unwrap();
    let with = proof_with(&token, "a", &[("nonce", json!(nonce))]);
    assert_eq!(reason(&mut stage, &mut around, &[("authorization", &dpop), ("dpop", &with)]), "token_valid");
}

#[test]
fn challenges_name_the_scheme_that_counts() {
    let offered = config_with("dpop", json!({"algorithms": ["ES256", "PS256"]}));
    let required = config_with("dpop", json!({"required": true, "algorithms": ["ES256"]}));
    let bound = format!("Bearer {}", bound());
    let unbound = bearer(&valid());
    let invalid = |about: &str| format!("DPoP error=\"invalid_token\", error_description=\"The access token is {about}\", algs=");
    let mismatch = invalid("bound to another sender than that of the request.");
    for (config, headers, expected) in [
        (plain_config(), &[][..], "Bearer".to_owned()),
        (offered.clone(), &[], "Bearer, DPoP algs=\"PS256 ES256\"".to_owned()),
        (required.clone(), &[], "DPoP algs=\"ES256\"".to_owned()),
        (plain_config(), &[("authorization", &*bound)], format!("{mismatch}\"RS256 PS256 ES256 ES384 EdDSA\"")),
        (offered, &[("authorization", &bound)], format!("{mismatch}\"PS256 ES256\"")),
        (required, &[("authorization", &unbound)], invalid("not bound to its sender, which this resource needs.") + "\"ES256\""),
    ] {
        let (_, reply) = ask(&mut authn(&config), &mut Around::default(), headers);
        assert_eq!(header(&reply.unwrap(), "www-authenticate"), Some(&*expected), "{config}");
    }
}

#[test]
fn a_proof_goes_where_its_token_goes() {
    let token = bound();
    let (dpop, proof) = (format!("DPoP {token}"), proof(&token, "a"));
    let headers = [("authorization", &*dpop), ("dpop", &proof)];
    for (forward, expected) in [(false, &["authorization", "dpop"][..]), (true, &[])] {
        let (exchange, _) =
            ask(&mut authn(&config_with("forwardOriginalToken", json!(forward))), &mut Around::default(), &headers);
        let removed: Vec<_> = exchange.edits.iter().map(Edit::name).collect();
        assert_eq!(removed, expected);
    }
}

#[test]
fn a_proof_is_used_once_by_rules_in_force_and_in_shadow() {
    let mut config = plain_config();
    config["rules"] = json!([
        {"name": "trial", "require": {"senderConstrained": true}, "shadow": true},
        {"name": "all", "require": {"senderConstrained": true}},
    ]);
    let token = bound();
    let (dpop, proof) = (format!("DPoP {token}"), proof(&token, "a"));
    let mut stage = authn(&config);
    let decision = ask(&mut stage, &mut Around::default(), &[("authorization", &dpop), ("dpop", &proof)]).0.decision.unwrap();
    assert_eq!((&*decision.rule, &*decision.reason), ("trial", "token_valid"));
    assert_eq!(reason(&mut stage, &mut Around::default(), &[("authorization", &bearer(&valid()))]), "token_not_bound");
}

#[test]
fn beside_the_key_of_another_caller_a_token_is_bound_all_the_same() {
    const KEY: &str = "partner-key-0123456789abcdef01234567";
    let mut config = plain_config();
    let cnf = json!({ "jkt": jkt() });
    config["apiKeys"] = json!([
        {"name": "partners", "keys": [{"secret": {"inline": KEY}, "subject": "acme", "claims": {"cnf": cnf}}]},
    ]);
    config["rules"] = json!([
        {"match": {"paths": ["/key"]}, "require": {"issuers": ["partners"], "senderConstrained": true}},
        {"name": "both", "require": {"allOf": [{"issuers": ["uaa"]}, {"issuers": ["partners"]}]}},
    ]);
    let (mut stage, mut around) = (authn(&config), Around::default());
    let token = bound();
    let (dpop, bearer, proof) = (format!("DPoP {token}"), format!("Bearer {token}"), proof(&token, "a"));
    let mut reason = |headers: &[(&str, &str)]| reason(&mut stage, &mut around, headers);
    let key = ("x-api-key", KEY);
    assert_eq!(reason(&[("authorization", &dpop), ("dpop", &proof), key]), "token_valid");
    assert_eq!(reason(&[("authorization", &dpop), ("dpop", &proof), key]), "dpop_proof_replayed");
    assert_eq!(reason(&[("authorization", &bearer), key]), "token_binding_mismatch");
    // A key is not bound, whatever the operator says of it.
    let mut exchange = exchange("/key", &[key]);
    stage.on_request(&mut exchange, NOW, &mut around);
    assert_eq!(exchange.decision.unwrap().reason, "token_not_bound");
}

#[test]
fn two_schemes_are_two_credentials() {
    let (mut stage, mut around) = (authn(&plain_config()), Around::default());
    let token = bound();
    let joined = format!("Bearer {token}, DPoP {token}");
    assert_eq!(reason(&mut stage, &mut around, &[("authorization", &joined)]), "credentials_multiple");
    let twice = [("authorization", &*format!("Bearer {token}")), ("authorization", &format!("DPoP {token}"))]
        .map(|(name, value)| (name, value.to_owned()));
    let twice: Vec<_> = twice.iter().map(|(name, value)| (*name, &**value)).collect();
    assert_eq!(reason(&mut stage, &mut around, &twice), "credentials_multiple");
}

#[test]
fn refuses_a_configuration_that_would_not_hold() {
    for (key, value, expected) in [
        ("dpop", json!({"iatWindow": "6m"}), "jwtRules[0].dpop.iatWindow: is not between 1ns and 5m"),
        ("dpop", json!({"iatWindow": "0s"}), "jwtRules[0].dpop.iatWindow: is not between 1ns and 5m"),
        ("dpop", json!({"algorithms": []}), "jwtRules[0].dpop.algorithms: is empty"),
        (
            "dpop",
            json!({"algorithms": ["ES256", "HS256"]}),
            "jwtRules[0].dpop.algorithms[1]: is no algorithm with a public key; for example ES256, EdDSA, PS256, RS256",
        ),
        (
            "dpop",
            json!({"algorithms": ["none"]}),
            "jwtRules[0].dpop.algorithms[0]: is no algorithm with a public key; for example ES256, EdDSA, PS256, RS256",
        ),
        ("dpop", json!({"origins": []}), "jwtRules[0].dpop.origins: is empty; leave it out to go by what the proxy sees"),
        (
            "dpop",
            json!({"origins": ["https://a/b"]}),
            "jwtRules[0].dpop.origins[0]: is not a scheme and an authority; for example https://api.example.com, without a path",
        ),
        (
            "dpop",
            json!({"origins": ["api.example.com"]}),
            "jwtRules[0].dpop.origins[0]: is not a scheme and an authority; for example https://api.example.com, without a path",
        ),
        (
            "dpop",
            json!({"nonce": {"key": {"env": "N"}, "lifetime": "9s"}}),
            "jwtRules[0].dpop.nonce.lifetime: is shorter than 10 seconds",
        ),
        (
            "dpop",
            json!({"nonce": {"key": {"inline": "short"}}}),
            "jwtRules[0].dpop.nonce.key.inline: the secret is too short: it has 5 bytes; it needs at least 32 bytes",
        ),
        ("clientCertificate", json!({"hops": 1}), "jwtRules[0].clientCertificate.hops: is for `from: xfcc`"),
    ] {
        assert_eq!(error(&config_with(key, value)), expected);
    }
}
