//! How a file is divided: its groups of pictures on the time axis, and windows whose borders are
//! key frames. Windows tile the whole span, so that nothing is lost and nothing comes twice.

use std::ops::Range;

use matchcut_model::time::{MediaTime, TimeRange, Timestamp};

use crate::samples::Demuxed;

/// A key frame and what follows it in decode order, up to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// When the key frame is shown.
    pub time: MediaTime,
    /// Its samples, in decode order.
    pub samples: Range<usize>,
}

/// What is known of the times of a file.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// From the first sample that is presented to the end of the last.
    pub span: TimeRange,
    /// Of the video, in decode order.
    pub groups: Vec<Group>,
}

/// Groups of a track from the times of its samples and whether each is a key frame. What stands
/// before the first key frame belongs to the first group.
pub(super) fn groups(samples: impl Iterator<Item = (MediaTime, bool)>) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    let mut headless = false;
    for (at, (time, key)) in samples.enumerate() {
        match out.last_mut() {
            None => {
                headless = !key;
                let samples = at..at + 1;
                out.push(Group { time, samples });
            }
            Some(last) if key && !headless => {
                last.samples.end = at;
                let samples = at..at + 1;
                out.push(Group { time, samples });
            }
            Some(last) => {
                if key {
                    (last.time, headless) = (time, false);
                }
                last.samples.end = at + 1;
            }
        }
        if let Some(last) = out.last_mut() {
            last.samples.end = at + 1;
        }
    }
    out
}

/// A file is divided into at most about so many windows: more than four days of them at 6 s.
/// Without key frames nothing but the times that it states says how long it is.
const MOST_PARTS: i64 = 1 << 16;

/// No sample lies further from time zero, which is about a century: with it every difference of two
/// times can be told.
const FARTHEST: MediaTime = MediaTime::from_flicks(1 << 61);

/// Why a file has no layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unplaced {
    /// There are no samples.
    NoSamples,
    /// A sample says that it belongs to another age.
    TooFar(MediaTime),
}

impl Layout {
    /// From the groups, and start and end of every sample.
    pub(super) fn new(
        groups: Vec<Group>,
        samples: impl Iterator<Item = (MediaTime, MediaTime)>,
    ) -> Result<Layout, Unplaced> {
        // Every start lies inside, whatever the durations say.
        let tick = MediaTime::from_flicks(1);
        let mut span: Option<TimeRange> = None;
        for (start, end) in samples {
            if start.abs() > FARTHEST {
                return Err(Unplaced::TooFar(start));
            }
            let end = end.min(FARTHEST).max(start + tick);
            span = Some(match span {
                None => TimeRange::new(start, end),
                Some(span) => TimeRange::new(span.start.min(start), span.end.max(end)),
            });
        }
        let span = span.ok_or(Unplaced::NoSamples)?;
        Ok(Layout { span, groups })
    }

    /// Windows of about `target`.
    pub(super) fn parts(&self, target: MediaTime) -> Vec<TimeRange> {
        let most = MediaTime::from_flicks(self.span.duration().flicks() / MOST_PARTS);
        let target = target.max(MediaTime::from_millis(1)).max(most);
        let mut borders: Vec<MediaTime> = self.groups.iter().map(|group| group.time).collect();
        if borders.is_empty() {
            let mut at = self.span.start + target;
            while at < self.span.end {
                borders.push(at);
                at += target;
            }
        }
        borders.sort_unstable();
        borders.dedup();
        let mut out = Vec::new();
        let mut start = self.span.start;
        for (place, &border) in borders.iter().enumerate() {
            let next = borders.get(place + 1).copied().unwrap_or(self.span.end);
            let wanted = start + target;
            // The border nearest to the target.
            if border > start && (border - wanted).abs() <= (next - wanted).abs() {
                out.push(TimeRange::new(start, border));
                start = border;
            }
        }
        out.push(TimeRange::new(start, self.span.end));
        out
    }
}

/// The layout of a file that is in memory.
pub(super) fn of_samples(demuxed: &Demuxed) -> Result<Layout, Unplaced> {
    let at = |ticks, timescale| Timestamp { ticks, timescale }.time();
    let groups = demuxed.video.as_ref().map(|track| {
        groups(
            track
                .samples
                .iter()
                .map(|sample| (track.pts(sample).time(), sample.sync.is_key())),
        )
    });
    let video = demuxed.video.iter().flat_map(|track| {
        let ticks = track.frame_ticks().unwrap_or(0);
        track.samples.iter().map(move |sample| {
            let duration = sample.duration.max(ticks);
            (
                at(sample.pts, track.timescale),
                at(sample.pts.saturating_add(duration), track.timescale),
            )
        })
    });
    let audio = demuxed.audio.iter().flat_map(|track| {
        track.samples.iter().map(move |sample| {
            (
                at(sample.pts, track.timescale),
                at(sample.pts.saturating_add(sample.duration), track.timescale),
            )
        })
    });
    Layout::new(groups.unwrap_or_default(), video.chain(audio))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    fn layout(keys: &[i64], end: i64) -> Layout {
        let groups = groups(keys.iter().map(|key| (ms(*key), true)));
        Layout::new(groups, [(ms(-20), ms(end))].into_iter()).unwrap()
    }

    #[test]
    fn samples_before_the_first_key_frame_stay_with_it() {
        let samples = [
            (40, false),
            (80, false),
            (120, true),
            (100, false),
            (200, true),
        ];
        let found = groups(samples.iter().map(|(at, key)| (ms(*at), *key)));
        let expected = [(120, 0..4), (200, 4..5)].map(|(at, samples)| Group {
            time: ms(at),
            samples,
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn samples_of_another_age_are_refused() {
        let far = MediaTime::MAX;
        let refused = Layout::new(Vec::new(), [(ms(0), ms(40)), (far, far)].into_iter());
        assert_eq!(refused.unwrap_err(), Unplaced::TooFar(far));
        let long = Layout::new(Vec::new(), [(ms(0), far)].into_iter()).unwrap();
        assert_eq!(long.span, TimeRange::new(ms(0), FARTHEST));
        let none = Layout::new(Vec::new(), [].into_iter());
        assert_eq!(none.unwrap_err(), Unplaced::NoSamples);
    }

    #[test]
    fn borders_are_the_key_frames_nearest_to_the_target() {
        let found = layout(&[0, 2000, 4000, 7000, 9000, 12_500], 13_000).parts(ms(6000));
        let borders: Vec<(i64, i64)> = found
            .iter()
            .map(|window| (window.start.to_millis(), window.end.to_millis()))
            .collect();
        assert_eq!(borders, [(-20, 7000), (7000, 13_000)]);
    }

    #[test]
    fn sound_alone_is_divided_by_time() {
        let layout = Layout::new(Vec::new(), [(ms(0), ms(13_000))].into_iter()).unwrap();
        let starts: Vec<i64> = layout
            .parts(ms(6000))
            .iter()
            .map(|window| window.start.to_millis())
            .collect();
        assert_eq!(starts, [0, 6000, 12_000]);
        assert_eq!(layout.parts(ms(6000))[2].end, ms(13_000));
    }

    #[test]
    fn sound_that_says_it_lasts_for_centuries_has_some_windows() {
        let samples = [(ms(0), ms(20)), (FARTHEST, FARTHEST)];
        let layout = Layout::new(Vec::new(), samples.into_iter()).unwrap();
        let parts = layout.parts(ms(6000)).len() as i64;
        assert!(
            (MOST_PARTS - 1..=MOST_PARTS + 1).contains(&parts),
            "{parts}"
        );
    }
}
