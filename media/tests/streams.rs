//! What a live stream does in mid-flight: clocks that wrap or jump, contents that change, tracks that
//! come and go, marks, and sound that comes by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "decode_support/mod.rs"]
mod decode_support;
mod stream_support;

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use decode_support::{Keep, ffmpeg, run, scratch};
use matchcut_media::decode::{AudioPlan, DecodePlan};
use matchcut_media::demux::{TrackNumbers, demux};
use matchcut_media::samples::{AudioRendition, Codec, Demuxed};
use matchcut_model::chunk::{Container, TrackNumber};
use matchcut_model::cue::{CueKind, CueTime};
use matchcut_model::frame::{FrameChoice, PixelFormat, ViewSpec};
use stream_support::{VIDEO, Writer, adts, crc, read};

fn view() -> ViewSpec {
    ViewSpec {
        width: 64,
        height: 36,
        format: PixelFormat::Gray8,
        rate: None,
        frames: FrameChoice::All,
    }
}

fn plan() -> DecodePlan {
    DecodePlan {
        views: vec![view()],
        audio: AudioPlan::All,
        ..DecodePlan::default()
    }
}

/// One second of moving shapes and a tone.
fn second(dir: &Path, name: &str, video: &str, encoder: &str, audio: &str) -> Demuxed {
    ffmpeg(
        dir,
        &format!(
            "-f lavfi -i testsrc2={video}:d=1 -f lavfi -i sine=r=48000:f=440:d=1 \
             {encoder} -threads 1 {audio} -muxdelay 0 -f mpegts {name}.ts"
        ),
    );
    read(&std::fs::read(dir.join(format!("{name}.ts"))).unwrap())
}

const X264: &str = "-c:v libx264 -preset veryfast -g 25 -bf 2 -pix_fmt yuv420p";
const AAC: &str = "-c:a aac -aac_pns 0 -ac 2";

fn plain(name: &str) -> Demuxed {
    second(&scratch(name), "plain", "s=320x180:r=25", X264, AAC)
}

fn decoded(chunk: &Demuxed, before: Option<&Demuxed>) -> (Keep, Option<String>) {
    let (keep, report) = run(chunk, before, &plan());
    (keep, report.unwrap().degraded)
}

fn pts(chunk: &Demuxed) -> Vec<i64> {
    let video = chunk.video.as_ref().unwrap();
    let mut pts: Vec<i64> = video.samples.iter().map(|sample| sample.pts).collect();
    pts.sort_unstable();
    pts
}

/// Video and sound of `chunk`, its clock moved by so many ticks.
fn rewritten(chunk: &Demuxed, by: i64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.tables(0, &[(VIDEO, 0x1b, Vec::new()), (257, 0x0f, Vec::new())]);
    writer.video(chunk.video.as_ref().unwrap(), by);
    writer.aac(257, &chunk.audio[0], by);
    writer.bytes
}

#[test]
fn the_writer_of_these_tests_writes_what_it_read() {
    let plain = plain("streams-same");
    let again = read(&rewritten(&plain, 0));
    assert_eq!(again.warnings, Vec::<String>::new());
    let (a, b) = (plain.video.unwrap(), again.video.unwrap());
    assert!(a.samples == b.samples, "every sample is the same");
    let data = |demuxed: &[matchcut_media::samples::Sample]| -> Vec<Bytes> {
        demuxed.iter().map(|sample| sample.data.clone()).collect()
    };
    assert_eq!(data(&plain.audio[0].samples), data(&again.audio[0].samples));
}

#[test]
fn a_clock_that_wraps_inside_a_chunk_runs_on() {
    let plain = plain("streams-wrap");
    let expected = pts(&plain);
    // The wrap in the middle, right before the first picture, and right behind the last.
    for from in [12, 0, 25] {
        let by = (1 << 33) - expected[0] - from * 3600;
        let wrapped = read(&rewritten(&plain, by));
        let times: Vec<i64> = pts(&wrapped).iter().map(|pts| pts - by).collect();
        let turns = (expected[0] - times[0]) / (1 << 33);
        let times: Vec<i64> = times.iter().map(|pts| pts + turns * (1 << 33)).collect();
        assert_eq!(times, expected, "{from}");
        let sound = wrapped.audio[0]
            .samples
            .iter()
            .map(|s| s.pts - by + turns * (1 << 33));
        assert!(
            sound.eq(plain.audio[0].samples.iter().map(|s| s.pts)),
            "{from}: the same turn"
        );
        assert!(wrapped.warnings.is_empty());
    }
}

