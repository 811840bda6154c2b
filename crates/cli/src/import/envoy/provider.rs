//! `providers` as entries of `jwtRules`.
//!
//! An issuer has one entry. Providers of one issuer that differ in their audiences only share it, and rules ask for the audiences
//! then; of others the first counts, and nobody satisfies the rest.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::import::formula::{Fact, Formula, Issuers, Text};
use crate::import::issuers::{self, Entry};
use crate::import::note::Notes;
use crate::import::source::Node;

/// The largest `clockSkew`, in seconds.
const MAX_SKEW: u64 = 300;

/// All providers.
#[derive(Debug, Default)]
pub struct Providers {
    /// The entries that came of them.
    pub entries: Vec<Entry>,
    known: BTreeMap<String, Provider>,
}

/// What a provider became.
#[derive(Debug)]
struct Provider {
    /// The name of its entry; none when it has none.
    entry: Option<String>,
    /// The audiences that rules ask for.
    audiences: BTreeSet<String>,
    /// The condition on the subject.
    subject: Formula,
}

impl Providers {
    /// The providers of a filter; rules and requirements tell whose audiences are asked for by rules.
    pub fn read(filter: &Node<'_>, rules: &[Node<'_>], requirements: &BTreeMap<&str, Node<'_>>, notes: &mut Notes) -> Self {
        let mut providers = Self::default();
        let mut overridden = BTreeSet::new();
        rules.iter().filter_map(|rule| rule.get("requires")).chain(requirements.values().cloned()).for_each(|requirement| {
            collect_overridden(&requirement, &mut overridden);
        });
        let listed = filter.get("providers").map(|providers| providers.members()).unwrap_or_default();
        for (name, node) in &listed {
            let Some((entry, provider)) = provider(name, node, notes) else {
                let nobody = Provider { entry: None, audiences: BTreeSet::new(), subject: Formula::False };
                providers.known.insert((*name).to_owned(), nobody);
                continue;
            };
            providers.add(entry, provider, name, notes);
        }
        providers.settle_audiences(&overridden);
        if providers.entries.iter().any(|entry| !entry.members.contains_key("requireExpiration")) {
            notes.remark(
                "",
                "a token without `exp` is refused; write `requireExpiration: false` in its entry to take it, as before",
            );
        }
        providers
    }

    fn add(&mut self, mut entry: Entry, mut provider: Provider, name: &str, notes: &mut Notes) {
        entry.members.insert("name".to_owned(), name.into());
        let issuer = entry.text("issuer").map(str::to_owned);
        match self.entries.iter().find(|known| known.text("issuer") == issuer.as_deref()) {
            None => self.entries.push(entry),
            Some(known) if known.is_like(&entry) => provider.entry = Some(known.name.clone()),
            Some(known) => {
                notes.no_equal(
                    &entry.place,
                    format!("an issuer has one entry, and `{}` is another one for it: nobody satisfies this one", known.name),
                );
                provider.entry = None;
            }
        }
        self.known.insert(name.to_owned(), provider);
    }

    /// An entry checks the audiences itself when all who ask for it mean the same ones; else rules do.
    fn settle_audiences(&mut self, overridden: &BTreeSet<String>) {
        for entry in &mut self.entries {
            let users: Vec<&String> = self
                .known
                .iter()
                .filter(|(_, provider)| provider.entry.as_deref() == Some(&entry.name))
                .map(|(name, _)| name)
                .collect();
            let alone = users.len() == 1 && users.iter().all(|name| !overridden.contains(*name));
            if alone {
                self.known.values_mut().filter(|provider| provider.entry.as_deref() == Some(&entry.name)).for_each(|provider| {
                    provider.audiences.clear();
                });
            } else {
                entry.members.remove("audiences");
            }
        }
    }

    /// Whether there is a provider of this name.
    pub fn is_known(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// The names of all entries.
    pub fn names(&self) -> Issuers {
        issuers::names(&self.entries)
    }

    /// Callers with a token for this provider, for other audiences than its own where some are given.
    pub fn formula(&self, name: &str, audiences: Option<&BTreeSet<String>>) -> Formula {
        let Some(provider) = self.known.get(name) else { return Formula::False };
        let Some(entry) = &provider.entry else { return Formula::False };
        let audiences = audiences.unwrap_or(&provider.audiences);
        let audience = if audiences.is_empty() { Formula::True } else { Formula::Is(Fact::Audience(audiences.clone())) };
        Formula::all([Formula::Is(Fact::Issuer([entry.clone()].into())), audience, provider.subject.clone()])
    }

    /// Callers with a token for each of these; none where they cannot be asked for together.
    pub fn together(&self, asked: &BTreeSet<(String, Option<BTreeSet<String>>)>) -> Option<Formula> {
        let mut callers = Vec::new();
        let mut places: Vec<&Value> = Vec::new();
        for (name, audiences) in asked {
            let provider = self.known.get(name).filter(|provider| provider.subject == Formula::True)?;
            let entry = self.entries.iter().find(|entry| provider.entry.as_deref() == Some(&entry.name))?;
            for place in ["fromHeaders", "fromParams", "fromCookies"]
                .iter()
                .filter_map(|key| entry.members.get(*key)?.as_array())
                .flatten()
            {
                if places.contains(&place) {
                    return None;
                }
                places.push(place);
            }
            let audiences = audiences.clone().unwrap_or_else(|| provider.audiences.clone());
            callers.push((entry.name.clone(), Some(audiences).filter(|audiences| !audiences.is_empty())));
        }
        Some(Formula::Is(Fact::Together(callers)))
    }
}

