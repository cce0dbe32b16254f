//! SCTE-35 splice information (ANSI/SCTE 35): the binary sections that announce breaks, chapters and
//! programmes, in transport streams by themselves and in playlists as hexadecimal or base64 text.

use serde::{Deserialize, Serialize};

use crate::cue::{Cue, CueKind, CueTime};
use crate::time::{MediaTime, Timestamp};
use crate::value::{Attributes, Value};

/// Ticks of every time of a section.
const TICKS: u32 = 90_000;

/// Why bytes are not a splice information section.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Scte35Error {
    /// It ends too early.
    #[error("the SCTE-35 section ends after {0} bytes, in the middle of a field")]
    Short(usize),
    /// It is another table.
    #[error("table {0:#04x} is not an SCTE-35 section, which is table 0xfc")]
    Table(u8),
    /// Its checksum is wrong.
    #[error("the checksum of the SCTE-35 section is wrong")]
    Checksum,
    /// Text that is neither hexadecimal nor base64.
    #[error("not SCTE-35 in hexadecimal or base64")]
    Text,
}

/// A splice information section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpliceInfo {
    /// What it says.
    pub command: SpliceCommand,
    /// To be added to every time in it, in ticks of 90 kHz. [`SpliceInfo::pts`] has added it.
    pub pts_adjustment: u64,
    /// Authorization tier; 0xfff for none.
    pub tier: u16,
    /// The command and its descriptors are encrypted and were not read.
    pub encrypted: bool,
    /// Segmentation descriptors, in order.
    pub segmentation: Vec<Segmentation>,
    /// The section as it came.
    pub bytes: Vec<u8>,
}

/// The command of a section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpliceCommand {
    /// Nothing: a heartbeat, or a carrier of descriptors.
    Null,
    /// Leave the programme, or come back to it.
    Insert(SpliceInsert),
    /// Segmentation descriptors apply at a time.
    TimeSignal {
        /// When, without the adjustment; `None` is at once.
        pts: Option<u64>,
    },
    /// Another command, by its type.
    Other(u8),
}

/// A splice_insert command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpliceInsert {
    /// The number of the event.
    pub event_id: u32,
    /// What was announced under this number does not happen.
    pub cancel: bool,
    /// True where the programme is left, false where it goes on.
    pub out_of_network: bool,
    /// It happens at once, at the nearest opportunity.
    pub immediate: bool,
    /// When, without the adjustment.
    pub pts: Option<u64>,
    /// How long the break lasts, in ticks of 90 kHz.
    pub duration: Option<u64>,
    /// The programme comes back by itself after the duration.
    pub auto_return: bool,
    /// The programme that it is about.
    pub unique_program_id: u16,
    /// Number of this avail.
    pub avail_num: u8,
    /// How many avails there are.
    pub avails_expected: u8,
}

/// A segmentation descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segmentation {
    /// The number of the event.
    pub event_id: u32,
    /// What was announced under this number does not happen.
    pub cancel: bool,
    /// In ticks of 90 kHz.
    pub duration: Option<u64>,
    /// What the unique id is, by the table of the standard.
    pub upid_type: u8,
    /// A unique id of the content.
    pub upid: Vec<u8>,
    /// What begins or ends, by the table of the standard.
    pub type_id: u8,
    /// Number of this segment.
    pub segment_num: u8,
    /// How many segments there are.
    pub segments_expected: u8,
}

/// A reader of bits.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<u64, Scte35Error> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8);
            let byte = *byte.ok_or(Scte35Error::Short(self.bytes.len()))?;
            value = value << 1 | u64::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    fn flag(&mut self) -> Result<bool, Scte35Error> {
        Ok(self.take(1)? == 1)
    }

    fn byte(&mut self) -> Result<u8, Scte35Error> {
        Ok(self.take(8)? as u8)
    }

    /// Whole bytes; only where the reader stands between two.
    fn slice(&mut self, count: usize) -> Result<&'a [u8], Scte35Error> {
        let start = self.at / 8;
        let slice = start
            .checked_add(count)
            .and_then(|end| self.bytes.get(start..end));
        self.at += count * 8;
        slice.ok_or(Scte35Error::Short(self.bytes.len()))
    }

    /// splice_time()
    fn time(&mut self) -> Result<Option<u64>, Scte35Error> {
        if self.flag()? {
            self.take(6)?;
            return Ok(Some(self.take(33)?));
        }
        self.take(7)?;
        Ok(None)
    }
}

