//! The data that the proxy's workers share, as stages see it.

use portcullis_core::stage::{NotShared, Over, SharedData, Written};

use crate::proxy::Proxy;

/// The proxy's shared data. Why a call fails does not matter: a stage that cannot share goes on alone.
#[derive(Debug)]
pub struct ProxySharedData<'a, P>(pub &'a P);

impl<P: Proxy> SharedData for ProxySharedData<'_, P> {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        self.0.shared(key).map_err(|_| NotShared)
    }

    fn write(&mut self, key: &str, value: &[u8], over: Over) -> Result<Written, NotShared> {
        self.0.set_shared(key, value, over).map_err(|_| NotShared)
    }
}
