//! The `jwtRules` of the result.

use serde_json::{Map, Value, json};

use crate::import::formula::Issuers;
use crate::import::note::Notes;

/// The longest time that a fetch of keys may take, in seconds.
const MAX_TIMEOUT: f64 = 60.0;

/// An entry of `jwtRules`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What rules call it: its `name`, else its `issuer`.
    pub name: String,
    /// Its members, in the order in which they are written.
    pub members: Map<String, Value>,
    /// Where it stands in the source.
    pub place: String,
}

impl Entry {
    /// The members that two entries must share so that one can stand for both: all but who the token is for.
    fn essence(&self) -> Map<String, Value> {
        let mut members = self.members.clone();
        members.retain(|key, _| key != "audiences" && key != "name");
        members
    }

    /// Whether a token that one of them takes is taken by the other, but for the audience.
    pub fn is_like(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }

    /// The value of a member.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.members.get(key)?.as_str()
    }

    /// Adds the places where both Istio and Envoy look for a token when none are named.
    pub fn add_default_sources(&mut self, notes: &mut Notes) {
        if ["fromHeaders", "fromParams", "fromCookies"].iter().any(|key| self.members.contains_key(*key)) {
            return;
        }
        self.members.insert("fromHeaders".to_owned(), json!([{"name": "Authorization", "prefix": "Bearer "}]));
        self.members.insert("fromParams".to_owned(), json!(["access_token"]));
        notes.remark(
            "",
            "a token is also looked for in the query parameter `access_token`, as it was by default; leave `fromParams` out to \
             look at the Authorization header only",
        );
    }

    /// Takes a timeout over, in the notation of protobuf's JSON.
    pub fn add_timeout(&mut self, timeout: Option<&str>, notes: &mut Notes) {
        let Some(timeout) = timeout else { return };
        let seconds = timeout.strip_suffix('s').and_then(|number| number.parse::<f64>().ok());
        let text = match seconds {
            Some(seconds) if seconds > MAX_TIMEOUT => {
                notes.no_equal(&self.place, format!("the timeout of {timeout} becomes 60s: requests are held that long"));
                "60s".to_owned()
            }
            Some(seconds) => milliseconds(seconds),
            None => timeout.to_owned(),
        };
        self.members.insert("timeout".to_owned(), text.into());
    }
}

/// A number of seconds as a duration without a fraction.
pub fn milliseconds(seconds: f64) -> String {
    if seconds.fract() == 0.0 { format!("{seconds:.0}s") } else { format!("{:.0}ms", (seconds * 1000.0).ceil()) }
}

/// The names of some entries.
pub fn names(entries: &[Entry]) -> Issuers {
    entries.iter().map(|entry| entry.name.clone()).collect()
}
