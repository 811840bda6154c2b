//! From a plan to rules of which the first that matches decides.
//!
//! The requests are divided into classes, one dimension after the other: route, path, host, method, headers. In each dimension
//! the classes are the patterns that rules name and whatever two of them have in common, the narrower ones first, and last all
//! that is left. So a request that reaches a class is in no narrower one, and it is settled for each pattern whether it matches.
//! Classes that make no difference are taken together again.

use serde_json::Value;

use crate::import::hosts::HostPattern;
use crate::import::paths::SPELLINGS;
use crate::import::plan::{Decision, Plan, Subject, Truths};
use crate::import::template::Template;
use crate::import::truth::Truth;

/// The most classes that a source may be divided into.
const MAX_CELLS: usize = 4096;
/// The most path templates that may come of a source.
const MAX_TEMPLATES: usize = 512;

/// Some requests, and what is decided about them. An empty list is no condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Names of the proxy's routes.
    pub routes: Vec<String>,
    /// Paths.
    pub paths: Vec<Template>,
    /// Hosts.
    pub hosts: Vec<HostPattern>,
    /// Methods.
    pub methods: Vec<String>,
    /// Elements of `match.headers`; all must hold.
    pub headers: Vec<Value>,
    /// What is decided, for both spellings of the path.
    pub decisions: [Decision; 2],
}

/// There are too many classes to write them all down.
#[derive(Debug, thiserror::Error)]
#[error("the conditions overlap in too many ways; import fewer policies at a time")]
pub struct TooMany;

/// The rules of a plan; the last one has no conditions.
pub fn cells(plan: &Plan) -> Result<Vec<Cell>, TooMany> {
    let mut budget = MAX_CELLS;
    explore(plan, &plan.truths(), &mut budget)
}

fn explore(plan: &Plan, truths: &Truths, budget: &mut usize) -> Result<Vec<Cell>, TooMany> {
    *budget = budget.checked_sub(1).ok_or(TooMany)?;
    let open: Vec<(usize, &Subject)> =
        plan.open_subjects(truths).into_iter().filter_map(|index| Some((index, plan.subjects.get(index)?))).collect();
    let settled = |settle: &dyn Fn(&Subject, usize) -> Option<Truth>| {
        let mut truths = truths.clone();
        for (index, subject) in plan.subjects.iter().enumerate() {
            for spelling in SPELLINGS {
                if let Some(truth) = settle(subject, spelling)
                    && let Some(slot) = truths.get_mut(index).and_then(|slot| slot.get_mut(spelling))
                {
                    *slot = Some(truth);
                }
            }
        }
        truths
    };
    let names = |pick: &dyn Fn(&Subject) -> Vec<String>| {
        let mut names: Vec<String> = open.iter().flat_map(|(_, subject)| pick(subject)).collect();
        names.sort();
        names.dedup();
        names
    };
    let equal = |is_it: bool| Some(if is_it { Truth::Yes } else { Truth::No });

    if open.iter().any(|(_, subject)| matches!(subject, Subject::Route(_))) {
        let routes = names(&|subject| if let Subject::Route(name) = subject { vec![name.clone()] } else { Vec::new() });
        return divide(classes(routes), |route| {
            let settle = |subject: &Subject, _| match subject {
                Subject::Route(name) => equal(route == Some(name)),
                _ => None,
            };
            explore(plan, &settled(&settle), budget)
        })
        .map(|groups| spread(groups, |cell, routes| cell.routes = routes));
    }
    if open.iter().any(|(_, subject)| matches!(subject, Subject::Path(_))) {
        let templates = closure(&open)?;
        return divide(classes(templates), |template| {
            let everything = Template::EVERYTHING;
            let class = template.unwrap_or(&everything);
            let settle = |subject: &Subject, spelling| match subject {
                Subject::Path(set) => Some(set.holds(class, spelling)),
                _ => None,
            };
            explore(plan, &settled(&settle), budget)
        })
        .map(|groups| spread(groups, |cell, paths| cell.paths = paths));
    }
    if open.iter().any(|(_, subject)| matches!(subject, Subject::Host(_))) {
        let pieces =
            open.iter().flat_map(|(_, subject)| if let Subject::Host(set) = subject { set.pieces.clone() } else { Vec::new() });
        let mut hosts: Vec<HostPattern> = pieces.collect();
        hosts.sort();
        hosts.dedup();
        sort_narrow_first(&mut hosts, HostPattern::contains);
        return divide(classes(hosts), |host| {
            let settle = |subject: &Subject, _| match subject {
                Subject::Host(set) => Some(set.holds(host)),
                _ => None,
            };
            explore(plan, &settled(&settle), budget)
        })
        .map(|groups| spread(groups, |cell, hosts| cell.hosts = hosts));
    }
    if open.iter().any(|(_, subject)| matches!(subject, Subject::Method(_))) {
        let methods = names(&|subject| if let Subject::Method(set) = subject { set.names.clone() } else { Vec::new() });
        return divide(classes(methods), |method| {
            let settle = |subject: &Subject, _| match subject {
                Subject::Method(set) => Some(set.holds(method.map(String::as_str))),
                _ => None,
            };
            explore(plan, &settled(&settle), budget)
        })
        .map(|groups| spread(groups, |cell, methods| cell.methods = methods));
    }
    if let Some((index, Subject::Header(condition))) = open.first() {
        let with = |truth| {
            let mut truths = truths.clone();
            if let Some(slot) = truths.get_mut(*index) {
                *slot = [Some(truth); 2];
            }
            truths
        };
        let mut holding = explore(plan, &with(Truth::Yes), budget)?;
        let others = explore(plan, &with(Truth::No), budget)?;
        if same(&holding, &others) {
            return Ok(others);
        }
        holding.iter_mut().for_each(|cell| cell.headers.insert(0, condition.clone()));
        holding.extend(others);
        return Ok(holding);
    }
    let decisions = SPELLINGS.map(|spelling| plan.decide(truths, spelling));
    Ok(vec![Cell {
        routes: Vec::new(),
        paths: Vec::new(),
        hosts: Vec::new(),
        methods: Vec::new(),
        headers: Vec::new(),
        decisions,
    }])
}

