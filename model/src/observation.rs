//! Observations: one result of a featurer, a point or a range with attributes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chunk::TrackNumber;
use crate::time::{MediaTime, TimeRange};
use crate::value::{Attributes, Name};

/// The four classes of operators. MRE's API calls a segmenter a Classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Emits observations.
    Featurer,
    /// Emits segments.
    Segmenter,
    /// Moves the marks of a segment, per audio track.
    Optimizer,
    /// Names a segment.
    Labeler,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Class::Featurer => "featurer",
            Class::Segmenter => "segmenter",
            Class::Optimizer => "optimizer",
            Class::Labeler => "labeler",
        })
    }
}

/// One result of a featurer on the event timeline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Observation {
    /// When it begins.
    pub start: MediaTime,
    /// When it ends; equal to `start` for a point.
    pub end: MediaTime,
    /// Name of the operator in the spec.
    pub operator: Name,
    /// The audio track it was heard on; `None` for video and for everything that is of all tracks.
    pub track: Option<TrackNumber>,
    /// What was observed.
    pub attributes: Attributes,
}

impl Observation {
    /// Whether it is a point in time.
    pub fn is_point(&self) -> bool {
        self.end <= self.start
    }

    /// Whether it has an instant in common with `range`: a point inside, or a range that overlaps.
    pub fn intersects(&self, range: &TimeRange) -> bool {
        if self.is_point() {
            range.contains(self.start)
        } else {
            range.overlaps(&TimeRange {
                start: self.start,
                end: self.end,
            })
        }
    }

    /// Whether it counts for audio track `track`: it is of that track or of none.
    pub fn is_on(&self, track: TrackNumber) -> bool {
        self.track.is_none_or(|own| own == track)
    }
}
