//! Material made by ffmpeg at test time, and a sink that keeps what it gets.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use matchcut_media::decode::{DecodeError, DecodePlan, DecodeReport, FrameSink, decode};
use matchcut_media::demux::demux;
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::Container;
use matchcut_model::frame::{AudioBlock, Frame};
use matchcut_model::time::{MediaTime, Timestamp};

/// A directory for the files of one test, emptied.
pub fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("decode")
        .join(name);
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// Runs ffmpeg with these arguments, split at blanks, in `dir`.
pub fn ffmpeg(dir: &Path, arguments: &str) {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-nostdin"])
        .args(arguments.split_whitespace())
        .current_dir(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffmpeg {arguments}: {said}");
}

/// The bytes of the chunks `c0.ts`, `c1.ts`, … of a directory.
pub fn chunk_bytes(dir: &Path) -> Vec<Vec<u8>> {
    (0..)
        .map(|n| dir.join(format!("c{n}.ts")))
        .take_while(|path| path.exists())
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

pub fn read_ts(bytes: Vec<u8>) -> Demuxed {
    demux(Container::MpegTs, None, &Bytes::from(bytes)).unwrap()
}

/// Encodes noise and moving shapes with `encoder` into chunks of one second with two audio tracks.
pub fn stream(name: &str, rate: &str, seconds: u32, encoder: &str) -> PathBuf {
    let dir = scratch(name);
    ffmpeg(
        &dir,
        &format!(
            "-f lavfi -i testsrc2=s=320x180:r={rate}:d={seconds},noise=alls=12:allf=t \
             -f lavfi -i anoisesrc=r=48000:d={seconds}:a=0.3:seed=5,aformat=channel_layouts=stereo \
             -f lavfi -i sine=r=44100:f=440:d={seconds} \
             -map 0:v -map 1:a -map 2:a -pix_fmt yuv420p {encoder} -threads 1 \
             -c:a aac -aac_pns 0 -flags:v -global_header -muxdelay 0 \
             -f hls -hls_time 1 -hls_list_size 0 \
             -hls_segment_filename c%d.ts index.m3u8"
        ),
    );
    dir
}

/// One frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub view: usize,
    pub pts: Timestamp,
    pub time: MediaTime,
    pub index: u64,
    pub width: u32,
    pub height: u32,
    pub data: Vec<u8>,
}

/// One block as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub track: u32,
    pub time: MediaTime,
    pub rate: u32,
    pub channels: u32,
    pub samples: Vec<f32>,
}

/// Keeps everything.
#[derive(Default)]
pub struct Keep {
    pub frames: Vec<Seen>,
    pub blocks: Vec<Heard>,
}

impl FrameSink for Keep {
    fn video(&mut self, view: usize, frame: &Frame<'_>) {
        self.frames.push(Seen {
            view,
            pts: frame.pts,
            time: frame.time,
            index: frame.index,
            width: frame.width,
            height: frame.height,
            data: frame.data.to_vec(),
        });
    }

    fn audio(&mut self, block: &AudioBlock<'_>) {
        self.blocks.push(Heard {
            track: block.track.0,
            time: block.time,
            rate: block.sample_rate,
            channels: block.channels,
            samples: block.samples.to_vec(),
        });
    }
}

pub fn run(
    chunk: &Demuxed,
    before: Option<&Demuxed>,
    plan: &DecodePlan,
) -> (Keep, Result<DecodeReport, DecodeError>) {
    let mut keep = Keep::default();
    let result = decode(chunk, before, plan, &mut keep);
    (keep, result)
}
