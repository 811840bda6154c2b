//! The `jwtAuth` object as the operator writes it: issuers ([`jwt_rule`](super::jwt_rule)) and rules ([`rule`](super::rule)).

use serde::Deserialize;

use crate::api_key::ApiKeysConfig;
use crate::jwt_rule::JwtRuleConfig;
use crate::realm::Realm;
use crate::rule::{DefaultAccess, RuleConfig};
use crate::tracing::TracingConfig;

/// Who may call, and how it is proven.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtAuthConfig {
    /// The issuers whose tokens are known here.
    #[serde(default)]
    pub jwt_rules: Vec<JwtRuleConfig>,
    /// Callers who bring a key of their own in place of a token.
    #[serde(default)]
    pub api_keys: Vec<ApiKeysConfig>,
    /// What a request needs. The first rule that matches wins.
    #[serde(default)]
    pub rules: Vec<RuleConfig>,
    /// What a request needs that no rule matches.
    #[serde(default)]
    pub default: DefaultAccess,
    /// Whether a CORS preflight passes without a credential: OPTIONS with one `Origin`, one `Access-Control-Request-Method` and no
    /// body. A rule that denies everyone still does.
    #[serde(default)]
    pub bypass_cors_preflight: bool,
    /// Whether a route may name its rule in its metadata. `false` saves reading it; a route that names a stricter rule is then not
    /// heard.
    #[serde(default = "yes")]
    pub route_rules: bool,
    /// What is written to filter state, for other modules and access logs. What nobody reads may be left out; the stages of the
    /// bundle know it in any case; default: all.
    pub publish: Option<Vec<Published>>,
    /// The protection space that challenges name.
    pub realm: Option<Realm>,
    /// What becomes of the trace that a request belongs to. Without it no trace header is written.
    pub tracing: Option<TracingConfig>,
}

/// Something that is written to filter state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Published {
    /// `portcullis.principal`: who is calling.
    Principal,
    /// `portcullis.decision`: what was decided.
    Decision,
}

impl Default for JwtAuthConfig {
    fn default() -> Self {
        Self {
            jwt_rules: Vec::new(),
            api_keys: Vec::new(),
            rules: Vec::new(),
            default: DefaultAccess::default(),
            bypass_cors_preflight: false,
            route_rules: yes(),
            publish: None,
            realm: None,
            tracing: None,
        }
    }
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::duration::DurationText;
    use crate::rule::Access;

    fn parse(document: &str) -> Result<JwtAuthConfig, String> {
        JwtAuthConfig::parse(document.as_bytes()).map_err(|error| error.to_string())
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
            (r#"{"publish":["claims"]}"#, "publish[0]: is none of the values allowed here; allowed: `principal`, `decision`"),
            (
                r#"{"jwtAuth":{}}"#,
                "jwtAuth: unknown key; known keys: `jwtRules`, `apiKeys`, `rules`, `default`, `bypassCorsPreflight`, `routeRules`, `publish`, `realm`, `tracing`",
            ),
        ] {
            assert_eq!(parse(document), Err(expected.to_owned()), "{document}");
        }
    }
}
