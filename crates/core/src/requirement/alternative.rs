//! One way in which a requirement can hold: what is asked of each caller.

use std::rc::Rc;

use super::Facts;
use super::part::Part;
use crate::config::ConfigError;
use crate::principal::Identity;
use crate::rejection::Rejection;

/// How many callers an alternative may ask for.
const MAX_CALLERS: usize = 4;

/// What is asked of each of the callers. No issuer is that of two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alternative {
    /// At least one; several only when each names its issuers.
    slots: Vec<Slot>,
}

/// What is asked of one caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Slot {
    issuers: Option<Vec<Rc<str>>>,
    parts: Vec<Part>,
}

/// Whether an alternative is for certain callers; the more it has to do with them, the later in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// It is for callers of other issuers.
    Others,
    /// It is for fewer.
    Fewer,
    /// It is for these and more.
    More,
    /// It is for exactly these.
    These,
}

impl Default for Alternative {
    fn default() -> Self {
        Self { slots: vec![Slot::default()] }
    }
}

impl Alternative {
    /// The alternative in which all of the parts hold; the requirement stands at `path` in the document.
    pub fn of(parts: Vec<Part>, path: &str) -> Result<Self, ConfigError> {
        let (named, unnamed): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.issuers.is_some());
        let mut slots: Vec<Slot> = Vec::new();
        for part in named {
            let wanted = part.issuers.clone().unwrap_or_default();
            let mut related = slots.iter_mut().filter(|slot| slot.issuers().iter().any(|name| wanted.contains(name)));
            let Some(slot) = related.next() else {
                slots.push(Slot { issuers: Some(wanted), parts: vec![part] });
                continue;
            };
            let common: Vec<_> = slot.issuers().iter().filter(|name| wanted.contains(name)).cloned().collect();
            let is_within = common.len() == wanted.len() || common.len() == slot.issuers().len();
            if !is_within || related.next().is_some() {
                return Err(ConfigError::new(path, "has members whose `issuers` overlap in part")
                    .hint("members for one caller name the same issuers, members for several have none in common"));
            }
            slot.issuers = Some(common);
            slot.parts.push(part);
        }
        if slots.len() > MAX_CALLERS {
            return Err(ConfigError::new(path, format!("asks for more than {MAX_CALLERS} callers at once")));
        }
        match slots.first_mut() {
            Some(first) => first.parts.extend(unnamed),
            None => slots.push(Slot { issuers: None, parts: unnamed }),
        }
        Ok(Self { slots })
    }

    /// How many callers it asks for.
    pub const fn callers(&self) -> usize {
        self.slots.len()
    }

    /// The issuers of each caller.
    pub fn issuers(&self) -> Vec<&[Rc<str>]> {
        self.slots.iter().map(Slot::issuers).collect()
    }

    /// The scopes that are asked of the first caller.
    pub fn scopes(&self) -> &[String] {
        let mut parts = self.slots.iter().flat_map(|slot| &slot.parts);
        parts.find(|part| !part.scopes.is_empty()).map_or(&[], |part| &part.scopes)
    }

    /// Whether it is for these callers.
    pub fn fit(&self, callers: &[&Identity]) -> Fit {
        let filled = self.slots.iter().filter(|slot| callers.iter().any(|caller| slot.takes(caller))).count();
        let taken = callers.iter().filter(|caller| self.slots.iter().any(|slot| slot.takes(caller))).count();
        match (filled == self.slots.len(), taken == callers.len()) {
            (true, true) if callers.len() == self.slots.len() => Fit::These,
            (true, _) => Fit::Fewer,
            (false, true) => Fit::More,
            (false, false) => Fit::Others,
        }
    }

    /// Whether the callers that it is for have what is asked for; the place of the first slot's caller.
    pub fn check(&self, callers: &[&Identity], facts: &Facts<'_>) -> Result<usize, Rejection> {
        let mut first = None;
        for slot in &self.slots {
            let found = callers.iter().enumerate().find(|(_, caller)| slot.takes(caller));
            let (index, caller) = found.ok_or(Rejection::TokenMissing)?;
            slot.parts.iter().try_for_each(|part| part.check(caller, facts))?;
            first = first.or(Some(index));
        }
        first.ok_or(Rejection::TokenMissing)
    }
}

impl Slot {
    fn issuers(&self) -> &[Rc<str>] {
        self.issuers.as_deref().unwrap_or_default()
    }

    fn takes(&self, caller: &Identity) -> bool {
        self.issuers.as_ref().is_none_or(|issuers| issuers.iter().any(|name| name == &caller.issuer_name))
    }
}
