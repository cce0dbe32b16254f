//! What a run on a playback is told as: latencies by stage, and what an hour of media costs.

use std::fs;
use std::path::Path;

use crate::disturb::Plan;
use crate::latency::{Measured, Stage};
use crate::playback::Pace;
use crate::plot::{Plot, QUANTILES};
use crate::report::Section;
use crate::stats::Sample;
use crate::trace::Trace;

/// Dollars for an hour of a virtual processor: half of what an m6i.large (two of them, 8 GiB) costs
/// on demand in us-east-1. An assumption; give your own with `--price`.
pub const PRICE: f64 = 0.048;

/// A run that was measured.
pub struct Run<'a> {
    /// The pipeline.
    pub pipeline: &'a str,
    /// What was played, in words.
    pub playback: String,
    /// What came of it.
    pub measured: &'a Measured,
    /// Bytes of results.
    pub stored: u64,
    /// Dollars for an hour of a virtual processor.
    pub price: f64,
}

/// What is played, in words.
pub fn describe(trace: &Trace, plan: &Plan, pace: Pace) -> String {
    let fates: Vec<String> = plan
        .fates
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let disturbed = match fates.is_empty() {
        true => "undisturbed".to_owned(),
        false => fates.join(", "),
    };
    format!(
        "{} chunks, {:.0} s of media, at pace {pace}, {disturbed}",
        trace.chunks.len(),
        trace.duration().as_secs_f64(),
    )
}

/// The sections of a report.
pub fn sections(run: &Run<'_>) -> Vec<Section> {
    vec![latencies(run), costs(run)]
}

fn latencies(run: &Run<'_>) -> Section {
    let measured = run.measured;
    let about = format!(
        "Pipeline `{}` on a playback: {}. From the moment at which a chunk could be read to what \
         comes of it, in milliseconds; segments and selections as they are committed, playlists \
         and clips when their file is whole (the clock of files goes in steps of up to 10 ms). \
         {} chunks committed, {} segments at the end, {} failures.",
        run.pipeline,
        run.playback,
        measured.chunks,
        measured.kept,
        measured.failures.len(),
    );
    let head = [
        "ms from readable chunk to",
        "number",
        "p50",
        "p90",
        "p99",
        "max",
    ];
    let mut section = Section::new("Latency", about, &head);
    let mut rows = Vec::new();
    for stage in Stage::ALL {
        let Some(times) = measured.stages.get(&stage) else {
            continue;
        };
        let sample = Sample::new(times.iter().copied());
        let quantiles = QUANTILES.map(|(_, share)| format!("{:.0}", sample.quantile(share)));
        section.row(
            [stage.name().to_owned(), times.len().to_string()]
                .into_iter()
                .chain(quantiles),
        );
        rows.push((stage.name().to_owned(), times.clone()));
    }
    section.plot(Plot::Spread {
        title: "Latency from the readable chunk".to_owned(),
        unit: "ms",
        rows,
    });
    section.plot(Plot::Lines {
        title: "Latency of segments along the event".to_owned(),
        along: "seconds of media",
        unit: "ms",
        rows: vec![("segment".to_owned(), measured.segments.clone())],
    });
    section
}

fn costs(run: &Run<'_>) -> Section {
    let measured = run.measured;
    let hours = (measured.media.as_secs_f64() / 3600.0).max(1e-9);
    let per_hour = |value: f64| value / hours;
    let processor = per_hour(measured.processor.as_secs_f64());
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let about = format!(
        "{:.0} s of media in {:.1} s by the clock. Dollars are processor time at ${} for an hour of \
         a virtual processor, nothing else.",
        measured.media.as_secs_f64(),
        measured.wall.as_secs_f64(),
        run.price,
    );
    let head = ["for an hour of media", ""];
    let mut section = Section::new("Cost", about, &head);
    for (name, value) in [
        ("processor time, s", format!("{processor:.0}")),
        ("dollars", format!("{:.4}", processor / 3600.0 * run.price)),
        (
            "results stored, MiB",
            format!("{:.1}", per_hour(mib(run.stored))),
        ),
        (
            "media read, MiB",
            format!("{:.0}", per_hour(mib(measured.media_bytes))),
        ),
        (
            "peak memory of the process, MiB",
            format!("{:.0}", mib(measured.peak)),
        ),
    ] {
        section.row([name.to_owned(), value]);
    }
    section
}

/// Bytes of all files in a directory.
pub fn stored(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let found = entry.metadata()?;
        bytes += if found.is_dir() {
            stored(&entry.path())?
        } else {
            found.len()
        };
    }
    Ok(bytes)
}
