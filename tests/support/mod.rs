//! What end-to-end tests share: a directory for each test, running the program in it, and saying
//! everything about a run that went otherwise than expected.

pub mod aws_media;
pub mod http;
pub mod kafka;
pub mod ladder;
pub mod lambda;
pub mod media;
pub mod mediaconvert;
pub mod metrics;
pub mod otlp;
pub mod prometheus;
pub mod python;
pub mod s3;
pub mod server;
pub mod socket;
pub mod stream;

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

/// A run that takes longer has hung.
const HUNG: Duration = Duration::from_secs(240);

/// The repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A directory of one test; it goes when the test is over.
pub struct Work {
    dir: TempDir,
    /// What the runs print, apart from the files of the test.
    logs: TempDir,
    runs: AtomicU32,
    /// Variables of the environment of its runs.
    env: Vec<(String, OsString)>,
    /// A directory that is a small disk to its runs, and the size of that.
    disk: Option<(PathBuf, String)>,
}

impl Work {
    pub fn new() -> Work {
        let dir = || TempDir::with_prefix("matchcut-").unwrap();
        Work {
            dir: dir(),
            logs: dir(),
            runs: AtomicU32::new(0),
            env: Vec::new(),
            disk: None,
        }
    }

    /// Makes `dir` a disk of its own to each of the runs that follow, which nobody else sees and which goes with
    /// the run; false, with a word said, where that may not be.
    pub fn on_a_small_disk(&mut self, dir: &str, size: &str) -> bool {
        let tried = Command::new("unshare").args(["--mount", "true"]).output();
        let may = tried.is_ok_and(|tried| tried.status.success());
        if !may {
            eprintln!("skipped: mounting is not allowed here");
            return false;
        }
        let dir = self.path(dir);
        fs::create_dir_all(&dir).unwrap();
        self.disk = Some((dir, size.to_owned()));
        true
    }

    /// The program, on its small disk if it has one.
    fn program(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_matchcut");
        let Some((dir, size)) = &self.disk else {
            return Command::new(program);
        };
        let mut command = Command::new("unshare");
        let script = "mount -t tmpfs -o size=$1 tmpfs \"$0\" && shift && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script]).arg(dir);
        command.args([size, program]);
        command
    }

