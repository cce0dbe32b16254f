//! The audit log: a line of JSON for each request that changed something and for each that was refused, in a file of the
//! service that is put aside when it is long. A change that could not be logged is logged as soon as that
//! is possible again, and until then nothing else is changed.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::json;

use crate::config::AuditOptions;

/// The name of the file in the directory of the service.
const FILE: &str = "audit.jsonl";

/// Lines that wait until the file can be written again; changes that were under way when it failed.
const WAITING: usize = 1024;

/// The longest text of a client that is kept, in letters.
const LONGEST: usize = 1024;

/// The log.
pub struct Audit {
    path: PathBuf,
    max_bytes: u64,
    keep: u32,
    inside: Mutex<Inside>,
}

struct Inside {
    file: Option<File>,
    bytes: u64,
    waiting: VecDeque<String>,
    told: bool,
}

/// A line.
pub struct Entry<'a> {
    /// Who asked: the id of a key, a subject, or what was claimed.
    pub who: &'a str,
    /// The role, where who asked is known.
    pub role: Option<&'a str>,
    /// The method.
    pub method: &'a str,
    /// The path, encoded as it was sent; without the query, which may hold secrets.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// Where it came from.
    pub address: IpAddr,
}

impl Audit {
    /// Opens the log of a directory.
    pub fn open(data: &Path, options: &AuditOptions) -> io::Result<Audit> {
        let audit = Audit {
            path: data.join(FILE),
            max_bytes: options.max_bytes.max(1),
            keep: options.keep,
            inside: Mutex::new(Inside {
                file: None,
                bytes: 0,
                waiting: VecDeque::new(),
                told: false,
            }),
        };
        audit.reopen(&mut audit.lock())?;
        Ok(audit)
    }

    /// Whether a change could be logged: everything before it is.
    pub fn is_ready(&self) -> bool {
        let mut inside = self.lock();
        self.flush(&mut inside)
    }

    /// Logs, in the order of the calls.
    pub fn note(&self, entry: &Entry<'_>) {
        let line = line(entry, Timestamp::now());
        let mut inside = self.lock();
        if inside.waiting.len() < WAITING {
            inside.waiting.push_back(line);
        }
        self.flush(&mut inside);
    }

    /// Writes what waits; false where that cannot be.
    fn flush(&self, inside: &mut Inside) -> bool {
        while let Some(line) = inside.waiting.front() {
            let length = line.len() as u64;
            let written = match self.has_room(inside, length) {
                Ok(()) => match (&mut inside.file, inside.waiting.front()) {
                    (Some(file), Some(line)) => file.write_all(line.as_bytes()),
                    _ => Ok(()),
                },
                Err(error) => Err(error),
            };
            match written {
                Ok(()) => {
                    inside.bytes += length;
                    inside.waiting.pop_front();
                    inside.told = false;
                }
                Err(error) => {
                    // Half a line may stand there; the next begins anew.
                    inside.file = None;
                    if !inside.told {
                        tracing::error!(%error, file = %self.path.display(), "the audit log cannot be written; nothing is changed until it can");
                        inside.told = true;
                    }
                    return false;
                }
            }
        }
        true
    }

    fn has_room(&self, inside: &mut Inside, length: u64) -> io::Result<()> {
        if inside.file.is_none() {
            self.reopen(inside)?;
        }
        if inside.bytes > 0 && inside.bytes.saturating_add(length) > self.max_bytes {
            inside.file = None;
            self.put_aside()?;
            self.reopen(inside)?;
        }
        Ok(())
    }

