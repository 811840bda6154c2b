//! How an exchange ended, as far as somebody asks.

use std::time::Duration;

use crate::response_flags::ResponseFlags;

/// How an exchange ended. What no stage asks for is not read from the proxy.
pub trait Ending {
    /// The status of the response; absent when none was sent (the client went away).
    fn status(&self) -> Option<u16>;
    /// The time from the request's headers to the end of the exchange.
    fn duration(&self) -> Option<Duration>;
    /// What the proxy says went wrong.
    fn flags(&self) -> ResponseFlags;
    /// Who made the response, in the proxy's words: `via_upstream`, `direct_response`, `rbac_access_denied_matched_policy[…]`.
    fn details(&self) -> Option<&str>;
    /// All of it. Whoever wants all asks for this first: it is read at once.
    fn facts(&self) -> &Facts;
}

/// What the proxy knows of an exchange that has ended, beside status and duration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// What went wrong.
    pub flags: ResponseFlags,
    /// Who made the response.
    pub details: Option<String>,
    /// The bytes of the response's body.
    pub response_bytes: Option<u64>,
    /// The status of gRPC. For what is no gRPC the proxy makes one up.
    pub grpc_status: Option<u64>,
    /// The protocol of the request: `HTTP/1.1`, `HTTP/2`.
    pub protocol: Option<String>,
    /// The bytes of the request's body.
    pub request_bytes: Option<u64>,
    /// The address from which the request came, with its port.
    pub client: Option<String>,
    /// The first URI in the certificate that the client has shown: a SPIFFE ID, where there is a mesh.
    pub peer: Option<String>,
}

/// An ending of which all is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// The status of the response; absent when none was sent (the client went away).
    pub status: Option<u16>,
    /// The time from the request's headers to the end of the exchange.
    pub duration: Option<Duration>,
    /// All else.
    pub facts: Facts,
}

impl Ending for Completion {
    fn status(&self) -> Option<u16> {
        self.status
    }

    fn duration(&self) -> Option<Duration> {
        self.duration
    }

    fn flags(&self) -> ResponseFlags {
        self.facts.flags
    }

    fn details(&self) -> Option<&str> {
        self.facts.details.as_deref()
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}
