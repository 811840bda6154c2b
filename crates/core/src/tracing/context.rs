//! What is known of a trace and of the span that a request comes from, whatever format said so.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};

/// The name of a trace: 128 bits, of which B3 may send only the lower half.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId {
    bits: NonZeroU128,
    is_short: bool,
}

impl TraceId {
    /// The name that these bits are; `None` for zero, which is none.
    #[must_use]
    pub const fn new(bits: u128) -> Option<Self> {
        match NonZeroU128::new(bits) {
            Some(bits) => Some(Self { bits, is_short: false }),
            None => None,
        }
    }

    /// The name that these random bits are.
    pub(super) const fn of_random(bits: u128) -> Self {
        match NonZeroU128::new(bits) {
            Some(bits) => Self { bits, is_short: false },
            None => Self { bits: NonZeroU128::MIN, is_short: false },
        }
    }

    /// The name that 32 lower-case hexadecimal digits are.
    pub(super) fn of_32_digits(digits: &[u8]) -> Option<Self> {
        Self::new(hexadecimal(digits, 32)?)
    }

    /// The name that 16 lower-case hexadecimal digits are.
    pub(super) fn of_16_digits(digits: &[u8]) -> Option<Self> {
        Some(Self { is_short: true, ..Self::new(hexadecimal(digits, 16)?)? })
    }

    /// Whether both are the same trace: a short name is a long one that begins with zeros.
    #[must_use]
    pub fn is_same(self, other: Self) -> bool {
        self.bits == other.bits
    }

    /// The span that has half the name of its trace: the first one, by the custom of Zipkin.
    pub(super) const fn first_span(self) -> Option<SpanId> {
        SpanId::new(self.bits.get() as u64)
    }

    /// All 128 bits as 32 digits, however many were sent.
    #[must_use]
    pub const fn padded(self) -> Self {
        Self { is_short: false, ..self }
    }
}

/// 32 lower-case hexadecimal digits, or 16 where no more were sent.
impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.is_short { 16 } else { 32 };
        write!(formatter, "{:0digits$x}", self.bits)
    }
}

/// The name of a span in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// The name that these bits are; `None` for zero, which is none.
    #[must_use]
    pub const fn new(bits: u64) -> Option<Self> {
        match NonZeroU64::new(bits) {
            Some(bits) => Some(Self(bits)),
            None => None,
        }
    }

    /// The name that these random bits are.
    pub(super) const fn of_random(bits: u64) -> Self {
        match NonZeroU64::new(bits) {
            Some(bits) => Self(bits),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// The name that 16 lower-case hexadecimal digits are.
    pub(super) fn of_digits(digits: &[u8]) -> Option<Self> {
        Self::new(u64::try_from(hexadecimal(digits, 16)?).ok()?)
    }
}

/// 16 lower-case hexadecimal digits.
impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// What was decided about recording a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sampling {
    /// Nothing yet; only B3 can say so.
    #[default]
    Undecided,
    /// It is not recorded.
    Denied,
    /// It is recorded.
    Accepted,
    /// It is recorded, whatever anybody else decides; only B3 can say so.
    Debug,
}

impl Sampling {
    /// Recorded or not.
    #[must_use]
    pub const fn of(is_recorded: bool) -> Self {
        if is_recorded { Self::Accepted } else { Self::Denied }
    }

    /// Whether spans are recorded.
    #[must_use]
    pub const fn is_recorded(self) -> bool {
        matches!(self, Self::Accepted | Self::Debug)
    }
}

/// A trace, and the span in it that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace: TraceId,
    /// The span that sent the request.
    pub span: SpanId,
    /// The span that this one is a part of; only B3 says so.
    pub parent: Option<SpanId>,
    /// Whether it is recorded.
    pub sampling: Sampling,
    /// Whether the trace's name is known to be random, which others draw by; only W3C says so.
    pub is_random: bool,
}

impl TraceContext {
    /// Whether both say the same, as far as the formats of both can say it.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        let sampling = (self.sampling, other.sampling);
        let is_open = matches!(sampling, (Sampling::Undecided, _) | (_, Sampling::Undecided));
        let is_alike = self.sampling.is_recorded() == other.sampling.is_recorded();
        self.trace.is_same(other.trace) && self.span == other.span && (is_open || is_alike)
    }
}

/// The number that so many lower-case hexadecimal digits are.
pub(super) fn hexadecimal(digits: &[u8], count: usize) -> Option<u128> {
    let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let is_all = digits.len() == count && digits.iter().all(is_digit);
    is_all.then(|| u128::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_with_as_many_digits_as_they_came_with() {
        let long = TraceId::of_32_digits(b"00000000000000000000000000000a0b").unwrap();
        let short = TraceId::of_16_digits(b"0000000000000a0b").unwrap();
        assert_eq!((long.to_string(), short.to_string()), ("00000000000000000000000000000a0b".into(), "0000000000000a0b".into()));
        assert!(long.is_same(short) && long != short && short.padded() == long);
        assert_eq!(SpanId::of_digits(b"00000000000000ff").unwrap().to_string(), "00000000000000ff");
    }

    #[test]
    fn zero_and_what_is_no_number_are_no_names() {
        for digits in ["", "0", "g", "A", "+", " ", "\u{e4}"] {
            for count in [16, 32] {
                let text = digits.repeat(count).into_bytes();
                assert_eq!((TraceId::of_32_digits(&text), TraceId::of_16_digits(&text)), (None, None), "{digits}");
                assert_eq!(SpanId::of_digits(&text), None, "{digits}");
            }
        }
        assert_eq!((TraceId::new(0), SpanId::new(0)), (None, None));
        assert!(hexadecimal(b"+1", 2).is_none());
    }

    #[test]
    fn what_one_leaves_open_the_other_may_say() {
        let context = |sampling| TraceContext {
            trace: TraceId::new(7).unwrap(),
            span: SpanId::new(8).unwrap(),
            parent: None,
            sampling,
            is_random: false,
        };
        let accepted = context(Sampling::Accepted);
        for (sampling, expected) in
            [(Sampling::Accepted, true), (Sampling::Debug, true), (Sampling::Undecided, true), (Sampling::Denied, false)]
        {
            assert_eq!(accepted.agrees(&context(sampling)), expected, "{sampling:?}");
            assert_eq!(context(sampling).agrees(&accepted), expected, "{sampling:?}");
        }
        assert!(!accepted.agrees(&TraceContext { span: SpanId::new(9).unwrap(), ..accepted }));
        assert!(!accepted.agrees(&TraceContext { trace: TraceId::new(9).unwrap(), ..accepted }));
    }
}
