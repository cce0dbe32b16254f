//! Loudness: known signals, FFmpeg's meter, and borders anywhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use matchcut_model::chunk::TrackNumber;
use matchcut_model::frame::AudioBlock;
use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::{AudioScanner, ChunkContext, Operator};
use matchcut_operators::testing::{Script, observations, operator};
use proptest::prelude::*;
use serde_json::json;

use crate::footage::data;

/// Interleaved samples of some channels.
struct Sound {
    rate: u32,
    channels: usize,
    samples: Vec<f32>,
}

impl Sound {
    fn length(&self) -> MediaTime {
        MediaTime::from_ticks((self.samples.len() / self.channels) as i64, self.rate)
    }

    fn scan(&self, scanner: &dyn AudioScanner, chunk: &ChunkContext) -> Option<Vec<u8>> {
        let frames = self.samples.len() / self.channels;
        let time = |n: usize| MediaTime::from_ticks(n as i64, self.rate);
        let span = chunk.extent.span;
        let from = (0..frames)
            .find(|n| time(*n) >= span.start)
            .unwrap_or(frames);
        let to = (from..frames)
            .find(|n| time(*n) >= span.end)
            .unwrap_or(frames);
        let mut scan = scanner.start(chunk);
        for first in (from..to).step_by(1024) {
            let until = (first + 1024).min(to);
            scan.block(&AudioBlock {
                time: time(first),
                track: TrackNumber::FIRST,
                sample_rate: self.rate,
                channels: self.channels as u32,
                samples: &self.samples[first * self.channels..until * self.channels],
            })
            .ok()?;
        }
        scan.finish().ok()
    }

    /// End of each second with its momentary and short-term loudness.
    fn loudness(
        &self,
        borders: Vec<MediaTime>,
        without: &[u64],
    ) -> BTreeMap<i64, (f64, Option<f64>)> {
        let Operator::Audio { scanner, fold } = operator("audio_loudness", json!({})) else {
            panic!("audio_loudness listens");
        };
        let script = Script::new(1000, 1)
            .cut_at(borders)
            .without(without)
            .tracks(&[1]);
        let script = script.scanned(|chunk| self.scan(&*scanner, chunk));
        let rows = observations(&script.run(&fold));
        rows.into_iter()
            .map(|(start, end, attributes)| {
                assert_eq!(end - start, 1000);
                let short_term = attributes["short_term"].as_f64();
                assert_eq!(short_term.is_some(), attributes.get("loud").is_some());
                (end, (attributes["momentary"].as_f64().unwrap(), short_term))
            })
            .collect()
    }

    fn whole(&self) -> BTreeMap<i64, (f64, Option<f64>)> {
        self.loudness(vec![MediaTime::ZERO, self.length()], &[])
    }
}

fn sine(rate: u32, channels: usize, seconds: u32, frequency: f64, amplitude: f64) -> Sound {
    let samples = (0..rate * seconds).flat_map(|n| {
        let value =
            amplitude * (f64::from(n) * frequency * std::f64::consts::TAU / f64::from(rate)).sin();
        vec![value as f32; channels]
    });
    Sound {
        rate,
        channels,
        samples: samples.collect(),
    }
}

#[test]
fn sines_of_the_recommendation() {
    // EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS has -23 LUFS; BS.1770: a sine of
    // 997 Hz at full scale on one channel has -3.01.
    for rate in [8000, 44_100, 48_000, 96_000] {
        let amplitude = 10f64.powf(-23.0 / 20.0);
        let found = sine(rate, 2, 5, 1000.0, amplitude).whole();
        assert_eq!(found.len(), 5, "{rate}");
        for (end, (momentary, short_term)) in &found {
            assert!(
                (momentary + 23.0).abs() < 0.05,
                "{rate} Hz, {end}: {momentary}"
            );
            assert_eq!(short_term.is_some(), *end >= 3000);
            assert!(
                short_term.is_none_or(|value| (value + 23.0).abs() < 0.05),
                "{short_term:?}"
            );
        }
    }
    let found = sine(48_000, 1, 4, 997.0, 1.0).whole();
    assert!((found[&4000].1.unwrap() + 3.01).abs() < 0.02, "{found:?}");
    // Of six channels the fourth is not heard, and the last two count more.
    let found = sine(48_000, 6, 4, 997.0, 0.1).whole();
    let expected = -23.01 + 10.0 * (3.0 + 2.0 * 1.41f64).log10();
    assert!(
        (found[&4000].1.unwrap() - expected).abs() < 0.02,
        "{found:?}"
    );
    let found = Sound {
        rate: 8000,
        channels: 1,
        samples: vec![0.0; 32_000],
    }
    .whole();
    assert_eq!(found[&4000], (-120.0, Some(-120.0)));
}

#[test]
fn a_hole_starts_the_windows_anew() {
    let sound = sine(8000, 1, 12, 1000.0, 0.5);
    let borders = (0..=6).map(|n| MediaTime::from_seconds(n * 2)).collect();
    let found = sound.loudness(borders, &[2]);
    let ends: Vec<i64> = found.keys().copied().collect();
    assert_eq!(
        ends,
        [
            1000, 2000, 3000, 4000, 7000, 8000, 9000, 10_000, 11_000, 12_000
        ]
    );
    let short: Vec<i64> = found
        .iter()
        .filter(|row| row.1.1.is_some())
        .map(|row| *row.0)
        .collect();
    assert_eq!(short, [3000, 4000, 9000, 10_000, 11_000, 12_000]);
}

