//! `matchcut run`: a pipeline on its source, from chunks to clips and replays.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use matchcut_dataflow::plan::Plan;
use matchcut_dataflow::run::asks::Asks;
use matchcut_dataflow::run::clips::ClipMode;
use matchcut_dataflow::run::convert;
use matchcut_dataflow::run::engine::{self, Outcome, Progress, Results, RunError, RunOptions};
use matchcut_dataflow::run::home::{Dirs, Home, How};
use matchcut_dataflow::run::log::{self, EventStore};
use matchcut_dataflow::run::look_back::look_back;
use matchcut_dataflow::run::post::Post;
use matchcut_dataflow::run::publish::News;
use matchcut_dataflow::spec::{Catalog, Override};
use matchcut_model::change::{Change, EventState, Row};
use matchcut_model::segment::{Segment, SegmentId};
use matchcut_model::time::MediaTime;
use matchcut_model::value::Name;
use matchcut_sinks::EventInfo;

use crate::allocator;
use crate::commands::metrics::MetricsArgs;
use crate::failures::FailureLines;
use crate::render::{CommandError, count, load_plan};
use crate::results;

/// Exit code after an interrupt.
pub const INTERRUPTED: u8 = 130;

/// Run a pipeline on its source.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// The pipeline spec.
    #[arg(value_name = "SPEC")]
    pub spec: PathBuf,
    /// Set a value of the spec: sources.x.uri=…; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Workers of the dataflow.
    #[arg(short, long, value_name = "WORKERS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// Chunks decoded side by side [default: one for each core].
    #[arg(long, value_name = "THREADS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub decode_threads: Option<u16>,
    /// A directory for all results, beside the sinks of the spec.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the results that a directory holds.
    #[arg(long)]
    pub force: bool,
    /// Go on with an event that was begun and is not over: nothing is read or decoded twice.
    #[arg(long)]
    pub resume: bool,
    /// JSON lines of what people say while the event runs: thumbs, marked, trimmed and named segments, replays that
    /// are asked for. The file may grow. May be given several times. With --resume an event that is over hears
    /// what was said since.
    #[arg(long, value_name = "FILE")]
    pub feedback: Vec<PathBuf>,
    /// How clips are cut: not at all, as playlists over the chunks, or frame by frame: copied, with
    /// their edges encoded, or encoded anew.
    #[arg(long, value_enum, default_value_t = Clips::Exact)]
    pub clips: Clips,
    /// How the results are printed on stdout.
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
    /// Where metrics go.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}

/// How clips are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Clips {
    /// No clips.
    None,
    /// Playlists over the source chunks.
    Instant,
    /// MP4 files with exactly the frames.
    Exact,
    /// The same without edit lists: their edges are encoded anew.
    Smart,
    /// The same, encoded anew to play everywhere.
    Render,
}

