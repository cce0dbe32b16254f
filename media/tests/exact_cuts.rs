//! Exact cuts are exact: which frames and which samples ffmpeg and GStreamer show is read from the
//! picture and the sound, for the ranges that have found faults in other writers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs::File;
use std::path::Path;

use common::*;
use matchcut_media::cut::{CutError, CutReport, exact, write_mp4};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{MediaTime, TimeRange};

fn cut(
    material: Material,
    chunks: &[Demuxed],
    (from, to): (i64, i64),
    track: Option<TrackNumber>,
    path: &Path,
) -> CutReport {
    let range = TimeRange::new(material.time(from), material.time(to));
    let cut = exact(
        &placed(chunks),
        range,
        track.as_ref().map(std::slice::from_ref),
    )
    .unwrap();
    write_mp4(&cut, &mut File::create(path).unwrap()).unwrap();
    cut.report
}

/// Ranges that find faults: inside groups, from a leading picture, from a key frame, to just before
/// and just after a key frame, one frame, across and along chunk borders (every second group).
fn ranges(group: i64) -> [(i64, i64); 8] {
    [
        (group + 13, 3 * group + 37),
        (2 * group - 1, 4 * group + 1),
        (2 * group, 4 * group - 1),
        (group - 2, 4 * group + 2),
        (3 * group, 3 * group + 1),
        (2 * group - 2, 2 * group + 2),
        (2 * group, 4 * group),
        (0, 10),
    ]
}

fn check_all(material: Material) {
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let source = material.source_sound(0);
    // One sample, since 29.97 frames do not begin on one; the edit lists that ffmpeg writes into
    // fragmented files are rounded to milliseconds.
    let slack = if material.fmp4 { 48 } else { 1 };
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("clip.mp4");
    for (from, to) in ranges(material.group()) {
        let what = format!("{} {from}..{to}", material.name);
        let report = cut(material, &chunks, (from, to), None, &path);
        assert_eq!(report.frames, (to - from) as u64, "{what}");
        assert_eq!(report.max_error_frames, 0);
        let tick = MediaTime::from_ticks(1, 90_000);
        assert!(
            (report.start - material.time(from)).abs() <= tick,
            "{what} {report:?}"
        );
        assert!(
            (report.end - material.time(to)).abs() <= tick,
            "{what} {report:?}"
        );
        assert_frames(
            &frames_in_ffmpeg(&path),
            from,
            to,
            &format!("{what} in ffmpeg"),
        );
        assert_frames(
            &frames_in_gstreamer(&path),
            from,
            to,
            &format!("{what} in GStreamer"),
        );
        if to - from > 100 {
            let start = material.time(from).to_ticks(SAMPLE_RATE as u32);
            let length = material.time(to - from).to_ticks(SAMPLE_RATE as u32);
            for (reader, sound) in [
                ("ffmpeg", sound_in_ffmpeg(&path)),
                ("GStreamer", sound_in_gstreamer(&path)),
            ] {
                let piece = &sound[4096..12_288];
                let (shift, likeness) = find_sound(&source, piece, start + 4096);
                assert!(likeness > 0.8, "{what} in {reader}: {likeness}");
                assert!(
                    shift.abs() <= slack,
                    "{what} in {reader}: {shift} samples off"
                );
                // Near the end still in sync, and no hole between.
                let late = length - 16_384;
                let piece = &sound[late as usize..late as usize + 8192];
                let (shift, likeness) = find_sound(&source, piece, start + late);
                assert!(
                    likeness > 0.8 && shift.abs() <= slack,
                    "{what} in {reader}: {shift}"
                );
                let error = sound.len() as i64 - length;
                assert!(
                    (-3200..=1024).contains(&error),
                    "{what} in {reader}: end {error}"
                );
            }
        }
    }
}

#[test]
fn closed_groups_at_25() {
    check_all(Material::CLOSED_25);
}

#[test]
fn open_groups_at_25() {
    check_all(Material::OPEN_25);
}

