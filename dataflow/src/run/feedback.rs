//! Feedback files: what people say of an event while it runs, as lines that are only appended. Lines
//! become entries of the log; what was read is never read again, also not by a run that is resumed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use matchcut_model::chunk::Position;
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::lines::{LineError, LineProblem, Told, parse_told};
use matchcut_model::segment::Segment;
use serde::{Deserialize, Serialize};

use crate::flow::{Control, Part, Remark};

/// A file is read in pieces of so many bytes; a longer line is none that a person wrote.
const PIECE: u64 = 1 << 20;

/// How far feedback files were read, and what stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeedbackCursor {
    files: Vec<FileCursor>,
    /// The number of the next verdict.
    sequence: u64,
    /// What was last said of each thing: it goes when something else is said.
    standing: BTreeMap<String, Control>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct FileCursor {
    /// Bytes read: up to the end of a line.
    bytes: u64,
    /// Lines read.
    lines: u64,
    /// That it is missing, or has shrunk, was told.
    told: bool,
}

/// Entries with 1 for what comes and -1 for what is taken back.
pub type Entries = Vec<(Control, i64)>;

/// Feedback files that are read as they grow.
#[derive(Debug)]
pub struct FeedbackFiles {
    paths: Vec<PathBuf>,
    cursor: FeedbackCursor,
}

impl FeedbackFiles {
    /// Files that are read from `cursor` on.
    pub fn new(paths: &[PathBuf], mut cursor: FeedbackCursor) -> Self {
        cursor.files.resize(paths.len(), FileCursor::default());
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
    pub fn cursor(&self) -> &FeedbackCursor {
        &self.cursor
    }

    /// What was appended since the last call, told at `position`. A last line without a line feed is
    /// still being written and waits, unless the event has `ended`.
    pub fn poll(&mut self, position: Position, ended: bool) -> Entries {
        let mut entries = Entries::new();
        for index in 0..self.paths.len() {
            let path = self.paths[index].clone();
            match self.read(index, &path, ended) {
                Ok(lines) => {
                    for (number, line) in lines {
                        self.line(&path, number, &line, position, &mut entries);
                    }
                }
                Err(message) => {
                    let told = std::mem::replace(&mut self.cursor.files[index].told, true);
                    if !told {
                        entries.push((failure(path.display().to_string(), message), 1));
                    }
                }
            }
        }
        entries
    }

    /// The new lines of a file, with their numbers.
    fn read(
        &mut self,
        index: usize,
        path: &Path,
        ended: bool,
    ) -> Result<Vec<(usize, Vec<u8>)>, String> {
        let cursor = &mut self.cursor.files[index];
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
                lines.push((cursor.lines as usize, line.to_vec()));
            }
            cursor.bytes += whole as u64;
            if at_end {
                break;
            }
        }
        Ok(lines)
    }

    fn line(
        &mut self,
        path: &Path,
        line: usize,
        text: &[u8],
        position: Position,
        entries: &mut Entries,
    ) {
        let text = match line {
            1 => text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text),
            _ => text,
        };
        match parse_told(text) {
            Ok(None) => {}
            Ok(Some(Told::Feedback(feedback))) => {
                let sequence = self.cursor.sequence;
                self.cursor.sequence += 1;
                entries.push((Control::Feedback { sequence, feedback }, 1));
            }
            Ok(Some(Told::Segment(said))) => {
                for (key, control) in controls(&said, position) {
                    let before = self.cursor.standing.insert(key, control.clone());
                    entries.extend(before.map(|control| (control, -1)));
                    entries.push((control, 1));
                }
            }
            Ok(Some(Told::Retract(said))) => {
                let name = name_of(&said);
                let keys: Vec<String> = self
                    .cursor
                    .standing
                    .range(format!("{name} ")..)
                    .map(|(key, _)| key.clone())
                    .take_while(|key| key.starts_with(&format!("{name} ")))
                    .collect();
                for key in keys {
                    let before = self.cursor.standing.remove(&key);
                    entries.extend(before.map(|control| (control, -1)));
                }
            }
            Err(problem) => {
                let error = LineError {
                    file: path.display().to_string(),
                    line,
                    problem: LineProblem::clone(&problem),
                };
                let input = format!("{}:{line}", error.file);
                let message = format!("the line is left out: {}", error.problem);
                entries.push((failure(input, message), 1));
            }
        }
    }
}

