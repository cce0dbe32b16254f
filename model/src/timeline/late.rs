//! The place of a chunk that comes after its neighbours: one that was missing, or comes again with
//! other bytes. Nothing else moves for it, so that what was told of the rest of the event stays true.

use super::{Reading, StreamTimes, Timeline, read};
use crate::chunk::{ChunkRef, ContentId, FrameTable, PlacedChunk, Position};
use crate::time::{FrameRate, MediaTime, TimeRange};

/// What is known of the surroundings of a late chunk.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The nearest placed chunk in front of it.
    pub before: Option<&'a PlacedChunk>,
    /// What it takes the place of, if it comes again.
    pub replaced: Option<&'a PlacedChunk>,
    /// The nearest placed chunk behind it.
    pub after: Option<&'a PlacedChunk>,
    /// Where it was expected.
    pub expected: TimeRange,
}

/// Why a late chunk has no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LateError {
    /// Nothing in it has a timestamp.
    #[error("chunk {0} has neither a video frame nor audio")]
    Empty(Position),
    /// It would lie over what others show.
    #[error(
        "chunk {position} came late and covers {span} s by its timestamps, where its place is \
         {expected} s"
    )]
    Elsewhere {
        /// The chunk.
        position: Position,
        /// What it would cover.
        span: TimeRange,
        /// Where its place is.
        expected: TimeRange,
    },
}

impl Timeline {
    /// Gives a late chunk its place. Its timestamps decide where they fit the clock of the chunk that
    /// it replaces or of a neighbour; else it stands, as a stretch of its own, where it was expected.
    pub fn place_late(
        &self,
        chunk: ChunkRef,
        times: &StreamTimes,
        bytes: u64,
        around: Surroundings<'_>,
    ) -> Result<PlacedChunk, LateError> {
        let position = chunk.position;
        let tolerance = self.options.tolerance;
        let expected = around.expected;
        let neighbours = [
            around.replaced,
            around.before.filter(|_| !chunk.discontinuity),
            around.after.filter(|after| !after.chunk.discontinuity),
        ];
        let from = around
            .before
            .map_or(expected.start, |before| before.span.end);
        let to = around.after.map_or(expected.end, |after| after.span.start);
        let fitting = neighbours.into_iter().flatten().find_map(|neighbour| {
            let near = expected.start - neighbour.offset;
            let reading = read(&chunk, times, Some(near))?;
            let start = reading.span.start + neighbour.offset;
            let fits = start >= from - tolerance && start <= to.max(from) + tolerance;
            fits.then_some((neighbour.stretch, neighbour.offset, reading))
        });
        let (stretch, offset, reading) = match fitting {
            Some(fitting) => fitting,
            None => {
                let reading = read(&chunk, times, None).ok_or(LateError::Empty(position))?;
                let offset = expected.start - reading.span.start;
                (own_stretch(position), offset, reading)
            }
        };
        let span = TimeRange::new(reading.span.start + offset, reading.span.end + offset);
        let border = around.after.map(|after| after.span.start);
        if border.is_some_and(|border| span.end > border + tolerance) {
            return Err(LateError::Elsewhere {
                position,
                span,
                expected,
            });
        }
        Ok(self.late(
            chunk,
            times,
            bytes,
            around,
            (stretch, offset, span),
            reading,
        ))
    }

    fn late(
        &self,
        chunk: ChunkRef,
        times: &StreamTimes,
        bytes: u64,
        around: Surroundings<'_>,
        (stretch, offset, span): (u32, MediaTime, TimeRange),
        reading: Reading,
    ) -> PlacedChunk {
        let first_frame = match (around.replaced, around.before) {
            (Some(replaced), _) => replaced.first_frame,
            (None, Some(before)) => {
                let rate = reading.frame_rate.or(before.frame_rate);
                let end = before.first_frame + frames_over(before, rate);
                end + frames_in(span.start - before.span.end, rate)
            }
            (None, None) => 0,
        };
        let utc = around
            .replaced
            .and_then(|replaced| replaced.utc)
            .or_else(|| {
                let near = around.before.filter(|before| before.stretch == stretch);
                let near = near.or(around.after.filter(|after| after.stretch == stretch))?;
                Some(near.utc? + (span.start - near.span.start).to_ticks(1_000_000))
            });
        PlacedChunk {
            span,
            offset,
            stretch,
            frames: FrameTable::new(reading.timescale(), reading.ticks(), offset),
            first_frame,
            frame_rate: reading.frame_rate,
            timecodes: times
                .video
                .iter()
                .flat_map(|video| video.timecodes.iter().copied())
                .collect(),
            audio_tracks: times.audio.iter().map(|audio| audio.track).collect(),
            utc: utc.or(chunk.program_date_time),
            bytes,
            content: ContentId::default(),
            chunk,
        }
    }
}

/// The number of a stretch that only one late chunk has: counted down from the greatest, so that it
/// is none of those that are counted up.
fn own_stretch(position: Position) -> u32 {
    u32::MAX - (position.0 % (1 << 31)) as u32
}

/// How many frames a chunk covers: those that it holds, and those that it lost in its middle, which show
/// as steps of several frames in an otherwise even rate.
pub(super) fn frames_over(chunk: &PlacedChunk, rate: Option<FrameRate>) -> u64 {
    let held = chunk.frames.len() as u64;
    let Some(step) = rate.map(|rate| rate.frame_duration().flicks().max(1)) else {
        return held;
    };
    let mut slots = 1;
    let mut before: Option<MediaTime> = None;
    for frame in chunk.frames.iter() {
        if let Some(before) = before {
            let passed = (frame.time - before).flicks();
            let steps = (passed + step / 2) / step;
            if steps < 1 || (passed - steps * step).abs() * 8 > step {
                // The rate is none that frames keep to.
                return held;
            }
            slots += steps.unsigned_abs();
        }
        before = Some(frame.time);
    }
    slots.max(held).min(held.saturating_mul(1000))
}

/// How many frames a hole would hold.
pub(super) fn frames_in(hole: MediaTime, rate: Option<FrameRate>) -> u64 {
    let Some(rate) = rate.filter(|_| hole > MediaTime::ZERO) else {
        return 0;
    };
    let half = MediaTime::from_flicks(rate.frame_duration().flicks() / 2);
    u64::try_from(rate.frame_at(hole + half)).unwrap_or_default()
}
