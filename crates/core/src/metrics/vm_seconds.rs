//! How many VMs live, as a counter: each adds the seconds that it has lived, so that the rate of the sum is their number.

use std::time::Duration;

use super::catalogue::VM_SECONDS_TOTAL;
use super::own_metric::OwnMetric;
use crate::module::Module;
use crate::stage::Observer;
use crate::time::UnixTime;

/// What lies further apart than this is no time that a VM lived: its clock was set, or its thread stood still.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The part of one VM.
#[derive(Debug, Default)]
pub struct VmSeconds {
    /// Till when it is counted, to the second.
    until: Option<UnixTime>,
    metric: OwnMetric,
}

impl VmSeconds {
    /// Nothing is counted yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { until: None, metric: OwnMetric::new() }
    }

    /// Counts whole seconds; what is over is kept for the next time.
    pub fn count(&mut self, module: Module, now: UnixTime, observer: &mut dyn Observer) {
        let until = self.until.filter(|until| *until <= now && now.since(*until) <= LONGEST_PAUSE).unwrap_or(now);
        let passed = Duration::from_secs(now.since(until).as_secs());
        self.until = Some(until.saturating_add(passed));
        if !passed.is_zero()
            && let Some(id) = self.metric.id(&VM_SECONDS_TOTAL, &[module.name()], observer)
        {
            observer.increment(id, passed.as_secs());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Board;

    #[test]
    fn counts_whole_seconds_and_keeps_the_rest_whatever_the_clock_does() {
        let (mut seconds, mut board) = (VmSeconds::new(), Board::default());
        // The clock goes back, then an hour ahead.
        for at in [1000, 1300, 1600, 1900, 2200, 5100, 900, 1900, 3_601_900, 3_602_950, 3_603_850] {
            let now = UnixTime::from_secs(0).saturating_add(Duration::from_millis(at));
            seconds.count(Module::Bundle, now, &mut board);
        }
        assert_eq!(board.values["module=.=portcullis;.;portcullis_vm_seconds_total"], [1, 3, 1, 1]);
        assert_eq!(board.names.len(), 1);
    }
}
