//! Encrypted identifiers in headers.

use super::*;

const KEY: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

fn config() -> Value {
    json!({"inject": [{"header": "x-member-id", "claim": "enc.uid",
                       "decrypt": {"algorithm": "A256GCM", "key": {"inline": KEY}, "aad": "{issuer}|{sub}"}}]})
}

fn with_required(required: bool) -> Value {
    let mut config = config();
    config["inject"][0]["required"] = json!(required);
    config
}

/// The claim for an identifier of the caller.
fn claim(identifier: &str) -> String {
    let policy = policy(&config());
    let cipher = policy.cipher_of("X_Member_Id").unwrap();
    let fill = |nonce: &mut [u8]| {
        nonce.fill(1);
        Ok(())
    };
    cipher.seal(identifier, identity(json!({})).principal().unwrap(), None, fill).unwrap()
}

fn told(config: &Value, claims: Value) -> (String, Vec<(String, String)>) {
    let mut exchange = allow(exchange(&[("x_member_id", "forged")]), claims);
    run(config, &mut exchange);
    let reason = exchange.decision.as_ref().unwrap().reason.to_string();
    (reason, upstream(&exchange))
}

#[test]
fn the_upstream_gets_what_was_encrypted() {
    for (identifier, header) in [("member-4711", "member-4711"), ("Zoë\r\nx-admin: 1", "Zo%C3%AB%0D%0Ax-admin: 1")] {
        let found = told(&config(), json!({"enc": {"uid": claim(identifier)}}));
        assert_eq!(found, (TOKEN_VALID.to_owned(), pairs(&[("x-member-id", header)])));
    }
    let empty = told(&config(), json!({"enc": {"uid": claim("")}}));
    assert_eq!(empty, (TOKEN_VALID.to_owned(), vec![]));
}

/// Case 39: what cannot be decrypted is refused, or left out where it may be; the claim itself never goes on.
#[test]
fn case_39_what_cannot_be_decrypted_never_goes_on() {
    let good = claim("member-4711");
    let middle = good.chars().nth(30).unwrap();
    let tampered: String = good
        .chars()
        .enumerate()
        .map(|(at, one)| {
            if at != 30 {
                one
            } else if middle == 'A' {
                'B'
            } else {
                'A'
            }
        })
        .collect();
    for (case, value) in [
        ("tampered", json!(tampered)),
        ("truncated", json!(good.chars().take(good.len() - 4).collect::<String>())),
        ("not encrypted", json!("member-4711")),
        ("empty", json!("")),
        ("a number", json!(4711)),
        ("a list", json!([good])),
        ("an object", json!({"a": good})),
    ] {
        let claims = json!({"enc": {"uid": value}});
        for config in [config(), with_required(true)] {
            let (reason, headers) = told(&config, claims.clone());
            assert_eq!((reason.as_str(), headers), ("identifier_undecryptable", vec![]), "{case}");
        }
        assert_eq!(told(&with_required(false), claims), (TOKEN_VALID.to_owned(), vec![]), "{case}");
    }
    let mut elsewhere = config();
    elsewhere["inject"][0]["decrypt"]["aad"] = json!("{sub}");
    assert_eq!(told(&elsewhere, json!({"enc": {"uid": good}})).0, "identifier_undecryptable");
}

#[test]
fn without_the_claim_there_is_no_header_unless_it_is_required() {
    for claims in [json!({}), json!({"enc": {"uid": null}})] {
        for config in [config(), with_required(false)] {
            assert_eq!(told(&config, claims.clone()), (TOKEN_VALID.to_owned(), vec![]));
        }
        assert_eq!(told(&with_required(true), claims).0, "claim_missing");
    }
}

#[test]
fn decrypting_is_for_a_claim_and_makes_text() {
    let error = |inject: Value| {
        let config: AuthHeaderConfig = serde_json::from_value(json!({"inject": [inject]})).unwrap();
        Policy::compile(&config, &NOWHERE).unwrap_err().to_string()
    };
    let decrypt = &config()["inject"][0]["decrypt"];
    for (inject, expected) in [
        (
            json!({"header": "x", "template": "{sub}", "decrypt": decrypt}),
            "inject[0].decrypt: has no effect without `claim`; remove it",
        ),
        (json!({"header": "x", "value": "a", "decrypt": decrypt}), "inject[0].decrypt: has no effect without `claim`; remove it"),
        (
            json!({"header": "x", "claim": "c", "type": "string", "decrypt": decrypt}),
            "inject[0].type: has no effect beside `decrypt`: what was encrypted is text; remove it",
        ),
        (
            json!({"header": "x", "claim": "c", "decrypt": {"algorithm": "A256GCM", "key": {"inline": "short"}}}),
            "inject[0].decrypt.key: the key has 5 bytes, and A256GCM needs 32",
        ),
    ] {
        assert_eq!(error(inject), expected);
    }
}
