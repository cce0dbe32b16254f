//! Runs matchcut on a clip and reads what its operators observed, by frame number.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value};

use crate::Error;
use crate::process::{self, Took};
use crate::replay::program;

/// An observation: the frames at which it begins and ends, and what it says.
pub(super) struct Found {
    pub(super) frames: [u64; 2],
    pub(super) attributes: Map<String, Value>,
}

/// A spec with one operator that looks at one file.
pub(super) fn spec(operator: &str) -> String {
    format!(
        "[pipeline]\nname = \"quality\"\n\n[sources.programme]\ntype = \"file\"\nuri = \"clip\"\n\n\
         [operators.found]\ninputs = [\"programme.video\"]\n{operator}\n"
    )
}

/// The program with a spec, without clips.
pub(super) fn command(spec: &Path, clip: &Path, out: &Path) -> Result<Command, Error> {
    let mut command = Command::new(program()?);
    command.arg("run").arg(spec).arg("--set");
    command.arg(format!("sources.programme.uri={}", clip.display()));
    command
        .args(["--clips", "none", "--force", "--out"])
        .arg(out);
    Ok(command)
}

/// Runs one operator on a clip; what it says is left in `out`.
pub(super) fn run(operator: &str, clip: &Path, out: &Path) -> Result<Took, Error> {
    let path = out.join("spec.toml");
    fs::write(&path, spec(operator))?;
    process::run(&mut command(&path, clip, &out.join("results"))?)
}

/// What an operator observes in a clip, in order of time.
pub(super) fn observe(operator: &str, clip: &Path, out: &Path) -> Result<Vec<Found>, Error> {
    run(operator, clip, out)?;
    observations(&out.join("results"), clip)
}

/// When each frame of a clip is shown, in seconds after the first, as ffprobe says.
fn frame_times(clip: &Path) -> Result<Vec<f64>, Error> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0"])
        .args(["-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(clip)
        .output()
        .map_err(|error| format!("ffprobe cannot be started: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let words = text.split([',', '\n']).map(str::trim);
    let mut times: Vec<f64> = words.filter_map(|word| word.parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    let first = times.first().copied().unwrap_or_default();
    Ok(times.into_iter().map(|time| time - first).collect())
}

/// The observations of a run on a clip. Frames are counted one by one, also where the clip pauses, as
/// they are in the annotations.
pub(super) fn observations(results: &Path, clip: &Path) -> Result<Vec<Found>, Error> {
    let times = frame_times(clip)?;
    let frame = |at: f64| {
        let after = times.partition_point(|time| *time < at);
        let before = after.saturating_sub(1);
        let distance = |index: usize| times.get(index).map_or(f64::MAX, |time| (time - at).abs());
        if distance(before) < distance(after) {
            before
        } else {
            after
        }
    };
    let path = results.join("observations.jsonl");
    let text = fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let mut found: Vec<Found> = text
        .lines()
        .filter_map(|line| {
            let row: Value = serde_json::from_str(line).ok()?;
            let (start, end) = (row.get("start")?.as_f64()?, row.get("end")?.as_f64()?);
            Some(Found {
                frames: [frame(start) as u64, frame(end) as u64],
                attributes: row.get("attributes")?.as_object()?.clone(),
            })
        })
        .collect();
    found.sort_by_key(|found| found.frames);
    Ok(found)
}
