//! Measured tasks: the bench starts itself once for each, so that processor time and peak memory
//! are those of the task alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

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

/// User and system time of this process so far, which Linux tells in hundredths of a second.
fn processor_time() -> Result<Duration, Error> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may hold spaces; the times are fields 14 and 15.
    let fields = stat
        .rsplit_once(')')
        .map(|(_, fields)| fields)
        .unwrap_or_default();
    let mut ticks = 0;
    for field in fields.split_whitespace().skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(Duration::from_millis(ticks * 10))
}

/// The most memory that this process ever had.
fn peak() -> Result<u64, Error> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .ok_or("no VmHWM in /proc/self/status")?
        .parse::<u64>()?
        * 1024)
}
