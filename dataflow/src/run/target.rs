//! A directory that results of an event go to: everything, or what a sink of the spec asks for.

use std::path::{Path, PathBuf};

use matchcut_model::change::{EpochChanges, EventState};
use matchcut_model::replay::Feedback;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_operators::sdk::parse_options;
use matchcut_sinks::bucket::BucketOptions;
use matchcut_sinks::files::safe_file_name;
use matchcut_sinks::{EventInfo, FileSink, Media, ReplayInfo};

use super::convert;
use super::engine::RunError;
use super::log::STORE_DIR;
use super::wanted::Wanted;
use crate::plan::{Plan, PlanReplay, PlanSink};
use crate::spec::FileSinkOptions;

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

/// A directory, and what is to lie in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory.
    pub dir: PathBuf,
    /// Whether chunks that its playlists name are copied into it.
    pub copy_chunks: bool,
}

impl Place {
    /// A directory whose playlists name chunks where they lie.
    pub fn of(dir: &Path) -> Self {
        Place {
            dir: dir.to_owned(),
            copy_chunks: false,
        }
    }

    /// Where chunks are copied to, if they are.
    pub fn copies(&self) -> Option<PathBuf> {
        self.copy_chunks.then(|| self.dir.join("chunks"))
    }
}

/// A directory of results.
pub struct Target {
    sink: FileSink,
    /// What it takes, and that part of the state; everything where there is none.
    part: Option<(Wanted, EventState)>,
    copy_chunks: bool,
}

impl Target {
    /// A directory for everything.
    pub fn everything(dir: &Path, begin: Begin, info: EventInfo) -> Result<Self, RunError> {
        Target::new(dir, begin, info, None, false)
    }

    /// A directory for what a `file` sink of the spec asks for.
    pub fn of_sink(
        sink: &PlanSink,
        plan: &Plan,
        begin: Begin,
        info: EventInfo,
    ) -> Result<Self, RunError> {
        let wanted = Wanted::of_sink(sink, plan);
        // What is wrong in them was said when the spec was read.
        let options: FileSinkOptions = parse_options(&sink.options).unwrap_or_default();
        let copies = options.copy_chunks;
        let info = convert::for_sink(info, &options);
        let part = Some((wanted, EventState::default()));
        Target::new(Target::dir_of(sink), begin, info, part, copies)
    }

    /// The directory that an `s3` sink follows, in the home of the event.
    pub fn of_bucket(
        sink: &PlanSink,
        plan: &Plan,
        home: &Path,
        begin: Begin,
        info: EventInfo,
    ) -> Result<Self, RunError> {
        let wanted = Wanted::of_sink(sink, plan);
        let options: BucketOptions = parse_options(&sink.options).unwrap_or_default();
        let info = convert::for_bucket(info, &options);
        let part = Some((wanted, EventState::default()));
        let dir = Target::spool_of(sink, home);
        Target::new(&dir, begin, info, part, options.copy_chunks)
    }

    /// What of an `s3` sink lies in the home of an event.
    pub fn spool_of(sink: &PlanSink, home: &Path) -> PathBuf {
        home.join(STORE_DIR)
            .join("s3")
            .join(safe_file_name(&sink.name))
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
        copy_chunks: bool,
    ) -> Result<Self, RunError> {
        let sink = match begin {
            Begin::New => FileSink::create(dir, false, info)?,
            Begin::Replace => FileSink::create(dir, true, info)?,
            Begin::Resume => FileSink::resume(dir, info)?,
        };
        Ok(Target {
            sink,
            part,
            copy_chunks,
        })
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        self.sink.dir()
    }

    /// The same, with what is to lie in it.
    pub fn place(&self) -> Place {
        Place {
            dir: self.dir().to_owned(),
            copy_chunks: self.copy_chunks,
        }
    }

    /// Whether it takes the segments of a segmenter.
    pub fn takes_segments_of(&self, segmenter: &Name) -> bool {
        self.part
            .as_ref()
            .is_none_or(|(wanted, _)| wanted.takes_segments_of(segmenter))
    }

    /// Whether it takes a replay.
    pub fn takes_replay(&self, name: &Name) -> bool {
        self.part
            .as_ref()
            .is_none_or(|(wanted, _)| wanted.takes_replay(name))
    }

    /// A replay is asked for, or asked for otherwise than before.
    pub fn ask(&mut self, replay: &PlanReplay, plan: &Plan, segmenter: &Name, info: &ReplayInfo) {
        let takes = match &mut self.part {
            None => true,
            Some((wanted, _)) => wanted.asks_for_whole(replay, segmenter, plan),
        };
        if takes {
            self.sink.ask(replay.name.clone(), info.clone());
        }
    }

    /// A replay is not wanted any more.
    pub fn withdraw(&mut self, name: &Name) {
        self.sink.withdraw(name);
    }

    /// Removes the files of a replay that is not wanted any more.
    pub fn sweep(&self, name: &Name) -> Result<(), RunError> {
        Ok(self.sink.sweep(name)?)
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
        let own = wanted.part_of(changes);
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
