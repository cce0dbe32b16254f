//! Exact time on the event timeline: an integer count of flicks, and half-open ranges of it.
//! Floats appear only where text is printed or read; see `docs/design/time.md`.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Flicks in one second. Every usual frame duration (also 1001/30000 s), 90 kHz tick and audio
/// sample is a whole number of flicks.
pub const FLICKS_PER_SECOND: i64 = 705_600_000;

/// Flicks in one millisecond.
pub const FLICKS_PER_MILLISECOND: i64 = FLICKS_PER_SECOND / 1000;

/// A point on a timeline or a length of it, in flicks (1/705 600 000 s).
///
/// ```
/// use matchcut_model::time::MediaTime;
/// let frame = MediaTime::from_ticks(1001, 30_000);
/// assert_eq!(frame.flicks(), 23_543_520);
/// assert_eq!(MediaTime::from_millis(12_040).to_string(), "12.040");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct MediaTime(i64);

impl MediaTime {
    /// The origin of a timeline, and the empty length.
    pub const ZERO: MediaTime = MediaTime(0);
    /// Later than every time of an event.
    pub const MAX: MediaTime = MediaTime(i64::MAX);

    /// The farthest from 0 that texts can say, about 400 years: whatever is nearer still fits when
    /// it is rounded.
    pub const FARTHEST: MediaTime = MediaTime::from_seconds(13_000_000_000);

    /// From a count of flicks.
    pub const fn from_flicks(flicks: i64) -> Self {
        MediaTime(flicks)
    }

    /// The count of flicks.
    pub const fn flicks(self) -> i64 {
        self.0
    }

    /// From whole milliseconds (exact).
    pub const fn from_millis(millis: i64) -> Self {
        MediaTime(millis.saturating_mul(FLICKS_PER_MILLISECOND))
    }

    /// From whole seconds (exact).
    pub const fn from_seconds(seconds: i64) -> Self {
        MediaTime(seconds.saturating_mul(FLICKS_PER_SECOND))
    }

    /// From `ticks` of 1/`timescale` s, rounded to the nearest flick (exact for every usual
    /// time base).
    pub fn from_ticks(ticks: i64, timescale: u32) -> Self {
        let scaled = i128::from(ticks) * i128::from(FLICKS_PER_SECOND);
        MediaTime(saturate(div_round(scaled, i128::from(timescale.max(1)))))
    }

    /// In ticks of 1/`timescale` s, rounded to the nearest tick.
    pub fn to_ticks(self, timescale: u32) -> i64 {
        let scaled = i128::from(self.0) * i128::from(timescale);
        saturate(div_round(scaled, i128::from(FLICKS_PER_SECOND)))
    }

    /// From a number of seconds as text formats carry it, rounded to the nearest flick; exact for
    /// values with millisecond precision. `None` when it is not finite or farther from 0 than
    /// [`MediaTime::FARTHEST`].
    pub fn from_seconds_f64(seconds: f64) -> Option<Self> {
        let flicks = (seconds * FLICKS_PER_SECOND as f64).round();
        (flicks.abs() <= Self::FARTHEST.0 as f64).then_some(MediaTime(flicks as i64))
    }

    /// Seconds for printing and plotting only.
    pub fn as_seconds_f64(self) -> f64 {
        self.0 as f64 / FLICKS_PER_SECOND as f64
    }

    /// Whole milliseconds, rounded to the nearest (half away from zero).
    pub fn to_millis(self) -> i64 {
        saturate(div_round(
            i128::from(self.0),
            i128::from(FLICKS_PER_MILLISECOND),
        ))
    }

    /// Seconds rounded to 3 decimals, as the text formats show them (12.04, not 12.0399…).
    pub fn rounded_seconds(self) -> f64 {
        self.to_millis() as f64 / 1000.0
    }

    /// The absolute value.
    pub fn abs(self) -> Self {
        MediaTime(self.0.saturating_abs())
    }

    /// Whether this is before the origin.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// `self * times`, saturating.
    pub const fn times(self, times: i64) -> Self {
        MediaTime(self.0.saturating_mul(times))
    }
}

fn div_round(numerator: i128, denominator: i128) -> i128 {
    let half = denominator / 2;
    if numerator >= 0 {
        (numerator + half) / denominator
    } else {
        -((-numerator + half) / denominator)
    }
}

fn saturate(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

impl Add for MediaTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        MediaTime(self.0.saturating_add(other.0))
    }
}

impl Sub for MediaTime {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        MediaTime(self.0.saturating_sub(other.0))
    }
}

impl Neg for MediaTime {
    type Output = Self;
    fn neg(self) -> Self {
        MediaTime(self.0.saturating_neg())
    }
}

impl AddAssign for MediaTime {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for MediaTime {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for MediaTime {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(MediaTime::ZERO, Add::add)
    }
}

/// Seconds with 3 decimals.
impl fmt::Display for MediaTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.to_millis();
        let sign = if millis < 0 { "-" } else { "" };
        let millis = millis.unsigned_abs();
        write!(f, "{sign}{}.{:03}", millis / 1000, millis % 1000)
    }
}

