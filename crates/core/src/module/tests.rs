use super::*;
use crate::config::Variable;
use crate::headers::Headers;
use crate::request::Request;
use crate::stage::{Alone, Exchange, Verdict};
use crate::time::UnixTime;

fn load(module: Module, document: &str) -> Result<(usize, Vec<String>), String> {
    let loaded = module.load(document.as_bytes(), &|_: &str| Variable::Unset).map_err(|error| error.to_string())?;
    Ok((loaded.stages.len(), loaded.warnings.iter().map(ToString::to_string).collect()))
}

#[test]
fn the_bundle_runs_the_stages_that_its_document_names() {
    let no_issuer = "jwtAuth.jwtRules: there is no issuer, so no token will ever be valid".to_owned();
    assert_eq!(load(Module::Bundle, r#"{"jwtAuth":{}}"#), Ok((1, vec![no_issuer.clone()])));
    let all = r#"{"metrics":{},"auditLog":{},"jwtAuth":{},"authHeader":{"strip":["x-user-*"]}}"#;
    assert_eq!(load(Module::Bundle, all), Ok((4, vec![no_issuer])));
}

#[test]
fn how_a_request_ends_is_told_only_where_a_document_asks_for_it() {
    for (document, expected) in [
        (r#"{"jwtAuth":{},"authHeader":{"strip":["x-user-*"]}}"#, false),
        (r#"{"jwtAuth":{"tracing":{}}}"#, false),
        (r#"{"jwtAuth":{},"metrics":{}}"#, true),
        (r#"{"jwtAuth":{},"auditLog":{}}"#, true),
        (r#"{"jwtAuth":{},"metrics":{"health":{"path":"/healthz"}}}"#, true),
    ] {
        let loaded = Module::Bundle.load(document.as_bytes(), &|_: &str| Variable::Unset).unwrap();
        assert_eq!(loaded.stages.iter().any(|stage| stage.observes()), expected, "{document}");
    }
}

#[test]
fn the_keys_of_the_gateway_are_served_before_anybody_is_asked_who_they_are() {
    let key = r#"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",
        \"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}"#
        .replace('\n', " ");
    let part = |path: &str| {
        format!(
            r#"{{"token":{{"forward":"replace","internal":{{"issuer":"a","audience":"b","key":{{"inline":"{key}"}},"jwksPath":"{path}"}}}}}}"#
        )
    };
    let inline = "token.internal.key.inline: the secret stands in the configuration; `env` keeps it out";
    assert_eq!(load(Module::AuthHeader, &part("/keys")), Ok((2, vec![inline.to_owned()])));
    let bundle = format!(r#"{{"jwtAuth":{{}},"metrics":{{}},"authHeader":{}}}"#, part("/keys"));
    let mut loaded = Module::Bundle.load(bundle.as_bytes(), &|_: &str| Variable::Unset).unwrap();
    let pseudo = [(":method", "GET"), (":path", "/keys"), (":authority", "a")];
    let mut exchange = Exchange::new(Request::new(Headers::from_pairs(pseudo)), None);
    let now = UnixTime::from_secs(1);
    let verdicts: Vec<_> = loaded.stages.iter_mut().map(|stage| stage.on_request(&mut exchange, now, &mut Alone)).collect();
    assert!(matches!(&verdicts[..], [Verdict::Continue, Verdict::Answer(_), Verdict::Refuse(_), _]), "{verdicts:?}");
    let error = load(Module::Bundle, &format!(r#"{{"jwtAuth":{{}},"authHeader":{}}}"#, part("keys"))).unwrap_err();
    assert!(error.starts_with("authHeader.token.internal.jwksPath: is not an exact path"), "{error}");
}

#[test]
fn errors_name_the_place_in_the_whole_document() {
    for (module, document, expected) in [
        (Module::Bundle, r#"{"jwtAuth":{"jwtRules":[{"issuer":"a"}]}}"#, "jwtAuth.jwtRules[0]: has no keys"),
        (Module::JwtAuth, r#"{"jwtRules":[{"issuer":"a"}]}"#, "jwtRules[0]: has no keys"),
        (Module::Bundle, r#"{"jwtAuth":{},"authHeader":{"strip":["*"]}}"#, "authHeader.strip[0]: matches every header"),
        (Module::Bundle, r#"{"jwtAuth":{},"auditLog":{"sinks":[]}}"#, "auditLog.sinks: "),
        (Module::Bundle, r#"{"jwtAuth":{},"metrics":{"labels":["rule","rule"]}}"#, "metrics.labels[1]: "),
        (Module::Bundle, "{}", "jwtAuth: is missing"),
        (Module::Bundle, r#"{"jwtAuth":{},"spans":{"format":"otlp","uri":"http://a/b"}}"#, "spans: needs `jwtAuth.tracing`"),
        (Module::Bundle, r#"{"jwtAuth":{"tracing":{}},"spans":{"format":"otlp","uri":"b"}}"#, "spans.uri: "),
    ] {
        let error = load(module, document).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn warns_that_the_single_module_cannot_keep_what_another_strips() {
    let keep = r#"{"strip":["x-user-*"],"token":{"forward":"keep"}}"#;
    let warning = "token.forward: changes nothing here: jwt-auth keeps or strips the token, by `forwardOriginalToken`";
    assert_eq!(load(Module::AuthHeader, keep), Ok((1, vec![warning.to_owned()])));
}

#[test]
fn warns_of_what_is_not_heard_and_not_told() {
    let options = r#"{"routeRules":false,"publish":[]}"#;
    let not_heard = "routeRules: a route that names a stricter rule in its metadata is not heard";
    let alone = [
        not_heard,
        "publish: leaves out `principal`: auth-header, audit-log and metrics, as modules of their own, know no caller",
        "publish: leaves out `decision`: audit-log and metrics, as modules of their own, do not know what was decided",
    ];
    let warnings = |module, document: &str| load(module, document).unwrap().1;
    for expected in alone {
        assert!(warnings(Module::JwtAuth, options).contains(&expected.to_owned()), "{expected}");
    }
    let bundle = warnings(Module::Bundle, &format!(r#"{{"jwtAuth":{options}}}"#));
    assert!(bundle.contains(&format!("jwtAuth.{not_heard}")), "{bundle:?}");
    assert!(!bundle.iter().any(|warning| warning.contains("publish")), "{bundle:?}");
    let twice = load(Module::Bundle, r#"{"jwtAuth":{"publish":["principal","principal"]}}"#);
    assert_eq!(twice.unwrap_err(), "jwtAuth.publish[1]: is named twice");
}

#[test]
fn a_route_that_is_chosen_anew_has_no_rule_of_its_own() {
    let document = |authn: &str| format!(r#"{{"jwtAuth":{authn},"authHeader":{{"strip":["x-a"],"clearRouteCache":true}}}}"#);
    for authn in ["{}", r#"{"routeRules":false,"rules":[{"match":{"routes":["a"]}}]}"#] {
        let error = load(Module::Bundle, &document(authn)).unwrap_err();
        assert!(error.starts_with("authHeader.clearRouteCache: contradicts rules by route"), "{error}");
    }
    assert!(load(Module::Bundle, &document(r#"{"routeRules":false,"rules":[{"match":{"paths":["/a"]}}]}"#)).is_ok());
    let (_, warnings) = load(Module::AuthHeader, r#"{"strip":["x-a"],"clearRouteCache":true}"#).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("clearRouteCache: "), "{warnings:?}");
}

#[test]
fn a_credential_goes_along_by_the_route_that_is_taken() {
    let upstream = r#"{"clearRouteCache":true,"upstream":[{"match":{"routes":["a"]},"secret":{"inline":"x"}}]}"#;
    let error = load(Module::AuthHeader, upstream).unwrap_err();
    assert!(error.starts_with("upstream: contradicts `clearRouteCache`"), "{error}");
    let error = load(Module::Bundle, &format!(r#"{{"jwtAuth":{{"routeRules":false}},"authHeader":{upstream}}}"#)).unwrap_err();
    assert!(error.starts_with("authHeader.upstream: contradicts `clearRouteCache`"), "{error}");
}

#[test]
fn refuses_two_words_on_whether_the_token_goes_on() {
    let document = |entry: bool| {
        format!(
            r#"{{"jwtAuth":{{"jwtRules":[{{"issuer":"a","secret":{{"inline":"{}"}},"forwardOriginalToken":{entry}}}]}},
                "authHeader":{{"token":{{"forward":"keep"}}}}}}"#,
            "s".repeat(32)
        )
    };
    assert!(load(Module::Bundle, &document(true)).is_ok());
    assert_eq!(
        load(Module::Bundle, &document(false)).unwrap_err(),
        "jwtAuth.jwtRules[0].forwardOriginalToken: contradicts `authHeader.token.forward`; leave one of them out"
    );
}
