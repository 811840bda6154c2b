//! How an exchange ended, as far as somebody asks.

use std::time::Duration;

use crate::response_flags::ResponseFlags;

/// How an exchange ended. What no stage asks for is not read from the proxy, and each thing costs a call.
pub trait Ending {
    /// The status of the response; absent when none was sent (the client went away).
    fn status(&self) -> Option<u16>;
    /// The time from the request's headers to the end of the exchange.
    fn duration(&self) -> Option<Duration>;
    /// What the proxy says went wrong.
    fn flags(&self) -> ResponseFlags;
    /// Who made the response, in the proxy's words: `via_upstream`, `direct_response`, `rbac_access_denied_matched_policy[…]`.
    fn details(&self) -> Option<&str>;
    /// The bytes of the response's body.
    fn response_bytes(&self) -> Option<u64>;
    /// The bytes of the request's body, as the client announced them by `content-length`, whatever came of it; else those that came.
    fn request_bytes(&self) -> Option<u64>;
    /// The bytes that came of the request: those of its body and of its headers.
    fn received_bytes(&self) -> Option<u64>;
    /// The status of gRPC. For what is no gRPC the proxy makes one up.
    fn grpc_status(&self) -> Option<u64>;
    /// The protocol of the request: `HTTP/1.1`, `HTTP/2`.
    fn protocol(&self) -> Option<String>;
    /// The address from which the request came, with its port.
    fn client(&self) -> Option<String>;
    /// The first URI in the certificate that the client has shown: a SPIFFE ID, where there is a mesh.
    fn peer(&self) -> Option<String>;
}

/// What an [`Ending`] says, beside status and duration.
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
    /// The bytes of the request's body, as announced.
    pub request_bytes: Option<u64>,
    /// The bytes of body and headers that came of the request.
    pub received_bytes: Option<u64>,
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

    fn response_bytes(&self) -> Option<u64> {
        self.facts.response_bytes
    }

    fn request_bytes(&self) -> Option<u64> {
        self.facts.request_bytes
    }

    fn received_bytes(&self) -> Option<u64> {
        self.facts.received_bytes
    }

    fn grpc_status(&self) -> Option<u64> {
        self.facts.grpc_status
    }

    fn protocol(&self) -> Option<String> {
        self.facts.protocol.clone()
    }

    fn client(&self) -> Option<String> {
        self.facts.client.clone()
    }

    fn peer(&self) -> Option<String> {
        self.facts.peer.clone()
    }
}

/// An end of which nothing may be asked but what it has.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Unasked {
    pub status: Option<u16>,
    pub details: Option<&'static str>,
}

#[cfg(test)]
impl Ending for Unasked {
    fn status(&self) -> Option<u16> {
        assert!(self.status.is_some(), "nobody needs the status");
        self.status
    }

    fn duration(&self) -> Option<Duration> {
        panic!("nobody needs the duration")
    }

    fn flags(&self) -> ResponseFlags {
        panic!("nobody needs the flags")
    }

    fn details(&self) -> Option<&str> {
        assert!(self.details.is_some(), "nobody needs the details");
        self.details
    }

    fn response_bytes(&self) -> Option<u64> {
        panic!("nobody needs the bytes of the response")
    }

    fn request_bytes(&self) -> Option<u64> {
        panic!("nobody needs the bytes of the request")
    }

    fn received_bytes(&self) -> Option<u64> {
        panic!("nobody needs the bytes that came")
    }

    fn grpc_status(&self) -> Option<u64> {
        panic!("nobody needs the status of gRPC")
    }

    fn protocol(&self) -> Option<String> {
        panic!("nobody needs the protocol")
    }

    fn client(&self) -> Option<String> {
        panic!("nobody needs the client")
    }

    fn peer(&self) -> Option<String> {
        panic!("nobody needs the peer")
    }
}
