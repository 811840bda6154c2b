//! How the requests go that a module sends by itself.

use std::time::Duration;

use super::catalogue::{CALLOUT_DURATION_MS, CALLOUTS_TOTAL};
use super::own_metric::OwnMetric;
use crate::stage::{FetchOutcome, Observer};

/// What a module sends a request for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Callout {
    /// The keys of an issuer, and the document that says where they are.
    Jwks,
    /// An access token for an upstream.
    Credential,
    /// A batch of audit events that is to be delivered.
    Audit,
    /// The report of a failing upstream.
    Exceptions,
    /// A batch of spans that is to be delivered.
    Spans,
}

impl Callout {
    /// All of them, each at its place.
    pub const ALL: [Self; 5] = [Self::Jwks, Self::Credential, Self::Audit, Self::Exceptions, Self::Spans];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwks => "jwks",
            Self::Credential => "credential",
            Self::Audit => "audit",
            Self::Exceptions => "exceptions",
            Self::Spans => "spans",
        }
    }
}

/// What comes of it.
const OUTCOMES: [&str; 4] = ["success", "bad_status", "no_answer", "not_sent"];

/// The metrics of all requests that the stages of one configuration send.
#[derive(Debug, Default)]
pub struct Callouts([Series; Callout::ALL.len()]);

#[derive(Debug, Default)]
struct Series {
    totals: [OwnMetric; OUTCOMES.len()],
    duration: OwnMetric,
}

impl Callouts {
    /// Counts a request by what came of it, after this time; what was not sent took none.
    pub fn ended(&mut self, callout: Callout, outcome: &FetchOutcome, took: Option<Duration>, observer: &mut dyn Observer) {
        let place = Callout::ALL.iter().position(|other| *other == callout);
        let Some(series) = place.and_then(|place| self.0.get_mut(place)) else { return };
        let outcome = match outcome {
            FetchOutcome::Answered { status: 200..=299, .. } => 0,
            FetchOutcome::Answered { .. } => 1,
            FetchOutcome::Lost => 2,
            FetchOutcome::NotSent => 3,
        };
        let words = OUTCOMES.get(outcome).zip(series.totals.get_mut(outcome));
        if let Some((word, total)) = words
            && let Some(id) = total.id(&CALLOUTS_TOTAL, &[callout.as_str(), word], observer)
        {
            observer.increment(id, 1);
        }
        if let Some(took) = took
            && let Some(id) = series.duration.id(&CALLOUT_DURATION_MS, &[callout.as_str()], observer)
        {
            observer.record(id, u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Board;

    #[test]
    fn counts_by_what_came_of_it_and_measures_what_was_sent() {
        let answered = |status| FetchOutcome::Answered { status, max_age: None, retry_after: None, body: Vec::new() };
        let (mut callouts, mut board) = (Callouts::default(), Board::default());
        let took = Some(Duration::from_micros(12_900));
        for callout in Callout::ALL {
            for outcome in [answered(200), answered(204), answered(503), answered(304), FetchOutcome::Lost] {
                callouts.ended(callout, &outcome, took, &mut board);
            }
            callouts.ended(callout, &FetchOutcome::NotSent, None, &mut board);
        }
        for callout in Callout::ALL.map(Callout::as_str) {
            for (outcome, expected) in
                [("success", vec![1, 1]), ("bad_status", vec![1, 1]), ("no_answer", vec![1]), ("not_sent", vec![1])]
            {
                let name = format!("callout=.={callout};.;outcome=.={outcome};.;portcullis_callouts_total");
                assert_eq!(board.values.get(&name), Some(&expected), "{name}");
            }
            let name = format!("callout=.={callout};.;portcullis_callout_duration_ms");
            assert_eq!(board.values.get(&name), Some(&vec![12; 5]), "{name}");
        }
        assert_eq!(board.names.len(), 5 * Callout::ALL.len(), "each is defined once");
    }

    #[test]
    fn the_words_are_those_of_the_catalogue() {
        let words = |label: &str| {
            let about = crate::metrics::catalogue::WORDS.iter();
            let mut about = about.filter(|words| words.label == label && words.families.contains(&&CALLOUTS_TOTAL));
            about.next().unwrap().words.iter().map(|(word, _)| *word).collect::<Vec<_>>()
        };
        assert_eq!(words("callout"), Callout::ALL.map(Callout::as_str));
        assert_eq!(words("outcome"), OUTCOMES);
    }
}