#[test]
fn time_goes_on_behind_a_jump_inside_a_chunk() {
    let plain = plain("streams-jump");
    let video = plain.video.as_ref().unwrap();
    let first = pts(&plain)[0];
    for jump in [9_000_000_i64, -40_000_000, 5_000_000_000] {
        let mut writer = Writer::default();
        writer.tables(0, &[(VIDEO, 0x1b, Vec::new()), (257, 0x0f, Vec::new())]);
        for by in [90_000_000, 90_000_000 + jump] {
            writer.video(video, by);
            writer.aac(257, &plain.audio[0], by);
        }
        let healed = read(&writer.bytes);
        let times = pts(&healed);
        let expected: Vec<i64> = (0..50).map(|n| first + 90_000_000 + n * 3600).collect();
        assert_eq!(times, expected, "{jump}");
        let told = healed
            .warnings
            .iter()
            .filter(|warning| warning.contains("jump"));
        assert_eq!(told.count(), 1, "{:?}", healed.warnings);
        // Sound keeps its distance to the pictures.
        let sound = &healed.audio[0].samples;
        let half = plain.audio[0].samples.len();
        assert_eq!(sound[half].pts - sound[0].pts, 90_000, "{jump}");
        let (keep, degraded) = decoded(&healed, None);
        assert_eq!((keep.frames.len(), degraded), (50, None));
    }
}

#[test]
fn silence_and_a_held_picture_are_no_jumps() {
    let plain = plain("streams-held");
    let video = plain.video.as_ref().unwrap();
    // Pictures go on for 24 s, sound is away for most of them; and the other way round.
    for (pictures, sounds) in [(0..24, vec![0, 23]), (0..1, (0..24).collect())] {
        let mut writer = Writer::default();
        writer.tables(0, &[(VIDEO, 0x1b, Vec::new()), (257, 0x0f, Vec::new())]);
        for second in 0..24 {
            if pictures.contains(&second) || second == 23 {
                writer.video(video, second * 90_000);
            }
            if sounds.contains(&second) {
                writer.aac(257, &plain.audio[0], second * 90_000);
            }
        }
        let read = read(&writer.bytes);
        assert_eq!(read.warnings, Vec::<String>::new());
        assert_eq!(
            pts(&read).last().unwrap() - pts(&plain)[0],
            23 * 90_000 + 24 * 3600
        );
        let last = read.audio[0].samples.last().unwrap().pts;
        assert_eq!(
            last - plain.audio[0].samples.last().unwrap().pts,
            23 * 90_000
        );
    }
}

#[test]
fn far_from_zero_and_variable() {
    let plain = plain("streams-far");
    let far = read(&rewritten(&plain, 8_000_000_000));
    assert_eq!(pts(&far)[0], pts(&plain)[0] + 8_000_000_000);
    // Frames at times of their own stay there.
    let mut uneven = plain.clone();
    let track = uneven.video.as_mut().unwrap();
    let base = track.samples[0].dts;
    for (n, sample) in track.samples.iter_mut().enumerate() {
        let stretch = (n / 10) as i64 * 1000;
        sample.dts += stretch * 3;
        sample.pts = sample.pts.max(base) + stretch * 3;
    }
    let mut writer = Writer::default();
    writer.tables(0, &[(VIDEO, 0x1b, Vec::new())]);
    writer.video(track, 0);
    let expected = pts(&uneven);
    let read = read(&writer.bytes);
    assert_eq!(pts(&read), expected);
    let (keep, degraded) = decoded(&read, None);
    let shown: Vec<i64> = keep.frames.iter().map(|frame| frame.pts.ticks).collect();
    assert_eq!((shown, degraded), (expected, None));
}

