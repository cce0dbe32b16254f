//! Runs one event from its source to its results: the loader admits chunks, the workers turn the
//! dataflow, and this thread commits each epoch to the sinks before it gives back its credit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use matchcut_ingest::{Source, SourceConfig};
use matchcut_model::change::{Change, EpochChanges, EventState, Row, StateError};
use matchcut_model::chunk::{Epoch, PlacedChunk};
use matchcut_model::failure::Failure;
use matchcut_model::time::MediaTime;
use matchcut_model::timeline::EventTimeline;
use matchcut_sinks::SinkError;

use super::admission::Gate;
use super::clips::ClipMode;
use super::convert;
use super::loader::{self, Loads};
use super::media::MediaStore;
use super::pool::Pool;
use super::scan::MediaScanner;
use super::target::Target;
use crate::flow::{ChunkEntry, Control, Delivery, Scanner, install};
use crate::plan::Plan;

/// How an event is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Timely workers.
    pub workers: usize,
    /// Threads that decode, one chunk each.
    pub decode_threads: usize,
    /// How clips are cut.
    pub clips: ClipMode,
    /// Epochs that may be under way.
    pub max_epochs: usize,
    /// Bytes of media that may be under way.
    pub max_bytes: u64,
    /// Bytes of recent media that are kept for clips.
    pub recent_bytes: u64,
    /// The longest that decoding one chunk may take.
    pub decode_timeout: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        RunOptions {
            workers: 1,
            decode_threads: cores,
            clips: ClipMode::default(),
            max_epochs: cores * 2 + 2,
            max_bytes: 256 << 20,
            recent_bytes: 64 << 20,
            decode_timeout: Duration::from_secs(120),
        }
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no source to run.
    #[error("the spec declares no source")]
    NoSource,
    /// More than one source.
    #[error("the spec declares {0} sources; an event has one, run one spec for each")]
    SeveralSources(usize),
    /// The source cannot be used as it is configured.
    #[error("source \"{name}\": {message}")]
    Source {
        /// Its name.
        name: String,
        /// Why.
        message: String,
    },
    /// A time that no event has.
    #[error(
        "\"{name}\" says something at {at} s, more than 30 days from the start of the event; \
         times are seconds from the start of the event, not times of day"
    )]
    Recorded {
        /// The operator that says it.
        name: String,
        /// The time.
        at: MediaTime,
    },
    /// A result could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The machine refused a thread or a runtime.
    #[error("cannot start: {0}")]
    Start(String),
    /// A worker stopped.
    #[error("a worker of the dataflow stopped: {0}")]
    Worker(String),
    /// The results do not add up.
    #[error("the results do not add up: {0}")]
    State(#[from] StateError),
}

/// What happens while an event runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// An epoch was committed.
    Committed {
        /// Its number.
        epoch: Epoch,
        /// What it changed.
        changes: &'a [Change],
        /// What holds now.
        state: &'a EventState,
        /// Since the start.
        elapsed: Duration,
    },
    /// Something went wrong, and everything else goes on.
    Failure(&'a Failure),
    /// Videos of replays are being made.
    Finishing,
}

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// What holds at the end.
    pub state: EventState,
    /// The timeline.
    pub timeline: EventTimeline,
    /// Why the source ended early, if it did.
    pub broken: Option<Failure>,
    /// How long it took.
    pub elapsed: Duration,
    /// What the sinks could not write, one sentence each.
    pub warnings: Vec<String>,
}

/// An entry for the dataflow, or the end of the log.
enum Feed {
    Chunk(u64, ChunkEntry),
    Controls(u64, Vec<Control>),
    Close,
}

/// What the thread that commits receives.
enum Told {
    Delivery(Delivery<Row>),
    Notice(Failure),
    Ended(Option<Failure>),
    WorkerStopped(String),
}

/// Tells the committing thread when a thread that feeds it panics: it would wait for ever.
struct PanicGuard(Sender<Told>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self
                .0
                .send(Told::WorkerStopped("it panicked; see above".to_owned()));
        }
    }
}

/// Lets loader and workers go when the committing thread leaves early, also by a panic: the worker
/// threads are joined on the way out.
struct Release {
    gate: Gate,
    stop: Arc<AtomicBool>,
    owner: Thread,
    done: std::cell::Cell<bool>,
}

impl Drop for Release {
    fn drop(&mut self) {
        if !self.done.get() {
            self.stop.store(true, Ordering::SeqCst);
            self.gate.close();
            self.owner.unpark();
        }
    }
}

/// Whether the plan has a source that can be run. Opens nothing.
pub fn check(plan: &Plan) -> Result<(), RunError> {
    open_source(plan).map(drop)
}

