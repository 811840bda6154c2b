//! The header `traceparent` (W3C Trace Context, level 2): `00-TRACE-SPAN-FLAGS`.
//!
//! Of a version to come the four fields that are known today are read, and what follows them is not; a version is written as 00, the
//! newest that is known here.

use super::context::{Sampling, SpanId, TraceContext, TraceId, hexadecimal};

/// The name of the header.
pub const TRACEPARENT: &str = "traceparent";

const SAMPLED: u8 = 0x01;
const RANDOM: u8 = 0x02;

/// A `traceparent` that can be believed as far as its form goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    /// What it says.
    pub context: TraceContext,
    /// Whether it is of the version that is known here, and so may go on as it is.
    pub is_known_version: bool,
}

impl Traceparent {
    /// What a value says; `None` when it is malformed, and then it says nothing.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        let mut fields = value.splitn(5, |byte| *byte == b'-');
        let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let version = hexadecimal(version, 2).filter(|version| *version != 0xff)?;
        if version == 0 && fields.next().is_some() {
            return None;
        }
        let (trace, span) = (TraceId::of_32_digits(trace)?, SpanId::of_digits(span)?);
        let flags = u8::try_from(hexadecimal(flags, 2)?).ok()?;
        let has = |flag: u8| flags & flag == flag;
        let context = TraceContext { trace, span, parent: None, sampling: Sampling::of(has(SAMPLED)), is_random: has(RANDOM) };
        Some(Self { context, is_known_version: version == 0 })
    }
}

/// The value of the header that says this. Flags of which nothing is known are not set (section 3.2.2.5.3).
#[must_use]
pub fn write(context: &TraceContext) -> String {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let flags = flag(context.sampling.is_recorded(), SAMPLED) | flag(context.is_random, RANDOM);
    format!("00-{}-{}-{flags:02x}", context.trace.padded(), context.span)
}
