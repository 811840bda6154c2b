//! The bed itself, proven with Envoy's own JWT filter: what it says about a module is to be trusted.

use portcullis_testbed::{Algorithm, Bootstrap, Envoy, FakeJwksServer, Fault, Issuer, JwksServer, Listener, Request, Upstream};
use serde_json::{Value, json};

/// Every algorithm that Envoy's own filter knows.
const KNOWN_TO_ENVOY: [Algorithm; 6] =
    [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];

fn native(issuer: &Issuer, keys: &Value) -> Value {
    let mut provider = json!({"issuer": issuer.name(), "audiences": ["orders"], "forward": true});
    provider.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": {"uaa": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "uaa"}}],
        },
    })
}

fn remote(cluster: &str) -> Value {
    let uri = json!({"uri": "http://keys.example.com/jwks", "cluster": cluster, "timeout": "0.5s"});
    json!({"remote_jwks": {"http_uri": uri, "cache_duration": "300s"}})
}

#[test]
fn envoy_accepts_the_tokens_of_the_bed_and_the_upstream_sees_them() {
    let issuer = Issuer::new("https://uaa.example.com", &KNOWN_TO_ENVOY).unwrap();
    let upstream = Upstream::start().unwrap();
    let keys = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
    let bootstrap = Bootstrap::new()
        .cluster("upstream", upstream.address())
        .cluster("keys", keys.address())
        .listener(Listener::new("native").native(native(&issuer, &remote("keys"))))
        .listener(Listener::new("open"));
    let envoy = Envoy::start(&bootstrap).unwrap();
    let client = envoy.listener("native");

    for algorithm in KNOWN_TO_ENVOY {
        let token = issuer.key(algorithm).unwrap().sign(&issuer.claims()).unwrap();
        let response = client.get_with("/orders?page=2", &token);
        assert_eq!(response.status, 200, "{}: {}", algorithm.as_str(), response.text());
        let seen = upstream.seen(&response.id).unwrap();
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/orders?page=2"));
        assert_eq!(seen.headers.get("authorization").unwrap(), format!("Bearer {token}"));
    }
    assert!((1..=2).contains(&keys.fetches()), "each of two workers fetches once: {}", keys.fetches());

    let refused = client.get("/orders");
    assert_eq!(refused.outcome(), "401");
    assert_eq!(upstream.seen(&refused.id).map(|seen| seen.path), None);
    let line = envoy.access_line("native", &refused.id);
    assert_eq!((line.status.as_str(), line.decision.as_str()), ("401", "-"));
    assert!(line.details.starts_with("jwt_authn_access_denied"), "{}", line.details);

    let odd = Request::new("BREW", "/pot").header("x-raw", b"\xff\xfe").header("x-raw", b"2");
    let response = envoy.listener("open").send(&odd);
    let seen = upstream.seen(&response.id).unwrap();
    assert_eq!(seen.method, "BREW");
    assert!(seen.headers.iter().any(|header| header == ("x-raw", b"\xff\xfe")), "{:?}", seen.headers);
    assert_eq!(seen.headers.all("x-raw").len(), 2);

    assert_eq!(
        envoy.metric(
            "envoy_http_downstream_rq_xx",
            &[("envoy_http_conn_manager_prefix", "native"), ("envoy_response_code_class", "4")]
        ),
        1.0
    );
    assert!(envoy.stats().contains("server.live: 1"));
}

#[test]
fn each_fault_of_a_key_server_is_seen_as_missing_keys() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let servers: Vec<_> = Fault::ALL.into_iter().map(|fault| (fault, FakeJwksServer::start(fault).unwrap())).collect();
    let mut bootstrap = Bootstrap::new();
    for (fault, server) in &servers {
        let name = format!("{fault:?}");
        bootstrap =
            bootstrap.cluster(&name, server.address()).listener(Listener::new(&name).native(native(&issuer, &remote(&name))));
    }
    let envoy = Envoy::start(&bootstrap).unwrap();
    for (fault, server) in &servers {
        let response = envoy.listener(&format!("{fault:?}")).get_with("/", &issuer.token().unwrap());
        assert_eq!(response.status, 401, "{fault:?}: {}", response.text());
        assert!(server.fetches() > 0, "{fault:?}");
    }
}

#[test]
fn a_refused_configuration_ends_envoy_and_says_why() {
    let filter = json!({"name": "x", "typed_config": {"@type": "type.googleapis.com/no.such.Filter"}});
    let bootstrap = Bootstrap::new().listener(Listener::new("broken").native(filter));
    assert!(Envoy::start_expecting_refusal(&bootstrap).unwrap().contains("no.such.Filter"));
    assert!(Envoy::start(&bootstrap).unwrap_err().to_string().contains("no.such.Filter"));

    let sound = Bootstrap::new().listener(Listener::new("sound"));
    let error = Envoy::start_expecting_refusal(&sound).unwrap_err().to_string();
    assert!(error.contains("serves with a configuration that it must refuse"), "{error}");
}