/// Runs the event of `plan` into `targets`. When `stop` becomes true the source is read no further,
/// what was admitted is finished, and everything is written as at the end of the event.
pub fn run(
    plan: &Plan,
    options: &RunOptions,
    targets: &mut [Target],
    stop: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Outcome, RunError> {
    let started = Instant::now();
    let source = open_source(plan)?;
    let start = |error: std::io::Error| RunError::Start(error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(start)?;
    let fetcher = source.fetcher().clone();
    let store = Arc::new(MediaStore::new(
        options.recent_bytes,
        fetcher,
        runtime.handle().clone(),
    ));
    let gate = Gate::new(Epoch(0), options.max_epochs, options.max_bytes);
    let pool = Pool::new("decode", options.decode_threads).map_err(start)?;
    let scanner = MediaScanner::new(plan, Arc::clone(&store), options.decode_timeout);
    let scanner: Scanner = Arc::new(move |entry| scanner.scan(entry));

    let (feed, feeds) = unbounded();
    let (tell, told) = unbounded();
    let graph = convert::graph(plan, |_| false);
    let workers = options.workers.max(1);
    let (thread_sender, owner) = unbounded();
    let guards = {
        let slot = Mutex::new(Some(feeds));
        let tell = tell.clone();
        timely::execute(timely::Config::process(workers), move |worker| {
            let _guard = PanicGuard(tell.clone());
            let sender = tell.clone();
            let send = move |delivery| drop(sender.send(Told::Delivery(delivery)));
            let pool = pool.clone();
            let inputs = install(worker, &graph, 0, pool, Arc::clone(&scanner), send);
            if let Some(inputs) = inputs {
                let feeds = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
                let _ = thread_sender.send(thread::current());
                if let Some(feeds) = feeds {
                    turn(worker, inputs, &feeds);
                }
            }
        })
        .map_err(RunError::Start)?
    };
    let owner: Thread = owner
        .recv()
        .map_err(|error| RunError::Worker(error.to_string()))?;

    let placed: Arc<Mutex<BTreeMap<u64, Arc<PlacedChunk>>>> = Arc::default();
    let loading = {
        let mut admitter = Admitter {
            gate: gate.clone(),
            feed: feed.clone(),
            tell: tell.clone(),
            owner: owner.clone(),
            placed: Arc::clone(&placed),
        };
        let replays = convert::replays(plan);
        let (store, stop) = (Arc::clone(&store), Arc::clone(stop));
        thread::Builder::new()
            .name("loader".to_owned())
            .spawn(move || {
                let _guard = PanicGuard(admitter.tell.clone());
                admitter.controls(replays);
                loader::run(source, &store, &runtime, &stop, |loads| {
                    admitter.admit(loads)
                });
                admitter.close();
                // The runtime is needed until the last clip is cut.
                runtime
            })
            .map_err(start)?
    };
    drop((feed, tell));

    for target in targets.iter_mut() {
        target.make_clips(options.clips, &store);
    }
    let mut committer = Committer {
        state: EventState::default(),
        timeline: EventTimeline::new(),
        placed,
        gate: gate.clone(),
        broken: None,
        started,
    };
    // However this thread leaves, the loader must not wait for credits that nobody gives back.
    let release = Release {
        gate: gate.clone(),
        stop: Arc::clone(stop),
        owner: owner.clone(),
        done: std::cell::Cell::new(false),
    };
    let committed = committer.commit_all(plan, &told, targets, progress);
    if let Err(error) = committed {
        if matches!(error, RunError::Worker(_)) {
            // The other workers wait for the one that is gone, and a join would wait with them.
            std::mem::forget(guards);
        }
        return Err(error);
    }
    release.done.set(true);
    for result in guards.join() {
        result.map_err(RunError::Worker)?;
    }
    // Held until the clips are made, which may fetch chunks again.
    let runtime = loading.join();
    let warnings = committer.finish(plan, targets, progress)?;
    drop(runtime);
    Ok(Outcome {
        state: committer.state,
        timeline: committer.timeline,
        broken: committer.broken,
        elapsed: started.elapsed(),
        warnings,
    })
}

fn open_source(plan: &Plan) -> Result<Source, RunError> {
    let source = match plan.sources.as_slice() {
        [] => return Err(RunError::NoSource),
        [source] => source,
        several => return Err(RunError::SeveralSources(several.len())),
    };
    let failed = |message: String| RunError::Source {
        name: source.name.to_string(),
        message,
    };
    let base = std::env::current_dir().map_err(|error| failed(error.to_string()))?;
    let config = SourceConfig::new(
        &source.name,
        &source.kind,
        &source.uri,
        &base,
        &source.options,
    )
    .map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        failed(texts.join("; "))
    })?;
    Ok(Source::new(&config))
}

