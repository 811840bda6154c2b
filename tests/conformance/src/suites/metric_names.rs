//! Names of metrics: what Envoy and Istio make of them, and whether ours come through.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use portcullis_core::claim_set::ClaimSet;
use portcullis_core::config::metrics::MetricsConfig;
use portcullis_core::metrics::{Metrics, Policy};
use portcullis_core::principal::{Identity, Method, Principal};
use portcullis_core::request::Request;
use portcullis_core::stage::{Completion, Exchange, MetricId, MetricKind, Observer, Stage};
use portcullis_core::time::UnixTime;
use regex::Regex;
use serde_json::{Value, json};

use crate::row::{Expected, Row};
use crate::{list, read, text};

/// What the proxy puts before the names of a module's metrics.
const NAMESPACE: &str = "wasmcustom.";

/// Names that Envoy would change or leave out are refused; a value that looks like labels stays one value, whatever expressions find
/// labels in names.
pub(super) fn run(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "metrics/envoy_stat_names.json")?;
    let names = list(&document, "name_cases").iter().map(name);
    let tags = list(&document, "tag_cases").iter().map(tag);
    names.chain(tags).collect()
}

fn name(case: &Value) -> Result<Row> {
    let (stat, shown) = (text(case, "stat"), case["prometheus"].as_str());
    let is_in_namespace = |rest: &str| shown == Some(rest) || !list(case, "custom_namespaces").is_empty();
    let name = stat.split_once('.').map(|(_, rest)| rest).filter(|rest| is_in_namespace(rest)).unwrap_or(stat);
    // The ending is added to what the operator writes.
    let written = name.strip_suffix("_total").unwrap_or(name);
    let is_taken = policy(&json!([{"name": written}])).is_ok();
    let ours = if is_taken { "accepted" } else { "refused: malformed" };
    Ok(Row::new(text(case, "id"), Expected::accepted(shown == Some(name)), ours))
}

fn tag(case: &Value) -> Result<Row> {
    let (regex, stat) = (text(case, "regex"), text(case, "stat"));
    let label = regex.strip_prefix('(').and_then(|rest| rest.split_once("=\\.=")).map(|(label, _)| label);
    // What somebody might want to be in a claim: the text that the expression of the case looks into.
    let rest = stat.strip_prefix(NAMESPACE).unwrap_or(stat);
    let value = label
        .and_then(|label| rest.strip_prefix(label)?.strip_prefix("=.=")?.rsplit_once(";.;"))
        .map_or(rest, |(value, _)| value);
    let written = written(label.unwrap_or("tenant"), value)?;
    let regex = Regex::new(regex)?;
    let found = regex.captures(&written).and_then(|groups| Some((groups.get(1)?.range(), groups.get(2)?.as_str().to_owned())));
    let is_kept = match (label, found) {
        (Some(label), Some((range, value))) => {
            let rest = [&written[..range.start], &written[range.end..]].concat();
            rest == format!("{NAMESPACE}portcullis_x_total") && written.contains(&format!("{label}=.={value};.;"))
        }
        (None, found) => found.is_none(),
        (Some(_), None) => false,
    };
    let ours = if is_kept { "accepted" } else { "accepted, but read as something else" };
    Ok(Row::new(text(case, "id"), Expected::Accepted, ours))
}

fn policy(business: &Value) -> Result<Policy> {
    let config = MetricsConfig::parse(json!({ "business": business }).to_string().as_bytes())?;
    Ok(Policy::compile(&config)?.0)
}

/// The name of a metric of which a label has a claim's value, as the proxy gets it.
fn written(label: &str, value: &str) -> Result<String> {
    let policy = policy(&json!([{"name": "x", "labels": {label: "{claim.value}"}}]))?;
    let principal = Principal {
        issuer: "https://issuer.example.com".to_owned(),
        subject: None,
        roles: Vec::new(),
        scopes: Vec::new(),
        audiences: Vec::new(),
        claims: ClaimSet::read(json!({ "value": value }).to_string())?,
        method: Method::Jwt,
        token_id: None,
        expires_at: None,
    };
    let mut exchange = Exchange::new(Request::default(), None);
    exchange.identity = Some(Rc::new(Identity::new(principal, "issuer".into())));
    let ended = Completion { status: Some(200), duration: Some(Duration::ZERO), ..Completion::default() };
    let mut names = Names(Vec::new());
    Metrics::new(Rc::new(policy), false).on_log(&exchange, &ended, UnixTime::from_secs(0), &mut names);
    let name = names.0.into_iter().find(|name| name.ends_with("portcullis_x_total")).context("nothing was counted")?;
    Ok(format!("{NAMESPACE}{name}"))
}

/// The names of the metrics that were defined.
struct Names(Vec<String>);

impl Observer for Names {
    fn define_metric(&mut self, _: MetricKind, name: &str) -> Option<MetricId> {
        self.0.push(name.to_owned());
        None
    }

    fn increment(&mut self, _: MetricId, _: u64) {}
    fn adjust(&mut self, _: MetricId, _: i64) {}
    fn record(&mut self, _: MetricId, _: u64) {}
    fn set_state(&mut self, _: &str, _: &str) {}
    fn print(&mut self, _: &str) {}
}
