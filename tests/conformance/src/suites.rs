//! The suites: each reads one file of the data and runs every case in it.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::Result;

use crate::report::Report;
use crate::row::Row;

mod envoy_extractor;
mod envoy_http;
mod envoy_jwt_authn;
mod envoy_requirements;
mod envoy_rule_match;
mod higress;
mod istio;
mod istio_policy;
mod jose_rfc;
mod jwt_attacks;
mod jwt_verify_lib;
mod metric_names;
mod primitives;
mod trace_context;
mod trace_headers;
mod wycheproof;

/// Runs the cases of one file.
type Run = fn(&Path) -> Result<Vec<Row>>;

/// Every suite: the file within the data, and what runs its cases.
pub const SUITES: &[(&str, Run)] = &[
    ("envoy_jwt_authn/authenticator", envoy_jwt_authn::authenticator),
    ("envoy_jwt_authn/extractor", envoy_extractor::run),
    ("envoy_jwt_authn/http", envoy_http::run),
    ("envoy_jwt_authn/requirement_logic", envoy_requirements::logic),
    ("envoy_jwt_authn/requirements_allow_missing_failed", envoy_requirements::allow_missing_failed),
    ("envoy_jwt_authn/rule_match", envoy_rule_match::run),
    ("envoy_jwt_authn/tokens", envoy_jwt_authn::tokens),
    ("higress/cpp_jwt_auth_unit", higress::cpp),
    ("higress/e2e_auth", higress::e2e),
    ("higress/go_key_auth_unit", higress::key_auth),
    ("istio/authz_jwt", istio::authz_jwt),
    ("istio/claim_path_syntax", istio::claim_paths),
    ("istio/request_authn", istio::request_authn),
    ("istio/tokens", istio::tokens),
    ("jose_rfc/cookbook", jose_rfc::cookbook),
    ("jose_rfc/rfc7515_rfc8037", jose_rfc::rfc7515),
    ("jwt_attacks/attack_tokens", jwt_attacks::run),
    ("jwt_verify_lib/audience", jwt_verify_lib::audience),
    ("jwt_verify_lib/jwks_parse", jwt_verify_lib::jwks_parse),
    ("jwt_verify_lib/jwt_parse", jwt_verify_lib::jwt_parse),
    ("jwt_verify_lib/time", jwt_verify_lib::time),
    ("jwt_verify_lib/verify", jwt_verify_lib::verify),
    ("metrics/envoy_stat_names", metric_names::run),
    ("trace_headers/b3", trace_headers::b3),
    ("trace_headers/w3c_trace_context", trace_context::run),
    ("trace_headers/w3c_unit", trace_headers::w3c_unit),
    ("wycheproof/json_web_crypto_test", wycheproof::crypto),
    ("wycheproof/json_web_encryption_test", wycheproof::encryption),
    ("wycheproof/json_web_key_test", wycheproof::key),
    ("wycheproof/json_web_signature_test", wycheproof::signature),
    ("wycheproof/primitives/ecdsa_secp256r1_sha256_p1363_test", primitives::es256),
    ("wycheproof/primitives/ecdsa_secp384r1_sha384_p1363_test", primitives::es384),
    ("wycheproof/primitives/ecdsa_secp521r1_sha512_p1363_test", primitives::es512),
    ("wycheproof/primitives/ed25519_test", primitives::ed25519),
    ("wycheproof/primitives/ed448_test", primitives::ed448),
    ("wycheproof/primitives/hmac_sha256_test", primitives::hs256),
    ("wycheproof/primitives/hmac_sha384_test", primitives::hs384),
    ("wycheproof/primitives/hmac_sha512_test", primitives::hs512),
    ("wycheproof/primitives/rsa_pss_2048_sha256_mgf1_32_test", primitives::ps256),
    ("wycheproof/primitives/rsa_pss_2048_sha384_mgf1_48_test", primitives::ps384),
    ("wycheproof/primitives/rsa_pss_4096_sha512_mgf1_64_test", primitives::ps512),
    ("wycheproof/primitives/rsa_signature_2048_sha256_test", primitives::rs256),
    ("wycheproof/primitives/rsa_signature_2048_sha384_test", primitives::rs384),
    ("wycheproof/primitives/rsa_signature_2048_sha512_test", primitives::rs512),
];

/// The report of each suite, once it was run.
static REPORTS: [OnceLock<Report>; SUITES.len()] = [const { OnceLock::new() }; SUITES.len()];

/// The report of the suite of this name. Each suite is run once in a process.
///
/// # Panics
/// When there is no such suite, or its data cannot be read.
pub fn report(folder: &Path, name: &str) -> &'static Report {
    let index = SUITES.iter().position(|(suite, _)| *suite == name);
    let index = index.unwrap_or_else(|| panic!("there is no suite {name}"));
    let (suite, run) = SUITES[index];
    REPORTS[index].get_or_init(|| match run(folder) {
        Ok(rows) => Report { suite, rows },
        Err(error) => panic!("{suite}: {error:?}"),
    })
}
