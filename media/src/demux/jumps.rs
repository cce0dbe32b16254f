//! Timestamps that jump in the middle of a chunk: an encoder that was restarted without a new chunk.
//! What follows is moved so that time goes on; a chunk has only one place on a timeline.

use super::times::rebuild_dts;
use super::video::mark_leading;
use crate::samples::{Demuxed, Sample};

/// Times are in ticks of 90 kHz.
const SECOND: i64 = 90_000;
/// Nothing is shown or heard for so long only where the clock was set.
const FORWARD: i64 = 10 * SECOND;
/// Reordered pictures stand by less than this before one that was stored before them.
const BACKWARD: i64 = SECOND;

/// Where time jumps: the first sample behind, and how far it is from where it would go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Jump {
    sample: usize,
    by: i64,
}

/// The jumps of a track in decode order; `step` is the duration of a sample that does not say it.
fn jumps(samples: &[Sample], step: i64) -> Vec<Jump> {
    let mut out = Vec::new();
    let Some(first) = samples.first() else {
        return out;
    };
    let mut high = first.pts;
    for (index, sample) in samples.iter().enumerate().skip(1) {
        if sample.pts - high > FORWARD || high - sample.pts > BACKWARD {
            // Pictures of the new run that are shown before this one belong to it too.
            let rest = samples.get(index..).unwrap_or_default();
            let near = rest
                .iter()
                .take(16)
                .take_while(|s| (s.pts - sample.pts).abs() <= BACKWARD);
            let begins = near.map(|sample| sample.pts).min().unwrap_or(sample.pts);
            let duration = if sample.duration > 0 {
                sample.duration
            } else {
                step
            };
            out.push(Jump {
                sample: index,
                by: begins - (high + duration),
            });
            high = sample.pts;
        }
        high = high.max(sample.pts);
    }
    out
}

fn move_back(samples: &mut [Sample], jumps: &[Jump]) {
    for jump in jumps {
        for sample in samples.iter_mut().skip(jump.sample) {
            sample.pts = sample.pts.saturating_sub(jump.by);
            sample.dts = sample.dts.saturating_sub(jump.by);
        }
    }
}

/// Moves what stands behind a jump and tells it. Where only some of the tracks jump, the others show
/// that the clock ran on: those had nothing to show or say for a while, and stay as they are.
pub(super) fn heal(chunk: &mut Demuxed) {
    let video = chunk.video.as_ref().map(|track| {
        let step = track.frame_ticks().unwrap_or(SECOND / 25).min(SECOND);
        jumps(&track.samples, step)
    });
    let audio = chunk.audio.iter().map(|track| jumps(&track.samples, 0));
    let audio: Vec<Vec<Jump>> = audio.collect();
    let mut all = video.iter().chain(&audio);
    // Pictures and sound jump together: the same move keeps them in step.
    let Some(leading) = all.next().filter(|first| !first.is_empty()) else {
        return;
    };
    if all.any(|jumps| jumps.len() != leading.len()) {
        return;
    }
    let what = if video.is_some() { "picture" } else { "sound" };
    for jump in leading {
        let seconds = jump.by as f64 / SECOND as f64;
        chunk.warnings.push(format!(
            "the timestamps jump by {seconds:.3} s inside the chunk, before {what} {}; what follows is \
             moved so that time goes on",
            jump.sample + 1
        ));
    }
    if let (Some(track), Some(jumps)) = (&mut chunk.video, &video) {
        move_back(&mut track.samples, jumps);
        rebuild_dts(&mut track.samples);
        mark_leading(&mut track.samples);
    }
    for (track, own) in chunk.audio.iter_mut().zip(&audio) {
        let moves = own.iter().zip(leading);
        let moves: Vec<Jump> = moves.map(|(own, by)| Jump { by: by.by, ..*own }).collect();
        move_back(&mut track.samples, &moves);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::SyncKind;
    use bytes::Bytes;

    fn samples(pts: &[i64]) -> Vec<Sample> {
        let sample = |pts: &i64| Sample {
            pts: *pts,
            dts: *pts,
            duration: 0,
            sync: SyncKind::None,
            leading: false,
            reference: true,
            data: Bytes::new(),
        };
        pts.iter().map(sample).collect()
    }

    fn healed(pts: &[i64]) -> Vec<i64> {
        let mut samples = samples(pts);
        let jumps = jumps(&samples, 3600);
        move_back(&mut samples, &jumps);
        samples.iter().map(|sample| sample.pts).collect()
    }

    #[test]
    fn time_goes_on_behind_a_jump() {
        // B pictures are stored after the P that they are shown before.
        let run = |from: i64| [2, 0, 1, 5, 3, 4].map(|frame| from + frame * 3600);
        let whole = [run(900_000), run(900_000 + 6 * 3600)].concat();
        assert_eq!(healed(&whole), whole, "there is none");
        for second in [9_000_000, 0, 1 << 33, -5_000_000] {
            assert_eq!(
                healed(&[run(900_000), run(second)].concat()),
                whole,
                "{second}"
            );
        }
        let three = [run(0), run(9_000_000), run(90_000)].concat();
        let expected: Vec<i64> = [0, 6, 12].iter().flat_map(|n| run(n * 3600)).collect();
        assert_eq!(healed(&three), expected);
    }

    #[test]
    fn a_picture_that_is_held_is_no_jump() {
        let held = [0, 3600, 7200, 9 * SECOND, 9 * SECOND + 3600];
        assert_eq!(healed(&held), held);
        let reordered = [SECOND / 2, 0, SECOND / 4];
        assert_eq!(healed(&reordered), reordered);
    }
}
