//! What a source decides about requests, whatever its notation: rules with conditions on the request, and what each asks of the
//! caller.

use serde_json::Value;

use crate::import::formula::Formula;
use crate::import::hosts::{HostSet, MethodSet};
use crate::import::paths::{PathSet, SPELLINGS};
use crate::import::truth::Truth;

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// The name of the proxy's route.
    Route(String),
    /// The path.
    Path(PathSet),
    /// The host.
    Host(HostSet),
    /// The method.
    Method(MethodSet),
    /// A header, as an element of `match.headers`.
    Header(Value),
    /// Something that a `match` cannot look at.
    Unknown,
}

/// One of these holds; negated: none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Indexes of subjects.
    pub any_of: Vec<usize>,
    /// Whether it is turned round.
    pub negated: bool,
}

/// What a rule does with the requests that it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Callers like this are refused, whatever else admits them.
    Deny(Formula),
    /// Callers like this are admitted.
    Allow(Formula),
    /// The first rule of this kind that matches decides.
    Decide(Gate),
}

/// What a request needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// Nothing; no credential is looked at.
    Open,
    /// A caller like this; a credential that is sent must be valid.
    Callers(Formula),
}

impl Gate {
    /// What satisfies both.
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Open, other) | (other, Self::Open) => other,
            (Self::Callers(one), Self::Callers(other)) => Self::Callers(Formula::all([one, other])),
        }
    }

    /// The same for all but some callers.
    pub fn without(self, denied: &Formula) -> Self {
        if *denied == Formula::False { self } else { self.and(Self::Callers(denied.clone().negated())) }
    }
}

/// A rule of the source.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRule {
    /// What the operator knows it by.
    pub name: String,
    /// All of these must hold.
    pub conditions: Vec<Condition>,
    /// What it does.
    pub effect: Effect,
}

/// All of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the rules look at.
    pub subjects: Vec<Subject>,
    /// The rules.
    pub rules: Vec<PlanRule>,
    /// What a request needs that no rule admits or decides about.
    pub otherwise: Gate,
}

/// What is known of the subjects, in both spellings of the path; `None` where it is not settled yet.
pub type Truths = Vec<[Option<Truth>; 2]>;

/// What is decided about some requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What they need.
    pub gate: Gate,
    /// The rules that have a part in it.
    pub names: Vec<String>,
    /// Who is refused among those whom a rule admits.
    pub denied: Formula,
    /// Whether somebody is admitted, or a rule decides; else the request is one that nobody thought of.
    pub is_matched: bool,
    /// Whether a rule admits because it leaves the other spelling of the path out.
    pub by_exclusion: bool,
}

impl Plan {
    /// A plan that lets everybody do what `otherwise` says.
    pub const fn new(otherwise: Gate) -> Self {
        Self { subjects: Vec::new(), rules: Vec::new(), otherwise }
    }

    /// The index of a subject, which is added unless it is there.
    pub fn subject(&mut self, subject: Subject) -> usize {
        self.subjects.iter().position(|known| *known == subject).unwrap_or_else(|| {
            self.subjects.push(subject);
            self.subjects.len().saturating_sub(1)
        })
    }

    /// The truths at the beginning: only what cannot be looked at is settled.
    pub fn truths(&self) -> Truths {
        let of = |subject: &Subject| if *subject == Subject::Unknown { [Some(Truth::Doubt); 2] } else { [None; 2] };
        self.subjects.iter().map(of).collect()
    }

    /// The subjects that are not settled and still count.
    pub fn open_subjects(&self, truths: &Truths) -> Vec<usize> {
        let mut open = Vec::new();
        for spelling in SPELLINGS {
            for rule in &self.rules {
                let state = rule.state(truths, spelling);
                if state == Some(Truth::No) {
                    continue;
                }
                let unsettled =
                    rule.conditions.iter().flat_map(|condition| &condition.any_of).filter(|subject| {
                        truths.get(**subject).and_then(|truth| truth.get(spelling)).is_some_and(Option::is_none)
                    });
                unsettled.for_each(|subject| {
                    if !open.contains(subject) {
                        open.push(*subject);
                    }
                });
                if state == Some(Truth::Yes) && matches!(rule.effect, Effect::Decide(_) | Effect::Deny(Formula::True)) {
                    break;
                }
            }
        }
        open
    }

    /// What is decided once all subjects that count are settled. Doubt is resolved in the stricter way.
    pub fn decide(&self, truths: &Truths, spelling: usize) -> Decision {
        let mut names = Vec::new();
        let (mut denied, mut admitted) = (Vec::new(), Vec::new());
        let mut doubted = Gate::Open;
        let mut decided = None;
        let mut by_exclusion = false;
        for rule in &self.rules {
            let state = rule.state(truths, spelling).unwrap_or(Truth::Doubt);
            match (&rule.effect, state) {
                (_, Truth::No) | (Effect::Allow(_), Truth::Doubt) => continue,
                (Effect::Deny(callers), Truth::Doubt | Truth::Yes) => denied.push(callers.clone()),
                (Effect::Allow(callers), Truth::Yes) => {
                    by_exclusion |= rule.excludes(truths, 1_usize.saturating_sub(spelling));
                    admitted.push(callers.clone());
                }
                (Effect::Decide(_), _) if decided.is_some() => continue,
                (Effect::Decide(gate), Truth::Doubt) => doubted = doubted.and(gate.clone()),
                (Effect::Decide(gate), Truth::Yes) => decided = Some(gate.clone()),
            }
            names.push(rule.name.clone());
        }
        let is_admitted = !admitted.is_empty();
        let is_matched = decided.is_some() || is_admitted || self.otherwise == Gate::Callers(Formula::True);
        let base = match decided {
            Some(gate) => gate,
            None if is_admitted => Gate::Callers(Formula::any(admitted)),
            None => self.otherwise.clone(),
        };
        let denied = Formula::any(denied);
        let gate = base.and(doubted).without(&denied);
        Decision { gate, names, denied, is_matched, by_exclusion }
    }
}

impl PlanRule {
    /// Whether a condition that is turned round keeps this spelling out.
    fn excludes(&self, truths: &Truths, spelling: usize) -> bool {
        self.conditions.iter().any(|condition| condition.negated && condition.state(truths, spelling) != Some(Truth::Yes))
    }

    /// Whether it matches, as far as that is settled.
    fn state(&self, truths: &Truths, spelling: usize) -> Option<Truth> {
        let states = self.conditions.iter().map(|condition| condition.state(truths, spelling));
        let mut result = Some(Truth::Yes);
        for state in states {
            match state {
                Some(Truth::No) => return Some(Truth::No),
                None => result = None,
                Some(state) => result = result.map(|result| result.min(state)),
            }
        }
        result
    }
}

impl Condition {
    fn state(&self, truths: &Truths, spelling: usize) -> Option<Truth> {
        let mut result = Some(Truth::No);
        for subject in &self.any_of {
            match truths.get(*subject).and_then(|truth| truth.get(spelling)).copied().unwrap_or(Some(Truth::Doubt)) {
                Some(Truth::Yes) => {
                    result = Some(Truth::Yes);
                    break;
                }
                None => result = None,
                Some(state) => result = result.map(|result| result.max(state)),
            }
        }
        result.map(|truth| if self.negated { truth.negated() } else { truth })
    }
}
