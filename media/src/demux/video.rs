//! Video elementary streams: grouping NAL units into access units, and the facts of each and of
//! the whole track that deciding where to start needs.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use matchcut_model::time::FrameRate;
use matchcut_model::timecode::{self, EmbeddedTimecode};

use super::es::{ElementaryStream, Mark};
use super::mpeg2;
use super::rate::frame_rate;
use super::times::give_times;
use crate::bitstream::nal::annex_b_ranges;
use crate::bitstream::sei::{self, ClockTimestamp};
use crate::bitstream::{h264, hevc};
use crate::samples::{Codec, ParameterSets, RandomAccessPoint, Sample, SyncKind, VideoTrack};

/// What a NAL unit means for grouping and for deciding where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Access unit delimiter.
    Delimiter,
    /// A parameter set.
    Parameters,
    /// Something else that opens an access unit when it follows a slice.
    Prefix,
    /// A slice; the flag is true for the first of its picture.
    Slice(bool),
    /// Anything else.
    Other,
}

pub(crate) fn role(codec: &Codec, unit: &[u8]) -> Role {
    if *codec == Codec::Hevc {
        match hevc::unit_type(unit) {
            hevc::unit::AUD => Role::Delimiter,
            hevc::unit::VPS | hevc::unit::SPS | hevc::unit::PPS => Role::Parameters,
            hevc::unit::SEI_PREFIX | 41..=44 | 48..=55 => Role::Prefix,
            kind if hevc::is_slice(kind) => Role::Slice(hevc::is_first_slice(unit)),
            _ => Role::Other,
        }
    } else {
        match h264::unit_type(unit) {
            h264::unit::AUD => Role::Delimiter,
            h264::unit::SPS | h264::unit::PPS => Role::Parameters,
            h264::unit::SEI | 14..=18 => Role::Prefix,
            h264::unit::SLICE | h264::unit::PARTITION_A | h264::unit::IDR => {
                // first_mb is 0 exactly when its Exp-Golomb code is a single one.
                Role::Slice(unit.get(1).is_some_and(|byte| byte & 0x80 != 0))
            }
            _ => Role::Other,
        }
    }
}

/// What the NAL units of one access unit say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub sync: SyncKind,
    pub reference: bool,
    /// For a single field: frame_num and whether it is the bottom field.
    pub field: Option<(u32, bool)>,
    pub has_slice: bool,
    /// Timecode that it carries.
    pub timecode: Option<EmbeddedTimecode>,
}

/// Reads access units one after the other and remembers what the track is like.
#[derive(Debug)]
pub(crate) struct VideoReader {
    codec: Codec,
    vps: BTreeMap<u32, Bytes>,
    sps: BTreeMap<u32, Bytes>,
    pps: BTreeMap<u32, Bytes>,
    h264_sps: BTreeMap<u32, h264::Sps>,
    h264_pps: BTreeMap<u32, h264::Pps>,
    width: u32,
    height: u32,
    pixel_aspect: Option<(u32, u32)>,
    frame_rate: Option<FrameRate>,
    profile: Option<String>,
    level: Option<String>,
    open_gop: bool,
    b_pyramid: bool,
    mmco: bool,
    /// The latest timecode in decode order: a later one may leave out what is equal.
    timecode: Option<EmbeddedTimecode>,
    /// The timecodes of the samples, in decode order.
    timecodes: Vec<Option<EmbeddedTimecode>>,
}

impl VideoReader {
    pub(crate) fn new(codec: Codec) -> Self {
        VideoReader {
            codec,
            vps: BTreeMap::new(),
            sps: BTreeMap::new(),
            pps: BTreeMap::new(),
            h264_sps: BTreeMap::new(),
            h264_pps: BTreeMap::new(),
            width: 0,
            height: 0,
            pixel_aspect: None,
            frame_rate: None,
            profile: None,
            level: None,
            open_gop: false,
            b_pyramid: false,
            mmco: false,
            timecode: None,
            timecodes: Vec::new(),
        }
    }

    /// A reader that knows the rate of the stream.
    pub(super) fn of_rate(codec: Codec, frame_rate: Option<FrameRate>) -> Self {
        VideoReader {
            frame_rate,
            ..VideoReader::new(codec)
        }
    }

    /// Notes the timecode of the sample that was made of the last access unit.
    pub(crate) fn sample_made(&mut self, facts: &Facts) {
        self.timecodes.push(facts.timecode);
    }

    fn complete(&mut self, timestamp: Option<ClockTimestamp>) -> Option<EmbeddedTimecode> {
        let timecode = timestamp?.complete(self.timecode);
        self.timecode = timecode.or(self.timecode);
        timecode
    }

