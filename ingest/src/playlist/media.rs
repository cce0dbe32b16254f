//! Media playlists: the chunks of one stream. Each line is checked here; what is left is read by
//! m3u8-rs, and both are put together chunk by chunk.

use jiff::Timestamp;
use matchcut_model::chunk::ByteRange;
use matchcut_model::time::{FLICKS_PER_SECOND, MediaTime};

use super::attributes::attribute;
use super::{Line, LineProblem};

/// An initialization section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSection {
    /// As it stands in the playlist.
    pub uri: String,
    /// The part of it.
    pub range: Option<ByteRange>,
}

/// A chunk as the playlist has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The line of its URI.
    pub line: usize,
    /// Its media sequence number.
    pub sequence: u64,
    /// Its discontinuity sequence number.
    pub discontinuity_sequence: u64,
    /// As it stands in the playlist.
    pub uri: String,
    /// The part of it.
    pub range: Option<ByteRange>,
    /// The initialization section that applies to it.
    pub map: Option<MapSection>,
    /// EXTINF, exact.
    pub duration: Option<MediaTime>,
    /// EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// EXT-X-PROGRAM-DATE-TIME that stands before it, in microseconds since the Unix epoch.
    pub program_date_time: Option<i64>,
    /// Why it cannot be read, if so.
    pub unusable: Option<String>,
}

/// A list of chunks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaPlaylist {
    /// EXT-X-TARGETDURATION; without it, the longest chunk.
    pub target_duration: MediaTime,
    /// The chunks in order.
    pub segments: Vec<Segment>,
    /// Number of the first chunk.
    pub media_sequence: u64,
    /// Whether nothing will be added: EXT-X-ENDLIST, or the type VOD.
    pub complete: bool,
    /// Lines that could not be used, or not as they stand.
    pub problems: Vec<LineProblem>,
}

/// What stands before the URI of a chunk.
#[derive(Default)]
struct Pending {
    extinf: bool,
    duration: Option<MediaTime>,
    has_range: bool,
    discontinuity: bool,
    date: Option<i64>,
    unusable: Option<String>,
}

/// What was learnt of a chunk beside what m3u8-rs reads.
struct Known {
    line: usize,
    pending: Pending,
    encrypted: Option<String>,
    has_map: Result<bool, String>,
}

/// The state of the reader.
struct Reader {
    /// What m3u8-rs gets: lines it is known to read as they are meant.
    text: String,
    known: Vec<Known>,
    pending: Pending,
    encrypted: Option<String>,
    map: Result<bool, String>,
    problems: Vec<LineProblem>,
}

