//! What was decided about a request, and why.

use std::borrow::Cow;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::rejection::Rejection;

/// The three ways a decision can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The request goes on.
    Allow,
    /// The request is refused because of what it is.
    Deny,
    /// The request is refused because the gateway could not decide.
    Error,
}

impl Effect {
    /// The word in JSON and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

/// A decision with its reason.
///
/// Its JSON is the value of the filter state `portcullis.decision`.
#[derive(Debug, Clone, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The name of the rule that decided; `default` when none matched.
    pub rule: Rc<str>,
    /// How it ended.
    #[serde(rename = "decision")]
    pub effect: Effect,
    /// Why: `token_valid`, `public`, `anonymous`, `cors_preflight`, `keys_served` or `health` when allowed, else a [`Rejection`] code.
    pub reason: Cow<'static, str>,
    /// The name of the `jwtRules` entry that vouched for the caller. Absent while nobody did: the issuer that an unverified
    /// token claims never stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Rc<str>>,
    /// Whether the decision was only reported and not enforced. The request passed then, also where the effect is not to allow.
    pub shadow: bool,
}

/// The reason of an allowed request whose token is valid.
pub const TOKEN_VALID: &str = "token_valid";
/// The reason of an allowed request whose API key is known.
pub const API_KEY_VALID: &str = "api_key_valid";
/// The reason of an allowed request to a public route.
pub const PUBLIC: &str = "public";
/// The reason of an allowed preflight request.
pub const CORS_PREFLIGHT: &str = "cors_preflight";
/// The reason of an allowed request without credentials where they are optional.
pub const ANONYMOUS: &str = "anonymous";
/// The reason of a request for the gateway's own public keys, which the gateway answers.
pub const KEYS_SERVED: &str = "keys_served";
/// The reason of a request that asks how the gateway is doing, which the gateway answers.
pub const HEALTH: &str = "health";
/// The name of the rule for a request that no rule matches.
pub const DEFAULT_RULE: &str = "default";

impl PartialEq for Decision {
    fn eq(&self, other: &Self) -> bool {
        let Self { rule, effect, reason, issuer, shadow } = self;
        (*effect, *shadow) == (other.effect, other.shadow)
            && *rule == other.rule
            && *issuer == other.issuer
            && is_same_text(reason, &other.reason)
    }
}

/// Whether two texts say the same. Words that recur are mostly the very same ones, and then no letter is looked at.
#[must_use]
pub fn is_same_text(one: &str, other: &str) -> bool {
    std::ptr::eq(one, other) || one == other
}

impl Decision {
    /// A decision to let the request pass.
    #[must_use]
    pub const fn allow(rule: Rc<str>, reason: &'static str, issuer: Option<Rc<str>>) -> Self {
        Self { rule, effect: Effect::Allow, reason: Cow::Borrowed(reason), issuer, shadow: false }
    }

    /// The same, only reported: the request passes whatever it says.
    #[must_use]
    pub fn in_shadow(self) -> Self {
        Self { shadow: true, ..self }
    }

    /// Whether the request goes on: nothing speaks against it, or what does is only reported.
    #[must_use]
    pub fn lets_pass(&self) -> bool {
        self.shadow || self.effect == Effect::Allow
    }

    /// Whether the request asks how the gateway is doing.
    #[must_use]
    pub fn is_of_health(&self) -> bool {
        self.reason == HEALTH
    }

    /// A decision to refuse the request.
    #[must_use]
    pub const fn refuse(rule: Rc<str>, rejection: Rejection, issuer: Option<Rc<str>>) -> Self {
        let effect = if rejection.status() >= 500 { Effect::Error } else { Effect::Deny };
        Self { rule, effect, reason: Cow::Borrowed(rejection.code()), issuer, shadow: false }
    }
}
