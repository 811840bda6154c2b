//! A formula as the `require` of a rule.
//!
//! A comparison in a configuration fails for a claim that is missing or of another type, whether it is negated or not; a fact
//! here is merely false then. Where the two cannot be made to agree, the result is stricter than the formula.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::import::formula::{Fact, Formula, Text};

/// The names by which `require.claims` means the principal's own fields, whatever claims they come from.
const OF_THE_PRINCIPAL: [&str; 2] = ["subject", "scopes"];

/// How many alternatives a `require` may have.
const MAX_ALTERNATIVES: usize = 32;
/// How deep requirements may stand in one another.
const MAX_DEPTH: usize = 4;

/// A formula over conditions that a configuration can express.
#[derive(Debug, Clone, PartialEq)]
enum Tree {
    True,
    False,
    /// The claim, or an element of it, is one of these.
    In(String, BTreeSet<String>),
    /// The claim is there, and neither it nor an element of it is one of these.
    NotIn(String, BTreeSet<String>),
    /// One of these entries vouched for the caller.
    Issuers(BTreeSet<String>),
    Leaf(Map<String, Value>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
}

/// What the formula asks of a caller with a valid credential.
#[derive(Debug, Clone, PartialEq)]
pub enum Require {
    /// Nothing more.
    Nothing,
    /// What no caller has.
    Impossible,
    /// This.
    Conditions(Value),
}

/// The `require` of a formula. Each comparison without an equal is added to `lost`.
pub fn of(formula: &Formula, lost: &mut Vec<String>) -> Require {
    let mut tree = tree(formula, lost);
    if tree.alternatives() > MAX_ALTERNATIVES {
        tree = tree.without_absence();
        lost.push("a rule has more alternatives than fit: who lacks a claim that it names is refused here".to_owned());
    }
    if tree.alternatives() > MAX_ALTERNATIVES {
        tree = Tree::False;
        lost.push("a rule has more alternatives than fit: nobody satisfies it here".to_owned());
    }
    if tree.depth() > MAX_DEPTH || tree.names_issuers_twice() {
        tree = any(tree.flat());
    }
    match tree {
        Tree::True => Require::Nothing,
        Tree::False => Require::Impossible,
        other => Require::Conditions(Value::Object(written(other))),
    }
}

impl Tree {
    /// How many alternatives a configuration has to keep for it.
    fn alternatives(&self) -> usize {
        match self {
            Self::All(members) => members.iter().fold(1, |product, member| product.saturating_mul(member.alternatives())),
            Self::Any(members) => members.iter().fold(0, |sum, member| sum.saturating_add(member.alternatives())),
            _ => 1,
        }
    }

    /// How deep requirements stand in one another when it is written down, at most.
    fn depth(&self) -> usize {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().map(Self::depth).max().unwrap_or(0).saturating_add(1),
            _ => 1,
        }
    }

    fn names_issuers(&self) -> bool {
        match self {
            Self::All(members) | Self::Any(members) => members.iter().any(Self::names_issuers),
            Self::Issuers(_) => true,
            Self::Leaf(conditions) => conditions.contains_key("allOf"),
            _ => false,
        }
    }

    /// Whether several conditions on one caller name issuers, which a configuration would take for several callers.
    fn names_issuers_twice(&self) -> bool {
        match self {
            Self::All(members) => {
                members.iter().filter(|member| member.names_issuers()).count() > 1
                    || members.iter().any(Self::names_issuers_twice)
            }
            Self::Any(members) => members.iter().any(Self::names_issuers_twice),
            _ => false,
        }
    }

    /// The same without the alternatives that a claim is absent, which is stricter.
    fn without_absence(self) -> Self {
        let is_absence = |tree: &Self| {
            let Self::Leaf(conditions) = tree else { return false };
            conditions.get("claims").and_then(|claims| claims.get(0)?.get("exists")) == Some(&Value::Bool(false))
        };
        match self {
            Self::All(members) => all(members.into_iter().map(Self::without_absence).collect::<Vec<_>>()),
            Self::Any(members) if members.iter().all(is_absence) => Self::Any(members),
            Self::Any(members) => {
                any(members.into_iter().filter(|member| !is_absence(member)).map(Self::without_absence).collect::<Vec<_>>())
            }
            other => other,
        }
    }

