//! Programs in Python that tests talk to: servers that print their port and end with their input.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server of `tests/servers` that ends with this value.
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// Starts one, if the Python packages of the tests are here; otherwise it is told that they are not.
    /// `needs` is the package that it imports.
    pub fn start<A: AsRef<OsStr>>(name: &str, needs: &str, arguments: &[A]) -> Option<Server> {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        let python = repository.join(".venv/bin/python3");
        let has = |package: &str| {
            let mut command = Command::new(&python);
            command
                .args(["-c", &format!("import {package}")])
                .stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        if !has(needs) {
            eprintln!("skipped: no Python package {needs} here (make setup-test)");
            return None;
        }
        let mut child = Command::new(&python)
            .arg(repository.join("tests/servers").join(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("an output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("a port");
        Some(Server { child, port })
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A directory of one test that goes with this value.
pub struct Directory(PathBuf);

impl Directory {
    /// A new one.
    pub fn new(name: &str) -> Directory {
        let path = std::env::temp_dir().join(format!("matchcut-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory");
        Directory(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into it; where it is.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
