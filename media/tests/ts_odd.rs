//! Odd streams collected from other projects: parsed or refused with a clear error, never a panic,
//! also when they are cut off or damaged anywhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "decode_support/mod.rs"]
mod decode_support;

use std::path::PathBuf;

use bytes::Bytes;
use decode_support::run;
use matchcut_media::decode::{AudioPlan, DecodePlan};
use matchcut_media::demux::{DemuxError, demux};
use matchcut_media::file::MediaFile;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::Container;
use matchcut_model::frame::{FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::time::MediaTime;

fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/ts_odd");
    if !folder.is_dir() {
        eprintln!("skipped: the collection of odd streams is not beside the workspace");
        return None;
    }
    Some(folder)
}

fn read(name: &str) -> Option<Bytes> {
    Some(Bytes::from(std::fs::read(folder()?.join(name)).unwrap()))
}

fn parse(name: &str) -> Option<Result<Demuxed, DemuxError>> {
    Some(demux(Container::MpegTs, None, &read(name)?))
}

#[test]
fn everything_is_read_or_refused() {
    let Some(folder) = folder() else { return };
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let whole = Bytes::from(std::fs::read(&path).unwrap());
        // The whole, its parts, and bytes turned over at regular places.
        let mut variants = vec![whole.clone()];
        for part in 1..6 {
            variants.push(whole.slice(..whole.len() * part / 6));
            variants.push(whole.slice(whole.len() * part / 6..));
        }
        for step in [97, 1009, 20_011] {
            let mut damaged = whole.to_vec();
            damaged
                .iter_mut()
                .step_by(step)
                .for_each(|byte| *byte ^= 0x55);
            variants.push(damaged.into());
        }
        for bytes in variants {
            for container in [Container::MpegTs, Container::FragmentedMp4] {
                match demux(container, Some(&whole), &bytes) {
                    Ok(demuxed) => {
                        assert!(!demuxed.is_empty(), "{}", path.display());
                        read += 1;
                    }
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
        }
    }
    assert!(read > 100, "{read}");
}

#[test]
fn what_is_in_them() {
    let Some(Ok(late)) = parse("muxjs_test-middle-pat-pmt.ts") else {
        return;
    };
    let video = late.video.unwrap();
    assert_eq!(
        (video.samples.len(), video.samples[0].pts),
        (15, 5_387_171_045)
    );
    assert_eq!(
        late.audio[0].samples.len(),
        28,
        "packets before the tables count"
    );

    let silent = parse("muxjs_test-no-audio-segment.ts").unwrap().unwrap();
    assert!(silent.audio.is_empty() && silent.video.is_some());
    assert!(
        silent.warnings[0].contains("audio track 1"),
        "{:?}",
        silent.warnings
    );

    let blind = parse("lpms_data_zero-frame.ts").unwrap().unwrap();
    assert!(blind.video.is_none());
    assert_eq!(blind.audio[0].samples.len(), 72);

    let cut = parse("lpms_data_problem_start_pts_problem.ts")
        .unwrap()
        .unwrap();
    assert!(
        cut.warnings.iter().any(|w| w.contains("46 of 188 bytes")),
        "{:?}",
        cut.warnings
    );

    let guessed = parse("lpms_data_missing-sei-and-pes.ts").unwrap().unwrap();
    assert!(guessed.warnings[0].contains("4 pictures without a timestamp"));
    assert_eq!(guessed.video.unwrap().samples.len(), 12);

    let error = parse("muxjs_test-stuffed-pes.ts").unwrap().unwrap_err();
    assert!(matches!(error, DemuxError::NoPat { packets: 1 }), "{error}");
    let error = parse("muxjs_test-aac-segment.aac").unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("not an MPEG transport stream"),
        "{error}"
    );
}