    /// Its alternatives, none of which has any inside.
    fn flat(self) -> Vec<Self> {
        match self {
            Self::Any(members) => members.into_iter().flat_map(Self::flat).collect(),
            Self::All(members) => members.into_iter().fold(vec![Self::True], |found, member| {
                let choices = member.flat();
                found.iter().flat_map(|before| choices.iter().map(move |choice| all([before.clone(), choice.clone()]))).collect()
            }),
            other => vec![other],
        }
    }
}

fn tree(formula: &Formula, lost: &mut Vec<String>) -> Tree {
    match formula {
        Formula::True => Tree::True,
        Formula::False => Tree::False,
        Formula::All(members) => all(members.iter().map(|member| tree(member, lost)).collect::<Vec<_>>()),
        Formula::Any(members) => any(members.iter().map(|member| tree(member, lost)).collect::<Vec<_>>()),
        Formula::Is(Fact::Issuer(names)) => Tree::Issuers(names.clone()),
        // The negation of the first is resolved before, where all issuers are known; the second is never negated.
        Formula::IsNot(Fact::Issuer(_) | Fact::Together(_)) => Tree::False,
        Formula::Is(Fact::Audience(names)) => leaf("audiences", json!(names)),
        Formula::IsNot(Fact::Audience(names)) => {
            any([comparison("aud", "exists", json!(false)), Tree::NotIn("aud".to_owned(), names.clone())])
        }
        Formula::Is(Fact::Together(callers)) => {
            let members = callers.iter().map(|(issuer, audiences)| match audiences {
                None => json!({"issuers": [issuer]}),
                Some(audiences) => json!({"issuers": [issuer], "audiences": audiences}),
            });
            leaf("allOf", members.collect())
        }
        Formula::Is(Fact::Claim(path, text)) => claim(path, text, false, lost),
        Formula::IsNot(Fact::Claim(path, text)) => any([comparison(path, "exists", json!(false)), claim(path, text, true, lost)]),
    }
}

/// That a claim is there and is such a text, or another one.
fn claim(path: &str, text: &Text, negated: bool, lost: &mut Vec<String>) -> Tree {
    let mut cannot = |what: &str| {
        let consequence = if negated { "whoever has the claim is refused here" } else { "nobody is admitted by it here" };
        lost.push(format!("`{path}` {what}; {consequence}"));
        Tree::False
    };
    if OF_THE_PRINCIPAL.contains(&path) {
        return cannot("is a name that `require.claims` gives to a field of the principal");
    }
    match (text, negated) {
        (Text::Present, false) => Tree::NotIn(path.to_owned(), [String::new()].into()),
        (Text::Present, true) => Tree::In(path.to_owned(), [String::new()].into()),
        (Text::Suffix(_), _) => cannot("is compared with an ending"),
        (Text::Exact(value) | Text::Prefix(value), _) if value.contains(['{', '}']) => {
            cannot("is compared with a text that has braces, which are placeholders here")
        }
        // A subject is one text.
        (Text::Prefix(start), _) if path == "sub" => comparison(path, if negated { "notPrefix" } else { "prefix" }, json!(start)),
        (Text::Prefix(start), _) => {
            let list = if negated { "who has a list there is refused" } else { "a list is not looked into" };
            lost.push(format!("`{path}` is compared with the beginning `{start}`; {list} here"));
            comparison(path, if negated { "notPrefix" } else { "prefix" }, json!(start))
        }
        (Text::Exact(value), false) => Tree::In(path.to_owned(), [value.clone()].into()),
        (Text::Exact(value), true) => Tree::NotIn(path.to_owned(), [value.clone()].into()),
    }
}

fn leaf(key: &str, value: Value) -> Tree {
    Tree::Leaf(Map::from_iter([(key.to_owned(), value)]))
}

fn comparison(path: &str, key: &str, value: Value) -> Tree {
    leaf("claims", json!([{"claim": path, key: value}]))
}

fn all(members: impl IntoIterator<Item = Tree>) -> Tree {
    let mut kept: Vec<Tree> = Vec::new();
    let open = |member| if let Tree::All(inner) = member { inner } else { vec![member] };
    for member in members.into_iter().flat_map(open) {
        match member {
            Tree::True => {}
            Tree::False => return Tree::False,
            Tree::NotIn(path, values) => {
                match kept.iter_mut().find(|tree| matches!(tree, Tree::NotIn(known, _) if *known == path)) {
                    Some(Tree::NotIn(_, known)) => known.extend(values),
                    _ => kept.push(Tree::NotIn(path, values)),
                }
            }
            Tree::Issuers(names) => match kept.iter_mut().find(|tree| matches!(tree, Tree::Issuers(_))) {
                Some(Tree::Issuers(known)) => known.retain(|name| names.contains(name)),
                _ => kept.push(Tree::Issuers(names)),
            },
            other => kept.push(other),
        }
    }
    let is_together = |tree: &Tree| matches!(tree, Tree::Leaf(conditions) if conditions.contains_key("allOf"));
    let names_nobody = kept.iter().any(|tree| match tree {
        Tree::Issuers(names) => names.is_empty() || kept.iter().any(is_together),
        _ => false,
    });
    if names_nobody {
        return Tree::False;
    }
    single(kept, Tree::True, Tree::All)
}

