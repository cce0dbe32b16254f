//! Files of observations, read with every core: one of a whole match has hundreds of thousands of lines.
//! Each thread reads its own stretch of the file as a stream, so that the file is never in memory as a
//! whole.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use matchcut_model::lines::{LineError, Record, RecordReader, without_mark};
use matchcut_model::observation::Observation;
use matchcut_model::segment::Segment;

/// Bytes that one thread may as well read alone.
const SMALL: u64 = 1 << 20;

/// What was read, in the order of the file.
#[derive(Debug, Default)]
pub struct Read {
    /// What featurers said.
    pub observations: Vec<Arc<Observation>>,
    /// What segmenters marked.
    pub segments: Vec<Segment>,
    /// Lines that cannot be read.
    pub errors: Vec<LineError>,
    lines: usize,
}

impl Read {
    /// Adds what stands behind it in the same file.
    fn follow(&mut self, next: Read) {
        self.observations.extend(next.observations);
        self.segments.extend(next.segments);
        let before = self.lines;
        self.errors.extend(next.errors.into_iter().map(|mut error| {
            error.line += before;
            error
        }));
        self.lines += next.lines;
    }
}

/// Reads a file.
pub fn read(path: &Path) -> io::Result<Read> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() {
        // A pipe has no stretches.
        let name = path.display().to_string();
        return stretch(BufReader::new(File::open(path)?), &name, 0..u64::MAX);
    }
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    let number = cores.min(meta.len() / SMALL + 1);
    let size = meta.len().div_ceil(number.max(1));
    let ranges = (0..number).map(|index| index * size..(index + 1) * size);
    let parts: Vec<io::Result<Read>> = thread::scope(|scope| {
        let reading: Vec<_> = ranges
            .map(|range| scope.spawn(move || read_range(path, range)))
            .collect();
        let joined = reading.into_iter().map(|thread| thread.join());
        joined
            .map(|read| read.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut whole = Read::default();
    for part in parts {
        whole.follow(part?);
    }
    Ok(whole)
}

/// Reads the lines that begin in a range of bytes.
fn read_range(path: &Path, range: Range<u64>) -> io::Result<Read> {
    let mut file = File::open(path)?;
    // Whether a line begins at the first byte is told by the one before it.
    let before = range.start.saturating_sub(1);
    file.seek(SeekFrom::Start(before))?;
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let skipped = match range.start {
        0 => 0,
        _ => reader.skip_until(b'\n')? as u64,
    };
    let begin = before + skipped;
    stretch(reader, &path.display().to_string(), begin..range.end)
}

/// Reads the lines that begin in a range of bytes, from its first byte.
fn stretch(mut reader: impl BufRead, name: &str, range: Range<u64>) -> io::Result<Read> {
    let mut read = Read::default();
    let mut records = RecordReader::default();
    let mut line = Vec::new();
    let mut at = range.start;
    while at < range.end {
        line.clear();
        let start = at;
        at += reader.read_until(b'\n', &mut line)? as u64;
        if line.is_empty() {
            break;
        }
        read.lines += 1;
        let text = match start {
            0 => without_mark(&line),
            _ => &line,
        };
        match records.read(text) {
            Ok(None | Some(Record::Remark(_))) => {}
            Ok(Some(Record::Observation(row))) => read.observations.push(Arc::new(row)),
            Ok(Some(Record::Segment(row))) => read.segments.push(row.segment),
            Err(problem) => read.errors.push(LineError {
                file: name.to_owned(),
                line: read.lines,
                problem,
            }),
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_line_is_read_once_wherever_a_stretch_ends() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut text = String::new();
        for number in 0..40 {
            match number % 10 {
                3 => text.push_str("no line\n"),
                7 => text.push('\n'),
                _ => text.push_str(&format!(
                    "{{\"operator\":\"a\",\"class\":\"featurer\",\"start\":{number}}}\n"
                )),
            }
        }
        text.pop();
        text.insert(0, '\u{feff}');
        file.write_all(text.as_bytes()).unwrap();
        let length = text.len() as u64;
        let whole = read(file.path()).unwrap();
        assert_eq!(whole.observations.len(), 32);
        let lines: Vec<usize> = whole.errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [4, 14, 24, 34]);
        for border in 0..=length + 2 {
            let mut parts = read_range(file.path(), 0..border).unwrap();
            parts.follow(read_range(file.path(), border..length + 2).unwrap());
            assert_eq!(parts.observations, whole.observations, "{border}");
            assert_eq!(parts.errors, whole.errors, "{border}");
        }
    }
}
