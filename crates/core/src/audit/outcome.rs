//! How a request ended, in one word.
//!
//! Asked in this order: did the client go away before the end; what did the gateway decide; did another filter refuse; did the
//! upstream give no answer, or not a whole one. What then remains was let through, and answered.

use crate::decision::{Decision, Effect};
use crate::headers::Headers;
use crate::stage::{Ending, Exchange};

/// What the proxy says of a response that the upstream made.
const VIA_UPSTREAM: &str = "via_upstream";
/// What it says of one that the route made.
const DIRECT_RESPONSE: &str = "direct_response";
/// An upgraded connection ends when one side closes it.
const SWITCHING_PROTOCOLS: u16 = 101;
/// The statuses of a refusal.
const REFUSALS: [u16; 2] = [401, 403];
/// `PERMISSION_DENIED` and `UNAUTHENTICATED` of gRPC.
const GRPC_REFUSALS: [u64; 2] = [7, 16];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was let through, and answered.
    Allowed,
    /// It was refused because of what it is, by the gateway or another filter.
    Denied,
    /// The gateway could not decide, or the upstream gave no answer, or not a whole one.
    Error,
    /// The client went away before the end of the answer.
    Aborted,
}

impl Outcome {
    /// The word in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Aborted => "aborted",
        }
    }

    /// Whether a request was let through and answered to the end by the upstream, or by its route without a refusal. One word of the
    /// proxy tells: of a response that failed or that the client did not wait for, it says something else. Most requests end so.
    #[must_use]
    pub fn is_usual(exchange: &Exchange, ending: &dyn Ending) -> bool {
        exchange.decision.as_ref().is_some_and(Decision::lets_pass)
            && match ending.details() {
                Some(VIA_UPSTREAM) => true,
                Some(DIRECT_RESPONSE) => {
                    !is_grpc(exchange.request.headers()) && ending.status().is_some_and(|status| !REFUSALS.contains(&status))
                }
                _ => false,
            }
    }

    /// How an exchange ended. Where nothing was decided, a refusal by whomever counts, the upstream among them.
    #[must_use]
    pub fn of(exchange: &Exchange, ending: &dyn Ending) -> Self {
        let flags = ending.flags();
        let is_upgraded = ending.status() == Some(SWITCHING_PROTOCOLS);
        if flags.is_departure() && !is_upgraded {
            return Self::Aborted;
        }
        let effect = exchange.decision.as_ref().filter(|decision| !decision.lets_pass()).map(|decision| decision.effect);
        match effect {
            _ if ending.status().is_none() && flags.is_empty() => Self::Aborted,
            Some(Effect::Deny) => Self::Denied,
            Some(Effect::Error) => Self::Error,
            Some(Effect::Allow) | None if flags.is_refusal() || is_refused_elsewhere(exchange, ending) => Self::Denied,
            Some(Effect::Allow) | None if flags.is_failure() && !is_upgraded => Self::Error,
            Some(Effect::Allow) | None => Self::Allowed,
        }
    }
}

/// Whether another filter refused the request, or the upstream where nothing was decided.
pub fn is_refused_elsewhere(exchange: &Exchange, ending: &dyn Ending) -> bool {
    let is_refusal = match ending.status() {
        Some(status) if REFUSALS.contains(&status) => true,
        Some(200) if is_grpc(exchange.request.headers()) => {
            ending.grpc_status().is_some_and(|status| GRPC_REFUSALS.contains(&status))
        }
        _ => false,
    };
    is_refusal && (exchange.decision.is_none() || ending.details().is_some_and(|details| details != VIA_UPSTREAM))
}

