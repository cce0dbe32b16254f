//! Rendered clips: every frame at its place, sound in sync at the joins, sizes, rates, transitions
//! and loudness, read back with ffmpeg and GStreamer.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::small::{
    FULL, LATE, Small, in_ffmpeg, in_gstreamer, placed, shown_by_ffmpeg, sound_of_track,
};
use common::{find_sound, output, run};
use matchcut_media::cut::{Cut, to_decode};
use matchcut_media::render::{
    Fit, Loudness, RESOLUTIONS, RenderError, RenderPlan, RenderReport, Transition, render,
};
use matchcut_media::samples::Demuxed;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use tempfile::TempDir;

/// A material, a directory, and the file in it to render to; `None` where nothing can encode it.
fn begin(material: Small) -> Option<(Demuxed, TempDir, PathBuf)> {
    let demuxed = material.demuxed(&material.make()?);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("replay.mp4");
    Some((demuxed, out, file))
}

fn cuts(material: Small, demuxed: &Demuxed, ranges: &[(i64, i64)]) -> Vec<Cut> {
    let cut = |(from, to): &(i64, i64)| {
        let range = TimeRange::new(material.time(*from), material.time(*to));
        to_decode(&placed(demuxed), range, None).unwrap()
    };
    ranges.iter().map(cut).collect()
}

