//! What segmenters, optimizers and labelers say of one segment becomes one row. A part without a
//! segment (its segment was taken back) says nothing.

use differential_dataflow::VecCollection;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::Attributes;
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

/// The segments with everything that is said of them.
pub fn merge_parts<'scope>(
    parts: VecCollection<'scope, u64, (SegmentId, Part), isize>,
) -> VecCollection<'scope, u64, Segment, isize> {
    parts
        .reduce_named(
            "Merge segment",
            |id, parts, merged: &mut Vec<(Segment, isize)>| {
                if let Some(segment) = merge(id, parts.iter().map(|(part, _)| *part)) {
                    merged.push((segment, 1));
                }
            },
        )
        .map(|(_, segment)| segment)
}

/// The segment `id` from its parts, in their order; `None` when the segmenter does not mark it.
pub fn merge<'a>(id: &SegmentId, parts: impl Iterator<Item = &'a Part>) -> Option<Segment> {
    let mut segment: Option<Segment> = None;
    for part in parts {
        match (part, &mut segment) {
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
