//! Program specific information: sections, the program association table and the program map table.

use std::collections::BTreeMap;

use crate::samples::Codec;

/// Collects the sections of one PID, which may span packets.
#[derive(Debug, Default)]
pub struct Sections {
    buffer: Vec<u8>,
}

impl Sections {
    /// Takes the payload of a packet and returns the sections that it completes.
    pub fn push(&mut self, payload: &[u8], start: bool) -> Vec<Vec<u8>> {
        let mut done = Vec::new();
        let mut payload = payload;
        if start {
            let Some((&pointer, rest)) = payload.split_first() else {
                return done;
            };
            let Some((tail, rest)) = rest.split_at_checked(usize::from(pointer)) else {
                self.buffer.clear();
                return done;
            };
            if !self.buffer.is_empty() {
                self.buffer.extend_from_slice(tail);
                self.drain(&mut done);
            }
            self.buffer.clear();
            payload = rest;
        } else if self.buffer.is_empty() {
            return done;
        }
        self.buffer.extend_from_slice(payload);
        self.drain(&mut done);
        done
    }

    fn drain(&mut self, done: &mut Vec<Vec<u8>>) {
        while let Some(length) = section_length(&self.buffer) {
            if self.buffer.len() < length {
                return;
            }
            done.push(self.buffer.drain(..length).collect());
        }
        if self.buffer.first() == Some(&0xff) {
            self.buffer.clear();
        }
    }
}

fn section_length(data: &[u8]) -> Option<usize> {
    let head = data.get(..3)?;
    (head[0] != 0xff).then(|| 3 + (usize::from(head[1] & 0xf) << 8 | usize::from(head[2])))
}

/// CRC-32 of MPEG-2 systems; 0 over a section with its own checksum.
pub(crate) fn crc(data: &[u8]) -> u32 {
    data.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            if crc & 0x8000_0000 != 0 {
                crc << 1 ^ 0x04c1_1db7
            } else {
                crc << 1
            }
        })
    })
}

/// The body of a section with this table id: what lies between the 8-byte header and the checksum.
fn body(section: &[u8], table: u8) -> Option<&[u8]> {
    if *section.first()? != table || section.len() < 12 || crc(section) != 0 {
        return None;
    }
    section.get(8..section.len() - 4)
}

/// PIDs of the program map tables that a PAT section names.
pub fn parse_pat(section: &[u8]) -> Option<Vec<u16>> {
    let entries = body(section, 0)?.as_chunks::<4>().0;
    let programs = entries.iter().filter(|e| (e[0], e[1]) != (0, 0));
    Some(
        programs
            .map(|e| u16::from(e[2] & 0x1f) << 8 | u16::from(e[3]))
            .collect(),
    )
}

/// What a stream of a program holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pictures.
    Video(Codec),
    /// Sound.
    Audio(Codec),
    /// SCTE-35 sections.
    Cues,
    /// Ancillary data of a broadcast signal.
    Ancillary,
    /// Something else.
    Data(String),
}

/// A stream of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Packet identifier.
    pub pid: u16,
    /// What it holds.
    pub kind: Kind,
    /// ISO 639-2 code.
    pub language: Option<String>,
}

/// The streams that a PMT section lists, in its order.
pub fn parse_pmt(section: &[u8]) -> Option<Vec<Stream>> {
    let body = body(section, 2)?;
    let info = usize::from(*body.get(2)? & 0xf) << 8 | usize::from(*body.get(3)?);
    let mut rest = body.get(4 + info..)?;
    let mut streams = Vec::new();
    while let Some(head) = rest.get(..5) {
        let length = usize::from(head[3] & 0xf) << 8 | usize::from(head[4]);
        let Some(descriptors) = rest.get(5..5 + length) else {
            break;
        };
        let descriptors = descriptors_of(descriptors);
        streams.push(Stream {
            pid: u16::from(head[1] & 0x1f) << 8 | u16::from(head[2]),
            kind: kind(head[0], &descriptors),
            language: language(&descriptors),
        });
        rest = &rest[5 + length..];
    }
    Some(streams)
}

