//! Media: chunks and files are taken apart or refused. Samples come from the bytes of the input,
//! every time is one, and the windows of a file give each of its samples once.

use std::cell::RefCell;
use std::io::{Seek, SeekFrom, Write};

use bytes::Bytes;
use matchcut_media::bitstream::{aac, ac3, h264, hevc, mpeg_audio, nal};
use matchcut_media::demux::demux;
use matchcut_media::file::MediaFile;
use matchcut_media::probe::Probe;
use matchcut_media::samples::{Demuxed, Sample};
use matchcut_model::chunk::Container;
use matchcut_model::time::{MediaTime, TimeRange, Timestamp};
use tempfile::NamedTempFile;

pub(crate) fn run(data: &[u8]) {
    let media = Bytes::copy_from_slice(data);
    if let Ok(demuxed) = demux(Container::MpegTs, None, &media) {
        check(demuxed, data.len());
    }
    if let Ok(demuxed) = demux(Container::FragmentedMp4, None, &media) {
        check(demuxed, data.len());
    }
    // An initialization section that comes by itself.
    let fragment = data.windows(4).position(|kind| kind == b"moof");
    if let Some(at) = fragment.and_then(|at| at.checked_sub(4)) {
        let init = media.slice(..at);
        if let Ok(demuxed) = demux(Container::FragmentedMp4, Some(&init), &media.slice(at..)) {
            check(demuxed, data.len());
        }
    }
    file(data);
    streams(data);
}

/// What holds of every chunk.
fn check(mut demuxed: Demuxed, size: usize) {
    assert!(!demuxed.is_empty());
    let mut bytes = 0;
    if let Some(track) = &demuxed.video {
        assert!(track.timescale > 0);
        bytes += track
            .samples
            .iter()
            .map(|sample| sample.data.len())
            .sum::<usize>();
        for sample in &track.samples {
            times(sample, track.pts(sample));
        }
        assert!(track.frame_ticks().is_none_or(|ticks| ticks > 0));
        for point in &track.random_access_points {
            assert!(point.byte_offset < size as u64, "{point:?}");
        }
        let _ = (track.browser_can_start(), track.parameter_sets.annex_b());
        if let Some(rate) = track.frame_rate {
            assert!(rate.frame_duration() > MediaTime::ZERO, "{rate}");
        }
    }
    for (place, track) in demuxed.audio.iter().enumerate() {
        assert!(track.timescale > 0);
        assert!(track.number.0 as usize > place);
        assert!(!track.frame_duration().is_negative());
        bytes += track
            .samples
            .iter()
            .map(|sample| sample.data.len())
            .sum::<usize>();
        for sample in &track.samples {
            times(sample, track.pts(sample));
        }
    }
    // Start codes may be longer than what they stand for, and parameter sets come before each key
    // frame.
    assert!(
        bytes <= 64 * size + (1 << 20),
        "{bytes} bytes of samples in {size}"
    );
    let mut probe = Probe::new("a chunk");
    let span = TimeRange::new(MediaTime::ZERO, MediaTime::from_seconds(6));
    probe.add(&demuxed, span, size as u64);
    probe.add(&demuxed, span, size as u64);
    assert_eq!(probe.chunks.len(), 2);
    assert!(serde_json::to_string(&probe).is_ok());
    demuxed.turn_clock(1);
    demuxed.turn_clock(i64::MIN);
}

fn times(sample: &Sample, pts: Timestamp) {
    assert!(sample.duration >= 0, "{sample:?}");
    let time = pts.time();
    assert!(time.as_seconds_f64().is_finite());
}

thread_local! {
    /// The file that inputs are written to: opening one for each would take longer than reading.
    static FILE: RefCell<Option<NamedTempFile>> = const { RefCell::new(None) };
}

/// The input as a file.
fn file(data: &[u8]) {
    FILE.with_borrow_mut(|slot| {
        let file = slot.get_or_insert_with(|| NamedTempFile::new().expect("a temporary file"));
        let written = file
            .as_file()
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(data));
        written.expect("a temporary file can be written");
        match MediaFile::open(file.path()) {
            Ok(file) => windows(&file, data.len()),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

fn windows(file: &MediaFile, size: usize) {
    let span = file.span();
    assert!(span.start < span.end);
    // So that a file without key frames that says it is years long is not read in steps of seconds.
    let target =
        MediaTime::from_seconds(6).max(MediaTime::from_flicks(span.duration().flicks() / 64));
    let parts = file.parts(target);
    let mut at = span.start;
    for part in &parts {
        assert_eq!(part.start, at, "{parts:?}");
        assert!(part.start < part.end, "{parts:?}");
        at = part.end;
    }
    assert_eq!(at, span.end);
    let samples = |demuxed: &Demuxed| {
        let audio = demuxed.audio.iter().map(|track| track.samples.len());
        let video = demuxed.video.iter().map(|track| track.samples.len());
        audio.chain(video).sum::<usize>()
    };
    let mut number = 0;
    for part in parts {
        match file.read(part) {
            Ok(demuxed) if demuxed.is_empty() => {}
            Ok(demuxed) => {
                number += samples(&demuxed);
                check(demuxed, size);
            }
            Err(error) => panic!("what the file was opened with cannot be read: {error}"),
        }
    }
    if let Ok(demuxed) = file.read(span) {
        assert_eq!(number, samples(&demuxed));
    }
}

/// Headers of elementary streams.
fn streams(data: &[u8]) {
    let mut before = 0;
    for range in nal::annex_b_ranges(data) {
        assert!(before <= range.start && range.start <= range.end && range.end <= data.len());
        before = range.end;
    }
    for length in [1, 2, 4] {
        let (ranges, _) = nal::length_prefixed_ranges(data, length);
        let taken: usize = ranges.iter().map(|range| range.len() + length).sum();
        assert!(taken <= data.len());
    }
    let (mut sps, mut pps) = (None, None);
    for unit in std::iter::once(data).chain(nal::annex_b_units(data)) {
        assert!(nal::rbsp(unit, 64).len() <= 64);
        sps = h264::parse_sps(unit).or(sps);
        pps = h264::parse_pps(unit).or(pps);
        let _ = h264::parse_slice_start(unit);
        let _ = h264::has_recovery_point(unit);
        if let Some((sps, pps)) = sps.as_ref().zip(pps.as_ref()) {
            let _ = h264::parse_slice_header(unit, sps, pps);
        }
        if let Some(sps) = &sps {
            let _ = (sps.profile(), sps.level());
        }
        if let Some(sps) = hevc::parse_sps(unit) {
            let _ = (sps.profile(), sps.level());
        }
        let _ = hevc::is_first_slice(unit);
    }
    if let Some(adts) = aac::Adts::parse(data) {
        let config = aac::parse_config(&adts.config());
        assert_eq!(config.map(|config| config.channels), Some(adts.channels()));
    }
    let _ = aac::parse_config(data);
    let _ = (ac3::parse(data), mpeg_audio::parse(data));
}
