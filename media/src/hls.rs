//! Replays without new media: a VOD playlist over the chunks of the source, with a discontinuity
//! between clips, and byte ranges that trim transport stream chunks to whole groups of pictures.

use std::fmt::Write;

use matchcut_model::chunk::{ByteRange, Container, Resource};
use matchcut_model::time::{MediaTime, TimeRange};
use serde::{Deserialize, Serialize};

use crate::samples::{Demuxed, SyncKind};

/// A piece of a source chunk in a playlist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaylistPart {
    /// What a player fetches; the URI may be relative to the playlist.
    pub media: Resource,
    /// EXT-X-MAP.
    pub init: Option<Resource>,
    /// How long it really lasts.
    pub duration: MediaTime,
}

/// A clip of a playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaylistClip {
    /// Its pieces in order.
    pub parts: Vec<PlaylistPart>,
    /// UTC of its first frame in microseconds since the Unix epoch.
    pub program_date_time: Option<i64>,
    /// Shown by players that show titles.
    pub title: Option<String>,
}

/// A playlist of clips that does not change any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VodPlaylist {
    /// Clips in the order they are played.
    pub clips: Vec<PlaylistClip>,
}

/// A chunk that a clip may use.
#[derive(Clone, Copy, Debug)]
pub struct HlsChunk<'a> {
    /// Its samples.
    pub demuxed: &'a Demuxed,
    /// Event time minus stream time.
    pub offset: MediaTime,
    /// What a player fetches.
    pub media: &'a Resource,
    /// EXT-X-MAP.
    pub init: Option<&'a Resource>,
    /// How it is packed.
    pub container: Container,
    /// Its size in bytes, if known; needed to trim its front.
    pub bytes: Option<u64>,
    /// Event time that it covers.
    pub span: TimeRange,
}

/// How exact an instant clip is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstantReport {
    /// Event time that is really played.
    pub played: TimeRange,
    /// How much is played before the start.
    pub early: MediaTime,
    /// How much is played after the end.
    pub late: MediaTime,
    /// Frames by which the start or the end is off, whichever is more.
    pub max_error_frames: u64,
    /// Whether browsers can play it: every piece starts at a key frame they accept.
    pub browser: bool,
    /// What else the receiver should know.
    pub notes: Vec<String>,
}

/// Why no instant clip can be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstantError {
    /// No chunk covers the range.
    #[error("no chunk covers {0}")]
    Empty(TimeRange),
    /// A part of a file cannot be named in a playlist.
    #[error("the source is a file without chunks; a playlist needs chunks, so use an exact cut")]
    File,
}