/// Classes of one dimension, taken together where they make no difference, each with the cells inside it.
type Groups<T> = Vec<(Vec<T>, Vec<Cell>)>;

/// A pattern of a dimension.
trait Class: Clone {
    fn holds_all_of(&self, other: &Self) -> bool;
    fn is_apart_from(&self, other: &Self) -> bool;
}

impl Class for String {
    fn holds_all_of(&self, other: &Self) -> bool {
        self == other
    }

    fn is_apart_from(&self, other: &Self) -> bool {
        self != other
    }
}

impl Class for HostPattern {
    fn holds_all_of(&self, other: &Self) -> bool {
        self.contains(other)
    }

    fn is_apart_from(&self, other: &Self) -> bool {
        !self.contains(other) && !other.contains(self)
    }
}

impl Class for Template {
    fn holds_all_of(&self, other: &Self) -> bool {
        self.contains(other)
    }

    fn is_apart_from(&self, other: &Self) -> bool {
        self.is_disjoint(other)
    }
}

/// The classes of some patterns, narrower ones first, and last what is left.
fn classes<T>(patterns: Vec<T>) -> Vec<Option<T>> {
    patterns.into_iter().map(Some).chain([None]).collect()
}

fn divide<T: Class>(
    classes: Vec<Option<T>>,
    mut inside: impl FnMut(Option<&T>) -> Result<Vec<Cell>, TooMany>,
) -> Result<Groups<T>, TooMany> {
    let mut list = Vec::new();
    for class in classes {
        let cells = inside(class.as_ref())?;
        list.push((class, cells));
    }
    Ok(merged(without_needless(list)))
}

