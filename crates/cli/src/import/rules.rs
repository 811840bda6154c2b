//! The `rules` and the `default` of a plan.
//!
//! Rules that let somebody in without a credential match exactly, the others broadly: with and without a slash at the end. So
//! where the two spellings of a path are decided differently, the rule that matches exactly comes first. Where both match
//! broadly, the path without the slash decides for both, and what is denied to either is denied to both.

use serde_json::{Map, Value};

use crate::import::cells::{Cell, TooMany, cells};
use crate::import::formula::Issuers;
use crate::import::plan::{Decision, Gate, Plan};
use crate::import::require::{self, Require};
use crate::import::template::{Segment, Template};

/// The rules of a configuration.
#[derive(Debug, Default, PartialEq)]
pub struct Rules {
    /// `rules`.
    pub rules: Vec<Value>,
    /// `default`.
    pub default: &'static str,
    /// What could not be expressed.
    pub lost: Vec<String>,
    /// Whether some path is open with a slash at its end to those to whom it is open without, or the other way round, while the
    /// source admits nobody to it.
    pub joins_spellings: bool,
}

/// What a request needs, in the words of a configuration.
#[derive(Debug, Clone, Default, PartialEq)]
struct Access {
    word: &'static str,
    require: Option<Value>,
}

impl Access {
    const fn plain(word: &'static str) -> Self {
        Self { word, require: None }
    }

    /// Whether a rule with this access matches exactly.
    fn is_exact(&self) -> bool {
        matches!(self.word, "public" | "optional")
    }
}

/// The rules of a plan, for callers from these issuers.
pub fn of(plan: &Plan, issuers: &Issuers) -> Result<Rules, TooMany> {
    let mut writer = Writer { issuers, rules: Rules::default(), drafts: Vec::new() };
    let mut cells = cells(plan)?;
    let last = cells.pop();
    cells.iter().for_each(|cell| writer.cell(cell));
    let rest = last.as_ref().map_or(Access::plain("denied"), |cell| writer.merged(cell));
    writer.rules.default = match (rest.word, &rest.require) {
        ("public", None) => "public",
        ("required", None) => "required",
        ("denied", None) => "denied",
        _ => {
            let names = last.iter().flat_map(|cell| &cell.decisions).flat_map(|decision| decision.names.clone()).collect();
            writer.drafts.push(Draft { names, access: rest, ..Draft::default() });
            "required"
        }
    };
    Ok(writer.finish())
}

/// A rule before it is written down.
#[derive(Debug, Clone, Default)]
struct Draft {
    names: Vec<String>,
    /// All paths that it is about; none: every path.
    templates: Vec<Template>,
    /// The only spelling of them that it is about, where it is about one only.
    spelling: Option<Vec<String>>,
    /// The rest of the `match`.
    around: Map<String, Value>,
    access: Access,
}

impl Draft {
    fn is_apart_from(&self, other: &Self) -> bool {
        let both = !self.templates.is_empty() && !other.templates.is_empty();
        both && self.templates.iter().all(|one| other.templates.iter().all(|other| one.is_disjoint(other)))
    }

    fn is_everything(&self) -> bool {
        self.templates.is_empty() && self.around.is_empty()
    }

    /// Whether both can be one rule, given that nothing stands between them.
    fn is_like(&self, other: &Self) -> bool {
        let whole = |draft: &Self| draft.spelling.is_none() && !draft.templates.is_empty();
        whole(self) && whole(other) && self.around == other.around && self.access == other.access
    }

    fn written(self, label: String) -> Value {
        let paths = self.spelling.unwrap_or_else(|| spelled(&self.templates, self.access.is_exact()));
        let mut matching = Map::new();
        if !paths.is_empty() {
            matching.insert("paths".to_owned(), paths.into());
        }
        matching.extend(self.around);
        let mut rule = Map::from_iter([("name".to_owned(), label.into())]);
        if !matching.is_empty() {
            rule.insert("match".to_owned(), matching.into());
        }
        rule.insert("access".to_owned(), self.access.word.into());
        rule.extend(self.access.require.map(|require| ("require".to_owned(), require)));
        rule.into()
    }
}

struct Writer<'a> {
    issuers: &'a Issuers,
    rules: Rules,
    drafts: Vec<Draft>,
}

