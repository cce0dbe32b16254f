//! Where a clip enters and leaves the chunks of its source. A player starts every clip of a
//! playlist afresh, so a clip must start where decoding can start and nothing shown refers back.

use matchcut_model::chunk::{ByteRange, Container, Resource};
use matchcut_model::time::{MediaTime, TimeRange};

use super::{HlsChunk, InstantError, InstantReport, PlaylistClip, PlaylistPart};
use crate::samples::{Codec, SyncKind, VideoTrack};

/// How far before its start a clip may begin to find a key frame that every player starts at.
/// Beyond it a clip begins at an open group of pictures, and its report says so.
pub const REACH: MediaTime = MediaTime::from_flicks(15 * matchcut_model::time::FLICKS_PER_SECOND);

/// How much more than its range a clip of fragmented MP4 with sound inside plays where it can. hls.js
/// lets the next clip begin where the shorter of sound and picture ends, over the last frames.
pub const GUARD: MediaTime = MediaTime::from_flicks(matchcut_model::time::FLICKS_PER_SECOND / 10);

/// Where what a clip plays must end at the earliest.
fn guarded(chunk: &HlsChunk<'_>, end: MediaTime) -> MediaTime {
    let muxed = chunk.container == Container::FragmentedMp4 && !chunk.demuxed.audio.is_empty();
    if muxed { end + GUARD } else { end }
}

/// A place where playing can begin.
#[derive(Clone, Copy, Debug)]
struct Entry {
    chunk: usize,
    /// Offset in the chunk, 0 for its start.
    offset: u64,
    /// Event time of the key frame.
    time: MediaTime,
    /// Frames after it that refer to what comes before it.
    broken: u64,
    /// Whether browsers start here.
    browser: bool,
}

/// Makes a clip that plays `range` of the chunks of one stretch of the timeline, which follow each
/// other without a hole. Chunks before the range, up to [`REACH`], let it begin at a clean key frame
/// where the range itself has none.
///
/// The clip begins at the last key frame before the range that nothing shown later refers back
/// beyond, and ends before the first key frame behind it: at a byte range where a chunk is a
/// transport stream with its tables before the key frame, or a fragmented MP4 with a `moof` for the
/// group, and else at the border of a chunk. Encrypted chunks are played whole, since a part of one
/// cannot be decrypted.
pub fn instant(
    chunks: &[HlsChunk<'_>],
    range: TimeRange,
) -> Result<(PlaylistClip, InstantReport), InstantError> {
    let indexed = || chunks.iter().enumerate();
    let first = indexed().find(|(_, chunk)| chunk.span.overlaps(&range));
    let last = indexed().rfind(|(_, chunk)| {
        let end = guarded(chunk, range.end);
        chunk.span.overlaps(&TimeRange::new(range.start, end))
    });
    let (Some((first, _)), Some((last, _))) = (first, last) else {
        return Err(InstantError::Empty(range));
    };
    let entry = enter(chunks, first, range.start);
    let used = chunks.get(entry.chunk..=last).unwrap_or_default();
    if used
        .iter()
        .any(|chunk| chunk.container == Container::FilePart)
    {
        return Err(InstantError::File);
    }
    let last_chunk = chunks.get(last);
    let exit = last_chunk.and_then(|chunk| leave(chunk, guarded(chunk, range.end)));
    let mut clip = PlaylistClip::default();
    let mut played = TimeRange::new(entry.time, entry.time);
    for (index, chunk) in (entry.chunk..).zip(used) {
        let start = (index == entry.chunk).then_some((entry.offset, entry.time));
        let end = exit.filter(|_| index == last);
        add(&mut clip, chunk, start, end);
        played.end = played.end.max(end.map_or(chunk.span.end, |(_, time)| time));
    }
    Ok(report(clip, used, entry, played, range))
}

/// A clip of whole resources that are played one after the other, as for separate audio: each
/// item is what a chunk of the timeline needs, and how long that chunk lasts. What two neighbours
/// share is named once.
pub fn whole<'a>(
    items: impl IntoIterator<Item = (&'a [Resource], Option<&'a Resource>, MediaTime)>,
) -> PlaylistClip {
    let mut clip = PlaylistClip::default();
    for (media, init, duration) in items {
        extend(&mut clip, media, init, duration);
    }
    clip
}