    /// Takes a parameter set; other units are ignored.
    pub(crate) fn parameter_set(&mut self, unit: &[u8]) {
        let bytes = || Bytes::copy_from_slice(unit);
        if self.codec == Codec::Hevc {
            match hevc::unit_type(unit) {
                hevc::unit::VPS => {
                    self.vps
                        .insert(unit.get(2).map_or(0, |b| u32::from(b >> 4)), bytes());
                }
                hevc::unit::SPS => {
                    let Some(sps) = hevc::parse_sps(unit) else {
                        return;
                    };
                    (self.width, self.height) = (sps.width, sps.height);
                    (self.pixel_aspect, self.frame_rate) = (sps.pixel_aspect, sps.frame_rate);
                    self.profile = Some(sps.profile());
                    self.level = Some(sps.level());
                    self.sps.insert(sps.id, bytes());
                }
                hevc::unit::PPS => {
                    let payload = crate::bitstream::nal::rbsp(unit.get(2..).unwrap_or_default(), 8);
                    let id = crate::bitstream::bits::BitReader::new(&payload)
                        .ue()
                        .unwrap_or(0);
                    self.pps.insert(id, bytes());
                }
                _ => {}
            }
            return;
        }
        match h264::unit_type(unit) {
            h264::unit::SPS => {
                let Some(sps) = h264::parse_sps(unit) else {
                    return;
                };
                (self.width, self.height) = (sps.width, sps.height);
                (self.pixel_aspect, self.frame_rate) = (sps.pixel_aspect, sps.frame_rate);
                self.profile = Some(sps.profile());
                self.level = Some(sps.level());
                self.sps.insert(sps.id, bytes());
                self.h264_sps.insert(sps.id, sps);
            }
            h264::unit::PPS => {
                let payload = crate::bitstream::nal::rbsp(unit.get(1..).unwrap_or_default(), 8);
                let id = crate::bitstream::bits::BitReader::new(&payload)
                    .ue()
                    .unwrap_or(0);
                self.pps.insert(id, bytes());
                match h264::parse_pps(unit) {
                    Some(pps) => self.h264_pps.insert(id, pps),
                    None => self.h264_pps.remove(&id),
                };
            }
            _ => {}
        }
    }

    /// Whether the parameter sets so far are all a decoder needs.
    pub(crate) fn sets(&self) -> ParameterSets {
        ParameterSets {
            vps: self.vps.values().cloned().collect(),
            sps: self.sps.values().cloned().collect(),
            pps: self.pps.values().cloned().collect(),
        }
    }

