//! Peak memory of a run, and of one that is much longer: what an event needs must hardly depend on
//! how long it has been running. Low resolution, so that three hours are over in minutes.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::material::Low;
use crate::plot::Plot;
use crate::process;
use crate::replay::program;
use crate::report::Section;

const SPEC: &str = include_str!("../memory.toml");

/// The longer run, less what its segments may take, may need so many times the memory of the short.
const LIMIT: f64 = 1.1;

/// So much may be kept for each segment.
const FOR_A_SEGMENT: u64 = 20_000;

/// Lengths of media in minutes.
const SHORT: u32 = 5;
/// See [`SHORT`].
pub const LONG: u32 = 180;

/// Which threads have their largest chunk at the same moment differs from run to run.
const RUNS: usize = 5;

/// One run.
struct Ran {
    peak: u64,
    segments: usize,
    /// Seconds by the clock, and MiB.
    over_time: Vec<(f64, f64)>,
}

fn run(low: &Low, minutes: u32, out: &Path) -> Result<Ran, Error> {
    let playlist = low.playlist(minutes)?;
    let spec = out.join("memory.toml");
    fs::write(&spec, SPEC)?;
    let results = out.join(format!("memory_{minutes}"));
    let mut command = Command::new(program()?);
    command.arg("run").arg(&spec);
    command.arg("--set").arg(format!(
        "sources.programme.uri={}",
        std::path::absolute(&playlist)?.display()
    ));
    command.arg("--out").arg(&results).arg("--force");
    command.args(["--clips", "instant"]);
    let mut over_time = Vec::new();
    let took = process::sampled(&mut command, Duration::from_millis(100), |at, now| {
        over_time.push((at.as_secs_f64(), now as f64 / f64::from(1 << 20)));
    })?;
    let segments = fs::read_to_string(results.join("segments.jsonl"))?;
    Ok(Ran {
        peak: took.peak,
        segments: segments.lines().count(),
        over_time,
    })
}

/// The run of which the peak is the middle one of [`RUNS`].
fn middle(low: &Low, minutes: u32, out: &Path) -> Result<Ran, Error> {
    let mut ran: Vec<Ran> = (0..RUNS)
        .map(|_| run(low, minutes, out))
        .collect::<Result<_, _>>()?;
    ran.sort_by_key(|ran| ran.peak);
    Ok(ran.swap_remove(RUNS / 2))
}

/// Both lengths; the longer one has `minutes` of media.
pub fn measure(out: &Path, minutes: u32) -> Result<Section, Error> {
    let low = Low::ready(out)?;
    let short = middle(&low, SHORT, out)?;
    let long = middle(&low, minutes, out)?;
    let about = format!(
        "{}, played again and again with discontinuities as one event: scene changes, colour, sound, \
         a segmenter with marks and labels, and a catch-up replay, with playlists as clips. Peak of \
         the resident set of the whole process; the middle one of {RUNS} runs.",
        low.describe(),
    );
    let head = [
        "media",
        "segments",
        "peak memory, MiB",
        "less 20 kB a segment",
    ];
    let mut section = Section::new("Memory", about, &head);
    let less = |ran: &Ran| ran.peak.saturating_sub(FOR_A_SEGMENT * ran.segments as u64);
    let mib = |bytes: u64| format!("{:.0}", bytes as f64 / f64::from(1 << 20));
    for (minutes, ran) in [(SHORT, &short), (minutes, &long)] {
        section.row([
            format!("{minutes} min"),
            ran.segments.to_string(),
            mib(ran.peak),
            mib(less(ran)),
        ]);
    }
    let ratio = less(&long) as f64 / short.peak as f64;
    section.verdict(
        format!(
            "{ratio:.2} times the memory of {SHORT} minutes for {minutes} minutes, less 20 kB a \
             segment; at most {LIMIT} allowed"
        ),
        ratio <= LIMIT,
    );
    section.plot(Plot::Lines {
        title: format!("Resident memory of a run on {minutes} minutes of media"),
        along: "seconds by the clock",
        unit: "MiB",
        rows: vec![
            ("resident".to_owned(), long.over_time),
            (format!("of {SHORT} minutes"), short.over_time),
        ],
    });
    Ok(section)
}