fn descriptors_of(mut data: &[u8]) -> BTreeMap<u8, &[u8]> {
    let mut out = BTreeMap::new();
    while let Some(&[tag, length]) = data.get(..2) {
        let Some(value) = data.get(2..2 + usize::from(length)) else {
            break;
        };
        out.entry(tag).or_insert(value);
        data = &data[2 + usize::from(length)..];
    }
    out
}

fn language(descriptors: &BTreeMap<u8, &[u8]>) -> Option<String> {
    let code = descriptors.get(&0x0a)?.get(..3)?;
    (code != b"und" && code.iter().all(u8::is_ascii_alphabetic))
        .then(|| String::from_utf8_lossy(code).to_ascii_lowercase())
}

fn kind(stream_type: u8, descriptors: &BTreeMap<u8, &[u8]>) -> Kind {
    let registration = descriptors.get(&0x05).and_then(|value| value.get(..4));
    let audio = |name: &str| Kind::Audio(Codec::Other(name.into()));
    let video = |name: &str| Kind::Video(Codec::Other(name.into()));
    match stream_type {
        0x01 => video("mpeg1video"),
        0x02 => video("mpeg2video"),
        0x10 => video("mpeg4"),
        0x1b => Kind::Video(Codec::H264),
        0x24 => Kind::Video(Codec::Hevc),
        0x33 => video("vvc"),
        0x42 => video("cavs"),
        0xd1 => video("dirac"),
        0xea => video("vc1"),
        0x03 | 0x04 => Kind::Audio(Codec::Mp3),
        0x0f => Kind::Audio(Codec::Aac),
        0x11 => audio("aac-latm"),
        0x81 | 0x87 => Kind::Audio(Codec::Ac3),
        0x82 | 0x85 | 0x86 if registration != Some(b"CUEI") && descriptors.contains_key(&0x7b) => {
            audio("dts")
        }
        0x06 => match registration {
            Some(b"AC-3" | b"EAC3") => Kind::Audio(Codec::Ac3),
            Some(b"Opus") => audio("opus"),
            Some(b"HEVC") => Kind::Video(Codec::Hevc),
            Some(b"AV01") => video("av1"),
            Some(b"VANC") => Kind::Ancillary,
            _ if descriptors.contains_key(&0x6a) || descriptors.contains_key(&0x7a) => {
                Kind::Audio(Codec::Ac3)
            }
            _ if descriptors.contains_key(&0x7b) => audio("dts"),
            _ => Kind::Data("private data".into()),
        },
        0x15 => Kind::Data("timed metadata".into()),
        0x86 => Kind::Cues,
        other => Kind::Data(format!("stream type 0x{other:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PAT for one program with its map on PID 0x1000.
    const PAT: [u8; 16] = [
        0x00, 0xb0, 0x0d, 0x00, 0x01, 0xc1, 0x00, 0x00, 0x00, 0x01, 0xf0, 0x00, 0x2a, 0xb1, 0x04,
        0xb2,
    ];

    #[test]
    fn pat() {
        assert_eq!(parse_pat(&PAT), Some(vec![0x1000]));
        let mut broken = PAT;
        broken[9] = 2;
        assert_eq!(parse_pat(&broken), None, "the checksum is wrong");
    }

    #[test]
    fn sections_span_packets() {
        let mut sections = Sections::default();
        let mut first = vec![0];
        first.extend(&PAT[..9]);
        assert!(sections.push(&first, true).is_empty());
        let mut second = PAT[9..].to_vec();
        second.extend([0xff; 20]);
        assert_eq!(sections.push(&second, false), vec![PAT.to_vec()]);
        assert!(
            sections.push(&[5, 1], true).is_empty(),
            "a pointer past the end"
        );
    }
}
