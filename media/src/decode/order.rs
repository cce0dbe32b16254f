//! Puts decoded frames into order of presentation. A decoder nearly always gives them in order; one
//! that starts without knowing how far the stream reorders may not, and some frames never come.

use std::collections::BTreeMap;

/// No codec holds back more pictures than this, so a frame that so many have overtaken is lost.
const MOST_HELD: usize = 16;

/// Items by their rank, given out in order.
pub(crate) struct Ordered<T> {
    next: usize,
    held: BTreeMap<usize, T>,
    late: u64,
}

impl<T> Ordered<T> {
    pub(crate) fn new() -> Self {
        Ordered {
            next: 0,
            held: BTreeMap::new(),
            late: 0,
        }
    }

    /// Adds an item. One whose place has been passed, or is taken, is dropped and counted.
    pub(crate) fn add(&mut self, rank: usize, item: T) {
        if rank < self.next || self.held.contains_key(&rank) {
            self.late += 1;
        } else {
            self.held.insert(rank, item);
        }
    }

    /// The next item, if it is certain that none comes before it. At the end, `all` that is left.
    pub(crate) fn next(&mut self, all: bool) -> Option<(usize, T)> {
        let first = *self.held.keys().next()?;
        if first != self.next && !all && self.held.len() <= MOST_HELD {
            return None;
        }
        self.next = first + 1;
        self.held.remove(&first).map(|item| (first, item))
    }

    /// How many came too late or twice.
    pub(crate) fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(ordered: &mut Ordered<()>, all: bool) -> Vec<usize> {
        std::iter::from_fn(|| ordered.next(all))
            .map(|(rank, ())| rank)
            .collect()
    }

    #[test]
    fn frames_wait_for_those_before_them() {
        let mut ordered = Ordered::new();
        ordered.add(1, ());
        assert_eq!(drain(&mut ordered, false), [0; 0]);
        ordered.add(0, ());
        ordered.add(2, ());
        assert_eq!(drain(&mut ordered, false), [0, 1, 2]);
    }

    #[test]
    fn a_lost_frame_is_given_up_and_a_late_one_dropped() {
        let mut ordered = Ordered::new();
        for rank in 1..=MOST_HELD {
            ordered.add(rank, ());
        }
        assert_eq!(drain(&mut ordered, false), [0; 0]);
        ordered.add(MOST_HELD + 1, ());
        assert_eq!(drain(&mut ordered, false).len(), MOST_HELD + 1);
        ordered.add(0, ());
        ordered.add(30, ());
        ordered.add(30, ());
        assert_eq!(drain(&mut ordered, true), [30]);
        assert_eq!(ordered.late(), 2);
    }
}