fn rendered(mut cuts: Vec<Cut>, plan: &RenderPlan, path: &Path) -> RenderReport {
    let mut frames = 0;
    let report = render(&mut cuts, plan, path, &mut |progress| {
        frames = frames.max(progress.frames);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(frames, report.frames);
    let rest = path.parent().unwrap().read_dir().unwrap();
    let left: Vec<_> = rest
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    report
}

/// White noise is the worst that can happen to an encoder of sound; it gets what it needs.
fn usual() -> RenderPlan {
    RenderPlan {
        audio_bitrate: 320_000,
        ..RenderPlan::default()
    }
}

fn numbers(ranges: &[(i64, i64)]) -> Vec<Option<u16>> {
    ranges
        .iter()
        .flat_map(|(from, to)| (*from..*to).map(|n| Some(n as u16)))
        .collect()
}

fn probe(path: &Path, stream: &str, entries: &str) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", stream, "-show_entries"]);
    command.args([entries, "-of", "csv=p=0"]).arg(path);
    String::from_utf8(output(&mut command))
        .unwrap()
        .trim()
        .to_owned()
}

/// Every clip's sound lies at its frames, to the sample.
fn check_sound(path: &Path, source: &[f32], ranges: &[(i64, i64)], rate: FrameRate, slack: i64) {
    let sound = sound_of_track(path, 0);
    let mut at = 0;
    for (from, to) in ranges {
        let begin = rate.time_of(at).to_ticks(48_000) as usize;
        let length = rate.time_of(to - from).to_ticks(48_000) as usize;
        let place = rate.time_of(*from).to_ticks(48_000);
        for offset in [1200, length.saturating_sub(7000)] {
            let piece = &sound[begin + offset..begin + offset + 4096];
            let (shift, likeness) = find_sound(source, piece, place + offset as i64);
            assert!(
                likeness > 0.75 && shift.abs() <= slack,
                "{from}..{to} at {offset}: {shift} samples, {likeness}"
            );
        }
        at += to - from;
    }
    let expected = rate.time_of(at).to_ticks(48_000);
    assert!(
        (0..=1024).contains(&(sound.len() as i64 - expected)),
        "{}",
        sound.len()
    );
}

const RANGES: [(i64, i64); 3] = [(63, 94), (13, 77), (100, 110)];

fn joined(material: Small) {
    let Some(path) = material.make() else { return };
    let demuxed = material.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("replay.mp4");
    let report = rendered(cuts(material, &demuxed, &RANGES), &usual(), &file);
    assert_eq!(report.frames, 105);
    assert_eq!(report.size, (320, 180));
    assert_eq!(report.frame_rate, material.frame_rate());
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let expected = numbers(&RANGES);
    assert_eq!(in_ffmpeg(&file), expected, "{} in ffmpeg", material.name);
    assert_eq!(
        in_gstreamer(&file),
        expected,
        "{} in GStreamer",
        material.name
    );
    check_sound(&file, &material.sound(0), &RANGES, material.frame_rate(), 1);
    let rate = format!("{}/{}", material.rate.0, material.rate.1);
    assert_eq!(
        probe(&file, "v", "stream=codec_name,profile,r_frame_rate"),
        format!("h264,High,{rate}")
    );
    let starts: Vec<i64> = report
        .clips
        .iter()
        .map(|clip| {
            material
                .frame_rate()
                .frame_at(clip.start + MediaTime::from_millis(1))
        })
        .collect();
    assert_eq!(starts, [0, 31, 95]);
}

#[test]
fn clips_are_joined_frame_by_frame() {
    joined(Small::CLOSED);
}

#[test]
fn open_groups_at_29_97() {
    joined(Small {
        name: "open2997",
        rate: (30_000, 1001),
        open: true,
        ..Small::CLOSED
    });
}

#[test]
fn hevc_at_59_94() {
    joined(Small {
        name: "hevc5994",
        rate: (60_000, 1001),
        hevc: true,
        open: true,
        seconds: 4,
        ..Small::CLOSED
    });
}

#[test]
fn fields_become_frames() {
    joined(Small {
        name: "mbaff",
        interlaced: true,
        ..Small::CLOSED
    });
}

#[test]
fn every_resolution_keeps_the_shape() {
    let Some(path) = Small::CLOSED.make() else {
        return;
    };
    let demuxed = Small::CLOSED.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("clip.mp4");
    for resolution in RESOLUTIONS {
        for fit in [Fit::Crop, Fit::Pad] {
            // The large ones cost much and do nothing else.
            if fit == Fit::Pad && resolution.width > 1920 {
                continue;
            }
            let plan = RenderPlan {
                resolution: Some(resolution),
                fit,
                ..usual()
            };
            rendered(cuts(Small::CLOSED, &demuxed, &[(40, 44)]), &plan, &file);
            let (w, h) = (resolution.width, resolution.height);
            assert_eq!(probe(&file, "v", "stream=width,height"), format!("{w},{h}"));
            // Back to 320x180: what was cropped comes back as bars, what was padded is cropped.
            let scale = match fit {
                Fit::Crop => "scale=-2:180,pad=320:180:(320-iw)/2:0,",
                Fit::Pad => "scale=320:-2,crop=320:180:0:(ih-180)/2,",
            };
            let shown = shown_by_ffmpeg(&file, scale);
            let wide = u64::from(w) * 9 >= u64::from(h) * 8;
            if wide {
                assert_eq!(shown, numbers(&[(40, 44)]), "{resolution} {fit:?}");
            } else {
                assert_eq!(shown.len(), 4, "{resolution} {fit:?}");
            }
        }
    }
}

#[test]
fn other_frame_rates_show_the_frame_of_the_time() {
    let Some(path) = Small::CLOSED.make() else {
        return;
    };
    let demuxed = Small::CLOSED.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("clip.mp4");
    for (num, den) in [(50, 1), (30_000, 1001), (10, 1)] {
        let rate = FrameRate::new(num, den).unwrap();
        let plan = RenderPlan {
            frame_rate: Some(rate),
            ..usual()
        };
        let ranges = [(13, 63), (80, 90)];
        rendered(cuts(Small::CLOSED, &demuxed, &ranges), &plan, &file);
        let half = MediaTime::from_flicks(rate.frame_duration().flicks() / 2);
        let border = rate.frame_at(Small::CLOSED.time(50) + half);
        let end = rate.frame_at(Small::CLOSED.time(60) + half);
        let expected: Vec<Option<u16>> = (0..end)
            .map(|n| {
                let time = rate.time_of(n) + MediaTime::from_millis(1);
                let frame = Small::CLOSED.frame_rate().frame_at(time);
                match n < border {
                    true => Some(13 + frame.min(49) as u16),
                    false => Some(80 + (frame - 50).clamp(0, 9) as u16),
                }
            })
            .collect();
        assert_eq!(in_ffmpeg(&file), expected, "{rate}");
    }
}

#[test]
fn a_variable_rate_becomes_steady() {
    let material = Small {
        name: "variable",
        rate: (60, 1),
        select: Some("not(mod(n,3)*mod(n,7)*mod(n,11))*not(between(n,120,150))"),
        seconds: 4,
        ..Small::CLOSED
    };
    let Some(path) = material.make() else { return };
    let demuxed = material.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("clip.mp4");
    let report = rendered(cuts(material, &demuxed, &[(63, 177)]), &usual(), &file);
    assert_eq!(report.frame_rate, FrameRate::new(60, 1).unwrap());
    let shown = |n: &i64| (n % 3 == 0 || n % 7 == 0 || n % 11 == 0) && !(120..=150).contains(n);
    let mut last = 0;
    let expected: Vec<Option<u16>> = (63..177)
        .map(|n| {
            last = if shown(&n) { n } else { last };
            Some(last as u16)
        })
        .collect();
    assert_eq!(in_ffmpeg(&file), expected);
}

/// Mean luma of each frame.
fn luma(path: &Path) -> Vec<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path);
    command.args([
        "-vf",
        "format=gray",
        "-fps_mode",
        "passthrough",
        "-f",
        "rawvideo",
        "-",
    ]);
    output(&mut command)
        .chunks_exact(320 * 180)
        .map(|frame| frame.iter().map(|b| f64::from(*b)).sum::<f64>() / (320.0 * 180.0))
        .collect()
}