impl Writer<'_> {
    fn access(&mut self, gate: &Gate) -> Access {
        let Gate::Callers(formula) = gate else { return Access::plain("public") };
        let anonymous = formula.admits_anonymous();
        if self.issuers.is_empty() {
            // Without an issuer no credential is looked at.
            return Access::plain(if anonymous { "public" } else { "denied" });
        }
        match (require::of(&formula.of_authenticated(self.issuers), &mut self.rules.lost), anonymous) {
            (Require::Nothing, true) => Access::plain("optional"),
            (Require::Nothing, false) => Access::plain("required"),
            (Require::Impossible, false) => Access::plain("denied"),
            (Require::Impossible, true) => {
                self.rules.lost.push("only callers without a token are admitted somewhere; nobody is here".to_owned());
                Access::plain("denied")
            }
            (Require::Conditions(require), anonymous) => {
                Access { word: if anonymous { "optional" } else { "required" }, require: Some(require) }
            }
        }
    }

    /// What both spellings need, and they cannot be told apart.
    fn merged(&mut self, cell: &Cell) -> Access {
        let [plain, slashed] = &cell.decisions;
        if plain.gate != slashed.gate {
            let text = "some paths need here what they need with a slash at their end as well: the two cannot be told apart";
            self.rules.lost.push(text.to_owned());
        }
        self.access(&plain.gate.clone().and(slashed.gate.clone()))
    }

    /// What both spellings need where one path may stand for the other.
    fn joined(&mut self, cell: &Cell, closed: &[Template]) -> Access {
        let [plain, slashed] = &cell.decisions;
        let (decisive, other) = match (plain.is_matched, slashed.is_matched) {
            (false, true) => (slashed, plain),
            _ => (plain, slashed),
        };
        let excluded = plain.is_matched != slashed.is_matched && decisive.by_exclusion;
        let gate =
            if excluded { plain.gate.clone().and(slashed.gate.clone()) } else { decisive.gate.clone().without(&other.denied) };
        let paths = || closed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if gate != decisive.gate {
            self.rules.lost.push(format!(
                "{} needs here what it needs with a slash at its end as well, for a rule leaves one of the two out",
                paths()
            ));
        } else if other.is_matched {
            let paths: Vec<String> = closed.iter().filter_map(Template::slashed).collect();
            self.rules.lost.push(format!(
                "{} cannot be told apart from the path without the slash here, and is open to whom that is",
                paths.join(", ")
            ));
        }
        self.rules.joins_spellings = true;
        self.access(&gate)
    }

    fn cell(&mut self, cell: &Cell) {
        let [plain, slashed] = &cell.decisions;
        if plain.gate == slashed.gate {
            let access = self.access(&plain.gate);
            return self.draft(cell, &[plain], cell.paths.clone(), None, access);
        }
        let (first, second) = (self.access(&plain.gate), self.access(&slashed.gate));
        let (closed, open): (Vec<Template>, Vec<Template>) =
            cell.paths.iter().cloned().partition(|template| template.slashed().is_some());
        if !closed.is_empty() {
            // Without a rule that matches it, the other spelling need not be told apart from one that asks for something.
            let is_alias = |access: &Access, other: &Decision| !access.is_exact() && !other.is_matched;
            let without_slash = Some(closed.iter().map(ToString::to_string).collect());
            let with_slash = Some(closed.iter().filter_map(Template::slashed).collect());
            if is_alias(&first, slashed) || is_alias(&second, plain) || (!first.is_exact() && !second.is_exact()) {
                let access = self.joined(cell, &closed);
                self.draft(cell, &[plain, slashed], closed, None, access);
            } else if first.is_exact() {
                let rest = if second.is_exact() { with_slash } else { None };
                self.draft(cell, &[plain], closed.clone(), without_slash, first);
                self.draft(cell, &[slashed], closed, rest, second);
            } else {
                self.draft(cell, &[slashed], closed.clone(), with_slash, second);
                self.draft(cell, &[plain], closed, None, first);
            }
        }
        if !open.is_empty() || cell.paths.is_empty() {
            let access = self.merged(cell);
            self.draft(cell, &[plain, slashed], open, None, access);
        }
    }

    fn draft(
        &mut self,
        cell: &Cell,
        decisions: &[&Decision],
        templates: Vec<Template>,
        spelling: Option<Vec<String>>,
        access: Access,
    ) {
        let mut around = Map::new();
        let hosts: Vec<String> = cell.hosts.iter().map(ToString::to_string).collect();
        for (key, list) in [("hosts", hosts), ("methods", cell.methods.clone()), ("routes", cell.routes.clone())] {
            if !list.is_empty() {
                around.insert(key.to_owned(), list.into());
            }
        }
        if !cell.headers.is_empty() {
            around.insert("headers".to_owned(), cell.headers.clone().into());
        }
        let names = decisions.iter().flat_map(|decision| decision.names.clone()).collect();
        self.drafts.push(Draft { names, templates, spelling, around, access });
    }

    /// Writes the drafts down. One that a later one is like joins it, when no path of it is decided about in between.
    fn finish(mut self) -> Rules {
        let mut waiting = std::mem::take(&mut self.drafts);
        self.drop_needless(&mut waiting);
        let mut labels = Vec::new();
        while !waiting.is_empty() {
            let draft = waiting.remove(0);
            let later = waiting
                .iter()
                .position(|other| draft.is_like(other))
                .filter(|place| waiting.iter().take(*place).all(|between| draft.is_apart_from(between)));
            if let Some(other) = later.and_then(|place| waiting.get_mut(place)) {
                other.templates.splice(..0, draft.templates);
                other.names.splice(..0, draft.names);
                continue;
            }
            let label = label(&draft.names, &labels);
            labels.push(label.clone());
            self.rules.rules.push(draft.written(label));
        }
        self.rules
    }
}

