//! The labels of the frames of the source: what the stream carries, the time of day, or a count from
//! zero, as the pipeline asks for.

use matchcut_model::time::MediaTime;
use matchcut_model::timecode::{Timecode, TimecodeRate, TimecodeSource};
use matchcut_model::timeline::EventTimeline;

use crate::info::EventInfo;
use crate::marks::FrameIndex;

/// Labels of frames by their number in the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceTimecode {
    /// The label of frame 0.
    zero: Timecode,
    /// Frames whose label does not follow from the one before, by number.
    jumps: Vec<(i64, Timecode)>,
}

impl SourceTimecode {
    pub(crate) fn new(timeline: &EventTimeline, info: &EventInfo, frames: &FrameIndex<'_>) -> Self {
        let source = info.timecode_source;
        let mut jumps = match source {
            TimecodeSource::NotEmbedded => Vec::new(),
            TimecodeSource::ZeroBased | TimecodeSource::UtcBased => embedded(timeline, frames),
        };
        if let Some((frame, timecode)) = jumps.first().copied() {
            jumps.remove(0);
            // Frames before the first label are counted back from it.
            let zero = timecode.plus(-frame);
            return SourceTimecode { zero, jumps };
        }
        let rate = TimecodeRate::new(frames.rate(), info.edl.drop_frame);
        let utc = timeline
            .utc_of(MediaTime::ZERO)
            .filter(|_| source == TimecodeSource::UtcBased);
        SourceTimecode {
            zero: utc.map_or(Timecode::from_frame(0, rate), |micros| rate.at_utc(micros)),
            jumps,
        }
    }

    /// The label of frame 0, which the lists of an editor count from.
    pub(crate) fn zero(&self) -> Timecode {
        self.zero
    }

    /// The label of a frame.
    pub(crate) fn at(&self, frame: i64) -> Timecode {
        let after = self.jumps.partition_point(|(from, _)| *from <= frame);
        match after.checked_sub(1).and_then(|last| self.jumps.get(last)) {
            Some((from, timecode)) => timecode.plus(frame - from),
            None => self.zero.plus(frame),
        }
    }
}

/// The labels that the stream carries: the first, and those that do not follow.
fn embedded(timeline: &EventTimeline, frames: &FrameIndex<'_>) -> Vec<(i64, Timecode)> {
    let mut out: Vec<(i64, Timecode)> = Vec::new();
    for chunk in timeline.iter() {
        let rate = chunk.frame_rate.unwrap_or(frames.rate());
        for mark in &chunk.timecodes {
            let number = i64::try_from(chunk.first_frame).unwrap_or(i64::MAX);
            let frame = number.saturating_add(i64::from(mark.frame));
            let Some(timecode) = mark.timecode.at(rate) else {
                continue;
            };
            let follows = |(from, before): &(i64, Timecode)| before.plus(frame - from) == timecode;
            if !out.last().is_some_and(follows) {
                out.push((frame, timecode));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::tests::chunk;
    use matchcut_model::time::FrameRate;
    use matchcut_model::timecode::{EmbeddedTimecode, TimecodeMark};

    const NTSC: FrameRate = FrameRate {
        num: 30_000,
        den: 1001,
    };

    fn mark(frame: u32, [hours, minutes, seconds, frames]: [u8; 4], drop: bool) -> TimecodeMark {
        let timecode = EmbeddedTimecode {
            hours,
            minutes,
            seconds,
            frames: frames.into(),
            drop_frame: drop,
        };
        TimecodeMark { frame, timecode }
    }

    /// Two chunks of 100 frames each, with these marks, at noon UTC.
    fn timeline(marks: [Vec<TimecodeMark>; 2], rate: FrameRate) -> EventTimeline {
        let chunks = marks.into_iter().enumerate().map(|(n, timecodes)| {
            let from = 100 * n as i64;
            let mut chunk = chunk(n as u64, rate.time_of(from), rate, from as u64, 100);
            chunk.timecodes = timecodes;
            chunk.utc = (n == 0).then_some(1_767_268_800_000_000);
            chunk
        });
        chunks.collect()
    }

    fn labels(timeline: &EventTimeline, source: TimecodeSource, frames: &[i64]) -> Vec<String> {
        let info = EventInfo {
            timecode_source: source,
            ..EventInfo::default()
        };
        let index = FrameIndex::new(timeline, None);
        let timecode = SourceTimecode::new(timeline, &info, &index);
        let labels = frames.iter().map(|frame| timecode.at(*frame).to_string());
        labels.collect()
    }

    #[test]
    fn what_is_embedded_counts_in_two_modes() {
        // The first label is that of frame 2; the second chunk goes on over midnight.
        let marks = [
            vec![mark(2, [23, 59, 57, 2], true)],
            vec![mark(0, [0, 0, 0, 10], true)],
        ];
        let timeline = timeline(marks, NTSC);
        let frames = [0, 2, 89, 90, 100, 199];
        for source in [TimecodeSource::ZeroBased, TimecodeSource::UtcBased] {
            assert_eq!(
                labels(&timeline, source, &frames),
                [
                    "23:59:57;00",
                    "23:59:57;02",
                    "23:59:59;29",
                    "00:00:00;00",
                    "00:00:00;10",
                    "00:00:03;19"
                ]
            );
        }
        let ignored = labels(&timeline, TimecodeSource::NotEmbedded, &frames);
        assert_eq!(ignored[..2], ["00:00:00;00", "00:00:00;02"]);
    }

    #[test]
    fn a_jump_is_followed_and_non_drop_stays_so() {
        let marks = [
            vec![
                mark(0, [0, 0, 58, 0], false),
                mark(60, [10, 0, 0, 0], false),
            ],
            vec![],
        ];
        let timeline = timeline(marks, NTSC);
        assert_eq!(
            labels(&timeline, TimecodeSource::ZeroBased, &[0, 59, 60, 100]),
            ["00:00:58:00", "00:00:59:29", "10:00:00:00", "10:00:01:10"],
            "the second chunk has no label of its own"
        );
    }

    #[test]
    fn without_any_the_clock_or_zero_counts() {
        let pal = FrameRate { num: 25, den: 1 };
        let plain = timeline([vec![], vec![]], pal);
        assert_eq!(
            labels(&plain, TimecodeSource::ZeroBased, &[1]),
            ["00:00:00:01"]
        );
        assert_eq!(
            labels(&plain, TimecodeSource::UtcBased, &[1]),
            ["12:00:00:01"]
        );
        // A label that does not exist at the rate of the stream is none.
        let wrong = timeline([vec![mark(0, [1, 0, 0, 29], false)], vec![]], pal);
        assert_eq!(
            labels(&wrong, TimecodeSource::ZeroBased, &[1]),
            ["00:00:00:01"]
        );
    }
}
