//! Failures as data: what went wrong with one chunk or one operator, told to the user and kept
//! beside the results, while everything else goes on.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chunk::Position;
use crate::value::Name;

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// What the user wrote or gave.
    User,
    /// The outside: a network, a disk, a server, a broken stream.
    External,
    /// A bug in matchcut.
    Internal,
}

/// Whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// The same would happen again.
    No,
    /// It may pass.
    WithBackoff,
}

/// One failure, as a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// The chunk it happened on, if one.
    pub position: Option<Position>,
    /// Where the chunk lies (its URI), or what else names the input.
    pub input: String,
    /// The operator, or `None` for the chunk as a whole (fetch, demux, decode).
    pub operator: Option<Name>,
    /// What went wrong: lower case, no period.
    pub message: String,
    /// Who can mend it.
    pub domain: Domain,
    /// Whether trying again may help.
    pub retry: Retry,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(position) = self.position {
            write!(f, "chunk {position} ({})", self.input)?;
        } else {
            f.write_str(&self.input)?;
        }
        if let Some(operator) = &self.operator {
            write!(f, ", operator \"{operator}\"")?;
        }
        write!(f, ": {}", self.message)
    }
}
