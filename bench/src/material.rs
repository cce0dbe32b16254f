//! The stream that is measured: a minute of the recorded programme, made as large and as rich in
//! bits as a broadcast contribution. Generated at first use, since it is too big to ship.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/programme/index.m3u8");

/// Length of the stream in seconds, and of its chunks.
pub const SECONDS: u32 = 60;
/// See [`SECONDS`].
pub const CHUNK_SECONDS: u32 = 6;

/// How often the long playlist plays the stream.
pub const TIMES: usize = 10;

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
    /// A playlist that plays it several times, with a discontinuity between.
    pub long: PathBuf,
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
        let long = dir.join("long.m3u8");
        fs::write(&long, repeated(&fs::read_to_string(&playlist)?, TIMES))?;
        let mut bytes = 0;
        for chunk in chunks(&playlist)? {
            bytes += fs::metadata(chunk)?.len();
        }
        Ok(Material {
            playlist,
            long,
            bit_rate: bytes * 8 / u64::from(SECONDS),
        })
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

/// A playlist that plays the chunks of another several times.
fn repeated(playlist: &str, times: usize) -> String {
    let is_body = |line: &&str| line.starts_with("#EXTINF") || !line.starts_with('#');
    let end = "#EXT-X-ENDLIST";
    let head = playlist
        .lines()
        .filter(|line| !is_body(line) && *line != end);
    let body: Vec<&str> = playlist.lines().filter(is_body).collect();
    let mut lines: Vec<&str> = head.collect();
    for time in 0..times {
        if time > 0 {
            lines.push("#EXT-X-DISCONTINUITY");
        }
        lines.extend(&body);
    }
    lines.push(end);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_repeated_playlist_has_discontinuities_between() {
        let once = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6.0,\na.ts\n#EXT-X-ENDLIST\n";
        assert_eq!(
            super::repeated(once, 2),
            "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6.0,\na.ts\n#EXT-X-DISCONTINUITY\n\
             #EXTINF:6.0,\na.ts\n#EXT-X-ENDLIST\n"
        );
    }
}
