//! Small material (320x180, a few seconds) of the kinds that broadcasters and phones deliver, with
//! the frame number in every picture and noise for sound.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use matchcut_media::cut::CutChunk;
use matchcut_media::demux::demux;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::Container;
use matchcut_model::time::{FrameRate, MediaTime};

use super::{floats, has, output, run};

pub const WIDTH: usize = 320;
pub const HEIGHT: usize = 180;

/// One piece of small material: a transport stream in groups of about one second.
#[derive(Clone, Copy, Debug)]
pub struct Small {
    pub name: &'static str,
    pub rate: (u32, u32),
    pub hevc: bool,
    pub open: bool,
    pub interlaced: bool,
    /// A pattern of frames that are left out, by `select`; the numbers stay those of the full rate.
    pub select: Option<&'static str>,
    pub seconds: u32,
    /// Sample rate of each track, and [`FULL`] or [`LATE`].
    pub tracks: &'static [(u32, &'static str)],
    pub size: (u32, u32),
}

/// A track from the beginning to the end.
pub const FULL: &str = "anull";

/// A track that is heard from 0.8 to 4 s.
pub const LATE: &str = "atrim=0:3.2";

impl Small {
    pub const CLOSED: Small = Small {
        name: "closed",
        rate: (25, 1),
        hevc: false,
        open: false,
        interlaced: false,
        select: None,
        seconds: 5,
        tracks: &[(48_000, FULL)],
        size: (WIDTH as u32, HEIGHT as u32),
    };

    pub fn frame_rate(&self) -> FrameRate {
        FrameRate::new(self.rate.0, self.rate.1).unwrap()
    }

    pub fn group(&self) -> i64 {
        i64::from(self.frame_rate().nominal())
    }

    pub fn time(&self, frame: i64) -> MediaTime {
        self.frame_rate().time_of(frame)
    }

    /// Makes the material unless a former run left it; `None` without ffmpeg.
    pub fn make(&self) -> Option<PathBuf> {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let done = base.join(format!("small-2-{}.ts", self.name));
        if done.is_file() {
            return Some(done);
        }
        if !has("ffmpeg") {
            eprintln!("skipped: no ffmpeg to make material with");
            return None;
        }
        std::fs::create_dir_all(base).unwrap();
        let dir = tempfile::tempdir_in(base).unwrap();
        let path = dir.path().join("small.ts");
        let (width, height) = self.size;
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-f", "lavfi", "-i"]);
        command.arg(format!(
            "testsrc2=size={width}x{height}:rate={}/{}",
            self.rate.0, self.rate.1
        ));
        for (track, (rate, filter)) in self.tracks.iter().enumerate() {
            if *filter == LATE {
                command.args(["-itsoffset", "0.8"]);
            }
            command.args(["-f", "lavfi", "-i"]);
            command.arg(format!("{},{filter}", noise(track, *rate)));
        }
        command.args(["-map", "0:v"]);
        for track in 0..self.tracks.len() {
            command.args(["-map", &format!("{}:a", track + 1)]);
        }
        let mut filter = number_filter();
        if let Some(select) = self.select {
            filter.push_str(&format!(",select='{select}'"));
        }
        command.args(["-vf", &filter, "-t", &self.seconds.to_string()]);
        command.args(["-pix_fmt", "yuv420p", "-fps_mode", "passthrough"]);
        command.args(["-enc_time_base", "1:90000"]);
        let group = self.group();
        if self.hevc {
            command.args(["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"]);
            command.arg(format!(
                "keyint={group}:min-keyint={group}:scenecut=0:open-gop={}:bframes=3:b-pyramid=1:\
                 b-adapt=0:log-level=error:repeat-headers=1:pools=2:frame-threads=1",
                u8::from(self.open)
            ));
        } else {
            command.args(["-c:v", "libx264", "-preset", "veryfast", "-x264-params"]);
            command.arg(format!(
                "keyint={group}:min-keyint={group}:scenecut=0:open-gop={}:bframes=3:b-adapt=0:\
                 b-pyramid=normal:ref=3{}",
                u8::from(self.open),
                if self.interlaced {
                    ":interlaced=1:tff=1"
                } else {
                    ""
                }
            ));
        }
        command.args(["-flags:v", "-global_header", "-crf", "20"]);
        command.args(["-c:a", "aac", "-b:a", "192k", "-ac", "2"]);
        command.args(["-f", "mpegts"]).arg(&path);
        run(&mut command);
        std::fs::rename(&path, &done).unwrap();
        Some(done)
    }

    /// The whole stream, demuxed.
    pub fn demuxed(&self, path: &Path) -> Demuxed {
        let bytes = Bytes::from(std::fs::read(path).unwrap());
        demux(Container::MpegTs, None, &bytes).unwrap()
    }