fn any(members: impl IntoIterator<Item = Tree>) -> Tree {
    let mut kept: Vec<Tree> = Vec::new();
    let open = |member| if let Tree::Any(inner) = member { inner } else { vec![member] };
    for member in members.into_iter().flat_map(open) {
        match member {
            Tree::False => {}
            Tree::True => return Tree::True,
            Tree::In(path, values) => match kept.iter_mut().find(|tree| matches!(tree, Tree::In(known, _) if *known == path)) {
                Some(Tree::In(_, known)) => known.extend(values),
                _ => kept.push(Tree::In(path, values)),
            },
            Tree::Issuers(names) => match kept.iter_mut().find(|tree| matches!(tree, Tree::Issuers(_))) {
                Some(Tree::Issuers(known)) => known.extend(names),
                _ => kept.push(Tree::Issuers(names)),
            },
            other if kept.contains(&other) => {}
            other => kept.push(other),
        }
    }
    single(kept, Tree::False, Tree::Any)
}

fn single(mut members: Vec<Tree>, none: Tree, join: fn(Vec<Tree>) -> Tree) -> Tree {
    match members.len() {
        0 => none,
        1 => members.pop().unwrap_or(none),
        _ => join(members),
    }
}

/// The object of a tree that is neither true nor false.
fn written(tree: Tree) -> Map<String, Value> {
    match tree {
        Tree::True | Tree::False => Map::new(),
        Tree::In(path, values) => one_claim(&path, "in", values),
        Tree::NotIn(path, values) => one_claim(&path, "notIn", values),
        Tree::Issuers(names) => Map::from_iter([("issuers".to_owned(), json!(names))]),
        Tree::Leaf(conditions) => conditions,
        Tree::Any(members) => {
            let members = members.into_iter().map(|member| Value::Object(written(member))).collect();
            Map::from_iter([("anyOf".to_owned(), members)])
        }
        Tree::All(members) => {
            let mut object = Map::new();
            let mut nested: Vec<Value> = Vec::new();
            for (key, value) in members.into_iter().flat_map(written) {
                match (object.get_mut(&key), value) {
                    (_, Value::Array(more)) if key == "allOf" => nested.extend(more),
                    (None, value) => drop(object.insert(key, value)),
                    (Some(Value::Array(claims)), Value::Array(more)) if key == "claims" => claims.extend(more),
                    (Some(_), value) => nested.push(json!({key: value})),
                }
            }
            if !nested.is_empty() {
                object.insert("allOf".to_owned(), nested.into());
            }
            object
        }
    }
}

