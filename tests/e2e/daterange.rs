//! What a live playlist marks: breaks (CUE-OUT, CUE-IN, SCTE-35) and ranges of dates, as observations
//! and segments at their own times, also when the chunk that they stand at does not come.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value as Json, json};

use crate::marks::insert;
use crate::support::server::{Answer, Server};
use crate::support::stream::{CHUNKS, chunks};
use crate::support::{Running, Work, lines, same_text};

const SPEC: &str = r#"[pipeline]
name = "marks"

[sources.tv]
type = "hls"
uri = "URI"
reload = "100ms"
retries = 0
missing_after = "100ms"

[operators.marks]
type = "stream_cues"
inputs = ["tv.cues"]

[operators.breaks]
type = "segment_passthrough"
inputs = ["out"]
from = "ranges"

[operators.out]
type = "stream_cues"
inputs = ["tv.cues"]
kinds = ["out"]

[operators.talks]
type = "segment_passthrough"
inputs = ["ranges"]
from = "ranges"

[operators.ranges]
type = "stream_cues"
inputs = ["tv.cues"]
kinds = ["date_range"]
"#;

const RUN: [&str; 6] = ["run", "marks.toml", "--out", "out", "--clips", "none"];

/// A server that has every chunk, and a directory to run in.
fn prepared() -> (Server, Work) {
    let server = Server::start();
    for chunk in CHUNKS {
        server.serve(chunk, fs::read(chunks().join(chunk)).unwrap());
    }
    let work = Work::new();
    work.write("marks.toml", SPEC.replace("URI", &server.url("live.m3u8")));
    (server, work)
}

