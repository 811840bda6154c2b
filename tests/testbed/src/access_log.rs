//! The access log of a listener: for each request its audit event, `-` when it has none, then one line with plain fields.
//!
//! Both go into one file, in this order, so that whoever has found the second line knows whether there is an event.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// What Envoy's own access log says about a request. Absent values are `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLine {
    /// The status that the client got.
    pub status: String,
    /// The response code details.
    pub details: String,
    /// The filter state `portcullis.decision`.
    pub decision: String,
    /// The filter state `portcullis.principal`.
    pub principal: String,
    /// The name of the route that was taken in the end.
    pub route: String,
}

const SEPARATOR: &str = "\t";
const FIELDS: [&str; 6] = [
    "%REQ(X-REQUEST-ID)%",
    "%RESPONSE_CODE%",
    "%RESPONSE_CODE_DETAILS%",
    "%FILTER_STATE(wasm.portcullis.decision:PLAIN)%",
    "%FILTER_STATE(wasm.portcullis.principal:PLAIN)%",
    "%ROUTE_NAME%",
];
const AUDIT: &str = "%FILTER_STATE(wasm.portcullis.audit:PLAIN)%\n";

pub(crate) fn file(folder: &Path, listener: &str) -> PathBuf {
    folder.join(format!("{listener}.access.log"))
}

/// The file with nothing but audit events, as the shipped configurations write it.
pub(crate) fn audit_file(folder: &Path, listener: &str) -> PathBuf {
    folder.join(format!("{listener}.audit.ndjson"))
}

pub(crate) fn to_json(folder: &Path, listener: &str, others: &[Value]) -> Value {
    let file = file(folder, listener);
    let mut events = file_log(&audit_file(folder, listener), AUDIT);
    events["filter"] = json!({"extension_filter": {"name": "cel", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        "expression": "'wasm.portcullis.audit' in filter_state",
    }}});
    let own = [file_log(&file, AUDIT), file_log(&file, &format!("{}\n", FIELDS.join(SEPARATOR))), events];
    own.iter().chain(others).cloned().collect()
}

fn file_log(path: &Path, format: &str) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {"text_format_source": {"inline_string": format}},
        },
    })
}

impl AccessLine {
    /// The line on this request in the text of a log, if it stands there.
    pub(crate) fn find(log: &str, request_id: &str) -> Option<Self> {
        log.lines().find_map(|line| {
            let mut fields = line.split(SEPARATOR);
            if fields.next() != Some(request_id) {
                return None;
            }
            let mut field = || fields.next().map(str::to_owned);
            Some(Self { status: field()?, details: field()?, decision: field()?, principal: field()?, route: field()? })
        })
    }
}

/// The audit events of this request in the text of a log.
pub(crate) fn find_events(log: &str, request_id: &str) -> Vec<Value> {
    log.lines().filter(|line| line.contains(request_id)).filter_map(|line| serde_json::from_str(line).ok()).collect()
}
