//! Follows edges of the graph of an event: what an operator observes, what becomes of the segments of a segmenter, what
//! a replay selects. Each change is told as the line that the event wrote of it.

mod dir;
mod line;
mod names;
mod remote;

use std::io;
use std::path::PathBuf;

use crate::client::ClientError;

pub use dir::of_dir;
pub use remote::of_service;

/// The file of what became of an event, and the file of what that follows from.
const CHANGES: &str = "changes";
const LOG: &str = "log";

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Also what there was before. Of an event that is over there is nothing else to tell.
    pub from_start: bool,
    /// What comes from now on, until the event is over.
    pub follow: bool,
}

/// Who is told.
pub trait Told {
    /// A line, without its end.
    fn line(&mut self, line: &str) -> io::Result<()>;
    /// Everything that there is now was told.
    fn pause(&mut self) -> io::Result<()>;
    /// Something for people that is no change.
    fn note(&mut self, text: &str);
}

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
pub enum TapError {
    /// The service does not tell it.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A name that nothing has.
    #[error("{message}")]
    Name {
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: Option<String>,
    },
    /// There is no event.
    #[error("{} holds no results of an event: there is neither changes.jsonl nor log.jsonl", .0.display())]
    NoEvent(PathBuf),
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line cannot be understood.
    #[error("{place}: this is no line of changes: {reason}")]
    Line {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
    /// The service was away for too long.
    #[error("the service has hung up, and was not there again for {0} s")]
    Away(u64),
    /// Who is told does not hear it.
    #[error(transparent)]
    Write(#[from] io::Error),
}