#[test]
fn fades_dip_to_a_colour_and_the_sound_goes_along() {
    let Some((demuxed, _out, file)) = begin(Small::CLOSED) else {
        return;
    };
    let ranges = [(10, 50), (60, 100)];
    let hard = rendered(cuts(Small::CLOSED, &demuxed, &ranges), &usual(), &file);
    let before = (luma(&file), sound_of_track(&file, 0));
    let plan = RenderPlan {
        transition: Transition::Fade {
            out: MediaTime::from_millis(400),
            into: MediaTime::from_millis(200),
            colour: [0, 0, 0],
        },
        ..usual()
    };
    let report = rendered(cuts(Small::CLOSED, &demuxed, &ranges), &plan, &file);
    assert_eq!((report.frames, report.frames), (hard.frames, 80));
    let after = (luma(&file), sound_of_track(&file, 0));
    for frame in 0..80 {
        let left = match frame {
            30..40 => f64::from(40 - frame) / 11.0,
            40..45 => f64::from(frame - 39) / 6.0,
            _ => 1.0,
        };
        let expected = (before.0[frame as usize]) * left;
        let found = after.0[frame as usize];
        assert!(
            (found - expected).abs() < 4.0,
            "frame {frame}: {found}, not {expected}"
        );
    }
    let level = |sound: &[f32], at: usize| {
        let piece = &sound[at - 240..at + 240];
        (piece.iter().map(|s| s * s).sum::<f32>() / 480.0).sqrt()
    };
    for (at, expected) in [
        (30_000, 1.0),
        (67_200, 0.5),
        (76_000, 0.04),
        (81_600, 0.5),
        (100_000, 1.0),
    ] {
        let share = level(&after.1, at) / level(&before.1, at);
        assert!(
            (share - expected).abs() < 0.08,
            "{at}: {share}, not {expected}"
        );
    }
}

