//! MPEG-2 transport streams. Timestamps are read from the PES headers as they are written.

use std::collections::BTreeMap;

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;

use super::es::{ElementaryStream, Start, Unwrap};
use super::packet::{Packet, Packets, packets};
use super::psi::{Kind, Sections, Stream, parse_pat, parse_pmt};
use super::{DemuxError, ancillary, audio, cues, head, jumps, video};
use crate::samples::{AudioTrack, Codec, Demuxed};

/// Reads a chunk of a transport stream.
pub fn demux(media: &Bytes) -> Result<Demuxed, DemuxError> {
    let found = packets(media);
    if found.packets.is_empty() {
        return Err(DemuxError::NotTransportStream {
            bytes: media.len(),
            head: head(media),
        });
    }
    let mut warnings = Vec::new();
    for (offset, length) in &found.garbage {
        warnings.push(format!(
            "{length} bytes at offset {offset} are no transport stream packets"
        ));
    }
    let program = read_program(&found.packets, &mut warnings)?;
    let scrambled = found
        .packets
        .iter()
        .filter(|p| p.scrambled && p.pid != 0x1fff)
        .count();
    let chosen = choose(&program.streams, &mut warnings)?;
    let mut unwrap = Unwrap::default();
    let mut streams = read_streams(&found, &program, &chosen, &mut unwrap, &mut warnings);
    let sections = read_cues(&found, &program.streams);

    let mut out = Demuxed::default();
    let mut track_number = 0;
    let mut beside = None;
    let mut empty = Vec::new();
    for stream in chosen {
        let data = streams.remove(&stream.pid).unwrap_or_default();
        if data.broken > 0 {
            warnings.push(format!(
                "PID {}: {} broken PES packets",
                stream.pid, data.broken
            ));
        }
        match &stream.kind {
            Kind::Video(codec) => {
                out.video = video::track(data, codec.clone(), &mut warnings);
                if out.video.is_none() {
                    empty.push(format!("video ({codec}) on PID {} has none", stream.pid));
                }
            }
            Kind::Audio(codec) => {
                track_number += 1;
                let number = TrackNumber(track_number);
                let language = stream.language.clone();
                match audio::track(data, codec.clone(), number, language, &mut warnings) {
                    Some(track) => out.audio.push(AudioTrack {
                        id: Some(stream.pid.into()),
                        ..track
                    }),
                    None => empty.push(format!(
                        "audio track {number} ({codec}) on PID {} has none",
                        stream.pid
                    )),
                }
            }
            Kind::Ancillary => beside = Some(data),
            Kind::Cues | Kind::Data(_) => {}
        }
    }
    if out.is_empty() {
        if scrambled > 0 {
            return Err(DemuxError::Scrambled { packets: scrambled });
        }
        return Err(DemuxError::NoSamples {
            detail: empty.join(", "),
        });
    }
    warnings.extend(empty.into_iter().map(|what| format!("no samples: {what}")));
    if let (Some(track), Some(beside)) = (&mut out.video, &beside) {
        ancillary::label(track, beside);
    }
    out.cues = cues::read(&sections, &mut unwrap, &mut warnings);
    out.warnings = warnings;
    jumps::heal(&mut out);
    Ok(out)
}

struct Program {
    pmt_pids: Vec<u16>,
    streams: Vec<Stream>,
}

/// Looks through all packets, since the tables may come late.
fn read_program(packets: &[Packet<'_>], warnings: &mut Vec<String>) -> Result<Program, DemuxError> {
    let mut pat = Sections::default();
    let mut pmt_pids: Vec<u16> = Vec::new();
    for packet in packets
        .iter()
        .filter(|packet| packet.pid == 0 && !packet.error)
    {
        for section in pat.push(packet.payload, packet.start) {
            for pid in parse_pat(&section).unwrap_or_default() {
                if !pmt_pids.contains(&pid) {
                    pmt_pids.push(pid);
                }
            }
        }
    }
    if pmt_pids.is_empty() {
        return Err(DemuxError::NoPat {
            packets: packets.len(),
        });
    }
    let mut chosen: Option<(u16, Vec<Stream>)> = None;
    for pid in &pmt_pids {
        let mut sections = Sections::default();
        let mut streams: Vec<Stream> = Vec::new();
        let mut tables = 0;
        for packet in packets
            .iter()
            .filter(|packet| packet.pid == *pid && !packet.error)
        {
            for section in sections.push(packet.payload, packet.start) {
                let Some(listed) = parse_pmt(&section) else {
                    continue;
                };
                tables += 1;
                for stream in listed {
                    if streams.iter().any(|known| known.pid == stream.pid) {
                        continue;
                    }
                    if tables > 1 {
                        let pid = stream.pid;
                        warnings.push(format!("a later program map table adds PID {pid}"));
                    }
                    streams.push(stream);
                }
            }
        }
        if tables > 0 && chosen.is_none() {
            chosen = Some((*pid, streams));
        } else if tables > 0 {
            warnings.push(format!("a further program (map on PID {pid}) is ignored"));
        }
    }
    let Some((_, streams)) = chosen else {
        let pids: Vec<String> = pmt_pids.iter().map(u16::to_string).collect();
        return Err(DemuxError::NoPmt {
            pids: pids.join(", "),
        });
    };
    Ok(Program { pmt_pids, streams })
}

/// All audio streams and one video stream: the first that is understood, else the first.
fn choose<'a>(
    streams: &'a [Stream],
    warnings: &mut Vec<String>,
) -> Result<Vec<&'a Stream>, DemuxError> {
    let is_video = |stream: &&Stream| matches!(stream.kind, Kind::Video(_));
    let understood = |stream: &&Stream| {
        matches!(
            stream.kind,
            Kind::Video(Codec::H264) | Kind::Video(Codec::Hevc)
        )
    };
    let first = streams
        .iter()
        .find(understood)
        .or_else(|| streams.iter().find(is_video));
    let mut out = Vec::new();
    let mut others = Vec::new();
    for stream in streams {
        match &stream.kind {
            Kind::Video(_) if first == Some(stream) => out.push(stream),
            Kind::Video(codec) => {
                warnings.push(format!("a further video stream ({codec}) is ignored"));
            }
            Kind::Audio(_) => out.push(stream),
            Kind::Ancillary => out.push(stream),
            Kind::Cues => others.push("SCTE-35"),
            Kind::Data(name) => others.push(name.as_str()),
        }
    }
    if out.iter().all(|stream| stream.kind == Kind::Ancillary) {
        let listed = if others.is_empty() {
            "nothing".into()
        } else {
            others.join(", ")
        };
        return Err(DemuxError::NoStreams { listed });
    }
    Ok(out)
}