#[test]
fn views_keep_their_size_whatever_the_stream_becomes() {
    let dir = scratch("streams-changes");
    let hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=error -pix_fmt yuv420p";
    let mpeg2 = "-c:v mpeg2video -q:v 4 -pix_fmt yuv420p";
    let pieces = [
        ("s=320x180:r=25", X264, AAC, 25),
        ("s=640x360:r=25", X264, AAC, 25),
        ("s=640x360:r=50", X264, "-c:a aac -aac_pns 0 -ac 1", 50),
        (
            "s=320x180:r=30000/1001",
            hevc,
            "-c:a aac -aac_pns 0 -ar 44100 -ac 2",
            30,
        ),
        (
            "s=320x180:r=30000/1001",
            "-c:v libx264 -preset veryfast -pix_fmt yuv422p",
            "-c:a ac3",
            30,
        ),
        (
            "s=320x180:r=30000/1001",
            "-c:v libx264 -preset veryfast -pix_fmt yuv420p10le",
            "-c:a libmp3lame",
            30,
        ),
        ("s=320x180:r=25", mpeg2, "-c:a mp2", 25),
    ];
    let mut before: Option<Demuxed> = None;
    for (n, (video, encoder, audio, frames)) in pieces.into_iter().enumerate() {
        let chunk = second(&dir, &format!("c{n}"), video, encoder, audio);
        let (keep, degraded) = decoded(&chunk, before.as_ref());
        assert_eq!(degraded, None, "piece {n}");
        assert_eq!(keep.frames.len(), frames, "piece {n}");
        assert!(
            keep.frames.iter().all(|f| (f.width, f.height) == (64, 36)),
            "piece {n}"
        );
        assert!(
            keep.frames.iter().all(|f| f.data.len() == 64 * 36),
            "piece {n}"
        );
        assert_eq!(chunk.audio[0].number, TrackNumber(1));
        let heard: usize = keep
            .blocks
            .iter()
            .map(|b| b.samples.len() / b.channels as usize)
            .sum();
        let rate = chunk.audio[0].sample_rate as usize;
        assert!(
            heard >= rate * 9 / 10,
            "piece {n}: {heard} samples at {rate}"
        );
        before = Some(chunk);
    }
}

#[test]
fn a_new_size_and_a_new_sound_inside_a_chunk() {
    let dir = scratch("streams-inside");
    let small = second(&dir, "small", "s=320x180:r=25", X264, AAC);
    let large = second(
        &dir,
        "large",
        "s=640x360:r=25",
        X264,
        "-c:a aac -aac_pns 0 -ar 44100 -ac 1",
    );
    let mut writer = Writer::default();
    writer.tables(0, &[(VIDEO, 0x1b, Vec::new()), (257, 0x0f, Vec::new())]);
    writer.video(small.video.as_ref().unwrap(), 0);
    writer.aac(257, &small.audio[0], 0);
    writer.video(large.video.as_ref().unwrap(), 90_000);
    writer.aac(257, &large.audio[0], 90_000);
    let chunk = read(&writer.bytes);
    let (keep, _) = decoded(&chunk, None);
    assert_eq!(keep.frames.len(), 50);
    assert!(keep.frames.iter().all(|f| (f.width, f.height) == (64, 36)));
    assert!(
        chunk
            .warnings
            .iter()
            .any(|w| w.contains("sample rate or channels change")),
        "{:?}",
        chunk.warnings
    );
    assert!(!keep.blocks.is_empty());
    // What shows the larger picture is that picture, scaled: nearly the one of the small encoder.
    let (alone, _) = decoded(&large, None);
    let same = keep.frames[25..]
        .iter()
        .zip(&alone.frames)
        .all(|(a, b)| a.data == b.data);
    assert!(same);
}

