//! Timecode that a stream carries inside its pictures, as it was written, and the few places of it
//! that have to be kept: from one of them to the next every frame has the label after the one before.

use serde::{Deserialize, Serialize};

use super::{Timecode, TimecodeRate};
use crate::time::FrameRate;

/// A label as the stream wrote it. It may be one that does not exist at the rate of the stream; see
/// [`EmbeddedTimecode::at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EmbeddedTimecode {
    /// 0 to 23.
    pub hours: u8,
    /// 0 to 59.
    pub minutes: u8,
    /// 0 to 59.
    pub seconds: u8,
    /// Number of the frame in the second.
    pub frames: u16,
    /// It is counted with drop-frame.
    pub drop_frame: bool,
}

impl EmbeddedTimecode {
    /// The label at a rate; `None` when it does not exist there. The drop-frame flag counts at
    /// 29.97 and 59.94 frames a second and means nothing at others.
    pub fn at(self, rate: FrameRate) -> Option<Timecode> {
        let rate = TimecodeRate::new(rate, self.drop_frame);
        let parts = [self.hours, self.minutes, self.seconds].map(u32::from);
        let [hours, minutes, seconds] = parts;
        Timecode::from_parts([hours, minutes, seconds, u32::from(self.frames)], rate).ok()
    }

    /// The label so many frames later, after midnight from zero again.
    pub fn plus(self, frames: i64, rate: FrameRate) -> Option<EmbeddedTimecode> {
        Some(EmbeddedTimecode::from(self.at(rate)?.plus(frames)))
    }
}

impl From<Timecode> for EmbeddedTimecode {
    fn from(timecode: Timecode) -> Self {
        // Hours to seconds are below 60, frames below the rate.
        let [hours, minutes, seconds, frames] = timecode.parts();
        EmbeddedTimecode {
            hours: hours as u8,
            minutes: minutes as u8,
            seconds: seconds as u8,
            frames: frames as u16,
            drop_frame: timecode.rate().is_drop_frame(),
        }
    }
}

/// The label of one frame of a chunk. It holds for the frames after it too, each one label further,
/// up to the next mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TimecodeMark {
    /// Number of the frame in its chunk, in order of presentation, from 0.
    pub frame: u32,
    /// Its label.
    pub timecode: EmbeddedTimecode,
}

/// What has to be kept of the labels of consecutive frames (in order of presentation; `None` where a
/// frame carries none): the first, and every one that does not follow from what is kept before it.
/// Labels that do not exist at `rate` are left out. Where the rate is not known, nothing follows.
///
/// Above 30 frames a second many encoders count pairs of frames, as SMPTE 12M did before it had such
/// rates: each label comes twice. Those are turned into labels of frames.
pub fn marks(labels: &[Option<EmbeddedTimecode>], rate: Option<FrameRate>) -> Vec<TimecodeMark> {
    let unpaired;
    let labels = match rate.and_then(|rate| pairs_to_frames(labels, rate)) {
        Some(frames) => {
            unpaired = frames;
            &unpaired
        }
        None => labels,
    };
    let mut out: Vec<TimecodeMark> = Vec::new();
    let mut kept: Option<(usize, Timecode)> = None;
    for (frame, label) in labels.iter().enumerate() {
        let (Some(timecode), Ok(number)) = (*label, u32::try_from(frame)) else {
            continue;
        };
        if let Some(rate) = rate {
            let Some(label) = timecode.at(rate) else {
                continue;
            };
            let follows = kept.is_some_and(|(from, first)| {
                i64::try_from(frame - from).is_ok_and(|frames| first.plus(frames) == label)
            });
            if follows {
                continue;
            }
            kept = Some((frame, label));
        }
        out.push(TimecodeMark {
            frame: number,
            timecode,
        });
    }
    out
}

/// Labels of frames, if these count pairs of them.
fn pairs_to_frames(
    labels: &[Option<EmbeddedTimecode>],
    rate: FrameRate,
) -> Option<Vec<Option<EmbeddedTimecode>>> {
    let nominal = TimecodeRate::non_drop(rate).nominal();
    let half = u16::try_from(nominal.div_ceil(2)).ok()?;
    let same = |one: usize, other: usize| {
        let label = labels.get(one).copied().flatten();
        label.is_some() && label == labels.get(other).copied().flatten()
    };
    let twice = (1..labels.len()).any(|frame| same(frame - 1, frame));
    let fits = labels.iter().flatten().all(|label| label.frames < half);
    if nominal <= 30 || !twice || !fits {
        return None;
    }
    let mut second = false;
    let frames = labels.iter().enumerate().map(|(frame, label)| {
        // The first frame of all may be the second of its pair.
        second = match frame.checked_sub(1) {
            Some(before) => !second && same(before, frame),
            None => labels.len() > 1 && !same(0, 1),
        };
        label.map(|label| EmbeddedTimecode {
            frames: label.frames * 2 + u16::from(second),
            ..label
        })
    });
    Some(frames.collect())
}

