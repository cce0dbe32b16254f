//! Places chunks on the event timeline in playlist order, from the timestamps that the stream
//! carries. The rules, and why they are so, are in `docs/design/time.md`.

mod late;
mod lookup;
mod wrap;

use serde::{Deserialize, Serialize};

use crate::chunk::{
    ChunkRef, Container, ContentId, FrameTable, PlacedChunk, Position, TrackNumber,
};
use crate::time::{FLICKS_PER_SECOND, FrameRate, MediaTime, TimeRange, Timestamp};
use crate::timecode::TimecodeMark;

pub use late::{LateError, Surroundings};
pub use lookup::{EventTimeline, FrameAt};

/// The frames of a chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VideoTimes {
    /// Presentation timestamps as the stream writes them, in order of presentation.
    pub pts: Vec<Timestamp>,
    /// How long the last frame is shown, where the stream says so.
    pub last_duration: Option<MediaTime>,
    /// Nominal frame rate, where the stream says so.
    pub frame_rate: Option<FrameRate>,
    /// Timecode that the frames carry, by their number in `pts`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timecodes: Vec<TimecodeMark>,
}

/// One audio track of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioTimes {
    /// Which track.
    pub track: TrackNumber,
    /// When its first sample is heard, as the stream writes it.
    pub start: Timestamp,
    /// When its last sample has been heard.
    pub end: Timestamp,
}

/// The timestamps of one chunk as they were read from its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamTimes {
    /// Its frames; `None`, or no timestamps, without video.
    pub video: Option<VideoTimes>,
    /// Its audio tracks, in stream order.
    pub audio: Vec<AudioTimes>,
}

/// What decides where a stretch of the timeline ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineOptions {
    /// A chunk that starts farther than this from where the one before it ended has jumped and
    /// opens a new stretch; below it the timestamps are trusted. PROGRAM-DATE-TIME that differs by
    /// less from adding durations does not open a hole either.
    pub tolerance: MediaTime,
    /// A hole that PROGRAM-DATE-TIME opens is at most so long; a larger one is taken for a wrong
    /// clock, and durations are added instead.
    pub max_gap: MediaTime,
    /// A chunk that spans more than twice its declared duration and this on top has a jump
    /// inside and is refused.
    pub max_excess: MediaTime,
}

impl Default for TimelineOptions {
    fn default() -> Self {
        TimelineOptions {
            tolerance: MediaTime::from_millis(500),
            max_gap: MediaTime::from_seconds(12 * 3600),
            max_excess: MediaTime::from_seconds(10),
        }
    }
}

/// A chunk that has no place on the timeline. The timeline is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Chunks must come in playlist order.
    #[error("chunk {position} came after chunk {last} was placed")]
    OutOfOrder {
        /// The chunk.
        position: Position,
        /// The last one that has a place or is known to be missing.
        last: Position,
    },
    /// Nothing in it has a timestamp.
    #[error("chunk {position} has neither a video frame nor audio")]
    Empty {
        /// The chunk.
        position: Position,
    },
    /// Its timestamps jump in its middle: they span far more than the playlist says.
    #[error(
        "the timestamps of chunk {position} span {span} s where {expected} s were expected: \
         they jump inside the chunk"
    )]
    JumpInside {
        /// The chunk.
        position: Position,
        /// From its first timestamp to its last.
        span: MediaTime,
        /// The declared duration, or that of the chunk before.
        expected: MediaTime,
    },
}

/// Where stream time stood when the last chunk of the stretch ended, unwrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct StreamEnd {
    video: Option<MediaTime>,
    audio: Option<MediaTime>,
}

/// A stretch that is still growing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    number: u32,
    /// Event time minus stream time, computed once.
    offset: MediaTime,
    ends: StreamEnd,
}

/// Event time and the wall clock at the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Anchor {
    event: MediaTime,
    utc: i64,
}

impl Anchor {
    fn utc_at(self, event: MediaTime) -> i64 {
        self.utc
            .saturating_add((event - self.event).to_ticks(1_000_000))
    }

    fn event_at(self, utc: i64) -> MediaTime {
        self.event + MediaTime::from_ticks(utc.saturating_sub(self.utc), 1_000_000)
    }
}

