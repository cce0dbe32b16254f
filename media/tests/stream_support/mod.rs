//! A small writer of transport streams, so that tests can have what no encoder makes: chunks whose
//! tables, clocks and contents change when the test says so. ffprobe reads them as well.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use matchcut_media::demux::demux;
use matchcut_media::samples::{AudioTrack, Codec, Demuxed, Sample, VideoTrack};
use matchcut_model::chunk::Container;

/// A stream of the program: PID, stream type, descriptors.
pub type Listed = (u16, u8, Vec<u8>);

pub const VIDEO: u16 = 256;

/// Writes one chunk.
#[derive(Default)]
pub struct Writer {
    pub bytes: Vec<u8>,
    counters: BTreeMap<u16, u8>,
}

impl Writer {
    /// A PAT and a PMT with these streams.
    pub fn tables(&mut self, version: u8, streams: &[Listed]) {
        let pat = section(0, &[0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0]);
        let mut pmt = vec![0, 1, 0xc1 | version << 1, 0, 0, 0xe1, 0, 0xf0, 0];
        for (pid, kind, descriptors) in streams {
            pmt.extend([*kind, 0xe0 | (pid >> 8) as u8, *pid as u8, 0xf0]);
            pmt.push(descriptors.len() as u8);
            pmt.extend(descriptors);
        }
        self.section(0, &pat);
        self.section(0x1000, &section(2, &pmt));
    }

    /// A section that fits in one packet.
    pub fn section(&mut self, pid: u16, section: &[u8]) {
        let mut payload = vec![0];
        payload.extend(section);
        payload.resize(184, 0xff);
        self.packet(pid, true, &[], &payload);
    }

    /// A PES packet.
    pub fn pes(&mut self, pid: u16, (pts, dts): (i64, i64), payload: &[u8], key: bool) {
        let stream = if pid == VIDEO { 0xe0 } else { 0xc0 };
        let stamp = |mark: u8, ticks: i64| {
            let t = ticks.rem_euclid(1 << 33) as u64;
            [
                mark << 4 | ((t >> 30) as u8) << 1 | 1,
                (t >> 22) as u8,
                ((t >> 15) as u8) << 1 | 1,
                (t >> 7) as u8,
                (t as u8) << 1 | 1,
            ]
        };
        let mut pes = vec![0, 0, 1, stream, 0, 0, 0x80, 0xc0, 10];
        pes.extend(stamp(3, pts));
        pes.extend(stamp(1, dts));
        pes.extend(payload);
        if pid != VIDEO {
            let length = pes.len() - 6;
            pes[4..6].copy_from_slice(&(length as u16).to_be_bytes());
        }
        let mut rest = &pes[..];
        let mut start = true;
        while !rest.is_empty() {
            let mut field: Vec<u8> = Vec::new();
            if start && pid == VIDEO {
                let clock = (dts - 45_000).rem_euclid(1 << 33) as u64;
                field = vec![if key { 0x50 } else { 0x10 }];
                field.extend([
                    (clock >> 25) as u8,
                    (clock >> 17) as u8,
                    (clock >> 9) as u8,
                    (clock >> 1) as u8,
                    (clock << 7) as u8 | 0x7e,
                    0,
                ]);
            }
            let room = if field.is_empty() {
                184
            } else {
                183 - field.len()
            };
            let take = rest.len().min(room);
            let missing = room - take;
            if missing > 0 && field.is_empty() {
                // An adaptation field of one byte is its length alone.
                if missing > 1 {
                    field.push(0);
                    field.resize(missing - 1, 0xff);
                }
                self.packet_with(pid, start, Some(&field), &rest[..take]);
            } else {
                let has = !field.is_empty();
                field.resize(field.len() + missing, 0xff);
                self.packet_with(pid, start, has.then_some(&field), &rest[..take]);
            }
            rest = &rest[take..];
            start = false;
        }
    }

    fn packet(&mut self, pid: u16, start: bool, field: &[u8], payload: &[u8]) {
        let field = (!field.is_empty()).then_some(field);
        self.packet_with(pid, start, field, payload);
    }

    fn packet_with(&mut self, pid: u16, start: bool, field: Option<&[u8]>, payload: &[u8]) {
        let counter = self.counters.entry(pid).or_default();
        let flags = if field.is_some() { 0x30 } else { 0x10 };
        let from = self.bytes.len();
        self.bytes.extend([
            0x47,
            if start { 0x40 } else { 0 } | (pid >> 8) as u8,
            pid as u8,
            flags | *counter,
        ]);
        *counter = (*counter + 1) & 0xf;
        if let Some(field) = field {
            self.bytes.push(field.len() as u8);
            self.bytes.extend(field);
        }
        self.bytes.extend(payload);
        assert_eq!(self.bytes.len() - from, 188);
    }

    /// All samples of a video track, moved by so many ticks.
    pub fn video(&mut self, track: &VideoTrack, by: i64) {
        for sample in &track.samples {
            self.picture(&track.codec, sample, &sample.data, by);
        }
    }

    /// One picture, with other bytes than its own.
    pub fn picture(&mut self, codec: &Codec, sample: &Sample, data: &[u8], by: i64) {
        let mut bytes = match codec {
            Codec::H264 => vec![0, 0, 0, 1, 9, 0xf0],
            Codec::Hevc => vec![0, 0, 0, 1, 0x46, 1, 0x50],
            _ => Vec::new(),
        };
        bytes.extend(data);
        let times = (sample.pts + by, sample.dts + by);
        self.pes(VIDEO, times, &bytes, sample.sync.is_key());
    }

    /// All frames of an AAC track.
    pub fn aac(&mut self, pid: u16, track: &AudioTrack, by: i64) {
        for sample in &track.samples {
            let frame = adts(track, &sample.data);
            self.pes(pid, (sample.pts + by, sample.pts + by), &frame, true);
        }
    }
}

/// A frame of AAC with its ADTS header.
pub fn adts(track: &AudioTrack, data: &[u8]) -> Vec<u8> {
    let (a, b) = (track.config[0], track.config[1]);
    let (kind, rate, channels) = (a >> 3, (a & 7) << 1 | b >> 7, b >> 3 & 0xf);
    let length = data.len() + 7;
    let mut frame = vec![
        0xff,
        0xf1,
        (kind - 1) << 6 | rate << 2 | channels >> 2,
        channels << 6 | (length >> 11) as u8,
        (length >> 3) as u8,
        (length << 5) as u8 | 0x1f,
        0xfc,
    ];
    frame.extend(data);
    frame
}

/// A section of a table, with its checksum.
fn section(table: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() + 4;
    let mut section = vec![table, 0xb0 | (length >> 8) as u8, length as u8];
    section.extend(content);
    let checksum = crc(&section);
    section.extend(checksum.to_be_bytes());
    section
}

/// CRC-32 of MPEG-2.
pub fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

pub fn read(bytes: &[u8]) -> Demuxed {
    demux(Container::MpegTs, None, &Bytes::copy_from_slice(bytes)).unwrap()
}

/// Frames of the first video stream as ffprobe decodes them, in order of presentation, as JSON.
pub fn ffprobe_frames(file: &Path) -> Vec<serde_json::Value> {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-show_frames",
            "-of",
            "json",
        ])
        .arg(file)
        .output()
        .unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    json["frames"].as_array().cloned().unwrap_or_default()
}
