//! What tests of playlists need: playlists over test material, a web server for a directory, and
//! players that say which frames they show.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code)]

mod server;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use matchcut_media::demux::demux;
use matchcut_media::hls::{
    ClipMarks, HlsChunk, InstantError, InstantReport, PlaylistClip, VodPlaylist, instant,
};
use matchcut_media::samples::Demuxed;
use matchcut_model::chunk::{Container, Encryption, Resource};
use matchcut_model::time::{MediaTime, TimeRange};

pub use server::Server;

use crate::common::*;

/// Chunks of test material, as a playlist beside them names them.
pub struct Stream {
    pub material: Material,
    pub dir: PathBuf,
    pub chunks: Vec<Demuxed>,
    pub files: Vec<String>,
    pub init: Option<Resource>,
    pub encryption: Option<Encryption>,
}

impl Stream {
    /// The chunks of the material.
    pub fn of(material: Material) -> Option<Stream> {
        let dir = material.make()?;
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        Some(Stream {
            material,
            chunks: material.chunks(&dir),
            files: material.paths(&dir).iter().map(name).collect(),
            init: material.fmp4.then(|| Resource::whole("init.mp4")),
            encryption: None,
            dir,
        })
    }

    /// The same pictures and sound in fragmented MP4: chunks of 4 s with a fragment for each group.
    pub fn in_fragments(material: Material) -> Option<Stream> {
        let source = material.make()?;
        let dir =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fragments-{}", material.name));
        if !dir.is_dir() {
            let work = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let all = work.path().join("all.mp4");
            let mut command = Command::new("ffmpeg");
            command
                .args(["-v", "error", "-i"])
                .arg(source.join("index.m3u8"));
            command.args([
                "-c",
                "copy",
                "-bsf:a",
                "aac_adtstoasc",
                "-f",
                "mp4",
                "-movflags",
            ]);
            command
                .arg("+frag_keyframe+delay_moov+default_base_moof")
                .arg(&all);
            run(&mut command);
            split(&std::fs::read(&all).unwrap(), work.path());
            std::fs::remove_file(&all).unwrap();
            if std::fs::rename(work.path(), &dir).is_ok() {
                let _ = work.keep();
            }
        }
        let init = std::fs::read(dir.join("init.mp4")).unwrap();
        let files: Vec<String> = (0..3).map(|number| format!("c{number:03}.m4s")).collect();
        let read = |name: &String| {
            let bytes = std::fs::read(dir.join(name)).unwrap().into();
            demux(Container::FragmentedMp4, Some(&init), &bytes).unwrap()
        };
        Some(Stream {
            material: Material {
                fmp4: true,
                ..material
            },
            chunks: files.iter().map(read).collect(),
            files,
            init: Some(Resource::whole("init.mp4")),
            encryption: None,
            dir,
        })
    }

    /// A clip of frames, whose chunks are divided where that is possible.
    pub fn clip(&self, from: i64, to: i64) -> Result<(PlaylistClip, InstantReport), InstantError> {
        let first = |demuxed: &Demuxed| {
            let video = demuxed.video.as_ref().unwrap();
            let pts = video.samples.iter().map(|sample| sample.pts);
            MediaTime::from_ticks(pts.min().unwrap(), video.timescale)
        };
        let offset = -first(&self.chunks[0]);
        let media: Vec<Resource> = self
            .files
            .iter()
            .map(|name| Resource {
                encryption: self.encryption.clone(),
                ..Resource::whole(name)
            })
            .collect();
        let mut at = 0;
        let mut chunks = Vec::new();
        for (index, demuxed) in self.chunks.iter().enumerate() {
            let frames = demuxed.video.as_ref().unwrap().samples.len() as i64;
            let bytes = std::fs::metadata(self.dir.join(&self.files[index])).unwrap();
            chunks.push(HlsChunk {
                demuxed,
                offset,
                media: &media[index..=index],
                init: self.init.as_ref(),
                container: if self.material.fmp4 {
                    Container::FragmentedMp4
                } else {
                    Container::MpegTs
                },
                bytes: Some(bytes.len()),
                span: TimeRange::new(self.material.time(at), self.material.time(at + frames)),
                divisible: true,
            });
            at += frames;
        }
        let (from, to) = (self.material.time(from), self.material.time(to));
        instant(&chunks, TimeRange::new(from, to))
    }