/// Reads a splice_info_section, from its table id to its checksum. Bytes after it are passed over.
pub fn parse(section: &[u8]) -> Result<SpliceInfo, Scte35Error> {
    let mut head = Bits::new(section);
    let table = head.byte()?;
    if table != 0xfc {
        return Err(Scte35Error::Table(table));
    }
    head.take(4)?;
    let length = head.take(12)? as usize;
    let bytes = section
        .get(..3 + length)
        .ok_or(Scte35Error::Short(section.len()))?;
    if crc(bytes) != 0 {
        return Err(Scte35Error::Checksum);
    }
    // The checksum is no part of the content.
    let content = bytes.len().saturating_sub(4);
    let mut bits = Bits::new(bytes.get(..content).unwrap_or_default());
    bits.take(24 + 8)?;
    let encrypted = bits.flag()?;
    bits.take(6)?;
    let pts_adjustment = bits.take(33)?;
    bits.take(8)?;
    let tier = bits.take(12)? as u16;
    let command_length = bits.take(12)? as usize;
    let command_type = bits.byte()?;
    let mut info = SpliceInfo {
        command: SpliceCommand::Other(command_type),
        pts_adjustment,
        tier,
        encrypted,
        segmentation: Vec::new(),
        bytes: bytes.to_vec(),
    };
    if encrypted {
        return Ok(info);
    }
    let start = bits.at;
    info.command = match command_type {
        0 => SpliceCommand::Null,
        5 => SpliceCommand::Insert(insert(&mut bits)?),
        6 => SpliceCommand::TimeSignal { pts: bits.time()? },
        other => SpliceCommand::Other(other),
    };
    // 0xfff: an old encoder does not say how long the command is.
    if command_length != 0xfff {
        bits.at = start + command_length * 8;
    } else if matches!(info.command, SpliceCommand::Other(_)) {
        return Ok(info);
    }
    let length = bits.take(16)? as usize;
    let mut descriptors = Bits::new(bits.slice(length)?);
    while descriptors.at / 8 < length {
        let tag = descriptors.byte()?;
        let length = usize::from(descriptors.byte()?);
        let content = descriptors.slice(length)?;
        let mut content = Bits::new(content);
        if tag == 2 && content.take(32)? == u64::from(u32::from_be_bytes(*b"CUEI")) {
            info.segmentation.push(segmentation(&mut content)?);
        }
    }
    Ok(info)
}

/// Reads a section from text as playlists carry it: hexadecimal with `0x`, or base64.
pub fn parse_text(text: &str) -> Result<SpliceInfo, Scte35Error> {
    let text = text.trim();
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let bytes = match hex {
        Some(hex) => from_hex(hex),
        // A section begins with 0xfc30: /D in base64, FC in hexadecimal.
        None if text.starts_with("FC") || text.starts_with("fc") => from_hex(text),
        None => from_base64(text),
    };
    parse(&bytes.ok_or(Scte35Error::Text)?)
}

fn insert(bits: &mut Bits<'_>) -> Result<SpliceInsert, Scte35Error> {
    let mut insert = SpliceInsert {
        event_id: bits.take(32)? as u32,
        cancel: bits.flag()?,
        ..SpliceInsert::default()
    };
    bits.take(7)?;
    if insert.cancel {
        return Ok(insert);
    }
    insert.out_of_network = bits.flag()?;
    let program = bits.flag()?;
    let has_duration = bits.flag()?;
    insert.immediate = bits.flag()?;
    bits.take(4)?;
    if program && !insert.immediate {
        insert.pts = bits.time()?;
    }
    if !program {
        for _ in 0..bits.byte()? {
            bits.byte()?;
            if !insert.immediate {
                let pts = bits.time()?;
                insert.pts = insert.pts.or(pts);
            }
        }
    }
    if has_duration {
        insert.auto_return = bits.flag()?;
        bits.take(6)?;
        insert.duration = Some(bits.take(33)?);
    }
    insert.unique_program_id = bits.take(16)? as u16;
    insert.avail_num = bits.byte()?;
    insert.avails_expected = bits.byte()?;
    Ok(insert)
}

