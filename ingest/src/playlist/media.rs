//! Media playlists: the chunks of one stream. A line that cannot be used is a problem that names it
//! and costs at most the chunk that it is about.

use std::collections::BTreeMap;

use jiff::Timestamp;
use matchcut_model::chunk::ByteRange;
use matchcut_model::cue::{Cue, CueKind};
use matchcut_model::scte35::SpliceInfo;
use matchcut_model::time::{FLICKS_PER_SECOND, MediaTime};

use super::attributes::attribute;
use super::cues::{self, CueTag, DateRange, DateRanges};
use super::{Line, LineProblem, variables};

/// The key of AES-128 (AES in CBC mode over whole resources).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// As it stands in the playlist.
    pub uri: String,
    /// The initialization vector, if the playlist gives one.
    pub iv: Option<[u8; 16]>,
}

/// An initialization section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapSection {
    /// As it stands in the playlist.
    pub uri: String,
    /// The part of it.
    pub range: Option<ByteRange>,
    /// How it is encrypted.
    pub key: Option<Key>,
}

/// A part of a chunk that is offered before the chunk is whole (EXT-X-PART).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The line of its tag.
    pub line: usize,
    /// As it stands in the playlist.
    pub uri: String,
    /// The part of it.
    pub range: Option<ByteRange>,
    /// Its duration.
    pub duration: Option<MediaTime>,
    /// It starts with a key frame.
    pub independent: bool,
    /// The playlist says that it is missing.
    pub gap: bool,
}

/// A chunk as the playlist has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// How it is encrypted.
    pub key: Option<Key>,
    /// EXTINF, exact.
    pub duration: Option<MediaTime>,
    /// EXT-X-DISCONTINUITY stands before it.
    pub discontinuity: bool,
    /// EXT-X-PROGRAM-DATE-TIME that stands before it, in microseconds since the Unix epoch.
    pub program_date_time: Option<i64>,
    /// Marks of breaks that stand before it.
    pub cues: Vec<Cue>,
    /// Its parts, while the playlist lists them.
    pub parts: Vec<Part>,
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
    /// What is known of a chunk after the last one that is not whole yet: `parts` are those that
    /// are there, `uri` is empty.
    pub open: Option<Segment>,
    /// Number of the first chunk.
    pub media_sequence: u64,
    /// Whether nothing will be added: EXT-X-ENDLIST, or the type VOD.
    pub complete: bool,
    /// Whether the server answers a reload when there is something new (CAN-BLOCK-RELOAD).
    pub can_block_reload: bool,
    /// Duration of parts, where there are some.
    pub part_target: Option<MediaTime>,
    /// Ranges of dates.
    pub date_ranges: Vec<DateRange>,
    /// Lines that could not be used, or not as they stand.
    pub problems: Vec<LineProblem>,
}

/// What stands before the URI of a chunk.
#[derive(Default)]
struct Pending {
    extinf: bool,
    range: Option<(u64, Option<u64>)>,
    messages: Vec<SpliceInfo>,
    segment: Segment,
}

/// The state of the reader.
#[derive(Default)]
struct Reader {
    segments: Vec<Segment>,
    pending: Pending,
    /// By key format: the key, or why it is of no use.
    keys: BTreeMap<String, Result<Key, String>>,
    /// The method of all of them.
    method: Option<String>,
    map: Option<Result<MapSection, String>>,
    ranges: DateRanges,
    target_duration: Option<MediaTime>,
    media_sequence: u64,
    discontinuity_sequence: u64,
    vod: bool,
    ended: bool,
    can_block_reload: bool,
    part_target: Option<MediaTime>,
    problems: Vec<LineProblem>,
}

/// The key format of plain AES-128.
const IDENTITY: &str = "identity";

