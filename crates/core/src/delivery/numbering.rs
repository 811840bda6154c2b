//! The numbers of what the deliveries of one stage send: each tells whose it is.

use super::Delivery;
use crate::stage::{Due, FetchId, FetchOutcome};
use crate::time::UnixTime;

/// Counts what the deliveries of one stage send. They are always given in the same order, and always all.
#[derive(Debug, Default)]
pub struct Numbering(usize);

impl Numbering {
    /// What is due of all.
    pub fn due<'d>(&mut self, deliveries: impl ExactSizeIterator<Item = &'d mut Delivery>, now: UnixTime) -> Due {
        let mut due = Due::default();
        let count = deliveries.len();
        for (place, delivery) in deliveries.enumerate() {
            let mut id = || {
                self.0 = self.0.wrapping_add(1);
                FetchId(self.0.wrapping_mul(count).wrapping_add(place))
            };
            due.fetches.extend(delivery.due(now, &mut id));
            due.messages.extend(delivery.take_messages());
        }
        due
    }

    /// Gives the outcome to the one that sent it.
    pub fn on_fetched<'d>(
        mut deliveries: impl ExactSizeIterator<Item = &'d mut Delivery>,
        id: FetchId,
        outcome: FetchOutcome,
        now: UnixTime,
    ) {
        let place = id.0.checked_rem(deliveries.len());
        if let Some(delivery) = place.and_then(|place| deliveries.nth(place)) {
            delivery.on_fetched(id, outcome, now);
        }
    }
}