impl From<Clips> for ClipMode {
    fn from(clips: Clips) -> Self {
        match clips {
            Clips::None => ClipMode::None,
            Clips::Instant => ClipMode::Instant,
            Clips::Exact => ClipMode::Exact,
            Clips::Smart => ClipMode::Smart,
            Clips::Render => ClipMode::Render,
        }
    }
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// Runs it.
pub fn run(args: &RunArgs) -> Result<ExitCode, CommandError> {
    let (_, plan) = load_plan(&args.spec, &args.set)?;
    let _shown = args.metrics.show()?;
    // A directory is touched only when there is something to run.
    engine::check(&plan)?;
    let info = convert::event_info(&plan, &Catalog::built_in());
    // What people said after the end is heard when the event is taken up once more.
    let revises = args.resume && !args.feedback.is_empty();
    let how = match (args.resume, args.force) {
        (true, force) => How::Resume { force, revises },
        (false, true) => How::Replace,
        (false, false) => How::New,
    };
    let dirs = Dirs::new(&plan, args.out.as_deref())?.with_buckets(&plan);
    let identity = log::identity(&plan, args.clips.into());
    let (mut targets, mut store) = match dirs.take(&plan, &identity, how, &info)? {
        Home::New(targets, store) => (targets, store),
        Home::Resumed(targets, store) => {
            eprintln!("going on behind {}", count_epochs(store.epochs()));
            (targets, Some(store))
        }
        Home::Finished(store) => {
            let code = publish_rest(&plan, &info, &store)?;
            let state = look_back(&plan, &store)?;
            print(&plan, &state, &dirs.all().collect::<Vec<_>>(), args.format)?;
            return Ok(code);
        }
    };
    let post = Post::open(&plan, &info, store.as_ref())?;
    let stop = Arc::new(AtomicBool::new(false));
    listen_to_interrupts(&stop);
    let mut options = RunOptions {
        workers: usize::from(args.workers),
        clips: args.clips.into(),
        feedback: args.feedback.clone(),
        asks: asks(args, &plan)?,
        revises,
        ..RunOptions::default()
    };
    if let Some(threads) = args.decode_threads {
        options.decode_threads = usize::from(threads);
        options.max_epochs = options.decode_threads * 2 + 2;
    }
    let mut teller = Teller::new();
    let outcome = engine::run(
        &plan,
        &options,
        Results {
            targets: &mut targets,
            store: store.as_mut(),
            post,
        },
        &stop,
        &mut |progress| teller.tell(progress),
    )?;
    teller.end(&outcome);
    for warning in &outcome.warnings {
        eprintln!("warning: {warning}");
    }
    tell_unsent(&outcome.unsent);
    print(
        &plan,
        &outcome.state,
        &dirs.all().collect::<Vec<_>>(),
        args.format,
    )?;
    Ok(exit_code(&outcome, stop.load(Ordering::SeqCst)))
}

/// What replays can be asked for by lines of feedback.
fn asks(args: &RunArgs, plan: &Plan) -> Result<Option<Arc<Asks>>, CommandError> {
    let overrides = args.set.iter().cloned().map(Override).collect();
    let text = std::fs::read_to_string(&args.spec)?;
    let asks = Asks::new(text, &args.spec, overrides, plan);
    Ok(Some(Arc::new(asks)))
}

/// An event that is over changes no more; what its sinks have not carried yet goes out now.
fn publish_rest(
    plan: &Plan,
    info: &EventInfo,
    store: &EventStore,
) -> Result<ExitCode, CommandError> {
    let waiting = store.to_carry().map_err(RunError::from)?;
    if waiting == 0 {
        eprintln!("the event is over: nothing is done");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "the event is over: {} still to be published",
        count(usize::try_from(waiting).unwrap_or(usize::MAX), "message")
    );
    let mut post = Post::open(plan, info, Some(store))?;
    let left = post.publishers().drain(&mut tell_news);
    tell_unsent(&left);
    Ok(match left.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn tell_news(news: &News) {
    match news {
        News::Trouble { sink, error } => {
            eprintln!("warning: sink \"{sink}\": {error}");
            if let Some(hint) = &error.hint {
                eprintln!("  help: {hint}");
            }
        }
        News::Recovered { sink, after } => {
            eprintln!(
                "sink \"{sink}\" is reached again, after {} s",
                after.as_secs()
            );
        }
        News::Notice { sink, notice } => {
            let kind = if notice.is_warning { "warning: " } else { "" };
            eprintln!("{kind}sink \"{sink}\": {}", notice.text);
        }
    }
}

fn tell_unsent(left: &[(Name, u64)]) {
    for (sink, number) in left {
        let messages = count(usize::try_from(*number).unwrap_or(usize::MAX), "message");
        eprintln!("error: sink \"{sink}\": {messages} not published");
    }
    if !left.is_empty() {
        eprintln!(
            "  help: they are kept in the outbox; the same command with --resume publishes them"
        );
    }
}

/// The first interrupt ends the source, what was admitted is finished; the second ends at once.
fn listen_to_interrupts(stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    let handler = move || {
        if stop.swap(true, Ordering::SeqCst) {
            matchcut_operators::hosts::end_all();
            std::process::exit(i32::from(INTERRUPTED));
        }
        eprintln!("interrupted: finishing what was read (again to stop at once)");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!(%error, "interrupts end the process at once");
    }
}

fn count_epochs(epochs: u64) -> String {
    match epochs {
        1 => "1 entry of its log".to_owned(),
        epochs => format!("{epochs} entries of its log"),
    }
}

fn exit_code(outcome: &Outcome, interrupted: bool) -> ExitCode {
    if interrupted {
        ExitCode::from(INTERRUPTED)
    } else if outcome.broken.is_some() || outcome.timeline.is_empty() || !outcome.unsent.is_empty()
    {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn print(
    plan: &Plan,
    state: &EventState,
    dirs: &[&Path],
    format: RunFormat,
) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    match format {
        RunFormat::Text => results::text(&mut out, plan, state, dirs)?,
        RunFormat::Json => results::json(&mut out, plan, state, dirs)?,
    }
    Ok(out.flush()?)
}

/// After so many chunks, about half a minute of media, free memory is given back.
const GIVE_BACK_AFTER: u64 = 5;

/// Tells on stderr how the run goes on: a line for each new segment and each change of a replay,
/// and from time to time how far it has come.
struct Teller {
    last: Instant,
    frames: u64,
    chunks: u64,
    segments: BTreeMap<SegmentId, Option<MediaTime>>,
    replays: BTreeMap<String, (usize, MediaTime)>,
    failures: FailureLines,
}

impl Teller {
    fn new() -> Self {
        Teller {
            last: Instant::now(),
            frames: 0,
            chunks: 0,
            segments: BTreeMap::new(),
            replays: BTreeMap::new(),
            failures: FailureLines::default(),
        }
    }

    fn tell(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Committed {
                changes,
                state,
                elapsed,
                ..
            } => {
                self.committed(changes, state, elapsed);
            }
            Progress::Failure(failure) => {
                for line in self.failures.tell(failure) {
                    eprintln!("warning: {line}");
                }
            }
            Progress::Sink(news) => tell_news(news),
            Progress::Finishing => allocator::give_back(),
        }
    }

    fn committed(&mut self, changes: &[Change], state: &EventState, elapsed: Duration) {
        let mut replays_changed = false;
        for change in changes.iter().filter(|change| change.diff > 0) {
            match &change.row {
                Row::Chunk(chunk) => {
                    self.chunks += 1;
                    self.frames += chunk.frames;
                    if self.chunks.is_multiple_of(GIVE_BACK_AFTER) {
                        allocator::give_back();
                    }
                }
                Row::Segment(segment) => self.segment(segment),
                Row::Choice(_) => replays_changed = true,
                _ => {}
            }
        }
        if replays_changed {
            self.replays(state);
        }
        if self.last.elapsed() >= Duration::from_secs(1) {
            self.last = Instant::now();
            eprintln!("{}", self.line(state, elapsed));
        }
    }

    fn segment(&mut self, segment: &Segment) {
        let Some(end) = segment.end else { return };
        if self.segments.insert(segment.id.clone(), Some(end)) == Some(Some(end)) {
            return;
        }
        let label = segment.label.as_deref().unwrap_or_default();
        let segmenter = &segment.id.segmenter;
        eprintln!("  segment {segmenter} {} - {end} {label}", segment.start());
    }

    fn replays(&mut self, state: &EventState) {
        for replay in state.replays() {
            let mut number = 0;
            let mut length = MediaTime::ZERO;
            for choice in state.chosen(&replay.name) {
                number += 1;
                length += choice.marks.duration();
            }
            let now = (number, length);
            if self.replays.insert(replay.name.to_string(), now) != Some(now) {
                let segments = count(number, "segment");
                eprintln!("  replay {}: {segments}, {length} s", replay.name);
            }
        }
    }

    fn line(&self, state: &EventState, elapsed: Duration) -> String {
        let seconds = elapsed.as_secs_f64().max(0.001);
        let media = state.end().as_seconds_f64();
        let rate = self.frames as f64 / seconds;
        format!(
            "{}, {} frames, {rate:.0} frames/s, {:.1}x real time, {}",
            count(usize::try_from(self.chunks).unwrap_or_default(), "chunk"),
            self.frames,
            media / seconds,
            count(state.segments().len(), "segment"),
        )
    }

    fn end(&mut self, outcome: &Outcome) {
        for line in std::mem::take(&mut self.failures).end() {
            eprintln!("warning: {line}");
        }
        eprintln!("{}", self.line(&outcome.state, outcome.elapsed));
        for usage in matchcut_operators::usage() {
            eprintln!("asked {usage}");
        }
        if let Some(failure) = &outcome.broken {
            // The message names the source itself.
            eprintln!("error: {}", failure.message);
        }
        if outcome.timeline.is_empty() && outcome.broken.is_none() {
            eprintln!("error: nothing of the source could be read");
        }
    }
}
