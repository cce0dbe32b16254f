//! Playlists over source chunks, by content: byte ranges at key frames give exactly whole groups of
//! pictures, what is said of their error is true, and FFmpeg, GStreamer and hls.js in Chromium play
//! clips across discontinuities without losing or breaking a frame.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
mod hls_support;

use common::*;
use hls_support::*;
use matchcut_media::hls::InstantError;
use matchcut_media::samples::SyncKind;
use matchcut_model::chunk::Encryption;
use matchcut_model::time::{MediaTime, TimeRange};
use serde_json::{Value, json};

/// Out of order, with whole chunks, parts of chunks, and a group in the middle of one.
const CLIPS: [(i64, i64); 3] = [(160, 240), (250, 300), (13, 40)];

/// The same without the last group, in which the sound ends before the picture: hls.js lets what
/// follows begin where the first of both ends in fragmented MP4.
const FRAGMENT_CLIPS: [(i64, i64); 3] = [(110, 190), (200, 240), (13, 40)];

fn expected(frames: &[i64]) -> Vec<Option<u16>> {
    frames.iter().map(|n| Some(*n as u16)).collect()
}

#[test]
fn groups_by_byte_range() {
    let Some(stream) = Stream::of(Material::CLOSED_25) else {
        return;
    };
    let time = |frame| stream.material.time(frame);
    let (first, report) = stream.clip(160, 240).unwrap();
    assert_eq!(report.played, TimeRange::new(time(150), time(250)));
    assert_eq!((report.early, report.late), (time(10), time(10)));
    assert_eq!((report.max_error_frames, report.broken_frames), (10, 0));
    assert!(report.browser && report.notes.is_empty() && first.start_at_mark);
    let (_, report) = stream.clip(50, 100).unwrap();
    assert_eq!(
        (report.early, report.late, report.max_error_frames),
        Default::default()
    );
    let error = stream.clip(1000, 1010).unwrap_err();
    assert!(matches!(error, InstantError::Empty(_)));

    let (playlist, frames) = stream.playlist(&CLIPS);
    assert_eq!(
        frames,
        (150..300).chain(0..50).collect::<Vec<i64>>(),
        "150..250, 250..300, 0..50"
    );
    assert_eq!(playlist.duration(), MediaTime::from_seconds(8));
    let text = playlist.to_m3u8();
    assert_eq!(text.matches("#EXT-X-BYTERANGE").count(), 4, "{text}");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY").count(), 2, "{text}");
    assert_eq!(text.matches("#EXTINF:2.000000").count(), 4, "{text}");
    assert!(
        text.contains("#EXT-X-START:TIME-OFFSET=0.400000,PRECISE=YES"),
        "{text}"
    );
    assert!(
        text.contains("X-MARK-IN=0.400000,X-MARK-OUT=3.600000"),
        "{text}"
    );
    assert!(
        text.contains("X-MARK-IN=6.520000,X-MARK-OUT=7.600000"),
        "{text}"
    );
}

#[test]
fn fragments_by_byte_range() {
    let Some(stream) = Stream::in_fragments(Material::CLOSED_25) else {
        return;
    };
    for demuxed in &stream.chunks {
        let points = &demuxed.video.as_ref().unwrap().random_access_points;
        assert_eq!(points.len(), 2);
        assert_eq!(points[0].byte_offset, 0);
        assert!(points.iter().all(|point| point.sync == SyncKind::Idr));
    }
    let (playlist, frames) = stream.playlist(&CLIPS);
    assert_eq!(frames, (150..300).chain(0..50).collect::<Vec<i64>>());
    let text = playlist.to_m3u8();
    assert_eq!(
        text.matches("#EXT-X-MAP:URI=\"init.mp4\"").count(),
        3,
        "{text}"
    );
    assert_eq!(text.matches("#EXT-X-BYTERANGE").count(), 4, "{text}");
}

#[test]
fn what_is_encrypted_is_played_whole() {
    let Some(mut stream) = Stream::of(Material::CLOSED_25) else {
        return;
    };
    stream.encryption = Some(Encryption {
        key_uri: "https://keys.example/1".into(),
        iv: [7; 16],
    });
    let (playlist, frames) = stream.playlist(&[(160, 240)]);
    assert_eq!(frames, (100..300).collect::<Vec<i64>>());
    let text = playlist.to_m3u8();
    assert!(!text.contains("BYTERANGE"), "{text}");
    assert_eq!(
        text.matches("#EXT-X-KEY:METHOD=AES-128").count(),
        1,
        "{text}"
    );
}

