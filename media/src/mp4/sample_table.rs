//! The sample table of a progressive MP4: where each sample lies and when it is shown.

use super::boxes::{Fields, find};
use super::movie::Track;
use super::ticks;

/// A sample that has not been read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Offset in the file.
    pub offset: u64,
    /// Number of bytes.
    pub size: u32,
    /// Presentation time with the edit list applied, in ticks.
    pub pts: i64,
    /// Decoding time with the edit list applied.
    pub dts: i64,
    /// Duration in ticks.
    pub duration: i64,
    /// The container says that decoding can start here.
    pub sync: bool,
}

/// Runs of equal values, as `stts` and `ctts` hold them.
struct Runs<'a> {
    fields: Fields<'a>,
    left: u32,
    value: u32,
}

impl<'a> Runs<'a> {
    fn new(body: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(body);
        fields.full()?;
        fields.u32()?;
        Some(Runs {
            fields,
            left: 0,
            value: 0,
        })
    }

    fn next(&mut self) -> Option<u32> {
        while self.left == 0 {
            self.left = self.fields.u32()?;
            self.value = self.fields.u32()?;
        }
        self.left -= 1;
        Some(self.value)
    }
}

/// All samples of a track that lie inside a file of `file_size` bytes, in decode order. `None`
/// when a table is missing or damaged; the flag is true when samples lie outside.
pub(crate) fn places(track: &Track<'_>, file_size: u64) -> Option<(Vec<Place>, bool)> {
    let stbl = track.stbl;
    let mut sizes = Fields::new(find(stbl, b"stsz")?);
    sizes.full()?;
    let (constant, count) = (sizes.u32()?, sizes.u32()?);
    let mut durations = Runs::new(find(stbl, b"stts")?)?;
    let mut offsets = find(stbl, b"ctts").and_then(Runs::new);
    let sync = find(stbl, b"stss").map(|body| {
        let mut fields = Fields::new(body);
        fields.bytes(8);
        std::iter::from_fn(move || fields.u32()).collect::<std::collections::BTreeSet<u32>>()
    });
    let wide = find(stbl, b"co64");
    let mut chunk_offsets = Fields::new(wide.or_else(|| find(stbl, b"stco"))?);
    chunk_offsets.bytes(8)?;
    let mut runs = Fields::new(find(stbl, b"stsc")?);
    runs.bytes(8)?;
    let mut upcoming = read_run(&mut runs);
    let (mut chunk, mut per_chunk) = (0u32, 0u32);
    let mut out = Vec::new();
    let (mut number, mut dts, mut outside) = (0u32, 0i64, false);
    // Samples share no bytes. A table that says so would make more of a file than there is in it.
    let mut bytes_left = file_size;
    'chunks: while number < count {
        chunk += 1;
        if let Some((_, samples)) = upcoming.filter(|(first, _)| *first <= chunk) {
            per_chunk = samples;
            upcoming = read_run(&mut runs);
        }
        let offset = if wide.is_some() {
            chunk_offsets.u64()
        } else {
            chunk_offsets.u32().map(u64::from)
        };
        let Some(mut offset) = offset else {
            outside = true;
            break;
        };
        for _ in 0..per_chunk {
            if number >= count {
                break 'chunks;
            }
            let size = if constant > 0 { constant } else { sizes.u32()? };
            let duration = i64::from(durations.next()?);
            let composition = offsets
                .as_mut()
                .and_then(Runs::next)
                .map_or(0, |o| o as i32);
            number += 1;
            let end = offset.checked_add(u64::from(size))?;
            if end > file_size || u64::from(size) > bytes_left {
                outside = true;
                break 'chunks;
            }
            bytes_left -= u64::from(size);
            out.push(Place {
                offset,
                size,
                pts: ticks(&[dts, i64::from(composition), track.shift])?,
                dts: ticks(&[dts, track.shift])?,
                duration,
                sync: sync.as_ref().is_none_or(|sync| sync.contains(&number)),
            });
            offset = end;
            dts = ticks(&[dts, duration])?;
        }
    }
    Some((out, outside))
}

fn read_run(fields: &mut Fields<'_>) -> Option<(u32, u32)> {
    let run = (fields.u32()?, fields.u32()?);
    fields.u32()?;
    Some(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mp4::boxes::make_full;
    use crate::mp4::movie::{Defaults, TrackKind};
    use crate::mp4::sample_entry;
    use crate::samples::Codec;

    /// A table of `count` samples of one byte, each of 2 ticks, `run` in each of three chunks that
    /// all begin at byte 10.
    fn read(count: u32, run: u32, shift: i64, file_size: u64) -> Option<(Vec<Place>, bool)> {
        let words = |words: &[u32]| {
            words
                .iter()
                .flat_map(|w| w.to_be_bytes())
                .collect::<Vec<_>>()
        };
        let stbl = [
            make_full(b"stsz", 0, 0, &[&words(&[1, count])]),
            make_full(b"stts", 0, 0, &[&words(&[1, u32::MAX, 2])]),
            make_full(b"stsc", 0, 0, &[&words(&[1, 1, run, 1])]),
            make_full(b"stco", 0, 0, &[&words(&[3, 10, 10, 10])]),
        ]
        .concat();
        let track = Track {
            id: 1,
            kind: TrackKind::Audio,
            timescale: 1,
            language: None,
            entry: sample_entry::empty(Codec::Aac),
            shift,
            end: None,
            defaults: Defaults::default(),
            stbl: &stbl,
        };
        places(&track, file_size)
    }

    #[test]
    fn a_table_lists_no_more_than_the_file_holds() {
        let (places, outside) = read(6, 2, -1, 100).unwrap();
        let found: Vec<_> = places.iter().map(|p| (p.offset, p.pts)).collect();
        let expected = [(10, -1), (11, 1), (10, 3), (11, 5), (10, 7), (11, 9)];
        assert_eq!((found.as_slice(), outside), (&expected[..], false));
        let (places, outside) = read(u32::MAX, 40, 0, 100).unwrap();
        assert_eq!(
            (places.len(), outside),
            (100, true),
            "bytes are nobody's twice"
        );
        let (places, outside) = read(u32::MAX, u32::MAX, 0, 100).unwrap();
        assert_eq!((places.len(), outside), (90, true));
    }

    #[test]
    fn times_that_add_up_to_none_are_damage() {
        assert!(read(6, 2, i64::MAX, 100).is_none());
        assert!(read(6, 2, i64::MIN, 100).is_none());
    }
}
