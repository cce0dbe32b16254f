//! Matroska and WebM: tracks and the places of all their blocks. Only the heads of blocks are read
//! here. Matroska writes presentation times alone; decoding times follow from their order.

use std::collections::BTreeMap;

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::FrameRate;

use super::ebml::{Reader, elements, float, number, text, unsigned};
use super::index::{Index, Track};
use super::{FileContainer, FileError, Opening};
use crate::bitstream::aac;
use crate::mp4::sample_entry::{self, SampleEntry};
use crate::mp4::sample_table::Place;
use crate::mp4::ticks;
use crate::samples::Codec;

const EBML: u32 = 0x1a45_dfa3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_a966;
const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK_ENTRY: u32 = 0xae;
const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;
const BLOCK_DURATION: u32 = 0x9b;
const REFERENCE_BLOCK: u32 = 0xfb;

const NANOSECONDS: u64 = 1_000_000_000;
/// Descriptions of tracks beyond this size are not meant seriously.
const MOST_TRACKS: u64 = 64 << 20;
/// Frames that last longer, in nanoseconds, have no usual duration.
const LONGEST_FRAME: u64 = 10 * NANOSECONDS;
/// Blocks that last longer, in ticks, do not say how long they last.
const LONGEST_BLOCK: i64 = 1 << 50;
/// Bytes that are left out at the front of every sample are a few.
const LONGEST_PREFIX: usize = 1024;
/// More than the sizes of the frames of one block can take.
const LACE_HEAD: usize = 8192;

/// A track while its blocks are collected.
struct Collected {
    track: Track,
    video: bool,
    /// Nanoseconds of a frame; 0 when not said.
    frame: u64,
    /// Ticks to take off every timestamp: what the decoder adds in front.
    delay: i64,
}

/// Ticks in a second, and nanoseconds in a tick.
#[derive(Clone, Copy)]
struct Scale {
    timescale: u32,
    /// Ticks in a unit of the file's timestamps.
    factor: i64,
}

impl Scale {
    fn new(nanoseconds: u64) -> Scale {
        let unit = nanoseconds.clamp(1, NANOSECONDS);
        // The file's own unit when it divides a second, else nanoseconds.
        if NANOSECONDS.is_multiple_of(unit) {
            let timescale = (NANOSECONDS / unit) as u32;
            Scale {
                timescale,
                factor: 1,
            }
        } else {
            let (timescale, factor) = (NANOSECONDS as u32, unit as i64);
            Scale { timescale, factor }
        }
    }

    /// Nanoseconds in ticks, rounded.
    fn ticks(self, nanoseconds: u64) -> i64 {
        let scaled = u128::from(nanoseconds) * u128::from(self.timescale);
        let rounded = (scaled + u128::from(NANOSECONDS) / 2) / u128::from(NANOSECONDS);
        i64::try_from(rounded).unwrap_or(i64::MAX)
    }
}