#[test]
fn fragmented_mp4() {
    let Some(init) = read("muxjs_malformed-sei-init.mp4") else {
        return;
    };
    let media = read("muxjs_malformed-sei.m4s").unwrap();
    let demuxed = demux(Container::FragmentedMp4, Some(&init), &media).unwrap();
    let video = demuxed.video.unwrap();
    assert_eq!(
        (video.width, video.height, video.samples.len()),
        (320, 180, 180)
    );
    assert_eq!(demuxed.audio[0].language.as_deref(), Some("eng"));
    assert_eq!(
        demux(Container::FragmentedMp4, None, &media),
        Err(DemuxError::NoInit)
    );
}

/// Everything decoded into a small view and heard: frames, and seconds of each audio track.
fn decoded(chunk: &Demuxed) -> (usize, Vec<f64>, Option<String>) {
    let view = ViewSpec {
        width: 32,
        height: 18,
        format: PixelFormat::Gray8,
        rate: None,
        frames: FrameChoice::All,
    };
    let plan = DecodePlan {
        views: vec![view],
        audio: AudioPlan::All,
        ..DecodePlan::default()
    };
    let (keep, report) = run(chunk, None, &plan);
    let report = report.unwrap();
    let seconds = report
        .audio
        .iter()
        .map(|audio| audio.samples as f64 / f64::from(audio.sample_rate.max(1)));
    assert_eq!(keep.frames.len() as u64, report.frames);
    (keep.frames.len(), seconds.collect(), report.degraded)
}

/// Pictures and audio frames that ffprobe counts in each, and pictures that it decodes.
const COUNTED: [(&str, usize, usize, usize); 26] = [
    ("lpms_data_0.ts", 30, 0, 30),
    ("lpms_data_audio-dts.ts", 59, 85, 59),
    ("lpms_data_avc_5_frames.ts", 5, 0, 5),
    ("lpms_data_bad-cuvid.ts", 500, 777, 500),
    ("lpms_data_duplicate-audio-dts.ts", 59, 85, 59),
    ("lpms_data_kryp-1.ts", 35, 0, 35),
    ("lpms_data_kryp-2.ts", 35, 0, 35),
    ("lpms_data_missing-dts.ts", 120, 0, 120),
    ("lpms_data_missing-sei-and-pes.ts", 12, 0, 12),
    ("lpms_data_negative-timestamps.ts", 120, 0, 120),
    ("lpms_data_portrait.ts", 30, 0, 30),
    // ffprobe counts 9 and 8: the last one is cut off, and left out here.
    ("lpms_data_problem_start_pts_problem.ts", 8, 12, 7),
    ("lpms_data_singleframe.ts", 1, 0, 1),
    ("lpms_data_skip_1.ts", 171, 0, 171),
    ("lpms_data_skip_3.ts", 171, 0, 171),
    ("lpms_data_stopwatch_8frames.ts", 8, 7, 5),
    ("lpms_data_transmux.ts", 53, 0, 53),
    ("lpms_data_vertical-sample.ts", 30, 0, 30),
    ("lpms_data_zero-frame.ts", 0, 72, 0),
    ("lpms_samples_sample_0_409_17041.ts", 409, 0, 409),
    ("lpms_test_input_hunter_source_0.ts", 167, 257, 167),
    ("lpms_test_input_hunter_source_1.ts", 181, 283, 181),
    ("lpms_test_input_hunter_source_3.ts", 40, 63, 40),
    ("muxjs_multi-channel-608-captions.ts", 181, 0, 181),
    ("muxjs_sintel-captions.ts", 240, 212, 240),
    ("muxjs_test-middle-pat-pmt.ts", 15, 28, 15),
];

