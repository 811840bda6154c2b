//! Which configuration is in force, and since when.

use std::cell::Cell;

use super::catalogue::{CONFIG_APPLIED, CONFIG_VERSION};
use super::own_metric::OwnMetric;
use crate::config_version::ConfigVersion;
use crate::module::Module;
use crate::stage::Observer;
use crate::time::UnixTime;

/// A configuration that a worker has taken. It is shown once, when the first tick or the first request comes: one that is only tried,
/// or that the proxy gives up with the listener around it, sees neither.
///
/// Every worker shows the same; where a proxy has several plugins of a module, the last one counts.
#[derive(Debug)]
pub struct AppliedConfig {
    module: Module,
    version: ConfigVersion,
    at: Option<UnixTime>,
    is_shown: Cell<bool>,
}

impl AppliedConfig {
    /// The configuration of a module with this version, taken now, if there is a clock.
    #[must_use]
    pub const fn new(module: Module, version: ConfigVersion, now: Option<UnixTime>) -> Self {
        Self { module, version, at: now, is_shown: Cell::new(false) }
    }

    /// Whose it is.
    #[must_use]
    pub const fn module(&self) -> Module {
        self.module
    }

    /// Whether it was shown.
    #[must_use]
    pub const fn is_shown(&self) -> bool {
        self.is_shown.get()
    }

    /// Shows it, unless it was.
    pub fn show(&self, observer: &mut dyn Observer) {
        if self.is_shown.replace(true) {
            return;
        }
        let values = [(&CONFIG_VERSION, Some(self.version.get())), (&CONFIG_APPLIED, self.at.map(UnixTime::as_secs))];
        for (family, value) in values {
            if let Some(value) = value
                && let Some(id) = OwnMetric::new().id(family, &[self.module.name()], observer)
            {
                observer.record(id, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Board;

    #[test]
    fn says_which_and_where_there_is_a_clock_when() {
        let version = ConfigVersion::of(b"{}");
        for (now, expected) in [(Some(UnixTime::from_secs(7)), 2), (None, 1)] {
            let mut board = Board::default();
            let config = AppliedConfig::new(Module::Bundle, version, now);
            config.show(&mut board);
            config.show(&mut board);
            assert_eq!(board.values["module=.=portcullis;.;portcullis_config_version"], [version.get()]);
            let applied = board.values.get("module=.=portcullis;.;portcullis_config_applied_timestamp_seconds");
            assert_eq!(applied, now.map(|now| vec![now.as_secs()]).as_ref());
            assert_eq!(board.names.len(), expected);
        }
    }
}
