//! The events that the service runs: at most so many at a time, each on threads of its own, the others in the order in
//! which they were asked for. How far each is stands in the store, so that a new start goes on where the last
//! one was; what becomes of one touches no other.

pub mod allowed;
mod inner;
mod live;
mod one;
mod removal;
mod said;
pub mod spec;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use matchcut_dataflow::run::turns::Turns;
use matchcut_sinks::files::present;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use inner::{Inner, Inside, now, yesterday};
pub use live::{Live, Standing};
pub use removal::Removing;

use crate::api::Folds;
use crate::config::Sources;
use crate::store::asked_by::{self, What};
use crate::store::runs::{self, Run, RunState};
use crate::store::{Database, StoreError};

/// Why an event cannot be done as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RunsError {
    /// There is none of this id.
    #[error("there is no event \"{0}\"")]
    Unknown(String),
    /// There is one of this id already.
    #[error("there is an event \"{0}\" already")]
    Taken(String),
    /// Another request came under the same key.
    #[error("this Idempotency-Key was used for another request")]
    OtherRequest,
    /// It is in a state in which that has no meaning.
    #[error("event \"{id}\" is {}: {why}", state.name())]
    State {
        /// Its id.
        id: String,
        /// Its state.
        state: RunState,
        /// What would have been needed.
        why: &'static str,
    },
    /// The service is about to end.
    #[error("the service is stopping")]
    Stopping,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All events.
#[derive(Clone)]
pub struct Runs {
    inner: Arc<Inner>,
}

/// A request for an event.
pub struct Wanted<'a> {
    /// The id that it is to have.
    pub id: &'a str,
    /// What its spec calls the pipeline.
    pub name: &'a str,
    /// Its spec, which was found to be right.
    pub spec: &'a str,
    /// How clips are cut.
    pub clips: &'a str,
    /// The key of the client, and what says whether the request is the same.
    pub asked: Option<(&'a str, &'a str)>,
    /// The role of who asks, where the spec is theirs.
    pub by: Option<&'a str>,
    /// For how many seconds it is kept when it is over; nothing for ever.
    pub retention: Option<i64>,
}

/// An event that is being removed, and how far that is where others are to be told of it.
pub type Removal = (Run, Option<Arc<Removing>>);