/// Finds the samples of a file.
pub(super) fn open(opening: &Opening<'_>) -> Result<(FileContainer, Index), FileError> {
    let mut reader = Reader::new(opening);
    let mut container = FileContainer::Matroska;
    let mut warnings = Vec::new();
    let mut scale = Scale::new(1_000_000);
    let mut descriptions: Option<Vec<u8>> = None;
    let mut tracks: Option<BTreeMap<u64, Collected>> = None;
    let mut cluster = 0i64;
    let mut at = 0;
    let mut cut_off = false;
    while at < opening.size {
        let Some(element) = reader.element(at)? else {
            if opening.size - at >= 12 {
                warnings.push(format!(
                    "the file is damaged at byte {at}; what follows is not read"
                ));
            } else {
                cut_off = true;
            }
            break;
        };
        if matches!(element.id, SEGMENT | CLUSTER) {
            cut_off |= element.end.is_some_and(|end| end > opening.size);
            at = element.body;
            continue;
        }
        let Some(end) = element.end else {
            let id = element.id;
            warnings.push(format!(
                "element {id:x} at byte {at} has no size; what follows is not read"
            ));
            break;
        };
        if end > opening.size {
            cut_off = true;
            break;
        }
        let size = end - element.body;
        let body = |reader: &mut Reader<'_>| -> Result<Vec<u8>, FileError> {
            let length = usize::try_from(size.min(MOST_TRACKS)).unwrap_or(0);
            Ok(reader.bytes(element.body, length)?.to_vec())
        };
        match element.id {
            EBML => {
                let head = body(&mut reader)?;
                let kind = elements(&head).find(|(id, _)| *id == DOC_TYPE);
                if kind.is_some_and(|(_, body)| text(body) == "webm") {
                    container = FileContainer::Webm;
                }
            }
            INFO => {
                let info = body(&mut reader)?;
                let unit = elements(&info)
                    .find(|(id, _)| *id == TIMESTAMP_SCALE)
                    .and_then(|(_, body)| unsigned(body));
                scale = unit.map_or(scale, Scale::new);
            }
            TRACKS if descriptions.is_none() => descriptions = Some(body(&mut reader)?),
            TIMESTAMP => {
                let value = unsigned(&body(&mut reader)?).unwrap_or(0);
                cluster = i64::try_from(value).unwrap_or(0);
            }
            SIMPLE_BLOCK | BLOCK_GROUP => {
                let tracks = tracks.get_or_insert_with(|| {
                    let described = descriptions.as_deref().unwrap_or_default();
                    describe(described, scale, &mut warnings)
                });
                let group = element.id == BLOCK_GROUP;
                let blocks = if group {
                    group_block(&mut reader, element.body, end)?
                } else {
                    Some(Block {
                        at: element.body,
                        end,
                        key: None,
                        duration: None,
                    })
                };
                if let Some(block) = blocks {
                    take(&mut reader, &block, cluster, scale, tracks)?;
                }
            }
            _ => {}
        }
        at = end;
    }
    if cut_off {
        warnings.push(format!("the file is cut off after {} bytes", opening.size));
    }
    let Some(tracks) = tracks else {
        return Err(match (cut_off, descriptions) {
            (true, _) => opening.truncated("it ends before its first sample"),
            (false, Some(_)) => opening.no_tracks("there is no sample in it"),
            (false, None) => opening.no_tracks("it describes no tracks"),
        });
    };
    index(opening, tracks, warnings).map(|index| (container, index))
}

fn index(
    opening: &Opening<'_>,
    tracks: BTreeMap<u64, Collected>,
    warnings: Vec<String>,
) -> Result<Index, FileError> {
    let mut index = Index {
        video: None,
        audio: Vec::new(),
        warnings,
    };
    let mut audio = 0;
    for (_, mut collected) in tracks {
        audio += u32::from(!collected.video);
        if collected.track.places.is_empty() {
            continue;
        }
        if collected.video && index.video.is_some() {
            let codec = &collected.track.entry.codec;
            let warning = format!("a further video track ({codec}) is ignored");
            index.warnings.push(warning);
            continue;
        }
        complete(&mut collected);
        match collected.video {
            true => index.video = Some(collected.track),
            false => index.audio.push((TrackNumber(audio), collected.track)),
        }
    }
    if index.video.is_none() && index.audio.is_empty() {
        let what = match index.warnings.last() {
            Some(warning) => warning.clone(),
            None => "no track has a sample".to_owned(),
        };
        return Err(opening.no_tracks(what));
    }
    Ok(index)
}

/// Gives every sample a decoding time and a duration.
fn complete(collected: &mut Collected) {
    let timescale = u64::from(collected.track.timescale);
    let places = &mut collected.track.places;
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|place| places[*place].pts);
    let stated = (collected.frame * timescale + NANOSECONDS / 2) / NANOSECONDS;
    let mut last = i64::try_from(stated).unwrap_or(0);
    for pair in order.windows(2) {
        let step = places[pair[1]].pts - places[pair[0]].pts;
        if places[pair[0]].duration == 0 {
            places[pair[0]].duration = step;
        }
        if stated == 0 {
            last = step;
        }
    }
    if let Some(end) = order.last().filter(|end| places[**end].duration == 0) {
        places[*end].duration = last;
    }
    if !collected.video {
        return;
    }
    let mut times: Vec<i64> = order.iter().map(|place| places[*place].pts).collect();
    for at in 1..times.len() {
        times[at] = times[at].max(times[at - 1] + 1);
    }
    let late = places
        .iter()
        .zip(&times)
        .map(|(place, dts)| dts - place.pts);
    let delay = late.max().unwrap_or(0).max(0);
    for (place, dts) in places.iter_mut().zip(times) {
        place.dts = dts - delay;
    }
}

/// A block in the file.
struct Block {
    at: u64,
    end: u64,
    /// What its group says; a simple block says it itself.
    key: Option<bool>,
    /// In units of the file's timestamps.
    duration: Option<u64>,
}

