//! Exact cuts: the frames of a range of event time, taken as they are from the source, in an MP4
//! whose edit lists hide what decoders need but viewers must not see.

mod audio;
mod chapters;
mod exact;
mod layout;
mod rendered;
mod smart;
mod video;
mod write;

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange, seconds};
use serde::{Deserialize, Serialize};

use crate::samples::{Codec, Demuxed, ParameterSets, SyncKind};

pub use exact::{exact, to_decode};
pub(crate) use rendered::{RenderedPictures, RenderedSound, Spooled, write_rendered};
pub use smart::{SmartError, smart};
pub use write::{replay_notes, write_mp4, write_replay_mp4, write_replay_mp4_with_chapters};

/// A chunk that a cut may take samples from.
#[derive(Clone, Copy, Debug)]
pub struct CutChunk<'a> {
    /// Its samples.
    pub demuxed: &'a Demuxed,
    /// Event time minus stream time: `event = pts.time() + offset`.
    pub offset: MediaTime,
    /// Stretch of the timeline it belongs to.
    pub stretch: u32,
}

/// Why a cut cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// No frame and no sound in the range.
    #[error("nothing to cut: no frame or sound between {0} in the chunks that were given")]
    Empty(TimeRange),
    /// The group of pictures of the first frame begins before the chunks that were given.
    #[error(
        "no key frame at or before {first_frame}: decoding would have to start in an earlier chunk"
    )]
    NoKeyFrame {
        /// Event time of the first frame of the range.
        first_frame: MediaTime,
    },
    /// The stream never said how to decode it.
    #[error("no parameter sets (SPS, PPS) at or before the key frame at {key_frame}")]
    NoParameterSets {
        /// Event time of the key frame.
        key_frame: MediaTime,
    },
    /// A codec that cannot be put into the MP4 as it is.
    #[error("{what} {codec} cannot be cut without re-encoding; render it instead")]
    Codec {
        /// "video" or "audio".
        what: &'static str,
        /// The codec.
        codec: Codec,
    },
    /// The audio track that was asked for does not exist.
    #[error("no audio track {asked}; there is {available}")]
    NoTrack {
        /// What was asked for.
        asked: TrackNumber,
        /// What there is.
        available: String,
    },
    /// The sound changes its format, which one track of an MP4 cannot follow.
    #[error(
        "the sound changes from {from} to {to} inside; cut the two sides separately, or render it"
    )]
    AudioChanges {
        /// Format before.
        from: String,
        /// Format after.
        to: String,
    },
    /// The pictures change their codec.
    #[error(
        "the pictures change from {from} to {to} inside; cut the two sides separately, or render it"
    )]
    VideoChanges {
        /// Codec before.
        from: Codec,
        /// Codec after.
        to: Codec,
    },
    /// There is nothing to write.
    #[error("a replay without clips cannot be written")]
    NoCuts,
    /// A length that the file format cannot hold.
    #[error("the cut is too long for one file ({0})")]
    TooLong(&'static str),
    /// The output could not be written.
    #[error("cannot write the clip: {0}")]
    Io(#[from] std::io::Error),
}

/// What a cut holds, and how exact it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutReport {
    /// Event time of the first frame; `None` without video.
    #[serde(with = "optional_seconds")]
    pub first_frame_time: Option<MediaTime>,
    /// Number of frames shown.
    pub frames: u64,
    /// Event time where it starts.
    #[serde(with = "seconds")]
    pub start: MediaTime,
    /// Event time where it ends.
    #[serde(with = "seconds")]
    pub end: MediaTime,
    /// How many frames its start or end may be off.
    pub max_error_frames: u64,
    /// How many of the frames were encoded anew.
    pub encoded_frames: u64,
    /// Picture that precedes the start in the file, hidden by the edit list.
    #[serde(with = "seconds")]
    pub hidden_video: MediaTime,
    /// Sound that precedes the start in the file, hidden by the edit list. A player that ignores
    /// edit lists is out of sync by the difference of the two.
    #[serde(with = "seconds")]
    pub hidden_audio: MediaTime,
    /// Whether browsers can play it: H.264 that starts at a key frame they accept.
    pub browser: bool,
    /// What else the receiver should know.
    pub notes: Vec<String>,
}

/// A sample with its times in the file, counted from the decoding time of the part's first sample.
#[derive(Clone, Debug)]
pub(crate) struct OutSample {
    pub dts: i64,
    pub pts: i64,
    /// Listed as a sync sample.
    pub key: bool,
    /// What it is in the source.
    pub sync: SyncKind,
    /// HEVC: follows something else, so decoders must start anew.
    pub splice: bool,
    pub data: Bytes,
}

/// The pictures of one part.
#[derive(Clone, Debug)]
pub(crate) struct VideoPart {
    pub codec: Codec,
    pub timescale: u32,
    /// Duration of the last sample.
    pub last_duration: i64,
    pub samples: Vec<OutSample>,
    /// Presentation time of the first frame that is shown.
    pub media_time: i64,
    pub sets: ParameterSets,
    /// The sets change inside, so they must stay in the samples.
    pub sets_change: bool,
    pub width: u32,
    pub height: u32,
    /// The sizes of the pictures, where they change.
    pub sizes: Vec<(u32, u32)>,
    /// The rate of the source, when it is steady.
    pub frame_rate: Option<FrameRate>,
    pub pixel_aspect: Option<(u32, u32)>,
    /// The first sample is no IDR.
    pub open_start: bool,
    /// Nothing of it is hidden, so what precedes and follows can join without an edit.
    pub seamless: bool,
    /// How much what is shown was moved away from what is hidden before it.
    pub room: i64,
}

/// The sound of one part.
#[derive(Clone, Debug)]
pub(crate) struct AudioPart {
    /// Which track of the result it belongs to, from 0.
    pub slot: usize,
    /// The track of the source.
    pub number: TrackNumber,
    pub codec: Codec,
    pub sample_rate: u32,
    pub channels: u32,
    pub config: Bytes,
    pub language: Option<String>,
    /// Durations in PCM samples, and frames.
    pub samples: Vec<(u32, Bytes)>,
    /// PCM samples to hide at the start.
    pub media_time: i64,
    /// Silence before the first sound.
    pub delay: MediaTime,
    /// How long the sound lasts.
    pub duration: MediaTime,
}

/// A run of the cut that lies in one stretch of the timeline.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub video: Option<VideoPart>,
    /// By slot. What is to be decoded may have several runs in one.
    pub audio: Vec<AudioPart>,
    /// How long it is shown.
    pub duration: MediaTime,
}

/// A finished selection of samples with the edits that present it; write it with [`write_mp4`].
#[derive(Clone, Debug)]
pub struct Cut {
    pub(crate) parts: Vec<Part>,
    /// What it holds.
    pub report: CutReport,
}

mod optional_seconds {
    use super::MediaTime;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(
        time: &Option<MediaTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(MediaTime::rounded_seconds).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<MediaTime>, D::Error> {
        let seconds = Option::<f64>::deserialize(deserializer)?;
        Ok(seconds.and_then(MediaTime::from_seconds_f64))
    }
}
