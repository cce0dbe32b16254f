//! The scan of `speech`: the samples of a chunk at 16 kHz, one channel, 16 bits each. That is 32 kB for a
//! second of sound, which is kept in the log of the event.

use matchcut_model::frame::AudioBlock;
use matchcut_model::time::MediaTime;

use super::resample::Resampler;
use crate::sdk::{AudioScan, AudioScanner, ChunkContext};
use crate::wire::{Reader, Writer};

/// Blocks whose timestamps differ by less from where they should begin follow each other: timestamps of
/// 90 kHz, and of milliseconds, are rounded.
const JITTER: MediaTime = MediaTime::from_millis(2);

/// So many samples that are missing where chunks meet are taken for silence: sound is coded in blocks that
/// do not end where a picture does.
pub(in crate::hosts) const BRIDGED: i64 = 1600;

/// Full scale of the samples that are kept.
const FULL_SCALE: f32 = 32_768.0;

/// Samples without a hole between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::hosts) struct Run {
    /// The number of the first on the grid of 16 kHz.
    pub(in crate::hosts) first: i64,
    pub(in crate::hosts) samples: Vec<i16>,
}

/// A sample as the model takes it.
pub(in crate::hosts) fn float(sample: i16) -> f32 {
    f32::from(sample) / FULL_SCALE
}

pub(in crate::hosts) struct SampleScanner;

impl AudioScanner for SampleScanner {
    fn start(&self, _chunk: &ChunkContext) -> Box<dyn AudioScan> {
        Box::new(SampleScan {
            resampler: None,
            time: MediaTime::ZERO,
            mono: Vec::new(),
            writer: Writer::default(),
        })
    }
}

struct SampleScan {
    /// For the rate of the samples that wait.
    resampler: Option<Resampler>,
    /// When the samples begin that wait.
    time: MediaTime,
    mono: Vec<f32>,
    writer: Writer,
}

impl AudioScan for SampleScan {
    fn block(&mut self, block: &AudioBlock<'_>) -> Result<(), String> {
        let (rate, channels) = (block.sample_rate, block.channels as usize);
        if !(4_000..=768_000).contains(&rate) || channels == 0 {
            return Err(format!("{channels} channels with {rate} samples a second"));
        }
        let follows = self.resampler.as_ref().is_some_and(|resampler| {
            let end = self.time + MediaTime::from_ticks(self.mono.len() as i64, rate);
            resampler.rate() == rate && (block.time - end).abs() < JITTER
        });
        if !follows {
            self.flush();
            self.time = block.time;
            if self
                .resampler
                .as_ref()
                .is_none_or(|resampler| resampler.rate() != rate)
            {
                self.resampler = Some(Resampler::new(rate));
            }
        }
        let mean = |samples: &[f32]| samples.iter().sum::<f32>() / channels as f32;
        self.mono
            .extend(block.samples.chunks_exact(channels).map(mean));
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<u8>, String> {
        self.flush();
        Ok(self.writer.0)
    }
}

impl SampleScan {
    fn flush(&mut self) {
        let mono = std::mem::take(&mut self.mono);
        let Some(resampler) = self.resampler.as_ref().filter(|_| !mono.is_empty()) else {
            return;
        };
        let (first, samples) = resampler.run(self.time, &mono);
        self.writer.i64(first);
        self.writer.u32(samples.len() as u32);
        for sample in samples {
            // Casts saturate, and a broken sample (NaN) becomes 0.
            self.writer
                .u16(((sample * FULL_SCALE).round() as i16) as u16);
        }
    }
}

/// The samples of a signature.
pub(in crate::hosts) fn read(signature: &[u8]) -> Option<Vec<Run>> {
    let mut reader = Reader(signature);
    let mut runs = Vec::new();
    while !reader.is_empty() {
        let first = reader.i64()?;
        let count = reader.u32()? as usize;
        let bytes = reader.bytes(count.checked_mul(2)?)?;
        let samples = bytes.chunks_exact(2).map(|pair| match pair {
            [low, high] => i16::from_le_bytes([*low, *high]),
            _ => 0,
        });
        runs.push(Run {
            first,
            samples: samples.collect(),
        });
    }
    Some(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::chunk::TrackNumber;

    fn block(time: MediaTime, channels: u32, samples: &[f32]) -> AudioBlock<'_> {
        AudioBlock {
            time,
            track: TrackNumber::FIRST,
            sample_rate: 16_000,
            channels,
            samples,
        }
    }

    #[test]
    fn channels_are_mixed_and_holes_are_kept() {
        let mut scan = Box::new(SampleScan {
            resampler: None,
            time: MediaTime::ZERO,
            mono: Vec::new(),
            writer: Writer::default(),
        });
        let at = |ticks| MediaTime::from_ticks(ticks, 16_000);
        scan.block(&block(at(0), 2, &[0.5, 0.25, f32::NAN, 0.0]))
            .unwrap();
        // A timestamp that is rounded.
        scan.block(&block(at(3), 1, &[2.0, -2.0])).unwrap();
        scan.block(&block(at(1000), 1, &[0.5])).unwrap();
        assert!(scan.block(&block(at(1001), 0, &[0.5])).is_err());
        let signature = scan.finish().unwrap();
        assert_eq!(
            read(&signature).unwrap(),
            [
                Run {
                    first: 0,
                    samples: vec![12_288, 0, i16::MAX, i16::MIN]
                },
                Run {
                    first: 1000,
                    samples: vec![16_384]
                },
            ]
        );
        assert_eq!(read(&signature[..5]), None);
    }
}
