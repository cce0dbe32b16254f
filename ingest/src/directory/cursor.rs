//! How far a directory was read, as a value that can be stored: what `Source::resume` needs to go
//! on with the next file and the same positions.

use serde::{Deserialize, Serialize};

/// Notices that are not told twice.
const TOLD: usize = 256;

/// Ranges of missing numbers that are remembered beyond the window, to tell of late files.
const LOST: usize = 64;

/// How far a directory source was read. Its size is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryCursor {
    /// The position of the next chunk.
    pub(super) next_position: u64,
    /// The number that comes next, once one was read.
    pub(super) next_number: Option<u64>,
    /// The number that was read first.
    pub(super) first_number: u64,
    /// The last positions and what stands there, the oldest first.
    pub(super) recent: Vec<Told>,
    /// First and last number of holes that are no longer waited for.
    pub(super) lost: Vec<(u64, u64)>,
    /// Hashes of notices that were told.
    told: Vec<u64>,
    /// The end was told.
    pub(super) ended: bool,
}

/// What stands at a position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    pub number: u64,
    pub position: u64,
    /// The file; `None` where it is missing.
    pub file: Option<FileState>,
}

/// What a change of a file is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileState {
    pub name: String,
    pub size: u64,
    /// In nanoseconds since the Unix epoch.
    pub modified: i64,
    /// Changes with its content, where there is such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// What an item leaves behind when it is returned.
#[derive(Clone, Debug)]
pub(super) enum Behind {
    /// A notice with this hash.
    Notice(u64),
    /// A file at a position, new or again.
    File(Told),
    /// `count` missing files.
    Hole {
        number: u64,
        position: u64,
        count: u64,
    },
}

impl DirectoryCursor {
    /// Moves behind an item. `late_window` positions are remembered.
    pub(super) fn pass(&mut self, behind: Behind, late_window: u64) {
        match behind {
            Behind::Notice(told) => {
                self.told.push(told);
                let over = self.told.len().saturating_sub(TOLD);
                self.told.drain(..over);
            }
            Behind::File(file) => {
                self.reach(file.number, file.position, 1);
                match self
                    .recent
                    .iter_mut()
                    .find(|told| told.position == file.position)
                {
                    Some(place) => *place = file,
                    None => self.recent.push(file),
                }
            }
            Behind::Hole {
                number,
                position,
                count,
            } => {
                self.reach(number, position, count);
                let (first, last) = (number, number.saturating_add(count - 1));
                match self.lost.last_mut() {
                    Some((_, end)) if *end + 1 == first => *end = last,
                    _ => self.lost.push((first, last)),
                }
                let over = self.lost.len().saturating_sub(LOST);
                self.lost.drain(..over);
                let skipped = count.saturating_sub(late_window);
                self.recent.extend((skipped..count).map(|n| Told {
                    number: number + n,
                    position: position + n,
                    file: None,
                }));
            }
        }
        let oldest = self.next_position.saturating_sub(late_window);
        self.recent.retain(|told| told.position >= oldest);
    }

    fn reach(&mut self, number: u64, position: u64, count: u64) {
        if self.next_number.is_none() {
            self.first_number = number;
        }
        if position >= self.next_position {
            self.next_position = position.saturating_add(count);
            self.next_number = Some(number.saturating_add(count));
        }
    }

    /// Whether a notice was told.
    pub(super) fn has_told(&self, notice: u64) -> bool {
        self.told.contains(&notice)
    }
}
