//! What a job will cost, by the prices on demand: minutes of output, weighted by size and frame rate. It is an
//! estimate: regions, volumes, reserved queues and acceleration have prices of their own.

use matchcut_model::time::{FrameRate, MediaTime};
use serde::{Deserialize, Serialize};

/// A shorter output is charged as one of so many seconds.
const SHORTEST: i64 = 10;

/// An estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Normalized minutes of output: a minute of at most 30 frames a second below 1280 x 720 counts once.
    pub minutes: f64,
    /// US dollars.
    pub usd: f64,
}

impl Estimate {
    /// Of outputs with these sizes (that of the source is taken for HD), each of this duration.
    pub(super) fn of(
        sizes: impl IntoIterator<Item = Option<(u32, u32)>>,
        rate: FrameRate,
        duration: MediaTime,
        price: f64,
    ) -> Self {
        let second = MediaTime::from_seconds(1).flicks();
        let seconds = (duration.flicks() + second - 1) / second;
        let seconds = seconds.max(SHORTEST);
        let weights: f64 = sizes.into_iter().map(weight).sum();
        let faster = match rate.as_f64() {
            slow if slow <= 30.0 => 1.0,
            fast if fast <= 60.0 => 1.25,
            _ => 1.5,
        };
        let minutes = seconds as f64 / 60.0 * weights * faster;
        Estimate {
            minutes: rounded(minutes),
            usd: rounded(minutes * price),
        }
    }

    /// Both together.
    pub fn plus(self, other: Estimate) -> Self {
        Estimate {
            minutes: rounded(self.minutes + other.minutes),
            usd: rounded(self.usd + other.usd),
        }
    }
}

/// To what people read.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn weight(size: Option<(u32, u32)>) -> f64 {
    match size {
        None => 2.0,
        Some((width, height)) => match u64::from(width) * u64::from(height) {
            small if small < 1280 * 720 => 1.0,
            large if large > 1920 * 1080 => 4.0,
            _ => 2.0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_weighted() {
        let pal = FrameRate { num: 25, den: 1 };
        let fast = FrameRate { num: 50, den: 1 };
        let of = |sizes: &[(u32, u32)], rate, millis| {
            let sizes = sizes.iter().map(|size| Some(*size));
            let estimate = Estimate::of(sizes, rate, MediaTime::from_millis(millis), 0.01);
            (estimate.minutes, estimate.usd)
        };
        assert_eq!(of(&[(640, 360)], pal, 60_000), (1.0, 0.01));
        assert_eq!(of(&[(1280, 720), (3840, 2160)], pal, 59_001), (6.0, 0.06));
        assert_eq!(of(&[(608, 1080)], fast, 120_000), (2.5, 0.025));
        // Ten seconds at least.
        assert_eq!(of(&[(640, 360)], pal, 40), (0.1667, 0.0017));
        let source = Estimate::of([None], pal, MediaTime::from_seconds(30), 0.01);
        assert_eq!(source.minutes, 1.0);
    }
}
