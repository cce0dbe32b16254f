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

/// The mean luma of every picture.
pub fn lumas(path: &Path) -> Vec<f64> {
    let print = "signalstats,metadata=print:key=lavfi.signalstats.YAVG:file=-";
    let before = ["-allowed_extensions", "ALL"].map(OsStr::new).into_iter();
    let before = before.filter(|_| path.extension() == Some(OsStr::new("m3u8")));
    let args = before.chain(["-i".as_ref(), path.as_os_str()]);
    let rest = [
        "-map",
        "0:v:0",
        "-fps_mode",
        "passthrough",
        "-vf",
        print,
        "-f",
        "null",
        "-",
    ];
    let said = tool("ffmpeg", args.chain(rest.map(OsStr::new)));
    let values = said
        .lines()
        .filter_map(|line| line.strip_prefix("lavfi.signalstats.YAVG="));
    values.map(|number| number.parse().unwrap()).collect()
}

/// A fingerprint of every picture, in order of presentation.
pub fn pictures(path: &Path) -> Vec<String> {
    // Keys and chunks may be called anything.
    let mut args = ["-allowed_extensions", "ALL"].map(OsStr::new).to_vec();
    if path.extension() != Some(OsStr::new("m3u8")) {
        args.clear();
    }
    args.extend(["-i".as_ref(), path.as_os_str()]);
    args.extend(
        [
            "-map",
            "0:v:0",
            "-fps_mode",
            "passthrough",
            "-f",
            "framemd5",
            "-",
        ]
        .map(OsStr::new),
    );
    let said = tool("ffmpeg", args);
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

/// How strong two tones are in the sound of a file, from 0 to 1 for a sine at full scale.
pub fn tones(path: &Path, hertz: [f64; 2]) -> [f64; 2] {
    const RATE: f64 = 8000.0;
    let path = path.as_os_str();
    let args = ["-v", "error", "-i"].map(OsStr::new);
    let rest = [
        "-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f", "s16le", "-",
    ]
    .map(OsStr::new);
    let output = Command::new("ffmpeg")
        .args(args.into_iter().chain([path]).chain(rest))
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let samples: Vec<f64> = output
        .stdout
        .chunks_exact(2)
        .map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0)
        .collect();
    hertz.map(|hertz| {
        let (mut cosine, mut sine) = (0.0, 0.0);
        for (number, sample) in samples.iter().enumerate() {
            let angle = std::f64::consts::TAU * hertz * number as f64 / RATE;
            (cosine, sine) = (cosine + sample * angle.cos(), sine + sample * angle.sin());
        }
        2.0 * f64::hypot(cosine, sine) / samples.len().max(1) as f64
    })
}

/// Width and height of the pictures.
pub fn size(path: &Path) -> (u32, u32) {
    let options = [
        "-select_streams",
        "v:0",
        "-show_entries",
        "stream=width,height",
        "-of",
        "csv=p=0",
    ];
    let args = options.iter().map(OsStr::new);
    let said = tool("ffprobe", args.chain([path.as_os_str()]));
    let mut numbers = said.trim().split(',').map(|word| word.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}