/// Makes a clip of the chunks that overlap `range`, trimmed to groups of pictures where the chunks
/// are transport streams whose groups begin with an IDR and with their tables.
pub fn instant(
    chunks: &[HlsChunk<'_>],
    range: TimeRange,
) -> Result<(PlaylistClip, InstantReport), InstantError> {
    let used: Vec<&HlsChunk<'_>> = chunks
        .iter()
        .filter(|chunk| chunk.span.overlaps(&range))
        .collect();
    if used
        .iter()
        .any(|chunk| chunk.container == Container::FilePart)
    {
        return Err(InstantError::File);
    }
    let mut clip = PlaylistClip::default();
    let mut played: Option<TimeRange> = None;
    let mut browser = true;
    let mut rate = None;
    for chunk in &used {
        let (start, end) = trim(chunk, range);
        let from = start.map_or(chunk.span.start, |(_, time)| time);
        let to = end.map_or(chunk.span.end, |(_, time)| time);
        let base = chunk.media.range.map_or(0, |range| range.offset);
        let size = chunk.media.range.map(|range| range.length).or(chunk.bytes);
        let first = start.map_or(0, |(offset, _)| offset);
        let range = match (start, end, size) {
            (None, None, _) => chunk.media.range,
            (_, Some((last, _)), _) => Some(ByteRange {
                offset: base + first,
                length: last.saturating_sub(first),
            }),
            (_, None, Some(size)) => Some(ByteRange {
                offset: base + first,
                length: size.saturating_sub(first),
            }),
            (_, None, None) => chunk.media.range,
        };
        clip.parts.push(PlaylistPart {
            media: Resource {
                range,
                ..chunk.media.clone()
            },
            init: chunk.init.cloned(),
            duration: to - from,
        });
        played = Some(TimeRange::new(played.map_or(from, |all| all.start), to));
        if let Some(video) = &chunk.demuxed.video {
            rate = rate.or(video.frame_rate);
            browser &= video.browser_can_start();
        }
    }
    let played = played.ok_or(InstantError::Empty(range))?;
    let early = (range.start - played.start).max(MediaTime::ZERO);
    let late = (played.end - range.end).max(MediaTime::ZERO);
    let error = early.max(late);
    let max_error_frames = rate.map_or(0, |rate| {
        let frame = rate.frame_duration().flicks().max(1);
        u64::try_from((error.flicks() + frame - 1) / frame).unwrap_or(0)
    });
    let mut notes = Vec::new();
    if played.start > range.start || played.end < range.end {
        notes.push(format!("chunks are missing; {played} of {range} is played"));
    }
    if !browser {
        notes.push("browsers cannot start decoding at its key frames".into());
    }
    Ok((
        clip,
        InstantReport {
            played,
            early,
            late,
            max_error_frames,
            browser,
            notes,
        },
    ))
}

type Cut = Option<(u64, MediaTime)>;

/// Byte offset and event time where the clip enters and leaves a chunk; `None` at its own border.
fn trim(chunk: &HlsChunk<'_>, range: TimeRange) -> (Cut, Cut) {
    let Some(video) = &chunk.demuxed.video else {
        return (None, None);
    };
    // With open groups a range brings pictures along that cannot be decoded.
    if chunk.container != Container::MpegTs || video.open_gop {
        return (None, None);
    }
    let points = || {
        video
            .random_access_points
            .iter()
            .filter(|point| point.sync == SyncKind::Idr)
            .map(|point| {
                let time = MediaTime::from_ticks(point.pts, video.timescale) + chunk.offset;
                (point.byte_offset, time)
            })
            .filter(|(_, time)| *time > chunk.span.start)
    };
    let size = chunk.media.range.map(|range| range.length).or(chunk.bytes);
    let start = points()
        .rfind(|(_, time)| *time <= range.start)
        .filter(|_| size.is_some());
    let end = points().find(|(_, time)| *time >= range.end);
    (start, end)
}

impl VodPlaylist {
    /// How long it lasts.
    pub fn duration(&self) -> MediaTime {
        self.clips
            .iter()
            .flat_map(|clip| &clip.parts)
            .map(|part| part.duration)
            .sum()
    }

    /// The playlist as text.
    pub fn to_m3u8(&self) -> String {
        let parts = || self.clips.iter().flat_map(|clip| &clip.parts);
        let longest = parts().map(|part| part.duration).max().unwrap_or_default();
        // EXTINF rounded to a whole number must not exceed it; rounding up is always enough.
        let target = (longest.to_millis() + 999).div_euclid(1000).max(1);
        // Byte ranges need version 4, EXT-X-MAP without I-frame playlists version 6.
        let version = if parts().any(|part| part.init.is_some()) {
            6
        } else {
            4
        };
        let mut out = String::new();
        let _ = writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{version}");
        let _ = writeln!(
            out,
            "#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0"
        );
        out.push_str("#EXT-X-PLAYLIST-TYPE:VOD\n");
        let mut first = true;
        for clip in self.clips.iter().filter(|clip| !clip.parts.is_empty()) {
            if !std::mem::take(&mut first) {
                out.push_str("#EXT-X-DISCONTINUITY\n");
            }
            let mut map: Option<&Resource> = None;
            for (index, part) in clip.parts.iter().enumerate() {
                if part.init.as_ref() != map {
                    map = part.init.as_ref();
                    if let Some(init) = map {
                        let _ = write!(out, "#EXT-X-MAP:URI=\"{}\"", init.uri);
                        if let Some(ByteRange { offset, length }) = init.range {
                            let _ = write!(out, ",BYTERANGE=\"{length}@{offset}\"");
                        }
                        out.push('\n');
                    }
                }
                if let Some(micros) = clip.program_date_time.filter(|_| index == 0) {
                    let _ = writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", utc(micros));
                }
                let title = clip.title.as_deref().filter(|_| index == 0).unwrap_or("");
                let title = title.replace(['\r', '\n'], " ");
                let _ = writeln!(out, "#EXTINF:{},{title}", exact_seconds(part.duration));
                if let Some(ByteRange { offset, length }) = part.media.range {
                    let _ = writeln!(out, "#EXT-X-BYTERANGE:{length}@{offset}");
                }
                let _ = writeln!(out, "{}", part.media.uri);
            }
        }
        out.push_str("#EXT-X-ENDLIST\n");
        out
    }
}

/// Seconds with 6 decimals: enough for every frame duration to within a millionth.
fn exact_seconds(time: MediaTime) -> String {
    let micros = time.to_ticks(1_000_000).max(0);
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// A date and time of UTC from microseconds since the Unix epoch (Gregorian calendar).
fn utc(micros: i64) -> String {
    let millis = micros.div_euclid(1000);
    let (days, in_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000));
    // Days are counted from 1 March of year 0, so that leap days come last in each cycle.
    let shifted = days + 719_468;
    let (era, in_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (second, milli) = (in_day / 1000 % 60, in_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_123_000), "2000-02-29T00:00:00.123Z");
        assert_eq!(utc(1_735_689_599_999_999), "2024-12-31T23:59:59.999Z");
        assert_eq!(utc(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn playlist_text() {
        let part = |uri: &str, range, millis| PlaylistPart {
            media: Resource {
                range,
                ..Resource::whole(uri)
            },
            init: None,
            duration: MediaTime::from_millis(millis),
        };
        let range = Some(ByteRange {
            offset: 376,
            length: 1880,
        });
        let playlist = VodPlaylist {
            clips: vec![
                PlaylistClip {
                    parts: vec![
                        part("../c1.ts", None, 6_006),
                        part("../c2.ts", range, 2_002),
                    ],
                    program_date_time: Some(0),
                    title: Some("rally".into()),
                },
                PlaylistClip::default(),
                PlaylistClip {
                    parts: vec![part("../c0.ts", None, 4_000)],
                    ..Default::default()
                },
            ],
        };
        assert_eq!(playlist.duration(), MediaTime::from_millis(12_008));
        assert_eq!(
            playlist.to_m3u8(),
            "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:7\n#EXT-X-MEDIA-SEQUENCE:0\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n\
             #EXTINF:6.006000,rally\n../c1.ts\n#EXTINF:2.002000,\n#EXT-X-BYTERANGE:1880@376\n\
             ../c2.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:4.000000,\n../c0.ts\n#EXT-X-ENDLIST\n"
        );
    }
}
