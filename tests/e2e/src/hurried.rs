//! The shipped rules and alerts for tests, which have seconds where the files say minutes.

use std::fs;
use std::path::PathBuf;

use portcullis_testbed::{Scratch, workspace};

/// The rules and the alerts as they are shipped, but that alerts wait two seconds, and VMs are counted over ten.
///
/// # Panics
/// When the files are not as they were.
#[must_use]
pub fn hurried_rules(scratch: &Scratch) -> [PathBuf; 2] {
    let shipped = |name: &str| fs::read_to_string(workspace().join("observability/prometheus").join(name)).unwrap();
    let is_wait = |line: &str| line.trim_start().starts_with("for: ");
    let alerts = shipped("alerts.yaml");
    assert!(alerts.lines().filter(|line| is_wait(line)).count() > 10);
    let alerts: Vec<_> = alerts.lines().map(|line| if is_wait(line) { "    for: 2s" } else { line }).collect();
    let rules = shipped("rules.yaml");
    let hurried = rules.replacen("(portcullis_vm_seconds_total[2m])", "(portcullis_vm_seconds_total[10s])", 1);
    assert_ne!(rules, hurried);
    [("rules.yaml", hurried), ("alerts.yaml", alerts.join("\n"))].map(|(name, text)| {
        let file = scratch.path().join(name);
        fs::write(&file, text).unwrap();
        file
    })
}
