//! What threads of events do and share: whose turn it is, and what is kept of how a run began and ended. Every change
//! of an event's state is made under one lock, here and in the store.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use matchcut_dataflow::run::turns::Turns;
use tokio::sync::watch;

use super::live::Live;
use super::one::{self, Ended, Ending};
use super::removal::Removing;
use super::said;
use crate::api::Folds;
use crate::config::Sources;
use crate::store::asked_by;
use crate::store::runs::{self, Run, RunState};
use crate::store::{Database, StoreError};

/// What the threads of events share.
pub(super) struct Inner {
    pub database: Arc<Database>,
    pub dir: PathBuf,
    pub most: usize,
    /// What events may reach that somebody below admin asks for.
    pub sources: Sources,
    /// Held while the state of an event changes, here and in the store.
    pub inside: Mutex<Inside>,
    pub changed: Condvar,
    pub stopping: watch::Sender<bool>,
    pub folds: Folds,
    pub heard: said::Heard,
    /// To decode: events share them, so that they leave a processor to requests and to each other's dataflows.
    pub turns: Turns,
    /// No other service runs the same events.
    pub _lock: File,
}

/// What is not over.
#[derive(Default)]
pub(super) struct Inside {
    pub live: BTreeMap<String, Arc<Live>>,
    /// Events that read their sources, or wait for it.
    pub events: Lane,
    /// Events that are over and hear what was said since, which takes a moment: they wait for no event.
    pub revisions: Lane,
    /// Events that are being removed, where others are to be told of it.
    pub removing: BTreeMap<String, Arc<Removing>>,
}

/// Events in the order in which they were asked for, and how many of them run.
#[derive(Default)]
pub(super) struct Lane {
    pub queue: VecDeque<String>,
    pub running: usize,
}

/// Which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Events,
    Revisions,
}

/// How long until what could not be kept is kept again.
const AGAIN: Duration = Duration::from_secs(1);

/// What becomes of an event whose run is over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// It is removed.
    Erase,
    /// It runs once more, to its end.
    Again,
    /// It hears what was said meanwhile.
    Revise,
}

impl Inside {
    pub fn admit(&mut self, id: &str, live: Live) {
        self.live.insert(id.to_owned(), Arc::new(live));
        self.events.queue.push_back(id.to_owned());
    }

    /// An event that is over is to hear what was said since.
    pub fn revise(&mut self, id: &str, epoch: Option<u64>) {
        let live = Arc::new(Live::new(epoch));
        self.live.insert(id.to_owned(), live);
        self.revisions.queue.push_back(id.to_owned());
    }

    /// Whether it waits for its turn.
    pub fn waits(&self, id: &str) -> bool {
        let mut all = self.events.queue.iter().chain(&self.revisions.queue);
        all.any(|queued| queued == id)
    }

    /// It waits no longer.
    pub fn leave(&mut self, id: &str) {
        self.events.queue.retain(|queued| queued != id);
        self.revisions.queue.retain(|queued| queued != id);
    }

    pub fn running(&self) -> usize {
        self.events.running + self.revisions.running
    }

    fn lane(&mut self, which: Which) -> &mut Lane {
        match which {
            Which::Events => &mut self.events,
            Which::Revisions => &mut self.revisions,
        }
    }

    /// Whether this is what an event now is to those who follow it.
    fn is(&self, id: &str, live: &Arc<Live>) -> bool {
        self.live
            .get(id)
            .is_some_and(|known| Arc::ptr_eq(known, live))
    }
}

