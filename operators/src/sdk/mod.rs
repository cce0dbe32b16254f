//! The operator SDK: what an operator declares, the two parts it is made of, and how one is
//! registered. A *scan* looks at the pixels or samples of one chunk, on any thread, in any order
//! of chunks; an ordered *fold* decides, in event order, with a state that can be snapshotted.
//!
//! A featurer that looks at media has both parts: its scan condenses a chunk to a small signature
//! (bytes), its fold turns signatures into observations. Where it is not pixels or samples but the
//! stream's own marks that count, the signature is made without a scan; where somebody outside looks at the
//! chunk as a file, its answer is the signature. All other operators are a fold alone.

mod call;
mod chunk;
mod describe;
mod fold;
mod said;
mod scan;
mod timed;

pub use call::{Answer, Caller, Recall};
pub use chunk::{ChunkFile, ChunkMedia, ChunkScanner};
pub use describe::{
    AttributeKind, AttributeSpec, Description, EdgeKind, InputRule, OperatorType, OptionError,
    OptionSpec, Options, intern, options_of, parse_options, text_duration,
};
pub use fold::{Emission, Fold, FoldBox, FoldState, Mark, Step};
pub use said::{Said, pass_on, signature_of};
pub use scan::{AudioScan, AudioScanner, ChunkContext, VideoScan, VideoScanner};
pub use timed::Stopwatch;

use std::sync::Arc;

use matchcut_model::time::MediaTime;

/// How much of what follows a moment a featurer may have to see before it reports that moment.
/// Whoever decides about a moment for good waits until the watermark is this far past everything
/// that it looks at, so that decisions do not depend on where chunks are cut.
pub const SETTLE: MediaTime = MediaTime::from_seconds(1);

/// The longest segment where neither the operator nor the pipeline says another length. The spec's
/// `pipeline.max_segment` is given to every operator that has an option `max_segment` and leaves
/// it out.
pub const MAX_SEGMENT: MediaTime = MediaTime::from_seconds(300);

/// A configured operator, ready to run.
#[derive(Clone)]
pub enum Operator {
    /// A featurer that looks at frames: the scan's signature of each chunk goes to the fold.
    Video {
        /// The stateless part.
        scanner: Arc<dyn VideoScanner>,
        /// The ordered part.
        fold: FoldBox,
    },
    /// A featurer that listens: one scan and one fold for each audio track.
    Audio {
        /// The stateless part.
        scanner: Arc<dyn AudioScanner>,
        /// The ordered part.
        fold: FoldBox,
    },
    /// A featurer that has chunks looked at as files, by something outside.
    Chunk {
        /// The stateless part.
        scanner: Arc<dyn ChunkScanner>,
        /// The ordered part.
        fold: FoldBox,
        /// Whether each audio track is looked at by itself.
        per_track: bool,
    },
    /// A featurer of what the stream marks in itself; the signature of each chunk is that of
    /// [`crate::cues::signature`].
    Cues(FoldBox),
    /// An operator that sees only what other operators say.
    Fold(FoldBox),
}

impl Operator {
    /// The ordered part.
    pub fn fold(&self) -> &FoldBox {
        match self {
            Operator::Video { fold, .. }
            | Operator::Audio { fold, .. }
            | Operator::Chunk { fold, .. } => fold,
            Operator::Cues(fold) | Operator::Fold(fold) => fold,
        }
    }

    /// Whether there is one ordered part for each audio track.
    pub fn per_track(&self) -> bool {
        match self {
            Operator::Audio { .. } => true,
            Operator::Chunk { per_track, .. } => *per_track,
            Operator::Video { .. } | Operator::Cues(_) | Operator::Fold(_) => false,
        }
    }

    /// The same operator with another ordered part.
    pub fn with_fold(self, fold: FoldBox) -> Self {
        match self {
            Operator::Video { scanner, .. } => Operator::Video { scanner, fold },
            Operator::Audio { scanner, .. } => Operator::Audio { scanner, fold },
            Operator::Chunk {
                scanner, per_track, ..
            } => Operator::Chunk {
                scanner,
                fold,
                per_track,
            },
            Operator::Cues(_) => Operator::Cues(fold),
            Operator::Fold(_) => Operator::Fold(fold),
        }
    }
}
