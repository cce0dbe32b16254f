//! A directory that results of an event go to: everything, or what a sink of the spec asks for.

use std::collections::BTreeSet;
use std::path::Path;

use matchcut_model::change::{Change, EpochChanges, EventState, Row};
use matchcut_model::observation::Class;
use matchcut_model::replay::Feedback;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_operators::sdk::parse_options;
use matchcut_sinks::{EventInfo, FileSink, Media};

use super::convert;
use super::engine::RunError;
use crate::plan::{Plan, PlanInput, PlanSink};

/// What a target takes.
struct Wanted {
    featurers: BTreeSet<Name>,
    segmenters: BTreeSet<Name>,
    replays: BTreeSet<Name>,
}

impl Wanted {
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

/// What becomes of results that a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// They are refused.
    New,
    /// They are replaced.
    Replace,
    /// They are gone on with.
    Resume,
}

/// A directory of results.
pub struct Target {
    sink: FileSink,
    /// What it takes, and that part of the state; everything where there is none.
    part: Option<(Wanted, EventState)>,
}

impl Target {
    /// A directory for everything.
    pub fn everything(dir: &Path, begin: Begin, info: EventInfo) -> Result<Self, RunError> {
        Target::new(dir, begin, info, None)
    }

    /// A directory for what a `file` sink of the spec asks for.
    pub fn of_sink(
        sink: &PlanSink,
        plan: &Plan,
        begin: Begin,
        info: EventInfo,
    ) -> Result<Self, RunError> {
        let mut wanted = Wanted {
            featurers: BTreeSet::new(),
            segmenters: BTreeSet::new(),
            replays: BTreeSet::new(),
        };
        for input in &sink.inputs {
            match input {
                PlanInput::Operator(index) => {
                    let operator = &plan.operators[*index];
                    let segmenter = operator.segmenter.map(|at| &plan.operators[at].name);
                    wanted
                        .segmenters
                        .insert(segmenter.unwrap_or(&operator.name).clone());
                    wanted.featurers.insert(operator.name.clone());
                }
                PlanInput::Replay(index) => {
                    let replay = &plan.replays[*index];
                    wanted.replays.insert(replay.name.clone());
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
                PlanInput::Video(_) | PlanInput::Audio(_) | PlanInput::Cues(_) => {}
            }
        }
        // What is wrong in them was said when the spec was read.
        let options = parse_options(&sink.options).unwrap_or_default();
        let info = convert::for_sink(info, &options);
        let part = Some((wanted, EventState::default()));
        Target::new(Target::dir_of(sink), begin, info, part)
    }

    /// The directory of a `file` sink.
    pub fn dir_of(sink: &PlanSink) -> &Path {
        let dir = sink.options.get("dir").and_then(|dir| dir.as_str());
        Path::new(dir.unwrap_or("out"))
    }

    fn new(
        dir: &Path,
        begin: Begin,
        info: EventInfo,
        part: Option<(Wanted, EventState)>,
    ) -> Result<Self, RunError> {
        let sink = match begin {
            Begin::New => FileSink::create(dir, false, info)?,
            Begin::Replace => FileSink::create(dir, true, info)?,
            Begin::Resume => FileSink::resume(dir, info)?,
        };
        Ok(Target { sink, part })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.sink.dir()
    }

    /// Whether it takes the segments of a segmenter.
    pub fn takes_segments_of(&self, segmenter: &Name) -> bool {
        self.part
            .as_ref()
            .is_none_or(|(wanted, _)| wanted.segmenters.contains(segmenter))
    }

    /// Whether it takes a replay.
    pub fn takes_replay(&self, name: &Name) -> bool {
        self.part
            .as_ref()
            .is_none_or(|(wanted, _)| wanted.replays.contains(name))
    }

    /// For results of recorded observations, which are no news.
    pub fn leave_log_empty(&mut self) {
        self.sink.leave_log_empty();
    }

    /// Commits the part of an epoch that it takes.
    pub fn commit(
        &mut self,
        changes: &EpochChanges,
        timeline: &EventTimeline,
    ) -> Result<(), RunError> {
        let Some((wanted, state)) = &mut self.part else {
            self.sink.commit(changes, timeline)?;
            return Ok(());
        };
        let takes = |change: &&Change| wanted.takes(&change.row);
        let own = EpochChanges {
            epoch: changes.epoch,
            changes: changes.changes.iter().filter(takes).cloned().collect(),
        };
        state.apply(&own)?;
        self.sink.commit(&own, timeline)?;
        Ok(())
    }

    /// Writes the final documents of an event of which `all` holds; what had to be left out.
    pub fn finish(
        &mut self,
        all: &EventState,
        timeline: &EventTimeline,
        media: &Media,
        feedback: &[Feedback],
    ) -> Result<Vec<String>, RunError> {
        let state = self.part.as_ref().map_or(all, |(_, state)| state);
        if !feedback.is_empty() {
            self.sink.heard(feedback);
        }
        Ok(self.sink.finish(state, timeline, media)?.warnings)
    }
}
