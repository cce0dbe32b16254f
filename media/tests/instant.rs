//! Playlists over source chunks: byte ranges at key frames give exactly whole groups of pictures
//! in ffmpeg and GStreamer, and what is said of their error is true.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::process::Command;

use common::*;
use matchcut_media::hls::{HlsChunk, InstantError, VodPlaylist, instant};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{Container, Resource};
use matchcut_model::time::{MediaTime, TimeRange};

fn clip(
    material: Material,
    chunks: &[Demuxed],
    dir: &std::path::Path,
    (from, to): (i64, i64),
) -> Result<
    (
        matchcut_media::hls::PlaylistClip,
        matchcut_media::hls::InstantReport,
    ),
    InstantError,
> {
    let paths = material.paths(dir);
    let media: Vec<Resource> = paths
        .iter()
        .map(|path| Resource::whole(path.display().to_string()))
        .collect();
    let placed = placed(chunks);
    let all: Vec<HlsChunk<'_>> = chunks
        .iter()
        .enumerate()
        .map(|(index, demuxed)| HlsChunk {
            demuxed,
            offset: placed[index].offset,
            media: &media[index],
            init: None,
            container: Container::MpegTs,
            bytes: Some(std::fs::metadata(&paths[index]).unwrap().len()),
            span: TimeRange::new(
                material.time(100 * index as i64),
                material.time(100 * (index as i64 + 1)),
            ),
        })
        .collect();
    instant(&all, TimeRange::new(material.time(from), material.time(to)))
}

#[test]
fn groups_by_byte_range() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let (first, report) = clip(material, &chunks, &dir, (160, 240)).unwrap();
    assert_eq!(
        report.played,
        TimeRange::new(material.time(150), material.time(250))
    );
    assert_eq!(
        (report.early, report.late),
        (material.time(10), material.time(10))
    );
    assert_eq!(report.max_error_frames, 10);
    assert!(report.browser && report.notes.is_empty());
    let (second, report) = clip(material, &chunks, &dir, (50, 100)).unwrap();
    assert_eq!(
        (report.early, report.late, report.max_error_frames),
        Default::default()
    );

    let playlist = VodPlaylist {
        clips: vec![first, second],
    };
    assert_eq!(playlist.duration(), MediaTime::from_seconds(6));
    let text = playlist.to_m3u8();
    assert_eq!(text.matches("#EXT-X-BYTERANGE").count(), 3, "{text}");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY").count(), 1, "{text}");
    assert_eq!(text.matches("#EXTINF:2.000000").count(), 3, "{text}");
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("index.m3u8");
    std::fs::write(&path, text).unwrap();
    let expected: Vec<Option<u16>> = (150..250).chain(50..100).map(Some).collect();
    assert_eq!(frames_in_ffmpeg(&path), expected);
    assert_eq!(frames_of_playlist_in_gstreamer(&path), expected);
}

#[test]
fn chunks_of_open_groups_are_not_trimmed() {
    let material = Material::OPEN_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let (clip, report) = clip(material, &chunks, &dir, (160, 240)).unwrap();
    assert_eq!(clip.parts.len(), 2);
    assert!(clip.parts.iter().all(|part| part.media.range.is_none()));
    assert_eq!(
        report.played,
        TimeRange::new(material.time(100), material.time(300))
    );
    assert_eq!(report.max_error_frames, 60);
    assert!(!report.browser);
}

#[test]
fn no_chunk() {
    let material = Material::CLOSED_25;
    let Some(dir) = material.make() else { return };
    let chunks = material.chunks(&dir);
    let error = clip(material, &chunks, &dir, (1000, 1010)).unwrap_err();
    assert!(matches!(error, InstantError::Empty(_)));
}

fn frames_of_playlist_in_gstreamer(path: &std::path::Path) -> Vec<Option<u16>> {
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("timeout");
    command.args(["60", "gst-launch-1.0", "-q", "uridecodebin"]);
    command.args([
        &format!("uri=file://{}", path.display()),
        "!",
        "video/x-raw",
        "!",
    ]);
    command.args("videocrop left=64 top=64 right=64 bottom=232 ! videoconvert !".split(' '));
    command.args(["video/x-raw,format=GRAY8", "!", "filesink"]);
    command.arg(format!("location={}", out.path().display()));
    run(&mut command);
    numbers(&std::fs::read(out.path()).unwrap())
}
