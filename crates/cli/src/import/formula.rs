//! What a caller must be, as a formula over facts about the credential.
//!
//! A formula is asked twice: what it says of a caller without a credential, which is yes or no, and what it asks of one whose
//! credential is valid. Together they are exactly an `access` and a `require`.

use std::collections::BTreeSet;

/// Names of `jwtRules` entries.
pub type Issuers = BTreeSet<String>;

/// A condition on a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// It is this.
    Exact(String),
    /// It begins so.
    Prefix(String),
    /// It ends so.
    Suffix(String),
    /// There is one.
    Present,
}

impl Text {
    /// The condition in Istio's notation: `*`, `*end`, `begin*`, or the text itself.
    pub fn parse(value: &str) -> Self {
        match (value, value.strip_prefix('*'), value.strip_suffix('*')) {
            ("*", _, _) => Self::Present,
            (_, Some(end), _) => Self::Suffix(end.to_owned()),
            (_, None, Some(start)) => Self::Prefix(start.to_owned()),
            _ => Self::Exact(value.to_owned()),
        }
    }

    /// Whether a text fulfils it.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Exact(value) => text == value,
            Self::Prefix(start) => text.starts_with(start.as_str()),
            Self::Suffix(end) => text.ends_with(end.as_str()),
            Self::Present => !text.is_empty(),
        }
    }
}

/// A fact about a valid credential. None of them holds without one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// One of these entries vouched for it.
    Issuer(Issuers),
    /// It is meant for one of these.
    Audience(BTreeSet<String>),
    /// The claim at this path is such a text, or a list that holds one.
    Claim(String, Text),
    /// The request has a credential from each of these entries, for one of these audiences if any are named.
    Together(Vec<(String, Option<BTreeSet<String>>)>),
}

/// A formula in which only facts are negated.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Formula {
    /// Everyone.
    True,
    /// Nobody.
    False,
    /// Who fulfils all of these.
    All(Vec<Formula>),
    /// Who fulfils one of these.
    Any(Vec<Formula>),
    /// Those of whom the fact holds.
    Is(Fact),
    /// Those of whom the fact does not hold.
    IsNot(Fact),
}

