//! How an exchange ended, read from the proxy when a stage asks for it. What several stages ask for is read once.

use std::cell::OnceCell;
use std::time::Duration;

use portcullis_core::ending::Ending;
use portcullis_core::response_flags::ResponseFlags;

use crate::proxy::Proxy;

const RESPONSE_CODE: &str = "response\0code";
const RESPONSE_FLAGS: &str = "response\0flags";
const RESPONSE_DETAILS: &str = "response\0code_details";
const RESPONSE_SIZE: &str = "response\0size";
const GRPC_STATUS: &str = "response\0grpc_status";
const PEER: &str = "connection\0uri_san_peer_certificate";
const REQUEST_DURATION: &str = "request\0duration";
const REQUEST_SIZE: &str = "request\0size";
const REQUEST_TOTAL_SIZE: &str = "request\0total_size";
const REQUEST_PROTOCOL: &str = "request\0protocol";
const SOURCE_ADDRESS: &str = "source\0address";

/// The end of the exchange of the effective context.
#[derive(Debug)]
pub struct ProxyEnding<'a, P> {
    proxy: &'a P,
    status: OnceCell<Option<u16>>,
    duration: OnceCell<Option<Duration>>,
    flags: OnceCell<ResponseFlags>,
    details: OnceCell<Option<String>>,
    grpc_status: OnceCell<Option<u64>>,
}

impl<'a, P: Proxy> ProxyEnding<'a, P> {
    /// The end of an exchange that was answered here with this status, if it was, and took this long, if that is known.
    pub fn new(proxy: &'a P, answered: Option<u16>, duration: Option<Duration>) -> Self {
        Self {
            proxy,
            status: known(answered),
            duration: known(duration),
            flags: OnceCell::new(),
            details: OnceCell::new(),
            grpc_status: OnceCell::new(),
        }
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.proxy.property(path).ok()?
    }

    fn text(&self, path: &str) -> Option<String> {
        let bytes = self.read(path)?;
        let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        (!text.is_empty()).then_some(text)
    }

    fn number(&self, path: &str) -> Option<u64> {
        Some(u64::from_le_bytes(self.read(path)?.try_into().ok()?))
    }
}

/// A place for something that is read when it is not known.
fn known<T>(value: Option<T>) -> OnceCell<Option<T>> {
    value.map_or_else(OnceCell::new, |value| OnceCell::from(Some(value)))
}

impl<P: Proxy> Ending for ProxyEnding<'_, P> {
    fn status(&self) -> Option<u16> {
        *self.status.get_or_init(|| u16::try_from(self.number(RESPONSE_CODE)?).ok().filter(|code| *code != 0))
    }

    fn duration(&self) -> Option<Duration> {
        *self.duration.get_or_init(|| self.number(REQUEST_DURATION).map(Duration::from_nanos))
    }

    fn flags(&self) -> ResponseFlags {
        *self.flags.get_or_init(|| ResponseFlags(self.number(RESPONSE_FLAGS).unwrap_or_default()))
    }

    fn details(&self) -> Option<&str> {
        self.details.get_or_init(|| self.text(RESPONSE_DETAILS)).as_deref()
    }

    fn response_bytes(&self) -> Option<u64> {
        self.number(RESPONSE_SIZE)
    }

    fn request_bytes(&self) -> Option<u64> {
        self.number(REQUEST_SIZE)
    }

    fn received_bytes(&self) -> Option<u64> {
        self.number(REQUEST_TOTAL_SIZE)
    }

    fn grpc_status(&self) -> Option<u64> {
        *self.grpc_status.get_or_init(|| self.number(GRPC_STATUS))
    }

    fn protocol(&self) -> Option<String> {
        self.text(REQUEST_PROTOCOL)
    }

    fn client(&self) -> Option<String> {
        self.text(SOURCE_ADDRESS)
    }

    fn peer(&self) -> Option<String> {
        self.text(PEER)
    }
}
