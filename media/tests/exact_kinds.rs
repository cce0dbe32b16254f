//! Exact cuts of the kinds of material that a live event brings: every usual frame rate, variable
//! rates, fields, several tracks, no sound, sound that comes late. The frames are read from the
//! picture, the place of the sound by correlation.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::fs::File;
use std::path::Path;

use common::small::{FULL, LATE, Small, in_ffmpeg, in_gstreamer, placed, sound_of_track, times};
use common::{assert_frames, find_sound};
use matchcut_media::cut::{Cut, CutChunk, CutError, exact, write_mp4};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{MediaTime, TimeRange};

fn write(cut: &Cut, path: &Path) {
    write_mp4(cut, &mut File::create(path).unwrap()).unwrap();
}

/// Ranges that find faults: inside groups, from just before a key frame to just after one, one frame.
fn ranges(group: i64) -> [(i64, i64); 4] {
    [
        (group / 2, 2 * group + group / 3),
        (2 * group - 1, 3 * group + 1),
        (2 * group, 3 * group - 1),
        (group + 3, group + 4),
    ]
}

fn check(material: Small) {
    let Some(path) = material.make() else { return };
    let demuxed = material.demuxed(&path);
    let source = material.sound(0);
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    for (from, to) in ranges(material.group()) {
        let what = format!("{} {from}..{to}", material.name);
        let range = TimeRange::new(material.time(from), material.time(to));
        let cut = exact(&placed(&demuxed), range, None).unwrap();
        assert_eq!(cut.report.frames, (to - from) as u64, "{what}");
        write(&cut, &clip);
        assert_frames(&in_ffmpeg(&clip), from, to, &format!("{what} in ffmpeg"));
        assert_frames(
            &in_gstreamer(&clip),
            from,
            to,
            &format!("{what} in GStreamer"),
        );
        if to - from >= material.group() {
            let start = material.time(from).to_ticks(48_000);
            let sound = sound_of_track(&clip, 0);
            let (shift, likeness) = find_sound(&source, &sound[4096..12_288], start + 4096);
            assert!(
                likeness > 0.8 && shift.abs() <= 1,
                "{what}: {shift} {likeness}"
            );
        }
    }
}

macro_rules! rates {
    ($($test:ident: $name:literal, $rate:expr, $open:literal;)*) => {$(
        #[test]
        fn $test() {
            check(Small { name: $name, rate: $rate, open: $open, ..Small::CLOSED });
        }
    )*};
}

rates! {
    at_23_976: "23976", (24_000, 1001), true;
    at_24: "24", (24, 1), false;
    at_30: "30", (30, 1), true;
    at_29_97: "2997", (30_000, 1001), false;
    at_50: "50", (50, 1), false;
    at_59_94: "5994", (60_000, 1001), true;
    at_60: "60", (60, 1), false;
}

#[test]
fn fields_stay_together() {
    check(Small {
        name: "mbaff",
        interlaced: true,
        ..Small::CLOSED
    });
}

#[test]
fn hevc_at_59_94() {
    check(Small {
        name: "hevc5994",
        rate: (60_000, 1001),
        hevc: true,
        open: true,
        seconds: 4,
        ..Small::CLOSED
    });
}

/// Frames that stay for one, two or three sixtieths, and one that stays for half a second.
const VARIABLE: Small = Small {
    name: "variable",
    rate: (60, 1),
    select: Some("not(mod(n,3)*mod(n,7)*mod(n,11))*not(between(n,120,150))"),
    seconds: 4,
    ..Small::CLOSED
};