/// Gives each chunk of one source its place, in playlist order. Its state is small and plain data.
///
/// ```
/// use matchcut_model::chunk::{ChunkRef, Container, Position, Resource};
/// use matchcut_model::time::Timestamp;
/// use matchcut_model::timeline::{StreamTimes, Timeline, VideoTimes};
///
/// let media = Resource::whole("file:///court_1.ts");
/// let chunk = ChunkRef::new("court", Position(0), media, Container::MpegTs);
/// let pts = (0..50).map(|n| Timestamp { ticks: 126_000 + n * 3600, timescale: 90_000 });
/// let video = VideoTimes { pts: pts.collect(), ..VideoTimes::default() };
/// let times = StreamTimes { video: Some(video), audio: Vec::new() };
/// let placed = Timeline::default().place(chunk, &times, 0).unwrap();
/// assert_eq!(placed.span.to_string(), "0.000..2.000");
/// assert_eq!(placed.frames.get(1).unwrap().time.to_string(), "0.040");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    options: TimelineOptions,
    stretch: Option<Stretch>,
    /// The end of everything placed.
    end: MediaTime,
    /// The number of the frame that comes next, if time goes on.
    frames: u64,
    frame_rate: Option<FrameRate>,
    last_position: Option<Position>,
    last_duration: Option<MediaTime>,
    /// Chunks known to be missing since the last one that was placed, and their duration.
    missing: Option<MediaTime>,
    /// How much shorter the last chunk is than expected: what was cut off of it.
    shortfall: Option<MediaTime>,
    /// The last chunk with a PROGRAM-DATE-TIME: from here a new stretch is placed.
    latest: Option<Anchor>,
    /// What UTC is read from: the first PROGRAM-DATE-TIME of the stretch.
    utc: Option<Anchor>,
    /// Whether `utc` stands in the current stretch.
    utc_is_own: bool,
}

/// What the rules need to know of a chunk: stream times in flicks, unwrapped.
struct Reading {
    frames: Vec<Timestamp>,
    frame_rate: Option<FrameRate>,
    span: TimeRange,
    ends: StreamEnd,
    audio_start: Option<MediaTime>,
}

impl Timeline {
    /// An empty timeline.
    pub fn new(options: TimelineOptions) -> Self {
        Timeline {
            options,
            ..Timeline::default()
        }
    }

    /// The end of what was placed.
    pub fn end(&self) -> MediaTime {
        self.end
    }

    /// Says that the next chunk in playlist order is missing: its place stays empty. Its duration
    /// is what the playlist declares, else that of the chunk before it. Says where it would be.
    pub fn skip(
        &mut self,
        position: Position,
        declared: Option<MediaTime>,
    ) -> Result<TimeRange, PlaceError> {
        let chunks = self.advance(position)?;
        let each = declared.or(self.last_duration).unwrap_or_default();
        let unsaid = self.last_duration.unwrap_or_default().times(chunks - 1);
        let start = self.end + self.hole(self.missing).unwrap_or_default() + unsaid;
        self.missing = Some(self.missing.unwrap_or_default() + each + unsaid);
        self.last_position = Some(position);
        Ok(TimeRange::new(start, start + each))
    }

    /// The last position that was placed or skipped.
    pub fn last_position(&self) -> Option<Position> {
        self.last_position
    }

    /// The hole in front of the next chunk: what is missing, and what was cut off the last chunk, which
    /// leaves a hole as a missing one does.
    fn hole(&self, missing: Option<MediaTime>) -> Option<MediaTime> {
        match (missing, self.shortfall) {
            (None, shortfall) => shortfall,
            (Some(missing), shortfall) => Some(missing + shortfall.unwrap_or_default()),
        }
    }

