//! The buckets of equal distribution: the time from 0 to the end of the last candidate, in equal
//! parts, half-open and without cracks.

use serde::{Deserialize, Serialize};

use crate::time::{FLICKS_PER_SECOND, MediaTime};

const HOUR: MediaTime = MediaTime::from_seconds(3600);
const CENTISECOND: i64 = FLICKS_PER_SECOND / 100;

/// How the time of an event is divided.
///
/// ```
/// use matchcut_model::{replay::Buckets, time::MediaTime};
/// let buckets = Buckets::of(MediaTime::from_seconds(920));
/// assert_eq!((buckets.count, buckets.width), (2, MediaTime::from_seconds(460)));
/// assert_eq!(buckets.index(MediaTime::from_seconds(460)), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Buckets {
    /// How many.
    pub count: usize,
    /// How long each is; a whole number of hundredths of a second.
    pub width: MediaTime,
}

/// The number of buckets for a length: 2 up to an hour, then 2 for every started hour and 2 more.
pub(crate) fn count(length: MediaTime) -> usize {
    if length <= HOUR {
        return 2;
    }
    let hours = (length.flicks() - 1) / HOUR.flicks() + 1;
    usize::try_from(hours).unwrap_or(usize::MAX / 4) * 2 + 2
}

impl Buckets {
    /// For candidates of which the one that starts last ends at `end`. The width is rounded to
    /// hundredths of a second, half to even, as MRE rounds it.
    pub fn of(end: MediaTime) -> Self {
        let end = end.max(MediaTime::ZERO);
        let count = count(end);
        let unit = i128::from(CENTISECOND) * count as i128;
        let (whole, rest) = (
            i128::from(end.flicks()) / unit,
            i128::from(end.flicks()) % unit,
        );
        let up = 2 * rest > unit || (2 * rest == unit && whole % 2 == 1);
        let centiseconds = (whole + i128::from(up)).max(1);
        let width = i64::try_from(centiseconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(CENTISECOND);
        Buckets {
            count,
            width: MediaTime::from_flicks(width),
        }
    }

    /// The bucket of a candidate that starts (effectively) at `start`.
    pub fn index(&self, start: MediaTime) -> usize {
        let index = start.flicks().max(0) / self.width.flicks().max(1);
        usize::try_from(index)
            .unwrap_or(usize::MAX)
            .min(self.count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_and_widths() {
        let of = |seconds| Buckets::of(MediaTime::from_seconds(seconds));
        for (seconds, count) in [
            (0, 2),
            (3000, 2),
            (3600, 2),
            (3601, 6),
            (3660, 6),
            (7800, 8),
            (10_800, 8),
            (10_801, 10),
        ] {
            assert_eq!(of(seconds).count, count, "{seconds} s");
        }
        assert_eq!(of(920).width, MediaTime::from_seconds(460));
        assert_eq!(of(3920).width, MediaTime::from_millis(653_330));
        // 0.05 / 2 lies in the middle and goes to the even hundredth.
        assert_eq!(
            Buckets::of(MediaTime::from_millis(50)).width,
            MediaTime::from_millis(20)
        );
        assert_eq!(
            Buckets::of(MediaTime::from_millis(70)).width,
            MediaTime::from_millis(40)
        );
        assert!(of(0).width > MediaTime::ZERO);
    }

    proptest! {
        #[test]
        fn every_start_has_one_bucket_in_order(end in 0i64..20_000_000, a in 0i64..20_000_000, b in 0i64..20_000_000) {
            let buckets = Buckets::of(MediaTime::from_millis(end));
            let (a, b) = (a.min(b), a.max(b));
            let (first, second) =
                (buckets.index(MediaTime::from_millis(a)), buckets.index(MediaTime::from_millis(b)));
            prop_assert!(first <= second && second < buckets.count);
        }
    }
}
