//! A double of MediaConvert that takes jobs from objects in S3, cuts them with FFmpeg and writes objects.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value as Json, json};

use super::python::python;
use super::repository;

/// The double; it ends with the test.
pub struct MediaConvert {
    /// Where it listens.
    pub endpoint: String,
    /// The server of SQS, and the queue in it, where there is to be one.
    pub events: Option<(String, String)>,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// The program.
pub fn program() -> PathBuf {
    repository().join("tests/servers/mediaconvert.py")
}

impl MediaConvert {
    /// Starts it for a server of S3; `None`, with a word said, where there is no Python for it.
    pub fn start(s3: &str, (key, secret): (&str, &str), log: &Path, events: bool) -> Option<Self> {
        let python = python(if events { "moto.server" } else { "botocore" })?;
        let mut child = Command::new(python)
            .arg(program())
            .args(events.then_some("--events"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_ENDPOINT_URL_S3", s3)
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env("AWS_REGION", "eu-central-1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log).unwrap())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let told: Json = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the double does not start: {}", log.display()));
        let text = |name: &str| told[name].as_str().map(str::to_owned);
        Some(MediaConvert {
            endpoint: text("endpoint").unwrap(),
            events: text("sqs").zip(text("queue")),
            child,
            input,
            output,
        })
    }

    /// What is to happen from now on; what has happened.
    pub fn control(&mut self, wanted: &Json) -> Json {
        let input = self.input.as_mut().unwrap();
        writeln!(input, "{wanted}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// What has happened. Nothing of it may contradict the service model.
    pub fn happened(&mut self) -> Json {
        let happened = self.control(&json!({}));
        assert_eq!(happened["wrong"], json!([]));
        happened
    }
}

impl Drop for MediaConvert {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}
