//! How an exchange ended, read from the proxy when a stage asks for it, and then only once.

use std::cell::OnceCell;
use std::time::Duration;

use portcullis_core::ending::{Ending, Facts};
use portcullis_core::response_flags::ResponseFlags;

use crate::attributes::{self, Values};
use crate::proxy::Proxy;

const RESPONSE_CODE: &str = "response\0code";
const RESPONSE_FLAGS: &str = "response\0flags";
const RESPONSE_DETAILS: &str = "response\0code_details";
/// Read by themselves: most exchanges have neither.
const GRPC_STATUS: &str = "response\0grpc_status";
const PEER: &str = "connection\0uri_san_peer_certificate";
const REQUEST_DURATION: &str = "request\0duration";

/// The end of the exchange of the effective context.
#[derive(Debug)]
pub struct ProxyEnding<'a, P> {
    proxy: &'a P,
    status: OnceCell<Option<u16>>,
    duration: OnceCell<Option<Duration>>,
    flags: OnceCell<ResponseFlags>,
    details: OnceCell<Option<String>>,
    facts: OnceCell<Facts>,
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
            facts: OnceCell::new(),
        }
    }

    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.proxy.property(path).ok()?
    }

    fn read_all(&self) -> Facts {
        let [code, flags, details, response_bytes, protocol, request_bytes, client]: Values = attributes::read(self.proxy);
        // What is known already is what was told before.
        let _ = self.status.set(status(code));
        Facts {
            flags: *self.flags.get_or_init(|| response_flags(flags)),
            details: self.details.get_or_init(|| details.and_then(text)).clone(),
            response_bytes: response_bytes.and_then(number),
            grpc_status: self.read(GRPC_STATUS).and_then(number),
            protocol: protocol.and_then(text),
            request_bytes: request_bytes.and_then(number),
            client: client.and_then(text),
            peer: self.read(PEER).and_then(text),
        }
    }
}

/// A place for something that is read when it is not known.
fn known<T>(value: Option<T>) -> OnceCell<Option<T>> {
    value.map_or_else(OnceCell::new, |value| OnceCell::from(Some(value)))
}

fn number(bytes: Vec<u8>) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

fn text(bytes: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    (!text.is_empty()).then_some(text)
}

fn status(code: Option<Vec<u8>>) -> Option<u16> {
    code.and_then(number).and_then(|code| u16::try_from(code).ok()).filter(|code| *code != 0)
}

fn response_flags(flags: Option<Vec<u8>>) -> ResponseFlags {
    ResponseFlags(flags.and_then(number).unwrap_or_default())
}

impl<P: Proxy> Ending for ProxyEnding<'_, P> {
    fn status(&self) -> Option<u16> {
        *self.status.get_or_init(|| status(self.read(RESPONSE_CODE)))
    }

    fn duration(&self) -> Option<Duration> {
        *self.duration.get_or_init(|| self.read(REQUEST_DURATION).and_then(number).map(Duration::from_nanos))
    }

    fn flags(&self) -> ResponseFlags {
        *self.flags.get_or_init(|| response_flags(self.read(RESPONSE_FLAGS)))
    }

    fn details(&self) -> Option<&str> {
        self.details.get_or_init(|| self.read(RESPONSE_DETAILS).and_then(text)).as_deref()
    }

    fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| self.read_all())
    }
}
