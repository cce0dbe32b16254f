//! Samples at 16 kHz from samples at any rate: a windowed sinc, read at the times of a grid that is
//! anchored at event time 0, so that chunks meet without a seam. What would be heard as something else
//! (above 8 kHz) is filtered out.

use matchcut_model::time::{FLICKS_PER_SECOND, MediaTime};

/// The rate that comes out.
pub(in crate::hosts) const RATE: u32 = 16_000;

/// Flicks of a sample that comes out.
const STEP: i64 = FLICKS_PER_SECOND / RATE as i64;

/// Zero crossings of the sinc on each side.
const CROSSINGS: f64 = 16.0;

/// What passes, as a share of half the lower rate.
const PASS: f64 = 0.94;

/// Places between two samples for which the filter is computed; between these it is interpolated.
const PHASES: usize = 128;

/// A filter for one rate.
pub(in crate::hosts) struct Resampler {
    rate: u32,
    /// Samples on each side of the place that is read.
    half: i64,
    /// `PHASES + 1` rows of `2 * half` weights.
    rows: Vec<Vec<f32>>,
}

impl Resampler {
    pub(in crate::hosts) fn new(rate: u32) -> Resampler {
        let ratio = f64::from(rate) / f64::from(RATE);
        // Of the frequency at which samples come.
        let cutoff = PASS * (1.0 / ratio).min(1.0);
        let half = (CROSSINGS / cutoff).ceil() as i64;
        let row = |phase: usize| {
            let place = phase as f64 / PHASES as f64;
            // Sample `tap` stands at `tap - half + 1`, the place between 0 and 1.
            let weights: Vec<f64> = (0..2 * half)
                .map(|tap| weight((tap - half + 1) as f64 - place, cutoff, half as f64))
                .collect();
            // A constant stays what it is.
            let sum: f64 = weights.iter().sum();
            weights.iter().map(|weight| (weight / sum) as f32).collect()
        };
        Resampler {
            rate,
            half,
            rows: (0..=PHASES).map(row).collect(),
        }
    }

    pub(in crate::hosts) fn rate(&self) -> u32 {
        self.rate
    }

    /// The samples of the grid that fall on `samples`, which begin at `time`, and the number of the first
    /// on the grid.
    pub(in crate::hosts) fn run(&self, time: MediaTime, samples: &[f32]) -> (i64, Vec<f32>) {
        let count = samples.len() as i64;
        let end = time + MediaTime::from_ticks(count, self.rate);
        if self.rate == RATE {
            // Half a sample is not heard.
            let first = (time.flicks() + STEP / 2).div_euclid(STEP);
            return (first, samples.to_vec());
        }
        let (first, end) = (from(time), from(end));
        let made = (first..end).map(|number| {
            // The place among the samples, in flicks times the rate.
            let distance = i128::from(number * STEP - time.flicks()) * i128::from(self.rate);
            let second = i128::from(FLICKS_PER_SECOND);
            let whole = distance.div_euclid(second) as i64;
            let part = distance.rem_euclid(second) as f64 / second as f64;
            self.read(samples, whole, part)
        });
        (first, made.collect())
    }

    /// The value at `whole + part`; before the first sample and after the last it is theirs.
    fn read(&self, samples: &[f32], whole: i64, part: f64) -> f32 {
        let phase = part * PHASES as f64;
        let row = (phase as usize).min(PHASES - 1);
        let between = (phase - row as f64) as f32;
        let (Some(lower), Some(upper)) = (self.rows.get(row), self.rows.get(row + 1)) else {
            return 0.0;
        };
        let first = whole - self.half + 1;
        let last = samples.len() as i64 - 1;
        let mut sums = (0.0, 0.0);
        for (tap, (low, high)) in lower.iter().zip(upper).enumerate() {
            let at = (first + tap as i64).clamp(0, last.max(0)) as usize;
            let sample = samples.get(at).copied().unwrap_or_default();
            sums.0 += low * sample;
            sums.1 += high * sample;
        }
        sums.0 + (sums.1 - sums.0) * between
    }
}

