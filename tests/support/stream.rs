//! A small stream that everything is known of: 12 seconds, a new shot every 30 frames, a tone that
//! stops between 4.4 and 7.6 seconds, in six chunks that begin with key frames.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::Work;
use super::media::tool;

/// Frames of a chunk, at 25 a second.
pub const CHUNK_FRAMES: u64 = 50;
/// Frames of all chunks.
pub const FRAMES: u64 = 300;
/// The first frames of shots, but for the very first.
pub const CUTS: [u64; 9] = [30, 60, 90, 120, 150, 180, 210, 240, 270];
/// The chunks.
pub const CHUNKS: [&str; 6] = ["c00.ts", "c01.ts", "c02.ts", "c03.ts", "c04.ts", "c05.ts"];

/// What holds a directory that tests share, and that two runs of the tests do not.
pub struct Shared {
    pub dir: PathBuf,
    _lock: File,
}

impl Shared {
    /// An empty directory below the target directory; it stays, to be looked at.
    pub fn new(name: &str) -> Shared {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e");
        fs::create_dir_all(&root).unwrap();
        let lock = File::create(root.join(format!("{name}.lock"))).unwrap();
        lock.lock().unwrap();
        let dir = root.join(name);
        if dir.exists() {
            fs::remove_dir_all(&dir).unwrap();
        }
        fs::create_dir_all(&dir).unwrap();
        Shared { dir, _lock: lock }
    }
}

/// The directory with the chunks.
pub fn chunks() -> &'static Path {
    static CHUNKS: OnceLock<Shared> = OnceLock::new();
    &CHUNKS
        .get_or_init(|| {
            let shared = Shared::new("stream");
            make(&shared.dir);
            shared
        })
        .dir
}

fn make(dir: &Path) {
    let shot = |source: &str| format!("{source}s=320x180:r=25:d=1.2,format=yuv420p");
    let filter = format!(
        "{}[a];{}[b];{}[c];{}[d];{}[e];[a][b][c][d][e]concat=n=5,setsar=1,\
         loop=loop=1:size=150:start=0[v];\
         aevalsrc=0.2*sin(2*PI*440*t)*(lt(t\\,4.4)+gte(t\\,7.6)):s=48000:d=12[s]",
        shot("testsrc2="),
        shot("smptehdbars="),
        shot("color=navy:"),
        shot("rgbtestsrc="),
        shot("color=orange:"),
    );
    let keys = "keyint=50:min-keyint=50:scenecut=0";
    let args = [
        "-filter_complex",
        &filter,
        "-map",
        "[v]",
        "-map",
        "[s]",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-x264-params",
        keys,
        "-bf",
        "2",
        "-c:a",
        "aac",
        "-f",
        "hls",
        "-hls_time",
        "2",
        "-hls_list_size",
        "0",
        "-hls_segment_filename",
    ];
    let names = dir.join("c%02d.ts");
    let list = dir.join("index.m3u8");
    let args = args.iter().map(std::ffi::OsStr::new);
    tool("ffmpeg", args.chain([names.as_os_str(), list.as_os_str()]));
    for chunk in CHUNKS {
        assert!(dir.join(chunk).is_file(), "FFmpeg made no {chunk}");
    }
}

/// How a playlist is written.
#[derive(Clone, Copy)]
pub struct Playlist {
    /// Whether each chunk has its EXT-X-PROGRAM-DATE-TIME.
    pub dated: bool,
    /// Whether it says that nothing follows.
    pub ended: bool,
}

/// A recording with times of day.
pub const DATED: Playlist = Playlist {
    dated: true,
    ended: true,
};
/// A recording without.
pub const UNDATED: Playlist = Playlist {
    dated: false,
    ended: true,
};

impl Playlist {
    /// The text for the first `number` chunks.
    pub fn text(self, number: usize) -> String {
        let mut text = String::from(
            "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n",
        );
        for (index, chunk) in CHUNKS.iter().enumerate().take(number) {
            if self.dated {
                let second = index * 2;
                let _ = writeln!(
                    text,
                    "#EXT-X-PROGRAM-DATE-TIME:2026-06-06T14:00:{second:02}.000Z"
                );
            }
            let _ = writeln!(text, "#EXTINF:2.000000,\n{chunk}");
        }
        if self.ended {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }
}

/// A spec that finds the shots and the silence.
pub const SPEC: &str = r#"[pipeline]
name = "shots"

[sources.tv]
type = "hls"
uri = "index.m3u8"

[operators.cuts]
type = "scene_change"
inputs = ["tv.video"]

[operators.quiet]
type = "audio_silence"
inputs = ["tv.audio"]

[operators.shot]
type = "segment_by_shot"
inputs = ["cuts"]

[operators.gap]
type = "segment_passthrough"
inputs = ["quiet"]
from = "ranges"

[replays.all]
inputs = ["shot"]
duration = "3s"
tolerance = "0s"
weights = { "cuts.hard_cut" = 1 }
"#;

/// A directory with the spec, a playlist and all chunks, to be spoiled.
pub fn copy(playlist: Playlist) -> Work {
    let work = Work::new();
    for chunk in CHUNKS {
        fs::copy(chunks().join(chunk), work.path(chunk)).unwrap();
    }
    work.write("index.m3u8", playlist.text(CHUNKS.len()));
    work.write("shots.toml", SPEC);
    work
}
