//! The policy under test: a module's stages as the proxy's host runs them, with time, keys and headers as arguments.

use portcullis_core::config::{ConfigError, Variable};
use portcullis_core::edits::Edit;
use portcullis_core::headers::Headers;
use portcullis_core::module::Module;
use portcullis_core::request::Request;
use portcullis_core::stage::{Alone, Exchange, Fetch, FetchOutcome, Stage, Verdict};
use portcullis_core::time::UnixTime;
use serde_json::{Map, Value};

/// A request that waits longer than this waits for ever.
const MOST_FETCHES: usize = 8;

/// A request to be decided about.
#[derive(Debug, Clone)]
pub struct Ask {
    method: Vec<u8>,
    path: Vec<u8>,
    host: Vec<u8>,
    route: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Ask {
    /// A GET of a path.
    pub fn get(path: impl AsRef<[u8]>) -> Self {
        let (path, host) = (path.as_ref().to_vec(), b"api.example.com".to_vec());
        Self { method: b"GET".to_vec(), path, host, route: None, headers: Vec::new() }
    }

    /// The same with another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = method.as_bytes().to_vec();
        self
    }

    /// The same to another host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.as_bytes().to_vec();
        self
    }

    /// The same on a route of the proxy.
    #[must_use]
    pub fn route(mut self, route: Option<&str>) -> Self {
        self.route = route.map(str::to_owned);
        self
    }

    /// The same with one more header. `:method`, `:path`, `host` and `:authority` take the place of what is there.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref().to_vec();
        match name.to_ascii_lowercase().as_str() {
            ":method" => self.method = value,
            ":path" => self.path = value,
            "host" | ":authority" => self.host = value,
            name => self.headers.push((name.to_owned(), value)),
        }
        self
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    fn pairs(&self) -> Vec<(String, Vec<u8>)> {
        let pseudo = [(":method", &self.method), (":path", &self.path), (":authority", &self.host)];
        let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.clone()));
        pseudo.into_iter().chain(self.headers.iter().cloned()).collect()
    }
}

/// What became of a request.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The name of the rule that decided.
    pub rule: Option<String>,
    /// The code of the refusal; absent when the request passes.
    pub refusal: Option<String>,
    /// What the upstream sees when the request passes.
    pub upstream: Vec<(String, Vec<u8>)>,
    /// The claims of the caller, when the request passes and has one.
    pub claims: Option<Map<String, Value>>,
    /// How many fetches the request was the reason for.
    pub fetches: usize,
}

impl Answer {
    /// `accepted`, or `refused: CODE`.
    #[must_use]
    pub fn outcome(&self) -> String {
        self.refusal.as_ref().map_or_else(|| "accepted".to_owned(), |code| format!("refused: {code}"))
    }

    /// The values of a header that the upstream sees.
    pub fn upstream<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.upstream.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
    }
}

/// A module under a configuration.
pub struct Gate {
    stages: Vec<Box<dyn Stage>>,
}

impl Gate {
    /// The module `jwt_auth` under a configuration.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn load(configuration: &Value) -> Result<Self, ConfigError> {
        let environment = |_: &str| Variable::Unset;
        let loaded = Module::JwtAuth.load(configuration.to_string().as_bytes(), &environment)?;
        Ok(Self { stages: loaded.stages })
    }

    /// Decide about a request with keys that are known.
    pub fn ask(&mut self, ask: &Ask, now: UnixTime) -> Answer {
        self.ask_with(ask, now, |_| FetchOutcome::NotSent)
    }

    /// Decide about a request; `keys` answers the fetches.
    ///
    /// # Panics
    /// When the request is held although nothing is fetched any more.
    pub fn ask_with(&mut self, ask: &Ask, now: UnixTime, keys: impl Fn(&Fetch) -> FetchOutcome) -> Answer {
        let mut pairs = ask.pairs();
        let mut exchange = Exchange::new(Request::new(Headers::from_pairs(pairs.iter().cloned())), Some(now));
        exchange.route.name.clone_from(&ask.route);
        let mut fetches = 0;
        for stage in &mut self.stages {
            let mut verdict = stage.on_request(&mut exchange, now, &mut Alone);
            while let Verdict::Wait(_) = verdict {
                for fetch in stage.due(now, &mut Alone).fetches {
                    fetches += 1;
                    stage.on_fetched(fetch.id, keys(&fetch), now, &mut Alone);
                }
                assert!(fetches <= MOST_FETCHES, "the request waits without end");
                verdict = stage.on_request(&mut exchange, now, &mut Alone);
            }
            if let Verdict::Refuse(refusal) = verdict {
                let refusal = Some(refusal.rejection.code().to_owned());
                return Answer { rule: rule(&exchange), refusal, upstream: Vec::new(), claims: None, fetches };
            }
        }
        for edit in exchange.edits.iter() {
            apply(edit, &mut pairs);
        }
        let rule = rule(&exchange);
        let claims = exchange.identity.and_then(|identity| Some((&identity.principal()?.claims).into()));
        Answer { rule, refusal: None, upstream: pairs, claims, fetches }
    }
}

fn rule(exchange: &Exchange) -> Option<String> {
    exchange.decision.as_ref().map(|decision| decision.rule.to_string())
}

/// Change headers as the proxy does.
pub fn apply(edit: &Edit, pairs: &mut Vec<(String, Vec<u8>)>) {
    if let Edit::Remove(name) | Edit::Set(name, _) = edit {
        pairs.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
    }
    if let Edit::Set(name, value) | Edit::Append(name, value) = edit {
        pairs.push((name.to_string(), value.as_bytes().to_vec()));
    }
}
