"""The Envoy configuration of a run. Each variant finds, verifies and checks the token (issuer, audience, expiry) and gives three
claims on as headers; none of them calls a service. The modules as they are by default do more: they tell other filters who is calling
and what was decided, and ask the route for its rule. Only the variant for equal work does neither."""

import json

import auditing
import cases
from tokens import AUDIENCE, ISSUER

HEADERS = {"x-user-id": "sub", "x-user-tenant": "tenant", "x-user-scope": "scope"}
SIX_HEADERS = HEADERS | {"x-user-roles": "roles", "x-user-name": "preferred_username", "x-user-email": "email"}


def typed(name, **fields):
    return {"@type": f"type.googleapis.com/{name}", **fields}


def native(jwks, cache, forward, headers):
    provider = {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": json.dumps(jwks)},
        "forward": forward,
        "claim_to_headers": [{"header_name": header, "claim_name": claim} for header, claim in headers.items()],
    }
    if cache == cases.DEFAULT_CACHE:
        provider["jwt_cache_config"] = {}
    elif cache:
        provider["jwt_cache_config"] = {"jwt_cache_size": cache}
    return {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": typed(
            "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            providers={"bench": provider},
            rules=[{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
        ),
    }


def wasm(module, configuration):
    return {
        "name": module,
        "typed_config": typed(
            "envoy.extensions.filters.http.wasm.v3.Wasm",
            config={
                "name": module,
                "root_id": module,
                "failure_policy": "FAIL_RELOAD",
                "vm_config": {
                    "vm_id": module,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": f"dist/{module}"}},
                },
                "configuration": typed("google.protobuf.StringValue", value=json.dumps(configuration)),
            },
        ),
    }


def jwt_auth(name, jwks):
    # The name makes each listener's configuration its own, and with it the cache of verified tokens.
    return {"jwtRules": [{"name": name, "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": json.dumps(jwks)}]}


def module(name, jwks, forward, is_equal):
    configuration = jwt_auth(name, jwks)
    if is_equal:
        configuration |= {"publish": [], "routeRules": False}
    configuration["jwtRules"][0]["forwardOriginalToken"] = forward
    configuration["jwtRules"][0]["outputClaimToHeaders"] = [
        {"header": header, "claim": claim} for header, claim in HEADERS.items()
    ]
    return wasm(cases.MODULE, configuration)


# All labels of the request counter but the class of the status.
LABELS_WITHOUT_STATUS = ["rule", "decision", "reason", "issuer", "method"]


def metrics(variant):
    """The metrics of a variant; `None` where there are none at all."""
    if variant in (cases.BUNDLE_NO_METRICS, cases.BUNDLE_NO_OBSERVERS):
        return None
    return {"labels": LABELS_WITHOUT_STATUS} if variant == cases.BUNDLE_NO_STATUS else {}


def bundle(cell, jwks, forward, headers, audit_log):
    configuration = {
        "jwtAuth": jwt_auth(cell.label, jwks),
        "authHeader": {
            "strip": ["x-user-*"],
            "inject": [{"header": header, "claim": claim} for header, claim in headers.items()],
            "token": {"forward": "keep" if forward else "strip"},
        },
    }
    parts = {"metrics": metrics(cell.variant), "auditLog": audit_log}
    configuration |= {name: part for name, part in parts.items() if part is not None}
    return wasm(cases.BUNDLE, configuration)


def filters(cell, jwks, chain):
    """The filters of a listener. In a chain of several each must find the token, so it is given on."""
    name, forward = cell.label, chain > 1
    headers = (SIX_HEADERS if cell.variant in cases.SIX else {}) if cell.variant in cases.INJECTING else HEADERS
    if cell.variant == cases.BARE:
        return []
    if cell.variant in (cases.MODULE, cases.MODULE_EQUAL):
        one = module(name, jwks, forward, cell.variant == cases.MODULE_EQUAL)
    elif cell.variant in (cases.BUNDLE, cases.BUNDLE_NO_HEADERS, cases.BUNDLE_SIX_HEADERS):
        one = bundle(cell, jwks, forward, headers, {})
    elif cell.variant in cases.METERING:
        one = bundle(cell, jwks, forward, HEADERS, {} if cell.variant == cases.BUNDLE_NO_METRICS else None)
    elif cell.variant in cases.AUDITING:
        one = bundle(cell, jwks, forward, HEADERS, auditing.audit_log(cell.variant))
    else:
        large = (cases.NATIVE_LARGE_CACHE, cases.NATIVE_NO_HEADERS, cases.NATIVE_SIX_HEADERS)
        sizes = {cases.NATIVE_DEFAULT_CACHE: cases.DEFAULT_CACHE, **dict.fromkeys(large, cases.LARGE_CACHE)}
        one = native(jwks, sizes.get(cell.variant), forward, headers)
    return [{**one, "name": f"{one['name']}.{place}"} for place in range(chain)]


def stat_prefix(index):
    return f"cell_{index}"


def listener(index, cell, port, jwks, chain):
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": typed("envoy.extensions.filters.http.router.v3.Router"),
    }
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=stat_prefix(index),
        use_remote_address=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action="REJECT_REQUEST",
        route_config={
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}],
                }
            ]
        },
        http_filters=[*filters(cell, jwks, chain), router],
        access_log=auditing.access_log(cell.variant),
    )
    return {
        "name": stat_prefix(index),
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def bootstrap(cells, ports, admin, sink, jwks, chain=1):
    """The whole configuration: a listener for each cell, side by side. `jwks` has the key set of each algorithm; at the port `sink`
    audit events are taken."""
    listeners = [
        listener(index, cell, port, jwks[cell.algorithm], chain) for index, (cell, port) in enumerate(zip(cells, ports))
    ]
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "static_resources": {"listeners": listeners, "clusters": [auditing.cluster(sink)]},
    }
