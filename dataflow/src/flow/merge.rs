//! What segmenters, optimizers, labelers and people say of one segment becomes one row. A part without
//! a segment (its segment was taken back) says nothing. What people say holds.

use differential_dataflow::VecCollection;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Attributes, Name, Value};
use serde::{Deserialize, Serialize};

/// What one operator says of a segment. The order of the variants is the order in which their
/// attributes are laid over each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Part {
    /// The segmenter: its marks.
    Marked {
        /// Mark-out, unless the segment is partial.
        end: Option<MediaTime>,
        /// What it says of the segment.
        attributes: Attributes,
    },
    /// A person: marks that no optimizer moves.
    Edited {
        /// Mark-out.
        end: MediaTime,
        /// What they say of the segment.
        attributes: Attributes,
    },
    /// An optimizer: marks for a track.
    Optimized {
        /// Place of the optimizer in the chain; a later one wins.
        rank: u32,
        /// The track.
        track: TrackNumber,
        /// The marks.
        marks: TimeRange,
        /// What it says of the segment.
        attributes: Attributes,
    },
    /// A labeler.
    Labelled {
        /// Place of the labeler in the chain; a later one wins.
        rank: u32,
        /// What the segment is called.
        label: Option<String>,
        /// What it says of the segment.
        attributes: Attributes,
    },
}

/// The attribute of a segment whose marks a person set.
const MANUAL: &str = "manual";

/// What a person says of a segment that is there, which is named by its mark-in in whole milliseconds:
/// more no text carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Remark {
    /// Marks for a track.
    Trim {
        /// The track.
        track: TrackNumber,
        /// The marks.
        marks: TimeRange,
    },
    /// What it is called.
    Label(String),
}

/// How a person names a segment.
pub type Named = (Name, i64);

/// The name that a person has for a segment.
pub fn named(id: &SegmentId) -> Named {
    (id.segmenter.clone(), id.start.to_millis())
}

/// The segments with everything that is said of them.
pub fn merge_parts<'scope>(
    parts: VecCollection<'scope, u64, (SegmentId, Part), isize>,
    remarks: VecCollection<'scope, u64, (Named, Remark), isize>,
) -> VecCollection<'scope, u64, Segment, isize> {
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    enum Said {
        Segment(Segment),
        Remark(Remark),
    }
    let merged = parts.reduce_named(
        "Merge segment",
        |id, parts, merged: &mut Vec<(Segment, isize)>| {
            if let Some(segment) = merge(id, parts.iter().map(|(part, _)| *part)) {
                merged.push((segment, 1));
            }
        },
    );
    let segments = merged.map(|(id, segment)| (named(&id), Said::Segment(segment)));
    let remarks = remarks.map(|(named, remark)| (named, Said::Remark(remark)));
    segments
        .concat(remarks)
        .reduce_named(
            "Remark on segment",
            |_, said, segments: &mut Vec<(Segment, isize)>| {
                let mut found = Vec::new();
                let mut remarks = Vec::new();
                for (said, _) in said {
                    match said {
                        Said::Segment(segment) => found.push(segment),
                        Said::Remark(remark) => remarks.push(remark),
                    }
                }
                segments.extend(remarked(&found, &remarks).into_iter().map(|s| (s, 1)));
            },
        )
        .map(|(_, segment)| segment)
}

/// The segments of one name under the remarks on it. Where a person marked one, those that were found
/// within the same millisecond are the same, and go.
pub fn remarked(segments: &[&Segment], remarks: &[&Remark]) -> Vec<Segment> {
    let is_manual = |segment: &&&Segment| segment.attributes.contains_key(MANUAL);
    let any_manual = segments.iter().any(|segment| is_manual(&segment));
    let mut standing: Vec<Segment> = segments
        .iter()
        .filter(|segment| !any_manual || is_manual(segment))
        .map(|segment| Segment::clone(segment))
        .collect();
    for segment in &mut standing {
        for remark in remarks {
            match remark {
                Remark::Trim { track, marks } => drop(segment.opto.insert(*track, *marks)),
                Remark::Label(label) => segment.label = Some(label.clone()),
            }
        }
    }
    standing
}

/// The segment `id` from its parts, in their order; `None` when the segmenter does not mark it.
pub fn merge<'a>(id: &SegmentId, parts: impl Iterator<Item = &'a Part>) -> Option<Segment> {
    let mut segment: Option<Segment> = None;
    let mut edited = false;
    for part in parts {
        match (part, &mut segment) {
            (Part::Edited { end, attributes }, segment) => {
                edited = true;
                let marked = segment
                    .get_or_insert_with(|| Segment::new(id.segmenter.clone(), id.start, None));
                marked.end = Some(*end);
                marked.attributes.extend(attributes.clone());
                marked.attributes.insert(MANUAL.into(), Value::Bool(true));
            }
            (Part::Optimized { .. }, _) if edited => {}
            (Part::Marked { end, attributes }, _) => {
                let mut marked = Segment::new(id.segmenter.clone(), id.start, *end);
                marked.attributes.extend(attributes.clone());
                segment = Some(marked);
            }
            (
                Part::Optimized {
                    track,
                    marks,
                    attributes,
                    ..
                },
                Some(segment),
            ) => {
                segment.opto.insert(*track, *marks);
                segment.attributes.extend(attributes.clone());
            }
            (
                Part::Labelled {
                    label, attributes, ..
                },
                Some(segment),
            ) => {
                if label.is_some() {
                    segment.label.clone_from(label);
                }
                segment.attributes.extend(attributes.clone());
            }
            (_, None) => {}
        }
    }
    segment
}