    /// Reads the NAL units of one access unit. `announced` is true when the container says that
    /// decoding can start here.
    pub(crate) fn access_unit<'a>(
        &mut self,
        units: impl Iterator<Item = &'a [u8]>,
        announced: bool,
    ) -> Facts {
        if self.codec == Codec::Hevc {
            self.hevc_unit(units)
        } else {
            self.h264_unit(units, announced)
        }
    }

    fn h264_unit<'a>(&mut self, units: impl Iterator<Item = &'a [u8]>, announced: bool) -> Facts {
        let (mut recovery, mut has_sps, mut idr) = (false, false, false);
        let (mut intra, mut reference, mut b_slice) = (true, false, false);
        let mut first: Option<h264::SliceHeader> = None;
        let mut has_slice = false;
        // A picture timing can be read only with the parameter set that its slices name.
        let mut messages: Vec<&[u8]> = Vec::new();
        let mut timing = None;
        for unit in units {
            match h264::unit_type(unit) {
                h264::unit::SPS => {
                    has_sps = true;
                    self.parameter_set(unit);
                }
                h264::unit::PPS => self.parameter_set(unit),
                h264::unit::SEI => {
                    recovery |= h264::has_recovery_point(unit);
                    messages.push(unit);
                }
                kind @ (h264::unit::SLICE | h264::unit::PARTITION_A | h264::unit::IDR) => {
                    idr |= kind == h264::unit::IDR;
                    let Some(start) = h264::parse_slice_start(unit) else {
                        (has_slice, intra) = (true, false);
                        continue;
                    };
                    intra &= start.kind == h264::SliceType::I;
                    b_slice |= start.kind == h264::SliceType::B;
                    reference |= start.reference;
                    if !has_slice {
                        let pps = self.h264_pps.get(&start.pps_id);
                        let sps = pps.and_then(|pps| self.h264_sps.get(&pps.sps_id));
                        first = pps
                            .zip(sps)
                            .and_then(|(pps, sps)| h264::parse_slice_header(unit, sps, pps));
                        timing = sps.and_then(|sps| sps.picture_timing);
                    }
                    has_slice = true;
                }
                _ => {}
            }
        }
        self.b_pyramid |= b_slice && reference;
        self.mmco |= first.is_some_and(|header| header.mmco);
        let sync = if idr {
            SyncKind::Idr
        } else if has_slice && intra && (recovery || has_sps || announced) {
            self.open_gop = true;
            SyncKind::OpenGop
        } else {
            SyncKind::None
        };
        let field = first.and_then(|header| Some((header.frame_num, header.field?)));
        let timestamp = timing.and_then(|timing| {
            let mut found = messages.iter();
            found.find_map(|unit| sei::h264_timestamp(unit, &timing))
        });
        Facts {
            sync,
            reference,
            field,
            has_slice,
            timecode: self.complete(timestamp),
        }
    }

    fn hevc_unit<'a>(&mut self, units: impl Iterator<Item = &'a [u8]>) -> Facts {
        let mut facts = Facts {
            sync: SyncKind::None,
            reference: false,
            field: None,
            has_slice: false,
            timecode: None,
        };
        let mut timestamp = None;
        for unit in units {
            let kind = hevc::unit_type(unit);
            if kind == hevc::unit::SEI_PREFIX {
                timestamp = timestamp.or_else(|| sei::hevc_timestamp(unit));
                continue;
            }
            if !hevc::is_slice(kind) {
                self.parameter_set(unit);
                continue;
            }
            facts.has_slice = true;
            facts.reference |= !hevc::is_non_reference(kind);
            if hevc::is_idr(kind) {
                facts.sync = SyncKind::Idr;
            } else if hevc::is_random_access(kind) {
                self.open_gop = true;
                facts.sync = SyncKind::OpenGop;
            }
        }
        facts.timecode = self.complete(timestamp);
        facts
    }

    /// The track, from its samples.
    pub(crate) fn finish(self, timescale: u32, mut samples: Vec<Sample>) -> VideoTrack {
        mark_leading(&mut samples);
        let parameter_sets = self.sets();
        let frame_rate = frame_rate(&samples, timescale, self.frame_rate);
        let timecodes = timecodes(&samples, &self.timecodes, frame_rate);
        VideoTrack {
            codec: self.codec,
            timescale,
            samples,
            parameter_sets,
            width: self.width,
            height: self.height,
            pixel_aspect: self.pixel_aspect,
            frame_rate,
            profile: self.profile,
            level: self.level,
            open_gop: self.open_gop,
            b_pyramid: self.b_pyramid,
            mmco: self.mmco,
            random_access_points: Vec::new(),
            timecodes,
        }
    }
}

/// What is kept of the timecodes of samples in decode order.
pub(super) fn timecodes(
    samples: &[Sample],
    labels: &[Option<EmbeddedTimecode>],
    rate: Option<FrameRate>,
) -> Vec<timecode::TimecodeMark> {
    if labels.iter().all(Option::is_none) {
        return Vec::new();
    }
    let mut shown: Vec<_> = samples.iter().zip(labels).collect();
    shown.sort_by_key(|(sample, _)| sample.pts);
    let labels: Vec<_> = shown.into_iter().map(|(_, label)| *label).collect();
    timecode::marks(&labels, rate)
}

/// Marks the samples that are shown before the key frame they follow.
pub(crate) fn mark_leading(samples: &mut [Sample]) {
    let mut key = None;
    for sample in samples {
        if sample.sync.is_key() {
            key = Some(sample.pts);
            sample.leading = false;
        } else {
            sample.leading = key.is_some_and(|key| sample.pts < key);
        }
    }
}

/// An access unit of an elementary stream.
struct AccessUnit {
    /// NAL units, without delimiters.
    units: Vec<Range<usize>>,
    /// Where it commences, delimiter included: the first PES packet before it gives its time.
    start: usize,
}

fn group(codec: &Codec, data: &[u8], marks: &[Mark]) -> Vec<AccessUnit> {
    let mut out: Vec<AccessUnit> = Vec::new();
    let mut current = AccessUnit {
        units: Vec::new(),
        start: 0,
    };
    let mut has_slice = false;
    let mut next_mark = 0;
    for range in annex_b_ranges(data) {
        let role = role(codec, &data[range.clone()]);
        let mut timed = false;
        while marks
            .get(next_mark)
            .is_some_and(|mark| mark.offset < range.start)
        {
            timed |= marks[next_mark].pts.is_some();
            next_mark += 1;
        }
        let opens = match role {
            Role::Delimiter => true,
            Role::Parameters | Role::Prefix => has_slice,
            Role::Slice(first) => has_slice && (first || timed),
            Role::Other => false,
        };
        if opens && has_slice {
            out.push(std::mem::replace(
                &mut current,
                AccessUnit {
                    units: Vec::new(),
                    start: 0,
                },
            ));
            has_slice = false;
        }
        if !has_slice && (current.start == 0 || timed || role == Role::Delimiter) {
            current.start = range.start;
        }
        has_slice |= matches!(role, Role::Slice(_));
        if role != Role::Delimiter {
            current.units.push(range);
        }
    }
    if has_slice {
        out.push(current);
    }
    out
}

