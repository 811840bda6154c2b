//! Where a module has it from who is calling, and how it understands what another one wrote.

use std::rc::Rc;

use portcullis_core::decision::Decision;
use portcullis_core::module::Module;
use portcullis_core::principal::{Identity, Principal};
use portcullis_core::stage::Exchange;
use portcullis_core::stripped::Stripped;
use serde::de::DeserializeOwned;

/// The filter state that holds who is calling.
pub const PRINCIPAL: &str = "portcullis.principal";
/// The filter state that holds what was decided.
pub const DECISION: &str = "portcullis.decision";

/// Where a module has it from who is calling.
#[derive(Debug, Clone, Copy)]
pub enum IdentitySource {
    /// Its stages decide.
    Stages,
    /// A module before it decided.
    FilterState(Understand),
}

/// Puts the decision and the principal into an exchange; the names of what cannot be understood.
///
/// A pointer to a function, so that the code for it is only in the modules that need it.
pub type Understand = fn(Option<&[u8]>, Option<&[u8]>, &mut Exchange) -> Vec<&'static str>;

impl IdentitySource {
    /// That of a module.
    #[must_use]
    pub const fn of(module: Module) -> Self {
        if module.publishes_identity() { Self::Stages } else { Self::FilterState(understand) }
    }
}

/// What cannot be understood is left out, for nothing may be made of half an identity.
fn understand(decision: Option<&[u8]>, principal: Option<&[u8]>, exchange: &mut Exchange) -> Vec<&'static str> {
    let mut misunderstood = Vec::new();
    exchange.decision = decision.and_then(|json| read::<Decision>(DECISION, json, &mut misunderstood));
    exchange.stripped = decision.map(Stripped::told).unwrap_or_default();
    exchange.identity = principal.and_then(|json| read::<Principal>(PRINCIPAL, json, &mut misunderstood)).map(|principal| {
        let vouched = exchange.decision.as_ref().and_then(|decision| decision.issuer.clone());
        let issuer_name = vouched.unwrap_or_else(|| Rc::from(principal.issuer.as_str()));
        Rc::new(Identity::new(principal, issuer_name))
    });
    misunderstood
}

fn read<T: DeserializeOwned>(key: &'static str, json: &[u8], misunderstood: &mut Vec<&'static str>) -> Option<T> {
    let value = str::from_utf8(json).ok().and_then(|json| serde_json::from_str(json).ok());
    if value.is_none() {
        misunderstood.push(key);
    }
    value
}