#[test]
fn tracks_that_come_late_or_vanish() {
    let plain = plain("streams-tracks");
    let french = vec![0x0a, 4, b'f', b'r', b'a', 0];
    let german = vec![0x0a, 4, b'd', b'e', b'u', 0];
    let chunk = |number: i64, version: u8, tracks: &[(u16, &Vec<u8>)]| {
        let mut listed = vec![(VIDEO, 0x1b, Vec::new())];
        listed.extend(
            tracks
                .iter()
                .map(|(pid, descriptor)| (*pid, 0x0f, (*descriptor).clone())),
        );
        let mut writer = Writer::default();
        writer.tables(version, &listed);
        writer.video(plain.video.as_ref().unwrap(), number * 90_000);
        for (pid, _) in tracks {
            writer.aac(*pid, &plain.audio[0], number * 90_000);
        }
        read(&writer.bytes)
    };
    let mut numbers = TrackNumbers::new();
    let mut told = Vec::new();
    for (number, tracks) in [
        vec![(257, &french)],
        vec![(258, &german), (257, &french)],
        vec![(258, &german)],
        vec![],
        vec![(600, &french), (601, &german)],
    ]
    .iter()
    .enumerate()
    {
        let mut chunk = chunk(number as i64, number as u8, tracks);
        numbers.assign(&mut chunk);
        let all = chunk
            .audio
            .iter()
            .map(|track| (track.number.0, track.language.clone().unwrap()));
        told.push(all.collect::<Vec<_>>());
    }
    let pair = |number: u32, language: &str| (number, language.to_owned());
    assert_eq!(
        told,
        [
            vec![pair(1, "fra")],
            vec![pair(2, "deu"), pair(1, "fra")],
            vec![pair(2, "deu")],
            vec![],
            vec![pair(1, "fra"), pair(2, "deu")],
        ]
    );
    // Inside a chunk: tables that name a track only later, and what comes before them counts.
    let mut writer = Writer::default();
    writer.tables(0, &[(VIDEO, 0x1b, Vec::new()), (257, 0x0f, french.clone())]);
    writer.video(plain.video.as_ref().unwrap(), 0);
    writer.aac(257, &plain.audio[0], 0);
    writer.tables(
        1,
        &[
            (VIDEO, 0x1b, Vec::new()),
            (258, 0x0f, german),
            (257, 0x0f, french),
        ],
    );
    writer.video(plain.video.as_ref().unwrap(), 90_000);
    writer.aac(258, &plain.audio[0], 90_000);
    let late = read(&writer.bytes);
    let tracks: Vec<_> = late
        .audio
        .iter()
        .map(|t| (t.number.0, t.language.as_deref()))
        .collect();
    assert_eq!(tracks, [(1, Some("fra")), (2, Some("deu"))]);
    let (keep, degraded) = decoded(&late, None);
    assert_eq!(degraded, None);
    let start = |track: u32| keep.blocks.iter().find(|b| b.track == track).unwrap().time;
    assert!(start(2) - start(1) > matchcut_model::time::MediaTime::from_millis(900));
}

#[test]
fn scte_35_is_heard_on_the_clock_of_the_samples() {
    let plain = plain("streams-cues");
    let first = pts(&plain)[0];
    let cuei = vec![5, 4, b'C', b'U', b'E', b'I'];
    // A splice_insert: out of network at `pts`, for 30 s, back by itself.
    let insert = |event: u32, pts: i64, adjustment: u64| {
        let mut bytes = vec![0xfc, 0x30, 0, 0];
        bytes.push((adjustment >> 32) as u8 & 1);
        bytes.extend((adjustment as u32).to_be_bytes());
        bytes.extend([0, 0xff, 0xf0, 20, 5]);
        bytes.extend(event.to_be_bytes());
        bytes.extend([0x7f, 0xef]);
        let pts = pts.rem_euclid(1 << 33) as u64;
        bytes.push(0xfe | (pts >> 32) as u8);
        bytes.extend((pts as u32).to_be_bytes());
        bytes.push(0xfe);
        bytes.extend(2_700_000_u32.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0]);
        bytes[2] = (bytes.len() + 1) as u8;
        bytes.extend(crc(&bytes).to_be_bytes());
        bytes
    };
    // The clock wraps 12 frames in; the break begins at frame 20.
    let by = (1 << 33) - first - 12 * 3600;
    let mut writer = Writer::default();
    writer.tables(0, &[(VIDEO, 0x1b, Vec::new()), (500, 0x86, cuei)]);
    let wanted = first + by + 20 * 3600;
    writer.section(500, &insert(7, wanted - 1000, 1000));
    writer.section(500, &insert(7, wanted - 1000, 1000));
    let heartbeat = {
        let mut bytes = vec![0xfc, 0x30, 17, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0, 0, 0, 0];
        bytes.extend(crc(&bytes).to_be_bytes());
        bytes
    };
    writer.section(500, &heartbeat);
    writer.section(500, &[0xfc, 0x30, 5, 1, 2, 3, 4, 5]);
    writer.video(plain.video.as_ref().unwrap(), by);
    let chunk = read(&writer.bytes);
    assert_eq!(chunk.cues.len(), 1, "{:?}", chunk.cues);
    let cue = &chunk.cues[0];
    assert_eq!(cue.kind, CueKind::Out);
    let CueTime::Pts(at) = cue.at else {
        panic!("{cue:?}")
    };
    assert_eq!(at.ticks, pts(&chunk)[20], "at the picture");
    assert_eq!(
        chunk.warnings.len(),
        1,
        "the broken section is told: {:?}",
        chunk.warnings
    );
    // It follows the clock to the turn of the timeline.
    let mut turned = chunk.clone();
    turned.turn_clock(1);
    let CueTime::Pts(later) = turned.cues[0].at else {
        panic!()
    };
    assert_eq!(later.ticks, at.ticks + (1 << 33));
}