/// Turns an elementary stream into a track; `None` when it holds not one complete picture.
pub fn track(
    stream: ElementaryStream,
    codec: Codec,
    warnings: &mut Vec<String>,
) -> Option<VideoTrack> {
    let ElementaryStream {
        data,
        marks,
        cut_off,
        ..
    } = stream;
    if matches!(codec, Codec::Other(_)) {
        if mpeg2::is(&codec) {
            return mpeg2::track(Bytes::from(data), &marks, codec, cut_off, warnings);
        }
        return opaque(Bytes::from(data), &marks, codec);
    }
    let mut groups = group(&codec, &data, &marks);
    if cut_off && groups.len() > 1 {
        groups.pop();
        warnings.push("video: the last picture is cut off and left out".into());
    }
    let data = Bytes::from(data);
    let mut reader = VideoReader::new(codec);
    let mut samples: Vec<(Option<i64>, Option<i64>, Sample)> = Vec::with_capacity(groups.len());
    let mut entries: Vec<(usize, u64)> = Vec::new();
    let mut next_mark = 0;
    let mut open_field: Option<(u32, bool)> = None;
    for access_unit in groups {
        let mut mark = None;
        while let Some(found) = marks
            .get(next_mark)
            .filter(|m| m.offset < access_unit.start)
        {
            mark = Some(*found);
            next_mark += 1;
        }
        let announced = mark.is_some_and(|mark| mark.random_access);
        let units = access_unit.units.iter().map(|range| &data[range.clone()]);
        let facts = reader.access_unit(units, announced);
        let (Some(first), Some(last)) = (access_unit.units.first(), access_unit.units.last())
        else {
            continue;
        };
        // The start code belongs to the sample.
        let bytes = data.slice(first.start.saturating_sub(3)..last.end);
        let second_field = matches!((open_field, facts.field),
            (Some((number, bottom)), Some((other, other_bottom)))
                if number == other && bottom != other_bottom);
        if second_field && let Some((_, _, sample)) = samples.last_mut() {
            open_field = None;
            sample.data = [&sample.data[..], &bytes[..]].concat().into();
            sample.reference |= facts.reference;
            if let Some(timecode @ None) = reader.timecodes.last_mut() {
                *timecode = facts.timecode;
            }
            continue;
        }
        open_field = facts.field;
        reader.sample_made(&facts);
        if let Some(entry) = mark
            .and_then(|mark| mark.entry)
            .filter(|_| facts.sync.is_key())
        {
            entries.push((samples.len(), entry));
        }
        let sample = Sample {
            pts: 0,
            dts: 0,
            duration: 0,
            sync: facts.sync,
            leading: false,
            reference: facts.reference,
            data: bytes,
        };
        samples.push((mark.and_then(|m| m.pts), mark.and_then(|m| m.dts), sample));
    }
    let made = samples.len();
    let samples = give_times(samples, reader.frame_rate, warnings);
    if samples.is_empty() {
        return None;
    }
    // Those without a time are the first.
    let untimed = made - samples.len();
    reader.timecodes.drain(..untimed);
    for (index, _) in &mut entries {
        *index = index.saturating_sub(untimed);
    }
    let points = entries
        .into_iter()
        .filter_map(|(index, byte_offset)| {
            let sample = samples.get(index)?;
            Some(RandomAccessPoint {
                byte_offset,
                pts: sample.pts,
                sync: sample.sync,
            })
        })
        .collect();
    let mut track = reader.finish(90_000, samples);
    track.random_access_points = points;
    if !track.samples.iter().any(|sample| sample.sync.is_key()) {
        warnings.push("video: no key frame; it can be decoded only after the chunk before".into());
    }
    Some(track)
}