fn one_claim(path: &str, key: &str, values: BTreeSet<String>) -> Map<String, Value> {
    let mut values = values.into_iter();
    let condition = match (values.next(), values.next()) {
        // A subject is one text.
        (Some(only), None) if path == "sub" => json!({"claim": path, if key == "in" { "equals" } else { "notEquals" }: only}),
        (first, second) => json!({"claim": path, key: first.into_iter().chain(second).chain(values).collect::<Vec<_>>()}),
    };
    Map::from_iter([("claims".to_owned(), json!([condition]))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(value: &str) -> Formula {
        Formula::Is(Fact::Claim("c".to_owned(), Text::parse(value)))
    }

    #[test]
    fn writes_conditions() {
        let issuer = |names: &[&str]| Formula::Is(Fact::Issuer(names.iter().map(|name| (*name).to_owned()).collect()));
        let audience = Formula::Is(Fact::Audience(["a".to_owned()].into()));
        let lacks =
            |value: &str| json!([{"claims": [{"claim": "c", "exists": false}]}, {"claims": [{"claim": "c", "notIn": [value]}]}]);
        for (formula, expected) in [
            (Formula::True, Require::Nothing),
            (Formula::False, Require::Impossible),
            (Formula::all([issuer(&["i"]), audience]), Require::Conditions(json!({"issuers": ["i"], "audiences": ["a"]}))),
            (claim("v"), Require::Conditions(json!({"claims": [{"claim": "c", "in": ["v"]}]}))),
            (Formula::any([claim("v"), claim("w")]), Require::Conditions(json!({"claims": [{"claim": "c", "in": ["v", "w"]}]}))),
            (claim("v").negated(), Require::Conditions(json!({"anyOf": lacks("v")}))),
            (claim("*"), Require::Conditions(json!({"claims": [{"claim": "c", "notIn": [""]}]}))),
            (Formula::all([issuer(&["i", "j"]), issuer(&["j"])]), Require::Conditions(json!({"issuers": ["j"]}))),
            (Formula::all([issuer(&["i"]), issuer(&["j"])]), Require::Impossible),
            (
                Formula::all([issuer(&["i"]), claim("v"), claim("x").negated(), claim("y").negated()]),
                Require::Conditions(json!({
                    "issuers": ["i"],
                    "claims": [{"claim": "c", "in": ["v"]}],
                    "anyOf": lacks("x"),
                    "allOf": [{"anyOf": lacks("y")}],
                })),
            ),
            (
                Formula::Is(Fact::Together(vec![("i".into(), None), ("j".into(), Some(["a".to_owned()].into()))])),
                Require::Conditions(json!({"allOf": [{"issuers": ["i"]}, {"issuers": ["j"], "audiences": ["a"]}]})),
            ),
        ] {
            let mut lost = Vec::new();
            assert_eq!(of(&formula, &mut lost), expected, "{formula:?}");
            assert_eq!(lost, Vec::<String>::new(), "{formula:?}");
        }
    }

    #[test]
    fn keeps_within_what_a_configuration_may_hold() {
        let other = |name: &str| Formula::Is(Fact::Claim(name.to_owned(), Text::Exact("v".to_owned()))).negated();
        let lacking = |count: usize| Formula::all((0..count).map(|index| other(&format!("c{index}"))));
        let mut lost = Vec::new();
        let Require::Conditions(few) = of(&lacking(5), &mut lost) else { panic!("conditions") };
        assert_eq!((few["allOf"].as_array().unwrap().len(), lost.len()), (4, 0));
        let Require::Conditions(many) = of(&lacking(6), &mut lost) else { panic!("conditions") };
        assert_eq!((many["claims"].as_array().unwrap().len(), many.get("anyOf"), lost.len()), (6, None, 1));
        let deep = (0..3).fold(claim("v"), |inner, index| {
            let name = |kind: &str| Formula::Is(Fact::Claim(format!("{kind}{index}"), Text::Present));
            Formula::any([Formula::all([inner, name("a")]), name("b")])
        });
        let issuer = |name: &str| Formula::Is(Fact::Issuer([name.to_owned()].into()));
        let either = |name: &str| Formula::any([issuer(name), claim(name)]);
        assert_eq!(
            of(&Formula::all([either("i"), either("j")]), &mut lost),
            Require::Conditions(json!({"anyOf": [
                {"issuers": ["i"], "claims": [{"claim": "c", "in": ["j"]}]},
                {"issuers": ["j"], "claims": [{"claim": "c", "in": ["i"]}]},
                {"claims": [{"claim": "c", "in": ["i"]}, {"claim": "c", "in": ["j"]}]},
            ]})),
            "one caller cannot be from both"
        );
        let Require::Conditions(flat) = of(&deep, &mut lost) else { panic!("conditions") };
        assert!(flat["anyOf"].as_array().unwrap().iter().all(|member| member.get("anyOf").is_none()), "{flat}");
    }

    #[test]
    fn is_stricter_where_there_is_no_equal() {
        let absent = Require::Conditions(json!({"claims": [{"claim": "c", "exists": false}]}));
        for (formula, expected) in [
            (claim("*v"), Require::Impossible),
            (claim("{v}"), Require::Impossible),
            (claim("v*"), Require::Conditions(json!({"claims": [{"claim": "c", "prefix": "v"}]}))),
            (claim("*v").negated(), absent),
            (Formula::Is(Fact::Claim("scopes".to_owned(), Text::Present)), Require::Impossible),
        ] {
            let mut lost = Vec::new();
            assert_eq!(of(&formula, &mut lost), expected, "{formula:?}");
            assert_eq!(lost.len(), 1, "{formula:?}");
        }
    }
}
