use serde_json::json;

use super::*;

fn read(json: &str) -> ClaimSet {
    ClaimSet::read(json.to_owned()).unwrap()
}

#[test]
fn says_what_serde_json_says() {
    let texts = [
        "{}",
        r#"{"iss":"https://i.example.com","aud":["a","b"],"exp":1700000000,"x":1.5,"n":null,"t":true,"o":{"a":{"b":[]}}}"#,
        r#"{"\u0061\"":"\n","é":"日本","empty":"","":1}"#,
        " { \"a\" : [ 1 , \"x\" ] ,\n\"b\":-2 , \"c\":18446744073709551615 } ",
    ];
    for text in texts {
        let expected: Map<String, Value> = serde_json::from_str(text).unwrap();
        let claims = read(text);
        assert_eq!(Map::from(&claims), expected, "{text}");
        assert_eq!(serde_json::to_value(&claims).unwrap(), Value::Object(expected.clone()), "{text}");
        assert_eq!(claims, ClaimSet::from(expected.clone()), "{text}");
        assert_eq!(serde_json::from_str::<ClaimSet>(text).unwrap(), claims, "{text}");
        for (name, value) in &expected {
            assert_eq!(claims.get(name), Some(Claim::from(value)), "{name}");
        }
        assert_eq!(claims.iter().count(), expected.len());
    }
}

#[test]
fn refuses_what_is_not_one_object_with_distinct_names() {
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    let texts = [
        "",
        "[]",
        "\"a\"",
        "{",
        "{}{}",
        "{\"a\":1,}",
        "{\"a\":1e999}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\t\"}",
        "{a:1}",
        "\u{feff}{}",
        "{\"a\":1,\"b\":2,\"a\":1}",
        "{\"a\":1,\"\\u0061\":1}",
        "{\"x\":{\"a\":1,\"a\":1}}",
        "{\"x\":[{\"a\":1,\"a\":1}]}",
        &deep,
    ];
    for text in texts {
        assert!(ClaimSet::read(text.into()).is_err(), "{text}");
    }
    let repeated = ClaimSet::read(r#"{"b":1,"a":1,"b":1}"#.into()).unwrap_err().to_string();
    assert_eq!(repeated, "the name `b` is repeated at line 1 column 19");
}

#[test]
fn finds_a_repeated_name_among_very_many() {
    let members: Vec<String> = (0..2000).map(|number| format!("\"{number:x}\":{number}")).collect();
    let claims = read(&format!("{{{}}}", members.join(",")));
    for number in [0, 1, 15, 16, 999, 1999] {
        assert_eq!(claims.get(&format!("{number:x}")), Some(Claim::from(&json!(number))));
    }
    for repeated in [0, 1, 1000, 1999] {
        let text = format!("{{{},\"{repeated:x}\":0}}", members.join(","));
        assert!(ClaimSet::read(text).is_err(), "{repeated}");
    }
}

#[test]
fn finds_a_claim_by_its_path_and_prefers_its_own_name() {
    let claims =
        read(r#"{"realm_access":{"roles":["a"],"x":"y"},"https://example.com/roles":["b"],"a.b":1,"a":{"b":2,"c.d":"e"}}"#);
    let at = |path| claims.at(path).map(Value::from);
    assert_eq!(at("realm_access.roles"), Some(json!(["a"])));
    assert_eq!(claims.at("realm_access.x"), Some(Claim::Text("y")));
    assert_eq!(at("https://example.com/roles"), Some(json!(["b"])));
    assert_eq!(at("a.b"), Some(json!(1)));
    assert_eq!(at("a.c.d"), Some(json!("e")));
    for absent in ["realm_access.roles.x", "absent", "realm_access.", ".", "a.b.c"] {
        assert_eq!(at(absent), None, "{absent}");
    }
}

#[test]
fn a_replaced_claim_is_what_is_told_and_written() {
    let text = r#"{"a":"x y","b":{"c":"x y","d":{"e":"z"}},"f.g":"x y","f":{"g":"left"}}"#;
    let mut claims = read(text);
    for path in ["a", "b.c", "f.g", "absent", "b.absent", "a.c", "b.d.e.f"] {
        claims.replace_at(path, |claim| claim.as_str().map(|text| text.split(' ').collect::<Vec<_>>().into()));
    }
    let expected = json!({"a": ["x", "y"], "b": {"c": ["x", "y"], "d": {"e": "z"}}, "f.g": ["x", "y"], "f": {"g": "left"}});
    assert_eq!(serde_json::to_value(&claims).unwrap(), expected);
    let mut written = Vec::new();
    claims.write_json(&mut written).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), expected);

    let mut untouched = read(text);
    untouched.replace_at("a", |_| None);
    let mut written = Vec::new();
    untouched.write_json(&mut written).unwrap();
    assert_eq!(written, text.as_bytes());
}

#[test]
fn the_memory_that_it_takes_grows_with_what_is_kept() {
    let small = read(r#"{"a":"x"}"#).heap_bytes();
    assert!(small >= 9 + size_of::<Member>());
    let texts = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
    assert!((small + 999..small + 1100).contains(&read(&texts).heap_bytes()));
    assert_eq!(read(&texts).json_length(), texts.len());
    let list = format!(r#"{{"a":[{}1]}}"#, "1,".repeat(500));
    assert!(read(&list).heap_bytes() > small + 1000 + 500 * size_of::<Value>());
}

#[test]
fn only_sets_of_the_same_claims_are_equal() {
    let claims = read(r#"{"a":"x","b":[1]}"#);
    assert_eq!(claims, read(r#"{"b":[1],"a":"x"}"#));
    for other in [r#"{"a":"x"}"#, r#"{"a":"x","b":[1],"c":null}"#, r#"{"a":"x","b":[2]}"#, r#"{"a":"x","c":[1]}"#] {
        assert_ne!(claims, read(other), "{other}");
        assert_ne!(read(other), claims, "{other}");
    }
}

#[test]
fn what_stands_beyond_a_text_has_no_place_in_it() {
    let text = "abcdef";
    let (start, end) = text.split_at(3);
    let place = |part, whole| Span::of(part, whole).map(Span::range);
    assert_eq!(place(start, text), Some(0..3));
    assert_eq!(place(end, text), Some(3..6));
    assert_eq!(place(end, start), None);
    assert_eq!(place(text, start), None);
    assert_eq!(place(start, end), None);
}

#[test]
fn claims_are_equal_wherever_they_are_kept() {
    let (one, other) = (["a".to_owned(), "b".to_owned()], ["a".to_owned(), "c".to_owned()]);
    let values = [json!(["a", "b"]), json!(["a", 1]), json!("a"), json!("b"), json!(1), json!(null), json!({"a": "b"})];
    let kept = [Claim::Texts(&one), Claim::Texts(&other), Claim::Texts(&one[..1]), Claim::Texts(&[])];
    let claims: Vec<_> = kept.into_iter().chain(values.iter().map(Claim::from)).collect();
    for one in &claims {
        for other in &claims {
            assert_eq!(one == other, Value::from(*one) == Value::from(*other), "{one:?} and {other:?}");
        }
    }
}
