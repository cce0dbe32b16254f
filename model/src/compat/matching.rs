//! MRE's matcher: points inside the original marks, one hit for each attribute name.

use std::collections::{BTreeMap, BTreeSet};

use crate::chunk::TrackNumber;
use crate::replay::{Hit, Priority, ReplayRequest, SelectionInput, worth};
use crate::time::{MediaTime, TimeRange};
use crate::value::{Attributes, Value};

/// A data point: when, and what was said.
type Point<'a> = (MediaTime, &'a Attributes);

/// All data points by medium: those of the picture under `None`, those of the sound by track.
pub(super) struct Points<'a>(BTreeMap<Option<TrackNumber>, Vec<Point<'a>>>);

impl<'a> Points<'a> {
    pub(super) fn new(input: &SelectionInput<'a>) -> Self {
        let mut points: BTreeMap<Option<TrackNumber>, Vec<Point<'a>>> = BTreeMap::new();
        for observation in input.observations {
            let at = MediaTime::from_millis(observation.start.to_millis());
            points
                .entry(observation.track)
                .or_default()
                .push((at, &observation.attributes));
        }
        for recorded in input
            .segments
            .iter()
            .filter(|one| !one.segment.attributes.is_empty())
        {
            let at = MediaTime::from_millis(recorded.segment.start().to_millis());
            points
                .entry(None)
                .or_default()
                .push((at, &recorded.segment.attributes));
        }
        points.values_mut().for_each(|list| list.sort_unstable());
        Points(points)
    }

    /// The points of the picture inside `range`, then those of the track's sound.
    fn inside(&self, range: &TimeRange, track: TrackNumber) -> Vec<Point<'a>> {
        let of = |medium: Option<TrackNumber>| {
            let list = self.0.get(&medium).map_or(&[][..], Vec::as_slice);
            let first = list.partition_point(|(at, _)| *at < range.start);
            let last = list.partition_point(|(at, _)| *at <= range.end);
            list.get(first..last).unwrap_or_default()
        };
        [of(None), of(Some(track))].concat()
    }

    pub(super) fn hits(
        &self,
        range: &TimeRange,
        track: TrackNumber,
        request: &ReplayRequest,
    ) -> Vec<Hit> {
        let points = self.inside(range, track);
        let mut seen = BTreeSet::new();
        let mut hits = Vec::new();
        for (index, priority) in request.priorities.iter().enumerate() {
            let attribute = &priority.key.attribute;
            if !wants_true(priority) || seen.contains(attribute) {
                continue;
            }
            let hit = points.iter().find_map(|(at, attributes)| {
                let set = attributes.get(attribute).is_some_and(is_true);
                let points = if set {
                    worth(priority, attributes, request)
                } else {
                    None
                }?;
                Some(Hit {
                    priority: index,
                    at: *at,
                    points,
                })
            });
            if let Some(hit) = hit {
                seen.insert(attribute);
                hits.push(hit);
            }
        }
        hits
    }
}

/// Whether the text after the last bar of its name is "true".
fn wants_true(priority: &Priority) -> bool {
    let last = priority.name.rsplit('|').next().unwrap_or_default();
    last.trim().eq_ignore_ascii_case("true")
}

/// Whether Python finds the value equal to `True`.
fn is_true(value: &Value) -> bool {
    value
        .as_bool()
        .unwrap_or_else(|| value.as_f64() == Some(1.0))
}
