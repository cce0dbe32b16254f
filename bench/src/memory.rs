//! Peak memory of a run, and of one that is longer: what an event needs must not depend on how long
//! it has been running.

use crate::Error;
use crate::analysis::RECENT_BYTES;
use crate::child::{self, Task};
use crate::material::{Material, SECONDS, TIMES};
use crate::report::Section;

/// The longer run may need so many times the memory of the short one.
const LIMIT: f64 = 1.25;

/// Both runs.
pub fn measure(material: &Material, threads: usize) -> Result<Section, Error> {
    let head = ["media", "frames", "peak memory, MiB", "ratio"];
    let about = format!(
        "The run of `analysis`, and the same {TIMES} times in a row as one event with \
         discontinuities. Peak of the resident set of the process: {threads} decoders with their \
         frames, chunks under way, and {} MiB of recent media for clips (256 unless told).",
        RECENT_BYTES >> 20,
    );
    let mut section = Section::new("Memory", about, &head);
    let mut peaks = Vec::new();
    let runs = [(&material.playlist, 1), (&material.long, TIMES)];
    for (playlist, times) in runs {
        let run = child::measure(Task::Run, playlist, threads)?;
        peaks.push(run.peak);
        let ratio = run.peak as f64 / peaks[0] as f64;
        section.row([
            format!("{} s", u64::from(SECONDS) * times as u64),
            run.frames.to_string(),
            format!("{:.0}", run.peak as f64 / f64::from(1 << 20)),
            format!("{ratio:.2}"),
        ]);
    }
    let ratio = peaks[peaks.len() - 1] as f64 / peaks[0] as f64;
    let text =
        format!("{ratio:.2} times the memory for {TIMES} times the media, at most {LIMIT} allowed");
    section.verdict(text, ratio <= LIMIT);
    Ok(section)
}
