"""What recording a request is compared with: Envoy's own JSON access log of the same fields, and a sink for events that answers at once.
Every access log goes to /dev/null; it is the worker's time that is measured, not the disk's."""

import json
import subprocess

import cases

SINK = "sink"
# What Envoy's formatter knows of a request, and what the module tells it of caller and decision.
FIELDS = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(:PATH)%",
    "user_agent": "%REQ(USER-AGENT)%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration": "%DURATION%",
    "address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "principal": "%FILTER_STATE(wasm.portcullis.principal:PLAIN)%",
    "decision": "%FILTER_STATE(wasm.portcullis.decision:PLAIN)%",
}
WHOLE_LINE = "%FILTER_STATE(wasm.portcullis.audit:PLAIN)%\n"


def own_members_line():
    """The format that docs/audit.md gives for `members: own`."""
    response = '"response":{"status":%RESPONSE_CODE%,"bytes":%BYTES_SENT%,"flags":"%RESPONSE_FLAGS%"}'
    client = '"client":{"address":"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"}'
    return f'{{%FILTER_STATE(wasm.portcullis.audit:PLAIN)%,{response},"durationMs":%DURATION%,{client}}}\n'


def file_log(log_format):
    name = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
    config = {"@type": name, "path": "/dev/null", "log_format": log_format}
    return [{"name": "envoy.access_loggers.file", "typed_config": config}]


def text_log(line):
    return file_log({"text_format_source": {"inline_string": line}})


def access_log(variant):
    """The access log of a variant's listener."""
    if variant == cases.BUNDLE_JSON_LOG:
        return file_log({"json_format": FIELDS})
    if variant == cases.BUNDLE_ACCESSLOG:
        return text_log(WHOLE_LINE)
    return text_log(own_members_line()) if variant == cases.BUNDLE_OWN_MEMBERS else []


def audit_log(variant):
    """What is recorded in a variant; `None` where there is no audit log at all."""
    if variant in (cases.BUNDLE_NO_AUDIT, cases.BUNDLE_JSON_LOG):
        return None
    if variant == cases.BUNDLE_UNRECORDED:
        return {"default": {"record": "denied"}}
    sinks = {
        cases.BUNDLE_ACCESSLOG: {"type": "accesslog"},
        cases.BUNDLE_OWN_MEMBERS: {"type": "accesslog", "members": "own"},
        cases.BUNDLE_HTTP: {"type": "http", "format": "ndjson", "cluster": SINK, "uri": "http://sink.internal/events"},
    }
    return {
        "default": {"record": "always"},
        "include": {"requestHeaders": ["user-agent"]},
        "sinks": [sinks[variant]],
    }


def cluster(port):
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    return {
        "name": SINK,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": SINK, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def sink_bootstrap(port):
    """An Envoy of its own that takes whatever is posted."""
    routes = [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": SINK,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "name": SINK,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }
    return {"static_resources": {"listeners": [listener]}}


class Sink:
    """The process that takes events."""

    def __init__(self, envoy, folder, port):
        self.envoy, self.file = envoy, folder / "sink.json"
        self.file.write_text(json.dumps(sink_bootstrap(port)))
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [str(self.envoy), "-c", str(self.file), "--use-dynamic-base-id", "--log-level", "off", "--concurrency", "1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self):
        self.process.terminate()
        self.process.wait()