/// The first `number` chunks, from 14:00 on; `tags` stand before the chunk of their number.
fn playlist(number: usize, tags: &[(usize, &str)], ended: bool) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n");
    for (index, chunk) in CHUNKS.iter().enumerate().take(number) {
        let second = index * 2;
        let _ = writeln!(
            text,
            "#EXT-X-PROGRAM-DATE-TIME:2026-06-06T14:00:{second:02}.000Z"
        );
        for (_, tag) in tags.iter().filter(|(at, _)| *at == index) {
            let _ = writeln!(text, "{tag}");
        }
        let _ = writeln!(text, "#EXTINF:2.000000,\n{chunk}");
    }
    if ended {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

fn until_seen(run: &mut Running, chunk: &str) {
    run.until("out/log.jsonl", |text| {
        text.lines()
            .any(|line| line.contains(chunk) && line.contains("\"chunk\",\"diff\":1"))
    });
}

fn observations(work: &Work) -> Vec<Json> {
    let mut all = lines(&work.path("out/observations.jsonl"));
    all.retain(|line| line["operator"] == "marks");
    all
}

/// What was observed: start, end, kind and what it is called.
fn marks(work: &Work) -> Vec<Json> {
    let short = |line: &Json| {
        let attributes = &line["attributes"];
        json!([
            line["start"],
            line["end"],
            attributes["kind"],
            attributes["id"]
        ])
    };
    observations(work).iter().map(short).collect()
}

fn segments(work: &Work) -> Vec<Json> {
    let all = lines(&work.path("out/segments.jsonl"));
    let short = |line: &Json| {
        json!([
            line["operator"],
            line["start"],
            line["end"],
            line["frame"],
            line["end_frame"]
        ])
    };
    all.iter().map(short).collect()
}

const BREAK: [(usize, &str); 3] = [
    (1, "#EXT-X-CUE-OUT:4"),
    (2, "#EXT-X-CUE-OUT-CONT:2/4"),
    (3, "#EXT-X-CUE-IN"),
];
const INTERVIEW: &str = "#EXT-X-DATERANGE:ID=\"interview\",CLASS=\"talk\",\
                         START-DATE=\"2026-06-06T14:00:01.520Z\",DURATION=0.4,X-GUEST=\"Ada\",X-TAKE=3";

#[test]
fn a_live_playlist_with_everything() {
    let (server, work) = prepared();
    let message: String = insert(0, 3 * 90_000)
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    // Announced four seconds before.
    let splice = format!(
        "#EXT-X-DATERANGE:ID=\"splice-7\",START-DATE=\"2026-06-06T14:00:07Z\",\
         PLANNED-DURATION=3,SCTE35-OUT=0x{message}"
    );
    let open = "#EXT-X-DATERANGE:ID=\"open\",START-DATE=\"2026-06-06T14:00:08.4Z\"";
    let closed = format!("{open},END-DATE=\"2026-06-06T14:00:10Z\"");
    let mut tags = BREAK.to_vec();
    tags.push((0, INTERVIEW));
    let mut run = {
        server.serve("live.m3u8", playlist(1, &tags, false));
        work.matchcut(RUN)
    };
    for (number, tag) in [(2, splice.as_str()), (3, ""), (4, ""), (5, open), (6, "")] {
        until_seen(&mut run, CHUNKS[number - 2]);
        tags.push((number - 1, tag));
        server.serve("live.m3u8", playlist(number, &tags, false));
    }
    // Each is told with the chunk in which it begins, while the event goes on.
    until_seen(&mut run, CHUNKS[5]);
    let told = |id: &str| -> Vec<Json> {
        let log = lines(&work.path("out/log.jsonl"));
        let of = log.iter().filter(|line| {
            let value = &line["value"];
            value["operator"] == "marks" && value["attributes"]["id"] == id
        });
        of.map(|line| line["epoch"].clone()).collect()
    };
    let epochs: Vec<u64> = lines(&work.path("out/log.jsonl"))
        .iter()
        .filter(|line| line["kind"] == "chunk")
        .map(|line| line["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(told("interview"), [json!(epochs[0])]);
    assert_eq!(told("splice-7"), [json!(epochs[3])]);
    assert_eq!(told("open"), [json!(epochs[4])]);

    // A range that ends at last says so with the next chunk; here none follows.
    tags.retain(|(_, tag)| *tag != open);
    tags.push((4, &closed));
    server.serve("live.m3u8", playlist(6, &tags, true));
    run.wait().exits(0).says_times(0, "warning: chunk");

    assert_eq!(
        marks(&work),
        [
            json!([1.52, 1.92, "date_range", "interview"]),
            json!([2.0, 6.0, "out", null]),
            json!([6.0, 6.0, "in", null]),
            json!([7.0, 10.0, "date_range", "splice-7"]),
            json!([8.4, 8.4, "date_range", "open"]),
        ]
    );
    let observations = observations(&work);
    let interview = &observations[0]["attributes"];
    assert_eq!(
        [
            &interview["class"],
            &interview["x_guest"],
            &interview["x_take"],
            &interview["duration"]
        ],
        [&json!("talk"), &json!("Ada"), &json!(3), &json!(0.4)]
    );
    let splice = &observations[3]["attributes"];
    assert_eq!(
        [&splice["command"], &splice["event_id"], &splice["duration"]],
        [&json!("splice_insert"), &json!(7), &json!(3)]
    );
    assert_eq!(
        segments(&work),
        [
            json!(["talks", 1.52, 1.92, 38, 48]),
            json!(["breaks", 2.0, 6.0, 50, 150]),
            json!(["talks", 7.0, 10.0, 175, 250]),
        ]
    );
}

#[test]
fn a_range_that_says_more_later() {
    let (server, work) = prepared();
    let open = "#EXT-X-DATERANGE:ID=\"open\",START-DATE=\"2026-06-06T14:00:01Z\"";
    let closed = format!("{open},END-DATE=\"2026-06-06T14:00:03.520Z\"");
    server.serve("live.m3u8", playlist(2, &[(0, open)], false));
    let mut run = work.matchcut(RUN);
    until_seen(&mut run, CHUNKS[1]);
    server.serve("live.m3u8", playlist(4, &[(0, &closed)], true));
    run.wait().exits(0);
    assert_eq!(
        marks(&work),
        [
            json!([1.0, 1.0, "date_range", "open"]),
            json!([1.0, 3.52, "date_range", "open"]),
        ]
    );
    assert_eq!(segments(&work), [json!(["talks", 1.0, 3.52, 25, 88])]);
}

/// The marks of a break and a range that begin in the second chunk, whatever becomes of it.
fn hold_without_the_second(work: &Work, missing: bool) {
    // Who looks for a frame in a hole gets the one behind it.
    let frame = |frame: u64| if missing { 100 } else { frame };
    assert_eq!(
        marks(work),
        [
            json!([1.52, 1.92, "date_range", "interview"]),
            json!([2.0, 6.0, "out", null]),
            json!([2.52, 5.0, "date_range", "second"]),
            json!([6.0, 6.0, "in", null]),
        ]
    );
    assert_eq!(
        segments(work),
        [
            json!(["talks", 1.52, 1.92, 38, 48]),
            json!(["breaks", 2.0, 6.0, frame(50), 150]),
            json!(["talks", 2.52, 5.0, frame(63), 125]),
        ]
    );
}

const SECOND: &str = "#EXT-X-DATERANGE:ID=\"second\",START-DATE=\"2026-06-06T14:00:02.520Z\",\
                      DURATION=2.48";

fn tags() -> Vec<(usize, &'static str)> {
    let mut tags = BREAK.to_vec();
    tags.extend([(0, INTERVIEW), (1, SECOND)]);
    tags
}

#[test]
fn marks_of_a_chunk_that_is_missing_are_kept() {
    for ended in [true, false] {
        let (server, work) = prepared();
        server.set(CHUNKS[1], Answer::Status(404));
        server.serve("live.m3u8", playlist(6, &tags(), ended));
        let mut run = work.matchcut(RUN);
        until_seen(&mut run, CHUNKS[5]);
        server.serve("live.m3u8", playlist(6, &tags(), true));
        run.wait().exits(0).says("warning: chunk 1 (");
        hold_without_the_second(&work, true);
    }
}

#[test]
fn marks_of_a_chunk_that_comes_later_are_told_once() {
    let (server, work) = prepared();
    server.set(CHUNKS[1], Answer::Status(503));
    server.serve("live.m3u8", playlist(6, &tags(), false));
    let mut run = work.matchcut(RUN);
    until_seen(&mut run, CHUNKS[5]);
    server.serve(CHUNKS[1], fs::read(chunks().join(CHUNKS[1])).unwrap());
    until_seen(&mut run, CHUNKS[1]);
    server.serve("live.m3u8", playlist(6, &tags(), true));
    run.wait().exits(0);
    hold_without_the_second(&work, false);

    let (server, whole) = prepared();
    server.serve("live.m3u8", playlist(6, &tags(), true));
    whole.ok(RUN).says_times(0, "warning: chunk");
    for name in ["observations.jsonl", "segments.jsonl"] {
        let read = |work: &Work| fs::read(work.path("out").join(name)).unwrap();
        same_text(name, &read(&work), &read(&whole));
    }
}

#[test]
fn marks_of_a_chunk_that_the_playlist_leaves_out() {
    let (server, work) = prepared();
    let mut tags = tags();
    tags.push((1, "#EXT-X-GAP"));
    server.serve("live.m3u8", playlist(6, &tags, true));
    work.ok(RUN).says("warning: chunk 1 (");
    hold_without_the_second(&work, true);
    assert_eq!(server.asked(CHUNKS[1]), 0);
}
