//! Sample descriptions: which codec a track uses and what its decoder must know.

use bytes::Bytes;

use super::boxes::{Fields, boxes, find};
use crate::bitstream::aac;
use crate::samples::{Codec, ParameterSets};

/// What the first sample description of a track says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SampleEntry {
    pub codec: Codec,
    pub width: u32,
    pub height: u32,
    pub pixel_aspect: Option<(u32, u32)>,
    pub parameter_sets: ParameterSets,
    /// Bytes of a NAL unit's length prefix.
    pub length_size: usize,
    pub sample_rate: u32,
    pub channels: u32,
    pub frame_samples: u32,
    pub config: Bytes,
}

/// An entry that says nothing but the codec.
pub(crate) fn empty(codec: Codec) -> SampleEntry {
    SampleEntry {
        codec,
        width: 0,
        height: 0,
        pixel_aspect: None,
        parameter_sets: ParameterSets::default(),
        length_size: 4,
        sample_rate: 0,
        channels: 0,
        frame_samples: 0,
        config: Bytes::new(),
    }
}

/// Reads the first entry of an `stsd` body.
pub(crate) fn parse(stsd: &[u8], video: bool) -> Option<SampleEntry> {
    let mut entries = boxes(stsd.get(8..)?);
    let first = entries.next()?;
    if video {
        parse_video(first.kind, first.body)
    } else {
        parse_audio(first.kind, first.body)
    }
}

/// Number of sample descriptions.
pub(crate) fn count(stsd: &[u8]) -> usize {
    stsd.get(8..).map_or(0, |entries| boxes(entries).count())
}

fn name(kind: [u8; 4]) -> String {
    String::from_utf8_lossy(&kind).trim().to_owned()
}

fn parse_video(kind: [u8; 4], body: &[u8]) -> Option<SampleEntry> {
    let codec = match &kind {
        b"avc1" | b"avc3" => Codec::H264,
        b"hvc1" | b"hev1" => Codec::Hevc,
        _ => Codec::Other(name(kind)),
    };
    let mut entry = empty(codec);
    let mut fields = Fields::new(body.get(24..)?);
    entry.width = u32::from(fields.u16()?);
    entry.height = u32::from(fields.u16()?);
    let extensions = body.get(78..).unwrap_or_default();
    if let Some(mut pasp) = find(extensions, b"pasp").map(Fields::new) {
        let aspect = (pasp.u32()?, pasp.u32()?);
        entry.pixel_aspect =
            (aspect.0 > 0 && aspect.1 > 0 && aspect.0 != aspect.1).then_some(aspect);
    }
    match entry.codec {
        Codec::H264 => parse_avcc(find(extensions, b"avcC")?, &mut entry)?,
        Codec::Hevc => parse_hvcc(find(extensions, b"hvcC")?, &mut entry)?,
        _ => {}
    }
    Some(entry)
}

/// Reads an AVC decoder configuration.
pub(crate) fn parse_avcc(body: &[u8], entry: &mut SampleEntry) -> Option<()> {
    let mut fields = Fields::new(body);
    fields.bytes(4)?;
    entry.length_size = usize::from(fields.u8()? & 3) + 1;
    let count = fields.u8()? & 0x1f;
    for _ in 0..count {
        let length = usize::from(fields.u16()?);
        entry
            .parameter_sets
            .sps
            .push(Bytes::copy_from_slice(fields.bytes(length)?));
    }
    for _ in 0..fields.u8().unwrap_or(0) {
        let length = usize::from(fields.u16()?);
        entry
            .parameter_sets
            .pps
            .push(Bytes::copy_from_slice(fields.bytes(length)?));
    }
    Some(())
}

