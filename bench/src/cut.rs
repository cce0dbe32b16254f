//! An exact clip against ffmpeg copying the same range. Both take the samples as they are; ours also
//! begins and ends at the very frame.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use bytes::Bytes;
use matchcut_media::cut::{CutChunk, exact, write_mp4};
use matchcut_media::demux::demux;
use matchcut_model::chunk::Container;
use matchcut_model::time::{MediaTime, TimeRange};

use crate::Error;
use crate::child::{self, Done, Task};
use crate::material::{self, CHUNK_SECONDS, Material};
use crate::report::Section;
use crate::stats::Sample;

/// Neither begins nor ends at a key frame.
const FROM: u32 = 17;
const SECONDS: u32 = 20;

/// The cut, in this process: from the files of the chunks to the file of the clip.
pub fn cut(playlist: &Path) -> Result<Done, Error> {
    let files = material::chunks(playlist)?;
    let first = (FROM / CHUNK_SECONDS) as usize;
    let last = ((FROM + SECONDS) / CHUNK_SECONDS) as usize;
    // One more on each side, where a frame of the edge may be stored, and the first for its time.
    let wanted = first.saturating_sub(1)..(last + 2).min(files.len());
    let mut chunks = Vec::new();
    for file in std::iter::once(&files[0]).chain(&files[wanted]) {
        chunks.push(demux(
            Container::MpegTs,
            None,
            &Bytes::from(std::fs::read(file)?),
        )?);
    }
    let video = chunks[0]
        .video
        .as_ref()
        .ok_or("no video in the first chunk")?;
    let times = video.samples.iter().map(|sample| video.pts(sample).time());
    let offset = MediaTime::ZERO - times.min().ok_or("no frame in the first chunk")?;
    let placed: Vec<CutChunk<'_>> = chunks[1..]
        .iter()
        .map(|demuxed| CutChunk {
            demuxed,
            offset,
            stretch: 0,
        })
        .collect();
    let start = MediaTime::from_seconds(i64::from(FROM));
    let end = start + MediaTime::from_seconds(i64::from(SECONDS));
    let cut = exact(&placed, TimeRange::new(start, end), None)?;
    let mut out = BufWriter::new(File::create(playlist.with_file_name("clip.mp4"))?);
    write_mp4(&cut, &mut out)?;
    out.flush()?;
    Ok(Done {
        frames: cut.report.frames,
        results: 1,
    })
}

/// How ffmpeg makes the clip.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Samples as they are, from the key frame before.
    Copy,
    /// Everything encoded again: as exact as ours.
    Encode,
}

fn ffmpeg(playlist: &Path, how: How) -> Result<(), Error> {
    let status = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
        .args(["-ss", &FROM.to_string(), "-i"])
        .arg(playlist)
        .args(["-t", &SECONDS.to_string()])
        .args(match how {
            How::Copy => &["-c", "copy"][..],
            How::Encode => &["-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac"],
        })
        .arg(playlist.with_file_name("peer.mp4"))
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("ffmpeg ended with {status}").into())
    }
}

/// Cut, copy and encoding in turn, each a process of its own, timed from outside.
pub fn measure(material: &Material, pairs: usize) -> Result<Section, Error> {
    let playlist = &material.playlist;
    ffmpeg(playlist, How::Copy)?;
    let mut frames = 0;
    let mut measured = Vec::new();
    for _ in 0..pairs {
        let timed = |task: &mut dyn FnMut() -> Result<(), Error>| {
            let started = Instant::now();
            task().map(|()| started.elapsed().as_secs_f64() * 1e3)
        };
        let copy = timed(&mut || ffmpeg(playlist, How::Copy))?;
        let encode = timed(&mut || ffmpeg(playlist, How::Encode))?;
        let cut = timed(&mut || {
            frames = child::measure(Task::Cut, playlist, 1)?.frames;
            Ok(())
        })?;
        measured.push((copy, encode, cut));
    }
    let about = format!(
        "{SECONDS} s from second {FROM} on, of chunks on disk to an MP4: exactly {frames} frames, \
         against ffmpeg: `-c copy`, which starts at a key frame, and encoding everything again with \
         libx264 veryfast, which is as exact. Whole processes, {pairs} pairs.",
    );
    let head = ["ffmpeg", "ffmpeg, ms", "exact cut, ms", "ratio"];
    let mut section = Section::new("Exact clip", about, &head);
    type Times = (f64, f64, f64);
    type Of = fn(&Times) -> f64;
    let peers: [(&str, Of); 2] = [("copy", |times| times.0), ("encode again", |times| times.1)];
    for (name, of) in peers {
        let ratios = Sample::new(measured.iter().map(|times| times.2 / of(times)));
        let (least, most) = ratios.range();
        section.row([
            name.to_owned(),
            format!("{:.0}", Sample::new(measured.iter().map(of)).median()),
            format!(
                "{:.0}",
                Sample::new(measured.iter().map(|times| times.2)).median()
            ),
            format!("**{:.2}** ({least:.2} to {most:.2})", ratios.median()),
        ]);
    }
    Ok(section)
}
