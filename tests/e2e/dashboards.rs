//! Dashboards and alerts ask for what there is: each of their queries is asked of a real Prometheus that scrapes a
//! run and a service.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use matchcut_dataflow::run::meter::{Kind, METRICS};
use serde_json::Value as Json;

use super::kafka::{LIVE, live};
use crate::support::metrics::{Page, address};
use crate::support::prometheus::{Prometheus, configuration, installed};
use crate::support::python::python;
use crate::support::server::Answer;
use crate::support::stream::{CHUNKS, SPEC};
use crate::support::{document, repository};

/// Panels that are empty as long as all is well, by dashboard and title.
const EMPTY: [(&str, &str); 1] = [("fleet", "Requests that failed")];

/// Rules that say something of the run of the test: a chunk is missing and a sink is away.
const SAYING: [&str; 6] = [
    "MatchcutChunksMissing",
    "MatchcutOutboxGrows",
    "MatchcutSinkDown",
    "event:matchcut_chunk_seconds:mean5m",
    "event:matchcut_committed_seconds:mean5m",
    "event:matchcut_committed_seconds:p99_5m",
];

/// The dashboards by name.
fn dashboards() -> Vec<(String, Json)> {
    let dir = repository().join("infra/grafana/dashboards");
    let mut all: Vec<(String, Json)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, document(&path))
        })
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    all
}

fn list<'a>(of: &'a Json, name: &str) -> &'a [Json] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Json, name: &str) -> &'a str {
    of[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name}: {of}"))
}

/// A query as Grafana asks it, of the event `shots`.
fn asked(query: &str) -> String {
    let query = query
        .replace("$__rate_interval", "10m")
        .replace("$event", "shots")
        .replace("$operator", ".*");
    assert!(!query.contains('$'), "{query}");
    query
}

/// The names of metrics in a query: its words, but for labels, functions and what belongs to the language.
fn metrics_of(query: &str) -> BTreeSet<String> {
    const WORDS: [&str; 11] = [
        "and", "avg", "bool", "count", "max", "min", "offset", "or", "sum", "unless", "vector",
    ];
    const BEFORE_LABELS: [&str; 6] = [
        "by",
        "group_left",
        "group_right",
        "ignoring",
        "on",
        "without",
    ];
    let mut names = BTreeSet::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        // What follows a delimiter, past its end.
        let past = |open: usize, close: char| {
            let inside = &rest[open..];
            let end = inside
                .find(close)
                .unwrap_or_else(|| panic!("no {close}: {rest}"));
            &inside[end + close.len_utf8()..]
        };
        rest = match first {
            '{' => past(1, '}'),
            '[' => past(1, ']'),
            _ if first.is_ascii_alphanumeric() || first == '_' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                let after = after.trim_start();
                if BEFORE_LABELS.contains(&word) {
                    past(rest.len() - after.len(), ')')
                } else {
                    let is_call = after.starts_with('(');
                    if !is_call && !first.is_ascii_digit() && !WORDS.contains(&word) {
                        names.insert(word.to_owned());
                    }
                    after
                }
            }
            _ => &rest[first.len_utf8()..],
        };
    }
    names
}

/// Every name that a query may have: of runs, of the service, of the process and of Prometheus itself.
fn known(page: &Page, rules: &[Json]) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut histogram = |name: &str| {
        for part in ["bucket", "sum", "count"] {
            known.insert(format!("{name}_{part}"));
        }
    };
    histogram("matchcut_http_request_duration_seconds");
    let is_histogram = |kind: Kind| kind == Kind::Histogram;
    let histograms = METRICS.iter().filter(|metric| is_histogram(metric.kind));
    histograms.for_each(|metric| histogram(metric.name));
    let others = METRICS.iter().filter(|metric| !is_histogram(metric.kind));
    known.extend(others.map(|metric| metric.name.to_owned()));
    let process = page.text().lines().filter_map(|line| {
        let (name, _) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        name.starts_with("process_").then_some(name)
    });
    known.extend(process.map(str::to_owned));
    let recorded = rules.iter().filter(|rule| rule["type"] == "recording");
    known.extend(recorded.map(|rule| text(rule, "name").to_owned()));
    let more = [
        "ALERTS",
        "matchcut_build_info",
        "matchcut_http_requests_total",
        "up",
    ];
    known.extend(more.map(str::to_owned));
    known
}

