//! Decoding by value: chunk by chunk equals whole, frames and samples equal FFmpeg's, and bad input
//! gives what can be had and a clear text.

#![allow(clippy::unwrap_used)]

mod decode_support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use decode_support::{Heard, Keep, Seen, chunk_bytes, ffmpeg, read_ts, run, scratch, stream};
use matchcut_media::decode::{AudioPlan, DecodeError, DecodePlan};
use matchcut_media::samples::{Codec, Demuxed, ParameterSets, Sample, SyncKind, VideoTrack};
use matchcut_media::thumbnail;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::frame::{FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::time::{FrameRate, MediaTime};

const LUMA: ViewSpec = ViewSpec {
    width: 320,
    height: 180,
    format: PixelFormat::Gray8,
    rate: None,
    frames: FrameChoice::All,
};

fn everything() -> DecodePlan {
    let colour = ViewSpec {
        width: 61,
        height: 37,
        format: PixelFormat::Rgb24,
        rate: FrameRate::new(5, 1),
        frames: FrameChoice::All,
    };
    DecodePlan {
        views: vec![LUMA, colour],
        audio: AudioPlan::All,
        ..DecodePlan::default()
    }
}

/// Frames of a view without their index, which counts from the start of each chunk.
fn frames(keep: &Keep, view: usize) -> Vec<(i64, &[u8])> {
    let of_view = keep.frames.iter().filter(|f| f.view == view);
    of_view.map(|f| (f.pts.ticks, f.data.as_slice())).collect()
}

fn samples(keep: &Keep, track: u32) -> Vec<f32> {
    let of_track = keep.blocks.iter().filter(|b| b.track == track);
    of_track.flat_map(|b| b.samples.iter().copied()).collect()
}

/// Decodes the stream whole and in chunks and compares everything.
fn chunked_equals_whole(dir: &Path, frame_count: usize) {
    let bytes = chunk_bytes(dir);
    assert!(bytes.len() >= 3, "{} chunks", bytes.len());
    let whole = read_ts(bytes.concat());
    let plan = everything();
    let (expected, report) = run(&whole, None, &plan);
    let report = report.unwrap();
    assert_eq!(report.degraded, None);
    assert_eq!(report.frames as usize, frame_count);

    let chunks: Vec<Demuxed> = bytes.into_iter().map(read_ts).collect();
    let mut found = Keep::default();
    for (number, chunk) in chunks.iter().enumerate() {
        let before = number.checked_sub(1).map(|n| &chunks[n]);
        let (part, report) = run(chunk, before, &plan);
        let report = report.unwrap();
        assert_eq!(report.degraded, None, "chunk {number}");
        assert_eq!(
            report.frames as usize,
            chunk.video.as_ref().unwrap().samples.len()
        );
        let indexes: Vec<u64> = part
            .frames
            .iter()
            .filter(|f| f.view == 0)
            .map(|f| f.index)
            .collect();
        assert_eq!(indexes, (0..report.frames).collect::<Vec<_>>());
        found.frames.extend(part.frames);
        found.blocks.extend(part.blocks);
    }
    assert!(found.frames.iter().all(|f| f.time == f.pts.time()));
    for view in 0..2 {
        let (expected, found) = (frames(&expected, view), frames(&found, view));
        let times = |list: &[(i64, &[u8])]| list.iter().map(|f| f.0).collect::<Vec<_>>();
        assert_eq!(times(&found), times(&expected), "times of view {view}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                found.1 == expected.1,
                "view {view}: the frame at {} differs",
                found.0
            );
        }
    }
    for track in [1, 2] {
        seamless(found.blocks.iter().filter(|b| b.track == track));
        let (expected, found) = (samples(&expected, track), samples(&found, track));
        assert_eq!(found.len(), expected.len(), "track {track}");
        let differs = found
            .iter()
            .zip(&expected)
            .position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differs, None, "track {track}");
    }
}

