//! Results read back by programs that others wrote: edit lists and timecode by OpenTimelineIO, JSON
//! by a JSON Schema validator.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/python.rs"]
mod python;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::{Size, rate, sample};
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::FrameRate;
use matchcut_model::timecode::{SMPTE_RATES, Timecode, TimecodeRate};
use matchcut_sinks::FrameIndex;
use matchcut_sinks::edl::{Cut, EdlOptions, EdlSubject, part_file_name, write};
use serde_json::{Value as Json, json};

fn read_back(python: &Path, edl: &Path, rate: FrameRate) -> Json {
    let path = edl.to_str().unwrap();
    let said = python::run(
        python,
        "read_edl.py",
        &[path, &rate.num.to_string(), &rate.den.to_string()],
        "",
    );
    serde_json::from_str(&said).unwrap()
}

#[test]
fn timecode_is_that_of_opentimelineio() {
    let Some(python) = python::python() else {
        return;
    };
    let (mut input, mut ours) = (String::new(), String::new());
    for rate in SMPTE_RATES {
        for drop in [false, true] {
            let code_rate = TimecodeRate::new(rate, drop);
            if code_rate.is_drop_frame() != drop {
                continue;
            }
            let minute = i64::from(code_rate.nominal()) * 60;
            let borders = (0..25).flat_map(|n| (-5..5).map(move |d| n * (minute - 4) + d + 4));
            let strides = (0..200).map(|n| n * 12_907);
            for frame in borders
                .chain(strides)
                .filter(|&f| (0..code_rate.frames_per_day()).contains(&f))
            {
                writeln!(
                    input,
                    "{} {} {} {frame}",
                    rate.num,
                    rate.den,
                    u8::from(drop)
                )
                .unwrap();
                writeln!(ours, "{}", Timecode::from_frame(frame, code_rate)).unwrap();
            }
        }
    }
    let theirs = python::run(&python, "timecodes.py", &[], &input);
    for ((question, ours), theirs) in input.lines().zip(ours.lines()).zip(theirs.lines()) {
        assert_eq!(
            ours, theirs,
            "frames a second, drop-frame, frame: {question}"
        );
    }
    assert_eq!(ours.lines().count(), theirs.lines().count());
    assert!(ours.lines().count() > 4000);
}

#[test]
fn edit_lists_are_read_frame_by_frame() {
    let Some(python) = python::python() else {
        return;
    };
    for (num, den) in [
        (25, 1),
        (30_000, 1001),
        (50, 1),
        (60_000, 1001),
        (24_000, 1001),
    ] {
        let rate = rate(num, den);
        let size = Size {
            rate,
            chunks: 30,
            segments: 12,
            hostile: true,
        };
        let sample = sample(&size);
        let dir = tempfile::tempdir().unwrap();
        sample.write(dir.path());
        let frames = FrameIndex::new(&sample.timeline, None);
        let state = sample.state();
        for track in [TrackNumber(1), TrackNumber(2)] {
            let edl = dir.path().join(format!("exports/event_{track}.edl"));
            let read = read_back(&python, &edl, rate);
            let mut at = 0;
            let mut expected = Vec::new();
            for segment in state.segments() {
                let Some(range) = segment.effective(track) else {
                    continue;
                };
                let (first, end) = frames.frames_of(range);
                // The frames with mark-in <= time < mark-out, counted one by one.
                let inside = |n: &i64| range.contains(rate.time_of(*n));
                let by_hand: Vec<i64> = (first - 2..end + 2).filter(inside).collect();
                assert_eq!((by_hand[0], by_hand[by_hand.len() - 1] + 1), (first, end));
                expected.push((first, end, at));
                at += end - first;
            }
            assert_eq!(expected.len(), 11, "one segment is open");
            let names: Vec<&str> = if track.0 == 1 {
                vec!["V", "A1"]
            } else {
                vec!["V", "A2"]
            };
            for name in names {
                let clips = read["tracks"][name].as_array().unwrap();
                let found: Vec<(i64, i64, i64)> = clips
                    .iter()
                    .map(|clip| {
                        let number = |key: &str| clip[key].as_i64().unwrap();
                        (number("in"), number("out"), number("at"))
                    })
                    .collect();
                assert_eq!(found, expected, "{num}/{den}, track {track}, {name}");
                assert_eq!(clips[1]["name"], "Game 1, point 2");
                assert_eq!(
                    clips[6]["name"],
                    state
                        .segments()
                        .nth(6)
                        .map(|s| format!("rally {} s", s.start()))
                        .unwrap()
                );
                assert_eq!(clips[0]["reel"], "COURT");
            }
            assert_eq!(read["title"], "Final 2019");
        }
        let read = read_back(&python, &dir.path().join("replays/best/replay.edl"), rate);
        let chosen: Vec<(i64, i64)> = state
            .chosen("best")
            .map(|choice| frames.frames_of(choice.marks))
            .collect();
        let clips = read["tracks"]["V"].as_array().unwrap();
        let found: Vec<(i64, i64)> = clips
            .iter()
            .map(|clip| (clip["in"].as_i64().unwrap(), clip["out"].as_i64().unwrap()))
            .collect();
        assert!(!found.is_empty());
        assert_eq!(found, chosen);
    }
}