/// Whether the request is one of gRPC, by its `content-type`.
pub fn is_grpc(headers: &Headers) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let content_type = headers.single("content-type").ok().flatten().and_then(|value| value.split_at_checked(GRPC.len()));
    content_type.is_some_and(|(kind, rest)| kind.eq_ignore_ascii_case(GRPC) && matches!(rest, [] | [b'+' | b';' | b' ', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::TOKEN_VALID;
    use crate::rejection::Rejection;
    use crate::request::Request;
    use crate::response_flags::ResponseFlags;
    use crate::stage::{Completion, Facts};

    const DC: u64 = 1 << 14;
    const UF: u64 = 1 << 5;
    const UAEX: u64 = 1 << 12;

    fn exchange(decision: Option<Decision>, content_type: &str) -> Exchange {
        let request = Request::new(Headers::from_pairs([("content-type", content_type)]));
        Exchange { decision, ..Exchange::new(request, None) }
    }

    fn ended(status: u16, flags: u64, details: &str, grpc: Option<u64>) -> Completion {
        let details = (!details.is_empty()).then(|| details.to_owned());
        let facts = Facts { flags: ResponseFlags(flags), details, grpc_status: grpc, ..Facts::default() };
        Completion { status: (status > 0).then_some(status), facts, ..Completion::default() }
    }

    #[test]
    fn says_how_a_request_ended() {
        let allowed = || Some(Decision::allow("a".into(), TOKEN_VALID, None));
        let refused = |rejection| Some(Decision::refuse("a".into(), rejection, None));
        let shadow = || refused(Rejection::RoleMissing).map(Decision::in_shadow);
        let rbac = "rbac_access_denied_matched_policy[none]";
        for (case, decision, end, expected) in [
            ("allowed", allowed(), ended(200, 0, VIA_UPSTREAM, None), Outcome::Allowed),
            ("allowed, and refused by the upstream", allowed(), ended(403, 0, VIA_UPSTREAM, None), Outcome::Allowed),
            ("allowed, and refused by whom nobody says", allowed(), ended(403, 0, "", None), Outcome::Allowed),
            ("allowed, and refused by another filter", allowed(), ended(403, 0, rbac, None), Outcome::Denied),
            ("allowed, and refused by an authorization service", allowed(), ended(500, UAEX, "ext_authz", None), Outcome::Denied),
            ("the route answers", allowed(), ended(503, 0, "direct_response", None), Outcome::Allowed),
            ("the route refuses", allowed(), ended(403, 0, "direct_response", None), Outcome::Denied),
            ("the upstream fails by itself", allowed(), ended(503, 0, VIA_UPSTREAM, None), Outcome::Allowed),
            ("the upstream is not there", allowed(), ended(503, UF, "upstream_reset", None), Outcome::Error),
            ("the upstream's answer has no end", allowed(), ended(200, UF, VIA_UPSTREAM, None), Outcome::Error),
            ("the client leaves", allowed(), ended(0, DC, "", None), Outcome::Aborted),
            ("the client leaves within the answer", allowed(), ended(200, DC, VIA_UPSTREAM, None), Outcome::Aborted),
            ("there is no answer, and nobody says why", allowed(), ended(0, 0, "", None), Outcome::Aborted),
            ("an upgraded connection is closed", allowed(), ended(101, DC, VIA_UPSTREAM, None), Outcome::Allowed),
            ("an upgraded connection is closed behind", allowed(), ended(101, 1 << 6, "", None), Outcome::Allowed),
            ("denied", refused(Rejection::RoleMissing), ended(403, 0, "portcullis", None), Outcome::Denied),
            ("denied, and the client leaves", refused(Rejection::RoleMissing), ended(403, DC, "", None), Outcome::Aborted),
            ("denied, and no answer was sent", refused(Rejection::RoleMissing), ended(0, 0, "", None), Outcome::Aborted),
            ("could not decide", refused(Rejection::KeysUnavailable), ended(503, 0, "portcullis", None), Outcome::Error),
            ("denied in shadow", shadow(), ended(200, 0, VIA_UPSTREAM, None), Outcome::Allowed),
            ("denied in shadow, and by another filter", shadow(), ended(403, 0, rbac, None), Outcome::Denied),
            ("not decided", None, ended(200, 0, VIA_UPSTREAM, None), Outcome::Allowed),
            ("not decided, 401", None, ended(401, 0, "", None), Outcome::Denied),
            ("not decided, and refused by the upstream", None, ended(403, 0, VIA_UPSTREAM, None), Outcome::Denied),
            ("not decided, 500", None, ended(500, 0, VIA_UPSTREAM, None), Outcome::Allowed),
        ] {
            let exchange = exchange(decision, "text/plain");
            assert_eq!(Outcome::of(&exchange, &end), expected, "{case}");
            assert!(
                !Outcome::is_usual(&exchange, &end) || end.facts.flags != ResponseFlags(0) || expected == Outcome::Allowed,
                "{case}"
            );
        }
    }

    #[test]
    fn a_refusal_of_grpc_stands_in_its_own_status() {
        let allowed = || Some(Decision::allow("a".into(), TOKEN_VALID, None));
        for (content_type, decision, end, expected) in [
            ("application/grpc", allowed(), ended(200, 0, "rbac", Some(7)), Outcome::Denied),
            ("application/grpc+proto", None, ended(200, 0, "rbac", Some(16)), Outcome::Denied),
            ("application/grpc", allowed(), ended(200, 0, VIA_UPSTREAM, Some(7)), Outcome::Allowed),
            ("application/grpc", allowed(), ended(200, 0, DIRECT_RESPONSE, Some(7)), Outcome::Denied),
            ("application/grpc", allowed(), ended(200, 0, "rbac", Some(5)), Outcome::Allowed),
            ("application/json", None, ended(200, 0, "x", Some(7)), Outcome::Allowed),
            ("application/grpcx", None, ended(200, 0, "x", Some(7)), Outcome::Allowed),
        ] {
            let exchange = exchange(decision, content_type);
            assert_eq!(Outcome::of(&exchange, &end), expected, "{content_type} {end:?}");
            assert!(!Outcome::is_usual(&exchange, &end) || expected == Outcome::Allowed, "{content_type} {end:?}");
        }
    }
}
