//! Where keys are fetched from: a URI and the proxy's cluster that leads there.
//!
//! Refused: what is not an absolute http or https URI, one that holds a user name, and one whose host is an address at which
//! clouds hand out credentials to whoever asks from inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use http::uri::Authority;

use crate::stage::{Fetch, FetchId};

/// A place to fetch from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    cluster: Rc<str>,
    scheme: Rc<str>,
    authority: Rc<str>,
    path: Rc<str>,
    host: Host,
}

/// A host with its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: String,
    port: u16,
}

/// Why something is no place to fetch from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// It does not follow RFC 3986.
    #[error("is not a URI")]
    NotUri,
    /// It has no scheme or no authority.
    #[error("is not an absolute URI")]
    Relative,
    /// Its scheme is another one.
    #[error("is neither http nor https")]
    Scheme,
    /// Its authority has user information.
    #[error("holds a user name or password")]
    UserInfo,
    /// Its authority has no host that could exist.
    #[error("has no host")]
    NoHost,
    /// Its host is link-local, or the metadata service of a cloud.
    #[error("leads to a link-local address or a cloud's metadata service")]
    Internal,
    /// Its cluster has no name.
    #[error("has an empty `cluster` beside it")]
    NoCluster,
}

impl Location {
    /// The place of a URI, by the cluster that is given or else by Istio's name for the host.
    ///
    /// # Errors
    /// [`LocationError`], when it is not an absolute http or https URI (RFC 9110 section 4.2) that may be asked.
    pub fn parse(uri: &str, cluster: Option<&str>) -> Result<Self, LocationError> {
        let uri: http::Uri = uri.parse().map_err(|_| LocationError::NotUri)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(LocationError::Relative);
        };
        let default_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(LocationError::Scheme),
        };
        let host = Host::of(authority, default_port)?;
        if cluster.is_some_and(str::is_empty) {
            return Err(LocationError::NoCluster);
        }
        let cluster = cluster.map_or_else(|| format!("outbound|{}||{}", host.port, authority.host()), str::to_owned);
        Ok(Self {
            cluster: cluster.into(),
            scheme: scheme.into(),
            authority: authority.as_str().into(),
            path: uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str).into(),
            host,
        })
    }

    /// The GET that brings what is there.
    #[must_use]
    pub fn fetch(&self, id: FetchId, timeout: Duration) -> Fetch {
        Fetch {
            id,
            cluster: Rc::clone(&self.cluster),
            scheme: Rc::clone(&self.scheme),
            authority: Rc::clone(&self.authority),
            path: Rc::clone(&self.path),
            timeout,
            post: None,
        }
    }

    /// The cluster that leads there.
    #[must_use]
    pub const fn cluster(&self) -> &Rc<str> {
        &self.cluster
    }

    /// The host.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// Whether what comes from there is protected by TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        &*self.scheme == "https"
    }

    /// What tells it from other places, in a name that workers share.
    pub(super) fn text(&self) -> String {
        format!("{}|{}://{}{}", self.cluster, self.scheme, self.authority, self.path)
    }
}

impl Host {
    /// The host that a configuration names, `host` or `host:port`.
    ///
    /// # Errors
    /// [`LocationError`], when it is not one.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, LocationError> {
        let authority: Authority = text.parse().map_err(|_| LocationError::NoHost)?;
        Self::of(&authority, default_port)
    }

    fn of(authority: &Authority, default_port: u16) -> Result<Self, LocationError> {
        if authority.as_str().contains('@') {
            return Err(LocationError::UserInfo);
        }
        let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
        if name.is_empty() {
            return Err(LocationError::NoHost);
        }
        if is_internal(&name)? {
            return Err(LocationError::Internal);
        }
        Ok(Self { name, port: authority.port_u16().unwrap_or(default_port) })
    }
}

