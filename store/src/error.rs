//! Why the store could not be used.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite refused.
    #[error("{}: {what}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why.
        source: rusqlite::Error,
    },
    /// The file system refused.
    #[error("cannot write to {}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process writes to it.
    #[error("{} is in use by another run (process {pid})", dir.display())]
    InUse {
        /// The directory of the store.
        dir: PathBuf,
        /// Its process, as far as is known.
        pid: String,
    },
    /// It was written by a program that this one does not understand.
    #[error("{} has format {found}, and this program reads format {expected}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: String,
        /// What is understood.
        expected: u32,
    },
    /// Epochs must be committed in order, each once.
    #[error("epoch {epoch} was to be committed where {expected} comes next")]
    Order {
        /// The epoch that came.
        epoch: u64,
        /// The one that was expected.
        expected: u64,
    },
    /// A part of it cannot be read back.
    #[error("{}: entry {epoch} of the log is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The entry.
        epoch: u64,
        /// Why.
        reason: String,
    },
}

impl StoreError {
    /// What may help.
    pub fn hint(&self) -> Option<&'static str> {
        use std::io::ErrorKind;
        const FULL: &str = "the disk is full: free space, then go on with --resume";
        match self {
            StoreError::Sqlite { source, .. } => match source.sqlite_error_code()? {
                ErrorCode::DiskFull => Some(FULL),
                ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                    Some("name a directory that you may write to with --out")
                }
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    Some("the store is damaged: begin anew with --force")
                }
                _ => None,
            },
            StoreError::Io { source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(FULL),
                ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                    Some("a file stands where a directory is needed")
                }
                _ => Some("name a directory that you may write to with --out"),
            },
            StoreError::InUse { .. } => {
                Some("wait until it is over, or name another directory with --out")
            }
            StoreError::Format { .. } | StoreError::Damaged { .. } => {
                Some("begin anew with --force, or go on with the version that wrote it")
            }
            StoreError::Order { .. } => None,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = path.to_owned();
        move |source| StoreError::Io { path, source }
    }
}