    /// Each file becomes the next older one; the oldest is no more.
    fn put_aside(&self) -> io::Result<()> {
        let aside = |number: u32| self.path.with_file_name(format!("{FILE}.{number}"));
        for number in (1..self.keep).rev() {
            match fs::rename(aside(number), aside(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match self.keep {
            0 => fs::remove_file(&self.path),
            _ => fs::rename(&self.path, aside(1)),
        }
    }

    fn reopen(&self, inside: &mut Inside) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let mut file = options.open(&self.path)?;
        let mut bytes = file.metadata()?.len();
        if bytes > 0 && !ends_a_line(&file, bytes)? {
            file.write_all(b"\n")?;
            bytes += 1;
        }
        (inside.file, inside.bytes) = (Some(file), bytes);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ends_a_line(file: &File, bytes: u64) -> io::Result<bool> {
    use std::os::unix::fs::FileExt;
    let mut last = [0_u8];
    file.read_exact_at(&mut last, bytes.saturating_sub(1))?;
    Ok(last == *b"\n")
}

/// The line of an entry, with its end. What a client wrote is a text in it and cannot be more: whatever could be taken for the
/// end of a line, or is not of ASCII, is escaped.
pub(crate) fn line(entry: &Entry<'_>, now: Timestamp) -> String {
    let bounded = |text: &str| text.chars().take(LONGEST).collect::<String>();
    let value = json!({
        "time": now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        "who": bounded(entry.who),
        "role": entry.role,
        "method": bounded(entry.method),
        "path": bounded(entry.path),
        "status": entry.status,
        "address": entry.address.to_canonical().to_string(),
    });
    let mut out = String::new();
    for letter in value.to_string().chars() {
        if (' '..='~').contains(&letter) {
            out.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a text does not fail.
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn entry<'a>(who: &'a str, path: &'a str) -> Entry<'a> {
        Entry {
            who,
            role: Some("admin"),
            method: "PUT",
            path,
            status: 200,
            address: "192.0.2.1".parse().unwrap(),
        }
    }

    fn lines(path: &Path) -> Vec<Value> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let all = text.lines();
        all.map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn nobody_can_forge_a_line() {
        let evil = "x\n{\"who\":\"root\"}\r\u{2028}\u{85}\u{7f}\u{1f600}\"";
        let line = line(&entry(evil, "/a"), Timestamp::UNIX_EPOCH);
        assert_eq!(line.matches('\n').count(), 1);
        assert!(
            line.trim_end()
                .bytes()
                .all(|byte| (0x20..0x7f).contains(&byte))
        );
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            read,
            json!({
                "time": "1970-01-01T00:00:00.000Z",
                "who": evil,
                "role": "admin",
                "method": "PUT",
                "path": "/a",
                "status": 200,
                "address": "192.0.2.1",
            })
        );
    }

    #[test]
    fn files_are_put_aside_in_order_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let options = AuditOptions {
            max_bytes: 400,
            keep: 2,
        };
        let audit = Audit::open(dir.path(), &options).unwrap();
        for number in 0..12 {
            audit.note(&entry("a", &format!("/{number:02}")));
        }
        let mut paths = Vec::new();
        for name in ["audit.jsonl.2", "audit.jsonl.1", "audit.jsonl"] {
            let read = lines(&dir.path().join(name)).into_iter();
            paths.extend(read.map(|line| line["path"].as_str().unwrap().to_owned()));
        }
        let (first, last) = (paths.first().unwrap(), paths.last().unwrap());
        assert!(first.as_str() > "/00" && last == "/11", "{paths:?}");
        assert!(paths.is_sorted() && paths.len() < 12);
        assert!(!dir.path().join("audit.jsonl.3").exists());
    }

    #[test]
    fn what_could_not_be_written_is_written_later_and_before_anything_else() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        let options = AuditOptions {
            max_bytes: 1,
            keep: 2,
        };
        let audit = Audit::open(&data, &options).unwrap();
        audit.note(&entry("a", "/1"));
        assert!(audit.is_ready());
        // Nothing can be put aside where there is no directory.
        let away = dir.path().join("away");
        fs::rename(&data, &away).unwrap();
        audit.note(&entry("a", "/2"));
        assert!(!audit.is_ready());
        fs::rename(&away, &data).unwrap();
        assert!(audit.is_ready());
        audit.note(&entry("a", "/3"));
        let path = |name: &str| lines(&data.join(name))[0]["path"].clone();
        assert_eq!(path("audit.jsonl"), "/3");
        assert_eq!(path("audit.jsonl.1"), "/2");
        assert_eq!(path("audit.jsonl.2"), "/1");
    }

    #[test]
    fn half_a_line_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{\"time\":").unwrap();
        let audit = Audit::open(dir.path(), &AuditOptions::default()).unwrap();
        audit.note(&entry("a", "/1"));
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        let last = text.lines().nth(1).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(last).unwrap()["path"],
            json!("/1")
        );
    }
}
