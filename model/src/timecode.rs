//! SMPTE 12M timecode: labels for frame numbers, `HH:MM:SS:FF`, and `HH:MM:SS;FF` with drop-frame.
//! A label counts frames, not seconds; only drop-frame keeps it near the clock at 29.97 and 59.94.

mod embedded;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::{FrameRate, MediaTime};

pub use embedded::{EmbeddedTimecode, TimecodeMark, marks, marks_within};

/// The rates of SMPTE 12M, as fractions.
pub const SMPTE_RATES: [FrameRate; 10] = [
    FrameRate {
        num: 24_000,
        den: 1001,
    },
    FrameRate { num: 24, den: 1 },
    FrameRate { num: 25, den: 1 },
    FrameRate {
        num: 30_000,
        den: 1001,
    },
    FrameRate { num: 30, den: 1 },
    FrameRate {
        num: 48_000,
        den: 1001,
    },
    FrameRate { num: 48, den: 1 },
    FrameRate { num: 50, den: 1 },
    FrameRate {
        num: 60_000,
        den: 1001,
    },
    FrameRate { num: 60, den: 1 },
];

/// Where the timecode of an event comes from. Names as MRE writes them. Of the two that follow what
/// the stream carries, only the label of a frame is meant: event time is always that of the stream.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TimecodeSource {
    /// None is embedded, or it is not to be used: the first frame of the event is 00:00:00:00.
    #[default]
    NotEmbedded,
    /// What the stream carries, as counted from 00:00:00:00; without any, the first frame of the
    /// event is 00:00:00:00.
    ZeroBased,
    /// What the stream carries, which is the time of day in UTC; without any, the first frame of the
    /// event is labelled with the time of day that the playlist gives, if it does.
    UtcBased,
}

/// How frames are counted: labels in a second, and whether labels are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimecodeRate {
    rate: FrameRate,
    nominal: u32,
    drop: bool,
}

impl TimecodeRate {
    /// Counting without drop-frame. A rate within 0.02 % of one of SMPTE 12M is taken for it (some
    /// containers say 2997/100); any other counts to the nearest whole number.
    pub fn non_drop(rate: FrameRate) -> Self {
        let near = |known: &&FrameRate| {
            let ratio = rate.as_f64() / known.as_f64();
            (ratio - 1.0).abs() < 0.0002
        };
        let rate = SMPTE_RATES.iter().find(near).copied().unwrap_or(rate);
        TimecodeRate {
            rate,
            nominal: rate.nominal().max(1),
            drop: false,
        }
    }

    /// Counting with drop-frame, which exists at 29.97 and 59.94 only.
    pub fn drop_frame(rate: FrameRate) -> Option<Self> {
        let plain = Self::non_drop(rate);
        let may_drop = plain.rate.den == 1001 && matches!(plain.nominal, 30 | 60);
        may_drop.then_some(TimecodeRate {
            drop: true,
            ..plain
        })
    }

    /// With drop-frame where that is asked for and exists.
    pub fn new(rate: FrameRate, drop: bool) -> Self {
        Self::drop_frame(rate)
            .filter(|_| drop)
            .unwrap_or(Self::non_drop(rate))
    }

    /// Whether labels are dropped.
    pub fn is_drop_frame(self) -> bool {
        self.drop
    }

    /// The true rate.
    pub fn frame_rate(self) -> FrameRate {
        self.rate
    }

    /// Labels in a second.
    pub fn nominal(self) -> u32 {
        self.nominal
    }

    /// Labels that are left out at the start of each minute but every tenth.
    fn dropped(self) -> i64 {
        if self.drop {
            i64::from(self.nominal) / 15
        } else {
            0
        }
    }

    fn frames_per_minute(self) -> i64 {
        i64::from(self.nominal) * 60 - self.dropped()
    }

    fn frames_per_ten_minutes(self) -> i64 {
        i64::from(self.nominal) * 600 - self.dropped() * 9
    }

    /// Number of labels in 24 hours, after which they start again.
    pub fn frames_per_day(self) -> i64 {
        self.frames_per_ten_minutes() * 144
    }

