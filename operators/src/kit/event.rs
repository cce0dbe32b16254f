//! The made-up event: whole numbers all the way, so that it is the same everywhere.

use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::frame::{PixelFormat, ViewSpec};
use matchcut_model::observation::Observation;
use matchcut_model::segment::Segment;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use matchcut_model::value::{Name, Value};

use super::Input;
use crate::sdk::{AttributeKind, Description, EdgeKind};

/// Chunks of the event.
const CHUNKS: u64 = 4;
/// Milliseconds of each.
const CHUNK: i64 = 2000;
/// Frames of each.
const FRAMES: u64 = 50;
/// Samples a second.
pub(super) const SAMPLE_RATE: u32 = 48_000;

pub(super) struct Event {
    pub(super) chunks: Vec<ChunkExtent>,
    inputs: Vec<Input>,
    segmented: bool,
}

/// A frame of a chunk.
pub(super) struct Picture {
    pub(super) index: u64,
    pub(super) time: MediaTime,
    pub(super) pixels: Vec<u8>,
}

impl Event {
    /// With what an operator can be wired to.
    pub(super) fn new(description: &Description, inputs: &[Input]) -> Self {
        let takes = |kind| description.inputs.iter().any(|rule| rule.kind == kind);
        let chunks = (0..CHUNKS).map(|at| ChunkExtent {
            position: Position(at),
            span: TimeRange {
                start: MediaTime::from_millis(at as i64 * CHUNK),
                end: MediaTime::from_millis((at as i64 + 1) * CHUNK),
            },
            stretch: 0,
            audio_tracks: vec![TrackNumber(1), TrackNumber(2)],
            frame_rate: FrameRate::new(25, 1),
        });
        Event {
            chunks: chunks.collect(),
            inputs: match takes(EdgeKind::Observations) {
                true => inputs.to_vec(),
                false => Vec::new(),
            },
            segmented: takes(EdgeKind::Segments),
        }
    }

    /// Where it ends.
    pub(super) fn end(&self) -> MediaTime {
        self.chunks
            .last()
            .map_or(MediaTime::ZERO, |chunk| chunk.span.end)
    }

    /// The frames of a chunk: a slope that moves, and another picture from the middle on.
    pub(super) fn pictures(
        &self,
        chunk: &ChunkExtent,
        view: ViewSpec,
    ) -> impl Iterator<Item = Picture> {
        let start = chunk.span.start;
        let first = chunk.position.0 * FRAMES;
        let taken = move |index: u64| {
            let point = |frame: u64| match view.rate {
                Some(rate) => frame * u64::from(rate.num) / (25 * u64::from(rate.den)),
                None => frame,
            };
            let frame = first + index;
            frame == 0 || point(frame - 1) < point(frame)
        };
        (0..FRAMES)
            .filter(move |index| taken(*index))
            .map(move |index| Picture {
                index,
                time: start + MediaTime::from_millis(index as i64 * CHUNK / FRAMES as i64),
                pixels: pixels(view, first + index),
            })
    }

    /// The samples of a track of a chunk, mono: a tone that is loud in the second half.
    pub(super) fn samples(&self, chunk: &ChunkExtent, track: TrackNumber) -> Vec<f32> {
        let count = CHUNK * i64::from(SAMPLE_RATE) / 1000;
        let first = chunk.position.0 as i64 * count;
        let tone = |at: i64| {
            let loud = if at * 2 > count { 0.5 } else { 0.01 };
            // A triangle of 400 Hz, or of 800 Hz on track 2.
            let period = 120 / i64::from(track.0.clamp(1, 2));
            let place = (first + at).rem_euclid(period) as f32 / period as f32;
            loud * ((place * 4.0 - 2.0).abs() - 1.0)
        };
        (0..count).map(tone).collect()
    }

    /// What the inputs observe in a chunk: each a point every half second.
    pub(super) fn observations(&self, chunk: &ChunkExtent) -> Vec<Observation> {
        let point = |number: i64, input: &Input| {
            let time = chunk.span.start + MediaTime::from_millis(number * 500);
            let said = input.attributes.iter().filter(|spec| spec.name != "*");
            Observation {
                start: time,
                end: time,
                operator: input.name.clone(),
                track: None,
                attributes: said
                    .map(|spec| (Name::from(spec.name), value(spec.kind, number)))
                    .collect(),
            }
        };
        let points = (0..CHUNK / 500)
            .flat_map(|number| self.inputs.iter().map(move |input| point(number, input)));
        let mut points: Vec<Observation> = points.collect();
        points.sort();
        points
    }

    /// The segment that the input segmenter marks in a chunk.
    pub(super) fn segments(&self, chunk: &ChunkExtent) -> Vec<Segment> {
        let inside = MediaTime::from_millis(300);
        let (start, end) = (chunk.span.start + inside, chunk.span.end - inside);
        let segment = || Segment::new("kit".into(), start, Some(end));
        self.segmented.then(segment).into_iter().collect()
    }
}

fn value(kind: AttributeKind, number: i64) -> Value {
    match kind {
        AttributeKind::Boolean => Value::from(number % 2 == 0),
        AttributeKind::Number => Value::from(number * 25),
        AttributeKind::Text | AttributeKind::Any if number % 2 == 0 => Value::from("near"),
        AttributeKind::Text | AttributeKind::Any => Value::from("far"),
    }
}

fn pixels(view: ViewSpec, frame: u64) -> Vec<u8> {
    let shift = frame + 128 * (frame / (FRAMES / 2) % 2);
    let channels = match view.format {
        PixelFormat::Gray8 => 1,
        PixelFormat::Yuv444 | PixelFormat::Rgb24 => 3,
    };
    let mut pixels = Vec::with_capacity(view.width as usize * view.height as usize * channels);
    for y in 0..u64::from(view.height) {
        for x in 0..u64::from(view.width) {
            let value = ((x + y + shift) % 256) as u8;
            pixels.extend((0..channels).map(|channel| value.rotate_left(channel as u32)));
        }
    }
    pixels
}
