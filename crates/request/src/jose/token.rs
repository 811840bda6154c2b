//! A token before and after its signature was verified: a signed text whose payload is claims.

use std::fmt;
use std::rc::Rc;

use super::Algorithm;
use super::claims::Claims;
use super::jose_header::JoseHeader;
use super::jws::Jws;
use super::known_header::KnownHeader;
use super::malformed::Malformed;
use crate::claim_set::ClaimSet;
use crate::rejection::Rejection;

/// A well-formed token. Nobody has vouched for what it says.
pub struct Token<'a> {
    bytes: &'a [u8],
    jws: Jws<'a>,
    claims: Claims,
}

impl<'a> Token<'a> {
    /// Read a token in compact form (RFC 7515 section 7.1).
    ///
    /// # Errors
    /// [`Rejection::TokenTooLarge`], [`Rejection::TokenMalformed`], and [`Rejection::AlgorithmNotAllowed`] for an `alg` that is
    /// not an [`Algorithm`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        Self::read(bytes).map_err(Rejection::from)
    }

    /// The same, with the precise reason for whoever holds the token.
    ///
    /// # Errors
    /// [`Malformed`]: what [`Jws::read`] refuses, then claims of the wrong type.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::read_knowing(bytes, &mut KnownHeader::default())
    }

    /// The same, faster where the header is that of the token before.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn read_knowing(bytes: &'a [u8], known: &mut KnownHeader) -> Result<Self, Malformed> {
        let mut jws = Jws::read_knowing(bytes, known)?;
        let claims = Claims::parse(jws.take_payload())?;
        Ok(Self { bytes, jws, claims })
    }

    /// The `iss` that the token claims: good for choosing the keys that may vouch for it, and for nothing else.
    #[must_use]
    pub fn unverified_issuer(&self) -> Option<&str> {
        self.claims.text("iss")
    }

    /// The algorithm that the token claims to be signed by.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.jws.algorithm()
    }

    /// The `kid` that the token claims to be signed with.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.jws.key_id()
    }

    /// The signed text that it is.
    pub(super) const fn jws(&self) -> &Jws<'a> {
        &self.jws
    }

    /// The claims of this token. Only for the place that has just verified its signature.
    pub(super) fn into_verified(self) -> Verified<'a> {
        Verified { bytes: self.bytes, claims: self.claims, header: self.jws.into_header() }
    }
}

impl fmt::Debug for Token<'_> {
    /// Names the algorithm only: a token is a credential and must not reach a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// The claims of a token whose signature is valid. Whether they hold here and now is for
/// [`ClaimRules`](super::ClaimRules) to say.
pub struct Verified<'a> {
    /// The token.
    pub(super) bytes: &'a [u8],
    pub(super) claims: Claims,
    pub(super) header: Rc<JoseHeader>,
}

