//! Tells the stages how an exchange ended.

use portcullis_core::time::UnixTime;
use portcullis_core::tracing::TraceHeaders;

use super::Runner;
use crate::ending::ProxyEnding;
use crate::observer::ProxyObserver;
use crate::proxy::Proxy;
use crate::stream::{Phase, Stream};

impl<P: Proxy> Runner<'_, P> {
    /// Tells each stage that observes, once. Runs in the stream's context. The places of the stages that want to send something before the next tick.
    pub fn on_log(&self, stream: &Stream) -> Vec<usize> {
        let mut pressing = Vec::new();
        self.root.remove_waiting(stream.id);
        if !stream.is_first_log() {
            return pressing;
        }
        let Ok(mut slot) = stream.exchange.try_borrow_mut() else { return pressing };
        let was_seen = slot.is_some();
        let exchange = slot.get_or_insert_with(|| Box::new(self.read_late()));
        // The trace may have been settled since by the module that decides, which wrote it into the headers.
        if was_seen && self.root.identity_reader().is_some() {
            let headers = self.proxy.request_headers();
            exchange.trace = headers.ok().and_then(|headers| TraceHeaders::of(&headers).context());
        }
        // A module that only observes runs before the one that decides, and so learns of the decision only now.
        if let Some(understand) = self.root.identity_reader()
            && let Err(error) = self.read_identity(understand, exchange)
        {
            self.report("the identity could not be read for the record", error);
        }
        if self.root.needs.route_record {
            exchange.route.record = self.read_route_record();
        }
        let now = self.proxy.now().ok();
        let answered = if let Phase::Answered(status) = stream.phase() { Some(status) } else { None };
        let duration = exchange.started.zip(now).map(|(started, now)| now.since(started));
        let ending = ProxyEnding::new(self.proxy, answered, duration);
        // Without a clock the record is better dated to the beginning than lost.
        let now = now.or(exchange.started).unwrap_or(UnixTime::from_secs(0));
        let Ok(mut stages) = self.root.stages.try_borrow_mut() else { return pressing };
        let mut observer = ProxyObserver(self.proxy);
        for place in &self.root.observers {
            let Some(stage) = stages.get_mut(*place) else { continue };
            stage.on_log(exchange, &ending, now, &mut observer);
            if stage.is_pressing(now) {
                pressing.push(*place);
            }
        }
        pressing
    }

    /// Sends what these stages want to be sent before the next tick, from the root's context: what a stream sends ends with it.
    pub fn send_pressing(&self, stages: &[usize]) {
        match self.proxy.enter(self.root.id).and_then(|()| self.proxy.now()) {
            Ok(now) => stages.iter().for_each(|stage| self.send_due(*stage, now)),
            Err(error) => self.report("what is to be sent has to wait for the next tick", error),
        }
    }
}
