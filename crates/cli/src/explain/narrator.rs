//! Asks the questions that the stage asks, in its order, and notes what comes of each.

use portcullis_core::authn::{Doubt, Examination};
use portcullis_core::config::rule::Access;
use portcullis_core::decision::CORS_PREFLIGHT;
use portcullis_core::extractor::{self, Found, Source};
use portcullis_core::matcher::Condition;
use portcullis_core::principal::Identity;
use portcullis_core::rejection::Rejection;
use portcullis_core::request::Request;
use portcullis_core::rules::{Selected, Selection};
use serde_json::Value;

use super::{Settled, requirements};
use crate::credential::Judge;
use crate::step::{Outcome, Step};

/// What is said of senders that have not shown what their tokens are bound to.
const UNPROVEN: [Rejection; 6] = [
    Rejection::TokenBindingMismatch,
    Rejection::DpopProofMissing,
    Rejection::DpopProofInvalid,
    Rejection::DpopProofReplayed,
    Rejection::DpopNonceRequired,
    Rejection::DpopReplayUnknown,
];

/// What there is to tell of a request.
#[derive(Debug, Default)]
pub struct Story {
    /// The rules in the order in which they were looked at, up to the one that decides.
    pub rules: Vec<Step>,
    /// The checks, in their order.
    pub steps: Vec<Step>,
    /// The credentials that were found.
    pub credentials: Vec<Vec<u8>>,
    /// Whether the caller is not shown, because a credential was encrypted.
    pub hides_principal: bool,
}

/// Tells how a request fares.
pub struct Narrator<'a> {
    judge: Judge<'a>,
    settled: &'a Settled,
    rules: Vec<Value>,
    story: Story,
}

impl<'a> Narrator<'a> {
    /// A narrator of what the stages made of a request.
    pub fn new(judge: Judge<'a>, settled: &'a Settled) -> Self {
        let rules = judge.configuration.jwt_auth().get("rules").and_then(Value::as_array).cloned().unwrap_or_default();
        Self { judge, settled, rules, story: Story::default() }
    }

    /// The story.
    ///
    /// # Errors
    /// A key set that stands in cannot be used.
    pub fn tell(mut self) -> anyhow::Result<Story> {
        let (exchange, policy) = (&self.settled.exchange, self.judge.authn.policy());
        match policy.rules().select(&exchange.request, &exchange.route) {
            Ok(selection) => self.tell_selection(&selection)?,
            Err(rejection) => {
                let named = exchange.route.rule.as_deref().unwrap_or_default();
                let says = format!("the route names the rule {}, and there is none of this name", text(named));
                self.story.steps.push(Step::failed("rule", says).code(rejection.code()));
            }
        }
        if let Some(refusal) = &self.settled.refusal
            && !self.has_failed()
            && self.story.steps.iter().all(|step| step.outcome == Outcome::Ok)
        {
            // What is found before and after the rules: names and values that cannot be headers.
            let rejection = refusal.rejection;
            self.story.steps.push(Step::failed("headers", rejection.description()).code(rejection.code()));
        }
        Ok(self.story)
    }

    fn has_failed(&self) -> bool {
        self.story.steps.iter().any(|step| step.outcome == Outcome::Failed)
    }

    fn tell_selection(&mut self, selection: &Selection<'_>) -> anyhow::Result<()> {
        self.tell_rules(selection);
        let decision = self.settled.exchange.decision.as_ref();
        if decision.is_some_and(|decision| decision.reason == CORS_PREFLIGHT) {
            self.story
                .steps
                .push(Step::ok("access", "a CORS preflight, which passes without a credential: `bypassCorsPreflight`"));
            return Ok(());
        }
        self.tell_checks(&selection.enforced)?;
        let is_open = self.story.steps.iter().all(|step| step.outcome == Outcome::Ok);
        if let Some(rule) = selection.shadow.filter(|_| is_open) {
            let told = std::mem::take(&mut self.story.steps);
            self.tell_checks(&Selected::only(rule))?;
            let again = std::mem::replace(&mut self.story.steps, told);
            // The credential is the same, and was told of already.
            let new: Vec<_> = again.into_iter().filter(|step| !self.story.steps.contains(step)).collect();
            self.story.steps.extend(new.into_iter().map(|step| Step { check: format!("shadow {}", step.check), ..step }));
        }
        Ok(())
    }

