//! A page of metrics, as Prometheus' text format says it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use super::Running;

/// What was counted.
pub struct Page(String);

/// The address at which a program shows metrics; it says so on stderr.
pub fn address(running: &mut Running) -> String {
    let said = running.until_it_complains(|text| text.contains("metrics at http://"));
    let (_, rest) = said.split_once("metrics at http://").unwrap();
    let (address, _) = rest.split_once("/metrics").unwrap();
    address.to_owned()
}

impl Page {
    /// This page.
    pub fn new(text: String) -> Page {
        Page(text)
    }

    /// The page in a file.
    pub fn read(path: &Path) -> Page {
        Page(std::fs::read_to_string(path).unwrap())
    }

    /// What a program shows now.
    pub fn of(running: &mut Running) -> Page {
        let address = address(running);
        let mut stream = TcpStream::connect(&address).unwrap();
        let ask = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(ask.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Page(answer)
    }

    /// The series of a metric: their labels with values.
    pub fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
            let labels = labels.strip_prefix('{')?.strip_suffix('}')?;
            Some((labels, value.parse().unwrap()))
        })
    }

    /// The sum of those series that have all of these labels, written as `name="value"`.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let has = |said: &str| labels.iter().all(|label| said.contains(label));
        let found = self.series(name).filter(|(said, _)| has(said));
        found.map(|(_, value)| value).sum()
    }

    /// Whether it says what a metric means.
    pub fn explains(&self, name: &str) -> bool {
        let help = format!("# HELP {name} ");
        self.0
            .lines()
            .any(|line| line.starts_with(&help) && line.len() > help.len())
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}
