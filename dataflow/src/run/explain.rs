//! Why segments are not in a replay: asked once at the end, of the batch function, because keeping
//! every reason up to date would cost a row for each segment at every change.

use std::collections::BTreeSet;

use matchcut_model::change::{Change, ChoiceRow, EpochChanges, EventState, Row, StateError};
use matchcut_model::chunk::Epoch;
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::{Recorded, SelectionInput, select};
use matchcut_model::time::TimeRange;
use matchcut_model::value::{Name, Number};

use super::convert::definitions;
use crate::plan::Plan;

/// Adds to the final state what each replay left out, and why.
pub fn left_out(state: &mut EventState, plan: &Plan) -> Result<(), StateError> {
    let observations: Vec<Observation> = state.observations().cloned().collect();
    let featurers: BTreeSet<Name> = plan
        .operators
        .iter()
        .filter(|operator| operator.class == Class::Featurer)
        .map(|operator| operator.name.clone())
        .collect();
    let mut changes = Vec::new();
    for definition in definitions(plan) {
        let segments: Vec<Recorded> = state
            .segments()
            .filter(|segment| segment.id.segmenter == definition.segmenter)
            .cloned()
            .map(Recorded::from)
            .collect();
        let selection = select(&SelectionInput {
            segments: &segments,
            observations: &observations,
            featurers: &featurers,
            feedback: &[],
            request: &definition.request,
            previous: &[],
        });
        for (order, skipped) in (0..).zip(&selection.left_out) {
            let original = TimeRange::new(skipped.start, skipped.end.unwrap_or(skipped.start));
            let id = skipped.segment.as_ref();
            let effective = id
                .and_then(|id| state.segment(id))
                .and_then(|segment| segment.effective(definition.request.track));
            changes.push(Change::insert(Row::Choice(ChoiceRow {
                replay: definition.name.clone(),
                order,
                segment: skipped.segment.clone(),
                original,
                marks: effective.unwrap_or(original),
                chosen: false,
                score: skipped.score.and_then(|score| Number::new(score.as_f64())),
                reason: skipped.reason.to_string(),
                features: Vec::new(),
            })));
        }
    }
    let epoch = Epoch(state.epoch().map_or(0, |last| last.0 + 1));
    state.apply(&EpochChanges { epoch, changes })
}
