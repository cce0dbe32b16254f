//! `matchcut clip`: the frames between two times of a stream, as a file.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, ValueEnum};
use matchcut_dataflow::run::clips::write_clip;
use matchcut_dataflow::run::cuts::{cut_to_render, exact_cut};
use matchcut_dataflow::run::open::{Opened, open};
use matchcut_dataflow::run::playlist::{Wanted, instant};
use matchcut_dataflow::spec::frame_rate;
use matchcut_media::cut::smart;
use matchcut_media::render::{Fit, Loudness, RenderError, RenderPlan, Resolution, render};
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use matchcut_sinks::files::write_atomically;

use super::replay::seconds;
use super::run::INTERRUPTED;
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
    /// An MP4 with exactly the frames, copied, with its edges encoded, or encoded anew; or a
    /// playlist over the source chunks.
    #[arg(long, value_enum, default_value_t = CutArg::Exact)]
    pub cut: CutArg,
    /// Audio track, counted from 1, or all; may be given several times.
    #[arg(long, value_name = "N|all", default_value = "1", value_parser = track)]
    pub track: Vec<TrackArg>,
    /// Size of a rendered clip: 4K, 2K, 16:9, 1:1, 4:5, 9:16, 720p, 480p or 360p [default: that of
    /// the source].
    #[arg(long, value_name = "NAME", value_parser = str::parse::<Resolution>)]
    pub resolution: Option<Resolution>,
    /// Whether a rendered clip of another shape is cropped or gets bars [default: crop].
    #[arg(long, value_enum)]
    pub fit: Option<FitArg>,
    /// Frames a second of a rendered clip, 25 or 30000/1001 [default: those of the source].
    #[arg(long, value_name = "RATE", value_parser = frame_rate)]
    pub frame_rate: Option<FrameRate>,
    /// Loudness that a rendered clip is brought to, in LUFS: -23 in broadcasting [default: as it is].
    #[arg(long, value_name = "LUFS", allow_hyphen_values = true, value_parser = loudness)]
    pub loudness: Option<f64>,
    /// Where the clip goes.
    #[arg(short, long = "output", value_name = "FILE")]
    pub output: PathBuf,
}

/// How it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CutArg {
    /// Frame by frame, without re-encoding; players need edit lists.
    Exact,
    /// Frame by frame without an edit list: the edges are encoded, the inside is copied.
    Smart,
    /// Frame by frame, all encoded: another size, rate or loudness.
    Render,
    /// A playlist over the source chunks.
    Instant,
}

/// What happens to pictures of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FitArg {
    /// What stands out is cut off.
    Crop,
    /// Black bars.
    Pad,
}

/// One audio track, or all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackArg {
    /// This one.
    Number(TrackNumber),
    /// Every one.
    All,
}

fn track(text: &str) -> Result<TrackArg, String> {
    if text == "all" {
        return Ok(TrackArg::All);
    }
    let number = text.parse().ok().filter(|number| *number >= 1);
    number
        .map(|number| TrackArg::Number(TrackNumber(number)))
        .ok_or_else(|| format!("\"{text}\" is neither a number from 1 on nor \"all\""))
}

fn loudness(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok();
    value
        .filter(|value| (-70.0..=-5.0).contains(value))
        .ok_or_else(|| format!("\"{text}\" is no loudness between -70 and -5 LUFS"))
}

impl ClipArgs {
    /// The tracks in the order of the result; `None` for all.
    fn tracks(&self) -> Option<Vec<TrackNumber>> {
        self.track
            .iter()
            .map(|track| match track {
                TrackArg::Number(number) => Some(*number),
                TrackArg::All => None,
            })
            .collect()
    }

    /// An option that has an effect only on a rendered clip.
    fn needs_render(&self) -> Option<&'static str> {
        let given = [
            ("--resolution", self.resolution.is_some()),
            ("--fit", self.fit.is_some()),
            ("--frame-rate", self.frame_rate.is_some()),
            ("--loudness", self.loudness.is_some()),
        ];
        given
            .iter()
            .find(|(_, given)| *given)
            .map(|(name, _)| *name)
    }
}

