//! What people watch in a terminal: edges of an event as something comes over them, and what a service does.

use std::fs;

use serde_json::Value as Json;

use super::service::stops;
use super::service_events::{LIVE, live, service, spec};
use super::service_security::{ask, bearer, over, service as guarded};
use crate::support::stream::{DATED, SPEC, copy};
use crate::support::{Done, Running, Work, lines};

/// The lines of the files of an event that are wanted, by epoch; of an epoch those of the log first.
fn wanted(work: &Work, dir: &str, keep: impl Fn(&Json) -> bool) -> String {
    let mut all: Vec<(u64, String)> = Vec::new();
    for file in ["log.jsonl", "changes.jsonl"] {
        let text = fs::read_to_string(work.path(dir).join(file)).unwrap();
        for line in text.lines() {
            let value: Json = serde_json::from_str(line).unwrap();
            if keep(&value) {
                all.push((value["epoch"].as_u64().unwrap(), line.to_owned()));
            }
        }
    }
    all.sort_by_key(|(epoch, _)| *epoch);
    all.into_iter().map(|(_, line)| line + "\n").collect()
}

fn of(line: &Json, kind: &str, name: &str) -> bool {
    let value = &line["value"];
    line["kind"] == kind && (value["operator"] == name || value["replay"] == name)
}

