//! Every metric of every module, once: what it is called, its labels, and what it means.
//!
//! A stage names a metric by its [`Family`], which can only be made here, so nothing is counted that is not documented. What the
//! operator defines under `business` comes beside it.

use crate::module::Module;
use crate::stage::MetricKind;

/// A metric with all its series.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    name: &'static str,
    kind: MetricKind,
    labels: &'static [&'static str],
}

impl Family {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> MetricKind {
        self.kind
    }

    /// The names of its labels, in the order in which they are written.
    #[must_use]
    pub const fn labels(&self) -> &'static [&'static str] {
        self.labels
    }
}

/// What is said of a metric. Only tools read it, so that no module carries it.
#[derive(Debug)]
pub struct Entry {
    /// The metric.
    pub family: &'static Family,
    /// The modules that have it; the bundle has what any of its parts has.
    pub modules: &'static [Module],
    /// What it means.
    pub meaning: &'static str,
}

/// The words that a label may have.
#[derive(Debug)]
pub struct Words {
    /// The label.
    pub label: &'static str,
    /// The metrics.
    pub families: &'static [&'static Family],
    /// What the words are about.
    pub about: &'static str,
    /// Each with its meaning.
    pub words: &'static [(&'static str, &'static str)],
}

macro_rules! catalogue {
    ($(
        #[doc = $meaning:literal]
        $constant:ident = $kind:ident $name:literal [$($label:literal),*] of $($module:ident),+;
    )+) => {
        $(
            #[doc = $meaning]
            pub static $constant: Family = Family { name: $name, kind: MetricKind::$kind, labels: &[$($label),*] };
        )+

        /// Every metric, without what is said of it.
        pub static FAMILIES: &[&Family] = &[$(&$constant),+];

        /// Every metric, in the order of the documentation.
        pub static CATALOGUE: &[Entry] =
            &[$(Entry { family: &$constant, modules: &[$(Module::$module),+], meaning: $meaning.trim_ascii() }),+];
    };
}

