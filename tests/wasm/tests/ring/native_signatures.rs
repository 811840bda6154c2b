//! The proxy's `verify_signature`: used where it is right, never believed where it is not, and no verdict depends on it.

use portcullis_wasm_tests::token::Es256Issuer;
use portcullis_wasm_tests::{Host, VerifySignature, fixture};
use serde_json::json;

const NATIVE: &str = "RS256, RS384, RS512, ES256, ES384, ES512";

fn host(issuer: &Es256Issuer, manner: VerifySignature) -> Host {
    let mut host = Host::boot(&["portcullis"]);
    host.verify_signature(manner);
    let configuration = fixture::bundle_with(&fixture::jwt_auth_with(json!({"jwks": issuer.jwks()})));
    assert!(host.configure(configuration), "{manner:?}: {:#?}", host.logs());
    host
}

fn has_logged(host: &Host, text: &str) -> bool {
    host.logs().iter().any(|line| line.text.contains(text))
}

fn signed_by(host: &Host, issuer: &Es256Issuer) -> Vec<(String, String)> {
    fixture::bearer("GET", "/orders", &issuer.sign(fixture::claims(host.now())))
}

/// A right request goes on, and one signed by another key of the same `kid` is refused.
fn assert_tells_right_from_wrong(host: &mut Host, issuer: &Es256Issuer, case: &str) {
    let right = signed_by(host, issuer);
    assert_eq!(host.request(&right).summary(), "continued", "{case}");
    let wrong = signed_by(host, &Es256Issuer::new("k1"));
    assert_eq!(host.request(&wrong).summary(), "401 signature_invalid", "{case}");
}

#[test]
fn verifies_by_a_proxy_that_is_right() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host(&issuer, VerifySignature::Right);
    assert!(has_logged(&host, &format!("the proxy verifies signatures by {NATIVE}")), "{:#?}", host.logs());
    assert!(!has_logged(&host, "the proxy does not verify"));
    let asked = host.signatures_asked();
    assert_tells_right_from_wrong(&mut host, &issuer, "right");
    assert_eq!(host.signatures_asked(), asked + 2);
}

#[test]
fn asks_no_proxy_that_failed_the_test() {
    let issuer = Es256Issuer::new("k1");
    for manner in VerifySignature::ALL.into_iter().filter(|manner| *manner != VerifySignature::Right) {
        let mut host = host(&issuer, manner);
        let warning = format!("the proxy does not verify signatures by {NATIVE}");
        assert_eq!(host.logs().iter().filter(|line| line.text.contains(&warning)).count(), 1, "{manner:?}: {:#?}", host.logs());
        let asked = host.signatures_asked();
        assert_tells_right_from_wrong(&mut host, &issuer, &format!("{manner:?}"));
        assert_eq!(host.signatures_asked(), asked, "{manner:?}");
    }
}

#[test]
fn verifies_itself_when_the_proxy_fails_later() {
    let issuer = Es256Issuer::new("k1");
    let manners = [
        VerifySignature::Absent,
        VerifySignature::Restricted,
        VerifySignature::Empty,
        VerifySignature::Garbage,
        VerifySignature::Huge,
    ];
    for manner in manners {
        let mut host = host(&issuer, VerifySignature::Right);
        host.verify_signature(manner);
        assert_tells_right_from_wrong(&mut host, &issuer, &format!("{manner:?}"));
    }
}