#[test]
fn open_groups_are_entered_at_a_clean_key_frame() {
    let Some(stream) = Stream::of(Material::OPEN_25) else {
        return;
    };
    let time = |frame| stream.material.time(frame);
    // Only the first frame of the stream is an IDR, and it lies within reach.
    let (clip, report) = stream.clip(160, 240).unwrap();
    assert_eq!(report.played.start, time(0));
    assert_eq!((report.broken_frames, report.browser), (0, true));
    assert!(
        report.notes[0].contains("when they seek inside"),
        "{report:?}"
    );
    assert!(!clip.start_at_mark, "a player would begin at an open group");
    // It ends before the pictures that lead the next key frame.
    let late = report.played.end - time(240);
    assert!(late > MediaTime::ZERO && late <= time(10), "{report:?}");
    assert_eq!(report.max_error_frames, 160);
    // Without that chunk there is none.
    let rest = Stream {
        chunks: stream.chunks[1..].to_vec(),
        files: stream.files[1..].to_vec(),
        dir: stream.dir.clone(),
        init: None,
        encryption: None,
        material: stream.material,
    };
    let (_, report) = rest.clip(60, 140).unwrap();
    assert!(report.broken_frames > 0 && !report.browser, "{report:?}");
    assert!(report.notes[0].contains("open group"), "{report:?}");
}

#[test]
fn ffmpeg_and_gstreamer_deliver_every_frame() {
    let (Some(ts), Some(fragments), Some(open)) = (
        Stream::of(Material::CLOSED_25),
        Stream::in_fragments(Material::CLOSED_25),
        Stream::of(Material::OPEN_25),
    ) else {
        return;
    };
    let in_order = [(13, 40), (110, 140), (210, 300)];
    let cases = [
        ("ts.m3u8", &ts, &CLIPS[..], true),
        // FFmpeg's MP4 demuxer drops what goes back in time (`docs/src/explanation/cuts.md`).
        ("mp4_back.m3u8", &fragments, &CLIPS[..], false),
        ("mp4.m3u8", &fragments, &in_order[..], true),
        ("open.m3u8", &open, &[(110, 140), (13, 90)][..], true),
    ];
    for (name, stream, clips, in_ffmpeg) in cases {
        let (playlist, frames) = stream.playlist(clips);
        let path = stream.write(&format!("test_{name}"), &playlist);
        let server = Server::new(&stream.dir);
        let uri = server.url(&format!("test_{name}"));
        let frames = expected(&frames);
        if in_ffmpeg {
            assert_eq!(frames_in_ffmpeg(&path), frames, "FFmpeg: {name}");
        }
        let shown = frames_in_gstreamer_player("uridecodebin", &uri);
        assert_eq!(shown, frames, "GStreamer's hlsdemux: {name}");
        if name == "ts.m3u8" {
            let shown = frames_in_gstreamer_player("uridecodebin3", &uri);
            assert_eq!(shown, frames, "GStreamer's hlsdemux2: {name}");
        }
    }
}

/// Fails unless `seen` goes through `frames` in order, from near the first to the last.
fn assert_in_order(seen: &[Value], frames: &[i64], what: &str) {
    let mut at = 0;
    for (index, frame) in seen.iter().enumerate() {
        let frame = frame
            .as_i64()
            .unwrap_or_else(|| panic!("{what}: unreadable picture {index} of {seen:?}"));
        let found = frames[at..].iter().position(|expected| *expected == frame);
        let Some(step) = found else {
            panic!("{what}: frame {frame} after {}: {seen:?}", frames[at]);
        };
        at += step;
    }
    assert!(
        at + 2 >= frames.len(),
        "{what}: ends at {}: {seen:?}",
        frames[at]
    );
}

