//! Supplemental enhancement information of H.264 and HEVC: the messages of a unit, and the clock
//! timestamps (SMPTE timecode) that two of them carry.

use matchcut_model::timecode::EmbeddedTimecode;

use super::bits::BitReader;
use super::h264::PictureTiming;
use super::nal::rbsp;

/// Message type of a picture timing (H.264).
const PIC_TIMING: u32 = 1;
/// Message type of a recovery point (H.264).
pub(super) const RECOVERY_POINT: u32 = 6;
/// Message type of a time code (HEVC).
const TIME_CODE: u32 = 136;

/// Counting that leaves out the two lowest labels of most minutes: drop-frame.
const DROPS_TWO_A_MINUTE: u32 = 4;

/// The messages of an SEI payload: type and content. A last one that is cut off keeps what is there.
pub(super) fn messages(payload: &[u8]) -> Vec<(u32, &[u8])> {
    let mut out = Vec::new();
    let mut at = 0;
    // The last byte holds the trailing bits.
    while at + 2 < payload.len() {
        let mut fields = [0u32; 2];
        for field in &mut fields {
            while payload.get(at) == Some(&0xff) {
                *field = field.saturating_add(255);
                at += 1;
            }
            *field = field.saturating_add(u32::from(payload.get(at).copied().unwrap_or(0)));
            at += 1;
        }
        let end = at.saturating_add(fields[1] as usize);
        let from = at.min(payload.len());
        out.push((fields[0], &payload[from..end.clamp(from, payload.len())]));
        at = end;
    }
    out
}

/// A clock timestamp as written. What is left out is that of the timestamp before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClockTimestamp {
    frames: u16,
    seconds: Option<u8>,
    minutes: Option<u8>,
    hours: Option<u8>,
    drop_frame: bool,
}

impl ClockTimestamp {
    /// The timecode, if it is complete or `before` it stood one.
    pub(crate) fn complete(self, before: Option<EmbeddedTimecode>) -> Option<EmbeddedTimecode> {
        Some(EmbeddedTimecode {
            hours: self.hours.or(before.map(|before| before.hours))?,
            minutes: self.minutes.or(before.map(|before| before.minutes))?,
            seconds: self.seconds.or(before.map(|before| before.seconds))?,
            frames: self.frames,
            drop_frame: self.drop_frame,
        })
    }
}

/// Reads a timestamp whose number of the frame has `frame_bits` bits.
fn clock_timestamp(r: &mut BitReader<'_>, frame_bits: u32) -> Option<ClockTimestamp> {
    let counting = r.bits(5)?;
    let full = r.bit()?;
    r.bit()?;
    let dropped = r.bit()?;
    let frames = u16::try_from(r.bits(frame_bits)?).ok()?;
    let six = |r: &mut BitReader<'_>| Some(r.bits(6)? as u8);
    let (mut seconds, mut minutes, mut hours) = (None, None, None);
    if full {
        (seconds, minutes) = (Some(six(r)?), Some(six(r)?));
        hours = Some(r.bits(5)? as u8);
    } else if r.bit()? {
        seconds = Some(six(r)?);
        if r.bit()? {
            minutes = Some(six(r)?);
            if r.bit()? {
                hours = Some(r.bits(5)? as u8);
            }
        }
    }
    // Some encoders raise the flag only where a label is left out, others at every picture and
    // leave the way of counting at another value that drops.
    let drop_frame = counting == DROPS_TWO_A_MINUTE || dropped && (2..=6).contains(&counting);
    Some(ClockTimestamp {
        frames,
        seconds,
        minutes,
        hours,
        drop_frame,
    })
}

/// The first clock timestamp of the picture timing in an H.264 SEI unit.
pub(crate) fn h264_timestamp(unit: &[u8], timing: &PictureTiming) -> Option<ClockTimestamp> {
    if !timing.has_structure {
        return None;
    }
    let payload = rbsp(unit.get(1..)?, 4096);
    let messages = messages(&payload);
    let (_, message) = messages.iter().find(|(kind, _)| *kind == PIC_TIMING)?;
    let mut r = BitReader::new(message);
    r.skip(timing.delay_bits)?;
    let count = match r.bits(4)? {
        0..=2 => 1,
        3 | 4 | 7 => 2,
        5 | 6 | 8 => 3,
        _ => return None,
    };
    for _ in 0..count {
        if r.bit()? {
            r.skip(3)?;
            return clock_timestamp(&mut r, 8);
        }
    }
    None
}

