//! What must hold for any input.
//!
//! A target is a function that panics when something does not hold. cargo-fuzz runs them for as long as one likes (`make fuzz`);
//! an ordinary test replays the seeds of each and a fixed number of mutations of them.
//!
//! | target | input | what must hold |
//! |---|---|---|
//! | [`token`] | a recipe that changes a good token, or writes one | what is accepted verifies with another library, and says the same |
//! | [`jwe`] | a recipe that changes a good encrypted token, or writes one | what was changed does not open; what is accepted was signed |
//! | [`jwks`] | a key set, or a token key document | no key of it vouches for a token that another key signed; no secret is shown |
//! | [`header_value`] | headers, cookies, a query | what is removed is gone, and nothing else is |
//! | [`path`] | the target of a request | one spelling; no public rule for a path with two meanings; the rules that decide are the first that match |
//! | [`proof`] | a header and claims that are signed | what is accepted is a proof of the right key, for the right request, token and time |
//! | [`trace`] | trace headers | what goes on is one well-formed trace, and goes on as it is when it comes again |
//! | [`configuration`] | a document of any module | an error or a policy that denies; never a secret in a message |

mod configuration;
mod header_value;
mod jwe;
mod jwks;
mod mutation;
mod path;
mod proof;
mod token;
mod trace;

pub use configuration::configuration;
pub use header_value::header_value;
pub use jwe::jwe;
pub use jwks::jwks;
pub use mutation::{Mutations, seeds};
pub use path::path;
pub use proof::proof;
pub use token::token;
pub use trace::trace;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("token", token),
    ("jwe", jwe),
    ("jwks", jwks),
    ("header_value", header_value),
    ("path", path),
    ("proof", proof),
    ("trace", trace),
    ("configuration", configuration),
];
