//! The frames of a chunk: when each is shown, in little memory. An event keeps this of every chunk
//! until its end, and most streams space their frames evenly.

use serde::{Deserialize, Serialize};

use super::FrameTime;
use crate::time::{MediaTime, Timestamp};

/// Presentation times of frames, in order.
///
/// ```
/// use matchcut_model::chunk::FrameTable;
/// use matchcut_model::time::MediaTime;
///
/// let offset = MediaTime::from_seconds(-10);
/// let frames = FrameTable::new(90_000, [900_000, 903_600, 907_200], offset);
/// assert_eq!(frames.len(), 3);
/// assert_eq!(frames.get(2).unwrap().time, MediaTime::from_millis(80));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameTable {
    timescale: u32,
    /// Event time minus stream time.
    offset: MediaTime,
    ticks: Ticks,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Ticks {
    /// `first`, `first + step`, …
    Even { first: i64, step: i64, count: u32 },
    /// The first, and how far each is from the one before.
    Uneven { first: i64, steps: Box<[u32]> },
    /// As they are.
    Listed(Box<[i64]>),
}

impl Default for Ticks {
    fn default() -> Self {
        Ticks::Even {
            first: 0,
            step: 0,
            count: 0,
        }
    }
}

impl Ticks {
    fn new(ticks: Vec<i64>) -> Self {
        let Some(&first) = ticks.first() else {
            return Ticks::default();
        };
        let steps: Vec<i64> = ticks
            .windows(2)
            .map(|pair| pair[1].saturating_sub(pair[0]))
            .collect();
        let step = steps.first().copied().unwrap_or_default();
        if let (true, Ok(count)) = (
            steps.iter().all(|other| *other == step),
            u32::try_from(ticks.len()),
        ) {
            return Ticks::Even { first, step, count };
        }
        let small: Result<Box<[u32]>, _> = steps.iter().map(|&step| u32::try_from(step)).collect();
        match small {
            Ok(steps) => Ticks::Uneven { first, steps },
            Err(_) => Ticks::Listed(ticks.into()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Ticks::Even { count, .. } => *count as usize,
            Ticks::Uneven { steps, .. } => steps.len() + 1,
            Ticks::Listed(ticks) => ticks.len(),
        }
    }

    fn get(&self, index: usize) -> Option<i64> {
        match self {
            Ticks::Even { first, step, count } => {
                (index < *count as usize).then(|| first + step * index as i64)
            }
            Ticks::Uneven { first, steps } => {
                let before = steps.get(..index)?;
                Some(first + before.iter().map(|step| i64::from(*step)).sum::<i64>())
            }
            Ticks::Listed(ticks) => ticks.get(index).copied(),
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = i64> + '_> {
        match *self {
            Ticks::Even { first, step, count } => {
                Box::new((0..i64::from(count)).map(move |index| first + step * index))
            }
            Ticks::Uneven { first, ref steps } => {
                let mut at = first;
                let rest = steps.iter().map(move |step| {
                    at += i64::from(*step);
                    at
                });
                Box::new(std::iter::once(first).chain(rest))
            }
            Ticks::Listed(ref ticks) => Box::new(ticks.iter().copied()),
        }
    }
}

impl FrameTable {
    /// Frames at `ticks` of 1/`timescale` s, in order of presentation, on a timeline on which event
    /// time is stream time plus `offset`.
    pub fn new(timescale: u32, ticks: impl IntoIterator<Item = i64>, offset: MediaTime) -> Self {
        FrameTable {
            timescale,
            offset,
            ticks: Ticks::new(ticks.into_iter().collect()),
        }
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.ticks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn frame(&self, ticks: i64) -> FrameTime {
        let pts = Timestamp {
            ticks,
            timescale: self.timescale,
        };
        FrameTime {
            time: pts.time() + self.offset,
            pts,
        }
    }

    /// Frame `index`, from 0.
    pub fn get(&self, index: usize) -> Option<FrameTime> {
        self.ticks.get(index).map(|ticks| self.frame(ticks))
    }

    /// The first frame.
    pub fn first(&self) -> Option<FrameTime> {
        self.get(0)
    }

    /// The last frame.
    pub fn last(&self) -> Option<FrameTime> {
        self.get(self.len().checked_sub(1)?)
    }

    /// All frames in order.
    pub fn iter(&self) -> impl Iterator<Item = FrameTime> + '_ {
        self.ticks.iter().map(|ticks| self.frame(ticks))
    }

    /// The number of frames that are shown before `time`: the index of the first one at or after it.
    pub fn before(&self, time: MediaTime) -> usize {
        match self.ticks {
            Ticks::Even { first, step, count } if step > 0 => {
                // Rounding may be off by one either way.
                let near = ((time - self.offset).to_ticks(self.timescale) - first) / step;
                let mut index = near.clamp(0, i64::from(count)) as usize;
                let shown = |index: usize| self.get(index).is_some_and(|frame| frame.time < time);
                while index > 0 && !shown(index - 1) {
                    index -= 1;
                }
                while shown(index) {
                    index += 1;
                }
                index
            }
            _ => self.iter().take_while(|frame| frame.time < time).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_table_is_the_list_of_its_frames(
            first in 0i64..1 << 34,
            steps in prop_oneof![
                prop::collection::vec(Just(3003i64), 0..40),
                prop::collection::vec(1i64..4000, 0..40),
                prop::collection::vec(prop_oneof![1i64..10, Just(1 << 40)], 0..10),
            ],
            offset in -1_000_000i64..1_000_000,
            probe in -10i64..120_000,
        ) {
            let mut ticks = vec![first];
            for step in steps {
                ticks.push(ticks[ticks.len() - 1] + step);
            }
            let offset = MediaTime::from_flicks(offset);
            let frames: Vec<FrameTime> = ticks
                .iter()
                .map(|&ticks| {
                    let pts = Timestamp { ticks, timescale: 90_000 };
                    FrameTime { time: pts.time() + offset, pts }
                })
                .collect();
            let table = FrameTable::new(90_000, ticks, offset);
            prop_assert_eq!(table.len(), frames.len());
            prop_assert_eq!(table.iter().collect::<Vec<_>>(), frames.clone());
            prop_assert_eq!(table.last(), frames.last().copied());
            for (index, frame) in frames.iter().enumerate() {
                prop_assert_eq!(table.get(index), Some(*frame));
                prop_assert_eq!(table.before(frame.time), index);
                prop_assert_eq!(table.before(frame.time + MediaTime::from_flicks(1)), index + 1);
            }
            prop_assert_eq!(table.get(frames.len()), None);
            let time = frames[0].time + MediaTime::from_ticks(probe, 90_000);
            prop_assert_eq!(table.before(time), frames.iter().filter(|f| f.time < time).count());
        }
    }

    #[test]
    fn an_empty_table_has_no_frame() {
        let table = FrameTable::default();
        assert!(table.is_empty());
        assert_eq!(
            (table.first(), table.last(), table.before(MediaTime::ZERO)),
            (None, None, 0)
        );
    }
}
