//! The join of segments and observations that overlap in time, incremental with retractions: both
//! sides are cut into time buckets and joined by bucket.

use differential_dataflow::{ExchangeData, VecCollection};
use matchcut_model::observation::Observation;
use matchcut_model::time::{MediaTime, TimeRange};
use serde::{Deserialize, Serialize};

/// The width of a bucket: near the length of a usual segment.
pub const BUCKET: MediaTime = MediaTime::from_seconds(20);

/// A half-open range of flicks; a point is one flick long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// First flick.
    pub start: i64,
    /// First flick after.
    pub end: i64,
}

impl Interval {
    /// The interval of a range; empty ranges cover nothing.
    pub fn of_range(range: TimeRange) -> Self {
        Interval {
            start: range.start.flicks(),
            end: range.end.flicks(),
        }
    }

    /// The interval of an observation.
    pub fn of_observation(observation: &Observation) -> Self {
        let start = observation.start.flicks();
        Interval {
            start,
            end: observation.end.flicks().max(start.saturating_add(1)),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn buckets(&self, width: i64) -> std::ops::Range<i64> {
        if self.start < self.end {
            self.start.div_euclid(width)..(self.end - 1).div_euclid(width) + 1
        } else {
            0..0
        }
    }
}

/// What `pair` makes of every left and right row whose intervals overlap. The right rows, of which there
/// may be very many, tell theirs when they are asked. A pair that shares several
/// buckets is looked at only in the bucket where the later of the two starts, so that the join stays
/// linear: one change costs what lies in its own buckets, however long the event is.
pub fn overlap_join<'scope, A, B, I>(
    left: VecCollection<'scope, u64, (A, Interval), isize>,
    (right, interval): (VecCollection<'scope, u64, B, isize>, fn(&B) -> Interval),
    width: MediaTime,
    left_name: &str,
    right_name: &str,
    pair: impl Fn(&A, &B) -> I + 'static,
) -> VecCollection<'scope, u64, I::Item, isize>
where
    A: ExchangeData,
    B: ExchangeData,
    I: IntoIterator + 'static,
    I::Item: ExchangeData,
{
    let width = width.flicks().max(1);
    let left = left
        .flat_map(move |(row, interval)| {
            let buckets = interval.buckets(width);
            buckets.map(move |bucket| (bucket, (interval, row.clone())))
        })
        .arrange_by_key_named(left_name);
    let right = right
        .flat_map(move |row| {
            let buckets = interval(&row).buckets(width);
            buckets.map(move |bucket| (bucket, row.clone()))
        })
        .arrange_by_key_named(right_name);
    left.join_core(right, move |bucket, (x, a), b| {
        let y = &interval(b);
        let here = x.overlaps(y) && x.start.max(y.start).div_euclid(width) == *bucket;
        here.then(|| pair(a, b)).into_iter().flatten()
    })
}
