//! Whether a request comes from whom its token was given to: tokens that are bound to a key (DPoP, RFC 9449) or to a certificate
//! (RFC 8705).
//!
//! A token says in its claim `cnf` what it is bound to ([`Confirmation`]). Then, and not only where the operator asks for it:
//!
//! - bound to a key, it counts with the scheme `DPoP` alone, and beside a [`proof`] in the header `DPoP`: signed by that key, for
//!   this method, URI and token, now, and not used before;
//! - bound to a certificate, it counts on a connection whose client has shown that one ([`client_certificate`]);
//! - bound to both, both must hold; bound to something else, it never counts.
//!
//! With the scheme `DPoP`, a token that is not bound to a key is refused as well. What the client says in `x-forwarded-host` and
//! its like is not looked at.
//!
//! Nothing here calls a host, reads a clock or does I/O. Few requests pass through here, so it is built for size.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

pub mod client_certificate;
pub mod confirmation;
pub mod nonces;
pub mod origin;
mod policy;
pub mod proof;
pub mod thumbprint;

pub use self::confirmation::Confirmation;
pub use self::policy::{Certificate, Dpop, SenderPolicy, algorithm_names};

/// A SHA-256.
pub type Digest = [u8; 32];
