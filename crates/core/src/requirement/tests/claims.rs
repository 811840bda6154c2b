//! What a claim must be.

use super::*;
use crate::config::matching::MatchConfig;
use crate::headers::Headers;

/// What is said of a token with these claims, for a request to `/acme/7` or the one given.
fn claim(config: &Value, claims: &Value, request: &Request) -> Result<(), Rejection> {
    let matching = MatchConfig::parse(br#"{"paths": ["/{tenant}/{id}"]}"#).unwrap();
    let matcher = Matcher::compile(&matching, "match").unwrap();
    let principal = Principal { claims: claims.as_object().unwrap().clone().into(), ..principal() };
    let requirement = compile(&json!({"claims": [config]})).unwrap();
    let caller = Identity::new(principal, "uaa".into());
    requirement.check(&[&caller], &Facts { request, matcher: &matcher }).map(|_| ())
}

fn request(path: &str, headers: &[(&str, &[u8])]) -> Request {
    let pseudo = [(":method", &b"GET"[..]), (":authority", b"shop.example.com"), (":path", path.as_bytes())];
    Request::new(Headers::from_pairs(pseudo.into_iter().chain(headers.iter().copied())))
}

const MISSING: Result<(), Rejection> = Err(Rejection::ClaimMissing);
const MISMATCH: Result<(), Rejection> = Err(Rejection::ClaimMismatch);

#[test]
fn compares_with_constants_exactly_and_by_type() {
    let claims = json!({
        "tenant": "acme", "level": 3, "ratio": 0.5, "whole": 3.0, "staff": true, "amr": ["pwd", "mfa"], "ids": [1, 2], "none": null,
        "scope": "a b", "org": {"id": "acme"}, "org.id": "own", "empty": "", "no": [],
    });
    let plain = request("/acme/7", &[]);
    for (config, expected) in [
        (json!({"claim": "tenant", "equals": "acme"}), Ok(())),
        (json!({"claim": "tenant", "equals": "Acme"}), MISMATCH),
        (json!({"claim": "tenant", "equals": "acm"}), MISMATCH),
        (json!({"claim": "tenant", "notEquals": "other"}), Ok(())),
        (json!({"claim": "tenant", "notEquals": "acme"}), MISMATCH),
        (json!({"claim": "absent", "equals": "acme"}), MISSING),
        (json!({"claim": "absent", "notEquals": "acme"}), MISSING),
        (json!({"claim": "none", "notEquals": "acme"}), MISSING),
        (json!({"claim": "level", "equals": 3}), Ok(())),
        (json!({"claim": "whole", "equals": 3}), Ok(())),
        (json!({"claim": "whole", "notEquals": 3}), MISMATCH),
        (json!({"claim": "ratio", "equals": 0.5}), Ok(())),
        (json!({"claim": "level", "equals": "3"}), MISMATCH),
        (json!({"claim": "level", "notEquals": "3"}), MISMATCH),
        (json!({"claim": "level", "notEquals": ""}), MISMATCH),
        (json!({"claim": "tenant", "notEquals": 3}), MISMATCH),
        (json!({"claim": "staff", "equals": true}), Ok(())),
        (json!({"claim": "staff", "equals": "true"}), MISMATCH),
        (json!({"claim": "staff", "notEquals": false}), Ok(())),
        (json!({"claim": "amr", "equals": "mfa"}), MISMATCH),
        (json!({"claim": "amr", "notEquals": "otp"}), MISMATCH),
        (json!({"claim": "org", "notEquals": "acme"}), MISMATCH),
        (json!({"claim": "empty", "equals": ""}), Ok(())),
        (json!({"claim": "tenant", "in": ["other", "acme"]}), Ok(())),
        (json!({"claim": "tenant", "in": ["other", 1]}), MISMATCH),
        (json!({"claim": "tenant", "notIn": ["other", 1]}), Ok(())),
        (json!({"claim": "tenant", "notIn": [1, true]}), MISMATCH),
        (json!({"claim": "tenant", "notIn": ["other", "acme"]}), MISMATCH),
        (json!({"claim": "absent", "notIn": ["other"]}), MISSING),
        (json!({"claim": "amr", "in": ["otp", "mfa"]}), Ok(())),
        (json!({"claim": "amr", "in": ["otp", "mf"]}), MISMATCH),
        (json!({"claim": "amr", "notIn": ["otp", "mf"]}), Ok(())),
        (json!({"claim": "amr", "notIn": ["otp", "mfa"]}), MISMATCH),
        (json!({"claim": "no", "in": ["mfa"]}), MISMATCH),
        (json!({"claim": "no", "notIn": ["mfa"]}), Ok(())),
        (json!({"claim": "ids", "in": ["2"]}), MISMATCH),
        (json!({"claim": "scope", "in": ["a", "b"]}), MISMATCH),
        (json!({"claim": "amr", "contains": "mfa"}), Ok(())),
        (json!({"claim": "amr", "contains": "mf"}), MISMATCH),
        (json!({"claim": "amr", "notContains": "otp"}), Ok(())),
        (json!({"claim": "amr", "notContains": "mfa"}), MISMATCH),
        (json!({"claim": "no", "contains": "mfa"}), MISMATCH),
        (json!({"claim": "no", "notContains": "mfa"}), Ok(())),
        (json!({"claim": "ids", "contains": 2}), Ok(())),
        (json!({"claim": "ids", "contains": "2"}), MISMATCH),
        (json!({"claim": "ids", "notContains": "2"}), MISMATCH),
        (json!({"claim": "scope", "contains": "b"}), Ok(())),
        (json!({"claim": "scope", "contains": "a b"}), MISMATCH),
        (json!({"claim": "scope", "notContains": "c"}), Ok(())),
        (json!({"claim": "level", "notContains": 4}), MISMATCH),
        (json!({"claim": "absent", "notContains": "x"}), MISSING),
        (json!({"claim": "tenant", "prefix": "ac"}), Ok(())),
        (json!({"claim": "tenant", "prefix": "x"}), MISMATCH),
        (json!({"claim": "tenant", "notPrefix": "x"}), Ok(())),
        (json!({"claim": "level", "notPrefix": "x"}), MISMATCH),
        (json!({"claim": "absent", "notPrefix": "x"}), MISSING),
        (json!({"claim": "tenant", "exists": true}), Ok(())),
        (json!({"claim": "tenant", "exists": false}), MISMATCH),
        (json!({"claim": "absent", "exists": true}), MISSING),
        (json!({"claim": "absent", "exists": false}), Ok(())),
        (json!({"claim": "none", "exists": true}), MISSING),
        (json!({"claim": "org.id", "equals": "own"}), Ok(())),
        (json!({"claim": "roles", "contains": "ADMIN"}), Ok(())),
        (json!({"claim": "scopes", "contains": "orders.read"}), Ok(())),
        (json!({"claim": "subject", "exists": true}), MISSING),
    ] {
        assert_eq!(claim(&config, &claims, &plain), expected, "{config}");
    }
}

#[test]
fn compares_with_what_the_request_gives() {
    let claims = json!({
        "tenant": "acme", "city": "z\u{fc}rich", "id": 7, "slash": "a/b", "urn": "acme:7", "list": ["acme"], "empty": "",
        "below": -7, "large": 18_446_744_073_709_551_615_u64, "half": 7.5,
    });
    let tenant = json!({"claim": "tenant", "equals": "{path.tenant}"});
    let by_header = json!({"claim": "tenant", "equals": "{header.X-Tenant}"});
    let not_header = json!({"claim": "tenant", "notEquals": "{header.x-tenant}"});
    type Case<'a> = (&'a Value, &'a str, &'a [(&'a str, &'a [u8])], Result<(), Rejection>);
    let cases: [Case<'_>; 35] = [
        (&tenant, "/acme/7", &[][..], Ok(())),
        (&tenant, "/other/7", &[], MISMATCH),
        (&tenant, "/Acme/7", &[], MISMATCH),
        (&tenant, "/%61cme/7", &[], Ok(())),
        (&tenant, "/acme/7/", &[], Ok(())),
        (&tenant, "/x/../acme/7", &[], Ok(())),
        (&tenant, "/acme", &[], MISMATCH),
        (&tenant, "//acme/7", &[], MISMATCH),
        (&tenant, "/acme%2f/7", &[], MISMATCH),
        (&tenant, "*", &[], MISMATCH),
        (&json!({"claim": "slash", "equals": "{path.tenant}"}), "/a%2fb/7", &[], MISMATCH),
        (&json!({"claim": "slash", "notEquals": "{path.tenant}"}), "/a%2fb/7", &[], MISMATCH),
        (&json!({"claim": "city", "equals": "{path.tenant}"}), "/z%c3%bcrich/7", &[], Ok(())),
        (&json!({"claim": "city", "notEquals": "{path.tenant}"}), "/z%fcrich/7", &[], MISMATCH),
        (&json!({"claim": "id", "equals": "{path.id}"}), "/acme/7", &[], Ok(())),
        (&json!({"claim": "id", "equals": "{path.id}"}), "/acme/07", &[], MISMATCH),
        (&json!({"claim": "below", "equals": "{path.id}"}), "/acme/-7", &[], Ok(())),
        (&json!({"claim": "large", "equals": "{path.id}"}), "/acme/18446744073709551615", &[], Ok(())),
        (&json!({"claim": "half", "equals": "{path.id}"}), "/acme/7.5", &[], MISMATCH),
        (&json!({"claim": "urn", "equals": "{path.tenant}:{path.id}"}), "/acme/7", &[], Ok(())),
        (&json!({"claim": "urn", "prefix": "{path.tenant}:"}), "/acme/7", &[], Ok(())),
        (&json!({"claim": "list", "contains": "{path.tenant}"}), "/acme/7", &[], Ok(())),
        (&json!({"claim": "tenant", "in": ["other", "{path.tenant}"]}), "/acme/7", &[], Ok(())),
        (&by_header, "/", &[("x-tenant", b"acme")], Ok(())),
        (&by_header, "/", &[("x-tenant", b"other")], MISMATCH),
        (&by_header, "/", &[], MISMATCH),
        (&by_header, "/", &[("x-tenant", b"acme"), ("x-tenant", b"acme")], MISMATCH),
        (&by_header, "/", &[("x-tenant", b"acme\xff")], MISMATCH),
        (&not_header, "/", &[("x-tenant", b"other")], Ok(())),
        (&not_header, "/", &[], MISMATCH),
        (&not_header, "/", &[("x-tenant", b"a"), ("x-tenant", b"b")], MISMATCH),
        (&json!({"claim": "tenant", "notIn": ["other", "{header.x-tenant}"]}), "/", &[], MISMATCH),
        (&json!({"claim": "empty", "equals": "{header.x-tenant}"}), "/", &[("x-tenant", b"")], MISMATCH),
        (&json!({"claim": "tenant", "notEquals": "{host}"}), "/", &[], Ok(())),
        (&json!({"claim": "tenant", "notEquals": "{method}"}), "/", &[], Ok(())),
    ];
    for (config, path, headers, expected) in cases {
        assert_eq!(claim(config, &claims, &request(path, headers)), expected, "{config} on {path} {headers:?}");
    }
}

