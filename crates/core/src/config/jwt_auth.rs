//! The `jwtAuth` object as the operator writes it. An entry of Istio's `jwtRules` can be pasted in as it is.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use crate::config::duration::DurationText;
use crate::config::matching::MatchConfig;
use crate::config::realm::Realm;
use crate::config::secret::SecretConfig;

/// Who may call, and how it is proven.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtAuthConfig {
    /// The issuers whose tokens are known here.
    #[serde(default)]
    pub jwt_rules: Vec<JwtRuleConfig>,
    /// What a request needs. The first rule that matches wins.
    #[serde(default)]
    pub rules: Vec<RuleConfig>,
    /// What a request needs that no rule matches.
    #[serde(default)]
    pub default: DefaultAccess,
    /// The protection space that challenges name.
    pub realm: Option<Realm>,
}

/// An issuer: whose tokens, proven by which keys, found where, passed on how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtRuleConfig {
    /// The label in metrics and audit; default: the issuer.
    pub name: Option<String>,
    /// The `iss` of the tokens, exactly. Left out, the entry is for tokens that have no `iss`, and needs a `name`.
    pub issuer: Option<String>,
    /// The token must name one of these in `aud`. Absent: not checked here.
    pub audiences: Option<Vec<String>>,
    /// The `alg` values allowed; default: what the keys allow.
    pub algorithms: Option<Vec<String>>,
    /// The keys: a JSON Web Key Set (RFC 7517).
    pub jwks: Option<Jwks>,
    /// Where the keys are fetched.
    #[serde(alias = "jwks_uri")]
    pub jwks_uri: Option<String>,
    /// The key of HS256, HS384 and HS512.
    pub secret: Option<SecretConfig>,
    /// The proxy's cluster for the fetch; default: `outbound|443||host`, Istio's name for the host of `jwksUri`.
    pub cluster: Option<String>,
    /// How often the keys are fetched; default 5m.
    pub refresh: Option<DurationText>,
    /// How long a fetch may take; default 5s.
    pub timeout: Option<DurationText>,
    /// The headers that may hold the token; default: Authorization with the prefix `Bearer `.
    pub from_headers: Option<Vec<FromHeaderConfig>>,
    /// The query parameters that may hold the token.
    pub from_params: Option<Vec<String>>,
    /// The cookies that may hold the token.
    pub from_cookies: Option<Vec<String>>,
    /// Whether the upstream gets the token; default false.
    pub forward_original_token: Option<bool>,
    /// The header that gives the upstream the claims, as base64url of their JSON.
    pub output_payload_to_header: Option<String>,
    /// The headers that give the upstream single claims.
    pub output_claim_to_headers: Option<Vec<OutputClaimConfig>>,
    /// Claims that hold several values separated by spaces, beside `scope`.
    pub space_delimited_claims: Option<Vec<String>>,
    /// How far the issuer's clock may be off; default 60s.
    pub clock_skew: Option<DurationText>,
    /// Whether a token without `exp` is refused; default true.
    pub require_expiration: Option<bool>,
    /// The longest time from `iat` to `exp`.
    pub max_lifetime: Option<DurationText>,
    /// The `typ` that the token must have.
    pub require_type: Option<String>,
    /// Where the principal's fields are found.
    #[serde(default)]
    pub claims: ClaimsConfig,
}

/// A header that may hold the token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FromHeaderConfig {
    /// The header's name.
    pub name: String,
    /// What stands before the token.
    pub prefix: Option<String>,
}

/// A header that gives the upstream a claim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputClaimConfig {
    /// The header's name.
    pub header: String,
    /// The path of the claim, names joined by dots.
    pub claim: String,
}

/// The paths of the claims that hold the principal's fields, names joined by dots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimsConfig {
    /// The roles; default `roles`.
    pub roles: Option<String>,
    /// The scopes; default `scope`.
    pub scopes: Option<String>,
    /// The subject; default `sub`.
    pub subject: Option<String>,
}

/// A rule: which requests, and what they need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleConfig {
    /// The label in metrics and audit; default `rule-` and the place in the list, counted from 0.
    pub name: Option<String>,
    /// Which requests; absent: every one.
    pub r#match: Option<MatchConfig>,
    /// Whether a credential is needed.
    #[serde(default)]
    pub access: Access,
    /// What the caller must have beside a valid credential.
    pub require: Option<RequireConfig>,
}

/// Whether a rule asks for a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// A valid credential is needed.
    #[default]
    Required,
    /// None is needed, but one that is sent must be valid.
    Optional,
    /// None is needed, and none is looked at.
    Public,
    /// Nobody may pass.
    Denied,
}

/// What a request needs that no rule matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DefaultAccess {
    /// A valid credential.
    #[default]
    Required,
    /// Nobody may pass.
    Denied,
    /// Nothing.
    Public,
}

impl From<DefaultAccess> for Access {
    fn from(access: DefaultAccess) -> Self {
        match access {
            DefaultAccess::Required => Self::Required,
            DefaultAccess::Denied => Self::Denied,
            DefaultAccess::Public => Self::Public,
        }
    }
}

