//! The recorded programme of the demo against what is known of it: what is seen and heard, the
//! clips, the replays, and every file of the directory of results.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value as Json;

use crate::support::media::{frames, pictures, sound, tool};
use crate::support::stream::Shared;
use crate::support::{Done, Work, document, files, lines, repository};

/// The run that these tests look at.
pub struct Demo {
    pub dir: PathBuf,
    pub done: Done,
    work: Work,
    _shared: Shared,
}

/// Runs the demo once for all tests.
pub fn demo() -> &'static Demo {
    static DEMO: OnceLock<Demo> = OnceLock::new();
    DEMO.get_or_init(|| {
        let shared = Shared::new("demo");
        let dir = shared.dir.join("w1");
        let work = Work::new();
        let done = run(&work, &dir, &["-w", "1", "--decode-threads", "1"]);
        Demo {
            dir,
            done,
            work,
            _shared: shared,
        }
    })
}

/// The demo into a directory beside that of the others.
pub fn run(work: &Work, dir: &std::path::Path, more: &[&str]) -> Done {
    let out = dir.display().to_string();
    let mut args = vec!["run", "demo/demo.toml", "--format", "json", "--out", &out];
    args.extend(more);
    work.matchcut_in(repository(), args).wait().exits(0)
}

fn truth() -> Json {
    document(&repository().join("demo/programme/truth.json"))
}

fn frame_numbers(list: &Json) -> BTreeSet<u64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|frame| frame.as_u64().unwrap())
        .collect()
}

fn number(value: &Json) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

fn of<'a>(all: &'a [Json], operator: &str) -> Vec<&'a Json> {
    all.iter()
        .filter(|line| line["operator"] == operator)
        .collect()
}

fn observations() -> Vec<Json> {
    lines(&demo().dir.join("observations.jsonl"))
}

fn segments() -> Vec<Json> {
    lines(&demo().dir.join("segments.jsonl"))
}

#[test]
fn every_hard_cut_is_found_at_its_very_frame_and_none_beside() {
    let observed = observations();
    let cuts = of(&observed, "cuts").into_iter();
    let cuts = cuts.filter(|line| line["attributes"]["hard_cut"] == true);
    let found: BTreeSet<u64> = cuts.map(|line| line["frame"].as_u64().unwrap()).collect();
    assert_eq!(found, frame_numbers(&truth()["cuts"]));
}

#[test]
fn the_view_of_the_court_is_told_right_in_every_picture_of_the_game() {
    let observed = observations();
    let truth = truth();
    let mut seen = 0;
    for view in truth["views"].as_array().unwrap() {
        let (start, end) = (view["start_frame"].as_u64(), view["end_frame"].as_u64());
        for line in of(&observed, "view") {
            let frame = line["frame"].as_u64();
            if start <= frame && frame < end {
                assert_eq!(line["attributes"]["view"], view["view"], "frame {frame:?}");
                seen += 1;
            }
        }
    }
    assert!(seen > 500, "{seen} pictures at 5 a second");
}

#[test]
fn every_cheer_is_heard_once_when_it_begins() {
    let observed = observations();
    for cheer in truth()["cheers"].as_array().unwrap() {
        let (start, end) = (number(&cheer["start"]), number(&cheer["end"]));
        let peaks = of(&observed, "cheers")
            .into_iter()
            .map(|line| number(&line["start"]));
        let peaks: Vec<f64> = peaks.filter(|at| *at > start - 0.5 && *at < end).collect();
        assert_eq!(peaks.len(), 1, "cheer at {start}: {peaks:?}");
        assert!(
            (peaks[0] - start).abs() <= 0.5,
            "cheer at {start}: {peaks:?}"
        );
    }
}

#[test]
fn every_silence_is_found_and_none_beside() {
    let observed = observations();
    let truth = truth();
    let found = of(&observed, "quiet");
    let known = truth["silences"].as_array().unwrap();
    assert_eq!(found.len(), known.len(), "{found:?}");
    for (found, known) in found.iter().zip(known) {
        for edge in ["start", "end"] {
            let off = (number(&found[edge]) - number(&known[edge])).abs();
            assert!(off <= 0.1, "{edge} is {off} s off: {found}");
        }
    }
}

