//! Where frames stand on the event's own time: frame numbers leave holes of the event out, a
//! timeline of the event has them. A hole is a place where chunks are missing for at least a frame.

use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;

use crate::marks::FrameIndex;
use crate::sequence::FrameRange;

/// Frames that follow each other without a hole, and where the first of them stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Numbers of the frames.
    pub(crate) frames: FrameRange,
    /// Frames between the start of the event and the first of them, holes counted.
    pub(crate) place: i64,
}

/// The runs of an event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    runs: Vec<Run>,
    variable: bool,
}

impl Places {
    pub(crate) fn new(timeline: &EventTimeline, frames: &FrameIndex<'_>) -> Self {
        let rate = frames.rate();
        let mut places = Places::default();
        let mut end: Option<MediaTime> = None;
        for chunk in timeline.chunks_covering(TimeRange::new(MediaTime::ZERO, MediaTime::MAX)) {
            // Without pictures "frames" are counted by the clock, which does not stop in a hole.
            let counted = if frames.is_empty() {
                let (first, last) = frames.frames_of(chunk.span);
                FrameRange::new(first, last)
            } else {
                let first = i64::try_from(chunk.first_frame).unwrap_or(i64::MAX);
                let number = i64::try_from(chunk.frames.len()).unwrap_or(i64::MAX);
                FrameRange::new(first, first.saturating_add(number))
            };
            if counted.is_empty() {
                continue;
            }
            let hole = end.map_or(MediaTime::ZERO, |end| chunk.span.start - end);
            let missing = nearest(hole, rate);
            match places.runs.last_mut() {
                Some(run) if missing <= 0 => run.frames.end = run.frames.end.max(counted.end),
                Some(run) => {
                    let place = run.place + run.frames.len() + missing;
                    places.runs.push(Run {
                        frames: counted,
                        place,
                    });
                }
                None => places.runs.push(Run {
                    frames: counted,
                    place: counted.first,
                }),
            }
            end = Some(end.map_or(chunk.span.end, |end| end.max(chunk.span.end)));
            places.variable |= varies(chunk.frames.iter().map(|frame| frame.time), rate);
        }
        places
    }

    /// The runs in order.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Whether frames do not follow each other at one rate.
    pub(crate) fn is_variable(&self) -> bool {
        self.variable
    }

    /// Where a frame stands; frames of no run count on from the run before them.
    pub(crate) fn of(&self, frame: i64) -> i64 {
        let run = self.runs.partition_point(|run| run.frames.first <= frame);
        let run = run.checked_sub(1).and_then(|index| self.runs.get(index));
        run.map_or(frame, |run| run.place + frame - run.frames.first)
    }
}

/// The number of frames that fit best.
fn nearest(time: MediaTime, rate: FrameRate) -> i64 {
    let half = MediaTime::from_flicks(rate.frame_duration().flicks() / 2);
    rate.frame_at(time + half)
}

/// Whether one of the frames is more than half a frame from where the rate has it.
fn varies(mut times: impl Iterator<Item = MediaTime>, rate: FrameRate) -> bool {
    let Some(first) = times.next() else {
        return false;
    };
    let half = MediaTime::from_flicks(rate.frame_duration().flicks() / 2);
    (1..)
        .zip(times)
        .any(|(number, time)| (time - first - rate.time_of(number)).abs() > half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::tests::chunk;
    use matchcut_model::chunk::FrameTable;

    const RATE: FrameRate = FrameRate {
        num: 30_000,
        den: 1001,
    };

    fn places(timeline: &EventTimeline) -> Places {
        Places::new(timeline, &FrameIndex::new(timeline, None))
    }

    #[test]
    fn a_hole_is_counted_in_places_only() {
        let after = RATE.time_of(100) + MediaTime::from_seconds(1);
        let timeline: EventTimeline = [
            chunk(0, MediaTime::ZERO, RATE, 0, 60),
            chunk(1, RATE.time_of(60), RATE, 60, 40),
            chunk(5, after, RATE, 100, 30),
        ]
        .into_iter()
        .collect();
        let places = places(&timeline);
        let runs: Vec<_> = places.runs().iter().map(|r| (r.frames, r.place)).collect();
        assert_eq!(
            runs,
            [
                (FrameRange::new(0, 100), 0),
                (FrameRange::new(100, 130), 130)
            ]
        );
        let found: Vec<_> = [0, 99, 100, 129, 130].map(|n| places.of(n)).into();
        assert_eq!(found, [0, 99, 130, 159, 160]);
        assert!(!places.is_variable());
    }

    #[test]
    fn frames_at_no_one_rate_are_told() {
        let mut uneven = chunk(0, MediaTime::ZERO, RATE, 0, 4);
        uneven.frames = FrameTable::new(1000, [0, 33, 120, 153], MediaTime::ZERO);
        let timeline: EventTimeline = [uneven].into_iter().collect();
        assert!(places(&timeline).is_variable());
        assert!(places(&EventTimeline::new()).runs().is_empty());
        assert_eq!(places(&EventTimeline::new()).of(7), 7);
    }
}
