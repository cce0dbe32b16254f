//! `matchcut clip`: the frames between two times of a stream, as a file.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use matchcut_dataflow::run::clips::{cut_of, write_clip};
use matchcut_dataflow::run::open::{Opened, open};
use matchcut_dataflow::run::playlist::{Wanted, instant};
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_sinks::files::write_atomically;

use super::replay::seconds;
use crate::render::CommandError;

/// Cut the frames with from <= time < to out of a stream.
#[derive(Args, Clone, Debug)]
pub struct ClipArgs {
    /// A playlist, a directory of chunks, or a file.
    #[arg(value_name = "URI")]
    pub uri: String,
    /// Time of the first frame, in seconds from the start of the stream.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub from: MediaTime,
    /// Time of the first frame that is not in the clip.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub to: MediaTime,
    /// An MP4 with exactly the frames, or a playlist over the source chunks.
    #[arg(long, value_enum, default_value_t = CutArg::Exact)]
    pub cut: CutArg,
    /// Audio track, counted from 1.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub track: u32,
    /// Where the clip goes.
    #[arg(short, long = "output", value_name = "FILE")]
    pub output: PathBuf,
}

/// How it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CutArg {
    /// Frame by frame, without re-encoding.
    Exact,
    /// A playlist over the source chunks.
    Instant,
}

/// Runs it.
pub fn run(args: &ClipArgs) -> Result<ExitCode, CommandError> {
    if args.to <= args.from {
        return Err(CommandError::Usage {
            message: format!("--to {} is not after --from {}", args.to, args.from),
            hint: None,
        });
    }
    let range = TimeRange::new(args.from, args.to);
    // One chunk more than the range ends in: its leading frames may belong to the range.
    let mut beyond = 0;
    let opened = open(&args.uri, |placed, _| {
        beyond += u32::from(placed.span.start >= range.end);
        beyond == 0
    })?;
    for failure in &opened.failures {
        eprintln!("warning: {failure}");
    }
    // Where nothing could be read, the error says why.
    if let Some(broken) = opened
        .broken
        .as_ref()
        .filter(|_| !opened.timeline.is_empty())
    {
        eprintln!("warning: {}", broken.message);
    }
    match args.cut {
        CutArg::Exact => exact(args, range, &opened),
        CutArg::Instant => playlist(args, range, &opened),
    }
}

fn failed(message: String) -> CommandError {
    CommandError::Clip { message }
}

fn exact(args: &ClipArgs, range: TimeRange, opened: &Opened) -> Result<ExitCode, CommandError> {
    let track = Some(TrackNumber(args.track));
    let cut = cut_of(&opened.store, range, track, &opened.timeline)
        .map_err(|message| failed(outside(message, range, opened)))?;
    let report = write_clip(&cut, &args.output).map_err(|error| failed(error.to_string()))?;
    eprintln!(
        "{}: {} frames, {} to {} s, error at most {} frames",
        args.output.display(),
        report.frames,
        report.start,
        report.end,
        report.max_error_frames
    );
    for note in &report.notes {
        eprintln!("  note: {note}");
    }
    if !report.browser {
        eprintln!("  note: browsers cannot play it as it is");
    }
    Ok(ExitCode::SUCCESS)
}

fn playlist(args: &ClipArgs, range: TimeRange, opened: &Opened) -> Result<ExitCode, CommandError> {
    let wanted = [Wanted::range(range)];
    let list = instant(&opened.store, &opened.timeline, &wanted, &args.output)
        .map_err(|message| failed(outside(message, range, opened)))?;
    for (path, text) in &list.files {
        write_atomically(path, text.as_bytes()).map_err(|error| failed(error.to_string()))?;
    }
    let path = args.output.display();
    eprintln!("{path}: error at most {} frames", list.max_error_frames);
    for note in &list.notes {
        eprintln!("  note: {note}");
    }
    Ok(ExitCode::SUCCESS)
}

/// A range outside the stream is the usual mistake.
fn outside(message: String, range: TimeRange, opened: &Opened) -> String {
    let end = opened.timeline.end();
    if opened.timeline.is_empty() {
        return match &opened.broken {
            Some(broken) => format!("nothing of the stream could be read: {}", broken.message),
            None => "nothing of the stream could be read".to_owned(),
        };
    }
    if range.start >= end {
        return format!("the stream ends at {end} s, before --from {}", range.start);
    }
    message
}
