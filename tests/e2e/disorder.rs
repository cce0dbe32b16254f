//! Chunks that come out of order, late, twice, corrected or not at all: the results are those of a
//! stream that nothing happened to, and the logs tell the story.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use crate::support::server::{Answer, Server};
use crate::support::stream::{CHUNKS, DATED, SPEC, chunks, copy};
use crate::support::{Running, Work, lines, same_text};

/// A growing directory that is looked at often.
const DIRECTORY: &str = "type = \"directory\"\nuri = \"in\"\nfollow = true\npoll = \"20ms\"\n\
                         stable_for = \"0s\"\nmissing_after = \"300ms\"\nfinished_after = \"3s\"";

fn spec() -> String {
    SPEC.replace("type = \"hls\"\nuri = \"index.m3u8\"", DIRECTORY)
        .replace("duration = \"3s\"", "duration = \"3s\"\ncatchup = true")
}

fn work() -> Work {
    let work = Work::new();
    work.write("shots.toml", spec());
    fs::create_dir(work.path("in")).unwrap();
    work
}

/// Puts a chunk into the directory, whole at once.
fn arrive(work: &Work, chunk: &str) {
    fs::copy(chunks().join(chunk), work.path("part")).unwrap();
    fs::rename(work.path("part"), work.path("in").join(chunk)).unwrap();
}

fn until_seen(run: &mut Running, chunk: &str) {
    run.until("out/log.jsonl", |text| {
        text.lines()
            .any(|line| line.contains(chunk) && line.contains("\"chunk\",\"diff\":1"))
    });
}

/// What is not told in the order of arrival.
const DOCUMENTS: [&str; 4] = [
    "observations.jsonl",
    "segments.jsonl",
    "replays/all/replay.json",
    "exports/event_1.edl",
];

fn same_documents(one: &Work, other: &Work) {
    for name in DOCUMENTS {
        let read = |work: &Work| fs::read(work.path("out").join(name)).unwrap();
        same_text(name, &read(one), &read(other));
    }
    for line in lines(&one.path("out/segments.jsonl")) {
        for clip in line["clips"].as_array().unwrap() {
            let path = Path::new("out").join(clip["path"].as_str().unwrap());
            let (left, right) = (one.path("").join(&path), other.path("").join(&path));
            assert!(
                fs::read(left).unwrap() == fs::read(right).unwrap(),
                "{clip}"
            );
        }
    }
}

/// The same chunks, all there from the start.
fn undisturbed() -> Work {
    let work = work();
    CHUNKS.iter().for_each(|chunk| arrive(&work, chunk));
    work.ok(["run", "shots.toml", "--out", "out"]);
    work
}

#[test]
fn out_of_order_within_the_wait() {
    let work = work();
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    for chunk in ["c00.ts", "c02.ts", "c01.ts", "c04.ts", "c03.ts"] {
        arrive(&work, chunk);
    }
    until_seen(&mut run, "c04.ts");
    arrive(&work, "c05.ts");
    run.wait().exits(0).says_times(0, "warning");
    let gaps = lines(&work.path("out/log.jsonl"));
    assert!(
        gaps.iter().all(|line| line["kind"] != "gap"),
        "none is missing"
    );
    same_documents(&work, &undisturbed());
}