/// How what is said of a segment is named.
fn name_of(said: &Segment) -> String {
    format!("{} {:+020}", said.id.segmenter, said.start().to_millis())
}

/// The entries of a line, each under the name of what it says.
fn controls(said: &Segment, position: Position) -> Vec<(String, Control)> {
    let name = name_of(said);
    let segment = said.id.clone();
    let remark = |what: String, remark: Remark| {
        let segment = said.id.clone();
        (format!("{name} {what}"), Control::remark(segment, remark))
    };
    let mut controls = Vec::new();
    if let Some(end) = said.end {
        let attributes = said.attributes.clone();
        let part = Part::Edited { end, attributes };
        let control = Control::part(position, segment, part);
        controls.push((format!("{name} marks"), control));
    }
    controls.extend(
        said.opto.iter().map(|(&track, &marks)| {
            remark(format!("track {track}"), Remark::Trim { track, marks })
        }),
    );
    controls.extend(
        said.label
            .iter()
            .map(|label| remark("label".to_owned(), Remark::Label(label.clone()))),
    );
    controls
}

fn failure(input: String, message: String) -> Control {
    Control::failure(Failure {
        position: None,
        input,
        operator: None,
        message,
        domain: Domain::User,
        retry: Retry::No,
    })
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

    #[test]
    fn a_growing_file_is_read_line_by_line_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("said.jsonl");
        let paths = [path.clone()];
        let mut files = FeedbackFiles::new(&paths, FeedbackCursor::default());
        let told = files.poll(Position(0), false);
        assert!(
            matches!(told.as_slice(), [(Control::Failure(_), 1)]),
            "{told:?}"
        );
        assert_eq!(files.poll(Position(0), false), [], "a failure is told once");

        append(&path, "{\"start\":3,\"feedback\":\"like\"}\n{\"start\":4,");
        let told = files.poll(Position(1), false);
        assert!(
            matches!(
                told.as_slice(),
                [(Control::Feedback { sequence: 0, .. }, 1)]
            ),
            "{told:?}"
        );
        // What was read is not read again, whoever goes on.
        let text = serde_json::to_string(files.cursor()).unwrap();
        let mut files = FeedbackFiles::new(&paths, serde_json::from_str(&text).unwrap());
        assert_eq!(files.poll(Position(1), false), [], "half a line waits");
        append(
            &path,
            "\"feedback\":\"nice\"}\n\n{\"start\":5,\"feedback\":\"dislike\"}",
        );
        let told = files.poll(Position(2), true);
        let [
            (Control::Failure(bad), 1),
            (Control::Feedback { sequence: 1, .. }, 1),
        ] = told.as_slice()
        else {
            panic!("{told:?}")
        };
        assert!(bad.input.ends_with("said.jsonl:2"), "{}", bad.input);
        assert!(
            bad.message.contains("\"nice\" is not known"),
            "{}",
            bad.message
        );
    }

    #[test]
    fn the_last_word_on_a_segment_stands() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("said.jsonl");
        let paths = [path.clone()];
        let mut files = FeedbackFiles::new(&paths, FeedbackCursor::default());
        let line = |rest: &str| {
            format!("{{\"class\":\"segmenter\",\"operator\":\"rally\",\"start\":3,{rest}}}\n")
        };
        append(&path, &line("\"end\":9,\"label\":\"long\""));
        assert_eq!(files.poll(Position(4), false).len(), 2);
        append(&path, &line("\"end\":8"));
        let told = files.poll(Position(5), false);
        let diffs: Vec<i64> = told.iter().map(|(_, diff)| *diff).collect();
        assert_eq!(diffs, [-1, 1]);
        let Control::Part { position, .. } = &told[0].0 else {
            panic!("{told:?}")
        };
        assert_eq!(*position, Position(4), "taken back as it was told");
        append(&path, &line("\"retract\":true"));
        let told = files.poll(Position(6), false);
        assert_eq!(told.iter().map(|(_, diff)| diff).sum::<i64>(), -2);
        assert_eq!(files.cursor().standing.len(), 0);
    }
}