#[test]
fn a_variable_rate_keeps_its_times() {
    let Some(path) = VARIABLE.make() else { return };
    let demuxed = VARIABLE.demuxed(&path);
    let all: Vec<i64> = (0..240)
        .filter(|n| (n % 3 == 0 || n % 7 == 0 || n % 11 == 0) && !(120..=150).contains(n))
        .collect();
    assert_eq!(demuxed.video.as_ref().unwrap().samples.len(), all.len());
    let source = VARIABLE.sound(0);
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    for (from, to) in [(33, 177), (119, 154), (63, 120), (63, 140)] {
        let what = format!("{from}..{to}");
        let range = TimeRange::new(VARIABLE.time(from), VARIABLE.time(to));
        let cut = exact(&placed(&demuxed), range, None).unwrap();
        let expected: Vec<i64> = all
            .iter()
            .copied()
            .filter(|n| (from..to).contains(n))
            .collect();
        // The last frame stays until the next one or the mark-out.
        let first = VARIABLE.time(expected[0]);
        let next = all.iter().find(|n| **n >= to).unwrap();
        let end = VARIABLE.time(to.min(*next));
        let tick = MediaTime::from_ticks(2, 90_000);
        assert!(
            (cut.report.start - first).abs() <= tick,
            "{what}: {:?}",
            cut.report
        );
        assert!(
            (cut.report.end - end).abs() <= tick,
            "{what}: {:?}",
            cut.report
        );
        write(&cut, &clip);
        let numbers: Vec<Option<u16>> = expected.iter().map(|n| Some(*n as u16)).collect();
        assert_eq!(in_ffmpeg(&clip), numbers, "{what} in ffmpeg");
        assert_eq!(in_gstreamer(&clip), numbers, "{what} in GStreamer");
        let wanted: Vec<i64> = expected
            .iter()
            .map(|n| (n - expected[0]) * 1_000_000 / 60)
            .collect();
        let found = times(&clip);
        let off = |(a, b): (&i64, &i64)| (a - b).abs() <= 25;
        assert!(
            found.iter().zip(&wanted).all(off),
            "{what}: {found:?}\n{wanted:?}"
        );
        let start = first.to_ticks(48_000);
        let sound = sound_of_track(&clip, 0);
        let (shift, likeness) = find_sound(&source, &sound[4096..12_288], start + 4096);
        assert!(
            likeness > 0.8 && shift.abs() <= 2,
            "{what}: {shift} {likeness}"
        );
    }
}

/// The second track begins late and ends early; the third has another sample rate.
const TRACKS: Small = Small {
    name: "tracks",
    tracks: &[(48_000, FULL), (48_000, LATE), (44_100, FULL)],
    ..Small::CLOSED
};

#[test]
fn one_file_with_all_tracks_or_those_that_are_asked_for() {
    let Some(path) = TRACKS.make() else { return };
    let demuxed = TRACKS.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    let (from, to) = (33, 77);
    let range = TimeRange::new(TRACKS.time(from), TRACKS.time(to));
    let start = TRACKS.time(from).to_ticks(48_000);
    let is_track = |place: usize, track: usize, shift: i64| {
        let sound = sound_of_track(&clip, place);
        let piece = &sound[4096..12_288];
        let (off, likeness) = find_sound(&TRACKS.sound(track), piece, start + 4096 - shift);
        // Resampling to compare 44.1 kHz costs a little.
        assert!(
            likeness > 0.75 && off.abs() <= 2,
            "{place} is {track}: {off} {likeness}"
        );
    };
    let late = MediaTime::from_millis(800).to_ticks(48_000);
    let cut = exact(&placed(&demuxed), range, None).unwrap();
    write(&cut, &clip);
    assert_frames(&in_ffmpeg(&clip), from, to, "all tracks in ffmpeg");
    assert_frames(&in_gstreamer(&clip), from, to, "all tracks in GStreamer");
    is_track(0, 0, 0);
    is_track(1, 1, late);
    is_track(2, 2, 0);

    let some = [TrackNumber(3), TrackNumber(1)];
    write(
        &exact(&placed(&demuxed), range, Some(&some)).unwrap(),
        &clip,
    );
    is_track(0, 2, 0);
    is_track(1, 0, 0);
    let none = exact(&placed(&demuxed), range, Some(&[])).unwrap();
    assert!(none.report.notes.is_empty(), "{:?}", none.report.notes);

    let missing = exact(
        &placed(&demuxed),
        range,
        Some(&[TrackNumber(1), TrackNumber(4)]),
    );
    let text = missing.unwrap_err().to_string();
    assert_eq!(text, "no audio track 4; there is 1, 2, 3");
}

