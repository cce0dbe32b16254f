//! Sound in playlists of its own: each language is an audio track with a number that stays, is heard
//! by operators and is in the clips of its track. Sound that does not come is asked for again, and
//! what never comes is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::support::ladder::{CHUNKS, CUTS, ladder, master, playlist};
use crate::support::media::{pictures, sound, tones};
use crate::support::server::{Answer, Server};
use crate::support::{Running, Work, lines, same_text};

const SPEC: &str = r#"[pipeline]
name = "languages"

[sources.tv]
type = "hls"
uri = "URI"
reload = "100ms"
variant = "lowest"

[operators.cuts]
type = "scene_change"
inputs = ["tv.video"]

[operators.quiet]
type = "audio_silence"
inputs = ["tv.audio"]
min_duration = "500ms"

[operators.shot]
type = "segment_by_shot"
inputs = ["cuts"]

[operators.gap]
type = "segment_passthrough"
inputs = ["quiet"]
from = "ranges"
"#;

/// English and French.
const TONES: [f64; 2] = [440.0, 880.0];

const RUN: [&str; 4] = ["run", "tv.toml", "--out", "out"];

/// A server with all renditions, and a directory to run in.
fn prepared(options: &str) -> (Server, Work) {
    let server = Server::start();
    server.serve_all(ladder());
    server.serve("master.m3u8", master(&["low"], true));
    let work = Work::new();
    let uri = format!("{}\"\n{options}#\"", server.url("master.m3u8"));
    work.write("tv.toml", SPEC.replace("URI", &uri));
    (server, work)
}

/// Playlists of the first chunks of the pictures and both sounds.
fn publish(server: &Server, number: usize, ended: bool) {
    // Sound first: no chunk waits for it.
    for name in ["en", "fr", "low"] {
        let list = format!("{name}.m3u8");
        server.serve(&list, playlist(name, number, ended));
    }
}

fn chunk_bytes(name: &str) -> Vec<u8> {
    fs::read(ladder().join(name)).unwrap()
}

/// The silences of each track.
fn silences(work: &Work) -> BTreeMap<u64, Vec<(f64, f64)>> {
    let mut found: BTreeMap<u64, Vec<(f64, f64)>> = BTreeMap::new();
    for line in lines(&work.path("out/observations.jsonl")) {
        if line["operator"] == "quiet" {
            let time = |name: &str| line[name].as_f64().unwrap();
            let of = found.entry(line["track"].as_u64().unwrap()).or_default();
            of.push((time("start"), time("end")));
        }
    }
    found
}

fn near(found: &[(f64, f64)], expected: (f64, f64)) {
    let [(start, end)] = found else {
        panic!("{found:?}")
    };
    assert!(
        (start - expected.0).abs() < 0.1 && (end - expected.1).abs() < 0.1,
        "{found:?}"
    );
}

struct Clip {
    track: u64,
    first: usize,
    end: usize,
    path: PathBuf,
}

fn clips(work: &Work) -> Vec<Clip> {
    let segments = lines(&work.path("out/segments.jsonl"));
    let shots = segments.iter().filter(|line| line["operator"] == "shot");
    let clips = shots.flat_map(|segment| {
        let clips = segment["clips"].as_array().unwrap();
        clips.iter().map(|clip| Clip {
            track: clip["track"].as_u64().unwrap(),
            first: clip["first_frame"].as_u64().unwrap() as usize,
            end: clip["end_frame"].as_u64().unwrap() as usize,
            path: work.path("out").join(clip["path"].as_str().unwrap()),
        })
    });
    clips.collect()
}

/// Failures that stand at the end.
fn failures(work: &Work) -> Vec<Json> {
    let mut standing: Vec<Json> = Vec::new();
    for line in lines(&work.path("out/log.jsonl")) {
        if line["kind"] != "error" {
            continue;
        }
        match line["diff"].as_i64() {
            Some(1) => standing.push(line["value"].clone()),
            _ => standing.retain(|value| *value != line["value"]),
        }
    }
    standing
}

fn same_results(one: &Work, other: &Work) {
    for name in ["observations.jsonl", "segments.jsonl"] {
        let read = |work: &Work| fs::read(work.path("out").join(name)).unwrap();
        same_text(name, &read(one), &read(other));
    }
    for (left, right) in clips(one).iter().zip(clips(other)) {
        let same = fs::read(&left.path).unwrap() == fs::read(&right.path).unwrap();
        assert!(same, "{} differs", left.path.display());
    }
}

/// A run that nothing happens to.
fn undisturbed() -> Work {
    let (_server, work) = prepared("");
    work.ok(RUN).says_times(0, "warning");
    work
}