pub(super) fn read(lines: &[Line<'_>]) -> Result<MediaPlaylist, String> {
    let mut reader = Reader {
        text: "#EXTM3U\n".into(),
        known: Vec::new(),
        pending: Pending::default(),
        encrypted: None,
        map: Ok(false),
        problems: Vec::new(),
    };
    for line in lines {
        if !line.valid && !line.text.starts_with('#') {
            reader.problem(line, "bytes that are not text stand in the URI of a chunk");
            reader.pending.unusable = Some("its URI is not text".into());
        }
        reader.line(line);
    }
    reader.finish()
}

impl Reader {
    fn problem(&mut self, line: &Line<'_>, message: &str) {
        self.problems.push(line.problem(message));
    }

    fn keep(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn line(&mut self, line: &Line<'_>) {
        if !line.text.starts_with('#') {
            return self.uri(line);
        }
        if !line.text.starts_with("#EXT") {
            return;
        }
        let (name, value) = line.text.split_once(':').unwrap_or((line.text, ""));
        let value = value.trim();
        match name {
            "#EXTINF" => self.extinf(line, value),
            "#EXT-X-BYTERANGE" => {
                if range_of(value).is_some() {
                    self.pending.has_range = true;
                    self.keep(&format!("#EXT-X-BYTERANGE:{value}"));
                } else {
                    self.problem(line, "not a byte range, which is LENGTH or LENGTH@OFFSET");
                    self.pending.unusable = Some("its byte range cannot be read".into());
                }
            }
            "#EXT-X-DISCONTINUITY" => self.pending.discontinuity = true,
            "#EXT-X-GAP" => {
                self.pending.unusable = Some("the playlist says that it is missing".into());
            }
            "#EXT-X-PROGRAM-DATE-TIME" => match date_of(value) {
                Some(date) => self.pending.date = Some(date),
                None => self.problem(line, "not a date with time and zone (2024-05-01T10:00:00Z)"),
            },
            "#EXT-X-KEY" => self.key(line, value),
            "#EXT-X-MAP" => self.map(line, value),
            "#EXT-X-TARGETDURATION" => match decimal(value) {
                // Some packagers write a fraction.
                Some(time) => {
                    let seconds = (time.flicks() + FLICKS_PER_SECOND - 1) / FLICKS_PER_SECOND;
                    self.keep(&format!("{name}:{seconds}"));
                }
                None => self.problem(line, "not a number of seconds"),
            },
            "#EXT-X-MEDIA-SEQUENCE" | "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                match value.parse::<u64>() {
                    Ok(number) => self.keep(&format!("{name}:{number}")),
                    Err(_) => self.problem(line, "not a whole number"),
                }
            }
            "#EXT-X-PLAYLIST-TYPE" => match value {
                "VOD" | "EVENT" => self.keep(&format!("{name}:{value}")),
                _ => self.problem(line, "not a type of playlist; there are VOD and EVENT"),
            },
            "#EXT-X-ENDLIST" => self.keep(name),
            // Everything else has no bearing on which chunks there are.
            _ => {}
        }
    }

    fn extinf(&mut self, line: &Line<'_>, value: &str) {
        self.pending.extinf = true;
        let number = value.split(',').next().unwrap_or_default();
        self.pending.duration = decimal(number);
        if self.pending.duration.is_none() {
            self.problem(line, "not a duration in seconds");
        }
    }

    fn key(&mut self, line: &Line<'_>, value: &str) {
        self.encrypted = match attribute(value, "METHOD") {
            Some("NONE") => None,
            Some(method) => Some(format!(
                "it is encrypted with {method} (line {})",
                line.number
            )),
            None => {
                self.problem(line, "a key without METHOD");
                Some(format!("it is encrypted (line {})", line.number))
            }
        };
    }

    fn map(&mut self, line: &Line<'_>, value: &str) {
        let range = attribute(value, "BYTERANGE");
        let uri = attribute(value, "URI").filter(|uri| !uri.is_empty());
        self.map = match (uri, range.map(range_of)) {
            (Some(uri), None | Some(Some(_))) => {
                let range = range.map(|range| format!(",BYTERANGE=\"{range}\""));
                let range = range.unwrap_or_default();
                self.keep(&format!("#EXT-X-MAP:URI=\"{uri}\"{range}"));
                Ok(true)
            }
            (None, _) => {
                self.problem(line, "an initialization section without URI");
                Err(format!(
                    "its initialization section cannot be read (line {})",
                    line.number
                ))
            }
            (Some(_), Some(None)) => {
                self.problem(line, "the byte range is not LENGTH or LENGTH@OFFSET");
                Err(format!(
                    "its initialization section cannot be read (line {})",
                    line.number
                ))
            }
        };
    }

    fn uri(&mut self, line: &Line<'_>) {
        if !self.pending.extinf {
            self.problem(
                line,
                "neither a tag nor a URI after EXTINF; taken as a chunk",
            );
        }
        if line.text.contains("{$") {
            self.pending.unusable = Some("its URI has a variable, which is not supported".into());
        }
        // The duration is kept exactly beside; m3u8-rs would round it.
        self.keep("#EXTINF:1,");
        self.keep(line.text);
        self.known.push(Known {
            line: line.number,
            pending: std::mem::take(&mut self.pending),
            encrypted: self.encrypted.clone(),
            has_map: self.map.clone(),
        });
    }

    fn finish(self) -> Result<MediaPlaylist, String> {
        let parsed = m3u8_rs::parse_media_playlist_res(self.text.as_bytes())
            .map_err(|error| format!("the playlist cannot be read: {error}"))?;
        if parsed.segments.len() != self.known.len() {
            return Err(format!(
                "{} chunks were counted and {} read",
                self.known.len(),
                parsed.segments.len()
            ));
        }
        let mut segments: Vec<Segment> = Vec::with_capacity(self.known.len());
        let mut discontinuity_sequence = parsed.discontinuity_sequence;
        let mut map: Option<MapSection> = None;
        let mut sequence = parsed.media_sequence;
        for (known, read) in self.known.into_iter().zip(parsed.segments) {
            // m3u8-rs gives a map only to the chunk right after it.
            if let Some(section) = read.map {
                let range = section.byte_range.map(|range| ByteRange {
                    offset: range.offset.unwrap_or_default(),
                    length: range.length,
                });
                map = Some(MapSection {
                    uri: section.uri,
                    range,
                });
            }
            let mut unusable = known.pending.unusable.or(known.encrypted);
            let here = match known.has_map {
                Ok(true) => map.clone(),
                Ok(false) => None,
                Err(reason) => {
                    unusable = unusable.or(Some(reason));
                    None
                }
            };
            let range = match read.byte_range.filter(|_| known.pending.has_range) {
                None => None,
                Some(range) => {
                    let before = segments.last().filter(|before| before.uri == read.uri);
                    let follows = before.and_then(|before| before.range);
                    let offset = range
                        .offset
                        .or(follows.map(|range| range.offset.saturating_add(range.length)));
                    if offset.is_none() {
                        let reason = "its byte range has no offset and follows no other part";
                        unusable = unusable.or(Some(reason.into()));
                    }
                    offset.map(|offset| ByteRange {
                        offset,
                        length: range.length,
                    })
                }
            };
            discontinuity_sequence =
                discontinuity_sequence.saturating_add(u64::from(known.pending.discontinuity));
            segments.push(Segment {
                line: known.line,
                sequence,
                discontinuity_sequence,
                uri: read.uri,
                range,
                map: here,
                duration: known.pending.duration,
                discontinuity: known.pending.discontinuity,
                program_date_time: known.pending.date,
                unusable,
            });
            sequence = sequence.saturating_add(1);
        }
        let longest = segments.iter().filter_map(|segment| segment.duration).max();
        let declared = i64::try_from(parsed.target_duration)
            .ok()
            .filter(|&seconds| seconds > 0);
        let vod = parsed.playlist_type == Some(m3u8_rs::MediaPlaylistType::Vod);
        Ok(MediaPlaylist {
            target_duration: declared
                .map(MediaTime::from_seconds)
                .or(longest)
                .unwrap_or(MediaTime::from_seconds(6)),
            media_sequence: parsed.media_sequence,
            complete: parsed.end_list || vod,
            problems: self.problems,
            segments,
        })
    }
}

/// `LENGTH` or `LENGTH@OFFSET`.
fn range_of(text: &str) -> Option<(u64, Option<u64>)> {
    match text.split_once('@') {
        Some((length, offset)) => Some((length.parse().ok()?, Some(offset.parse().ok()?))),
        None => Some((text.parse().ok()?, None)),
    }
}

/// A date in microseconds since the Unix epoch; a date without a zone says nothing.
fn date_of(text: &str) -> Option<i64> {
    text.parse::<Timestamp>()
        .ok()
        .map(Timestamp::as_microsecond)
}

/// A decimal number of seconds, exact to the flick.
fn decimal(text: &str) -> Option<MediaTime> {
    let text = text.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let seconds: i64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction: String = fraction.chars().take(18).collect();
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let part: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse().ok()?
    };
    let flicks = (part * i128::from(FLICKS_PER_SECOND) + scale / 2) / scale;
    let limit = i64::MAX / FLICKS_PER_SECOND / 4;
    (seconds < limit).then_some(())?;
    Some(MediaTime::from_seconds(seconds) + MediaTime::from_flicks(i64::try_from(flicks).ok()?))
}
