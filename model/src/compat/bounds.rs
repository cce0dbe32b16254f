//! MRE's buckets of equal distribution: bounds are doubles, starts are decimals, and a start is
//! compared exactly with a bound, so that the rounding of the doubles decides at the borders.

use std::cmp::Ordering;

use crate::replay::bucket_count;
use crate::time::MediaTime;

/// The indexes of `starts` by bucket, for candidates of which the one that starts last ends at
/// `end`. A start in the millisecond between two buckets is in none.
pub fn buckets(end: MediaTime, starts: impl Iterator<Item = MediaTime>) -> Vec<Vec<usize>> {
    let bounds = bounds(end);
    let mut buckets = vec![Vec::new(); bounds.len()];
    for (index, start) in starts.enumerate() {
        let start = start.to_millis();
        for (bucket, &(low, high)) in buckets.iter_mut().zip(&bounds) {
            if compare(start, low).is_ge() && compare(start, high).is_le() {
                bucket.push(index);
            }
        }
    }
    buckets
}

/// First and last instant of each bucket, in seconds.
fn bounds(end: MediaTime) -> Vec<(f64, f64)> {
    let count = bucket_count(end);
    let width = round_to_hundredths(end.rounded_seconds() / count as f64);
    let mut bounds = Vec::with_capacity(count);
    let mut high = 0.0;
    for index in 0..count {
        let low = if index == 0 { 0.0 } else { high + 0.001 };
        high += width;
        bounds.push((low, high));
    }
    bounds
}

/// The nearest double to the decimal with 2 places that is nearest to the exact value of `value`;
/// an exact tie goes to the even place. This is what Python's `round(value, 2)` gives.
fn round_to_hundredths(value: f64) -> f64 {
    format!("{value:.2}").parse().unwrap_or(value)
}

/// Compares `millis` / 1000 with `bound` without rounding either.
fn compare(millis: i64, bound: f64) -> Ordering {
    if !bound.is_finite() || bound <= 0.0 || millis <= 0 {
        // One side is 0 or below, so that the sign decides.
        return (millis as f64 / 1000.0).total_cmp(&bound);
    }
    let bits = bound.to_bits();
    let (exponent, fraction) = ((bits >> 52) as i32, i128::from(bits & ((1 << 52) - 1)));
    let (mantissa, power) = match exponent {
        0 => (fraction, -1074),
        _ => (fraction | (1 << 52), exponent - 1075),
    };
    // bound = mantissa * 2^power, so compare millis with 1000 * mantissa * 2^power.
    let scaled = mantissa * 1000;
    match power {
        1.. if power >= 64 => Ordering::Less,
        0.. => i128::from(millis).cmp(&(scaled << power)),
        -63..0 => (i128::from(millis) << -power).cmp(&scaled),
        _ => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(millis: i64) -> MediaTime {
        MediaTime::from_millis(millis)
    }

    #[test]
    fn a_decimal_is_below_the_double_that_rounds_up() {
        // 50.7 + 0.001 as doubles is a little more than 50.701.
        assert_eq!(compare(50_701, 50.7 + 0.001), Ordering::Less);
        assert_eq!(compare(50_702, 50.7 + 0.001), Ordering::Greater);
        assert_eq!(compare(500, 0.5), Ordering::Equal);
        assert_eq!(compare(0, 0.0), Ordering::Equal);
        assert_eq!(compare(100, 0.1), Ordering::Less);
        assert_eq!(compare(300, 0.3), Ordering::Greater);
        assert_eq!(compare(1, 1e-300), Ordering::Greater);
        assert_eq!(compare(i64::MAX, 1e30), Ordering::Less);
        assert_eq!(compare(-1, 0.0), Ordering::Less);
        assert_eq!(compare(460_000, 460.0), Ordering::Equal);
    }

    #[test]
    fn rounds_as_python_does() {
        for (value, rounded) in [
            (0.125, 0.12),
            (0.375, 0.38),
            (2.675, 2.67),
            (653.333_333, 653.33),
            (1.005, 1.0),
        ] {
            assert_eq!(round_to_hundredths(value), rounded, "{value}");
        }
    }

    #[test]
    fn cracks_between_the_buckets() {
        assert_eq!(
            bounds(seconds(101_400)),
            [(0.0, 50.7), (50.7 + 0.001, 101.4)]
        );
        let starts = [0, 50_700, 50_701, 50_702, 91_400, 101_401].map(seconds);
        assert_eq!(
            buckets(seconds(101_400), starts.into_iter()),
            [vec![0, 1], vec![3, 4]]
        );
        assert_eq!(bounds(seconds(3_920_000)).len(), 6);
    }

    proptest! {
        #[test]
        fn comparing_agrees_with_doubles_where_these_are_exact(millis in -50_000i64..50_000, bound in -50_000i64..50_000) {
            // Eighths of a second are exact as doubles and as decimals.
            let (millis, bound) = (millis * 125, bound * 125);
            prop_assert_eq!(compare(millis, bound as f64 / 1000.0), millis.cmp(&bound));
        }
    }
}
