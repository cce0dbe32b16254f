//! Material whose every frame carries its number as 16 squares and whose sound is noise, and
//! readers of both, so that tests can say which frame and which sample a player really shows.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code)]

pub mod paff;
pub mod small;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bytes::Bytes;
use matchcut_media::cut::CutChunk;
use matchcut_media::demux::demux;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::Container;
use matchcut_model::time::{FrameRate, MediaTime};

pub const WIDTH: usize = 640;
pub const HEIGHT: usize = 360;
pub const SAMPLE_RATE: i64 = 48_000;

/// One piece of material: 12 s in groups of 2 s and chunks of 4 s.
#[derive(Clone, Copy)]
pub struct Material {
    pub name: &'static str,
    pub rate: (u32, u32),
    pub hevc: bool,
    pub open: bool,
    pub fmp4: bool,
    pub tracks: usize,
}

impl Material {
    pub const CLOSED_25: Material = Material {
        name: "closed25",
        rate: (25, 1),
        hevc: false,
        open: false,
        fmp4: false,
        tracks: 1,
    };
    pub const OPEN_25: Material = Material {
        name: "open25",
        open: true,
        ..Self::CLOSED_25
    };
    pub const OPEN_2997: Material = Material {
        name: "open2997",
        rate: (30_000, 1001),
        ..Self::OPEN_25
    };
    pub const OPEN_50: Material = Material {
        name: "open50",
        rate: (50, 1),
        ..Self::OPEN_25
    };
    pub const CLOSED_2997: Material = Material {
        name: "closed2997",
        rate: (30_000, 1001),
        ..Self::CLOSED_25
    };
    pub const HEVC_25: Material = Material {
        name: "hevc25",
        hevc: true,
        ..Self::OPEN_25
    };
    pub const FMP4_25: Material = Material {
        name: "fmp425",
        fmp4: true,
        tracks: 2,
        ..Self::CLOSED_25
    };

    pub fn frame_rate(&self) -> FrameRate {
        FrameRate::new(self.rate.0, self.rate.1).unwrap()
    }

    /// Frames in a group of pictures.
    pub fn group(&self) -> i64 {
        i64::from(self.frame_rate().nominal()) * 2
    }

    /// When a frame is shown, on a timeline where frame 0 is at 0.
    pub fn time(&self, frame: i64) -> MediaTime {
        self.frame_rate().time_of(frame)
    }

    /// Makes the material unless a former run left it; `None` without ffmpeg.
    pub fn make(&self) -> Option<PathBuf> {
        let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let done = base.join(format!("material-2-{}", self.name));
        if done.is_dir() {
            return Some(done);
        }
        if !has("ffmpeg") {
            eprintln!("skipped: no ffmpeg to make material with");
            return None;
        }
        std::fs::create_dir_all(base).unwrap();
        let dir = tempfile::tempdir_in(base).unwrap();
        let frames = self.group() * 6;
        let rate = format!("{}/{}", self.rate.0, self.rate.1);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y", "-f", "lavfi", "-i"]);
        command.arg(format!("testsrc2=size={WIDTH}x{HEIGHT}:rate={rate}"));
        for track in 0..self.tracks {
            command.args(["-f", "lavfi", "-i"]);
            command.arg(noise(track));
        }
        command.args(["-map", "0:v"]);
        for track in 0..self.tracks {
            command.args(["-map", &format!("{}:a", track + 1)]);
        }
        command.args(["-vf", &number_filter(), "-frames:v", &frames.to_string()]);
        command.args(["-t", "12.1", "-pix_fmt", "yuv420p"]);
        let group = self.group();
        if self.hevc {
            command.args(["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"]);
            command.arg(format!(
                "keyint={group}:min-keyint={group}:scenecut=0:open-gop={}:bframes=3:b-pyramid=1:\
                 b-adapt=0:log-level=error:repeat-headers=1",
                u8::from(self.open)
            ));
        } else {
            command.args(["-c:v", "libx264", "-preset", "veryfast", "-x264-params"]);
            command.arg(format!(
                "keyint={group}:min-keyint={group}:scenecut=0:open-gop={}:bframes=3:b-adapt=0:\
                 b-pyramid=normal:ref=3",
                u8::from(self.open)
            ));
        }
        if !self.fmp4 {
            command.args(["-flags:v", "-global_header"]);
        }
        command.args(["-b:v", "1500k", "-c:a", "aac", "-b:a", "256k", "-ac", "2"]);
        command.args(["-f", "hls", "-hls_time", "4", "-hls_list_size", "0"]);
        let kind = if self.fmp4 { "fmp4" } else { "mpegts" };
        command.args(["-hls_segment_type", kind, "-hls_segment_filename"]);
        command.arg(
            dir.path()
                .join(if self.fmp4 { "c%03d.m4s" } else { "c%03d.ts" }),
        );
        command.arg(dir.path().join("index.m3u8"));
        run(&mut command);
        if std::fs::rename(dir.path(), &done).is_ok() {
            let _ = dir.keep();
        }
        Some(done)
    }

