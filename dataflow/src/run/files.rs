//! Files that are read in parts, kept open between two parts so that each is looked through once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use matchcut_media::file::{FileError, MediaFile};

/// Files that are kept open: a source has one, and most events have a source or two.
const MOST_OPEN: usize = 4;

/// The files that were opened last. Clones share them.
#[derive(Clone, Default)]
pub struct OpenFiles(Arc<Mutex<Vec<(PathBuf, MediaFile)>>>);

impl OpenFiles {
    /// The file, opened now or before. Blocks while it is opened, others too, so that nobody opens
    /// the same file beside.
    pub fn open(&self, path: &Path) -> Result<MediaFile, FileError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(known, _)| known == path) {
            let found = open.remove(at);
            let file = found.1.clone();
            open.push(found);
            return Ok(file);
        }
        let file = MediaFile::open(path)?;
        if open.len() == MOST_OPEN {
            open.remove(0);
        }
        open.push((path.to_owned(), file.clone()));
        Ok(file)
    }
}
