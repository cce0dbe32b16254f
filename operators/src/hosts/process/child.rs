//! A program as a child of this one: in a process group of its own, so that it goes with everything that
//! it started, and never outlives its host.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::launch::Launch;

/// How long a program may take to end after its stdin was closed.
const GRACE: Duration = Duration::from_millis(500);

/// The process groups that were started and have not ended.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn running<T>(change: impl FnOnce(&mut BTreeSet<i32>) -> T) -> T {
    change(&mut RUNNING.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Ends every program that still runs, at once. For the end of the host.
pub fn end_all() {
    for group in running(std::mem::take) {
        if let Some(group) = Pid::from_raw(group) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// A program that was started. It is ended when this is dropped.
pub(super) struct Running {
    child: Child,
}

/// Its ends of the pipes to it.
pub(super) struct Ends {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Running {
    /// Starts a program.
    pub(super) fn start(launch: &Launch) -> Result<(Running, Ends), String> {
        let program = launch.program();
        let failed = |error: std::io::Error| {
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound if !launch.directory.is_dir() => {
                    "; the directory that it is to run in does not exist"
                }
                std::io::ErrorKind::NotFound => "; is it installed, or is the path wrong?",
                std::io::ErrorKind::PermissionDenied => "; is it executable?",
                _ => "",
            };
            format!("\"{}\" cannot be started: {error}{hint}", program.display())
        };
        let mut child = Command::new(&program)
            .args(launch.command.iter().skip(1))
            .current_dir(&launch.directory)
            .envs(&launch.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let ends = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let running = Running { child };
        self::running(|groups| groups.insert(running.group()));
        match ends {
            (Some(stdin), Some(stdout), Some(stderr)) => Ok((
                running,
                Ends {
                    stdin,
                    stdout,
                    stderr,
                },
            )),
            _ => Err("it has no pipes".to_owned()),
        }
    }

    fn group(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(0)
    }

    /// Waits a moment for it to end by itself.
    pub(super) fn wait(&mut self, most: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if begun.elapsed() >= most {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets it end by itself, now that its stdin is closed.
    pub(super) fn let_end(mut self) {
        self.wait(GRACE);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = self.group();
        // What it started may still run when it has ended itself.
        if let Some(pid) = Pid::from_raw(group) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.child.wait();
        running(|groups| groups.remove(&group));
    }
}
