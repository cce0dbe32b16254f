//! Timecode that pictures carry, as encoders and a small injector write it, and as ffprobe reads it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "decode_support/mod.rs"]
mod decode_support;
mod stream_support;

use std::path::Path;

use decode_support::{ffmpeg, scratch};
use matchcut_media::bitstream::h264;
use matchcut_media::bitstream::nal::{annex_b_ranges, rbsp};
use matchcut_media::samples::{Codec, Demuxed, VideoTrack};
use matchcut_model::time::FrameRate;
use matchcut_model::timecode::{EmbeddedTimecode, Timecode, TimecodeRate};
use stream_support::{VIDEO, Writer, ffprobe_frames, read};

/// Bits, most significant first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u64, count: u32) {
        self.0
            .extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| {
            let value = bits
                .iter()
                .fold(0, |value, bit| value << 1 | u8::from(*bit));
            value << (8 - bits.len())
        };
        self.0.chunks(8).map(byte).collect()
    }
}

fn clock(bits: &mut Bits, timecode: EmbeddedTimecode, frame_bits: u32) {
    bits.put(if timecode.drop_frame { 4 } else { 0 }, 5);
    bits.put(1, 1);
    bits.put(0, 1);
    bits.put(u64::from(timecode.drop_frame), 1);
    bits.put(timecode.frames.into(), frame_bits);
    bits.put(timecode.seconds.into(), 6);
    bits.put(timecode.minutes.into(), 6);
    bits.put(timecode.hours.into(), 5);
}

/// An SEI unit with its start code and emulation prevention.
fn sei(head: &[u8], kind: u8, message: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 1];
    out.extend(head);
    let mut payload = vec![kind, message.len() as u8];
    payload.extend(message);
    payload.push(0x80);
    let mut zeros = 0;
    for byte in payload {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        out.push(byte);
    }
    out
}

/// The picture timing of an access unit that has one, with a timecode for each of `clocks` fields.
fn with_h264_timecode(
    data: &[u8],
    timing: &h264::PictureTiming,
    structure: u64,
    timecodes: &[Option<EmbeddedTimecode>],
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut done = false;
    for range in annex_b_ranges(data) {
        let unit = &data[range];
        // x264 writes each message in a unit of its own.
        if h264::unit_type(unit) == h264::unit::SEI && unit[1] == 1 && !done {
            let message = rbsp(&unit[1..], 4096);
            let message = &message[2..];
            let mut bits = Bits::default();
            for bit in 0..timing.delay_bits {
                bits.put(u64::from(message[bit / 8] >> (7 - bit % 8) & 1), 1);
            }
            bits.put(structure, 4);
            for timecode in timecodes {
                bits.put(u64::from(timecode.is_some()), 1);
                if let Some(timecode) = timecode {
                    bits.put(0, 3);
                    clock(&mut bits, *timecode, 8);
                    // An offset has 24 bits unless x264 says that there is none.
                    bits.put(0, if timing.delay_bits > 0 { 0 } else { 24 });
                }
            }
            out.extend(sei(&[6], 1, &bits.bytes()));
            done = true;
            continue;
        }
        out.extend([0, 0, 0, 1]);
        out.extend(unit);
    }
    assert!(done, "the encoder wrote no picture timing");
    out
}

fn with_hevc_timecode(data: &[u8], timecode: EmbeddedTimecode) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.put(1, 2);
    bits.put(1, 1);
    bits.put(0, 1);
    clock(&mut bits, timecode, 9);
    bits.put(0, 5);
    let unit = sei(&[39 << 1, 1], 136, &bits.bytes());
    let ranges = annex_b_ranges(data);
    // Before the first slice.
    let slice = ranges
        .iter()
        .find(|range| (data[range.start] >> 1 & 0x3f) < 32)
        .unwrap();
    let mut out = data[..slice.start - 3].to_vec();
    while out.last() == Some(&0) {
        out.pop();
    }
    out.extend(unit);
    out.extend([0, 0, 0, 1]);
    out.extend(&data[slice.start..]);
    out
}

/// Ranks of the samples in order of presentation.
fn ranks(track: &VideoTrack) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..track.samples.len()).collect();
    shown.sort_by_key(|index| track.samples[*index].pts);
    let mut ranks = vec![0; shown.len()];
    for (rank, index) in shown.into_iter().enumerate() {
        ranks[index] = rank;
    }
    ranks
}

