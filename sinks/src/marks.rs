//! Marks as frames: a mark is the first frame that is shown at or after it, so that the frames
//! of a segment are those with mark-in <= time < mark-out, in edit lists as in clips.

use matchcut_model::chunk::PlacedChunk;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use matchcut_model::timecode::TimecodeRate;
use matchcut_model::timeline::EventTimeline;

/// What counts frames where there are none: observations without chunks, or sound alone.
const FALLBACK_RATE: FrameRate = FrameRate { num: 25, den: 1 };

/// The frames of an event, found by time. Costs nothing to make, so that there is one an epoch.
#[derive(Clone, Copy, Debug)]
pub struct FrameIndex<'a> {
    timeline: &'a EventTimeline,
    rate: FrameRate,
    video: bool,
    frames: u64,
}

impl<'a> FrameIndex<'a> {
    /// The frames of `timeline`. Without any, `rate` or else 25 frames a second are counted.
    pub fn new(timeline: &'a EventTimeline, rate: Option<FrameRate>) -> Self {
        let last = timeline.iter().rev().find(|chunk| !chunk.frames.is_empty());
        let frames = last.map_or(0, |chunk| chunk.first_frame + chunk.frames.len() as u64);
        let declared = timeline.iter().find_map(|chunk| chunk.frame_rate);
        let rate = declared
            .or(rate)
            .or_else(|| measured_rate(timeline))
            .unwrap_or(FALLBACK_RATE);
        // Of observations alone nobody knows; what they were made from most likely had pictures.
        let video = last.is_some() || timeline.is_empty();
        FrameIndex {
            timeline,
            rate,
            video,
            frames,
        }
    }

    /// Frames a second.
    pub fn rate(&self) -> FrameRate {
        self.rate
    }

    /// Whether the event has pictures.
    pub fn has_video(&self) -> bool {
        self.video
    }

    /// Number of frames.
    pub fn len(&self) -> u64 {
        self.frames
    }

    /// Whether there is no frame.
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// The number of the first frame that is shown at or after `time`; the number of frames if
    /// there is none.
    pub fn at_or_after(&self, time: MediaTime) -> i64 {
        if self.is_empty() {
            let frame = self.rate.frame_at(time);
            return if self.rate.time_of(frame) < time {
                frame + 1
            } else {
                frame
            };
        }
        let number = match self.timeline.frame_at(time) {
            Some(shown) if shown.frame.time >= time => shown.number,
            Some(shown) => shown.number + 1,
            None => self.next_after_hole(time),
        };
        i64::try_from(number).unwrap_or(i64::MAX)
    }

    /// Where nothing is shown, every chunk may be the next.
    fn next_after_hole(&self, time: MediaTime) -> u64 {
        let last_time = |chunk: &PlacedChunk| chunk.frames.last().map(|last| last.time);
        let after = |chunk: &&PlacedChunk| last_time(chunk).is_some_and(|last| last >= time);
        self.timeline
            .iter()
            .find(after)
            .map_or(self.frames, |chunk| {
                chunk.first_frame + chunk.frames.before(time) as u64
            })
    }

    /// The frames of a range: the first, and the one after the last.
    pub fn frames_of(&self, range: TimeRange) -> (i64, i64) {
        (self.at_or_after(range.start), self.at_or_after(range.end))
    }
}