impl Formula {
    /// Who fulfils all of them.
    pub fn all(members: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(members, &Self::True, &Self::False, Self::All, |member| match member {
            Self::All(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// Who fulfils one of them.
    pub fn any(members: impl IntoIterator<Item = Self>) -> Self {
        Self::joined(members, &Self::False, &Self::True, Self::Any, |member| match member {
            Self::Any(inner) => Ok(inner),
            other => Err(other),
        })
    }

    /// `neutral` adds nothing, `absorbing` decides alone, `open` takes a member of the same kind apart.
    fn joined(
        members: impl IntoIterator<Item = Self>,
        neutral: &Self,
        absorbing: &Self,
        join: fn(Vec<Self>) -> Self,
        open: fn(Self) -> Result<Vec<Self>, Self>,
    ) -> Self {
        let mut flat: Vec<Self> = Vec::new();
        for member in members {
            for member in open(member).unwrap_or_else(|other| vec![other]) {
                if member == *absorbing || flat.contains(&member.clone().negated()) {
                    return absorbing.clone();
                }
                if member != *neutral && !flat.contains(&member) {
                    flat.push(member);
                }
            }
        }
        // Of `a` and `a and b` one of which is asked for, `a` is enough; and the other way round.
        let parts = |member: &Self| match member {
            Self::All(inner) | Self::Any(inner) => inner.clone(),
            _ => Vec::new(),
        };
        let needless: Vec<bool> = flat.iter().map(|member| parts(member).iter().any(|part| flat.contains(part))).collect();
        let mut needless = needless.into_iter();
        flat.retain(|_| !needless.next().unwrap_or(false));
        match flat.len() {
            0 => neutral.clone(),
            1 => flat.pop().unwrap_or_else(|| neutral.clone()),
            _ => join(flat),
        }
    }

    /// Everyone else.
    pub fn negated(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::All(members) => Self::any(members.into_iter().map(Self::negated)),
            Self::Any(members) => Self::all(members.into_iter().map(Self::negated)),
            Self::Is(fact) => Self::IsNot(fact),
            Self::IsNot(fact) => Self::Is(fact),
        }
    }

    /// Whether it admits a caller without a credential.
    pub fn admits_anonymous(&self) -> bool {
        match self {
            Self::True | Self::IsNot(_) => true,
            Self::False | Self::Is(_) => false,
            Self::All(members) => members.iter().all(Self::admits_anonymous),
            Self::Any(members) => members.iter().any(Self::admits_anonymous),
        }
    }

    /// What it asks of a caller for whom one of these entries vouches.
    pub fn of_authenticated(&self, issuers: &Issuers) -> Self {
        let issued = |allowed: Issuers| match allowed.len() {
            0 => Self::False,
            count if count == issuers.len() => Self::True,
            _ => Self::Is(Fact::Issuer(allowed)),
        };
        match self {
            Self::Is(Fact::Issuer(allowed)) => issued(issuers & allowed),
            Self::IsNot(Fact::Issuer(refused)) => issued(issuers - refused),
            Self::All(members) => {
                let (named, others) = split_issuers(members, issuers);
                let common = named.into_iter().reduce(|one, other| &one & &other);
                Self::all(common.map(issued).into_iter().chain(others))
            }
            Self::Any(members) => {
                let (named, others) = split_issuers(members, issuers);
                let either = named.into_iter().reduce(|one, other| &one | &other);
                Self::any(either.map(issued).into_iter().chain(others))
            }
            other => other.clone(),
        }
    }
}

/// The issuers that members are about and nothing else, and the other members; all of them as said of a caller with a credential.
fn split_issuers(members: &[Formula], issuers: &Issuers) -> (Vec<Issuers>, Vec<Formula>) {
    let (mut named, mut others) = (Vec::new(), Vec::new());
    for member in members {
        match member.of_authenticated(issuers) {
            Formula::Is(Fact::Issuer(names)) => named.push(names),
            other => others.push(other),
        }
    }
    (named, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(value: &str) -> Formula {
        Formula::Is(Fact::Claim("c".to_owned(), Text::Exact(value.to_owned())))
    }

    fn issuer(names: &[&str]) -> Formula {
        Formula::Is(Fact::Issuer(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn reads_istio_s_notation() {
        for (value, text, fits, misfits) in [
            ("*", Text::Present, "a", ""),
            ("a*", Text::Prefix("a".into()), "ab", "ba"),
            ("*a", Text::Suffix("a".into()), "ba", "ab"),
            ("a", Text::Exact("a".into()), "a", "aa"),
            ("*a*", Text::Suffix("a*".into()), "ba*", "ba"),
        ] {
            assert_eq!(Text::parse(value), text, "{value}");
            assert!(text.holds(fits) && !text.holds(misfits), "{value}");
        }
    }

    #[test]
    fn simplifies_without_a_change_of_meaning() {
        let (a, b) = (claim("a"), claim("b"));
        for (case, found, expected) in [
            ("nothing to fulfil", Formula::all([]), Formula::True),
            ("no way to fulfil it", Formula::any([]), Formula::False),
            ("one member", Formula::all([a.clone(), Formula::True, a.clone()]), a.clone()),
            ("a contradiction", Formula::all([a.clone(), a.clone().negated()]), Formula::False),
            ("either way", Formula::any([a.clone(), a.clone().negated()]), Formula::True),
            ("absorbed", Formula::any([a.clone(), Formula::all([a.clone(), b.clone()])]), a.clone()),
            (
                "flattened",
                Formula::any([Formula::any([a.clone(), b.clone()]), b.clone()]),
                Formula::Any(vec![a.clone(), b.clone()]),
            ),
            ("De Morgan", Formula::any([a.clone(), b.clone()]).negated(), Formula::all([a.negated(), b.negated()])),
        ] {
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn tells_callers_with_and_without_a_credential_apart() {
        let all: Issuers = ["x", "y"].map(str::to_owned).into();
        for (formula, anonymous, authenticated) in [
            (Formula::True, true, Formula::True),
            (issuer(&["x", "y"]), false, Formula::True),
            (issuer(&["x"]), false, issuer(&["x"])),
            (issuer(&["x"]).negated(), true, issuer(&["y"])),
            (issuer(&["x", "y"]).negated(), true, Formula::False),
            (issuer(&["z"]), false, Formula::False),
            (Formula::Any(vec![issuer(&["x"]), issuer(&["y"])]), false, Formula::True),
            (Formula::All(vec![issuer(&["x"]), issuer(&["y"])]), false, Formula::False),
            (claim("a").negated(), true, claim("a").negated()),
            (Formula::all([claim("a").negated(), issuer(&["x", "y"])]), false, claim("a").negated()),
        ] {
            assert_eq!(formula.admits_anonymous(), anonymous, "{formula:?}");
            assert_eq!(formula.of_authenticated(&all), authenticated, "{formula:?}");
        }
    }
}
