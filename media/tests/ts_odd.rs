//! Odd streams collected from other projects: parsed or refused with a clear error, never a panic,
//! also when they are cut off or damaged anywhere.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;

use bytes::Bytes;
use matchcut_media::demux::{DemuxError, demux};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::Container;

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