impl Runs {
    /// Takes up the events of a store: those that were not over go on, at most `most` at a time.
    pub fn open(
        database: Arc<Database>,
        data: &Path,
        most: usize,
        sources: Sources,
    ) -> Result<Runs, StoreError> {
        let failed = |source: io::Error| StoreError::Io {
            path: data.to_owned(),
            source,
        };
        let dir = std::path::absolute(data).map_err(failed)?.join("events");
        fs::create_dir_all(&dir).map_err(failed)?;
        let lock = File::create(data.join("lock")).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::InUse(data.to_owned()),
            TryLockError::Error(source) => failed(source),
        })?;
        let runs = Runs {
            inner: Arc::new(Inner {
                database,
                dir,
                most: most.max(1),
                sources,
                inside: Mutex::default(),
                changed: Condvar::new(),
                stopping: watch::channel(false).0,
                folds: Folds::default(),
                heard: said::Heard::default(),
                turns: Turns::all_processors_but_one(),
                _lock: lock,
            }),
        };
        runs.take_up()?;
        Ok(runs)
    }

    fn take_up(&self) -> Result<(), StoreError> {
        let inner = &self.inner;
        for mut run in inner.database.read(runs::open)? {
            if run.state == RunState::Deleting {
                inner.erase(&run.id);
                continue;
            }
            let live = Live::new(run.epoch);
            match run.state {
                // Somebody has stopped it: it is only finished.
                RunState::Draining => live.stop(),
                RunState::Ending => live.end(),
                RunState::Queued => {}
                RunState::Revising => {
                    inner.lock().revise(&run.id, run.epoch);
                    continue;
                }
                _ => {
                    run.state = RunState::Queued;
                    inner.set(&run)?;
                }
            }
            inner.lock().admit(&run.id, live);
        }
        inner.start_next();
        Ok(())
    }

    /// The directory of an event.
    pub fn dir(&self, id: &str) -> PathBuf {
        self.inner.dir.join(id)
    }

    /// What is kept of what events have come to.
    pub fn folds(&self) -> &Folds {
        &self.inner.folds
    }

    /// Becomes true when the service is about to end.
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stopping.subscribe()
    }

    /// What of an event is not over.
    pub fn live(&self, id: &str) -> Option<Arc<Live>> {
        self.inner.lock().live.get(id).cloned()
    }

    /// The event of an id, as it is now.
    pub fn get(&self, id: &str) -> Result<Run, RunsError> {
        let found = self.inner.database.read(|db| runs::get(db, id))?;
        let found = found.filter(|run| run.state != RunState::Deleting);
        let run = found.ok_or_else(|| RunsError::Unknown(id.to_owned()))?;
        Ok(self.now(run))
    }

    /// A page of events, the newest first.
    pub fn list(&self, before: Option<i64>, limit: usize) -> Result<Vec<Run>, RunsError> {
        let page = self
            .inner
            .database
            .read(|db| runs::newest_first(db, before, limit))?;
        Ok(page.into_iter().map(|run| self.now(run)).collect())
    }

    /// With what this process alone knows.
    fn now(&self, mut run: Run) -> Run {
        let Some(live) = self.live(&run.id).filter(|_| !run.state.is_over()) else {
            return run;
        };
        run.epoch = live.epoch().or(run.epoch);
        run.counts = live.counts().unwrap_or(run.counts);
        if run.state == RunState::Running && live.finishing() || run.state == RunState::Ending {
            run.state = RunState::Draining;
        }
        run
    }

    /// Keeps a new event, and runs it when it is its turn. The same request under the same key is the event that
    /// there is; its id is given.
    pub fn create(&self, wanted: &Wanted<'_>) -> Result<String, RunsError> {
        let inner = &self.inner;
        let mut inside = inner.lock();
        if *inner.stopping.borrow() {
            return Err(RunsError::Stopping);
        }
        let run = Run {
            number: 0,
            id: wanted.id.to_owned(),
            name: wanted.name.to_owned(),
            spec: wanted.spec.to_owned(),
            clips: wanted.clips.to_owned(),
            state: RunState::Queued,
            reason: None,
            created: now(),
            started: None,
            ended: None,
            epoch: None,
            counts: runs::Counts::default(),
            retention: wanted.retention,
        };
        let id: Result<String, RunsError> = inner.database.write(|db| {
            if let Some((key, request)) = wanted.asked {
                match runs::asked(db, key)? {
                    Some((before, id)) if before == request => return Ok(id),
                    Some(_) => return Err(RunsError::OtherRequest),
                    None => {}
                }
                let asked = (key, request, wanted.id);
                runs::note_asked(db, asked, &run.created, &yesterday())?;
            }
            if let Some(role) = wanted.by {
                asked_by::set(db, wanted.id, role, What::Spec)?;
            }
            match runs::add(db, &run)? {
                true => Ok(run.id.clone()),
                false => Err(RunsError::Taken(run.id.clone())),
            }
        });
        let id = id?;
        if id == run.id && !inside.live.contains_key(&id) && self.is_queued(&id)? {
            inside.admit(&id, Live::new(None));
        }
        drop(inside);
        inner.start_next();
        Ok(id)
    }

    /// Keeps that an event cannot be run, and why. It is tried again when it was deleted.
    pub fn refuse(&self, id: &str, name: &str, spec: &str, reason: &str) -> Result<(), StoreError> {
        let _inside = self.inner.lock();
        tracing::error!(event = id, reason, "an event cannot be run");
        let run = Run {
            number: 0,
            id: id.to_owned(),
            name: name.to_owned(),
            spec: spec.to_owned(),
            clips: "exact".to_owned(),
            state: RunState::Failed,
            reason: Some(reason.to_owned()),
            created: now(),
            started: None,
            ended: Some(now()),
            epoch: None,
            counts: runs::Counts::default(),
            retention: None,
        };
        self.inner
            .database
            .write(|db| runs::add(db, &run).map(drop))
    }

    fn is_queued(&self, id: &str) -> Result<bool, StoreError> {
        let found = self.inner.database.read(|db| runs::get(db, id))?;
        Ok(found.is_some_and(|run| run.state == RunState::Queued))
    }

    /// Reads the source of an event no further; what was read is finished.
    pub fn stop(&self, id: &str) -> Result<(), RunsError> {
        let mut inside = self.inner.lock();
        let mut run = self.kept(id)?;
        match run.state {
            RunState::Queued => {
                inside.leave(id);
                run.state = RunState::Stopped;
                run.ended = Some(now());
                self.inner.set(&run)?;
                if let Some(live) = inside.live.remove(id) {
                    live.over();
                }
            }
            RunState::Running => {
                run.state = RunState::Draining;
                self.inner.set(&run)?;
                if let Some(live) = inside.live.get(id) {
                    live.stop();
                }
            }
            RunState::Draining | RunState::Ending | RunState::Stopped | RunState::Revising => {}
            state => {
                let (id, why) = (run.id, "only what runs or waits can be stopped");
                return Err(RunsError::State { id, state, why });
            }
        }
        Ok(())
    }

    /// Ends an event where it is: what runs is read no further and complete then, as if its source had ended; what was
    /// stopped or failed is finished. What waits is stopped.
    pub fn end(&self, id: &str) -> Result<(), RunsError> {
        let mut inside = self.inner.lock();
        let mut run = self.kept(id)?;
        let before = run.state;
        match before {
            RunState::Queued => {
                drop(inside);
                return self.stop(id);
            }
            RunState::Complete | RunState::Revising => return Ok(()),
            RunState::Ending | RunState::Deleting => return Ok(()),
            RunState::Stopped | RunState::Failed if *self.inner.stopping.borrow() => {
                return Err(RunsError::Stopping);
            }
            RunState::Stopped | RunState::Failed => (run.reason, run.ended) = (None, None),
            RunState::Running | RunState::Draining => {}
        }
        run.state = RunState::Ending;
        self.inner.set(&run)?;
        if before.is_over() {
            let live = Live::new(run.epoch.and_then(|epoch| epoch.checked_sub(1)));
            live.end();
            inside.admit(id, live);
        } else if let Some(live) = inside.live.get(id) {
            live.end();
        }
        drop(inside);
        self.inner.start_next();
        Ok(())
    }

    /// Goes on with an event that was stopped, or that failed.
    pub fn resume(&self, id: &str) -> Result<(), RunsError> {
        let mut inside = self.inner.lock();
        if *self.inner.stopping.borrow() {
            return Err(RunsError::Stopping);
        }
        let mut run = self.kept(id)?;
        match run.state {
            RunState::Stopped | RunState::Failed => {}
            RunState::Queued | RunState::Running | RunState::Revising => return Ok(()),
            state => {
                let (id, why) = (run.id, "only what was stopped or failed can be resumed");
                return Err(RunsError::State { id, state, why });
            }
        }
        run.state = RunState::Queued;
        (run.reason, run.ended) = (None, None);
        self.inner.set(&run)?;
        // Of what stands, the last epoch may be written anew.
        let epoch = run.epoch.and_then(|epoch| epoch.checked_sub(1));
        inside.admit(id, Live::new(epoch));
        drop(inside);
        self.inner.start_next();
        Ok(())
    }

    /// Events that are being removed, with what others are still to be told of it, and what is in the way.
    pub fn removals(&self) -> Result<Vec<Removal>, RunsError> {
        let all = self.inner.database.read(runs::deleting)?;
        let inside = self.inner.lock();
        let with = |run: Run| {
            let removing = inside.removing.get(&run.id).cloned();
            (run, removing)
        };
        Ok(all.into_iter().map(with).collect())
    }

    /// Events that were to be kept until now, or shorter.
    pub fn expired(&self, now: i64) -> Result<Vec<String>, StoreError> {
        self.inner.database.read(|db| runs::expired(db, now))
    }

    /// Removes an event with everything that it came to; one that runs is stopped first. When this is forced, nobody
    /// outside is told of it.
    pub fn delete(&self, id: &str, force: bool) -> Result<(), RunsError> {
        let mut inside = self.inner.lock();
        if let Some(removing) = inside.removing.get(id).filter(|_| force) {
            removing.force();
            return Ok(());
        }
        let mut run = self.kept(id)?;
        if force {
            let removing = inside.removing.entry(id.to_owned());
            removing.or_default().force();
        }
        let begun = [
            RunState::Running,
            RunState::Draining,
            RunState::Ending,
            RunState::Revising,
        ];
        let runs_now =
            begun.contains(&run.state) && inside.live.contains_key(id) && !inside.waits(id);
        run.state = RunState::Deleting;
        self.inner.set(&run)?;
        if runs_now {
            // Its thread removes it when it is through.
            if let Some(live) = inside.live.get(id) {
                live.stop();
            }
            return Ok(());
        }
        inside.leave(id);
        if let Some(live) = inside.live.remove(id) {
            live.over();
        }
        drop(inside);
        self.inner.erase(id);
        Ok(())
    }

    /// Keeps what is said of an event, as whole lines. It counts as soon as the event hears it; one that is over hears
    /// it at once.
    pub fn say(&self, id: &str, lines: &[u8]) -> Result<(), RunsError> {
        self.kept(id)?;
        let dir = self.dir(id);
        // Nobody who asks for an event waits until this is on the disk. A run that ends meanwhile has either heard it,
        // or sees that there is more.
        let failed = |source: io::Error| StoreError::Io {
            path: dir.clone(),
            source,
        };
        said::append(&dir, lines).map_err(failed)?;
        let mut inside = self.inner.lock();
        let mut run = match self.kept(id) {
            // It was removed meanwhile, and leaves nothing.
            Err(RunsError::Unknown(id)) if !inside.live.contains_key(&id) => {
                present(fs::remove_dir_all(&dir)).map_err(failed)?;
                return Err(RunsError::Unknown(id));
            }
            found => found?,
        };
        if run.state == RunState::Complete {
            run.state = RunState::Revising;
            self.inner.set(&run)?;
            inside.revise(id, run.epoch);
            drop(inside);
            self.inner.start_next();
        }
        Ok(())
    }

    /// The replays that an event has: the table of each, first those of its spec, then the others by name.
    pub fn replays(&self, run: &Run) -> Result<Vec<(String, Value)>, RunsError> {
        let dir = self.dir(&run.id);
        let said = self.inner.heard.replays(run.number, &dir);
        let said = said.map_err(|source| StoreError::Io { path: dir, source })?;
        let spec: toml::Table = run.spec.parse().unwrap_or_default();
        let of_spec = spec.get("replays").and_then(|part| part.as_table());
        let mut replays = Vec::new();
        for (name, table) in of_spec.into_iter().flatten() {
            match said.get(name.as_str()) {
                None => replays.push((name.clone(), json!(table))),
                Some(Some(asked)) => replays.push((name.clone(), json!(asked))),
                Some(None) => {}
            }
        }
        let of_spec = |name: &str| of_spec.is_some_and(|table| table.contains_key(name));
        let others = said.iter().filter(|(name, _)| !of_spec(name.as_str()));
        let others =
            others.filter_map(|(name, table)| Some((name.to_string(), json!(table.as_ref()?))));
        replays.extend(others);
        Ok(replays)
    }

    /// Asks for a replay by the table that a spec would have for it, which was found to be right; one of this name is
    /// replaced.
    pub fn ask(&self, id: &str, name: &str, table: &Map<String, Value>) -> Result<(), RunsError> {
        self.say(id, said::replay_line(name, Some(table)).as_bytes())
    }

    /// Takes back a replay.
    pub fn withdraw(&self, id: &str, name: &str) -> Result<(), RunsError> {
        self.say(id, said::replay_line(name, None).as_bytes())
    }

    fn kept(&self, id: &str) -> Result<Run, RunsError> {
        let found = self.inner.database.read(|db| runs::get(db, id))?;
        let found = found.filter(|run| run.state != RunState::Deleting);
        found.ok_or_else(|| RunsError::Unknown(id.to_owned()))
    }

    /// The service is about to end: sources are read no further, and nothing new begins. Events stay what they
    /// are, so that the next start goes on with them.
    pub fn close(&self) {
        self.inner.stopping.send_replace(true);
        for live in self.inner.lock().live.values() {
            live.stop();
        }
    }

    /// Waits until no event runs; false where some still do after `longest`.
    pub fn wait(&self, longest: Duration) -> bool {
        let inside = self.inner.lock();
        let running = |inside: &mut Inside| inside.running() > 0;
        let waited = self
            .inner
            .changed
            .wait_timeout_while(inside, longest, running);
        let (inside, _) = waited.unwrap_or_else(PoisonError::into_inner);
        inside.running() == 0
    }
}
