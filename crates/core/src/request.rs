//! A request as rules see it: method, host and path, read once from its headers.
//!
//! STUB of the seam (being filled in).

use crate::headers::Headers;

/// A request.
#[derive(Debug, Default)]
pub struct Request {
    headers: Headers,
}

impl Request {
    /// A request with these headers, pseudo-headers (`:method`, `:path`, `:authority`) among them.
    #[must_use]
    pub fn new(headers: Headers) -> Self {
        Self { headers }
    }

    /// Its headers as they came.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }
}
