//! Feedback files: what is said of an event while it runs, as lines that are only appended. What was read is
//! never read again, also not by a run that is resumed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A file is read in pieces of so many bytes; a longer line is none that a person wrote.
const PIECE: u64 = 1 << 20;

/// How far the files were read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FilesCursor(Vec<FileCursor>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct FileCursor {
    /// Bytes read: up to the end of a line.
    bytes: u64,
    /// Lines read.
    lines: u64,
    /// That it is missing, or has shrunk, was told.
    told: bool,
}

impl FilesCursor {
    /// How many bytes of each file were read.
    pub fn bytes(&self) -> Vec<u64> {
        self.0.iter().map(|file| file.bytes).collect()
    }
}

/// What a file said since the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromFile {
    /// A line, with its place (`FILE:LINE`).
    Line(String, Vec<u8>),
    /// Why the file cannot be read; told once.
    Trouble(String, String),
}

/// Feedback files that are read as they grow.
#[derive(Debug)]
pub struct FeedbackFiles {
    paths: Vec<PathBuf>,
    cursor: FilesCursor,
}

impl FeedbackFiles {
    /// Files that are read from `cursor` on.
    pub fn new(paths: &[PathBuf], mut cursor: FilesCursor) -> Self {
        cursor.0.resize(paths.len(), FileCursor::default());
        FeedbackFiles {
            paths: paths.to_vec(),
            cursor,
        }
    }

    /// Whether there is any.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// How far they were read.
    pub fn cursor(&self) -> &FilesCursor {
        &self.cursor
    }

    /// What was appended since the last call. A last line without a line feed is still being written and
    /// waits, unless the event has `ended`.
    pub fn poll(&mut self, ended: bool) -> Vec<FromFile> {
        let mut said = Vec::new();
        for (path, cursor) in self.paths.iter().zip(&mut self.cursor.0) {
            match read(cursor, path, ended) {
                Ok(lines) => said.extend(lines.into_iter().map(|(number, mut line)| {
                    if number == 1 && line.starts_with(b"\xef\xbb\xbf") {
                        line.drain(..3);
                    }
                    FromFile::Line(format!("{}:{number}", path.display()), line)
                })),
                Err(message) => {
                    if !std::mem::replace(&mut cursor.told, true) {
                        said.push(FromFile::Trouble(path.display().to_string(), message));
                    }
                }
            }
        }
        said
    }
}

/// The new lines of a file, with their numbers.
fn read(cursor: &mut FileCursor, path: &Path, ended: bool) -> Result<Vec<(u64, Vec<u8>)>, String> {
    let mut file = File::open(path).map_err(|error| {
        format!("the feedback file cannot be opened: {error}; it is read as soon as it can be")
    })?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    if length < cursor.bytes {
        return Err(
            "the feedback file has become shorter; lines are only appended to it, and what \
             was read stands"
                .to_owned(),
        );
    }
    let mut lines = Vec::new();
    while cursor.bytes < length {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(cursor.bytes))
            .and_then(|_| (&file).take(PIECE).read_to_end(&mut bytes))
            .map_err(|error| error.to_string())?;
        let at_end = cursor.bytes + bytes.len() as u64 >= length;
        let whole = match bytes.iter().rposition(|&byte| byte == b'\n') {
            _ if at_end && ended => bytes.len(),
            Some(last) => last + 1,
            None if at_end => break,
            None => bytes.len(),
        };
        if whole == 0 {
            break;
        }
        let text = &bytes[..whole];
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        for line in text.split(|&byte| byte == b'\n') {
            cursor.lines += 1;
            lines.push((cursor.lines, line.to_vec()));
        }
        cursor.bytes += whole as u64;
        if at_end {
            break;
        }
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    fn append(path: &Path, text: &str) {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn lines(said: Vec<FromFile>) -> Vec<(String, String)> {
        let line = |said| match said {
            FromFile::Line(place, line) => {
                let name = place.rsplit('/').next().unwrap().to_owned();
                (name, String::from_utf8(line).unwrap())
            }
            FromFile::Trouble(..) => panic!("{said:?}"),
        };
        said.into_iter().map(line).collect()
    }

    #[test]
    fn a_growing_file_is_read_line_by_line_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("said.jsonl");
        let paths = [path.clone()];
        let mut files = FeedbackFiles::new(&paths, FilesCursor::default());
        let said = files.poll(false);
        assert!(
            matches!(said.as_slice(), [FromFile::Trouble(..)]),
            "{said:?}"
        );
        assert_eq!(files.poll(false), [], "trouble is told once");

        append(&path, "\u{feff}one\ntw");
        let expected = [("said.jsonl:1".to_owned(), "one".to_owned())];
        assert_eq!(lines(files.poll(false)), expected);
        // What was read is not read again, whoever goes on.
        let text = serde_json::to_string(files.cursor()).unwrap();
        let mut files = FeedbackFiles::new(&paths, serde_json::from_str(&text).unwrap());
        assert_eq!(files.poll(false), [], "half a line waits");
        append(&path, "o\n\nfour");
        let all = lines(files.poll(true));
        assert_eq!(all[0], ("said.jsonl:2".to_owned(), "two".to_owned()));
        assert_eq!(all[2], ("said.jsonl:4".to_owned(), "four".to_owned()));
    }
}