catalogue! {
    /// Requests, by what was decided about them.
    REQUESTS_TOTAL = Counter "portcullis_requests_total"
        ["rule", "decision", "reason", "issuer", "method", "status_class"] of Metrics;
    /// The time from a request's headers to the end of the exchange, in milliseconds.
    REQUEST_DURATION_MS = Histogram "portcullis_request_duration_ms" ["rule"] of Metrics;
    /// Identity headers that clients sent and the gateway removed: who forges them, or what an earlier hop left.
    STRIPPED_HEADERS_TOTAL = Counter "portcullis_stripped_headers_total" ["rule"] of Metrics;
    /// The time that it took to verify the signature of a token, in microseconds. Tokens from the cache are not verified again.
    VERIFY_DURATION_US = Histogram "portcullis_verify_duration_us" ["issuer"] of JwtAuth;
    /// Tokens that were looked for among the verified ones.
    TOKEN_CACHE_LOOKUPS_TOTAL = Counter "portcullis_token_cache_lookups_total" ["outcome"] of JwtAuth;
    /// Verified tokens that are kept, in all workers.
    TOKEN_CACHE_ENTRIES = Gauge "portcullis_token_cache_entries" [] of JwtAuth;
    /// The memory that they take, in all workers.
    TOKEN_CACHE_BYTES = Gauge "portcullis_token_cache_bytes" [] of JwtAuth;
    /// Fetches of the keys of an issuer, by what came of them.
    JWKS_FETCHES_TOTAL = Counter "portcullis_jwks_fetches_total" ["issuer", "outcome"] of JwtAuth;
    /// When the keys of an issuer were fetched last, in seconds since 1970; their age is `time()` less this.
    JWKS_LAST_SUCCESS = Gauge "portcullis_jwks_last_success_timestamp_seconds" ["issuer"] of JwtAuth;
    /// Fetches that have failed since; 0 for keys that are not fetched.
    JWKS_FAILURES = Gauge "portcullis_jwks_consecutive_failures" ["issuer"] of JwtAuth;
    /// Keys that an issuer has.
    JWKS_KEYS = Gauge "portcullis_jwks_keys" ["issuer"] of JwtAuth;
    /// Fetches of access tokens for an upstream, by what came of them. Each worker fetches its own.
    CREDENTIAL_FETCHES_TOTAL = Counter "portcullis_upstream_credential_fetches_total" ["upstream", "outcome"] of AuthHeader;
    /// When the access token that was fetched last expires, in seconds since 1970.
    CREDENTIAL_EXPIRATION = Gauge "portcullis_upstream_credential_expiration_timestamp_seconds" ["upstream"] of AuthHeader;
    /// Fetches that have failed since.
    CREDENTIAL_FAILURES = Gauge "portcullis_upstream_credential_consecutive_failures" ["upstream"] of AuthHeader;
    /// Audit events, by what became of them.
    AUDIT_EVENTS_TOTAL = Counter "portcullis_audit_events_total" ["sink", "outcome", "reason"] of AuditLog;
    /// Batches of audit events, by the answer to them.
    AUDIT_BATCHES_TOTAL = Counter "portcullis_audit_batches_total" ["sink", "outcome"] of AuditLog;
    /// Audit events that wait or are under way, in all workers.
    AUDIT_QUEUE = Gauge "portcullis_audit_queue_events" ["sink"] of AuditLog;
    /// How many may, in all workers that ever had one.
    AUDIT_QUEUE_LIMIT = Gauge "portcullis_audit_queue_limit_events" ["sink"] of AuditLog;
    /// When a sink last took something, in seconds since 1970, as the worker knows that wrote last.
    AUDIT_LAST_SUCCESS = Gauge "portcullis_audit_last_success_timestamp_seconds" ["sink"] of AuditLog;
    /// Failures of upstreams.
    EXCEPTIONS_TOTAL = Counter "portcullis_exceptions_total" ["reason"] of AuditLog;
    /// What was told of them.
    EXCEPTION_REPORTS_TOTAL = Counter "portcullis_exception_reports_total" ["outcome"] of AuditLog;
    /// Spans of requests that the gateway sent while another one waited, by what became of them on the way to the server of traces.
    SPANS_TOTAL = Counter "portcullis_spans_total" ["outcome"] of Bundle;
    /// Requests that a module sent by itself, by what came of them. To which issuer, upstream or sink, the metrics of fetches and batches say.
    CALLOUTS_TOTAL = Counter "portcullis_callouts_total" ["callout", "outcome"] of JwtAuth, AuthHeader, AuditLog;
    /// The time from such a request to its answer, or to the end of waiting for one, in milliseconds. That of each one, spans say.
    CALLOUT_DURATION_MS = Histogram "portcullis_callout_duration_ms" ["callout"] of JwtAuth, AuthHeader, AuditLog;
    /// Answers to those who asked how the gateway is doing.
    HEALTH_CHECKS_TOTAL = Counter "portcullis_health_checks_total" ["outcome"] of Metrics;
    /// The configuration that was taken last, as a number: 48 bits of its SHA-256, which `portcullis check` shows as 12 digits.
    CONFIG_VERSION = Gauge "portcullis_config_version" ["module"] of JwtAuth, AuthHeader, AuditLog, Metrics;
    /// When a worker took it last, in seconds since 1970.
    CONFIG_APPLIED = Gauge "portcullis_config_applied_timestamp_seconds" ["module"] of JwtAuth, AuthHeader, AuditLog, Metrics;
    /// The seconds that VMs have lived, so that its `rate` is how many live: one in each worker and one in the main thread. Of audit-log only with sinks of `type: http` or `exceptions`.
    VM_SECONDS_TOTAL = Counter "portcullis_vm_seconds_total" ["module"] of JwtAuth, AuthHeader, AuditLog;
}