fn group_block(reader: &mut Reader<'_>, from: u64, to: u64) -> Result<Option<Block>, FileError> {
    let (mut block, mut key, mut duration) = (None, true, None);
    let mut at = from;
    while at < to {
        let Some(element) = reader.element(at)? else {
            break;
        };
        let Some(end) = element.end.filter(|end| *end <= to) else {
            break;
        };
        match element.id {
            BLOCK => block = Some((element.body, end)),
            REFERENCE_BLOCK => key = false,
            BLOCK_DURATION => {
                let length = usize::try_from(end - element.body).unwrap_or(8).min(8);
                duration = unsigned(reader.bytes(element.body, length)?);
            }
            _ => {}
        }
        at = end;
    }
    Ok(block.map(|(at, end)| Block {
        at,
        end,
        key: Some(key),
        duration,
    }))
}

/// Adds the frames of a block to its track.
fn take(
    reader: &mut Reader<'_>,
    block: &Block,
    cluster: i64,
    scale: Scale,
    tracks: &mut BTreeMap<u64, Collected>,
) -> Result<(), FileError> {
    let size = block.end - block.at;
    let length = usize::try_from(size).unwrap_or(usize::MAX).min(32);
    let mut head = reader.bytes(block.at, length)?.to_vec();
    let Some((Some(number), skip)) = number(&head) else {
        return Ok(());
    };
    let (Some(&[high, low, flags]), Some(collected)) = (
        head.get(skip..).and_then(|rest| rest.first_chunk::<3>()),
        tracks.get_mut(&number),
    ) else {
        return Ok(());
    };
    let relative = i64::from(i16::from_be_bytes([high, low]));
    let units = cluster
        .saturating_add(relative)
        .saturating_mul(scale.factor);
    let pts = units.saturating_sub(collected.delay);
    let skip = skip + 3;
    let lacing = flags >> 1 & 3;
    let (sizes, skip) = if lacing == 0 {
        (vec![size - skip as u64], skip)
    } else {
        let length = usize::try_from(size).unwrap_or(usize::MAX).min(LACE_HEAD);
        head = reader.bytes(block.at, length)?.to_vec();
        match laced(&head, skip, size, lacing) {
            Some(laced) => laced,
            None => return Ok(()),
        }
    };
    let count = sizes.len() as u64;
    let said = block.duration.and_then(|units| {
        let units = i64::try_from(units).ok()?;
        let ticks = units.checked_mul(scale.factor)?;
        (ticks <= LONGEST_BLOCK).then_some(ticks)
    });
    let mut offset = block.at + skip as u64;
    for (frame, size) in (0u64..).zip(sizes) {
        // Frames of one block follow each other at the length of a frame.
        let after = match said {
            Some(all) => all * frame as i64 / count as i64,
            None => scale.ticks(collected.frame.saturating_mul(frame)),
        };
        let stated = match said {
            Some(all) => all / count as i64,
            None if count > 1 => scale.ticks(collected.frame),
            None => 0,
        };
        let pts = ticks(&[pts, after]);
        if let (Ok(size), true, Some(pts)) = (u32::try_from(size), size > 0, pts) {
            collected.track.places.push(Place {
                offset,
                size,
                pts,
                dts: pts,
                duration: stated,
                sync: !collected.video || block.key.unwrap_or(flags & 0x80 != 0),
            });
        }
        offset += size;
    }
    Ok(())
}

/// The sizes of the frames of a block of `size` bytes, and where the first begins.
fn laced(head: &[u8], from: usize, size: u64, lacing: u8) -> Option<(Vec<u64>, usize)> {
    let count = usize::from(*head.get(from)?) + 1;
    let mut at = from + 1;
    let mut sizes: Vec<u64> = Vec::with_capacity(count);
    match lacing {
        // Xiph: bytes are added up until one is not 255.
        1 => {
            while sizes.len() + 1 < count {
                let mut sum = 0;
                loop {
                    let byte = *head.get(at)?;
                    at += 1;
                    sum += u64::from(byte);
                    if byte < 255 {
                        break;
                    }
                }
                sizes.push(sum);
            }
        }
        // EBML: the first size, then signed differences.
        3 => {
            while sizes.len() + 1 < count {
                let (value, length) = number(head.get(at..)?)?;
                at += length;
                let value = i64::try_from(value?).ok()?;
                let next = match sizes.last() {
                    None => value,
                    Some(last) => {
                        let bias = (1i64 << (7 * length - 1)) - 1;
                        i64::try_from(*last).ok()?.checked_add(value - bias)?
                    }
                };
                sizes.push(u64::try_from(next).ok()?);
            }
        }
        // All of one size.
        _ => {
            let each = size.checked_sub(at as u64)? / count as u64;
            return Some((vec![each; count], at));
        }
    }
    let taken = sizes
        .iter()
        .try_fold(at as u64, |sum, size| sum.checked_add(*size))?;
    sizes.push(size.checked_sub(taken)?);
    Some((sizes, at))
}