/// Lines of a running tap, once there are so many.
fn heard(tap: &mut Running, number: usize) -> Vec<Json> {
    let text = tap.until_it_says(|text| text.matches('\n').count() >= number);
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Lines of two streams, in an order that does not depend on which of them was first.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_tap_of_a_service_tells_what_comes_over_an_edge() {
    let source = live(2);
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    work.set_env("MATCHCUT_URL", api.root());
    api.run("cup", &spec(&source.url("index.m3u8"))).json(202);
    let tap = |names: &[&str], more: &[&str]| {
        let args = ["tap", "--event", "cup"].iter().chain(names).chain(more);
        work.matchcut(args)
    };
    let mut cuts = tap(&["cuts"], &["--from-start"]);
    let first = heard(&mut cuts, 1);
    assert!(
        first.iter().all(|line| of(line, "observation", "cuts")),
        "{first:?}"
    );
    // Both chunks that there are.
    api.until("cup", |told| told["epoch"].as_u64() >= Some(2));
    let before = api.get("events/cup").json(200)["epoch"].as_u64().unwrap();
    let mut some = tap(&["sh*", "all", "quiet", "clips"], &["--from-start"]);
    heard(&mut some, 2);
    let later = tap(&["shot"], &[]);
    let now = tap(&["shot"], &["--no-follow"]).wait().exits(0);
    assert!(now.stdout.contains("\"start\":1.2"), "{}", now.stdout);
    // Time for it to have asked from where.
    std::thread::sleep(std::time::Duration::from_secs(2));
    source.serve("index.m3u8", DATED.text(6));
    api.until_it_is("cup", "complete");
    let cuts = cuts.wait().exits(0);
    let (some, later) = (some.wait().exits(0), later.wait().exits(0));
    let dir = "data/events/cup";
    let is_cut = |line: &Json| of(line, "observation", "cuts");
    assert_eq!(cuts.stdout, wanted(&work, dir, is_cut));
    let is_shot = |line: &Json| of(line, "segment", "shot");
    let is_some = |line: &Json| {
        is_shot(line)
            || line["kind"] == "clip"
            || of(line, "replay", "all")
            || of(line, "observation", "quiet")
    };
    assert_eq!(sorted(&some.stdout), sorted(&wanted(&work, dir, is_some)));
    let is_later = |line: &Json| is_shot(line) && line["epoch"].as_u64() > Some(before);
    assert_eq!(later.stdout, wanted(&work, dir, is_later));

    // When it is over everything is told, by epoch.
    let done = tap(&["sh*", "all", "quiet", "clips"], &[]).wait().exits(0);
    assert_eq!(done.stdout, wanted(&work, dir, is_some));
    let done = tap(&["*"], &["--no-follow"]).wait().exits(0);
    assert_eq!(done.stdout, wanted(&work, dir, |_| true));
    tap(&["shto"], &[])
        .wait()
        .exits(2)
        .says("error: the event has no operator or replay \"shto\"")
        .says("help: did you mean \"shot\"?");
    tap(&["xyz"], &[])
        .wait()
        .exits(2)
        .says("help: there are: cuts, quiet, shot, gap, all, clips, chunks, errors");
    work.fails(1, ["tap", "--event", "cap", "shot"])
        .says("404 Not Found: there is no event \"cap\"");
    let graph = api.get("events/cup/graph").json(200);
    let part = |at: usize| (&graph["items"][at]["name"], &graph["items"][at]["class"]);
    assert_eq!(part(0), (&"cuts".into(), &"featurer".into()));
    assert_eq!(part(4), (&"all".into(), &"replay".into()));
    stops(running);
    work.fails(1, ["tap", "--event", "cup", "shot"])
        .says("cannot be asked");
}

#[test]
fn a_tap_goes_on_when_the_service_is_there_again() {
    let source = live(2);
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    let address = api.root().strip_prefix("http://").unwrap().to_owned();
    api.run("cup", &spec(&source.url("index.m3u8"))).json(202);
    let url = api.root().to_owned();
    let args = [
        "tap",
        "--event",
        "cup",
        "shot",
        "--from-start",
        "--url",
        &url,
    ];
    let mut tap = work.matchcut(args);
    heard(&mut tap, 2);
    stops(running);
    source.serve("index.m3u8", DATED.text(6));
    let args = [
        "serve",
        "--insecure-loopback",
        "--data",
        "data",
        "--listen",
        &address,
    ];
    let mut running = work.matchcut(args);
    running.until_it_says(|text| text.ends_with('\n'));
    let done: Done = tap.wait().exits(0);
    let is_shot = |line: &Json| of(line, "segment", "shot");
    assert_eq!(done.stdout, wanted(&work, "data/events/cup", is_shot));
    stops(running);
}

#[test]
fn a_tap_signs_or_bears_a_token() {
    let source = live(6);
    source.serve("index.m3u8", DATED.text(6));
    let mut work = Work::new();
    let (running, api) = guarded(&mut work, "");
    let body = serde_json::json!({ "id": "cup", "spec": spec(&source.url("index.m3u8")) });
    ask(&api, "admin", "POST", "events", Some(&body)).json(202);
    over(&api, "cup");
    let url = api.root().to_owned();
    let args = ["tap", "--url", &url, "--event", "cup", "shot"];
    work.fails(1, args)
        .says("403 Forbidden: Missing Authentication Token")
        .says("help: set AWS_ACCESS_KEY_ID");
    work.set_env(
        "MATCHCUT_TOKEN",
        bearer("viewer").trim_start_matches("Bearer "),
    );
    let borne = work.ok(args).stdout;
    assert!(borne.lines().count() > 9, "{borne}");
    let top = work.ok(["top", "--once", "--url", &url]).stdout;
    assert!(top.contains("\ncup  "), "{top}");
    work.set_env("MATCHCUT_TOKEN", "");
    work.set_env("AWS_ACCESS_KEY_ID", super::service::KEY);
    work.fails(2, args)
        .says("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: set both");
    work.set_env("AWS_SECRET_ACCESS_KEY", super::service::SECRET);
    assert_eq!(work.ok(args).stdout, borne);
    work.set_env("AWS_SECRET_ACCESS_KEY", "another");
    work.fails(1, args).says("403 Forbidden");
    work.set_env("AWS_SECRET_ACCESS_KEY", super::service::SECRET);
    stops(running);
}

#[test]
fn a_tap_of_a_directory_follows_a_run() {
    let source = live(2);
    let work = Work::new();
    work.write("spec.toml", spec(&source.url("index.m3u8")));
    work.fails(1, ["tap", "--out", "out", "shot"])
        .says("out holds no results of an event");
    let mut run = work.matchcut(["run", "spec.toml", "--out", "out"]);
    run.until("out/changes.jsonl", |text| text.contains("\"start\":1.2"));
    let mut tap = work.matchcut([
        "tap",
        "--out",
        "out",
        "shot",
        "cuts",
        "later",
        "--from-start",
    ]);
    heard(&mut tap, 2);
    let now = work.ok(["tap", "--out", "out", "shot", "--no-follow"]);
    assert!(now.stdout.contains("\"start\":1.2"), "{}", now.stdout);
    source.serve("index.m3u8", DATED.text(6));
    run.wait().exits(0);
    let tap = tap.wait().exits(0);
    tap.says("no operator or replay \"later\" that has said anything yet");
    let is_wanted = |line: &Json| of(line, "segment", "shot") || of(line, "observation", "cuts");
    assert_eq!(
        sorted(&tap.stdout),
        sorted(&wanted(&work, "out", is_wanted))
    );
    work.fails(2, ["tap", "--out", "out", "later"])
        .says("the event has no operator or replay \"later\"");
    let done = work.ok(["tap", "--out", "out", "chunks"]);
    assert_eq!(done.stdout.lines().count(), 6);
    assert_eq!(
        done.stdout,
        wanted(&work, "out", |line| line["kind"] == "chunk")
    );
    assert!(lines(&work.path("out/log.jsonl")).len() > 12);
}

#[test]
fn top_prints_what_a_service_does() {
    let source = live(6);
    source.serve("index.m3u8", DATED.text(6));
    source.serve("live.m3u8", LIVE.text(3));
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    let url = api.root().to_owned();
    let once = |work: &Work| work.ok(["top", "--once", "--url", &url]).stdout;
    let text = once(&work);
    assert!(
        text.starts_with("matchcut 0.1.0: no events; memory "),
        "{text}"
    );
    api.run("done", &spec(&source.url("index.m3u8"))).json(202);
    api.until_it_is("done", "complete");
    api.run("bad", &SPEC.replace("index.m3u8", &source.url("none.m3u8")))
        .json(202);
    api.until_it_is("bad", "failed");
    api.run("cup", &spec(&source.url("live.m3u8"))).json(202);
    // What it counts stands a moment after what it writes.
    api.until("cup", |_| {
        api.metrics()
            .sum("matchcut_event_seconds", &[r#"event="cup""#])
            >= 6.0
    });
    let text = once(&work);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(
        text.starts_with("matchcut 0.1.0: 1 running, 1 failed, 1 complete; memory "),
        "{text}"
    );
    let titles = "EVENT STATE EPOCH TIME LAG CHUNKS MISSING SEGMENTS OBSERVED DECODE IN FLIGHT OUTBOX ERRORS";
    assert_eq!(rows[1].join(" "), titles);
    let names: Vec<&str> = rows[2..].iter().map(|row| row[0]).collect();
    assert_eq!(names, ["cup", "bad", "done"]);
    let told = api.get("events/done").json(200);
    let done = &rows[4];
    assert_eq!(
        done[1..4],
        ["complete", &told["epoch"].to_string(), "0:00:12.0"]
    );
    assert!(done[4].ends_with('s') && done[9].ends_with('s'), "{text}");
    assert_eq!(done[5..7], ["6", "0"]);
    assert_eq!(done[7], told["counts"]["segments"].to_string());
    assert_eq!(done[8], told["counts"]["observations"].to_string());
    assert_eq!(done[10..], ["0/0B", "-", "0"]);
    assert_eq!(rows[2][3], "0:00:06.0");
    assert_eq!(rows[2][5..7], ["3", "0"]);
    assert_eq!(rows[3][1..4], ["failed", "0", "0:00:00.0"]);
    let copied = copy(DATED);
    copied
        .fails(2, ["top", "--url", &url])
        .says("this is no terminal")
        .says("--once prints what there is");
    copied
        .fails(2, ["top", "--once", "--url", "localhost"])
        .says("localhost is no address of a service");
    stops(running);
    work.fails(1, ["top", "--once", "--url", &url])
        .says("cannot be asked");
}