    /// The label of a time of day in microseconds since the Unix epoch: the start of a
    /// [`TimecodeSource::UtcBased`] event.
    pub fn at_utc(self, micros: i64) -> Timecode {
        const DAY: i64 = 86_400_000_000;
        let of_day = micros.rem_euclid(DAY);
        if self.drop {
            let time = MediaTime::from_ticks(of_day, 1_000_000);
            // The nearest frame, not the last begun: a microsecond is coarser than a flick.
            let half = MediaTime::from_flicks(self.rate.frame_duration().flicks() / 2);
            return Timecode::from_frame(self.rate.frame_at(time + half), self);
        }
        // Without drop-frame the label starts at the clock and leaves it from there on.
        let nominal = i64::from(self.nominal);
        let frame = (of_day * nominal + 500_000) / 1_000_000;
        Timecode::from_frame(frame, self)
    }
}

/// The label of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timecode {
    frame: i64,
    rate: TimecodeRate,
}

/// A text or a set of numbers that is no timecode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimecodeError {
    /// Not of the form.
    #[error("\"{0}\" is not a timecode; write for example \"01:00:00:00\"")]
    Form(String),
    /// Hours, minutes, seconds or frames are too large.
    #[error("\"{text}\" is out of range at {nominal} frames a second")]
    Range {
        /// What was read.
        text: String,
        /// Labels in a second.
        nominal: u32,
    },
    /// A label that drop-frame leaves out.
    #[error("\"{0}\" does not exist in drop-frame: its minute starts later")]
    Dropped(String),
    /// `;` where nothing is dropped.
    #[error("\"{0}\" is drop-frame, which exists at 29.97 and 59.94 only")]
    NotDropFrame(String),
}

impl Timecode {
    /// The label of frame `number`; it starts again after 24 hours, and counts back from midnight
    /// for negative numbers.
    pub fn from_frame(number: i64, rate: TimecodeRate) -> Self {
        Timecode {
            frame: number.rem_euclid(rate.frames_per_day()),
            rate,
        }
    }

    /// From hours, minutes, seconds and frames.
    pub fn from_parts(
        [hours, minutes, seconds, frames]: [u32; 4],
        rate: TimecodeRate,
    ) -> Result<Self, TimecodeError> {
        let separator = if rate.drop { ';' } else { ':' };
        let text = format!("{hours:02}:{minutes:02}:{seconds:02}{separator}{frames:02}");
        if hours > 23 || minutes > 59 || seconds > 59 || frames >= rate.nominal {
            return Err(TimecodeError::Range {
                text,
                nominal: rate.nominal,
            });
        }
        let frames = i64::from(frames);
        if !minutes.is_multiple_of(10) && seconds == 0 && frames < rate.dropped() {
            return Err(TimecodeError::Dropped(text));
        }
        let all_minutes = i64::from(hours) * 60 + i64::from(minutes);
        let labels = (all_minutes * 60 + i64::from(seconds)) * i64::from(rate.nominal) + frames;
        let left_out = rate.dropped() * (all_minutes - all_minutes / 10);
        Ok(Timecode {
            frame: labels - left_out,
            rate,
        })
    }

    /// Reads `HH:MM:SS:FF` or `HH:MM:SS;FF`. At a drop-frame rate both separators are accepted,
    /// since edit lists often write `:` and say it in their header.
    pub fn parse(text: &str, rate: TimecodeRate) -> Result<Self, TimecodeError> {
        let form = || TimecodeError::Form(text.to_owned());
        let semicolon = text.contains([';', '.']);
        if semicolon && !rate.drop {
            return Err(TimecodeError::NotDropFrame(text.to_owned()));
        }
        let mut parts = [0u32; 4];
        let mut fields = text.trim().split([':', ';', '.']);
        for part in &mut parts {
            let field = fields.next().ok_or_else(form)?;
            let usual = matches!(field.len(), 1..=3) && field.bytes().all(|b| b.is_ascii_digit());
            *part = if usual {
                field.parse().map_err(|_| form())?
            } else {
                return Err(form());
            };
        }
        if fields.next().is_some() {
            return Err(form());
        }
        Self::from_parts(parts, rate)
    }

    /// The number of the frame in the day.
    pub fn frame(self) -> i64 {
        self.frame
    }

    /// How it counts.
    pub fn rate(self) -> TimecodeRate {
        self.rate
    }

    /// The label `frames` later (earlier when negative).
    pub fn plus(self, frames: i64) -> Self {
        Self::from_frame(self.frame.saturating_add(frames), self.rate)
    }

