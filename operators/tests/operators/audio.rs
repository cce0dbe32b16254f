//! Peaks and silences in made-up sound.

use std::sync::Arc;

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::{AudioScanner, FoldBox, Operator};
use matchcut_operators::testing::{Emitted, Script, observations, operator, scan_samples};
use proptest::prelude::*;
use serde_json::json;

const RATE: u32 = 8000;

fn listener(kind: &str, options: serde_json::Value) -> (Arc<dyn AudioScanner>, FoldBox) {
    match operator(kind, options) {
        Operator::Audio { scanner, fold } => (scanner, fold),
        _ => panic!("{kind} listens"),
    }
}

/// Noise whose amplitude is given by time, in pieces of `(milliseconds, amplitude)`.
fn sound(pieces: &[(i64, f32)]) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut noise = 1u32;
    for (length, amplitude) in pieces {
        for _ in 0..length * i64::from(RATE) / 1000 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            samples.push(amplitude * (noise as f32 / u32::MAX as f32 * 2.0 - 1.0));
        }
    }
    samples
}

fn length(samples: &[f32]) -> i64 {
    samples.len() as i64 * 1000 / i64::from(RATE)
}

fn run(kind: &str, options: serde_json::Value, script: Script, samples: &[f32]) -> Emitted {
    let (scanner, fold) = listener(kind, options);
    let script = script.tracks(&[1]);
    script
        .scanned(|chunk| scan_samples(&*scanner, chunk, RATE, samples))
        .run(&fold)
}

fn spans(emitted: &Emitted) -> Vec<(i64, i64)> {
    observations(emitted)
        .iter()
        .map(|row| (row.0, row.1))
        .collect()
}

#[test]
fn a_burst_is_one_peak_where_it_begins() {
    let samples = sound(&[
        (10_000, 0.05),
        (3000, 0.5),
        (10_000, 0.05),
        (1000, 0.6),
        (2000, 0.05),
    ]);
    let script = Script::new(length(&samples), 1);
    let emitted = run("audio_peaks", json!({}), script, &samples);
    let rows = observations(&emitted);
    assert_eq!(spans(&emitted), [(10_000, 10_000), (23_000, 23_000)]);
    // Noise spread evenly over ±0.5 has a level of 20 log10(0.5 / sqrt 3) = -10.8 dB.
    assert_eq!(rows[0].2["peak"].as_bool(), Some(true));
    assert!(
        (rows[0].2["level_db"].as_f64().unwrap() + 10.8).abs() < 0.2,
        "{:?}",
        rows[0].2
    );
}

#[test]
fn what_is_quiet_or_steady_is_no_peak() {
    let samples = sound(&[(10_000, 0.0001), (2000, 0.002), (10_000, 0.0001)]);
    let quiet = run(
        "audio_peaks",
        json!({}),
        Script::new(length(&samples), 1),
        &samples,
    );
    assert_eq!(quiet, []);
    let samples = sound(&[(60_000, 0.5)]);
    assert_eq!(
        run("audio_peaks", json!({}), Script::new(6000, 10), &samples),
        []
    );
}

#[test]
fn without_sound_nothing_is_said() {
    for kind in ["audio_peaks", "audio_silence"] {
        assert_eq!(
            run(kind, json!({}), Script::new(6000, 5), &[]),
            [],
            "{kind}"
        );
    }
}

#[test]
fn silences_are_ranges_over_chunk_borders() {
    // From 1 s to 4 s, then a short one, and one to the end.
    let samples = sound(&[
        (1000, 0.3),
        (3000, 0.0),
        (2000, 0.3),
        (500, 0.0),
        (500, 0.3),
        (2500, 0.0),
    ]);
    for chunk in [500, 1000, 1700, 9500] {
        let script = Script::new(length(&samples), 1).chunked(chunk);
        let emitted = run("audio_silence", json!({}), script, &samples);
        assert_eq!(
            spans(&emitted),
            [(1000, 4000), (7000, 9500)],
            "chunks of {chunk} ms"
        );
    }
    let options = json!({"min_duration": "500ms"});
    let emitted = run("audio_silence", options, Script::new(9500, 1), &samples);
    assert_eq!(spans(&emitted), [(1000, 4000), (6000, 6500), (7000, 9500)]);
}

#[test]
fn an_open_silence_is_told_while_it_lasts() {
    let samples = sound(&[(1000, 0.3), (5000, 0.0)]);
    let (scanner, fold) = listener("audio_silence", json!({}));
    let script = Script::new(2000, 3).tracks(&[1]);
    let script = script.scanned(|chunk| scan_samples(&*scanner, chunk, RATE, &samples));
    assert_eq!(spans(&script.tail(&fold)), [(1000, 6000)]);
}

#[test]
fn a_hole_ends_a_silence() {
    let samples = sound(&[(20_000, 0.0)]);
    let script = Script::new(4000, 5).without(&[2]);
    let emitted = run("audio_silence", json!({}), script, &samples);
    assert_eq!(spans(&emitted), [(0, 8000), (12_000, 20_000)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Where the stream is cut into chunks makes no difference.
    #[test]
    fn chunks_make_no_difference(
        pieces in proptest::collection::vec((20i64..4000, 0u8..4), 1..12),
        inner in proptest::collection::btree_set(1i64..30_000, 0..12),
    ) {
        let amplitudes = [0.0, 0.001, 0.05, 0.8];
        let pieces: Vec<_> =
            pieces.iter().map(|(ms, n)| (*ms, amplitudes[*n as usize])).collect();
        let samples = sound(&pieces);
        let end = length(&samples);
        let mut borders = vec![MediaTime::ZERO];
        borders.extend(inner.into_iter().filter(|ms| *ms < end).map(MediaTime::from_millis));
        borders.push(MediaTime::from_millis(end));
        for (kind, options) in [
            ("audio_peaks", json!({"history": "5s"})),
            ("audio_silence", json!({"min_duration": "1s"})),
        ] {
            let whole = run(kind, options.clone(), Script::new(end, 1), &samples);
            let cut = run(kind, options, Script::new(end, 1).cut_at(borders.clone()), &samples);
            prop_assert_eq!(observations(&cut), observations(&whole), "{}", kind);
        }
    }
}
