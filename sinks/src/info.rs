//! What is known of an event beside its rows: names, the pipeline that ran, the replays that were
//! asked for, and the media files that were cut. It is given once and written into the exports.

use std::collections::BTreeMap;

use matchcut_model::lines::ClipEntry;
use matchcut_model::observation::Class;
use matchcut_model::replay::{Feedback, ReplayRequest};
use matchcut_model::segment::SegmentId;
use matchcut_model::time::{FrameRate, MediaTime};
use matchcut_model::timecode::TimecodeSource;
use matchcut_model::value::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::edl::EdlOptions;
use crate::export::ExportOptions;

/// The event and the pipeline that ran on it.
#[derive(Clone, Debug, Default)]
pub struct EventInfo {
    /// The program that the event belongs to; the pipeline where nothing else is said.
    pub program: String,
    /// Its name.
    pub event: String,
    /// Its identity. It must not change between runs.
    pub id: String,
    /// Name of the source in the spec; the reel of edit lists.
    pub source: String,
    /// Where the source lies; what is secret in it is left out of exports. Empty where nothing was
    /// read, as with recorded observations.
    pub source_uri: String,
    /// Where timecode comes from.
    pub timecode_source: TimecodeSource,
    /// Frames a second, where the chunks do not say so.
    pub frame_rate: Option<FrameRate>,
    /// The pipeline.
    pub profile: Profile,
    /// The replays of the spec.
    pub replays: BTreeMap<Name, ReplayInfo>,
    /// What viewers said of segments.
    pub feedback: Vec<Feedback>,
    /// How edit lists are written.
    pub edl: EdlOptions,
    /// Which forms are written.
    pub exports: ExportOptions,
}

/// A replay of the spec.
#[derive(Clone, Debug)]
pub struct ReplayInfo {
    /// What it asks for.
    pub request: ReplayRequest,
    /// The segmenter whose segments it chooses from; `None` for all.
    pub segmenter: Option<Name>,
}

/// A pipeline, as far as exports tell of it.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Nominal duration of a chunk, if known.
    pub chunk_duration: Option<MediaTime>,
    /// Segments close after so long.
    pub max_segment: MediaTime,
    /// Its operators, in the order of the spec.
    pub operators: Vec<OperatorInfo>,
}

/// An operator of a pipeline.
#[derive(Clone, Debug)]
pub struct OperatorInfo {
    /// Its name in the spec.
    pub name: Name,
    /// Its class.
    pub class: Class,
    /// The operators that it is wired to.
    pub inputs: Vec<Name>,
    /// Whether it, or what it is wired to, hears rather than sees.
    pub audio: bool,
    /// The attributes that it emits.
    pub attributes: Vec<Name>,
    /// Its options.
    pub options: Map<String, Json>,
}

/// The media files of an event. Paths are relative to the directory of the results, with `/`.
#[derive(Clone, Debug, Default)]
pub struct Media {
    /// Clips of segments.
    pub clips: BTreeMap<SegmentId, Vec<ClipEntry>>,
    /// One picture of each segment.
    pub thumbnails: BTreeMap<SegmentId, String>,
    /// Videos of replays.
    pub replays: BTreeMap<Name, ReplayMedia>,
}

/// The videos of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayMedia {
    /// One MP4 file.
    pub mp4: Option<String>,
    /// An HLS media playlist.
    pub hls: Option<String>,
}
