//! The end of a configuration: what its stages still have is sent, and what cannot be sent is written to the proxy's log.

use std::time::Duration;

use portcullis_core::time::UnixTime;

use super::Runner;
use crate::observer::ProxyObserver;
use crate::proxy::Proxy;

/// How long a configuration that is out of force is kept to send what it still has.
const LONGEST_DRAIN: Duration = Duration::from_secs(30);

impl<P: Proxy> Runner<'_, P> {
    /// The configuration is out of force: from here on nothing waits. Whether nothing is left to send.
    pub fn begin_draining(&self) -> bool {
        let is_drained = self.is_drained();
        if !is_drained && self.root.draining.get().is_none() {
            // Without a clock its time is up at once.
            self.root.draining.set(Some(self.proxy.now().unwrap_or(UnixTime::from_secs(0))));
        }
        is_drained
    }

    /// The same, and no request is left that began with it: sends what there is. Runs in the root's context.
    pub fn drain(&self) -> bool {
        self.close();
        if self.begin_draining() {
            return true;
        }
        let Ok(now) = self.proxy.now() else { return false };
        let stages = self.root.stages.try_borrow().map_or(0, |stages| stages.len());
        for stage in 0..stages {
            self.send_due(stage, now);
        }
        self.is_drained()
    }

    /// Tells the stages once.
    pub fn close(&self) {
        let Ok(now) = self.proxy.now() else { return };
        let Ok(mut stages) = self.root.stages.try_borrow_mut() else { return };
        if !self.root.is_closed.replace(true) {
            let mut observer = ProxyObserver(self.proxy);
            stages.iter_mut().for_each(|stage| stage.close(now, &mut observer));
        }
    }

    /// Whether nothing is left to send, or no more time to do so.
    pub fn is_over(&self) -> bool {
        let Some(since) = self.root.draining.get() else { return false };
        self.is_drained() || !self.proxy.now().is_ok_and(|now| since <= now && now.since(since) < LONGEST_DRAIN)
    }

    fn is_drained(&self) -> bool {
        let Ok(mut stages) = self.root.stages.try_borrow_mut() else { return false };
        stages.iter_mut().map(|stage| stage.drain()).filter(|is_drained| !is_drained).count() == 0
    }

    /// Lets the stages write what is left to the proxy's log.
    pub fn abandon(&self) {
        let Ok(mut stages) = self.root.stages.try_borrow_mut() else { return };
        let mut observer = ProxyObserver(self.proxy);
        stages.iter_mut().for_each(|stage| stage.abandon(&mut observer));
    }
}
