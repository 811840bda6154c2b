//! What a request's headers say of its trace. It is the client's word, and only its form can be checked.

use super::b3::{self, B3};
use super::context::{Sampling, TraceContext};
use super::traceparent::{TRACEPARENT, Traceparent};
use super::tracestate::TRACESTATE;
use crate::headers::Headers;

/// How often a header came that may come once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Came<'a> {
    #[default]
    Not,
    Once(&'a [u8]),
    Repeatedly,
}

impl<'a> Came<'a> {
    const fn again(&mut self, value: &'a [u8]) {
        *self = match self {
            Came::Not => Came::Once(value),
            Came::Once(_) | Came::Repeatedly => Came::Repeatedly,
        };
    }

    fn read<T>(self, read: impl FnOnce(&'a [u8]) -> Option<T>) -> Reading<T> {
        match self {
            Came::Not => Reading::Absent,
            Came::Once(value) => read(value).map_or(Reading::Malformed, Reading::Valid),
            Came::Repeatedly => Reading::Malformed,
        }
    }
}

/// What is to be made of what came in one format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading<T> {
    /// Nothing came.
    Absent,
    /// Something came that says nothing: it is malformed, or came twice.
    Malformed,
    /// It says this.
    Valid(T),
}

impl<T> Reading<T> {
    /// What it says.
    pub fn valid(self) -> Option<T> {
        match self {
            Self::Valid(value) => Some(value),
            Self::Absent | Self::Malformed => None,
        }
    }
}

/// The headers of a request that speak of its trace.
#[derive(Debug, Clone, Default)]
pub struct TraceHeaders<'a> {
    traceparent: Came<'a>,
    /// Its lines.
    pub tracestate: Vec<&'a [u8]>,
    single: Came<'a>,
    parts: [Came<'a>; b3::MULTI.len()],
}

impl<'a> TraceHeaders<'a> {
    /// Finds them among all.
    #[must_use]
    pub fn of(headers: &'a Headers) -> Self {
        let mut found = Self::default();
        for (name, value) in headers.iter() {
            // Most names are none of these by their length already.
            match name.len() {
                2 if name.eq_ignore_ascii_case(b3::SINGLE.as_bytes()) => found.single.again(value),
                11 if name.eq_ignore_ascii_case(TRACEPARENT.as_bytes()) => found.traceparent.again(value),
                10 if name.eq_ignore_ascii_case(TRACESTATE.as_bytes()) => found.tracestate.push(value),
                10 | 11 | 12 | 17 => {
                    let place = b3::MULTI.iter().position(|part| name.eq_ignore_ascii_case(part.as_bytes()));
                    if let Some(part) = place.and_then(|place| found.parts.get_mut(place)) {
                        part.again(value);
                    }
                }
                _ => {}
            }
        }
        found
    }

    /// What `traceparent` says.
    #[must_use]
    pub fn traceparent(&self) -> Reading<Traceparent> {
        self.traceparent.read(Traceparent::read)
    }

    /// What `b3` says.
    #[must_use]
    pub fn b3(&self) -> Reading<B3> {
        self.single.read(B3::read)
    }

    /// What the headers `x-b3-*` say.
    #[must_use]
    pub fn b3_parts(&self) -> Reading<B3> {
        if self.parts.iter().all(|part| *part == Came::Not) {
            return Reading::Absent;
        }
        if self.parts.contains(&Came::Repeatedly) {
            return Reading::Malformed;
        }
        let parts = self.parts.map(|part| if let Came::Once(value) = part { Some(value) } else { None });
        B3::read_parts(parts).map_or(Reading::Malformed, Reading::Valid)
    }

    /// Whether to record, as B3 says it. The one header is heard before the several.
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        let said = |b3: Reading<B3>| b3.valid().map(|b3| b3.sampling).filter(|sampling| *sampling != Sampling::Undecided);
        said(self.b3()).or_else(|| said(self.b3_parts())).unwrap_or_default()
    }

    /// The trace that the request belongs to: `traceparent` says it, or else `b3`, or else `x-b3-*`.
    #[must_use]
    pub fn context(&self) -> Option<TraceContext> {
        let traceparent = || Some(self.traceparent().valid()?.context);
        let parts = || Some(TraceContext { sampling: self.sampling(), ..self.b3_parts().valid()?.context? });
        traceparent().or_else(|| self.b3().valid()?.context).or_else(parts)
    }
}
