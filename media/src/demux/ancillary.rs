//! Ancillary data of a broadcast signal in a transport stream (SMPTE ST 2038), of which the ancillary
//! time code (ST 12-2) is read.

use matchcut_model::timecode::{self, EmbeddedTimecode};

use super::es::ElementaryStream;
use crate::bitstream::bits::BitReader;
use crate::samples::VideoTrack;

/// Data identification, first and second, of an ancillary time code.
const TIME_CODE: (u32, u32) = (0x60, 0x60);
/// User data words of one.
const WORDS: usize = 16;

/// Gives the pictures of a track the labels that stand beside them, if they carry none themselves.
pub(super) fn label(track: &mut VideoTrack, stream: &ElementaryStream) {
    if !track.timecodes.is_empty() {
        return;
    }
    let mut pts: Vec<i64> = track.samples.iter().map(|sample| sample.pts).collect();
    pts.sort_unstable();
    let half = track.frame_ticks().unwrap_or(0) / 2;
    let mut labels = vec![None; pts.len()];
    for (at, timecode) in timecodes(stream) {
        let after = pts.partition_point(|pts| *pts < at);
        let near = [after.checked_sub(1), Some(after)];
        let distance = |index: &usize| pts.get(*index).map_or(i64::MAX, |pts| (pts - at).abs());
        let nearest = near.into_iter().flatten().min_by_key(distance);
        if let Some(index) = nearest.filter(|index| distance(index) <= half)
            && let Some(label) = labels.get_mut(index)
        {
            *label = Some(timecode);
        }
    }
    track.timecodes = timecode::marks(&labels, track.frame_rate);
}

/// The labels of a stream with their times.
fn timecodes(stream: &ElementaryStream) -> Vec<(i64, EmbeddedTimecode)> {
    let ends = stream.marks.iter().skip(1).map(|mark| mark.offset);
    let ends = ends.chain([stream.data.len()]);
    let packets = stream.marks.iter().zip(ends);
    packets
        .filter_map(|(mark, end)| {
            let packets = stream.data.get(mark.offset..end)?;
            Some((mark.pts?, first_timecode(packets)?))
        })
        .collect()
}

/// The first time code among ancillary packets.
fn first_timecode(mut data: &[u8]) -> Option<EmbeddedTimecode> {
    loop {
        let mut r = BitReader::new(data);
        // Stuffing is all ones.
        if r.bits(6)? != 0 {
            return None;
        }
        r.skip(1 + 11 + 12)?;
        // The two highest bits of a word are parity.
        let mut word = || Some(r.bits(10)? & 0xff);
        let (kind, count) = ((word()?, word()?), word()? as usize);
        let words: Option<Vec<u32>> = (0..count).map(|_| word()).collect();
        if kind == TIME_CODE && count >= WORDS {
            return timecode_of(&words?);
        }
        let bits = 6 + 1 + 11 + 12 + 30 + count * 10 + 10;
        data = data.get(bits.div_ceil(8)..)?;
    }
}

/// Each word holds four bits of a time code of SMPTE 12M; every second group is for users.
fn timecode_of(words: &[u32]) -> Option<EmbeddedTimecode> {
    let group = |index: usize| words.get(index * 2).map(|word| word >> 4 & 0xf);
    let number = |units: usize, mask: u32| {
        let (units, tens) = (group(units)?, group(units + 1)? & mask);
        (units < 10).then_some(tens * 10 + units)
    };
    Some(EmbeddedTimecode {
        frames: number(0, 3)? as u16,
        seconds: number(2, 7)? as u8,
        minutes: number(4, 7)? as u8,
        hours: number(6, 3)? as u8,
        drop_frame: group(1)? & 4 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demux::es::Mark;

    /// One ancillary packet, bit by bit.
    fn packet(did: u64, sdid: u64, words: &[u64]) -> Vec<u8> {
        let mut bits: Vec<bool> = Vec::new();
        let mut put = |value: u64, count: u32| {
            bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        };
        put(0, 6);
        put(0, 1);
        put(9, 11);
        put(0, 12);
        for word in [did, sdid, words.len() as u64].iter().chain(words) {
            // Even parity of the low bits, and its opposite.
            let parity = u64::from(word.count_ones() % 2);
            put((1 - parity) << 9 | parity << 8 | word, 10);
        }
        put(0, 10);
        bits.chunks(8)
            .map(|byte| {
                let value = byte
                    .iter()
                    .fold(0, |value, bit| value << 1 | u8::from(*bit));
                let short = 8 - byte.len();
                value << short | ((1_u16 << short) - 1) as u8
            })
            .collect()
    }

    fn time_code(groups: [u64; 8]) -> Vec<u8> {
        let words: Vec<u64> = groups.iter().flat_map(|group| [group << 4, 0x50]).collect();
        packet(0x60, 0x60, &words)
    }

    #[test]
    fn an_ancillary_time_code_among_others() {
        // 21:43:59;27, drop-frame: units and tens, from frames to hours.
        let mut data = packet(0x61, 0x01, &[1, 2, 3, 4, 5]);
        data.extend(time_code([7, 2 | 4, 9, 5, 3, 4, 1, 2]));
        data.extend([0xff; 4]);
        let expected = EmbeddedTimecode {
            hours: 21,
            minutes: 43,
            seconds: 59,
            frames: 27,
            drop_frame: true,
        };
        assert_eq!(first_timecode(&data), Some(expected));
        for end in 0..data.len() - 8 {
            assert_eq!(first_timecode(&data[..end]), None, "{end}");
        }
        assert_eq!(first_timecode(&time_code([12, 0, 0, 0, 0, 0, 0, 0])), None);
    }

    #[test]
    fn each_packet_has_its_time() {
        let (first, second) = (
            time_code([1, 0, 0, 0, 0, 0, 0, 1]),
            time_code([2, 0, 0, 0, 0, 0, 0, 1]),
        );
        let mark = |offset, pts| Mark {
            offset,
            pts: Some(pts),
            dts: None,
            entry: None,
            random_access: false,
        };
        let stream = ElementaryStream {
            marks: vec![mark(0, 900), mark(first.len(), 4500)],
            data: [first, second].concat(),
            ..ElementaryStream::default()
        };
        let found: Vec<_> = timecodes(&stream)
            .iter()
            .map(|(pts, t)| (*pts, t.hours, t.frames))
            .collect();
        assert_eq!(found, [(900, 10, 1), (4500, 10, 2)]);
    }
}
