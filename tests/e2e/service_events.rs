//! Events that the service runs, asked for over HTTP: they come to what `matchcut run` comes to, whatever happens to
//! the service or to other events meanwhile.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::demo::demo;
use super::service::{server, stops};
use crate::support::http::Api;
use crate::support::server::Server;
use crate::support::stream::{CHUNKS, DATED, Playlist, SPEC, chunks};
use crate::support::{Running, Work, document, files, lines, repository, same_text};

/// A service that asks for no credentials.
pub fn service(work: &mut Work, more: &[&str]) -> (Running, Api) {
    let mut args = vec!["--insecure-loopback"];
    args.extend(more);
    let (running, url) = server(work, &args);
    (running, Api::new(&url))
}

/// The spec of the small stream, read at an address.
pub fn spec(uri: &str) -> String {
    let source = format!("\"{uri}\"\nreload = \"50ms\"");
    SPEC.replace("\"index.m3u8\"", &source)
        .replace("duration = \"3s\"", "duration = \"3s\"\ncatchup = true")
}

pub const LIVE: Playlist = Playlist {
    dated: true,
    ended: false,
};

/// The small stream as it is while it is live, with its first chunks.
pub fn live(number: usize) -> Server {
    let server = Server::start();
    server.serve_all(chunks());
    server.serve("index.m3u8", LIVE.text(number));
    server
}

/// What `matchcut run` makes of a spec.
pub fn run(spec: &str) -> Work {
    let work = Work::new();
    work.write("spec.toml", spec);
    work.ok(["run", "spec.toml", "--out", "out"]);
    work
}

pub fn same_results(what: &str, one: &Path, other: &Path) {
    same_but_for(what, one, other, &[]);
}

/// The same, but for what is in files whose names end so.
pub fn same_but_for(what: &str, one: &Path, other: &Path, ends: &[&str]) {
    assert_eq!(files(one), files(other), "{what}");
    let compared = |name: &String| !ends.iter().any(|end| name.ends_with(end));
    for name in files(one).into_iter().filter(compared) {
        let read = |dir: &Path| fs::read(dir.join(&name)).unwrap();
        let what = format!("{what}: {name}");
        match name.ends_with(".mp4") || name.ends_with(".jpg") {
            true => assert!(read(one) == read(other), "{what}"),
            false => same_text(&what, &read(one), &read(other)),
        }
    }
}

/// How many chunks an event has read.
pub fn has_read(work: &Work, id: &str, number: usize) -> bool {
    let log = fs::read_to_string(work.path(&format!("data/events/{id}/log.jsonl")));
    let log = log.unwrap_or_default();
    log.matches("\"kind\":\"chunk\"").count() >= number
}