/// A length that a text did not express.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a duration; write for example \"500ms\", \"5s\", \"1m30s\" or \"2h\"")]
pub struct ParseDurationError(pub String);

/// Reads `500ms`, `5s`, `1.5s`, `1m30s`, `2h` or a bare number of seconds.
impl FromStr for MediaTime {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || ParseDurationError(text.to_owned());
        let mut rest = text.trim();
        let mut total = MediaTime::ZERO;
        let mut any = false;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                .unwrap_or(rest.len());
            let number: f64 = rest[..digits].parse().map_err(|_| fail())?;
            rest = &rest[digits..];
            let letters = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            let seconds = match &rest[..letters] {
                "ms" => number / 1000.0,
                "s" => number,
                "" if !any => number,
                "m" | "min" => number * 60.0,
                "h" => number * 3600.0,
                _ => return Err(fail()),
            };
            total += MediaTime::from_seconds_f64(seconds).ok_or_else(fail)?;
            any = true;
            rest = rest[letters..].trim_start();
        }
        if any { Ok(total) } else { Err(fail()) }
    }
}

/// A half-open range `[start, end)` on a timeline.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct TimeRange {
    /// The first instant inside.
    pub start: MediaTime,
    /// The first instant after.
    pub end: MediaTime,
}

impl TimeRange {
    /// `[start, end)`; an end before the start gives an empty range at `start`.
    pub fn new(start: MediaTime, end: MediaTime) -> Self {
        TimeRange {
            start,
            end: end.max(start),
        }
    }

    /// Its length.
    pub fn duration(&self) -> MediaTime {
        self.end - self.start
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Whether `at` is inside.
    pub fn contains(&self, at: MediaTime) -> bool {
        self.start <= at && at < self.end
    }

    /// Whether both have an instant in common.
    pub fn overlaps(&self, other: &TimeRange) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// What both have in common.
    pub fn intersection(&self, other: &TimeRange) -> Option<TimeRange> {
        let start = self.start.max(other.start);
        let end = self.end.min(other.end);
        (start < end).then_some(TimeRange { start, end })
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// A time as the stream wrote it: kept beside the event time, and compared in cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp {
    /// Ticks of 1/`timescale` s, unwrapped.
    pub ticks: i64,
    /// Ticks in a second, 90 000 in a transport stream.
    pub timescale: u32,
}

impl Timestamp {
    /// The same time in flicks.
    pub fn time(self) -> MediaTime {
        MediaTime::from_ticks(self.ticks, self.timescale)
    }
}

/// Frames in a second as a fraction, 30000/1001 for 29.97.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FrameRate {
    /// Numerator.
    pub num: u32,
    /// Denominator, not 0.
    pub den: u32,
}

impl FrameRate {
    /// `num/den` frames a second, reduced; `None` when either is 0.
    pub fn new(num: u32, den: u32) -> Option<Self> {
        if num == 0 || den == 0 {
            return None;
        }
        let gcd = gcd(num, den);
        Some(FrameRate {
            num: num / gcd,
            den: den / gcd,
        })
    }

    /// The time of frame `number`, rounded to the nearest flick (exact at every usual rate).
    pub fn time_of(self, number: i64) -> MediaTime {
        let scaled = i128::from(number) * i128::from(self.den) * i128::from(FLICKS_PER_SECOND);
        MediaTime(saturate(div_round(scaled, i128::from(self.num))))
    }

    /// The number of the frame that is shown at `time`: the largest whose time is not after it.
    pub fn frame_at(self, time: MediaTime) -> i64 {
        let scaled = i128::from(time.flicks()) * i128::from(self.num);
        let unit = i128::from(self.den) * i128::from(FLICKS_PER_SECOND);
        let mut frame = saturate(scaled.div_euclid(unit));
        if self.time_of(frame + 1) <= time {
            frame += 1;
        }
        frame
    }

    /// The duration of one frame.
    pub fn frame_duration(self) -> MediaTime {
        self.time_of(1)
    }

    /// The whole number that timecode counts to: 30 for 29.97.
    pub fn nominal(self) -> u32 {
        (self.num + self.den / 2) / self.den
    }

    /// For printing.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == 1 {
            write!(f, "{}", self.num)
        } else {
            write!(f, "{}/{}", self.num, self.den)
        }
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Serde for seconds with 3 decimals, as every text format shows them: `#[serde(with = "seconds")]`.
pub mod seconds {
    use super::*;

    /// Writes rounded seconds.
    pub fn serialize<S: Serializer>(time: &MediaTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(time.rounded_seconds())
    }

    /// Reads seconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MediaTime, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        MediaTime::from_seconds_f64(seconds)
            .ok_or_else(|| serde::de::Error::custom(format!("{seconds} is not a time in seconds")))
    }
}
