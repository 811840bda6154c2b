//! What the headers of `inject` hold, beside claims as they are.

use super::*;

/// The headers that the upstream gets of a request by alice, or why it is refused.
fn injected(inject: &Value, claims: Value, path: &str, headers: &[(&str, &str)]) -> Result<Vec<(String, String)>, Rejection> {
    let mut exchange = request(path, headers);
    exchange.identity = Some(identity(claims));
    exchange.decision = Some(Decision::allow("orders".into(), TOKEN_VALID, Some("uaa".into())));
    match run(&json!({"inject": inject}), &mut exchange) {
        Verdict::Continue => Ok(upstream(&exchange)),
        Verdict::Refuse(refusal) => Err(refusal.rejection),
        Verdict::Answer(_) | Verdict::TellHealth(_) | Verdict::Wait(_) => panic!("nothing to wait for"),
    }
}

fn request(path: &str, headers: &[(&str, &str)]) -> Exchange {
    let pseudo = [(":method", "GET"), (":path", path), (":authority", "api.example.com")];
    Exchange::new(Request::new(Headers::from_pairs(pseudo.iter().chain(headers).copied())), Some(NOW))
}

#[test]
fn writes_templates_about_the_caller_and_the_request() {
    let claims = || json!({"tenant": "acme", "n": 7, "list": ["a,b", "c"], "o": {"k": 1}, "empty": "", "null": null});
    let path = "/orders/4%202/lines?page=2";
    let cases = [
        ("{issuer}|{claim.tenant}|{sub}", Some("https://uaa.example.com|acme|alice")),
        ("{subject}", Some("alice")),
        ("user-{sub}", Some("user-alice")),
        ("{claim.n}", Some("7")),
        ("{roles}", Some("ADMIN,USER")),
        ("{claim.list}", Some("a%252Cb,c")),
        ("{claim.o}", Some(r#"{"k":1}"#)),
        ("{claim.o.k}", Some("1")),
        ("{path.orderId}", Some("4 2")),
        ("order/{path.orderId}", Some("order/4 2")),
        ("{method} {host}", Some("GET api.example.com")),
        ("{header.x-client}!", Some("app!")),
        ("{claim.absent}|{sub}", None),
        ("{claim.empty}|{sub}", None),
        ("{claim.null}", None),
        ("{scopes}", None),
        ("{tokenId}", None),
        ("{header.x-absent}", None),
        ("{header.x-twice}", None),
    ];
    let headers = [("x-client", "app"), ("x-twice", "1"), ("x-twice", "2")];
    for (template, expected) in cases {
        let inject = json!([{"header": "x-made", "template": template, "match": {"paths": ["/orders/{orderId}/**"]}}]);
        let found = injected(&inject, claims(), path, &headers).unwrap();
        let made = found.iter().find(|(name, _)| name == "x-made").map(|(_, value)| value.as_str());
        assert_eq!(made, expected, "{template}");
    }
}

#[test]
fn no_value_of_a_template_can_be_taken_for_another() {
    let inject = json!([{"header": "x-made", "template": "<{claim.a}|{claim.b}>"}]);
    let made = |a: &str, b: &str| injected(&inject, json!({"a": a, "b": b}), "/", &[]).unwrap().remove(0).1;
    assert_eq!(made("1", "2"), "<1|2>");
    assert_eq!(made("1|2", "3"), "<1%7C2|3>");
    assert_eq!(made("1", "2|3"), "<1|2%7C3>");
    assert_eq!(made("1>", "é%"), "<1%3E|%C3%A9%25>");
    assert_eq!(made("a\r\nx-admin: 1", " b"), "<a%0D%0Ax-admin: 1|%20b>");
    let alone = json!([{"header": "x-made", "template": "<{claim.a}>"}]);
    assert_eq!(injected(&alone, json!({"a": "<1>"}), "/", &[]).unwrap(), pairs(&[("x-made", "<<1>>")]));
}

#[test]
fn sets_constants_and_facts_of_the_request_for_whoever_may_pass() {
    let config = json!({"inject": [
        {"header": "x-gateway", "value": "portcullis"},
        {"header": "x-host", "template": "{host}"},
        {"header": "x-sub", "claim": "subject", "required": true},
        {"header": "x-who", "template": "{sub}@{host}", "required": true}
    ]});
    let mut public = request("/", &[("x-gateway", "forged"), ("x-who", "forged")]);
    public.decision = Some(Decision::allow("health".into(), PUBLIC, None));
    assert_eq!(run(&config, &mut public), Verdict::Continue);
    assert_eq!(upstream(&public), pairs(&[("x-gateway", "portcullis"), ("x-host", "api.example.com")]));
    let mut refused = request("/", &[("x-gateway", "forged")]);
    refused.decision = Some(Decision::refuse("orders".into(), Rejection::TokenMissing, None));
    assert_eq!(run(&config, &mut refused), Verdict::Continue);
    assert_eq!(upstream(&refused), pairs(&[]));
}

#[test]
fn a_header_with_a_match_is_set_where_it_matches_and_stripped_everywhere() {
    let inject = json!([{"header": "x-order", "claim": "subject", "match": {"paths": ["/orders/**"]}}]);
    for (path, expected) in [("/orders/1", &[("x-order", "alice")][..]), ("/other", &[]), ("/orders%2f1", &[])] {
        assert_eq!(
            injected(&inject, json!({}), path, &[("x-order", "root"), ("X_Order", "root")]).unwrap(),
            pairs(expected),
            "{path}"
        );
    }
}

#[test]
fn encodes_by_the_rule_that_is_chosen() {
    let cases: &[(&str, &str, Value, Result<&str, Rejection>)] = &[
        ("percent", "csv", json!("é "), Ok("%C3%A9%20")),
        ("base64", "csv", json!("é "), Ok("w6kg")),
        ("base64", "csv", json!("alice"), Ok("YWxpY2U=")),
        ("base64url", "csv", json!("alice?>"), Ok("YWxpY2U_Pg")),
        ("base64url", "csv", json!(["a,b%", "\r\n"]), Ok("YSUyQ2IlMjUsDQo")),
        ("base64url", "json", json!({"a": "é"}), Ok("eyJhIjoiw6kifQ")),
        ("refuse", "csv", json!("50 % off"), Ok("50 % off")),
        ("refuse", "csv", json!("é"), Err(Rejection::ClaimMismatch)),
        ("refuse", "csv", json!("a\nb"), Err(Rejection::ClaimMismatch)),
        ("refuse", "csv", json!(" a"), Err(Rejection::ClaimMismatch)),
        ("refuse", "csv", json!(["a", "b,c"]), Err(Rejection::ClaimMismatch)),
        ("refuse", "repeat", json!(["a", "b\0"]), Err(Rejection::ClaimMismatch)),
    ];
    for (encoding, format, claim, expected) in cases {
        let inject = json!([{"header": "x-c", "claim": "c", "encoding": encoding, "format": format}]);
        let found = injected(&inject, json!({"c": claim}), "/", &[]);
        assert_eq!(found, expected.map(|value| pairs(&[("x-c", value)])), "{encoding} {claim}");
    }
}

#[test]
fn refuses_claims_that_are_not_what_the_header_may_carry() {
    let claims = || json!({"n": 7, "text": "abc", "list": [], "null": null, "empty": ""});
    let cases = [
        (json!({"claim": "text", "type": "string"}), Ok(())),
        (json!({"claim": "n", "type": "string"}), Err(Rejection::ClaimMismatch)),
        (json!({"claim": "n", "type": "number"}), Ok(())),
        (json!({"claim": "list", "type": "array"}), Ok(())),
        (json!({"claim": "roles", "type": "array"}), Ok(())),
        (json!({"claim": "text", "type": "boolean"}), Err(Rejection::ClaimMismatch)),
        (json!({"claim": "text", "type": "object"}), Err(Rejection::ClaimMismatch)),
        (json!({"claim": "absent", "type": "object"}), Ok(())),
        (json!({"claim": "null", "type": "object"}), Ok(())),
        (json!({"claim": "absent", "required": true}), Err(Rejection::ClaimMissing)),
        (json!({"claim": "null", "required": true}), Err(Rejection::ClaimMissing)),
        (json!({"claim": "empty", "required": true}), Err(Rejection::ClaimMissing)),
        (json!({"claim": "scopes", "required": true}), Err(Rejection::ClaimMissing)),
        (json!({"claim": "list", "required": true}), Err(Rejection::ClaimMissing)),
        (json!({"template": "{claim.absent}", "required": true}), Err(Rejection::ClaimMissing)),
        (json!({"claim": "text", "maxBytes": 3}), Ok(())),
        (json!({"claim": "text", "maxBytes": 2}), Err(Rejection::ClaimTooLarge)),
        (json!({"template": "{claim.text}!", "maxBytes": 3}), Err(Rejection::ClaimTooLarge)),
        (json!({"claim": "text", "maxBytes": 3, "encoding": "base64"}), Err(Rejection::ClaimTooLarge)),
    ];
    for (mut inject, expected) in cases {
        inject["header"] = json!("x-c");
        let found = injected(&json!([inject]), claims(), "/", &[("x-c", "root")]);
        assert_eq!(found.map(|_| ()), expected, "{inject}");
    }
}

#[test]
fn refuses_injections_that_say_nothing_or_too_much() {
    let cases = [
        (json!({}), "inject[0]: has not exactly one of `claim`, `template` and `value`; a header's value comes from one place"),
        (
            json!({"claim": "a", "value": "b"}),
            "inject[0]: has not exactly one of `claim`, `template` and `value`; a header's value comes from one place",
        ),
        (json!({"template": "{sub}", "format": "csv"}), "inject[0].format: has no effect without `claim`; remove it"),
        (json!({"value": "a", "type": "string"}), "inject[0].type: has no effect without `claim`; remove it"),
        (json!({"value": "a", "required": true}), "inject[0].required: has no effect beside `value`; remove it"),
        (json!({"claim": "a", "maxBytes": 0}), "inject[0].maxBytes: must be between 1 and 8192"),
        (json!({"claim": "a", "maxBytes": 8193}), "inject[0].maxBytes: must be between 1 and 8192"),
        (
            json!({"value": "a\nb"}),
            "inject[0].value: is not the value of a header; use visible ASCII, at most 8192 bytes of it, without a space at \
             either end",
        ),
        (
            json!({"template": "{sub}é"}),
            "inject[0].template: has a character around its values that no header holds; use visible ASCII without `%`",
        ),
        (
            json!({"template": "{issuer}{sub}"}),
            "inject[0].template: has two values that cannot be told apart; put a character between them that is no letter or \
             digit: `{issuer}|{sub}`",
        ),
        (
            json!({"template": "a{issuer}and{sub}"}),
            "inject[0].template: has two values that cannot be told apart; put a character between them that is no letter or \
             digit: `{issuer}|{sub}`",
        ),
        (
            json!({"template": "{path.id}"}),
            "inject[0].template: `{path.id}` is not in every path of its match; give the entry a `match` whose `paths` all have it",
        ),
        (
            json!({"template": "{header.X_C}"}),
            "inject[0].template: takes its value from `x_c`, which is removed from every request; a header that only the gateway \
             may set tells nothing of a client",
        ),
        (json!({"claim": "a", "match": {}}), "inject[0].match: is empty; leave `match` out to match every request"),
    ];
    for (mut inject, expected) in cases {
        inject["header"] = json!("x-c");
        let config: AuthHeaderConfig = serde_json::from_value(json!({"inject": [inject]})).unwrap();
        assert_eq!(Policy::compile(&config, &NOWHERE).unwrap_err().to_string(), expected, "{inject}");
    }
    for template in ["{nobody}", "{claim.}", "{header.}", "{sub", "sub}", "{}", ""] {
        let config = json!({"inject": [{"header": "x-c", "template": template}]});
        let config: AuthHeaderConfig = serde_json::from_value(config).unwrap();
        let error = Policy::compile(&config, &NOWHERE).unwrap_err().to_string();
        assert!(error.starts_with("inject[0].template: ") && error.contains("values are `{issuer}`"), "{error}");
    }
}

#[test]
fn a_header_that_is_there_is_replaced_and_never_added_to() {
    let config =
        json!({"inject": [{"header": "x-sub", "claim": "sub"}, {"header": "x-list", "claim": "list", "format": "repeat"}]});
    let claims = || json!({"sub": "alice", "list": ["a", "b"]});
    let written = |mut exchange: Exchange| {
        assert_eq!(run(&config, &mut exchange), Verdict::Continue);
        let writes = exchange.edits.writes().filter(|(edit, _)| !matches!(edit, Edit::Remove(_)));
        writes.map(|(_, is_new)| is_new).collect::<Vec<_>>()
    };
    assert_eq!(written(allow(request("/", &[("x-other", "1")]), claims())), [true; 3]);
    assert_eq!(written(allow(request("/", &[("X_Sub", "root")]), claims())), [false; 3]);
    assert_eq!(written(allow(request("/", &[("x-list", "root")]), claims())), [false; 3]);
    let mut set_before = allow(request("/", &[]), claims());
    set_before.edits.set("x-sub", "of the entry");
    assert_eq!(written(set_before), [false; 4]);
}

#[test]
fn an_answer_loses_what_no_client_is_to_see_or_is_not_sent() {
    let mut stage = AuthHeader::new(policy(&json!({"stripResponse": ["x-internal-*"]})), false);
    assert!(stage.needs().response_headers);
    let mut changed = |headers: &[(&[u8], &[u8])]| {
        let mut edits = HeaderEdits::default();
        stage.on_response(&Headers::from_pairs(headers.iter().copied()), &mut edits).map(|()| edits.iter().cloned().collect())
    };
    let removed: Vec<Edit> = vec![Edit::Remove("x-internal-a".into()), Edit::Remove("x_internal_b".into())];
    let headers: &[(&[u8], &[u8])] =
        &[(b":status", b"200"), (b"X_Internal_B", b"1"), (b"x-public", b"2"), (b"x-internal-a", b"3")];
    assert_eq!(changed(headers), Ok(removed));
    assert_eq!(changed(&[(b":status", b"200"), (b"x-internal-\xff", b"1"), (b"x-internal-a", b"2")]), Err(Rejection::HostError));
}
