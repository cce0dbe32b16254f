//! Clips that are made of clips: repeated until they are long, and mixed into one another where it
//! is known to the frame. ffmpeg makes them once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::process;

/// How long a repeated clip is, in seconds.
pub(super) const LONG: u32 = 60;

/// The clip over and over, not encoded again.
pub(super) fn repeated(clip: &Path, out: &Path) -> Result<PathBuf, Error> {
    let name = clip.file_name().ok_or("a clip without a name")?;
    let dir = out.join("long");
    make(&dir, Path::new(name), |path| {
        let mut command = ffmpeg();
        command.args(["-stream_loop", "-1", "-i"]).arg(clip);
        command.args(["-t", &LONG.to_string(), "-map", "0:v:0", "-c", "copy"]);
        command.arg(path);
        command
    })
}

/// A transition that is known: what it is, and the last frame before and the first after it.
pub(super) struct Mixed {
    pub(super) path: PathBuf,
    pub(super) kind: &'static str,
    pub(super) frames: [u64; 2],
}

/// Frames a second, and frames that are shown before a transition begins.
const RATE: u64 = 25;
const BEFORE: u64 = 60;

/// Two clips with dissolves and fades of several lengths between them.
pub(super) fn mixed(clips: [&Path; 2], out: &Path) -> Result<Vec<Mixed>, Error> {
    let names = [
        ("dissolve", "fade"),
        ("fade_out", "fadeblack"),
        ("fade_out", "fadewhite"),
    ];
    let mut made = Vec::new();
    for (kind, transition) in names {
        for frames in [10, 25, 50] {
            made.push(mix(clips, out, kind, transition, frames)?);
        }
    }
    Ok(made)
}

fn mix(
    [from, to]: [&Path; 2],
    out: &Path,
    kind: &'static str,
    transition: &str,
    frames: u64,
) -> Result<Mixed, Error> {
    let stem = |path: &Path| {
        path.file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let name = format!("{}-{}-{transition}-{frames}.mp4", stem(from), stem(to));
    let seconds = |frames: u64| frames as f64 / RATE as f64;
    let same = format!("scale=640:360,setsar=1,fps={RATE},format=yuv420p,settb=1/{RATE}");
    let graph = if transition == "fade" {
        format!(
            "[0:v]{same},trim=end_frame={}[a];[1:v]{same}[b];\
             [a][b]xfade=transition=fade:duration={}:offset={}",
            BEFORE + frames,
            seconds(frames),
            seconds(BEFORE),
        )
    } else {
        let color = transition.trim_start_matches("fade");
        format!(
            "[0:v]{same},trim=end_frame={},fade=out:{BEFORE}:{frames}:color={color}[a];\
             [1:v]{same},fade=in:0:{frames}:color={color}[b];[a][b]concat=n=2",
            BEFORE + frames,
        )
    };
    let path = make(&out.join("mixed"), Path::new(&name), |path| {
        let mut command = ffmpeg();
        command.args(["-t", "6", "-i"]).arg(from);
        command.args(["-t", "6", "-i"]).arg(to);
        command.args(["-filter_complex", &graph, "-an", "-frames:v", "200"]);
        command.args(["-c:v", "libx264", "-preset", "veryfast", "-crf", "23"]);
        command.arg(path);
        command
    })?;
    Ok(Mixed {
        path,
        kind,
        frames: [BEFORE, BEFORE + frames],
    })
}

fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
    command
}

/// Makes a file under another name until it is complete, if it is not there.
fn make(dir: &Path, name: &Path, command: impl Fn(&Path) -> Command) -> Result<PathBuf, Error> {
    let path = dir.join(name);
    if !path.is_file() {
        let making = dir.join("making");
        fs::create_dir_all(&making)?;
        let making = making.join(name);
        process::run(&mut command(&making))?;
        fs::rename(&making, &path)?;
    }
    Ok(path)
}
