//! Loudness on a grid: the scan that `audio_peaks` and `audio_silence` share. The grid is anchored
//! at event time 0 and sums are whole numbers, so that a bin cut by a chunk border is put together
//! exactly and results do not depend on where chunks are cut.

use matchcut_model::frame::AudioBlock;
use matchcut_model::time::{FLICKS_PER_SECOND, MediaTime};

use crate::sdk::{AudioScan, AudioScanner, ChunkContext, Step};
use crate::wire::{Reader, Writer};

/// Level of digital silence, in hundredths of a decibel.
const FLOOR: i32 = -12_000;

/// Full scale of the whole numbers that samples are turned into.
const FULL_SCALE: f32 = 32_768.0;

/// What was heard of one bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bin {
    /// Number of the bin on the grid.
    pub(crate) index: i64,
    /// Sum of the squares of all samples.
    squares: u64,
    /// Number of samples.
    samples: u64,
}

impl Bin {
    /// Root mean square as a whole number; full scale is 2^19.
    pub(crate) fn amplitude(&self) -> i64 {
        let mean = self.squares as f64 / self.samples.max(1) as f64;
        (mean.sqrt() * 16.0).round() as i64
    }

    /// Root mean square in hundredths of a decibel of full scale.
    pub(crate) fn level(&self) -> i32 {
        if self.squares == 0 || self.samples == 0 {
            return FLOOR;
        }
        let full = f64::from(FULL_SCALE) * f64::from(FULL_SCALE);
        let mean = self.squares as f64 / self.samples as f64 / full;
        ((1000.0 * mean.log10()).round() as i32).max(FLOOR)
    }
}

/// Starts scans on a grid of `bin`.
pub(crate) struct LevelScanner {
    pub(crate) bin: MediaTime,
}

impl AudioScanner for LevelScanner {
    fn start(&self, _chunk: &ChunkContext) -> Box<dyn AudioScan> {
        Box::new(LevelScan {
            bin: self.bin.flicks().max(1),
            bins: Vec::new(),
        })
    }
}

struct LevelScan {
    bin: i64,
    bins: Vec<Bin>,
}

impl AudioScan for LevelScan {
    fn block(&mut self, block: &AudioBlock<'_>) -> Result<(), String> {
        if block.sample_rate == 0 || block.channels == 0 {
            return Err("samples without rate or channels".to_owned());
        }
        let channels = block.channels as usize;
        let frames = block.frames();
        let mut at = 0;
        while at < frames {
            let index = block.time_of(at).flicks().div_euclid(self.bin);
            let until = first_from(block, MediaTime::from_flicks((index + 1) * self.bin));
            let until = until.clamp(at + 1, frames);
            let samples = &block.samples[at * channels..until * channels];
            let squares = samples.iter().map(|sample| square(*sample)).sum();
            self.add(Bin {
                index,
                squares,
                samples: samples.len() as u64,
            });
            at = until;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        let mut writer = Writer::default();
        for bin in &self.bins {
            writer.i64(bin.index);
            writer.u64(bin.squares);
            writer.u64(bin.samples);
        }
        Ok(writer.0)
    }
}

impl LevelScan {
    fn add(&mut self, bin: Bin) {
        match self.bins.last_mut() {
            Some(last) if last.index == bin.index => merge(last, &bin),
            _ => self.bins.push(bin),
        }
    }
}

fn merge(into: &mut Bin, other: &Bin) {
    into.squares += other.squares;
    into.samples += other.samples;
}

fn square(sample: f32) -> u64 {
    // Casts saturate, and a broken sample (NaN) becomes 0.
    let whole = i64::from((sample * FULL_SCALE) as i32).clamp(-1 << 20, 1 << 20);
    (whole * whole) as u64
}

/// The first sample of the block that is heard at `time` or later.
pub(super) fn first_from(block: &AudioBlock<'_>, time: MediaTime) -> usize {
    let distance = i128::from((time - block.time).flicks()) * i128::from(block.sample_rate);
    let second = i128::from(FLICKS_PER_SECOND);
    let mut index = usize::try_from(distance.div_euclid(second)).unwrap_or(0);
    while block.time_of(index) < time {
        index += 1;
    }
    index
}

/// Puts the bins of successive chunks together and hands over each when it is complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bins {
    open: Option<Bin>,
}

impl Bins {
    /// The bins that are complete with this step: those before the last one heard.
    pub(crate) fn take(&mut self, step: &Step<'_>) -> Vec<Bin> {
        let mut complete = Vec::new();
        for bin in step.signature.and_then(read).unwrap_or_default() {
            match &mut self.open {
                Some(open) if open.index == bin.index => merge(open, &bin),
                // Timestamps that go back: what is complete stays as it is.
                Some(open) if open.index > bin.index => {}
                open => complete.extend(open.replace(bin)),
            }
        }
        if step.end_of_event {
            complete.extend(self.open.take());
        }
        complete
    }

    /// The bin that is not complete yet.
    pub(crate) fn open(&self) -> Option<&Bin> {
        self.open.as_ref()
    }
}

fn read(signature: &[u8]) -> Option<Vec<Bin>> {
    let mut reader = Reader(signature);
    let mut bins = Vec::new();
    while !reader.is_empty() {
        bins.push(Bin {
            index: reader.i64()?,
            squares: reader.u64()?,
            samples: reader.u64()?,
        });
    }
    Some(bins)
}

/// When bin `index` begins.
pub(crate) fn begin(index: i64, bin: MediaTime) -> MediaTime {
    bin.times(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::chunk::TrackNumber;

    #[test]
    fn a_sine_has_the_level_of_its_effective_value() {
        let samples: Vec<f32> = (0..48_000)
            .map(|i| 0.5 * (i as f32 * 0.1).sin())
            .flat_map(|s| [s, s])
            .collect();
        let mut scan = LevelScan {
            bin: MediaTime::from_millis(500).flicks(),
            bins: Vec::new(),
        };
        let block = AudioBlock {
            time: MediaTime::ZERO,
            track: TrackNumber::FIRST,
            sample_rate: 48_000,
            channels: 2,
            samples: &samples,
        };
        scan.block(&block).unwrap();
        assert_eq!(scan.bins.len(), 2);
        assert_eq!(scan.bins[0].samples, 48_000);
        // 20 log10(0.5 / sqrt 2) = -9.03 dB
        assert!(
            (scan.bins[0].level() + 903).abs() <= 1,
            "{}",
            scan.bins[0].level()
        );
    }

    #[test]
    fn broken_samples_do_no_harm() {
        assert_eq!(square(f32::NAN), 0);
        assert_eq!(square(f32::INFINITY), 1 << 40);
        assert_eq!(square(-1.0), 1 << 30);
        assert_eq!(
            Bin {
                index: 0,
                squares: 0,
                samples: 10
            }
            .level(),
            FLOOR
        );
    }
}