    /// What went into a track, mono at 48 kHz.
    pub fn sound(&self, track: usize) -> Vec<f32> {
        let (rate, filter) = self.tracks[track];
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-f", "lavfi", "-i"]);
        command.arg(format!("{},{filter}", noise(track, rate)));
        command.args(["-t", &self.seconds.to_string()]);
        command.args(["-ac", "1", "-ar", "48000", "-f", "f32le", "-"]);
        floats(&output(&mut command))
    }
}

fn noise(track: usize, rate: u32) -> String {
    format!(
        "anoisesrc=color=white:amplitude=0.2:sample_rate={rate}:seed={}",
        7 + track
    )
}

/// Squares of 16 pixels: the low 8 bits of the frame number, and their complement below.
pub fn number_filter() -> String {
    let mut filters = vec!["drawbox=x=80:y=64:w=160:h=48:color=black:t=fill".to_owned()];
    for bit in 0..8 {
        let x = 96 + 16 * (7 - bit);
        let set = format!("mod(floor(n/{}),2)", 1u32 << bit);
        filters.push(format!(
            "drawbox=x={x}:y=72:w=16:h=16:color=white:t=fill:enable='gt({set},0)'"
        ));
        filters.push(format!(
            "drawbox=x={x}:y=88:w=16:h=16:color=white:t=fill:enable='eq({set},0)'"
        ));
    }
    filters.join(",")
}

/// Reads the number in a strip of 128x32 pixels of luma; `None` when a square is not clear.
fn number(strip: &[u8]) -> Option<u16> {
    let mean = |column: usize, row: usize| {
        let mut sum = 0i32;
        for y in 0..8 {
            let from = (row * 16 + 4 + y) * 128 + column * 16 + 4;
            sum += strip[from..from + 8]
                .iter()
                .map(|b| i32::from(*b))
                .sum::<i32>();
        }
        sum / 64
    };
    (0..8).try_fold(0u16, |value, column| {
        let difference = mean(column, 0) - mean(column, 1);
        (difference.abs() >= 80).then_some(value << 1 | u16::from(difference > 0))
    })
}

pub fn numbers(strips: &[u8]) -> Vec<Option<u16>> {
    strips.chunks_exact(128 * 32).map(number).collect()
}

/// Numbers of the frames that ffmpeg shows; `scale` brings the picture to 320x180 first.
pub fn in_ffmpeg(path: &Path) -> Vec<Option<u16>> {
    shown_by_ffmpeg(path, "")
}

/// The same after a filter, "scale=320:180,".
pub fn shown_by_ffmpeg(path: &Path, filter: &str) -> Vec<Option<u16>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path);
    let filter = format!("{filter}crop=128:32:96:72,format=gray");
    command.args(["-an", "-vf", &filter, "-fps_mode", "passthrough"]);
    command.args(["-f", "rawvideo", "-"]);
    numbers(&output(&mut command))
}

/// Numbers of the frames that GStreamer shows.
pub fn in_gstreamer(path: &Path) -> Vec<Option<u16>> {
    numbers(&super::gst(
        path,
        "qtdemux name=d d.video_0 ! queue ! decodebin ! videoconvert ! \
         videocrop left=96 top=72 right=96 bottom=76 ! video/x-raw,format=GRAY8",
    ))
}

/// Presentation times of the frames as ffprobe has them, in microseconds.
pub fn times(path: &Path) -> Vec<i64> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-show_entries"]);
    command.args(["frame=pts_time", "-of", "csv=p=0"]).arg(path);
    let text = String::from_utf8(output(&mut command)).unwrap();
    text.lines()
        .filter_map(|line| line.trim_end_matches(',').parse::<f64>().ok())
        .map(|time| (time * 1e6).round() as i64)
        .collect()
}

/// Places a demuxed stream so that its first frame is at 0.
pub fn placed(demuxed: &Demuxed) -> [CutChunk<'_>; 1] {
    let video = demuxed.video.as_ref().unwrap();
    let first = video.samples.iter().map(|sample| sample.pts).min().unwrap();
    [CutChunk {
        demuxed,
        offset: -MediaTime::from_ticks(first, video.timescale),
        stretch: 0,
    }]
}

/// The sound of a track as ffmpeg plays it, mono at 48 kHz.
pub fn sound_of_track(path: &Path, track: usize) -> Vec<f32> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path);
    command.args(["-map", &format!("0:a:{track}"), "-ac", "1", "-ar", "48000"]);
    command.args(["-f", "f32le", "-"]);
    floats(&output(&mut command))
}
