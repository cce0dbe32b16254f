//! Media as FFmpeg sees it, which shares no code with the program under test.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a tool of FFmpeg; what it printed.
pub fn tool<A: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = A>) -> String {
    let output = try_tool(name, args);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{name}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a tool of FFmpeg that may fail.
pub fn try_tool<A: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = A>) -> Output {
    let args: Vec<A> = args.into_iter().collect();
    let output = Command::new(name)
        .args(["-v", "error"])
        .args(&args)
        .output();
    output.unwrap_or_else(|error| {
        panic!("these tests need {name}, of the package ffmpeg (make setup-test): {error}")
    })
}

/// The number of pictures that come out of a decoder.
pub fn frames(path: &Path) -> usize {
    let count = "stream=nb_read_frames";
    let options = [
        "-count_frames",
        "-select_streams",
        "v:0",
        "-show_entries",
        count,
    ];
    let mut args: Vec<&OsStr> = options.iter().map(OsStr::new).collect();
    args.extend(["-of", "csv=p=0", "-allowed_extensions", "ALL"].map(OsStr::new));
    if path.extension() != Some(OsStr::new("m3u8")) {
        args.truncate(args.len() - 2);
    }
    args.push(path.as_os_str());
    let said = tool("ffprobe", args);
    said.split([',', '\n'])
        .find_map(|word| word.trim().parse().ok())
        .unwrap_or(0)
}

/// A fingerprint of every picture, in order of presentation.
pub fn pictures(path: &Path) -> Vec<String> {
    let path = path.as_os_str();
    let args = ["-i".as_ref(), path, "-map".as_ref(), "0:v:0".as_ref()];
    let rest = ["-fps_mode", "passthrough", "-f", "framemd5", "-"].map(OsStr::new);
    let said = tool("ffmpeg", args.into_iter().chain(rest));
    let picture = |line: &str| line.rsplit(',').next().unwrap().trim().to_owned();
    said.lines()
        .filter(|line| !line.starts_with('#'))
        .map(picture)
        .collect()
}

/// The length of the sound in seconds.
pub fn sound(path: &Path) -> f64 {
    let path = path.as_os_str();
    let args = ["-i".as_ref(), path, "-map".as_ref(), "0:a:0".as_ref()];
    let rest = ["-ac", "1", "-ar", "48000", "-f", "framecrc", "-"].map(OsStr::new);
    let said = tool("ffmpeg", args.into_iter().chain(rest));
    let samples = |line: &str| {
        line.split(',')
            .nth(3)
            .unwrap()
            .trim()
            .parse::<u64>()
            .unwrap()
    };
    let sum: u64 = said
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(samples)
        .sum();
    sum as f64 / 48_000.0
}