#[test]
fn long_and_late_lists_are_read() {
    let Some(python) = python::python() else {
        return;
    };
    let rate = rate(30_000, 1001);
    let subject = EdlSubject {
        title: "long",
        source: "court",
        track: TrackNumber(1),
        video: true,
        source_zero: Timecode::from_frame(0, TimecodeRate::new(rate, true)),
    };
    let cuts: Vec<Cut> = (0..1200)
        .map(|n| Cut {
            source_in: n * 1801,
            source_out: n * 1801 + 7 + n % 90,
            name: format!("c{n}"),
        })
        .collect();
    for crlf in [false, true] {
        let options = EdlOptions {
            start_timecode: "01:00:00:00".into(),
            crlf,
            ..EdlOptions::default()
        };
        let files = write(&subject, &cuts, &options).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let mut read = Vec::new();
        for (index, text) in files.parts.iter().enumerate() {
            let path = dir.path().join(part_file_name("event_1", index));
            fs::write(&path, text).unwrap();
            let part = read_back(&python, &path, rate);
            let before: i64 = cuts
                .iter()
                .take(index * 999)
                .map(|c| c.source_out - c.source_in)
                .sum();
            assert_eq!(part["start"], 107_892 + before, "record times run on");
            read.extend(part["tracks"]["V"].as_array().unwrap().clone());
        }
        assert_eq!(files.parts.len(), 2);
        assert_eq!(read.len(), cuts.len());
        for (cut, clip) in cuts.iter().zip(&read) {
            let expected = json!([cut.source_in, cut.source_out, cut.name]);
            assert_eq!(json!([clip["in"], clip["out"], clip["name"]]), expected);
        }
    }
}

#[test]
fn what_is_written_is_valid_by_the_schemas() {
    let Some(python) = python::python() else {
        return;
    };
    let size = Size {
        rate: rate(25, 1),
        chunks: 30,
        segments: 12,
        hostile: true,
    };
    let dir = tempfile::tempdir().unwrap();
    sample(&size).write(dir.path());
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas");
    let mut input = String::new();
    let mut add = |schema: &str, document: &Json| {
        let schema = schemas.join(format!("{schema}.schema.json"));
        writeln!(input, "{}\t{document}", schema.display()).unwrap();
    };
    for (file, schema) in [
        ("observations", "observation"),
        ("segments", "segment"),
        ("changes", "change"),
    ] {
        let text = fs::read_to_string(dir.path().join(format!("{file}.jsonl"))).unwrap();
        assert!(!text.is_empty());
        text.lines()
            .for_each(|line| add(schema, &serde_json::from_str(line).unwrap()));
    }
    for name in ["best", "aces"] {
        let text = fs::read(dir.path().join(format!("replays/{name}/replay.json"))).unwrap();
        add("replay", &serde_json::from_slice(&text).unwrap());
    }
    add(
        "replay",
        &json!({"processed": false, "selected": [], "total_score": 0}),
    );
    let feedback = json!({"start": 10.0, "track": 1, "side": "original", "feedback": "like"});
    add("feedback", &feedback);
    // The least that is read.
    add(
        "observation",
        &json!({"operator": "cuts", "class": "featurer", "start": 12.04}),
    );
    add(
        "segment",
        &json!({"operator": "rally", "class": "segmenter", "start": 10}),
    );
    assert_eq!(python::run(&python, "validate.py", &[], &input), "");

    // And a validator that lets everything through would not do.
    let mut wrong = String::new();
    let mut add = |schema: &str, document: Json| {
        let schema = schemas.join(format!("{schema}.schema.json"));
        writeln!(wrong, "{}\t{document}", schema.display()).unwrap();
    };
    add(
        "observation",
        json!({"operator": "cuts", "class": "segmenter", "start": 12.04}),
    );
    add(
        "segment",
        json!({"operator": "rally", "class": "segmenter"}),
    );
    add(
        "segment",
        json!({"operator": "r", "class": "segmenter", "start": 1, "opto": {"0": [1, 2]}}),
    );
    add(
        "change",
        json!({"epoch": 0, "kind": "segment", "diff": 0, "value": {}}),
    );
    add(
        "replay",
        json!({"processed": true, "selected": [{"start": 1}], "total_score": 0}),
    );
    add(
        "feedback",
        json!({"start": 10.0, "track": 1, "side": "left", "feedback": "like"}),
    );
    let said = python::run(&python, "validate.py", &[], &wrong);
    for schema in ["observation", "segment", "change", "replay", "feedback"] {
        assert!(
            said.contains(&format!("{schema}.schema.json: $")),
            "{schema}: {said}"
        );
    }
}
