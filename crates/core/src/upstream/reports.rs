//! How the fetches of access tokens go, for the operator: lines in the log when something changes, and metrics.
//!
//! Labels come from the configuration only. Every worker fetches for itself: each counts its own fetches, and the gauges show what
//! happened last in any of them.

use super::client::Client;
use super::token_response::TokenError;
use crate::authn::OUTCOMES;
use crate::metrics::catalogue::{CREDENTIAL_EXPIRATION, CREDENTIAL_FAILURES, CREDENTIAL_FETCHES_TOTAL};
use crate::metrics::{OwnCounter, OwnMetric};
use crate::stage::{LogLevel, Message, Observer};
use crate::time::UnixTime;

/// The reports of all clients, in their order.
#[derive(Debug)]
pub(super) struct Reports(Vec<Report>);

#[derive(Debug, Default)]
struct Report {
    /// Why the last fetch failed.
    error: Option<TokenError>,
    /// Whether there ever was a success.
    has_succeeded: bool,
    /// The fetches, by the place of their outcome.
    outcomes: [OwnCounter; OUTCOMES.len()],
    /// What the gauges show.
    shown: Option<(Option<UnixTime>, u32)>,
    gauges: [OwnMetric; 2],
}

impl Reports {
    /// Reports of so many clients, of which nothing is known yet.
    pub fn new(clients: usize) -> Self {
        Self(std::iter::repeat_with(Report::default).take(clients).collect())
    }

    /// Takes what became of a fetch; what the operator should know.
    pub fn fetched(&mut self, client: usize, label: &str, result: Result<(), TokenError>) -> Option<Message> {
        let report = self.0.get_mut(client)?;
        let outcome = match result {
            Ok(()) => 0,
            Err(TokenError::NotSent) => 1,
            Err(TokenError::Lost) => 2,
            Err(TokenError::Status(_) | TokenError::Refused(..)) => 3,
            Err(_) => 4,
        };
        if let Some(counter) = report.outcomes.get_mut(outcome) {
            counter.add(1);
        }
        match result {
            Ok(()) => {
                let is_news = report.error.take().is_some() || !std::mem::replace(&mut report.has_succeeded, true);
                let text = format!("credential for the upstream {label} fetched");
                is_news.then_some(Message { level: LogLevel::Info, text })
            }
            Err(error) => {
                let is_news = report.error.replace(error) != Some(error);
                let text = format!("credential for the upstream {label} not fetched: {error}");
                is_news.then_some(Message { level: LogLevel::Warn, text })
            }
        }
    }

    /// Writes the metrics that changed.
    pub fn show(&mut self, clients: &[Client], observer: &mut dyn Observer) {
        for (report, client) in self.0.iter_mut().zip(clients) {
            let label = &**client.label();
            for (counter, (outcome, _)) in report.outcomes.iter_mut().zip(OUTCOMES) {
                counter.show(&CREDENTIAL_FETCHES_TOTAL, &[label, outcome], observer);
            }
            let state = (client.expiration(), client.failures());
            if (state == (None, 0) && report.shown.is_none()) || report.shown.replace(state) == Some(state) {
                continue;
            }
            let expiration = state.0.map_or(0, UnixTime::as_secs);
            let values = [(&CREDENTIAL_EXPIRATION, expiration), (&CREDENTIAL_FAILURES, state.1.into())];
            for (gauge, (family, value)) in report.gauges.iter_mut().zip(values) {
                if let Some(id) = gauge.id(family, &[label], observer) {
                    observer.record(id, value);
                }
            }
        }
    }
}
