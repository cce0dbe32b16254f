//! Files are read in windows: what all windows hold together is exactly what ffprobe lists, with
//! its times and key frames, and no sample comes twice.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use matchcut_media::demux::demux;
use matchcut_media::file::{FileContainer, FileError, MediaFile};
use matchcut_media::samples::{Codec, Demuxed};
use matchcut_model::chunk::{Container, TrackNumber};
use matchcut_model::time::{MediaTime, TimeRange};

fn make(dir: &Path, name: &str, arguments: &str) -> PathBuf {
    let path = dir.join(name);
    let inputs = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=12.4 \
                  -f lavfi -i anoisesrc=duration=12.4:sample_rate=48000:seed=7";
    let status = Command::new("ffmpeg")
        .args("-v error -y".split(' '))
        .args(inputs.split_whitespace())
        .args(arguments.split_whitespace())
        .arg(&path)
        .status()
        .unwrap();
    assert!(status.success(), "{name}");
    path
}

const H264: &str = "-c:v libx264 -preset veryfast -bf 3 -x264-params keyint=50:scenecut=0 -c:a aac";

/// A packet as ffprobe lists it: presentation time in milliseconds, key frame, size.
type Packet = (i64, bool, usize);

fn probed(path: &Path, stream: &str) -> Vec<Packet> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream])
        .args([
            "-show_entries",
            "packet=pts_time,flags,size",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let pts = MediaTime::from_seconds_f64(fields[0].parse().unwrap()).unwrap();
            let size = fields[1].parse().unwrap();
            (pts.to_millis(), fields[2].starts_with('K'), size)
        })
        .collect()
}

fn windows(file: &MediaFile) -> Vec<(TimeRange, Demuxed)> {
    let parts = file.parts(MediaTime::from_seconds(4));
    assert_eq!(parts[0].start, file.span().start);
    assert_eq!(parts[parts.len() - 1].end, file.span().end);
    assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
    parts
        .into_iter()
        .map(|window| (window, file.read(window).unwrap()))
        .collect()
}

fn video(read: &[(TimeRange, Demuxed)]) -> Vec<Packet> {
    let tracks = read.iter().filter_map(|(_, part)| part.video.as_ref());
    tracks
        .flat_map(|track| {
            track.samples.iter().map(|sample| {
                let time = track.pts(sample).time().to_millis();
                (time, sample.sync.is_key(), sample.data.len())
            })
        })
        .collect()
}

fn audio(read: &[(TimeRange, Demuxed)], number: u32) -> Vec<Packet> {
    let tracks = read
        .iter()
        .filter_map(|(_, part)| part.audio_track(TrackNumber(number)));
    tracks
        .flat_map(|track| {
            track.samples.iter().map(|sample| {
                let time = track.pts(sample).time().to_millis();
                (time, true, sample.data.len())
            })
        })
        .collect()
}

fn times(packets: &[Packet]) -> Vec<(i64, bool)> {
    packets.iter().map(|(time, key, _)| (*time, *key)).collect()
}

/// Checks that windows begin with key frames, and that video and audio are what ffprobe lists.
fn check(path: &Path) -> Vec<(TimeRange, Demuxed)> {
    let file = MediaFile::open(path).unwrap();
    let read = windows(&file);
    assert_eq!(
        read.len(),
        4,
        "{:?}",
        file.parts(MediaTime::from_seconds(4))
    );
    for (window, part) in &read {
        let track = part.video.as_ref().unwrap();
        assert!(track.samples[0].sync.is_key());
        assert!(window.contains(track.pts(&track.samples[0]).time()));
        assert_eq!(track.frame_rate.unwrap().to_string(), "25");
        assert_eq!((track.width, track.height), (320, 180));
        assert!(track.samples.iter().all(|sample| sample.dts <= sample.pts));
        assert!(part.warnings.is_empty(), "{:?}", part.warnings);
    }
    assert_eq!(times(&video(&read)), times(&probed(path, "v:0")));
    assert_eq!(video(&read).len(), 310);
    let (ours, theirs) = (audio(&read, 1), probed(path, "a:0"));
    assert_eq!(times(&ours), times(&theirs));
    read
}

