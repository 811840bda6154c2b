//! How the keys of each issuer are doing, for the operator: lines in the log when something changes, and metrics.
//!
//! Labels come from the configuration only. A gauge is written when what it shows changed here, and every worker that has the
//! same keys writes the same value; a worker that has nothing yet writes nothing. Fixed keys are written once: an issuer of this name may have
//! had others before, whose gauges the proxy never forgets. A fetch is counted by the worker that made it.

use crate::keyring::{FetchError, Keyring, Refreshed, State};
use crate::metrics::catalogue::{JWKS_FAILURES, JWKS_FETCHES_TOTAL, JWKS_KEYS, JWKS_LAST_SUCCESS};
use crate::metrics::{OwnCounter, OwnMetric};
use crate::stage::{LogLevel, Message, Observer};

/// The values of the label `outcome`, with what they say.
pub const OUTCOMES: [(&str, &str); 5] = [
    ("success", "The answer is a document that can be used."),
    ("not_sent", "The proxy did not send the request."),
    ("no_answer", "No answer came."),
    ("bad_status", "The answer has another status than 200; 503 and 504 stand for a refused connection and a timeout."),
    ("bad_document", "The answer cannot be used."),
];

/// The reports of all keyrings, in their order.
#[derive(Debug)]
pub(super) struct KeyReports(Vec<Report>);

#[derive(Debug, Default)]
struct Report {
    /// Why the last fetch failed.
    error: Option<FetchError>,
    failures: u32,
    /// The fetches, by the place of their outcome.
    outcomes: [OwnCounter; OUTCOMES.len()],
    /// What the gauges show.
    shown: State,
    gauges: [OwnMetric; 3],
    /// Whether fixed keys are shown.
    is_settled: bool,
}

impl Report {
    fn show_fixed(&mut self, label: &str, keys: usize, observer: &mut dyn Observer) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let [_, failures, number] = &mut self.gauges;
        let keys = u64::try_from(keys).unwrap_or(u64::MAX);
        for (gauge, family, value) in [(failures, &JWKS_FAILURES, 0), (number, &JWKS_KEYS, keys)] {
            if let Some(id) = gauge.id(family, &[label], observer) {
                observer.record(id, value);
            }
        }
    }
}

impl KeyReports {
    /// Reports of so many keyrings, of which nothing is known yet.
    pub fn new(keyrings: usize) -> Self {
        Self(std::iter::repeat_with(Report::default).take(keyrings).collect())
    }

    /// Takes what became of a fetch; what the operator should know.
    pub fn fetched(&mut self, keyring: usize, label: &str, result: Result<Refreshed, FetchError>) -> Option<Message> {
        let report = self.0.get_mut(keyring)?;
        let outcome = match &result {
            Ok(_) => 0,
            Err(FetchError::NotSent) => 1,
            Err(FetchError::Lost) => 2,
            Err(FetchError::Status(_)) => 3,
            Err(_) => 4,
        };
        if let Some(counter) = report.outcomes.get_mut(outcome) {
            counter.add(1);
        }
        match result {
            // The keys themselves are still to come.
            Ok(Refreshed::Located) => None,
            Ok(refreshed) => {
                let failures = std::mem::take(&mut report.failures);
                let text = match (report.error.take(), refreshed) {
                    (Some(_), _) => format!("keys of {label} fetched, after {failures} attempts that failed"),
                    (None, Refreshed::Changed) => format!("keys of {label} fetched"),
                    (None, _) => return None,
                };
                Some(Message { level: LogLevel::Info, text })
            }
            Err(error) => {
                report.failures = report.failures.saturating_add(1);
                let text = format!("keys of {label} not fetched: {error}");
                let is_new = report.error.as_ref() != Some(&error);
                report.error = Some(error);
                is_new.then_some(Message { level: LogLevel::Warn, text })
            }
        }
    }

    /// Writes the metrics that changed.
    pub fn show<'a>(&mut self, keyrings: impl Iterator<Item = (&'a str, &'a Keyring)>, observer: &mut dyn Observer) {
        for (report, (label, keyring)) in self.0.iter_mut().zip(keyrings) {
            let Some(state) = keyring.state() else {
                report.show_fixed(label, keyring.size(), observer);
                continue;
            };
            let shown = std::mem::replace(&mut report.shown, state);
            for (counter, (outcome, _)) in report.outcomes.iter_mut().zip(OUTCOMES) {
                counter.show(&JWKS_FETCHES_TOTAL, &[label, outcome], observer);
            }
            let succeeded = state.succeeded.map_or(0, crate::time::UnixTime::as_secs);
            let values = [
                (&JWKS_LAST_SUCCESS, state.succeeded != shown.succeeded, succeeded),
                (
                    &JWKS_FAILURES,
                    state.failures != shown.failures || state.succeeded != shown.succeeded,
                    u64::from(state.failures),
                ),
                (
                    &JWKS_KEYS,
                    state.keys != shown.keys || state.succeeded != shown.succeeded,
                    u64::try_from(state.keys).unwrap_or(u64::MAX),
                ),
            ];
            for (gauge, (family, is_new, value)) in report.gauges.iter_mut().zip(values) {
                if is_new && let Some(id) = gauge.id(family, &[label], observer) {
                    observer.record(id, value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(reports: &mut KeyReports, result: Result<Refreshed, FetchError>) -> Option<String> {
        reports.fetched(0, "uaa", result).map(|message| message.text)
    }

    #[test]
    fn says_once_what_changed() {
        let mut reports = KeyReports::new(1);
        for (result, expected) in [
            (Ok(Refreshed::Located), None),
            (Ok(Refreshed::Changed), Some("keys of uaa fetched")),
            (Ok(Refreshed::Unchanged), None),
            (Err(FetchError::Status(503)), Some("keys of uaa not fetched: the answer has status 503")),
            (Err(FetchError::Status(503)), None),
            (Err(FetchError::Lost), Some("keys of uaa not fetched: no answer came")),
            (Ok(Refreshed::Unchanged), Some("keys of uaa fetched, after 3 attempts that failed")),
            (Ok(Refreshed::Unchanged), None),
        ] {
            assert_eq!(said(&mut reports, result.clone()).as_deref(), expected, "{result:?}");
        }
    }
}
