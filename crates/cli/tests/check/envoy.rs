//! Configurations of Envoy.

use crate::run::assert_check;

fn envoy(filter: &str, clusters: &str) -> String {
    format!(
        r#"static_resources:
  listeners:
  - filter_chains:
    - filters:
      - typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          http_filters:
          - name: wasm
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config: {filter}
  clusters: {clusters}
"#
    )
}

/// Where the filter's config stands in [`envoy`].
const AT: &str = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.config";

fn struct_of(json: &str) -> String {
    format!(r#"{{"@type": type.googleapis.com/google.protobuf.Struct, value: {json}}}"#)
}

fn code(name: &str) -> String {
    format!("code: {{local: {{filename: /etc/envoy/{name}.wasm}}}}")
}

#[test]
fn checks_an_envoy_configuration() {
    let by_secret = struct_of("{jwtRules: [{issuer: https://i, secret: {env: JWT}}]}");
    let by_uri = |more: &str| struct_of(&format!("{{jwtRules: [{{issuer: https://i, jwksUri: https://i/keys{more}}}]}}"));
    let vm = |more: &str| format!("vm_config: {{{}{more}}}", code("jwt_auth"));
    let key = ", environment_variables: {key_values: {JWT: S3CRET-that-must-not-be-printed-anywhere}}";
    let clusters = "[{name: orders}, {name: issuer}]";
    let ok = |module: &str, counts: &str| format!("ok: e.yaml: {AT}.configuration.value: {module} ({counts})\n");
    let error = |error: &str| format!("error: {AT}.{error}\n");
    for (case, filter, stdout, stderr, code) in [
        ("a Struct", format!("{{configuration: {by_secret}, {}}}", vm(key)), ok("jwt-auth", "1 issuer"), String::new(), 0),
        (
            "camelCase, a variable of the host",
            format!("{{configuration: {by_secret}, vmConfig: {{environmentVariables: {{hostEnvKeys: [JWT]}}}}, name: x}}"),
            ok("jwt-auth", "1 issuer"),
            format!("warning: {AT}.configuration.value.jwtRules[0].secret.env: the variable cannot be checked here\n"),
            0,
        ),
        (
            "variable that is not passed on",
            format!("{{configuration: {by_secret}, {}}}", vm("")),
            String::new(),
            error(
                "configuration.value.jwtRules[0].secret.env: the variable is not set in the VM's environment; pass it on with \
                 `vmConfig.env` (Istio) or `vm_config.environment_variables` (Envoy)",
            ),
            1,
        ),
        (
            "variable in both places",
            format!(
                "{{configuration: {by_secret}, vm_config: {{environment_variables: {{key_values: {{JWT: a}}, host_env_keys: [JWT]}}}}}}"
            ),
            String::new(),
            error("vm_config.environment_variables.key_values: `JWT` is in host_env_keys as well; Envoy refuses that")
                + "note: taken for jwt-auth because of its keys; --module says otherwise\n",
            1,
        ),
        (
            "a StringValue that is not JSON",
            format!(
                r#"{{configuration: {{"@type": type.googleapis.com/google.protobuf.StringValue, value: '{{"a": S3CRET}}'}}, {}}}"#,
                vm("")
            ),
            String::new(),
            error("configuration.value: the configuration is not JSON: expected value at line 1 column 7"),
            1,
        ),
        (
            "a StringValue with an object in it",
            format!(
                r#"{{configuration: {{"@type": type.googleapis.com/google.protobuf.StringValue, value: {{a: 1}}}}, {}}}"#,
                vm("")
            ),
            String::new(),
            error("configuration.value: must be a string; write `value: |` and the JSON below it"),
            1,
        ),
        (
            "another type",
            format!(r#"{{configuration: {{"@type": type.googleapis.com/x.Y}}, {}}}"#, vm("")),
            String::new(),
            error(
                "configuration: `@type` must be `type.googleapis.com/google.protobuf.StringValue` or \
                 `type.googleapis.com/google.protobuf.Struct`",
            ),
            1,
        ),
        (
            "no configuration",
            format!("{{{}}}", vm("")),
            String::new(),
            error("configuration: the configuration is empty; give the plugin its configuration as a JSON object"),
            1,
        ),
        (
            "unknown key",
            format!("{{configuration: {}, {}}}", struct_of("{jwtRule: S3CRET}"), vm("")),
            String::new(),
            error("configuration.value.jwtRule: unknown key; did you mean `jwtRules`?"),
            1,
        ),
        (
            "cluster that is defined",
            format!("{{configuration: {}, {}}}", by_uri(", cluster: issuer"), vm("")),
            ok("jwt-auth", "1 issuer"),
            String::new(),
            0,
        ),
        (
            "cluster that is not defined",
            format!("{{configuration: {}, {}}}", by_uri(", cluster: isuer"), vm("")),
            String::new(),
            error(
                "configuration.value.jwtRules[0].cluster: no cluster of static_resources has the name `isuer`; did you mean `issuer`?",
            ),
            1,
        ),
        (
            "cluster that is not defined, in the bundle",
            format!(
                "{{configuration: {}, vm_config: {{{}}}}}",
                struct_of("{jwtAuth: {jwtRules: [{issuer: https://i, jwksUri: https://i/keys, cluster: isuer}]}}"),
                self::code("portcullis")
            ),
            String::new(),
            error(
                "configuration.value.jwtAuth.jwtRules[0].cluster: no cluster of static_resources has the name `isuer`; did you mean \
                 `issuer`?",
            ),
            1,
        ),
        (
            "Istio's name for a cluster, outside of Istio",
            format!("{{configuration: {}, {}}}", by_uri(""), vm("")),
            String::new(),
            error(
                "configuration.value.jwtRules[0].cluster: is missing, and no cluster of static_resources has the name that stands \
                 for it, `outbound|443||i`; clusters: `issuer`, `orders`",
            ),
            1,
        ),
        (
            "fails open",
            format!("{{configuration: {by_secret}, {}, failure_policy: FAIL_OPEN}}", vm(key)),
            ok("jwt-auth", "1 issuer"),
            error("failure_policy: when the module fails, requests pass unauthenticated; write FAIL_CLOSED"),
            1,
        ),
        (
            "fails open, the old way",
            format!("{{configuration: {by_secret}, {}, fail_open: true}}", vm(key)),
            ok("jwt-auth", "1 issuer"),
            error("fail_open: when the module fails, requests pass unauthenticated; write false"),
            1,
        ),
        (
            "fails open, by number; only counts",
            format!("{{configuration: {}, vm_config: {{{}}}, failurePolicy: 3}}", struct_of("{}"), self::code("metrics")),
            ok("metrics", "defaults only"),
            format!(
                "warning: {AT}.failurePolicy: when the module fails, requests pass uncounted\n\
                 warning: {AT}.configuration.value: stats_config.stats_tags has no `rule`, `decision`, `reason`, `issuer`, `method`, \
                 `status_class`: metrics keep these labels in their names; `portcullis stats-tags` prints the tags\n"
            ),
            0,
        ),
        (
            "somebody else's filter",
            format!(
                "{{configuration: {}, {}}}",
                struct_of("{their: S3CRET}"),
                "vm_config: {code: {local: {filename: theirs.wasm}}}"
            ),
            String::new(),
            format!(
                "warning: {AT}.configuration.value: is not checked: neither the name of the code nor the keys are those of a \
                 Portcullis module; --module says which it is\n\
                 error: e.yaml: holds no configuration of a Portcullis module; a module's own JSON or YAML, an Istio WasmPlugin, or an \
                 Envoy configuration with a Wasm filter is looked for\n"
            ),
            1,
        ),
    ] {
        assert_check(case, "e.yaml", &envoy(&filter, clusters), &stdout, &stderr, code);
    }
}

#[test]
fn asks_for_clusters_only_where_all_are_known() {
    let filter = format!(
        "{{configuration: {}, vm_config: {{{}}}}}",
        struct_of("{jwtRules: [{issuer: https://i, jwksUri: https://i/keys, cluster: elsewhere}]}"),
        code("jwt_auth")
    );
    let file = format!("{}dynamic_resources: {{cds_config: {{ads: {{}}}}}}\n", envoy(&filter, "[]"));
    let stdout = format!("ok: e.yaml: {AT}.configuration.value: jwt-auth (1 issuer)\n");
    assert_check("clusters may come from elsewhere", "e.yaml", &file, &stdout, "", 0);
}

#[test]
fn finds_a_filter_in_a_typed_struct_of_an_envoy_filter() {
    let file = r#"
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
spec:
  configPatches:
  - patch:
      value:
        typed_config:
          "@type": type.googleapis.com/udpa.type.v1.TypedStruct
          type_url: type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
          value:
            config:
              configuration: {"@type": type.googleapis.com/google.protobuf.StringValue, value: '{"labels": ["rules"]}'}
"#;
    let stderr = "error: spec.configPatches[0].patch.value.typed_config.value.config.configuration.value.labels[0]: \
                  is none of the values allowed here; did you mean `rule`?\n\
                  note: taken for metrics because of its keys; --module says otherwise\n";
    assert_check("typed struct", "f.yaml", file, "", stderr, 1);
}