#[test]
fn a_gap_that_is_filled_after_all() {
    for workers in ["1", "2"] {
        let work = work();
        let mut run = work.matchcut(["run", "shots.toml", "--out", "out", "-w", workers]);
        for chunk in ["c00.ts", "c01.ts", "c03.ts", "c04.ts"] {
            arrive(&work, chunk);
        }
        until_seen(&mut run, "c04.ts");
        // The hole is shown, and its frames are no part of what is found.
        let log = lines(&work.path("out/log.jsonl"));
        let gap = log.iter().find(|line| line["kind"] == "gap").unwrap();
        assert_eq!(
            (&gap["value"]["start"], &gap["value"]["end"]),
            (&json!(4.0), &json!(6.0))
        );
        arrive(&work, "c02.ts");
        until_seen(&mut run, "c02.ts");
        arrive(&work, "c05.ts");
        run.wait().exits(0);

        let log = lines(&work.path("out/log.jsonl"));
        let of = |kind: &str| {
            log.iter()
                .filter(|line| line["kind"] == kind)
                .collect::<Vec<_>>()
        };
        let gaps: Vec<&Json> = of("gap").iter().map(|line| &line["diff"]).collect();
        assert_eq!(gaps, [&json!(1), &json!(-1)], "declared, then taken back");
        assert_eq!(of("error").len(), 2, "and so is the reason");
        let changes = lines(&work.path("out/changes.jsonl"));
        let retracted = changes.iter().any(|line| {
            line["kind"] == "segment"
                && line["diff"] == -1
                && line["value"]["start"] == json!(3.6)
                && line["value"]["end"].as_f64() > Some(4.9)
        });
        assert!(retracted, "the shot over the hole goes");
        same_documents(&work, &undisturbed());
    }
}

#[test]
fn a_chunk_that_comes_again() {
    let work = work();
    // A third of it is missing at first, as if its upload had been cut off.
    let whole = fs::read(chunks().join("c02.ts")).unwrap();
    let torn = &whole[..whole.len() / 3 / 188 * 188];
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    arrive(&work, "c00.ts");
    arrive(&work, "c01.ts");
    fs::write(work.path("in/c02.ts"), torn).unwrap();
    arrive(&work, "c03.ts");
    until_seen(&mut run, "c03.ts");
    // Unchanged bytes are no news.
    arrive(&work, "c01.ts");
    arrive(&work, "c02.ts");
    run.until("out/log.jsonl", |text| {
        text.matches("\"input\":\"c02.ts\",\"frames\":").count() >= 3
    });
    arrive(&work, "c04.ts");
    arrive(&work, "c05.ts");
    run.wait().exits(0);

    let log = lines(&work.path("out/log.jsonl"));
    let frames = |chunk: &str| -> Vec<(Json, Json)> {
        let of = |line: &&Json| line["kind"] == "chunk" && line["value"]["input"] == chunk;
        let found = log.iter().filter(of);
        found
            .map(|line| (line["diff"].clone(), line["value"]["frames"].clone()))
            .collect()
    };
    let told = frames("c02.ts");
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(
        told[0].1.as_u64().unwrap() < 50,
        "degraded at first: {told:?}"
    );
    assert_eq!(told[2], (json!(1), json!(50)));
    assert_eq!(frames("c01.ts").len(), 1, "a duplicate is dropped");
    same_documents(&work, &undisturbed());
}

#[test]
fn a_first_chunk_that_is_missing() {
    let work = copy(DATED);
    fs::remove_file(work.path("c00.ts")).unwrap();
    work.ok(["run", "shots.toml", "--out", "out"]);
    let found = lines(&work.path("out/observations.jsonl"));
    let cuts = found
        .iter()
        .filter(|line| line["attributes"]["hard_cut"] == true);
    let cuts: Vec<(f64, u64)> = cuts
        .map(|line| {
            (
                line["start"].as_f64().unwrap(),
                line["frame"].as_u64().unwrap(),
            )
        })
        .collect();
    // Times and frame numbers are those of the whole event.
    assert_eq!(cuts[0], (2.4, 60));
    assert_eq!(cuts[7], (10.8, 270));
}

#[test]
fn a_server_that_has_a_chunk_later() {
    let server = Server::start();
    for chunk in CHUNKS {
        server.serve(chunk, fs::read(chunks().join(chunk)).unwrap());
    }
    server.set(CHUNKS[1], Answer::Status(503));
    let mut playlist = DATED;
    playlist.ended = false;
    server.serve("index.m3u8", playlist.text(4));
    let work = Work::new();
    let url = server.url("index.m3u8");
    let source = format!("\"{url}\"\nreload = \"100ms\"\nretries = 0");
    work.write("shots.toml", SPEC.replace("\"index.m3u8\"", &source));
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    until_seen(&mut run, "c03.ts");
    server.serve(CHUNKS[1], fs::read(chunks().join(CHUNKS[1])).unwrap());
    until_seen(&mut run, "c01.ts");
    server.serve("index.m3u8", DATED.text(6));
    run.wait().exits(0);

    let whole = copy(DATED);
    whole.ok(["run", "shots.toml", "--out", "out"]);
    same_documents(&work, &whole);
}

