//! What a dataflow is rendered from and fed with: the nodes of one event as plain data, and the
//! entries of its log.

use std::sync::Arc;

use matchcut_model::chunk::{Epoch, PlacedChunk, Position};
use matchcut_model::failure::Failure;
use matchcut_model::observation::{Class, Observation};
use matchcut_model::replay::{Feedback, ReplayRequest};
use matchcut_model::segment::SegmentId;
use matchcut_model::time::MediaTime;
use matchcut_model::value::Name;
use matchcut_operators::sdk::Operator;
use serde::{Deserialize, Serialize};

use super::merge::{Part, Remark};
use super::remember::Scanned;

/// One operator of an event, wired.
#[derive(Clone)]
pub struct OperatorNode {
    /// Its name in the spec.
    pub name: Name,
    /// Its class.
    pub class: Class,
    /// What runs; `None` for an operator whose results come from outside as log entries.
    pub operator: Option<Operator>,
    /// Operators whose observations it reads, by index; they stand before it.
    pub observations: Vec<usize>,
    /// For optimizers and labelers: the segmenter whose segments they update, by index.
    pub segmenter: Option<usize>,
    /// Place in the chain of optimizers and labelers of that segmenter.
    pub rank: u32,
}

/// A replay that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplayDefinition {
    /// Its name, unique in the event.
    pub name: Name,
    /// The segmenter whose segments it chooses from.
    pub segmenter: Name,
    /// What it asks for.
    pub request: ReplayRequest,
    /// The table by which it was asked for (JSON), where the spec has none for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Arc<str>>,
}

/// The nodes of an event, in an order in which every operator stands behind its inputs.
#[derive(Clone)]
pub struct EventGraph {
    /// Operators, in topological order.
    pub operators: Vec<OperatorNode>,
    /// Positions that stay correctable.
    pub window: usize,
    /// Whether replays under MRE's own rules may be asked for. They mix everything with everything, so
    /// that all of it is kept once more for them.
    pub mre: bool,
}

/// An entry of the log that is not a chunk. Most entries of a recording are observations: what is larger
/// than they are lies elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Control {
    /// Somebody outside observed something.
    Observation {
        /// The position it is told at.
        position: Position,
        /// What.
        observation: Arc<Observation>,
    },
    /// Somebody outside marks a segment, or says something of one.
    Part {
        /// The position it is told at.
        position: Position,
        /// The segment.
        segment: SegmentId,
        /// What is said of it.
        part: Box<Part>,
    },
    /// A person says something of a segment that is there.
    Remark {
        /// The segment, by its mark-in to the millisecond.
        segment: SegmentId,
        /// What.
        remark: Box<Remark>,
    },
    /// Somebody likes or dislikes a clip. Of several on one clip the one with the highest
    /// `sequence` counts.
    Feedback {
        /// Order of arrival.
        sequence: u64,
        /// What.
        feedback: Feedback,
    },
    /// Something went wrong outside the dataflow.
    Failure(Box<Failure>),
    /// A replay is asked for.
    Replay(Arc<ReplayDefinition>),
    /// The event ends at this event time.
    End(MediaTime),
}

impl Control {
    /// Somebody outside observed something.
    pub fn observation(position: Position, observation: impl Into<Arc<Observation>>) -> Self {
        Control::Observation {
            position,
            observation: observation.into(),
        }
    }

    /// Somebody outside marks a segment, or says something of one.
    pub fn part(position: Position, segment: SegmentId, part: Part) -> Self {
        Control::Part {
            position,
            segment,
            part: Box::new(part),
        }
    }

    /// A person says something of a segment that is there.
    pub fn remark(segment: SegmentId, remark: Remark) -> Self {
        Control::Remark {
            segment,
            remark: Box::new(remark),
        }
    }

    /// Something went wrong outside the dataflow.
    pub fn failure(failure: Failure) -> Self {
        Control::Failure(Box::new(failure))
    }
}

/// An entry of the log that brings media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkEntry {
    /// A chunk to be decoded and scanned.
    Placed {
        /// Its epoch: by this its media is found, as a position may be told again meanwhile.
        epoch: Epoch,
        /// The chunk.
        placed: Arc<PlacedChunk>,
    },
    /// A chunk whose results are known already.
    Scanned(Scanned),
}

impl ChunkEntry {
    /// Its place in playlist order.
    pub fn position(&self) -> Position {
        match self {
            ChunkEntry::Placed { placed, .. } => placed.chunk.position,
            ChunkEntry::Scanned(scanned) => scanned.position,
        }
    }
}
