//! Playlists over the source chunks: nothing is cut, so they cost nothing and are there at once.

use std::fmt::Write;

use matchcut_model::chunk::{PlacedChunk, Resource};
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use matchcut_model::timeline::EventTimeline;

use super::media::MediaStore;

/// A playlist, and how far its ends may be from the marks.
pub struct Instant {
    /// The text of the playlist.
    pub text: String,
    /// In frames, the worst of all its pieces.
    pub max_error_frames: u64,
}

/// A VOD playlist (RFC 8216) that plays `ranges` one after the other, accurate to a chunk.
pub fn instant(
    _store: &MediaStore,
    timeline: &EventTimeline,
    ranges: &[TimeRange],
) -> Result<Instant, String> {
    let pieces: Vec<Vec<&PlacedChunk>> =
        ranges.iter().map(|range| timeline.chunks_covering(*range)).collect();
    if pieces.iter().all(Vec::is_empty) {
        return Err("there is no chunk between the marks".to_owned());
    }
    let mut longest = MediaTime::ZERO;
    let mut worst = MediaTime::ZERO;
    let mut rate: Option<FrameRate> = None;
    let mut body = String::new();
    let mut init: Option<&Resource> = None;
    let mut first = true;
    for (chunks, range) in pieces.iter().zip(ranges) {
        let (Some(head), Some(tail)) = (chunks.first(), chunks.last()) else { continue };
        worst = worst.max(range.start - head.span.start).max(tail.span.end - range.end);
        if !first {
            body.push_str("#EXT-X-DISCONTINUITY\n");
        }
        let mut stretch = head.stretch;
        for chunk in chunks {
            if chunk.stretch != stretch {
                body.push_str("#EXT-X-DISCONTINUITY\n");
                stretch = chunk.stretch;
            }
            if let Some(map) = &chunk.chunk.init
                && (init != Some(map) || chunk.chunk.position == head.chunk.position)
            {
                let _ = writeln!(body, "#EXT-X-MAP:URI=\"{}\"", map.uri);
                init = Some(map);
            }
            let duration = chunk.span.duration();
            longest = longest.max(duration);
            rate = rate.or(chunk.frame_rate);
            let _ = writeln!(body, "#EXTINF:{:.6},", duration.as_seconds_f64());
            if let Some(part) = chunk.chunk.media.range {
                let _ = writeln!(body, "#EXT-X-BYTERANGE:{}@{}", part.length, part.offset);
            }
            let _ = writeln!(body, "{}", chunk.chunk.media.uri);
        }
        first = false;
    }
    let target = longest.flicks().div_euclid(MediaTime::from_seconds(1).flicks()) + 1;
    let mut text = String::from("#EXTM3U\n");
    let _ = writeln!(text, "#EXT-X-VERSION:{}", if init.is_some() { 7 } else { 4 });
    let _ = writeln!(text, "#EXT-X-TARGETDURATION:{target}");
    text.push_str("#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    text.push_str(&body);
    text.push_str("#EXT-X-ENDLIST\n");
    let max_error_frames = rate.map_or(0, |rate| rate.frame_at(worst).unsigned_abs());
    Ok(Instant { text, max_error_frames })
}
