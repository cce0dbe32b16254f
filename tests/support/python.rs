//! A Python with numpy, in which the package `matchcut` of this repository can be imported.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::{Work, repository};

/// Lets the runs of `work` find such a Python as `python3`; false, with a word said, where there is none.
/// In CI that is a failure.
pub fn use_python(work: &mut Work) -> bool {
    let Some(path) = path() else {
        let help = "no python3 with numpy; run: make setup-test";
        assert!(std::env::var_os("CI").is_none(), "{help}");
        eprintln!("skipped: {help}");
        return false;
    };
    work.set_env("PATH", path);
    work.set_env("PYTHONPATH", package().into_os_string());
    true
}

/// Where the package is.
pub fn package() -> PathBuf {
    repository().join("operators/python/src")
}

/// A file of a Python package of the tests; says so where it is not there.
pub fn package_file(path: &str) -> Option<PathBuf> {
    let pythons = std::fs::read_dir(repository().join(".venv/lib")).ok();
    let mut files = pythons
        .into_iter()
        .flatten()
        .flatten()
        .map(|python| python.path().join("site-packages").join(path));
    let found = files.find(|file| file.exists());
    if found.is_none() {
        eprintln!("skipped: no {path} here (make setup-test)");
    }
    found
}

/// ONNX Runtime of the Python packages of the tests.
pub fn library() -> Option<PathBuf> {
    let files = std::fs::read_dir(package_file("onnxruntime/capi")?).ok()?;
    let mut files = files.flatten().map(|file| file.path());
    files.find(|path| path.to_string_lossy().contains("libonnxruntime.so"))
}

/// A PATH whose `python3` has numpy.
pub fn path() -> Option<OsString> {
    let ours = repository().join(".venv/bin");
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let mut first = vec![ours];
    first.extend(std::env::split_paths(&inherited));
    let with_ours = std::env::join_paths(first).ok()?;
    [with_ours, inherited].into_iter().find(|path| {
        let found = Command::new("sh")
            .args(["-c", "exec python3 -c 'import numpy'"])
            .env("PATH", path)
            .output();
        found.is_ok_and(|output| output.status.success())
    })
}

/// A Python with a module; none, with a word said, where there is none. In CI that is a failure.
pub fn python(module: &str) -> Option<PathBuf> {
    let ours = repository().join(".venv/bin/python");
    let has = |python: &PathBuf| {
        let found = Command::new(python)
            .args(["-c", &format!("import {module}")])
            .output();
        found.is_ok_and(|output| output.status.success())
    };
    let found = [ours, PathBuf::from("python3")].into_iter().find(has);
    if found.is_none() {
        let help = format!("no python3 with {module}; run: make setup-test");
        assert!(std::env::var_os("CI").is_none(), "{help}");
        eprintln!("skipped: {help}");
    }
    found
}
