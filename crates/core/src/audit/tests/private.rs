//! What never leaves as it is, and how large an event gets.

use super::*;

const KEY: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";
/// printf %s alice | openssl dgst -sha256 -hmac $KEY -binary | head -c 16 | basenc --base64url
const ALICE: &str = "hmac:ZmSkIEjG1tf-NlfjmxQVXA";

fn hash(fields: Value) -> Value {
    if fields.is_null() { json!({"key": {"inline": KEY}}) } else { json!({"key": {"inline": KEY}, "fields": fields}) }
}

fn everything(more: Value) -> Value {
    let mut config = json!({
        "events": [approve_order()],
        "include": {
            "requestHeaders": ["X-Phone", "x-note"], "queryParams": ["q", "note"], "claims": ["email", "phone", "groups", "note"],
        },
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    config
}

fn alice() -> Exchange {
    let headers = [("x-phone", "+49 170 1234567"), ("x-note", "alice")];
    let exchange = exchange("POST", "/orders/42/approve?q=alice&note=n", &headers);
    allowed(exchange, json!({"email": "alice", "phone": "+49 170 7654321", "groups": ["alice", "b"], "note": "n"}))
}

fn ending() -> Completion {
    let facts = Facts { client: Some("10.1.2.3:4567".into()), peer: Some("spiffe://a/b".into()), ..Facts::default() };
    Completion { facts, ..answered(200) }
}

#[test]
fn a_pseudonym_stands_for_the_subject_and_nobody_sees_the_name() {
    let event = event(everything(json!({"hash": hash(json!(null))})), &alice(), &ending());
    assert_eq!(event["principal"]["subject"], ALICE);
    assert_eq!(event["principal"]["claims"]["email"], "alice", "only the subject is asked for");
    let token = event["principal"]["tokenId"].as_str().unwrap();
    assert!(token.starts_with("hmac:") && token.len() == ALICE.len(), "{token}");
}

#[test]
fn what_is_named_is_hashed_or_masked_and_all_else_stays_as_it_is() {
    let config = everything(json!({
        "hash": hash(json!(["subject", "client", "tokenId", "object", "claims.email", "claims.groups", "headers.X-Note", "query.q"])),
        "mask": ["claims.phone", "headers.x-phone", "query.note"],
    }));
    let event = event(config, &alice(), &ending());
    assert_eq!(event["principal"]["claims"]["email"], ALICE);
    assert_eq!(event["principal"]["claims"]["phone"], "***4321");
    assert_eq!(event["principal"]["claims"]["note"], "n");
    assert!(event["principal"]["claims"]["groups"].as_str().unwrap().starts_with("hmac:"));
    assert_eq!(event["request"]["headers"], json!({"x-phone": "***4567", "x-note": ALICE}));
    assert_eq!(event["request"]["query"], json!({"q": ALICE, "note": "***"}));
    assert!(event["client"]["address"].as_str().unwrap().starts_with("hmac:"));
    assert_eq!(event["client"]["peer"], "spiffe://a/b");
    assert!(event["object"].as_str().unwrap().starts_with("hmac:"));
    assert_eq!(
        (&event["request"]["path"], &event["request"]["pathTemplate"]),
        (&json!(null), &json!("/orders/{orderId}/approve"))
    );
    let line = event.to_string();
    for name in ["alice", "10.1.2.3", "1234567", "7654321", "/42", KEY] {
        assert!(!line.contains(name), "{name} stands in {line}");
    }
}

#[test]
fn refuses_fields_that_there_are_not_and_keys_that_are_too_short() {
    let short = json!({"hash": {"key": {"inline": "short"}}});
    for (config, expected) in [
        (
            json!({"hash": hash(json!(["email"]))}),
            "hash.fields[0]: `email` is no field; there is subject, client, tokenId, object, claims.NAME, headers.NAME and query.NAME",
        ),
        (
            json!({"hash": hash(json!(["claims.mail"]))}),
            "hash.fields[0]: `claims.mail` is not in `include.claims`, and so in no event; there is `claims.email`, `claims.phone`, `claims.groups`, `claims.note`",
        ),
        (
            json!({"mask": ["headers.x-other"]}),
            "mask[0]: `headers.x-other` is not in `include.requestHeaders`, and so in no event; there is `headers.x-phone`, `headers.x-note`",
        ),
        (json!({"mask": ["subject", "subject"]}), "mask[1]: is named twice"),
        (json!({"hash": hash(json!(["subject"])), "mask": ["subject"]}), "mask[0]: is named twice"),
        (json!({"mask": ["object"]}), "mask[0]: cannot be masked; name it in `hash.fields`"),
        (json!({"limits": {"value": "8B"}}), "limits.value: is less than 64B, and leaves nothing to read"),
        (json!({"limits": {"event": "1KiB"}}), "limits.event: is less than 4096B, and leaves nothing to read"),
    ] {
        assert_eq!(compile(everything(config)).unwrap_err().to_string(), expected);
    }
    let error = compile(everything(short)).unwrap_err().to_string();
    assert!(error.starts_with("hash.key.inline: ") && !error.contains("short\""), "{error}");
    let mut sub = everything(json!({"hash": hash(json!(["subject"]))}));
    sub["include"]["claims"] = json!(["sub"]);
    let warnings = compile(sub).unwrap().1;
    assert!(
        warnings.iter().any(|warning| warning.to_string().starts_with("include.claims[0]: is mostly the subject")),
        "{warnings:?}"
    );
}

#[test]
fn an_event_that_is_too_long_loses_what_is_least_and_says_so() {
    let long = "l".repeat(900);
    let headers = [("x-note", long.as_str())];
    let exchange = || {
        let exchange = exchange("POST", &format!("/orders/42/approve?q={long}&note={long}"), &headers);
        allowed(exchange, json!({"email": long, "phone": long, "groups": long, "note": long}))
    };
    let lost = |limit: &str| {
        let line = line(everything(json!({"limits": {"event": limit}})), &exchange(), &ending()).unwrap();
        let event: Value = serde_json::from_str(&line).unwrap();
        let is_empty = |pointer: &str| event.pointer(pointer).unwrap().as_object().unwrap().is_empty();
        assert_eq!(event["truncated"], is_empty("/request/headers"));
        assert_eq!(event["principal"]["subject"], "alice");
        (line.len(), ["/request/headers", "/request/query", "/principal/claims"].map(is_empty))
    };
    assert_eq!(lost("16KiB").1, [false, false, false]);
    for (limit, bytes, expected) in
        [("7000B", 7000, [true, false, false]), ("5500B", 5500, [true, true, false]), ("4KiB", 4096, [true, true, true])]
    {
        let (length, lost) = lost(limit);
        assert_eq!(lost, expected, "{limit}: {length}");
        assert!(length <= bytes, "{limit}: {length}");
    }
    let value = event(everything(json!({"limits": {"value": "64B"}})), &exchange(), &ending());
    assert_eq!(value["principal"]["claims"]["email"], format!("{}…", "l".repeat(64)));
}

#[test]
fn case_08_no_claim_header_or_parameter_breaks_the_line() {
    let hostile = [
        "a\r\nb",
        "nul\0nul",
        "\u{1b}[2J",
        "é ü 日本 \u{1f600}",
        "next\u{85}line c1\u{9b}",
        "separators\u{2028}\u{2029}",
        "turned\u{202e}round\u{2066}",
        "quotes \"},{\"outcome\":\"allowed\"",
        "delete\u{7f}",
    ];
    for text in hostile.iter().map(|text| (*text).to_owned()).chain(["x".repeat(1 << 20), "\u{2028}".repeat(1 << 18)]) {
        let mut exchange = exchange("POST", "/orders/42/approve", &[("x-note", &text)]);
        exchange.stripped.add(&[format!("x-{text}")]);
        let exchange = allowed(exchange, json!({"email": text, "note": {"nested": [text]}, "groups": [text]}));
        let line = line(everything(json!({})), &exchange, &ending()).unwrap();
        assert!(line.len() <= 16 * 1024, "{}", line.len());
        let is_safe =
            |character: char| !character.is_control() && !matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(line.chars().all(is_safe), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["outcome"], "allowed");
        if text.len() < 1024 {
            assert_eq!(read["principal"]["claims"]["email"], text.as_str());
            assert_eq!(read["principal"]["claims"]["note"]["nested"][0], text.as_str());
        }
    }
}

#[test]
fn case_08_a_subject_of_a_megabyte_and_a_million_roles_leave_a_line_of_bounded_length() {
    let mut exchange = exchange("POST", "/orders/42/approve", &[]);
    let principal = Principal {
        issuer: "\u{2028}".repeat(1 << 18),
        subject: Some("\r".repeat(1 << 20)),
        roles: vec!["\n".repeat(2000); 10_000],
        scopes: vec![],
        audiences: vec![],
        claims: json!({}).as_object().unwrap().clone().into(),
        method: Method::ApiKey,
        token_id: Some("\0".repeat(1 << 20)),
        expires_at: None,
    };
    exchange.identity = Some(Rc::new(Identity::new(principal, "uaa".into())));
    let line = line(everything(json!({})), &exchange, &ending()).unwrap();
    assert!(line.len() < 24 * 1024, "{}", line.len());
    assert!(line.contains("\"truncated\":true"), "{line}");
}
