//! The 33-bit counter of transport streams: it wraps after 26.5 hours, anywhere, also inside a
//! chunk, and pictures that are stored after the wrap may be shown before it.

use crate::time::{MediaTime, Timestamp};

/// The clock that wraps.
const TIMESCALE: u32 = 90_000;
const PERIOD: i64 = 1 << 33;

/// `pts` plus the multiple of the period that brings it nearest to `near`.
fn nearest(pts: Timestamp, near: i64) -> Timestamp {
    if pts.timescale != TIMESCALE {
        return pts;
    }
    let turns = near
        .saturating_sub(pts.ticks)
        .saturating_add(PERIOD / 2)
        .div_euclid(PERIOD);
    Timestamp {
        ticks: pts.ticks.saturating_add(turns.saturating_mul(PERIOD)),
        ..pts
    }
}

fn near_ticks(near: Option<MediaTime>, otherwise: i64) -> i64 {
    near.map_or(otherwise, |time| time.to_ticks(TIMESCALE))
}

/// Unwraps the frames of a chunk and puts them in order of presentation. `near` is the end of the
/// chunk before, if time goes on from there.
pub(super) fn unwrap_frames(pts: &[Timestamp], near: Option<MediaTime>) -> Vec<Timestamp> {
    let Some(first) = pts.first() else {
        return Vec::new();
    };
    let mut last = near_ticks(near, first.ticks);
    let unwrapped = pts.iter().map(|&pts| {
        let pts = nearest(pts, last);
        last = pts.ticks;
        pts
    });
    let mut frames = sorted(unwrapped.collect());
    // A stretch starts inside the first turn of the counter, as the stream wrote it.
    if near.is_none()
        && let Some(start) = frames.first().copied()
        && start.timescale == TIMESCALE
        && first.ticks >= 0
    {
        let shift = -start.ticks.div_euclid(PERIOD).saturating_mul(PERIOD);
        frames
            .iter_mut()
            .for_each(|pts| pts.ticks = pts.ticks.saturating_add(shift));
    }
    frames
}

/// Unwraps start and end of an audio track; the end is after the start.
pub(super) fn unwrap_pair(
    start: Timestamp,
    end: Timestamp,
    near: Option<MediaTime>,
) -> (Timestamp, Timestamp) {
    let start = nearest(start, near_ticks(near, start.ticks));
    (start, nearest(end, start.ticks))
}

/// In order of presentation.
pub(super) fn sorted(mut frames: Vec<Timestamp>) -> Vec<Timestamp> {
    frames.sort_by_key(|pts| pts.time());
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(values: &[i64]) -> Vec<Timestamp> {
        values
            .iter()
            .map(|&ticks| Timestamp {
                ticks,
                timescale: TIMESCALE,
            })
            .collect()
    }

    #[test]
    fn a_wrap_inside_a_chunk_in_either_order() {
        let wrapped = ticks(&[PERIOD - 3000, 0, 3000]);
        assert_eq!(
            unwrap_frames(&wrapped, None),
            ticks(&[PERIOD - 3000, PERIOD, PERIOD + 3000])
        );
        let by_value = ticks(&[0, 3000, PERIOD - 3000]);
        assert_eq!(
            unwrap_frames(&by_value, None),
            ticks(&[PERIOD - 3000, PERIOD, PERIOD + 3000])
        );
    }

    #[test]
    fn near_the_chunk_before_forwards_and_backwards() {
        let end = Some(
            Timestamp {
                ticks: PERIOD + 100,
                timescale: TIMESCALE,
            }
            .time(),
        );
        assert_eq!(unwrap_frames(&ticks(&[200]), end), ticks(&[PERIOD + 200]));
        assert_eq!(
            unwrap_frames(&ticks(&[PERIOD - 50]), end),
            ticks(&[PERIOD - 50])
        );
    }

    #[test]
    fn other_clocks_do_not_wrap() {
        let frames = vec![Timestamp {
            ticks: 5,
            timescale: 15_360,
        }];
        assert_eq!(
            unwrap_frames(&frames, Some(MediaTime::from_seconds(90_000))),
            frames
        );
    }
}
