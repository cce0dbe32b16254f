//! Why the store cannot do what it is asked for.

use std::io;
use std::path::PathBuf;

/// Why the store of the service failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or directory cannot be made or opened.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A newer program has written the file.
    #[error(
        "{} was written by a newer matchcut (version {found} of its tables, this one knows {known})",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that is known.
        known: usize,
    },
    /// Another service runs what is there.
    #[error("{} is in use by another matchcut serve; give this one another --data", .0.display())]
    InUse(PathBuf),
    /// SQLite refuses.
    #[error("SQLite: {0}{help}", help = mended(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// A row is not what was written.
    #[error("a row of the store is damaged")]
    Damaged,
}

/// What helps, where that is known.
fn mended(error: &rusqlite::Error) -> &'static str {
    use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase};
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            "; the store of the service is damaged: go on with a copy of it (matchcut restore)"
        }
        Some(DiskFull) => "; free space on the disk of the service",
        _ => "",
    }
}

impl StoreError {
    /// Whether there is no room on the disk.
    pub fn is_full(&self) -> bool {
        match self {
            StoreError::Io { source, .. } => source.kind() == io::ErrorKind::StorageFull,
            StoreError::Sqlite(error) => {
                error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            _ => false,
        }
    }
}