/// Tracks of video and audio by number, without samples.
fn describe(body: &[u8], scale: Scale, warnings: &mut Vec<String>) -> BTreeMap<u64, Collected> {
    let mut out = BTreeMap::new();
    for (_, entry) in elements(body).filter(|(id, _)| *id == TRACK_ENTRY) {
        let Some(number) = find(entry, 0xd7).and_then(unsigned) else {
            continue;
        };
        let video = match find(entry, 0x83).and_then(unsigned) {
            Some(1) => true,
            Some(2) => false,
            _ => continue,
        };
        match describe_track(entry, video, scale) {
            Ok(track) => drop(out.insert(number, track)),
            Err(why) => warnings.push(format!("track {number} is ignored: {why}")),
        }
    }
    out
}

fn find(body: &[u8], id: u32) -> Option<&[u8]> {
    elements(body)
        .find(|(found, _)| *found == id)
        .map(|(_, body)| body)
}

fn codec(id: &str) -> Codec {
    let starts = |name: &str| id.starts_with(name);
    match id {
        "V_MPEG4/ISO/AVC" => Codec::H264,
        "V_MPEGH/ISO/HEVC" => Codec::Hevc,
        "A_AC3" | "A_EAC3" => Codec::Ac3,
        _ if starts("A_AAC") => Codec::Aac,
        _ if starts("A_MPEG/L") => Codec::Mp3,
        _ => {
            let name = id.strip_prefix("V_").or_else(|| id.strip_prefix("A_"));
            Codec::Other(name.unwrap_or(id).to_ascii_lowercase())
        }
    }
}

fn describe_track(entry: &[u8], video: bool, scale: Scale) -> Result<Collected, String> {
    let id = find(entry, 0x86).map(text).unwrap_or_default();
    let whole = |id| find(entry, id).and_then(unsigned);
    let mut described = sample_entry::empty(codec(&id));
    let private = find(entry, 0x63a2).unwrap_or_default();
    let prefix = match find(entry, 0x6d80) {
        Some(encodings) => prefix(encodings)?,
        None => Bytes::new(),
    };
    let frame = whole(0x23_e383)
        .filter(|frame| *frame <= LONGEST_FRAME)
        .unwrap_or(0);
    if video {
        describe_video(entry, private, &mut described)
            .ok_or_else(|| format!("the description of its {id} is damaged"))?;
    } else {
        describe_audio(entry, private, &mut described)
            .ok_or_else(|| format!("the description of its {id} is damaged"))?;
    }
    let language = match find(entry, 0x22_b59c).map(text) {
        Some(code) => Some(code).filter(|code| code != "und" && !code.is_empty()),
        None => Some("eng".to_owned()),
    };
    let rate = u32::try_from(frame).ok().filter(|_| video);
    let track = Track {
        entry: described,
        timescale: scale.timescale,
        language,
        frame_rate: rate.and_then(rate_of),
        prefix,
        places: Vec::new(),
    };
    Ok(Collected {
        track,
        video,
        frame,
        delay: scale.ticks(whole(0x56aa).unwrap_or(0)),
    })
}

/// The frame rate whose frames last so many nanoseconds: one over 1 or 1001, if any is near.
fn rate_of(nanoseconds: u32) -> Option<FrameRate> {
    let exact = NANOSECONDS as f64 / f64::from(nanoseconds.max(1));
    let near = |rate: f64| (rate - exact).abs() <= exact * 1e-5;
    let usual = exact.round();
    let drop = (exact * 1.001).round();
    if near(usual) {
        FrameRate::new(usual as u32, 1)
    } else if near(drop * 1000.0 / 1001.0) {
        FrameRate::new(drop as u32 * 1000, 1001)
    } else {
        FrameRate::new(NANOSECONDS as u32, nanoseconds)
    }
}

