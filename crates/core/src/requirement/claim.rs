//! What a claim must be.
//!
//! Comparisons are exact and by type: the number 1 is not the text `1`. What the request gives is text without a type; a claim
//! that is a whole number is compared with it in its decimal spelling. Whatever cannot be compared fails, also where the
//! comparison is negated: a claim that is missing, null or of another type, and a value that the request does not have.

use serde_json::{Number, Value};

use super::Facts;
use super::template::Template;
use crate::claim_set::Claim;
use crate::config::ConfigError;
use crate::config::require::{ClaimConfig, Operand as OperandConfig};
use crate::principal::Principal;
use crate::rejection::Rejection;

/// Whole numbers beyond this are not exact in every reader of JSON (RFC 8259 section 6).
const LARGEST_EXACT: f64 = 9_007_199_254_740_991.0;

/// A compiled requirement on a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClaimRequirement {
    source: Source,
    test: Test,
    negated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Subject,
    Roles,
    Scopes,
    Claim(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Equals(Operand),
    OneOf(Vec<Operand>),
    Contains(Operand),
    Prefix(Template),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Text(Template),
    Number(Number),
    Boolean(bool),
}

/// How a claim compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Same,
    Different,
    /// The types do not fit.
    Unfit,
    /// The request does not have the value.
    Absent,
}

impl ClaimRequirement {
    /// Compile what stands at `path` in the document, beside a match whose every path gives these parameters.
    pub fn compile(config: &ClaimConfig, parameters: &[&str], path: &str) -> Result<Self, ConfigError> {
        let source = match config.claim.as_str() {
            "" => return Err(ConfigError::new(format!("{path}.claim"), "is empty").hint("name a claim of the token: sub")),
            "subject" => Source::Subject,
            "roles" => Source::Roles,
            "scopes" => Source::Scopes,
            name => Source::Claim(name.to_owned()),
        };
        let place = |key: &str| format!("{path}.{key}");
        let mut tests = Vec::new();
        for (key, operand, negated) in [("equals", &config.equals, false), ("notEquals", &config.not_equals, true)] {
            if let Some(operand) = operand {
                tests.push((Test::Equals(Operand::compile(operand, parameters, &place(key))?), negated));
            }
        }
        for (key, operands, negated) in [("in", &config.r#in, false), ("notIn", &config.not_in, true)] {
            let Some(operands) = operands else { continue };
            if operands.is_empty() {
                return Err(ConfigError::new(place(key), "is empty").hint("name what the claim is compared with"));
            }
            let operands = operands.iter().enumerate();
            let operands =
                operands.map(|(index, operand)| Operand::compile(operand, parameters, &place(&format!("{key}[{index}]"))));
            tests.push((Test::OneOf(operands.collect::<Result<_, _>>()?), negated));
        }
        for (key, operand, negated) in [("contains", &config.contains, false), ("notContains", &config.not_contains, true)] {
            if let Some(operand) = operand {
                tests.push((Test::Contains(Operand::compile(operand, parameters, &place(key))?), negated));
            }
        }
        for (key, operand, negated) in [("prefix", &config.prefix, false), ("notPrefix", &config.not_prefix, true)] {
            if let Some(operand) = operand {
                tests.push((Test::Prefix(prefix(operand, parameters, &place(key))?), negated));
            }
        }
        if let Some(exists) = config.exists {
            tests.push((Test::Exists, !exists));
        }
        let (Some((test, negated)), None) = (tests.pop(), tests.pop()) else {
            return Err(ConfigError::new(path, "has not exactly one comparison")
                .hint("give one of `equals`, `in`, `contains`, `prefix`, their negations (`notEquals` …), and `exists`"));
        };
        Ok(Self { source, test, negated })
    }

    /// Whether the caller's claim is what is asked for.
    pub fn check(&self, principal: &Principal, facts: &Facts<'_>) -> Result<(), Rejection> {
        let claim = self.source.of(principal).filter(|claim| !claim.is_null());
        let Some(claim) = claim else {
            return if self.test == Test::Exists && self.negated { Ok(()) } else { Err(Rejection::ClaimMissing) };
        };
        let wanted = if self.negated { Comparison::Different } else { Comparison::Same };
        if self.test.compare(claim, facts) == wanted { Ok(()) } else { Err(Rejection::ClaimMismatch) }
    }
}

fn prefix(operand: &OperandConfig, parameters: &[&str], path: &str) -> Result<Template, ConfigError> {
    let OperandConfig::Text(text) = operand else {
        return Err(ConfigError::new(path, "must be a string: only texts have a beginning"));
    };
    let template = Template::parse(text, parameters, path)?;
    if text.is_empty() {
        return Err(ConfigError::new(path, "is empty, and every text begins so"));
    }
    if template.ends_with_a_value() {
        return Err(ConfigError::new(path, "ends with a value that the client chooses, who could choose a short one")
            .hint("let it end with literal text: `{path.tenant}:`"));
    }
    Ok(template)
}

impl Source {
    fn of<'a>(&self, principal: &'a Principal) -> Option<Claim<'a>> {
        let list = |names: &'a [String]| if names.is_empty() { None } else { Some(Claim::Texts(names)) };
        match self {
            Self::Subject => principal.subject.as_deref().map(Claim::Text),
            Self::Roles => list(&principal.roles),
            Self::Scopes => list(&principal.scopes),
            Self::Claim(path) => principal.claim(path),
        }
    }
}

