//! The exact times that stand beside rounded seconds: timestamps of the stream, frame numbers, the
//! time of day and timecode.

use jiff::Timestamp;
use matchcut_model::lines::{ExactTimes, ObservationLine, SegmentLine};
use matchcut_model::observation::{Class, Observation};
use matchcut_model::segment::Segment;
use matchcut_model::time::MediaTime;
use matchcut_model::timecode::Timecode;
use matchcut_model::timeline::EventTimeline;

use crate::info::EventInfo;
use crate::marks::FrameIndex;
use crate::source_timecode::SourceTimecode;

/// Looks up exact times.
#[derive(Debug)]
pub(crate) struct Exact<'a> {
    timeline: &'a EventTimeline,
    frames: FrameIndex<'a>,
    timecode: SourceTimecode,
}

impl<'a> Exact<'a> {
    pub(crate) fn new(timeline: &'a EventTimeline, info: &EventInfo) -> Self {
        let frames = FrameIndex::new(timeline, info.frame_rate);
        Exact {
            timeline,
            frames,
            timecode: SourceTimecode::new(timeline, info, &frames),
        }
    }

    pub(crate) fn frames(&self) -> &FrameIndex<'a> {
        &self.frames
    }

    /// The label of frame 0.
    pub(crate) fn zero(&self) -> Timecode {
        self.timecode.zero()
    }

    /// The label of a frame.
    pub(crate) fn label(&self, frame: i64) -> Timecode {
        self.timecode.at(frame)
    }

    /// The timecode of the first frame at or after `time`.
    pub(crate) fn timecode(&self, time: MediaTime) -> Timecode {
        self.label(self.frames.at_or_after(time))
    }

    /// Everything that is known of `time`; `None` for recorded observations without chunks.
    pub(crate) fn times(&self, time: MediaTime) -> Option<ExactTimes> {
        if self.timeline.is_empty() {
            return None;
        }
        let pts = self.pts(time);
        let has_frames = !self.frames.is_empty();
        Some(ExactTimes {
            pts: pts.map(|pts| pts.ticks),
            timescale: pts.map(|pts| pts.timescale),
            frame: u64::try_from(self.frames.at_or_after(time))
                .ok()
                .filter(|_| has_frames),
            utc: self.timeline.utc_of(time).and_then(utc_text),
            timecode: has_frames.then(|| self.timecode(time).to_string()),
        })
    }

    /// A mark-out at the very end lies in no chunk; it goes by the clock of the last one.
    fn pts(&self, time: MediaTime) -> Option<matchcut_model::time::Timestamp> {
        if let Some(pts) = self.timeline.pts_of(time) {
            return Some(pts);
        }
        let last = self
            .timeline
            .iter()
            .next_back()
            .filter(|chunk| chunk.span.end == time)?;
        let timescale = last.frames.last()?.pts.timescale;
        let ticks = (time - last.offset).to_ticks(timescale);
        Some(matchcut_model::time::Timestamp { ticks, timescale })
    }

    /// The line of an observation.
    pub(crate) fn observation<'b>(&self, observation: &'b Observation) -> ObservationLine<'b> {
        let start = self.times(observation.start);
        let end = self
            .times(observation.end)
            .filter(|_| !observation.is_point());
        ObservationLine {
            observation,
            class: Class::Featurer,
            start,
            end,
        }
    }

    /// The line of a segment, without clips.
    pub(crate) fn segment<'b>(&self, segment: &'b Segment) -> SegmentLine<'b> {
        let start = self.times(segment.start());
        let end = segment.end.and_then(|end| self.times(end));
        SegmentLine {
            segment,
            start,
            end,
            clips: None,
        }
    }
}

/// RFC 3339 from microseconds since the Unix epoch.
pub(crate) fn utc_text(micros: i64) -> Option<String> {
    Timestamp::from_microsecond(micros)
        .ok()
        .map(|timestamp| timestamp.to_string())
}

/// How an input is named in results: files by their last part, so that equal results do not depend
/// on where they lie; addresses without user, password and query, which may be secret.
pub(crate) fn input_name(input: &str) -> String {
    let Some((scheme, rest)) = input.split_once("://") else {
        return match input.strip_prefix('/') {
            Some(path) => path.rsplit('/').next().unwrap_or(path).to_owned(),
            None => input.to_owned(),
        };
    };
    let path = rest.split(['?', '#']).next().unwrap_or(rest);
    if scheme == "file" {
        return path.rsplit('/').next().unwrap_or(path).to_owned();
    }
    let (host, path) = path
        .split_once('/')
        .map_or((path, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit('@').next().unwrap_or(host);
    path.map_or(format!("{scheme}://{host}"), |path| {
        format!("{scheme}://{host}/{path}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::tests::chunk;
    use matchcut_model::time::FrameRate;
    use matchcut_model::timecode::TimecodeSource;

    #[test]
    fn names_of_inputs_hold_no_secret_and_no_place() {
        for (input, name) in [
            ("file:///a/b/court_1.ts", "court_1.ts"),
            ("/a/b/court_1.ts", "court_1.ts"),
            (
                "https://me:secret@example.com/live/1.ts?token=x#y",
                "https://example.com/live/1.ts",
            ),
            ("https://example.com", "https://example.com"),
            ("court", "court"),
        ] {
            assert_eq!(input_name(input), name);
        }
    }

    #[test]
    fn exact_times_of_a_frame_and_of_the_end() {
        let rate = FrameRate {
            num: 30_000,
            den: 1001,
        };
        let mut first = chunk(0, MediaTime::ZERO, rate, 0, 1810);
        first.utc = Some(1_767_268_800_000_000);
        let timeline: EventTimeline = [first].into_iter().collect();
        let exact = Exact::new(&timeline, &EventInfo::default());
        let times = exact.times(rate.time_of(1800)).unwrap();
        assert_eq!(times.frame, Some(1800));
        assert_eq!(
            (times.pts, times.timescale),
            (Some(900_000 + 1800 * 3003), Some(90_000))
        );
        assert_eq!(times.timecode.as_deref(), Some("00:01:00;02"));
        assert_eq!(times.utc.as_deref(), Some("2026-01-01T12:01:00.06Z"));
        let end = exact.times(rate.time_of(1810)).unwrap();
        assert_eq!(
            (end.frame, end.pts),
            (Some(1810), Some(900_000 + 1810 * 3003))
        );

        let by_utc = EventInfo {
            timecode_source: TimecodeSource::UtcBased,
            ..EventInfo::default()
        };
        let exact = Exact::new(&timeline, &by_utc);
        assert_eq!(exact.timecode(MediaTime::ZERO).to_string(), "12:00:00;01");
        assert!(
            Exact::new(&EventTimeline::new(), &by_utc)
                .times(MediaTime::ZERO)
                .is_none()
        );
    }
}