    /// The rules up to the one that decides.
    fn tell_rules(&mut self, selection: &Selection<'_>) {
        let exchange = &self.settled.exchange;
        let policy = self.judge.authn.policy();
        let decisive = selection.enforced.decisive();
        let mut lines = Vec::new();
        if let Some(named) = exchange.route.rule.as_deref() {
            lines.push(Step::ok(text(named), "the route names this rule, which wins over matching"));
        }
        for (index, rule) in policy.rules().iter().enumerate() {
            if exchange.route.rule.is_some() && !selection.is_ambiguous && selection.shadow.is_none() {
                break;
            }
            let name = rule.name().to_string();
            let must_hold = selection.enforced.rules().any(|one| std::ptr::eq(one, rule));
            let is_reported = selection.shadow.is_some_and(|shadow| std::ptr::eq(shadow, rule));
            lines.push(match rule.unmet(&exchange.request, exchange.route.name.as_deref()) {
                _ if is_reported => {
                    Step::ok(name, format!("matches, and is in shadow: {}, reported only", access(rule.access())))
                }
                _ if must_hold && selection.is_ambiguous => {
                    Step::ok(name, format!("must hold: the request may be meant for it; {}", access(rule.access())))
                }
                _ if must_hold => Step::ok(name, format!("matches: {}", access(rule.access()))),
                Some(condition) => Step::failed(name, self.unmet(index, condition)),
                None => Step::failed(name, "is passed over"),
            });
            if must_hold && !selection.is_ambiguous {
                break;
            }
        }
        if !policy.rules().iter().any(|rule| std::ptr::eq(rule, decisive)) {
            let why = match (selection.is_ambiguous, selection.shadow) {
                (true, _) => "the request can be understood in several ways, so no rule matches it alone",
                (false, Some(_)) => "only a rule in shadow matches",
                (false, None) => "no rule matches",
            };
            lines.push(Step::ok("default", format!("{why}: {}", access(decisive.access()))));
        }
        self.story.rules = lines;
    }

    /// Why a rule does not match, from what it asks for.
    fn unmet(&self, index: usize, condition: Condition) -> String {
        let exchange = &self.settled.exchange;
        let request = &exchange.request;
        let asked = |key: &str| {
            let asked = self.rules.get(index).and_then(|rule| rule.get("match")?.get(key));
            asked.map_or_else(|| "what is asked for".to_owned(), Value::to_string)
        };
        let given =
            |value: Option<&str>| value.map_or_else(|| "cannot be read".to_owned(), |value| Value::from(value).to_string());
        match condition {
            Condition::Hosts => format!("host {} is not in {}", given(request.host()), asked("hosts")),
            Condition::Methods => format!("method {} is not in {}", given(request.method()), asked("methods")),
            Condition::Routes => match exchange.route.name.as_deref() {
                Some(name) => format!("route {} is not in {}", given(Some(name)), asked("routes")),
                None => format!("route is not given (--route), and has to be in {}", asked("routes")),
            },
            Condition::Headers => format!("headers are not all as in {}", asked("headers")),
            Condition::Paths => format!("path {} is not in {}", path(request), asked("paths")),
        }
    }