fn opaque(data: Bytes, marks: &[Mark], codec: Codec) -> Option<VideoTrack> {
    let ends = marks
        .iter()
        .skip(1)
        .map(|mark| mark.offset)
        .chain([data.len()]);
    let samples: Vec<Sample> = marks
        .iter()
        .zip(ends)
        .filter_map(|(mark, end)| {
            Some(Sample {
                pts: mark.pts?,
                dts: mark.dts?,
                duration: 0,
                sync: if mark.random_access {
                    SyncKind::Idr
                } else {
                    SyncKind::None
                },
                leading: false,
                reference: true,
                data: data.slice(mark.offset..end),
            })
        })
        .collect();
    (!samples.is_empty()).then(|| VideoReader::new(codec).finish(90_000, samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits of a unit behind its header byte: fixed length and Exp-Golomb codes.
    #[derive(Default)]
    struct Bits(Vec<bool>);

    impl Bits {
        fn u(mut self, value: u32, count: u32) -> Self {
            self.0
                .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
            self
        }

        fn ue(self, value: u32) -> Self {
            let length = 32 - (value + 1).leading_zeros();
            self.u(0, length - 1).u(value + 1, length)
        }

        /// With a start code and trailing bits.
        fn unit(self, header: u8) -> Vec<u8> {
            let bits = self.u(1, 1);
            let mut out = vec![0, 0, 0, 1, header];
            out.extend(bits.0.chunks(8).map(|byte| {
                let value = byte
                    .iter()
                    .fold(0, |value, bit| value << 1 | u8::from(*bit));
                value << (8 - byte.len())
            }));
            out
        }
    }

    fn delimiter() -> Vec<u8> {
        vec![0, 0, 0, 1, 9, 0xf0]
    }

    /// 320x192 in fields; frame numbers have 4 bits, order of output is order of decoding.
    fn sets() -> Vec<u8> {
        let sps = Bits::default()
            .u(77, 8)
            .u(0, 8)
            .u(30, 8)
            .ue(0)
            .ue(0)
            .ue(2)
            .ue(1)
            .u(0, 1);
        let sps = sps.ue(19).ue(5).u(0, 1).u(0, 1).u(1, 1).u(0, 1).u(0, 1);
        let pps = Bits::default()
            .ue(0)
            .ue(0)
            .u(0, 2)
            .ue(0)
            .ue(0)
            .ue(0)
            .u(0, 3);
        let pps = pps.ue(0).ue(0).ue(0).u(0, 3);
        [sps.unit(0x67), pps.unit(0x68)].concat()
    }

    /// A field that is one slice.
    fn field(idr: bool, frame: u32, bottom: bool) -> Vec<u8> {
        let slice = Bits::default()
            .ue(0)
            .ue(if idr { 7 } else { 5 })
            .ue(0)
            .u(frame, 4);
        let slice = slice.u(1, 1).u(u32::from(bottom), 1);
        match idr {
            true => slice.ue(0).u(0, 2).unit(0x65),
            false => slice.u(0, 1).u(0, 1).u(0, 1).unit(0x61),
        }
    }

    fn fields(stamp_each: bool) -> (Vec<Sample>, Vec<String>) {
        let mut data = Vec::new();
        let mut marks = Vec::new();
        for frame in 0..3 {
            for bottom in [false, true] {
                let pts = 900_000 + i64::from(frame) * 3600 + if bottom { 1800 } else { 0 };
                if stamp_each || !bottom {
                    marks.push(Mark {
                        offset: data.len(),
                        pts: Some(pts),
                        dts: Some(pts),
                        entry: None,
                        random_access: false,
                    });
                }
                data.extend(delimiter());
                if frame == 0 && !bottom {
                    data.extend(sets());
                }
                // The second field of a key frame is predicted from the first.
                data.extend(field(frame == 0 && !bottom, frame, bottom));
            }
        }
        let stream = ElementaryStream {
            data,
            marks,
            ..ElementaryStream::default()
        };
        let mut warnings = Vec::new();
        let track = track(stream, Codec::H264, &mut warnings).unwrap();
        assert_eq!((track.width, track.height), (320, 192));
        (track.samples, warnings)
    }

    #[test]
    fn two_field_pictures_are_one_frame() {
        for stamp_each in [true, false] {
            let (samples, warnings) = fields(stamp_each);
            assert_eq!(warnings, Vec::<String>::new());
            let times: Vec<i64> = samples.iter().map(|sample| sample.pts).collect();
            assert_eq!(times, [900_000, 903_600, 907_200], "{stamp_each}");
            assert_eq!(samples[0].sync, SyncKind::Idr);
            let slices = |sample: &Sample| {
                let units = annex_b_ranges(&sample.data);
                units
                    .iter()
                    .filter(|range| matches!(sample.data[range.start] & 0x1f, 1 | 5))
                    .count()
            };
            assert!(
                samples.iter().all(|sample| slices(sample) == 2),
                "both fields"
            );
        }
    }
}
