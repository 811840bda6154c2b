//! What the proxy says went wrong with an exchange: Envoy's response flags, as the bitmask of its attribute `response.flags`.

use std::fmt;

/// What a flag says about the end of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The upstream gave no answer, or not a whole one.
    Failure,
    /// Another filter refused the request.
    Refusal,
    /// The client went away, or broke the protocol.
    Departure,
    /// Nothing by itself.
    Note,
}

use Meaning::{Departure, Failure, Note, Refusal};

/// The flags with their words in access logs, by the number of their bit (`CoreResponseFlag` in envoy/stream_info/stream_info.h).
const FLAGS: [(&str, Meaning); 30] = [
    ("LH", Failure),
    ("UH", Failure),
    ("UT", Failure),
    ("LR", Failure),
    ("UR", Failure),
    ("UF", Failure),
    ("UC", Failure),
    ("UO", Failure),
    ("NR", Failure),
    ("DI", Note),
    ("FI", Failure),
    ("RL", Refusal),
    ("UAEX", Refusal),
    ("RLSE", Note),
    ("DC", Departure),
    ("URX", Failure),
    ("SI", Failure),
    ("IH", Refusal),
    ("DPE", Departure),
    ("UMSDR", Failure),
    ("RFCF", Note),
    ("NFCF", Failure),
    ("DT", Failure),
    ("UPE", Failure),
    ("NC", Failure),
    ("OM", Failure),
    ("DF", Failure),
    ("DO", Failure),
    ("DR", Departure),
    ("UDO", Failure),
];

/// Envoy's response flags. A bit that is not known says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResponseFlags(pub u64);

impl ResponseFlags {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the upstream gave no answer, or not a whole one.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self.says(Failure)
    }

    /// Whether another filter refused the request.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        self.says(Refusal)
    }

    /// Whether the client went away, or broke the protocol.
    #[must_use]
    pub fn is_departure(self) -> bool {
        self.says(Departure)
    }

    fn says(self, meaning: Meaning) -> bool {
        self.iter().any(|(_, other)| *other == meaning)
    }

    fn iter(self) -> impl Iterator<Item = &'static (&'static str, Meaning)> {
        (0..).zip(&FLAGS).filter(move |(bit, _)| !self.is_empty() && self.0 >> bit & 1 == 1).map(|(_, flag)| flag)
    }
}

impl fmt::Display for ResponseFlags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().enumerate().try_for_each(|(index, (word, _))| {
            formatter.write_str(if index == 0 { "" } else { "," })?;
            formatter.write_str(word)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_bits_of_envoy() {
        for (bits, words, [failure, refusal, departure]) in [
            (0, "", [false; 3]),
            (1 << 5, "UF", [true, false, false]),
            (1 << 5 | 1 << 15, "UF,URX", [true, false, false]),
            (1 << 14, "DC", [false, false, true]),
            (1 << 12, "UAEX", [false, true, false]),
            (1 << 9, "DI", [false; 3]),
            (1 << 29, "UDO", [true, false, false]),
            (1 << 30 | 1 << 63, "", [false; 3]),
            (u64::MAX, &FLAGS.map(|(word, _)| word).join(","), [true; 3]),
        ] {
            let flags = ResponseFlags(bits);
            assert_eq!(flags.to_string(), words);
            assert_eq!([flags.is_failure(), flags.is_refusal(), flags.is_departure()], [failure, refusal, departure], "{words}");
        }
    }
}