/// The first clock timestamp of the time code in an HEVC SEI unit.
pub(crate) fn hevc_timestamp(unit: &[u8]) -> Option<ClockTimestamp> {
    let payload = rbsp(unit.get(2..)?, 4096);
    let messages = messages(&payload);
    let (_, message) = messages.iter().find(|(kind, _)| *kind == TIME_CODE)?;
    let mut r = BitReader::new(message);
    for _ in 0..r.bits(2)? {
        if r.bit()? {
            r.bit()?;
            return clock_timestamp(&mut r, 9);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits written out, spaces ignored, padded with the trailing bits of an SEI.
    fn bits(text: &str) -> Vec<u8> {
        let bits: Vec<u8> = text
            .bytes()
            .filter(|b| *b != b' ')
            .map(|b| b - b'0')
            .collect();
        bits.chunks(8)
            .map(|byte| {
                let short = 8 - byte.len();
                byte.iter().fold(0, |value, bit| value << 1 | bit) << short
            })
            .collect()
    }

    fn unit(head: &[u8], kind: u8, message: &[u8]) -> Vec<u8> {
        let mut unit = head.to_vec();
        unit.extend([kind, message.len() as u8]);
        unit.extend(message);
        unit.push(0x80);
        unit
    }

    #[test]
    fn messages_are_taken_apart() {
        let mut payload = vec![5, 3, 1, 2, 3, 0xff, 1, 2, 9, 9, 6, 1, 7, 0x80];
        let found: Vec<_> = messages(&payload);
        assert_eq!(found, [(5, &[1, 2, 3][..]), (256, &[9, 9]), (6, &[7])]);
        payload.truncate(9);
        assert_eq!(messages(&payload)[1], (256, &[9][..]), "cut off");
        assert!(messages(&[]).is_empty());
    }

    #[test]
    fn picture_timing_of_h264() {
        let timing = PictureTiming {
            delay_bits: 48,
            has_structure: true,
        };
        // Two fields; the first without a timestamp.
        let message = bits(&format!(
            "{} 0011 0 1 01 0 00100 1 0 1 00010001 001011 000001 10111 {}",
            "0".repeat(48),
            "0".repeat(24)
        ));
        let found = h264_timestamp(&unit(&[6], 1, &message), &timing).unwrap();
        let expected = EmbeddedTimecode {
            hours: 23,
            minutes: 1,
            seconds: 11,
            frames: 17,
            drop_frame: true,
        };
        assert_eq!(found.complete(None), Some(expected));

        // Only the seconds are told; the rest is that of the timestamp before.
        let message = bits(&format!(
            "{} 0000 1 00 0 00000 0 0 0 00000010 1 001100 0 {}",
            "0".repeat(48),
            "0".repeat(24)
        ));
        let found = h264_timestamp(&unit(&[6], 1, &message), &timing).unwrap();
        assert_eq!(found.complete(None), None);
        let next = EmbeddedTimecode {
            seconds: 12,
            frames: 2,
            drop_frame: false,
            ..expected
        };
        assert_eq!(found.complete(Some(expected)), Some(next));

        let none = PictureTiming {
            has_structure: false,
            ..timing
        };
        assert_eq!(h264_timestamp(&unit(&[6], 1, &message), &none), None);
        assert_eq!(h264_timestamp(&unit(&[6], 1, &message[..7]), &timing), None);
    }

    #[test]
    fn time_code_of_hevc() {
        let message = bits("01 1 0 00000 1 0 0 000011000 000010 000011 00100 00000");
        let found = hevc_timestamp(&unit(&[0x4e, 1], 136, &message)).unwrap();
        let expected = EmbeddedTimecode {
            hours: 4,
            minutes: 3,
            seconds: 2,
            frames: 24,
            drop_frame: false,
        };
        assert_eq!(found.complete(None), Some(expected));
        assert_eq!(hevc_timestamp(&unit(&[0x4e, 1], 137, &message)), None);
        assert_eq!(hevc_timestamp(&[]), None);
    }
}
