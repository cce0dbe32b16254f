//! `matchcut replay`: segments and replays again from recorded observations, without decoding.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use matchcut_dataflow::run::convert;
use matchcut_dataflow::run::home::Dirs;
use matchcut_dataflow::run::post::is_outside;
use matchcut_dataflow::run::recorded::{self, RecordedEvent};
use matchcut_dataflow::run::target::{Begin, Target};
use matchcut_dataflow::spec::Catalog;
use matchcut_model::lines::{LineError, read_feedback};
use matchcut_model::time::MediaTime;

use super::records;
use super::run::RunFormat;
use crate::render::{CommandError, count, load_plan};
use crate::results;

/// Compute segments and replays again from recorded observations.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The pipeline spec.
    #[arg(value_name = "SPEC")]
    pub spec: PathBuf,
    /// JSON lines with observations and segments, as `run` writes them; may be given several times.
    #[arg(long, value_name = "FILE.jsonl", required = true)]
    pub observations: Vec<PathBuf>,
    /// JSON lines with feedback; of several on one clip the last counts.
    #[arg(long, value_name = "FILE.jsonl")]
    pub feedback: Vec<PathBuf>,
    /// When the event ended, in seconds [default: with the last thing recorded].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub end: Option<MediaTime>,
    /// Set a value of the spec: operators.x.threshold=…; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Workers of the dataflow.
    #[arg(short, long, value_name = "WORKERS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// A directory for all results, beside the sinks of the spec.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the results that a directory holds.
    #[arg(long)]
    pub force: bool,
    /// How the results are printed on stdout.
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
}

/// A time in seconds, from the command line.
pub fn seconds(text: &str) -> Result<MediaTime, String> {
    let time = text
        .parse::<f64>()
        .ok()
        .and_then(MediaTime::from_seconds_f64);
    time.filter(|time| !time.is_negative())
        .ok_or_else(|| format!("\"{text}\" is not a time in seconds"))
}

/// Runs it.
pub fn run(args: &ReplayArgs) -> Result<ExitCode, CommandError> {
    let started = Instant::now();
    let (_, plan) = load_plan(&args.spec, &args.set)?;
    let event = read(args)?;
    // Everything is read before a directory is touched.
    let mut info = convert::event_info(&plan, &Catalog::built_in());
    info.feedback.clone_from(&event.feedback);
    let begin = if args.force {
        Begin::Replace
    } else {
        Begin::New
    };
    let dirs = Dirs::new(&plan, args.out.as_deref())?;
    if args.force {
        // The log of a run that the new results do not follow from.
        dirs.discard_stores()?;
    }
    let mut targets = dirs.targets(&plan, begin, &info)?;
    for sink in plan.sinks.iter().filter(|sink| is_outside(sink)) {
        let (name, kind) = (&sink.name, &sink.kind);
        eprintln!("sink \"{name}\" ({kind}) is told nothing: what was recorded is no news");
    }
    let state = recorded::replay(&plan, &event, usize::from(args.workers))?;
    for warning in recorded::write(&state, &mut targets)? {
        eprintln!("warning: {warning}");
    }
    eprintln!(
        "{} of {} s in {:.2} s",
        count(event.observations.len(), "observation"),
        event.end(),
        started.elapsed().as_secs_f64()
    );
    let dirs: Vec<&Path> = targets.iter().map(Target::dir).collect();
    let mut out = io::stdout().lock();
    match args.format {
        RunFormat::Text => results::text(&mut out, &plan, &state, &dirs)?,
        RunFormat::Json => results::json(&mut out, &plan, &state, &dirs)?,
    }
    out.flush()?;
    // The process ends here, and takes hundreds of thousands of rows with it at once.
    std::mem::forget((event, state));
    Ok(ExitCode::SUCCESS)
}

fn read(args: &ReplayArgs) -> Result<RecordedEvent, CommandError> {
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |source| CommandError::Read { path, source }
    };
    let mut event = RecordedEvent {
        end: args.end,
        ..RecordedEvent::default()
    };
    let mut errors: Vec<LineError> = Vec::new();
    for path in &args.observations {
        let read = records::read(path).map_err(failed(path))?;
        event.observations.extend(read.observations);
        event.segments.extend(read.segments);
        errors.extend(read.errors);
    }
    for path in &args.feedback {
        let bytes = std::fs::read(path).map_err(failed(path))?;
        match read_feedback(&path.display().to_string(), &bytes) {
            Ok(lines) => event.feedback.extend(lines),
            Err(found) => errors.extend(found),
        }
    }
    if errors.is_empty() {
        Ok(event)
    } else {
        Err(CommandError::Lines(errors))
    }
}