fn tagged(ticks: u64, frames: &[u8]) -> Vec<u8> {
    let owner = b"com.apple.streaming.transportStreamTimestamp\0";
    let mut body = b"PRIV\0\0\0".to_vec();
    body.push(owner.len() as u8 + 8);
    body.extend([0, 0]);
    body.extend(owner);
    body.extend(ticks.to_be_bytes());
    let mut out = b"ID3\x04\0\0\0\0\0".to_vec();
    out.push(body.len() as u8);
    out.extend(body);
    out.extend(frames);
    out
}

#[test]
fn packed_audio_joins_a_chunk_without_sound() {
    let dir = scratch("streams-packed");
    let plain = second(&dir, "plain", "s=320x180:r=25", X264, AAC);
    let frames: Vec<u8> = plain.audio[0]
        .samples
        .iter()
        .flat_map(|s| adts(&plain.audio[0], &s.data))
        .collect();
    ffmpeg(
        &dir,
        "-i plain.ts -vn -c:a libmp3lame -id3v2_version 0 -write_xing 0 packed.mp3",
    );
    ffmpeg(&dir, "-i plain.ts -vn -c:a ac3 packed.ac3");
    ffmpeg(&dir, "-i plain.ts -vn -c:a eac3 packed.eac3");
    let first = plain.audio[0].samples[0].pts;
    let by = (1 << 33) - first;
    let file = |name: &str| std::fs::read(dir.join(name)).unwrap();
    let mut chunk = read(&rewritten(&plain, by));
    chunk.audio.clear();
    let mut renditions = Vec::new();
    for (name, codec, bytes) in [
        ("English", Codec::Aac, frames),
        ("Français", Codec::Mp3, file("packed.mp3")),
        ("Deutsch", Codec::Ac3, file("packed.ac3")),
        ("Dolby", Codec::Ac3, file("packed.eac3")),
    ] {
        // The tag counts modulo 2^33.
        let bytes = Bytes::from(tagged(0, &bytes));
        let demuxed = demux(Container::PackedAudio, None, &bytes).unwrap();
        assert_eq!(demuxed.audio[0].codec, codec, "{name}");
        assert!(
            demuxed.warnings.is_empty(),
            "{name}: {:?}",
            demuxed.warnings
        );
        let output = Command::new("ffprobe")
            .args([
                "-v",
                "error",
                "-count_packets",
                "-show_entries",
                "stream=nb_read_packets",
            ])
            .args(["-of", "csv=p=0", "-"])
            .stdin(std::process::Stdio::from({
                let path = dir.join("probe");
                std::fs::write(&path, &bytes).unwrap();
                std::fs::File::open(path).unwrap()
            }))
            .output()
            .unwrap();
        let packets: usize = String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse()
            .unwrap();
        assert_eq!(demuxed.audio[0].samples.len(), packets, "{name}");
        renditions.push(AudioRendition {
            demuxed,
            name: name.into(),
            language: Some(name[..2].to_ascii_lowercase()),
            wraps: true,
        });
    }
    chunk.add_audio(renditions);
    let numbers: Vec<u32> = chunk.audio.iter().map(|track| track.number.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(chunk.audio[2].language.as_deref(), Some("de"));
    let start = chunk.audio[0].samples[0].pts;
    assert!(
        (start - pts(&chunk)[0]).abs() < 90_000,
        "on the turn of the pictures: {start}"
    );
    let (keep, degraded) = decoded(&chunk, None);
    assert_eq!(degraded, None);
    for track in 1..=4 {
        let heard = keep.blocks.iter().filter(|block| block.track == track);
        let heard: usize = heard.map(|b| b.samples.len() / b.channels as usize).sum();
        assert!(heard > 44_000, "track {track}: {heard} samples");
    }
}

#[test]
fn a_chunk_that_is_cut_off_gives_what_is_whole_and_says_so() {
    let dir = scratch("streams-cut");
    second(&dir, "plain", "s=320x180:r=25", X264, AAC);
    ffmpeg(
        &dir,
        "-i plain.ts -c copy -bsf:a aac_adtstoasc -f mp4 -movflags frag_keyframe+empty_moov+default_base_moof -frag_duration 300000 whole.mp4",
    );
    let whole = Bytes::from(std::fs::read(dir.join("whole.mp4")).unwrap());
    let all = demux(Container::FragmentedMp4, None, &whole).unwrap();
    let frames = all.video.as_ref().unwrap().samples.len();
    let mut fewer = 0;
    for tenth in 3..10 {
        let part = whole.slice(..whole.len() * tenth / 10);
        let Ok(cut) = demux(Container::FragmentedMp4, None, &part) else {
            continue;
        };
        let kept = cut.video.as_ref().map_or(0, |track| track.samples.len());
        assert!(kept < frames);
        assert!(!cut.warnings.is_empty(), "{tenth}: it is told");
        let video = cut.video.as_ref().unwrap();
        assert!(
            all.video
                .as_ref()
                .unwrap()
                .samples
                .starts_with(&video.samples)
        );
        let (keep, _) = decoded(&cut, None);
        assert_eq!(keep.frames.len(), kept, "{tenth}");
        fewer += 1;
    }
    assert!(fewer > 4, "{fewer}");
    let ts = std::fs::read(dir.join("plain.ts")).unwrap();
    for tenth in 3..10 {
        let cut = read(&ts[..ts.len() * tenth / 10]);
        assert!(
            cut.video.as_ref().unwrap().samples.len() < frames,
            "{tenth}"
        );
        let (keep, degraded) = decoded(&cut, None);
        assert_eq!(
            keep.frames.len(),
            cut.video.as_ref().unwrap().samples.len(),
            "{tenth}"
        );
        assert!(
            !cut.warnings.is_empty() || degraded.is_some(),
            "{tenth}: it is told"
        );
    }
}

/// Frames that ffprobe decodes.
fn counted(file: &Path) -> usize {
    stream_support::ffprobe_frames(file).len()
}

#[test]
fn frames_of_two_fields_are_frames() {
    let dir = scratch("streams-fields");
    let interlaced = "-vf interlace -flags +ilme+ildct";
    for (name, encoder) in [
        ("mbaff", format!("{interlaced} {X264} -x264-params tff=1")),
        ("bottom", format!("{interlaced} {X264} -x264-params bff=1")),
        (
            "mpeg2",
            format!("{interlaced} -c:v mpeg2video -q:v 4 -bf 2 -g 12 -pix_fmt yuv420p -top 1"),
        ),
        (
            "pulldown",
            "-c:v mpeg2video -q:v 4 -bf 2 -g 12 -pix_fmt yuv420p".into(),
        ),
    ] {
        let chunk = second(&dir, name, "s=320x192:r=50", &encoder, AAC);
        let track = chunk.video.as_ref().unwrap();
        let frames = counted(&dir.join(format!("{name}.ts")));
        assert_eq!(track.samples.len(), frames, "{name}");
        let rate = track.frame_rate.unwrap();
        let expected = if name == "pulldown" { 50 } else { 25 };
        assert_eq!((rate.num, rate.den), (expected, 1), "{name}");
        let times = pts(&chunk);
        let step = 90_000 / i64::from(expected);
        assert!(
            times.windows(2).all(|pair| pair[1] - pair[0] == step),
            "{name}: {times:?}"
        );
        let (keep, degraded) = decoded(&chunk, None);
        assert_eq!((keep.frames.len(), degraded), (frames, None), "{name}");
    }
}
