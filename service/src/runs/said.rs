//! What people say of an event while it runs, kept as the lines that `matchcut run --feedback` reads: whatever was taken
//! is heard once, also by an event that waits, or goes on later.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use matchcut_dataflow::run::log::STORE_DIR;

/// One writer at a time, so that lines stay whole.
static WRITING: Mutex<()> = Mutex::new(());

/// Where what is said of an event lies; `dir` is its directory.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(STORE_DIR).join("said.jsonl")
}

/// Makes the file where there is none.
pub fn prepare(dir: &Path) -> io::Result<()> {
    append(dir, b"")
}

/// Appends whole lines; when this returns they are on the disk.
pub fn append(dir: &Path, lines: &[u8]) -> io::Result<()> {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = path(dir);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut options = OpenOptions::new();
    let mut file = options.read(true).append(true).create(true).open(path)?;
    if lines.is_empty() {
        return Ok(());
    }
    let mut text = Vec::with_capacity(lines.len() + 2);
    // A line that a crash has cut short stays apart from what follows.
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push(b'\n');
        }
    }
    text.extend_from_slice(lines);
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    file.write_all(&text)?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_whole() {
        let dir = tempfile::tempdir().unwrap();
        let read = || fs::read_to_string(path(dir.path())).unwrap();
        prepare(dir.path()).unwrap();
        assert_eq!(read(), "");
        append(dir.path(), b"a").unwrap();
        append(dir.path(), b"b\nc\n").unwrap();
        assert_eq!(read(), "a\nb\nc\n");
        fs::write(path(dir.path()), "a\nhal").unwrap();
        append(dir.path(), b"b").unwrap();
        assert_eq!(read(), "a\nhal\nb\n");
    }
}