#[test]
fn the_demo_comes_to_the_same_as_a_run() {
    let dir = &demo().dir;
    let spec = fs::read_to_string(repository().join("demo/demo.toml")).unwrap();
    let programme = repository().join("demo/programme/index.m3u8");
    let spec = spec.replace("programme/index.m3u8", &programme.display().to_string());
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    let made = api.run("magazine", &spec);
    let told = made.json(202);
    assert_eq!(made.header("location"), "/api/v1/events/magazine");
    assert_eq!(told["name"], "magazine");
    let told = api.until_it_is("magazine", "complete");
    let counts = &told["counts"];
    let number = |file: &str| lines(&dir.join(file)).len();
    assert_eq!(counts["segments"], number("segments.jsonl"));
    assert_eq!(counts["observations"], number("observations.jsonl"));
    assert_eq!(
        (&counts["replays"], &counts["failures"]),
        (&2.into(), &0.into())
    );
    // Those say where the source lies, as each of the two names it.
    let sources = [".m3u8", ".otio", ".fcpxml", ".html"];
    same_but_for("demo", dir, &work.path("data/events/magazine"), &sources);

    let items = |what: &str| -> Vec<Json> {
        let told = api.get(&format!("events/magazine/{what}")).json(200);
        told["items"].as_array().unwrap().clone()
    };
    assert_eq!(items("segments"), lines(&dir.join("segments.jsonl")));
    assert_eq!(items("clips").len(), number("segments.jsonl"));
    let best = document(&dir.join("replays/best/replay.json"));
    let mut told = api.get("events/magazine/replays/best").json(200);
    assert_eq!(
        items("replays"),
        [
            told.clone(),
            api.get("events/magazine/replays/spread").json(200)
        ]
    );
    let mut shift = |key: &str| told.as_object_mut().unwrap().shift_remove(key).unwrap();
    assert_eq!(shift("name"), "best");
    assert_eq!(shift("asked")["duration"], "60s");
    assert_eq!(told, best);
    assert_eq!(api.get("events/magazine/replays/worst").status, 404);

    let all: String = api
        .changes("magazine", None)
        .take_while(|message| message.event == "changes")
        .map(|message| message.data)
        .collect();
    same_text(
        "changes",
        all.as_bytes(),
        &fs::read(dir.join("changes.jsonl")).unwrap(),
    );

    let path = "events/magazine/files/replays/best/best.mp4";
    let whole = fs::read(dir.join("replays/best/best.mp4")).unwrap();
    let got = api.get(path);
    assert_eq!((got.status, got.header("content-type")), (200, "video/mp4"));
    assert!(got.body == whole);
    let part = api.ask("GET", path, &[("range", "bytes=100-199")], None);
    let range = format!("bytes 100-199/{}", whole.len());
    assert_eq!((part.status, part.header("content-range")), (206, &*range));
    assert!(part.body == whole[100..200]);
    for path in [
        ".matchcut/event.sqlite",
        "%2e%2e/%2e%2e/service.sqlite",
        "clips/..%2f.matchcut/lock",
        "clips",
        "none",
    ] {
        let got = api.get(&format!("events/magazine/files/{path}"));
        assert_eq!(
            (got.status, got.header("content-type")),
            (404, "application/problem+json"),
            "{path}"
        );
    }
    stops(running);
}

