//! Segments: the clips of an event. A segmenter marks them, optimizers move their marks per audio
//! track, labelers name them; all that is said of one segment is merged here.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chunk::TrackNumber;
use crate::time::{MediaTime, TimeRange};
use crate::value::{Attributes, Name};

/// The identity of a segment: its segmenter and its original mark-in. Prints as
/// `SEGMENTER:START_IN_FLICKS`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentId {
    /// Original mark-in.
    pub start: MediaTime,
    /// Name of the segmenter in the spec.
    pub segmenter: Name,
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segmenter, self.start.flicks())
    }
}

/// A segment with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    /// Segmenter and original mark-in.
    pub id: SegmentId,
    /// Original mark-out; `None` while the segment is partial (open).
    pub end: Option<MediaTime>,
    /// Optimized marks by audio track.
    pub opto: BTreeMap<TrackNumber, TimeRange>,
    /// What a labeler calls it.
    pub label: Option<String>,
    /// What segmenter, optimizers and labelers say of it.
    pub attributes: Attributes,
}

impl Segment {
    /// A segment as a segmenter first marks it.
    pub fn new(segmenter: Name, start: MediaTime, end: Option<MediaTime>) -> Self {
        Segment {
            id: SegmentId { start, segmenter },
            end,
            opto: BTreeMap::new(),
            label: None,
            attributes: Attributes::new(),
        }
    }

    /// Original mark-in.
    pub fn start(&self) -> MediaTime {
        self.id.start
    }

    /// Original marks, if complete.
    pub fn range(&self) -> Option<TimeRange> {
        self.end.map(|end| TimeRange::new(self.id.start, end))
    }

    /// Takes over what `later` says of the same segment: what it leaves out stays.
    pub fn absorb(&mut self, later: &Segment) {
        self.end = later.end.or(self.end);
        self.opto
            .extend(later.opto.iter().map(|(&track, &range)| (track, range)));
        if later.label.is_some() {
            self.label.clone_from(&later.label);
        }
        let attributes = later.attributes.iter();
        self.attributes
            .extend(attributes.map(|(name, value)| (name.clone(), value.clone())));
    }

    /// The marks that count on `track`: optimized where there are such, else the original ones.
    /// `None` while the segment is partial.
    pub fn effective(&self, track: TrackNumber) -> Option<TimeRange> {
        let range = self.range()?;
        Some(self.opto.get(&track).copied().unwrap_or(range))
    }
}
