//! Real speech, compared with what the same model says in Python, where another program runs it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use matchcut_model::value::Value;
use serde_json::json;

use super::*;
use crate::sdk::AudioScanner;
use crate::testing::{Script, observations, scan_samples};

struct Here {
    library: PathBuf,
    model: PathBuf,
    audio: PathBuf,
}

/// What the tests need; `None` where something is not here, which is told.
fn here(audio: &str) -> Option<Here> {
    let library = super::super::onnx::testing::library()?;
    let model = super::super::onnx::testing::of_package("silero_vad/data/silero_vad.onnx")?;
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/audio");
    let audio = data.join(audio);
    if !audio.is_file() {
        eprintln!("skipped: no {} here", audio.display());
        return None;
    }
    Some(Here {
        library,
        model,
        audio,
    })
}

fn speech(here: &Here) -> (Arc<dyn AudioScanner>, FoldBox) {
    let options = json!({"model": here.model, "library": here.library});
    match Speech.build(options.as_object().unwrap()).unwrap() {
        Operator::Audio { scanner, fold } => (scanner, fold),
        _ => panic!("not for sound"),
    }
}

/// Samples of a file in one channel at a rate, by FFmpeg.
fn samples(audio: &Path, rate: &str) -> Option<Vec<i16>> {
    let command = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(audio)
        .args(["-ac", "1", "-ar", rate, "-f", "s16le", "-"])
        .output();
    let Ok(output) = command else {
        eprintln!("skipped: no ffmpeg here (make setup-test)");
        return None;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let pairs = output.stdout.chunks_exact(2);
    Some(
        pairs
            .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
            .collect(),
    )
}

fn floats(samples: &[i16]) -> Vec<f32> {
    samples
        .iter()
        .map(|sample| f32::from(*sample) / 32_768.0)
        .collect()
}

/// Ranges in milliseconds that Python finds.
fn in_python(here: &Here, samples: &[i16]) -> Vec<(i64, i64)> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python3");
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/hosts/speech/silero_ranges.py");
    let mut child = Command::new(python)
        .arg(program)
        .arg(&here.model)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes: Vec<u8> = samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect();
    let mut input = child.stdin.take().unwrap();
    let writer = thread::spawn(move || input.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| {
            let (start, end) = line.split_once(' ').unwrap();
            (start.parse().unwrap(), end.parse().unwrap())
        })
        .collect()
}

/// Ranges in milliseconds with their confidence, when the sound comes in chunks of `chunk` milliseconds.
fn found(here: &Here, rate: u32, samples: &[f32], chunk: i64) -> Vec<(i64, i64, f64)> {
    let (scanner, fold) = speech(here);
    let length = samples.len() as i64 * 1000 / i64::from(rate);
    let script = Script::new(length, 1)
        .tracks(&[1])
        .chunked(chunk)
        .scanned(|chunk| scan_samples(&*scanner, chunk, rate, samples));
    observations(&script.run(&fold))
        .into_iter()
        .map(|(start, end, attributes)| {
            assert_eq!(attributes.get("speech"), Some(&Value::from(true)));
            (
                start,
                end,
                attributes.get("confidence").unwrap().as_f64().unwrap(),
            )
        })
        .collect()
}

fn edges(found: &[(i64, i64, f64)]) -> Vec<(i64, i64)> {
    found.iter().map(|(start, end, _)| (*start, *end)).collect()
}

#[test]
fn speech_is_found_as_in_python_however_chunks_are_cut() {
    let Some(here) = here("silero_en_60s.wav") else {
        return;
    };
    let Some(samples) = samples(&here.audio, "16000") else {
        return;
    };
    let expected = in_python(&here, &samples);
    assert!(expected.len() >= 15, "{expected:?}");
    let whole = found(&here, 16_000, &floats(&samples), 60_000);
    assert_eq!(edges(&whole), expected);
    assert!(
        whole
            .iter()
            .all(|(_, _, confidence)| (0.5..=1.0).contains(confidence)),
        "{whole:?}"
    );
    // At the rate of the model nothing at all depends on where chunks are cut.
    for chunk in [2002, 6000] {
        assert_eq!(
            found(&here, 16_000, &floats(&samples), chunk),
            whole,
            "chunks of {chunk} ms"
        );
    }
}

#[test]
fn other_rates_lead_to_the_same_ranges() {
    let Some(here) = here("jfk_11s.flac") else {
        return;
    };
    let Some(model_rate) = samples(&here.audio, "16000") else {
        return;
    };
    let expected = in_python(&here, &model_rate);
    assert!(expected.len() >= 3, "{expected:?}");
    for (rate, name) in [(44_100, "44100"), (48_000, "48000"), (22_050, "22050")] {
        let Some(samples) = samples(&here.audio, name) else {
            return;
        };
        for chunk in [2002, 11_000] {
            let found = edges(&found(&here, rate, &floats(&samples), chunk));
            assert_eq!(
                found.len(),
                expected.len(),
                "{rate} Hz: {found:?} {expected:?}"
            );
            for (one, other) in found.iter().zip(&expected) {
                let far = (one.0 - other.0).abs().max((one.1 - other.1).abs());
                assert!(far <= 100, "{rate} Hz: {one:?} where {other:?} is expected");
            }
        }
    }
}

#[test]
fn what_is_missing_ends_speech() {
    let Some(here) = here("silero_en_60s.wav") else {
        return;
    };
    let Some(samples) = samples(&here.audio, "16000") else {
        return;
    };
    let samples = floats(&samples[..16_000 * 30]);
    let (scanner, fold) = speech(&here);
    let script = |missing: &[u64]| {
        Script::new(30_000, 1)
            .tracks(&[1])
            .chunked(6000)
            .without(missing)
            .scanned(|chunk| scan_samples(&*scanner, chunk, 16_000, &samples))
    };
    let whole = observations(&script(&[]).run(&fold));
    assert!(
        whole
            .iter()
            .any(|(start, end, _)| *start < 24_000 && 24_000 < *end)
    );
    // Nothing is heard of the hole, but for the padding of what follows.
    let holed = observations(&script(&[3]).run(&fold));
    assert!(
        holed
            .iter()
            .all(|(start, end, _)| *end <= 18_000 || *start >= 24_000 - 30),
        "{holed:?}"
    );
    // Speech that goes on is told while it does.
    let open = Script::new(6000, 4)
        .tracks(&[1])
        .scanned(|chunk| scan_samples(&*scanner, chunk, 16_000, &samples));
    let told = observations(&open.tail(&fold));
    assert_eq!(told.last().unwrap().1, 24_000);
}

#[test]
fn another_model_is_refused() {
    let Some(library) = super::super::onnx::testing::library() else {
        return;
    };
    let path =
        std::env::temp_dir().join(format!("matchcut-not-silero-{}.onnx", std::process::id()));
    std::fs::write(&path, crate::testing::model_file::mean_luma(0, 64, 36)).unwrap();
    let options = json!({"model": path, "library": library, "padding": "50ms"});
    let errors = Speech.build(options.as_object().unwrap()).err().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(errors[0].option.as_deref(), Some("model"));
    assert!(
        errors[0]
            .message
            .starts_with("this is not Silero VAD 5 or 6"),
        "{errors:?}"
    );
    let options = json!({"threshold": 1, "padding": "51ms"});
    let errors = Speech.build(options.as_object().unwrap()).err().unwrap();
    let options: Vec<_> = errors
        .iter()
        .map(|error| error.option.as_deref().unwrap())
        .collect();
    assert_eq!(options, ["threshold", "padding"]);
}
