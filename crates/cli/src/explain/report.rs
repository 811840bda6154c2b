//! What the `explain` command prints: the decision first, then how it came about, then what comes of it.

use std::io::{self, Write};

use portcullis_core::edits::Edit;
use portcullis_core::time::UnixTime;
use serde_json::{Map, Value, json};

use super::Settled;
use super::given::Given;
use super::narrator::Story;
use crate::discretion::Discretion;
use crate::instant;
use crate::report::Format;
use crate::step::{self, Outcome, Step};

/// Headers whose values are credentials, or hold some beside others.
const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "dpop", "proxy-authorization"];

/// A request, and what came of it.
pub struct Report<'a> {
    /// The request.
    pub given: &'a Given,
    /// What the stages made of it.
    pub settled: &'a Settled,
    /// How they came to that.
    pub story: &'a Story,
    /// The time.
    pub now: UnixTime,
}

impl Report<'_> {
    /// Print it.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn print(&self, format: Format, discretion: &Discretion) -> io::Result<()> {
        let text = match format {
            Format::Text => self.text(discretion),
            Format::Json => format!("{:#}\n", self.json(discretion)),
        };
        io::stdout().lock().write_all(discretion.clean(&text).as_bytes())
    }

    fn text(&self, discretion: &Discretion) -> String {
        let request = &self.settled.exchange.request;
        let mut lines = vec![self.headline(), "request".to_owned()];
        lines.push(format!(
            "  {} {} {}",
            self.given.method,
            self.given.host.as_deref().unwrap_or("(no host)"),
            self.given.target
        ));
        if let Some(path) = request.path().map(|path| path.as_str()).filter(|path| !self.given.target.starts_with(path)) {
            lines.push(format!("  its path in normal form: {path}"));
        }
        lines.push("rules".to_owned());
        lines.extend(rule_lines(&self.story.rules));
        lines.push(format!("steps, at {}", instant::utc(self.now)));
        lines.extend(step::lines(&self.story.steps));
        if let Some(refusal) = self.settled.refusal.as_ref().filter(|_| self.settled.is_decided()) {
            let reply = refusal.to_reply(request.request_id(), self.settled.exchange.trace_id());
            lines.push(format!("answer\n  {}", reply.status));
            lines.extend(reply.headers.iter().map(|(name, value)| format!("  {name}: {value}")));
            lines.push(format!("  {}", String::from_utf8_lossy(&reply.body)));
        }
        if self.settled.passes() {
            lines.push("what the upstream sees changed".to_owned());
            let mut edits: Vec<String> = self.settled.exchange.edits.iter().map(|edit| edit_words(edit, discretion)).collect();
            edits.dedup();
            if edits.is_empty() {
                edits.push("  nothing".to_owned());
            }
            lines.extend(edits);
        }
        if let Some(identity) = &self.settled.exchange.identity {
            let hidden = "of an encrypted token; --show-token shows it";
            lines.push(format!("principal\n  {}", if self.story.hides_principal { hidden } else { identity.json() }));
        }
        lines.push(String::new());
        lines.join("\n")
    }

    fn headline(&self) -> String {
        let decision = self.settled.exchange.decision.as_ref().filter(|_| self.settled.is_decided());
        let Some(decision) = decision else { return "not decided: keys that are needed are not known here".to_owned() };
        let words = format!("{}, by rule {}", decision.reason, decision.rule);
        match &self.settled.refusal {
            Some(refusal) => {
                let status = refusal.to_reply(None, None).status;
                format!("{}: {status} {words}: {}", decision.effect.as_str(), refusal.rejection.description())
            }
            None if decision.shadow => format!("allow, in shadow: {} would be said: {words}", decision.effect.as_str()),
            None => format!("{}: {words}", decision.effect.as_str()),
        }
    }

    fn json(&self, discretion: &Discretion) -> Value {
        let exchange = &self.settled.exchange;
        let is_decided = self.settled.is_decided();
        let answer = self.settled.refusal.as_ref().filter(|_| is_decided).map(|refusal| {
            let reply = refusal.to_reply(exchange.request.request_id(), exchange.trace_id());
            let headers: Map<String, Value> =
                reply.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            json!({
                "status": reply.status,
                "headers": headers,
                "body": String::from_utf8_lossy(&reply.body),
                "details": reply.details,
            })
        });
        let edits: Vec<Value> = exchange.edits.iter().map(|edit| edit_json(edit, discretion)).collect();
        json!({
            "passes": is_decided.then(|| self.settled.passes()),
            "decision": exchange.decision.as_ref().filter(|_| is_decided),
            "at": instant::utc(self.now),
            "request": {
                "method": self.given.method,
                "host": self.given.host,
                "target": self.given.target,
                "path": exchange.request.path().map(|path| path.as_str()),
            },
            "rules": self.story.rules,
            "steps": self.story.steps,
            "answer": answer,
            "upstream": self.settled.passes().then_some(edits),
            "principal": exchange.identity.as_ref().filter(|_| !self.story.hides_principal).and_then(|identity| identity.principal()),
        })
    }
}

/// Rules in columns. One that does not match is no failure.
fn rule_lines(rules: &[Step]) -> Vec<String> {
    let width = rules.iter().map(|rule| rule.check.chars().count()).max().unwrap_or_default();
    let mark = |rule: &Step| if rule.outcome == Outcome::Ok { "->" } else { "no" };
    rules.iter().map(|rule| format!("  {:4}  {:width$}  {}", mark(rule), rule.check, rule.says)).collect()
}

fn shown<'a>(name: &str, value: &'a str, discretion: &Discretion) -> &'a str {
    let is_secret = SECRET_HEADERS.contains(&name) && !discretion.shows_tokens();
    if is_secret || discretion.hides_header(name) { "…" } else { value }
}

fn edit_words(edit: &Edit, discretion: &Discretion) -> String {
    match edit {
        Edit::Remove(name) => format!("  remove  {name}"),
        Edit::Set(name, value) => format!("  set     {name}: {}", shown(name, value, discretion)),
        Edit::Append(name, value) => format!("  add     {name}: {}", shown(name, value, discretion)),
    }
}

fn edit_json(edit: &Edit, discretion: &Discretion) -> Value {
    match edit {
        Edit::Remove(name) => json!({"remove": &**name}),
        Edit::Set(name, value) => json!({"set": &**name, "value": shown(name, value, discretion)}),
        Edit::Append(name, value) => json!({"add": &**name, "value": shown(name, value, discretion)}),
    }
}