/// The loop of the worker that owns the event.
fn turn(
    worker: &mut timely::worker::Worker,
    inputs: crate::flow::EventInputs,
    feeds: &Receiver<Feed>,
) {
    let mut inputs = Some(inputs);
    while let Some(open) = &mut inputs {
        let mut close = false;
        for feed in feeds.try_iter() {
            match feed {
                Feed::Chunk(epoch, entry) => open.chunk(epoch, entry),
                Feed::Controls(epoch, entries) => {
                    open.controls(epoch, entries.into_iter().map(|entry| (entry, 1)));
                }
                Feed::Close => close = true,
            }
        }
        if close {
            inputs = None;
        }
        // Sleeps until a peer, the loader or a result of the pool wakes this thread.
        worker.step_or_park(if close { Some(Duration::ZERO) } else { None });
    }
}

/// Puts entries into the log, one epoch each, as credits allow.
struct Admitter {
    gate: Gate,
    feed: Sender<Feed>,
    tell: Sender<Told>,
    owner: Thread,
    placed: Arc<Mutex<BTreeMap<u64, Arc<PlacedChunk>>>>,
}

impl Admitter {
    fn admit(&mut self, loads: Loads) -> bool {
        match loads {
            Loads::Entry(entry, bytes) => {
                let Some(Epoch(epoch)) = self.gate.admit(bytes) else {
                    return false;
                };
                if let ChunkEntry::Placed(placed) = &entry {
                    let mut waiting = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
                    waiting.insert(epoch, Arc::clone(placed));
                }
                self.send(Feed::Chunk(epoch, entry))
            }
            Loads::Notice(failure) => self.tell.send(Told::Notice(failure)).is_ok(),
            Loads::End(end, broken) => {
                self.controls(vec![Control::End(end)]);
                self.tell.send(Told::Ended(broken)).is_ok()
            }
        }
    }

    fn controls(&mut self, controls: Vec<Control>) -> bool {
        let Some(Epoch(epoch)) = self.gate.admit(0) else {
            return false;
        };
        self.send(Feed::Controls(epoch, controls))
    }

    fn close(&mut self) {
        self.send(Feed::Close);
    }

    fn send(&self, feed: Feed) -> bool {
        let sent = self.feed.send(feed).is_ok();
        self.owner.unpark();
        sent
    }
}

/// Commits epochs in order.
struct Committer {
    state: EventState,
    timeline: EventTimeline,
    placed: Arc<Mutex<BTreeMap<u64, Arc<PlacedChunk>>>>,
    gate: Gate,
    broken: Option<Failure>,
    started: Instant,
}

impl Committer {
    fn commit_all(
        &mut self,
        plan: &Plan,
        told: &Receiver<Told>,
        targets: &mut [Target],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), RunError> {
        for told in told {
            match told {
                Told::Delivery(Delivery::Epoch { epoch, changes }) => {
                    self.commit(plan, Epoch(epoch), changes, targets, progress)?;
                }
                Told::Delivery(Delivery::End) => return Ok(()),
                Told::Notice(failure) => progress(Progress::Failure(&failure)),
                Told::Ended(broken) => self.broken = broken,
                Told::WorkerStopped(reason) => return Err(RunError::Worker(reason)),
            }
        }
        Err(RunError::Worker(
            "it hung up before the end of the event".to_owned(),
        ))
    }

    fn commit(
        &mut self,
        plan: &Plan,
        epoch: Epoch,
        changes: Vec<(Row, isize)>,
        targets: &mut [Target],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), RunError> {
        let placed = self
            .placed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&epoch.0);
        if let Some(placed) = placed {
            self.timeline.insert(PlacedChunk::clone(&placed));
        }
        let changes: Vec<Change> = changes
            .into_iter()
            .map(|(row, diff)| Change {
                row,
                diff: diff as i64,
            })
            .collect();
        let changes = EpochChanges { epoch, changes };
        self.state.apply(&changes)?;
        for target in targets.iter_mut() {
            target.commit(&changes, &self.timeline)?;
        }
        self.gate.committed(epoch);
        for change in changes.changes.iter().filter(|change| change.diff > 0) {
            if let Row::Failure(failure) = &change.row {
                progress(Progress::Failure(failure));
            }
        }
        let (state, elapsed) = (&self.state, self.started.elapsed());
        progress(Progress::Committed {
            epoch,
            changes: &changes.changes,
            state,
            elapsed,
        });
        for target in targets.iter_mut() {
            let failures = target.update_clips(plan, &self.timeline);
            failures
                .iter()
                .for_each(|failure| progress(Progress::Failure(failure)));
        }
        Ok(())
    }

    /// Makes what is still to be made and writes the final documents.
    fn finish(
        &mut self,
        plan: &Plan,
        targets: &mut [Target],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<String>, RunError> {
        progress(Progress::Finishing);
        let mut warnings = Vec::new();
        for target in targets.iter_mut() {
            let failures = target.finish_clips(plan, &self.timeline);
            failures
                .iter()
                .for_each(|failure| progress(Progress::Failure(failure)));
            warnings.extend(target.finish(&self.timeline)?);
        }
        Ok(warnings)
    }
}
