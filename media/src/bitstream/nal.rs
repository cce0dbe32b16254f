//! NAL units: finding them behind Annex B start codes, converting to and from length prefixes, and
//! removing emulation prevention bytes.

use std::ops::Range;

/// Ranges of the NAL units in an Annex B stream, start codes and trailing zeros excluded.
pub fn annex_b_ranges(data: &[u8]) -> Vec<Range<usize>> {
    let mut starts = Vec::new();
    let mut at = 2;
    // Only every third byte needs a look: a start code has two zeros before its one.
    while at < data.len() {
        match data[at] {
            0 => at += 1,
            1 if data[at - 1] == 0 && data[at - 2] == 0 => {
                starts.push(at + 1);
                at += 3;
            }
            _ => at += 3,
        }
    }
    let mut ranges = Vec::with_capacity(starts.len());
    for (index, &start) in starts.iter().enumerate() {
        let mut end = starts.get(index + 1).map_or(data.len(), |next| next - 3);
        while end > start && data[end - 1] == 0 {
            end -= 1;
        }
        if end > start {
            ranges.push(start..end);
        }
    }
    ranges
}

/// The NAL units of an Annex B stream.
pub fn annex_b_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    annex_b_ranges(data)
        .into_iter()
        .map(move |range| &data[range])
}

/// Ranges of the NAL units in a sample with length prefixes of `length_size` bytes; the flag is
/// false when the last one was cut off.
pub fn length_prefixed_ranges(data: &[u8], length_size: usize) -> (Vec<Range<usize>>, bool) {
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let Some(prefix) = data.get(at..at + length_size) else {
            return (ranges, false);
        };
        let length = prefix
            .iter()
            .fold(0usize, |value, &byte| value << 8 | usize::from(byte));
        at += length_size;
        if data.len() - at < length {
            return (ranges, false);
        }
        if length > 0 {
            ranges.push(at..at + length);
        }
        at += length;
    }
    (ranges, true)
}

/// Appends one NAL unit with a start code.
pub fn push_annex_b(out: &mut Vec<u8>, unit: &[u8]) {
    out.extend_from_slice(&[0, 0, 0, 1]);
    out.extend_from_slice(unit);
}

/// The payload without emulation prevention bytes; at most `limit` bytes of it.
pub fn rbsp(unit: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(unit.len().min(limit));
    let mut zeros = 0;
    for &byte in unit {
        if out.len() >= limit {
            break;
        }
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_codes_of_three_and_four_bytes() {
        let data = [
            9, 0, 0, 0, 1, 0x65, 1, 2, 0, 0, 1, 0x41, 3, 0, 0, 0, 1, 0x06, 0x80, 0, 0,
        ];
        let units: Vec<&[u8]> = annex_b_units(&data).collect();
        assert_eq!(units, [&[0x65, 1, 2][..], &[0x41, 3], &[0x06, 0x80]]);
    }

    #[test]
    fn length_prefixes() {
        let read = |data: &[u8], size| {
            let (ranges, complete) = length_prefixed_ranges(data, size);
            (
                ranges
                    .into_iter()
                    .map(|r| (r.start, r.end))
                    .collect::<Vec<_>>(),
                complete,
            )
        };
        let data = [0, 0, 0, 2, 7, 8, 0, 0, 0, 1, 9];
        assert_eq!(read(&data, 4), (vec![(4, 6), (10, 11)], true));
        assert_eq!(read(&data[..10], 4), (vec![(4, 6)], false));
        assert_eq!(read(&[0, 1, 5, 0], 2), (vec![(2, 3)], false));
    }

    #[test]
    fn emulation_prevention() {
        assert_eq!(rbsp(&[1, 0, 0, 3, 1, 0, 0, 3], 100), [1, 0, 0, 1, 0, 0]);
        assert_eq!(rbsp(&[1, 2, 3], 2), [1, 2]);
    }
}
