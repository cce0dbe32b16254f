//! Replays without new media: a VOD playlist over the chunks of the source, with a discontinuity
//! between clips, and byte ranges that trim chunks to whole groups of pictures. Where a clip enters
//! and leaves a chunk is decided in `select`, how it is written in `text`.

mod select;
mod text;

use matchcut_model::chunk::{Container, Resource};
use matchcut_model::time::{MediaTime, TimeRange};
use serde::{Deserialize, Serialize};

use crate::samples::Demuxed;

pub use select::{GUARD, REACH, instant, whole};
pub use text::{AudioRendition, master};

/// A piece of a source chunk in a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaylistPart {
    /// What a player fetches; the URI may be relative to the playlist.
    pub media: Resource,
    /// EXT-X-MAP.
    pub init: Option<Resource>,
    /// How long it really lasts.
    pub duration: MediaTime,
}

/// What a clip should show of what it plays: EXT-X-DATERANGE, for pages that skip to the frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipMarks {
    /// Unique in its playlist.
    pub id: String,
    /// For people.
    pub label: Option<String>,
    /// From the start of the clip to its mark-in.
    pub mark_in: MediaTime,
    /// From the start of the clip to its mark-out.
    pub mark_out: MediaTime,
}

/// A clip of a playlist: what plays without a jump of the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaylistClip {
    /// Its pieces in order.
    pub parts: Vec<PlaylistPart>,
    /// UTC of its first frame in microseconds since the Unix epoch.
    pub program_date_time: Option<i64>,
    /// Shown by players that show titles.
    pub title: Option<String>,
    /// Its marks; written only where there is a `program_date_time`, which they count from.
    pub marks: Option<ClipMarks>,
    /// Whether a player may be told to begin at the mark-in rather than at the first frame: not
    /// when it would begin at a key frame that browsers refuse.
    pub start_at_mark: bool,
}

impl PlaylistClip {
    /// How long it lasts.
    pub fn duration(&self) -> MediaTime {
        self.parts.iter().map(|part| part.duration).sum()
    }
}

/// A playlist of clips that does not change any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VodPlaylist {
    /// Clips in the order they are played.
    pub clips: Vec<PlaylistClip>,
}

impl VodPlaylist {
    /// How long it lasts.
    pub fn duration(&self) -> MediaTime {
        self.clips.iter().map(PlaylistClip::duration).sum()
    }

    /// The playlist as text.
    pub fn to_m3u8(&self) -> String {
        text::vod(self)
    }
}

/// A chunk that a clip may use.
#[derive(Clone, Copy, Debug)]
pub struct HlsChunk<'a> {
    /// Its samples; empty when they are not known, and then it is played whole.
    pub demuxed: &'a Demuxed,
    /// Event time minus stream time.
    pub offset: MediaTime,
    /// What a player fetches, in order. A chunk of several resources is played whole.
    pub media: &'a [Resource],
    /// EXT-X-MAP.
    pub init: Option<&'a Resource>,
    /// How it is packed.
    pub container: Container,
    /// Its size in bytes, if known; needed to trim its front.
    pub bytes: Option<u64>,
    /// Event time that it covers.
    pub span: TimeRange,
    /// Whether a part of it may be played. Not when sound that lies elsewhere goes with it, nor
    /// when `demuxed` is of other media than `media`.
    pub divisible: bool,
}

/// How exact an instant clip is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstantReport {
    /// Event time that is really played.
    pub played: TimeRange,
    /// How much is played before the start.
    pub early: MediaTime,
    /// How much is played after the end.
    pub late: MediaTime,
    /// Frames by which the start or the end is off, whichever is more.
    pub max_error_frames: u64,
    /// Frames at its start that refer to what is not played: players leave them out or show them
    /// broken. All of them come before the range.
    pub broken_frames: u64,
    /// Whether browsers can play it: it starts at a key frame they accept.
    pub browser: bool,
    /// What else the receiver should know.
    pub notes: Vec<String>,
}

/// Why no instant clip can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstantError {
    /// No chunk covers the range.
    #[error("no chunk covers {0}")]
    Empty(TimeRange),
    /// A part of a file cannot be named in a playlist.
    #[error("the source is a file without chunks; a playlist needs chunks, so use an exact cut")]
    File,
}