fn collect_overridden(requirement: &Node<'_>, found: &mut BTreeSet<String>) {
    if let Some(name) = requirement.get("provider_and_audiences").and_then(|node| node.text("provider_name").map(str::to_owned)) {
        found.insert(name);
    }
    for list in ["requires_any", "requires_all"] {
        let members = requirement.get(list).map(|node| node.list("requirements")).unwrap_or_default();
        members.iter().for_each(|member| collect_overridden(member, found));
    }
}

/// An entry, and what rules must ask for beside it; none when the provider's keys cannot be had.
fn provider(name: &str, node: &Node<'_>, notes: &mut Notes) -> Option<(Entry, Provider)> {
    let mut entry = Entry { name: name.to_owned(), members: Map::new(), place: node.place() };
    match node.text("issuer").filter(|issuer| !issuer.is_empty()) {
        Some(issuer) => drop(entry.members.insert("issuer".to_owned(), issuer.into())),
        None => notes.no_equal(&node.place(), "has no issuer and so takes tokens of every one: here only those without `iss`"),
    }
    let audiences = node.texts("audiences");
    if !audiences.is_empty() {
        if audiences.iter().any(|audience| audience.starts_with("http") || audience.ends_with('/')) {
            notes.remark(&node.place(), "an audience is compared exactly, its scheme and a slash at its end included");
        }
        entry.members.insert("audiences".to_owned(), audiences.clone().into());
    }
    keys(node, &mut entry, notes)?;
    let headers: Vec<Value> = node
        .list("from_headers")
        .iter()
        .map(|header| {
            let name = header.text("name").unwrap_or_default();
            match header.text("value_prefix").filter(|prefix| !prefix.is_empty()) {
                Some(prefix) => json!({"name": name, "prefix": prefix}),
                None => json!({"name": name}),
            }
        })
        .collect();
    let lists =
        [("fromHeaders", headers), ("fromParams", values(node, "from_params")), ("fromCookies", values(node, "from_cookies"))];
    for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        entry.members.insert(key.to_owned(), list.into());
    }
    entry.add_default_sources(notes);
    outputs(node, &mut entry, notes);
    times(node, &mut entry, notes);
    let subject = node.get("subjects").map_or(Formula::True, |subjects| subject(&subjects, notes));
    let known = [
        "issuer",
        "audiences",
        "subjects",
        "remote_jwks",
        "local_jwks",
        "from_headers",
        "from_params",
        "from_cookies",
        "forward",
        "forward_payload_header",
        "pad_forward_payload_header",
        "claim_to_headers",
        "clock_skew_seconds",
        "require_expiration",
        "max_lifetime",
        "normalize_payload_in_metadata",
        "jwt_cache_config",
        "clear_route_cache",
    ];
    for (key, node) in node.others(&known) {
        let problem = if key.contains("etadata") { "writes metadata, which is not written here" } else { "is not known here" };
        notes.no_equal(&node.place(), format!("`{key}` {problem}: left out"));
    }
    let provider = Provider { entry: Some(name.to_owned()), audiences: audiences.into_iter().collect(), subject };
    Some((entry, provider))
}

fn values(node: &Node<'_>, name: &str) -> Vec<Value> {
    node.texts(name).into_iter().map(Value::from).collect()
}