/// Leaves out each class about which a later and wider one decides the same, when none between them decides otherwise.
fn without_needless<T: Class>(list: Vec<(Option<T>, Vec<Cell>)>) -> Vec<(Option<T>, Vec<Cell>)> {
    let mut kept: Vec<(Option<T>, Vec<Cell>)> = Vec::new();
    for (class, cells) in list.into_iter().rev() {
        let meets = |other: &Option<T>| match (&class, other) {
            (Some(class), Some(other)) => !class.is_apart_from(other),
            _ => true,
        };
        // `kept` is turned round: the last element comes next.
        let next = kept.iter().rev().filter(|(other, _)| meets(other));
        let mut needless = false;
        for (other, theirs) in next {
            if !same(theirs, &cells) {
                break;
            }
            if other.as_ref().is_none_or(|other| class.as_ref().is_some_and(|class| other.holds_all_of(class))) {
                needless = true;
                break;
            }
        }
        if !needless {
            kept.push((class, cells));
        }
    }
    kept.reverse();
    kept
}

/// Takes classes together about which the same is decided, when none that meets them stands between.
fn merged<T: Class>(list: Vec<(Option<T>, Vec<Cell>)>) -> Groups<T> {
    let mut groups: Groups<T> = Vec::new();
    for (class, cells) in list {
        let Some(class) = class else {
            groups.push((Vec::new(), cells));
            continue;
        };
        let is_free = |groups: &[(Vec<T>, Vec<Cell>)]| {
            groups.iter().flat_map(|(members, _)| members).all(|member| member.is_apart_from(&class))
        };
        let place = groups
            .iter()
            .position(|(_, theirs)| same(theirs, &cells))
            .filter(|place| is_free(groups.get(place.saturating_add(1)..).unwrap_or_default()));
        match place.and_then(|place| groups.get_mut(place)) {
            Some((members, theirs)) => {
                members.push(class);
                add_names(theirs, &cells);
            }
            None => groups.push((vec![class], cells)),
        }
    }
    groups
}

fn spread<T: Clone>(groups: Groups<T>, set: impl Fn(&mut Cell, Vec<T>)) -> Vec<Cell> {
    groups
        .into_iter()
        .flat_map(|(members, cells)| cells.into_iter().map(move |cell| (members.clone(), cell)).collect::<Vec<_>>())
        .map(|(members, mut cell)| {
            set(&mut cell, members);
            cell
        })
        .collect()
}

/// Whether the same is decided, whatever the rules are called.
fn same(one: &[Cell], other: &[Cell]) -> bool {
    let strip = |cell: &Cell| {
        let mut cell = cell.clone();
        cell.decisions.iter_mut().for_each(|decision| decision.names.clear());
        cell
    };
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| strip(one) == strip(other))
}

fn add_names(cells: &mut [Cell], others: &[Cell]) {
    for (cell, other) in cells.iter_mut().zip(others) {
        for (decision, theirs) in cell.decisions.iter_mut().zip(&other.decisions) {
            let new: Vec<_> = theirs.names.iter().filter(|name| !decision.names.contains(name)).cloned().collect();
            decision.names.extend(new);
        }
    }
}

/// The templates of all pieces, and what any of them have in common, narrower ones first.
fn closure(open: &[(usize, &Subject)]) -> Result<Vec<Template>, TooMany> {
    let pieces = open.iter().flat_map(|(_, subject)| if let Subject::Path(set) = subject { set.pieces.as_slice() } else { &[] });
    let mut templates: Vec<Template> = Vec::new();
    for piece in pieces {
        if !templates.contains(&piece.template) {
            templates.push(piece.template.clone());
        }
    }
    let mut next = 0;
    while let Some(template) = templates.get(next).cloned() {
        let earlier = templates.get(..next).unwrap_or_default();
        let common: Vec<Template> = earlier.iter().flat_map(|other| other.common(&template)).collect();
        for template in common {
            if !templates.contains(&template) {
                templates.push(template);
            }
        }
        if templates.len() > MAX_TEMPLATES {
            return Err(TooMany);
        }
        next = next.saturating_add(1);
    }
    sort_narrow_first(&mut templates, Template::contains);
    templates.retain(|template| *template != Template::EVERYTHING);
    Ok(templates)
}

/// Sorts so that what another contains stands before it; a pattern that contains fewer others is the narrower one.
fn sort_narrow_first<T: Clone>(patterns: &mut [T], contains: impl Fn(&T, &T) -> bool) {
    let all = patterns.to_vec();
    patterns.sort_by_cached_key(|pattern| all.iter().filter(|other| contains(pattern, other)).count());
}
