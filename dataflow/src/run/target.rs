//! A directory that results of an event go to: everything, or what a sink of the spec asks for,
//! with the clips that belong to it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use matchcut_model::change::{Change, EpochChanges, EventState, Row};
use matchcut_model::failure::Failure;
use matchcut_model::observation::Class;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_sinks::{EventInfo, FileSink, Media};

use super::clips::{ClipMaker, ClipMode, Piece};
use super::engine::RunError;
use super::media::MediaStore;
use crate::plan::{Plan, PlanInput, PlanReplay, PlanSink};

/// What a target takes.
struct Wanted {
    featurers: BTreeSet<Name>,
    segmenters: BTreeSet<Name>,
    replays: BTreeSet<Name>,
}

impl Wanted {
    fn takes(&self, row: &Row) -> bool {
        match row {
            Row::Chunk(_) | Row::Failure(_) => true,
            Row::Observation(row) => self.featurers.contains(&row.operator),
            Row::Segment(row) => self.segmenters.contains(&row.id.segmenter),
            Row::Replay(row) => self.replays.contains(&row.name),
            Row::Choice(row) => self.replays.contains(&row.replay),
        }
    }
}

/// A directory of results.
pub struct Target {
    sink: FileSink,
    wanted: Option<Wanted>,
    state: EventState,
    clips: Option<ClipMaker>,
    /// Replays that changed since their playlists were written.
    changed: BTreeSet<Name>,
}

impl Target {
    /// A directory for everything. One that holds results is refused unless `force`.
    pub fn everything(dir: &Path, force: bool, info: EventInfo) -> Result<Self, RunError> {
        Target::new(dir, force, info, None)
    }

    /// A directory for what a `file` sink of the spec asks for.
    pub fn of_sink(
        sink: &PlanSink,
        plan: &Plan,
        force: bool,
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
                PlanInput::Video(_) | PlanInput::Audio(_) => {}
            }
        }
        Target::new(Target::dir_of(sink), force, info, Some(wanted))
    }

    /// The directory of a `file` sink.
    pub fn dir_of(sink: &PlanSink) -> &Path {
        let dir = sink.options.get("dir").and_then(|dir| dir.as_str());
        Path::new(dir.unwrap_or("out"))
    }

    fn new(
        dir: &Path,
        force: bool,
        info: EventInfo,
        wanted: Option<Wanted>,
    ) -> Result<Self, RunError> {
        let sink = FileSink::create(dir, force, info)?;
        Ok(Target {
            sink,
            wanted,
            state: EventState::default(),
            clips: None,
            changed: BTreeSet::new(),
        })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.sink.dir()
    }

    /// Clips are made from the chunks in `store`.
    pub fn make_clips(&mut self, mode: ClipMode, store: &Arc<MediaStore>) {
        self.clips = Some(ClipMaker::new(self.sink.dir(), mode, Arc::clone(store)));
    }

    /// Commits the part of an epoch that it takes.
    pub fn commit(
        &mut self,
        changes: &EpochChanges,
        timeline: &EventTimeline,
    ) -> Result<(), RunError> {
        let takes = |change: &&Change| self.wanted.as_ref().is_none_or(|w| w.takes(&change.row));
        let own = EpochChanges {
            epoch: changes.epoch,
            changes: changes.changes.iter().filter(takes).cloned().collect(),
        };
        self.state.apply(&own)?;
        self.changed
            .extend(own.changes.iter().filter_map(|change| match &change.row {
                Row::Choice(choice) => Some(choice.replay.clone()),
                _ => None,
            }));
        self.sink.commit(&own, timeline)?;
        Ok(())
    }

    /// Makes the clips that are ready, and the playlists of replays that changed; what failed.
    pub fn update_clips(&mut self, plan: &Plan, timeline: &EventTimeline) -> Vec<Failure> {
        let Some(clips) = &mut self.clips else {
            return Vec::new();
        };
        clips.update(self.state.segments(), timeline, false);
        for replay in plan
            .replays
            .iter()
            .filter(|replay| self.changed.contains(&replay.name))
        {
            clips.playlist(&replay.name, &pieces(&self.state, replay), timeline);
        }
        self.changed.clear();
        clips.take_failures()
    }

    /// Makes all clips and the videos of the replays; what failed.
    pub fn finish_clips(&mut self, plan: &Plan, timeline: &EventTimeline) -> Vec<Failure> {
        let Some(clips) = &mut self.clips else {
            return Vec::new();
        };
        clips.update(self.state.segments(), timeline, true);
        for replay in &plan.replays {
            let pieces = pieces(&self.state, replay);
            clips.replay(&replay.name, &pieces, replay.render.as_ref(), timeline);
        }
        clips.take_failures()
    }

    /// Writes the final documents; what had to be left out.
    pub fn finish(&mut self, timeline: &EventTimeline) -> Result<Vec<String>, RunError> {
        let nothing = Media::default();
        let media = self.clips.as_ref().map_or(&nothing, ClipMaker::media);
        Ok(self.sink.finish(&self.state, timeline, media)?.warnings)
    }
}

/// What a replay plays, in order.
fn pieces(state: &EventState, replay: &PlanReplay) -> Vec<Piece> {
    let track = replay.request.track;
    let chosen = state.chosen(&replay.name);
    chosen
        .map(|choice| Piece {
            marks: choice.marks,
            track,
        })
        .collect()
}
