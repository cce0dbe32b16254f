//! The spectrum of a short piece of sound in a few bands. It is computed without the vector instructions
//! of the machine at hand, and rounded to tenths of a decibel, so that every machine finds the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlannerScalar};

/// Bands, from 100 Hz up.
pub(super) const BANDS: usize = 8;

/// Where they begin and the last ends, in hertz.
const EDGES: [f64; BANDS + 1] = [
    100.0, 300.0, 700.0, 1200.0, 2000.0, 3200.0, 5000.0, 8000.0, 14_000.0,
];

/// Level of each band in tenths of a decibel; a sine at full scale has -3 dB.
pub(super) type Bands = [i16; BANDS];

/// Level of a band in which nothing is heard.
const FLOOR: i16 = -1200;

/// A transform, and the window that samples are seen through.
type Plan = (Arc<dyn Fft<f64>>, Vec<f64>);

/// Computes spectra.
pub(super) struct Spectrum {
    planner: FftPlannerScalar<f64>,
    /// By number of samples.
    plans: BTreeMap<usize, Plan>,
}

impl Spectrum {
    pub(super) fn new() -> Self {
        Spectrum {
            planner: FftPlannerScalar::new(),
            plans: BTreeMap::new(),
        }
    }

    /// The bands of some samples.
    pub(super) fn bands(&mut self, samples: &[i16], sample_rate: u32) -> Bands {
        let length = samples.len();
        if length < 4 {
            return [FLOOR; BANDS];
        }
        let planner = &mut self.planner;
        let (plan, window) = self.plans.entry(length).or_insert_with(|| {
            let turn = std::f64::consts::TAU / length as f64;
            let hann = (0..length).map(|n| 0.5 - 0.5 * (turn * (n as f64 + 0.5)).cos());
            (planner.plan_fft_forward(length), hann.collect())
        });
        let mut values: Vec<Complex<f64>> = samples
            .iter()
            .zip(window.iter())
            .map(|(sample, weight)| Complex::new(f64::from(*sample) / 32_768.0 * weight, 0.0))
            .collect();
        plan.process(&mut values);
        let weight: f64 = window.iter().map(|weight| weight * weight).sum();
        let mut powers = [0.0; BANDS];
        let step = f64::from(sample_rate) / length as f64;
        for (bin, value) in values.iter().enumerate().take(length / 2).skip(1) {
            let frequency = bin as f64 * step;
            let after = EDGES.partition_point(|edge| *edge <= frequency);
            if let Some(power) = after.checked_sub(1).and_then(|band| powers.get_mut(band)) {
                *power += 2.0 * value.norm_sqr() / (length as f64 * weight);
            }
        }
        powers.map(|power| {
            if power <= 0.0 {
                FLOOR
            } else {
                ((100.0 * power.log10()).round() as i16).max(FLOOR)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_is_in_its_band_at_its_level() {
        for (rate, length) in [
            (48_000u32, 960),
            (44_100, 882),
            (16_000, 320),
            (11_025, 221),
        ] {
            let samples: Vec<i16> = (0..length)
                .map(|n| {
                    let phase = f64::from(n) * 1000.0 * std::f64::consts::TAU / f64::from(rate);
                    (16_384.0 * phase.sin()) as i16
                })
                .collect();
            let bands = Spectrum::new().bands(&samples, rate);
            // 20 log10(0.5) - 3.01 = -9.03 dB
            assert!((bands[2] + 90).abs() <= 2, "{rate}: {bands:?}");
            let others = bands.iter().enumerate().filter(|(band, _)| *band != 2);
            assert!(
                others.clone().all(|(_, level)| *level < -300),
                "{rate}: {bands:?}"
            );
        }
        assert_eq!(Spectrum::new().bands(&[0; 960], 48_000), [FLOOR; BANDS]);
        assert_eq!(Spectrum::new().bands(&[1, 2], 48_000), [FLOOR; BANDS]);
    }
}
