//! The messages of version 1 of the protocol. Each is one line of JSON, and as many raw bytes behind it
//! as its `bytes` says: pixels, samples, or the state of a step.

use std::collections::BTreeMap;

use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::frame::PixelFormat;
use matchcut_model::observation::{Class, Observation};
use matchcut_model::segment::Segment;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::wire::{Flicks, View, seconds};
use crate::sdk::{AttributeKind, EdgeKind, Options};

/// The version that this host speaks.
pub(super) const PROTOCOL: u32 = 1;

/// What the host says.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Request<'a> {
    /// The first message: who are you, with these options?
    Hello {
        protocol: u32,
        host: &'static str,
        options: &'a Options,
        max_segment: MediaTime,
    },
    /// Work is to come: load what is costly.
    Start,
    /// A chunk begins; frames or samples follow.
    Chunk {
        id: u64,
        #[serde(flatten)]
        extent: Extent<'a>,
        track: Option<TrackNumber>,
    },
    /// A frame, with its pixels.
    Frame {
        time: MediaTime,
        seconds: f64,
        index: u64,
        width: u32,
        height: u32,
        format: PixelFormat,
        bytes: usize,
    },
    /// Samples, little-endian `f32`, interleaved.
    Audio {
        time: MediaTime,
        seconds: f64,
        sample_rate: u32,
        channels: u32,
        bytes: usize,
    },
    /// Nothing of the chunk follows; what is said of it?
    EndChunk { id: u64 },
    /// What follows from one position, with the state before it?
    Step(Box<StepRequest<'a>>),
}

/// Place and time of a chunk.
#[derive(Serialize)]
pub(super) struct Extent<'a> {
    position: Position,
    start: MediaTime,
    end: MediaTime,
    start_seconds: f64,
    end_seconds: f64,
    stretch: u32,
    audio_tracks: &'a [TrackNumber],
    frame_rate: Option<[u32; 2]>,
}

impl<'a> Extent<'a> {
    pub(super) fn of(extent: &'a ChunkExtent) -> Self {
        let (start, end) = (extent.span.start, extent.span.end);
        Extent {
            position: extent.position,
            start,
            end,
            start_seconds: seconds(start),
            end_seconds: seconds(end),
            stretch: extent.stretch,
            audio_tracks: &extent.audio_tracks,
            frame_rate: extent.frame_rate.map(|rate| [rate.num, rate.den]),
        }
    }
}

/// A step of the ordered part.
#[derive(Serialize)]
pub(super) struct StepRequest<'a> {
    pub(super) id: u64,
    pub(super) position: Option<Position>,
    pub(super) chunk: Option<Extent<'a>>,
    pub(super) watermark: MediaTime,
    pub(super) watermark_seconds: f64,
    pub(super) end_of_event: bool,
    pub(super) track: Option<TrackNumber>,
    /// What the program itself said of the chunk; `None` when that failed.
    pub(super) rows: Option<Vec<Json>>,
    pub(super) observations: Vec<Observed<'a>>,
    pub(super) segments: Vec<Marked<'a>>,
    pub(super) bytes: usize,
}

/// An observation of an input.
#[derive(Serialize)]
pub(super) struct Observed<'a> {
    operator: &'a Name,
    track: Option<TrackNumber>,
    start: MediaTime,
    end: MediaTime,
    start_seconds: f64,
    end_seconds: f64,
    attributes: &'a Attributes,
}

impl<'a> Observed<'a> {
    pub(super) fn of(observation: &'a Observation) -> Self {
        Observed {
            operator: &observation.operator,
            track: observation.track,
            start: observation.start,
            end: observation.end,
            start_seconds: seconds(observation.start),
            end_seconds: seconds(observation.end),
            attributes: &observation.attributes,
        }
    }
}

/// A segment of the input segmenter.
#[derive(Serialize)]
pub(super) struct Marked<'a> {
    segmenter: &'a Name,
    start: MediaTime,
    end: Option<MediaTime>,
    start_seconds: f64,
    end_seconds: Option<f64>,
    attributes: &'a Attributes,
}

impl<'a> Marked<'a> {
    pub(super) fn of(segment: &'a Segment) -> Self {
        Marked {
            segmenter: &segment.id.segmenter,
            start: segment.start(),
            end: segment.end,
            start_seconds: seconds(segment.start()),
            end_seconds: segment.end.map(seconds),
            attributes: &segment.attributes,
        }
    }
}

