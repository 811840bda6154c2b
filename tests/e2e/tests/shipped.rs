//! The configurations that are shipped: the real proxy takes every one of them.

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_testbed::{validate, workspace};

/// Every YAML file of a folder of the workspace and the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn envoy_takes_every_shipped_configuration() {
    let configurations = files(&workspace().join("envoy"));
    assert!(!configurations.is_empty(), "there is no configuration in envoy/");
    let refused: Vec<_> = configurations.iter().filter_map(|file| validate(file).err()).map(|error| error.to_string()).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n\n"));
}

#[test]
fn no_shipped_file_fails_open() {
    for folder in ["envoy", "istio"] {
        let found = files(&workspace().join(folder));
        assert!(!found.is_empty(), "there is nothing in {folder}/");
        for file in found {
            let text = fs::read_to_string(&file).unwrap();
            assert!(!text.contains("FAIL_OPEN") && !text.contains("fail_open"), "{}", file.display());
        }
    }
}