#[test]
fn a_still_or_a_video_between_clips() {
    let Some((demuxed, out, file)) = begin(Small::CLOSED) else {
        return;
    };
    let ranges = [(63, 94), (13, 77)];
    for extension in ["png", "jpg"] {
        let still = out.path().join(format!("still.{extension}"));
        let mut command = Command::new("ffmpeg");
        command.args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "color=white:size=640x480",
        ]);
        run(command.args(["-frames:v", "1"]).arg(&still));
        let plan = RenderPlan {
            transition: Transition::Image {
                path: still,
                duration: MediaTime::from_millis(480),
            },
            ..usual()
        };
        let report = rendered(cuts(Small::CLOSED, &demuxed, &ranges), &plan, &file);
        assert_eq!(report.frames, 31 + 12 + 64);
        let frames = in_ffmpeg(&file);
        assert_eq!(frames[..31], numbers(&ranges[..1]));
        assert!(frames[31..43].iter().all(Option::is_none));
        assert_eq!(frames[43..], numbers(&ranges[1..]));
        let luma = luma(&file);
        assert!(luma[31..43].iter().all(|value| *value > 225.0), "{luma:?}");
        let sound = sound_of_track(&file, 0);
        let between = &sound[31 * 1920 + 2000..43 * 1920 - 2000];
        assert!(between.iter().all(|sample| sample.abs() < 0.01));
    }

    // Another rate of pictures and of sound.
    let clip = out.path().join("sting.mp4");
    let mut command = Command::new("ffmpeg");
    command.args([
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "color=white:size=640x360:rate=50",
    ]);
    command.args([
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=44100",
        "-t",
        "1",
    ]);
    command.args(["-pix_fmt", "yuv420p", "-c:v", "libx264", "-c:a", "aac"]);
    run(command.arg(&clip));
    let plan = RenderPlan {
        transition: Transition::Clip { path: clip },
        ..usual()
    };
    let report = rendered(cuts(Small::CLOSED, &demuxed, &ranges), &plan, &file);
    assert_eq!(report.frames, 31 + 25 + 64);
    let frames = in_ffmpeg(&file);
    assert_eq!(frames[..31], numbers(&ranges[..1]));
    assert_eq!(frames[56..], numbers(&ranges[1..]));
    let sound = sound_of_track(&file, 0);
    let between = &sound[31 * 1920 + 2000..56 * 1920 - 2000];
    let crossings = between
        .windows(2)
        .filter(|w| w[0] < 0.0 && w[1] >= 0.0)
        .count();
    let expected = between.len() * 440 / 48_000;
    assert!(
        crossings.abs_diff(expected) <= 3,
        "{crossings} periods, not {expected}"
    );
    let source = Small::CLOSED.sound(0);
    let at = 56 * 1920 + 1200;
    let (shift, likeness) = find_sound(&source, &sound[at..at + 4096], 13 * 1920 + 1200);
    assert!(likeness > 0.75 && shift.abs() <= 1, "{shift} {likeness}");

    let missing = RenderPlan {
        transition: Transition::Clip {
            path: out.path().join("none.mp4"),
        },
        ..usual()
    };
    let error = render(
        &mut cuts(Small::CLOSED, &demuxed, &ranges),
        &missing,
        &file,
        &mut |_| ControlFlow::Continue(()),
    );
    assert!(error.unwrap_err().to_string().contains("none.mp4"));
}

#[test]
fn sound_of_another_rate_stays_in_sync() {
    let material = Small {
        name: "rate44100",
        tracks: &[(44_100, FULL)],
        ..Small::CLOSED
    };
    let Some(path) = material.make() else { return };
    let demuxed = material.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("replay.mp4");
    rendered(cuts(material, &demuxed, &RANGES), &usual(), &file);
    check_sound(&file, &material.sound(0), &RANGES, material.frame_rate(), 2);
}

/// What ffmpeg's meter says: integrated loudness and true peak.
fn loudness(path: &Path) -> (f64, f64) {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostats", "-i"]).arg(path);
    command.args(["-vn", "-af", "ebur128=peak=true", "-f", "null", "-"]);
    let done = command.output().unwrap();
    let text = String::from_utf8_lossy(&done.stderr).into_owned();
    let summary = text.rsplit_once("Summary:").unwrap().1.to_owned();
    let value = |name: &str| -> f64 {
        let rest = summary.split(name).nth(1).unwrap();
        rest.split_whitespace().next().unwrap().parse().unwrap()
    };
    (value("I:"), value("Peak:"))
}