/// The label of every frame, from the marks of a track.
fn labels(track: &VideoTrack) -> Vec<Option<String>> {
    let rate = track.frame_rate.unwrap();
    let of = |frame: u32| {
        let mark = track
            .timecodes
            .iter()
            .rev()
            .find(|mark| mark.frame <= frame)?;
        let timecode = mark.timecode.at(rate)?.plus(i64::from(frame - mark.frame));
        Some(timecode.to_string())
    };
    (0..track.samples.len() as u32).map(of).collect()
}

/// The labels that ffprobe finds, frame by frame.
fn ffprobe_labels(file: &Path, kind: &str) -> Vec<Option<String>> {
    let label = |frame: serde_json::Value| {
        let data = frame["side_data_list"].as_array()?.clone();
        let found = data
            .into_iter()
            .find(|data| data["side_data_type"] == kind)?;
        let text = match found["timecodes"][0]["value"].as_str() {
            Some(text) => text.to_owned(),
            None => found["timecode"].as_str()?.to_owned(),
        };
        Some(text)
    };
    ffprobe_frames(file).into_iter().map(label).collect()
}

fn encoded(dir: &Path, rate: &str, encoder: &str) -> Demuxed {
    ffmpeg(
        dir,
        &format!(
            "-f lavfi -i testsrc2=s=320x180:r={rate}:d=3 -pix_fmt yuv420p {encoder} -threads 1 \
             -muxdelay 0 -f mpegts plain.ts"
        ),
    );
    read(&std::fs::read(dir.join("plain.ts")).unwrap())
}

/// Labels of the frames of a track from `start`, with a jump at frame `jump`.
fn written(start: i64, jump: i64, rate: TimecodeRate) -> impl Fn(usize) -> EmbeddedTimecode {
    move |frame| {
        let frame = frame as i64;
        let ahead = if frame >= jump { 90_000 } else { 0 };
        Timecode::from_frame(start + frame + ahead, rate).into()
    }
}

fn check_h264(
    name: &str,
    rate: (&str, u32, u32),
    encoder: &str,
    fields: bool,
    start: i64,
    drop: bool,
) {
    let dir = scratch(&format!("timecode-{name}"));
    let plain = encoded(&dir, rate.0, encoder);
    let track = plain.video.as_ref().unwrap();
    let sps = h264::parse_sps(&track.parameter_sets.sps[0]).unwrap();
    let timing = sps.picture_timing.unwrap();
    assert!(timing.has_structure);
    let counting = TimecodeRate::new(FrameRate::new(rate.1, rate.2).unwrap(), drop);
    let label = written(start, 40, counting);
    let mut writer = Writer::default();
    writer.tables(0, &[(VIDEO, 0x1b, Vec::new())]);
    for (sample, rank) in track.samples.iter().zip(ranks(track)) {
        let timecode = Some(label(rank));
        let (structure, timecodes) = match fields {
            true => (3, vec![timecode, None]),
            false => (0, vec![timecode]),
        };
        let data = with_h264_timecode(&sample.data, &timing, structure, &timecodes);
        writer.picture(&Codec::H264, sample, &data, 0);
    }
    let file = dir.join("labelled.ts");
    std::fs::write(&file, &writer.bytes).unwrap();
    let read = read(&writer.bytes).video.unwrap();
    assert_eq!(
        read.timecodes.len(),
        2,
        "{name}: the first and the jump: {:?}",
        read.timecodes
    );
    assert_eq!(read.timecodes[1].frame, 40, "{name}");
    let ours = labels(&read);
    assert_eq!(ours, ffprobe_labels(&file, "SMPTE 12-1 timecode"), "{name}");
    let asked = |frame| label_at(&label, frame, counting).to_string();
    assert_eq!(ours[0].as_deref(), Some(asked(0).as_str()), "{name}");
}

fn label_at(
    label: &impl Fn(usize) -> EmbeddedTimecode,
    frame: usize,
    rate: TimecodeRate,
) -> Timecode {
    label(frame).at(rate.frame_rate()).unwrap()
}

