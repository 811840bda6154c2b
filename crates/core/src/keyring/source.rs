//! What is fetched to have keys: a key set, Spring's token key, or first the document that says where the key set is.

use std::rc::Rc;

use serde_json::Value;

use super::FetchError;
use super::location::{Host, Location, LocationError};
use crate::jose::{AlgorithmSet, KeySet, strict_json};

/// Where an entry's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A JSON Web Key Set.
    KeySet(Location),
    /// The document of Spring's `token_key`.
    TokenKey(Location),
    /// What the OpenID provider's configuration names.
    Discovery(Discovery),
}

/// An OpenID provider's configuration (OpenID Connect Discovery 1.0 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// What the document's `issuer` must be.
    pub issuer: String,
    /// Where the document is.
    pub document: Location,
    /// The hosts, beside the document's own, at which its keys may be.
    pub hosts: Vec<KeyHost>,
}

/// A host that keys may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHost {
    /// The host.
    pub host: Host,
    /// The proxy's cluster that leads there; absent for Istio's name of the host.
    pub cluster: Option<Rc<str>>,
}

/// Why an OpenID provider's configuration cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// It is not JSON.
    #[error("the discovery document is not a JSON object, or an object in it repeats a name")]
    NotJson,
    /// It is another issuer's.
    #[error("the `issuer` of the discovery document is not this issuer")]
    Issuer,
    /// It names no keys.
    #[error("the discovery document has no `jwks_uri`")]
    NoKeys,
    /// It names keys at a place that cannot be.
    #[error("the `jwks_uri` of the discovery document {0}")]
    Location(LocationError),
    /// It names keys that would come without TLS.
    #[error("the `jwks_uri` of the discovery document is not https")]
    Insecure,
    /// It names keys on a host that is not allowed.
    #[error("the `jwks_uri` of the discovery document is on a host that `jwksHosts` does not list")]
    Host,
}

impl Source {
    /// What is fetched first.
    pub(super) const fn first(&self) -> &Location {
        match self {
            Self::KeySet(location) | Self::TokenKey(location) => location,
            Self::Discovery(discovery) => &discovery.document,
        }
    }

    /// The keys of a document, of which one at least serves an algorithm that is allowed.
    pub(super) fn keys(&self, document: &[u8], allowed: AlgorithmSet) -> Result<KeySet, FetchError> {
        let keys = match self {
            Self::KeySet(_) | Self::Discovery(_) => KeySet::from_jwks(document)?,
            Self::TokenKey(_) => KeySet::from_token_key(document)?,
        };
        if keys.algorithms().intersection(allowed).is_empty() { Err(FetchError::Algorithms) } else { Ok(keys) }
    }

    /// What tells it from other sources: the same for every worker, and nothing of it comes from a request.
    pub(super) fn text(&self) -> String {
        match self {
            Self::KeySet(location) => format!("jwks|{}", location.text()),
            Self::TokenKey(location) => format!("token_key|{}", location.text()),
            Self::Discovery(discovery) => format!("discovery|{}|{}", discovery.document.text(), discovery.issuer),
        }
    }
}