/// Reads an HEVC decoder configuration.
pub(crate) fn parse_hvcc(body: &[u8], entry: &mut SampleEntry) -> Option<()> {
    let mut fields = Fields::new(body);
    fields.bytes(21)?;
    entry.length_size = usize::from(fields.u8()? & 3) + 1;
    for _ in 0..fields.u8()? {
        let kind = fields.u8()? & 0x3f;
        for _ in 0..fields.u16()? {
            let length = usize::from(fields.u16()?);
            let unit = Bytes::copy_from_slice(fields.bytes(length)?);
            match kind {
                32 => entry.parameter_sets.vps.push(unit),
                33 => entry.parameter_sets.sps.push(unit),
                34 => entry.parameter_sets.pps.push(unit),
                _ => {}
            }
        }
    }
    Some(())
}

fn parse_audio(kind: [u8; 4], body: &[u8]) -> Option<SampleEntry> {
    let mut fields = Fields::new(body.get(8..)?);
    let version = fields.u16()?;
    fields.bytes(6)?;
    let channels = u32::from(fields.u16()?);
    fields.bytes(6)?;
    let rate = fields.u32()? >> 16;
    // QuickTime appends fields in its versions 1 and 2.
    let skip = match version {
        1 => 16,
        2 => 36,
        _ => 0,
    };
    let extensions = fields.rest().get(skip..).unwrap_or_default();
    let codec = match &kind {
        b"mp4a" => Codec::Aac,
        b".mp3" => Codec::Mp3,
        b"ac-3" | b"ec-3" => Codec::Ac3,
        _ => Codec::Other(name(kind)),
    };
    let mut entry = empty(codec);
    (entry.channels, entry.sample_rate) = (channels, rate);
    entry.frame_samples = match entry.codec {
        Codec::Ac3 => 1536,
        Codec::Mp3 => 1152,
        _ => 0,
    };
    if entry.codec == Codec::Aac {
        let esds = find(extensions, b"esds")
            .or_else(|| find(extensions, b"wave").and_then(|wave| find(wave, b"esds")))?;
        parse_esds(esds.get(4..)?, &mut entry)?;
    }
    Some(entry)
}

/// A descriptor of MPEG-4 systems: tag and body.
fn descriptor<'a>(fields: &mut Fields<'a>) -> Option<(u8, &'a [u8])> {
    let tag = fields.u8()?;
    let mut length = 0usize;
    for _ in 0..4 {
        let byte = fields.u8()?;
        length = length << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some((tag, fields.bytes(length.min(fields.rest().len()))?))
}

fn parse_esds(body: &[u8], entry: &mut SampleEntry) -> Option<()> {
    let (_, es) = descriptor(&mut Fields::new(body)).filter(|(tag, _)| *tag == 3)?;
    let mut fields = Fields::new(es);
    fields.u16()?;
    let flags = fields.u8()?;
    if flags & 0x80 != 0 {
        fields.u16()?;
    }
    if flags & 0x40 != 0 {
        let length = usize::from(fields.u8()?);
        fields.bytes(length)?;
    }
    if flags & 0x20 != 0 {
        fields.u16()?;
    }
    let (_, config) = descriptor(&mut fields).filter(|(tag, _)| *tag == 4)?;
    let mut fields = Fields::new(config);
    let object = fields.u8()?;
    fields.bytes(12)?;
    match object {
        0x40 | 0x66..=0x68 => {
            let (_, specific) = descriptor(&mut fields).filter(|(tag, _)| *tag == 5)?;
            entry.config = Bytes::copy_from_slice(specific);
            let parsed = aac::parse_config(specific)?;
            entry.sample_rate = parsed.sample_rate;
            entry.frame_samples = parsed.frame_samples;
            if parsed.channels > 0 {
                entry.channels = parsed.channels;
            }
        }
        0x69 | 0x6b => {
            entry.codec = Codec::Mp3;
            entry.frame_samples = if entry.sample_rate < 32_000 {
                576
            } else {
                1152
            };
        }
        0xa5 | 0xa6 => {
            entry.codec = Codec::Ac3;
            entry.frame_samples = 1536;
        }
        other => entry.codec = Codec::Other(format!("mp4a object 0x{other:02x}")),
    }
    Some(())
}
