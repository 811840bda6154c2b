//! An entry for many tenants of one provider, as one entry for each.
//!
//! A tenant is bound to its own `iss` and its own keys; nothing is ever compared with the template. Refused: a template without
//! tenants and the other way round, a tenant that is no plain segment or stands twice, and one source of keys for all tenants
//! unless the operator says so: who signs for one of them could sign for every other.

use crate::config::ConfigError;
use crate::config::jwt_rule::JwtRuleConfig;

const PLACEHOLDER: &str = "{tenant}";

/// The entry of one tenant.
#[derive(Debug)]
pub(super) struct Tenant {
    /// What tells its keys from those of others in metrics and in the log.
    pub label: String,
    /// The entry, with the tenant in its place.
    pub entry: JwtRuleConfig,
}

/// The entries that an entry with `tenants` stands for; `None` for one without.
pub(super) fn expand(config: &JwtRuleConfig, path: &str) -> Result<Option<Vec<Tenant>>, ConfigError> {
    let template = config.issuer.as_deref().filter(|issuer| issuer.contains(PLACEHOLDER));
    let (template, tenants) = match (template, &config.tenants) {
        (None, None) if config.tenants_share_keys.is_some() => {
            return Err(ConfigError::new(format!("{path}.tenantsShareKeys"), "has no effect without `tenants`").hint("remove it"));
        }
        (None, None) => return Ok(None),
        (None, Some(_)) => {
            return Err(ConfigError::new(format!("{path}.tenants"), "has no effect without `{tenant}` in `issuer`")
                .hint("for example https://login.example.com/{tenant}/v2.0"));
        }
        (Some(_), None) => {
            return Err(ConfigError::new(format!("{path}.issuer"), "holds `{tenant}`, and there are no `tenants`")
                .hint("list them, or write the issuer as it stands in the tokens"));
        }
        (Some(template), Some(tenants)) => (template, tenants),
    };
    if template.matches(PLACEHOLDER).count() > 1 {
        return Err(ConfigError::new(format!("{path}.issuer"), "holds `{tenant}` more than once"));
    }
    if tenants.is_empty() {
        return Err(ConfigError::new(format!("{path}.tenants"), "is empty"));
    }
    check_keys(config, path)?;
    let name = config.name.as_deref().unwrap_or(template);
    let mut expanded: Vec<Tenant> = Vec::with_capacity(tenants.len());
    for (index, tenant) in tenants.iter().enumerate() {
        let path = format!("{path}.tenants[{index}]");
        if !is_plain(tenant) {
            return Err(ConfigError::new(path, "is not a tenant").hint("use letters, digits, `-`, `_`, `~` and single `.`"));
        }
        if tenants.iter().take(index).any(|earlier| earlier == tenant) {
            return Err(ConfigError::new(path, "is given twice"));
        }
        let placed = |text: &Option<String>| text.as_ref().map(|text| text.replace(PLACEHOLDER, tenant));
        let entry = JwtRuleConfig {
            name: Some(name.to_owned()),
            issuer: placed(&config.issuer),
            jwks_uri: placed(&config.jwks_uri),
            token_key_uri: placed(&config.token_key_uri),
            discovery: placed(&config.discovery),
            ..config.clone()
        };
        expanded.push(Tenant { label: format!("{name}/{tenant}"), entry });
    }
    Ok(Some(expanded))
}

/// Whether each tenant has keys of its own, or the operator says that they share them.
fn check_keys(config: &JwtRuleConfig, path: &str) -> Result<(), ConfigError> {
    let uris = [("jwksUri", &config.jwks_uri), ("tokenKeyUri", &config.token_key_uri), ("discovery", &config.discovery)];
    let has_own = uris.iter().any(|(_, uri)| uri.as_ref().is_some_and(|uri| uri.contains(PLACEHOLDER)));
    let shares = config.tenants_share_keys.unwrap_or(false);
    if has_own && shares {
        return Err(ConfigError::new(format!("{path}.tenantsShareKeys"), "contradicts `{tenant}` in the place of the keys"));
    }
    if let (Some(_), false) = (&config.discovery, has_own) {
        return Err(ConfigError::new(format!("{path}.discovery"), "holds no `{tenant}`")
            .hint("each tenant is an issuer of its own, with a discovery document of its own"));
    }
    if !has_own && !shares {
        return Err(ConfigError::new(
            path,
            "has one source of keys for all tenants: who signs for one could sign for every other",
        )
        .hint("put `{tenant}` into the place of the keys, or say `tenantsShareKeys: true` where the provider has it so"));
    }
    Ok(())
}

