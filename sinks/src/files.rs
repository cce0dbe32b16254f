//! Files that are whole or absent: documents are written beside their place, synced and renamed;
//! logs grow by whole epochs, and a failed append leaves what stood there before.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::SinkError;

/// Creates a directory and those above it.
pub(crate) fn create_dir(path: &Path) -> Result<(), SinkError> {
    fs::create_dir_all(path).map_err(SinkError::io("create directory", path))
}

/// Replaces `path` by `content` in one step. After an error the old content still stands.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), SinkError> {
    write_atomically_by(path, |out| {
        out.write_all(content).map_err(SinkError::io("write", path))
    })
}

/// Replaces `path` by what `write` writes, in one step and without holding it in memory.
pub(crate) fn write_atomically_by(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), SinkError>,
) -> Result<(), SinkError> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    let part = path.with_file_name(name);
    let result = write_and_rename(&part, path, write);
    if result.is_err() {
        // Nobody is to take the rest of a failed write for a document.
        let _ = fs::remove_file(&part);
    }
    result
}

fn write_and_rename(
    part: &Path,
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), SinkError>,
) -> Result<(), SinkError> {
    let file = File::create(part).map_err(SinkError::io("create", part))?;
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    let file = out
        .into_inner()
        .map_err(|error| SinkError::io("write", path)(error.into_error()))?;
    file.sync_all().map_err(SinkError::io("sync", path))?;
    fs::rename(part, path).map_err(SinkError::io("rename to", path))?;
    let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) else {
        return Ok(());
    };
    // The rename itself is durable only once the directory is.
    let handle = File::open(dir).map_err(SinkError::io("open", dir))?;
    handle.sync_all().map_err(SinkError::io("sync", dir))
}

/// A file that only grows, by whole pieces.
#[derive(Debug)]
pub(crate) struct AppendFile {
    path: PathBuf,
    file: File,
    length: u64,
    /// What stands behind `length` already, while a log is written again.
    standing: u64,
}

impl AppendFile {
    /// A new, empty file.
    pub(crate) fn create(path: &Path) -> Result<Self, SinkError> {
        let file = File::create(path).map_err(SinkError::io("create", path))?;
        Ok(AppendFile {
            path: path.to_owned(),
            file,
            length: 0,
            standing: 0,
        })
    }

    /// A file that was begun before. Pieces that stand in it already are not written again; what does
    /// not agree with them, and what stands behind the last piece, goes.
    pub(crate) fn resume(path: &Path) -> Result<Self, SinkError> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(SinkError::io("open", path))?;
        let standing = file.metadata().map_err(SinkError::io("read", path))?.len();
        Ok(AppendFile {
            path: path.to_owned(),
            file,
            length: 0,
            standing,
        })
    }

    /// Whether the next bytes of the file are `piece`.
    fn stands(&mut self, piece: &[u8]) -> std::io::Result<bool> {
        if self.standing < self.length + piece.len() as u64 {
            return Ok(false);
        }
        let mut found = vec![0; piece.len()];
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.read_exact(&mut found)?;
        Ok(found == piece)
    }

    /// From here on the file is written, not compared.
    fn settle(&mut self) -> std::io::Result<()> {
        if self.standing > 0 {
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            self.standing = 0;
        }
        Ok(())
    }

    /// Appends all of `piece`, or nothing.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<(), SinkError> {
        if piece.is_empty() {
            return Ok(());
        }
        if self.standing > 0 {
            let path = self.path.clone();
            let failed = SinkError::io("read", &path);
            if self.stands(piece).map_err(failed)? {
                self.length += piece.len() as u64;
                return Ok(());
            }
            let failed = SinkError::io("write", &path);
            self.settle().map_err(failed)?;
        }
        if let Err(source) = self.file.write_all(piece) {
            // Half an epoch must not stand in the log; if even this fails, the error still tells.
            let _ = self.file.set_len(self.length);
            let _ = self.file.seek(SeekFrom::Start(self.length));
            return Err(SinkError::Io {
                action: "write",
                path: self.path.clone(),
                source,
            });
        }
        self.length += piece.len() as u64;
        Ok(())
    }

    /// Waits until everything is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), SinkError> {
        let path = self.path.clone();
        let failed = SinkError::io("write", &path);
        self.settle().map_err(failed)?;
        self.file
            .sync_all()
            .map_err(SinkError::io("sync", &self.path))
    }
}

/// What was read, or that it is not there.
pub fn present<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A file name from free text: letters, digits, `.`, `_` and `-`; never empty, hidden or `..`.
pub fn safe_file_name(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let safe = safe.trim_start_matches('.');
    if safe.is_empty() {
        "_".to_owned()
    } else {
        safe.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_document_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_keeps_the_old_document_and_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        write_atomically(&path, b"old").unwrap();
        std::os::unix::fs::symlink("/dev/full", dir.path().join(".a.json.part")).unwrap();
        let error = write_atomically(&path, b"new").unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("cannot write /") && text.contains("a.json: No space"),
            "{text}"
        );
        assert!(error.hint().unwrap().contains("disk is full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert!(!dir.path().join(".a.json.part").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_failed_append_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut log = AppendFile::create(&path).unwrap();
        let error = log.append(b"line\n").unwrap_err();
        assert!(error.to_string().contains("log: No space left"), "{error}");
        assert_eq!(log.length, 0);
    }

    #[test]
    fn file_names_stay_in_their_directory() {
        for (text, name) in [
            ("rally:705600000", "rally_705600000"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("", "_"),
            ("..", "_"),
            (".hidden", "hidden"),
            ("Tor für A", "Tor_für_A"),
        ] {
            assert_eq!(safe_file_name(text), name);
        }
    }
}
