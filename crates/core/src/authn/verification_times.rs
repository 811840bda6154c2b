//! How long it took to verify signatures.

use std::time::Duration;

use crate::metrics::OwnMetric;
use crate::metrics::catalogue::VERIFY_DURATION_US;
use crate::stage::Observer;

/// How many verifications are kept between two ticks; what comes beyond is not measured. No worker verifies as many in a second.
const MAX_PENDING: usize = 65_536;

/// The verifications since they were shown last, by the index of the issuer.
#[derive(Debug, Default)]
pub(super) struct VerificationTimes {
    pending: Vec<(usize, Duration)>,
    metrics: Vec<OwnMetric>,
}

impl VerificationTimes {
    /// Keeps how long a verification took.
    pub fn add(&mut self, issuer: usize, took: Duration) {
        if self.pending.len() < MAX_PENDING {
            self.pending.push((issuer, took));
        }
    }

    /// Records what there is; the labels stand in the order of the issuers.
    pub fn show<'a>(&mut self, labels: impl Iterator<Item = &'a str>, observer: &mut dyn Observer) {
        if self.pending.is_empty() {
            return;
        }
        for (index, label) in labels.enumerate() {
            if self.metrics.len() <= index {
                self.metrics.push(OwnMetric::default());
            }
            let mut taken = self.pending.iter().filter(|(issuer, _)| *issuer == index).map(|(_, took)| took).peekable();
            if taken.peek().is_some()
                && let Some(metric) = self.metrics.get_mut(index)
                && let Some(id) = metric.id(&VERIFY_DURATION_US, &[label], observer)
            {
                taken.for_each(|took| observer.record(id, u64::try_from(took.as_micros()).unwrap_or(u64::MAX)));
            }
        }
        self.pending.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Board;

    #[test]
    fn records_each_once_by_issuer_and_no_more_than_there_is_room_for() {
        let (mut times, mut board) = (VerificationTimes::default(), Board::default());
        let labels = || ["uaa", "silent", "other"].into_iter();
        for (issuer, nanos) in [(0, 14_900), (2, 34_000), (0, 15_000)] {
            times.add(issuer, Duration::from_nanos(nanos));
        }
        times.show(labels(), &mut board);
        times.show(labels(), &mut board);
        let (uaa, other) = ("issuer=.=uaa;.;portcullis_verify_duration_us", "issuer=.=other;.;portcullis_verify_duration_us");
        let shown: Vec<_> = board.values.iter().map(|(name, values)| (name.as_str(), values.as_slice())).collect();
        assert_eq!(shown, [(other, &[34][..]), (uaa, &[14, 15][..])]);
        (0..MAX_PENDING + 10).for_each(|_| times.add(0, Duration::ZERO));
        times.show(labels(), &mut board);
        assert_eq!(board.values[uaa].len(), 2 + MAX_PENDING);
        assert_eq!(board.names, [uaa, other], "each is defined once");
    }
}