/// The words of the labels that are not the operator's and not those of a request.
pub static WORDS: &[Words] = &[
    Words {
        label: "outcome",
        families: &[&JWKS_FETCHES_TOTAL, &CREDENTIAL_FETCHES_TOTAL],
        about: "of a fetch",
        words: &crate::authn::OUTCOMES,
    },
    Words {
        label: "outcome",
        families: &[&TOKEN_CACHE_LOOKUPS_TOTAL],
        about: "of a look-up",
        words: &[("hit", "The token was verified before."), ("miss", "It was not, or does not count any more.")],
    },
    Words {
        label: "outcome",
        families: &[&AUDIT_EVENTS_TOTAL],
        about: "of an event",
        words: &[
            ("queued", "It was put into the buffer."),
            ("sent", "The sink has it."),
            (
                "dropped",
                "The sink will not get it. `reason` is `overflow` (the buffer was full) or `attempts` (it was sent as often as `retry` allows).",
            ),
            ("rejected", "The sink refuses it for what it is."),
            ("logged", "It could not be sent before the end, and stands in the proxy's log."),
            ("blocked", "Its request was refused with `audit_unavailable`; it was never queued."),
        ],
    },
    Words {
        label: "outcome",
        families: &[&AUDIT_BATCHES_TOTAL],
        about: "of a batch",
        words: &[
            ("sent", "The sink took it."),
            ("partial", "The sink took some of it."),
            ("retried", "The sink did not take it, or did not answer; it is sent again."),
            ("halved", "The sink refuses it; it is sent again in halves."),
            ("rejected", "The sink refuses it for what it is."),
            ("given_up", "It was sent as often as `retry` allows."),
        ],
    },
    Words { label: "outcome", families: &[&HEALTH_CHECKS_TOTAL], about: "of a health check", words: &crate::health::OUTCOMES },
    Words {
        label: "reason",
        families: &[&EXCEPTIONS_TOTAL],
        about: "of a failure",
        words: &[
            ("status", "The upstream answered 5xx."),
            ("reset", "There was no answer, or not a whole one."),
            ("timeout", "There was no answer in time."),
            ("grpc", "The answer holds an error of gRPC."),
        ],
    },
    Words {
        label: "outcome",
        families: &[&EXCEPTION_REPORTS_TOTAL],
        about: "of a report",
        words: &[("first", "The failure is new."), ("repeated", "It goes on."), ("resolved", "It has been quiet.")],
    },
    Words {
        label: "outcome",
        families: &[&SPANS_TOTAL],
        about: "of a span",
        words: &[
            ("sent", "The server of traces took it."),
            ("dropped", "It was given up: the buffer was full, or it was sent in vain too often, or the configuration ended."),
            ("rejected", "The server of traces refused it."),
        ],
    },
    Words {
        label: "callout",
        families: &[&CALLOUTS_TOTAL, &CALLOUT_DURATION_MS],
        about: "of a request",
        words: &[
            ("jwks", "It fetches the keys of an issuer, or the document that says where they are."),
            ("credential", "It fetches an access token for an upstream."),
            ("audit", "It brings a batch of audit events to a sink."),
            ("exceptions", "It tells a webhook of failing upstreams."),
            ("spans", "It brings a batch of spans to a server of traces."),
        ],
    },
    Words {
        label: "outcome",
        families: &[&CALLOUTS_TOTAL],
        about: "of a request",
        words: &[
            ("success", "The answer has a status of 2xx."),
            ("bad_status", "It has another one; 503 and 504 stand for a refused connection and a timeout."),
            ("no_answer", "No answer came."),
            ("not_sent", "The proxy did not send the request."),
        ],
    },
];

/// The names of all labels, each once, in the order in which the catalogue names them first.
pub fn label_names() -> impl Iterator<Item = &'static str> {
    let all = || FAMILIES.iter().flat_map(|family| family.labels).copied();
    all().enumerate().filter(move |(place, label)| all().take(*place).all(|other| other != *label)).map(|(_, label)| label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::metrics::Label;

    #[test]
    fn names_are_those_of_prometheus() {
        for Entry { family, modules, meaning } in CATALOGUE {
            let name = family.name();
            let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(name.starts_with("portcullis_") && is_plain(name), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind() == MetricKind::Counter, "{name}");
            assert!(!["_count", "_sum", "_bucket"].iter().any(|suffix| name.ends_with(suffix)), "{name}");
            assert!(family.labels().iter().all(|label| is_plain(label)), "{name}");
            assert!(!modules.is_empty() && meaning.ends_with('.'), "{name}");
            assert_eq!(CATALOGUE.iter().filter(|entry| entry.family.name() == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn labels_are_named_once() {
        let names: Vec<_> = label_names().collect();
        let own = ["outcome", "upstream", "sink", "callout", "module"];
        assert_eq!(names, Label::ALL.map(Label::as_str).into_iter().chain(own).collect::<Vec<_>>());
    }

    #[test]
    fn words_are_those_of_labels_that_there_are() {
        for Words { label, families, about, words } in WORDS {
            assert!(families.iter().all(|family| family.labels().contains(label)), "{label} {about}");
            assert!(words.iter().all(|(word, meaning)| !word.is_empty() && meaning.ends_with('.')), "{label} {about}");
        }
        let documented = |family: &Family| WORDS.iter().filter(|words| words.families.contains(&family)).count();
        let own = |label: &&str| ["outcome", "callout"].contains(label);
        for Entry { family, .. } in CATALOGUE {
            assert!(documented(family) >= family.labels().iter().filter(|label| own(label)).count(), "{}", family.name());
        }
    }
}
