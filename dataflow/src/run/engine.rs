//! Runs one event from its source to its results: the loader admits chunks, the workers turn the
//! dataflow, and this thread commits each epoch to the sinks before it gives back its credit.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use matchcut_ingest::reach::Reach;
use matchcut_ingest::{Source, SourceConfig, SourceCursor};
use matchcut_model::change::{Change, EventState, StateError};
use matchcut_model::chunk::Epoch;
use matchcut_model::failure::Failure;
use matchcut_model::time::MediaTime;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_operators::sdk::Operator;
use matchcut_sinks::SinkError;
use matchcut_store::StoreError;

use super::admission::Gate;
use super::admitter::{Admitter, Feed};
use super::answers::Answers;
use super::asked::Asked;
use super::asks::Asks;
use super::catchup::CatchUp;
use super::clip_plan::ClipPlanner;
use super::clips::{ClipMaker, ClipMode};
use super::commit::{Committer, Told, UnderWay};
use super::convert;
use super::listen::Sources;
use super::loader;
use super::log::{EventStore, LogInput, Logged, ResumeError};
use super::media::{Budget, MediaStore};
use super::meter::Meter;
use super::pool::Pool;
use super::post::Post;
use super::publish::News;
use super::scan::MediaScanner;
use super::target::Target;
use super::turns::Turns;
use crate::flow::{ChunkEntry, EventGraph, ScanRow, Scanner, install, panicked};
use crate::plan::Plan;

/// How an event is run.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Timely workers.
    pub workers: usize,
    /// When this is true a stop is the end of the event, and not one that can be gone on behind.
    pub ends: Arc<AtomicBool>,
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
    /// Files of feedback, which may grow while the event runs.
    pub feedback: Vec<PathBuf>,
    /// How replays are asked for that the spec does not have; none can be where this is not said.
    pub asks: Option<Arc<Asks>>,
    /// Turns to decode that other events of this process take, too. What is decoded and cut lets everything else on the
    /// machine go first then.
    pub shared: Option<Turns>,
    /// An event that is over hears once more what was said of it.
    pub revises: bool,
    /// What the event is called where things are counted; as its spec says where nothing is said.
    pub called: Option<String>,
    /// What may be reached for its source.
    pub reach: Reach,
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        RunError::Log(error.into())
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        RunOptions {
            workers: 1,
            ends: Arc::default(),
            decode_threads: cores,
            clips: ClipMode::default(),
            max_epochs: cores * 2 + 2,
            max_bytes: 256 << 20,
            recent_bytes: 64 << 20,
            decode_timeout: Duration::from_secs(120),
            feedback: Vec::new(),
            asks: None,
            shared: None,
            revises: false,
            called: None,
            reach: Reach::everything(),
        }
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no source to run.
    #[error("the spec declares no source")]
    NoSource,
    /// Messages are to be carried, and there is no directory whose store keeps them meanwhile.
    #[error("the sink \"{0}\" needs a directory that keeps what is not published yet")]
    NoOutbox(Name),
    /// Two sinks would overwrite each other's results.
    #[error("the sinks \"{one}\" and \"{other}\" write to one directory, {}", dir.display())]
    OneDirectory {
        /// The first of them.
        one: String,
        /// The other.
        other: Name,
        /// Where.
        dir: PathBuf,
    },
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
    /// The log of the event could not be kept, or gone on with.
    #[error(transparent)]
    Log(#[from] ResumeError),
    /// A result could not be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The machine refused a thread or a runtime.
    #[error("cannot start: {0}")]
    Start(String),
    /// A replay that the log asks for cannot be.
    #[error("replay \"{name}\", which was asked for, cannot be made: {reason}")]
    Asked {
        /// Its name.
        name: Name,
        /// Why.
        reason: String,
    },
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
        /// It is an end that holds for this process only: who goes on with the event begins before it.
        provisional: bool,
    },
    /// Something went wrong, and everything else goes on.
    Failure(&'a Failure),
    /// Something happened to a sink that carries messages.
    Sink(&'a News),
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
    /// How many messages of each sink are still in the outbox.
    pub unsent: Vec<(Name, u64)>,
    /// How many bytes of each feedback file were heard.
    pub heard: Vec<u64>,
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
    open_source(plan, &Reach::everything(), None).map(drop)
}

/// Where the results of a run go.
pub struct Results<'a> {
    /// Directories.
    pub targets: &'a mut [Target],
    /// Keeps the log, which is gone on with where there is one.
    pub store: Option<&'a mut EventStore>,
    /// Sinks that carry messages.
    pub post: Post,
}

