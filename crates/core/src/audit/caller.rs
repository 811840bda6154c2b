//! Who was calling, as events tell it. The same few callers come again and again, so what was made fit for one event is kept for the next.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::event::Included;
use super::redaction::escape;
use crate::principal::{Identity, Method, Principal};
use crate::recent::Recent;

/// How many of the caller's roles stand in an event.
const MAX_ROLES: usize = 64;
/// How many callers are at hand.
const MAX_CALLERS: usize = 64;

/// A caller, as events tell it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    pub(super) issuer: String,
    pub(super) subject: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) method: Method,
    pub(super) token_id: Option<String>,
    pub(super) claims: BTreeMap<String, Value>,
    #[serde(skip)]
    json: String,
}

impl Caller {
    fn new(principal: &Principal, included: &Included) -> Self {
        let privacy = &included.privacy;
        let mut claims = BTreeMap::new();
        for (place, path) in included.claims.iter().enumerate() {
            if let Some(claim) = principal.claim(path) {
                claims.insert(path.clone(), privacy.claim(place, claim));
            }
        }
        Self {
            issuer: privacy.text(&principal.issuer).into_owned(),
            subject: principal.subject.as_deref().map(|subject| privacy.treated(subject, privacy.subject)),
            roles: principal.roles.iter().take(MAX_ROLES).map(|role| privacy.text(role).into_owned()).collect(),
            method: principal.method,
            token_id: principal.token_id.as_deref().map(|id| privacy.token_id(id, hashed)),
            claims,
            json: String::new(),
        }
        .written()
    }

    fn written(mut self) -> Self {
        // Every key is text and every number finite.
        self.json = escape(serde_json::to_string(&self).unwrap_or_default());
        self
    }

    /// The caller in JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The same without claims.
    pub fn without_claims(&self) -> Self {
        Self { claims: BTreeMap::new(), ..self.clone() }.written()
    }

    /// The same without roles.
    pub fn without_roles(&self) -> Self {
        Self { roles: Vec::new(), ..self.clone() }.written()
    }
}

/// What tells a token from others, and does not tell which it is.
fn hashed(token_id: &str) -> String {
    const KEPT_BYTES: usize = 16;
    URL_SAFE_NO_PAD.encode(Sha256::digest(token_id).get(..KEPT_BYTES).unwrap_or_default())
}

/// The callers of late.
#[derive(Debug, Clone)]
pub struct Callers(RefCell<Recent<Rc<Identity>, Rc<Caller>>>);

impl Default for Callers {
    fn default() -> Self {
        Self(RefCell::new(Recent::new(MAX_CALLERS)))
    }
}

impl Callers {
    /// The caller with this identity; `None` where nobody was authenticated.
    pub fn of(&self, identity: &Rc<Identity>, included: &Included) -> Option<Rc<Caller>> {
        let principal = identity.principal()?;
        let Ok(mut known) = self.0.try_borrow_mut() else { return Some(Rc::new(Caller::new(principal, included))) };
        if let Some(caller) = known.find(|other| Rc::ptr_eq(other, identity)) {
            return Some(Rc::clone(caller));
        }
        let caller = Rc::new(Caller::new(principal, included));
        known.keep(Rc::clone(identity), Rc::clone(&caller));
        Some(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(subject: &str) -> Rc<Identity> {
        let principal = Principal {
            issuer: "https://uaa".into(),
            subject: Some(subject.into()),
            roles: Vec::new(),
            scopes: Vec::new(),
            audiences: Vec::new(),
            claims: crate::claim_set::ClaimSet::default(),
            method: Method::Jwt,
            token_id: None,
            expires_at: None,
        };
        Rc::new(Identity::new(principal, "uaa".into()))
    }

    #[test]
    fn a_caller_is_told_as_before_and_never_for_another() {
        let (callers, included) = (Callers::default(), Included::default());
        let (alice, bob, other_alice) = (identity("alice"), identity("bob"), identity("alice"));
        let first = callers.of(&alice, &included).unwrap();
        assert!(Rc::ptr_eq(&first, &callers.of(&alice, &included).unwrap()));
        assert_eq!(callers.of(&bob, &included).unwrap().subject.as_deref(), Some("bob"));
        assert!(!Rc::ptr_eq(&first, &callers.of(&other_alice, &included).unwrap()));
        for number in 0..2 * MAX_CALLERS {
            let name = number.to_string();
            assert_eq!(callers.of(&identity(&name), &included).unwrap().subject.as_deref(), Some(&*name));
        }
    }
}
