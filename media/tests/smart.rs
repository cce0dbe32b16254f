//! Smart cuts: the very frames without an edit list, read from the picture in ffmpeg and GStreamer,
//! and again with the edit list taken away.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs::File;
use std::path::Path;

use common::small::{Small, in_ffmpeg, in_gstreamer, placed, shown_by_ffmpeg, sound_of_track};
use common::{assert_frames, find_sound};
use matchcut_media::cut::{Cut, exact, replay_notes, smart, write_mp4, write_replay_mp4};
use matchcut_media::samples::Demuxed;
use matchcut_model::time::TimeRange;

fn cut(material: Small, demuxed: &Demuxed, (from, to): (i64, i64)) -> Cut {
    let range = TimeRange::new(material.time(from), material.time(to));
    smart(exact(&placed(demuxed), range, None).unwrap()).unwrap()
}

fn write(cut: &Cut, path: &Path) {
    write_mp4(cut, &mut File::create(path).unwrap()).unwrap();
}

/// The same file for readers that know nothing of edit lists.
fn without_edits(path: &Path) -> tempfile::NamedTempFile {
    let mut bytes = std::fs::read(path).unwrap();
    let mut found = 0;
    for at in 0..bytes.len() - 4 {
        if &bytes[at..at + 4] == b"edts" {
            bytes[at..at + 4].copy_from_slice(b"free");
            found += 1;
        }
    }
    assert!(found > 0);
    let out = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(out.path(), bytes).unwrap();
    out
}

fn check(material: Small, range: (i64, i64), encoded: u64) {
    let Some(path) = material.make() else { return };
    let demuxed = material.demuxed(&path);
    let (from, to) = range;
    let what = format!("{} {from}..{to}", material.name);
    let cut = cut(material, &demuxed, range);
    assert_eq!(cut.report.frames, (to - from) as u64, "{what}");
    assert_eq!(
        cut.report.encoded_frames, encoded,
        "{what} {:?}",
        cut.report
    );
    assert_eq!(cut.report.browser, !material.hevc, "{what}");
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    write(&cut, &clip);
    assert_frames(&in_ffmpeg(&clip), from, to, &format!("{what} in ffmpeg"));
    assert_frames(
        &in_gstreamer(&clip),
        from,
        to,
        &format!("{what} in GStreamer"),
    );
    let plain = without_edits(&clip);
    let what = format!("{what} without edits");
    // GStreamer would end at the edited duration, less the distance of decoding and presentation.
    assert_frames(&in_ffmpeg(plain.path()), from, to, &what);
    if to - from > 20 {
        let start = material.time(from).to_ticks(48_000);
        let sound = sound_of_track(&clip, 0);
        let piece = &sound[4096..12_288];
        let (shift, likeness) = find_sound(&material.sound(0), piece, start + 4096);
        assert!(
            likeness > 0.8 && shift.abs() <= 1,
            "{what}: {shift} {likeness}"
        );
    }
}

#[test]
fn edges_are_encoded_and_the_inside_is_copied() {
    // Groups begin at 0, 25, 50, 75 and 100. The last picture of a group needs nothing after it.
    check(Small::CLOSED, (13, 87), 12 + 12);
    check(Small::CLOSED, (25, 75), 0);
    check(Small::CLOSED, (24, 76), 1);
    check(Small::CLOSED, (24, 77), 1 + 2);
    check(Small::CLOSED, (30, 45), 15);
    check(Small::CLOSED, (49, 50), 1);
}

#[test]
fn at_59_94() {
    let material = Small {
        name: "closed5994",
        rate: (60_000, 1001),
        ..Small::CLOSED
    };
    check(material, (61, 199), 59 + 19);
}

#[test]
fn open_groups_of_h264_are_encoded_whole() {
    let material = Small {
        name: "open25",
        open: true,
        ..Small::CLOSED
    };
    check(material, (13, 87), 74);
    // The stream begins with an IDR, so this one can be copied up to the last group.
    check(material, (0, 60), 10);
}

#[test]
fn fields_stay_fields() {
    check(
        Small {
            name: "mbaff",
            interlaced: true,
            ..Small::CLOSED
        },
        (13, 87),
        24,
    );
}

#[test]
fn hevc_with_open_groups() {
    let material = Small {
        name: "hevcopen25",
        hevc: true,
        open: true,
        ..Small::CLOSED
    };
    let Some(path) = material.make() else { return };
    let demuxed = material.demuxed(&path);
    let cut = cut(material, &demuxed, (13, 87));
    assert!(cut.report.encoded_frames < 40, "{:?}", cut.report);
    check(material, (13, 87), cut.report.encoded_frames);
}

/// The edges look like the source: far better than any difference that can be seen.
#[test]
fn the_edges_look_like_the_source() {
    let Some(path) = Small::CLOSED.make() else {
        return;
    };
    let demuxed = Small::CLOSED.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    write(&cut(Small::CLOSED, &demuxed, (13, 87)), &clip);
    let mut command = std::process::Command::new("ffmpeg");
    command
        .args(["-v", "error", "-i"])
        .arg(&clip)
        .arg("-i")
        .arg(&path);
    command.args([
        "-lavfi",
        "[1:v]select='between(n,13,86)',settb=1/1000,setpts=N*40[a];[0:v]settb=1/1000,setpts=N*40[b];[a][b]psnr=f=-",
    ]);
    command.args(["-f", "null", "-"]);
    let text = String::from_utf8(common::output(&mut command)).unwrap();
    let luma: Vec<f64> = text
        .lines()
        .filter_map(|line| line.split("psnr_y:").nth(1)?.split(' ').next())
        .map(|value| value.parse().unwrap_or(f64::INFINITY))
        .collect();
    assert_eq!(luma.len(), 74);
    let worst = luma.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(worst > 44.0, "{worst} dB: {luma:?}");
    assert!(luma[12..62].iter().all(|db| *db > 90.0), "copied: {luma:?}");
}

/// Joined with others there is still one description and one edit.
#[test]
fn a_replay_of_smart_clips_has_no_seams() {
    let Some(path) = Small::CLOSED.make() else {
        return;
    };
    let demuxed = Small::CLOSED.demuxed(&path);
    let ranges = [(63, 94), (13, 77), (100, 110)];
    let cuts: Vec<Cut> = ranges
        .iter()
        .map(|range| cut(Small::CLOSED, &demuxed, *range))
        .collect();
    assert!(replay_notes(&cuts).is_empty());
    let out = tempfile::tempdir().unwrap();
    let replay = out.path().join("replay.mp4");
    write_replay_mp4(&cuts, &mut File::create(&replay).unwrap()).unwrap();
    let expected: Vec<Option<u16>> = ranges
        .iter()
        .flat_map(|(from, to)| (*from..*to).map(|n| Some(n as u16)))
        .collect();
    assert_eq!(in_ffmpeg(&replay), expected, "ffmpeg");
    assert_eq!(in_gstreamer(&replay), expected, "GStreamer");
    let plain = without_edits(&replay);
    assert_eq!(shown_by_ffmpeg(plain.path(), ""), expected, "without edits");
}

#[test]
fn equal_cuts_give_equal_bytes() {
    let Some(path) = Small::CLOSED.make() else {
        return;
    };
    let demuxed = Small::CLOSED.demuxed(&path);
    let bytes = || {
        let mut out = Vec::new();
        write_mp4(&cut(Small::CLOSED, &demuxed, (13, 87)), &mut out).unwrap();
        out
    };
    assert!(bytes() == bytes());
}
