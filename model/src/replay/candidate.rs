//! What a segment is worth to a replay, or why it is out before any length is asked.

use serde::{Deserialize, Serialize};

use super::feedback::Verdict;
use super::matching::{Hit, Subject};
use super::request::{Mode, ReplayRequest};
use super::score::Score;
use super::selection::LeftOut;
use crate::segment::SegmentId;
use crate::time::TimeRange;

/// A segment that may come into the replay.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Candidate {
    /// Original marks.
    pub range: TimeRange,
    /// Which segment.
    pub segment: SegmentId,
    /// The marks that are played and measured.
    pub effective: TimeRange,
    /// What it is worth.
    pub score: Score,
    /// It comes in because somebody likes it.
    pub liked: bool,
    /// The features it has.
    pub hits: Vec<Hit>,
}

/// The points of hits, nothing for those that are only included.
pub(crate) fn sum(hits: &[Hit]) -> Score {
    hits.iter().filter_map(|hit| hit.points).sum()
}

/// Judges a complete segment with marks `range` by its hits and by what is said of it.
pub fn consider(
    subject: &Subject<'_>,
    range: TimeRange,
    hits: Vec<Hit>,
    verdict: Verdict,
    request: &ReplayRequest,
) -> Result<Candidate, LeftOut> {
    if request.ignore_disliked && verdict == Verdict::Dislike {
        return Err(LeftOut::Disliked);
    }
    let liked = request.include_liked && verdict == Verdict::Like;
    if !liked {
        if hits.is_empty() {
            return Err(LeftOut::NoFeature);
        }
        let weighs = request.mode == Mode::Duration;
        if request.disregard_zero_weight && weighs && sum(&hits) == Score::ZERO {
            return Err(LeftOut::ZeroWeight);
        }
    }
    Ok(Candidate {
        range,
        segment: subject.segment.id.clone(),
        effective: subject.effective,
        score: if liked {
            Score::liked(range.start)
        } else {
            sum(&hits)
        },
        liked,
        hits: if liked { Vec::new() } else { hits },
    })
}
