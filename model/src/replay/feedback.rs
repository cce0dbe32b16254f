//! What viewers and editors say of segments: thumbs up or down, for the original or the optimized
//! clip of a segment on a track. The last word on each counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::chunk::TrackNumber;
use crate::segment::Segment;
use crate::time::MediaTime;

/// Which clip of a segment was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The clip with the segmenter's marks.
    Original,
    /// The clip with the optimizer's marks.
    Optimized,
}

/// What was said of it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Verdict {
    /// Nothing, or an earlier verdict was taken back.
    #[default]
    #[serde(rename = "-")]
    None,
    /// Thumbs up.
    #[serde(rename = "like")]
    Like,
    /// Thumbs down.
    #[serde(rename = "dislike")]
    Dislike,
}

/// One verdict on one clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Feedback {
    /// Original mark-in of the segment.
    pub start: MediaTime,
    /// Audio track of the clip.
    pub track: TrackNumber,
    /// Which clip.
    pub side: Side,
    /// What was said.
    pub verdict: Verdict,
}

/// All verdicts, the last one of each clip. Segments are found by their original mark-in in whole
/// milliseconds: that is what a person or a file says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts(BTreeMap<(i64, TrackNumber, Side), Verdict>);

impl Verdicts {
    /// The verdict on the clip of a segment that starts at `start`.
    pub fn at(&self, start: MediaTime, track: TrackNumber, side: Side) -> Verdict {
        self.0
            .get(&(start.to_millis(), track, side))
            .copied()
            .unwrap_or_default()
    }

    /// The verdict that counts for `segment` on `track`: on the optimized clip where there is one.
    pub fn of(&self, segment: &Segment, track: TrackNumber) -> Verdict {
        let side = if segment.opto.contains_key(&track) {
            Side::Optimized
        } else {
            Side::Original
        };
        self.at(segment.start(), track, side)
    }
}

impl<'a> FromIterator<&'a Feedback> for Verdicts {
    fn from_iter<I: IntoIterator<Item = &'a Feedback>>(rows: I) -> Self {
        Verdicts(
            rows.into_iter()
                .map(|row| ((row.start.to_millis(), row.track, row.side), row.verdict))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::TimeRange;

    #[test]
    fn the_last_verdict_on_the_side_that_exists_counts() {
        let start = MediaTime::from_millis(10_000);
        let row = |side, verdict| Feedback {
            start,
            track: TrackNumber::FIRST,
            side,
            verdict,
        };
        let verdicts: Verdicts = [
            row(Side::Original, Verdict::Like),
            row(Side::Optimized, Verdict::Like),
            row(Side::Optimized, Verdict::Dislike),
        ]
        .iter()
        .collect();
        let mut segment = Segment::new("rally".into(), start, Some(MediaTime::from_seconds(20)));
        assert_eq!(verdicts.of(&segment, TrackNumber::FIRST), Verdict::Like);
        segment.opto.insert(
            TrackNumber::FIRST,
            TimeRange::new(MediaTime::from_seconds(11), MediaTime::from_seconds(19)),
        );
        assert_eq!(verdicts.of(&segment, TrackNumber::FIRST), Verdict::Dislike);
        assert_eq!(verdicts.of(&segment, TrackNumber(2)), Verdict::None);
    }
}
