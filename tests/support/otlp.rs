//! A collector of traces, which writes down every span.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::python::python;
use super::repository;

/// The collector; it ends with the test.
pub struct Collector {
    /// Where it listens.
    pub endpoint: String,
    child: Child,
}

impl Collector {
    /// Starts it; `None`, with a word said, where there is no Python for it.
    pub fn start(spans: &Path) -> Option<Collector> {
        let python = python("opentelemetry.proto.collector.trace.v1.trace_service_pb2")?;
        let mut child = Command::new(python)
            .arg(repository().join("tests/servers/otlp.py"))
            .arg(spans)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let endpoint = line.trim().to_owned();
        Some(Collector { endpoint, child })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