/// The number of the first sample of the grid at `time` or later.
fn from(time: MediaTime) -> i64 {
    -(-time.flicks()).div_euclid(STEP)
}

/// When sample `number` of the grid is heard.
pub(in crate::hosts) fn time_of(number: i64) -> MediaTime {
    MediaTime::from_flicks(number.saturating_mul(STEP))
}

/// A sinc under a Hann window.
fn weight(distance: f64, cutoff: f64, half: f64) -> f64 {
    if distance.abs() >= half {
        return 0.0;
    }
    let angle = std::f64::consts::PI * distance * cutoff;
    let sinc = if angle == 0.0 {
        1.0
    } else {
        angle.sin() / angle
    };
    let window = (std::f64::consts::FRAC_PI_2 * distance / half).cos();
    sinc * window * window
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hertz: f64, rate: u32, seconds: f64) -> Vec<f32> {
        let samples = (f64::from(rate) * seconds) as usize;
        let sample = |n: usize| (std::f64::consts::TAU * hertz * n as f64 / f64::from(rate)).sin();
        (0..samples).map(|n| sample(n) as f32).collect()
    }

    fn effective(samples: &[f32]) -> f64 {
        let squares: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
        (squares / samples.len() as f64).sqrt()
    }

    #[test]
    fn a_tone_keeps_its_place_and_level() {
        for rate in [8_000, 22_050, 44_100, 48_000, 96_000] {
            let (first, out) = Resampler::new(rate).run(MediaTime::ZERO, &sine(440.0, rate, 0.5));
            assert_eq!((first, out.len()), (0, 8000), "{rate} Hz");
            let expected = sine(440.0, RATE, 0.5);
            let inside = 200..7800;
            let differences: Vec<f32> = inside.clone().map(|n| out[n] - expected[n]).collect();
            assert!(
                effective(&differences) < 2e-4,
                "{rate} Hz: {}",
                effective(&differences)
            );
        }
    }

    #[test]
    fn what_cannot_be_heard_at_16_khz_is_gone() {
        let (_, out) = Resampler::new(48_000).run(MediaTime::ZERO, &sine(9_500.0, 48_000, 0.5));
        assert!(
            effective(&out[200..7800]) < 1e-3,
            "{}",
            effective(&out[200..7800])
        );
        let (_, out) = Resampler::new(48_000).run(MediaTime::ZERO, &sine(6_500.0, 48_000, 0.5));
        assert!((effective(&out[200..7800]) - std::f64::consts::FRAC_1_SQRT_2).abs() < 0.01);
    }

    #[test]
    fn pieces_meet_on_the_grid() {
        let samples = sine(300.0, 44_100, 1.0);
        let resampler = Resampler::new(44_100);
        let (_, whole) = resampler.run(MediaTime::ZERO, &samples);
        // 10 000 samples of 44.1 kHz end between two of 16 kHz.
        let (first, head) = resampler.run(MediaTime::ZERO, &samples[..10_000]);
        let border = MediaTime::from_ticks(10_000, 44_100);
        let (second, tail) = resampler.run(border, &samples[10_000..]);
        assert_eq!((first, second), (0, 3629));
        assert_eq!(head.len(), 3629);
        assert_eq!(head.len() + tail.len(), whole.len());
        let joined: Vec<f32> = head.into_iter().chain(tail).collect();
        // Only next to the border, where each piece knows one side alone, is anything different.
        let differ = (0..whole.len()).filter(|n| (joined[*n] - whole[*n]).abs() > 1e-6);
        let (low, high) = (3629 - 18, 3629 + 18);
        assert!(differ.clone().count() > 0);
        assert!(
            differ.clone().all(|n| (low..high).contains(&n)),
            "{:?}",
            differ.collect::<Vec<_>>()
        );
    }

    #[test]
    fn samples_at_the_right_rate_stay_as_they_are() {
        let samples = sine(300.0, RATE, 0.1);
        let time = MediaTime::from_ticks(-3, RATE);
        assert_eq!(Resampler::new(RATE).run(time, &samples), (-3, samples));
    }
}