#[test]
fn refuses_what_cannot_be_meant_of_a_claim() {
    let one = "has not exactly one comparison; give one of `equals`, `in`, `contains`, `prefix`, their negations (`notEquals` …), and \
               `exists`";
    let values = "values are `{path.NAME}`, `{header.NAME}`, `{host}` and `{method}`";
    for (config, expected) in [
        (json!({"claim": "a"}), format!(": {one}")),
        (json!({"claim": "a", "equals": "a", "exists": true}), format!(": {one}")),
        (json!({"claim": "", "equals": "a"}), ".claim: is empty; name a claim of the token: sub".to_owned()),
        (json!({"claim": "a", "in": []}), ".in: is empty; name what the claim is compared with".to_owned()),
        (json!({"claim": "a", "prefix": ""}), ".prefix: is empty, and every text begins so".to_owned()),
        (json!({"claim": "a", "prefix": 1}), ".prefix: must be a string: only texts have a beginning".to_owned()),
        (
            json!({"claim": "a", "prefix": "{path.tenant}"}),
            ".prefix: ends with a value that the client chooses, who could choose a short one; let it end with literal text: \
             `{path.tenant}:`"
                .to_owned(),
        ),
        (json!({"claim": "a", "equals": 9_007_199_254_740_993_u64}), ".equals: is too large to be compared exactly".to_owned()),
        (json!({"claim": "a", "equals": "{path.tenant"}), format!(".equals: has a `{{` without its `}}`; {values}")),
        (json!({"claim": "a", "equals": "tenant}"}), format!(".equals: has a `}}` without its `{{`; {values}")),
        (
            json!({"claim": "a", "in": ["b", "{tenant}"]}),
            format!(".in[1]: has braces around something that is no value of a request; {values}"),
        ),
        (
            json!({"claim": "a", "equals": "{}"}),
            format!(".equals: has braces around something that is no value of a request; {values}"),
        ),
        (
            json!({"claim": "a", "equals": "{header.a b}"}),
            format!(".equals: has braces around something that is no value of a request; {values}"),
        ),
        (
            json!({"claim": "a", "equals": "{path.tenan}"}),
            ".equals: `{path.tenan}` is not in every path of its match; did you mean `tenant`?".to_owned(),
        ),
    ] {
        assert_eq!(compile(&json!({"claims": [config]})), Err(format!("require.claims[0]{expected}")), "{config}");
    }
    assert_eq!(
        compile(&json!({"claims": [{"claim": "a", "equals": ["a"]}]})),
        Err("claims[0].equals: must be a string, a number, or true or false, not a list".to_owned())
    );
}