/// The frames that a sweep across a join shows, each once; the last `spare` before it may be lost.
fn assert_sweep(sweep: &Value, frames: &[i64], join: usize, spare: usize, what: &str) {
    let mut shown: Vec<i64> = sweep
        .as_array()
        .unwrap()
        .iter()
        .map(|frame| frame.as_i64().expect("readable"))
        .collect();
    shown.dedup();
    let from = frames.iter().position(|frame| *frame == shown[0]).unwrap();
    let whole = |lost: usize| {
        let before = frames[from..join - lost].iter();
        let shown_after = (shown.len() + lost + from).saturating_sub(join);
        let after = frames[join..].iter().take(shown_after);
        shown_after > 0 && before.chain(after).eq(&shown)
    };
    assert!(
        from < join && (0..=spare).any(whole),
        "{what}: {shown:?} across the join at {join}"
    );
}

#[test]
fn chromium_plays_across_joins_and_follows_versions() {
    let Some(hls) = hls_js() else { return };
    let (Some(ts), Some(fragments), Some(open)) = (
        Stream::of(Material::CLOSED_25),
        Stream::in_fragments(Material::CLOSED_25),
        Stream::of(Material::OPEN_25),
    ) else {
        return;
    };
    let server = Server::new(ts.dir.parent().unwrap());
    server.serve("hls.min.js", std::fs::read(hls).unwrap());
    server.serve(
        "catchup-player.js",
        include_str!("../../docs/src/how-to/catchup-player.js"),
    );
    server.serve("player.html", include_str!("hls_support/player.html"));
    let path = |stream: &Stream, name: &str| {
        let dir = stream.dir.file_name().unwrap().to_string_lossy();
        format!("{dir}/{name}")
    };

    let mut plan = Vec::new();
    let mut wanted = Vec::new();
    let cases = [
        ("ts", &ts, &CLIPS[..]),
        ("mp4", &fragments, &FRAGMENT_CLIPS[..]),
        ("open", &open, &[(110, 140), (13, 90)][..]),
    ];
    for (name, stream, clips) in cases {
        let (playlist, frames) = stream.playlist(clips);
        let at = path(stream, &format!("browser_{name}.m3u8"));
        server.serve(&at, playlist.to_m3u8());
        let mut joins = Vec::new();
        let mut time = MediaTime::ZERO;
        for clip in &playlist.clips[..playlist.clips.len() - 1] {
            time += clip.duration();
            joins.push(time);
        }
        // Chromium plays open groups on, and hangs when it seeks to one.
        if name == "open" {
            joins.clear();
        }
        let seconds: Vec<f64> = joins.iter().map(|time| time.as_seconds_f64()).collect();
        plan.push(json!({
            "name": name, "playlist": at, "joins": seconds, "fps": 25, "rate": 2,
        }));
        let joins: Vec<usize> = joins.iter().map(|t| t.to_ticks(25) as usize).collect();
        wanted.push((name, frames, joins, clips[0].0, clips.len()));
    }

    // Version 2 ranks a clip before the one that is being watched, and another one behind it.
    let one = [(200, 300), (0, 50)];
    let two = [(50, 100), (200, 300), (150, 200)];
    for (name, at) in [("now", "now"), ("boundary", "boundary")] {
        let mut pointers = Vec::new();
        for (version, clips) in [(1, &one[..]), (2, &two[..])] {
            let list = format!("follow_{name}_v{version}.m3u8");
            let (playlist, _) = ts.playlist(clips);
            server.serve(&path(&ts, &list), playlist.to_m3u8());
            let mut start = 0.0;
            let clips: Vec<Value> = clips
                .iter()
                .map(|(from, to)| {
                    let duration = (to - from) as f64 / 25.0;
                    let clip = json!({
                        "id": format!("clip:{from}"), "start": start, "duration": duration,
                        "mark_in": start, "mark_out": start + duration,
                        "event_start": *from as f64 / 25.0, "event_end": *to as f64 / 25.0,
                    });
                    start += duration;
                    clip
                })
                .collect();
            pointers.push(json!({
                "version": version, "playlist": list, "clips": clips, "final": version == 2,
            }));
        }
        let pointer = path(&ts, &format!("follow_{name}.json"));
        server.serve(&pointer, pointers[0].to_string());
        server.switch(&format!("switch_{name}"), &pointer, pointers[1].to_string());
        plan.push(json!({
            "name": name, "pointer": pointer, "switch": format!("switch_{name}"),
            "switchAt": 215, "rate": 1, "options": { "at": at },
        }));
    }
    // Between the marks only.
    let (playlist, _) = ts.playlist(&CLIPS);
    server.serve(&path(&ts, "marks.m3u8"), playlist.to_m3u8());
    let clip = |id: &str, start: f64, duration: f64, mark_in: f64, mark_out: f64| {
        json!({
            "id": id, "start": start, "duration": duration, "mark_in": mark_in,
            "mark_out": mark_out, "event_start": 0, "event_end": 0,
        })
    };
    let pointer = json!({
        "version": 1, "playlist": "marks.m3u8", "final": true,
        "clips": [
            clip("a", 0.0, 4.0, 0.4, 3.6),
            clip("b", 4.0, 2.0, 4.0, 6.0),
            clip("c", 6.0, 2.0, 6.52, 7.6),
        ],
    });
    server.serve(&path(&ts, "marks.json"), pointer.to_string());
    plan.push(json!({
        "name": "marks", "pointer": path(&ts, "marks.json"), "rate": 1,
        "options": { "marks": true },
    }));
    server.serve("plan.json", json!(plan).to_string());
    let results = browse(&server, "player.html");
    if std::env::var_os("MATCHCUT_SHOW").is_some() {
        eprintln!("{results}");
    }

    for (name, frames, joins, first, clips) in wanted {
        let result = &results[name];
        assert_eq!(result["failed"], Value::Null, "{name}: {result}");
        assert_eq!(result["errors"], json!([]), "{name}");
        let seen = result["seen"].as_array().unwrap();
        assert_in_order(seen, &frames, name);
        if name != "open" {
            // The very first picture may be painted before the player goes to the mark-in.
            let begins = seen[1].as_i64().unwrap();
            assert!((begins - first).abs() <= 8, "{name}: begins at {begins}");
        }
        assert_eq!(result["buffered"].as_array().unwrap().len(), 1, "{result}");
        let sweeps = result["sweeps"].as_array().unwrap();
        for (sweep, join) in sweeps.iter().zip(&joins) {
            let spare = if name == "mp4" { 2 } else { 0 };
            assert_sweep(sweep, &frames, *join, spare, name);
        }
        let ranges = result["ranges"].as_array().unwrap();
        assert_eq!(ranges.len(), clips, "{name}: {ranges:?}");
    }

    let result = &results["marks"];
    assert_eq!(result["failed"], Value::Null, "{result}");
    let seen = result["seen"].as_array().unwrap();
    let seen: Vec<i64> = seen.iter().map(|frame| frame.as_i64().unwrap()).collect();
    // What was painted until the first seek, at most: after it nothing outside the marks.
    let begins = seen.iter().position(|frame| *frame == 160 || *frame == 161);
    let begins = begins.unwrap_or_else(|| panic!("marks: {seen:?}"));
    assert!(begins <= 8, "marks: {seen:?}");
    // A browser that is short of time skips pictures, and may so see the end of a clip one late.
    let marked = |frame: i64| {
        CLIPS
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&frame))
    };
    assert!(
        seen[begins..].iter().all(|frame| marked(*frame)),
        "marks: {seen:?}"
    );
    for (from, to) in CLIPS {
        for edge in [from, to - 2] {
            let near = seen.contains(&edge) || seen.contains(&(edge + 1));
            assert!(near, "marks: {edge} in {seen:?}");
        }
    }

    for (name, second) in [("now", 2), ("boundary", 2)] {
        let result = &results[name];
        assert_eq!(result["failed"], Value::Null, "{name}: {result}");
        assert_eq!(result["errors"], json!([]), "{name}");
        let versions = result["versions"].as_array().unwrap();
        assert_eq!(versions.len(), second, "{name}: {versions:?}");
        let seen: Vec<i64> = result["seen"]
            .as_array()
            .unwrap()
            .iter()
            .map(|frame| frame.as_i64().expect("readable"))
            .collect();
        let at = versions[1][1].as_u64().unwrap() as usize;
        let (before, after) = (seen[at - 1], seen[at]);
        if name == "now" {
            assert!(
                (before - 4..=before + 4).contains(&after),
                "{name}: {before} then {after}"
            );
        } else {
            assert!(
                (296..300).contains(&before),
                "{name}: {before} then {after}"
            );
            assert!((150..154).contains(&after), "{name}: {before} then {after}");
        }
        assert!(seen[at..].ends_with(&[199]), "{name}: {:?}", &seen[at..]);
    }
}
