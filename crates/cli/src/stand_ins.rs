//! Files that stand in for keys which the module would fetch: nothing is fetched here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, bail};
use portcullis_core::authn::Authn;
use portcullis_core::config::suggestion;
use portcullis_core::stage::{Alone, Fetch, FetchId, FetchOutcome, LogLevel, Stage};
use portcullis_core::time::UnixTime;
use serde_json::{Value, json};

use crate::document::Source;

/// One `--jwks` argument.
#[derive(Debug, Clone)]
pub struct JwksArgument {
    /// The entry that the file is for; absent when there is only one that it can be for.
    name: Option<String>,
    file: PathBuf,
}

impl std::str::FromStr for JwksArgument {
    type Err = std::convert::Infallible;

    /// `FILE` or `NAME=FILE`; a name may hold a `=` and a file not.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.rsplit_once('=') {
            Some((name, file)) => Self { name: Some(name.to_owned()), file: file.into() },
            None => Self { name: None, file: text.into() },
        })
    }
}

impl JwksArgument {
    /// The entry that the file is for.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> anyhow::Result<Vec<u8>> {
        let source = Source::from_argument(&self.file);
        source.read().with_context(|| format!("{}: the key set cannot be read", source.name()))
    }
}

/// How the path of an OpenID provider's configuration ends.
const PROVIDER_CONFIGURATION: &str = "/.well-known/openid-configuration";
/// What stands in for the answer of a token endpoint.
const TOKEN: &str = r#"{"access_token": "stand-in", "token_type": "Bearer", "expires_in": 3600}"#;
/// The most fetches in a row: a provider's configuration, then the key set that it names.
const MOST_FETCHES: usize = 2;

/// The documents that stand in, by the fetch that would bring them.
#[derive(Debug, Default)]
pub struct StandIns(BTreeMap<FetchId, StandIn>);

#[derive(Debug)]
struct StandIn {
    /// The `iss` of the entry.
    issuer: Option<String>,
    jwks: Vec<u8>,
}

impl StandIn {
    /// The document for a fetch. Where keys are discovered, the provider's configuration leads to the key set.
    fn answer(&self, fetch: &Fetch) -> Vec<u8> {
        if !fetch.path.ends_with(PROVIDER_CONFIGURATION) {
            return self.jwks.clone();
        }
        let jwks_uri = format!("{}://{}/jwks", fetch.scheme, fetch.authority);
        json!({"issuer": self.issuer, "jwks_uri": jwks_uri}).to_string().into_bytes()
    }
}

impl StandIns {
    /// The documents for the entries of a stage that fetch their keys. The name of an entry with tenants stands for all of them,
    /// `NAME/TENANT` for one.
    ///
    /// # Errors
    /// A file cannot be read, or it is not clear which entry it is for.
    pub fn read(arguments: &[JwksArgument], authn: &Authn, now: UnixTime) -> anyhow::Result<Self> {
        let fetching: Vec<_> = authn.entries(now).filter_map(|entry| Some((entry.fetch?, entry))).collect();
        let mut names: Vec<&str> = fetching.iter().map(|(_, entry)| &**entry.name).collect();
        names.dedup();
        let mut documents = BTreeMap::new();
        for argument in arguments {
            let meant: Vec<_> = match (argument.name(), names.as_slice()) {
                (_, []) => bail!("--jwks stands in for keys that are fetched, and the configuration fetches none"),
                (None, [_]) => fetching.iter().collect(),
                (None, _) => bail!("several entries fetch their keys; write --jwks NAME=FILE with one of {}", names.join(", ")),
                (Some(name), _) => fetching.iter().filter(|(_, entry)| name == &**entry.name || name == &**entry.label).collect(),
            };
            if let (Some(name), []) = (argument.name(), meant.as_slice()) {
                let hint = suggestion::hint(name, &names, "entries that do");
                bail!("--jwks {name}=…: no entry of this name fetches its keys; {hint}");
            }
            let jwks = argument.read()?;
            for (id, entry) in meant {
                let stand_in = StandIn { issuer: entry.issuer.map(str::to_owned), jwks: jwks.clone() };
                if documents.insert(*id, stand_in).is_some() {
                    bail!("--jwks is given twice for the same entry");
                }
            }
        }
        Ok(Self(documents))
    }

    /// The key set that stands in for a fetch.
    pub fn jwks(&self, id: FetchId) -> Option<Value> {
        serde_json::from_slice(&self.0.get(&id)?.jwks).ok()
    }

    /// Answer what a stage wants to fetch, as far as there are documents.
    ///
    /// # Errors
    /// A document holds no keys that can be used.
    pub fn answer(&self, stage: &mut dyn Stage, now: UnixTime) -> anyhow::Result<()> {
        for _ in 0..MOST_FETCHES {
            for fetch in stage.due(now, &mut Alone).fetches {
                // A credential of the gateway's own is nothing that the caller is judged by.
                let body = match self.0.get(&fetch.id).filter(|_| fetch.post.is_none()) {
                    Some(stand_in) => stand_in.answer(&fetch),
                    None if fetch.post.is_some() => TOKEN.into(),
                    None => continue,
                };
                let outcome = FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body };
                let message = stage.on_fetched(fetch.id, outcome, now, &mut Alone);
                if let Some(complaint) = message.filter(|message| message.level >= LogLevel::Warn) {
                    bail!("--jwks: {}", complaint.text);
                }
            }
        }
        Ok(())
    }
}
