//! Servers of S3 and SQS that know what the other one does not: queues, tags, keys. Tests of other crates use
//! this file too.

#![allow(dead_code, reason = "not every test uses all of it")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// Servers of S3 and SQS in Python.
pub struct Moto {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    /// Where they are.
    pub endpoint: String,
    /// The URL of a queue.
    pub queue: String,
}

impl Moto {
    /// `None`, with a word said, where there is no moto; in CI that is a failure.
    pub fn start() -> Option<Moto> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let ours = root.join(".venv/bin/python3");
        let pythons = [ours.as_os_str(), "python3".as_ref()];
        let has_moto = |python: &&std::ffi::OsStr| {
            let found = Command::new(python)
                .args(["-c", "import moto.server"])
                .output();
            found.is_ok_and(|output| output.status.success())
        };
        let Some(python) = pythons.into_iter().find(has_moto) else {
            let help = "no python3 with moto[server]; run: make setup-test";
            assert!(std::env::var_os("CI").is_none(), "{help}");
            eprintln!("skipped: {help}");
            return None;
        };
        let mut child = Command::new(python)
            .arg(root.join("aws/tests/support/moto_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        Some(Moto {
            endpoint: text("endpoint"),
            queue: text("queue"),
            child,
            stdin,
            stdout,
        })
    }

    /// Has a line of instructions carried out; the answer.
    pub fn does(&mut self, line: &str) -> String {
        writeln!(self.stdin, "{line}").unwrap();
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
