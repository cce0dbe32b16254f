//! Chunks for the tests of this module: four seconds each, one behind the other.

use matchcut_model::chunk::{
    ChunkRef, Container, ContentId, FrameTable, PlacedChunk, Position, Resource,
};
use matchcut_model::time::{MediaTime, TimeRange};

/// Chunk `position`, whose media lies at `uri` and has the identity `content`.
pub fn chunk(uri: String, position: u64, content: u64) -> PlacedChunk {
    let seconds = |n: u64| MediaTime::from_seconds(4 * n as i64);
    let (position, media) = (Position(position), Resource::whole(uri));
    PlacedChunk {
        span: TimeRange::new(seconds(position.0), seconds(position.0 + 1)),
        chunk: ChunkRef::new("court", position, media, Container::MpegTs),
        offset: MediaTime::ZERO,
        stretch: 0,
        frames: FrameTable::default(),
        timecodes: Vec::new(),
        first_frame: 0,
        frame_rate: None,
        audio_tracks: Vec::new(),
        utc: None,
        bytes: 1_000_000,
        content: ContentId(content),
    }
}
