//! Traces by OTLP, as a collector gets them.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::service::stops;
use super::service_events::{live, service, spec};
use crate::support::otlp::Collector;
use crate::support::stream::{DATED, copy};
use crate::support::{Work, lines};

/// Spans of a name.
fn called<'a>(spans: &'a [Json], name: &str) -> Vec<&'a Json> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

/// The values of an attribute, each once.
fn values(spans: &[&Json], attribute: &str) -> BTreeSet<String> {
    let value = |span: &&Json| span["attributes"][attribute].to_string();
    spans.iter().map(value).collect()
}

#[test]
fn each_chunk_of_a_run_has_a_trace() {
    let mut work = copy(DATED);
    let path = work.path("spans.jsonl");
    let Some(collector) = Collector::start(&path) else {
        return;
    };
    work.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint);
    work.set_env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=tests");
    work.set_env(
        "OTEL_RESOURCE_ATTRIBUTES",
        "deployment.environment.name=tests",
    );
    let done = work.ok(["run", "shots.toml", "--out", "out"]);
    done.check(!done.stderr.contains("traces"), "something of traces");
    let spans = lines(&path);
    for span in &spans {
        assert_eq!(span["resource"]["service.name"], "matchcut");
        assert_eq!(
            span["resource"]["service.version"],
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(span["resource"]["deployment.environment.name"], "tests");
        assert_eq!(
            (&span["scope"], &span["sent_with"]),
            (&"matchcut".into(), &"tests".into())
        );
        assert!(span["start"].as_u64() <= span["end"].as_u64(), "{span}");
        assert_eq!(span["attributes"]["event"], "shots", "{span}");
    }
    let chunks = called(&spans, "chunk");
    let positions: BTreeSet<String> = (0..6).map(|number| number.to_string()).collect();
    assert_eq!(
        (chunks.len(), values(&chunks, "position")),
        (6, positions.clone())
    );
    // What was done with a chunk stands in its trace, below it.
    for (name, parent) in [("fetch chunk", "chunk"), ("decode chunk", "chunk")] {
        let found = called(&spans, name);
        assert_eq!(
            (found.len(), values(&found, "position")),
            (6, positions.clone()),
            "{name}"
        );
        for span in found {
            let above = spans
                .iter()
                .find(|above| above["id"] == span["parent"])
                .unwrap();
            assert_eq!(
                (&above["name"], &above["trace"]),
                (&parent.into(), &span["trace"])
            );
            assert_eq!(
                above["attributes"]["position"],
                span["attributes"]["position"]
            );
            assert_eq!(span["status"], "STATUS_CODE_UNSET");
        }
    }
    let traces: BTreeSet<&str> = chunks
        .iter()
        .filter_map(|span| span["trace"].as_str())
        .collect();
    assert_eq!(traces.len(), 6);
    let commits = called(&spans, "commit epoch");
    let of_chunks = commits
        .iter()
        .filter(|span| traces.contains(span["trace"].as_str().unwrap()));
    assert_eq!(of_chunks.count(), 6);
    assert_eq!(values(&commits, "epoch").len(), commits.len());
    let clips = called(&spans, "cut clips");
    let cut: BTreeSet<String> = lines(&work.path("out/changes.jsonl"))
        .iter()
        .filter(|line| line["kind"] == "clip")
        .map(|line| line["value"]["segment"].to_string())
        .collect();
    assert_eq!(values(&clips, "segment"), cut);
    for span in clips {
        let above = spans
            .iter()
            .find(|above| above["id"] == span["parent"])
            .unwrap();
        assert_eq!(above["name"], "commit epoch");
    }
}

#[test]
fn what_fails_is_marked_and_nothing_is_sent_where_nothing_is_wanted() {
    let mut work = copy(DATED);
    let path = work.path("spans.jsonl");
    let Some(collector) = Collector::start(&path) else {
        return;
    };
    work.ok(["run", "shots.toml", "--out", "none"]);
    work.set_env("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.endpoint);
    work.ok(["validate", "shots.toml"]);
    work.set_env("OTEL_TRACES_EXPORTER", "none");
    work.ok(["run", "shots.toml", "--out", "off"]);
    assert!(!path.exists() || lines(&path).is_empty());
    work.set_env("OTEL_TRACES_EXPORTER", "");
    std::fs::remove_file(work.path("c02.ts")).unwrap();
    work.ok([
        "run",
        "shots.toml",
        "--out",
        "out",
        "--set",
        "sources.tv.retries=0",
    ]);
    let spans = lines(&path);
    let failed = |span: &&Json| span["status"] == "STATUS_CODE_ERROR";
    let failed: Vec<&Json> = spans.iter().filter(failed).collect();
    let names: Vec<(&Json, &Json)> = failed
        .iter()
        .map(|span| (&span["name"], &span["attributes"]["position"]))
        .collect();
    assert_eq!(names, [(&"fetch chunk".into(), &2.into())]);

    // A collector that is away costs a word, and nothing else.
    drop(collector);
    let done = work.ok(["run", "shots.toml", "--out", "away"]);
    done.says_times(1, "traces are lost");
    work.set_env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    work.fails(2, ["run", "shots.toml", "--out", "grpc"])
        .says("OTEL_EXPORTER_OTLP_PROTOCOL is grpc");
}

#[test]
fn requests_and_events_of_a_service_are_traced() {
    let source = live(6);
    source.serve("index.m3u8", DATED.text(6));
    let mut work = Work::new();
    let path = work.path("spans.jsonl");
    let Some(collector) = Collector::start(&path) else {
        return;
    };
    work.set_env(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        format!("{}/v1/traces", collector.endpoint),
    );
    work.set_env("OTEL_SERVICE_NAME", "replays");
    let (running, api) = service(&mut work, &[]);
    api.run("cup", &spec(&source.url("index.m3u8"))).json(202);
    api.until_it_is("cup", "complete");
    api.get("events/none?token=hunter2").json(404);
    stops(running);
    let spans = lines(&path);
    assert!(
        spans
            .iter()
            .all(|span| span["resource"]["service.name"] == "replays")
    );
    let about = |name: &str| -> BTreeSet<(String, String)> {
        let found = called(&spans, name).into_iter();
        let about = |span: &Json| {
            let status = span["attributes"]["http.response.status_code"].to_string();
            (span["kind"].as_str().unwrap().to_owned(), status)
        };
        found.map(about).collect()
    };
    let server = |status: &str| ("SPAN_KIND_SERVER".to_owned(), status.to_owned());
    assert_eq!(
        about("POST /api/v1/events"),
        BTreeSet::from([server("202")])
    );
    let asked = BTreeSet::from([server("200"), server("404")]);
    assert_eq!(about("GET /api/v1/events/{id}"), asked);
    let requests = called(&spans, "POST /api/v1/events");
    let told = &requests[0]["attributes"];
    assert_eq!(
        (&told["http.request.method"], &told["http.route"]),
        (&"POST".into(), &"/api/v1/events".into())
    );
    let decoded = called(&spans, "decode chunk");
    assert_eq!(decoded.len(), 6);
    assert_eq!(
        values(&decoded, "event"),
        BTreeSet::from(["\"cup\"".to_owned()])
    );
    assert!(!std::fs::read_to_string(&path).unwrap().contains("hunter2"));
}