impl Writer<'_> {
    /// Leaves out each draft that says what would be said of its requests without it.
    fn drop_needless(&self, drafts: &mut Vec<Draft>) {
        let default = Access::plain(self.rules.default);
        let mut kept: Vec<Draft> = Vec::new();
        for draft in std::mem::take(drafts).into_iter().rev() {
            // `kept` is turned round: the last element comes next.
            let mut next = kept.iter().rev().filter(|other| !draft.is_apart_from(other));
            let decisive = next.find(|other| other.access != draft.access || other.is_everything());
            if decisive.map_or(&default, |other| &other.access) != &draft.access {
                kept.push(draft);
            }
        }
        kept.reverse();
        *drafts = kept;
    }
}

/// A label of its own: visible ASCII, at most 64 characters.
fn label(names: &[String], taken: &[String]) -> String {
    let mut parts: Vec<&str> = Vec::new();
    names.iter().for_each(|name| {
        if !parts.contains(&name.as_str()) {
            parts.push(name)
        }
    });
    let joined = if parts.is_empty() { "otherwise".to_owned() } else { parts.join("+") };
    let plain = |character: char| if character.is_ascii_graphic() && character != ';' { character } else { '_' };
    let base: String = joined.chars().map(plain).take(60).collect();
    let numbered = (2_usize..).map(|number| format!("{}~{number}", base.chars().take(57).collect::<String>()));
    std::iter::once(base.clone())
        .chain(numbered.take(taken.len().saturating_add(1)))
        .find(|label| !taken.contains(label))
        .unwrap_or(base)
}

/// Templates as text. A rule that matches exactly names both spellings.
fn spelled(templates: &[Template], exactly: bool) -> Vec<String> {
    let below = |template: &Template| {
        let segments = template.segments.iter().cloned().chain([Segment::Any]).collect();
        Template { segments, open: true }
    };
    let joined = |template: &Template| !template.open && !template.segments.is_empty() && templates.contains(&below(template));
    let mut texts = Vec::new();
    for template in templates {
        let is_rest = template.open
            && template.segments.split_last().is_some_and(|(last, before)| {
                *last == Segment::Any
                    && templates.contains(&Template { segments: before.to_vec(), open: false })
                    && !before.is_empty()
            });
        if is_rest {
            continue;
        }
        if joined(template) {
            texts.push(Template { segments: template.segments.clone(), open: true }.to_string());
            continue;
        }
        texts.push(template.to_string());
        texts.extend(exactly.then(|| template.slashed()).flatten());
    }
    texts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::import::formula::{Fact, Formula, Text};
    use crate::import::paths::PathSet;
    use crate::import::plan::{Condition, Effect, PlanRule, Subject};

    #[test]
    fn writes_templates_in_few_words() {
        let one = |text: &str| PathSet::prefix(text).pieces.into_iter().map(|piece| piece.template).collect::<Vec<_>>();
        assert_eq!(spelled(&one("/a/"), false), ["/a/**"]);
        assert_eq!(spelled(&one("/a"), true), ["/a*/**"]);
        assert_eq!(spelled(&[PathSet::exact("/a").pieces.remove(0).template], true), ["/a", "/a/"]);
    }

    #[test]
    fn first_match_is_a_union() {
        let mut plan = Plan::new(Gate::Callers(Formula::False));
        for (name, path, callers) in [("one", "/a/*", "i"), ("two", "/a/b", "j")] {
            let set = PathSet::of_text(&Text::parse(path));
            let subject = plan.subject(Subject::Path(set));
            let issuers: Issuers = [callers.to_owned()].into();
            plan.rules.push(PlanRule {
                name: name.to_owned(),
                conditions: vec![Condition { any_of: vec![subject], negated: false }],
                effect: Effect::Allow(Formula::Is(Fact::Issuer(issuers))),
            });
        }
        let rules = of(&plan, &["i", "j", "k"].map(str::to_owned).into()).unwrap();
        assert_eq!(
            Value::from(rules.rules),
            json!([
                {
                    "name": "one+two",
                    "match": {"paths": ["/a/b"]},
                    "access": "required",
                    "require": {"issuers": ["i", "j"]},
                },
                {"name": "one", "match": {"paths": ["/a/**"]}, "access": "required", "require": {"issuers": ["i"]}},
            ])
        );
        assert_eq!(rules.default, "denied");
        assert_eq!(rules.lost, ["/a/b/ cannot be told apart from the path without the slash here, and is open to whom that is"]);
    }
}
