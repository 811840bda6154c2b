//! What the modules and access logs after this one are told in filter state: who is calling, and what was decided.

use crate::config::jwt_auth::Published;
use crate::config::{ConfigError, Warning};

/// What is written to filter state where the stages decide who is calling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The principal, when somebody was authenticated.
    pub principal: bool,
    /// The decision.
    pub decision: bool,
}

impl Default for Publication {
    fn default() -> Self {
        Self { principal: true, decision: true }
    }
}

impl Publication {
    /// What `publish` of `jwtAuth` names; everything when it is left out.
    ///
    /// # Errors
    /// When something is named twice.
    pub fn compile(publish: Option<&[Published]>) -> Result<Self, ConfigError> {
        let Some(names) = publish else { return Ok(Self::default()) };
        let repeat = names.iter().enumerate().find(|(index, name)| names.iter().take(*index).any(|earlier| earlier == *name));
        if let Some((index, _)) = repeat {
            return Err(ConfigError::new(format!("publish[{index}]"), "is named twice"));
        }
        Ok(Self { principal: names.contains(&Published::Principal), decision: names.contains(&Published::Decision) })
    }

    /// What other modules do not learn.
    pub fn warnings(self) -> impl Iterator<Item = Warning> {
        let principal = "leaves out `principal`: auth-header, audit-log and metrics, as modules of their own, know no caller";
        let decision = "leaves out `decision`: audit-log and metrics, as modules of their own, do not know what was decided";
        let left_out = [(self.principal, principal), (self.decision, decision)].into_iter().filter(|(is_told, _)| !is_told);
        left_out.map(|(_, message)| Warning::new("publish", message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_named_is_not_told() {
        use Published::{Decision, Principal};
        let publication = |principal, decision| Ok(Publication { principal, decision });
        for (publish, expected, warnings) in [
            (None, publication(true, true), 0),
            (Some(&[Decision, Principal][..]), publication(true, true), 0),
            (Some(&[Principal]), publication(true, false), 1),
            (Some(&[Decision]), publication(false, true), 1),
            (Some(&[]), publication(false, false), 2),
            (Some(&[Decision, Decision]), Err(ConfigError::new("publish[1]", "is named twice")), 0),
        ] {
            let compiled = Publication::compile(publish);
            assert_eq!(compiled, expected, "{publish:?}");
            assert_eq!(compiled.map_or(0, |publication| publication.warnings().count()), warnings, "{publish:?}");
        }
    }
}