    /// The chunks, demuxed.
    pub fn chunks(&self, dir: &Path) -> Vec<Demuxed> {
        let init = self
            .fmp4
            .then(|| std::fs::read(dir.join("init.mp4")).unwrap());
        let container = if self.fmp4 {
            Container::FragmentedMp4
        } else {
            Container::MpegTs
        };
        self.paths(dir)
            .iter()
            .map(|path| {
                let bytes = Bytes::from(std::fs::read(path).unwrap());
                demux(container, init.as_deref(), &bytes).unwrap()
            })
            .collect()
    }

    /// Files of the chunks in order.
    pub fn paths(&self, dir: &Path) -> Vec<PathBuf> {
        let extension = if self.fmp4 { "m4s" } else { "ts" };
        let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == extension))
            .collect();
        paths.sort();
        paths
    }

    /// The sound that went in, mono.
    pub fn source_sound(&self, track: usize) -> Vec<f32> {
        let mut command = Command::new("ffmpeg");
        command.args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            &noise(track),
            "-t",
            "12.1",
        ]);
        command.args(["-ac", "1", "-f", "f32le", "-"]);
        floats(&output(&mut command))
    }
}

fn noise(track: usize) -> String {
    format!(
        "anoisesrc=color=white:amplitude=0.2:sample_rate=48000:seed={}",
        7 + track
    )
}

/// Squares of 32 pixels: the bits of the frame number, and their complement below.
fn number_filter() -> String {
    let mut filters = vec!["drawbox=x=48:y=48:w=544:h=96:color=black:t=fill".to_owned()];
    for bit in 0..16 {
        let x = 64 + 32 * (15 - bit);
        let set = format!("mod(floor(n/{}),2)", 1u32 << bit);
        filters.push(format!(
            "drawbox=x={x}:y=64:w=32:h=32:color=white:t=fill:enable='gt({set},0)'"
        ));
        filters.push(format!(
            "drawbox=x={x}:y=96:w=32:h=32:color=white:t=fill:enable='eq({set},0)'"
        ));
    }
    filters.join(",")
}

/// Places demuxed chunks on a timeline where the first frame is at 0.
pub fn placed(chunks: &[Demuxed]) -> Vec<CutChunk<'_>> {
    let video = chunks[0].video.as_ref().unwrap();
    let first = video.samples.iter().map(|sample| sample.pts).min().unwrap();
    let offset = -MediaTime::from_ticks(first, video.timescale);
    chunks
        .iter()
        .map(|demuxed| CutChunk {
            demuxed,
            offset,
            stretch: 0,
        })
        .collect()
}

/// Whether a program is installed.
pub fn has(program: &str) -> bool {
    let mut command = Command::new(program);
    let version = if program.starts_with("ff") {
        "-version"
    } else {
        "--version"
    };
    command
        .arg(version)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {errors}");
}

pub fn output(command: &mut Command) -> Vec<u8> {
    let done = command.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?}: {errors}");
    done.stdout
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