    /// Sets a variable of the environment of the runs that follow.
    pub fn set_env(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.push((name.to_owned(), value.into()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// The program with arguments, to be run in this directory.
    pub fn matchcut<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Running {
        self.matchcut_in(self.dir.path(), args)
    }

    /// The program with arguments, run in another directory.
    pub fn matchcut_in<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Running {
        self.spawn(dir, args, Stdio::null())
    }

    /// The program, which reads a text on its stdin, when it is over.
    pub fn fed<A: AsRef<OsStr>>(&self, text: &str, args: impl IntoIterator<Item = A>) -> Done {
        let mut stdin = tempfile::tempfile().unwrap();
        stdin.write_all(text.as_bytes()).unwrap();
        stdin.rewind().unwrap();
        self.spawn(self.dir.path(), args, stdin.into()).wait()
    }

    fn spawn<A: AsRef<OsStr>>(
        &self,
        dir: &Path,
        args: impl IntoIterator<Item = A>,
        stdin: Stdio,
    ) -> Running {
        let number = self.runs.fetch_add(1, Ordering::SeqCst);
        let stdout = self.logs.path().join(format!("{number}.out"));
        let stderr = self.logs.path().join(format!("{number}.err"));
        let mut command = self.program();
        command
            .args(args)
            .current_dir(dir)
            .env_remove("MATCHCUT_LOG")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(stdin)
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap());
        let text = format!("{command:?}");
        let child = command.spawn().unwrap();
        Running {
            child,
            command: text,
            dir: dir.to_owned(),
            stdout,
            stderr,
            started: Instant::now(),
        }
    }

    /// A run that must succeed.
    pub fn ok<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Done {
        self.matchcut(args).wait().exits(0)
    }

    /// A run that must end with this exit code.
    pub fn fails<A: AsRef<OsStr>>(&self, code: i32, args: impl IntoIterator<Item = A>) -> Done {
        self.matchcut(args).wait().exits(code)
    }
}

/// A run under way.
pub struct Running {
    child: Child,
    command: String,
    dir: PathBuf,
    stdout: PathBuf,
    stderr: PathBuf,
    started: Instant,
}

impl Running {
    /// Waits until it ends.
    pub fn wait(mut self) -> Done {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > HUNG {
                self.child.kill().unwrap();
                let status = self.child.wait().unwrap();
                self.done(status)
                    .fail(&format!("it was still running after {HUNG:?}"));
            }
            thread::sleep(Duration::from_millis(10));
        };
        self.done(status)
    }

    /// Waits until `file` in its directory exists and `seen` says that its text is as wanted.
    pub fn until(&mut self, file: &str, seen: impl Fn(&str) -> bool) {
        loop {
            let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
            if seen(&text) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            if let Some(status) = ended {
                self.done(status)
                    .fail(&format!("it ended before {file} was as wanted"));
            }
            if self.started.elapsed() > HUNG {
                self.child.kill().unwrap();
                let status = self.child.wait().unwrap();
                self.done(status)
                    .fail(&format!("{file} never became as wanted"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until what it has written to stdout is as wanted, and gives it.
    pub fn until_it_says(&mut self, seen: impl Fn(&str) -> bool) -> String {
        self.until_in(self.stdout.clone(), seen)
    }

    /// The same of stderr.
    pub fn until_it_complains(&mut self, seen: impl Fn(&str) -> bool) -> String {
        self.until_in(self.stderr.clone(), seen)
    }

    fn until_in(&mut self, output: PathBuf, seen: impl Fn(&str) -> bool) -> String {
        loop {
            let text = fs::read_to_string(&output).unwrap();
            if seen(&text) {
                return text;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                self.done(status).fail("it ended before it said that");
            }
            assert!(self.started.elapsed() < HUNG, "it hangs: {}", self.command);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until `seen` says so, or it has ended.
    pub fn until_or_end(&mut self, seen: impl Fn() -> bool) {
        while !seen() && self.child.try_wait().unwrap().is_none() {
            assert!(self.started.elapsed() < HUNG, "it hangs: {}", self.command);
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it as the operating system does: nothing is finished.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Does something where it runs, as it sees the disk.
    pub fn inside(&self, script: &str) {
        let id = self.child.id().to_string();
        let done = Command::new("nsenter")
            .args(["--target", &id, "--mount", "sh", "-c"])
            .arg(format!("cd \"$0\" && {script}"))
            .arg(&self.dir)
            .status();
        assert!(done.unwrap().success(), "{script}");
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.signal("-INT");
    }

    /// Tells it to stop, as a service manager does.
    pub fn terminate(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
    }

    fn done(&self, status: ExitStatus) -> Done {
        let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Done {
            command: self.command.clone(),
            dir: self.dir.clone(),
            status,
            stdout: text(&self.stdout),
            stderr: text(&self.stderr),
            elapsed: self.started.elapsed(),
        }
    }
}

impl Drop for Running {
    /// A test that fails leaves nothing running; of what has ended nothing is killed.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that has ended.
pub struct Done {
    pub command: String,
    pub dir: PathBuf,
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub elapsed: Duration,
}

impl Done {
    /// Fails the test with everything that is known of the run.
    pub fn fail(&self, what: &str) -> ! {
        let mut listing = String::new();
        list(&self.dir, &self.dir, &mut listing);
        panic!(
            "\n==========\n{what}\n\ncommand: {}\nin: {}\nfiles:\n{listing}status: {}\n\n\
             stdout:\n{}\n\nstderr:\n{}\n==========\n",
            self.command,
            self.dir.display(),
            self.status,
            self.stdout,
            self.stderr
        );
    }

    pub fn check(&self, holds: bool, what: &str) {
        if !holds {
            self.fail(what);
        }
    }

    pub fn exits(self, code: i32) -> Done {
        let got = self.status.code();
        self.check(
            got == Some(code),
            &format!("exit code {got:?}, expected {code}"),
        );
        self
    }

    /// What people read on stderr contains this.
    pub fn says(&self, text: &str) -> &Done {
        self.check(
            self.stderr.contains(text),
            &format!("stderr does not say: {text}"),
        );
        self
    }

    /// How often stderr contains this.
    pub fn says_times(&self, number: usize, text: &str) -> &Done {
        let got = self.stderr.matches(text).count();
        self.check(
            got == number,
            &format!("stderr says {got} times, not {number}: {text}"),
        );
        self
    }

    /// The one JSON document on stdout.
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| self.fail(&format!("stdout is not one JSON document: {error}")))
    }
}

fn list(root: &Path, dir: &Path, out: &mut String) {
    let Ok(entries) = fs::read_dir(dir) else {
        return;
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            list(root, &path, out);
        } else {
            let size = fs::metadata(&path).map_or(0, |meta| meta.len());
            let name = path.strip_prefix(root).unwrap_or(&path);
            let _ = writeln!(out, "  {size:>9}  {}", name.display());
        }
    }
}

/// Every file of results below a directory, by its path in it; not the store of the run.
pub fn files(dir: &Path) -> Vec<String> {
    let mut listing = String::new();
    list(dir, dir, &mut listing);
    let name = |line: &str| line.trim_start().split_once("  ").unwrap().1.to_owned();
    let mut names: Vec<String> = listing
        .lines()
        .map(name)
        .filter(|name| !name.starts_with(".matchcut/"))
        .collect();
    names.sort();
    names
}

/// Says that two directories of results below `work` hold the same segments, observations and clips.
pub fn same_findings(work: &Work, one: &str, other: &str) {
    for file in ["segments.jsonl", "observations.jsonl"] {
        let read = |dir: &str| fs::read(work.path(dir).join(file)).unwrap();
        same_text(&format!("{other}/{file}"), &read(one), &read(other));
    }
    let clips = |dir: &str| -> Vec<String> {
        let all = files(&work.path(dir)).into_iter();
        all.filter(|name| name.ends_with(".mp4")).collect()
    };
    assert_eq!(clips(other), clips(one));
    for clip in clips(one) {
        let read = |dir: &str| fs::read(work.path(dir).join(&clip)).unwrap();
        assert!(read(one) == read(other), "{other}/{clip}");
    }
}

/// The values of a file of JSON lines.
pub fn lines(path: &Path) -> Vec<Json> {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "{} has a torn line",
        path.display()
    );
    let value = |(number, line)| {
        serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), number + 1))
    };
    text.lines().enumerate().map(value).collect()
}

/// The JSON document in a file.
pub fn document(path: &Path) -> Json {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails unless two texts are equal; says the first line that differs.
pub fn same_text(what: &str, one: &[u8], other: &[u8]) {
    if one == other {
        return;
    }
    let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
    for (number, (left, right)) in one.lines().zip(other.lines()).enumerate() {
        assert_eq!(left, right, "{what}, line {}", number + 1);
    }
    panic!(
        "{what}: {} and {} lines",
        one.lines().count(),
        other.lines().count()
    );
}
