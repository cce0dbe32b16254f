//! Presentation and decoding times where the stream gives none, or none that can be. What is guessed or
//! rebuilt is said.

use matchcut_model::time::FrameRate;

use crate::samples::Sample;

/// Fills in times that no PES header gave, and repairs decoding times that do not increase.
pub(super) fn give_times(
    timed: Vec<(Option<i64>, Option<i64>, Sample)>,
    rate: Option<FrameRate>,
    warnings: &mut Vec<String>,
) -> Vec<Sample> {
    // A stream may say that it has a picture in a hundred years.
    let step = rate.map_or(3600, |rate| {
        rate.frame_duration().to_ticks(90_000).clamp(1, 90_000 * 60)
    });
    let (mut guessed, mut dropped) = (0, 0);
    let mut samples: Vec<Sample> = Vec::with_capacity(timed.len());
    for (pts, dts, mut sample) in timed {
        match (pts, samples.last()) {
            (Some(pts), _) => (sample.pts, sample.dts) = (pts, dts.unwrap_or(pts)),
            (None, Some(previous)) => {
                (sample.pts, sample.dts) = (previous.pts + step, previous.dts + step);
                guessed += 1;
            }
            (None, None) => {
                dropped += 1;
                continue;
            }
        }
        samples.push(sample);
    }
    if guessed > 0 {
        warnings.push(format!(
            "video: {guessed} pictures without a timestamp, times guessed"
        ));
    }
    if dropped > 0 {
        warnings.push(format!(
            "video: {dropped} pictures before the first timestamp left out"
        ));
    }
    if samples.windows(2).any(|pair| pair[1].dts <= pair[0].dts) {
        warnings.push("video: decoding times do not increase; they are rebuilt".into());
        rebuild_dts(&mut samples);
    }
    samples
}

/// Decoding times from presentation times: the same values in order, moved back so far that none
/// comes after its presentation.
pub(crate) fn rebuild_dts(samples: &mut [Sample]) {
    let mut order: Vec<i64> = samples.iter().map(|sample| sample.pts).collect();
    order.sort_unstable();
    for index in 1..order.len() {
        order[index] = order[index].max(order[index - 1] + 1);
    }
    let delay = samples
        .iter()
        .zip(&order)
        .map(|(s, dts)| dts - s.pts)
        .max()
        .unwrap_or(0)
        .max(0);
    for (sample, dts) in samples.iter_mut().zip(order) {
        sample.dts = dts - delay;
    }
}
