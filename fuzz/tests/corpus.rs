//! Every file of the corpus through its target, without the fuzzing engine: what was found once
//! stays mended.

// A helper that fails fails its test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

fn replay(name: &str) {
    let (_, target) = matchcut_fuzz::TARGETS
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() > 5, "{}: {files:?}", folder.display());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        if std::panic::catch_unwind(|| target(&bytes)).is_err() {
            panic!("{} breaks what must hold; see above", file.display());
        }
    }
}

#[test]
fn playlist() {
    replay("playlist");
}

#[test]
fn spec() {
    replay("spec");
}

#[test]
fn observations() {
    replay("observations");
}

#[test]
fn credentials() {
    replay("credentials");
}

#[test]
fn requests() {
    replay("requests");
}

#[test]
fn probing() {
    replay("probing");
}