fn segmentation(bits: &mut Bits<'_>) -> Result<Segmentation, Scte35Error> {
    let mut segmentation = Segmentation {
        event_id: bits.take(32)? as u32,
        cancel: bits.flag()?,
        ..Segmentation::default()
    };
    bits.take(7)?;
    if segmentation.cancel {
        return Ok(segmentation);
    }
    let program = bits.flag()?;
    let has_duration = bits.flag()?;
    bits.take(6)?;
    if !program {
        for _ in 0..bits.byte()? {
            bits.take(48)?;
        }
    }
    if has_duration {
        segmentation.duration = Some(bits.take(40)?);
    }
    segmentation.upid_type = bits.byte()?;
    let length = usize::from(bits.byte()?);
    segmentation.upid = bits.slice(length)?.to_vec();
    segmentation.type_id = bits.byte()?;
    segmentation.segment_num = bits.byte()?;
    segmentation.segments_expected = bits.byte()?;
    Ok(segmentation)
}

impl SpliceInfo {
    /// When what it announces happens, in ticks of 90 kHz modulo 2^33, adjusted; `None` is at once.
    pub fn pts(&self) -> Option<u64> {
        let pts = match &self.command {
            SpliceCommand::Insert(insert) => insert.pts,
            SpliceCommand::TimeSignal { pts } => *pts,
            _ => None,
        };
        pts.map(|pts| (pts + self.pts_adjustment) % (1 << 33))
    }

    /// [`SpliceInfo::pts`] as a place for a cue, on the clock of the stream that carries the section.
    pub fn time(&self) -> Option<CueTime> {
        let pts = i64::try_from(self.pts()?).ok()?;
        Some(CueTime::Pts(Timestamp {
            ticks: pts,
            timescale: TICKS,
        }))
    }

    /// How long what it announces lasts.
    pub fn duration(&self) -> Option<MediaTime> {
        let ticks = match &self.command {
            SpliceCommand::Insert(insert) => insert.duration,
            _ => self
                .segmentation
                .iter()
                .find_map(|segment| segment.duration),
        };
        ticks.and_then(|ticks| {
            // 40 bits; what is longer than a year is not meant.
            let ticks = i64::try_from(ticks).ok()?;
            (ticks < 366 * 86_400 * i64::from(TICKS)).then(|| MediaTime::from_ticks(ticks, TICKS))
        })
    }

    /// Whether the programme is left or goes on, by the command or by the type of the first
    /// segmentation descriptor that is about a break; otherwise another message.
    pub fn kind(&self) -> CueKind {
        if let SpliceCommand::Insert(insert) = &self.command {
            return match (insert.cancel, insert.out_of_network) {
                (true, _) => CueKind::Scte35,
                (false, true) => CueKind::Out,
                (false, false) => CueKind::In,
            };
        }
        let of = |segment: &Segmentation| match segment.type_id {
            _ if segment.cancel => None,
            // Break; provider and distributor advertisement, placement opportunity, overlay.
            0x22 | 0x30 | 0x32 | 0x34 | 0x36 | 0x38 | 0x3a | 0x44 | 0x46 => Some(CueKind::Out),
            0x23 | 0x31 | 0x33 | 0x35 | 0x37 | 0x39 | 0x3b | 0x45 | 0x47 => Some(CueKind::In),
            _ => None,
        };
        let kind = self.segmentation.iter().find_map(of);
        kind.unwrap_or(CueKind::Scte35)
    }

    /// Everything that it says, for the attributes of a cue.
    pub fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        let mut set = |name: &str, value: Value| {
            attributes.insert(name.into(), value);
        };
        set("scte35", Value::from(to_hex(&self.bytes)));
        let command = match &self.command {
            SpliceCommand::Null => "splice_null".to_owned(),
            SpliceCommand::Insert(_) => "splice_insert".to_owned(),
            SpliceCommand::TimeSignal { .. } => "time_signal".to_owned(),
            SpliceCommand::Other(_) if self.encrypted => "encrypted".to_owned(),
            SpliceCommand::Other(4) => "splice_schedule".to_owned(),
            SpliceCommand::Other(7) => "bandwidth_reservation".to_owned(),
            SpliceCommand::Other(0xff) => "private_command".to_owned(),
            SpliceCommand::Other(other) => format!("command_{other}"),
        };
        set("command", Value::from(command));
        if let Some(pts) = self.pts() {
            set(
                "splice_time",
                Value::from(i64::try_from(pts).unwrap_or_default()),
            );
        }
        if let SpliceCommand::Insert(insert) = &self.command {
            set("event_id", Value::from(i64::from(insert.event_id)));
            set("out_of_network", Value::from(insert.out_of_network));
            if insert.cancel {
                set("cancel", Value::from(true));
            }
            if insert.duration.is_some() {
                set("auto_return", Value::from(insert.auto_return));
            }
            set(
                "unique_program_id",
                Value::from(i64::from(insert.unique_program_id)),
            );
            set("avail_num", Value::from(i64::from(insert.avail_num)));
            set(
                "avails_expected",
                Value::from(i64::from(insert.avails_expected)),
            );
        }
        if let Some(first) = self.segmentation.first() {
            for (name, value) in first.attributes() {
                set(&name, value);
            }
        }
        if self.segmentation.len() > 1 {
            let all = self.segmentation.iter().map(|s| Value::Map(s.attributes()));
            set("segmentation", Value::List(all.collect()));
        }
        attributes
    }

    /// As a cue at `at`: usually [`SpliceInfo::time`], or the start of the chunk that carries it.
    pub fn cue(&self, at: CueTime) -> Cue {
        Cue {
            at,
            kind: self.kind(),
            duration: self.duration(),
            attributes: self.attributes(),
        }
    }
}