fn keys(node: &Node<'_>, entry: &mut Entry, notes: &mut Notes) -> Option<()> {
    if let Some(remote) = node.get("remote_jwks") {
        let uri = remote.get("http_uri")?;
        entry.members.insert("jwksUri".to_owned(), uri.text("uri")?.into());
        if let Some(cluster) = uri.text("cluster") {
            entry.members.insert("cluster".to_owned(), cluster.into());
        }
        entry.add_timeout(uri.text("timeout"), notes);
        let seconds = remote.text("cache_duration").and_then(|text| text.strip_suffix('s')?.parse::<f64>().ok());
        if let Some(seconds) = seconds.filter(|seconds| *seconds >= 1.0) {
            entry.members.insert("refresh".to_owned(), issuers::milliseconds(seconds).into());
        }
        for (key, node) in remote.others(&["http_uri", "cache_duration", "async_fetch"]) {
            notes.remark(
                &node.place(),
                format!("`{key}` has no equal: keys are fetched in the background, and again after a failure"),
            );
        }
        return Some(());
    }
    let local = node.get("local_jwks");
    let inline = local.as_ref().and_then(|local| {
        let bytes = || String::from_utf8(STANDARD.decode(local.text("inline_bytes")?).ok()?).ok();
        local.text("inline_string").map(str::to_owned).or_else(bytes)
    });
    match inline {
        Some(jwks) => {
            entry.members.insert("jwks".to_owned(), jwks.into());
            Some(())
        }
        None => {
            let place = local.as_ref().map_or_else(|| node.place(), Node::place);
            notes.no_equal(
                &place,
                "the keys cannot be read from there; paste them as `jwks`. Nobody satisfies the provider until then",
            );
            None
        }
    }
}

fn outputs(node: &Node<'_>, entry: &mut Entry, notes: &mut Notes) {
    if node.flag("forward") {
        entry.members.insert("forwardOriginalToken".to_owned(), true.into());
    }
    if let Some(header) = node.text("forward_payload_header") {
        entry.members.insert("outputPayloadToHeader".to_owned(), header.into());
    }
    if node.flag("pad_forward_payload_header") {
        notes.no_equal(&node.place(), "the header with the payload is not padded here");
    }
    let claims: Vec<Value> = node
        .list("claim_to_headers")
        .iter()
        .map(|output| json!({"header": output.text("header_name").unwrap_or_default(), "claim": output.text("claim_name").unwrap_or_default()}))
        .collect();
    if !claims.is_empty() {
        notes.remark(&node.place(), "a claim that is a list becomes text with commas in its header, not base64 of JSON");
        entry.members.insert("outputClaimToHeaders".to_owned(), claims.into());
    }
    let split = node.get("normalize_payload_in_metadata").map(|node| values(&node, "space_delimited_claims")).unwrap_or_default();
    if !split.is_empty() {
        entry.members.insert("spaceDelimitedClaims".to_owned(), split.into());
    }
}

fn times(node: &Node<'_>, entry: &mut Entry, notes: &mut Notes) {
    let skew = node.get("clock_skew_seconds").and_then(|node| node.value.as_u64()).unwrap_or_default();
    if skew > MAX_SKEW {
        notes.no_equal(&node.place(), format!("a clock skew of {skew} seconds becomes 5 minutes"));
    }
    if skew != 0 {
        entry.members.insert("clockSkew".to_owned(), format!("{}s", skew.min(MAX_SKEW)).into());
    }
    if node.flag("require_expiration") {
        entry.members.insert("requireExpiration".to_owned(), true.into());
    }
    if let Some(seconds) = node.text("max_lifetime").and_then(|text| text.strip_suffix('s')?.parse::<f64>().ok()) {
        entry.members.insert("maxLifetime".to_owned(), issuers::milliseconds(seconds).into());
    }
}

/// `subjects` as a condition that rules ask for.
fn subject(matcher: &Node<'_>, notes: &mut Notes) -> Formula {
    let text = |key: &str| matcher.text(key).map(str::to_owned);
    let exact = text("exact").map(Text::Exact);
    let test = exact.or_else(|| text("prefix").map(Text::Prefix)).filter(|_| !matcher.flag("ignore_case"));
    match test {
        Some(test) => Formula::Is(Fact::Claim("sub".to_owned(), test)),
        None => {
            notes.no_equal(&matcher.place(), "the subject cannot be compared so here: nobody satisfies the provider");
            Formula::False
        }
    }
}
