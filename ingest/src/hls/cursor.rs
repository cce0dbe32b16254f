//! How far an HLS source was read, as a value that can be stored: what `Source::resume` needs to
//! go on with the next chunk and the same positions.

use serde::{Deserialize, Serialize};

use super::window::{Identity, Mark, Window};

/// Notices that are not told twice.
const TOLD: usize = 256;

/// Chunks that are remembered in a cursor at least, to know the stream again.
const RECENT: usize = 16;

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
    /// The end was told.
    pub(crate) ended: bool,
}

/// A chunk that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent {
    pub sequence: u64,
    pub position: u64,
    pub identity: Identity,
}

/// What an item leaves behind when it is returned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behind {
    pub next_position: Option<u64>,
    pub mark: Option<Mark>,
    pub recent: Option<Recent>,
    pub told: Option<u64>,
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
