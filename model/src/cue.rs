//! Cues: marks that a stream carries about itself. HLS playlists have them as DATERANGE, CUE-OUT and
//! CUE-IN, transport streams as SCTE-35 sections; operators see them as observations.

use serde::{Deserialize, Serialize};

use crate::time::{MediaTime, Timestamp};
use crate::value::Attributes;

/// Where a cue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CueTime {
    /// At the first frame of the chunk that carries it.
    ChunkStart,
    /// At a time of the stream, on the clock of the chunk's samples (modulo 2^33 at 90 kHz).
    Pts(Timestamp),
    /// At a time of day, in microseconds since the Unix epoch.
    Utc(i64),
}

/// What kind of mark a cue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CueKind {
    /// The programme is left (CUE-OUT, splice_insert out of network): usually a break begins.
    Out,
    /// The programme goes on.
    In,
    /// A range of dates (EXT-X-DATERANGE).
    DateRange,
    /// Another SCTE-35 message, such as a time_signal with segmentation descriptors.
    Scte35,
}

/// A mark that the stream carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cue {
    /// Where it stands.
    pub at: CueTime,
    /// What it is.
    pub kind: CueKind,
    /// How long what it announces lasts, where it says so.
    pub duration: Option<MediaTime>,
    /// Everything else that it says: `id`, `class`, `scte35` (hexadecimal), `x_…` attributes, and so on.
    pub attributes: Attributes,
}
