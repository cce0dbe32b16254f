//! A test kit for operators: drives a fold over a made-up event, cut into chunks of any length,
//! and checks on the way that its state can be snapshotted and restored at every step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod model_file;
pub mod program;

use std::collections::BTreeSet;

use matchcut_model::chunk::{ChunkExtent, Position, TrackNumber};
use matchcut_model::frame::{AudioBlock, Frame, ViewSpec};
use matchcut_model::observation::Observation;
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange, Timestamp};
use matchcut_model::value::{Attributes, Name, Value};

use crate::registry;
use crate::sdk::{
    AudioScanner, ChunkContext, Emission, FoldBox, FoldState, Operator, Step, VideoScanner,
};

/// What a fold emitted, and at which position.
pub type Emitted = Vec<(Position, Emission)>;

/// A made-up event.
#[derive(Clone, Debug)]
pub struct Script {
    borders: Vec<MediaTime>,
    missing: BTreeSet<u64>,
    tracks: Vec<TrackNumber>,
    observations: Vec<Observation>,
    segments: Vec<Segment>,
    signatures: Vec<Option<Vec<u8>>>,
}

/// Attributes of a made-up observation.
pub type Pairs<'a> = &'a [(&'a str, serde_json::Value)];

fn attributes(pairs: Pairs<'_>) -> Attributes {
    pairs
        .iter()
        .map(|(name, value)| (Name::from(*name), Value::from(value.clone())))
        .collect()
}

impl Script {
    /// An event of `chunks` chunks of `chunk` milliseconds without audio.
    pub fn new(chunk: i64, chunks: i64) -> Self {
        Script {
            borders: (0..=chunks)
                .map(|n| MediaTime::from_millis(n * chunk))
                .collect(),
            missing: BTreeSet::new(),
            tracks: Vec::new(),
            observations: Vec::new(),
            segments: Vec::new(),
            signatures: Vec::new(),
        }
    }

    /// The same event in chunks of `chunk` milliseconds (the last may be shorter).
    pub fn chunked(self, chunk: i64) -> Self {
        let end = self.end();
        let inner = (0..).map(|n| MediaTime::from_millis(n * chunk));
        let borders = inner
            .take_while(|border| *border < end)
            .chain([end])
            .collect();
        self.cut_at(borders)
    }

    /// The same event in chunks with these borders; the first and last bound the event.
    pub fn cut_at(mut self, borders: Vec<MediaTime>) -> Self {
        assert!(self.signatures.is_empty(), "signatures belong to chunks");
        self.borders = borders;
        self
    }

    /// With these audio tracks.
    pub fn tracks(mut self, tracks: &[u32]) -> Self {
        self.tracks = tracks.iter().map(|track| TrackNumber(*track)).collect();
        self
    }

    /// Without some chunks.
    pub fn without(mut self, positions: &[u64]) -> Self {
        self.missing.extend(positions);
        self
    }

    /// Where the event ends.
    pub fn end(&self) -> MediaTime {
        *self.borders.last().unwrap()
    }

    /// An observation of a point, in milliseconds.
    pub fn point(&mut self, operator: &str, at: i64, pairs: Pairs<'_>) {
        self.range(operator, at, at, pairs);
    }

    /// An observation of a range; it comes with the chunk in which it begins.
    pub fn range(&mut self, operator: &str, start: i64, end: i64, pairs: Pairs<'_>) {
        self.observations.push(Observation {
            start: MediaTime::from_millis(start),
            end: MediaTime::from_millis(end),
            operator: operator.into(),
            track: None,
            attributes: attributes(pairs),
        });
    }

    /// A range heard on one track.
    pub fn range_on(&mut self, track: u32, operator: &str, start: i64, end: i64) {
        self.range(operator, start, end, &[]);
        self.observations.last_mut().unwrap().track = Some(TrackNumber(track));
    }

    /// A complete segment; it comes with the chunk in which it ends.
    pub fn segment(&mut self, start: i64, end: i64) {
        self.segment_with(start, end, &[]);
    }

    /// A complete segment with attributes.
    pub fn segment_with(&mut self, start: i64, end: i64, pairs: Pairs<'_>) {
        let end = Some(MediaTime::from_millis(end));
        let mut segment = Segment::new("segments".into(), MediaTime::from_millis(start), end);
        segment.attributes = attributes(pairs);
        self.segments.push(segment);
    }

    /// Scans every chunk. `None` is a scan that failed.
    pub fn scanned(mut self, scan: impl Fn(&ChunkContext) -> Option<Vec<u8>>) -> Self {
        let track = self.tracks.first().copied();
        let extents = (0..self.borders.len() - 1).map(|at| self.extent(at));
        self.signatures = extents
            .map(|extent| scan(&ChunkContext { extent, track }))
            .collect();
        self
    }

    fn extent(&self, at: usize) -> ChunkExtent {
        ChunkExtent {
            position: Position(at as u64),
            span: TimeRange {
                start: self.borders[at],
                end: self.borders[at + 1],
            },
            stretch: 0,
            audio_tracks: self.tracks.clone(),
            frame_rate: None,
        }
    }

    /// All that a fold emits, the end of the event included.
    pub fn run(&self, fold: &FoldBox) -> Emitted {
        self.drive(fold, true).0
    }

    /// All that a fold emits if the event goes on after the last chunk: what is final and what is
    /// open.
    pub fn tail(&self, fold: &FoldBox) -> Emitted {
        let (mut emitted, state) = self.drive(fold, false);
        let mut tail = Vec::new();
        fold.tail(&state, &mut tail);
        let position = Position(self.borders.len() as u64 - 1);
        emitted.extend(tail.into_iter().map(|emission| (position, emission)));
        emitted
    }

    /// What is emitted and the state before the end of the event.
    pub fn run_to_state(&self, fold: &FoldBox) -> (Emitted, FoldState) {
        self.drive(fold, false)
    }

    fn drive(&self, fold: &FoldBox, to_the_end: bool) -> (Emitted, FoldState) {
        let chunks = self.borders.len() - 1;
        let present = |at: usize| !self.missing.contains(&(at as u64));
        let position_of = |time: MediaTime| {
            let after = self.borders.partition_point(|border| *border <= time);
            after.saturating_sub(1).min(chunks - 1)
        };
        let mut emitted = Vec::new();
        let mut state = fold.initial();
        let mut watermark = self.borders[0];
        let mut unbroken = true;
        for at in 0..chunks {
            unbroken &= present(at);
            if !present(at) {
                continue;
            }
            let extent = self.extent(at);
            if unbroken {
                watermark = extent.span.end;
            }
            let mut observations: Vec<_> = self
                .observations
                .iter()
                .filter(|o| position_of(o.start) == at)
                .cloned()
                .collect();
            observations.sort();
            let mut segments: Vec<_> = self
                .segments
                .iter()
                .filter(|segment| position_of(segment.end.unwrap()) == at)
                .cloned()
                .collect();
            segments.sort();
            let step = Step {
                position: Position(at as u64),
                extent: Some(&extent),
                watermark,
                end_of_event: false,
                track: self.tracks.first().copied(),
                signature: self
                    .signatures
                    .get(at)
                    .and_then(|signature| signature.as_deref()),
                observations: &observations,
                segments: &segments,
            };
            take_step(fold, &step, &mut state, &mut emitted);
        }
        if to_the_end {
            let step = Step {
                position: Position(chunks as u64),
                extent: None,
                watermark: self.end(),
                end_of_event: true,
                track: self.tracks.first().copied(),
                signature: None,
                observations: &[],
                segments: &[],
            };
            take_step(fold, &step, &mut state, &mut emitted);
        }
        (emitted, state)
    }
}

/// Steps twice from one snapshot: the same must come out, and the snapshot must not be touched.
fn take_step(fold: &FoldBox, step: &Step<'_>, state: &mut FoldState, emitted: &mut Emitted) {
    let before = state.clone();
    assert_eq!(*state, before, "a state must equal its snapshot");
    let mut again = before.clone();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    fold.step(step, state, &mut first);
    fold.step(step, &mut again, &mut second);
    assert_eq!(
        first, second,
        "a fold must emit the same from the same state"
    );
    assert_eq!(
        *state, again,
        "a fold must go to the same state from the same state"
    );
    for emission in first {
        let good = match &emission {
            Emission::Observation { start, end, .. } => start <= end,
            Emission::Segment { start, end, .. } => end.is_some_and(|end| *start < end),
            Emission::Optimized { marks, .. } => marks.start <= marks.end,
            Emission::Labelled { .. } => true,
            Emission::Failure { message } => !message.is_empty(),
        };
        assert!(
            good,
            "a step must emit complete, ordered results: {emission:?}"
        );
        emitted.push((step.position, emission));
    }
}

/// The fold of a built-in operator with these options.
pub fn fold_of(kind: &str, options: serde_json::Value) -> FoldBox {
    operator(kind, options).fold().clone()
}

/// A built-in operator with these options.
pub fn operator(kind: &str, options: serde_json::Value) -> Operator {
    let kind = registry::find(kind).expect("a built-in operator");
    kind.build(options.as_object().expect("an object"))
        .unwrap_or_else(|e| panic!("{e:?}"))
}

/// A picture of a made-up or decoded event.
#[derive(Clone, Debug)]
pub struct Picture {
    /// When it is shown.
    pub time: MediaTime,
    /// Its pixels in the layout of the view.
    pub data: Vec<u8>,
}

/// Scans the pictures that are shown in a chunk.
pub fn scan_pictures(
    scanner: &dyn VideoScanner,
    chunk: &ChunkContext,
    pictures: &[Picture],
) -> Option<Vec<u8>> {
    let ViewSpec {
        width,
        height,
        format,
        ..
    } = scanner.view();
    let mut scan = scanner.start(chunk);
    let shown = pictures
        .iter()
        .filter(|picture| chunk.extent.span.contains(picture.time));
    for (index, picture) in (0..).zip(shown) {
        let pts = Timestamp {
            ticks: picture.time.to_ticks(90_000),
            timescale: 90_000,
        };
        let (time, data) = (picture.time, picture.data.as_slice());
        scan.frame(&Frame {
            time,
            pts,
            index,
            width,
            height,
            format,
            data,
        })
        .ok()?;
    }
    scan.finish().ok()
}

/// Scans the samples (mono, from event time 0) that are heard in a chunk, in blocks of 1024.
pub fn scan_samples(
    scanner: &dyn AudioScanner,
    chunk: &ChunkContext,
    sample_rate: u32,
    samples: &[f32],
) -> Option<Vec<u8>> {
    let mut scan = scanner.start(chunk);
    let span = chunk.extent.span;
    let index = |time: MediaTime| {
        let near = time.to_ticks(sample_rate).max(1) - 1;
        let first = (near..).find(|n| MediaTime::from_ticks(*n, sample_rate) >= time);
        (first.unwrap() as usize).min(samples.len())
    };
    let (from, to) = (index(span.start), index(span.end));
    for (number, block) in samples[from..to].chunks(1024).enumerate() {
        let first = (from + number * 1024) as i64;
        scan.block(&AudioBlock {
            time: MediaTime::from_ticks(first, sample_rate),
            track: chunk.track.unwrap_or(TrackNumber::FIRST),
            sample_rate,
            channels: 1,
            samples: block,
        })
        .ok()?;
    }
    scan.finish().ok()
}

/// Milliseconds of a time.
pub fn millis(time: MediaTime) -> i64 {
    time.to_millis()
}

/// Start, end and attributes of all observations, by start.
pub fn observations(emitted: &Emitted) -> Vec<(i64, i64, Attributes)> {
    let mut rows: Vec<_> = emitted
        .iter()
        .filter_map(|(_, emission)| match emission {
            Emission::Observation {
                start,
                end,
                attributes,
            } => Some((millis(*start), millis(*end), attributes.clone())),
            _ => None,
        })
        .collect();
    rows.sort();
    rows
}

/// Start and end of all segments, by start.
pub fn segments(emitted: &Emitted) -> Vec<(i64, Option<i64>)> {
    let mut rows: Vec<_> = emitted
        .iter()
        .filter_map(|(_, emission)| match emission {
            Emission::Segment { start, end, .. } => Some((millis(*start), end.map(millis))),
            _ => None,
        })
        .collect();
    rows.sort();
    rows
}

/// Segment, track, mark-in and mark-out of all optimizations, by segment and track.
pub fn optimized(emitted: &Emitted) -> Vec<(i64, u32, i64, i64)> {
    let mut rows: Vec<_> = emitted
        .iter()
        .filter_map(|(_, emission)| match emission {
            Emission::Optimized {
                segment,
                track,
                marks,
                ..
            } => Some((
                millis(*segment),
                track.0,
                millis(marks.start),
                millis(marks.end),
            )),
            _ => None,
        })
        .collect();
    rows.sort();
    rows
}

/// Segment and label of all labels, by segment.
pub fn labels(emitted: &Emitted) -> Vec<(i64, String)> {
    let mut rows: Vec<_> = emitted
        .iter()
        .filter_map(|(_, emission)| match emission {
            Emission::Labelled { segment, label, .. } => {
                Some((millis(*segment), label.clone().unwrap_or_default()))
            }
            _ => None,
        })
        .collect();
    rows.sort();
    rows
}