/// What FFmpeg's meter says of a file at each 100 ms: momentary and short-term loudness.
fn meter(path: &Path, input: &[&str]) -> Option<Vec<(f64, f64)>> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error"])
        .args(input)
        .arg("-i")
        .arg(path)
        .args([
            "-af",
            "ebur128=metadata=1,ametadata=print:file=-",
            "-f",
            "null",
            "-",
        ])
        .stdin(Stdio::null())
        .output();
    let Ok(output) = output else {
        eprintln!("skipped: no ffmpeg");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let values = |name: &str| -> Vec<f64> {
        text.lines()
            .filter_map(|line| line.strip_prefix(name)?.parse().ok())
            .collect()
    };
    let (momentary, short_term) = (values("lavfi.r128.M="), values("lavfi.r128.S="));
    assert_eq!(momentary.len(), short_term.len());
    assert!(
        !momentary.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(momentary.into_iter().zip(short_term).collect())
}

/// Compares with FFmpeg's meter: the greatest difference in LU.
fn difference(sound: &Sound, meter: &[(f64, f64)]) -> f64 {
    let mut greatest: f64 = 0.0;
    let found = sound.whole();
    assert!(found.len() >= 5, "{found:?}");
    for (end, (momentary, short_term)) in found {
        let last = (end / 100) as usize;
        // The meter speaks at the end of each 100 ms, with whole windows from 400 ms on.
        let Some(second) = meter.get(last.saturating_sub(10).max(3)..last) else {
            continue;
        };
        let highest = second.iter().map(|row| row.0).fold(f64::MIN, f64::max);
        greatest = greatest.max((momentary - highest).abs());
        if let Some(short_term) = short_term {
            greatest = greatest.max((short_term - second[second.len() - 1].1).abs());
        }
    }
    greatest
}

#[test]
fn ffmpegs_meter_says_the_same() {
    let file = std::env::temp_dir().join(format!("matchcut-loudness-{}.f32", std::process::id()));
    for (rate, channels, source) in [
        (
            48_000,
            2,
            "anoisesrc=d=12:c=pink:seed=7:r=48000:a=0.4,tremolo=f=0.3:d=0.9,pan=stereo|c0=c0|c1=0.3*c0",
        ),
        (
            44_100,
            1,
            "sine=f=80:d=10:r=44100,tremolo=f=0.7:d=0.8,aformat=channel_layouts=mono",
        ),
        (
            48_000,
            6,
            "anoisesrc=d=9:c=brown:seed=3:r=48000,tremolo=f=0.2:d=0.9,pan=5.1|c0=c0|c1=0.5*c0|c2=0.2*c0|c3=c0|c4=0.7*c0|c5=0.6*c0",
        ),
    ] {
        let made = Command::new("ffmpeg")
            .args([
                "-v", "error", "-y", "-f", "lavfi", "-i", source, "-f", "f32le",
            ])
            .arg(&file)
            .stdin(Stdio::null())
            .status();
        let Ok(made) = made else {
            eprintln!("skipped: no ffmpeg");
            return;
        };
        assert!(made.success(), "{source}");
        let bytes = std::fs::read(&file).unwrap();
        let samples = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes))
            .collect();
        let sound = Sound {
            rate,
            channels,
            samples,
        };
        let layout = ["mono", "stereo", "", "", "", "5.1"][channels - 1];
        let (rate, count) = (rate.to_string(), channels.to_string());
        let input = [
            "-f",
            "f32le",
            "-ar",
            &rate,
            "-ac",
            &count,
            "-channel_layout",
            layout,
        ];
        let meter = meter(&file, &input).unwrap();
        let greatest = difference(&sound, &meter);
        eprintln!("{rate} Hz, {channels} channels: at most {greatest:.3} LU from FFmpeg's meter");
        assert!(greatest <= 0.1, "{source}: {greatest} LU");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn speech_is_as_loud_as_ffmpeg_says() {
    let Some(path) = data("audio/jfk_11s.flac") else {
        return;
    };
    let arguments = ["-vn", "-f", "f32le", "-ac", "2", "-ar", "44100"];
    let Some(raw) = crate::footage::ffmpeg(&path, &arguments) else {
        return;
    };
    let samples = raw
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    let sound = Sound {
        rate: 44_100,
        channels: 2,
        samples,
    };
    let greatest = difference(&sound, &meter(&path, &[]).unwrap());
    eprintln!("speech: at most {greatest:.3} LU from FFmpeg's meter");
    assert!(greatest <= 0.1, "{greatest} LU");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Where the stream is cut into chunks makes no difference, be they of milliseconds.
    #[test]
    fn borders_make_no_difference(
        seed in 1u32..1000,
        channels in 1usize..3,
        inner in proptest::collection::btree_set(1i64..6000, 0..40),
    ) {
        let mut noise = seed;
        let samples = (0..8000 * 6 * channels).map(|n| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let envelope = 0.02 + 0.9 * ((n / 9000) % 3) as f32 / 2.0;
            envelope * (noise as f32 / u32::MAX as f32 * 2.0 - 1.0)
        });
        let sound = Sound { rate: 8000, channels, samples: samples.collect() };
        let mut borders = vec![MediaTime::ZERO];
        borders.extend(inner.into_iter().map(MediaTime::from_millis));
        borders.push(sound.length());
        prop_assert_eq!(sound.loudness(borders, &[]), sound.whole());
    }
}
