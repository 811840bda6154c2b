//! What a server's answer means for a batch as a whole.

use std::time::Duration;

use super::notices::Trouble;
use crate::stage::FetchOutcome;

/// What a server's answer means for a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It has it, with what the body says of single records.
    Taken(Vec<u8>),
    /// It may be sent again, not before this time has passed.
    Again(Trouble, Option<Duration>),
    /// It has too many bytes.
    TooLarge,
    /// The server refuses it for what it is.
    Refused(u16),
}

impl Reply {
    pub fn of(outcome: FetchOutcome) -> Self {
        let (status, body, retry_after) = match outcome {
            FetchOutcome::NotSent => return Self::Again(Trouble::NotSent, None),
            FetchOutcome::Lost => return Self::Again(Trouble::Lost, None),
            FetchOutcome::Answered { status, body, retry_after, .. } => (status, body, retry_after),
        };
        match status {
            200..=299 => Self::Taken(body),
            413 => Self::TooLarge,
            429 | 503 => Self::Again(Trouble::Status(status), retry_after),
            408 | 409 | 425 => Self::Again(Trouble::Status(status), None),
            _ if is_misconfigured(status) => Self::Again(Trouble::Status(status), None),
            400..=499 => Self::Refused(status),
            _ => Self::Again(Trouble::Status(status), None),
        }
    }
}

/// Whether a status means that something is wrong with the request, and not with what it brings.
pub(super) const fn is_misconfigured(status: u16) -> bool {
    matches!(status, 300..=399 | 401 | 403 | 404 | 405 | 407 | 415 | 421)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_may_be_sent_again() {
        let again = |status| Reply::Again(Trouble::Status(status), None);
        for (status, expected) in [
            (200, Reply::Taken(b"x".to_vec())),
            (204, Reply::Taken(b"x".to_vec())),
            (307, again(307)),
            (400, Reply::Refused(400)),
            (401, again(401)),
            (403, again(403)),
            (404, again(404)),
            (408, again(408)),
            (409, again(409)),
            (410, Reply::Refused(410)),
            (413, Reply::TooLarge),
            (422, Reply::Refused(422)),
            (429, Reply::Again(Trouble::Status(429), Some(Duration::from_secs(9)))),
            (500, again(500)),
            (503, Reply::Again(Trouble::Status(503), Some(Duration::from_secs(9)))),
            (504, again(504)),
            (999, again(999)),
        ] {
            let retry_after = Some(Duration::from_secs(9));
            let outcome = FetchOutcome::Answered { status, max_age: None, retry_after, body: b"x".to_vec() };
            assert_eq!(Reply::of(outcome), expected, "{status}");
        }
        assert_eq!(Reply::of(FetchOutcome::Lost), Reply::Again(Trouble::Lost, None));
        assert_eq!(Reply::of(FetchOutcome::NotSent), Reply::Again(Trouble::NotSent, None));
    }
}
