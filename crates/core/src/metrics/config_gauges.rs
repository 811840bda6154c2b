//! Which configuration is in force, and since when.

use super::catalogue::{CONFIG_APPLIED, CONFIG_VERSION};
use super::own_metric::OwnMetric;
use crate::config_version::ConfigVersion;
use crate::module::Module;
use crate::stage::Observer;
use crate::time::UnixTime;

/// Says that a configuration of a module is in force from now on. Every worker says the same; where a proxy has several plugins of a
/// module, the last one counts.
pub fn applied(module: Module, version: ConfigVersion, now: Option<UnixTime>, observer: &mut dyn Observer) {
    let values = [(&CONFIG_VERSION, Some(version.get())), (&CONFIG_APPLIED, now.map(UnixTime::as_secs))];
    for (family, value) in values {
        if let Some(value) = value
            && let Some(id) = OwnMetric::default().id(family, &[module.name()], observer)
        {
            observer.record(id, value);
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
            applied(Module::Bundle, version, now, &mut board);
            assert_eq!(board.values["module=.=portcullis;.;portcullis_config_version"], [version.get()]);
            let applied = board.values.get("module=.=portcullis;.;portcullis_config_applied_timestamp_seconds");
            assert_eq!(applied, now.map(|now| vec![now.as_secs()]).as_ref());
            assert_eq!(board.names.len(), expected);
        }
    }
}
