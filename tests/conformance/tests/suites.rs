//! Every row of every suite, and the document about them.

use std::path::Path;
use std::{env, fs};

use portcullis_conformance::{folder, report, suites};

const HINT: &str = "docs/conformance.md is out of date: UPDATE=1 make test-conformance";

/// Run suites, or say that they were skipped.
fn check(names: &[&str]) {
    let Some(folder) = folder() else {
        println!("skipped: CONFORMANCE names no folder with the data ({})", names.join(", "));
        return;
    };
    let mut problems = Vec::new();
    for name in names {
        let report = suites::run(&folder, name).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(!report.rows.is_empty(), "{name} has no rows");
        problems.extend(report.problems().into_iter().map(|problem| format!("{name}: {problem}")));
    }
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n"));
}

macro_rules! suites {
    ($($test:ident: $($suite:literal),+;)+) => {
        $(#[test] fn $test() { check(&[$($suite),+]); })+
        const COVERED: &[&str] = &[$($($suite),+),+];
    };
}

suites! {
    envoy_requests: "envoy_jwt_authn/authenticator", "envoy_jwt_authn/http", "envoy_jwt_authn/tokens";
    envoy_requirements: "envoy_jwt_authn/requirement_logic", "envoy_jwt_authn/requirements_allow_missing_failed";
    envoy_matching: "envoy_jwt_authn/extractor", "envoy_jwt_authn/rule_match";
    higress: "higress/e2e_auth", "higress/cpp_jwt_auth_unit", "higress/go_key_auth_unit";
    istio: "istio/tokens", "istio/request_authn", "istio/authz_jwt", "istio/claim_path_syntax";
    jwt_attacks: "jwt_attacks/attack_tokens";
    jwt_verify_lib_parsing: "jwt_verify_lib/jwt_parse", "jwt_verify_lib/jwks_parse";
    jwt_verify_lib_claims: "jwt_verify_lib/time", "jwt_verify_lib/audience";
    jwt_verify_lib_signatures: "jwt_verify_lib/verify";
}

#[test]
fn every_suite_has_a_test() {
    for (suite, _) in suites::SUITES {
        assert!(COVERED.contains(suite), "{suite}");
    }
    assert_eq!(COVERED.len(), suites::SUITES.len());
}

/// The document is compared in full when the data has the rows that it was written from; of another edition only the table of
/// disagreements, which does not depend on it.
#[test]
fn the_document_says_what_the_suites_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    let found = fs::read_to_string(&path).unwrap_or_default();
    for line in report::disagreements().lines() {
        assert!(env::var_os("UPDATE").is_some() || found.contains(line), "docs/conformance.md lacks: {line}\n{HINT}");
    }
    let Some(folder) = folder() else {
        println!("the rest is skipped: CONFORMANCE names no folder with the data");
        return;
    };
    let reports: Vec<_> = suites::SUITES.iter().map(|(name, _)| suites::run(&folder, name).unwrap()).collect();
    let document = report::document(&reports);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, document).unwrap();
    } else if reports.iter().all(|report| found.contains(&format!("| {} | {} |", report.suite, report.rows.len()))) {
        assert_eq!(found, document, "{HINT}");
    } else {
        println!("the rest is skipped: docs/conformance.md was written from another edition of the data");
    }
}
