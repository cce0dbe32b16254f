//! Scores of segments: exact decimal numbers, so that sums do not depend on their order and equal
//! scores are equal. A score holds 6 decimals, more than any weight or significance needs.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Neg, Sub};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::MediaTime;

const UNIT: i64 = 1_000_000;

/// A weight, a significance, or a sum of such: a fixed-point number with 6 decimals.
///
/// ```
/// use matchcut_model::replay::Score;
/// let score = Score::from(90) + Score::from_f64(0.5).unwrap();
/// assert_eq!(score.to_string(), "90.5");
/// assert_eq!(Score::from(90).to_string(), "90");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(i64);

impl Score {
    /// No points.
    pub const ZERO: Score = Score(0);

    /// From millionths.
    pub const fn from_micros(micros: i64) -> Self {
        Score(micros)
    }

    /// In millionths.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// From a number as text formats carry it, rounded to 6 decimals. `None` when it is not
    /// finite or does not fit.
    pub fn from_f64(value: f64) -> Option<Self> {
        let micros = (value * UNIT as f64).round();
        (micros.is_finite() && micros.abs() < 9.2e18).then_some(Score(micros as i64))
    }

    /// The same of what one feature may be worth: at most 1e9 either way, so that sums fit.
    pub fn within_bounds(value: f64) -> Option<Self> {
        Score::from_f64(value).filter(|_| value.abs() <= 1e9)
    }

    /// For printing and plotting.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// The whole points, without the fraction.
    pub const fn whole(self) -> i64 {
        self.0 / UNIT
    }

    /// Whether there is no fraction.
    pub const fn is_whole(self) -> bool {
        self.0 % UNIT == 0
    }

    /// The score of a segment that somebody likes and the replay includes for that: more than
    /// weights can reach, and the later of two liked segments first. The start counts in whole
    /// milliseconds, as the text formats show it.
    pub fn liked(start: MediaTime) -> Self {
        Score(999_999_999_i64 * UNIT) + Score(start.to_millis().saturating_mul(UNIT / 1000))
    }
}

impl From<i32> for Score {
    fn from(points: i32) -> Self {
        Score(i64::from(points) * UNIT)
    }
}

impl Add for Score {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Score(self.0.saturating_add(other.0))
    }
}

impl Sub for Score {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Score(self.0.saturating_sub(other.0))
    }
}

impl Neg for Score {
    type Output = Self;
    fn neg(self) -> Self {
        Score(self.0.saturating_neg())
    }
}

impl Sum for Score {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Score::ZERO, Add::add)
    }
}

/// A whole number where nothing is lost, else with the decimals that it has.
impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let (whole, fraction) = (micros / UNIT.unsigned_abs(), micros % UNIT.unsigned_abs());
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:06}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// A plain number in text formats, millionths in binary ones.
impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            serializer.serialize_i64(self.0)
        } else if self.is_whole() {
            serializer.serialize_i64(self.whole())
        } else {
            serializer.serialize_f64(self.as_f64())
        }
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return i64::deserialize(deserializer).map(Score);
        }
        let value = f64::deserialize(deserializer)?;
        Score::from_f64(value)
            .ok_or_else(|| serde::de::Error::custom(format!("{value} is not a score")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_whole_numbers_as_integers() {
        assert_eq!(Score::from(130).to_string(), "130");
        assert_eq!(Score::from_micros(-1_500_000).to_string(), "-1.5");
        assert_eq!(Score::from_micros(-500_000).to_string(), "-0.5");
        assert_eq!(Score::from_micros(1).to_string(), "0.000001");
        assert_eq!(serde_json::to_string(&Score::from(7)).unwrap(), "7");
        assert_eq!(
            serde_json::to_string(&Score::from_micros(7_250_000)).unwrap(),
            "7.25"
        );
        assert_eq!(
            serde_json::from_str::<Score>("7.25").unwrap(),
            Score::from_micros(7_250_000)
        );
        assert_eq!(serde_json::from_str::<Score>("7").unwrap(), Score::from(7));
    }

    #[test]
    fn the_score_of_a_liked_segment_grows_with_its_start() {
        let score = Score::liked(MediaTime::from_millis(519_451));
        assert_eq!(score.to_string(), "1000000518.451");
        assert_eq!(score.whole(), 1_000_000_518);
        assert_eq!(serde_json::to_string(&score).unwrap(), "1000000518.451");
        assert!(
            Score::liked(MediaTime::from_seconds(60)) > Score::liked(MediaTime::from_seconds(30))
        );
    }

    #[test]
    fn sums_do_not_depend_on_their_order() {
        let parts: Vec<Score> = [0.1, 0.2, 0.3, 1e9]
            .iter()
            .filter_map(|&value| Score::from_f64(value))
            .collect();
        let forward: Score = parts.iter().copied().sum();
        let backward: Score = parts.iter().rev().copied().sum();
        assert_eq!(forward, backward);
        assert_eq!(forward.to_string(), "1000000000.6");
        assert_eq!(Score::from_f64(f64::NAN), None);
        assert_eq!(Score::from_f64(1e300), None);
    }
}
