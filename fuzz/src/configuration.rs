//! Configurations: an error that names the place, or a policy; never a secret in what is said about either.

use portcullis_core::config::Variable;
use portcullis_core::headers::Headers;
use portcullis_core::module::Module;
use portcullis_core::request::Request;
use portcullis_core::stage::{Alone, Exchange, Verdict};
use portcullis_core::time::UnixTime;

const MODULES: [Module; 5] = [Module::JwtAuth, Module::AuthHeader, Module::AuditLog, Module::Metrics, Module::Bundle];
/// What no message may hold: the value of every variable, and of every secret that a document holds itself.
const MARKER: &str = "a-secret-that-no-message-may-hold-at-all";
/// Where the marker is put into a document.
const INLINE: &str = "\"inline\":\"";

/// Loading never fails otherwise than by an error, no message shows a secret, and a request under the policy has an answer.
pub fn configuration(input: &[u8]) {
    let document = String::from_utf8_lossy(input).replace(INLINE, &format!("{INLINE}{MARKER}"));
    let documents = [input, document.as_bytes()];
    for (module, document) in MODULES.iter().flat_map(|module| documents.map(|document| (module, document))) {
        let environment = |_: &str| Variable::Set(MARKER.to_owned());
        let said = match module.load(document, &environment) {
            Err(error) => format!("{error} {error:?}"),
            Ok(mut loaded) => {
                for stage in &mut loaded.stages {
                    let pairs =
                        [(":method", "GET"), (":path", "/public/../x?a=b"), (":authority", "api.example.com"), ("cookie", "a=b")];
                    let now = UnixTime::from_secs(1_700_000_000);
                    let mut exchange = Exchange::new(Request::new(Headers::from_pairs(pairs)), Some(now));
                    let verdict = stage.on_request(&mut exchange, now, &mut Alone);
                    assert!(!matches!(verdict, Verdict::Wait(_)), "a request without a credential waits for keys");
                }
                format!("{:?} {}", loaded, loaded.warnings.iter().map(ToString::to_string).collect::<String>())
            }
        };
        assert!(!said.contains(MARKER), "a secret is shown");
    }
}