impl Segmentation {
    /// The unique id as text where it is text, else in hexadecimal.
    pub fn upid_text(&self) -> String {
        let printable = |byte: &u8| (0x20..0x7f).contains(byte);
        match std::str::from_utf8(&self.upid) {
            Ok(text) if self.upid.iter().all(printable) => text.to_owned(),
            _ => to_hex(&self.upid),
        }
    }

    /// Everything that it says.
    pub fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        let mut set = |name: &str, value: Value| {
            attributes.insert(name.into(), value);
        };
        set(
            "segmentation_event_id",
            Value::from(i64::from(self.event_id)),
        );
        if self.cancel {
            set("segmentation_cancel", Value::from(true));
            return attributes;
        }
        set("segmentation_type_id", Value::from(i64::from(self.type_id)));
        if let Some(name) = type_name(self.type_id) {
            set("segmentation_type", Value::from(name));
        }
        if let Some(ticks) = self.duration.and_then(|ticks| i64::try_from(ticks).ok()) {
            let seconds = ticks as f64 / f64::from(TICKS);
            set("segmentation_duration", Value::rounded(seconds, 3));
        }
        if !self.upid.is_empty() {
            set("upid_type", Value::from(i64::from(self.upid_type)));
            set("upid", Value::from(self.upid_text()));
        }
        set("segment_num", Value::from(i64::from(self.segment_num)));
        set(
            "segments_expected",
            Value::from(i64::from(self.segments_expected)),
        );
        attributes
    }
}

/// The name of a segmentation type (SCTE 35, table 23).
fn type_name(id: u8) -> Option<&'static str> {
    let name = match id {
        0x00 => "not_indicated",
        0x01 => "content_identification",
        0x10 => "program_start",
        0x11 => "program_end",
        0x12 => "program_early_termination",
        0x13 => "program_breakaway",
        0x14 => "program_resumption",
        0x15 => "program_runover_planned",
        0x16 => "program_runover_unplanned",
        0x17 => "program_overlap_start",
        0x18 => "program_blackout_override",
        0x19 => "program_join",
        0x20 => "chapter_start",
        0x21 => "chapter_end",
        0x22 => "break_start",
        0x23 => "break_end",
        0x24 => "opening_credit_start",
        0x25 => "opening_credit_end",
        0x26 => "closing_credit_start",
        0x27 => "closing_credit_end",
        0x30 => "provider_advertisement_start",
        0x31 => "provider_advertisement_end",
        0x32 => "distributor_advertisement_start",
        0x33 => "distributor_advertisement_end",
        0x34 => "provider_placement_opportunity_start",
        0x35 => "provider_placement_opportunity_end",
        0x36 => "distributor_placement_opportunity_start",
        0x37 => "distributor_placement_opportunity_end",
        0x38 => "provider_overlay_placement_opportunity_start",
        0x39 => "provider_overlay_placement_opportunity_end",
        0x3a => "distributor_overlay_placement_opportunity_start",
        0x3b => "distributor_overlay_placement_opportunity_end",
        0x40 => "unscheduled_event_start",
        0x41 => "unscheduled_event_end",
        0x44 => "provider_ad_block_start",
        0x45 => "provider_ad_block_end",
        0x46 => "distributor_ad_block_start",
        0x47 => "distributor_ad_block_end",
        0x50 => "network_start",
        0x51 => "network_end",
        _ => return None,
    };
    Some(name)
}

