//! Which features of a request a segment has. A hit is one feature of the request found in one
//! segment; of several observations of the same feature the earliest is told.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::request::{Priority, ReplayRequest};
use super::score::Score;
use crate::chunk::TrackNumber;
use crate::observation::Observation;
use crate::segment::Segment;
use crate::time::{MediaTime, TimeRange};
use crate::value::{Attributes, Name};

/// The attribute by which a custom priorities engine knows an observation again.
pub const CORRELATION_ID: &str = "custom_priorities_engine_correlation_id";

/// One feature of the request, found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hit {
    /// Which of the request's priorities.
    pub priority: usize,
    /// When it was observed.
    pub at: MediaTime,
    /// What it is worth: its weight or its significance; `None` where it is only included.
    pub points: Option<Score>,
}

/// A segment as the matcher sees it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The segment with what is said of it.
    pub segment: &'a Segment,
    /// The marks that hold on `track`.
    pub effective: TimeRange,
    /// The replay's track.
    pub track: TrackNumber,
}

/// What attributes are worth to a priority: `None` when it does not match, else its points.
fn points(
    priority: &Priority,
    attributes: &Attributes,
    request: &ReplayRequest,
) -> Option<Option<Score>> {
    if !priority.key.is_in(attributes) {
        return None;
    }
    worth(priority, attributes, request)
}

/// The guard and the points of a priority whose condition already holds.
pub(crate) fn worth(
    priority: &Priority,
    attributes: &Attributes,
    request: &ReplayRequest,
) -> Option<Option<Score>> {
    if request.significance.is_empty() {
        return priority.counts().then_some(priority.weight);
    }
    let id = attributes.get(CORRELATION_ID)?.plain_text();
    request
        .significance
        .get(&id)
        .map(|&significance| Some(significance))
}

/// Whether `observation` is the feature `index` of the request, in this segment.
pub fn hit_by_observation(
    subject: &Subject<'_>,
    observation: &Observation,
    request: &ReplayRequest,
    index: usize,
) -> Option<Hit> {
    let priority = request.priorities.get(index)?;
    let counts = priority.key.is_of(&observation.operator)
        && observation.is_on(subject.track)
        && observation.intersects(&subject.effective);
    if !counts {
        return None;
    }
    let points = points(priority, &observation.attributes, request)?;
    Some(Hit {
        priority: index,
        at: observation.start,
        points,
    })
}

/// Whether the segment itself carries the feature `index`: its segmenter or a labeler said so.
/// `featurers` are the operators known to be featurers. What they say are observations, so that a
/// feature of theirs is never met by an attribute of the segment that has the same name.
pub fn hit_by_segment(
    subject: &Subject<'_>,
    featurers: &BTreeSet<Name>,
    request: &ReplayRequest,
    index: usize,
) -> Option<Hit> {
    let priority = request.priorities.get(index)?;
    let segment = subject.segment;
    let own = match &priority.key.operator {
        None => true,
        Some(operator) => *operator == segment.id.segmenter || !featurers.contains(operator),
    };
    if !own {
        return None;
    }
    let points = points(priority, &segment.attributes, request)?;
    Some(Hit {
        priority: index,
        at: segment.start(),
        points,
    })
}

/// Of all hits of one segment, one for each feature: the earliest, at the same time the one that
/// is worth most. Of priorities with equal keys the first one that hits.
pub fn settle(hits: impl IntoIterator<Item = Hit>, request: &ReplayRequest) -> Vec<Hit> {
    let mut best: Vec<Option<Hit>> = vec![None; request.priorities.len()];
    for hit in hits {
        let Some(slot) = best.get_mut(hit.priority) else {
            continue;
        };
        let better = slot.is_none_or(|old| {
            (hit.at, std::cmp::Reverse(hit.points)) < (old.at, std::cmp::Reverse(old.points))
        });
        if better {
            *slot = Some(hit);
        }
    }
    let mut seen = BTreeSet::new();
    best.into_iter()
        .flatten()
        .filter(|hit| {
            request
                .priorities
                .get(hit.priority)
                .is_some_and(|p| seen.insert(&p.key))
        })
        .collect()
}

/// The features of `request` that a segment has, in the request's order. `observations` may hold
/// more than the segment's own.
pub fn hits<'a>(
    subject: &Subject<'_>,
    observations: impl IntoIterator<Item = &'a Observation>,
    featurers: &BTreeSet<Name>,
    request: &ReplayRequest,
) -> Vec<Hit> {
    let indexes = 0..request.priorities.len();
    let mut found: Vec<Hit> = indexes
        .clone()
        .filter_map(|index| hit_by_segment(subject, featurers, request, index))
        .collect();
    for observation in observations {
        found.extend(
            indexes
                .clone()
                .filter_map(|index| hit_by_observation(subject, observation, request, index)),
        );
    }
    settle(found, request)
}