#[test]
fn mp4_with_b_frames_and_priming() {
    let dir = tempfile::tempdir().unwrap();
    let path = make(dir.path(), "a.mp4", H264);
    let read = check(&path);
    assert_eq!(
        MediaFile::open(&path).unwrap().container(),
        FileContainer::Mp4
    );
    let track = read[0].1.video.as_ref().unwrap();
    // The first picture is shown at 0, though the B-frames put two before it in decode order.
    assert_eq!(track.samples[0].pts, 0);
    assert!(track.samples[0].dts < 0);
    let sound = &read[0].1.audio[0];
    assert_eq!((sound.samples[0].pts, sound.timescale), (-1024, 48_000));
    // Raw frames are as they stand in the file.
    assert_eq!(audio(&read, 1), probed(&path, "a:0"));
    // The index in front of the samples instead of behind them makes no difference.
    let fast = dir.path().join("fast.mp4");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&path)
        .args("-c copy -movflags +faststart".split(' '))
        .arg(&fast)
        .status()
        .unwrap();
    assert!(status.success());
    let whole = |path: &Path| {
        let file = MediaFile::open(path).unwrap();
        file.read(file.span()).unwrap()
    };
    let (behind, before) = (whole(&path), whole(&fast));
    assert!(behind.video.unwrap().samples == before.video.unwrap().samples);
    assert!(behind.audio[0].samples == before.audio[0].samples);
}

#[test]
fn mp4_that_starts_late() {
    let dir = tempfile::tempdir().unwrap();
    let plain = make(dir.path(), "plain.mp4", H264);
    // Sound that begins 1.5 s after the pictures: an empty edit.
    let late = dir.path().join("late.mp4");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(&plain)
        .args(["-itsoffset", "1.5", "-i"])
        .arg(&plain)
        .args("-map 0:v -map 1:a -c copy".split(' '))
        .arg(&late)
        .status()
        .unwrap();
    assert!(status.success());
    let read = windows(&MediaFile::open(&late).unwrap());
    assert_eq!(times(&video(&read)), times(&probed(&late, "v:0")));
    assert_eq!(audio(&read, 1), probed(&late, "a:0"));
}

#[test]
fn matroska() {
    let dir = tempfile::tempdir().unwrap();
    let path = make(dir.path(), "a.mkv", H264);
    let read = check(&path);
    assert_eq!(
        MediaFile::open(&path).unwrap().container(),
        FileContainer::Matroska
    );
    assert_eq!(audio(&read, 1), probed(&path, "a:0"));
    let hevc = "-c:v libx265 -preset ultrafast -x265-params keyint=50:scenecut=0:log-level=none";
    let path = make(dir.path(), "b.mkv", &format!("{hevc} -c:a ac3"));
    let read = check(&path);
    assert_eq!(read[1].1.video.as_ref().unwrap().codec, Codec::Hevc);
    assert_eq!(audio(&read, 1), probed(&path, "a:0"));
}

#[test]
fn matroska_in_memory_is_as_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = make(dir.path(), "a.mkv", H264);
    let file = MediaFile::open(&path).unwrap();
    let all = file.read(file.span()).unwrap();
    let bytes = Bytes::from(std::fs::read(&path).unwrap());
    assert_eq!(demux(Container::Matroska, None, &bytes).unwrap(), all);
    // What is cut off is there as far as it goes.
    let half = demux(Container::Matroska, None, &bytes.slice(..bytes.len() / 2)).unwrap();
    let (half, all) = (half.video.unwrap().samples, all.video.unwrap().samples);
    assert!(half.len() > 100 && half.len() < all.len(), "{}", half.len());
    let error = |bytes: &'static [u8]| {
        let bytes = Bytes::from_static(bytes);
        demux(Container::Matroska, None, &bytes)
            .unwrap_err()
            .to_string()
    };
    let text = "not one complete video or audio sample; it does not begin as Matroska does";
    assert_eq!(error(b"\x47 and more"), text);
    assert!(error(b"\x1a\x45\xdf\xa3\x80").contains("it describes no tracks"));
}