/// What the caller must have. All that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequireConfig {
    /// Names of `jwtRules` entries: one of them vouched for the caller.
    pub issuers: Option<Vec<String>>,
    /// The token's `aud` holds one of these.
    pub audiences: Option<Vec<String>>,
    /// The caller has all of these scopes.
    pub scopes: Option<Vec<String>>,
    /// The caller has one of these roles.
    pub roles: Option<Vec<String>>,
}

/// The JSON text of a key set. In a configuration it is a string, as in Istio, or the object itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwks(String);

impl Jwks {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Jwks {
    // A key set may hold symmetric keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Jwks([keys])")
    }
}

impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JwksVisitor)
    }
}

struct JwksVisitor;

impl<'de> Visitor<'de> for JwksVisitor {
    type Value = Jwks;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON Web Key Set, as a string or an object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Jwks, E> {
        Ok(Jwks(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Jwks, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(entries)).map(|keys| Jwks(keys.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(document: &str) -> Result<JwtAuthConfig, String> {
        crate::config::parse(document.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn takes_a_jwt_rule_of_istio_as_it_is() {
        let document = r#"{"jwtRules": [{
            "issuer": "https://example.com",
            "audiences": ["bookstore_android.apps.example.com"],
            "jwksUri": "https://example.com/.secret/jwks.json",
            "fromHeaders": [{"name": "x-jwt-assertion"}, {"name": "Authorization", "prefix": "Bearer "}],
            "fromParams": ["jwt"],
            "fromCookies": ["auth-token"],
            "outputPayloadToHeader": "x-payload",
            "forwardOriginalToken": true,
            "outputClaimToHeaders": [{"header": "x-sub", "claim": "nested.claim"}],
            "timeout": "5s",
            "spaceDelimitedClaims": ["permissions"]
        }]}"#;
        let config = parse(document).unwrap();
        let [rule] = &config.jwt_rules[..] else { panic!("one entry") };
        assert_eq!(rule.jwks_uri.as_deref(), Some("https://example.com/.secret/jwks.json"));
        assert_eq!(rule.timeout.map(DurationText::get), Some(Duration::from_secs(5)));
        assert_eq!(rule.forward_original_token, Some(true));
        let alias = parse(&document.replace("jwksUri", "jwks_uri")).unwrap();
        assert_eq!(alias, config);
    }

    #[test]
    fn takes_keys_as_text_or_as_an_object() {
        for document in [
            r#"{"jwtRules":[{"issuer":"a","jwks":"{\"keys\":[{\"kty\":\"oct\"}]}"}]}"#,
            r#"{"jwtRules":[{"issuer":"a","jwks":{"keys":[{"kty":"oct"}]}}]}"#,
        ] {
            let config = parse(document).unwrap();
            let keys = config.jwt_rules[0].jwks.as_ref().unwrap();
            assert_eq!(keys.as_str(), r#"{"keys":[{"kty":"oct"}]}"#);
            assert!(!format!("{config:?}").contains("oct"));
        }
    }

    #[test]
    fn without_a_word_everything_is_closed() {
        let config = parse("{}").unwrap();
        assert_eq!(config, JwtAuthConfig::default());
        assert_eq!(Access::from(config.default), Access::Required);
        assert_eq!(parse(r#"{"rules":[{}]}"#).unwrap().rules[0].access, Access::Required);
    }

    #[test]
    fn errors_name_the_place() {
        for (document, expected) in [
            (r#"{"jwtRules":[{"issuer":null}]}"#, "jwtRules[0].issuer: is null; give it a value or leave the key out"),
            (r#"{"jwtRules":[{"isuer":"a"}]}"#, "jwtRules[0].isuer: unknown key; did you mean `issuer`?"),
            (r#"{"jwtRules":[{"issuer":"a","jwksUri":"x","jwks_uri":"x"}]}"#, "jwtRules[0].jwksUri: is given twice"),
            (r#"{"jwtRules":[{"issuer":"a","jwksURL":"x"}]}"#, "jwtRules[0].jwksURL: unknown key; did you mean `jwksUri`?"),
            (
                r#"{"jwtRules":[{"issuer":"a","jwks":["S3CRET"]}]}"#,
                "jwtRules[0].jwks: must be a JSON Web Key Set, as a string or an object, not a list",
            ),
            (r#"{"jwtRules":[{"issuer":"a","secret":"S3CRET"}]}"#, "jwtRules[0].secret: must be an object, not a string"),
            (
                r#"{"jwtRules":[{"issuer":"a","secret":{"env":"A","encoding":"base46"}}]}"#,
                "jwtRules[0].secret.encoding: is none of the values allowed here; did you mean `base64`?",
            ),
            (r#"{"jwtRules":[{"issuer":"a","fromHeaders":[{"prefix":"x"}]}]}"#, "jwtRules[0].fromHeaders[0].name: is missing"),
            (r#"{"jwtRules":{"issuer":"a"}}"#, "jwtRules: must be a list, not an object"),
            (r#"{"default":"optional"}"#, "default: is none of the values allowed here; allowed: `required`, `denied`, `public`"),
            (r#"{"jwtAuth":{}}"#, "jwtAuth: unknown key; known keys: `jwtRules`, `rules`, `default`, `realm`"),
        ] {
            assert_eq!(parse(document), Err(expected.to_owned()), "{document}");
        }
    }
}
