//! What the operator wants of traces, checked once.
//!
//! Refused are a format that is named twice, and a header of the proxy's trace that is no header or one that speaks of traces itself.

use std::rc::Rc;

use super::minter::Minter;
use super::propagation::Propagation;
use super::traceparent::TRACEPARENT;
use super::tracestate::TRACESTATE;
use super::{CalloutTraces, SpanSink, Tracing, b3};
use crate::config::ConfigError;
use crate::config::probability::Probability;
use crate::config::tracing::{TraceFormat, TracingConfig};
use crate::platform::Platform;

/// Headers that a request cannot do without: the one of the proxy's trace is removed.
const TAKEN: [&str; 11] = [
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// A compiled `tracing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The formats in which the upstream is told.
    pub propagation: Propagation,
    /// Whether a trace begins where none came.
    pub mints: bool,
    /// The header in which the proxy tells its own trace.
    pub proxy_header: Option<Rc<str>>,
}

impl Tracing {
    /// The stage for a `tracing` that stands at `path`, and what the requests say that the module sends itself; `spans` is told how
    /// they went.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(
        config: &TracingConfig,
        path: &str,
        platform: &Platform<'_>,
        spans: Option<Box<dyn SpanSink>>,
    ) -> Result<(Self, CalloutTraces), ConfigError> {
        let policy = Policy::compile(config, path)?;
        let seed = platform.seed.ok_or_else(|| ConfigError::new(path, "cannot name traces: the proxy has no randomness"))?;
        let mut minter = Minter::new(seed, config.sample.unwrap_or(Probability::ALWAYS));
        let Propagation { b3, b3_parts, .. } = policy.propagation;
        let callouts = CalloutTraces::new(minter.another(), policy.mints, b3 || b3_parts, spans.is_some());
        Ok((Self::new(policy, minter, spans), callouts))
    }
}

impl Policy {
    fn compile(config: &TracingConfig, path: &str) -> Result<Self, ConfigError> {
        let formats = config.propagate.as_deref().unwrap_or(&[TraceFormat::W3c]);
        let mut propagation = Propagation::default();
        for (index, format) in formats.iter().enumerate() {
            let place = match format {
                TraceFormat::W3c => &mut propagation.w3c,
                TraceFormat::B3 => &mut propagation.b3,
                TraceFormat::B3multi => &mut propagation.b3_parts,
            };
            if std::mem::replace(place, true) {
                return Err(ConfigError::new(format!("{path}.propagate[{index}]"), "is named twice"));
            }
        }
        let proxy_header = config.proxy_header.as_deref().map(|name| proxy_header(name, &format!("{path}.proxyHeader")));
        Ok(Self { propagation, mints: config.mint.unwrap_or(true), proxy_header: proxy_header.transpose()? })
    }
}

fn proxy_header(name: &str, path: &str) -> Result<Rc<str>, ConfigError> {
    let name = name.to_ascii_lowercase();
    if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(ConfigError::new(path, "is not the name of a header"));
    }
    let taken = [TRACEPARENT, TRACESTATE, b3::SINGLE];
    if taken.iter().chain(&b3::MULTI).chain(&TAKEN).any(|taken| **taken == name) {
        return Err(ConfigError::new(path, "is a header with a meaning of its own").hint("for example `x-proxy-trace`"));
    }
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile(document: &str) -> Result<Policy, String> {
        let config = serde_json::from_str(document).unwrap();
        Policy::compile(&config, "tracing").map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_word_the_format_of_the_w3c_is_written_and_traces_begin_here() {
        let usual = Policy { propagation: Propagation { w3c: true, ..Propagation::default() }, mints: true, proxy_header: None };
        assert_eq!(compile("{}"), Ok(usual.clone()));
        let all = Propagation { w3c: true, b3: true, b3_parts: true };
        assert_eq!(
            compile(r#"{"propagate":["b3multi","w3c","b3"],"mint":false,"proxyHeader":"X-Proxy-Trace"}"#),
            Ok(Policy { propagation: all, mints: false, proxy_header: Some("x-proxy-trace".into()) })
        );
        assert_eq!(compile(r#"{"propagate":[]}"#), Ok(Policy { propagation: Propagation::default(), ..usual }));
    }

    #[test]
    fn refuses_what_contradicts_itself() {
        for (document, expected) in [
            (r#"{"propagate":["w3c","b3","w3c"]}"#, "tracing.propagate[2]: is named twice"),
            (r#"{"proxyHeader":"a b"}"#, "tracing.proxyHeader: is not the name of a header"),
            (r#"{"proxyHeader":""}"#, "tracing.proxyHeader: is not the name of a header"),
            (
                r#"{"proxyHeader":"TraceParent"}"#,
                "tracing.proxyHeader: is a header with a meaning of its own; for example `x-proxy-trace`",
            ),
            (
                r#"{"proxyHeader":"Authorization"}"#,
                "tracing.proxyHeader: is a header with a meaning of its own; for example `x-proxy-trace`",
            ),
        ] {
            assert_eq!(compile(document), Err(expected.to_owned()), "{document}");
        }
    }
}