impl Verified<'_> {
    /// All claims.
    #[must_use]
    pub const fn claims(&self) -> &ClaimSet {
        &self.claims.members
    }

    /// The same, taken out.
    #[must_use]
    pub fn into_claims(self) -> ClaimSet {
        self.claims.members
    }
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verified").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::jose::jws::MAX_TOKEN_BYTES;

    fn encode(text: &str) -> String {
        URL_SAFE_NO_PAD.encode(text)
    }

    fn outcome(token: &str) -> Result<Algorithm, Rejection> {
        Token::parse(token.as_bytes()).map(|token| token.algorithm())
    }

    #[test]
    fn holds_headers_to_their_form() {
        let cases = [
            (r#"{"alg":"RS256"}"#, Ok(Algorithm::Rs256)),
            (r#"{"alg":"EdDSA","kid":"../../etc/passwd'; DROP","typ":"JWT","cty":"x"}"#, Ok(Algorithm::EdDsa)),
            (
                r#"{"alg":"ES256","jku":"https://evil.example","x5u":"https://evil.example","x5c":["MII"],"jwk":{"kty":"oct"}}"#,
                Ok(Algorithm::Es256),
            ),
            (r#"{"alg":"none"}"#, Err(Rejection::AlgorithmNotAllowed)),
            (r#"{"alg":"None"}"#, Err(Rejection::AlgorithmNotAllowed)),
            (r#"{"alg":""}"#, Err(Rejection::AlgorithmNotAllowed)),
            (r#"{"alg":"rs256"}"#, Err(Rejection::AlgorithmNotAllowed)),
            (r#"{"alg":"ps256"}"#, Err(Rejection::AlgorithmNotAllowed)),
            (r#"{"alg":null}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":["RS256"]}"#, Err(Rejection::TokenMalformed)),
            ("{}", Err(Rejection::TokenMalformed)),
            (r#"["RS256"]"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","alg":"HS256"}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","kid":7}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","kid":null}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","typ":1}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","crit":["exp"],"exp":1}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","crit":[]}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","b64":false}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","b64":true}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","zip":"DEF"}"#, Err(Rejection::TokenMalformed)),
            (r#"{"alg":"RS256","enc":"A256GCM"}"#, Err(Rejection::TokenMalformed)),
        ];
        for (header, expected) in cases {
            let token = format!("{}.{}.{}", encode(header), encode("{}"), encode("signature"));
            assert_eq!(outcome(&token), expected, "{header}");
        }
    }

    #[test]
    fn holds_the_compact_form_to_its_letter() {
        let (header, claims, signature) = (encode(r#"{"alg":"RS256"}"#), encode("{}"), "AQAB");
        assert!(outcome(&format!("{header}.{claims}.{signature}")).is_ok());
        let cases = [
            String::new(),
            "..".to_owned(),
            header.clone(),
            format!("{header}.{claims}"),
            format!("{header}.{claims}."),
            format!("{header}..{signature}"),
            format!(".{claims}.{signature}"),
            format!("{header}.{claims}.{signature}."),
            format!("{header}.{claims}.{signature}.{signature}.{signature}"),
            format!(" {header}.{claims}.{signature}"),
            format!("{header}.{claims}.{signature}\n"),
            format!("{header}.{claims}.AQ AB"),
            format!("{header}.{claims}.AQ="),
            format!("{header}.{claims}.AQ=="),
            format!("{header}.{claims}.AR"),
            format!("{header}.{claims}.A"),
            format!("{header}.{claims}.AQ+/"),
            format!("{header}.{claims}.AQ%41"),
            format!("{header}.{}.{signature}", encode("not json")),
            format!("{header}.{}.{signature}", encode(&format!("{{\"a\":{}{}}}", "[".repeat(5000), "]".repeat(5000)))),
        ];
        for token in cases {
            assert_eq!(outcome(&token), Err(Rejection::TokenMalformed), "{token}");
        }
        assert_eq!(Token::parse(b"\xff.\xfe.\x00").err(), Some(Rejection::TokenMalformed));
    }

    #[test]
    fn says_where_a_token_breaks() {
        let (header, claims) = (encode(r#"{"alg":"RS256"}"#), encode("{}"));
        let with_header = |text: &str| format!("{}.{claims}.AQAB", encode(text));
        let with_claims = |text: &str| format!("{header}.{}.AQAB", encode(text));
        let cases = [
            ("abc".to_owned(), "it has no dot; a signed token has three parts with dots between them"),
            (format!("{header}.{claims}"), "it has 2 parts with dots between them; a signed token has three"),
            ("a.b.c.d.e".to_owned(), "it has five parts, so it is encrypted (JWE), and only signed tokens (JWS) are read here"),
            (format!("{header}.{claims}."), "the signature is empty: the token is not signed"),
            (format!(".{claims}.AQAB"), "the header is empty"),
            (format!("{header}.{claims}.AQ=="), "the signature is not unpadded base64url: it ends with padding, `=`"),
            (
                format!("{header}.{claims}.A+AB"),
                "the signature is not unpadded base64url: byte 1 of it belongs to base64, not to base64url",
            ),
            (format!("{header}.{claims}.AQ\nAB"), "the signature is not unpadded base64url: byte 2 of it is white space"),
            (
                format!("{header}.{claims}.AQ!AB"),
                "the signature is not unpadded base64url: byte 2 of it does not belong to the alphabet",
            ),
            (
                format!("{header}.{claims}.AR"),
                "the signature is not unpadded base64url: byte 1, its last, has bits set that belong to no byte",
            ),
            (
                format!("{header}.{claims}.ABCDE"),
                "the signature is not unpadded base64url: no bytes are written with 5 characters",
            ),
            (
                with_header(r#"{"alg":"RS256","alg":"HS256"}"#),
                "the header is not JSON that every reader understands alike: the name `alg` is repeated at line 1 column 29",
            ),
            (with_header("[]"), "the header is not a JSON object"),
            (with_header("{}"), "the header names no algorithm: `alg` is missing"),
            (with_header(r#"{"alg":"none"}"#), "`alg` in the header names no algorithm that exists here; `none` is not one"),
            (with_header(r#"{"alg":"RS256","kid":7}"#), "`kid` in the header is not a string"),
            (with_header(r#"{"alg":"RS256","crit":["b64"]}"#), "the header holds `crit`, which asks for more than is done here"),
            (with_claims(r#"{"exp":"1"}"#), "the claim `exp` is not a number of seconds since 1970, at most to the year 9999"),
            (with_claims(r#"{"aud":1}"#), "the claim `aud` is not a string or a list of strings"),
            (with_claims(r#"{"sub":1}"#), "the claim `sub` is not a string"),
        ];
        for (token, expected) in cases {
            assert_eq!(Token::read(token.as_bytes()).err().unwrap().to_string(), expected, "{token}");
        }
        assert_eq!(Token::read(b"a\xff").err().unwrap().to_string(), "it is not text: byte 1 is not UTF-8");
    }

    #[test]
    fn refuses_a_long_token_by_its_length_alone() {
        assert_eq!(Token::parse(&vec![b'.'; MAX_TOKEN_BYTES + 1]).err(), Some(Rejection::TokenTooLarge));
        assert_eq!(Token::parse(&vec![b'.'; MAX_TOKEN_BYTES]).err(), Some(Rejection::TokenMalformed));
    }

    #[test]
    fn does_not_show_a_credential() {
        let token = format!("{}.{}.AQAB", encode(r#"{"alg":"RS256"}"#), encode(r#"{"sub":"alice"}"#));
        assert_eq!(format!("{:?}", Token::parse(token.as_bytes()).unwrap()), "Token { algorithm: Rs256, .. }");
    }
}
