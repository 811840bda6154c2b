//! The module under a configuration, run as the proxy runs it.

use portcullis_core::config::Variable;
use portcullis_core::edits::Edit;
use portcullis_core::headers::Headers;
use portcullis_core::module::Module;
use portcullis_core::request::Request;
use portcullis_core::stage::{Alone, Exchange, FetchOutcome, Stage, Verdict};
use portcullis_core::time::UnixTime;
use serde_json::Value;

/// The time of every request.
pub const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);

/// A request: its headers, pseudo-headers among them.
#[derive(Debug, Clone)]
pub struct Ask(Vec<(String, String)>);

impl Ask {
    pub fn new(method: &str, host: &str, path: &str) -> Self {
        Self([(":method", method), (":authority", host), (":path", path)].map(|(name, value)| (name.into(), value.into())).into())
    }

    /// The same with a header; a pseudo-header takes the place of the one that is there.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = if name == "host" { ":authority" } else { name };
        if name.starts_with(':') {
            self.0.retain(|(found, _)| found != name);
        }
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }
}

/// What became of a request.
#[derive(Debug)]
pub struct Answer {
    /// The code of the refusal.
    pub refusal: Option<&'static str>,
    /// What the upstream sees.
    pub upstream: Vec<(String, String)>,
}

/// A module under a configuration; every key set that it fetches is the same.
pub struct Gate {
    stages: Vec<Box<dyn Stage>>,
    keys: Vec<u8>,
}

impl Gate {
    pub fn new(configuration: &Value, keys: &Value) -> Self {
        let environment = |_: &str| Variable::Unset;
        let loaded = Module::JwtAuth.load(configuration.to_string().as_bytes(), &environment);
        let stages = loaded.unwrap_or_else(|error| panic!("{error}\n{configuration:#}")).stages;
        Self { stages, keys: keys.to_string().into_bytes() }
    }

    pub fn decide(&mut self, ask: &Ask) -> Answer {
        let Ask(mut upstream) = ask.clone();
        let mut exchange = Exchange::new(Request::new(Headers::from_pairs(upstream.iter().cloned())), Some(NOW));
        for stage in &mut self.stages {
            let mut verdict = stage.on_request(&mut exchange, NOW, &mut Alone);
            let mut rounds = 0..8;
            while let Verdict::Wait(_) = verdict {
                rounds.next().expect("the request waits without end");
                for fetch in stage.due(NOW, &mut Alone).fetches {
                    stage.on_fetched(
                        fetch.id,
                        FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body: self.keys.clone() },
                        NOW,
                        &mut Alone,
                    );
                }
                verdict = stage.on_request(&mut exchange, NOW, &mut Alone);
            }
            if let Verdict::Refuse(refusal) = verdict {
                return Answer { refusal: Some(refusal.rejection.code()), upstream: Vec::new() };
            }
        }
        for edit in exchange.edits.iter() {
            if let Edit::Remove(name) | Edit::Set(name, _) = edit {
                upstream.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
            }
            if let Edit::Set(name, value) | Edit::Append(name, value) = edit {
                upstream.push((name.to_string(), value.to_string()));
            }
        }
        Answer { refusal: None, upstream }
    }
}
