//! Who is told of spans. A module that tells nobody has nothing of it.

use std::fmt::Debug;

use super::span::{Span, SpanEnd};
use crate::stage::{Due, FetchId, FetchOutcome, Observer};
use crate::time::UnixTime;

/// Who is told of spans.
pub trait SpanSink: Debug {
    /// Takes a span.
    fn push(&mut self, span: &Span, end: SpanEnd);
    /// What is to be sent now.
    fn due(&mut self, now: UnixTime) -> Due;
    /// Takes the outcome of what was sent.
    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime);
    /// Writes the metric, as far as it changed.
    fn show(&mut self, observer: &mut dyn Observer);
    /// From here on nothing waits. Whether there is nothing left to send.
    fn drain(&mut self) -> bool;
    /// Gives up what is left.
    fn abandon(&mut self, observer: &mut dyn Observer);
}
