//! How far an HLS source was read, as a value that can be stored: what `Source::resume` needs to
//! go on with the next chunk and the same positions.

use std::collections::VecDeque;

use matchcut_model::chunk::Rendition;
use matchcut_model::cue::Cue;
use matchcut_model::time::MediaTime;
use serde::{Deserialize, Serialize};

use super::follow::{self, FollowMark, Slot};
use super::window::{Identity, Mark, Window};

/// Notices that are not told twice.
const TOLD: usize = 256;

/// Chunks that are remembered in a cursor at least, to know the stream again.
const RECENT: usize = 16;

/// Ranges of dates that are not told twice.
const RANGES: usize = 512;

/// A range that began so long ago, in microseconds, is not new.
const LONG_AGO: i64 = 600_000_000;

/// How far an HLS source was read. Its size is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HlsCursor {
    /// The position of the next chunk.
    pub(crate) next_position: u64,
    pub(crate) mark: Mark,
    /// The chunks that were told last, the oldest first.
    pub(crate) recent: Vec<Recent>,
    /// Hashes of notices that were told.
    told: Vec<u64>,
    /// Ranges of dates that were told: hashes of their IDs and of what they said.
    ranges: Vec<(u64, u64)>,
    /// Whether the programme was left.
    pub(crate) in_break: bool,
    /// Where the next chunk stands: durations added up.
    pub(crate) clock: MediaTime,
    /// The last chunks on that clock.
    pub(crate) axis: VecDeque<Slot>,
    /// How far other renditions were used.
    pub(crate) followed: Vec<FollowMark>,
    /// The number of a chunk of which only parts were told, and how many with which duration.
    pub(crate) parts: Option<(u64, u64, MediaTime)>,
    /// The end was told.
    pub(crate) ended: bool,
}

/// A chunk that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent {
    pub sequence: u64,
    /// Where it stands; `None` where it was told in parts.
    pub position: Option<u64>,
    pub identity: Identity,
    pub audio: Vec<Rendition>,
    pub cut_from: Option<Box<Rendition>>,
    pub cues: Vec<Cue>,
}

/// What an item leaves behind when it is returned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behind {
    pub next_position: Option<u64>,
    pub mark: Option<Mark>,
    pub recent: Option<Recent>,
    pub told: Option<u64>,
    pub ranges: Vec<(u64, u64)>,
    pub in_break: Option<bool>,
    pub slot: Option<Slot>,
    pub followed: Option<Vec<FollowMark>>,
    /// What is known of parts, if that changes.
    pub parts: Option<Option<(u64, u64, MediaTime)>>,
}

impl HlsCursor {
    /// Moves behind an item. Of the chunks, `late_window` are remembered, or a few more.
    pub(crate) fn pass(&mut self, behind: Behind, late_window: u64) {
        if let Some(next) = behind.next_position {
            self.next_position = next;
        }
        if let Some(mark) = behind.mark {
            if mark.generation != self.mark.generation {
                self.recent.clear();
            }
            self.mark = mark;
        }
        if let Some(recent) = behind.recent {
            match self
                .recent
                .iter_mut()
                .find(|r| r.sequence == recent.sequence)
            {
                Some(place) => *place = recent,
                None => self.recent.push(recent),
            }
            let keep = RECENT.max(usize::try_from(late_window).unwrap_or(usize::MAX));
            let over = self.recent.len().saturating_sub(keep);
            self.recent.drain(..over);
        }
        if let Some(told) = behind.told {
            self.told.push(told);
            let over = self.told.len().saturating_sub(TOLD);
            self.told.drain(..over);
        }
        for range in behind.ranges {
            self.ranges.retain(|(id, _)| *id != range.0);
            self.ranges.push(range);
        }
        let over = self.ranges.len().saturating_sub(RANGES);
        self.ranges.drain(..over);
        self.in_break = behind.in_break.unwrap_or(self.in_break);
        self.parts = behind.parts.unwrap_or(self.parts);
        if let Some(slot) = behind.slot {
            self.clock = slot.end;
            // Only those who follow other renditions need to find the way back.
            if behind.followed.is_some() {
                follow::extend(&mut self.axis, slot, 0);
            }
        }
        self.followed = behind
            .followed
            .unwrap_or(std::mem::take(&mut self.followed));
    }

    /// The number of the next chunk, the date at which it begins, and the name and the date of the one
    /// before it; `None` when nothing was read.
    #[cfg(any(feature = "medialive", feature = "kinesis_video"))]
    #[allow(clippy::type_complexity, reason = "it is taken apart at once")]
    pub(crate) fn reached(&self) -> Option<(u64, Option<i64>, Option<(String, Option<i64>)>)> {
        let next = self.mark.next?;
        let before = next.checked_sub(1);
        let mut recent = self.recent.iter().rev();
        let last = recent.find(|told| Some(told.sequence) == before);
        let last = last.map(|told| told.identity.name_and_date());
        Some((next, self.mark.date, last))
    }

    /// Whether a range of dates with this start was told as it is, to a chunk at `date`.
    pub(crate) fn has_told_range(&self, range: (u64, u64), start: i64, date: Option<i64>) -> bool {
        let full = self.ranges.len() >= RANGES;
        let forgotten = full && date.is_some_and(|date| start.saturating_add(LONG_AGO) < date);
        forgotten || self.ranges.contains(&range)
    }

    /// Whether a notice was told.
    pub(crate) fn has_told(&self, notice: u64) -> bool {
        self.told.contains(&notice)
    }

    /// The window that goes on from here.
    pub(crate) fn window(&self) -> Window {
        let seen = self.recent.iter().map(|r| (r.sequence, r.identity.clone()));
        Window::resume(self.mark.clone(), seen)
    }
}