/// The rate that the frames of the first chunk with several keep.
fn measured_rate(timeline: &EventTimeline) -> Option<FrameRate> {
    let chunk = timeline.iter().find(|chunk| chunk.frames.len() > 1)?;
    let (first, last) = (chunk.frames.first()?, chunk.frames.last()?);
    let ticks = u32::try_from((last.time - first.time).to_ticks(90_000)).ok()?;
    let frames = u32::try_from(chunk.frames.len() - 1).ok()?;
    let rate = FrameRate::new(frames.checked_mul(90_000)?, ticks)?;
    Some(TimecodeRate::non_drop(rate).frame_rate())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use matchcut_model::chunk::{
        ChunkRef, Container, ContentId, FrameTable, Position, Resource, TrackNumber,
    };

    /// A chunk of `frames` frames at `rate`, from `start`.
    pub(crate) fn chunk(
        position: u64,
        start: MediaTime,
        rate: FrameRate,
        first_frame: u64,
        frames: u64,
    ) -> PlacedChunk {
        let time = |n: u64| start + rate.time_of(n as i64);
        PlacedChunk {
            chunk: ChunkRef {
                source: "court".into(),
                position: Position(position),
                media: Resource::whole(format!("file:///media/court_{position}.ts")),
                init: None,
                container: Container::MpegTs,
                window: None,
                declared_duration: None,
                discontinuity: false,
                program_date_time: None,
                audio: Vec::new(),
                cut_from: None,
                cues: Vec::new(),
            },
            span: TimeRange::new(start, time(frames)),
            offset: MediaTime::from_seconds(-10),
            stretch: 0,
            frames: FrameTable::new(
                90_000,
                (0..frames).map(|n| (time(n) + MediaTime::from_seconds(10)).to_ticks(90_000)),
                MediaTime::from_seconds(-10),
            ),
            first_frame,
            frame_rate: Some(rate),
            timecodes: Vec::new(),
            audio_tracks: vec![TrackNumber(1)],
            utc: None,
            bytes: 1000,
            content: ContentId(position),
        }
    }

    fn millis(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn a_mark_is_the_first_frame_at_or_after_it() {
        let rate = FrameRate { num: 25, den: 1 };
        // 2 s, a hole of 1 s, 2 s.
        let timeline: EventTimeline = [
            chunk(0, millis(0), rate, 0, 50),
            chunk(2, millis(3000), rate, 50, 50),
        ]
        .into_iter()
        .collect();
        let index = FrameIndex::new(&timeline, None);
        assert_eq!(
            (index.rate(), index.len(), index.has_video()),
            (rate, 100, true)
        );
        for (time, frame) in [
            (-40, 0),
            (0, 0),
            (1, 1),
            (40, 1),
            (41, 2),
            (1960, 49),
            (1961, 50),
            (2500, 50),
            (3000, 50),
            (3001, 51),
            (4960, 99),
            (4961, 100),
            (9000, 100),
        ] {
            assert_eq!(index.at_or_after(millis(time)), frame, "{time} ms");
        }
        assert_eq!(
            index.frames_of(TimeRange::new(millis(1000), millis(2000))),
            (25, 50)
        );
    }

    #[test]
    fn variable_frame_rate_goes_by_the_frames() {
        let rate = FrameRate { num: 25, den: 1 };
        let mut uneven = chunk(0, millis(0), rate, 0, 4);
        uneven.frames = FrameTable::new(1000, [0, 40, 200, 240], MediaTime::ZERO);
        uneven.frame_rate = None;
        let timeline: EventTimeline = [uneven].into_iter().collect();
        let index = FrameIndex::new(&timeline, None);
        let found: Vec<_> = [0, 40, 41, 199, 200, 201]
            .map(|t| index.at_or_after(millis(t)))
            .into();
        assert_eq!(found, [0, 1, 2, 2, 2, 3]);
        assert_eq!(index.rate(), FrameRate { num: 25, den: 2 });
    }

    #[test]
    fn without_frames_the_rate_counts() {
        let timeline = EventTimeline::new();
        let ntsc = FrameRate {
            num: 30_000,
            den: 1001,
        };
        let index = FrameIndex::new(&timeline, Some(ntsc));
        assert!(index.is_empty() && index.has_video());
        for frame in [0, 1, 29, 30, 107_892] {
            assert_eq!(index.at_or_after(ntsc.time_of(frame)), frame);
            let just_after = ntsc.time_of(frame) + MediaTime::from_flicks(1);
            assert_eq!(index.at_or_after(just_after), frame + 1);
        }
        assert_eq!(
            FrameIndex::new(&timeline, None).rate(),
            FrameRate { num: 25, den: 1 }
        );
    }
}
