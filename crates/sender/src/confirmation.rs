//! What a token is bound to: its claim `cnf` (RFC 7800).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::Digest;
use portcullis_request::claim_set::{Claim, ClaimSet};

/// What the sender of a token has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// The private key of the public one with this thumbprint (`jkt`), the private key of this certificate (`x5t#S256`), or both.
    Held {
        /// The key's thumbprint (RFC 7638).
        key: Option<Digest>,
        /// The SHA-256 of the certificate.
        certificate: Option<Digest>,
    },
    /// Something that is not known here, or that is malformed.
    Unknown,
}

impl Confirmation {
    /// What the claims of a token say; `None` when it is not bound at all.
    #[must_use]
    pub fn of(claims: &ClaimSet) -> Option<Self> {
        let claim = claims.get("cnf")?;
        Some(Self::read(claim).unwrap_or(Self::Unknown))
    }

    /// Members of other names are left aside, where there is one that is known (RFC 7800 section 3.1).
    fn read(claim: Claim<'_>) -> Option<Self> {
        let Claim::Value(Value::Object(members)) = claim else { return None };
        let digest = |name: &str| match members.get(name) {
            None => Some(None),
            Some(value) => read_digest(value.as_str()?).map(Some),
        };
        let (key, certificate) = (digest("jkt")?, digest("x5t#S256")?);
        (key.is_some() || certificate.is_some()).then_some(Self::Held { key, certificate })
    }

    /// The thumbprint of the key that it is bound to.
    #[must_use]
    pub const fn key(&self) -> Option<&Digest> {
        match self {
            Self::Held { key, .. } => key.as_ref(),
            Self::Unknown => None,
        }
    }
}

fn read_digest(text: &str) -> Option<Digest> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::client_certificate::from_hex;

    fn of(claims: Value) -> Option<Confirmation> {
        Confirmation::of(&serde_json::from_value(claims).unwrap())
    }

    #[test]
    fn a_token_is_bound_to_what_is_known_or_to_nothing_that_counts() {
        let text = URL_SAFE_NO_PAD.encode([7; 32]);
        let held = |key, certificate| Some(Confirmation::Held { key, certificate });
        let seven = Some([7; 32]);
        for (cnf, expected) in [
            (json!({ "jkt": text }), held(seven, None)),
            (json!({ "x5t#S256": text }), held(None, seven)),
            (json!({ "jkt": text, "x5t#S256": text }), held(seven, seven)),
            (json!({ "jkt": text, "kid": "a" }), held(seven, None)),
            (json!({ "kid": "a" }), Some(Confirmation::Unknown)),
            (json!({ "jwk": {"kty": "EC"} }), Some(Confirmation::Unknown)),
            (json!({ "JKT": text }), Some(Confirmation::Unknown)),
            (json!({ "x5t": text }), Some(Confirmation::Unknown)),
            (json!({}), Some(Confirmation::Unknown)),
            (json!(null), Some(Confirmation::Unknown)),
            (json!("jkt"), Some(Confirmation::Unknown)),
            (json!([{ "jkt": text }]), Some(Confirmation::Unknown)),
            (json!({ "jkt": 1 }), Some(Confirmation::Unknown)),
            (json!({ "jkt": null, "x5t#S256": text }), Some(Confirmation::Unknown)),
            (json!({ "jkt": "" }), Some(Confirmation::Unknown)),
            (json!({ "jkt": format!("{text}=") }), Some(Confirmation::Unknown)),
            (json!({ "jkt": URL_SAFE_NO_PAD.encode([7; 31]) }), Some(Confirmation::Unknown)),
            (json!({ "jkt": text, "x5t#S256": "short" }), Some(Confirmation::Unknown)),
        ] {
            assert_eq!(of(json!({ "cnf": cnf })), expected, "{cnf}");
        }
        assert_eq!(of(json!({ "sub": "alice" })), None);
    }

    /// RFC 8705 appendix A: a certificate, and the claim of a token that is bound to it. RFC 9449 section 6.1.
    #[test]
    fn reads_the_examples_of_the_rfcs() {
        let certificate = "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAxODEyMzcwOVoXDTIyMDUwMjEyMzcwOVow\
                           DzENMAsGA1UEAwwEbXRsczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ\
                           /Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwIDSQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+\
                           hlV/PpQEKTWUVeORWz83AiEA5x2eXZOVbUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=";
        let digest: Digest = Sha256::digest(STANDARD.decode(certificate).unwrap()).into();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let bound = of(json!({"cnf": {"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"}}));
        assert_eq!(bound, Some(Confirmation::Held { key: None, certificate: from_hex(hex.as_bytes()) }));
        let key = of(json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}));
        assert!(matches!(key, Some(Confirmation::Held { key: Some(_), certificate: None })));
    }
}