/// CRC-32/MPEG-2; 0 over a section with its checksum.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            crc << 1 ^ (0x04c1_1db7 & (crc >> 31).wrapping_neg())
        })
    })
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: &u8| char::from(*c).to_digit(16).map(|digit| digit as u8);
    let digits: Option<Vec<u8>> = text.as_bytes().iter().map(digit).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let pairs = digits.chunks_exact(2);
    Some(
        pairs
            .filter_map(|pair| Some(pair.first()? << 4 | pair.last()?))
            .collect(),
    )
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        held = held << 6 | u32::from(value(c)?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample sections of ANSI/SCTE 35, section 14.
    const INSERT: &str = "/DAvAAAAAAAA///wFAVIAACPf+/+c2nALv4AUsz1AAAAAAAKAAhDVUVJAAABNWLbowo=";
    const SIGNAL: &str =
        "/DA0AAAAAAAA///wBQb+cr0AUAAeAhxDVUVJSAAAjn/PAAGlmbAICAAAAAAsoKGKNAIAmsnRfg==";

    #[test]
    fn a_splice_insert_of_the_standard() {
        let info = parse_text(INSERT).unwrap();
        let SpliceCommand::Insert(insert) = &info.command else {
            panic!("{info:?}")
        };
        assert_eq!(insert.event_id, 0x4800_008f);
        assert!(insert.out_of_network && insert.auto_return && !insert.immediate);
        assert_eq!(insert.pts, Some(0x0_7369_c02e));
        assert_eq!(insert.duration, Some(0x0_0052_ccf5));
        assert_eq!((info.tier, info.pts_adjustment), (0xfff, 0));
        let cue = info.cue(CueTime::ChunkStart);
        assert_eq!(cue.kind, CueKind::Out);
        assert_eq!(cue.duration, Some(MediaTime::from_ticks(5_426_421, 90_000)));
        assert_eq!(cue.attributes["command"], Value::from("splice_insert"));
        assert_eq!(cue.attributes["event_id"], Value::from(0x4800_008f_i64));
    }

    #[test]
    fn a_time_signal_of_the_standard() {
        let info = parse_text(SIGNAL).unwrap();
        assert_eq!(
            info.command,
            SpliceCommand::TimeSignal {
                pts: Some(0x72bd_0050)
            }
        );
        let [segment] = info.segmentation.as_slice() else {
            panic!("{info:?}")
        };
        assert_eq!(segment.event_id, 0x4800_008e);
        assert_eq!(segment.duration, Some(27_630_000));
        assert_eq!((segment.upid_type, segment.type_id), (8, 0x34));
        assert_eq!(segment.upid_text(), "000000002ca0a18a");
        let cue = info.cue(info.time().unwrap());
        assert_eq!(cue.kind, CueKind::Out);
        assert_eq!(cue.duration, Some(MediaTime::from_seconds(307)));
        let name = "provider_placement_opportunity_start";
        assert_eq!(cue.attributes["segmentation_type"], Value::from(name));
    }

    #[test]
    fn hexadecimal_and_adjustment() {
        let bytes = from_base64(SIGNAL).unwrap();
        let text = format!("0x{}", to_hex(&bytes).to_uppercase());
        assert_eq!(parse_text(&text), parse_text(SIGNAL));
        let mut info = parse(&bytes).unwrap();
        info.pts_adjustment = (1 << 33) - 1;
        assert_eq!(info.pts(), Some(0x72bd_0050 - 1));
    }

    #[test]
    fn what_is_none_is_refused() {
        let bytes = from_base64(INSERT).unwrap();
        assert_eq!(parse(&[]), Err(Scte35Error::Short(0)));
        assert_eq!(parse(&[0x47, 0, 0]), Err(Scte35Error::Table(0x47)));
        assert_eq!(parse(&bytes[..20]), Err(Scte35Error::Short(20)));
        let mut broken = bytes.clone();
        broken[20] ^= 1;
        assert_eq!(parse(&broken), Err(Scte35Error::Checksum));
        assert_eq!(parse_text("0x12g4"), Err(Scte35Error::Text));
        assert_eq!(parse_text("/D?"), Err(Scte35Error::Text));
    }

    proptest::proptest! {
        /// Whatever stands in a section of which the checksum is right, nothing panics.
        #[test]
        fn any_content(content in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            let length = content.len() + 4;
            let mut section = vec![0xfc, 0x30, length as u8];
            section.extend(&content);
            let checksum = crc(&section);
            section.extend(checksum.to_be_bytes());
            if let Ok(info) = parse(&section) {
                let _ = info.cue(CueTime::ChunkStart);
            }
        }
    }
}