    /// The checks that selected rules ask for.
    fn tell_checks(&mut self, selected: &Selected<'_>) -> anyhow::Result<()> {
        let exchange = &self.settled.exchange;
        let anonymous = match selected.access() {
            Access::Denied => {
                self.story.steps.push(refused("access", "the rule denies everyone", Rejection::AccessDenied));
                return Ok(());
            }
            Access::Public => {
                self.story.steps.push(Step::ok("access", "public: no credential is looked at"));
                return Ok(());
            }
            Access::Required => false,
            Access::Optional => true,
        };
        let policy = self.judge.authn.policy();
        let headers = exchange.request.headers();
        let credentials = match extractor::find(headers, policy.sources(), selected.max_credentials()) {
            Ok(Some(credentials)) => credentials,
            Ok(None) => {
                let places = policy.sources().iter().map(place).collect::<std::collections::BTreeSet<_>>();
                let none = format!("none; looked for in {}", places.into_iter().collect::<Vec<_>>().join(", "));
                self.story.steps.push(if anonymous {
                    Step::ok("credential", format!("{none}; the rule lets anonymous callers pass"))
                } else {
                    refused("credential", &none, Rejection::TokenMissing)
                });
                return Ok(());
            }
            Err(rejection) => {
                self.story.steps.push(refused("credential", rejection.description(), rejection));
                return Ok(());
            }
        };
        let found: Vec<Found<'_>> = std::iter::once(credentials.first).chain(credentials.others).collect();
        let mut identities = Vec::new();
        for (number, found) in found.iter().enumerate() {
            let examination = self.judge.examine(found.token, Some(found.source))?;
            self.tell_credential(number, found, &examination);
            match examination.verdict {
                Ok(identity) => identities.push(identity),
                Err(_) => return Ok(()),
            }
        }

        if let Some(rejection) = self.unproven() {
            self.story.steps.push(refused("sender", rejection.description(), rejection));
            return Ok(());
        }
        let callers: Vec<_> = identities.iter().map(|identity| &**identity).collect();
        self.tell_requirements(selected, &callers);
        Ok(())
    }

    /// Why whoever sends the request has not shown what the token is bound to.
    fn unproven(&self) -> Option<Rejection> {
        let reason = &self.settled.exchange.decision.as_ref()?.reason;
        UNPROVEN.into_iter().find(|rejection| rejection.code() == *reason)
    }

    fn tell_credential(&mut self, number: usize, found: &Found<'_>, examination: &Examination) {
        self.story.credentials.push(found.token.to_vec());
        let shown = String::from_utf8_lossy(found.token);
        let mut steps = vec![Step::ok("credential", format!("found in {}: {shown}", place(found.source)))];
        steps.extend(self.judge.steps(found.token, examination));
        self.story.hides_principal |= examination.decrypted.is_some() && !self.judge.shows_tokens;
        if let (Err(Doubt::Refused(rejection)), Some(failed)) =
            (&examination.verdict, steps.iter_mut().find(|step| step.outcome == Outcome::Failed))
        {
            failed.code = Some(rejection.code());
        }
        if number > 0 {
            steps.iter_mut().for_each(|step| step.check = format!("{} {}", step.check, number + 1));
        }
        self.story.steps.extend(steps);
    }

    fn tell_requirements(&mut self, selected: &Selected<'_>, callers: &[&Identity]) {
        let request = &self.settled.exchange.request;
        let policy = self.judge.authn.policy();
        let names: Vec<_> = policy.issuer_names();
        for rule in selected.rules() {
            let config = policy.rules().iter().position(|one| std::ptr::eq(one, rule)).and_then(|index| self.rules.get(index));
            let Some(require) = config.and_then(|config| config.get("require")) else { continue };
            self.story.steps.extend(requirements::steps(require, rule, callers, request, &names));
        }
        self.story.steps.push(match selected.check(callers, request) {
            Ok(_) => Step::ok("require", "the caller has what is asked for"),
            Err(refused) => Step::failed("require", format!("rule {}: {}", refused.rule.name(), refused.rejection.description()))
                .code(refused.rejection.code()),
        });
    }
}

fn refused(check: &str, says: &str, rejection: Rejection) -> Step {
    Step::failed(check, says).code(rejection.code())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const fn access(access: Access) -> &'static str {
    match access {
        Access::Required => "a valid credential is required",
        Access::Optional => "a credential is optional",
        Access::Public => "public",
        Access::Denied => "denied to everyone",
    }
}

/// The path as rules see it.
fn path(request: &Request) -> String {
    match request.path() {
        None => "cannot be read".to_owned(),
        Some(path) if path.is_ambiguous() => format!("{} (which can be understood in several ways)", Value::from(path.as_str())),
        Some(path) => Value::from(path.as_str()).to_string(),
    }
}

fn place(source: &Source) -> String {
    match source {
        Source::Header { name, prefix } if prefix.is_empty() => format!("the header {name}"),
        Source::Header { name, prefix } => format!("the header {name} after `{}`", prefix.trim_end()),
        Source::Param(name) => format!("the query parameter {name}"),
        Source::Cookie(name) => format!("the cookie {name}"),
    }
}
