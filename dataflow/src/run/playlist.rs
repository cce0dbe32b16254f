//! Playlists over the source chunks: nothing is cut, so they cost nothing and are there at once.
//! Where a transport stream has closed groups of pictures, byte ranges bring the ends from the
//! chunk to the key frame.

use std::fmt::Write;
use std::path::Path;

use matchcut_media::samples::{Demuxed, RandomAccessPoint, SyncKind};
use matchcut_model::chunk::{ByteRange, Container, PlacedChunk, Resource};
use matchcut_model::time::{FrameRate, MediaTime, TimeRange, Timestamp};
use matchcut_model::timeline::EventTimeline;
use url::Url;

use super::media::MediaStore;

/// A playlist, and how far its ends may be from the marks.
pub struct Instant {
    /// The text of the playlist.
    pub text: String,
    /// In frames, the worst of all its pieces.
    pub max_error_frames: u64,
}

/// A chunk, or the part of one, that is played.
struct Entry<'a> {
    placed: &'a PlacedChunk,
    span: TimeRange,
    bytes: Option<ByteRange>,
}

/// A VOD playlist (RFC 8216) that plays `ranges` one after the other, for a file at `path`: chunks
/// on this machine are named relative to it.
pub fn instant(
    store: &MediaStore,
    timeline: &EventTimeline,
    ranges: &[TimeRange],
    path: &Path,
) -> Result<Instant, String> {
    let base = std::path::absolute(path)
        .ok()
        .and_then(|path| Url::from_file_path(path).ok());
    let mut clips: Vec<(TimeRange, Vec<Entry<'_>>)> = Vec::new();
    for range in ranges {
        let chunks = timeline.chunks_covering(*range);
        if chunks
            .iter()
            .any(|placed| placed.chunk.container == Container::FilePart)
        {
            return Err("a playlist needs chunks, and the source is one file".to_owned());
        }
        let entries: Vec<Entry<'_>> = chunks
            .into_iter()
            .map(|placed| entry(store, placed, *range))
            .collect();
        if !entries.is_empty() {
            clips.push((*range, entries));
        }
    }
    if clips.is_empty() {
        return Err("there is no chunk between the marks".to_owned());
    }
    let rate: Option<FrameRate> = clips
        .iter()
        .flat_map(|(_, entries)| entries)
        .find_map(|entry| entry.placed.frame_rate);
    let worst = clips.iter().filter_map(|(range, entries)| {
        let (first, last) = (entries.first()?, entries.last()?);
        Some(
            (range.start - first.span.start)
                .abs()
                .max((last.span.end - range.end).abs()),
        )
    });
    let max_error_frames = frames(worst.max().unwrap_or_default(), rate);
    Ok(Instant {
        text: text(&clips, base.as_ref()),
        max_error_frames,
    })
}

/// Frames in a length, a part of one counted as one.
fn frames(length: MediaTime, rate: Option<FrameRate>) -> u64 {
    rate.map_or(0, |rate| {
        let frame = rate.frame_at(length);
        (frame + i64::from(rate.time_of(frame) < length)).unsigned_abs()
    })
}

/// The part of a chunk that plays `range`, as narrow as its key frames allow.
fn entry<'a>(store: &MediaStore, placed: &'a PlacedChunk, range: TimeRange) -> Entry<'a> {
    let whole = Entry {
        placed,
        span: placed.span,
        bytes: placed.chunk.media.range,
    };
    let inside = range.start <= placed.span.start && placed.span.end <= range.end;
    if inside || placed.chunk.container != Container::MpegTs {
        return whole;
    }
    // Without the chunk the playlist is less exact, and still right.
    let Ok(demuxed) = store.get(placed) else {
        return whole;
    };
    let Some(points) = closed_points(&demuxed) else {
        return whole;
    };
    let time = |point: &RandomAccessPoint, timescale| {
        Timestamp {
            ticks: point.pts,
            timescale,
        }
        .time()
            + placed.offset
    };
    let timescale = demuxed
        .video
        .as_ref()
        .map_or(90_000, |video| video.timescale);
    let head = points
        .iter()
        .rev()
        .find(|point| time(point, timescale) <= range.start);
    let tail = points
        .iter()
        .find(|point| time(point, timescale) >= range.end);
    // What precedes the first key frame of a chunk (tables) belongs to it.
    let head = head.filter(|point| time(point, timescale) > placed.span.start);
    let from = head.map_or(0, |point| point.byte_offset);
    let to = tail.map_or(placed.bytes, |point| point.byte_offset);
    if to <= from || (from == 0 && to == placed.bytes) {
        return whole;
    }
    let start = head.map_or(placed.span.start, |point| time(point, timescale));
    let end = tail.map_or(placed.span.end, |point| time(point, timescale));
    let base = placed.chunk.media.range.map_or(0, |part| part.offset);
    Entry {
        placed,
        span: TimeRange::new(start, end),
        bytes: Some(ByteRange {
            offset: base + from,
            length: to - from,
        }),
    }
}

