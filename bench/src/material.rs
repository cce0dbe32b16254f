//! The stream that is measured: a minute of the recorded programme, made as large and as rich in
//! bits as a broadcast contribution. Generated at first use, since it is too big to ship.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::media_list::{self, Listed};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/programme/index.m3u8");

/// Length of the stream in seconds, and of its chunks.
pub const SECONDS: u32 = 60;
/// See [`SECONDS`].
pub const CHUNK_SECONDS: u32 = 6;

/// Where the break, then the game of the programme begin.
const FROM: &str = "30";

/// 1080p30 with some noise, so that the encoder has to spend the bits that it is given.
const PICTURE: &str = "scale=1920:1080:flags=bicubic,fps=30,noise=alls=8:allf=t";

/// H.264 High in closed groups of 2 s at 5.5 Mbit/s, AAC at 128 kbit/s.
const ENCODING: &str = "-c:v libx264 -profile:v high -preset veryfast -pix_fmt yuv420p \
    -b:v 5500k -maxrate 6500k -bufsize 11000k -g 60 -keyint_min 60 -sc_threshold 0 -flags +cgop \
    -c:a aac -b:a 128k -ar 48000 -ac 2";

/// The generated stream.
pub struct Material {
    /// Its playlist.
    pub playlist: PathBuf,
    /// Bits a second.
    bit_rate: u64,
}

impl Material {
    /// The material in `out/material`, generated if it is not there.
    pub fn ready(out: &Path) -> Result<Self, Error> {
        let out = std::path::absolute(out)?;
        let dir = out.join("material");
        if !dir.join("index.m3u8").is_file() {
            // Under another name until it is complete.
            let making = out.join("material.making");
            fs::create_dir_all(&making)?;
            eprintln!("generating {SECONDS} s of 1080p30, once; this takes a minute or two");
            generate(&making)?;
            fs::rename(&making, &dir)?;
        }
        let playlist = dir.join("index.m3u8");
        let mut bytes = 0;
        for chunk in chunks(&playlist)? {
            bytes += fs::metadata(chunk)?.len();
        }
        Ok(Material {
            playlist,
            bit_rate: bytes * 8 / u64::from(SECONDS),
        })
    }

    /// A playlist of so many minutes.
    pub fn again_and_again(&self, minutes: u32) -> Result<PathBuf, Error> {
        let wanted = (minutes * 60).div_ceil(CHUNK_SECONDS) as usize;
        let path = self
            .playlist
            .with_file_name(format!("minutes_{minutes}.m3u8"));
        repeat(&self.playlist, wanted, path)
    }

    /// What it is, in words.
    pub fn describe(&self) -> String {
        let megabits = self.bit_rate as f64 / 1e6;
        format!(
            "{SECONDS} s of 1920x1080 at 30 frames a second, H.264 High and AAC, \
             {megabits:.1} Mbit/s, chunks of {CHUNK_SECONDS} s"
        )
    }
}

/// The whole programme, small: what can be played for hours.
pub struct Low {
    dir: PathBuf,
}

/// 256x144 at 25 frames a second, in closed groups of 2 s.
const LOW: &str = "-vf scale=256:144 -c:v libx264 -preset veryfast -crf 30 -g 50 -keyint_min 50 \
    -sc_threshold 0 -flags +cgop -c:a aac -b:a 48k -ac 1";

impl Low {
    /// The material in `out/low`, generated if it is not there.
    pub fn ready(out: &Path) -> Result<Self, Error> {
        let out = std::path::absolute(out)?;
        let dir = out.join("low");
        if !dir.join("index.m3u8").is_file() {
            let making = out.join("low.making");
            fs::create_dir_all(&making)?;
            let status = Command::new("ffmpeg")
                .args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"])
                .args(["-i", SOURCE])
                .args(LOW.split_whitespace())
                .args(["-f", "hls", "-hls_time", &CHUNK_SECONDS.to_string()])
                .args(["-hls_playlist_type", "vod", "-hls_segment_filename"])
                .arg(making.join("chunk_%03d.ts"))
                .arg(making.join("index.m3u8"))
                .status()
                .map_err(|error| format!("ffmpeg cannot be started ({error})"))?;
            if !status.success() {
                return Err(format!("ffmpeg ended with {status}").into());
            }
            fs::rename(&making, &dir)?;
        }
        Ok(Low { dir })
    }

    /// What it is, in words.
    pub fn describe(&self) -> String {
        format!(
            "The recorded programme at 256x144, 25 frames a second, chunks of {CHUNK_SECONDS} s"
        )
    }

    /// A playlist of so many minutes.
    pub fn playlist(&self, minutes: u32) -> Result<PathBuf, Error> {
        let wanted = (minutes * 60).div_ceil(CHUNK_SECONDS) as usize;
        let path = self.dir.join(format!("minutes_{minutes}.m3u8"));
        repeat(&self.dir.join("index.m3u8"), wanted, path)
    }
}

/// Writes a playlist of so many chunks beside one: its own, again and again, with discontinuities between.
fn repeat(playlist: &Path, wanted: usize, path: PathBuf) -> Result<PathBuf, Error> {
    let once = fs::read_to_string(playlist)?;
    let list = media_list::parse(&once);
    let length = list.chunks.len().max(1);
    let chunks: Vec<Listed> = list
        .chunks
        .iter()
        .cycle()
        .take(wanted)
        .enumerate()
        .map(|(index, chunk)| {
            let mut chunk = chunk.clone();
            if index > 0 && index % length == 0 {
                chunk.tags.insert(0, "#EXT-X-DISCONTINUITY".to_owned());
            }
            chunk
        })
        .collect();
    let target = Duration::from_secs(u64::from(CHUNK_SECONDS));
    fs::write(&path, media_list::write(chunks.iter(), target, true))?;
    Ok(path)
}

fn generate(dir: &Path) -> Result<(), Error> {
    let status = Command::new("ffmpeg")
        .args([
            "-hide_banner",
            "-loglevel",
            "error",
            "-nostdin",
            "-y",
            "-ss",
            FROM,
            "-i",
            SOURCE,
        ])
        .args(["-t", &SECONDS.to_string(), "-vf", PICTURE])
        .args(ENCODING.split_whitespace())
        .args([
            "-f",
            "hls",
            "-hls_time",
            &CHUNK_SECONDS.to_string(),
            "-hls_playlist_type",
            "vod",
        ])
        .arg("-hls_segment_filename")
        .arg(dir.join("chunk_%03d.ts"))
        .arg(dir.join("index.m3u8"))
        .status()
        .map_err(|error| format!("ffmpeg cannot be started ({error}); it generates the stream"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("ffmpeg ended with {status}").into())
    }
}

/// The chunks of a playlist as the generator writes it.
pub fn chunks(playlist: &Path) -> Result<Vec<PathBuf>, Error> {
    let dir = playlist.parent().unwrap_or(Path::new(""));
    let text = fs::read_to_string(playlist)?;
    let names = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(names.map(|name| dir.join(name)).collect())
}
