//! MPEG-1 and MPEG-2 video elementary streams: pictures, two fields of one frame joined, with the
//! timecode of their groups.

use bytes::Bytes;
use matchcut_model::timecode::EmbeddedTimecode;

use super::es::Mark;
use super::times::give_times;
use super::video::{VideoReader, timecodes};
use crate::bitstream::mpeg2::{Group, Picture, Sequence, code, field_of, start_codes};
use crate::samples::{Codec, Sample, SyncKind, VideoTrack};

/// Whether this reads the codec.
pub(super) fn is(codec: &Codec) -> bool {
    matches!(codec, Codec::Other(name) if name == "mpeg2video" || name == "mpeg1video")
}

/// A picture, or two fields of one, and the headers in front.
struct Coded {
    start: usize,
    end: usize,
    picture: Picture,
    /// For a single field, whether it is the bottom one.
    field: Option<bool>,
    group: Option<Group>,
    has_sequence: bool,
}

/// What stands before a picture and belongs to it.
#[derive(Default)]
struct Front {
    start: Option<usize>,
    group: Option<Group>,
    has_sequence: bool,
}

/// The pictures of a stream, and the last sequence header.
fn pictures(data: &[u8]) -> (Vec<Coded>, Option<Sequence>) {
    let mut out: Vec<Coded> = Vec::new();
    let mut sequence: Option<Sequence> = None;
    let mut front = Front::default();
    // Where the headers of the next picture may stand: behind a slice.
    let mut complete = true;
    for (at, code) in start_codes(data) {
        let body = data.get(at + 4..).unwrap_or_default();
        if matches!(code, code::SEQUENCE | code::GROUP | code::PICTURE) {
            if let Some(last) = out.last_mut().filter(|last| last.end > at) {
                last.end = at;
            }
            front.start.get_or_insert(at);
        }
        match code {
            code::SEQUENCE => {
                sequence = Sequence::parse(body).or(sequence);
                front.has_sequence = true;
            }
            code::GROUP => front.group = Group::parse(body),
            code::PICTURE => {
                let front = std::mem::take(&mut front);
                let Some(picture) = Picture::parse(body) else {
                    continue;
                };
                out.push(Coded {
                    start: front.start.unwrap_or(at),
                    end: data.len(),
                    picture,
                    field: None,
                    group: front.group,
                    has_sequence: front.has_sequence,
                });
                complete = false;
            }
            code::EXTENSION if front.has_sequence => {
                if let Some(sequence) = &mut sequence {
                    let _ = sequence.extend(body);
                }
            }
            code::EXTENSION if !complete => {
                if let (Some(last), Some(bottom)) = (out.last_mut(), field_of(body)) {
                    last.field = Some(bottom);
                }
            }
            code::FIRST_SLICE..=code::LAST_SLICE => complete = true,
            _ => {}
        }
    }
    // A header without a slice is no picture.
    if !complete {
        out.pop();
    }
    (out, sequence)
}

/// A frame: where it is, and what is known of it.
struct Frame {
    bytes: Vec<(usize, usize)>,
    picture: Picture,
    open_field: Option<bool>,
    group: Option<Group>,
    has_sequence: bool,
    pts: Option<i64>,
    dts: Option<i64>,
}

/// Turns an elementary stream into a track; `None` when it holds not one complete picture.
pub(super) fn track(
    data: Bytes,
    marks: &[Mark],
    codec: Codec,
    cut_off: bool,
    warnings: &mut Vec<String>,
) -> Option<VideoTrack> {
    let (mut pictures, sequence) = pictures(&data);
    if cut_off && pictures.len() > 1 {
        pictures.pop();
        warnings.push("video: the last picture is cut off and left out".into());
    }
    let mut frames = frames(pictures, marks);
    let rate = sequence.and_then(|sequence| sequence.frame_rate);
    let step = rate.map(|rate| rate.frame_duration().to_ticks(90_000));
    fill_in(&mut frames, step);

    let mut labels: Vec<Option<EmbeddedTimecode>> = Vec::new();
    let mut groups: Vec<Option<Group>> = Vec::new();
    let mut open_gop = false;
    let timed = frames.into_iter().map(|frame| {
        let closed = frame.group.is_none_or(|group| group.closed);
        let sync = match frame.picture.intra && frame.has_sequence {
            true if closed => SyncKind::Idr,
            true => SyncKind::OpenGop,
            false => SyncKind::None,
        };
        open_gop |= sync == SyncKind::OpenGop;
        groups.push(frame.group);
        let bytes = match frame.bytes.as_slice() {
            [(start, end)] => data.slice(start..end),
            parts => {
                let parts: Vec<&[u8]> = parts.iter().map(|(s, e)| &data[*s..*e]).collect();
                parts.concat().into()
            }
        };
        let sample = Sample {
            pts: 0,
            dts: 0,
            duration: 0,
            sync,
            leading: false,
            reference: frame.picture.reference,
            data: bytes,
        };
        (frame.pts, frame.dts, sample)
    });
    let timed: Vec<_> = timed.collect();
    let made = timed.len();
    let samples = give_times(timed, rate, warnings);
    if samples.is_empty() {
        return None;
    }
    groups.drain(..made - samples.len());
    labels.resize(samples.len(), None);
    label(&samples, &groups, &mut labels);

    let mut track = VideoReader::of_rate(codec, rate).finish(90_000, samples);
    track.timecodes = timecodes(&track.samples, &labels, track.frame_rate);
    track.open_gop = open_gop;
    if let Some(sequence) = sequence {
        (track.width, track.height) = (sequence.width, sequence.height);
        track.pixel_aspect = sequence.pixel_aspect();
        (track.profile, track.level) = (sequence.profile(), sequence.level());
    }
    if !track.samples.iter().any(|sample| sample.sync.is_key()) {
        warnings.push("video: no key frame; it can be decoded only after the chunk before".into());
    }
    Some(track)
}