/// Where a player can start in a chunk, if it can at every key frame: an open group of pictures
/// would show broken leading pictures at a join.
fn closed_points(demuxed: &Demuxed) -> Option<&[RandomAccessPoint]> {
    let video = demuxed.video.as_ref()?;
    let closed = video
        .samples
        .iter()
        .all(|sample| sample.sync != SyncKind::OpenGop);
    closed.then_some(video.random_access_points.as_slice())
}

fn text(clips: &[(TimeRange, Vec<Entry<'_>>)], base: Option<&Url>) -> String {
    let entries = || clips.iter().flat_map(|(_, entries)| entries);
    let longest = entries()
        .map(|entry| entry.span.duration())
        .max()
        .unwrap_or_default();
    let second = MediaTime::from_seconds(1).flicks();
    let target = (longest.flicks() + second - 1) / second;
    let has_init = entries().any(|entry| entry.placed.chunk.init.is_some());
    let mut text = String::from("#EXTM3U\n");
    // Writing to a text cannot fail.
    let _ = writeln!(text, "#EXT-X-VERSION:{}", if has_init { 7 } else { 4 });
    let _ = writeln!(text, "#EXT-X-TARGETDURATION:{target}");
    text.push_str("#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    for (index, (_, entries)) in clips.iter().enumerate() {
        clip(&mut text, entries, index > 0, base);
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}

fn clip(text: &mut String, entries: &[Entry<'_>], joins: bool, base: Option<&Url>) {
    let mut stretch = None;
    let mut init = None;
    for (index, entry) in entries.iter().enumerate() {
        let placed = entry.placed;
        let breaks = if index == 0 {
            joins
        } else {
            stretch != Some(placed.stretch)
        };
        if breaks {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        stretch = Some(placed.stretch);
        if let Some(map) = &placed.chunk.init
            && (init != Some(map) || breaks)
        {
            let uri = relative(&map.uri, base);
            let range = map.range.map_or(String::new(), |part| {
                format!(",BYTERANGE=\"{}@{}\"", part.length, part.offset)
            });
            let _ = writeln!(text, "#EXT-X-MAP:URI=\"{uri}\"{range}");
            init = Some(map);
        }
        if index == 0
            && let Some(utc) = placed.utc
        {
            let utc = utc + (entry.span.start - placed.span.start).to_ticks(1_000_000);
            if let Ok(date) = jiff::Timestamp::from_microsecond(utc) {
                let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date:.3}");
            }
        }
        let _ = writeln!(
            text,
            "#EXTINF:{:.6},",
            entry.span.duration().as_seconds_f64()
        );
        if let Some(part) = entry.bytes {
            let _ = writeln!(text, "#EXT-X-BYTERANGE:{}@{}", part.length, part.offset);
        }
        let Resource { uri, .. } = &placed.chunk.media;
        let _ = writeln!(text, "{}", relative(uri, base));
    }
}

/// A file is named relative to the playlist, so that both can be moved together.
fn relative(uri: &str, base: Option<&Url>) -> String {
    let named = base
        .zip(Url::parse(uri).ok())
        .filter(|(_, url)| url.scheme() == "file")
        .and_then(|(base, url)| base.make_relative(&url));
    named.unwrap_or_else(|| uri.to_owned())
}
