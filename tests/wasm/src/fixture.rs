//! The configuration, the tokens and the requests that the tests share: an order service behind one issuer.

use std::sync::OnceLock;

use jwt_simple::prelude::HS256Key;
use serde_json::{Value, json};

use crate::host::Host;
use crate::token;

/// The issuer that the configuration trusts.
pub const ISSUER: &str = "https://uaa.example.com";

/// The issuer's shared secret, made once per process.
#[must_use]
pub fn secret() -> &'static [u8] {
    static SECRET: OnceLock<Vec<u8>> = OnceLock::new();
    SECRET.get_or_init(|| HS256Key::generate().to_bytes())
}

/// The object of the module jwt-auth, with keys from `keys`: `{"secret": …}`, `{"jwks": …}` or `{"jwksUri": …}`.
///
/// # Panics
/// When `keys` is not an object.
#[must_use]
pub fn jwt_auth_with(keys: Value) -> Value {
    let mut rule = json!({
        "name": "uaa",
        "issuer": ISSUER,
        "audiences": ["orders"],
        "outputClaimToHeaders": [{"header": "x-subject", "claim": "sub"}],
    });
    rule.as_object_mut().expect("a rule is an object").extend(keys.as_object().expect("keys are an object").clone());
    json!({
        "jwtRules": [rule],
        "rules": [
            {"name": "health", "match": {"paths": ["/health"]}, "access": "public"},
            {"name": "legacy", "match": {"routes": ["legacy"]}, "access": "denied"},
            {"name": "internal", "match": {"paths": ["/internal/**"]}, "access": "denied"},
            {
                "name": "approve-order",
                "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]},
                "require": {"roles": ["RESTAURANT"]},
            },
        ],
        "realm": "orders",
    })
}

/// The object of the module jwt-auth with the shared secret.
#[must_use]
pub fn jwt_auth() -> Value {
    let hex = secret().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    jwt_auth_with(json!({"secret": {"inline": hex, "encoding": "hex"}}))
}

/// The object of the module auth-header.
#[must_use]
pub fn auth_header() -> Value {
    json!({
        "strip": ["x-user-*"],
        "inject": [
            {"header": "x-user-id", "claim": "subject"},
            {"header": "x-user-roles", "claim": "roles"},
            {"header": "x-user-role", "claim": "roles", "format": "repeat"},
        ],
    })
}

/// The object of the module audit-log.
#[must_use]
pub fn audit_log() -> Value {
    json!({
        "events": [{
            "name": "order.approve",
            "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]},
            "object": "{path.orderId}",
        }],
        "default": {"record": "always"},
        "sinks": [{"type": "accesslog"}, {"type": "stdout"}],
    })
}

/// The object of the module metrics.
#[must_use]
pub fn metrics() -> Value {
    json!({})
}

/// The configuration of the bundle around an object of jwt-auth.
#[must_use]
pub fn bundle_with(jwt_auth: &Value) -> String {
    json!({"jwtAuth": jwt_auth, "authHeader": auth_header(), "auditLog": audit_log(), "metrics": metrics()}).to_string()
}

/// A configuration that the module of this name accepts.
///
/// # Panics
/// When there is no such module.
#[must_use]
pub fn configuration(module: &str) -> String {
    match module {
        "jwt_auth" => jwt_auth().to_string(),
        "auth_header" => auth_header().to_string(),
        "audit_log" => audit_log().to_string(),
        "metrics" => metrics().to_string(),
        "portcullis" => bundle_with(&jwt_auth()),
        other => panic!("there is no module {other}"),
    }
}

/// The bundle.
#[must_use]
#[track_caller]
pub fn bundle() -> Host {
    Host::load("portcullis", &configuration("portcullis"))
}

/// The single modules in the order in which an operator chains them.
#[must_use]
#[track_caller]
pub fn single_modules() -> Host {
    let names = ["metrics", "audit_log", "jwt_auth", "auth_header"];
    let configurations = names.map(configuration);
    let modules: Vec<_> = names.into_iter().zip(configurations.iter().map(String::as_str)).collect();
    Host::chain(&modules)
}

/// Claims that the configuration accepts at this time.
#[must_use]
pub fn claims(now: u64) -> Value {
    json!({"iss": ISSUER, "sub": "alice", "aud": "orders", "exp": now + 300, "roles": ["RESTAURANT", "USER"]})
}

/// A valid token at the time of this host, signed with the shared secret.
#[must_use]
pub fn token(host: &Host) -> String {
    token::hs256(secret(), claims(host.now()))
}

/// A request's headers: method, path, and others.
#[must_use]
pub fn request(method: &str, path: &str, others: &[(&str, &str)]) -> Vec<(String, String)> {
    let usual =
        [(":method", method), (":path", path), (":authority", "api.example.com"), (":scheme", "https"), ("x-request-id", "r-1")];
    usual.iter().chain(others).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A request's headers with a bearer token.
#[must_use]
pub fn bearer(method: &str, path: &str, token: &str) -> Vec<(String, String)> {
    request(method, path, &[("authorization", &format!("Bearer {token}"))])
}