/// The PES packet that is being collected on a PID.
#[derive(Default)]
struct Collector<'a> {
    pes: Vec<u8>,
    start: Start,
    open: bool,
    counter: Option<u8>,
    last_payload: &'a [u8],
    lost: usize,
    stream: ElementaryStream,
}

fn read_streams<'a>(
    found: &Packets<'a>,
    program: &Program,
    chosen: &[&Stream],
    unwrap: &mut Unwrap,
    warnings: &mut Vec<String>,
) -> BTreeMap<u16, ElementaryStream> {
    let mut collectors: BTreeMap<u16, Collector<'a>> = chosen
        .iter()
        .map(|stream| (stream.pid, Collector::default()))
        .collect();
    let video_pid = chosen
        .iter()
        .find(|s| matches!(s.kind, Kind::Video(_)))
        .map(|stream| stream.pid);
    // Offset of the last PAT since the last video packet, and whether a PMT followed it.
    let mut entry: Option<(u64, bool)> = None;
    let mut damaged = 0;
    for packet in &found.packets {
        if packet.error {
            damaged += 1;
            continue;
        }
        if packet.pid == 0 {
            entry = Some((packet.offset as u64, false));
            continue;
        }
        if program.pmt_pids.contains(&packet.pid) {
            entry = entry.map(|(offset, _)| (offset, true));
            continue;
        }
        let Some(collector) = collectors.get_mut(&packet.pid) else {
            continue;
        };
        if packet.payload.is_empty() || packet.scrambled {
            continue;
        }
        if let Some(previous) = collector.counter.filter(|_| !packet.discontinuity) {
            if previous == packet.counter && collector.last_payload == packet.payload {
                continue;
            }
            if (previous + 1) & 0xf != packet.counter {
                collector.lost += 1;
            }
        }
        collector.counter = Some(packet.counter);
        collector.last_payload = packet.payload;
        if packet.start {
            if collector.open {
                let pes = std::mem::take(&mut collector.pes);
                collector.stream.push(&pes, collector.start, false, unwrap);
                collector.pes = pes;
            }
            collector.pes.clear();
            collector.open = true;
            collector.start = Start {
                entry: entry
                    .filter(|(_, complete)| *complete)
                    .map(|(offset, _)| offset),
                random_access: packet.random_access,
            };
        }
        if video_pid == Some(packet.pid) {
            entry = None;
        }
        if collector.open {
            collector.pes.extend_from_slice(packet.payload);
        }
    }
    if damaged > 0 {
        warnings.push(format!(
            "{damaged} packets are marked as damaged and left out"
        ));
    }
    if let Some((bytes, _)) = found.partial {
        warnings.push(format!(
            "the chunk ends inside a packet ({bytes} of 188 bytes)"
        ));
    }
    let mut out = BTreeMap::new();
    for (pid, mut collector) in collectors {
        if collector.open {
            let pes = std::mem::take(&mut collector.pes);
            collector.stream.push(&pes, collector.start, true, unwrap);
        }
        if found
            .partial
            .is_some_and(|(_, partial)| partial == Some(pid))
        {
            collector.stream.cut_off = true;
        }
        if collector.lost > 0 {
            warnings.push(format!(
                "PID {pid}: packets are missing in {} places",
                collector.lost
            ));
        }
        out.insert(pid, collector.stream);
    }
    out
}

/// The sections of all cue streams, in stream order.
fn read_cues(found: &Packets<'_>, streams: &[Stream]) -> Vec<Vec<u8>> {
    let pids = streams.iter().filter(|stream| stream.kind == Kind::Cues);
    let mut collected: BTreeMap<u16, (Sections, Option<u8>)> = pids
        .map(|stream| (stream.pid, Default::default()))
        .collect();
    let mut out = Vec::new();
    if collected.is_empty() {
        return out;
    }
    for packet in found.packets.iter().filter(|packet| !packet.error) {
        let Some((sections, counter)) = collected.get_mut(&packet.pid) else {
            continue;
        };
        // A packet may come twice.
        let again = *counter == Some(packet.counter) && !packet.discontinuity;
        if packet.scrambled || packet.payload.is_empty() || again {
            continue;
        }
        *counter = Some(packet.counter);
        out.extend(sections.push(packet.payload, packet.start));
    }
    out
}