#[test]
fn every_picture_is_decoded() {
    let Some(folder) = folder() else { return };
    let mut different = Vec::new();
    for (name, pictures, sounds, frames) in COUNTED {
        let chunk = parse(name).unwrap().unwrap();
        let found = chunk.video.as_ref().map_or(0, |track| track.samples.len());
        let heard = chunk.audio.first().map_or(0, |track| track.samples.len());
        let (shown, _, degraded) = decoded(&chunk);
        if (found, heard, shown) != (pictures, sounds, frames) {
            let warnings = &chunk.warnings;
            different.push(format!(
                "{name}: {found} pictures, {heard} sounds, {shown} frames; ffprobe counts {pictures}, \
                 {sounds}, {frames}; {warnings:?} {degraded:?}"
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    // What the table leaves out is refused, or told above.
    let all = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let left_out: Vec<String> = all
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.ends_with(".ts") && COUNTED.iter().all(|(known, ..)| known != name))
        .collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
}

#[test]
fn sound_and_pictures_of_the_others() {
    let Some(packed) = read("muxjs_test-aac-segment.aac") else {
        return;
    };
    let chunk = demux(Container::PackedAudio, None, &packed).unwrap();
    let (frames, heard, _) = decoded(&chunk);
    assert_eq!((frames, heard.len()), (0, 1));
    let track = &chunk.audio[0];
    let stored = track.samples.len() as f64 * 1024.0 / f64::from(track.sample_rate);
    assert!((heard[0] - stored).abs() < 0.05, "{heard:?} {stored}");

    for (init, media, pictures) in [
        (
            "muxjs_malformed-sei-init.mp4",
            "muxjs_malformed-sei.m4s",
            180,
        ),
        (
            "muxjs_dash-608-captions-init.mp4",
            "muxjs_dash-608-captions-seg.m4s",
            0,
        ),
    ] {
        let (init, media) = (read(init).unwrap(), read(media).unwrap());
        let chunk = demux(Container::FragmentedMp4, Some(&init), &media).unwrap();
        let found = chunk.video.as_ref().unwrap().samples.len();
        let (frames, _, degraded) = decoded(&chunk);
        assert_eq!(frames, found, "{degraded:?}");
        assert!(pictures == 0 || frames == pictures);
    }
    let silent = parse("muxjs_test-no-audio-segment.ts").unwrap().unwrap();
    let (frames, heard, _) = decoded(&silent);
    assert_eq!((frames, heard.len()), (134, 0));
}

/// Frames that ffprobe decodes of the real footage.
const CLIPS: [(&str, usize); 11] = [
    ("bbb_two_audio_tracks.mp4", 300),
    ("bigbuckbunny_0_30.webm", 720),
    ("bigbuckbunny_5s_ac51.mp4", 132),
    ("bikes.mp4", 250),
    ("chaplin_bw.mp4", 241),
    ("googlework_short.mp4", 1026),
    ("intel_bottle.mp4", 1189),
    ("intel_car_silent_audio.mp4", 377),
    ("intel_one_by_one_person.mp4", 1394),
    ("mre_FadeInOutSample.mp4", 270),
    ("pexels_squirrel_digital_silence.mp4", 250),
];

#[test]
fn real_footage_is_read_whole() {
    let Some(folder) = folder() else { return };
    for (name, frames) in CLIPS {
        let file = MediaFile::open(&folder.join("../clips").join(name)).unwrap();
        let chunk = file.read(file.span()).unwrap();
        assert_eq!(
            chunk.video.as_ref().unwrap().samples.len(),
            frames,
            "{name}"
        );
        // Parts hold every sample once.
        let parts = file.parts(MediaTime::from_seconds(4));
        let parts = parts.iter().map(|window| file.read(*window).unwrap());
        let parts = parts.map(|part| part.video.map_or(0, |track| track.samples.len()));
        assert_eq!(parts.sum::<usize>(), frames, "{name}");
        // Long ones are decoded by other tests.
        if frames <= 300 {
            let (shown, heard, degraded) = decoded(&chunk);
            assert_eq!((shown, degraded), (frames, None), "{name}");
            assert_eq!(heard.len(), chunk.audio.len(), "{name}");
        }
    }
}
