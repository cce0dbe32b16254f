//! Edit lists, tables and chapters of an event in which everything odd happens, read back by
//! programs that others wrote and compared frame by frame with segments and replays.

#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/python.rs"]
mod python;

use std::fs;
use std::path::{Path, PathBuf};

use common::{HOSTILE, Sample, Size, millis, rate, sample};
use matchcut_model::change::{Change, ChoiceRow, EpochChanges, EventState, ReplayRow, Row};
use matchcut_model::chunk::{Epoch, FrameTable, TrackNumber};
use matchcut_model::observation::Class;
use matchcut_model::segment::Segment;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use matchcut_model::timecode::{TimecodeRate, TimecodeSource};
use matchcut_model::value::{Name, Number};
use matchcut_sinks::OperatorInfo;
use matchcut_sinks::edl::EdlStyle;
use matchcut_sinks::export::{ExportFormat, Link};
use serde_json::{Value as Json, json};

const RATES: [(u32, u32); 5] = [
    (25, 1),
    (30_000, 1001),
    (24_000, 1001),
    (50, 1),
    (60_000, 1001),
];

/// The chunk after which 3.5 s are missing.
const HOLE: u64 = 10;

fn missing() -> MediaTime {
    millis(3500)
}

/// What a script says of each of the files; one process, since starting one takes longest.
fn read(python: &Path, script: &str, paths: &[PathBuf], rate: FrameRate) -> Vec<Json> {
    let (num, den) = (rate.num.to_string(), rate.den.to_string());
    let paths = paths.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<&str> = [&*num, &*den].into_iter().chain(paths).collect();
    let said = python::run(python, script, &arguments, "");
    said.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn tables(python: &Path, paths: &[&Path]) -> Vec<Json> {
    let paths: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let said = python::run(python, "read_tables.py", &paths, "");
    said.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// An event that begins 30 s before midnight and has a hole; segments of two segmenters, of which one
/// holds a single frame, one none, one crosses the hole; a replay of given times and one of nothing.
fn odd(rate: FrameRate) -> Sample {
    let size = Size {
        rate,
        chunks: 30,
        segments: 12,
        hostile: true,
    };
    let mut sample = sample(&size);
    // 2026-01-01 23:59:30.
    let start = 1_767_311_970_000_000;
    let chunks = sample.timeline.iter().cloned().map(|mut chunk| {
        let late = chunk.chunk.position.0 >= HOLE;
        let by = if late { missing() } else { MediaTime::ZERO };
        chunk.span = TimeRange::new(chunk.span.start + by, chunk.span.end + by);
        chunk.offset += by;
        let ticks: Vec<i64> = chunk.frames.iter().map(|frame| frame.pts.ticks).collect();
        chunk.frames = FrameTable::new(90_000, ticks, chunk.offset);
        chunk.stretch = u32::from(late);
        chunk.utc = Some(start + chunk.span.start.to_ticks(1_000_000));
        chunk
    });
    sample.timeline = chunks.collect();
    sample.info.timecode_source = TimecodeSource::UtcBased;
    sample.info.source_uri = "https://me:secret@example.com/live/court.m3u8?token=1".into();
    sample.info.profile.operators.push(OperatorInfo {
        name: Name::new("game"),
        class: Class::Segmenter,
        inputs: Vec::new(),
        audio: false,
        attributes: Vec::new(),
        options: serde_json::Map::new(),
    });

    let frames = times(&sample);
    let state = sample.state();
    for (id, clips) in &mut sample.media.clips {
        let marks = state
            .segment(id)
            .unwrap()
            .effective(TrackNumber(1))
            .unwrap();
        let (first, end) = counted(&frames, marks);
        (clips[0].first_frame, clips[0].end_frame) = (first as u64, end as u64);
    }
    let one = TimeRange::new(frames[700], frames[701]);
    let none = TimeRange::new(frames[800] + millis(1), frames[800] + millis(2));
    let hole = sample
        .timeline
        .get(matchcut_model::chunk::Position(HOLE))
        .unwrap()
        .span
        .start;
    let crossing = TimeRange::new(hole - millis(6000), hole + millis(1234));
    // At the same time as the first rally.
    let over = TimeRange::new(millis(1500), millis(2500));
    let segment = |range: TimeRange, label: &str| {
        let mut segment = Segment::new(Name::new("game"), range.start, Some(range.end));
        segment.label = Some(label.into());
        segment
    };
    let rows = [
        Row::from(segment(one, "=one|frame")),
        Row::from(segment(none, "none")),
        Row::from(segment(crossing, "crossing")),
        Row::from(segment(over, "over")),
        replay("given"),
        replay("nothing"),
        given(0, crossing),
        given(1, one),
        given(2, none),
        given(3, TimeRange::new(frames[10], frames[700])),
    ];
    sample.epochs.push(EpochChanges {
        epoch: Epoch(30),
        changes: rows.into_iter().map(Change::insert).collect(),
    });
    sample
}

fn replay(name: &str) -> Row {
    Row::from(ReplayRow {
        name: Name::new(name),
        track: TrackNumber(2),
        processed: true,
        total_score: Number::new(0.0).unwrap(),
    })
}

fn given(order: u32, range: TimeRange) -> Row {
    Row::from(ChoiceRow {
        replay: Name::new("given"),
        order,
        segment: None,
        original: range,
        marks: range,
        chosen: true,
        score: None,
        reason: "-1 as asked, \"by hand\"".into(),
        features: Vec::new(),
    })
}

/// The times of all frames.
fn times(sample: &Sample) -> Vec<MediaTime> {
    let chunks = sample.timeline.iter();
    chunks
        .flat_map(|chunk| chunk.frames.iter().map(|frame| frame.time))
        .collect()
}

/// The frames with mark-in <= time < mark-out, counted one by one.
fn counted(times: &[MediaTime], range: TimeRange) -> (i64, i64) {
    let before = |mark: MediaTime| times.iter().filter(|time| **time < mark).count() as i64;
    (before(range.start), before(range.end))
}

/// What an edit list has to say.
#[derive(Debug)]
struct Expected {
    frames: (i64, i64),
    marks: TimeRange,
    name: String,
}

fn name_of(segment: &Segment) -> String {
    let label = segment.label.clone();
    let name = label.unwrap_or_else(|| format!("rally {} s", segment.start()));
    name.replace(['\n', '\u{2028}'], " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn segments(state: &EventState, times: &[MediaTime], track: u32) -> Vec<Expected> {
    let all = state.segments().filter_map(|segment| {
        let marks = segment.effective(TrackNumber(track))?;
        let (frames, name) = (counted(times, marks), name_of(segment));
        Some(Expected {
            frames,
            marks,
            name,
        })
    });
    all.filter(|expected| expected.frames.0 < expected.frames.1)
        .collect()
}

fn chosen(state: &EventState, times: &[MediaTime], replay: &str) -> Vec<Expected> {
    let all = state.chosen(replay).map(|choice| {
        let segment = choice.segment.as_ref().and_then(|id| state.segment(id));
        Expected {
            frames: counted(times, choice.marks),
            marks: choice.marks,
            name: segment.map_or(format!("{} s", choice.original.start), name_of),
        }
    });
    all.filter(|expected| expected.frames.0 < expected.frames.1)
        .collect()
}

/// Where frame `n` stands when the hole is counted.
fn place(n: i64, times: &[MediaTime], rate: FrameRate) -> i64 {
    let before = (0..HOLE).map(|_| rate.frame_at(millis(6000))).sum::<i64>();
    assert!(times[before as usize] - times[before as usize - 1] >= missing());
    let hole = (3.5 * f64::from(rate.num) / f64::from(rate.den)).round() as i64;
    if n < before { n } else { n + hole }
}

#[test]
fn opentimelineio_reads_every_frame() {
    let Some(python) = python::python() else {
        return;
    };
    for (num, den) in RATES {
        let rate = rate(num, den);
        let mut sample = odd(rate);
        sample.info.edl.start_timecode = "10:00:00:00".into();
        let dir = tempfile::tempdir().unwrap();
        let written = sample.write(dir.path());
        let (state, times) = (sample.state(), times(&sample));
        let code = TimecodeRate::new(rate, true);
        let zero = code.at_utc(1_767_311_970_000_000).frame();
        let start = matchcut_model::timecode::Timecode::parse("10:00:00:00", code)
            .unwrap()
            .frame();
        let told = written
            .warnings
            .iter()
            .filter(|w| w.contains("\"none\" holds no frame"));
        assert_eq!(told.count(), 2, "{:?}", written.warnings);

        let replays = ["best", "aces", "given", "nothing"];
        let of_replay = |replay| dir.path().join(format!("replays/{replay}/replay.otio"));
        let mut paths = replays.map(of_replay).to_vec();
        paths.push(dir.path().join("exports/event.otio"));
        let mut documents = read(&python, "read_otio.py", &paths, rate);
        let event = documents.pop().unwrap();
        for (replay, read) in replays.into_iter().zip(documents) {
            let expected = chosen(&state, &times, replay);
            assert_eq!(expected.is_empty(), replay == "nothing");
            assert_eq!(read["start"], start);
            assert_eq!(read["about"]["replay"], replay);
            assert_eq!(read["about"]["frame_rate"], rate.to_string());
            let sound = if ["best", "aces"].contains(&replay) {
                "A1"
            } else {
                "A2"
            };
            let names: Vec<&Json> = read["tracks"]
                .as_array()
                .unwrap()
                .iter()
                .map(|t| &t["name"])
                .collect();
            assert_eq!(names, ["V1", sound]);
            for track in read["tracks"].as_array().unwrap() {
                let mut at = 0;
                let clips = track["children"].as_array().unwrap();
                assert_eq!(clips.len(), expected.len(), "{num}/{den} {replay}");
                for (
                    clip,
                    Expected {
                        frames: (first, end),
                        marks,
                        name,
                    },
                ) in clips.iter().zip(&expected)
                {
                    let length = end - first;
                    assert_eq!(
                        clip["source"],
                        json!([zero + first, zero + end]),
                        "{num}/{den} {replay} {name}"
                    );
                    assert_eq!(clip["place"], json!([at, at + length]));
                    assert_eq!(clip["name"], *name);
                    assert_eq!(clip["url"], "https://example.com/live/court.m3u8");
                    assert_eq!(clip["available"], json!([zero, zero + times.len() as i64]));
                    let flicks = json!([marks.start.flicks(), marks.end.flicks()]);
                    assert_eq!(clip["about"]["marks_flicks"], flicks);
                    if replay == "best" {
                        let marker = &clip["markers"][0];
                        assert_eq!((&marker[0], &marker[1]), (&json!(name), &json!("BLUE")));
                        assert_eq!(
                            (&marker[2], &marker[3]),
                            (&clip["source"][0], &clip["source"][1])
                        );
                        assert!(clip["about"]["features"].is_array());
                    }
                    at += length;
                }
            }
        }

        let read = event;
        let tracks = read["tracks"].as_array().unwrap();
        let names: Vec<&str> = tracks.iter().map(|t| t["name"].as_str().unwrap()).collect();
        assert_eq!(
            names,
            [
                "V1",
                "A1",
                "A2",
                "Segments 1",
                "Segments 1 (2)",
                "Segments 2",
                "Segments 2 (2)"
            ]
        );
        let enabled: Vec<bool> = tracks
            .iter()
            .map(|t| t["enabled"].as_bool().unwrap())
            .collect();
        assert_eq!(enabled, [true, true, true, false, false, false, false]);
        let whole = tracks[0]["children"].as_array().unwrap();
        let kinds: Vec<&Json> = whole.iter().map(|child| &child["kind"]).collect();
        assert_eq!(kinds, ["Clip", "Gap", "Clip"], "the hole stays open");
        let (last, all) = (times.len() as i64 - 1, times.len() as i64);
        assert_eq!(whole[0]["source"][0], zero);
        assert_eq!(whole[2]["source"][1], zero + all);
        assert_eq!(whole[2]["place"][1], place(last, &times, rate) + 1);
        for track in [1, 2] {
            let expected = segments(&state, &times, track);
            let own = format!("Segments {track}");
            let mut found: Vec<(Json, Json, Json)> = tracks
                .iter()
                .filter(|t| t["name"].as_str().unwrap().starts_with(&own))
                .flat_map(|t| t["children"].as_array().unwrap())
                .filter(|child| child["kind"] == "Clip")
                .map(|c| (c["source"].clone(), c["place"].clone(), c["name"].clone()))
                .collect();
            found.sort_by_key(|(source, ..)| source[0].as_i64());
            let mut wanted: Vec<(Json, Json, Json)> = expected
                .iter()
                .map(|e| {
                    let (first, end) = e.frames;
                    let at = place(first, &times, rate);
                    (
                        json!([zero + first, zero + end]),
                        json!([at, at + end - first]),
                        json!(e.name),
                    )
                })
                .collect();
            wanted.sort_by_key(|(source, ..)| source[0].as_i64());
            assert_eq!(found, wanted, "{num}/{den} track {track}");
            if track == 1 {
                let mut markers: Vec<(Json, Json)> = read["markers"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|m| (json!([m[2], m[3]]), m[0].clone()))
                    .collect();
                markers.sort_by_key(|(range, _)| range[0].as_i64());
                let mut places: Vec<_> = wanted
                    .into_iter()
                    .map(|(_, place, name)| (place, name))
                    .collect();
                places.sort_by_key(|(range, _)| range[0].as_i64());
                assert_eq!(markers, places);
                let green = read["markers"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|m| m[1] == "GREEN");
                assert_eq!(green.count(), 3, "of the second segmenter");
            }
        }
    }
}

#[test]
fn final_cut_pro_xml_is_read_frame_by_frame() {
    let Some(python) = python::python() else {
        return;
    };
    for (num, den) in RATES {
        let rate = rate(num, den);
        for (link, start) in [(Link::Source, "00:00:00:00"), (Link::Clips, "01:00:00:00")] {
            let mut sample = odd(rate);
            sample.info.exports.link = link;
            sample.info.edl.start_timecode = start.into();
            let dir = tempfile::tempdir().unwrap();
            sample.write(dir.path());
            let (state, times) = (sample.state(), times(&sample));
            let code = TimecodeRate::new(rate, true);
            let zero = code.at_utc(1_767_311_970_000_000).frame();
            let start = matchcut_model::timecode::Timecode::parse(start, code)
                .unwrap()
                .frame();
            let replays = ["best", "given", "nothing"];
            let of_replay = |replay| dir.path().join(format!("replays/{replay}/replay.fcpxml"));
            let paths = replays.map(of_replay);
            let documents = read(&python, "read_fcpxml.py", &paths, rate);
            for (replay, read) in replays.into_iter().zip(documents) {
                let expected = chosen(&state, &times, replay);
                let total: i64 = expected.iter().map(|e| e.frames.1 - e.frames.0).sum();
                assert_eq!(read["rate"], json!([rate.num, rate.den]));
                assert_eq!(read["version"], "1.10");
                let form = if code.is_drop_frame() { "DF" } else { "NDF" };
                assert_eq!(read["tc"], json!([form, start]));
                assert_eq!(read["duration"], total);
                let clips: Vec<&Json> = read["tracks"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .flat_map(|track| track["children"].as_array().unwrap())
                    .filter(|child| child["kind"] == "Clip")
                    .collect();
                assert_eq!(clips.len(), expected.len());
                let refs = read["refs"].as_array().unwrap();
                let mut at = start;
                for ((clip, asset), e) in clips.iter().zip(refs).zip(&expected) {
                    let (first, end) = e.frames;
                    let asset = &read["assets"][asset.as_str().unwrap()];
                    let of_file = link == Link::Clips && replay == "best";
                    // A clip that was cut holds the frames of its segment and no others.
                    let source = if of_file {
                        (0, end - first)
                    } else {
                        (zero + first, zero + end)
                    };
                    assert_eq!(
                        clip["source"],
                        json!([source.0, source.1]),
                        "{num}/{den} {replay}"
                    );
                    assert_eq!(clip["place"], json!([at, at + end - first]));
                    assert_eq!(clip["name"], e.name);
                    let marker = json!([e.name, source.0, source.0 + 1]);
                    assert_eq!(clip["markers"], json!([marker]));
                    let url = asset[0].as_str().unwrap();
                    if of_file {
                        assert!(url.starts_with("../../clips/rally_"), "{url}");
                        assert_eq!((&asset[1], &asset[2]), (&json!(0), &json!(end - first)));
                    } else {
                        assert_eq!(url, "https://example.com/live/court.m3u8");
                        assert_eq!((&asset[1], &asset[2]), (&json!(zero), &json!(times.len())));
                    }
                    at += end - first;
                }
            }
        }
    }
}

#[test]
fn every_style_of_edit_list_is_read() {
    let Some(python) = python::python() else {
        return;
    };
    let styles = [
        EdlStyle::Cmx3600,
        EdlStyle::Avid,
        EdlStyle::Premiere,
        EdlStyle::Resolve,
        EdlStyle::Marker,
    ];
    for (num, den) in RATES {
        let rate = rate(num, den);
        let mut written = Vec::new();
        for style in styles {
            let mut sample = odd(rate);
            // The adapter knows no midnight between in and out; see the next test.
            sample.info.timecode_source = TimecodeSource::ZeroBased;
            sample.info.edl.style = style;
            sample.info.edl.start_timecode = "01:00:00:00".into();
            sample.info.exports.formats = [ExportFormat::Edl].into();
            let dir = tempfile::tempdir().unwrap();
            sample.write(dir.path());
            assert!(
                !dir.path().join("exports/event.otio").exists(),
                "only what is asked for"
            );
            written.push((style, sample, dir));
        }
        let paths: Vec<PathBuf> = written
            .iter()
            .flat_map(|(_, _, dir)| {
                [1, 2].map(|n| dir.path().join(format!("exports/event_{n}.edl")))
            })
            .collect();
        let mut documents = read(&python, "read_edl.py", &paths, rate).into_iter();
        for (style, sample, _) in &written {
            let style = *style;
            let (state, times) = (sample.state(), times(sample));
            let code = TimecodeRate::new(rate, true);
            let hour = matchcut_model::timecode::Timecode::parse("01:00:00:00", code)
                .unwrap()
                .frame();
            for track in [1, 2] {
                let what = format!("{num}/{den} {style:?} track {track}");
                let read = documents.next().unwrap();
                let mut expected = segments(&state, &times, track);
                let clips = read["tracks"]["V"].as_array().unwrap();
                assert_eq!(clips.len(), expected.len(), "{what}");
                if style == EdlStyle::Marker {
                    expected.sort_by_key(|e| e.frames.0);
                    let first = place(expected[0].frames.0, &times, rate);
                    assert_eq!(read["start"], hour + first);
                    for (clip, e) in clips.iter().zip(&expected) {
                        let (begin, end) = e.frames;
                        let at = place(begin, &times, rate);
                        assert_eq!(clip["in"], hour + at, "{what}");
                        assert_eq!(clip["out"], hour + at + 1);
                        assert_eq!(clip["at"], at - first);
                        let name = e.name.replace('|', "/");
                        let colour = if ["crossing", "over", "=one/frame"].contains(&name.as_str())
                        {
                            "Green"
                        } else {
                            "Blue"
                        };
                        let comment =
                            format!("|C:ResolveColor{colour} |M:{name} |D:{}", end - begin);
                        assert_eq!(clip["comments"], json!([comment]), "{what}");
                    }
                    continue;
                }
                assert_eq!(read["start"], hour);
                let mut at = 0;
                for (clip, e) in clips.iter().zip(&expected) {
                    let (first, end) = e.frames;
                    let found = json!([clip["in"], clip["out"], clip["at"]]);
                    assert_eq!(found, json!([first, end, at]), "{what}");
                    let name = if style == EdlStyle::Premiere {
                        "court.m3u8"
                    } else {
                        &e.name
                    };
                    assert_eq!(clip["name"], name, "{what}");
                    let reel = if style == EdlStyle::Premiere {
                        Json::Null
                    } else {
                        json!("COURT")
                    };
                    assert_eq!(clip["reel"], reel, "AX is no reel");
                    let comments = &clip["comments"];
                    match style {
                        EdlStyle::Premiere => {
                            assert_eq!(comments, &json!([format!("COMMENT: {}", e.name)]))
                        }
                        EdlStyle::Avid => {
                            assert_eq!(comments, &json!(["SOURCE FILE: court.m3u8"]));
                            // The adapter reads locators without drop-frame only.
                            if !code.is_drop_frame() {
                                assert_eq!(clip["markers"][0][0], e.name);
                                assert_eq!(clip["markers"][0][2], hour + at);
                            }
                        }
                        EdlStyle::Resolve => {
                            let text = comments[0].as_str().unwrap();
                            assert!(text.ends_with(&format!("|D:{}", end - first)), "{text}");
                        }
                        EdlStyle::Cmx3600 | EdlStyle::Marker => assert_eq!(comments, &json!([])),
                    }
                    at += end - first;
                }
            }
        }
    }
}

#[test]
fn labels_start_again_at_midnight() {
    let Some(python) = python::python() else {
        return;
    };
    for (num, den) in RATES {
        let rate = rate(num, den);
        let sample = odd(rate);
        let dir = tempfile::tempdir().unwrap();
        sample.write(dir.path());
        let (state, times) = (sample.state(), times(&sample));
        let code = TimecodeRate::new(rate, true);
        let (zero, day) = (
            code.at_utc(1_767_311_970_000_000).frame(),
            code.frames_per_day(),
        );
        let path = dir.path().join("exports/event_1.edl");
        let (num_text, den_text) = (num.to_string(), den.to_string());
        let arguments = [&*num_text, &den_text, "labels", path.to_str().unwrap()];
        let said = python::run(&python, "read_edl.py", &arguments, "");
        let mut at = 0;
        let mut wanted = Vec::new();
        for e in segments(&state, &times, 1) {
            let (first, end) = e.frames;
            wanted.push(json!([
                (zero + first) % day,
                (zero + end) % day,
                at,
                at + end - first
            ]));
            at += end - first;
        }
        let before = wanted
            .iter()
            .filter(|event| event[0].as_i64().unwrap() > day / 2)
            .count();
        assert!(0 < before && before < wanted.len(), "midnight is inside");
        assert_eq!(
            serde_json::from_str::<Json>(&said).unwrap(),
            json!(wanted),
            "{num}/{den}"
        );
    }
}

#[test]
fn tables_and_chapters_are_read() {
    let Some(python) = python::python() else {
        return;
    };
    for (num, den) in [(25, 1), (30_000, 1001), (60_000, 1001)] {
        let rate = rate(num, den);
        let sample = odd(rate);
        let dir = tempfile::tempdir().unwrap();
        sample.write(dir.path());
        let (state, times) = (sample.state(), times(&sample));
        let at = |name: &str| dir.path().join(name);
        let (segments_csv, event_vtt) = (at("exports/segments.csv"), at("exports/event.vtt"));
        let (given_csv, given_vtt) = (
            at("exports/replay_given.csv"),
            at("replays/given/chapters.vtt"),
        );
        let (none_csv, none_vtt) = (
            at("exports/replay_nothing.csv"),
            at("replays/nothing/chapters.vtt"),
        );
        let files = [
            &segments_csv,
            &event_vtt,
            &given_csv,
            &given_vtt,
            &none_csv,
            &none_vtt,
        ];
        let read = tables(&python, &files.map(|path| path.as_path()));

        let rows = read[0].as_array().unwrap();
        assert_eq!(
            rows.len(),
            state.segments().len() * 2,
            "one for each audio track"
        );
        let mut lines = rows.iter();
        for segment in state.segments() {
            for track in [1, 2] {
                let row = lines.next().unwrap();
                assert_eq!(row["segment"], segment.id.to_string());
                assert_eq!(row["audio_track"], track.to_string());
                let optimized = segment.opto.contains_key(&TrackNumber(track));
                assert_eq!(row["optimized"], optimized.to_string());
                let label = segment.label.clone().unwrap_or_default();
                let label = if label.starts_with('=') {
                    format!("'{label}")
                } else {
                    label
                };
                assert_eq!(row["label"], label);
                let Some(marks) = segment.effective(TrackNumber(track)) else {
                    assert_eq!((&row["end"], &row["frames"]), (&json!(""), &json!("")));
                    continue;
                };
                let (first, end) = counted(&times, marks);
                assert_eq!(
                    row["start_frame"],
                    first.to_string(),
                    "{num}/{den} {}",
                    segment.id
                );
                assert_eq!(row["end_frame"], end.to_string());
                assert_eq!(row["frames"], (end - first).to_string());
                assert_eq!(
                    (&row["start"], &row["end"]),
                    (
                        &json!(marks.start.to_string()),
                        &json!(marks.end.to_string())
                    )
                );
            }
        }
        assert!(rows.iter().any(|row| row["label"] == HOSTILE));
        assert!(rows.iter().any(|row| row["label"] == "'=one|frame"));

        let seconds = |clock: &Json| {
            let parts = clock.as_str().unwrap().split(':');
            parts.fold(0.0, |all, part| all * 60.0 + part.parse::<f64>().unwrap())
        };
        let near = |a: f64, b: MediaTime| (a - b.as_seconds_f64()).abs() < 0.000_6;
        let mut expected = segments(&state, &times, 1);
        expected.sort_by_key(|e| e.frames.0);
        let cues = read[1].as_array().unwrap();
        assert_eq!(cues.len(), expected.len());
        for (cue, e) in cues.iter().zip(&expected) {
            assert!(
                near(seconds(&cue[0]), e.marks.start) && near(seconds(&cue[1]), e.marks.end),
                "{cue}"
            );
            let text = e
                .name
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;");
            assert_eq!(cue[2], text);
        }

        // On its own time, which knows no hole: the stretches are played one after the other.
        let expected = chosen(&state, &times, "given");
        let (rows, cues) = (read[2].as_array().unwrap(), read[3].as_array().unwrap());
        assert_eq!((rows.len(), cues.len()), (3, 3));
        let mut at = 0;
        for ((row, cue), e) in rows.iter().zip(cues).zip(&expected) {
            let (first, end) = e.frames;
            let (start, stop) = (rate.time_of(at), rate.time_of(at + end - first));
            assert!(
                near(seconds(&cue[0]), start) && near(seconds(&cue[1]), stop),
                "{num}/{den} {cue}"
            );
            assert!(
                near(
                    row["replay_start"].as_str().unwrap().parse().unwrap(),
                    start
                ),
                "{row}"
            );
            assert_eq!(row["frames"], (end - first).to_string());
            assert_eq!(row["reason"], "'-1 as asked, \"by hand\"");
            at += end - first;
        }
        assert_eq!((&read[4], &read[5]), (&json!([]), &json!([])));
        assert_eq!(fs::read_to_string(none_vtt).unwrap(), "WEBVTT\n");
    }
}

#[test]
fn frames_at_no_one_rate_are_counted_and_said() {
    let Some(python) = python::python() else {
        return;
    };
    let rate = rate(25, 1);
    let mut sample = odd(rate);
    // Every third frame comes 30 ms late.
    let chunks = sample.timeline.iter().cloned().map(|mut chunk| {
        let mut ticks: Vec<i64> = chunk.frames.iter().map(|frame| frame.pts.ticks).collect();
        let late = ticks.iter_mut().skip(1).step_by(3);
        late.for_each(|ticks| *ticks += 2700);
        chunk.frames = FrameTable::new(90_000, ticks, chunk.offset);
        chunk
    });
    sample.timeline = chunks.collect();
    sample.info.timecode_source = TimecodeSource::NotEmbedded;
    let dir = tempfile::tempdir().unwrap();
    let written = sample.write(dir.path());
    let said = written
        .warnings
        .iter()
        .filter(|w| w.contains("the frame rate of the source varies"));
    assert_eq!(said.count(), 1, "{:?}", written.warnings);
    let (state, times) = (sample.state(), times(&sample));
    let expected = chosen(&state, &times, "best");
    let path = dir.path().join("replays/best/replay.otio");
    let otio = read(&python, "read_otio.py", &[path], rate).remove(0);
    let clips = otio["tracks"][0]["children"].as_array().unwrap();
    let found: Vec<&Json> = clips.iter().map(|clip| &clip["source"]).collect();
    let wanted: Vec<Json> = expected
        .iter()
        .map(|e| json!([e.frames.0, e.frames.1]))
        .collect();
    assert_eq!(found, wanted.iter().collect::<Vec<_>>());
    // Chapters go by when frames are shown.
    let vtt = dir.path().join("replays/best/chapters.vtt");
    let cues = tables(&python, &[&vtt]).remove(0);
    let mut at = MediaTime::ZERO;
    for (cue, e) in cues.as_array().unwrap().iter().zip(&expected) {
        let shown = times[e.frames.1 as usize] - times[e.frames.0 as usize];
        at += shown;
        let end = cue[1].as_str().unwrap();
        let (minutes, seconds) = end.rsplit_once(':').unwrap();
        let minutes: f64 = minutes.split_once(':').unwrap().1.parse().unwrap();
        let end = minutes * 60.0 + seconds.parse::<f64>().unwrap();
        assert!((end - at.as_seconds_f64()).abs() < 0.001, "{cue} {at}");
    }
}
