//! What a sink of the spec takes of the rows of an event: what its inputs say, and what belongs to it.

use std::collections::BTreeSet;

use matchcut_model::change::{Change, EpochChanges, Row};
use matchcut_model::observation::Class;
use matchcut_model::value::Name;

use crate::plan::{Plan, PlanInput, PlanReplay, PlanSink};

/// What a sink takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    featurers: BTreeSet<Name>,
    segmenters: BTreeSet<Name>,
    replays: BTreeSet<Name>,
}

impl Wanted {
    /// What the inputs of a sink say, and nothing else.
    pub fn named_by(sink: &PlanSink, plan: &Plan) -> Self {
        let mut wanted = Wanted::default();
        for input in &sink.inputs {
            match input {
                PlanInput::Operator(index) => wanted.operator(*index, plan),
                PlanInput::Replay(index) => {
                    wanted.replays.insert(plan.replays[*index].name.clone());
                }
                PlanInput::Video(_) | PlanInput::Audio(_) | PlanInput::Cues(_) => {}
            }
        }
        wanted
    }

    /// What an operator says; for one that updates segments, those segments.
    fn operator(&mut self, index: usize, plan: &Plan) {
        let operator = &plan.operators[index];
        let segmenter = operator.segmenter.map(|at| &plan.operators[at].name);
        let segmenter = segmenter.unwrap_or(&operator.name).clone();
        self.segmenters.insert(segmenter);
        self.featurers.insert(operator.name.clone());
    }

    /// What a sink of the spec needs to tell all of what it asks for.
    pub fn of_sink(sink: &PlanSink, plan: &Plan) -> Self {
        let mut wanted = Wanted::named_by(sink, plan);
        for input in &sink.inputs {
            let PlanInput::Replay(index) = input else {
                continue;
            };
            let replay = &plan.replays[*index];
            // What a replay weighs is told with it: its features, and why others are out.
            let featurers = plan.operators.iter().filter(|o| o.class == Class::Featurer);
            wanted.featurers.extend(
                featurers
                    .map(|operator| &operator.name)
                    .filter(|name| {
                        let priorities = &replay.request.priorities;
                        priorities.iter().any(|priority| priority.key.is_of(name))
                    })
                    .cloned(),
            );
            // The pieces of a replay are segments, and their clips belong to it.
            wanted
                .segmenters
                .insert(plan.operators[replay.segmenter].name.clone());
        }
        wanted
    }

    /// Whether it takes the segments of a segmenter.
    pub fn takes_segments_of(&self, segmenter: &Name) -> bool {
        self.segmenters.contains(segmenter)
    }

    /// Whether it takes a replay.
    pub fn takes_replay(&self, name: &Name) -> bool {
        self.replays.contains(name)
    }

    /// A replay is asked for that the spec does not have: it takes it if it takes others, or the segments that it
    /// chooses from. Whether it does.
    pub fn asks_for(&mut self, replay: &PlanReplay, segmenter: &Name) -> bool {
        let takes = self.takes_replay(&replay.name)
            || !self.replays.is_empty()
            || self.takes_segments_of(segmenter);
        if takes {
            self.replays.insert(replay.name.clone());
        }
        takes
    }

    /// The same where everything that a replay is told with has to be taken, too: features that it weighs, and the
    /// segments that it chooses from.
    pub fn asks_for_whole(&mut self, replay: &PlanReplay, segmenter: &Name, plan: &Plan) -> bool {
        let weighed = &replay.features;
        let covered = self.takes_segments_of(segmenter)
            && weighed.iter().all(|feature| {
                let operator = plan.operators.get(feature.operator);
                operator.is_some_and(|operator| {
                    operator.class != Class::Featurer || self.featurers.contains(&operator.name)
                })
            });
        covered && self.asks_for(replay, segmenter)
    }

    /// What it takes of an epoch.
    pub fn part_of(&self, changes: &EpochChanges) -> EpochChanges {
        let takes = |change: &&Change| self.takes(&change.row);
        EpochChanges {
            epoch: changes.epoch,
            changes: changes.changes.iter().filter(takes).cloned().collect(),
        }
    }

    fn takes(&self, row: &Row) -> bool {
        match row {
            Row::Chunk(_) | Row::Gap(_) | Row::Failure(_) => true,
            Row::Observation(row) => self.featurers.contains(&row.operator),
            Row::Segment(row) => self.segmenters.contains(&row.id.segmenter),
            Row::Clip(row) => self.segmenters.contains(&row.segment.segmenter),
            Row::Replay(row) => self.replays.contains(&row.name),
            Row::Choice(row) => self.replays.contains(&row.replay),
        }
    }
}