impl Inner {
    pub fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, run: &Run) -> Result<(), StoreError> {
        let asked = said::asked(&self.dir.join(&run.id)).map_err(|source| StoreError::Io {
            path: said::path(&self.dir.join(&run.id)),
            source,
        })?;
        self.database.write(|db| runs::set(db, run, &asked))
    }

    /// Begins what waits, as far as there is room.
    pub fn start_next(self: &Arc<Self>) {
        let mut inside = self.lock();
        for which in [Which::Revisions, Which::Events] {
            self.start_those(&mut inside, which);
        }
    }

    fn start_those(self: &Arc<Self>, inside: &mut Inside, which: Which) {
        while inside.lane(which).running < self.most && !*self.stopping.borrow() {
            let Some(id) = inside.lane(which).queue.pop_front() else {
                return;
            };
            let Some(live) = inside.live.get(&id).cloned() else {
                continue;
            };
            inside.lane(which).running += 1;
            let inner = Arc::clone(self);
            let (name, own) = (format!("event {id}"), id.clone());
            let spawned = thread::Builder::new()
                .name(name)
                .spawn(move || inner.work(&own, &live, which));
            if let Err(error) = spawned {
                inside.lane(which).running -= 1;
                inside.live.remove(&id);
                let reason = format!("no thread could be started: {error}");
                let failed = self.database.write(|db| {
                    if let Some(mut run) = runs::get(db, &id)? {
                        (run.state, run.reason) = (RunState::Failed, Some(reason));
                        runs::set(db, &run, &[])?;
                    }
                    Ok::<(), StoreError>(())
                });
                if let Err(error) = failed {
                    tracing::error!(event = id, %error, "the state of an event cannot be kept");
                }
            }
        }
    }

    /// What the thread of an event does.
    fn work(self: &Arc<Self>, id: &str, live: &Arc<Live>, which: Which) {
        let begun = self.until_kept(id, |inside| self.begin(inside, id, live));
        let by = begun
            .is_some()
            .then(|| self.until_kept(id, |_| self.database.read(|db| asked_by::get(db, id))));
        let held = by
            .flatten()
            .flatten()
            .filter(|(role, _)| role != "admin")
            .map(|(_, what)| (&self.sources, what));
        let shared = (&self.turns, &self.folds);
        let run = |run: Run| one::run(&run, &self.dir.join(id), live, held, shared);
        let ended = begun.flatten().map(run);
        let settled = self.until_kept(id, |inside| self.settle(inside, id, ended.as_ref(), live));
        live.over();
        if settled == Some(Then::Erase) {
            self.erase(id);
        }
        self.lock().lane(which).running -= 1;
        self.changed.notify_all();
        self.start_next();
    }

    /// Does what changes the state of an event. When the store cannot keep it (its disk may be full) it is done again
    /// until it can, or the service ends, whose next start finds the state of before.
    fn until_kept<T>(
        &self,
        id: &str,
        mut act: impl FnMut(&mut Inside) -> Result<T, StoreError>,
    ) -> Option<T> {
        let mut told = false;
        let mut inside = self.lock();
        loop {
            match act(&mut inside) {
                Ok(done) => return Some(done),
                Err(error) if !told => {
                    tracing::error!(event = id, %error, "the state of an event cannot be kept yet");
                    told = true;
                }
                Err(_) => {}
            }
            if *self.stopping.borrow() {
                return None;
            }
            let waited = self.changed.wait_timeout(inside, AGAIN);
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Keeps what came of the thread of an event.
    fn settle(
        &self,
        inside: &mut Inside,
        id: &str,
        ended: Option<&Ended>,
        live: &Arc<Live>,
    ) -> Result<Then, StoreError> {
        if !inside.is(id, live) {
            return Ok(Then::Nothing);
        }
        let then = self.end(id, ended, live)?;
        inside.live.remove(id);
        if then == Then::Again {
            let again = Live::new(live.epoch().and_then(|epoch| epoch.checked_sub(1)));
            again.end();
            inside.admit(id, again);
        }
        if then == Then::Revise {
            inside.revise(id, live.epoch());
        }
        Ok(then)
    }

    /// Its turn has come; none where it is not to run any more.
    fn begin(
        &self,
        inside: &Inside,
        id: &str,
        live: &Arc<Live>,
    ) -> Result<Option<Run>, StoreError> {
        let found = self.database.read(|db| runs::get(db, id))?;
        // Stopped or removed meanwhile, and perhaps asked for again: then another thread will run it.
        let Some(mut run) = found.filter(|_| inside.is(id, live)) else {
            return Ok(None);
        };
        match run.state {
            RunState::Queued => run.state = RunState::Running,
            RunState::Draining | RunState::Ending | RunState::Revising => {}
            _ => return Ok(None),
        }
        run.started.get_or_insert_with(now);
        self.set(&run)?;
        Ok(Some(run))
    }

    /// Keeps what came of a run. The lock is held.
    fn end(&self, id: &str, ended: Option<&Ended>, live: &Live) -> Result<Then, StoreError> {
        let Some(mut run) = self.database.read(|db| runs::get(db, id))? else {
            return Ok(Then::Nothing);
        };
        if run.state == RunState::Deleting {
            return Ok(Then::Erase);
        }
        let Some(ended) = ended else {
            return Ok(Then::Nothing);
        };
        run.epoch = ended.epoch;
        run.counts = ended.counts.unwrap_or(run.counts);
        live.stands(ended.epoch);
        let goes_on = *self.stopping.borrow() && run.state == RunState::Running;
        let mut then = Then::Nothing;
        match &ended.ending {
            // What was said while its videos were made.
            Ending::Complete if said::length(&self.dir.join(id)) > ended.heard => {
                run.state = RunState::Revising;
                then = Then::Revise;
            }
            Ending::Complete => run.state = RunState::Complete,
            Ending::Failed(reason) => {
                (run.state, run.reason) = (RunState::Failed, Some(reason.clone()));
            }
            // The next start of the service goes on with it.
            Ending::Interrupted if goes_on => {}
            // It was about to stop when it was told to end.
            Ending::Interrupted if run.state == RunState::Ending => then = Then::Again,
            Ending::Interrupted => run.state = RunState::Stopped,
        }
        if run.state.is_over() {
            run.ended.get_or_insert_with(now);
        }
        self.set(&run)?;
        if let Ending::Failed(reason) = &ended.ending {
            tracing::error!(event = id, reason, "an event failed");
        }
        Ok(then)
    }
}

/// The time of day, as the store keeps it.
pub(super) fn now() -> String {
    written(Timestamp::now())
}

/// What clients asked for before this is forgotten.
pub(super) fn yesterday() -> String {
    let now = Timestamp::now();
    written(now - jiff::SignedDuration::from_hours(24))
}

fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
