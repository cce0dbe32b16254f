//! The same work by others, in the same run: decoding alone by FFmpeg, and hard cuts by
//! PySceneDetect and by FFmpeg's scene filter, each against the whole of matchcut with one operator.
//! Whoever is not installed is left out with a line.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::Error;
use crate::material::Material;
use crate::process::{self, Took};
use crate::replay::program;
use crate::report::Section;
use crate::stats::Sample;

const SPEC: &str = include_str!("../scenes.toml");

/// Somebody who can be started.
struct Peer {
    name: &'static str,
    /// What is started to see whether it is there.
    look: (&'static str, &'static str),
    command: fn(&Path, usize) -> Command,
}

fn ffmpeg(playlist: &Path, threads: usize, filter: &[&str]) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin"]);
    command
        .args(["-threads", &threads.to_string(), "-i"])
        .arg(playlist);
    command.args(filter).args(["-an", "-f", "null", "-"]);
    command
}

const PEERS: [Peer; 3] = [
    Peer {
        name: "FFmpeg, decoding alone",
        look: ("ffmpeg", "-version"),
        command: |playlist, threads| ffmpeg(playlist, threads, &[]),
    },
    Peer {
        name: "FFmpeg, scene filter",
        look: ("ffmpeg", "-version"),
        command: |playlist, threads| ffmpeg(playlist, threads, &["-vf", "select=gt(scene\\,0.3)"]),
    },
    Peer {
        name: "PySceneDetect, detect-content",
        look: ("scenedetect", "version"),
        command: |playlist, _| {
            let mut command = Command::new("scenedetect");
            command
                .arg("-q")
                .arg("-i")
                .arg(playlist)
                .arg("detect-content");
            command
        },
    },
];

/// Each peer and matchcut in turn.
pub fn measure(
    material: &Material,
    out: &Path,
    pairs: usize,
    threads: usize,
) -> Result<Section, Error> {
    let spec = out.join("scenes.toml");
    fs::write(&spec, SPEC)?;
    let program = program()?;
    let ours = || {
        let mut command = Command::new(&program);
        command.arg("run").arg(&spec).arg("--set");
        command.arg(format!(
            "sources.programme.uri={}",
            material.playlist.display()
        ));
        command.args(["--clips", "none", "--decode-threads", &threads.to_string()]);
        command.arg("--out").arg(out.join("scenes")).arg("--force");
        process::run(&mut command)
    };
    ours()?;
    let about = format!(
        "Hard cuts on every frame by `matchcut run` with one operator and results in files, against \
         others on the same stream: {}. Median of {pairs} pairs of runs in turn; a ratio below 1 \
         says that matchcut takes less.",
        material.describe(),
    );
    let head = [
        "peer",
        "peer, s",
        "matchcut, s",
        "wall clock",
        "processor time",
    ];
    let mut section = Section::new("Peers", about, &head);
    for peer in &PEERS {
        if !process::is_there(peer.look.0, peer.look.1) {
            let cells = [peer.name, "not installed", "", "", ""];
            section.row(cells.map(str::to_owned));
            continue;
        }
        let mut measured: Vec<(Took, Took)> = Vec::new();
        for _ in 0..pairs {
            let other = process::run(&mut (peer.command)(&material.playlist, threads))?;
            measured.push((other, ours()?));
        }
        let ratio = |of: fn(&Took) -> f64| {
            let ratios = measured.iter().map(|(other, own)| of(own) / of(other));
            let sample = Sample::new(ratios);
            let (least, most) = sample.range();
            format!("**{:.2}** ({least:.2} to {most:.2})", sample.median())
        };
        let wall = |took: &Took| took.wall.as_secs_f64();
        let median = |times: Vec<f64>| format!("{:.2}", Sample::new(times).median());
        section.row([
            peer.name.to_owned(),
            median(measured.iter().map(|(other, _)| wall(other)).collect()),
            median(measured.iter().map(|(_, own)| wall(own)).collect()),
            ratio(|took| took.wall.as_secs_f64()),
            ratio(|took| took.processor.as_secs_f64().max(0.01)),
        ]);
    }
    Ok(section)
}
