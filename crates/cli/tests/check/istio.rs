//! Objects of Istio.

use crate::run::assert_check;

pub fn wasm_plugin(plugin_config: &str, more: &str) -> String {
    format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {{name: portcullis}}\nspec:\n  \
         url: oci://registry.example.com/portcullis/portcullis:1.0\n{more}  pluginConfig: {plugin_config}\n"
    )
}

#[test]
fn checks_a_wasm_plugin() {
    const RIGHT: &str = "{jwtAuth: {jwtRules: [{issuer: https://i, secret: {env: JWT}}]}}";
    const PHASE: &str = "  phase: AUTHN\n";
    const KEY: &str = "  vmConfig: {env: [{name: JWT, value: S3CRET-that-must-not-be-printed-anywhere}]}\n";
    for (case, config, more, stdout, stderr, code) in [
        ("right", RIGHT, format!("{PHASE}{KEY}"), "ok: p.yaml: spec.pluginConfig: portcullis (1 issuer)\n", "", 0),
        (
            "variable of the host",
            RIGHT,
            format!("{PHASE}  vmConfig: {{env: [{{name: JWT, valueFrom: HOST}}]}}\n"),
            "ok: p.yaml: spec.pluginConfig: portcullis (1 issuer)\n",
            "warning: spec.pluginConfig.jwtAuth.jwtRules[0].secret.env: the variable cannot be checked here\n",
            0,
        ),
        (
            "variable that is not passed on",
            RIGHT,
            PHASE.to_owned(),
            "",
            "error: spec.pluginConfig.jwtAuth.jwtRules[0].secret.env: the variable is not set in the VM's environment; \
             pass it on with `vmConfig.env` (Istio) or `vm_config.environment_variables` (Envoy)\n",
            1,
        ),
        (
            "secret too short",
            RIGHT,
            format!("{PHASE}  vmConfig: {{env: [{{name: JWT, value: S3CRET}}]}}\n"),
            "",
            "error: spec.pluginConfig.jwtAuth.jwtRules[0].secret.env: the secret is too short: it has 6 bytes; \
             it needs at least 32 bytes\n",
            1,
        ),
        (
            "variable that is no string, and one twice",
            RIGHT,
            format!("{PHASE}  vmConfig: {{env: [{{name: JWT, value: 7}}, {{name: JWT, value: a}}, {{value: b}}]}}\n"),
            "",
            "error: spec.vmConfig.env[0].value: must be a string; put it in quotes\n\
             error: spec.vmConfig.env[1]: `JWT` is set twice\n\
             error: spec.vmConfig.env[2]: `name` is missing\n",
            1,
        ),
        (
            "unknown key",
            "{jwtAuth: {jwtRules: [{issuer: https://i, secert: S3CRET}]}}",
            PHASE.to_owned(),
            "",
            "error: spec.pluginConfig.jwtAuth.jwtRules[0].secert: unknown key; did you mean `secret`?\n",
            1,
        ),
        (
            "null",
            "{jwtAuth: }",
            PHASE.to_owned(),
            "",
            "error: spec.pluginConfig.jwtAuth: is null; give it a value or leave the key out\n",
            1,
        ),
        (
            "fails open, and late",
            RIGHT,
            format!("{KEY}  failStrategy: FAIL_OPEN\n"),
            "ok: p.yaml: spec.pluginConfig: portcullis (1 issuer)\n",
            "warning: spec.phase: is missing, so that the filter runs last, behind Istio's own authorization; write `phase: AUTHN`\n\
             error: spec.failStrategy: when the module fails, requests pass unauthenticated; write FAIL_CLOSE\n",
            1,
        ),
    ] {
        assert_check(case, "p.yaml", &wasm_plugin(config, &more), stdout, stderr, code);
    }
}

#[test]
fn finds_every_deployment_among_the_documents_of_a_file() {
    let plugin = wasm_plugin("{jwtAuth: {default: denied}}", "  phase: AUTHN\n");
    let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: extensions.istio.io/v1alpha1\n  kind: TrafficExtension\n  spec:\n    \
                phase: STATS\n    wasm: {url: oci://r/metrics, failStrategy: FAIL_OPEN, pluginConfig: {label: [rule]}}\n";
    let file = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: shop}}\n---\n{plugin}---\n{list}---\n# nothing\n");
    assert_check(
        "three objects",
        "all.yaml",
        &file,
        "ok: all.yaml: document 2, spec.pluginConfig: portcullis (defaults only)\n",
        "warning: document 2, spec.pluginConfig.jwtAuth.jwtRules: there is no issuer, so no token will ever be valid\n\
         warning: document 3, items[0].spec.phase: is not AUTHN: filters that run before this one see requests unchecked\n\
         warning: document 3, items[0].spec.wasm.failStrategy: when the module fails, requests pass uncounted\n\
         error: document 3, items[0].spec.wasm.pluginConfig.label: unknown key; did you mean `labels`?\n",
        1,
    );
    assert_check(
        "none",
        "none.yaml",
        "apiVersion: v1\nkind: Namespace\n",
        "",
        "error: none.yaml: holds no configuration of a Portcullis module; a module's own JSON or YAML, an Istio WasmPlugin, or an \
         Envoy configuration with a Wasm filter is looked for\n",
        1,
    );
}