    /// Gives `chunk` its place. Positions that were neither placed nor skipped are taken as
    /// missing chunks. `bytes` is the size of its media; the identity of its content is left to who
    /// has read it.
    pub fn place(
        &mut self,
        chunk: ChunkRef,
        times: &StreamTimes,
        bytes: u64,
    ) -> Result<PlacedChunk, PlaceError> {
        let position = chunk.position;
        let unsaid = self.advance(position)? - 1;
        let missing = match (self.missing, unsaid) {
            (missing, 0) => missing,
            (missing, unsaid) => {
                let each = self.last_duration.unwrap_or_default();
                Some(missing.unwrap_or_default() + each.times(unsaid))
            }
        };
        let hole = self.hole(missing);
        let followed = match self.stretch {
            Some(stretch) if !chunk.discontinuity => {
                let near = stretch.ends.video.or(stretch.ends.audio);
                let reading = read(
                    &chunk,
                    times,
                    near.map(|end| end + hole.unwrap_or_default()),
                );
                reading.filter(|reading| self.continues(&stretch.ends, reading, hole))
            }
            _ => None,
        };
        let continued = followed.is_some();
        let reading = followed
            .or_else(|| read(&chunk, times, None))
            .ok_or(PlaceError::Empty { position })?;
        self.check_span(&chunk, &reading)?;
        let stretch = match self.stretch {
            Some(stretch) if continued => Stretch {
                ends: reading.ends,
                ..stretch
            },
            previous => Stretch {
                number: previous.map_or(0, |s| s.number + 1),
                offset: self.start_of_stretch(&chunk, missing) - reading.span.start,
                ends: reading.ends,
            },
        };
        if !continued {
            self.utc_is_own = false;
        }

        let offset = stretch.offset;
        let span = TimeRange::new(reading.span.start + offset, reading.span.end + offset);
        if let Some(utc) = chunk.program_date_time {
            let anchor = Anchor {
                event: span.start,
                utc,
            };
            self.latest = Some(anchor);
            if !self.utc_is_own {
                self.utc = Some(anchor);
                self.utc_is_own = true;
            }
        }
        // A hole counts as the frames that it would hold, so that a number says the same time whether
        // they came or not.
        let rate = reading.frame_rate.or(self.frame_rate);
        let first_frame = self.frames + late::frames_in(span.start - self.end, rate);
        let placed = PlacedChunk {
            span,
            offset,
            stretch: stretch.number,
            first_frame,
            frame_rate: reading.frame_rate,
            timecodes: times
                .video
                .iter()
                .flat_map(|video| video.timecodes.iter().copied())
                .collect(),
            audio_tracks: times.audio.iter().map(|audio| audio.track).collect(),
            utc: self.utc.map(|anchor| anchor.utc_at(span.start)),
            frames: FrameTable::new(reading.timescale(), reading.ticks(), offset),
            bytes,
            content: ContentId::default(),
            chunk,
        };

        self.stretch = Some(stretch);
        self.end = self.end.max(span.end);
        self.frames = placed.first_frame + late::frames_over(&placed, rate);
        self.frame_rate = rate;
        self.last_position = Some(position);
        self.missing = None;
        // Where nothing is declared, a chunk is expected to be as long as the one before it.
        let expected = placed.chunk.declared_duration.or(self.last_duration);
        self.shortfall = expected
            .map(|expected| expected - span.duration())
            .filter(|shortfall| *shortfall > self.options.tolerance);
        if self.shortfall.is_none() || self.last_duration.is_none() {
            self.last_duration = Some(span.duration());
        }
        Ok(placed)
    }

    /// How many positions `position` is ahead: 1 for the next one.
    fn advance(&self, position: Position) -> Result<i64, PlaceError> {
        let ahead = match self.last_position {
            Some(last) if position <= last => {
                return Err(PlaceError::OutOfOrder { position, last });
            }
            Some(last) => position.0 - last.0,
            // Nothing stands before the first chunk that could be missing.
            None => 1,
        };
        Ok(i64::try_from(ahead).unwrap_or(i64::MAX))
    }

