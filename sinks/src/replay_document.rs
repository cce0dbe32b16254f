//! `replay.json`: what `matchcut select` prints of a replay, with the marks that are played, the
//! reason and the features of each segment, and with what was left out and why.

use std::collections::BTreeSet;

use matchcut_model::change::{ChoiceRow, EventState, FoundFeature, ReplayRow};
use matchcut_model::chunk::TrackNumber;
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::{
    Compat, FeatureEntry, FeatureKey, Recorded, ReplayDocument, ReplayEntry, Score, SelectionInput,
    Skipped, SkippedEntry, select,
};
use matchcut_model::segment::SegmentId;
use matchcut_model::time::TimeRange;
use matchcut_model::value::Name;

use crate::found::Observed;
use crate::info::{EventInfo, ReplayInfo};

/// A replay with everything that is written of it.
#[derive(Debug)]
pub(crate) struct Replay<'a> {
    pub(crate) row: &'a ReplayRow,
    pub(crate) info: Option<&'a ReplayInfo>,
    pub(crate) chosen: Vec<&'a ChoiceRow>,
    /// Every other segment, by time.
    pub(crate) left_out: Vec<Skipped>,
}

/// All replays of the event, by name.
pub(crate) fn replays<'a>(state: &'a EventState, info: &'a EventInfo) -> Vec<Replay<'a>> {
    let featurers: BTreeSet<Name> = info
        .profile
        .operators
        .iter()
        .filter(|operator| operator.class == Class::Featurer)
        .map(|operator| operator.name.clone())
        .collect();
    // Replays under MRE's own rules mix everything with everything. For all others it is enough to know
    // what one of them asks for, which of a match are a few of very many.
    let requests = || info.replays.values().map(|replay| &replay.request);
    let all = requests().any(|request| request.compat == Compat::Mre);
    let asked: BTreeSet<&Name> = requests()
        .flat_map(|request| &request.priorities)
        .map(|priority| &priority.key.attribute)
        .collect();
    let observations: Vec<Observation> = state
        .observations()
        .filter(|row| all || row.attributes.keys().any(|name| asked.contains(name)))
        .cloned()
        .collect();
    state
        .replays()
        .map(|row| {
            let chosen: Vec<&ChoiceRow> = state.chosen(&row.name).collect();
            let info_of = info.replays.get(&row.name);
            let left_out = info_of
                .map(|replay| left_out(state, info, replay, &observations, &featurers))
                .unwrap_or_default();
            let is_in: BTreeSet<&SegmentId> = chosen
                .iter()
                .filter_map(|choice| choice.segment.as_ref())
                .collect();
            let not_in = |skipped: &Skipped| {
                skipped
                    .segment
                    .as_ref()
                    .is_none_or(|segment| !is_in.contains(segment))
            };
            let left_out = left_out.into_iter().filter(not_in).collect();
            Replay {
                row,
                info: info_of,
                chosen,
                left_out,
            }
        })
        .collect()
}

/// Why each other segment is not in the replay. The rows carry what was chosen; the reasons for all
/// the rest are asked for once, at the end, from the batch function that defines a replay.
fn left_out(
    state: &EventState,
    info: &EventInfo,
    replay: &ReplayInfo,
    observations: &[Observation],
    featurers: &BTreeSet<Name>,
) -> Vec<Skipped> {
    let of_segmenter = |name: &Name| replay.segmenter.as_ref().is_none_or(|own| own == name);
    let segments: Vec<Recorded> = state
        .segments()
        .filter(|segment| of_segmenter(&segment.id.segmenter))
        .map(|segment| Recorded::from(segment.clone()))
        .collect();
    let selection = select(&SelectionInput {
        segments: &segments,
        observations,
        featurers,
        feedback: &info.feedback,
        request: &replay.request,
        previous: &[],
    });
    selection.left_out
}

/// The document of a replay.
pub(crate) fn document(replay: &Replay<'_>, observed: &Observed<'_>) -> ReplayDocument {
    let selected = if replay.row.processed {
        replay.chosen.as_slice()
    } else {
        &[]
    };
    let left_out = replay.left_out.iter().map(|skipped| SkippedEntry {
        start: skipped.start.rounded_seconds(),
        end: skipped.end.map(|end| end.rounded_seconds()),
        score: skipped.score,
        reason: skipped.reason.to_string(),
    });
    ReplayDocument {
        processed: replay.row.processed,
        selected: selected
            .iter()
            .map(|choice| entry(choice, Some((replay.row.track, observed))))
            .collect(),
        total_score: Score::from_f64(replay.row.total_score.get()).unwrap_or_default(),
        left_out: Some(left_out.collect()),
    }
}

/// One chosen segment; with the track and the times of its features where those are asked for.
pub(crate) fn entry(choice: &ChoiceRow, on: Option<(TrackNumber, &Observed<'_>)>) -> ReplayEntry {
    ReplayEntry {
        start: choice.original.start.rounded_seconds(),
        end: choice.original.end.rounded_seconds(),
        score: choice.score.and_then(|score| Score::from_f64(score.get())),
        segment: choice.segment.as_ref().map(ToString::to_string),
        track: on.map(|(track, _)| track.0),
        effective: Some([
            choice.marks.start.rounded_seconds(),
            choice.marks.end.rounded_seconds(),
        ]),
        reason: Some(choice.reason.clone()),
        features: on.map(|(track, observed)| {
            let feature = |feature| feature_entry(feature, choice.marks, track, observed);
            choice.features.iter().map(feature).collect()
        }),
    }
}

/// The key of a feature; `*` is any operator.
pub(crate) fn key_of(feature: &FoundFeature) -> FeatureKey {
    FeatureKey {
        operator: Some(feature.operator.clone()).filter(|operator| operator != "*"),
        attribute: feature.attribute.clone(),
        value: feature.value.clone(),
    }
}

fn feature_entry(
    feature: &FoundFeature,
    marks: TimeRange,
    track: TrackNumber,
    observed: &Observed<'_>,
) -> FeatureEntry {
    let key = key_of(feature);
    let has = |observation: &&Observation| {
        observation.is_on(track)
            && key.is_of(&observation.operator)
            && key.is_in(&observation.attributes)
    };
    // What a segmenter or a labeler says holds for the whole segment.
    let at = observed
        .during(marks)
        .find(has)
        .map_or(marks.start, |found| found.start);
    FeatureEntry {
        feature: key.to_string(),
        at: at.rounded_seconds(),
        points: feature
            .weight
            .and_then(|weight| Score::from_f64(weight.get())),
    }
}