/// Runs the event of `plan` into `results`. When `stop` becomes true the source is read no further, what was admitted is finished,
/// and everything is written as at the end of the event.
pub fn run(
    plan: &Plan,
    options: &RunOptions,
    results: Results<'_>,
    stop: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Outcome, RunError> {
    let Results {
        targets,
        store,
        post,
    } = results;
    let started = Instant::now();
    let window = plan.pipeline.correction_window as usize;
    let mut earlier = match &store {
        Some(store) => Earlier::read(store, window)?,
        None => Earlier::default(),
    };
    let source = open_source(plan, &options.reach, earlier.start.progress.source.clone())?;
    let meter = Meter::of(plan);
    let meter = match &options.called {
        Some(name) => meter.called(name),
        None => meter,
    };
    meter.begin(plan);
    let start = |error: std::io::Error| RunError::Start(error.to_string());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("fetch")
        .enable_all()
        .build()
        .map_err(start)?;
    let media = Arc::new(MediaStore::new(
        Budget {
            bytes: options.recent_bytes,
            chunks: recent_chunks(plan),
        },
        source.fetcher().clone(),
        runtime.handle().clone(),
    ));
    let next = Epoch(earlier.entries.len() as u64);
    // Who waits for something outside holds up neither decoding nor the chunks behind.
    let waiting = MediaScanner::waiting(plan);
    let gate = Gate::new(next, options.max_epochs + waiting, options.max_bytes);
    let turns = match &options.shared {
        // No other event waits for what this one waits for.
        Some(turns) if !MediaScanner::waits(plan) => turns.clone(),
        _ => Turns::new(options.decode_threads),
    };
    // More than there are turns would only wait.
    let threads = options.decode_threads.min(turns.at_once()) + waiting;
    let pool = match options.shared {
        Some(_) => Pool::background("decode", threads),
        None => Pool::new("decode", threads),
    };
    let pool = pool.map_err(start)?;
    let under_way = UnderWay::default();
    let scanner = scanner(plan, options, turns, &media, &under_way, &meter);

    let (feed, feeds) = unbounded();
    let (tell, told) = unbounded();
    let answers = Answers::default();
    for entry in &mut earlier.entries {
        answers.learn(std::mem::take(&mut entry.answers));
    }
    let graph = timed(convert::graph(plan, |_| false), &meter);
    let graph = answers.serve(graph);
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

    let loading = {
        let mut admitter = Admitter {
            gate: gate.clone(),
            ends: Arc::clone(&options.ends),
            feed: feed.clone(),
            tell: tell.clone(),
            owner: owner.clone(),
            under_way: under_way.clone(),
            media: Arc::clone(&media),
            meter: meter.clone(),
        };
        let replays = convert::replays(plan);
        let (media, stop) = (Arc::clone(&media), Arc::clone(stop));
        let sources = Sources::of(plan, &options.feedback, options.asks.clone());
        let revises = options.revises;
        let cues = cue_operators(plan);
        let meter = meter.clone();
        thread::Builder::new()
            .name("loader".to_owned())
            .spawn(move || {
                let _guard = PanicGuard(admitter.tell.clone());
                let (is_new, ended) = (earlier.entries.is_empty(), earlier.ended);
                admitter.feed_again(earlier.entries);
                if is_new {
                    admitter.begin(replays);
                }
                meter.open(!ended);
                let setting = loader::Setting {
                    store: &media,
                    runtime: &runtime,
                    stop: &stop,
                    window,
                    sources: &sources,
                    cues: &cues,
                    meter: &meter,
                };
                let admit = |loads| admitter.admit(loads);
                let heard = match (ended, revises) {
                    (false, _) => loader::run(source, &setting, earlier.start, admit),
                    (true, true) => loader::revise(&setting, earlier.start, admit),
                    (true, false) => earlier.start.progress.feedback.bytes(),
                };
                meter.open(false);
                admitter.close();
                // The runtime is needed until the last clip is cut.
                (runtime, heard)
            })
            .map_err(start)?
    };
    drop((feed, tell));

    let catchups = targets.iter().map(|target| CatchUp::new(target.place()));
    let catchups = catchups.collect();
    let mut committer = Committer {
        plan,
        asked: Asked::new(plan, options.asks.clone()),
        targets,
        store,
        post,
        under_way,
        answers,
        gate: gate.clone(),
        planner: ClipPlanner::new(options.clips),
        clips: ClipMaker::new(options.clips, media, options.shared.is_some()),
        catchups,
        state: EventState::default(),
        timeline: EventTimeline::new(),
        media: matchcut_sinks::Media::default(),
        unmade: BTreeSet::new(),
        feedback: Vec::new(),
        broken: None,
        ended: false,
        unsent: Vec::new(),
        started,
        meter,
    };
    // However this thread leaves, the loader must not wait for credits that nobody gives back.
    let release = Release {
        gate,
        stop: Arc::clone(stop),
        owner,
        done: std::cell::Cell::new(false),
    };
    let committed = committer
        .take_up()
        .and_then(|()| committer.run(&told, progress));
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
    let loaded = loading.join();
    let warnings = committer.finish(progress)?;
    let heard = loaded.map(|(_runtime, heard)| heard).unwrap_or_default();
    Ok(Outcome {
        state: committer.state,
        timeline: committer.timeline,
        broken: committer.broken,
        elapsed: started.elapsed(),
        warnings,
        unsent: committer.unsent,
        heard,
    })
}

/// The same graph, whose ordered parts are timed.
fn timed(mut graph: EventGraph, meter: &Meter) -> EventGraph {
    for node in &mut graph.operators {
        let Some(watch) = meter.stopwatch(&node.name) else {
            continue;
        };
        node.operator = node.operator.take().map(|operator| {
            let fold = operator.fold().clone().timed(watch);
            operator.with_fold(fold)
        });
    }
    graph
}

/// The operators that read what the stream marks in itself.
fn cue_operators(plan: &Plan) -> Vec<u32> {
    let operators = plan.operators.iter();
    let reads = operators.filter(|operator| matches!(operator.operator, Operator::Cues(_)));
    reads.map(|operator| operator.index as u32).collect()
}

/// How many recent chunks are kept: what a segment that has just closed can reach back to, and what can
/// still be corrected. Older ones are fetched again by who needs them.
fn recent_chunks(plan: &Plan) -> usize {
    const USUAL: MediaTime = MediaTime::from_seconds(6);
    let open = plan.pipeline.max_segment.flicks() / USUAL.flicks();
    let open = usize::try_from(open).unwrap_or_default().min(64);
    open.max(plan.pipeline.correction_window as usize).max(8) + 2
}

/// What an earlier process left of the event.
#[derive(Default)]
struct Earlier {
    entries: Vec<Logged>,
    start: loader::Start,
    ended: bool,
}

impl Earlier {
    fn read(store: &EventStore, window: usize) -> Result<Self, RunError> {
        let mut earlier = Earlier::default();
        if store.epochs() == 0 {
            return Ok(earlier);
        }
        earlier.start.progress = store.progress()?;
        store.read(|logged| {
            match &logged.input {
                LogInput::Chunk(placed) => {
                    let place = loader::Place::Placed(Arc::clone(placed));
                    let recent = &mut earlier.start.recent;
                    recent.insert(placed.chunk.position, place);
                }
                LogInput::Gap(position, chunk) => {
                    let span = logged.rows.iter().find_map(|row| match row {
                        ScanRow::Gap(gap) => Some(gap.span),
                        _ => None,
                    });
                    let chunk = chunk.as_deref().cloned();
                    let place = loader::Place::Gap(span.unwrap_or_default(), chunk);
                    let recent = &mut earlier.start.recent;
                    recent.insert(*position, place);
                }
                LogInput::Controls(controls) => earlier.start.heard(controls),
            }
            let recent = &mut earlier.start.recent;
            while recent.len() > window.max(1) {
                recent.pop_first();
            }
            earlier.ended |= logged.input.ends();
            earlier.entries.push(logged);
            Ok(())
        })?;
        Ok(earlier)
    }
}

/// What scans the chunks, and keeps what it said for the log.
fn scanner(
    plan: &Plan,
    options: &RunOptions,
    turns: Turns,
    media: &Arc<MediaStore>,
    under_way: &UnderWay,
    meter: &Meter,
) -> Scanner {
    let scanner = MediaScanner::new(
        plan,
        Arc::clone(media),
        options.decode_timeout,
        turns,
        meter.clone(),
    );
    let under_way = under_way.clone();
    Arc::new(move |entry| {
        let scan = AssertUnwindSafe(|| scanner.scan(entry));
        let scanned = catch_unwind(scan).unwrap_or_else(|payload| {
            let text = payload
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| payload.downcast_ref::<String>().cloned());
            panicked(
                entry,
                text.unwrap_or_else(|| "for an unknown reason".to_owned()),
            )
        });
        if let ChunkEntry::Placed { epoch, .. } = entry {
            under_way.scanned(*epoch, &scanned.rows);
        }
        scanned
    })
}

/// The source, from where it was read to.
fn open_source(
    plan: &Plan,
    reach: &Reach,
    cursor: Option<SourceCursor>,
) -> Result<Source, RunError> {
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
    let mut config = SourceConfig::new(
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
    config.reach = reach.clone();
    match cursor {
        None => Ok(Source::new(&config)),
        Some(cursor) => Source::resume(&config, cursor).map_err(|error| failed(error.to_string())),
    }
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
                    let entries = entries.into_iter();
                    open.controls(epoch, entries.map(|(entry, diff)| (entry, diff as isize)));
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