/// Each block begins where the one before it ended, to the tick of the stream's clock.
fn seamless<'a>(blocks: impl Iterator<Item = &'a Heard>) {
    let tick = MediaTime::from_ticks(1, 90_000);
    let mut end = None;
    for block in blocks {
        if let Some(end) = end {
            let jump: MediaTime = block.time - end;
            assert!(
                jump.abs() <= tick.times(2),
                "a jump of {} flicks",
                jump.flicks()
            );
        }
        let frames = block.samples.len() as i64 / i64::from(block.channels);
        end = Some(block.time + MediaTime::from_ticks(frames, block.rate));
    }
    assert!(end.is_some());
}

const X264: &str = "-c:v libx264 -preset veryfast -bf 3 -b_strategy 0 -sc_threshold 0";

#[test]
fn closed_groups_at_25() {
    let dir = stream(
        "closed25",
        "25",
        4,
        &format!("{X264} -g 25 -x264-params b-pyramid=normal"),
    );
    chunked_equals_whole(&dir, 100);
}

#[test]
fn open_groups_at_25() {
    let open = format!("{X264} -g 25 -x264-params open-gop=1:b-pyramid=normal");
    let dir = stream("open25", "25", 4, &open);
    let second = read_ts(chunk_bytes(&dir).swap_remove(1));
    assert_eq!(second.video.unwrap().samples[0].sync, SyncKind::OpenGop);
    chunked_equals_whole(&dir, 100);
}

#[test]
fn open_groups_at_29_97_and_50() {
    let open = format!("{X264} -x264-params open-gop=1:b-pyramid=normal");
    chunked_equals_whole(
        &stream("open2997", "30000/1001", 4, &format!("{open} -g 30")),
        120,
    );
    chunked_equals_whole(&stream("open50", "50", 3, &format!("{open} -g 25")), 150);
}

#[test]
fn hevc_with_open_groups() {
    let x265 = "-c:v libx265 -preset ultrafast -x265-params \
                open-gop=1:keyint=25:min-keyint=25:bframes=3:scenecut=0:log-level=none:pools=1";
    chunked_equals_whole(&stream("hevc", "25", 3, x265), 75);
}

#[test]
fn pixels_and_samples_are_those_of_ffmpeg() {
    let dir = stream("ffmpeg", "25", 3, &format!("{X264} -g 25"));
    std::fs::write(dir.join("whole.ts"), chunk_bytes(&dir).concat()).unwrap();
    ffmpeg(
        &dir,
        "-i whole.ts -map 0:v -f rawvideo -pix_fmt yuv420p video.raw",
    );
    ffmpeg(&dir, "-i whole.ts -map 0:a:0 -f f32le audio.raw");
    let whole = read_ts(std::fs::read(dir.join("whole.ts")).unwrap());
    let offset = MediaTime::from_seconds(-1);
    let (keep, report) = run(
        &whole,
        None,
        &DecodePlan {
            offset,
            ..everything()
        },
    );
    let report = report.unwrap();

    let raw = std::fs::read(dir.join("video.raw")).unwrap();
    let pictures: Vec<&[u8]> = raw.chunks_exact(320 * 180 * 3 / 2).collect();
    let ours = frames(&keep, 0);
    assert_eq!(ours.len(), pictures.len());
    for (n, (ours, picture)) in ours.iter().zip(&pictures).enumerate() {
        assert!(ours.1 == &picture[..320 * 180], "luma of frame {n} differs");
    }
    let first: &Seen = &keep.frames[0];
    assert_eq!(first.time, first.pts.time() + offset);
    // Frame n of 25 a second lies n * 3600 ticks after the first.
    assert!(
        ours.iter()
            .enumerate()
            .all(|(n, f)| f.0 == ours[0].0 + n as i64 * 3600)
    );
    // Five views a second: each is the first frame at or after a whole fifth of a second.
    for (pts, _) in frames(&keep, 1) {
        assert!(pts.rem_euclid(18_000) < 3600, "{pts}");
    }
    assert_eq!(frames(&keep, 1).len(), 15);

    let raw = std::fs::read(dir.join("audio.raw")).unwrap();
    let expected: Vec<f32> = raw
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect();
    let ours = samples(&keep, 1);
    assert_eq!(ours.len(), expected.len());
    assert!(
        ours.iter()
            .zip(&expected)
            .all(|(a, b)| (a - b).abs() < 1e-6)
    );
    assert_eq!(report.audio[0].samples as usize * 2, ours.len());
    assert_eq!(
        (report.audio[1].sample_rate, report.audio[1].channels),
        (44_100, 1)
    );
}