/// Whether a host is one that no issuer of tokens has. A name that ends in a number is an address to some and a name to others,
/// so it is refused unless it is an address in its usual form.
fn is_internal(name: &str) -> Result<bool, LocationError> {
    const METADATA_NAMES: [&str; 3] = ["metadata", "metadata.google.internal", "instance-data"];
    const METADATA_V4: [Ipv4Addr; 2] = [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];
    const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    let address = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(bracketed) => IpAddr::V6(bracketed.parse().map_err(|_| LocationError::NoHost)?).to_canonical(),
        None if name.rsplit('.').next().is_some_and(|last| last.starts_with(|first: char| first.is_ascii_digit())) => {
            IpAddr::V4(name.parse().map_err(|_| LocationError::NoHost)?)
        }
        None => return Ok(METADATA_NAMES.contains(&name)),
    };
    Ok(match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_unspecified() || METADATA_V4.contains(&address),
        IpAddr::V6(address) => address.is_unicast_link_local() || address.is_unspecified() || address == METADATA_V6,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_istios_cluster_name_when_none_is_given() {
        let cases = [
            ("https://uaa.example.com/jwks", None, ("outbound|443||uaa.example.com", "https", "uaa.example.com", "/jwks")),
            ("http://uaa/jwks?v=1", None, ("outbound|80||uaa", "http", "uaa", "/jwks?v=1")),
            ("https://uaa:8443", None, ("outbound|8443||uaa", "https", "uaa:8443", "/")),
            ("https://uaa/k", Some("keys"), ("keys", "https", "uaa", "/k")),
        ];
        for (uri, cluster, expected) in cases {
            let fetch = Location::parse(uri, cluster).unwrap().fetch(FetchId(0), Duration::from_secs(5));
            assert_eq!((&*fetch.cluster, &*fetch.scheme, &*fetch.authority, &*fetch.path), expected, "{uri}");
        }
    }

    #[test]
    fn refuses_what_is_no_place_for_keys() {
        for (uri, expected) in [
            ("", LocationError::NotUri),
            ("/jwks", LocationError::Relative),
            ("uaa.example.com", LocationError::Relative),
            ("ftp://uaa/jwks", LocationError::Scheme),
            ("file:///etc/jwks", LocationError::NotUri),
            ("https://user:word@uaa/jwks", LocationError::UserInfo),
            ("https://uaa/ja ws", LocationError::NotUri),
            ("http://169.254.169.254/latest/meta-data", LocationError::Internal),
            ("http://169.254.0.1", LocationError::Internal),
            ("http://[fe80::1]/", LocationError::Internal),
            ("http://[::ffff:169.254.169.254]/", LocationError::Internal),
            ("http://[fd00:ec2::254]/", LocationError::Internal),
            ("http://0.0.0.0/", LocationError::Internal),
            ("http://100.100.100.200/", LocationError::Internal),
            ("http://metadata.google.internal./", LocationError::Internal),
            ("http://Metadata.Google.Internal/", LocationError::Internal),
            ("http://2852039166/", LocationError::NoHost),
            ("http://0xa9fea9fe/", LocationError::NoHost),
            ("http://169.254.43518/", LocationError::NoHost),
            ("http://169.0376.0251.0376/", LocationError::NoHost),
        ] {
            assert_eq!(Location::parse(uri, None), Err(expected), "{uri}");
        }
        for uri in
            ["http://127.0.0.1:8082/jwks", "https://10.0.0.7/jwks", "https://[2001:db8::1]/jwks", "https://id4.example.com/"]
        {
            assert!(Location::parse(uri, None).is_ok(), "{uri}");
        }
    }

    #[test]
    fn hosts_are_the_same_whatever_their_case_and_with_the_usual_port() {
        let host = |uri: &str| Location::parse(uri, None).unwrap().host;
        assert_eq!(host("https://UAA.example.com/a"), host("https://uaa.example.com.:443/b"));
        assert_eq!(host("https://uaa.example.com/a"), Host::parse("uaa.example.com", 443).unwrap());
        for other in ["https://uaa.example.com:8443/", "https://auaa.example.com/", "https://uaa.example.com.evil/"] {
            assert_ne!(host("https://uaa.example.com/"), host(other), "{other}");
        }
    }
}