#[test]
fn sound_that_begins_late_or_ends_early_stays_in_sync() {
    let Some(path) = TRACKS.make() else { return };
    let demuxed = TRACKS.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    let second = [TrackNumber(2)];
    // It is heard from 0.8 to 4 s.
    for (from, to) in [(10, 60), (80, 115)] {
        let range = TimeRange::new(TRACKS.time(from), TRACKS.time(to));
        let cut = exact(&placed(&demuxed), range, Some(&second)).unwrap();
        let said = cut.report.notes.join("; ");
        let expected = if from == 10 {
            "the sound begins"
        } else {
            "the sound ends"
        };
        assert!(said.contains(expected), "{said}");
        write(&cut, &clip);
        assert_frames(&in_ffmpeg(&clip), from, to, "late sound in ffmpeg");
        assert_frames(&in_gstreamer(&clip), from, to, "late sound in GStreamer");
        // ffmpeg leaves out empty edits when it decodes; the start says where the sound is.
        let mut command = std::process::Command::new("ffmpeg");
        command.args(["-v", "error", "-i"]).arg(&clip);
        command.args([
            "-af",
            "aresample=async=1:first_pts=0",
            "-ac",
            "1",
            "-f",
            "f32le",
            "-",
        ]);
        let sound = common::floats(&common::output(&mut command));
        let at = if from == 10 { 30_000 } else { 10_000 };
        let source = TRACKS.sound(1);
        let place = TRACKS.time(from).to_ticks(48_000) + at as i64 - 38_400;
        let (off, likeness) = find_sound(&source, &sound[at..at + 8192], place);
        assert!(likeness > 0.8 && off.abs() <= 2, "{from}: {off} {likeness}");
    }
    let before = TimeRange::new(TRACKS.time(2), TRACKS.time(12));
    let cut = exact(&placed(&demuxed), before, Some(&second)).unwrap();
    assert!(
        cut.report
            .notes
            .iter()
            .any(|note| note == "no sound in this range")
    );
    write(&cut, &clip);
    assert_frames(&in_ffmpeg(&clip), 2, 12, "before the sound");
}

#[test]
fn a_source_without_sound() {
    let silent = Small {
        name: "silent",
        tracks: &[],
        ..Small::CLOSED
    };
    let Some(path) = silent.make() else { return };
    let demuxed = silent.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    let range = TimeRange::new(silent.time(13), silent.time(57));
    for tracks in [None, Some(&[TrackNumber(1)][..])] {
        let cut = exact(&placed(&demuxed), range, tracks).unwrap();
        assert!(cut.report.notes.is_empty(), "{:?}", cut.report);
        write(&cut, &clip);
        assert_frames(&in_ffmpeg(&clip), 13, 57, "silent in ffmpeg");
        assert_frames(&in_gstreamer(&clip), 13, 57, "silent in GStreamer");
    }
}

/// One stream after the other on the same stretch, as an encoder that changes its settings gives it.
fn followed_by(first: &Demuxed, second: &Demuxed, at: MediaTime) -> [MediaTime; 2] {
    let start = |demuxed: &Demuxed| {
        let video = demuxed.video.as_ref().unwrap();
        let pts = video.samples.iter().map(|sample| sample.pts).min().unwrap();
        MediaTime::from_ticks(pts, video.timescale)
    };
    [-start(first), at - start(second)]
}