pub(super) fn read(lines: &[Line<'_>]) -> MediaPlaylist {
    let mut reader = Reader::default();
    // They count from the first chunk, wherever they stand.
    for line in lines {
        match line.name() {
            "#EXT-X-MEDIA-SEQUENCE" => reader.media_sequence = reader.number(line),
            "#EXT-X-DISCONTINUITY-SEQUENCE" => reader.discontinuity_sequence = reader.number(line),
            _ => {}
        }
    }
    for line in lines {
        if !line.valid && !line.text.starts_with('#') {
            reader.problem(line, "bytes that are not text stand in the URI of a chunk");
            reader.pending.segment.unusable = Some("its URI is not text".into());
        }
        reader.line(line);
    }
    reader.finish(lines)
}

impl Reader {
    fn problem(&mut self, line: &Line<'_>, message: &str) {
        self.problems.push(line.problem(message));
    }

    fn number(&mut self, line: &Line<'_>) -> u64 {
        line.value().parse().unwrap_or_else(|_| {
            self.problem(line, "not a whole number");
            0
        })
    }

    fn line(&mut self, line: &Line<'_>) {
        if !line.text.starts_with('#') {
            return self.uri(line);
        }
        if !line.text.starts_with("#EXT") {
            return;
        }
        let value = line.value();
        let segment = &mut self.pending.segment;
        match line.name() {
            "#EXTINF" => self.extinf(line, value),
            "#EXT-X-BYTERANGE" => match range_of(value) {
                Some(range) => self.pending.range = Some(range),
                None => {
                    segment.unusable = Some("its byte range cannot be read".into());
                    self.problem(line, "not a byte range, which is LENGTH or LENGTH@OFFSET");
                }
            },
            "#EXT-X-DISCONTINUITY" => segment.discontinuity = true,
            "#EXT-X-GAP" => {
                segment.unusable = Some("the playlist says that it is missing".into());
            }
            "#EXT-X-PROGRAM-DATE-TIME" => match date_of(value) {
                Some(date) => segment.program_date_time = Some(date),
                None => self.problem(line, "not a date with time and zone (2024-05-01T10:00:00Z)"),
            },
            "#EXT-X-KEY" => self.key(line, value),
            "#EXT-X-MAP" => self.map(line, value),
            "#EXT-X-PART" => self.part(line, value),
            "#EXT-X-PART-INF" => {
                self.part_target = attribute(value, "PART-TARGET").and_then(decimal);
            }
            "#EXT-X-SERVER-CONTROL" => {
                self.can_block_reload = attribute(value, "CAN-BLOCK-RELOAD") == Some("YES");
            }
            "#EXT-X-TARGETDURATION" => match decimal(value) {
                // Some packagers write a fraction.
                Some(time) => {
                    let seconds = (time.flicks() + FLICKS_PER_SECOND - 1) / FLICKS_PER_SECOND;
                    let target = MediaTime::from_seconds(seconds);
                    self.target_duration = Some(target).filter(|target| *target > MediaTime::ZERO);
                }
                None => self.problem(line, "not a number of seconds"),
            },
            "#EXT-X-PLAYLIST-TYPE" => match value {
                "VOD" => self.vod = true,
                "EVENT" => self.vod = false,
                _ => self.problem(line, "not a type of playlist; there are VOD and EVENT"),
            },
            "#EXT-X-ENDLIST" => self.ended = true,
            "#EXT-X-DATERANGE" => {
                let tagged = self.ranges.tag(line.number, self.segments.len(), value);
                if let Err(message) = tagged {
                    self.problem(line, &message);
                }
            }
            name => {
                let Some((cue, problem)) = cues::read(name, value) else {
                    // Everything else has no bearing on which chunks there are.
                    return;
                };
                match cue {
                    Some(CueTag::Cue(cue)) => segment.cues.push(cue),
                    Some(CueTag::Message(info)) => self.pending.messages.push(info),
                    None => {}
                }
                if let Some(message) = problem {
                    self.problem(line, &message);
                }
            }
        }
    }

    fn extinf(&mut self, line: &Line<'_>, value: &str) {
        self.pending.extinf = true;
        let number = value.split(',').next().unwrap_or_default();
        self.pending.segment.duration = decimal(number);
        if self.pending.segment.duration.is_none() {
            self.problem(line, "not a duration in seconds");
        }
    }

    fn key(&mut self, line: &Line<'_>, value: &str) {
        let format = attribute(value, "KEYFORMAT").unwrap_or(IDENTITY).to_owned();
        let number = line.number;
        let method = attribute(value, "METHOD");
        // Keys of several formats may stand for one key, but only of one method.
        if method != self.method.as_deref() {
            self.keys.clear();
            self.method = method.map(str::to_owned);
        }
        let key = match method {
            Some("NONE") => return self.keys.clear(),
            Some("AES-128") if format == IDENTITY => {
                let iv = attribute(value, "IV").map(iv_of);
                match (attribute(value, "URI").filter(|uri| !uri.is_empty()), iv) {
                    (_, Some(None)) => {
                        self.problem(line, "the IV is not 0x with at most 32 digits");
                        Err(format!("the IV of its key cannot be read (line {number})"))
                    }
                    (None, _) => {
                        self.problem(line, "a key without URI");
                        Err(format!("its key has no URI (line {number})"))
                    }
                    (Some(uri), iv) => Ok(Key {
                        uri: uri.to_owned(),
                        iv: iv.flatten(),
                    }),
                }
            }
            Some("AES-128") => Err(format!(
                "its key is of format \"{format}\" (line {number}), of which nothing is known"
            )),
            Some(method) => Err(format!("it is encrypted with {method} (line {number})")),
            None => {
                self.problem(line, "a key without METHOD");
                Err(format!("it is encrypted (line {number})"))
            }
        };
        self.keys.insert(format, key);
    }

    /// The key that applies here: one that can be used, else why none can.
    fn key_now(&self) -> Result<Option<Key>, String> {
        let usable = self.keys.values().find_map(|key| key.as_ref().ok());
        match (usable, self.keys.values().next()) {
            (Some(key), _) => Ok(Some(key.clone())),
            (None, Some(Err(reason))) => Err(reason.clone()),
            (None, _) => Ok(None),
        }
    }

    fn map(&mut self, line: &Line<'_>, value: &str) {
        let range = attribute(value, "BYTERANGE");
        let uri = attribute(value, "URI").filter(|uri| !uri.is_empty());
        let next = u128::from(self.media_sequence) + self.segments.len() as u128;
        let unreadable = || {
            format!(
                "its initialization section cannot be read (line {})",
                line.number
            )
        };
        self.map = Some(match (uri, range.map(range_of), self.key_now()) {
            (None, ..) => {
                self.problem(line, "an initialization section without URI");
                Err(unreadable())
            }
            (Some(_), Some(None), _) => {
                self.problem(line, "the byte range is not LENGTH or LENGTH@OFFSET");
                Err(unreadable())
            }
            (Some(_), _, Err(reason)) => Err(reason),
            (Some(uri), range, Ok(key)) => match variables::undefined(uri) {
                Some(name) => Err(undefined(name)),
                None => Ok(MapSection {
                    uri: uri.to_owned(),
                    range: range.flatten().map(|(length, offset)| ByteRange {
                        offset: offset.unwrap_or_default(),
                        length,
                    }),
                    // The standard asks for an IV here; without one, that of the next chunk.
                    key: key.map(|key| Key {
                        iv: key.iv.or(Some(next.to_be_bytes())),
                        ..key
                    }),
                }),
            },
        });
    }

    fn part(&mut self, line: &Line<'_>, value: &str) {
        let uri = attribute(value, "URI").filter(|uri| !uri.is_empty());
        let range = attribute(value, "BYTERANGE").map(range_of);
        let (Some(uri), None | Some(Some(_))) = (uri, range) else {
            return self.problem(line, "a part that cannot be read");
        };
        let parts = &mut self.pending.segment.parts;
        let before = parts.last().filter(|before| before.uri == uri);
        let follows = before.and_then(|before| before.range).map(end_of);
        let range = range.flatten().map(|(length, offset)| ByteRange {
            offset: offset.or(follows).unwrap_or_default(),
            length,
        });
        parts.push(Part {
            line: line.number,
            uri: uri.to_owned(),
            range,
            duration: attribute(value, "DURATION").and_then(decimal),
            independent: attribute(value, "INDEPENDENT") == Some("YES"),
            gap: attribute(value, "GAP") == Some("YES"),
        });
    }

    fn uri(&mut self, line: &Line<'_>) {
        if !self.pending.extinf {
            self.problem(
                line,
                "neither a tag nor a URI after EXTINF; taken as a chunk",
            );
        }
        let range = self.pending.range;
        let mut segment = self.take(line.number);
        segment.uri = line.text.to_owned();
        if let Some((length, offset)) = range {
            let before = self
                .segments
                .last()
                .filter(|before| before.uri == segment.uri);
            let follows = before.and_then(|before| before.range).map(end_of);
            match offset.or(follows) {
                Some(offset) => segment.range = Some(ByteRange { offset, length }),
                None => {
                    let reason = "its byte range has no offset and follows no other part";
                    segment.unusable.get_or_insert(reason.into());
                }
            }
        }
        if let Some(name) = variables::undefined(line.text) {
            segment.unusable.get_or_insert(undefined(name));
        }
        self.segments.push(segment);
    }

    /// The chunk that was announced up to here.
    fn take(&mut self, line: usize) -> Segment {
        let pending = std::mem::take(&mut self.pending);
        let mut segment = pending.segment;
        segment.line = line;
        segment.sequence = self
            .media_sequence
            .saturating_add(self.segments.len() as u64);
        self.discontinuity_sequence = self
            .discontinuity_sequence
            .saturating_add(u64::from(segment.discontinuity));
        segment.discontinuity_sequence = self.discontinuity_sequence;
        match self.key_now() {
            Ok(key) => segment.key = key,
            Err(reason) => {
                segment.unusable.get_or_insert(reason);
            }
        }
        match &self.map {
            Some(Ok(map)) => segment.map = Some(map.clone()),
            Some(Err(reason)) => {
                segment.unusable.get_or_insert_with(|| reason.clone());
            }
            None => {}
        }
        for info in pending.messages {
            let mut cues = segment.cues.iter_mut();
            match cues.find(|cue| matches!(cue.kind, CueKind::Out | CueKind::In)) {
                Some(cue) => cues::join(cue, &info),
                None => segment
                    .cues
                    .push(info.cue(matchcut_model::cue::CueTime::ChunkStart)),
            }
        }
        segment
    }

    fn finish(mut self, lines: &[Line<'_>]) -> MediaPlaylist {
        let open = !self.pending.segment.parts.is_empty();
        let open = open.then(|| self.take(0));
        let (date_ranges, problems) = self.ranges.finish();
        for (number, message) in problems {
            let line = lines.iter().find(|line| line.number == number);
            self.problems.extend(line.map(|line| line.problem(message)));
        }
        self.problems.sort_by_key(|problem| problem.line);
        let longest = self
            .segments
            .iter()
            .filter_map(|segment| segment.duration)
            .max();
        MediaPlaylist {
            target_duration: self
                .target_duration
                .or(longest)
                .unwrap_or(MediaTime::from_seconds(6)),
            segments: self.segments,
            open,
            media_sequence: self.media_sequence,
            complete: self.ended || self.vod,
            can_block_reload: self.can_block_reload,
            part_target: self.part_target,
            date_ranges,
            problems: self.problems,
        }
    }
}

fn undefined(name: &str) -> String {
    format!("its URI has the variable \"{name}\", which is not defined")
}

fn end_of(range: ByteRange) -> u64 {
    range.offset.saturating_add(range.length)
}

/// An initialization vector: up to 32 hexadecimal digits after `0x`.
fn iv_of(text: &str) -> Option<[u8; 16]> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    let valid = !digits.starts_with('+') && (1..=32).contains(&digits.len());
    let number = u128::from_str_radix(digits, 16).ok().filter(|_| valid)?;
    Some(number.to_be_bytes())
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
pub(super) fn decimal(text: &str) -> Option<MediaTime> {
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
