//! Chunks: references to pieces of a stream as a source offers them, and their place on the event
//! timeline once their timestamps have been read. A chunk travels as a reference, never as bytes.

mod frames;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cue::Cue;
use crate::time::{FrameRate, MediaTime, TimeRange, Timestamp};
use crate::timecode::TimecodeMark;

pub use frames::FrameTable;

/// The number of a chunk in order of the timeline (playlist order), from 0. Not the order of
/// arrival: that is the [`Epoch`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Logical time of the dataflow: the number of an input in the event's log, dense from 0.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An audio track, counted 1, 2, … in stream order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackNumber(pub u32);

impl TrackNumber {
    /// Track 1: what is used where nobody names a track.
    pub const FIRST: TrackNumber = TrackNumber(1);
}

impl fmt::Display for TrackNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes `offset .. offset + length` of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ByteRange {
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
}

/// How a resource is encrypted as a whole: EXT-X-KEY with METHOD=AES-128 (AES in CBC mode with PKCS#7
/// padding, RFC 8216, section 4.3.2.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Encryption {
    /// Absolute URI of the 16 bytes of the key.
    pub key_uri: String,
    /// Initialization vector: what the playlist says, else the media sequence number.
    pub iv: [u8; 16],
}

/// A resource or a part of one. `uri` is absolute: `file:///…`, `http://…` or `https://…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// Absolute URI.
    pub uri: String,
    /// The part of it, or all of it.
    pub range: Option<ByteRange>,
    /// How its bytes are encrypted, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
}

impl Resource {
    /// All of a resource that is not encrypted.
    pub fn whole(uri: impl Into<String>) -> Self {
        Resource {
            uri: uri.into(),
            range: None,
            encryption: None,
        }
    }
}

/// The identity of what a chunk holds: equal bytes have equal ids, on every machine. A chunk that
/// comes again with the same id is a duplicate, one with another id is a correction.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ContentId(pub u64);

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The same stretch of the programme in other media: a separate audio rendition, or the variant that
/// clips are cut from while another one is analysed. Its clock is that of the chunk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Rendition {
    /// NAME of an audio rendition; empty for a variant.
    pub name: String,
    /// LANGUAGE of an audio rendition (RFC 5646).
    pub language: Option<String>,
    /// What to fetch, in order: segments of two renditions need not begin and end together.
    pub media: Vec<Resource>,
    /// EXT-X-MAP of a fragmented MP4.
    pub init: Option<Resource>,
    /// How it is packed.
    pub container: Container,
}

/// How the bytes of a chunk are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    /// MPEG-2 transport stream (ISO/IEC 13818-1).
    MpegTs,
    /// Fragmented MP4 (ISO/IEC 14496-12) with an initialization section.
    FragmentedMp4,
    /// Key-frame-bounded part of a progressive MP4, Matroska or WebM file: `media.uri` names the whole file,
    /// `window` says which part.
    FilePart,
    /// Packed audio: an elementary stream of AAC, MP3 or AC-3 with its timestamp in an ID3 tag (RFC 8216,
    /// section 3.4). Only audio renditions are packed so.
    PackedAudio,
    /// Matroska with all that describes it: a fragment of a stream of Kinesis Video.
    Matroska,
}

/// A piece of a stream as a source offers it: what to fetch, and what the playlist says of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkRef {
    /// Name of the source in the spec.
    pub source: String,
    /// Place in playlist order, from 0.
    pub position: Position,
    /// The media bytes.
    pub media: Resource,
    /// EXT-X-MAP of a fragmented MP4.
    pub init: Option<Resource>,
    /// How it is packed.
    pub container: Container,
    /// For [`Container::FilePart`]: the presentation times of the file that this chunk covers.
    pub window: Option<TimeRange>,
    /// EXTINF, or the duration of the window.
    pub declared_duration: Option<MediaTime>,
    /// EXT-X-DISCONTINUITY stood before it.
    pub discontinuity: bool,
    /// EXT-X-PROGRAM-DATE-TIME that applies to its first sample, in microseconds since the Unix epoch.
    pub program_date_time: Option<i64>,
    /// Separate audio renditions, whose tracks follow those of the chunk itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audio: Vec<Rendition>,
    /// What clips are cut from, where it is not the chunk itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_from: Option<Box<Rendition>>,
    /// What the playlist marks in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cues: Vec<Cue>,
}

impl ChunkRef {
    /// A chunk that nothing but its address is known of.
    pub fn new(
        source: impl Into<String>,
        position: Position,
        media: Resource,
        container: Container,
    ) -> Self {
        ChunkRef {
            source: source.into(),
            position,
            media,
            init: None,
            container,
            window: None,
            declared_duration: None,
            discontinuity: false,
            program_date_time: None,
            audio: Vec::new(),
            cut_from: None,
            cues: Vec::new(),
        }
    }
}

/// When one frame is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameTime {
    /// On the event timeline.
    pub time: MediaTime,
    /// As the stream wrote it (unwrapped inside its stretch).
    pub pts: Timestamp,
}

/// A chunk with its place on the event timeline: everything that later stages need to know of it
/// without touching its bytes again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlacedChunk {
    /// What to fetch.
    pub chunk: ChunkRef,
    /// Event time it covers: first frame (or audible sample) to the end of the last.
    pub span: TimeRange,
    /// Event time minus stream time: `event = pts.time() + offset`.
    pub offset: MediaTime,
    /// Stretch of the timeline, counted from 0: inside one, stream time and event time run together.
    pub stretch: u32,
    /// Presentation times of its video frames in order; empty without video.
    pub frames: FrameTable,
    /// Number of its first frame in the event: frames are counted from the start of the event, those
    /// that holes would hold counted in.
    pub first_frame: u64,
    /// Nominal frame rate, if the stream has one.
    pub frame_rate: Option<FrameRate>,
    /// Timecode that its pictures carry: of the first that has one, and wherever it jumps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timecodes: Vec<TimecodeMark>,
    /// Audio tracks found.
    pub audio_tracks: Vec<TrackNumber>,
    /// UTC of `span.start` in microseconds since the Unix epoch, if anchored.
    pub utc: Option<i64>,
    /// Size of the media in bytes.
    pub bytes: u64,
    /// The identity of its bytes.
    pub content: ContentId,
}

/// What the ordered folds need to know of a chunk: a [`PlacedChunk`] without its frame table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkExtent {
    /// Place in playlist order.
    pub position: Position,
    /// Event time it covers.
    pub span: TimeRange,
    /// Stretch of the timeline.
    pub stretch: u32,
    /// Audio tracks found.
    pub audio_tracks: Vec<TrackNumber>,
    /// Nominal frame rate.
    pub frame_rate: Option<FrameRate>,
}

impl PlacedChunk {
    /// The part that the ordered folds need.
    pub fn extent(&self) -> ChunkExtent {
        ChunkExtent {
            position: self.chunk.position,
            span: self.span,
            stretch: self.stretch,
            audio_tracks: self.audio_tracks.clone(),
            frame_rate: self.frame_rate,
        }
    }
}
