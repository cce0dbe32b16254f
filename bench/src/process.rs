//! Programs that are measured from outside: how long, how much processor time, how much memory.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Error;

/// What a program took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Took {
    /// From its start to its end.
    pub wall: Duration,
    /// Processor time of all its threads, in steps of 10 ms.
    pub processor: Duration,
    /// The most memory it had when looked at, in bytes: every few milliseconds.
    pub peak: u64,
}

/// Runs a program to its end; its output is thrown away unless it fails.
pub fn run(command: &mut Command) -> Result<Took, Error> {
    sampled(command, Duration::from_millis(5), |_, _| {})
}

/// Runs a program and looks at the memory it has at times: seconds since its start, and bytes.
pub fn sampled(
    command: &mut Command,
    every: Duration,
    mut look: impl FnMut(Duration, u64),
) -> Result<Took, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let before = processor_of_children()?;
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{name} cannot be started: {error}"))?;
    // Somebody has to read what it says, or it would wait.
    let said = child.stderr.take().map(|mut said| {
        thread::spawn(move || {
            let mut text = Vec::new();
            let _ = std::io::Read::read_to_end(&mut said, &mut text);
            text
        })
    });
    let mut took = Took::default();
    let (ended, waited) = {
        let (sender, receiver) = std::sync::mpsc::channel();
        let pid = child.id();
        let waiting = thread::spawn(move || {
            let status = wait(&mut child);
            let _ = sender.send(started.elapsed());
            status
        });
        let wall = loop {
            if let Some((now, peak)) = memory_of(pid) {
                took.peak = took.peak.max(peak);
                look(started.elapsed(), now);
            }
            match receiver.recv_timeout(every) {
                Ok(wall) => break wall,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(error) => return Err(error.into()),
            }
        };
        (wall, waiting.join().map_err(|_| "waiting panicked")?)
    };
    took.wall = ended;
    took.processor = processor_of_children()?.saturating_sub(before);
    let status = waited?;
    if !status.success() {
        let text = said.and_then(|said| said.join().ok()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().last().unwrap_or_default();
        return Err(format!("{name} ended with {status}: {last}").into());
    }
    Ok(took)
}

fn wait(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    child.wait()
}

/// Whether a program can be started.
pub fn is_there(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Processor time of this process, and of its children that have ended.
fn processor() -> Result<(Duration, Duration), Error> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in brackets, may hold spaces; the times are fields 14 to 17, in
    // hundredths of a second.
    let fields = stat
        .rsplit_once(')')
        .map(|(_, fields)| fields)
        .unwrap_or_default();
    let mut ticks = [0_u64; 4];
    for (ticks, field) in ticks.iter_mut().zip(fields.split_whitespace().skip(11)) {
        *ticks = field.parse()?;
    }
    let [user, system, user_of_children, system_of_children] = ticks;
    let time = |ticks: u64| Duration::from_millis(ticks * 10);
    Ok((
        time(user + system),
        time(user_of_children + system_of_children),
    ))
}

/// User and system time of this process so far.
pub fn processor_time() -> Result<Duration, Error> {
    Ok(processor()?.0)
}

fn processor_of_children() -> Result<Duration, Error> {
    Ok(processor()?.1)
}

/// What a process has now, and the most that it ever had.
fn memory_of(pid: u32) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024)
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}

/// The most memory that this process ever had.
pub fn peak() -> Result<u64, Error> {
    let (_, peak) = memory_of(std::process::id()).ok_or("no VmHWM in /proc/self/status")?;
    Ok(peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_measured_from_outside() {
        let took = run(Command::new("sh").args(["-c", "sleep 0.2"])).unwrap();
        assert!(took.wall >= Duration::from_millis(200) && took.wall < Duration::from_secs(10));
        assert!(took.peak > 100_000, "{took:?}");
        let error = run(Command::new("sh").args(["-c", "echo bad >&2; exit 3"])).unwrap_err();
        assert!(
            error.to_string().ends_with("exit status: 3: bad"),
            "{error}"
        );
        assert!(!is_there("no-such-program", "-h") && is_there("true", ""));
    }
}