#[test]
fn h264_picture_timing() {
    let x264 = "-c:v libx264 -preset veryfast -g 25 -bf 2 -x264-params";
    // Over midnight; over a minute that drops labels; without drop-frame at the same rate; with the
    // delays of a hypothetical decoder; two fields to a frame; more frames than 12M counts.
    let plain = format!("{x264} pic-struct=1");
    let ntsc = ("30000/1001", 30_000, 1001);
    check_h264("pal", ("25", 25, 1), &plain, false, 25 * 86_400 - 20, false);
    check_h264("drop", ntsc, &plain, false, 1790, true);
    check_h264("non-drop", ntsc, &plain, false, 1790, false);
    let hrd = format!("{x264} pic-struct=1:nal-hrd=vbr:vbv-maxrate=2000:vbv-bufsize=2000");
    check_h264("hrd", ("25", 25, 1), &hrd, false, 1000, false);
    let fields = format!("-flags +ilme+ildct {x264} tff=1:pic-struct=1");
    check_h264("fields", ("25", 25, 1), &fields, true, 1000, false);
    check_h264("fast", ("50", 50, 1), &plain, false, 5000, false);
}

#[test]
fn hevc_time_code() {
    let dir = scratch("timecode-hevc");
    let plain = encoded(
        &dir,
        "30000/1001",
        "-c:v libx265 -preset ultrafast -x265-params log-level=error:bframes=2",
    );
    let track = plain.video.as_ref().unwrap();
    let counting = TimecodeRate::new(FrameRate::new(30_000, 1001).unwrap(), true);
    let label = written(17_970, 40, counting);
    let mut writer = Writer::default();
    writer.tables(0, &[(VIDEO, 0x24, Vec::new())]);
    for (sample, rank) in track.samples.iter().zip(ranks(track)) {
        let data = with_hevc_timecode(&sample.data, label(rank));
        writer.picture(&Codec::Hevc, sample, &data, 0);
    }
    let file = dir.join("labelled.ts");
    std::fs::write(&file, &writer.bytes).unwrap();
    let read = read(&writer.bytes).video.unwrap();
    assert_eq!(read.timecodes.len(), 2, "{:?}", read.timecodes);
    let ours = labels(&read);
    assert_eq!(ours, ffprobe_labels(&file, "SMPTE 12-1 timecode"));
    assert_eq!(ours[12].as_deref(), Some("00:10:00;00"));
}

#[test]
fn mpeg2_groups() {
    for (name, rate, start, drop) in [
        ("pal", "25", "23:59:58:20", false),
        ("drop", "30000/1001", "01:00:59;20", true),
        ("non-drop", "30000/1001", "01:00:59:20", false),
    ] {
        let dir = scratch(&format!("timecode-mpeg2-{name}"));
        let encoder = format!("-c:v mpeg2video -g 12 -bf 2 -q:v 4 -timecode {start}");
        let track = encoded(&dir, rate, &encoder).video.unwrap();
        assert_eq!(track.timecodes.len(), 1, "{name}: {:?}", track.timecodes);
        assert_eq!(track.timecodes[0].timecode.drop_frame, drop);
        let ours = labels(&track);
        assert_eq!(ours[0].as_deref(), Some(start), "{name}");
        let frames = ffprobe_frames(&dir.join("plain.ts"));
        assert_eq!(frames.len(), track.samples.len(), "{name}");
        // ffprobe shows the timecode of a group at the frame that it puts out when it meets the group:
        // the one before its first, or the first of all.
        let theirs = ffprobe_labels(&dir.join("plain.ts"), "GOP timecode");
        let mut found = 0;
        for (frame, label) in theirs.iter().enumerate() {
            let Some(label) = label else { continue };
            let first = if frame == 0 { 0 } else { frame + 1 };
            assert_eq!(ours[first].as_ref(), Some(label), "{name}: frame {first}");
            found += 1;
        }
        assert!(found > 3, "{name}: {theirs:?}");
    }
}

#[test]
fn a_stream_without_timecode_has_none() {
    let dir = scratch("timecode-none");
    let encoder = "-c:v libx264 -preset veryfast -x264-params pic-struct=1";
    assert_eq!(encoded(&dir, "25", encoder).video.unwrap().timecodes, []);
}