    /// A playlist of clips of frames, with their marks, and the frames that it plays.
    pub fn playlist(&self, clips: &[(i64, i64)]) -> (VodPlaylist, Vec<i64>) {
        let mut playlist = VodPlaylist::default();
        let mut frames = Vec::new();
        for (number, (from, to)) in clips.iter().enumerate() {
            let (mut clip, report) = self.clip(*from, *to).unwrap();
            let rate = self.material.frame_rate();
            let half = MediaTime::from_flicks(rate.frame_duration().flicks() / 2);
            let frame = |time: MediaTime| rate.frame_at(time + half);
            frames.extend(frame(report.played.start)..frame(report.played.end));
            clip.program_date_time = Some(report.played.start.to_ticks(1_000_000));
            clip.marks = Some(ClipMarks {
                id: format!("clip{number}"),
                label: None,
                mark_in: report.early,
                mark_out: self.material.time(*to) - report.played.start,
            });
            playlist.clips.push(clip);
        }
        (playlist, frames)
    }

    /// Writes a playlist beside the chunks.
    pub fn write(&self, name: &str, playlist: &VodPlaylist) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, playlist.to_m3u8()).unwrap();
        path
    }
}

/// Divides a fragmented MP4 into an initialization section and chunks of two fragments.
fn split(all: &[u8], dir: &Path) {
    let mut parts: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let (mut at, mut fragments) = (0, 0usize);
    while at + 8 <= all.len() {
        let size = u32::from_be_bytes(all[at..at + 4].try_into().unwrap()) as usize;
        let name = match &all[at + 4..at + 8] {
            b"ftyp" | b"moov" => "init.mp4".to_owned(),
            b"moof" | b"mdat" => {
                fragments += usize::from(&all[at + 4..at + 8] == b"moof");
                format!("c{:03}.m4s", (fragments - 1) / 2)
            }
            _ => "rest".to_owned(),
        };
        parts.entry(name).or_default().extend(&all[at..at + size]);
        at += size;
    }
    assert_eq!(fragments, 6, "a fragment for each group");
    parts.remove("rest");
    for (name, bytes) in parts {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

/// Numbers of the frames that GStreamer's HLS player delivers; `element` is `uridecodebin` (hlsdemux)
/// or `uridecodebin3` (hlsdemux2).
pub fn frames_in_gstreamer_player(element: &str, uri: &str) -> Vec<Option<u16>> {
    let out = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new("timeout");
    command.args(["60", "gst-launch-1.0", "-q", element]);
    command.args([&format!("uri={uri}"), "!", "video/x-raw", "!"]);
    command.args("videocrop left=64 top=64 right=64 bottom=232 ! videoconvert !".split(' '));
    command.args(["video/x-raw,format=GRAY8", "!", "filesink"]);
    command.arg(format!("location={}", out.path().display()));
    run(&mut command);
    numbers(&std::fs::read(out.path()).unwrap())
}

struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens a page in Chromium and waits for what it posts to `/result`.
pub fn browse(server: &Server, page: &str) -> serde_json::Value {
    let profile = tempfile::tempdir().unwrap();
    let child = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--mute-audio",
        ])
        .args(["--no-first-run", "--disable-dev-shm-usage"])
        .args(["--remote-debugging-port=0"])
        .arg("--autoplay-policy=no-user-gesture-required")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(server.url(page))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let browser = Browser(child);
    let result = server.result(Duration::from_secs(90));
    drop(browser);
    let text = result.expect("Chromium did not answer");
    serde_json::from_str(&text).unwrap()
}

/// hls.js, where `make setup-test` has installed it and there is a Chromium.
pub fn hls_js() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join("tests/browser/node_modules/hls.js/dist/hls.min.js");
    if !path.is_file() {
        eprintln!("skipped: no hls.js; scripts/setup.sh test installs it with npm");
        return None;
    }
    if !has("chromium") {
        eprintln!("skipped: no chromium");
        return None;
    }
    Some(path)
}