#[test]
fn loudness_reaches_the_target_or_stops_at_the_peak() {
    let Some((demuxed, _out, file)) = begin(Small::CLOSED) else {
        return;
    };
    let ranges = [(0, 60), (65, 120)];
    for target in [-23.0, -30.0] {
        let plan = RenderPlan {
            loudness: Some(Loudness {
                target,
                ..Loudness::default()
            }),
            ..usual()
        };
        let report = rendered(cuts(Small::CLOSED, &demuxed, &ranges), &plan, &file);
        assert!(!report.loudness[0].limited, "{:?}", report.loudness);
        let (integrated, _) = loudness(&file);
        assert!(
            (integrated - target).abs() < 0.6,
            "{integrated}, not {target}"
        );
    }
    let loud = RenderPlan {
        loudness: Some(Loudness {
            target: -5.0,
            true_peak: -3.0,
        }),
        ..usual()
    };
    let report = rendered(cuts(Small::CLOSED, &demuxed, &ranges), &loud, &file);
    assert!(report.loudness[0].limited, "{:?}", report.loudness);
    let (_, peak) = loudness(&file);
    // The encoder adds a little.
    assert!((-5.0..-2.0).contains(&peak), "{peak}");
}

#[test]
fn several_tracks_and_clips_without_sound() {
    let silent = Small {
        name: "silent",
        tracks: &[],
        ..Small::CLOSED
    };
    let tracks = Small {
        name: "tracks",
        tracks: &[(48_000, FULL), (48_000, LATE), (44_100, FULL)],
        ..Small::CLOSED
    };
    let (Some(a), Some(b)) = (silent.make(), tracks.make()) else {
        return;
    };
    let (a, b) = (silent.demuxed(&a), tracks.demuxed(&b));
    let mut all = cuts(silent, &a, &[(20, 50)]);
    all.extend(cuts(tracks, &b, &[(33, 77)]));
    let out = tempfile::tempdir().unwrap();
    let file = out.path().join("replay.mp4");
    rendered(all, &usual(), &file);
    assert_eq!(in_ffmpeg(&file), numbers(&[(20, 50), (33, 77)]));
    for (track, moved) in [(0, 0), (1, 38_400), (2, 0)] {
        let sound = sound_of_track(&file, track);
        assert!(sound[2048..30 * 1920 - 2048].iter().all(|s| s.abs() < 0.01));
        let at = 30 * 1920 + 3000;
        let place = 33 * 1920 + 3000 - moved;
        let (shift, likeness) = find_sound(&tracks.sound(track), &sound[at..at + 8192], place);
        assert!(
            likeness > 0.75 && shift.abs() <= 2,
            "{track}: {shift} {likeness}"
        );
    }
}

#[test]
fn it_can_be_cancelled_and_leaves_nothing() {
    let Some((demuxed, out, file)) = begin(Small::CLOSED) else {
        return;
    };
    let error = render(
        &mut cuts(Small::CLOSED, &demuxed, &RANGES),
        &usual(),
        &file,
        &mut |progress| match progress.frames {
            40.. => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        },
    );
    assert!(matches!(error, Err(RenderError::Cancelled)));
    assert_eq!(out.path().read_dir().unwrap().count(), 0);
    let none = render(&mut Vec::<Cut>::new(), &usual(), &file, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(matches!(none, Err(RenderError::NoClips)));
}

#[test]
fn equal_clips_give_equal_bytes() {
    let Some(path) = Small::CLOSED.make() else {
        return;
    };
    let demuxed = Small::CLOSED.demuxed(&path);
    let out = tempfile::tempdir().unwrap();
    let bytes = |name: &str| {
        let file = out.path().join(name);
        rendered(cuts(Small::CLOSED, &demuxed, &RANGES), &usual(), &file);
        std::fs::read(file).unwrap()
    };
    assert!(bytes("a.mp4") == bytes("b.mp4"));
}
