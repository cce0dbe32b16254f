//! What a source gives, one at a time, in playlist order.

use std::path::PathBuf;

use matchcut_model::chunk::{ChunkRef, Position};
use matchcut_model::cue::Cue;
use matchcut_model::failure::Failure;
use matchcut_model::time::MediaTime;

/// Chunks that will never come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The position of the first of them.
    pub position: Position,
    /// How many; the next chunk has position `position + count`.
    pub count: u64,
    /// Duration of each, where it is known.
    pub each: Option<MediaTime>,
    /// Which, and why.
    pub failure: Failure,
    /// What the playlist marks in it, where it is one: that holds all the same.
    pub cues: Vec<Cue>,
    /// The time of day at its start, where that is known.
    pub program_date_time: Option<i64>,
}

impl Missing {
    /// Missing chunks that nothing more is known of.
    pub fn new(position: Position, count: u64, each: Option<MediaTime>, failure: Failure) -> Self {
        Missing {
            position,
            count,
            each,
            failure,
            cues: Vec::new(),
            program_date_time: None,
        }
    }
}

/// One thing that a source says. Positions are dense: each chunk has one, each missing chunk too.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly all items are chunks")]
pub enum SourceItem {
    /// The next chunk. Its position is the next one, or one that was told before: then it fills a hole,
    /// or takes the place of the chunk that was there (it may hold the same bytes).
    Chunk(ChunkRef),
    /// A whole file, to be divided into chunks at key frames by who knows its format.
    File(PathBuf),
    /// A hole in the order.
    Missing(Missing),
    /// Something that the user should know; nothing is lost by it.
    Notice(Failure),
    /// Nothing comes any more.
    End,
}
