//! The join of segments and observations that overlap in time, incremental with retractions: both
//! sides are cut into time buckets and joined by bucket.

use std::collections::{BTreeMap, HashMap};

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, ExchangeData, Hashable, VecCollection};
use matchcut_model::observation::Observation;
use matchcut_model::time::{MediaTime, TimeRange};
use serde::{Deserialize, Serialize};
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::epochs::Epochs;

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

/// A row of either side, by bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Side<A, B> {
    Left(i64, Interval, A),
    Right(i64, B),
}

impl<A, B> Side<A, B> {
    fn bucket(&self) -> i64 {
        match self {
            Side::Left(bucket, ..) | Side::Right(bucket, _) => *bucket,
        }
    }
}

/// What changes in a bucket: both sides consolidated.
struct Changes<A, B> {
    left: Vec<((Interval, A), isize)>,
    right: Vec<(B, isize)>,
}

/// What stands in a bucket, sorted: left rows with their multiplicity, right rows, of which there may be
/// very many, as a set.
struct Bucket<A, B> {
    left: Vec<((Interval, A), isize)>,
    right: Vec<B>,
}

/// Adds sorted differences to sorted rows.
fn add<D: Ord>(rows: &mut Vec<(D, isize)>, diffs: Vec<(D, isize)>) {
    // Most often what comes lies behind what is there, and this is an append.
    rows.extend(diffs);
    rows.sort_by(|(one, _), (other, _)| one.cmp(other));
    rows.dedup_by(|(row, diff), (kept, multiplicity)| {
        let same = row == kept;
        if same {
            *multiplicity += *diff;
        }
        same
    });
    rows.retain(|(_, multiplicity)| *multiplicity != 0);
}

/// The same for rows that are there or not: differences are 1 and -1.
fn add_to_set<D: Ord>(rows: &mut Vec<D>, diffs: Vec<(D, isize)>) {
    let (come, gone): (Vec<_>, Vec<_>) = diffs.into_iter().partition(|(_, diff)| *diff > 0);
    if !gone.is_empty() {
        let goes = |row: &D| gone.binary_search_by(|(gone, _)| gone.cmp(row)).is_ok();
        rows.retain(|row| !goes(row));
    }
    rows.extend(come.into_iter().map(|(row, _)| row));
    rows.sort();
    rows.dedup();
    rows.shrink_to_fit();
}

/// Rows, and how each tells its interval.
type Telling<'scope, B> = (VecCollection<'scope, u64, B, isize>, fn(&B) -> Interval);

/// What `pair` makes of every left and right row whose intervals overlap. The right rows, of which there
/// may be very many, are a set, and tell their interval when they are asked. A pair that shares several
/// buckets is looked at only in the bucket where the later of the two starts, so that the join stays
/// linear: one change costs what lies in its own buckets, however long the event is.
///
/// Differential's own join keeps each side in a trace, with the history of every row: here an epoch is
/// complete before the next begins, and what stands now is all that is asked.
pub fn overlap_join<'scope, A, B, I>(
    left: VecCollection<'scope, u64, (A, Interval), isize>,
    (right, interval): Telling<'scope, B>,
    width: MediaTime,
    name: &str,
    pair: impl Fn(&A, &B) -> I + 'static,
) -> VecCollection<'scope, u64, I::Item, isize>
where
    A: ExchangeData,
    B: ExchangeData,
    I: IntoIterator + 'static,
    I::Item: ExchangeData,
{
    let width = width.flicks().max(1);
    let left = left.flat_map(move |(row, interval)| {
        let buckets = interval.buckets(width);
        buckets.map(move |bucket| Side::Left(bucket, interval, row.clone()))
    });
    let right = right.flat_map(move |row| {
        let buckets = interval(&row).buckets(width);
        buckets.map(move |bucket| Side::Right(bucket, row.clone()))
    });
    let route = Exchange::new(|row: &(Side<A, B>, u64, isize)| row.0.bucket().hashed());
    left.concat(right)
        .inner
        .unary_frontier(route, name, move |_, _| {
            let mut epochs = Epochs::new();
            let mut buckets: HashMap<i64, Bucket<A, B>> = HashMap::new();
            move |(input, frontier), output| {
                input.for_each(|capability, rows| {
                    epochs.receive_differences(capability.retain_least(0), rows)
                });
                while let Some((epoch, capability, rows)) = epochs.next(frontier) {
                    let mut session = output.session(&capability);
                    for (at, changes) in by_bucket(rows) {
                        let here = |x: &Interval, y: &Interval| {
                            x.overlaps(y) && x.start.max(y.start).div_euclid(width) == at
                        };
                        let bucket = buckets.entry(at).or_insert_with(|| Bucket {
                            left: Vec::new(),
                            right: Vec::new(),
                        });
                        // New left rows meet what stands on the right, then new right rows meet all of
                        // the left.
                        for ((x, a), diff) in &changes.left {
                            for b in &bucket.right {
                                if here(x, &interval(b)) {
                                    let rows = pair(a, b).into_iter();
                                    session.give_iterator(rows.map(|row| (row, epoch, *diff)));
                                }
                            }
                        }
                        add(&mut bucket.left, changes.left);
                        for (b, diff) in &changes.right {
                            let y = interval(b);
                            for ((x, a), multiplicity) in &bucket.left {
                                if here(x, &y) {
                                    let diff = diff * multiplicity;
                                    let rows = pair(a, b).into_iter();
                                    session.give_iterator(rows.map(|row| (row, epoch, diff)));
                                }
                            }
                        }
                        add_to_set(&mut bucket.right, changes.right);
                        if bucket.left.is_empty() && bucket.right.is_empty() {
                            buckets.remove(&at);
                        }
                    }
                }
            }
        })
        .as_collection()
}

fn by_bucket<A: Ord, B: Ord>(rows: Vec<(Side<A, B>, isize)>) -> BTreeMap<i64, Changes<A, B>> {
    let mut buckets: BTreeMap<i64, Changes<A, B>> = BTreeMap::new();
    for (row, diff) in rows {
        let empty = || Changes {
            left: Vec::new(),
            right: Vec::new(),
        };
        let bucket = buckets.entry(row.bucket()).or_insert_with(empty);
        match row {
            Side::Left(_, interval, row) => bucket.left.push(((interval, row), diff)),
            Side::Right(_, row) => bucket.right.push((row, diff)),
        }
    }
    for bucket in buckets.values_mut() {
        consolidate(&mut bucket.left);
        consolidate(&mut bucket.right);
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_add_up_to_rows_that_are_there() {
        let mut rows = vec![(1, 1), (3, 1)];
        add(&mut rows, vec![(1, -1), (2, 1), (3, 1), (9, -1)]);
        assert_eq!(rows, [(2, 1), (3, 2), (9, -1)]);
        add(&mut rows, vec![(2, -1), (3, -2), (9, 1)]);
        assert_eq!(rows, []);
    }

    #[test]
    fn a_set_takes_what_comes_and_loses_what_goes() {
        let mut rows = vec![1, 3];
        add_to_set(&mut rows, vec![(1, -1), (2, 1), (9, 1)]);
        assert_eq!(rows, [2, 3, 9]);
        add_to_set(&mut rows, vec![(2, -1), (3, -1), (4, 1), (9, -1)]);
        assert_eq!(rows, [4]);
    }
}
