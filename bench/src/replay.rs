//! Highlights of a real match again from what was recorded of it: what somebody waits for who tunes a
//! spec. The whole program, from its start to the last file of results.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Took};
use crate::report::Section;
use crate::stats::Sample;
use crate::{Error, usopen};

const ANNOTATED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../demo/usopen2019/observations.jsonl"
);

/// As long as a person waits who has just changed a weight.
const LIMIT: Duration = Duration::from_millis(1500);

/// The program that is measured: `MATCHCUT`, else the one beside this program.
pub fn program() -> Result<PathBuf, Error> {
    if let Some(program) = std::env::var_os("MATCHCUT") {
        return Ok(program.into());
    }
    let beside = std::env::current_exe()?.with_file_name("matchcut");
    if beside.is_file() {
        return Ok(beside);
    }
    let beside = beside.display();
    Err(
        format!("{beside} is not there; build it (cargo build --release), or name it in MATCHCUT")
            .into(),
    )
}

/// Writes the match into a directory: `usopen.toml` and `observations.jsonl`; how many observations.
pub fn generate(annotated: &Path, seed: u64, dir: &Path) -> Result<usize, Error> {
    fs::create_dir_all(dir)?;
    fs::write(dir.join("usopen.toml"), usopen::SPEC)?;
    let text = fs::read(annotated)
        .map_err(|error| format!("{} cannot be read: {error}", annotated.display()))?;
    let mut out = BufWriter::new(File::create(dir.join("observations.jsonl"))?);
    let name = annotated.display().to_string();
    let count = usopen::write((&name, &text), seed, &mut out)?;
    out.flush()?;
    Ok(count)
}

/// `matchcut replay` on the generated match, several times.
pub fn measure(out: &Path, times: usize) -> Result<Section, Error> {
    let dir = out.join("usopen");
    let count = generate(Path::new(ANNOTATED), usopen::SEED, &dir)?;
    let program = program()?;
    let results = dir.join("results");
    let replay = || {
        let mut command = Command::new(&program);
        command.arg("replay").arg(dir.join("usopen.toml"));
        command
            .arg("--observations")
            .arg(dir.join("observations.jsonl"));
        command.arg("--out").arg(&results).arg("--force");
        process::run(&mut command)
    };
    // What is read from a disk once is read from memory later.
    replay()?;
    let took: Vec<Took> = (0..times).map(|_| replay()).collect::<Result<_, _>>()?;
    let of = |of: fn(&Took) -> f64| Sample::new(took.iter().map(of));
    let wall = of(|took| took.wall.as_secs_f64());
    let processor = of(|took| took.processor.as_secs_f64());
    let peak = of(|took| took.peak as f64 / f64::from(1 << 20));
    let about = format!(
        "The US Open final of 2019, 285 minutes, as it was annotated, with views at 5 a second and \
         levels around it (seed {}): {count} observations become the segments of three segmenters, \
         with marks and labels, and ten replays. `matchcut replay` as a process of its own, on one \
         worker, from its start to the last file of results, {times} times.",
        usopen::SEED,
    );
    let head = ["", "median", "fastest", "slowest"];
    let mut section = Section::new("Replay of a recorded match", about, &head);
    for (name, sample) in [
        ("wall clock, s", &wall),
        ("processor time, s", &processor),
        ("peak memory, MiB", &peak),
    ] {
        let (least, most) = sample.range();
        let show = |value: f64| match value < 100.0 {
            true => format!("{value:.2}"),
            false => format!("{value:.0}"),
        };
        section.row([
            name.to_owned(),
            show(sample.median()),
            show(least),
            show(most),
        ]);
    }
    let (median, limit) = (wall.median(), LIMIT.as_secs_f64());
    section.verdict(
        format!("{median:.2} s, at most {limit} s allowed"),
        median <= limit,
    );
    Ok(section)
}
