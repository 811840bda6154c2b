//! The suites: each reads one file of the data and runs every case in it.

use std::path::Path;

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
mod jwt_attacks;
mod jwt_verify_lib;

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
    ("jwt_attacks/attack_tokens", jwt_attacks::run),
    ("jwt_verify_lib/audience", jwt_verify_lib::audience),
    ("jwt_verify_lib/jwks_parse", jwt_verify_lib::jwks_parse),
    ("jwt_verify_lib/jwt_parse", jwt_verify_lib::jwt_parse),
    ("jwt_verify_lib/time", jwt_verify_lib::time),
    ("jwt_verify_lib/verify", jwt_verify_lib::verify),
];

/// Run the suite of this name.
///
/// # Errors
/// When its data cannot be read.
///
/// # Panics
/// When there is no such suite.
pub fn run(folder: &Path, name: &str) -> Result<Report> {
    let found = SUITES.iter().find(|(suite, _)| *suite == name);
    let (suite, run) = found.unwrap_or_else(|| panic!("there is no suite {name}"));
    Ok(Report { suite, rows: run(folder)? })
}