/// Whether a tenant is one segment of a path that nobody reads in two ways.
fn is_plain(tenant: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    !tenant.is_empty() && tenant.bytes().all(is_unreserved) && tenant != "." && !tenant.contains("..")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn expanded(entry: &Value) -> Result<Option<Vec<Tenant>>, String> {
        let config: JwtRuleConfig = serde_json::from_value(entry.clone()).unwrap();
        expand(&config, "jwtRules[0]").map_err(|error| error.to_string())
    }

    const ISSUER: &str = "https://login.example.com/{tenant}/v2.0";

    #[test]
    fn each_tenant_has_an_issuer_and_keys_of_its_own() {
        let uri = "https://login.example.com/{tenant}/keys";
        for key in ["jwksUri", "tokenKeyUri", "discovery"] {
            let entry = json!({"issuer": ISSUER, "tenants": ["acme", "b.example-1"], key: uri, "cluster": "login"});
            let tenants = expanded(&entry).unwrap().unwrap();
            let issuers: Vec<_> = tenants.iter().map(|tenant| tenant.entry.issuer.as_deref().unwrap()).collect();
            assert_eq!(issuers, ["https://login.example.com/acme/v2.0", "https://login.example.com/b.example-1/v2.0"]);
            let first = &tenants[0].entry;
            let placed = [&first.jwks_uri, &first.token_key_uri, &first.discovery].into_iter().flatten().collect::<Vec<_>>();
            assert_eq!(placed, ["https://login.example.com/acme/keys"], "{key}");
            assert_eq!((first.name.as_deref(), &*tenants[0].label), (Some(ISSUER), &*format!("{ISSUER}/acme")));
        }
        assert!(expanded(&json!({"issuer": "https://a", "jwksUri": uri})).unwrap().is_none());
    }

    #[test]
    fn refuses_what_could_let_one_tenant_be_taken_for_another() {
        let keys = "https://login.example.com/{tenant}/keys";
        let with = |tenants: Value| json!({"issuer": ISSUER, "tenants": tenants, "jwksUri": keys});
        let not_a_tenant =
            |index| format!("jwtRules[0].tenants[{index}]: is not a tenant; use letters, digits, `-`, `_`, `~` and single `.`");
        let mut cases = vec![
            (
                json!({"issuer": ISSUER, "jwksUri": keys}),
                "jwtRules[0].issuer: holds `{tenant}`, and there are no `tenants`; list them, or write the issuer as it stands in \
                 the tokens"
                    .to_owned(),
            ),
            (
                json!({"issuer": "https://a", "tenants": ["a"], "jwksUri": keys}),
                "jwtRules[0].tenants: has no effect without `{tenant}` in `issuer`; for example \
                 https://login.example.com/{tenant}/v2.0"
                    .to_owned(),
            ),
            (
                json!({"issuer": "https://a", "tenantsShareKeys": true, "jwksUri": "https://a"}),
                "jwtRules[0].tenantsShareKeys: has no effect without `tenants`; remove it".to_owned(),
            ),
            (with(json!([])), "jwtRules[0].tenants: is empty".to_owned()),
            (with(json!(["a", "b", "a"])), "jwtRules[0].tenants[2]: is given twice".to_owned()),
            (
                json!({"issuer": "https://{tenant}/{tenant}", "tenants": ["a"], "jwksUri": keys}),
                "jwtRules[0].issuer: holds `{tenant}` more than once".to_owned(),
            ),
            (
                json!({"issuer": ISSUER, "tenants": ["a"], "jwksUri": keys, "tenantsShareKeys": true}),
                "jwtRules[0].tenantsShareKeys: contradicts `{tenant}` in the place of the keys".to_owned(),
            ),
            (
                json!({"issuer": ISSUER, "tenants": ["a"], "jwksUri": "https://login.example.com/keys"}),
                "jwtRules[0]: has one source of keys for all tenants: who signs for one could sign for every other; put `{tenant}` \
                 into the place of the keys, or say `tenantsShareKeys: true` where the provider has it so"
                    .to_owned(),
            ),
            (
                json!({"issuer": ISSUER, "tenants": ["a"], "discovery": "https://login.example.com", "tenantsShareKeys": true}),
                "jwtRules[0].discovery: holds no `{tenant}`; each tenant is an issuer of its own, with a discovery document of its \
                 own"
                .to_owned(),
            ),
        ];
        for tenant in ["", "a/b", "a%2fb", "..", "a..b", ".", "a b", "{tenant}", "a?b", "a#b", "a@b", "ä", "a\\b", "*"] {
            cases.push((with(json!(["acme", tenant])), not_a_tenant(1)));
        }
        for (entry, expected) in cases {
            assert_eq!(expanded(&entry).unwrap_err(), expected);
        }
        assert!(expanded(&json!({"issuer": ISSUER, "tenants": ["a"], "jwks": "{}", "tenantsShareKeys": true})).is_ok());
    }
}
