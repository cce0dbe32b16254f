//! Chapters of a replay MP4, as ffprobe reads them in each of the two ways that they are written; the
//! pictures stay what they are.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::*;
use matchcut_media::cut::{Cut, exact, write_replay_mp4, write_replay_mp4_with_chapters};
use matchcut_model::time::TimeRange;
use serde_json::{Value as Json, json};

const RANGES: [(i64, i64); 3] = [(163, 240), (63, 127), (100, 101)];

const TITLES: [&str; 3] = ["Satz 1, \"Größe\"\n;=#", " ", "</script> & x"];

fn chapters(path: &Path) -> Vec<(f64, f64, String)> {
    let said = output(
        Command::new("ffprobe")
            .args(["-v", "error", "-show_chapters", "-of", "json"])
            .arg(path),
    );
    let said: Json = serde_json::from_slice(&said).unwrap();
    let seconds = |value: &Json| value.as_str().unwrap().parse().unwrap();
    let all = said["chapters"].as_array().unwrap().iter().map(|chapter| {
        let title = chapter["tags"]["title"].as_str().unwrap().to_owned();
        (
            seconds(&chapter["start_time"]),
            seconds(&chapter["end_time"]),
            title,
        )
    });
    all.collect()
}

/// The file with one kind of box hidden from readers.
fn without(bytes: &[u8], kind: &[u8; 4]) -> Vec<u8> {
    let at = bytes.windows(4).position(|four| four == kind).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + 4].copy_from_slice(b"free");
    bytes
}

#[test]
fn both_kinds_are_read_and_no_frame_changes() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let placed = placed(&chunks);
    let cuts: Vec<Cut> = RANGES
        .iter()
        .map(|&(from, to)| {
            let range = TimeRange::new(material.time(from), material.time(to));
            exact(&placed, range, None).unwrap()
        })
        .collect();
    let mut bytes = Vec::new();
    let titles = TITLES.map(str::to_owned);
    write_replay_mp4_with_chapters(&cuts, &titles, &mut bytes).unwrap();
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("replay.mp4");
    fs::write(&path, &bytes).unwrap();

    let expected: Vec<Option<u16>> = RANGES
        .iter()
        .flat_map(|&(from, to)| (from..to).map(|n| Some(n as u16)))
        .collect();
    assert_eq!(frames_in_ffmpeg(&path), expected);
    assert_eq!(frames_in_gstreamer(&path), expected);

    let wanted = [
        (0.0, 3.08, "Satz 1, \"Größe\" ;=#"),
        (3.08, 5.64, "-"),
        (5.64, 5.68, "</script> & x"),
    ];
    for hidden in [None, Some(b"chpl"), Some(b"chap")] {
        let path = match hidden {
            None => path.clone(),
            Some(kind) => {
                let path = out.path().join("half.mp4");
                fs::write(&path, without(&bytes, kind)).unwrap();
                path
            }
        };
        let found = chapters(&path);
        assert_eq!(found.len(), wanted.len(), "{hidden:?}: {found:?}");
        for ((start, end, title), wanted) in found.iter().zip(&wanted) {
            assert!((start - wanted.0).abs() < 0.0001, "{hidden:?}: {found:?}");
            // The list says when chapters begin, and no more: the last ends when the movie does.
            let last = wanted.1 > 5.65;
            assert!(
                last || (end - wanted.1).abs() < 0.0001,
                "{hidden:?}: {found:?}"
            );
            assert_eq!(title, wanted.2);
        }
    }
}

#[test]
fn without_titles_there_are_none() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let range = TimeRange::new(material.time(60), material.time(80));
    let cuts = [exact(&placed(&chunks), range, None).unwrap()];
    let (mut plain, mut none) = (Vec::new(), Vec::new());
    write_replay_mp4(&cuts, &mut plain).unwrap();
    write_replay_mp4_with_chapters(&cuts, &[], &mut none).unwrap();
    assert!(plain == none);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("replay.mp4");
    fs::write(&path, &plain).unwrap();
    assert_eq!(json!(chapters(&path)), json!([]));
}