#[test]
fn a_change_of_size_inside_a_chunk() {
    let dir = scratch("size");
    let encode = format!("{X264} -g 10 -bsf:v dump_extra -f mpegts");
    ffmpeg(
        &dir,
        &format!("-f lavfi -i testsrc2=s=320x180:r=25:d=0.4 {encode} a.ts"),
    );
    ffmpeg(
        &dir,
        &format!("-f lavfi -i testsrc2=s=640x360:r=25:d=0.4 {encode} b.ts"),
    );
    let mut joined = read_ts(std::fs::read(dir.join("a.ts")).unwrap());
    let other = read_ts(std::fs::read(dir.join("b.ts")).unwrap())
        .video
        .unwrap();
    let video = joined.video.as_mut().unwrap();
    let later = video.samples.iter().map(|s| s.pts).max().unwrap() + 3600
        - other.samples.iter().map(|s| s.pts).min().unwrap();
    let moved = other.samples.into_iter().map(|s| Sample {
        pts: s.pts + later,
        ..s
    });
    video.samples.extend(moved);
    let plan = DecodePlan {
        views: vec![ViewSpec {
            width: 32,
            height: 18,
            ..LUMA
        }],
        ..DecodePlan::default()
    };
    let (keep, report) = run(&joined, None, &plan);
    assert_eq!((report.unwrap().frames, keep.frames.len()), (20, 20));
    // Both halves show the same picture, so the small views are nearly equal.
    for n in 0..10 {
        let pair = keep.frames[n].data.iter().zip(&keep.frames[n + 10].data);
        let mean = pair.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / (32.0 * 18.0);
        assert!(mean < 12.0, "frame {n} differs by {mean}");
    }
}

#[test]
fn only_frames_that_may_begin_a_shot_are_decoded() {
    let dir = scratch("likely");
    // Key frames every second, and a cut in the middle of the second.
    let sources =
        "-f lavfi -i smptebars=s=320x180:r=25:d=1.6 -f lavfi -i testsrc2=s=320x180:r=25:d=1.4";
    let groups = "-g 25 -keyint_min 25 -sc_threshold 0";
    ffmpeg(
        &dir,
        &format!(
            "{sources} -filter_complex [0][1]concat=n=2,format=yuv420p {X264} {groups} cut.ts"
        ),
    );
    let chunk = read_ts(std::fs::read(dir.join("cut.ts")).unwrap());
    let few = ViewSpec {
        frames: FrameChoice::Likely,
        ..LUMA
    };
    let plan = |views: &[ViewSpec]| DecodePlan {
        views: views.to_vec(),
        ..DecodePlan::default()
    };
    let (alone, report) = run(&chunk, None, &plan(&[few]));
    let report = report.unwrap();
    assert_eq!(
        (report.frames, report.lost_frames, report.degraded),
        (27, 0, None)
    );
    let indexes: Vec<u64> = alone.frames.iter().map(|frame| frame.index).collect();
    assert_eq!(indexes, [0].into_iter().chain(25..51).collect::<Vec<_>>());
    // Beside a view that takes every frame it takes the same ones, and they are the same.
    let (beside, report) = run(&chunk, None, &plan(&[LUMA, few]));
    assert_eq!(report.unwrap().frames, 75);
    assert_eq!(frames(&beside, 1), frames(&alone, 0));
    let all = frames(&beside, 0);
    assert!(frames(&alone, 0).iter().all(|frame| all.contains(frame)));
}

