//! The frame rate of a track, from what its timestamps show and what the stream claims. Timestamps that
//! passed through milliseconds or were rounded otherwise still have the rate that they had.

use matchcut_model::time::FrameRate;

use crate::samples::Sample;

const USUAL_RATES: [(u32, u32); 17] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (100, 1),
    (120_000, 1001),
    (120, 1),
    (10, 1),
    (12, 1),
    (25, 2),
    (15, 1),
    (20, 1),
];

/// The frame rate that the timestamps show: a usual one, else an exact fraction, else none
/// (variable). `said` is what the stream claims; it wins when the timestamps agree.
pub(crate) fn frame_rate(
    samples: &[Sample],
    timescale: u32,
    said: Option<FrameRate>,
) -> Option<FrameRate> {
    let mut pts: Vec<i64> = samples.iter().map(|sample| sample.pts).collect();
    pts.sort_unstable();
    pts.dedup();
    let mut steps: Vec<i64> = pts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    steps.sort_unstable();
    let Some(&median) = steps.get(steps.len() / 2) else {
        return said;
    };
    // Within rounding to ticks, every step is the one of the rate.
    let fits = |rate: FrameRate| {
        let exact = f64::from(timescale) / rate.as_f64();
        (median as f64 - exact).abs() <= 1.0_f64.max(exact * 0.0004)
    };
    if let Some(rate) = said.filter(|rate| fits(*rate)) {
        return Some(usual(rate));
    }
    // Streams that passed through milliseconds jitter by one of them.
    let jitter = 2 + i64::from(timescale) / 1000;
    let near: Vec<i64> = steps
        .iter()
        .copied()
        .filter(|step| (step - median).abs() <= jitter)
        .collect();
    if near.len() * 10 < steps.len() * 9 {
        return None;
    }
    let mean = near.iter().sum::<i64>() as f64 / near.len().max(1) as f64;
    let spread = near.last().copied().unwrap_or(0) - near.first().copied().unwrap_or(0);
    let tolerance = 0.51_f64.max(mean * 0.0006) + spread as f64 / near.len().max(1) as f64;
    let distance = |rate: &FrameRate| (f64::from(timescale) / rate.as_f64() - mean).abs();
    usual_rates()
        .filter(|rate| distance(rate) <= tolerance)
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
        .or_else(|| {
            let median = u32::try_from(median).ok().filter(|_| spread <= 1)?;
            FrameRate::new(timescale, median)
        })
}

fn usual_rates() -> impl Iterator<Item = FrameRate> {
    USUAL_RATES
        .iter()
        .filter_map(|(num, den)| FrameRate::new(*num, *den))
}

/// 2997/100 and the like become the rate they mean.
fn usual(rate: FrameRate) -> FrameRate {
    usual_rates()
        .find(|usual| (usual.as_f64() / rate.as_f64() - 1.0).abs() < 0.00002)
        .unwrap_or(rate)
}
