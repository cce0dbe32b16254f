//! Cuts in real footage against cuts read by eye. Runs where the footage and FFmpeg are there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::Operator;
use matchcut_operators::testing::{Picture, Script, millis, observations, operator, scan_pictures};
use serde_json::json;

use crate::scene::scene_change;

pub(crate) fn data(file: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/data")
        .join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {file} is not here");
    None
}

/// The output of FFmpeg.
pub(crate) fn ffmpeg(path: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let input = ["-v", "error", "-i", path.to_str()?];
    let output = Command::new("ffmpeg")
        .args(input)
        .args(arguments)
        .arg("-")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    match output {
        Ok(output) if output.status.success() => Some(output.stdout),
        Ok(_) => None,
        Err(error) => {
            eprintln!("skipped: no ffmpeg ({error})");
            None
        }
    }
}

/// The frames of a file, each `frame_ms` after the one before it: the number of a frame is its
/// time divided by that.
pub(crate) fn frames(path: &Path, frame_ms: i64) -> Option<Vec<Picture>> {
    let (width, height) = (32, 18);
    let filter = format!("scale={width}:{height}:flags=area,format=yuv444p");
    let raw = ffmpeg(
        path,
        &[
            "-an",
            "-vf",
            &filter,
            "-fps_mode",
            "passthrough",
            "-f",
            "rawvideo",
        ],
    )?;
    let plane = width * height;
    let pictures = raw
        .chunks_exact(plane * 3)
        .enumerate()
        .map(|(number, planes)| {
            let data = (0..plane)
                .flat_map(|at| [0, 1, 2].map(|p| planes[p * plane + at]))
                .collect();
            Picture {
                time: MediaTime::from_millis(number as i64 * frame_ms),
                data,
            }
        });
    Some(pictures.collect())
}

/// The frame numbers of the cuts found, in chunks of about 6 s.
fn cuts(path: &Path, fps: i64) -> Option<Vec<i64>> {
    let frame_ms = 1000 / fps;
    let pictures = frames(path, frame_ms)?;
    let (scanner, fold) = scene_change();
    let script = Script::new(pictures.len() as i64 * frame_ms, 1).chunked(6 * fps * frame_ms);
    let script = script.scanned(|chunk| scan_pictures(&*scanner, chunk, &pictures));
    let rows = observations(&script.run(&fold));
    Some(rows.iter().map(|row| row.0 / frame_ms).collect())
}

#[test]
fn every_cut_read_by_eye_is_found_and_nothing_else() {
    for (file, fps, expected) in [
        (
            "googlework_short.mp4",
            25,
            vec![
                17, 36, 54, 73, 93, 111, 130, 149, 167, 186, 204, 222, 291, 432, 540, 609, 710,
                769, 819, 949,
            ],
        ),
        ("bikes.mp4", 25, vec![30, 76, 137, 187, 242]),
        ("bigbuckbunny_0_30.webm", 25, vec![283, 376, 551]),
        ("intel_one_by_one_person.mp4", 10, vec![]),
        ("intel_bottle.mp4", 25, vec![]),
        ("intel_car_silent_audio.mp4", 10, vec![]),
        ("mre_FadeInOutSample.mp4", 25, vec![]),
    ] {
        let Some(path) = data(&format!("clips/{file}")) else {
            return;
        };
        let Some(found) = cuts(&path, fps) else {
            return;
        };
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn silence_that_is_all_zero_is_one_range() {
    let Some(path) = data("clips/intel_car_silent_audio.mp4") else {
        return;
    };
    let Some(raw) = ffmpeg(&path, &["-vn", "-ac", "1", "-ar", "16000", "-f", "f32le"]) else {
        return;
    };
    let bytes = raw.as_chunks::<4>().0;
    let samples: Vec<f32> = bytes
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let end = samples.len() as i64 / 16;
    let Operator::Audio { scanner, fold } = operator("audio_silence", json!({})) else {
        panic!("audio_silence listens");
    };
    let script = Script::new(end, 1).chunked(6000).tracks(&[1]);
    let script = script.scanned(|chunk| {
        matchcut_operators::testing::scan_samples(&*scanner, chunk, 16_000, &samples)
    });
    let rows = observations(&script.run(&fold));
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].0, rows[0].1), (0, millis(script.end())));
}