fn extend(
    clip: &mut PlaylistClip,
    media: &[Resource],
    init: Option<&Resource>,
    duration: MediaTime,
) {
    let count = media.len().max(1) as i64;
    for (index, resource) in (0..count).zip(media) {
        // The shares add up to the whole, to the flick.
        let share = |n: i64| duration.flicks() * n / count;
        let share = MediaTime::from_flicks(share(index + 1) - share(index));
        match clip.parts.last_mut() {
            Some(last) if last.media == *resource => last.duration += share,
            _ => clip.parts.push(PlaylistPart {
                media: resource.clone(),
                init: init.cloned(),
                duration: share,
            }),
        }
    }
}

/// Whether a byte range of it can be played by itself.
fn divisible(chunk: &HlsChunk<'_>) -> bool {
    let packed = matches!(
        chunk.container,
        Container::MpegTs | Container::FragmentedMp4
    );
    let clear = |resource: &Resource| resource.encryption.is_none();
    chunk.divisible && packed && chunk.media.len() == 1 && chunk.media.iter().all(clear)
}

/// Its size in bytes, as far as it is known.
fn size(chunk: &HlsChunk<'_>) -> Option<u64> {
    let range = chunk.media.first().and_then(|media| media.range);
    range.map(|range| range.length).or(chunk.bytes)
}

/// The key frames of a chunk as places to begin.
fn entries(index: usize, chunk: &HlsChunk<'_>) -> Vec<Entry> {
    let at_start = |time, broken, browser| Entry {
        chunk: index,
        offset: 0,
        time,
        broken,
        browser,
    };
    let Some(video) = &chunk.demuxed.video else {
        return vec![at_start(chunk.span.start, 0, true)];
    };
    let keys: Vec<usize> = (0..video.samples.len())
        .filter(|at| video.samples.get(*at).is_some_and(|s| s.sync.is_key()))
        .collect();
    let Some(&first) = keys.first() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (order, &at) in keys.iter().enumerate() {
        let group = video.samples.get(at..).unwrap_or_default();
        let length = keys.get(order + 1).map_or(group.len(), |next| next - at);
        let Some(key) = group.first() else { continue };
        let leading = group.iter().take(length).filter(|s| s.pts < key.pts);
        let (leading, idr) = (leading.count() as u64, key.sync == SyncKind::Idr);
        let time = event_time(video, key.pts, chunk.offset);
        let broken = if idr { 0 } else { leading };
        // Commands of a group that does not start afresh may name pictures that are not there.
        let browser = idr || (broken == 0 && !video.mmco);
        if at == first {
            // What stands before the first key frame cannot be decoded.
            found.push(at_start(time, broken + at as u64, browser && at == 0));
        } else if divisible(chunk) && size(chunk).is_some() {
            let point = video.random_access_points.iter().find(|p| p.pts == key.pts);
            found.extend(point.filter(|p| p.byte_offset > 0).map(|point| Entry {
                chunk: index,
                offset: point.byte_offset,
                time,
                broken,
                browser,
            }));
        }
    }
    found
}

fn event_time(video: &VideoTrack, pts: i64, offset: MediaTime) -> MediaTime {
    MediaTime::from_ticks(pts, video.timescale) + offset
}