#[test]
fn every_language_is_a_track() {
    let work = undisturbed();
    let quiet = silences(&work);
    assert_eq!(quiet.keys().collect::<Vec<_>>(), [&1, &2]);
    near(&quiet[&1], (2.6, 3.8));
    near(&quiet[&2], (5.2, 6.6));

    let source = pictures(&ladder().join("low.m3u8"));
    let clips = clips(&work);
    assert_eq!(clips.len(), 2 * (CUTS.len() + 1));
    for clip in &clips {
        assert!(pictures(&clip.path) == source[clip.first..clip.end]);
        let length = (clip.end - clip.first) as f64 / 25.0;
        assert!((sound(&clip.path) - length).abs() < 0.05);
        let [english, french] = tones(&clip.path, TONES);
        match clip.track {
            1 => assert!(french < 0.01, "{}: {french}", clip.path.display()),
            2 => assert!(english < 0.01, "{}: {english}", clip.path.display()),
            other => panic!("track {other}"),
        }
        // The shot from 2.4 to 3.6 s is silent in English but for its first fifth of a second, the
        // one from 4.8 to 6 s is in French for two thirds.
        let expected = match (clip.track, clip.first) {
            (1, 60) => 0.067,
            (1, 90) => 0.333,
            (2, 120) => 0.133,
            (2, 150) => 0.2,
            _ => 0.4,
        };
        let heard = english.max(french);
        assert!(
            (heard - expected).abs() < 0.03,
            "track {} from frame {}: {heard}",
            clip.track,
            clip.first
        );
    }
}

#[test]
fn languages_are_chosen_by_name() {
    let (_server, work) = prepared("audio = [\"French\"]\n");
    work.ok(RUN).says_times(0, "warning");
    let quiet = silences(&work);
    assert_eq!(quiet.len(), 1);
    near(&quiet[&1], (5.2, 6.6));
    for clip in clips(&work) {
        let [english, french] = tones(&clip.path, TONES);
        assert!(clip.track == 1 && english < 0.01 && french > 0.1);
    }
    let (_server, work) = prepared("audio = [\"Klingon\"]\n");
    work.fails(1, RUN)
        .says("has no audio \"Klingon\" for this variant; it has \"English\", \"French\"");
}

#[test]
fn sound_that_fails_once_is_fetched_again() {
    let (server, work) = prepared("");
    for name in ["en1.ts", "fr0.ts"] {
        server.set(name, Answer::StatusOnce(503, chunk_bytes(name)));
    }
    work.ok(RUN).says_times(0, "warning");
    assert_eq!((server.asked("en1.ts"), server.asked("fr0.ts")), (2, 2));
    same_results(&work, &undisturbed());
}

fn until_seen(run: &mut Running, chunk: &str) {
    run.until("out/log.jsonl", |text| {
        text.lines()
            .any(|line| line.contains(chunk) && line.contains("\"chunk\",\"diff\":1"))
    });
}

#[test]
fn sound_that_comes_later_corrects_what_was_told() {
    for late in ["en0.ts", "fr2.ts"] {
        // Requests are not repeated: what fails waits for the next attempt.
        let (server, work) = prepared("retries = 0\n");
        server.set(late, Answer::Status(503));
        publish(&server, CHUNKS, false);
        let mut run = work.matchcut(RUN);
        until_seen(&mut run, "low3.ts");
        run.until("out/log.jsonl", |text| text.contains("cannot be heard"));
        server.serve(late, chunk_bytes(late));
        // The chunk is told again, whole.
        let chunk = late.replace("en", "low").replace("fr", "low");
        run.until("out/log.jsonl", |text| {
            let mut lines = text.lines();
            lines.any(|line| line.contains(&chunk) && line.contains("\"chunk\",\"diff\":-1"))
        });
        publish(&server, CHUNKS, true);
        run.wait().exits(0).says_times(1, "cannot be heard");
        assert_eq!(failures(&work), [] as [Json; 0], "{late}");
        same_results(&work, &undisturbed());
    }
}

#[test]
fn sound_that_never_comes_is_told() {
    for (answer, message) in [
        (
            Answer::Status(404),
            "does not exist (the server answered 404)",
        ),
        (Answer::Status(503), "the server answered 503"),
        (
            Answer::Bytes(b"no sound at all".to_vec()),
            "not an MPEG transport stream",
        ),
    ] {
        // English, which would be the first track, is missing at the very beginning.
        let (server, work) = prepared("retries = 0\n");
        server.set("en0.ts", answer);
        let done = work.ok(RUN);
        done.says("warning: chunk 0 (")
            .says("audio rendition \"English\" cannot be heard: ")
            .says(message);
        let told = failures(&work);
        let [told] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(told["position"], json!(0));
        // The tracks are what they are otherwise, and so is everything else.
        let quiet = silences(&work);
        near(&quiet[&1], (2.6, 3.8));
        near(&quiet[&2], (5.2, 6.6));
        // The first two shots show the chunk.
        for clip in clips(&work).into_iter().take(4) {
            let [english, french] = tones(&clip.path, TONES);
            match clip.track {
                1 => assert!(french < 0.01),
                _ => assert!(english < 0.01 && french > 0.1),
            }
        }
    }
}

#[test]
fn sound_that_is_missing_is_asked_for_after_a_restart() {
    let (server, work) = prepared("retries = 0\n");
    server.set("fr1.ts", Answer::Status(503));
    publish(&server, CHUNKS, false);
    let mut run = work.matchcut(RUN);
    until_seen(&mut run, "low3.ts");
    run.kill();
    server.serve("fr1.ts", chunk_bytes("fr1.ts"));
    let mut run = work.matchcut(["run", "tv.toml", "--out", "out", "--resume"]);
    run.until("out/log.jsonl", |text| {
        let mut lines = text.lines();
        lines.any(|line| line.contains("low1.ts") && line.contains("\"chunk\",\"diff\":-1"))
    });
    publish(&server, CHUNKS, true);
    run.wait().exits(0);
    assert_eq!(failures(&work), [] as [Json; 0]);
    same_results(&work, &undisturbed());
}
