//! The part of an event that the access log cannot write, and how little is read for it.

use super::*;
use crate::ending::Unasked;
use crate::module::Module;

fn lean(sinks: Value) -> AuditLog {
    let config = json!({"default": {"record": "always"}, "sinks": sinks});
    let sinks = sinks_of(&config);
    let policy = compile(config).unwrap().0;
    let policy = if sinks.are_lean() { policy.lean() } else { policy };
    AuditLog::new(Rc::new(policy), false, Serials::new(&[0; 32]), sinks)
}

fn sinks_of(config: &Value) -> Sinks {
    sinks(config.clone()).unwrap().0
}

#[test]
fn one_word_is_read_of_a_request_that_is_let_through_and_answered() {
    let mut written = Written::default();
    let exchange = allowed(exchange("GET", "/a", &[]), json!({}));
    lean(json!([{"type": "accesslog", "members": "own"}])).on_log(
        &exchange,
        &Unasked { details: Some("via_upstream"), ..Unasked::default() },
        NOW,
        &mut written,
    );
    let (key, own) = &written.states[0];
    assert_eq!(key, "portcullis.audit");
    assert!(own.starts_with(r#""schema":"portcullis.audit/1","id":"f56ece944e25fc4c-1","#), "{own}");
    assert!(own.contains(r#""outcome":"allowed""#) && own.ends_with(r#""traceId":null,"truncated":false"#), "{own}");
    let rest = r#""response":{"status":200,"bytes":1,"flags":"-"},"durationMs":1,"client":{"address":"10.0.0.1"}"#;
    assert!(serde_json::from_str::<Value>(&format!("{{{own},{rest}}}")).is_ok());
}

#[test]
fn other_sinks_get_the_whole_event_beside_it() {
    let mut written = Written::default();
    let exchange = allowed(exchange("GET", "/a", &[]), json!({}));
    lean(json!([{"type": "accesslog", "members": "own"}, {"type": "stdout"}])).on_log(
        &exchange,
        &answered(200),
        NOW,
        &mut written,
    );
    assert!(written.lines[0].starts_with('{') && written.lines[0].contains(r#""response":{"status":200"#));
    assert!(written.lines[0].starts_with(&format!("{{{}", written.states[0].1)));
}

#[test]
fn is_refused_where_the_access_log_would_undo_what_is_asked_for() {
    let own = json!([{"type": "accesslog", "members": "own"}]);
    let key = json!({"inline": "k".repeat(32)});
    for (config, expected) in [
        (
            json!({"sinks": own, "chain": {"key": key}}),
            "sinks[0].members: contradicts `chain`: what the access log writes itself would not be protected",
        ),
        (
            json!({"sinks": own, "mask": ["client"]}),
            "sinks[0].members: contradicts `hash` and `mask`: the access log writes the client's address as it is",
        ),
        (json!({"sinks": [{"type": "stdout", "members": "own"}]}), "sinks[0].members: is only for sinks of `type: accesslog`"),
        (
            json!({"sinks": [{"type": "accesslog", "members": "own", "uri": "https://a"}]}),
            "sinks[0].uri: is only for sinks of `type: http`",
        ),
    ] {
        let error = Module::AuditLog.load(config.to_string().as_bytes(), &|_: &str| Variable::Unset).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
