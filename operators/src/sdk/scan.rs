//! The stateless part of a featurer: it sees every frame (or block of samples) of one chunk in
//! order of presentation and returns a small signature. Chunks are scanned in parallel.

use matchcut_model::chunk::{ChunkExtent, TrackNumber};
use matchcut_model::frame::{AudioBlock, Frame, ViewSpec};

/// What a scan knows of its chunk before the first frame.
#[derive(Clone, Debug)]
pub struct ChunkContext {
    /// Place and event time of the chunk.
    pub extent: ChunkExtent,
    /// The track, for audio scans.
    pub track: Option<TrackNumber>,
}

/// Starts scans of video chunks.
pub trait VideoScanner: Send + Sync {
    /// The frames it wants. Equal views of several operators are computed once.
    fn view(&self) -> ViewSpec;

    /// A scan of one chunk.
    fn start(&self, chunk: &ChunkContext) -> Box<dyn VideoScan>;

    /// Whether a scan may wait for somebody outside, who takes as long as they like: then nobody else's chunk waits
    /// for it.
    fn waits(&self) -> bool {
        false
    }
}

/// A scan of one video chunk.
pub trait VideoScan: Send {
    /// The next frame in order of presentation. An error costs this operator's result of this
    /// chunk and nothing else; its text is shown to the user.
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String>;

    /// The signature of the chunk. Its layout is the operator's own; equal frames must give equal
    /// bytes.
    fn finish(self: Box<Self>) -> Result<Vec<u8>, String>;
}

/// Starts scans of one audio track of a chunk.
pub trait AudioScanner: Send + Sync {
    /// A scan of one track of one chunk.
    fn start(&self, chunk: &ChunkContext) -> Box<dyn AudioScan>;

    /// Whether a scan may wait for somebody outside, who takes as long as they like: then nobody else's chunk waits
    /// for it.
    fn waits(&self) -> bool {
        false
    }
}

/// A scan of one track of one chunk.
pub trait AudioScan: Send {
    /// The next samples; blocks follow each other without overlap.
    fn block(&mut self, block: &AudioBlock<'_>) -> Result<(), String>;

    /// The signature of the chunk.
    fn finish(self: Box<Self>) -> Result<Vec<u8>, String>;
}
