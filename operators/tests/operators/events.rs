//! Crowds, speech, hits and quiet: made-up ones, and real speech.

use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::Operator;
use matchcut_operators::testing::{Script, observations, operator, scan_samples};
use proptest::prelude::*;
use serde_json::json;

use crate::footage::{data, ffmpeg};

const RATE: u32 = 16_000;

/// What is heard for some milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Quiet(i64),
    Crowd(i64),
    Speech(i64),
    /// A quiet hall with a hit in its middle.
    Hit(i64),
    /// A steady low hum.
    Hum(i64),
}

fn sound(pieces: &[Piece]) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut noise = 1u32;
    let mut white = || {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    for piece in pieces {
        let (Piece::Quiet(length)
        | Piece::Crowd(length)
        | Piece::Speech(length)
        | Piece::Hit(length)
        | Piece::Hum(length)) = *piece;
        let count = length * i64::from(RATE) / 1000;
        for n in 0..count {
            let t = n as f32 / RATE as f32;
            let tone = |frequency: f32| (std::f32::consts::TAU * frequency * t).sin();
            samples.push(match piece {
                Piece::Quiet(_) => 0.0003 * white(),
                Piece::Crowd(_) => 0.2 * white(),
                // Syllables, four a second, of a voice at 140 Hz.
                Piece::Speech(_) => {
                    let syllable = tone(2.0).abs().powi(6);
                    let voice: f32 = (1..8).map(|k| tone(140.0 * k as f32) / k as f32).sum();
                    0.2 * syllable * voice + 0.001 * white()
                }
                Piece::Hit(_) => {
                    let since = n - count / 2;
                    let dying = if since < 0 {
                        0.0
                    } else {
                        (-(since as f32) / 160.0).exp()
                    };
                    0.01 * white() + 0.7 * dying * white()
                }
                Piece::Hum(_) => 0.2 * tone(150.0),
            });
        }
    }
    samples
}

fn run(script: Script, samples: &[f32]) -> Vec<(i64, i64, String)> {
    let Operator::Audio { scanner, fold } = operator("audio_events", json!({})) else {
        panic!("audio_events listens");
    };
    let script = script.tracks(&[1]);
    let script = script.scanned(|chunk| scan_samples(&*scanner, chunk, RATE, samples));
    let rows = observations(&script.run(&fold)).into_iter();
    rows.map(|(start, end, attributes)| {
        let confidence = attributes["confidence"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&confidence), "{confidence}");
        assert!(attributes["level_db"].as_f64().is_some());
        (start, end, attributes["event"].as_str().unwrap().to_owned())
    })
    .collect()
}

fn length(samples: &[f32]) -> i64 {
    samples.len() as i64 * 1000 / i64::from(RATE)
}

fn whole(pieces: &[Piece]) -> Vec<(i64, i64, String)> {
    let samples = sound(pieces);
    run(Script::new(length(&samples), 1), &samples)
}

fn rows(expected: &[(i64, i64, &str)]) -> Vec<(i64, i64, String)> {
    expected
        .iter()
        .map(|(start, end, event)| (*start, *end, (*event).to_owned()))
        .collect()
}

#[test]
fn each_sound_is_what_it_is() {
    assert_eq!(whole(&[Piece::Quiet(4000)]), rows(&[(0, 4000, "quiet")]));
    assert_eq!(whole(&[Piece::Crowd(4000)]), rows(&[(0, 4000, "crowd")]));
    assert_eq!(whole(&[Piece::Speech(4000)]), rows(&[(0, 4000, "speech")]));
    assert_eq!(whole(&[Piece::Hum(4000)]), []);
    assert_eq!(whole(&[]), []);
    let all = whole(&[
        Piece::Quiet(2000),
        Piece::Crowd(4000),
        Piece::Speech(4000),
        Piece::Quiet(2000),
    ]);
    let expected = [
        (0, 2000, "quiet"),
        (2000, 6000, "crowd"),
        (6000, 10_000, "speech"),
        (10_000, 12_000, "quiet"),
    ];
    assert_eq!(all, rows(&expected));
}

#[test]
fn hits_are_points_in_what_goes_on() {
    let found = whole(&[Piece::Hit(2000), Piece::Hit(2000), Piece::Hit(2000)]);
    let hits: Vec<i64> = found
        .iter()
        .filter(|row| row.2 == "hit")
        .map(|row| row.0)
        .collect();
    assert_eq!(hits, [1000, 3000, 5000]);
    assert!(
        found
            .iter()
            .all(|row| row.2 != "hit" || row.1 - row.0 == 100)
    );
    // A crowd that begins to roar is no hit: it does not die away.
    let found = whole(&[Piece::Quiet(2000), Piece::Crowd(2000)]);
    assert!(found.iter().all(|row| row.2 != "hit"), "{found:?}");
}

#[test]
fn a_hole_parts_what_goes_on() {
    let samples = sound(&[Piece::Crowd(12_000)]);
    let found = run(Script::new(4000, 3).without(&[1]), &samples);
    assert_eq!(found, rows(&[(0, 4000, "crowd"), (8000, 12_000, "crowd")]));
}

/// How many of 100 parts of a file are covered by an event.
fn covered(file: &str, event: &str) -> Option<i64> {
    let path = data(file)?;
    let raw = ffmpeg(&path, &["-vn", "-ac", "1", "-ar", "16000", "-f", "f32le"])?;
    let samples: Vec<f32> = raw
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let end = length(&samples);
    let found = run(Script::new(end, 1).chunked(6000), &samples);
    let sum: i64 = found
        .iter()
        .filter(|row| row.2 == event)
        .map(|row| row.1 - row.0)
        .sum();
    eprintln!(
        "{file}: {} % {event}, {} hits",
        sum * 100 / end,
        found.iter().filter(|row| row.2 == "hit").count()
    );
    Some(sum * 100 / end)
}

#[test]
fn real_speech_is_mostly_speech() {
    for file in ["audio/jfk_11s.flac", "audio/silero_en_60s.wav"] {
        let Some(share) = covered(file, "speech") else {
            return;
        };
        assert!(share >= 50, "{file}: {share} %");
        assert!(covered(file, "crowd").unwrap() <= 10, "{file}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Where the stream is cut into chunks makes no difference, be they of milliseconds.
    #[test]
    fn borders_of_chunks_make_no_difference(
        pieces in proptest::collection::vec((0u8..5, 50i64..2500), 1..6),
        inner in proptest::collection::btree_set(1i64..9000, 0..30),
    ) {
        let pieces: Vec<Piece> = pieces
            .into_iter()
            .map(|(kind, length)| match kind {
                0 => Piece::Quiet(length),
                1 => Piece::Crowd(length),
                2 => Piece::Speech(length),
                3 => Piece::Hit(length),
                _ => Piece::Hum(length),
            })
            .collect();
        let samples = sound(&pieces);
        let end = length(&samples);
        let mut borders = vec![MediaTime::ZERO];
        borders.extend(inner.into_iter().filter(|ms| *ms < end).map(MediaTime::from_millis));
        borders.push(MediaTime::from_millis(end));
        let cut = run(Script::new(end, 1).cut_at(borders), &samples);
        prop_assert_eq!(cut, run(Script::new(end, 1), &samples));
    }
}
