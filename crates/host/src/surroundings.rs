//! What stages may ask of the proxy while they decide: the data that its workers share, and facts of the client's connection.

use portcullis_core::stage::{NotShared, NotTold, Over, SharedData, Surroundings, Written};
use portcullis_core::time::UnixTime;

use crate::proxy::Proxy;

/// The version of TLS of the client's connection; empty or absent where it is not encrypted.
const TLS_VERSION: &str = "connection\0tls_version";
/// The SHA-256 of the client's certificate, in hexadecimal digits; empty or absent where it has shown none.
const CLIENT_CERTIFICATE: &str = "connection\0sha256_peer_certificate_digest";
/// The port of the proxy's own end of the client's connection, as eight bytes, the lowest first.
const LOCAL_PORT: &str = "destination\0port";

/// The proxy. Why a call fails does not matter: what a stage then makes of it is its own.
#[derive(Debug)]
pub struct ProxySurroundings<'a, P>(pub &'a P);

impl<P: Proxy> ProxySurroundings<'_, P> {
    fn fact(&self, path: &str) -> Result<Option<Vec<u8>>, NotTold> {
        let fact = self.0.property(path).map_err(|_| NotTold)?;
        Ok(fact.filter(|fact| !fact.is_empty()))
    }
}

impl<P: Proxy> SharedData for ProxySurroundings<'_, P> {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        self.0.shared(key).map_err(|_| NotShared)
    }

    fn write(&mut self, key: &str, value: &[u8], over: Over) -> Result<Written, NotShared> {
        self.0.set_shared(key, value, over).map_err(|_| NotShared)
    }
}

impl<P: Proxy> Surroundings for ProxySurroundings<'_, P> {
    fn is_tls(&mut self) -> Result<bool, NotTold> {
        self.fact(TLS_VERSION).map(|version| version.is_some())
    }

    fn client_certificate(&mut self) -> Result<Option<Vec<u8>>, NotTold> {
        self.fact(CLIENT_CERTIFICATE)
    }

    fn clock(&mut self) -> Option<UnixTime> {
        self.0.now().ok()
    }

    fn local_port(&mut self) -> Result<u16, NotTold> {
        let port = self.fact(LOCAL_PORT)?.and_then(|port| port.try_into().ok()).map(u64::from_le_bytes);
        port.and_then(|port| port.try_into().ok()).ok_or(NotTold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeProxy;

    #[test]
    fn tells_of_the_connection_what_the_proxy_says() {
        let proxy = FakeProxy::default();
        let mut around = ProxySurroundings(&&proxy);
        let set = |name: &str, value: &[u8]| proxy.properties.borrow_mut().insert(name.to_owned(), value.to_vec());
        assert_eq!((around.is_tls(), around.client_certificate()), (Ok(false), Ok(None)));
        set("connection.tls_version", b"");
        set("connection.sha256_peer_certificate_digest", b"");
        assert_eq!((around.is_tls(), around.client_certificate()), (Ok(false), Ok(None)));
        set("connection.tls_version", b"TLSv1.3");
        set("connection.sha256_peer_certificate_digest", b"00ff");
        assert_eq!((around.is_tls(), around.client_certificate()), (Ok(true), Ok(Some(b"00ff".to_vec()))));
        for (port, expected) in [
            (&8086_u64.to_le_bytes()[..], Ok(8086)),
            (&65_536_u64.to_le_bytes(), Err(NotTold)),
            (b"8086", Err(NotTold)),
            (b"", Err(NotTold)),
        ] {
            set("destination.port", port);
            assert_eq!(around.local_port(), expected, "{port:?}");
        }
        proxy.failing.borrow_mut().insert("property");
        assert_eq!((around.is_tls(), around.client_certificate()), (Err(NotTold), Err(NotTold)));
        proxy.seconds.set(7);
        assert_eq!(around.clock(), Some(UnixTime::from_secs(7)));
        proxy.failing.borrow_mut().insert("now");
        assert_eq!(around.clock(), None);
        assert_eq!(around.local_port(), Err(NotTold));
    }
}
