//! A file of changes that grows by whole epochs, read from behind those that were told.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;

/// So much is read at a time, in bytes, and the rest of its epoch.
const PIECE: usize = 64 * 1024;

/// What an epoch has changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Which.
    pub epoch: u64,
    /// Its lines, without their ends.
    pub lines: Vec<String>,
}

/// Which epoch a line is of.
#[derive(Deserialize)]
struct Line {
    epoch: u64,
}

/// The file, from behind the epochs that were told.
#[derive(Clone, Debug)]
pub struct Lines {
    path: PathBuf,
    offset: u64,
    after: Option<u64>,
}

impl Lines {
    /// Behind the epoch `after`, or all.
    pub fn new(path: PathBuf, after: Option<u64>) -> Lines {
        Lines {
            path,
            offset: 0,
            after,
        }
    }

    /// The next epochs up to `until`, all of which are in the file; none where there are no more.
    pub fn read(&mut self, until: u64) -> io::Result<Vec<Told>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut lines = BufReader::new(file);
        let mut all: Vec<Told> = Vec::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            let read = lines.read_line(&mut line)?;
            if line.pop() != Some('\n') {
                break;
            }
            let Line { epoch } = serde_json::from_str(&line)?;
            let open = all.last().is_some_and(|told| told.epoch == epoch);
            if epoch > until || length > PIECE && !open {
                break;
            }
            self.offset += read as u64;
            if self.after.is_some_and(|after| epoch <= after) {
                continue;
            }
            length += read;
            match all.last_mut() {
                Some(told) if open => told.lines.push(line),
                _ => all.push(Told {
                    epoch,
                    lines: vec![line],
                }),
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_epochs_are_told_once_and_none_that_does_not_stand() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes.jsonl");
        let text = |epoch: u64, value: u64| format!("{{\"epoch\":{epoch},\"value\":{value}}}");
        let line = |epoch: u64, value: u64| text(epoch, value) + "\n";
        let told = |epoch: u64, values: &[u64]| Told {
            epoch,
            lines: values.iter().map(|value| text(epoch, *value)).collect(),
        };
        let mut changes = Lines::new(path.clone(), None);
        assert_eq!(changes.read(9).unwrap(), []);
        let all = line(1, 1) + &line(1, 2) + &line(3, 3) + &line(4, 4);
        std::fs::write(&path, &all).unwrap();
        assert_eq!(changes.read(0).unwrap(), []);
        assert_eq!(changes.read(1).unwrap(), [told(1, &[1, 2])]);
        assert_eq!(changes.read(2).unwrap(), []);
        assert_eq!(changes.read(3).unwrap(), [told(3, &[3])]);
        // What did not stand is replaced.
        let other = line(1, 1) + &line(1, 2) + &line(3, 3) + &line(4, 5) + "{\"epo";
        std::fs::write(&path, other).unwrap();
        assert_eq!(changes.read(4).unwrap(), [told(4, &[5])]);
        assert_eq!(changes.read(9).unwrap(), []);
        let mut later = Lines::new(path, Some(1));
        assert_eq!(later.read(9).unwrap(), [told(3, &[3]), told(4, &[5])]);
    }

    #[test]
    fn much_comes_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("changes.jsonl");
        let line = |epoch: u64| format!("{{\"epoch\":{epoch},\"v\":\"{}\"}}\n", "x".repeat(40_000));
        let all: String = (0..5).map(line).collect();
        std::fs::write(&path, all).unwrap();
        let mut changes = Lines::new(path, None);
        let mut seen = Vec::new();
        loop {
            let told = changes.read(4).unwrap();
            if told.is_empty() {
                break;
            }
            seen.push(told.len());
        }
        assert_eq!(seen, [2, 2, 1]);
    }
}