/// Joins the fields of a frame, and gives each frame the time of the packet that it begins in.
fn frames(pictures: Vec<Coded>, marks: &[Mark]) -> Vec<Frame> {
    let mut out: Vec<Frame> = Vec::new();
    let mut next_mark = 0;
    for coded in pictures {
        let mut mark = None;
        // A time belongs to the first picture that begins in its packet.
        while let Some(found) = marks.get(next_mark).filter(|m| m.offset <= coded.start) {
            mark = Some(*found);
            next_mark += 1;
        }
        let second = out.last_mut().filter(|last| {
            let same = last.picture.temporal_reference == coded.picture.temporal_reference;
            let other = last
                .open_field
                .zip(coded.field)
                .is_some_and(|(a, b)| a != b);
            same && other && coded.group.is_none()
        });
        if let Some(frame) = second {
            frame.open_field = None;
            frame.bytes.push((coded.start, coded.end));
            continue;
        }
        out.push(Frame {
            bytes: vec![(coded.start, coded.end)],
            picture: coded.picture,
            open_field: coded.field,
            group: coded.group,
            has_sequence: coded.has_sequence,
            pts: mark.and_then(|mark| mark.pts),
            dts: mark.and_then(|mark| mark.dts),
        });
    }
    out
}

/// Times of pictures whose packets have none, from their place in a group that has one.
fn fill_in(frames: &mut [Frame], step: Option<i64>) {
    let Some(step) = step else { return };
    let mut from = 0;
    while from < frames.len() {
        let rest = frames.get(from + 1..).unwrap_or_default();
        let length = 1 + rest
            .iter()
            .take_while(|frame| frame.group.is_none())
            .count();
        let Some(group) = frames.get_mut(from..from + length) else {
            return;
        };
        let zero = group.iter().find_map(|frame| {
            Some(frame.pts? - i64::from(frame.picture.temporal_reference) * step)
        });
        if let Some(zero) = zero {
            for frame in group.iter_mut().filter(|frame| frame.pts.is_none()) {
                frame.pts = Some(zero + i64::from(frame.picture.temporal_reference) * step);
            }
        }
        from += length;
    }
}

/// The timecode of a group is that of its first picture in order of presentation.
fn label(samples: &[Sample], groups: &[Option<Group>], labels: &mut [Option<EmbeddedTimecode>]) {
    let starts: Vec<usize> = (0..groups.len())
        .filter(|at| groups[*at].is_some())
        .collect();
    for (place, start) in starts.iter().copied().enumerate() {
        let end = starts.get(place + 1).copied().unwrap_or(samples.len());
        let first = (start..end).min_by_key(|at| samples[*at].pts);
        if let (Some(first), Some(group)) = (first, groups[start]) {
            labels[first] = Some(group.timecode);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One picture: headers, one slice.
    fn picture(reference: u16, kind: u8, field: u8) -> Vec<u8> {
        let head = reference << 6 | u16::from(kind) << 3;
        let mut out = vec![0, 0, 1, 0];
        out.extend(head.to_be_bytes());
        out.extend([0xff, 0xf8]);
        out.extend([0, 0, 1, 0xb5, 0x8f, 0xff, 0xf0 | field, 0x80]);
        out.extend([0, 0, 1, 1, 0x55, 0x00]);
        out
    }

    fn mark(offset: usize, pts: i64) -> Mark {
        Mark {
            offset,
            pts: Some(pts),
            dts: None,
            entry: None,
            random_access: false,
        }
    }

    #[test]
    fn fields_are_joined_and_times_filled_in() {
        let mut data = vec![0, 0, 1, 0xb3, 0x2d, 0x02, 0x40, 0x33, 0, 0];
        data.extend([0, 0, 1, 0xb5, 0x14, 0x82, 0, 0x01, 0, 0]);
        // An open group that begins at 10:00:00:05.
        data.extend([
            0,
            0,
            1,
            0xb8,
            0b0010_1000,
            0b0000_1000,
            0b0000_0010,
            0b1000_0000,
        ]);
        // I as two fields, shown third; B and B before it; then P.
        let pictures = [(2, 1, 1), (2, 2, 2), (0, 3, 3), (1, 3, 3), (3, 2, 3)];
        for (reference, kind, field) in pictures {
            data.extend(picture(reference, kind, field));
        }
        let mut warnings = Vec::new();
        let codec = Codec::Other("mpeg2video".into());
        let marks = [mark(0, 907_200)];
        let track = track(data.clone().into(), &marks, codec, false, &mut warnings).unwrap();
        let pts: Vec<i64> = track.samples.iter().map(|sample| sample.pts).collect();
        assert_eq!(pts, [907_200, 900_000, 903_600, 910_800]);
        assert_eq!(track.samples[0].sync, SyncKind::OpenGop);
        assert!(track.samples[1].leading && !track.samples[1].reference);
        let all: Vec<u8> = track.samples.iter().flat_map(|s| s.data.to_vec()).collect();
        assert_eq!(all, data, "no byte is lost");
        assert_eq!(track.timecodes.len(), 1);
        let timecode = track.timecodes[0];
        assert_eq!((timecode.frame, timecode.timecode.hours), (0, 10));
        assert_eq!(timecode.timecode.frames, 5);
    }
}