fn describe_video(entry: &[u8], private: &[u8], described: &mut SampleEntry) -> Option<()> {
    let video = find(entry, 0xe0).unwrap_or_default();
    let whole = |id| {
        let value = find(video, id).and_then(unsigned).unwrap_or(0);
        u32::try_from(value).unwrap_or(0)
    };
    let less = |size: u32, one, other| size.saturating_sub(whole(one)).saturating_sub(whole(other));
    described.width = less(whole(0xb0), 0x54cc, 0x54dd);
    described.height = less(whole(0xba), 0x54bb, 0x54aa);
    let (shown, high) = (whole(0x54b0), whole(0x54ba));
    if shown > 0 && high > 0 && described.width > 0 && described.height > 0 {
        // The shape of a pixel is that of the display over that of the picture.
        let aspect = (
            u64::from(shown) * u64::from(described.height),
            u64::from(high) * u64::from(described.width),
        );
        let divisor = gcd(aspect.0, aspect.1);
        let reduced = (aspect.0 / divisor, aspect.1 / divisor);
        // A display size rounded to whole pixels says nothing of the shape.
        let error = (aspect.0 as f64 / aspect.1 as f64 - 1.0).abs();
        if error > 1.0 / f64::from(described.width.min(described.height)) {
            described.pixel_aspect = u32::try_from(reduced.0)
                .ok()
                .zip(u32::try_from(reduced.1).ok());
        }
    }
    match described.codec {
        Codec::H264 => sample_entry::parse_avcc(private, described),
        Codec::Hevc => sample_entry::parse_hvcc(private, described),
        _ => Some(()),
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

fn describe_audio(entry: &[u8], private: &[u8], described: &mut SampleEntry) -> Option<()> {
    let audio = find(entry, 0xe1).unwrap_or_default();
    let rate = find(audio, 0xb5).and_then(float).unwrap_or(8000.0);
    described.sample_rate = rate.clamp(0.0, 1e7) as u32;
    let channels = find(audio, 0x9f).and_then(unsigned).unwrap_or(1);
    described.channels = u32::try_from(channels).unwrap_or(0);
    described.config = Bytes::copy_from_slice(private);
    match described.codec {
        Codec::Aac => {
            let config = aac::parse_config(private)?;
            described.sample_rate = config.sample_rate;
            described.frame_samples = config.frame_samples;
            if config.channels > 0 {
                described.channels = config.channels;
            }
        }
        Codec::Mp3 if described.sample_rate < 32_000 => described.frame_samples = 576,
        Codec::Mp3 => described.frame_samples = 1152,
        Codec::Ac3 => described.frame_samples = 1536,
        _ => {}
    }
    Some(())
}

/// Bytes that were taken off the front of every frame. Other encodings cannot be read.
fn prefix(encodings: &[u8]) -> Result<Bytes, String> {
    let mut out = Bytes::new();
    for (_, encoding) in elements(encodings).filter(|(id, _)| *id == 0x6240) {
        if find(encoding, 0x5035).is_some() {
            return Err("it is encrypted".to_owned());
        }
        let Some(compression) = find(encoding, 0x5034) else {
            continue;
        };
        match find(compression, 0x4254).and_then(unsigned).unwrap_or(0) {
            3 => {
                let settings = find(compression, 0x4255).unwrap_or_default();
                if settings.len() > LONGEST_PREFIX {
                    let length = settings.len();
                    return Err(format!("its samples leave out {length} bytes each"));
                }
                out = Bytes::copy_from_slice(settings);
            }
            other => return Err(format!("its samples are compressed by method {other}")),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_block_in_every_lacing() {
        assert_eq!(
            laced(&[2, 255, 5, 10], 0, 300, 1),
            Some((vec![260, 10, 26], 4))
        );
        // 800, then 500 as -300, as the specification of Matroska has it.
        let ebml = [2, 0x43, 0x20, 0x5e, 0xd3];
        assert_eq!(laced(&ebml, 0, 2305, 3), Some((vec![800, 500, 1000], 5)));
        assert_eq!(laced(&[3], 0, 41, 2), Some((vec![10; 4], 1)));
        assert_eq!(laced(&[1, 200], 0, 100, 1), None);
    }

    #[test]
    fn rates_of_frame_lengths() {
        let rate = |nanoseconds| rate_of(nanoseconds).map(|rate| rate.to_string());
        assert_eq!(rate(40_000_000).as_deref(), Some("25"));
        assert_eq!(rate(33_366_666).as_deref(), Some("30000/1001"));
        assert_eq!(rate(41_708_333).as_deref(), Some("24000/1001"));
    }

    #[test]
    fn units_of_time() {
        assert_eq!(Scale::new(1_000_000).timescale, 1000);
        assert_eq!(Scale::new(1_000_000).ticks(6_500_000), 7);
        let odd = Scale::new(333_333);
        assert_eq!((odd.timescale, odd.factor), (1_000_000_000, 333_333));
    }
}