#[test]
fn what_comes_too_late_is_refused_and_said_so() {
    let work = Work::new();
    let small = spec()
        .replace(
            "name = \"shots\"",
            "name = \"shots\"\ncorrection_window = 2",
        )
        .replace("uri = \"in\"", "uri = \"in\"\nlate_window = 100");
    work.write("shots.toml", small);
    fs::create_dir(work.path("in")).unwrap();
    let mut run = work.matchcut(["run", "shots.toml", "--out", "out"]);
    for chunk in ["c00.ts", "c02.ts", "c03.ts", "c04.ts", "c05.ts"] {
        arrive(&work, chunk);
    }
    until_seen(&mut run, "c05.ts");
    arrive(&work, "c01.ts");
    let done = run.wait().exits(0);
    done.says("it came after the correction window had passed and was left out");
    let log = lines(&work.path("out/log.jsonl"));
    let of = |chunk: &str| {
        log.iter()
            .any(|line| line["value"]["input"] == chunk && line["kind"] == "chunk")
    };
    assert!(of("c05.ts") && !of("c01.ts"));
}

#[test]
fn feedback_that_comes_while_the_event_runs() {
    let work = work();
    let mut run = work.matchcut([
        "run",
        "shots.toml",
        "--out",
        "out",
        "--feedback",
        "said.jsonl",
    ]);
    arrive(&work, "c00.ts");
    arrive(&work, "c01.ts");
    until_seen(&mut run, "c01.ts");
    run.until("out/changes.jsonl", |text| {
        text.contains("\"start\":1.2,\"end\":2.4")
    });
    let said = concat!(
        r#"{"class":"segmenter","operator":"shot","start":1.2,"opto":{"1":[1.4,2.0]},"label":"Ace"}"#,
        "\n",
        r#"{"class":"segmenter","operator":"shot","start":5.0,"end":5.5,"label":"By hand"}"#,
        "\n",
        r#"{"start":1.2,"feedback":"nice"}"#,
        "\n"
    );
    work.write("said.jsonl", said);
    run.until("out/changes.jsonl", |text| {
        text.contains("\"label\":\"Ace\"")
    });
    for chunk in &CHUNKS[2..] {
        arrive(&work, chunk);
    }
    run.until("out/changes.jsonl", |text| {
        text.contains("By hand") && text.contains("t1.mp4")
    });
    // It is trimmed again, and the thing by hand is taken back.
    let more = concat!(
        r#"{"class":"segmenter","operator":"shot","start":1.2,"opto":{"1":[1.6,2.0]}}"#,
        "\n",
        r#"{"class":"segmenter","operator":"shot","start":5.0,"retract":true}"#,
        "\n"
    );
    work.write("said.jsonl", format!("{said}{more}"));
    let done = run.wait().exits(0);
    done.says("said.jsonl:3: the line is left out: feedback: \"nice\" is not known");

    let segments = lines(&work.path("out/segments.jsonl"));
    let shot = segments
        .iter()
        .find(|line| line["start"] == json!(1.2))
        .unwrap();
    assert_eq!(shot["label"], "Ace");
    assert_eq!(shot["opto"], json!({"1": [1.6, 2.0]}));
    let clip = &shot["clips"][0];
    assert_eq!(
        (&clip["first_frame"], &clip["end_frame"]),
        (&json!(40), &json!(50))
    );
    assert!(segments.iter().all(|line| line["start"] != json!(5.0)));
    let count = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-count_frames"])
        .args(["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"])
        .arg(work.path("out").join(clip["path"].as_str().unwrap()))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&count.stdout).trim(), "10");
}