/// What the program says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Reply {
    /// What it is.
    Ready(Box<Ready>),
    /// It takes no such options.
    Refused(Box<Refused>),
    /// Everything is loaded.
    Started,
    /// The answer to a chunk or a step.
    Result(Box<Answered>),
    /// There is no answer to a chunk or a step; the program goes on.
    Error { id: u64, message: String },
}

/// What a program is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Ready {
    pub(super) protocol: u32,
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
    pub(super) class: Class,
    #[serde(default)]
    pub(super) summary: String,
    #[serde(default)]
    pub(super) inputs: Option<Vec<Rule>>,
    #[serde(default)]
    pub(super) view: Option<View>,
    #[serde(default)]
    pub(super) audio: bool,
    #[serde(default)]
    pub(super) order: Order,
    #[serde(default)]
    pub(super) attributes: Vec<Declared>,
    #[serde(default)]
    pub(super) options: Option<Json>,
}

/// Whether a program decides by chunk or in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// What it says of a chunk follows from that chunk alone.
    #[default]
    Stateless,
    /// It decides in steps, with a state.
    Ordered,
}

/// How many inputs of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) kind: InputKind,
    #[serde(default)]
    pub(super) min: usize,
    #[serde(default)]
    pub(super) max: Option<usize>,
}

/// What inputs can be of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InputKind {
    Video,
    Audio,
    Observations,
    Segments,
}

impl From<InputKind> for EdgeKind {
    fn from(kind: InputKind) -> EdgeKind {
        match kind {
            InputKind::Video => EdgeKind::Video,
            InputKind::Audio => EdgeKind::Audio,
            InputKind::Observations => EdgeKind::Observations,
            InputKind::Segments => EdgeKind::Segments,
        }
    }
}

/// An attribute that the program emits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) kind: DeclaredKind,
    #[serde(default)]
    pub(super) description: String,
}

/// Its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DeclaredKind {
    Boolean,
    Number,
    Text,
    Any,
}

impl From<DeclaredKind> for AttributeKind {
    fn from(kind: DeclaredKind) -> AttributeKind {
        match kind {
            DeclaredKind::Boolean => AttributeKind::Boolean,
            DeclaredKind::Number => AttributeKind::Number,
            DeclaredKind::Text => AttributeKind::Text,
            DeclaredKind::Any => AttributeKind::Any,
        }
    }
}

/// Options that a program does not take.
#[derive(Debug, Deserialize)]
pub(super) struct Refused {
    #[serde(default)]
    pub(super) options: Option<Json>,
    pub(super) errors: Vec<Refusal>,
}

/// One of them.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) option: Option<String>,
    pub(super) message: String,
}

/// What a program says of a chunk or a step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answered {
    pub(super) id: u64,
    /// The number of bytes of the state behind the line.
    #[serde(default, rename = "bytes")]
    pub(super) _bytes: u64,
    #[serde(default)]
    pub(super) rows: Vec<Json>,
    #[serde(default)]
    pub(super) observations: Vec<SaidObservation>,
    #[serde(default)]
    pub(super) segments: Vec<SaidSegment>,
    #[serde(default)]
    pub(super) optimized: Vec<SaidMarks>,
    #[serde(default)]
    pub(super) labels: Vec<SaidLabel>,
    #[serde(default)]
    pub(super) tail: Tail,
    #[serde(default)]
    pub(super) metrics: BTreeMap<String, Json>,
}

/// What would be said if nothing followed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tail {
    #[serde(default)]
    pub(super) observations: Vec<SaidObservation>,
    #[serde(default)]
    pub(super) segments: Vec<SaidSegment>,
    #[serde(default)]
    pub(super) optimized: Vec<SaidMarks>,
    #[serde(default)]
    pub(super) labels: Vec<SaidLabel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidObservation {
    pub(super) start: Flicks,
    /// That of a point is its start.
    #[serde(default)]
    pub(super) end: Option<Flicks>,
    #[serde(default)]
    pub(super) attributes: Attributes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidSegment {
    pub(super) start: Flicks,
    #[serde(default)]
    pub(super) end: Option<Flicks>,
    #[serde(default)]
    pub(super) attributes: Attributes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidMarks {
    pub(super) segment: Flicks,
    pub(super) track: TrackNumber,
    pub(super) start: Flicks,
    pub(super) end: Flicks,
    #[serde(default)]
    pub(super) attributes: Attributes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidLabel {
    pub(super) segment: Flicks,
    #[serde(default)]
    pub(super) label: Option<String>,
    #[serde(default)]
    pub(super) attributes: Attributes,
}
