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
        let report = suites::report(&folder, name);
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
    jose_rfc: "jose_rfc/cookbook", "jose_rfc/rfc7515_rfc8037";
    jwt_attacks: "jwt_attacks/attack_tokens";
    jwt_verify_lib_parsing: "jwt_verify_lib/jwt_parse", "jwt_verify_lib/jwks_parse";
    jwt_verify_lib_claims: "jwt_verify_lib/time", "jwt_verify_lib/audience";
    jwt_verify_lib_signatures: "jwt_verify_lib/verify";
    metric_names: "metrics/envoy_stat_names";
    trace_headers: "trace_headers/b3", "trace_headers/w3c_trace_context", "trace_headers/w3c_unit";
    wycheproof_jose: "wycheproof/json_web_crypto_test", "wycheproof/json_web_encryption_test", "wycheproof/json_web_key_test",
        "wycheproof/json_web_signature_test";
    wycheproof_ecdsa: "wycheproof/primitives/ecdsa_secp256r1_sha256_p1363_test",
        "wycheproof/primitives/ecdsa_secp384r1_sha384_p1363_test", "wycheproof/primitives/ecdsa_secp521r1_sha512_p1363_test";
    wycheproof_edwards: "wycheproof/primitives/ed25519_test", "wycheproof/primitives/ed448_test";
    wycheproof_hmac: "wycheproof/primitives/hmac_sha256_test", "wycheproof/primitives/hmac_sha384_test",
        "wycheproof/primitives/hmac_sha512_test";
    wycheproof_rsa_pss: "wycheproof/primitives/rsa_pss_2048_sha256_mgf1_32_test",
        "wycheproof/primitives/rsa_pss_2048_sha384_mgf1_48_test", "wycheproof/primitives/rsa_pss_4096_sha512_mgf1_64_test";
    wycheproof_rsa_pkcs1: "wycheproof/primitives/rsa_signature_2048_sha256_test",
        "wycheproof/primitives/rsa_signature_2048_sha384_test", "wycheproof/primitives/rsa_signature_2048_sha512_test";
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
    let reports: Vec<_> = suites::SUITES.iter().map(|(name, _)| suites::report(&folder, name)).collect();
    let document = report::document(&reports);
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, document).unwrap();
    } else if reports.iter().all(|report| found.contains(&format!("| {} | {} |", report.suite, report.rows.len()))) {
        assert_eq!(found, document, "{HINT}");
    } else {
        println!("the rest is skipped: docs/conformance.md was written from another edition of the data");
    }
}
