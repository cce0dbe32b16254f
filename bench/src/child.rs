//! Measured tasks: the bench starts itself once for each, so that processor time and peak memory
//! are those of the task alone.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::process::{peak, processor_time};
use crate::{Error, analysis, cut, decode};

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// Demultiplex and decode the video, nothing else.
    Decode,
    /// The whole run.
    Run,
    /// An exact cut.
    Cut,
}

/// What a task took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// By the clock.
    pub wall: Duration,
    /// Processor time of all its threads.
    pub processor: Duration,
    /// The most memory it ever had, in bytes.
    pub peak: u64,
    /// Frames that it saw.
    pub frames: u64,
    /// Observations and segments that came of it.
    pub results: usize,
}

/// What a task saw and made.
pub struct Done {
    /// Frames.
    pub frames: u64,
    /// Observations and segments.
    pub results: usize,
}

/// Does a task in this process and prints its figures.
pub fn perform(task: Task, playlist: &Path, threads: usize) -> Result<(), Error> {
    let (before, started) = (processor_time()?, Instant::now());
    let done = match task {
        Task::Decode => decode::decode_all(playlist, threads)?,
        Task::Run => analysis::run_all(playlist, threads)?,
        Task::Cut => cut::cut(playlist)?,
    };
    let figures = Figures {
        wall: started.elapsed(),
        processor: processor_time()? - before,
        peak: peak()?,
        frames: done.frames,
        results: done.results,
    };
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// Does a task in a process of its own.
pub fn measure(task: Task, playlist: &Path, threads: usize) -> Result<Figures, Error> {
    let name = task
        .to_possible_value()
        .map(|value| value.get_name().to_owned());
    let output = Command::new(std::env::current_exe()?)
        .args([
            "--task",
            &name.unwrap_or_default(),
            "--threads",
            &threads.to_string(),
        ])
        .arg("--playlist")
        .arg(playlist)
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(format!("the measured process ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}
