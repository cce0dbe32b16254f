//! The directories of a run: which there are, whether they may be written to, and whether there is an
//! event in them to go on with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use matchcut_sinks::{EventInfo, FileSink, SinkError};

use super::engine::RunError;
use super::log::{EventStore, Lock, Taken};
use super::target::{Begin, Target};
use crate::plan::{Plan, PlanSink};

/// Where results go.
pub struct Dirs<'a> {
    /// Everything, if asked for.
    out: Option<&'a Path>,
    /// `file` sinks of the spec.
    sinks: Vec<&'a PlanSink>,
    /// `s3` sinks of the spec, whose directories lie in the first of the others.
    buckets: Vec<&'a PlanSink>,
}

impl<'a> Dirs<'a> {
    /// The directories of `--out` and of the spec.
    pub fn new(plan: &'a Plan, out: Option<&'a Path>) -> Result<Self, RunError> {
        // Two writers in one directory would overwrite each other.
        let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let mut taken: BTreeMap<PathBuf, String> = BTreeMap::new();
        if let Some(dir) = out {
            taken.insert(absolute(dir), "--out".to_owned());
        }
        let mut sinks = Vec::new();
        for sink in plan.sinks.iter().filter(|sink| sink.kind == "file") {
            let dir = absolute(Target::dir_of(sink));
            match taken.get(&dir).map(String::as_str) {
                // What the sink takes is part of everything.
                Some("--out") => continue,
                Some(other) => {
                    return Err(RunError::OneDirectory {
                        one: other.to_owned(),
                        other: sink.name.clone(),
                        dir,
                    });
                }
                None => drop(taken.insert(dir, sink.name.to_string())),
            }
            sinks.push(sink);
        }
        Ok(Dirs {
            out,
            sinks,
            buckets: Vec::new(),
        })
    }

    /// With those that the `s3` sinks of the spec follow.
    pub fn with_buckets(mut self, plan: &'a Plan) -> Self {
        self.buckets = plan.sinks.iter().filter(|sink| sink.kind == "s3").collect();
        self
    }

    /// All of them; the store is kept in the first.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        let sinks = self.sinks.iter().map(|sink| Target::dir_of(sink));
        self.out.into_iter().chain(sinks)
    }

    /// Opens all of them.
    pub fn targets(
        &self,
        plan: &Plan,
        begin: Begin,
        info: &EventInfo,
    ) -> Result<Vec<Target>, RunError> {
        let mut targets = Vec::new();
        if let Some(dir) = self.out {
            targets.push(Target::everything(dir, begin, info.clone())?);
        }
        for sink in &self.sinks {
            targets.push(Target::of_sink(sink, plan, begin, info.clone())?);
        }
        if let Some(home) = self.all().next() {
            for sink in &self.buckets {
                targets.push(Target::of_bucket(sink, plan, home, begin, info.clone())?);
            }
        }
        Ok(targets)
    }

    /// Takes the directories of a run, and the store in them.
    pub fn take(
        &self,
        plan: &Plan,
        identity: &str,
        how: How,
        info: &EventInfo,
    ) -> Result<Home, RunError> {
        let Some(first) = self.all().next() else {
            return Ok(Home::New(Vec::new(), None));
        };
        if how == How::New {
            self.refuse_results()?;
        }
        // What is replaced need not be understood.
        if how == How::Replace {
            let lock = EventStore::take_anew(first)?;
            return self.begin(plan, identity, info, first, lock);
        }
        let lock = match (EventStore::take(first)?, how) {
            (Taken::Begun(store), How::Resume { revises, .. }) => {
                store.check(identity)?;
                if store.is_finished()? && !revises {
                    return Ok(Home::Finished(store));
                }
                let targets = self.targets(plan, Begin::Resume, info)?;
                return Ok(Home::Resumed(targets, store));
            }
            (Taken::Begun(store), _) => {
                let dir = first.to_owned();
                drop(store);
                return Err(RunError::Sink(SinkError::HoldsResults {
                    dir,
                    found: "an event that was begun".to_owned(),
                }));
            }
            (Taken::Fresh { lock, was_there }, How::Resume { force, .. }) => {
                // Results without a store are those of somebody else.
                if !was_there && !force {
                    self.refuse_results()?;
                }
                lock
            }
            (Taken::Fresh { lock, .. }, _) => lock,
        };
        self.begin(plan, identity, info, first, lock)
    }

    fn begin(
        &self,
        plan: &Plan,
        identity: &str,
        info: &EventInfo,
        first: &Path,
        lock: Lock,
    ) -> Result<Home, RunError> {
        // First the store: if this is cut short, it says that nothing has begun.
        let store = EventStore::create(first, lock, identity)?;
        let targets = self.targets(plan, Begin::Replace, info)?;
        Ok(Home::New(targets, Some(store)))
    }

    /// Removes the stores of runs whose results are replaced by others.
    pub fn discard_stores(&self) -> Result<(), RunError> {
        for dir in self.all() {
            EventStore::discard(dir)?;
        }
        Ok(())
    }

    fn refuse_results(&self) -> Result<(), RunError> {
        for dir in self.all() {
            if let Some(found) = FileSink::holds(dir) {
                let (dir, found) = (dir.to_owned(), found.to_owned());
                return Err(RunError::Sink(SinkError::HoldsResults { dir, found }));
            }
        }
        Ok(())
    }
}

/// What is to become of what the directories hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// They are to hold nothing.
    New,
    /// It is replaced.
    Replace,
    /// It is gone on with.
    Resume {
        /// Results that there is no store of are replaced.
        force: bool,
        /// An event that is over is gone on with, too: what was said of it since may change its results.
        revises: bool,
    },
}

/// The directories of a run.
pub enum Home {
    /// A new event.
    New(Vec<Target>, Option<EventStore>),
    /// One that was begun.
    Resumed(Vec<Target>, EventStore),
    /// One that is over.
    Finished(EventStore),
}
