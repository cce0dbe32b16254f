//! A real Prometheus on a free port, with the configuration of `infra/prometheus` but other targets and a quicker
//! pace, and what it answers.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use tempfile::TempDir;

use super::repository;

/// Where its configuration is.
pub fn configuration() -> PathBuf {
    repository().join("infra/prometheus")
}

/// Whether a program of the package is there; a word is said where it is not. In CI that is a failure.
pub fn installed(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        let help = format!("no {program}; run: apt-get install -y prometheus");
        assert!(std::env::var_os("CI").is_none(), "{help}");
        eprintln!("skipped: {help}");
    }
    found
}

/// A Prometheus.
pub struct Prometheus {
    child: Child,
    address: String,
    dir: TempDir,
}

impl Prometheus {
    /// One that scrapes these addresses twice a second.
    pub fn start(targets: &[&str]) -> Prometheus {
        let dir = TempDir::with_prefix("matchcut-prometheus-").unwrap();
        let path = |name: &str| dir.path().join(name);
        let mut config = fs::read_to_string(configuration().join("prometheus.yml")).unwrap();
        for slow in [
            "scrape_interval: 10s",
            "scrape_timeout: 5s",
            "evaluation_interval: 10s",
        ] {
            assert!(config.contains(slow), "{slow} is not in {config}");
            let (name, _) = slow.split_once(' ').unwrap();
            config = config.replace(slow, &format!("{name} 500ms"));
        }
        fs::write(path("prometheus.yml"), config).unwrap();
        fs::copy(configuration().join("alerts.yml"), path("alerts.yml")).unwrap();
        fs::create_dir(path("targets")).unwrap();
        let targets = serde_json::json!([{ "targets": targets }]);
        // JSON is YAML.
        fs::write(path("targets/here.yml"), targets.to_string()).unwrap();

        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let log = File::create(path("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                path("prometheus.yml").display()
            ))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut prometheus = Prometheus {
            child,
            address,
            dir,
        };
        prometheus.until_it_is_ready();
        prometheus
    }

    fn until_it_is_ready(&mut self) {
        let begun = Instant::now();
        while !self
            .ask("/-/ready")
            .is_some_and(|answer| answer.starts_with("HTTP/1.0 200"))
        {
            let ended = self.child.try_wait().unwrap();
            let hangs = begun.elapsed() > Duration::from_secs(60);
            assert!(ended.is_none() && !hangs, "{ended:?}\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    /// What it answers, from the status on; HTTP 1.0, so that it comes in one piece.
    fn ask(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let ask = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        stream.write_all(ask.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The data of an answer of its API.
    fn api(&self, path: &str) -> Json {
        let answer = self.ask(path).unwrap_or_else(|| panic!("{}", self.log()));
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut body: Json = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
        assert_eq!(body["status"], "success", "{path}: {}", body["error"]);
        body["data"].take()
    }

    /// What a query gives now: one value for each series.
    pub fn query(&self, query: &str) -> Vec<f64> {
        let data = self.api(&format!("/api/v1/query?query={}", encoded(query)));
        let series = data["result"].as_array().unwrap().iter();
        series
            .map(|series| series["value"][1].as_str().unwrap().parse().unwrap())
            .collect()
    }

    /// Waits until a query gives something.
    pub fn until(&self, query: &str) {
        let begun = Instant::now();
        while self.query(query).is_empty() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "nothing comes of {query}\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// The rules that it has read, as its API tells them.
    pub fn rules(&self) -> Vec<Json> {
        let data = self.api("/api/v1/rules");
        let groups = data["groups"].as_array().unwrap().iter();
        groups
            .flat_map(|group| group["rules"].as_array().unwrap().clone())
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Text for the query of an address.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
