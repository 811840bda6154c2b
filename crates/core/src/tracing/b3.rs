//! The headers of Zipkin (<https://github.com/openzipkin/b3-propagation>): `b3: TRACE-SPAN-SAMPLING-PARENT`, or each part in a header
//! of its own. Either may say nothing but whether to record.

use super::context::{Sampling, SpanId, TraceContext, TraceId};

/// The name of the header that holds everything.
pub const SINGLE: &str = "b3";

/// The names of the headers that hold a part each, in the order of [`Parts`].
pub const MULTI: [&str; 5] = ["x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"];

/// The values of the headers that hold a part each.
pub type Parts<T> = [Option<T>; MULTI.len()];

/// What B3 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct B3 {
    /// The trace; absent where it only says whether to record.
    pub context: Option<TraceContext>,
    /// Whether to record.
    pub sampling: Sampling,
}

impl B3 {
    /// What the one header says; `None` when it is malformed, and then it says nothing.
    #[must_use]
    pub fn read(value: &[u8]) -> Option<Self> {
        let mut fields = value.split(|byte| *byte == b'-');
        let trace = fields.next()?;
        let Some(span) = fields.next() else {
            return Some(Self { context: None, sampling: sampling(trace)? });
        };
        let sampling = fields.next().map_or(Some(Sampling::Undecided), sampling)?;
        let parent = fields.next();
        if fields.next().is_some() {
            return None;
        }
        Self::of(trace, span, parent, sampling)
    }

    /// What the several headers say; `None` when one of them is malformed, or there are none.
    #[must_use]
    pub fn read_parts(parts: Parts<&[u8]>) -> Option<Self> {
        let [trace, span, parent, sampled, flags] = parts;
        // Other flags than this one are not defined, and say nothing.
        let is_debug = flags == Some(b"1");
        let sampling = match sampled {
            Some(sampled) => sampling(sampled).filter(|sampling| *sampling != Sampling::Debug)?,
            None => Sampling::Undecided,
        };
        let sampling = if is_debug { Sampling::Debug } else { sampling };
        match (trace, span) {
            (Some(trace), Some(span)) => Self::of(trace, span, parent, sampling),
            (None, None) if parent.is_none() && (sampling != Sampling::Undecided || flags.is_some()) => {
                Some(Self { context: None, sampling })
            }
            _ => None,
        }
    }

    fn of(trace: &[u8], span: &[u8], parent: Option<&[u8]>, sampling: Sampling) -> Option<Self> {
        let trace = TraceId::of_32_digits(trace).or_else(|| TraceId::of_16_digits(trace))?;
        let parent = match parent {
            Some(parent) => Some(SpanId::of_digits(parent)?),
            None => None,
        };
        let context = TraceContext { trace, span: SpanId::of_digits(span)?, parent, sampling, is_random: false };
        Some(Self { context: Some(context), sampling })
    }
}

fn sampling(word: &[u8]) -> Option<Sampling> {
    match word {
        b"0" => Some(Sampling::Denied),
        b"1" => Some(Sampling::Accepted),
        b"d" => Some(Sampling::Debug),
        _ => None,
    }
}

const fn word(sampling: Sampling) -> Option<&'static str> {
    match sampling {
        Sampling::Undecided => None,
        Sampling::Denied => Some("0"),
        Sampling::Accepted => Some("1"),
        Sampling::Debug => Some("d"),
    }
}

/// The value of the one header that says this. Without a word on recording there is no place for the parent.
#[must_use]
pub fn write(context: &TraceContext) -> String {
    let TraceContext { trace, span, parent, sampling, .. } = context;
    match (word(*sampling), parent) {
        (None, _) => format!("{trace}-{span}"),
        (Some(word), None) => format!("{trace}-{span}-{word}"),
        (Some(word), Some(parent)) => format!("{trace}-{span}-{word}-{parent}"),
    }
}

/// The values of the several headers that say this.
#[must_use]
pub fn write_parts(context: &TraceContext) -> Parts<String> {
    let sampled = match context.sampling {
        Sampling::Debug => None,
        sampling => word(sampling).map(str::to_owned),
    };
    let flags = (context.sampling == Sampling::Debug).then(|| "1".to_owned());
    [
        Some(context.trace.to_string()),
        Some(context.span.to_string()),
        context.parent.map(|parent| parent.to_string()),
        sampled,
        flags,
    ]
}
