//! A live playlist on a web server that grows while the run goes on: segments and the selection
//! are there before the end, and at the end they are those of the recording.

use std::fs;

use serde_json::Value as Json;

use crate::support::server::{Answer, Server};
use crate::support::stream::{CHUNKS, DATED, Playlist, SPEC, chunks, copy};
use crate::support::{Work, lines};

const LIVE: Playlist = Playlist {
    dated: true,
    ended: false,
};

fn live_spec(url: &str) -> String {
    SPEC.replace("\"index.m3u8\"", &format!("\"{url}\"\nreload = \"100ms\""))
        .replace("duration = \"3s\"", "duration = \"3s\"\ncatchup = true")
}

#[test]
fn segments_appear_while_the_event_goes_on() {
    let server = Server::start();
    for chunk in CHUNKS {
        server.serve(chunk, fs::read(chunks().join(chunk)).unwrap());
    }
    server.set("live.m3u8", Answer::Redirect("/index.m3u8".to_owned()));
    server.serve("index.m3u8", LIVE.text(2));
    let work = Work::new();
    work.write("shots.toml", live_spec(&server.url("live.m3u8")));
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);

    // The first two shots end at 1.2 s and 2.4 s; four seconds are published.
    run.until("out/log.jsonl", |text| text.contains("c01.ts"));
    run.until("out/changes.jsonl", |text| text.contains("\"end\":2.4"));
    let early = lines(&work.path("out/changes.jsonl"));
    let complete = |line: &&Json| line["kind"] == "segment" && line["value"]["end"] == 2.4;
    assert!(early.iter().any(|line| complete(&line)), "{early:?}");
    assert!(
        early.iter().any(|line| line["kind"] == "replay"),
        "a catch-up replay: {early:?}"
    );

    for number in 3..=6 {
        server.serve("index.m3u8", LIVE.text(number));
        let chunk = CHUNKS[number - 1];
        run.until("out/log.jsonl", |text| text.contains(chunk));
    }
    server.serve("index.m3u8", DATED.text(6));
    let done = run.wait().exits(0);
    done.says_times(0, "warning");

    // One epoch for each chunk, and every shot is complete in the epoch of the chunk after which
    // it is known.
    let changes = lines(&work.path("out/changes.jsonl"));
    let log = lines(&work.path("out/log.jsonl"));
    let epochs: Vec<u64> = log
        .iter()
        .filter(|line| line["kind"] == "chunk")
        .map(|line| line["epoch"].as_u64().unwrap())
        .collect();
    let first = epochs[0];
    assert_eq!(epochs, (first..first + 6).collect::<Vec<_>>());
    let epoch_of = |end: f64| {
        let of = changes.iter().find(|line| {
            line["kind"] == "segment" && line["value"]["end"] == end && line["diff"] == 1
        });
        of.unwrap_or_else(|| panic!("no shot to {end}"))["epoch"]
            .as_u64()
            .unwrap()
    };
    for end in [1.2, 2.4, 3.6, 4.8, 6.0, 7.2, 8.4, 9.6, 10.8_f64] {
        let chunk = (end / 2.0 + 1e-6) as u64;
        assert_eq!(epoch_of(end), first + chunk, "shot to {end}");
    }
    for chunk in CHUNKS {
        assert_eq!(server.asked(chunk), 1, "{chunk} is fetched once");
    }

    // The end is the same as that of the recording.
    let recording = copy(DATED);
    recording.write("shots.toml", live_spec("index.m3u8"));
    recording.ok(["run", "shots.toml", "--out", "out"]);
    for name in [
        "observations.jsonl",
        "segments.jsonl",
        "replays/all/replay.json",
    ] {
        let read = |work: &Work| fs::read_to_string(work.path("out").join(name)).unwrap();
        assert_eq!(read(&work), read(&recording), "{name}");
    }
}

#[test]
fn a_chunk_that_the_server_refuses_is_a_gap() {
    let server = Server::start();
    for chunk in CHUNKS {
        server.serve(chunk, fs::read(chunks().join(chunk)).unwrap());
    }
    server.set(CHUNKS[3], Answer::Status(403));
    server.serve("index.m3u8", DATED.text(6));
    let work = Work::new();
    work.write("shots.toml", live_spec(&server.url("index.m3u8")));
    let done = work.ok(["run", "shots.toml", "--out", "out"]);
    done.says("warning: chunk 3 (")
        .says("the server answered 403");
    let found = lines(&work.path("out/observations.jsonl"));
    let cuts = found
        .iter()
        .filter(|line| line["attributes"]["hard_cut"] == true);
    let cuts: Vec<f64> = cuts.map(|line| line["start"].as_f64().unwrap()).collect();
    // From 6 to 8 s nothing is seen.
    assert_eq!(cuts, [1.2, 2.4, 3.6, 4.8, 8.4, 9.6, 10.8]);
}

#[test]
fn a_server_that_is_not_there() {
    let work = Work::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let spec = live_spec(&format!("http://{nobody}/index.m3u8"));
    work.write("shots.toml", spec.replace("reload", "retries = 1\nreload"));
    let done = work.fails(1, ["run", "shots.toml"]);
    done.says("error: source \"tv\": ")
        .says(&nobody.to_string());
}
