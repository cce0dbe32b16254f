//! The batch function: all segments, observations and feedback in, the selection out. It says what
//! a replay is; the dataflow is compared with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::candidate::consider;
use super::decide::{Decision, decide, given};
use super::feedback::{Feedback, Verdicts};
use super::matching::{Subject, hits};
use super::request::{Compat, Mode, ReplayRequest};
use super::selection::{LeftOut, Selected, Selection, Skipped};
use crate::chunk::TrackNumber;
use crate::compat;
use crate::observation::Observation;
use crate::segment::{Segment, SegmentId};
use crate::time::{MediaTime, TimeRange};
use crate::value::Name;

/// A segment as it was recorded: for one audio track, or, as usual, for all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Recorded {
    /// The segment.
    pub segment: Segment,
    /// The only track it is of.
    pub track: Option<TrackNumber>,
}

impl From<Segment> for Recorded {
    fn from(segment: Segment) -> Self {
        Recorded {
            segment,
            track: None,
        }
    }
}

/// An entry of the selection that was stored last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Previous {
    /// Original mark-in.
    pub start: MediaTime,
    /// Original mark-out and the marks played, where they are known. Where only starts are known,
    /// a moved mark-out cannot be noticed.
    pub marks: Option<(MediaTime, TimeRange)>,
}

impl Previous {
    /// Only the start is known.
    pub fn start(start: MediaTime) -> Self {
        Previous { start, marks: None }
    }
}

impl From<&Selected> for Previous {
    fn from(selected: &Selected) -> Self {
        Previous {
            start: selected.range.start,
            marks: Some((selected.range.end, selected.effective)),
        }
    }
}

/// Everything that a selection depends on.
#[derive(Clone, Copy, Debug)]
pub struct SelectionInput<'a> {
    /// All segments, in any order. Of several with one id the later ones complete the earlier.
    pub segments: &'a [Recorded],
    /// All observations, in any order.
    pub observations: &'a [Observation],
    /// The operators known to be featurers, see [`hit_by_segment`](super::hit_by_segment).
    pub featurers: &'a BTreeSet<Name>,
    /// Feedback in the order it was given.
    pub feedback: &'a [Feedback],
    /// What is asked for.
    pub request: &'a ReplayRequest,
    /// What was stored last.
    pub previous: &'a [Previous],
}

/// What the request chooses.
pub fn select(input: &SelectionInput<'_>) -> Selection {
    if input.request.compat == Compat::Mre {
        return compat::select(input);
    }
    let request = input.request;
    let (mut skipped, decision) = match request.mode {
        Mode::Timestamps => (Vec::new(), given(request)),
        Mode::Duration | Mode::Features => choose(input),
    };
    let Decision {
        selected,
        left_out,
        total_score,
    } = decision;
    skipped.extend(left_out);
    skipped.sort();
    Selection {
        processed: is_news(&selected, input.previous, request.mode),
        selected,
        total_score,
        left_out: skipped,
    }
}

fn choose(input: &SelectionInput<'_>) -> (Vec<Skipped>, Decision) {
    let request = input.request;
    let track = request.track;
    let verdicts: Verdicts = input.feedback.iter().collect();
    let observations = Timeline::new(input.observations, request);
    let mut skipped = Vec::new();
    let mut candidates = Vec::new();
    for segment in merge(input.segments, track, &mut skipped).values() {
        let Some((range, effective)) = segment.range().zip(segment.effective(track)) else {
            skipped.push(skip(segment, LeftOut::Open));
            continue;
        };
        let subject = Subject {
            segment,
            effective,
            track,
        };
        let hits = hits(
            &subject,
            observations.near(&effective),
            input.featurers,
            request,
        );
        match consider(&subject, range, hits, verdicts.of(segment, track), request) {
            Ok(candidate) => candidates.push(candidate),
            Err(reason) => skipped.push(skip(segment, reason)),
        }
    }
    (skipped, decide(&candidates, request))
}

/// Segments by id, in order of start: one for each id, with all that its lines say.
fn merge(
    recorded: &[Recorded],
    track: TrackNumber,
    skipped: &mut Vec<Skipped>,
) -> BTreeMap<SegmentId, Segment> {
    let mut merged: BTreeMap<SegmentId, Segment> = BTreeMap::new();
    let mut others = BTreeMap::new();
    for Recorded {
        segment,
        track: own,
    } in recorded
    {
        if let Some(own) = own.filter(|&own| own != track) {
            others
                .entry(&segment.id)
                .or_insert(skip(segment, LeftOut::OtherTrack(own)));
            continue;
        }
        match merged.get_mut(&segment.id) {
            None => {
                merged.insert(segment.id.clone(), segment.clone());
            }
            Some(known) => known.absorb(segment),
        }
    }
    skipped.extend(
        others
            .into_iter()
            .filter(|(id, _)| !merged.contains_key(*id))
            .map(|(_, entry)| entry),
    );
    merged
}

fn skip(segment: &Segment, reason: LeftOut) -> Skipped {
    Skipped {
        start: segment.start(),
        end: segment.end,
        segment: Some(segment.id.clone()),
        score: None,
        reason,
    }
}

/// Whether a selection differs from the stored one and is to be stored in its place.
pub fn is_news(selected: &[Selected], previous: &[Previous], mode: Mode) -> bool {
    if mode == Mode::Features && selected.is_empty() {
        return true;
    }
    let mut now: Vec<Previous> = selected.iter().map(Previous::from).collect();
    let mut before = previous.to_vec();
    if mode != Mode::Timestamps {
        now.sort();
        before.sort();
    }
    now.len() != before.len()
        || now.iter().zip(&before).any(|(now, before)| {
            now.start.to_millis() != before.start.to_millis()
                || before.marks.is_some() && now.marks != before.marks
        })
}

/// The observations that can matter to a request, found by time.
struct Timeline<'a> {
    points: Vec<&'a Observation>,
    ranges: Vec<&'a Observation>,
    longest: MediaTime,
}

impl<'a> Timeline<'a> {
    fn new(observations: &'a [Observation], request: &ReplayRequest) -> Self {
        let matters = |observation: &&Observation| {
            request.priorities.iter().any(|priority| {
                priority.key.is_of(&observation.operator)
                    && observation.attributes.contains_key(&priority.key.attribute)
            })
        };
        let (mut points, mut ranges): (Vec<_>, Vec<_>) = observations
            .iter()
            .filter(matters)
            .partition(|observation| observation.is_point());
        points.sort_by_key(|observation| observation.start);
        ranges.sort_by_key(|observation| observation.start);
        let longest = ranges
            .iter()
            .map(|range| range.end - range.start)
            .max()
            .unwrap_or(MediaTime::ZERO);
        Timeline {
            points,
            ranges,
            longest,
        }
    }

    /// At least all observations that intersect `range`.
    fn near(&self, range: &TimeRange) -> impl Iterator<Item = &'a Observation> {
        let within = |list: &[&'a Observation], from: MediaTime| {
            let first = list.partition_point(|observation| observation.start < from);
            let last = list.partition_point(|observation| observation.start < range.end);
            list.get(first..last).unwrap_or_default().to_vec()
        };
        let mut near = within(&self.points, range.start);
        near.extend(within(&self.ranges, range.start - self.longest));
        near.into_iter()
    }
}