#[test]
fn parameter_sets_and_sizes_that_change_inside() {
    let small = Small::CLOSED;
    let large = Small {
        name: "large",
        size: (640, 360),
        ..Small::CLOSED
    };
    let (Some(a), Some(b)) = (small.make(), large.make()) else {
        return;
    };
    let (a, b) = (small.demuxed(&a), large.demuxed(&b));
    let offsets = followed_by(&a, &b, small.time(125));
    let chunks = [
        CutChunk {
            demuxed: &a,
            offset: offsets[0],
            stretch: 0,
        },
        CutChunk {
            demuxed: &b,
            offset: offsets[1],
            stretch: 0,
        },
    ];
    let range = TimeRange::new(small.time(90), small.time(150));
    let cut = exact(&chunks, range, Some(&[])).unwrap();
    let notes = cut.report.notes.join("; ");
    assert!(
        notes.contains("320x180, 640x360") && notes.contains("render"),
        "{notes}"
    );
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    write(&cut, &clip);
    // Where the numbers are depends on the size; ffmpeg brings everything to the first one.
    let shown = in_ffmpeg(&clip);
    assert_eq!(shown.len(), 60);
    let expected: Vec<Option<u16>> = (90..125).map(Some).collect();
    assert_eq!(shown[..35], expected);
}

#[test]
fn a_codec_that_changes_inside_is_refused_and_render_is_named() {
    let hevc = Small {
        name: "hevc25",
        hevc: true,
        ..Small::CLOSED
    };
    let (Some(a), Some(b)) = (Small::CLOSED.make(), hevc.make()) else {
        return;
    };
    let (a, b) = (Small::CLOSED.demuxed(&a), hevc.demuxed(&b));
    let offsets = followed_by(&a, &b, hevc.time(125));
    let chunks = [(&a, offsets[0]), (&b, offsets[1])].map(|(demuxed, offset)| CutChunk {
        demuxed,
        offset,
        stretch: 0,
    });
    let range = TimeRange::new(hevc.time(90), hevc.time(150));
    let error = exact(&chunks, range, None).unwrap_err();
    assert!(matches!(error, CutError::VideoChanges { .. }), "{error}");
    assert!(error.to_string().contains("render it"), "{error}");
}

/// A hole of one group in the middle: what is there stays at its time.
#[test]
fn a_gap_is_named_and_what_follows_stays_in_sync() {
    let Some(path) = Small::CLOSED.make() else {
        return;
    };
    let mut demuxed = Small::CLOSED.demuxed(&path);
    let video = demuxed.video.as_mut().unwrap();
    let keys: Vec<usize> = (0..video.samples.len())
        .filter(|at| video.samples[*at].sync.is_key())
        .collect();
    video.samples.drain(keys[2]..keys[3]);
    let range = TimeRange::new(Small::CLOSED.time(40), Small::CLOSED.time(90));
    let cut = exact(&placed(&demuxed), range, None).unwrap();
    let notes = &cut.report.notes;
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("pictures are missing")),
        "{notes:?}"
    );
    let out = tempfile::tempdir().unwrap();
    let clip = out.path().join("clip.mp4");
    write(&cut, &clip);
    let expected: Vec<Option<u16>> = (40..50).chain(75..90).map(Some).collect();
    assert_eq!(in_ffmpeg(&clip), expected);
    assert_eq!(in_gstreamer(&clip), expected);
    let found = times(&clip);
    assert_eq!(found[10] - found[9], 26 * 40_000, "{found:?}");
}

/// Frames of two field pictures each.
#[test]
fn field_pictures_stay_together() {
    let out = tempfile::tempdir().unwrap();
    let Some(path) = common::paff::make(out.path(), 60) else {
        return;
    };
    let expected: Vec<Option<u16>> = (0..60).map(Some).collect();
    assert_eq!(in_ffmpeg(&path), expected, "the source itself");
    let demuxed = Small::CLOSED.demuxed(&path);
    let video = demuxed.video.as_ref().unwrap();
    assert_eq!(video.samples.len(), 60, "both fields in one sample");
    let clip = out.path().join("clip.mp4");
    for (from, to) in [(13, 47), (20, 40), (29, 31), (7, 8)] {
        let range = TimeRange::new(Small::CLOSED.time(from), Small::CLOSED.time(to));
        let cut = exact(&placed(&demuxed), range, None).unwrap();
        assert_eq!(cut.report.frames, (to - from) as u64);
        write(&cut, &clip);
        assert_frames(&in_ffmpeg(&clip), from, to, "PAFF in ffmpeg");
        assert_frames(&in_gstreamer(&clip), from, to, "PAFF in GStreamer");
    }
}