impl Discovery {
    /// Where the keys are, by the provider's configuration.
    pub(super) fn keys_location(&self, document: &[u8]) -> Result<Location, DiscoveryError> {
        let document = strict_json::parse(document).filter(Value::is_object).ok_or(DiscoveryError::NotJson)?;
        if document.get("issuer").and_then(Value::as_str) != Some(&*self.issuer) {
            return Err(DiscoveryError::Issuer);
        }
        let uri = document.get("jwks_uri").and_then(Value::as_str).ok_or(DiscoveryError::NoKeys)?;
        let location = Location::parse(uri, None).map_err(DiscoveryError::Location)?;
        if self.document.is_secure() && !location.is_secure() {
            return Err(DiscoveryError::Insecure);
        }
        let cluster = if location.host() == self.document.host() {
            Some(self.document.cluster())
        } else {
            let allowed = self.hosts.iter().find(|allowed| allowed.host == *location.host()).ok_or(DiscoveryError::Host)?;
            allowed.cluster.as_ref()
        };
        Location::parse(uri, cluster.map(|cluster| &**cluster)).map_err(DiscoveryError::Location)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::stage::FetchId;

    fn discovery(document: &str) -> Discovery {
        let host = |name: &str, cluster: Option<&str>| KeyHost {
            host: Host::parse(name, 443).unwrap(),
            cluster: cluster.map(Into::into),
        };
        Discovery {
            issuer: "https://id.example.com/r".to_owned(),
            document: Location::parse(document, Some("id")).unwrap(),
            hosts: vec![host("keys.example.com", Some("keys")), host("cdn.example.com:8443", None)],
        }
    }

    fn named(document: &str, jwks_uri: &str) -> Result<(String, String), DiscoveryError> {
        let found = json!({"issuer": "https://id.example.com/r", "jwks_uri": jwks_uri}).to_string();
        let location = discovery(document).keys_location(found.as_bytes())?;
        let fetch = location.fetch(FetchId(0), Duration::from_secs(5));
        Ok((fetch.cluster.to_string(), fetch.path.to_string()))
    }

    #[test]
    fn follows_a_jwks_uri_to_the_hosts_that_are_allowed() {
        let at = |cluster: &str, path: &str| Ok((cluster.to_owned(), path.to_owned()));
        let cases = [
            ("https://id.example.com/keys?v=2", at("id", "/keys?v=2")),
            ("https://ID.example.com:443/keys", at("id", "/keys")),
            ("https://keys.example.com/k", at("keys", "/k")),
            ("https://cdn.example.com:8443/k", at("outbound|8443||cdn.example.com", "/k")),
            ("https://cdn.example.com/k", Err(DiscoveryError::Host)),
            ("https://id.example.com:8443/keys", Err(DiscoveryError::Host)),
            ("https://evil-id.example.com/keys", Err(DiscoveryError::Host)),
            ("https://id.example.com.evil.test/keys", Err(DiscoveryError::Host)),
            ("https://id.example.com@evil.test/keys", Err(DiscoveryError::Location(LocationError::UserInfo))),
            ("https://169.254.169.254/latest", Err(DiscoveryError::Location(LocationError::Internal))),
            ("http://id.example.com:443/keys", Err(DiscoveryError::Insecure)),
            ("/keys", Err(DiscoveryError::Location(LocationError::Relative))),
            ("", Err(DiscoveryError::Location(LocationError::NotUri))),
        ];
        for (uri, expected) in cases {
            assert_eq!(named("https://id.example.com/r/.well-known/openid-configuration", uri), expected, "{uri}");
        }
    }

    #[test]
    fn keys_may_come_without_tls_where_their_place_does() {
        assert!(named("http://id.example.com/", "http://id.example.com/keys").is_ok());
        assert_eq!(named("http://id.example.com/", "http://keys.example.com/keys"), Err(DiscoveryError::Host));
    }

    #[test]
    fn refuses_documents_that_are_not_this_issuers() {
        for (document, expected) in [
            ("<html>", DiscoveryError::NotJson),
            ("[]", DiscoveryError::NotJson),
            ("{}", DiscoveryError::Issuer),
            (r#"{"issuer":"https://id.example.com/r/","jwks_uri":"https://id.example.com/k"}"#, DiscoveryError::Issuer),
            (r#"{"issuer":"https://ID.example.com/r","jwks_uri":"https://id.example.com/k"}"#, DiscoveryError::Issuer),
            (r#"{"issuer":["https://id.example.com/r"],"jwks_uri":"https://id.example.com/k"}"#, DiscoveryError::Issuer),
            (r#"{"issuer":"x","issuer":"https://id.example.com/r"}"#, DiscoveryError::NotJson),
            (r#"{"issuer":"https://id.example.com/r"}"#, DiscoveryError::NoKeys),
            (r#"{"issuer":"https://id.example.com/r","jwks_uri":7}"#, DiscoveryError::NoKeys),
        ] {
            let found = discovery("https://id.example.com/").keys_location(document.as_bytes());
            assert_eq!(found, Err(expected), "{document}");
        }
    }
}