/// Runs it.
pub fn run(args: &ClipArgs) -> Result<ExitCode, CommandError> {
    if args.to <= args.from {
        return Err(CommandError::Usage {
            message: format!("--to {} is not after --from {}", args.to, args.from),
            hint: None,
        });
    }
    if let Some(option) = args.needs_render().filter(|_| args.cut != CutArg::Render) {
        return Err(CommandError::Usage {
            message: format!("{option} has no effect on a clip that is not rendered"),
            hint: Some("add --cut render".to_owned()),
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
        CutArg::Exact | CutArg::Smart => copied(args, range, &opened),
        CutArg::Render => rendered(args, range, &opened),
        CutArg::Instant => playlist(args, range, &opened),
    }
}

fn failed(message: String) -> CommandError {
    CommandError::Clip { message }
}

fn copied(args: &ClipArgs, range: TimeRange, opened: &Opened) -> Result<ExitCode, CommandError> {
    let tracks = args.tracks();
    let mut cut = exact_cut(&opened.store, range, tracks.as_deref(), &opened.timeline)
        .map_err(|message| failed(outside(message, range, opened)))?;
    if args.cut == CutArg::Smart {
        cut = smart(cut).map_err(|error| failed(error.to_string()))?;
    }
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
        eprintln!("  note: browsers cannot play it as it is; --cut render makes one that they can");
    }
    Ok(ExitCode::SUCCESS)
}

fn rendered(args: &ClipArgs, range: TimeRange, opened: &Opened) -> Result<ExitCode, CommandError> {
    let tracks = args.tracks();
    let cut = cut_to_render(&opened.store, range, tracks.as_deref(), &opened.timeline)
        .map_err(|message| failed(outside(message, range, opened)))?;
    let notes = cut.report.notes.clone();
    let plan = RenderPlan {
        resolution: args.resolution,
        fit: match args.fit {
            Some(FitArg::Pad) => Fit::Pad,
            _ => Fit::Crop,
        },
        frame_rate: args.frame_rate,
        loudness: args.loudness.map(|target| Loudness {
            target,
            ..Loudness::default()
        }),
        ..RenderPlan::default()
    };
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = Arc::clone(&stop);
    // Rendering ends between two frames, so that no half file stays behind.
    if let Err(error) = ctrlc::set_handler(move || interrupted.store(true, Ordering::SeqCst)) {
        tracing::warn!(%error, "interrupts end the process at once");
    }
    let mut pieces = vec![cut];
    let result = render(
        &mut pieces,
        &plan,
        &args.output,
        &mut |_| match stop.load(Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        },
    );
    let report = match result {
        Ok(report) => report,
        Err(RenderError::Cancelled) => return Ok(ExitCode::from(INTERRUPTED)),
        Err(error) => return Err(failed(error.to_string())),
    };
    eprintln!(
        "{}: {} frames of {}x{} at {}, {} s",
        args.output.display(),
        report.frames,
        report.size.0,
        report.size.1,
        report.frame_rate,
        report.duration
    );
    for measured in &report.loudness {
        let limit = if measured.limited {
            ", less than asked for because of the true peak"
        } else {
            ""
        };
        eprintln!(
            "  loudness: {:.1} LUFS, changed by {:+.1} dB{limit}",
            measured.integrated, measured.gain
        );
    }
    for note in notes.iter().chain(&report.notes) {
        eprintln!("  note: {note}");
    }
    Ok(ExitCode::SUCCESS)
}

fn playlist(args: &ClipArgs, range: TimeRange, opened: &Opened) -> Result<ExitCode, CommandError> {
    let wanted = [Wanted::range(range)];
    let list = instant(&opened.store, &opened.timeline, &wanted, &args.output, None)
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
