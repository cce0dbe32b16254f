//! Highlights of a real match again from recorded observations: what somebody waits for who tunes a
//! spec.

use std::path::Path;
use std::time::{Duration, Instant};

use matchcut_dataflow::plan;
use matchcut_dataflow::run::recorded::{self, RecordedEvent};
use matchcut_dataflow::spec::{self, Catalog};
use matchcut_model::lines::Recording;

use crate::Error;
use crate::report::Section;
use crate::stats::Sample;

const MATCH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/usopen2019");

/// As long as a person waits without wondering.
const LIMIT: Duration = Duration::from_secs(1);

/// Several times.
pub fn measure(times: usize) -> Result<Section, Error> {
    let dir = Path::new(MATCH);
    let catalog = Catalog::built_in();
    let (mut reading, mut running) = (Vec::new(), Vec::new());
    let mut about = String::new();
    for _ in 0..times {
        let started = Instant::now();
        let spec = spec::load(&dir.join("highlights.toml"), &[], &catalog)?;
        let plan = plan::compile(&spec, &catalog)?;
        let mut recording = Recording::default();
        let file = dir.join("observations.jsonl");
        let read = recording.read("observations.jsonl", &std::fs::read(file)?);
        read.map_err(|errors| format!("{} lines cannot be read", errors.len()))?;
        let segments = recording
            .segments
            .into_iter()
            .map(|recorded| recorded.segment);
        let event = RecordedEvent {
            observations: recording.observations,
            segments: segments.collect(),
            ..RecordedEvent::default()
        };
        reading.push(started.elapsed());
        let started = Instant::now();
        let state = recorded::replay(&plan, &event, 1)?;
        running.push(started.elapsed());
        about = format!(
            "The US Open final of 2019: {} observations in {:.0} minutes become {} segments and {} \
             replays, on one worker, {times} times.",
            event.observations.len(),
            event.end().as_seconds_f64() / 60.0,
            state.segments().len(),
            state.replays().len(),
        );
    }
    let both: Vec<Duration> = reading.iter().zip(&running).map(|(a, b)| *a + *b).collect();
    let head = [
        "",
        "read spec and lines, ms",
        "segments and replays, ms",
        "together, ms",
    ];
    let mut section = Section::new("Replay of a recorded match", about, &head);
    for (name, share) in [("median", 0.5), ("fastest", 0.0)] {
        let times = [&reading, &running, &both];
        let times = times.map(|times| format!("{:.0}", Sample::of_times(times).quantile(share)));
        section.row([name.to_owned()].into_iter().chain(times));
    }
    // Other work on the machine only ever adds: the fastest is the least disturbed.
    let fastest = both.iter().min().copied().unwrap_or_default();
    let (took, limit) = (fastest.as_millis(), LIMIT.as_millis());
    section.verdict(
        format!("{took} ms, at most {limit} ms allowed"),
        fastest <= LIMIT,
    );
    Ok(section)
}
