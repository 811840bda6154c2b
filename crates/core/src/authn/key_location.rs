//! Where keys are fetched from: a URI and the proxy's cluster that leads there.

use std::rc::Rc;
use std::time::Duration;

use crate::config::{ConfigError, Warning};
use crate::stage::{Fetch, FetchId};

/// A place to fetch keys from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyLocation {
    cluster: Rc<str>,
    scheme: Rc<str>,
    authority: Rc<str>,
    path: Rc<str>,
}

impl KeyLocation {
    /// The GET that brings the keys.
    pub fn fetch(&self, id: FetchId, timeout: Duration) -> Fetch {
        Fetch {
            id,
            cluster: Rc::clone(&self.cluster),
            scheme: Rc::clone(&self.scheme),
            authority: Rc::clone(&self.authority),
            path: Rc::clone(&self.path),
            timeout,
        }
    }
}

/// Read `jwksUri`, with the cluster that is given or else Istio's name for the host.
///
/// # Errors
/// When it is not an absolute http or https URI (RFC 9110 section 4.2) without user information and fragment.
pub(super) fn parse(
    uri: &str,
    cluster: Option<&str>,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<KeyLocation, ConfigError> {
    let place = format!("{path}.jwksUri");
    let wrong =
        |problem: &str| ConfigError::new(&place, problem).hint("for example https://issuer.example.com/.well-known/jwks.json");
    let uri: http::Uri = uri.parse().map_err(|_| wrong("is not a URI"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(wrong("is not an absolute URI"));
    };
    let default_port = match scheme {
        "https" => 443,
        "http" => {
            warnings.push(Warning::new(&place, "the keys are fetched without TLS; whoever can change them can let anyone in"));
            80
        }
        _ => return Err(wrong("is neither http nor https")),
    };
    if authority.as_str().contains('@') {
        return Err(wrong("holds a user name or password"));
    }
    if authority.host().is_empty() {
        return Err(wrong("has no host"));
    }
    let cluster = match cluster {
        Some("") => return Err(ConfigError::new(format!("{path}.cluster"), "is empty")),
        Some(cluster) => cluster.to_owned(),
        None => format!("outbound|{}||{}", authority.port_u16().unwrap_or(default_port), authority.host()),
    };
    Ok(KeyLocation {
        cluster: cluster.into(),
        scheme: scheme.into(),
        authority: authority.as_str().into(),
        path: uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn located(uri: &str, cluster: Option<&str>) -> Result<(String, String, String, String), String> {
        let location = parse(uri, cluster, "jwtRules[0]", &mut Vec::new()).map_err(|error| error.to_string())?;
        let fetch = location.fetch(FetchId(0), Duration::from_secs(5));
        Ok((fetch.cluster.to_string(), fetch.scheme.to_string(), fetch.authority.to_string(), fetch.path.to_string()))
    }

    #[test]
    fn derives_istios_cluster_name_when_none_is_given() {
        let cases = [
            ("https://uaa.example.com/jwks", None, ("outbound|443||uaa.example.com", "https", "uaa.example.com", "/jwks")),
            ("http://uaa/jwks?v=1", None, ("outbound|80||uaa", "http", "uaa", "/jwks?v=1")),
            ("https://uaa:8443", None, ("outbound|8443||uaa", "https", "uaa:8443", "/")),
            ("https://uaa/k", Some("keys"), ("keys", "https", "uaa", "/k")),
        ];
        for (uri, cluster, expected) in cases {
            let (found_cluster, scheme, authority, path) = located(uri, cluster).unwrap();
            assert_eq!((&*found_cluster, &*scheme, &*authority, &*path), expected, "{uri}");
        }
    }

    #[test]
    fn refuses_what_is_no_place_for_keys() {
        let hint = "; for example https://issuer.example.com/.well-known/jwks.json";
        for (uri, problem) in [
            ("", "is not a URI"),
            ("/jwks", "is not an absolute URI"),
            ("uaa.example.com", "is not an absolute URI"),
            ("ftp://uaa/jwks", "is neither http nor https"),
            ("file:///etc/jwks", "is not a URI"),
            ("https://user:word@uaa/jwks", "holds a user name or password"),
            ("https://uaa/ja ws", "is not a URI"),
        ] {
            assert_eq!(located(uri, None), Err(format!("jwtRules[0].jwksUri: {problem}{hint}")), "{uri}");
        }
        assert_eq!(located("https://uaa/", Some("")), Err("jwtRules[0].cluster: is empty".to_owned()));
    }

    #[test]
    fn warns_of_keys_without_tls() {
        let mut warnings = Vec::new();
        parse("http://uaa/jwks", None, "jwtRules[0]", &mut warnings).unwrap();
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].path, "jwtRules[0].jwksUri");
    }
}
