//! Several cuts in one MP4: which frames ffmpeg and GStreamer show is read from the picture.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs::File;
use std::path::Path;

use common::*;
use matchcut_media::cut::{Cut, CutChunk, exact, replay_notes, write_mp4, write_replay_mp4};
use matchcut_media::samples::Demuxed;
use matchcut_model::time::TimeRange;

fn cuts(material: Material, chunks: &[Demuxed], ranges: &[(i64, i64)]) -> Vec<Cut> {
    let range = |(from, to)| TimeRange::new(material.time(from), material.time(to));
    let placed = placed(chunks);
    ranges
        .iter()
        .map(|r| exact(&placed, range(*r), None).unwrap())
        .collect()
}

fn check(cuts: &[Cut], ranges: &[(i64, i64)], path: &Path, what: &str) {
    write_replay_mp4(cuts, &mut File::create(path).unwrap()).unwrap();
    let expected: Vec<Option<u16>> = ranges
        .iter()
        .flat_map(|(from, to)| (*from..*to).map(|n| Some(n as u16)))
        .collect();
    for (reader, shown) in [
        ("ffmpeg", frames_in_ffmpeg(path)),
        ("GStreamer", frames_in_gstreamer(path)),
    ] {
        let wrong = shown.iter().zip(&expected).position(|(a, b)| a != b);
        assert!(
            shown == expected,
            "{what} in {reader}: {} frames, not {}; first difference at {wrong:?}: {:?}",
            shown.len(),
            expected.len(),
            wrong.map(|at| &shown[at..shown.len().min(at + 8)])
        );
    }
}

/// Out of order, overlapping in what they hide, and one that begins at a key frame.
const RANGES: [(i64, i64); 3] = [(163, 240), (63, 127), (100, 149)];

#[test]
fn closed_groups() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("replay.mp4");
    check(&cuts(material, &chunks, &RANGES), &RANGES, &path, "closed");
    let source = material.source_sound(0);
    for sound in [sound_in_ffmpeg(&path), sound_in_gstreamer(&path)] {
        let mut at = 0;
        for (from, to) in RANGES {
            // From the middle of each clip: there it must be in sync.
            let length = (to - from) * 1920;
            let middle = at + length / 2;
            let piece = &sound[middle as usize..middle as usize + 8192];
            let (shift, likeness) = find_sound(&source, piece, from * 1920 + length / 2);
            assert!(
                likeness > 0.8 && shift.abs() <= 960,
                "{from}..{to}: {shift} {likeness}"
            );
            at += length;
        }
    }
}

/// Exact in GStreamer. ffmpeg goes on with the decoder's state of the clip before, and may lose a
/// frame where a clip begins without an IDR; what it shows must still be in order.
fn check_open(material: Material) {
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("replay.mp4");
    let cuts = cuts(material, &chunks, &RANGES);
    let notes = replay_notes(&cuts);
    assert!(notes[1].starts_with("2 clips begin at open"), "{notes:?}");
    write_replay_mp4(&cuts, &mut File::create(&path).unwrap()).unwrap();
    let expected: Vec<Option<u16>> = RANGES
        .iter()
        .flat_map(|(from, to)| (*from..*to).map(|n| Some(n as u16)))
        .collect();
    assert_eq!(
        frames_in_gstreamer(&path),
        expected,
        "{} in GStreamer",
        material.name
    );
    let shown = frames_in_ffmpeg(&path);
    assert!(
        shown.len() + 2 >= expected.len(),
        "{} frames in ffmpeg",
        shown.len()
    );
    let mut rest = expected.iter();
    let in_order = shown
        .iter()
        .all(|frame| rest.any(|expected| expected == frame));
    assert!(in_order, "{} in ffmpeg: {shown:?}", material.name);
}

#[test]
fn open_groups() {
    check_open(Material::OPEN_25);
}

/// HEVC has a picture type for splices, so its joins are exact.
#[test]
fn open_groups_of_hevc() {
    let material = Material::HEVC_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let out = tempfile::tempdir().unwrap();
    let cuts = cuts(material, &chunks, &RANGES);
    assert_eq!(replay_notes(&cuts).len(), 1, "no loss at open groups");
    check(&cuts, &RANGES, &out.path().join("replay.mp4"), "HEVC");
}

#[test]
fn a_range_across_a_discontinuity() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let base = placed(&chunks);
    // The chunks in another order, each a stretch of its own: 2, 0.
    let four = material.time(100);
    let shuffled = [
        CutChunk {
            offset: base[0].offset - four - four,
            stretch: 0,
            demuxed: &chunks[2],
        },
        CutChunk {
            offset: base[0].offset + four,
            stretch: 1,
            demuxed: &chunks[0],
        },
    ];
    let range = TimeRange::new(material.time(60), material.time(130));
    let cut = exact(&shuffled, range, None).unwrap();
    assert_eq!(cut.report.frames, 70);
    assert!(
        cut.report
            .notes
            .iter()
            .any(|note| note.contains("crosses 1 discontinuities")),
        "{:?}",
        cut.report.notes
    );
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("clip.mp4");
    write_mp4(&cut, &mut File::create(&path).unwrap()).unwrap();
    check(&[cut], &[(260, 300), (0, 30)], &path, "discontinuity");
}

#[test]
fn parameter_sets_that_change_between_cuts() {
    let (first, second) = (Material::CLOSED_25, Material::CLOSED_2997);
    let (Some(a), Some(b)) = (first.make(), second.make()) else {
        return;
    };
    let (a, b) = (first.chunks(&a), second.chunks(&b));
    let mut all = cuts(first, &a, &[(63, 120)]);
    all.extend(cuts(second, &b, &[(70, 130)]));
    let out = tempfile::tempdir().unwrap();
    check(
        &all,
        &[(63, 120), (70, 130)],
        &out.path().join("replay.mp4"),
        "two sources",
    );
}