/// The last clean key frame at or before `start`; else the last one; else what the first chunk has.
fn enter(chunks: &[HlsChunk<'_>], first: usize, start: MediaTime) -> Entry {
    let all: Vec<Entry> = chunks
        .iter()
        .enumerate()
        .take(first + 1)
        .filter(|(index, chunk)| *index == first || chunk.span.start + REACH > start)
        .flat_map(|(index, chunk)| entries(index, chunk))
        .collect();
    let before = || all.iter().filter(|entry| entry.time <= start);
    let clean = before().rfind(|entry| entry.broken == 0 && entry.browser);
    let any = || clean.or_else(|| before().next_back());
    let of_first = || all.iter().find(|entry| entry.chunk == first);
    any().or_else(of_first).copied().unwrap_or(Entry {
        chunk: first,
        offset: 0,
        time: chunks
            .get(first)
            .map_or(start, |chunk: &HlsChunk<'_>| chunk.span.start),
        broken: 0,
        browser: false,
    })
}

/// Byte offset of the first key frame behind which nothing is shown before `end`, and the time at
/// which what stands before it ends; `None` at the border of the chunk.
fn leave(chunk: &HlsChunk<'_>, end: MediaTime) -> Option<(u64, MediaTime)> {
    let video = chunk.demuxed.video.as_ref().filter(|_| divisible(chunk))?;
    video.random_access_points.iter().find_map(|point| {
        let at = video.samples.iter().position(|s| s.pts == point.pts)?;
        let rest = video.samples.get(at..)?.iter().map(|sample| sample.pts);
        // The pictures that lead it stand behind it, and are shown before.
        let time = event_time(video, rest.min()?, chunk.offset);
        (time >= end && at > 0).then_some((point.byte_offset, time))
    })
}

/// Adds a chunk, or the part of it between two places.
fn add(
    clip: &mut PlaylistClip,
    chunk: &HlsChunk<'_>,
    start: Option<(u64, MediaTime)>,
    end: Option<(u64, MediaTime)>,
) {
    let from = start.map_or(chunk.span.start, |(_, time)| time);
    let to = end.map_or(chunk.span.end, |(_, time)| time);
    let first = start.map_or(0, |(offset, _)| offset);
    let duration = (to - from).max(MediaTime::ZERO);
    let trimmed = match (chunk.media, end.map(|(last, _)| last).or(size(chunk))) {
        ([media], Some(last)) if first > 0 || end.is_some() => Some((media, last)),
        _ => None,
    };
    let Some((media, last)) = trimmed else {
        return extend(clip, chunk.media, chunk.init, duration);
    };
    let base = media.range.map_or(0, |range| range.offset);
    clip.parts.push(PlaylistPart {
        media: Resource {
            range: Some(ByteRange {
                offset: base + first,
                length: last.saturating_sub(first),
            }),
            ..media.clone()
        },
        init: chunk.init.cloned(),
        duration,
    });
}

/// What there is to say of a clip.
fn report(
    mut clip: PlaylistClip,
    used: &[HlsChunk<'_>],
    entry: Entry,
    played: TimeRange,
    range: TimeRange,
) -> (PlaylistClip, InstantReport) {
    let videos = || used.iter().filter_map(|chunk| chunk.demuxed.video.as_ref());
    let early = (range.start - played.start).max(MediaTime::ZERO);
    let late = (played.end - range.end).max(MediaTime::ZERO);
    let known = videos().next().is_some();
    let sound_only = !known && used.iter().all(|chunk| !chunk.demuxed.audio.is_empty());
    let frame = videos().find_map(frame_duration);
    // Where nothing is known of the frames, so many are the most that usual video has.
    let frame = frame
        .unwrap_or(MediaTime::from_ticks(1, 60))
        .flicks()
        .max(1);
    let max_error_frames = if sound_only {
        0
    } else {
        u64::try_from((early.max(late).flicks() + frame - 1) / frame).unwrap_or(0)
    };
    let mut notes = Vec::new();
    if played.start > range.start || played.end < range.end {
        notes.push(format!("chunks are missing; {played} of {range} is played"));
    }
    if entry.broken > 0 {
        notes.push(format!(
            "it starts at an open group of pictures, since no other key frame lies within {REACH} s: \
             players leave out or break {} frames before the mark-in and may lose frames at the join",
            entry.broken
        ));
    }
    let h264 = videos().all(|video| video.codec == Codec::H264);
    if !h264 {
        notes.push("HEVC plays only where the system has a decoder for it".into());
    } else if !entry.browser {
        notes.push("browsers cannot start decoding at its key frame".into());
    }
    // A player that begins inside, or is sent there, starts at the key frame of a later part.
    let all_start = videos().all(VideoTrack::browser_can_start);
    if entry.browser && h264 && !all_start {
        notes.push("browsers play it from its start, and may fail when they seek inside".into());
    }
    let first = clip.parts.first().map(|part| part.duration);
    clip.start_at_mark = all_start || first.is_some_and(|first| early < first);
    let report = InstantReport {
        played,
        early,
        late,
        max_error_frames,
        broken_frames: entry.broken,
        browser: entry.browser && h264,
        notes,
    };
    (clip, report)
}

fn frame_duration(video: &VideoTrack) -> Option<MediaTime> {
    let ticks = video.frame_ticks()?;
    let nominal = video.frame_rate.map(|rate| rate.frame_duration());
    Some(nominal.unwrap_or(MediaTime::from_ticks(ticks, video.timescale)))
}
