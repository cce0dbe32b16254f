//! The specs in `examples`: each is good, and does what its own tests say.

use std::fs;

use crate::support::{Work, repository};

#[test]
fn every_example_is_valid_and_passes_its_tests() {
    let mut names = Vec::new();
    for entry in fs::read_dir(repository().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "toml") {
            names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    names.sort();
    assert_eq!(
        names,
        [
            "audit-passthrough",
            "basketball",
            "commercials",
            "kafka",
            "mediaconvert",
            "news",
            "soccer",
            "tennis"
        ]
    );
    let work = Work::new();
    for name in names {
        let file = format!("examples/{name}.toml");
        let done = work
            .matchcut_in(repository(), ["validate", &file])
            .wait()
            .exits(0);
        done.check(!done.stderr.contains("warning"), "a warning");
        let done = work
            .matchcut_in(repository(), ["test", &file])
            .wait()
            .exits(0);
        done.check(
            done.stdout.contains(" passed, 0 failed") && !done.stdout.contains("0 passed"),
            "its tests pass",
        );
    }
}