/// The marks of the frames `from .. to` of a chunk, counted from `from`.
pub fn marks_within(
    marks: &[TimecodeMark],
    from: u32,
    to: u32,
    rate: Option<FrameRate>,
) -> Vec<TimecodeMark> {
    let before = marks.iter().rev().find(|mark| mark.frame < from);
    let carried = before.zip(rate).and_then(|(mark, rate)| {
        let timecode = mark.timecode.plus(i64::from(from - mark.frame), rate)?;
        Some(TimecodeMark { frame: 0, timecode })
    });
    let inside: Vec<TimecodeMark> = marks
        .iter()
        .filter(|mark| (from..to).contains(&mark.frame))
        .map(|mark| TimecodeMark {
            frame: mark.frame - from,
            ..*mark
        })
        .collect();
    let needed = carried.filter(|_| inside.first().is_none_or(|first| first.frame > 0));
    needed.into_iter().chain(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(num: u32, den: u32) -> FrameRate {
        FrameRate::new(num, den).unwrap()
    }

    fn label(text: &str) -> Option<EmbeddedTimecode> {
        let parts: Vec<u8> = text
            .split([':', ';'])
            .map(|part| part.parse().unwrap())
            .collect();
        Some(EmbeddedTimecode {
            hours: parts[0],
            minutes: parts[1],
            seconds: parts[2],
            frames: u16::from(parts[3]),
            drop_frame: text.contains(';'),
        })
    }

    fn kept(labels: &[&str], rate: Option<FrameRate>) -> Vec<u32> {
        let labels: Vec<_> = labels
            .iter()
            .map(|text| label(text).filter(|_| !text.is_empty()))
            .collect();
        marks(&labels, rate).iter().map(|mark| mark.frame).collect()
    }

    #[test]
    fn only_the_first_and_jumps_are_kept() {
        let pal = Some(rate(25, 1));
        let run = ["09:59:59:23", "09:59:59:24", "10:00:00:00", "10:00:00:01"];
        assert_eq!(kept(&run, pal), [0]);
        let midnight = ["23:59:59:24", "00:00:00:00", "00:00:00:01"];
        assert_eq!(kept(&midnight, pal), [0]);
        let jump = ["10:00:00:00", "10:00:00:01", "12:00:00:00", "12:00:00:01"];
        assert_eq!(kept(&jump, pal), [0, 2]);
        // Over an hour, or a frame that is missing, nothing is guessed.
        let held = ["10:00:00:00", "10:00:00:00", "10:00:00:01"];
        assert_eq!(kept(&held, pal), [0, 1]);
        // A label that does not exist at 25 frames a second.
        let wrong = ["10:00:00:25", "10:00:01:00", "10:00:01:01"];
        assert_eq!(kept(&wrong, pal), [1]);
        assert_eq!(kept(&jump[..2], None), [0, 1], "without a rate");
    }

    #[test]
    fn drop_frame_is_followed_where_it_exists() {
        let drop = ["00:00:59;28", "00:00:59;29", "00:01:00;02", "00:01:00;03"];
        assert_eq!(kept(&drop, Some(rate(30_000, 1001))), [0]);
        let plain = ["00:00:59:28", "00:00:59:29", "00:01:00:00", "00:01:00:01"];
        assert_eq!(kept(&plain, Some(rate(30_000, 1001))), [0]);
        // At 30 there is none, whatever the flag says.
        let flagged = ["00:00:59;29", "00:01:00;00"];
        assert_eq!(kept(&flagged, Some(rate(30, 1))), [0]);
    }

    #[test]
    fn pairs_of_frames_become_frames() {
        let paired = [
            "10:00:00:23",
            "10:00:00:24",
            "10:00:00:24",
            "10:00:01:00",
            "10:00:01:00",
        ];
        let labels: Vec<_> = paired.iter().map(|text| label(text)).collect();
        let marks = marks(&labels, Some(rate(50, 1)));
        assert_eq!(marks.len(), 1);
        assert_eq!(
            marks[0].timecode.frames, 47,
            "the first is the second of its pair"
        );
        let drop = ["00:00:59;29", "00:00:59;29", "00:01:00;02", "00:01:00;02"];
        assert_eq!(kept(&drop, Some(rate(60_000, 1001))), [0]);
    }

    #[test]
    fn a_part_of_a_chunk_knows_its_labels() {
        let pal = Some(rate(25, 1));
        let labels: Vec<_> = (0..100)
            .map(|frame| {
                let start = if frame < 60 { 1_000 } else { 9_000 };
                let timecode =
                    Timecode::from_frame(start + frame, TimecodeRate::new(rate(25, 1), false));
                (frame > 3).then(|| EmbeddedTimecode::from(timecode))
            })
            .collect();
        let whole = marks(&labels, pal);
        for (from, to) in [(0, 100), (0, 4), (2, 50), (50, 70), (60, 61), (61, 100)] {
            let part = marks_within(&whole, from, to, pal);
            let expected = marks(&labels[from as usize..to as usize], pal);
            assert_eq!(part, expected, "{from}..{to}");
        }
    }

    proptest! {
        #[test]
        fn labels_are_found_again(
            start in 0i64..3_000_000,
            jumps in prop::collection::vec((1usize..40, 0i64..2_000_000), 0..4),
            drop in any::<bool>(),
        ) {
            let rate = rate(30_000, 1001);
            let counting = TimecodeRate::new(rate, drop);
            let mut labels = Vec::new();
            let mut at = start;
            for (frames, jump) in jumps.iter().chain(&[(20, 0)]) {
                for _ in 0..*frames {
                    labels.push(Some(EmbeddedTimecode::from(Timecode::from_frame(at, counting))));
                    at += 1;
                }
                at += jump;
            }
            let marks = marks(&labels, Some(rate));
            prop_assert!(marks.len() <= jumps.len() + 1);
            for (frame, label) in labels.iter().enumerate() {
                let mark = marks.iter().rev().find(|mark| mark.frame as usize <= frame).unwrap();
                let ahead = frame as i64 - i64::from(mark.frame);
                prop_assert_eq!(mark.timecode.plus(ahead, rate), *label);
            }
        }
    }
}