#[test]
fn dashboards_and_alerts_ask_for_what_there_is() {
    if !installed("prometheus") {
        return;
    }
    // A chunk will be missing, and a sink cannot be reached.
    let spec = SPEC
        .replace("type = \"hls\"", "type = \"hls\"\nmissing_after = \"1s\"")
        .replace("duration = \"3s\"", "duration = \"3s\"\ncatchup = true");
    let spec = format!(
        "{spec}\n[sinks.away]\ntype = \"kafka\"\ninputs = [\"shot\", \"gap\", \"all\"]\n\
         brokers = [\"127.0.0.1:9\"]\nprefix = \"x\"\ndrain = \"1s\"\n"
    );
    let (server, work, mut run) = live(&spec, 2);
    let mut service = work.matchcut([
        "serve",
        "--data",
        "service",
        "--listen",
        "127.0.0.1:0",
        "--insecure-loopback",
    ]);
    let ready = service.until_it_says(|out| out.ends_with('\n'));
    let at = ready
        .trim()
        .strip_prefix("matchcut is ready at http://")
        .unwrap();
    let at = at.trim_end_matches('/');
    let mut stream = TcpStream::connect(at).unwrap();
    let ask = format!("GET /healthz HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");

    let prometheus = Prometheus::start(&[&address(&mut run), at]);
    prometheus.until("count(up == 1) == 2");
    prometheus.until("matchcut_event_seconds == 4");
    server.set(CHUNKS[3], Answer::Status(404));
    server.serve("index.m3u8", LIVE.text(CHUNKS.len()));
    // Rates need two samples.
    for condition in [
        "matchcut_event_seconds == 12",
        "matchcut_chunks_total{outcome=\"missing\"} == 1",
        "matchcut_sink_up == 0",
        "matchcut_outbox_rows > 0",
        "count_over_time(matchcut_sink_errors_total[10m]) > 1",
        "count_over_time(matchcut_failures_total[10m]) > 1",
        "count_over_time(matchcut_http_requests_total{route=\"/healthz\"}[10m]) > 1",
        "event:matchcut_chunk_seconds:mean5m",
    ] {
        prometheus.until(condition);
    }

    let rules = prometheus.rules();
    let known = known(&Page::of(&mut run), &rules);
    let names_are_known = |place: &str, query: &str| {
        let names = metrics_of(query);
        assert!(!names.is_empty(), "{place} asks for nothing: {query}");
        let unknown: Vec<_> = names.difference(&known).collect();
        assert!(unknown.is_empty(), "{place}: {unknown:?} in {query}");
    };
    let mut queries = 0;
    for (name, dashboard) in dashboards() {
        for panel in list(&dashboard, "panels") {
            let title = text(panel, "title");
            for target in list(panel, "targets") {
                let place = format!("{name}: {title}");
                let query = asked(text(target, "expr"));
                names_are_known(&place, &query);
                let is_empty = EMPTY.contains(&(name.as_str(), title));
                let values = prometheus.query(&query);
                assert_eq!(values.is_empty(), is_empty, "{place}: {query}");
                queries += 1;
            }
        }
        for variable in list(&dashboard["templating"], "list") {
            if variable["type"] == "query" {
                let definition = text(variable, "definition");
                let wanted = definition.strip_prefix("label_values(");
                let wanted = wanted.and_then(|rest| rest.strip_suffix(')'));
                let (series, label) = wanted.unwrap().rsplit_once(", ").unwrap();
                let query = asked(&format!("count by ({label}) ({series})"));
                names_are_known(&name, &query);
                let values = prometheus.query(&query);
                assert!(!values.is_empty(), "{name}: {definition}");
            }
        }
    }
    assert!(queries > 60, "{queries}");

    let mut saying: Vec<&str> = Vec::new();
    for rule in &rules {
        let (name, query) = (text(rule, "name"), text(rule, "query"));
        names_are_known(name, query);
        assert_eq!(rule["health"], "ok", "{rule}");
        if !prometheus.query(query).is_empty() {
            saying.push(name);
        }
    }
    saying.sort_unstable();
    assert_eq!(saying, SAYING);
    // What the stream is known to be.
    let now = |query: &str| prometheus.query(query);
    let placed = "matchcut_chunks_total{event=\"shots\", outcome=\"placed\"}";
    assert_eq!(now(placed), [5.0]);
    assert_eq!(now("count(matchcut_build_info)"), [2.0]);
}

#[test]
fn every_alert_fires_when_it_should() {
    if !installed("promtool") {
        return;
    }
    for check in [
        ["check", "config", "prometheus.yml"],
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
    ] {
        let done = Command::new("promtool")
            .args(check)
            .current_dir(configuration())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        let complained = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{check:?}\n{said}\n{complained}");
        assert!(said.contains("SUCCESS"), "{check:?}\n{said}");
    }
    // And there is a test of each.
    let read = |name: &str| fs::read_to_string(configuration().join(name)).unwrap();
    let (rules, tests) = (read("alerts.yml"), read("alerts_test.yml"));
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    let mut number = 0;
    for alert in alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:");
        let does_not = format!("{fires} []");
        assert!(tests.contains(&does_not), "{alert}");
        assert!(
            tests.matches(&fires).count() > tests.matches(&does_not).count(),
            "{alert}"
        );
        number += 1;
    }
    assert_eq!(number, 8);
}

#[test]
fn dashboards_are_what_the_script_makes() {
    let Some(python) = python("json") else {
        return;
    };
    let script = repository().join("infra/grafana/make.py");
    let done = Command::new(python)
        .arg(script)
        .arg("--check")
        .output()
        .unwrap();
    let complained = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{complained}");
}

#[test]
fn panels_of_a_dashboard_do_not_overlap() {
    let names: Vec<String> = dashboards().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["event", "fleet", "pipeline"]);
    for (name, dashboard) in dashboards() {
        assert_eq!(dashboard["uid"], format!("matchcut-{name}"));
        let mut taken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard, "panels") {
            let title = text(panel, "title");
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{name}: {title} is too wide");
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(taken.insert((x, y)), "{name}: {title} covers another");
                }
            }
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title}");
            if panel["type"] == "row" {
                continue;
            }
            assert!(!list(panel, "targets").is_empty(), "{name}: {title}");
            let unit = &panel["fieldConfig"]["defaults"]["unit"];
            assert!(unit.is_string(), "{name}: {title} has no unit");
            for target in list(panel, "targets") {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{name}");
            }
        }
    }
}