#[test]
fn ten_bits_and_vp8() {
    let dir = scratch("formats");
    let source = "-f lavfi -i smptebars=s=320x180:r=25:d=1";
    ffmpeg(
        &dir,
        &format!("{source} {X264} -pix_fmt yuv420p10le -f mpegts ten.ts"),
    );
    ffmpeg(
        &dir,
        &format!("{source} {X264} -pix_fmt yuv444p -f mpegts full.ts"),
    );
    ffmpeg(
        &dir,
        &format!("{source} {X264} -pix_fmt yuv420p -f mpegts eight.ts"),
    );
    ffmpeg(
        &dir,
        &format!("{source} -c:v libvpx -deadline realtime -b:v 2M eight.ivf"),
    );
    let plan = DecodePlan {
        views: vec![ViewSpec {
            width: 160,
            height: 90,
            format: PixelFormat::Rgb24,
            rate: None,
            frames: FrameChoice::All,
        }],
        ..DecodePlan::default()
    };
    let mut first = Vec::new();
    for name in ["ten.ts", "full.ts", "eight.ts", "eight.ivf"] {
        let bytes = std::fs::read(dir.join(name)).unwrap();
        let chunk = if name.ends_with("ivf") {
            from_ivf(&bytes)
        } else {
            read_ts(bytes)
        };
        let (keep, report) = run(&chunk, None, &plan);
        assert_eq!(report.unwrap().frames, 25, "{name}");
        first.push(keep.frames[12].data.clone());
    }
    for other in &first[..] {
        let pair = other.iter().zip(&first[2]);
        let mean = pair.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / other.len() as f64;
        assert!(mean < 3.0, "differs by {mean}");
    }
    // The bars by value: grey at the left (75 % of white), blue at the right.
    let pixel = |x: usize| &first[2][(20 * 160 + x) * 3..][..3];
    let near = |found: &[u8], expected: [u8; 3]| {
        assert!(
            found.iter().zip(expected).all(|(a, b)| a.abs_diff(b) < 8),
            "{found:?} {expected:?}"
        );
    };
    near(pixel(8), [191, 191, 191]);
    near(pixel(150), [0, 0, 191]);
}

/// VP8 frames of an IVF file, as a Matroska demuxer would give them.
fn from_ivf(bytes: &[u8]) -> Demuxed {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut samples = Vec::new();
    let mut at = 32;
    while at + 12 <= bytes.len() {
        let size = number(at) as usize;
        let pts = i64::from(number(at + 4));
        let data = Bytes::copy_from_slice(&bytes[at + 12..at + 12 + size]);
        let sync = if data[0] & 1 == 0 {
            SyncKind::Idr
        } else {
            SyncKind::None
        };
        samples.push(Sample {
            pts,
            dts: pts,
            duration: 1,
            sync,
            leading: false,
            reference: true,
            data,
        });
        at += 12 + size;
    }
    let video = VideoTrack {
        codec: Codec::Other("V_VP8".into()),
        timescale: 25,
        samples,
        parameter_sets: ParameterSets::default(),
        width: 320,
        height: 180,
        pixel_aspect: None,
        frame_rate: None,
        profile: None,
        level: None,
        open_gop: false,
        b_pyramid: false,
        mmco: false,
        random_access_points: Vec::new(),
        timecodes: Vec::new(),
    };
    Demuxed {
        video: Some(video),
        ..Demuxed::default()
    }
}

