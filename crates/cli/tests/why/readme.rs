//! The example in the README says what the command says.

use std::path::Path;

use serde_json::json;

use crate::run::run;
use crate::signer::{claims, ed25519, jwks};

/// The lines of the first fenced block whose info string is this.
fn block(text: &str, info: &str) -> String {
    let lines = text.lines().skip_while(|line| line.strip_prefix("```") != Some(info)).skip(1);
    lines.take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect()
}

/// The text with the thumbprint, which is another one in each run, left out.
fn without_thumbprint(text: &str) -> String {
    let cut = |line: &str| line.split(", thumbprint ").next().unwrap_or_default().to_owned();
    text.lines().map(|line| cut(line) + "\n").collect()
}

#[test]
fn the_readme_shows_what_the_command_prints() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (config, example) = (block(&readme, "yaml portcullis"), block(&readme, "console explain"));
    let (command, shown) = example.split_once('\n').unwrap();
    let arguments: Vec<&str> = command.strip_prefix("$ portcullis ").unwrap().split(' ').collect();
    let token = ed25519("2026-11", &claims(&json!({"realm_access": {"roles": ["COURIER"]}, "roles": null, "scope": null})));
    let files = [("portcullis.yaml", config.as_str()), ("keys.json", &jwks("2026-11")), ("token.txt", &token)];
    let run = run(&files, "", &arguments);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
    let printed = without_thumbprint(&run.stdout);
    if std::env::var_os("UPDATE").is_some() {
        let updated = readme.replace(&example, &format!("{command}\n{printed}"));
        std::fs::write(&file, updated).unwrap();
        return;
    }
    assert_eq!(printed, shown, "UPDATE=1 writes it anew");
}

#[test]
fn the_readme_shows_how_a_claim_is_encrypted() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let (before, after) = readme.split_once("```console encrypt-claim\n").unwrap();
    let (_, config) = before.rsplit_once("```yaml portcullis\n").unwrap();
    let config = config.split("```").next().unwrap().replace(", encoding: base64", "");
    let command = after.lines().next().unwrap().strip_prefix("$ portcullis ").unwrap().replace('\'', "");
    let run = run(&[("portcullis.yaml", &config)], "", &command.split(' ').collect::<Vec<_>>());
    assert_eq!((run.code, run.stderr.as_str(), run.stdout.lines().count()), (0, "", 1));
}
