//! Where we differ from what others expect, and why: the one table of it.

use crate::row::{Expected, Row};

/// Rows of one suite that differ in the same way for the same reason.
#[derive(Debug)]
pub struct Disagreement {
    /// The suite.
    pub suite: &'static str,
    /// The names of the rows; `*` stands for any text.
    pub rows: &'static [&'static str],
    /// What is expected; [`Expected::Either`] where the rows differ in it.
    pub theirs: Expected,
    /// What we do, as a [`Row`] says it.
    pub ours: &'static str,
    /// Why that is right, or what is missing.
    pub why: &'static str,
}

impl Disagreement {
    /// Whether the row differs in this way.
    #[must_use]
    pub fn explains(&self, row: &Row) -> bool {
        self.is_alike(row) && self.rows.iter().any(|pattern| fits(pattern, &row.id))
    }

    /// The names that no row differs under.
    pub fn idle<'a>(&'a self, rows: &'a [Row]) -> impl Iterator<Item = &'static str> + 'a {
        let names = self.rows.iter().copied();
        names.filter(|pattern| !rows.iter().any(|row| self.is_alike(row) && fits(pattern, &row.id)))
    }

    fn is_alike(&self, row: &Row) -> bool {
        let theirs = [row.expected, Expected::Either];
        !row.agrees() && theirs.contains(&self.theirs) && row.ours == self.ours
    }
}

/// Whether a name fits a pattern.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(head) else { return false };
    (0..=rest.len()).any(|start| rest.get(start..).is_some_and(|rest| fits(tail, rest)))
}

