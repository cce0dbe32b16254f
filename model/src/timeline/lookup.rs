//! Lookups on the event timeline once chunks have their place: which chunk, which frame, which
//! timestamp of the stream and which time of day belong to a time. All ranges are half-open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::chunk::{Container, FrameTime, PlacedChunk, Position};
use crate::time::{MediaTime, TimeRange, Timestamp};

/// A frame that a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameAt<'a> {
    /// The chunk that holds it.
    pub chunk: &'a PlacedChunk,
    /// Its index in `chunk.frames`.
    pub index: usize,
    /// Its number in the event, from 0.
    pub number: u64,
    /// When it is shown.
    pub frame: FrameTime,
}

/// Placed chunks of one source, put in in any order, found by time.
#[derive(Clone, Debug, Default)]
pub struct EventTimeline {
    chunks: BTreeMap<Position, Arc<PlacedChunk>>,
    by_start: BTreeSet<(MediaTime, Position)>,
    /// No chunk is longer: how far back a lookup has to look.
    longest: MediaTime,
    end: MediaTime,
}

impl EventTimeline {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a chunk in; gives back the one that had its position.
    pub fn insert(&mut self, chunk: impl Into<Arc<PlacedChunk>>) -> Option<Arc<PlacedChunk>> {
        let chunk = chunk.into();
        let (position, span) = (chunk.chunk.position, chunk.span);
        let before = self.chunks.insert(position, chunk);
        if let Some(before) = &before {
            self.by_start.remove(&(before.span.start, position));
        }
        self.by_start.insert((span.start, position));
        self.longest = self.longest.max(span.duration());
        self.end = match &before {
            Some(before) if before.span.end >= self.end => self
                .chunks
                .values()
                .map(|chunk| chunk.span.end)
                .max()
                .unwrap_or_default(),
            _ if self.chunks.len() == 1 => span.end,
            _ => self.end.max(span.end),
        };
        before
    }

    /// The end of the last chunk; zero without one.
    pub fn end(&self) -> MediaTime {
        self.end
    }

    /// Number of chunks.
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether it has no chunk.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The chunk at a position.
    pub fn get(&self, position: Position) -> Option<&PlacedChunk> {
        self.chunks.get(&position).map(|chunk| &**chunk)
    }

    /// All chunks in order of position.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &PlacedChunk> {
        self.chunks.values().map(|chunk| &**chunk)
    }

    /// The chunk that is shown at `time`, or `None` in a hole. Where chunks overlap it is the later
    /// one. A hole shorter than a frame belongs to the chunk before it, whose last frame is still
    /// shown.
    pub fn locate(&self, time: MediaTime) -> Option<&PlacedChunk> {
        if let Some(chunk) = self.back_from(time).find(|chunk| chunk.span.contains(time)) {
            return Some(chunk);
        }
        let before = self.back_from(time).max_by_key(|chunk| chunk.span.end)?;
        let (next, _) = self.by_start.range((after(time), Position(0))..).next()?;
        let hole = *next - before.span.end;
        (hole < frame_duration(before)).then_some(before)
    }

    /// The frame that is shown at `time`: the last that starts at or before it.
    pub fn frame_at(&self, time: MediaTime) -> Option<FrameAt<'_>> {
        let chunk = self.locate(time)?;
        let index = chunk.frames.before(after(time)).checked_sub(1)?;
        self.frame_of(chunk, index)
    }

    /// Frame `number` of the event.
    pub fn frame(&self, number: u64) -> Option<FrameAt<'_>> {
        let holds = |chunk: &&Arc<PlacedChunk>| {
            number >= chunk.first_frame && number - chunk.first_frame < chunk.frames.len() as u64
        };
        let chunk = self.chunks.values().find(holds)?;
        self.frame_of(chunk, usize::try_from(number - chunk.first_frame).ok()?)
    }

    fn frame_of<'a>(&self, chunk: &'a PlacedChunk, index: usize) -> Option<FrameAt<'a>> {
        let frame = chunk.frames.get(index)?;
        Some(FrameAt {
            chunk,
            index,
            number: chunk.first_frame + index as u64,
            frame,
        })
    }

    /// What the stream wrote for `time`, in the clock of its chunk: exact at a frame, the nearest
    /// tick elsewhere.
    pub fn pts_of(&self, time: MediaTime) -> Option<Timestamp> {
        let chunk = self.locate(time)?;
        let shown = chunk.frames.get(chunk.frames.before(time));
        if let Some(frame) = shown.filter(|frame| frame.time == time) {
            return Some(frame.pts);
        }
        let timescale = match (chunk.frames.first(), chunk.chunk.container) {
            (Some(frame), _) => frame.pts.timescale,
            (None, Container::MpegTs) => 90_000,
            // Without frames nothing says which clock the container has: flicks lose nothing.
            (None, _) => crate::time::FLICKS_PER_SECOND as u32,
        };
        Some(Timestamp {
            ticks: (time - chunk.offset).to_ticks(timescale),
            timescale,
        })
    }

    /// The time of day at `time` in microseconds since the Unix epoch, where the playlist gave an
    /// anchor. A chunk that was placed before its stretch had one borrows that of a later chunk.
    pub fn utc_of(&self, time: MediaTime) -> Option<i64> {
        let chunk = self.locate(time)?;
        let anchored = |other: &&PlacedChunk| other.stretch == chunk.stretch && other.utc.is_some();
        let anchor = match chunk.utc {
            Some(_) => chunk,
            None => self
                .chunks
                .range(chunk.chunk.position..)
                .map(|(_, c)| &**c)
                .find(anchored)?,
        };
        Some(anchor.utc? + (time - anchor.span.start).to_ticks(1_000_000))
    }

    /// The chunks that have an instant in common with `range`, in order of time.
    pub fn chunks_covering(&self, range: TimeRange) -> Vec<&PlacedChunk> {
        let mut found: Vec<_> = self
            .by_start
            .range(..(range.end, Position(0)))
            .rev()
            .take_while(|(start, _)| *start + self.longest > range.start)
            .filter_map(|(_, position)| self.get(*position))
            .filter(|chunk| chunk.span.overlaps(&range) && !range.is_empty())
            .collect();
        found.reverse();
        found
    }

    /// Chunks that start at or before `time`, the latest first, as far as one could still cover it
    /// or end within a frame of it.
    fn back_from(&self, time: MediaTime) -> impl Iterator<Item = &PlacedChunk> {
        let reach = self.longest + self.longest.max(MediaTime::from_seconds(1));
        self.by_start
            .range(..=(time, Position(u64::MAX)))
            .rev()
            .take_while(move |(start, _)| *start + reach > time)
            .filter_map(|(_, position)| self.get(*position))
    }
}

impl FromIterator<PlacedChunk> for EventTimeline {
    fn from_iter<I: IntoIterator<Item = PlacedChunk>>(chunks: I) -> Self {
        let mut timeline = EventTimeline::new();
        chunks.into_iter().for_each(|chunk| {
            timeline.insert(chunk);
        });
        timeline
    }
}

fn after(time: MediaTime) -> MediaTime {
    time + MediaTime::from_flicks(1)
}

/// How long the last frame of a chunk is shown; zero without video.
fn frame_duration(chunk: &PlacedChunk) -> MediaTime {
    chunk
        .frames
        .last()
        .map_or(MediaTime::ZERO, |last| chunk.span.end - last.time)
}
