//! Tamper evidence: what a real Envoy with two workers wrote is verified over an update of the configuration and a restart, and
//! each manipulation is found.

use std::fs;
use std::thread;
use std::time::Duration;

use portcullis_chain::{Auditor, Finding, MARK, MacKey, Order, Place, Summary};
use portcullis_e2e::{Discovered, Stack};
use portcullis_minting::PublicKey;
use portcullis_testbed::{Listener, Module, Plugin, Request, poll};
use serde_json::{Value, json};

const KEY: &str = "S3CRET-of-the-audit-log-with-32-bytes-or-more";
/// The key of RFC 8037 appendix A.1.
const SIGNING: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
/// How many requests one round sends.
const ROUND: usize = 24;
const PATIENCE: Duration = Duration::from_secs(20);

/// The bundle with an audit log that is sealed, and an action that tells the version of its configuration.
fn plugin(version: &str) -> Plugin {
    let configuration = json!({
        "jwtAuth": {"rules": [{"match": {"paths": ["/**"]}, "access": "public"}]},
        "auditLog": {
            "events": [{"name": version}],
            "chain": {"key": {"env": "AUDIT_KEY"}, "checkpoint": {"key": {"env": "CHECKPOINT_KEY"}, "records": 3}},
        },
    });
    Plugin::new(Module::Portcullis, &configuration).variable("AUDIT_KEY", KEY).variable("CHECKPOINT_KEY", SIGNING)
}

/// Sends requests on connections of their own, some at a time, so that both workers get some; then waits until all are on record.
fn record(stack: &Stack) {
    for _ in 0..ROUND / 4 {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let client = stack.envoy.listener("audited");
                thread::spawn(move || client.send(&Request::get("/a")))
            })
            .collect();
        let answers = senders.into_iter().map(|sender| sender.join().unwrap());
        answers.for_each(|answer| drop(stack.envoy.audit_event("audited", &answer.id)));
    }
}

/// What Envoy wrote of this many events.
fn log(stack: &Stack, events: usize) -> Vec<String> {
    let lines = || {
        let text = fs::read_to_string(stack.envoy.audit_file("audited")).ok()?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        (lines.len() == events).then_some(lines)
    };
    poll("the events", PATIENCE, lines).unwrap()
}

fn audit(lines: &[String], keys: &[MacKey], order: Order) -> (Summary, Vec<Finding>) {
    let mut auditor = Auditor::new(keys.to_vec(), vec![PublicKey::read(SIGNING.as_bytes()).unwrap()], order);
    for (line, text) in (1..).zip(lines) {
        auditor.read_line(&Place { file: "audit.ndjson".into(), line }, text.as_bytes());
    }
    let mut found = auditor.take_findings();
    let (summary, rest) = auditor.finish();
    found.extend(rest);
    (summary, found)
}

/// The stream and number of a line, where it is a record.
fn number(line: &str) -> Option<(String, u64)> {
    let event: Value = serde_json::from_str(line.get(line.find(MARK)?..)?).unwrap();
    Some((event["chain"]["stream"].as_str()?.to_owned(), event["chain"]["seq"].as_u64()?))
}

/// Everything that two Envoys wrote, each of them with two configurations, until they were asked to end: the events in a file, and the last
/// record of each stream in Envoy's own log.
fn written() -> Vec<String> {
    let mut lines = Vec::new();
    for _ in 0..2 {
        let mut discovered = Discovered::new();
        discovered.publish_plugin(&plugin("first"));
        let stack = Stack::start([Listener::new("audited").native(discovered.filter())], &[]);
        record(&stack);
        discovered.publish_plugin(&plugin("second"));
        let mut sent = ROUND;
        let is_updated = || {
            sent += 1;
            let answer = stack.envoy.listener("audited").send(&Request::get("/a"));
            (stack.envoy.audit_event("audited", &answer.id)["action"] == "second").then_some(())
        };
        poll("the update", PATIENCE, is_updated).unwrap();
        record(&stack);
        lines.extend(log(&stack, sent + ROUND));
        lines.extend(stack.envoy.end(true).lines().map(str::to_owned));
        assert!(!stack.envoy.all_logs().contains("S3CRET"));
    }
    lines
}

#[test]
fn the_chain_survives_update_and_restart_and_detects_each_manipulation() {
    let key = [MacKey::new(KEY.as_bytes()).unwrap()];
    let lines = written();
    let count = u64::try_from(lines.iter().filter_map(|line| number(line)).count()).unwrap();

    // Two Envoys, each with two workers, each with two configurations. The end of a stream signs all that was before it.
    let (summary, found) = audit(&lines, &key, Order::Written);
    assert_eq!((summary.records, summary.streams, summary.ended, summary.signed), (count, 8, 8, count - 8), "{found:?}");
    assert_eq!(found, []);
    assert_eq!(audit(&lines, &[], Order::Written), (summary, vec![]));
    let mut merged = lines.clone();
    merged.sort();
    assert_eq!(audit(&merged, &key, Order::Any).0, summary);

    // A record in the middle of its stream, and the one before it.
    let (stream, seq) = lines.iter().filter_map(|line| number(line)).find(|(_, seq)| *seq == 3).unwrap();
    let at = |seq: u64| lines.iter().position(|line| number(line) == Some((stream.clone(), seq))).unwrap();
    let (before, middle, after) = (at(seq - 1), at(seq), at(seq + 1));
    type Edit<'a> = &'a dyn Fn(&mut Vec<String>);
    // The line that is told stands at this place, from 0.
    let last =
        lines.iter().filter_map(|line| number(line)).filter(|(other, _)| *other == stream).map(|(_, seq)| seq).max().unwrap();
    let manipulations: [(&str, Edit<'_>, usize); 8] = [
        ("no_end", &|lines| drop(lines.remove(at(last))), at(last - 1)),
        ("changed", &|lines| lines[middle] = lines[middle].replace("\"path\":\"/a\"", "\"path\":\"/b\""), middle),
        ("removed", &|lines| drop(lines.remove(middle)), after - 1),
        ("beginning_removed", &|lines| drop(lines.remove(at(1))), at(2) - 1),
        ("reordered", &|lines| lines.swap(before, middle), middle),
        ("duplicated", &|lines| lines.insert(after, lines[middle].clone()), after),
        ("foreign", &|lines| lines.insert(after, r#"{"schema":"portcullis.audit/1","action":"first"}"#.to_owned()), after),
        ("broken", &|lines| lines[middle].truncate(200), middle),
    ];
    for (code, edit, place) in manipulations {
        let mut edited = lines.clone();
        edit(&mut edited);
        let found = audit(&edited, &key, Order::Written).1;
        let told: Vec<_> =
            found.iter().filter(|finding| finding.problem.code() == code).map(|finding| finding.place.line).collect();
        assert_eq!(told, [u64::try_from(place).unwrap() + 1], "{code}: {found:?}");
    }
}
