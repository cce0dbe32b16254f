//! `matchcut probe`: what a playlist, a directory of chunks or a file holds.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use matchcut_dataflow::run::open::open;
use matchcut_media::file::MediaFile;
use matchcut_media::probe::{Probe, Stream, StreamKind};
use matchcut_model::chunk::{Container, PlacedChunk};
use matchcut_model::time::MediaTime;

use super::replay::seconds;
use crate::render::CommandError;

/// Read a stream and say what it holds: streams, times, key frames, chunks.
#[derive(Args, Clone, Debug)]
pub struct ProbeArgs {
    /// A playlist, a directory of chunks, or a file.
    #[arg(value_name = "URI")]
    pub uri: String,
    /// A summary to read, or everything as JSON.
    #[arg(long, value_enum, default_value_t = ProbeFormat::Text)]
    pub format: ProbeFormat,
    /// Stop after so much media; a live stream has no end.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub duration: Option<MediaTime>,
}

/// How it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProbeFormat {
    /// A summary.
    Text,
    /// Everything, with each chunk.
    Json,
}

/// Runs it.
pub fn run(args: &ProbeArgs) -> Result<ExitCode, CommandError> {
    let mut probe = Probe::new("unknown");
    let opened = open(&args.uri, |placed, demuxed| {
        if probe.chunks.is_empty() {
            probe.container = container(placed);
        }
        probe.add(demuxed, placed.span, placed.bytes);
        args.duration.is_none_or(|end| placed.span.end < end)
    })?;
    let failures = opened.failures.iter().chain(&opened.broken);
    let told: Vec<String> = failures.map(ToString::to_string).collect();
    if probe.chunks.is_empty() {
        let why = match told.first() {
            Some(why) => why.clone(),
            None => "there is nothing in it".to_owned(),
        };
        return Err(CommandError::Probe {
            uri: args.uri.clone(),
            message: why,
        });
    }
    probe.warnings.extend(told);
    let mut out = io::stdout().lock();
    match args.format {
        ProbeFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &probe).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        ProbeFormat::Text => text(&mut out, &probe)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn container(placed: &PlacedChunk) -> String {
    match placed.chunk.container {
        Container::MpegTs => "mpeg-ts".to_owned(),
        Container::FragmentedMp4 => "fragmented-mp4".to_owned(),
        Container::PackedAudio => "packed-audio".to_owned(),
        Container::Matroska => "matroska".to_owned(),
        Container::FilePart => file_container(&placed.chunk.media.uri),
    }
}

/// A file is opened once more: its chunks do not know what they were taken from.
fn file_container(uri: &str) -> String {
    uri.parse()
        .ok()
        .and_then(|uri| matchcut_ingest::uri::to_path(&uri))
        .and_then(|path| MediaFile::open(&path).ok())
        .map_or_else(|| "file".to_owned(), |file| file.container().to_string())
}

fn text(out: &mut impl Write, probe: &Probe) -> io::Result<()> {
    let frames: u64 = probe.chunks.iter().map(|chunk| chunk.frames).sum();
    let bytes: u64 = probe.chunks.iter().map(|chunk| chunk.bytes).sum();
    writeln!(out, "container  {}", probe.container)?;
    writeln!(out, "duration   {} s", probe.duration)?;
    writeln!(
        out,
        "chunks     {} ({frames} frames, {bytes} bytes)",
        probe.chunks.len()
    )?;
    for stream in &probe.streams {
        match stream.kind {
            StreamKind::Video => writeln!(out, "video      {}", video(stream))?,
            StreamKind::Audio => writeln!(out, "audio {:<4} {}", number(stream), audio(stream))?,
        }
        if let Some(note) = &stream.note {
            writeln!(out, "           {note}")?;
        }
    }
    for warning in &probe.warnings {
        writeln!(out, "warning    {warning}")?;
    }
    Ok(())
}

fn number(stream: &Stream) -> String {
    stream
        .track
        .map_or_else(String::new, |track| track.to_string())
}

fn video(stream: &Stream) -> String {
    let mut parts = vec![codec(stream)];
    if let (Some(width), Some(height)) = (stream.width, stream.height) {
        parts.push(match stream.pixel_aspect {
            Some((h, v)) => format!("{width}x{height} (pixels {h}:{v})"),
            None => format!("{width}x{height}"),
        });
    }
    parts.push(match &stream.frame_rate {
        Some(rate) => format!("{} fps", rate.exact),
        None => "variable frame rate".to_owned(),
    });
    if let Some(timecode) = &stream.timecode {
        parts.push(format!("timecode from {timecode}"));
    }
    let keys = stream.key_frames.unwrap_or(0);
    let idr = stream.idr.unwrap_or(0);
    parts.push(format!(
        "{} frames, {keys} key frames ({idr} IDR)",
        stream.samples
    ));
    if stream.open_gop == Some(true) {
        parts.push("open GOP".to_owned());
    }
    if stream.b_pyramid == Some(true) {
        parts.push("B-pyramid".to_owned());
    }
    parts.push(times(stream));
    parts.join(", ")
}

fn audio(stream: &Stream) -> String {
    let mut parts = vec![codec(stream)];
    parts.extend(stream.sample_rate.map(|rate| format!("{rate} Hz")));
    parts.extend(stream.channels.map(|channels| match channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        more => format!("{more} channels"),
    }));
    parts.extend(stream.language.clone());
    parts.push(format!("{} frames", stream.samples));
    parts.push(times(stream));
    parts.join(", ")
}

fn codec(stream: &Stream) -> String {
    let mut words = vec![stream.codec.to_string()];
    words.extend(stream.profile.clone());
    words.extend(stream.level.clone());
    words.join(" ")
}

fn times(stream: &Stream) -> String {
    format!("first PTS {} in {} s", stream.first_pts, stream.time_base)
}
