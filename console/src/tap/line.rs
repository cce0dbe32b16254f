//! A line of changes, as far as it says of which edge it is.

use serde::Deserialize;

/// A line.
#[derive(Debug, Deserialize)]
pub struct Line {
    /// Its epoch.
    pub epoch: u64,
    /// What has changed.
    pub kind: Kind,
    /// The row.
    pub value: Row,
}

/// What can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What an operator observed.
    Observation,
    /// A segment.
    Segment,
    /// A segment in a replay.
    Replay,
    /// A clip.
    Clip,
    /// A chunk.
    Chunk,
    /// A chunk that is missing.
    Gap,
    /// Something that went wrong.
    Error,
    /// What later versions tell.
    #[serde(other)]
    Other,
}

/// Who says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Row {
    /// An operator.
    pub operator: Option<String>,
    /// A replay.
    pub replay: Option<String>,
}

impl Line {
    /// Reads it; else why not.
    pub fn read(text: &str) -> Result<Line, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// The name by which it is followed.
    pub fn name(&self) -> Option<&str> {
        match self.kind {
            Kind::Observation | Kind::Segment => self.value.operator.as_deref(),
            Kind::Replay => self.value.replay.as_deref(),
            Kind::Clip => Some("clips"),
            Kind::Chunk | Kind::Gap => Some("chunks"),
            Kind::Error => Some("errors"),
            Kind::Other => None,
        }
    }
}