#[test]
fn open_groups_at_29_97() {
    check_all(Material::OPEN_2997);
}

#[test]
fn open_groups_at_50() {
    check_all(Material::OPEN_50);
}

#[test]
fn hevc_open_groups() {
    check_all(Material::HEVC_25);
}

#[test]
fn fragmented_mp4_and_its_second_track() {
    let material = Material::FMP4_25;
    check_all(material);
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("clip.mp4");
    cut(material, &chunks, (63, 187), Some(TrackNumber(2)), &path);
    let sound = sound_in_ffmpeg(&path);
    let start = material.time(63).to_ticks(48_000);
    let (shift, likeness) = find_sound(
        &material.source_sound(1),
        &sound[4096..12_288],
        start + 4096,
    );
    assert!(likeness > 0.8 && shift.abs() <= 48, "{shift} {likeness}");
    let (_, likeness) = find_sound(
        &material.source_sound(0),
        &sound[4096..12_288],
        start + 4096,
    );
    assert!(likeness < 0.2, "the first track is not in it: {likeness}");

    let range = TimeRange::new(material.time(63), material.time(187));
    let missing = exact(&placed(&chunks), range, Some(&[TrackNumber(3)]));
    assert_eq!(
        missing.unwrap_err().to_string(),
        "no audio track 3; there is 1, 2"
    );
}

#[test]
fn only_sound_and_only_pictures() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let mut chunks = material.chunks(&dir);
    let offset = placed(&chunks)[0].offset;
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("clip.m4a");

    let range = TimeRange::new(MediaTime::from_millis(2_345), MediaTime::from_millis(6_789));
    let mut silent = chunks.clone();
    silent.iter_mut().for_each(|chunk| chunk.audio.clear());
    let cut = exact(&placed(&silent), range, Some(&[TrackNumber::FIRST])).unwrap();
    write_mp4(&cut, &mut File::create(&path).unwrap()).unwrap();
    assert_frames(&frames_in_ffmpeg(&path), 59, 170, "only pictures");
    assert_frames(&frames_in_gstreamer(&path), 59, 170, "only pictures");

    chunks.iter_mut().for_each(|chunk| chunk.video = None);
    let placed: Vec<_> = chunks
        .iter()
        .map(|demuxed| matchcut_media::cut::CutChunk {
            demuxed,
            offset,
            stretch: 0,
        })
        .collect();
    let cut = exact(&placed, range, None).unwrap();
    assert_eq!((cut.report.frames, cut.report.first_frame_time), (0, None));
    write_mp4(&cut, &mut File::create(&path).unwrap()).unwrap();
    let source = material.source_sound(0);
    let start = range.start.to_ticks(48_000);
    for sound in [sound_in_ffmpeg(&path), sound_in_gstreamer(&path)] {
        let (shift, likeness) = find_sound(&source, &sound[4096..12_288], start + 4096);
        assert!(likeness > 0.8 && shift.abs() <= 1, "{shift} {likeness}");
    }
}

#[test]
fn what_cannot_be_cut_is_said() {
    let material = Material::OPEN_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let all = placed(&chunks);
    let range = |from, to| TimeRange::new(material.time(from), material.time(to));
    assert!(matches!(
        exact(&all, range(5000, 5010), None),
        Err(CutError::Empty(_))
    ));
    assert!(matches!(
        exact(&[], range(0, 10), None),
        Err(CutError::Empty(_))
    ));
    // Frame 99 is stored in chunk 1, after the key frame 100; what it needs is in chunk 0.
    let error = exact(&all[1..], range(99, 110), None).unwrap_err();
    assert!(matches!(error, CutError::NoKeyFrame { .. }), "{error}");
    let report = exact(&all, range(60, 70), None).unwrap().report;
    assert!(
        !report.browser && report.notes.iter().any(|n| n.contains("browsers")),
        "{report:?}"
    );
    let report = exact(&all, range(10, 20), None).unwrap().report;
    assert!(report.browser, "it starts at an IDR: {report:?}");
}
