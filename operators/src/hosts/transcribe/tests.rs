//! A real server on the loopback interface that decodes the sound it gets and says which tones it hears.

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
