//! The stateless part of a featurer that looks at a chunk as a file, not at its frames or samples: it hands
//! it to something outside and waits. It runs beside decoding, which does not wait for it.

use matchcut_model::chunk::{PlacedChunk, TrackNumber};

/// The media of a chunk.
pub trait ChunkMedia: Send + Sync {
    /// The chunk as one file, not encrypted, as it came; an error says why there is none.
    fn file(&self) -> Result<ChunkFile, String>;
}

/// A chunk as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkFile {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// `ts` or `mp4`.
    pub extension: &'static str,
}

/// Looks at chunks as a whole.
pub trait ChunkScanner: Send + Sync {
    /// How many chunks it may look at at once.
    fn at_once(&self) -> usize;

    /// The signature of a chunk, or of one audio track of it. An error costs this operator's result of this
    /// chunk and nothing else; its text is shown to the user. The signature goes into the log, so that
    /// nothing is asked twice.
    fn scan(
        &self,
        chunk: &PlacedChunk,
        track: Option<TrackNumber>,
        media: &dyn ChunkMedia,
    ) -> Result<Vec<u8>, String>;
}
