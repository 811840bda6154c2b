//! How an exchange ended, read from the proxy when a stage asks for it, and then only once.

use std::cell::OnceCell;
use std::time::Duration;

use portcullis_core::stage::Ending;

use crate::proxy::Proxy;

const RESPONSE_CODE: &str = "response\0code";
const REQUEST_DURATION: &str = "request\0duration";

/// The end of the exchange of the effective context.
#[derive(Debug)]
pub struct ProxyEnding<'a, P> {
    proxy: &'a P,
    status: OnceCell<Option<u16>>,
    duration: OnceCell<Option<Duration>>,
}

impl<'a, P: Proxy> ProxyEnding<'a, P> {
    /// The end of an exchange that was answered here with this status, if it was, and took this long, if that is known.
    pub fn new(proxy: &'a P, answered: Option<u16>, duration: Option<Duration>) -> Self {
        Self { proxy, status: known(answered), duration: known(duration) }
    }

    fn read_number(&self, path: &str) -> Option<u64> {
        let bytes = self.proxy.property(path).ok()??;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// A place for something that is read when it is not known.
fn known<T>(value: Option<T>) -> OnceCell<Option<T>> {
    value.map_or_else(OnceCell::new, |value| OnceCell::from(Some(value)))
}

impl<P: Proxy> Ending for ProxyEnding<'_, P> {
    fn status(&self) -> Option<u16> {
        let read = || self.read_number(RESPONSE_CODE).and_then(|code| u16::try_from(code).ok()).filter(|code| *code != 0);
        *self.status.get_or_init(read)
    }

    fn duration(&self) -> Option<Duration> {
        *self.duration.get_or_init(|| self.read_number(REQUEST_DURATION).map(Duration::from_nanos))
    }
}