#[test]
fn damage_is_told_and_the_rest_decoded() {
    let dir = stream("damage", "25", 2, &format!("{X264} -g 25"));
    let good = read_ts(chunk_bytes(&dir).concat());
    let plan = everything();

    // A few access units become noise: the others still give frames.
    let mut bad = good.clone();
    let units = &mut bad.video.as_mut().unwrap().samples;
    for unit in &mut units[30..34] {
        unit.data = Bytes::from(vec![0xa7; unit.data.len()]);
    }
    let (keep, report) = run(&bad, None, &plan);
    let report = report.unwrap();
    assert!((46..50).contains(&report.frames), "{report:?}");
    assert_eq!(report.frames + report.lost_frames, 50);
    assert!(report.degraded.unwrap().contains("gave no frame"));
    let times: Vec<i64> = frames(&keep, 0).iter().map(|f| f.0).collect();
    assert!(times.windows(2).all(|w| w[0] < w[1]), "in order, each once");

    // All of them: an error that says so, after the audio has been handed over.
    for unit in &mut bad.video.as_mut().unwrap().samples {
        unit.data = Bytes::from(vec![0xa7; 100]);
    }
    let (keep, result) = run(&bad, None, &plan);
    let error = result.unwrap_err();
    assert!(
        matches!(&error, DecodeError::NothingDecoded { samples: 50, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("h264"), "{error}");
    assert!(keep.frames.is_empty() && !keep.blocks.is_empty());

    // A codec that nobody knows, and an audio track that is not there.
    let mut strange = good.clone();
    strange.video.as_mut().unwrap().codec = Codec::Other("prores".into());
    let error = run(&strange, None, &plan).1.unwrap_err();
    assert_eq!(
        error,
        DecodeError::UnknownCodec {
            codec: "prores".into()
        }
    );
    let audio = AudioPlan::Tracks(vec![TrackNumber(2), TrackNumber(7)]);
    let (keep, report) = run(
        &good,
        None,
        &DecodePlan {
            audio,
            ..DecodePlan::default()
        },
    );
    let report = report.unwrap();
    assert_eq!(report.frames, 0, "no view, no video");
    assert_eq!(report.degraded.as_deref(), Some("audio track 7 is missing"));
    assert!(keep.blocks.iter().all(|b| b.track == 2) && !keep.blocks.is_empty());

    // No time at all.
    let none = DecodePlan {
        timeout: Duration::ZERO,
        ..plan
    };
    let error = run(&good, None, &none).1.unwrap_err();
    assert!(matches!(error, DecodeError::Timeout { .. }), "{error}");
}

#[test]
fn a_chunk_that_begins_inside_a_group() {
    let dir = stream("inside", "25", 2, &format!("{X264} -g 50"));
    let whole = read_ts(chunk_bytes(&dir).concat());
    let plan = DecodePlan {
        views: vec![LUMA],
        ..DecodePlan::default()
    };
    let (expected, _) = run(&whole, None, &plan);
    let expected = frames(&expected, 0);
    // Cut in decode order wherever no frame of the second part is shown before the first part ends.
    let video = whole.video.as_ref().unwrap();
    let mut tried = 0;
    for cut in 1..video.samples.len() {
        let (a, b) = video.samples.split_at(cut);
        if a.iter().map(|s| s.pts).max() > b.iter().map(|s| s.pts).min() || tried == 3 {
            continue;
        }
        tried += 1;
        let part = |samples: &[Sample]| Demuxed {
            video: Some(VideoTrack {
                samples: samples.to_vec(),
                ..video.clone()
            }),
            ..Demuxed::default()
        };
        let (keep, report) = run(&part(b), Some(&part(a)), &plan);
        assert_eq!(report.unwrap().degraded, None);
        assert!(frames(&keep, 0) == expected[cut..], "cut at {cut}");
    }
    assert!(tried > 0);
}

#[test]
fn thumbnails_show_the_frame_in_its_shape() {
    let dir = stream(
        "thumbnail",
        "25",
        2,
        &format!("{X264} -g 25 -x264-params open-gop=1"),
    );
    let chunks: Vec<Demuxed> = chunk_bytes(&dir).into_iter().map(read_ts).collect();
    let mut shown = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        let before = number.checked_sub(1).map(|n| &chunks[n]);
        let rgb = ViewSpec {
            width: 160,
            height: 90,
            format: PixelFormat::Rgb24,
            rate: None,
            frames: FrameChoice::All,
        };
        let plan = DecodePlan {
            views: vec![rgb],
            ..DecodePlan::default()
        };
        let (keep, _) = run(chunk, before, &plan);
        for wanted in [0, 7, keep.frames.len() - 1] {
            let frame = &keep.frames[wanted];
            let offset = MediaTime::from_seconds(100);
            // Any time while it is shown gives this frame.
            let at = frame.time + offset + MediaTime::from_millis(39);
            let jpeg = thumbnail::jpeg(chunk, before, at, offset, 160).unwrap();
            std::fs::write(dir.join("t.jpg"), jpeg).unwrap();
            ffmpeg(&dir, "-i t.jpg -f rawvideo -pix_fmt rgb24 t.raw");
            let raw = std::fs::read(dir.join("t.raw")).unwrap();
            assert_eq!(raw.len(), frame.data.len());
            let distance = |data: &[u8]| {
                let pairs = raw.iter().zip(data);
                pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / raw.len() as f64
            };
            let own = distance(&frame.data);
            assert!(own < 6.0, "chunk {number} frame {wanted} differs by {own}");
            shown.push(own);
            // And it is nearer to this frame than to any other.
            for other in keep.frames.iter().filter(|f| f.pts != frame.pts) {
                assert!(
                    distance(&other.data) > own,
                    "chunk {number}: {wanted} or {}",
                    other.index
                );
            }
        }
    }
    assert_eq!(shown.len(), 3 * chunks.len());

    // Pixels of 64:45 at 720x576 make a picture of 16:9.
    ffmpeg(
        &dir,
        &format!("-f lavfi -i testsrc2=s=720x576:r=25:d=0.2,setsar=64/45 {X264} -f mpegts wide.ts"),
    );
    let wide = read_ts(std::fs::read(dir.join("wide.ts")).unwrap());
    let jpeg = thumbnail::jpeg(&wide, None, MediaTime::ZERO, MediaTime::ZERO, 320).unwrap();
    std::fs::write(dir.join("w.jpg"), jpeg).unwrap();
    assert_eq!(probe(&dir.join("w.jpg"), "stream=width,height"), "320,180");
}

fn probe(path: &Path, entries: &str) -> String {
    let output = Command::new("ffprobe")
        .args([
            "-v",
            "quiet",
            "-select_streams",
            "v:0",
            "-count_frames",
            "-of",
            "csv=p=0",
        ])
        .args(["-show_entries", entries])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches(',')
        .to_owned()
}

#[test]
fn real_material_has_as_many_frames_as_ffmpeg_finds() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if !data.exists() {
        eprintln!("skipped: no real material here");
        return;
    }
    let dir = scratch("real");
    let tiny = ViewSpec {
        width: 32,
        height: 18,
        ..LUMA
    };
    let plan = DecodePlan {
        views: vec![tiny],
        audio: AudioPlan::All,
        ..DecodePlan::default()
    };
    for name in [
        "bbb_two_audio_tracks",
        "chaplin_bw",
        "bikes",
        "googlework_short",
    ] {
        let file = data.join(format!("clips/{name}.mp4"));
        ffmpeg(
            &dir,
            &format!(
                "-i {} -map 0:v:0 -map 0:a? -c copy -f mpegts {name}.ts",
                file.display()
            ),
        );
        let path = dir.join(format!("{name}.ts"));
        let chunk = read_ts(std::fs::read(&path).unwrap());
        let (keep, report) = run(&chunk, None, &plan);
        let report = report.unwrap();
        let expected: u64 = probe(&path, "stream=nb_read_frames").parse().unwrap();
        assert_eq!(
            (report.frames, report.degraded.as_deref()),
            (expected, None),
            "{name}"
        );
        assert_eq!(keep.frames.len() as u64, expected);
        for audio in &report.audio {
            assert!(
                audio.samples > u64::from(audio.sample_rate),
                "{name} {audio:?}"
            );
        }
    }
    // Odd and broken streams: whatever comes, no panic, and no frame that FFmpeg does not find.
    let mut decoded = 0;
    for entry in std::fs::read_dir(data.join("ts_odd")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "ts") {
            continue;
        }
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        let container = matchcut_model::chunk::Container::MpegTs;
        let Ok(chunk) = matchcut_media::demux::demux(container, None, &bytes) else {
            continue;
        };
        let (keep, result) = run(&chunk, None, &plan);
        let expected: u64 = probe(&path, "stream=nb_read_frames").parse().unwrap_or(0);
        eprintln!("{}: ffmpeg {expected}, {result:?}", path.display());
        if let Ok(report) = result {
            decoded += 1;
            assert_eq!(report.frames, keep.frames.len() as u64);
            let missing = expected.abs_diff(report.frames);
            assert!(
                missing <= 1 + expected / 10,
                "{}: {report:?} {expected}",
                path.display()
            );
        }
    }
    assert!(decoded >= 10, "{decoded}");
}
