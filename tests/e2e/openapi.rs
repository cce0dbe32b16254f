//! The documents of the REST APIs: they are valid, and Schemathesis, which asks whatever they allow and much that they
//! do not, finds no answer that they do not have.

use std::path::PathBuf;
use std::process::Command;
use std::thread;

use super::service::stops;
use super::service_events::{LIVE, live, service, spec};
use crate::support::{Work, repository};

/// A program of the Python environment of the tests; says so where it is not there.
fn program(name: &str) -> Option<PathBuf> {
    let path = repository().join(".venv/bin").join(name);
    if path.exists() {
        return Some(path);
    }
    let help = format!("no {name}; run: make setup-test");
    assert!(std::env::var_os("CI").is_none(), "{help}");
    eprintln!("skipped: {help}");
    None
}

#[test]
fn documents_are_valid() {
    let Some(validator) = program("openapi-spec-validator") else {
        return;
    };
    let work = Work::new();
    for api in ["v1", "controlplane", "dataplane"] {
        let document = work.ok(["schema", "--api", api]).stdout;
        work.write("openapi.json", document);
        let judged = Command::new(&validator)
            .arg(work.path("openapi.json"))
            .output()
            .unwrap();
        assert!(judged.status.success(), "{api}: {judged:?}");
    }
}

#[test]
fn whatever_is_asked_is_answered_as_the_documents_say() {
    let Some(schemathesis) = program("schemathesis") else {
        return;
    };
    let source = live(3);
    source.serve("index.m3u8", LIVE.text(3));
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    let url = api.root().to_owned();
    api.run("cup", &spec(&source.url("index.m3u8"))).json(202);
    let planes = [
        ("v1", "api/v1"),
        ("controlplane", "controlplane"),
        ("dataplane", "dataplane"),
    ];
    let judges = planes.map(|(name, path)| {
        let own = "not_a_server_error,response_schema_conformance,status_code_conformance,\
                   content_type_conformance";
        let checks = match name {
            "v1" => own.to_owned(),
            _ => own.replace("not_a_server_error", "no_surprise"),
        };
        let hooks = repository().join("tests/support/schemathesis_hooks.py");
        let mut judge = Command::new(&schemathesis);
        judge
            .args(["run", &format!("{url}/openapi/{name}.json")])
            .args(["--url", &format!("{url}/{path}"), "--checks", &checks])
            .args(["--phases", "coverage,fuzzing", "--max-examples", "5"])
            .args(["--max-time", "40", "--warnings", "off"])
            .arg("--generation-deterministic")
            .env("SCHEMATHESIS_HOOKS", hooks)
            .current_dir(work.path(""));
        thread::spawn(move || (name, judge.output().unwrap()))
    });
    for judge in judges {
        let (name, judged) = judge.join().unwrap();
        let told = String::from_utf8_lossy(&judged.stdout);
        let complained = String::from_utf8_lossy(&judged.stderr);
        assert!(judged.status.success(), "{name}: {told}\n{complained}");
    }
    // It still does its work.
    assert_eq!(api.get("events").status, 200);
    stops(running);
}
