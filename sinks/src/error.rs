//! What can go wrong when results are written. Every error names the path it is about.

use std::io;
use std::path::{Path, PathBuf};

use matchcut_model::timecode::TimecodeError;

/// Results that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The directory holds the results of an earlier run.
    #[error("{} already holds results ({found})", dir.display())]
    HoldsResults {
        /// The directory.
        dir: PathBuf,
        /// What was found in it.
        found: String,
    },
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: "create", "write", …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// A value that JSON cannot hold.
    #[error("cannot write {} as JSON: {source}", path.display())]
    Json {
        /// The document.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// An option that is no timecode at the event's frame rate.
    #[error("start_timecode: {0}")]
    StartTimecode(#[from] TimecodeError),
}

impl SinkError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SinkError {
        let path = path.to_owned();
        move |source| SinkError::Io {
            action,
            path,
            source,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            SinkError::HoldsResults { .. } => Some(
                "name another directory with --out, replace the results with --force, or go \
                     on with a run with --resume",
            ),
            SinkError::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    Some("the disk is full: free space, then go on with --resume")
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Some("name a directory that you may write to with --out")
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                    Some("a file stands where a directory is needed")
                }
                _ => None,
            },
            SinkError::Json { .. } => None,
            SinkError::StartTimecode(_) => Some("the usual starts are 00:00:00:00 and 01:00:00:00"),
        }
    }
}