impl Test {
    fn compare(&self, claim: Claim<'_>, facts: &Facts<'_>) -> Comparison {
        match self {
            Self::Exists => Comparison::Same,
            Self::Equals(operand) => operand.compare(claim, facts),
            Self::OneOf(operands) => {
                let one_of = |claim| any(operands.iter().map(|operand| operand.compare(claim, facts)));
                match claim {
                    Claim::Texts(members) => any_of(members.iter().map(|member| one_of(Claim::Text(member)))),
                    Claim::Value(Value::Array(members)) => any_of(members.iter().map(|member| one_of(member.into()))),
                    claim => one_of(claim),
                }
            }
            Self::Contains(operand) => match claim {
                Claim::Texts(members) => any_of(members.iter().map(|member| operand.compare_text(member, facts))),
                Claim::Value(Value::Array(members)) => any_of(members.iter().map(|member| operand.compare(member.into(), facts))),
                Claim::Text(text) => any(text.split(' ').map(|word| operand.compare_text(word, facts))),
                Claim::Value(_) => Comparison::Unfit,
            },
            Self::Prefix(prefix) => match (claim, prefix.render(facts)) {
                (_, None) => Comparison::Absent,
                (Claim::Text(text), Some(prefix)) => same(text.starts_with(&*prefix)),
                _ => Comparison::Unfit,
            },
        }
    }
}

impl Operand {
    fn compile(config: &OperandConfig, parameters: &[&str], path: &str) -> Result<Self, ConfigError> {
        match config {
            OperandConfig::Text(text) => Template::parse(text, parameters, path).map(Self::Text),
            OperandConfig::Number(number) if number.as_f64().is_some_and(|number| number.abs() <= LARGEST_EXACT) => {
                Ok(Self::Number(number.clone()))
            }
            OperandConfig::Number(_) => Err(ConfigError::new(path, "is too large to be compared exactly")),
            OperandConfig::Boolean(value) => Ok(Self::Boolean(*value)),
        }
    }

    fn compare(&self, claim: Claim<'_>, facts: &Facts<'_>) -> Comparison {
        match (self, claim) {
            (Self::Text(_), Claim::Text(text)) => self.compare_text(text, facts),
            (Self::Text(template), Claim::Value(Value::Number(number))) if template.constant().is_none() && is_whole(number) => {
                self.compare_text(&number.to_string(), facts)
            }
            (Self::Number(wanted), Claim::Value(Value::Number(number))) => same(wanted.as_f64() == number.as_f64()),
            (Self::Boolean(wanted), Claim::Value(Value::Bool(value))) => same(wanted == value),
            _ => Comparison::Unfit,
        }
    }

    fn compare_text(&self, text: &str, facts: &Facts<'_>) -> Comparison {
        let Self::Text(template) = self else { return Comparison::Unfit };
        match template.constant() {
            Some(wanted) => same(wanted == text),
            None => template.render(facts).map_or(Comparison::Absent, |wanted| same(wanted == text)),
        }
    }
}

const fn same(is_same: bool) -> Comparison {
    if is_same { Comparison::Same } else { Comparison::Different }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

/// How the members of a list compare. That an empty list has one that is meant cannot be said.
fn any_of(comparisons: impl ExactSizeIterator<Item = Comparison>) -> Comparison {
    if comparisons.len() == 0 { Comparison::Different } else { any(comparisons) }
}

/// How a claim compares with several values, or several with one.
fn any(comparisons: impl Iterator<Item = Comparison>) -> Comparison {
    let rank = |comparison: &Comparison| match comparison {
        Comparison::Unfit => 0,
        Comparison::Different => 1,
        Comparison::Absent => 2,
        Comparison::Same => 3,
    };
    comparisons.max_by_key(rank).unwrap_or(Comparison::Unfit)
}