/// All of them.
pub const DISAGREEMENTS: &[Disagreement] = &[
    Disagreement {
        suite: "envoy_jwt_authn/authenticator",
        rows: &["auth/TestSubject/ok"],
        theirs: ACCEPTED,
        ours: "not run: a subject by `suffix` has no equal",
        why: "A claim is compared as a whole, or by its beginning.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/authenticator",
        rows: &["auth/TestCompletePadding"],
        theirs: ACCEPTED,
        ours: "not run: `pad_forward_payload_header` has no equal",
        why: "The payload goes on as it stood in the token, which has no padding (RFC 7515 section 2).",
    },
    Disagreement {
        suite: "envoy_jwt_authn/authenticator",
        rows: &["auth/TestClaimToHeader"],
        theirs: ACCEPTED,
        ours: "accepted, but with another x-jwt-claim-object-key",
        why: "A list becomes JSON in a header, not base64 of JSON.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/authenticator",
        rows: &["auth/TestMultipleJWTAllGood", "auth/TestAllowFailedMultiple*"],
        theirs: ACCEPTED,
        ours: "refused: credentials_multiple",
        why: "Two credentials where one is asked for are refused (RFC 6750 section 2): who reads the request next may take the other.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/extractor",
        rows: &["extract/DoubleCustomHeaderToken", "extract/MultipleTokens", "extract/CookieToken"],
        theirs: ACCEPTED,
        ours: "refused: credentials_multiple",
        why: "Envoy collects every token and tries them; two credentials are refused here, and so is a header that is repeated.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/extractor",
        rows: &["extract/PrefixHeaderFlexibleMatch*"],
        theirs: ACCEPTED,
        ours: "refused: credentials_multiple",
        why: "Envoy looks for the prefix anywhere in the value; here a value begins with it, and a comma separates two credentials.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/extractor",
        rows: &["extract/PrefixHeaderFlexibleMatch*"],
        theirs: ACCEPTED,
        ours: "accepted, but without a token",
        why: "Envoy looks for the prefix anywhere in the value; here a value begins with it.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/extractor",
        rows: &["extract/CookieTokenAndDefault"],
        theirs: ACCEPTED,
        ours: "accepted, but with another token",
        why: "Envoy takes a cookie's value out of its quotes; here they belong to the value, which then is no token.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/requirement_logic",
        rows: &["group/RequiresAnyWithAllowAll"],
        theirs: ACCEPTED,
        ours: "not run: a credential that fails never passes",
        why: "There is no way to let a bad credential through where a good one counts.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/requirement_logic",
        rows: &["group/*AnyLast*", "group/AnyInAll*", "group/AllInAny*"],
        theirs: ACCEPTED,
        ours: "refused: credentials_multiple",
        why: "Of alternatives one is asked for, so one credential: a second one is refused before it is known whether the first is good.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/requirements_allow_missing_failed",
        rows: &["all_verifier/AllowFailedInOrListTest/*", "all_verifier/AllowFailedInAndOfOrListTest/*"],
        theirs: ACCEPTED,
        ours: "not run: a credential that fails never passes",
        why: "There is no way to let a bad credential through where a good one counts.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/requirements_allow_missing_failed",
        rows: &["all_verifier/AllowMissingInOrListTest/OtherGoodJwt"],
        theirs: ACCEPTED,
        ours: "refused: issuer_not_allowed",
        why: "A good token of an issuer that the rule does not take is a credential that was sent: with `optional` it is refused too.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/requirements_allow_missing_failed",
        rows: &["all_verifier/AllowMissingInAndOfOrListTest/*"],
        theirs: BOTH,
        ours: "not run: a part of a requirement cannot be optional",
        why: "A rule is optional as a whole, or not at all.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/requirements_allow_missing_failed",
        rows: &["all_verifier/Allow*InAndListTest/*"],
        theirs: ACCEPTED,
        ours: "refused: credentials_multiple",
        why: "Two credentials where one is asked for are refused (RFC 6750 section 2).",
    },
    Disagreement {
        suite: "envoy_jwt_authn/rule_match",
        rows: &["match/TestMatchPrefix/2"],
        theirs: ACCEPTED,
        ours: "refused: no match",
        why: "Paths are matched by segments: `/match/**` is not `/matching`.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/rule_match",
        rows: &["match/TestMatchPath/1"],
        theirs: ACCEPTED,
        ours: "refused: no match",
        why: "Paths have case (RFC 3986 section 6.2.2.1); there is no switch for it.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/rule_match",
        rows: &["match/TestMatchPath/4"],
        theirs: REFUSED,
        ours: "accepted",
        why: "A rule that keeps somebody out reads a path broadly: many services take `/match/` for `/match`.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/rule_match",
        rows: &["match/TestMatchRegex/*", "match/TestMatchSafeRegex/*"],
        theirs: BOTH,
        ours: "not run: rules know no regular expressions",
        why: "Templates of segments cannot be written so that they match more than they seem to.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/rule_match",
        rows: &["match/TestMatchQuery/*", "match/TestMatchPathAndHeader/*", "match/TestMatchConnectQuery/*"],
        theirs: BOTH,
        ours: "not run: rules do not look at the query",
        why: "What a client writes into the query never decides which rule holds.",
    },
    Disagreement {
        suite: "envoy_jwt_authn/tokens",
        rows: &["ExpiredToken", "GoodToken", "GoodTokenWithSpaces", "InvalidAudToken", "NestedGoodToken", "OtherGoodToken"],
        theirs: ACCEPTED,
        ours: "refused: key_unknown",
        why: NO_KID,
    },
    Disagreement {
        suite: "higress/cpp_jwt_auth_unit",
        rows: &["higress-cpp/jwt_auth/CustomHeader/*"],
        theirs: ACCEPTED,
        ours: "refused: token_not_yet_valid",
        why: "The clock of the case stands at 1970, before the token was issued.",
    },
    Disagreement {
        suite: "higress/cpp_jwt_auth_unit",
        rows: &["higress-cpp/jwt_auth/SkipAuthHeader/*"],
        theirs: BOTH,
        ours: "not run: authentication that a header of the client switches on has no equal",
        why: "Who leaves the header out would not be asked for a token.",
    },
    Disagreement {
        suite: "higress/e2e_auth",
        rows: &["higress/WasmPluginsKeyAuth/*", "higress/WasmPluginsBasicAuth/*", "higress/CPPWasmPlugins*"],
        theirs: BOTH,
        ours: NO_API_KEYS,
        why: "Not built yet.",
    },
    Disagreement {
        suite: "higress/go_key_auth_unit",
        rows: &["key-auth/*"],
        theirs: BOTH,
        ours: NO_API_KEYS,
        why: "Not built yet.",
    },
    Disagreement {
        suite: "istio/claim_path_syntax",
        rows: &["*"],
        theirs: REFUSED,
        ours: "not run: header names of a VirtualService have no equal",
        why: "Routing by claims is the proxy's own; a claim has no header name here.",
    },
    Disagreement {
        suite: "istio/claim_path_syntax",
        rows: &["@request.auth.claims[*][*]"],
        theirs: ACCEPTED,
        ours: "refused: no such path",
        why: "A path is cut at its dots: a claim with dots in its name is found by the whole name, but not a claim within it.",
    },
    Disagreement {
        suite: "istio/request_authn",
        rows: &["istio/headers-params/valid-token-set"],
        theirs: ACCEPTED,
        ours: "refused: credentials_multiple",
        why: "Two credentials where one is asked for are refused (RFC 6750 section 2), even when they are the same.",
    },
    Disagreement {
        suite: "jose_rfc/rfc7515_rfc8037",
        rows: &["rfc8037/A.3"],
        theirs: ACCEPTED,
        ours: "not run: thumbprints of keys are not used",
        why: "Keys are named by their `kid`.",
    },
    Disagreement {
        suite: "jwt_attacks/attack_tokens",
        rows: &["attack/base64/sig_trailing_space", "attack/segments/space_prefix"],
        theirs: REFUSED,
        ours: "accepted",
        why: "In a header the space is no part of the token: there may be several before a credential and any number at the end of a \
              value (RFC 9110 sections 5.5 and 11.4).",
    },
    Disagreement {
        suite: "jwt_verify_lib/audience",
        rows: &["aud/*"],
        theirs: ACCEPTED,
        ours: "refused: audience_mismatch",
        why: "Envoy compares audiences without `http://`, `https://` and a slash at the end; RFC 7519 section 4.1.3 compares them whole.",
    },
    Disagreement {
        suite: "jwt_verify_lib/jwks_parse",
        rows: &["jwks/GoodEC", "jwks/JwksIgnoreUnsupportedKeyInMiddle"],
        theirs: ACCEPTED,
        ours: "accepted, but with other keys",
        why: "The coordinate of one key lacks its leading zero byte (RFC 7518 section 6.2.1.2); the Ed25519 key of the other is no point \
              of the curve.",
    },
    Disagreement {
        suite: "jwt_verify_lib/jwks_parse",
        rows: &["jwks/GoodOKP"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "The key is no point of the curve, which Envoy finds out when it verifies.",
    },
    Disagreement {
        suite: "jwt_verify_lib/jwks_parse",
        rows: &["jwks/JwksECMatchAlgES512CrvP521"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "The coordinate lacks its leading zero byte (RFC 7518 section 6.2.1.2).",
    },
    Disagreement {
        suite: "jwt_verify_lib/jwks_parse",
        rows: &["jwks/JwkECMissingCrv", "jwks/JwksECUnspecifiedCrv"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "An elliptic key names its curve (RFC 7518 section 6.2.1.1); Envoy infers it from `alg`.",
    },
    Disagreement {
        suite: "jwt_verify_lib/jwks_parse",
        rows: &["jwks/*X509*"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "A map from `kid` to certificates is Google's own form, and no JWKS (RFC 7517 section 5).",
    },
    Disagreement {
        suite: "jwt_verify_lib/verify",
        rows: &["verify/*/*NoKid*", "verify/*/*NotKid*", "verify/*/OkSymmetricKeyNotAlg"],
        theirs: ACCEPTED,
        ours: "refused: key_unknown",
        why: NO_KID,
    },
    Disagreement {
        suite: "jwt_verify_lib/verify",
        rows: &["verify/x509/*"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "A map from `kid` to certificates is Google's own form, and no JWKS (RFC 7517 section 5).",
    },
    Disagreement {
        suite: "jwt_verify_lib/verify",
        rows: &["verify/pss/*"],
        theirs: ACCEPTED,
        ours: "refused: token_not_yet_valid",
        why: "The clock of the case stands before `iat`, which Envoy does not look at. The rows `#later` show the token taken.",
    },
    Disagreement {
        suite: "trace_headers/w3c_trace_context",
        rows: &[
            "w3c/TraceContextTest.test_traceparent_included_tracestate_missing/1",
            "w3c/AdvancedTest.test_multiple_requests_with_valid_traceparent/1",
            "w3c/TraceContext2Test.test_propagates_random_flag/1",
        ],
        theirs: ACCEPTED,
        ours: "accepted, but the span stays the client's",
        why: "The module makes no span of the request that it passes on, so a new parent-id would name one that nobody ever reports. Envoy's \
              tracer, where it is on, makes one and writes its id.",
    },
    Disagreement {
        suite: "wycheproof/json_web_encryption_test",
        rows: &["* (acceptsEcdh*)", "* (acceptsA128*)", "* (acceptsA256*)", "121 (valid)", "131 (Figure128)"],
        theirs: ACCEPTED,
        ours: "not run: the data holds the public part of the key only",
        why: "Nobody decrypts with a public key. Tokens that jwcrypto encrypts to such keys are decrypted in tests/e2e and in crates/core.",
    },
    Disagreement {
        suite: "wycheproof/json_web_key_test",
        rows: &["* (key_too_short)"],
        theirs: REFUSED,
        ours: "accepted",
        why: "A secret has 32 bytes at least, whatever the hash. RFC 7518 section 3.2 asks for 48 with HS384 and 64 with HS512; issuers sign with shorter ones, and 32 bytes of chance are out of reach already.",
    },
    Disagreement {
        suite: "wycheproof/json_web_signature_test",
        rows: &["* (emptyPayload)"],
        theirs: ACCEPTED,
        ours: "refused: token_malformed",
        why: "The payload of a token is a JSON object, which is never empty.",
    },
    Disagreement {
        suite: "wycheproof/primitives/ed448_test",
        rows: &["*"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "Of the Edwards curves there is Ed25519 alone.",
    },
    Disagreement {
        suite: "wycheproof/primitives/hmac_sha256_test",
        rows: &["key *, tag 128/*"],
        theirs: ACCEPTED,
        ours: "refused: signature_invalid",
        why: "A keyed hash is never cut short (RFC 7518 section 3.2).",
    },
    Disagreement {
        suite: "wycheproof/primitives/hmac_sha256_test",
        rows: &["key 128, *"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "The secret is shorter than 32 bytes.",
    },
    Disagreement {
        suite: "wycheproof/primitives/hmac_sha384_test",
        rows: &["key *, tag 192/*"],
        theirs: ACCEPTED,
        ours: "refused: signature_invalid",
        why: "A keyed hash is never cut short (RFC 7518 section 3.2).",
    },
    Disagreement {
        suite: "wycheproof/primitives/hmac_sha384_test",
        rows: &["key 192, *"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "The secret is shorter than 32 bytes.",
    },
    Disagreement {
        suite: "wycheproof/primitives/hmac_sha512_test",
        rows: &["key *, tag 256/*"],
        theirs: ACCEPTED,
        ours: "refused: signature_invalid",
        why: "A keyed hash is never cut short (RFC 7518 section 3.2).",
    },
    Disagreement {
        suite: "wycheproof/primitives/rsa_signature_2048_sha256_test",
        rows: &["e 03/*"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "The exponent is 65537, the least that FIPS 186-5 allows.",
    },
    Disagreement {
        suite: "wycheproof/primitives/rsa_signature_2048_sha512_test",
        rows: &["e 03/*"],
        theirs: ACCEPTED,
        ours: "refused: key set",
        why: "The exponent is 65537, the least that FIPS 186-5 allows.",
    },
];

const ACCEPTED: Expected = Expected::Accepted;
const REFUSED: Expected = Expected::Refused;
/// Some of the rows are to be accepted, some refused.
const BOTH: Expected = Expected::Either;
const NO_API_KEYS: &str = "not run: API keys and Basic authentication have no equal yet";
const NO_KID: &str = "A token without `kid` needs exactly one key that fits, and one with a `kid` a key that bears it; Envoy tries every \
                      key. The rows `#its-key` show the token taken by the key that signed it.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*", "a/b/c", true),
            ("*/c", "a/b/c", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcd", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
