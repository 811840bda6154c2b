//! Where stages observe: metrics, filter state and the log of the proxy.

use portcullis_core::stage::{MetricId, MetricKind, Observer};

use crate::proxy::Proxy;
use crate::severity::Severity;

/// The proxy as stages see it while they observe. What fails is dropped: a failure to observe never changes a decision.
pub struct ProxyObserver<'a, P>(pub &'a P);

impl<P: Proxy> Observer for ProxyObserver<'_, P> {
    fn define_metric(&mut self, kind: MetricKind, name: &str) -> Option<MetricId> {
        self.0.define_metric(kind, name).ok()
    }

    fn has_room_for_metric(&self, name: &str, limit: usize) -> bool {
        self.0.has_room_for_metric(name, limit)
    }

    fn increment(&mut self, metric: MetricId, amount: u64) {
        // Envoy refuses an increment by zero.
        if amount > 0 {
            let _ = self.0.increment_metric(metric, amount);
        }
    }

    fn record(&mut self, metric: MetricId, value: u64) {
        let _ = self.0.record_metric(metric, value);
    }

    fn adjust(&mut self, metric: MetricId, by: i64) {
        let _ = self.0.adjust_metric(metric, by);
    }

    fn set_state(&mut self, key: &str, value: &str) {
        let _ = self.0.set_state(key, value.as_bytes());
    }

    fn print(&mut self, line: &str) {
        // Istio shows warnings and above by default; a line that was asked for must not vanish there.
        let shown = self.0.log_level().unwrap_or(Severity::Critical);
        self.0.log(shown.max(Severity::Info), line);
    }
}