    /// Refuses a chunk whose timestamps cannot all be meant.
    fn check_span(&self, chunk: &ChunkRef, reading: &Reading) -> Result<(), PlaceError> {
        let (position, span) = (chunk.position, reading.span.duration());
        match chunk.declared_duration.or(self.last_duration) {
            Some(expected) if span > expected.times(2) + self.options.max_excess => {
                Err(PlaceError::JumpInside {
                    position,
                    span,
                    expected,
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether stream time runs on from the chunk before, so that timestamps alone place it.
    fn continues(&self, ends: &StreamEnd, reading: &Reading, missing: Option<MediaTime>) -> bool {
        let tolerance = self.options.tolerance;
        let near = |start: MediaTime, end: MediaTime| {
            let jump = start - end;
            match missing {
                None => jump.abs() <= tolerance,
                // How long the missing chunks were is an estimate; the timestamps know it better,
                // as long as they agree that time went on.
                Some(missing) => -tolerance <= jump && jump <= missing.times(2) + tolerance,
            }
        };
        // Like with like: pictures and sound of one chunk rarely end together. One of them is
        // enough, since both have the same clock and either may have dropped out for a while.
        let starts = [
            (reading.frame_start(), ends.video),
            (reading.audio_start, ends.audio),
        ];
        let mut pairs = starts
            .into_iter()
            .filter_map(|(start, end)| start.zip(end))
            .peekable();
        if pairs.peek().is_some() {
            return pairs.any(|(start, end)| near(start, end));
        }
        ends.video
            .or(ends.audio)
            .is_some_and(|end| near(reading.span.start, end))
    }

    /// Event time at which a new stretch starts.
    fn start_of_stretch(&self, chunk: &ChunkRef, missing: Option<MediaTime>) -> MediaTime {
        let added = self.end + missing.unwrap_or_default();
        let Some((anchor, utc)) = self.latest.zip(chunk.program_date_time) else {
            return added;
        };
        let anchored = anchor.event_at(utc);
        let fits = anchored >= self.end
            && (anchored - added).abs() > self.options.tolerance
            && anchored - self.end <= self.options.max_gap;
        if fits { anchored } else { added }
    }
}

impl Reading {
    fn frame_start(&self) -> Option<MediaTime> {
        self.frames.first().map(|pts| pts.time())
    }

    fn timescale(&self) -> u32 {
        self.frames.first().map_or(90_000, |pts| pts.timescale)
    }

    /// The timestamps of the frames, which all have one clock.
    fn ticks(&self) -> impl Iterator<Item = i64> + '_ {
        self.frames.iter().map(|pts| pts.ticks)
    }
}

/// Unwraps the timestamps of a chunk, `near` the end of the one before if time goes on from there.
/// `None` when there are none.
fn read(chunk: &ChunkRef, times: &StreamTimes, near: Option<MediaTime>) -> Option<Reading> {
    let wraps = !matches!(
        chunk.container,
        Container::FragmentedMp4 | Container::Matroska
    );
    let video = times.video.as_ref().filter(|video| !video.pts.is_empty());
    let frames = match video {
        Some(video) if wraps => wrap::unwrap_frames(&video.pts, near),
        Some(video) => wrap::sorted(video.pts.clone()),
        None => Vec::new(),
    };
    let first = frames.first().map(|pts| pts.time());
    let near_audio = first.or(near);
    let audio = times.audio.iter().map(|audio| {
        let (start, end) = match wraps {
            true => wrap::unwrap_pair(audio.start, audio.end, near_audio),
            false => (audio.start, audio.end),
        };
        TimeRange::new(start.time(), end.time())
    });
    let audio: Vec<TimeRange> = audio.collect();
    let audio_start = audio.iter().map(|range| range.start).min();
    let audio_end = audio.iter().map(|range| range.end).max();
    let video_end = frames.last().zip(video).map(|(last, video)| {
        last.time() + last_frame_duration(&frames, video, chunk.declared_duration)
    });
    let span = first.zip(video_end).or(audio_start.zip(audio_end))?;
    Some(Reading {
        frame_rate: video.and_then(|video| video.frame_rate),
        span: TimeRange::new(span.0, span.1),
        ends: StreamEnd {
            video: video_end,
            audio: audio_end,
        },
        audio_start,
        frames,
    })
}

/// How long the last frame is shown: what the stream says, its rate, the frame before it, or what
/// the playlist leaves for it; a 25th of a second when nothing at all is known.
fn last_frame_duration(
    frames: &[Timestamp],
    video: &VideoTimes,
    declared: Option<MediaTime>,
) -> MediaTime {
    let plausible = |duration: &MediaTime| {
        *duration > MediaTime::ZERO && *duration <= MediaTime::from_seconds(10)
    };
    let step = match frames {
        [.., before, last] => Some(last.time() - before.time()),
        _ => None,
    };
    video
        .last_duration
        .filter(plausible)
        .or(video
            .frame_rate
            .map(FrameRate::frame_duration)
            .filter(plausible))
        .or(step.filter(plausible))
        .or(declared.filter(|_| frames.len() == 1).filter(plausible))
        .unwrap_or(MediaTime::from_flicks(FLICKS_PER_SECOND / 25))
}