#[test]
fn changes_are_told_as_they_come_and_from_where_a_client_was() {
    let source = live(2);
    let mut work = Work::new();
    let (running, api) = service(&mut work, &[]);
    api.run("live", &spec(&source.url("index.m3u8"))).json(202);
    let mut told = Vec::new();
    // While it runs: a shot of the second chunk is there before the third chunk is.
    for message in api.changes("live", None) {
        assert_eq!(message.event, "changes");
        let seen = message.data.contains("\"start\":1.2");
        told.push(message);
        if seen {
            break;
        }
    }
    let standing = api.get("events/live/segments").json(200);
    assert_eq!(standing["items"][0]["end"], 1.2);
    assert_eq!(api.get("events/live").json(200)["state"], "running");
    source.serve("index.m3u8", DATED.text(6));
    let after = told.last().and_then(|message| message.id);
    let mut ended = None;
    for message in api.changes("live", after) {
        match message.event.as_str() {
            "changes" => told.push(message),
            _ => ended = Some(message),
        }
    }
    let ended = ended.unwrap();
    let end: Json = serde_json::from_str(&ended.data).unwrap();
    assert_eq!(end["state"], "complete");
    let ids: Vec<u64> = told.iter().filter_map(|message| message.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    let all: String = told.into_iter().map(|message| message.data).collect();
    let file = fs::read(work.path("data/events/live/changes.jsonl")).unwrap();
    same_text("changes", all.as_bytes(), &file);
    // Who has heard everything is told not to ask again.
    let last = ended.id.unwrap().to_string();
    let again = api.ask(
        "GET",
        "events/live/changes",
        &[("last-event-id", &last)],
        None,
    );
    assert_eq!(again.status, 204);
    let wrong = api.ask(
        "GET",
        "events/live/changes",
        &[("last-event-id", "x")],
        None,
    );
    assert_eq!(
        wrong.json(400)["detail"],
        "Last-Event-ID is the number of an epoch"
    );
    stops(running);
}

#[test]
fn a_service_that_is_killed_or_stopped_goes_on_at_its_next_start() {
    let source = live(2);
    let spec = spec(&source.url("index.m3u8"));
    let mut work = Work::new();
    let (mut running, api) = service(&mut work, &[]);
    api.run("one", &spec).json(202);
    running.until("data/events/one/log.jsonl", |text| text.contains("c01.ts"));
    running.kill();

    source.serve("index.m3u8", LIVE.text(4));
    let (mut running, api) = service(&mut work, &[]);
    running.until("data/events/one/log.jsonl", |text| text.contains("c03.ts"));
    let other = ["serve", "--listen", "127.0.0.1:0", "--data", "data"];
    work.fails(1, other)
        .says("data is in use by another matchcut serve; give this one another --data");
    assert_eq!(api.get("events/one").json(200)["state"], "running");
    stops(running);

    // It was interrupted, and not ended: what an end closes is open again.
    let (running, api) = service(&mut work, &[]);
    let told = api.until("one", |told| told["state"] == "running");
    assert_eq!(told["ended"], Json::Null);
    source.serve("index.m3u8", DATED.text(6));
    api.until_it_is("one", "complete");
    let whole = run(&spec);
    same_results("killed", &whole.path("out"), &work.path("data/events/one"));
    stops(running);
}

#[test]
fn a_copy_that_was_taken_while_an_event_ran_goes_on_where_it_was_taken() {
    let source = live(3);
    let spec = spec(&source.url("index.m3u8"));
    let mut work = Work::new();
    let (mut running, api) = service(&mut work, &[]);
    api.run("cup", &spec).json(202);
    running.until("data/events/cup/log.jsonl", |text| text.contains("c02.ts"));
    let copy = ["backup", "--data", "data", "--to", "copy"];
    work.ok(copy).says("copied to copy: 2 stores, ");
    work.fails(1, copy).says("copy is not empty");
    // It counts meanwhile, under the id of the event.
    let page = api.metrics();
    assert!(page.sum("matchcut_chunks_total", &[r#"event="cup""#]) >= 3.0);
    source.serve("index.m3u8", LIVE.text(5));
    running.until("data/events/cup/log.jsonl", |text| text.contains("c04.ts"));

    // The disk is lost.
    running.kill();
    fs::remove_dir_all(work.path("data")).unwrap();
    let back = ["restore", "--from", "copy", "--data", "data"];
    work.ok(back).says("restored to data: 2 stores, ");
    assert!(!has_read(&work, "cup", 5));
    source.serve("index.m3u8", DATED.text(6));
    let (running, api) = service(&mut work, &[]);
    api.until_it_is("cup", "complete");
    let whole = run(&spec);
    same_results(
        "restored",
        &whole.path("out"),
        &work.path("data/events/cup"),
    );
    stops(running);
}

#[test]
fn an_event_whose_disk_is_full_fails_and_goes_on_when_there_is_room() {
    let source = live(3);
    let spec = spec(&source.url("index.m3u8"));
    let mut work = Work::new();
    if !work.on_a_small_disk("data", "20m") {
        return;
    }
    let (mut running, api) = service(&mut work, &[]);
    api.run("cup", &spec).json(202);
    api.until("cup", |told| told["epoch"].as_u64() >= Some(3));
    running.inside("! dd if=/dev/zero of=data/fill bs=1k 2>/dev/null");
    let refused = api.run("other", &spec).json(507);
    assert_eq!(
        refused["detail"],
        "The disk of the service is full. Free space and ask again."
    );
    source.serve("index.m3u8", DATED.text(6));
    // Not even that it failed can be kept; the service answers all the same.
    running.until_it_complains(|text| text.contains("the state of an event cannot be kept yet"));
    api.get("events/cup").json(200);

    running.inside("rm data/fill");
    let told = api.until_it_is("cup", "failed");
    let reason = told["reason"].as_str().unwrap();
    assert!(
        reason.contains("full") || reason.contains("No space"),
        "{reason}"
    );
    api.post("events/cup/resume").json(202);
    api.until_it_is("cup", "complete");
    // What stood before it was gone on with is not counted twice.
    let told = api.get("events/cup").json(200);
    let standing = api.metrics().sum("matchcut_segments", &[r#"event="cup""#]);
    assert_eq!(told["counts"]["segments"].as_f64(), Some(standing));
    running.inside("cp -r data/events/cup cup");
    let whole = run(&spec);
    same_results("full", &whole.path("out"), &work.path("cup"));
    stops(running);
}

#[test]
fn what_becomes_of_one_event_touches_no_other() {
    let source = live(6);
    source.serve("index.m3u8", DATED.text(6));
    let good = spec(&source.url("index.m3u8"));
    let bad = spec(&source.url("none.m3u8"));
    let mut work = Work::new();
    let (running, api) = service(&mut work, &["--max-events", "2"]);
    for (id, spec) in [("bad", &bad), ("good", &good), ("next", &good)] {
        api.run(id, spec).json(202);
    }
    api.until_it_is("good", "complete");
    api.until_it_is("next", "complete");
    let told = api.until_it_is("bad", "failed");
    let reason = told["reason"].as_str().unwrap();
    assert!(reason.contains("404") && reason.contains("tv"), "{reason}");
    let whole = run(&good);
    for id in ["good", "next"] {
        let dir = work.path(&format!("data/events/{id}"));
        same_results(id, &whole.path("out"), &dir);
    }
    // What was wrong is mended, and the event goes on.
    source.serve("none.m3u8", DATED.text(6));
    assert_eq!(
        api.post("events/bad/resume").json(202)["reason"],
        Json::Null
    );
    api.until_it_is("bad", "complete");
    same_text(
        "segments",
        &fs::read(whole.path("out/segments.jsonl")).unwrap(),
        &api.get("events/bad/files/segments.jsonl").body,
    );
    stops(running);
}

#[test]
fn events_wait_are_stopped_gone_on_with_and_removed() {
    let source = live(3);
    let spec = spec(&source.url("index.m3u8"));
    let mut work = Work::new();
    let (running, api) = service(&mut work, &["--max-events", "1"]);
    api.run("first", &spec).json(202);
    assert_eq!(api.run("second", &spec).json(202)["state"], "queued");
    api.run("third", &spec).json(202);
    api.until("first", |_| has_read(&work, "first", 3));
    assert_eq!(api.get("events/second").json(200)["state"], "queued");
    assert_eq!(api.ask("DELETE", "events/third", &[], None).status, 202);
    assert_eq!(api.get("events/third").status, 404);

    let stopping = api.post("events/first/stop").json(202)["state"].clone();
    assert!(
        ["draining", "stopped"]
            .iter()
            .any(|state| stopping == *state)
    );
    let told = api.until_it_is("first", "stopped");
    assert!(told["ended"].is_string() && told["reason"].is_null());
    // As an interrupt leaves it: whole up to where reading ended.
    let segments = api.get("events/first/segments").json(200);
    let mut shots = segments["items"].as_array().unwrap().iter();
    let last = shots.rfind(|line| line["operator"] == "shot");
    assert_eq!(last.unwrap()["end"], 6.0);
    api.post("events/first/stop").json(202);

    // Its place is free.
    api.until("second", |_| has_read(&work, "second", 1));
    api.post("events/first/resume").json(202);
    assert_eq!(api.get("events/first").json(200)["state"], "queued");
    source.serve("index.m3u8", DATED.text(6));
    api.until_it_is("second", "complete");
    api.until_it_is("first", "complete");
    let whole = run(&spec);
    for id in ["first", "second"] {
        same_results(
            id,
            &whole.path("out"),
            &work.path(&format!("data/events/{id}")),
        );
    }
    let refused = api.post("events/first/resume").json(409);
    assert_eq!(
        refused["detail"],
        "event \"first\" is complete: only what was stopped or failed can be resumed"
    );
    api.post("events/first/stop").json(409);

    // Also one that runs can be removed, and leaves nothing.
    source.serve("index.m3u8", LIVE.text(3));
    api.run("fourth", &spec).json(202);
    api.until("fourth", |_| has_read(&work, "fourth", 1));
    assert_eq!(api.ask("DELETE", "events/fourth", &[], None).status, 202);
    assert_eq!(api.get("events/fourth").status, 404);
    while work.path("data/events/fourth").exists() {
        thread::sleep(Duration::from_millis(20));
    }
    let listed = api.get("events?limit=1").json(200);
    assert_eq!(listed["items"][0]["id"], "second");
    let next = listed["next"].as_str().unwrap();
    let listed = api.get(&format!("events?limit=1&cursor={next}")).json(200);
    assert_eq!(
        (&listed["items"][0]["id"], &listed["next"]),
        (&"first".into(), &Json::Null)
    );
    assert!(CHUNKS.iter().all(|chunk| source.asked(chunk) > 0));
    stops(running);
}

#[test]
fn ten_events_go_on_after_a_kill() {
    let source = live(2);
    let spec = spec(&source.url("index.m3u8"));
    let ids: Vec<String> = (0..10).map(|number| format!("event{number}")).collect();
    let mut work = Work::new();
    let (mut running, api) = service(&mut work, &["--max-events", "10"]);
    for id in &ids {
        api.run(id, &spec).json(202);
    }
    // Some have read all that there is, and others are in the midst of it.
    api.until("event4", |_| has_read(&work, "event4", 2));
    running.kill();

    source.serve("index.m3u8", LIVE.text(4));
    let begun = Instant::now();
    let (running, api) = service(&mut work, &["--max-events", "10"]);
    for id in &ids {
        api.until(id, |told| told["state"] == "running");
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "resumed after {took:?}");
    for id in &ids {
        api.until(id, |_| has_read(&work, id, 4));
    }
    source.serve("index.m3u8", DATED.text(6));
    let whole = run(&spec);
    for id in &ids {
        api.until_it_is(id, "complete");
        let dir = work.path(&format!("data/events/{id}"));
        same_results(id, &whole.path("out"), &dir);
    }
    stops(running);
}

#[test]
fn what_is_said_of_an_event_counts_at_once() {
    let source = live(3);
    let spec = spec(&source.url("index.m3u8"));
    let mut work = Work::new();
    let (mut running, api) = service(&mut work, &[]);
    api.run("said", &spec).json(202);
    api.until("said", |_| has_read(&work, "said", 3));
    let say = |api: &Api, text: &str| {
        let jsonl = [("content-type", "application/jsonl")];
        api.ask("POST", "events/said/feedback", &jsonl, Some(text))
    };
    let label = r#"{"class":"segmenter","operator":"shot","start":1.2,"label":"Match point"}"#;
    let like = r#"{"start":2.4,"feedback":"like"}"#;
    assert_eq!(say(&api, &format!("{label}\n{like}")).json(202)["lines"], 2);
    // No chunk comes, and yet it is heard.
    api.until("said", |_| {
        let told = api.get("events/said/files/changes.jsonl").body;
        String::from_utf8(told).unwrap().contains("Match point")
    });
    let wrong = say(&api, &format!("{like}\n{{\"start\":1}}\nx")).json(422);
    let places: Vec<_> = wrong["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["line"])
        .collect();
    assert_eq!(places, [2, 3]);

    // What is said to a service that dies is heard by the next, and nothing is heard twice.
    running.kill();
    let (running, api) = service(&mut work, &[]);
    source.serve("index.m3u8", DATED.text(6));
    api.until_it_is("said", "complete");
    let segments = api.get("events/said/segments").json(200);
    let labels: Vec<&str> = segments["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|line| line["label"].as_str())
        .collect();
    assert_eq!(
        labels
            .iter()
            .filter(|label| **label == "Match point")
            .count(),
        1
    );
    let other = Work::new();
    other.write("spec.toml", &spec);
    other.write("said.jsonl", format!("{label}\n{like}\n"));
    other.ok([
        "run",
        "spec.toml",
        "--out",
        "out",
        "--feedback",
        "said.jsonl",
    ]);
    for file in [
        "segments.jsonl",
        "observations.jsonl",
        "replays/all/replay.json",
    ] {
        let one = fs::read(other.path("out").join(file)).unwrap();
        same_text(
            file,
            &one,
            &fs::read(work.path("data/events/said").join(file)).unwrap(),
        );
    }
    // Also when it is over: here it is what was said before, and changes nothing.
    say(&api, like).json(202);
    api.until_it_is("said", "complete");
    for file in ["segments.jsonl", "replays/all/replay.json"] {
        let one = fs::read(other.path("out").join(file)).unwrap();
        let dir = work.path("data/events/said");
        same_text(file, &one, &fs::read(dir.join(file)).unwrap());
    }
    stops(running);
}

#[test]
fn a_service_may_be_killed_at_any_moment() {
    let source = live(6);
    source.serve("index.m3u8", DATED.text(6));
    let spec = spec(&source.url("index.m3u8"));
    let whole = run(&spec);
    let mut work = Work::new();
    let (mut running, api) = service(&mut work, &["--max-events", "2"]);
    let ids = ["a", "b", "c"];
    for id in ids {
        api.run(id, &spec).json(202);
    }
    for wait in [90, 350, 20, 600, 5, 1100, 200] {
        thread::sleep(Duration::from_millis(wait));
        running.kill();
        (running, _) = service(&mut work, &["--max-events", "2"]);
    }
    running.kill();
    let (running, api) = service(&mut work, &["--max-events", "2"]);
    for id in ids {
        api.until_it_is(id, "complete");
        let dir = work.path(&format!("data/events/{id}"));
        same_results(id, &whole.path("out"), &dir);
        let told: String = api
            .changes(id, None)
            .take_while(|message| message.event == "changes")
            .map(|message| message.data)
            .collect();
        let file = fs::read(dir.join("changes.jsonl")).unwrap();
        same_text(id, told.as_bytes(), &file);
    }
    stops(running);
}

#[test]
fn an_event_that_is_ended_is_what_it_would_be_if_its_source_had_ended() {
    let source = live(3);
    let live_spec = spec(&source.url("index.m3u8"));
    source.serve("ended.m3u8", DATED.text(3));
    let whole = run(&spec(&source.url("ended.m3u8")));
    let mut work = Work::new();
    let (mut running, api) = service(&mut work, &["--max-events", "3"]);
    for id in ["now", "both", "later"] {
        api.run(id, &live_spec).json(202);
        api.until(id, |_| has_read(&work, id, 3));
    }
    let ended = api.post("events/now/end").json(202)["state"].clone();
    assert!(["draining", "complete"].iter().any(|state| ended == *state));
    // Stopped, and told to end before it was.
    api.post("events/both/stop").json(202);
    api.post("events/both/end").json(202);
    // Also one that was only stopped, and though the service dies before it is over.
    api.post("events/later/stop").json(202);
    api.until_it_is("later", "stopped");
    api.until_it_is("both", "complete");
    api.post("events/later/end").json(202);
    running.kill();
    let (running, api) = service(&mut work, &["--max-events", "3"]);
    // These name the source.
    let sources = [
        ".m3u8",
        ".otio",
        ".fcpxml",
        ".html",
        "event.json",
        "replay_all.json",
    ];
    for id in ["now", "both", "later"] {
        api.until_it_is(id, "complete");
        let dir = work.path(&format!("data/events/{id}"));
        same_but_for(id, &whole.path("out"), &dir, &sources);
        let changes: Vec<_> = api.changes(id, None).collect();
        assert_eq!(changes.last().unwrap().event, "end");
        let told = changes.iter().filter(|one| one.event == "changes");
        let all: String = told.map(|one| one.data.as_str()).collect();
        let file = fs::read(dir.join("changes.jsonl")).unwrap();
        same_text(id, all.as_bytes(), &file);
        api.post(&format!("events/{id}/end")).json(202);
        api.post(&format!("events/{id}/resume")).json(409);
    }
    stops(running);
}