#[test]
fn transport_stream_and_fragments() {
    let dir = tempfile::tempdir().unwrap();
    let path = make(dir.path(), "a.ts", H264);
    check(&path);
    assert_eq!(
        MediaFile::open(&path).unwrap().container(),
        FileContainer::MpegTs
    );
    let flags = "-movflags frag_keyframe+empty_moov+default_base_moof";
    let path = make(dir.path(), "f.mp4", &format!("{H264} {flags}"));
    check(&path);
    assert_eq!(
        MediaFile::open(&path).unwrap().container(),
        FileContainer::FragmentedMp4
    );
}

#[test]
fn webm() {
    let dir = tempfile::tempdir().unwrap();
    let vp8 = "-c:v libvpx -deadline realtime -cpu-used 8 -auto-alt-ref 0 -g 50 -b:v 500k";
    for sound in ["libopus", "libvorbis"] {
        let path = make(dir.path(), "a.webm", &format!("{vp8} -c:a {sound}"));
        let read = check(&path);
        assert_eq!(
            MediaFile::open(&path).unwrap().container(),
            FileContainer::Webm
        );
        // Nothing is converted.
        assert_eq!(video(&read), probed(&path, "v:0"));
        assert_eq!(audio(&read, 1), probed(&path, "a:0"));
        assert!(!read[0].1.audio[0].config.is_empty());
        assert_eq!(read[0].1.audio[0].sample_rate, 48_000);
    }
}

#[test]
fn sound_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = make(dir.path(), "a.m4a", "-map 1:a -c:a aac");
    let file = MediaFile::open(&path).unwrap();
    let read = windows(&file);
    assert_eq!(read.len(), 4);
    assert_eq!(audio(&read, 1), probed(&path, "a:0"));
}

#[test]
fn what_is_no_media_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let error = |path: &Path| MediaFile::open(path).unwrap_err();
    let text = write("notes.mp4", b"not a film, only words about it");
    assert!(matches!(error(&text), FileError::NotMedia { .. }));
    assert!(error(&text).to_string().contains("6e 6f 74 20"));
    assert!(matches!(
        error(&write("e.ts", b"")),
        FileError::Empty { .. }
    ));
    assert!(matches!(
        error(&dir.path().join("none.mkv")),
        FileError::Read { .. }
    ));
    assert!(matches!(error(dir.path()), FileError::Read { .. }));

    let whole = std::fs::read(make(dir.path(), "a.mp4", H264)).unwrap();
    let cut = error(&write("cut.mp4", &whole[..whole.len() / 2]));
    assert!(matches!(cut, FileError::Truncated { .. }), "{cut}");
    assert!(cut.to_string().contains("\"moov\""), "{cut}");

    // Matroska keeps its descriptions in front, so the half that is there can be read.
    let whole = std::fs::read(make(dir.path(), "a.mkv", H264)).unwrap();
    let half = MediaFile::open(&write("half.mkv", &whole[..whole.len() / 2])).unwrap();
    let part = half.read(half.span()).unwrap();
    assert!((100..200).contains(&part.video.unwrap().samples.len()));
    assert!(part.warnings[0].contains("cut off"), "{:?}", part.warnings);
    let nothing = error(&write("head.mkv", &whole[..200]));
    assert!(matches!(nothing, FileError::Truncated { .. }), "{nothing}");
}

/// Files that other programs wrote, where they are at hand.
#[test]
fn recordings_of_others() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/clips");
    let Ok(listed) = std::fs::read_dir(&dir) else {
        eprintln!("skipped: no recordings in {}", dir.display());
        return;
    };
    for entry in listed {
        let path = entry.unwrap().path();
        let file = MediaFile::open(&path).unwrap();
        let read = windows(&file);
        let name = path.display();
        assert!(
            times(&video(&read)) == times(&probed(&path, "v:0")),
            "{name}: video"
        );
        let tracks = read.iter().flat_map(|(_, part)| &part.audio);
        let last = tracks.map(|track| track.number.0).max().unwrap_or(0);
        for number in 1..=last {
            let listed = probed(&path, &format!("a:{}", number - 1));
            let ours = audio(&read, number);
            assert!(
                times(&ours) == times(&listed),
                "{name}: audio track {number}: {} frames, {} listed, from {:?} and {:?}",
                ours.len(),
                listed.len(),
                ours.first(),
                listed.first()
            );
        }
        for (window, part) in &read {
            assert!(
                part.warnings.is_empty(),
                "{name} {window}: {:?}",
                part.warnings
            );
        }
    }
}
