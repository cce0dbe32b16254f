//! The candidates of one replay in order of rank, kept so that a new segment costs little however
//! long the event is. Entries stand in blocks that know their shortest duration: filling a limit
//! passes over every block in which nothing fits any more.

use matchcut_model::time::MediaTime;

/// Entries in a block before it is split.
const BLOCK: usize = 128;

struct Block<K> {
    entries: Vec<(K, MediaTime)>,
    shortest: MediaTime,
}

impl<K: Ord> Block<K> {
    fn new(entries: Vec<(K, MediaTime)>) -> Self {
        let mut block = Block {
            entries,
            shortest: MediaTime::MAX,
        };
        block.measure();
        block
    }

    fn measure(&mut self) {
        self.shortest = self
            .entries
            .iter()
            .map(|e| e.1)
            .min()
            .unwrap_or(MediaTime::MAX);
    }
}

/// A sorted set of keys with durations. The smallest key ranks first.
pub struct Ranking<K> {
    blocks: Vec<Block<K>>,
    total: MediaTime,
}

impl<K> Default for Ranking<K> {
    fn default() -> Self {
        Ranking {
            blocks: Vec::new(),
            total: MediaTime::ZERO,
        }
    }
}

impl<K: Ord> Ranking<K> {
    /// Adds a key, or changes its duration.
    pub fn insert(&mut self, key: K, duration: MediaTime) {
        let index = self.block_of(&key);
        let Some(block) = self.blocks.get_mut(index) else {
            self.blocks.push(Block::new(vec![(key, duration)]));
            self.total += duration;
            return;
        };
        match block.entries.binary_search_by(|entry| entry.0.cmp(&key)) {
            Ok(at) => {
                let before = std::mem::replace(&mut block.entries[at].1, duration);
                self.total = self.total - before + duration;
                block.measure();
            }
            Err(at) => {
                block.entries.insert(at, (key, duration));
                block.shortest = block.shortest.min(duration);
                self.total += duration;
                if block.entries.len() > BLOCK {
                    let upper = block.entries.split_off(BLOCK / 2);
                    block.measure();
                    self.blocks.insert(index + 1, Block::new(upper));
                }
            }
        }
    }

    /// Takes a key out; whether it was there.
    pub fn remove(&mut self, key: &K) -> bool {
        let index = self.block_of(key);
        let Some(block) = self.blocks.get_mut(index) else {
            return false;
        };
        let Ok(at) = block.entries.binary_search_by(|entry| entry.0.cmp(key)) else {
            return false;
        };
        let (_, duration) = block.entries.remove(at);
        self.total -= duration;
        if block.entries.is_empty() {
            self.blocks.remove(index);
        } else if duration <= block.shortest {
            block.measure();
        }
        true
    }

    /// The block that holds `key`, or would: the first whose last key is not before it.
    fn block_of(&self, key: &K) -> usize {
        let index = self
            .blocks
            .partition_point(|b| b.entries.last().is_some_and(|last| last.0 < *key));
        index.min(self.blocks.len().saturating_sub(1))
    }

    /// The sum of all durations.
    pub fn total(&self) -> MediaTime {
        self.total
    }

    /// Number of keys.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.entries.len()).sum()
    }

    /// All keys in order of rank.
    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (&K, MediaTime)> {
        self.blocks
            .iter()
            .flat_map(|block| block.entries.iter().map(|e| (&e.0, e.1)))
    }

    /// Takes keys in order of rank as long as they fit; one that does not fit is passed over, and
    /// what is behind it may still fit.
    pub fn fill(&self, limit: MediaTime) -> Vec<&K> {
        let mut left = limit;
        let mut taken = Vec::new();
        for block in self.blocks.iter() {
            if block.shortest > left {
                continue;
            }
            for (key, duration) in &block.entries {
                if *duration <= left {
                    left -= *duration;
                    taken.push(key);
                }
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn fills_as_the_plain_walk_does(
            changes in prop::collection::vec((0u16..400, 0i64..60, prop::bool::weighted(0.7)), 0..900),
            limit in 0i64..2_000,
        ) {
            let mut ranking = Ranking::default();
            let mut plain = BTreeMap::new();
            for (key, duration, add) in changes {
                let duration = MediaTime::from_seconds(duration);
                if add {
                    ranking.insert(key, duration);
                    plain.insert(key, duration);
                } else {
                    prop_assert_eq!(ranking.remove(&key), plain.remove(&key).is_some());
                }
            }
            let limit = MediaTime::from_seconds(limit);
            let mut left = limit;
            let mut want = Vec::new();
            for (key, duration) in &plain {
                if *duration <= left {
                    left -= *duration;
                    want.push(key);
                }
            }
            prop_assert_eq!(ranking.fill(limit), want);
            prop_assert_eq!(ranking.total(), plain.values().copied().sum::<MediaTime>());
            prop_assert_eq!(ranking.len(), plain.len());
            let entries: Vec<_> = ranking.iter().map(|(k, d)| (*k, d)).collect();
            prop_assert_eq!(entries, plain.into_iter().collect::<Vec<_>>());
        }
    }
}