    /// Hours, minutes, seconds and frames.
    pub fn parts(self) -> [u32; 4] {
        let TimecodeRate { nominal, .. } = self.rate;
        let per_ten = self.rate.frames_per_ten_minutes();
        let dropped = self.rate.dropped();
        let tens = self.frame / per_ten;
        let rest = self.frame % per_ten;
        // The first minute of ten is full; each later one starts `dropped` labels further on.
        let minutes = (rest - dropped).max(0) / self.rate.frames_per_minute();
        let label = self.frame + dropped * (tens * 9 + minutes);
        let nominal = i64::from(nominal);
        let seconds = label / nominal;
        [
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            label % nominal,
        ]
        .map(|part| part as u32)
    }
}

impl fmt::Display for Timecode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [hours, minutes, seconds, frames] = self.parts();
        let separator = if self.rate.drop { ';' } else { ':' };
        write!(
            f,
            "{hours:02}:{minutes:02}:{seconds:02}{separator}{frames:02}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(num: u32, den: u32, drop: bool) -> TimecodeRate {
        TimecodeRate::new(FrameRate::new(num, den).unwrap(), drop)
    }

    fn text(frame: i64, rate: TimecodeRate) -> String {
        Timecode::from_frame(frame, rate).to_string()
    }

    #[test]
    fn labels_around_dropped_ones() {
        let ntsc = rate(30_000, 1001, true);
        for (frame, label) in [
            (0, "00:00:00;00"),
            (1799, "00:00:59;29"),
            (1800, "00:01:00;02"),
            (3597, "00:01:59;29"),
            (3598, "00:02:00;02"),
            (17_981, "00:09:59;29"),
            (17_982, "00:10:00;00"),
            (107_892, "01:00:00;00"),
            (2_589_407, "23:59:59;29"),
            (2_589_408, "00:00:00;00"),
            (-1, "23:59:59;29"),
        ] {
            assert_eq!(text(frame, ntsc), label, "frame {frame}");
        }
        let double = rate(60_000, 1001, true);
        for (frame, label) in [
            (3599, "00:00:59;59"),
            (3600, "00:01:00;04"),
            (35_963, "00:09:59;59"),
            (35_964, "00:10:00;00"),
            (215_784, "01:00:00;00"),
            (5_178_816, "00:00:00;00"),
        ] {
            assert_eq!(text(frame, double), label, "frame {frame}");
        }
    }

    #[test]
    fn labels_without_drop_frame() {
        for (num, den, frame, label) in [
            (25, 1, 259, "00:00:10:09"),
            (25, 1, 86_400 * 25 - 1, "23:59:59:24"),
            (24_000, 1001, 86_400, "01:00:00:00"),
            (30_000, 1001, 1800, "00:01:00:00"),
            (48_000, 1001, 47, "00:00:00:47"),
            (50, 1, 180_049, "01:00:00:49"),
            (60, 1, 61, "00:00:01:01"),
            (10, 1, 25, "00:00:02:05"),
            (25, 2, 13, "00:00:01:00"),
            (2997, 100, 30, "00:00:01:00"),
            (1, 3, 7, "00:00:07:00"),
            (120, 1, 119, "00:00:00:119"),
        ] {
            assert_eq!(text(frame, rate(num, den, false)), label);
        }
    }

    #[test]
    fn drop_frame_exists_at_two_rates_only() {
        let dropping: Vec<_> = SMPTE_RATES
            .into_iter()
            .filter(|&rate| TimecodeRate::drop_frame(rate).is_some())
            .map(|rate| rate.to_string())
            .collect();
        assert_eq!(dropping, ["30000/1001", "60000/1001"]);
        assert!(rate(2997, 100, true).is_drop_frame());
        assert_eq!(
            rate(2997, 100, true).frame_rate(),
            FrameRate {
                num: 30_000,
                den: 1001
            }
        );
        for (num, den) in [
            (25, 1),
            (30, 1),
            (10, 1),
            (25, 2),
            (2983, 100),
            (120_000, 1001),
        ] {
            let unusual = rate(num, den, true);
            assert!(!unusual.is_drop_frame(), "{num}/{den}");
        }
    }

    #[test]
    fn reads_what_exists_and_nothing_else() {
        let drop = rate(30_000, 1001, true);
        let plain = rate(25, 1, false);
        let parse = |text: &str, rate| Timecode::parse(text, rate).map(Timecode::frame);
        assert_eq!(parse("01:00:00:00", plain), Ok(90_000));
        assert_eq!(parse("00:01:00;02", drop), Ok(1800));
        assert_eq!(parse("00:01:00:02", drop), Ok(1800));
        assert_eq!(parse("00:10:00;00", drop), Ok(17_982));
        for (wrong, rate) in [("00:01:00;00", drop), ("00:59:00;01", drop)] {
            assert_eq!(
                parse(wrong, rate),
                Err(TimecodeError::Dropped(wrong.into()))
            );
        }
        for wrong in ["24:00:00:00", "00:60:00:00", "00:00:60:00", "00:00:00:25"] {
            let range = TimecodeError::Range {
                text: wrong.into(),
                nominal: 25,
            };
            assert_eq!(parse(wrong, plain), Err(range));
        }
        for wrong in [
            "",
            "1:2:3",
            "00:00:00:00:00",
            "00:00:-1:00",
            "a:b:c:d",
            "00:00:00:+1",
        ] {
            assert_eq!(parse(wrong, plain), Err(TimecodeError::Form(wrong.into())));
        }
        let semicolon = "00:00:00;01";
        assert_eq!(
            parse(semicolon, plain),
            Err(TimecodeError::NotDropFrame(semicolon.into()))
        );
    }

    #[test]
    fn starts_at_the_time_of_day() {
        let noon = 1_767_268_800_000_000;
        let at = |micros: i64, rate: TimecodeRate| rate.at_utc(micros).to_string();
        assert_eq!(at(noon, rate(25, 1, false)), "12:00:00:00");
        assert_eq!(at(noon, rate(30_000, 1001, false)), "12:00:00:00");
        // Drop-frame labels run 86.4 ms a day ahead of the clock that they count from midnight.
        assert_eq!(at(noon, rate(30_000, 1001, true)), "12:00:00;01");
        assert_eq!(at(noon + 500_000, rate(50, 1, false)), "12:00:00:25");
        assert_eq!(at(0, rate(25, 1, false)), "00:00:00:00");
        assert_eq!(at(-40_000, rate(25, 1, false)), "23:59:59:24");
    }

    fn any_rate() -> impl Strategy<Value = TimecodeRate> {
        (0..SMPTE_RATES.len(), any::<bool>())
            .prop_map(|(index, drop)| TimecodeRate::new(SMPTE_RATES[index], drop))
    }

    proptest! {
        #[test]
        fn frame_and_label_agree(rate in any_rate(), frame in 0i64..6_000_000) {
            let code = Timecode::from_frame(frame, rate);
            prop_assert_eq!(code.frame(), frame % rate.frames_per_day());
            prop_assert_eq!(Timecode::parse(&code.to_string(), rate), Ok(code));
        }

        #[test]
        fn labels_follow_each_other(rate in any_rate(), frame in -6_000_000i64..6_000_000) {
            let [h, m, s, f] = Timecode::from_frame(frame, rate).parts();
            let next = Timecode::from_frame(frame, rate).plus(1).parts();
            let mut expected = [h, m, s, f + 1];
            if expected[3] == rate.nominal() {
                expected = [h, m, s + 1, 0];
            }
            if expected[2] == 60 {
                expected = [h, m + 1, 0, 0];
            }
            if expected[1] == 60 {
                expected = [(h + 1) % 24, 0, 0, 0];
            }
            if rate.is_drop_frame() && expected[2..] == [0, 0] && expected[1] % 10 != 0 {
                expected[3] = rate.nominal() / 15;
            }
            prop_assert_eq!(next, expected);
        }

        #[test]
        fn drop_frame_stays_within_two_labels_of_the_clock(
            double in any::<bool>(),
            frame in 0i64..5_178_816,
        ) {
            let rate = if double { rate(60_000, 1001, true) } else { rate(30_000, 1001, true) };
            let frame = frame % rate.frames_per_day();
            let [h, m, s, f] = Timecode::from_frame(frame, rate).parts();
            let label = f64::from(h * 3600 + m * 60 + s) + f64::from(f) / f64::from(rate.nominal());
            let clock = rate.frame_rate().time_of(frame).as_seconds_f64();
            // Two labels inside a minute, and 86.4 ms in a day, which drop-frame leaves.
            prop_assert!((label - clock).abs() < 0.0867 + 2.0 / 29.0, "{} {}", label, clock);
        }
    }
}
