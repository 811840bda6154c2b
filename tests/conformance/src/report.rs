//! What is said of a suite: which rows differ without a reason, which reasons are about nothing, and the document.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::disagreements::{DISAGREEMENTS, Disagreement};
use crate::row::{Expected, Row};

/// A suite with its rows.
#[derive(Debug)]
pub struct Report {
    /// The suite's name: the file within the data.
    pub suite: &'static str,
    /// Its rows.
    pub rows: Vec<Row>,
}

impl Report {
    /// The rows that differ from what is expected for no reason that is listed, and the listed differences that do not occur.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let listed: Vec<_> = listed(self.suite).collect();
        let unexplained = self.rows.iter().filter(|row| !row.agrees() && !listed.iter().any(|entry| entry.explains(row)));
        let unexplained = unexplained.map(|row| format!("{}: expected {}, {}", row.id, row.expected, row.ours));
        let idle = listed.iter().flat_map(|entry| entry.idle(&self.rows));
        let idle = idle.map(|pattern| format!("{pattern}: listed as a disagreement, but there is none"));
        unexplained.chain(idle).collect()
    }

    fn count(&self, holds: impl Fn(&Row) -> bool) -> usize {
        self.rows.iter().filter(|row| holds(row)).count()
    }
}

fn listed(suite: &str) -> impl Iterator<Item = &'static Disagreement> {
    DISAGREEMENTS.iter().filter(move |entry| entry.suite == suite)
}

/// docs/conformance.md.
#[must_use]
pub fn document(reports: &[&Report]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&counts(reports));
    text.push_str(DISAGREEMENTS_HEAD);
    text.push_str(&disagreements());
    text.push_str(CHOICES_HEAD);
    for report in reports {
        let mut choices: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in report.rows.iter().filter(|row| row.expected == Expected::Either && row.agrees()) {
            choices.entry(&row.ours).or_default().push(&row.id);
        }
        for (ours, ids) in choices {
            let ids = ids.iter().map(|id| format!("`{}`", id.trim())).collect::<Vec<_>>().join(", ");
            let _ = writeln!(text, "| {} | {ours} | {ids} |", report.suite);
        }
    }
    text
}

/// The table of disagreements.
#[must_use]
pub fn disagreements() -> String {
    let mut text = String::new();
    for entry in DISAGREEMENTS {
        let rows = entry.rows.iter().map(|row| format!("`{row}`")).collect::<Vec<_>>().join(", ");
        let theirs = if entry.theirs == Expected::Either { "accepted or refused".into() } else { entry.theirs.to_string() };
        let _ = writeln!(text, "| {} | {rows} | {theirs} | {} | {} |", entry.suite, entry.ours, entry.why);
    }
    text
}

/// The table of counts.
fn counts(reports: &[&Report]) -> String {
    let mut text = String::from("| suite | rows | as expected | left to us | differ | not run |\n|---|---|---|---|---|---|\n");
    let mut total = [0; 5];
    for report in reports {
        let numbers = [
            report.rows.len(),
            report.count(|row| row.expected != Expected::Either && row.agrees()),
            report.count(|row| row.expected == Expected::Either && row.agrees()),
            report.count(|row| !row.agrees() && !row.is_left_out()),
            report.count(Row::is_left_out),
        ];
        total.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        line(&mut text, report.suite, numbers);
    }
    line(&mut text, "all", total);
    text
}

fn line(text: &mut String, name: &str, [rows, agreed, open, differ, left_out]: [usize; 5]) {
    let _ = writeln!(text, "| {name} | {rows} | {agreed} | {open} | {differ} | {left_out} |");
}

const HEAD: &str = "\
# Conformance

What other projects expect of a JWT filter, run through ours: every row of their data, by `make test-conformance`. The data is
theirs and is not in this repository; `CONFORMANCE` names the folder that holds it, and without it the tests say that they were
skipped. This document is written by the tests (`UPDATE=1 make test-conformance`), and a test fails when it is out of date.

A row runs through what runs in the proxy: the configuration is loaded as a module loads it, the request passes the module's
stage, the clock is an argument. Vectors that are no tokens (bare signatures, payloads that are not claims) run through the
signature layer alone, twice: verified by the module, and by a proxy that verifies as Envoy does; two verdicts would be a failure.
What counts is the decision, accepted or refused; codes and statuses differ from product to product.

";

const DISAGREEMENTS_HEAD: &str = "
## Where we differ

Each difference is here, with its reason, and a difference that is not here fails a test; so does a line about none. Where the
suites disagree with each other, or with an RFC, the strict reading is right.

| suite | rows | they | we | why |
|---|---|---|---|---|
";

const CHOICES_HEAD: &str = "
## What is left to us

Rows for which the authors accept either decision. Ours stays as it stands here.

| suite | we | rows |
|---|---|---|
";