#[test]
fn every_rally_is_a_clip_from_cut_to_cut() {
    let truth = truth();
    let cuts = frame_numbers(&truth["cuts"]);
    let all = segments();
    let rallies = of(&all, "rally");
    let views = truth["views"].as_array().unwrap().iter();
    let far: Vec<(u64, u64)> = views
        .filter(|view| view["view"] == "far")
        .map(|view| {
            (
                view["start_frame"].as_u64().unwrap(),
                view["end_frame"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(rallies.len(), far.len());
    for (index, (rally, (start, end))) in rallies.iter().zip(far).enumerate() {
        // A view is looked at five times a second; padding is a second.
        let (first, last) = (number(&rally["start"]), number(&rally["end"]));
        assert!(
            (first - (start as f64 / 25.0 - 1.0)).abs() <= 0.2,
            "{rally}"
        );
        assert!((last - (end as f64 / 25.0 + 1.0)).abs() <= 0.2, "{rally}");
        // The marks move outward to the cuts around.
        let clip = &rally["clips"][0];
        let (mark_in, mark_out) = (first * 25.0, last * 25.0);
        let before = cuts
            .iter()
            .rev()
            .find(|cut| **cut as f64 <= mark_in)
            .unwrap();
        let after = cuts.iter().find(|cut| **cut as f64 >= mark_out).unwrap();
        assert_eq!(clip["first_frame"].as_u64(), Some(*before), "{rally}");
        assert_eq!(clip["end_frame"].as_u64(), Some(*after), "{rally}");
        assert_eq!(number(&rally["opto"]["1"][0]), *before as f64 / 25.0);
        assert_eq!(number(&rally["opto"]["1"][1]), *after as f64 / 25.0);
        let label = rally["label"].as_str().unwrap();
        assert!(
            label.starts_with(&format!("Rally {} at ", index + 1)),
            "{label}"
        );
    }
}

#[test]
fn replays_keep_to_their_length_and_name_their_reasons() {
    let all = segments();
    for (name, least, most) in [("best", 50.0, 70.0), ("spread", 20.0, 40.0)] {
        let replay = document(&demo().dir.join(format!("replays/{name}/replay.json")));
        let selected = replay["selected"].as_array().unwrap();
        let mut length = 0.0;
        let mut before = 0.0;
        let mut score = 0.0;
        for entry in selected {
            let id = &entry["segment"];
            let segment = all.iter().find(|segment| segment["id"] == *id).unwrap();
            assert_eq!(entry["start"], segment["start"]);
            assert_eq!(entry["end"], segment["end"]);
            assert_eq!(entry["effective"], segment["opto"]["1"]);
            assert_eq!(entry["track"], 1);
            assert!(
                number(&entry["start"]) >= before,
                "in order of time: {replay}"
            );
            before = number(&entry["end"]);
            length += number(&entry["effective"][1]) - number(&entry["effective"][0]);
            let points = entry["features"].as_array().unwrap().iter();
            let points: f64 = points.map(|feature| number(&feature["points"])).sum();
            assert_eq!(number(&entry["score"]), points, "{entry}");
            assert!(!entry["reason"].as_str().unwrap().is_empty());
            score += points;
        }
        assert!(
            (least..=most).contains(&length),
            "{name} is {length} s long"
        );
        assert_eq!(number(&replay["total_score"]), score);
        assert_eq!(replay["processed"], true);
        // Every rally is chosen or left out with a reason.
        let left_out = replay["left_out"].as_array().unwrap();
        assert_eq!(selected.len() + left_out.len(), of(&all, "rally").len());
        let silent = |entry: &&Json| entry["reason"].as_str().unwrap_or_default().is_empty();
        assert_eq!(left_out.iter().find(silent), None);
    }
}

#[test]
fn the_directory_holds_what_is_promised() {
    let mut expected: BTreeSet<String> = [
        "changes.jsonl",
        "log.jsonl",
        "observations.jsonl",
        "segments.jsonl",
        "report.html",
        "exports/event.json",
        "exports/event.otio",
        "exports/event.vtt",
        "exports/event_1.edl",
        "exports/replay_best.csv",
        "exports/replay_best.json",
        "exports/replay_spread.csv",
        "exports/replay_spread.json",
        "exports/segments.csv",
    ]
    .map(str::to_owned)
    .into();
    for replay in ["best", "spread"] {
        for file in [
            "chapters.vtt",
            "replay.json",
            "replay.edl",
            "replay.fcpxml",
            "replay.otio",
            "index.m3u8",
            &format!("{replay}.mp4"),
        ] {
            expected.insert(format!("replays/{replay}/{file}"));
        }
    }
    let pointer = document(&demo().dir.join(format!("replays/{CATCHUP}/current.json")));
    assert_eq!(pointer["final"], true);
    expected.insert(format!("replays/{CATCHUP}/current.json"));
    for version in 1..=pointer["version"].as_u64().unwrap() {
        expected.insert(format!("replays/{CATCHUP}/v{version}.m3u8"));
    }
    let newest = format!(
        "replays/{CATCHUP}/{}",
        pointer["playlist"].as_str().unwrap()
    );
    let index = format!("replays/{CATCHUP}/index.m3u8");
    let read = |name: &str| std::fs::read(demo().dir.join(name)).unwrap();
    assert!(read(&newest) == read(&index), "a copy of {newest}");
    for segment in segments() {
        let clips = segment["clips"].as_array().unwrap();
        assert_eq!(clips.len(), 1, "one for each audio track: {segment}");
        let path = clips[0]["path"].as_str().unwrap();
        expected.insert(path.to_owned());
        let stem = path
            .trim_start_matches("clips/")
            .trim_end_matches("_t1.mp4");
        expected.insert(format!("thumbnails/{stem}.jpg"));
    }
    assert_eq!(
        files(&demo().dir).into_iter().collect::<BTreeSet<_>>(),
        expected
    );
    let report = std::fs::read_to_string(demo().dir.join("report.html")).unwrap();
    assert!(
        report.contains("Rally 1 at ") && report.contains("clips/rally_"),
        "the report"
    );
    for path in expected.iter().filter(|path| path.ends_with(".jpg")) {
        let bytes = std::fs::read(demo().dir.join(path)).unwrap();
        assert!(
            bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]),
            "{path}"
        );
    }
}

#[test]
fn lines_say_times_in_every_way_and_all_ways_agree() {
    for line in observations().iter().chain(&segments()) {
        let flicks = line["start_flicks"].as_i64().unwrap();
        let seconds = flicks as f64 / 705_600_000.0;
        assert!(
            (number(&line["start"]) - seconds).abs() <= 0.000_5,
            "{line}"
        );
        let frame = line["frame"].as_u64().unwrap();
        // The first frame that is not before that time.
        assert_eq!(frame, (seconds * 25.0 - 1e-6).ceil() as u64, "{line}");
        let (second, rest) = (frame / 25, frame % 25);
        let code = format!("14:{:02}:{:02}:{rest:02}", second / 60, second % 60);
        assert_eq!(line["timecode"], code, "{line}");
        assert_eq!(line["timescale"], 90_000, "{line}");
        let utc = line["utc"].as_str().unwrap();
        assert!(utc.starts_with("2026-06-06T14:"), "{line}");
        assert_eq!(
            &utc[14..19],
            format!("{:02}:{:02}", second / 60, second % 60),
            "{line}"
        );
        match line["class"].as_str().unwrap() {
            "featurer" => assert_eq!(line.get("id"), None),
            "segmenter" => {
                let operator = line["operator"].as_str().unwrap();
                assert_eq!(line["id"], format!("{operator}:{flicks}"));
            }
            other => panic!("class {other}"),
        }
    }
}

#[test]
fn changes_add_up_to_the_final_files() {
    let changes = lines(&demo().dir.join("changes.jsonl"));
    let log = lines(&demo().dir.join("log.jsonl"));
    let mut epoch = 0;
    let mut held: Vec<(String, Json)> = Vec::new();
    for (number, change) in changes.iter().chain(&log).enumerate() {
        if number == changes.len() {
            epoch = 0;
        }
        let now = change["epoch"].as_u64().unwrap();
        assert!(now >= epoch, "epochs in order");
        epoch = now;
        let row = (
            change["kind"].as_str().unwrap().to_owned(),
            change["value"].clone(),
        );
        match change["diff"].as_i64() {
            Some(1) => held.push(row),
            Some(-1) => {
                let at = held.iter().position(|have| *have == row);
                held.remove(at.unwrap_or_else(|| panic!("retracted but not there: {change}")));
            }
            other => panic!("diff {other:?}"),
        }
    }
    let of_kind = |kind: &str| -> BTreeSet<String> {
        let rows = held.iter().filter(|(have, _)| have == kind);
        rows.map(|(_, value)| value.to_string()).collect()
    };
    let text = |line: &Json| line.to_string();
    assert_eq!(
        of_kind("observation"),
        observations().iter().map(text).collect()
    );
    let bare = |mut line: Json| {
        line.as_object_mut().unwrap().remove("clips");
        (
            line["id"].to_string(),
            line["opto"].to_string(),
            line["label"].to_string(),
        )
    };
    let held_segments = held.iter().filter(|(kind, _)| kind == "segment");
    let mut held_segments: Vec<_> = held_segments
        .map(|(_, value)| bare(value.clone()))
        .collect();
    let mut final_segments: Vec<_> = segments().into_iter().map(bare).collect();
    held_segments.sort();
    final_segments.sort();
    assert_eq!(held_segments, final_segments);
    assert_eq!(of_kind("clip").len(), segments().len());
    assert_eq!(of_kind("chunk").len(), 35);
    assert_eq!(of_kind("gap").len(), 0);
    assert_eq!(of_kind("error").len(), 0);
}

/// The replay of the demo that is published while the event runs.
const CATCHUP: &str = "best";

#[test]
fn clips_hold_exactly_their_frames() {
    let source = pictures(&repository().join("demo/programme/index.m3u8"));
    assert_eq!(source.len() as u64, truth()["frames"].as_u64().unwrap());
    for segment in segments() {
        let clip = &segment["clips"][0];
        assert_eq!(clip["cut"], "exact");
        assert_eq!(clip["max_error_frames"], 0);
        let frame = |name: &str| usize::try_from(clip[name].as_u64().unwrap()).unwrap();
        let (first, end) = (frame("first_frame"), frame("end_frame"));
        let path = demo().dir.join(clip["path"].as_str().unwrap());
        assert_eq!(frames(&path), end - first, "{clip}");
        assert!(
            pictures(&path) == source[first..end],
            "other pictures: {clip}"
        );
        let length = (end - first) as f64 / 25.0;
        let heard = sound(&path);
        assert!(
            (heard - length).abs() <= 0.03,
            "{heard} s of sound for {length} s: {clip}"
        );
    }
}

#[test]
fn replays_play_exactly_their_segments() {
    let source = pictures(&repository().join("demo/programme/index.m3u8"));
    let all = segments();
    for name in ["best", "spread"] {
        let dir = demo().dir.join("replays").join(name);
        let replay = document(&dir.join("replay.json"));
        let mut expected = Vec::new();
        for entry in replay["selected"].as_array().unwrap() {
            let segment = all
                .iter()
                .find(|have| have["id"] == entry["segment"])
                .unwrap();
            let frame =
                |name: &str| usize::try_from(segment["clips"][0][name].as_u64().unwrap()).unwrap();
            expected.extend_from_slice(&source[frame("first_frame")..frame("end_frame")]);
        }
        let film = pictures(&dir.join(format!("{name}.mp4")));
        assert_eq!(film.len(), expected.len(), "{name}");
        assert!(film == expected, "{name}: other pictures");
        // The playlist plays whole groups of pictures: those of the replay and a little around.
        let list = std::fs::read_to_string(dir.join("index.m3u8")).unwrap();
        let lengths = list
            .lines()
            .filter_map(|line| line.strip_prefix("#EXTINF:"));
        let lengths: f64 = lengths
            .map(|line| line.split(',').next().unwrap().parse::<f64>().unwrap())
            .sum();
        let played = frames(&dir.join("index.m3u8"));
        assert_eq!(played, (lengths * 25.0).round() as usize, "{name}: {list}");
        assert!(
            played >= expected.len() && played <= expected.len() + 4 * 100,
            "{name}"
        );
    }
}

#[test]
fn chapters_begin_where_clips_do() {
    for replay in ["best", "spread"] {
        let dir = demo().dir.join("replays").join(replay);
        let video = dir.join(format!("{replay}.mp4")).display().to_string();
        let said = tool("ffprobe", ["-show_chapters", "-of", "json", &video]);
        let said: Json = serde_json::from_str(&said).unwrap();
        let seconds = |text: &str| -> f64 {
            text.split(':')
                .fold(0.0, |all, part| all * 60.0 + part.parse::<f64>().unwrap())
        };
        let in_video: Vec<(f64, f64, String)> = said["chapters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|chapter| {
                let text = |value: &Json| value.as_str().unwrap().to_owned();
                (
                    seconds(&text(&chapter["start_time"])),
                    seconds(&text(&chapter["end_time"])),
                    text(&chapter["tags"]["title"]),
                )
            })
            .collect();
        let text = std::fs::read_to_string(dir.join("chapters.vtt")).unwrap();
        let cues: Vec<(f64, f64, String)> = text
            .split("\n\n")
            .skip(1)
            .map(|cue| {
                let (times, title) = cue.split_once('\n').unwrap();
                let (start, end) = times.split_once(" --> ").unwrap();
                (seconds(start), seconds(end), title.trim().to_owned())
            })
            .collect();
        let document = document(&dir.join("replay.json"));
        let selected = document["selected"].as_array().unwrap();
        assert_eq!(
            (cues.len(), in_video.len()),
            (selected.len(), selected.len())
        );
        for (cue, chapter) in cues.iter().zip(&in_video) {
            assert!((cue.0 - chapter.0).abs() < 0.001, "{cue:?} {chapter:?}");
            assert!((cue.1 - chapter.1).abs() < 0.001, "{cue:?} {chapter:?}");
            assert_eq!(cue.2, chapter.2);
            assert!(cue.2.starts_with("Rally "), "{cue:?}");
        }
    }
}

#[test]
fn edit_lists_name_the_frames_of_the_clips() {
    let at = |frame: u64| {
        let second = frame / 25;
        format!("14:{:02}:{:02}:{:02}", second / 60, second % 60, frame % 25)
    };
    let edl = std::fs::read_to_string(demo().dir.join("exports/event_1.edl")).unwrap();
    let events: Vec<Vec<&str>> = edl
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let segments = segments();
    assert_eq!(events.len(), segments.len());
    for (event, segment) in events.iter().zip(&segments) {
        let clip = &segment["clips"][0];
        let frame = |name: &str| clip[name].as_u64().unwrap();
        let marks = [at(frame("first_frame")), at(frame("end_frame"))];
        assert_eq!(event[4..6], marks, "{segment}");
    }
    assert!(edl.contains("FCM: NON-DROP FRAME"));
}

#[test]
fn a_replay_of_the_recording_says_the_same() {
    let demo = demo();
    let path = |name: &str| demo.dir.join(name).display().to_string();
    let (observations, segments) = (path("observations.jsonl"), path("segments.jsonl"));
    let args = |more: &[&str]| {
        let mut args = vec!["replay", "demo/demo.toml", "--format", "json"];
        args.extend(["--observations", &observations]);
        args.extend(more);
        demo.work
            .matchcut_in(repository(), args)
            .wait()
            .exits(0)
            .json()
    };
    let first = demo.done.json();
    let plain = |document: &Json| -> Vec<Json> {
        let fields = [
            "id",
            "operator",
            "start",
            "end",
            "opto",
            "label",
            "attributes",
        ];
        let segments = document["segments"].as_array().unwrap().iter();
        segments
            .map(|line| fields.iter().map(|name| line[*name].clone()).collect())
            .collect()
    };
    for more in [
        Vec::new(),
        vec!["--observations", &segments],
        vec!["--observations", &segments, "-w", "4", "--end", "210"],
    ] {
        let again = args(&more);
        assert_eq!(plain(&again), plain(&first), "{more:?}");
        assert_eq!(again["replays"], first["replays"], "{more:?}");
    }
}
