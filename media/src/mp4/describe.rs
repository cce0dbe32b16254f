//! Sample descriptions as the writer needs them: `avc1`, `hvc1`, `mp4a` and their configurations.

use bytes::Bytes;

use super::boxes::{make, make_full};
use crate::bitstream::bits::BitReader;
use crate::bitstream::{h264, hevc};
use crate::samples::{Codec, ParameterSets};

/// The sample description of a video track. `in_band` leaves the sets in the samples as well.
pub(crate) fn video(
    codec: &Codec,
    sets: &ParameterSets,
    (width, height): (u32, u32),
    pixel_aspect: Option<(u32, u32)>,
    in_band: bool,
) -> Option<Vec<u8>> {
    let (kind, config) = match (codec, in_band) {
        (Codec::H264, false) => (b"avc1", avcc(sets)?),
        (Codec::H264, true) => (b"avc3", avcc(sets)?),
        (Codec::Hevc, false) => (b"hvc1", hvcc(sets, true)?),
        (Codec::Hevc, true) => (b"hev1", hvcc(sets, false)?),
        _ => return None,
    };
    let mut body = vec![0u8; 78];
    body[7] = 1;
    body[24..26].copy_from_slice(&(width as u16).to_be_bytes());
    body[26..28].copy_from_slice(&(height as u16).to_be_bytes());
    body[28..32].copy_from_slice(&0x0048_0000u32.to_be_bytes());
    body[32..36].copy_from_slice(&0x0048_0000u32.to_be_bytes());
    body[41] = 1;
    body[74..78].copy_from_slice(&[0, 0x18, 0xff, 0xff]);
    let aspect = pixel_aspect
        .map(|(h, v)| make(b"pasp", &[&h.to_be_bytes(), &v.to_be_bytes()]))
        .unwrap_or_default();
    Some(make(kind, &[&body, &config, &aspect]))
}

fn push_set(out: &mut Vec<u8>, set: &Bytes) -> Option<()> {
    out.extend_from_slice(&u16::try_from(set.len()).ok()?.to_be_bytes());
    out.extend_from_slice(set);
    Some(())
}

fn avcc(sets: &ParameterSets) -> Option<Vec<u8>> {
    let first = sets.sps.first()?;
    let sps = h264::parse_sps(first)?;
    let mut body = vec![1];
    body.extend_from_slice(first.get(1..4)?);
    body.extend_from_slice(&[0xff, 0xe0 | u8::try_from(sets.sps.len()).ok()?.min(31)]);
    for set in sets.sps.iter().take(31) {
        push_set(&mut body, set)?;
    }
    body.push(u8::try_from(sets.pps.len()).ok()?);
    for set in &sets.pps {
        push_set(&mut body, set)?;
    }
    if !matches!(sps.profile_idc, 66 | 77 | 88) {
        body.push(0xfc | sps.chroma_format as u8 & 3);
        body.push(0xf8 | (sps.bit_depth_luma - 8) as u8 & 7);
        body.push(0xf8 | (sps.bit_depth_chroma - 8) as u8 & 7);
        body.push(0);
    }
    Some(make(b"avcC", &[&body]))
}

fn hvcc(sets: &ParameterSets, complete: bool) -> Option<Vec<u8>> {
    let sps = hevc::parse_sps(sets.sps.first()?)?;
    let mut body = vec![1];
    body.extend_from_slice(&sps.profile_tier_level);
    body.extend_from_slice(&[0xf0, 0, 0xfc]);
    body.push(0xfc | sps.chroma_format as u8 & 3);
    body.push(0xf8 | (sps.bit_depth_luma - 8) as u8 & 7);
    body.push(0xf8 | (sps.bit_depth_chroma - 8) as u8 & 7);
    body.extend_from_slice(&[0, 0]);
    body.push((sps.sub_layers as u8) << 3 | u8::from(sps.temporal_id_nesting) << 2 | 3);
    body.push(3);
    for (kind, list) in [(32u8, &sets.vps), (33, &sets.sps), (34, &sets.pps)] {
        body.push(u8::from(complete) << 7 | kind);
        body.extend_from_slice(&u16::try_from(list.len()).ok()?.to_be_bytes());
        for set in list {
            push_set(&mut body, set)?;
        }
    }
    Some(make(b"hvcC", &[&body]))
}

/// The sample description of an audio track; `first` is its first frame.
pub(crate) fn audio(
    codec: &Codec,
    config: &[u8],
    sample_rate: u32,
    channels: u32,
    first: &[u8],
) -> Option<Vec<u8>> {
    let (kind, extension) = match codec {
        Codec::Aac => (b"mp4a", esds(0x40, config)),
        Codec::Mp3 => (b"mp4a", esds(0x6b, &[])),
        Codec::Ac3 => (b"ac-3", dac3(first)?),
        _ => return None,
    };
    let mut body = vec![0u8; 28];
    body[7] = 1;
    body[16..18].copy_from_slice(&(channels.max(1) as u16).to_be_bytes());
    body[18..20].copy_from_slice(&16u16.to_be_bytes());
    // A rate above 65535 does not fit the field and is then said by the configuration alone.
    let rate = if sample_rate <= 0xffff {
        sample_rate << 16
    } else {
        0
    };
    body[24..28].copy_from_slice(&rate.to_be_bytes());
    Some(make(kind, &[&body, &extension]))
}

fn descriptor(tag: u8, body: &[&[u8]]) -> Vec<u8> {
    let length: usize = body.iter().map(|part| part.len()).sum();
    let mut out = vec![
        tag,
        0x80,
        0x80,
        0x80 | (length >> 7) as u8 & 0x7f,
        length as u8 & 0x7f,
    ];
    for part in body {
        out.extend_from_slice(part);
    }
    out
}

fn esds(object: u8, config: &[u8]) -> Vec<u8> {
    let specific = if config.is_empty() {
        Vec::new()
    } else {
        descriptor(5, &[config])
    };
    let mut head = [0u8; 13];
    head[0] = object;
    head[1] = 0x15;
    let decoder = descriptor(4, &[&head, &specific]);
    let es = descriptor(3, &[&[0, 0, 0], &decoder, &descriptor(6, &[&[2]])]);
    make_full(b"esds", 0, 0, &[&es])
}

/// From the first frame; `None` for E-AC-3, whose box needs more than one frame shows.
fn dac3(frame: &[u8]) -> Option<Vec<u8>> {
    if frame.get(..2)? != [0x0b, 0x77] || frame.get(5)? >> 3 > 8 {
        return None;
    }
    let mut r = BitReader::new(frame.get(4..)?);
    let rate = r.bits(2)?;
    let size = r.bits(6)?;
    let id = r.bits(5)?;
    let mode = r.bits(3)?;
    let coding = r.bits(3)?;
    if coding & 1 == 1 && coding != 1 {
        r.skip(2)?;
    }
    if coding & 4 == 4 {
        r.skip(2)?;
    }
    if coding == 2 {
        r.skip(2)?;
    }
    let low = r.bits(1)?;
    let word = rate << 22 | id << 17 | mode << 14 | coding << 11 | low << 10 | (size / 2) << 5;
    Some(make(b"dac3", &[&word.to_be_bytes()[1..]]))
}