/// Reads the number in a strip of 512x64 pixels of luma; `None` when a square is not clear.
fn number(strip: &[u8]) -> Option<u16> {
    let mean = |column: usize, row: usize| {
        let mut sum = 0u32;
        for y in 0..16 {
            let from = (row * 32 + 8 + y) * 512 + column * 32 + 8;
            sum += strip[from..from + 16]
                .iter()
                .map(|b| u32::from(*b))
                .sum::<u32>();
        }
        (sum / 256) as i32
    };
    (0..16).try_fold(0u16, |value, column| {
        let difference = mean(column, 0) - mean(column, 1);
        (difference.abs() >= 100).then_some(value << 1 | u16::from(difference > 0))
    })
}

/// Numbers of the frames in strips of luma.
pub fn numbers(strips: &[u8]) -> Vec<Option<u16>> {
    strips.chunks_exact(512 * 64).map(number).collect()
}

/// Numbers of the frames that ffmpeg shows.
pub fn frames_in_ffmpeg(path: &Path) -> Vec<Option<u16>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path);
    command.args([
        "-an",
        "-vf",
        "crop=512:64:64:64,format=gray",
        "-fps_mode",
        "passthrough",
    ]);
    command.args(["-f", "rawvideo", "-"]);
    numbers(&output(&mut command))
}

pub fn gst(path: &Path, pipeline: &str) -> Vec<u8> {
    let out = tempfile::NamedTempFile::new().unwrap();
    // A player that waits for ever is a failure of its own.
    let mut command = Command::new("timeout");
    command.args(["30", "gst-launch-1.0"]);
    command.args([
        "-q",
        "filesrc",
        &format!("location={}", path.display()),
        "!",
    ]);
    command.args(pipeline.split_whitespace());
    command.args([
        "!",
        "filesink",
        &format!("location={}", out.path().display()),
    ]);
    run(&mut command);
    std::fs::read(out.path()).unwrap()
}

/// Numbers of the frames that GStreamer shows.
pub fn frames_in_gstreamer(path: &Path) -> Vec<Option<u16>> {
    numbers(&gst(
        path,
        "qtdemux name=d d.video_0 ! queue ! decodebin ! videocrop left=64 top=64 right=64 bottom=232 ! videoconvert ! \
         video/x-raw,format=GRAY8",
    ))
}

/// The sound that ffmpeg plays, mono.
pub fn sound_in_ffmpeg(path: &Path) -> Vec<f32> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path);
    command.args(["-vn", "-ac", "1", "-f", "f32le", "-"]);
    floats(&output(&mut command))
}

/// The sound that GStreamer plays, mono.
pub fn sound_in_gstreamer(path: &Path) -> Vec<f32> {
    floats(&gst(
        path,
        "qtdemux name=d d.audio_0 ! queue ! decodebin ! audioconvert ! audio/x-raw,format=F32LE,channels=1",
    ))
}

/// Where `piece` lies in `source` near `expected`: the distance in samples, and how alike they are.
pub fn find_sound(source: &[f32], piece: &[f32], expected: i64) -> (i64, f64) {
    let energy = |samples: &[f32]| samples.iter().map(|s| f64::from(s * s)).sum::<f64>();
    (-1500..=1500)
        .filter_map(|shift| {
            let from = usize::try_from(expected + shift).ok()?;
            let part = source.get(from..from + piece.len())?;
            let product: f64 = part.iter().zip(piece).map(|(a, b)| f64::from(a * b)).sum();
            Some((
                shift,
                product / (energy(part) * energy(piece)).sqrt().max(1e-9),
            ))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap()
}

/// Fails unless exactly the frames `[from, to)` are shown.
pub fn assert_frames(shown: &[Option<u16>], from: i64, to: i64, what: &str) {
    let expected: Vec<Option<u16>> = (from..to).map(|n| Some(n as u16)).collect();
    if shown != expected {
        let brief = |list: &[Option<u16>]| {
            let head = &list[..list.len().min(6)];
            let tail = &list[list.len().saturating_sub(6)..];
            format!("{} frames {head:?} … {tail:?}", list.len())
        };
        let wrong = shown.iter().zip(&expected).position(|(a, b)| a != b);
        panic!(
            "{what}: {}, not {}; first difference at {wrong:?}",
            brief(shown),
            brief(&expected)
        );
    }
}
