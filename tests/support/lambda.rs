//! AWS's own emulator of Lambda with a function in Python, and a Python in which that runs.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::repository;

/// A function that can be invoked.
pub struct Emulator {
    /// Where.
    pub endpoint: String,
    child: Child,
}

/// The emulator and a Python with the runtime of functions; `None`, with a word said, where one is missing.
/// In CI that is a failure, unless the emulator could not be installed (it needs Go).
pub fn tools() -> Option<(PathBuf, PathBuf)> {
    let bin = repository().join(".venv/bin");
    let (emulator, python) = (bin.join("aws-lambda-rie"), bin.join("python3"));
    let has = |modules: &str| {
        let import = ["-c", &format!("import {modules}")].map(str::to_owned);
        let found = Command::new(&python).args(import).output();
        found.is_ok_and(|output| output.status.success())
    };
    if emulator.is_file() && has("awslambdaric, boto3, jsonschema") {
        return Some((emulator, python));
    }
    let help = "no aws-lambda-rie (it needs Go), or no python3 with awslambdaric and moto; run: make setup-test";
    // Where the emulator could be installed, it is there.
    let installed = fs::read_to_string(bin.join("aws-lambda-rie.version")).unwrap_or_default();
    let expected = std::env::var_os("CI").is_some() && installed.contains('@');
    assert!(!expected, "{help}");
    eprintln!("skipped: {help}");
    None
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

impl Emulator {
    /// Starts the function `mre_luma.handler`, which finds S3 at `s3`, notes what it is asked in `asked` and
    /// may take `seconds`.
    pub fn start(s3: &str, keys: (&str, &str), asked: &Path, seconds: u32) -> Option<Emulator> {
        let (emulator, python) = tools()?;
        let (port, inner) = (free_port(), free_port());
        let address = format!("127.0.0.1:{port}");
        let log = fs::File::create(asked.with_extension("log")).unwrap();
        let child = Command::new(emulator)
            .args([
                "--log-level",
                "error",
                "--runtime-interface-emulator-address",
                &address,
            ])
            .args(["--runtime-api-address", &format!("127.0.0.1:{inner}")])
            .arg(python)
            .args(["-m", "awslambdaric", "mre_luma.handler"])
            .current_dir(repository().join("tests/programs"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", seconds.to_string())
            .env("AWS_ENDPOINT_URL_S3", s3)
            .env("AWS_ACCESS_KEY_ID", keys.0)
            .env("AWS_SECRET_ACCESS_KEY", keys.1)
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("ASKED", asked)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            // With its function, which must not outlive it.
            .process_group(0)
            .spawn()
            .unwrap();
        let emulator = Emulator {
            endpoint: format!("http://{address}"),
            child,
        };
        let begun = Instant::now();
        while TcpStream::connect(&address).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "the emulator does not start"
            );
            thread::sleep(Duration::from_millis(20));
        }
        Some(emulator)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}
