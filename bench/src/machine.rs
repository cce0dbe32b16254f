//! What was measured where: facts that a reader needs to judge the figures.

use std::fs;
use std::process::Command;

/// Facts of this machine and of what is measured; what cannot be found out is left out.
pub fn describe() -> Vec<(&'static str, String)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let facts = [
        ("commit", commit()),
        ("processor", field("/proc/cpuinfo", "model name")),
        ("cores", Some(cores.to_string())),
        ("memory", field("/proc/meminfo", "MemTotal")),
        ("system", line("/proc/version").map(|v| first_words(&v, 3))),
        ("decoder", first_line("gst-inspect-1.0", &["--version"])),
        (
            "peer",
            first_line("ffmpeg", &["-version"]).map(|v| first_words(&v, 3)),
        ),
        (
            "load when it began (1, 5, 15 min)",
            line("/proc/loadavg").map(|v| first_words(&v, 3)),
        ),
    ];
    facts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn commit() -> Option<String> {
    let commit = first_line("git", &["rev-parse", "--short", "HEAD"])?;
    let changed = first_line("git", &["status", "--porcelain", "--untracked-files=no"]);
    Some(if changed.is_some() {
        format!("{commit} with changes")
    } else {
        commit
    })
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn line(file: &str) -> Option<String> {
    fs::read_to_string(file)
        .ok()?
        .lines()
        .next()
        .map(str::to_owned)
}

fn first_words(text: &str, number: usize) -> String {
    text.split_whitespace()
        .take(number)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The first line that a program prints, unless it fails or prints nothing.
fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    output
        .status
        .success()
        .then(|| text.lines().next().map(str::to_owned))?
}
