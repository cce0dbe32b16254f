//! Samples of an MP4 made equal to those of a transport stream: Annex B start codes, and parameter
//! sets in front of every key frame, so that one decoder path serves both.

use bytes::Bytes;

use super::sample_entry::SampleEntry;
use crate::bitstream::nal::{length_prefixed_ranges, push_annex_b};
use crate::demux::video::{Role, VideoReader, role};
use crate::samples::{Codec, Sample, SyncKind};

/// Converts the samples of one track.
pub(crate) struct Normalizer<'a> {
    entry: &'a SampleEntry,
    reader: Option<VideoReader>,
    damaged: usize,
    /// How many bytes of parameter sets may still be put in front of key frames.
    sets_left: usize,
}

/// How many bytes of parameter sets come in front of the first key frames at most, and then for
/// each byte of a sample. They are far smaller than a key frame, unless somebody means harm.
const SETS_AT_FIRST: usize = 64 << 10;
const SETS_FOR_EACH_BYTE: usize = 16;

impl<'a> Normalizer<'a> {
    /// For a track with this sample description.
    pub(crate) fn new(entry: &'a SampleEntry) -> Self {
        let reader = matches!(entry.codec, Codec::H264 | Codec::Hevc).then(|| {
            let mut reader = VideoReader::new(entry.codec.clone());
            let sets = &entry.parameter_sets;
            for set in sets.vps.iter().chain(&sets.sps).chain(&sets.pps) {
                reader.parameter_set(set);
            }
            reader
        });
        Normalizer {
            entry,
            reader,
            damaged: 0,
            sets_left: SETS_AT_FIRST,
        }
    }

    /// Converts one sample, whose times are already right. `sync` is what the container says.
    pub(crate) fn sample(
        &mut self,
        data: Bytes,
        (pts, dts, duration): (i64, i64, i64),
        sync: bool,
    ) -> Option<Sample> {
        let Some(reader) = &mut self.reader else {
            let sync = if sync { SyncKind::Idr } else { SyncKind::None };
            let (leading, reference) = (false, true);
            return Some(Sample {
                pts,
                dts,
                duration,
                sync,
                leading,
                reference,
                data,
            });
        };
        let (ranges, complete) = length_prefixed_ranges(&data, self.entry.length_size);
        if !complete {
            self.damaged += 1;
        }
        let units = || ranges.iter().map(|range| &data[range.clone()]);
        let codec = &self.entry.codec;
        let facts = reader.access_unit(units(), sync);
        if !facts.has_slice {
            return None;
        }
        reader.sample_made(&facts);
        let mut out = Vec::with_capacity(data.len() + 64);
        self.sets_left += SETS_FOR_EACH_BYTE * data.len();
        if facts.sync.is_key() && !units().any(|unit| role(codec, unit) == Role::Parameters) {
            let sets = reader.sets().annex_b();
            if let Some(left) = self.sets_left.checked_sub(sets.len()) {
                self.sets_left = left;
                out = sets;
                out.reserve(data.len() + 64);
            }
        }
        for unit in units().filter(|unit| role(codec, unit) != Role::Delimiter) {
            push_annex_b(&mut out, unit);
        }
        Some(Sample {
            pts,
            dts,
            duration,
            sync: facts.sync,
            leading: false,
            reference: facts.reference,
            data: out.into(),
        })
    }

    /// The video reader with all it learnt, and the number of damaged samples.
    pub(crate) fn finish(self) -> (VideoReader, usize) {
        let reader = self
            .reader
            .unwrap_or_else(|| VideoReader::new(self.entry.codec.clone()));
        (reader, self.damaged)
    }
}
