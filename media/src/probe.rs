//! Says what a source holds, from the samples that were read of it. A probe is accumulated chunk by
//! chunk, so that a playlist and a file are told in the same words.

use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{FrameRate, MediaTime, TimeRange};
use serde::Serialize;

use crate::bitstream::aac;
use crate::samples::{AudioTrack, Codec, Demuxed, Sample, SyncKind, VideoTrack};

/// What a browser makes of open groups with a B-pyramid.
const NOT_FOR_BROWSERS: &str =
    "browsers cannot start decoding: open GOP with B-pyramid; a rendered clip plays";

/// Pictures or sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// A frame rate as a fraction and as a number.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// `30000/1001`.
    pub exact: String,
    /// 29.97…
    pub number: f64,
}

impl From<FrameRate> for Rate {
    fn from(rate: FrameRate) -> Self {
        Rate {
            exact: rate.to_string(),
            number: rate.as_f64(),
        }
    }
}

/// One stream of the source. What does not apply to its kind is absent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stream {
    /// Pictures or sound.
    pub kind: StreamKind,
    /// Number among the audio tracks, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub track: Option<TrackNumber>,
    /// How it is compressed.
    pub codec: Codec,
    /// Name of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Level as the standard writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Pixels after cropping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Pixels after cropping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Width and height of a pixel, when it is not square.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_aspect: Option<(u32, u32)>,
    /// Frames in a second; absent when it varies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<Rate>,
    /// Timecode that the first picture carries, or that the first one that carries any implies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timecode: Option<String>,
    /// Samples (PCM) a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    /// Number of channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// ISO 639-2 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Ticks of a second that times are counted in.
    pub time_base: String,
    /// The presentation time of the first sample in stream order of time, in ticks, as the stream
    /// wrote it.
    pub first_pts: i64,
    /// Access units or audio frames.
    pub samples: u64,
    /// Bytes of all samples.
    pub bytes: u64,
    /// Pictures where decoding can start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_frames: Option<u64>,
    /// Those of them that nothing refers across.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idr: Option<u64>,
    /// A key frame that is not an IDR was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_gop: Option<bool>,
    /// B pictures serve as references.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b_pyramid: Option<bool>,
    /// Whether browsers can start decoding at its key frames.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub browser: Option<bool>,
    /// What follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What one chunk holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChunkFacts {
    /// Its number, from 0.
    pub number: u64,
    /// Seconds from the start of the source.
    #[serde(with = "matchcut_model::time::seconds")]
    pub start: MediaTime,
    /// Seconds.
    #[serde(with = "matchcut_model::time::seconds")]
    pub duration: MediaTime,
    /// Video frames.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Size of the media.
    pub bytes: u64,
}

/// What a source holds, so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probe {
    /// How it is packed.
    pub container: String,
    /// Seconds from the start of the first chunk to the end of the last.
    #[serde(with = "matchcut_model::time::seconds")]
    pub duration: MediaTime,
    /// The streams: video first, then audio in order.
    pub streams: Vec<Stream>,
    /// Chunks in order.
    pub chunks: Vec<ChunkFacts>,
    /// What was not as it should be.
    pub warnings: Vec<String>,
}

impl Probe {
    /// Of a source of which nothing has been read yet.
    pub fn new(container: impl Into<String>) -> Self {
        Probe {
            container: container.into(),
            duration: MediaTime::ZERO,
            streams: Vec::new(),
            chunks: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds the next chunk, which covers `span` and has `bytes` bytes.
    pub fn add(&mut self, chunk: &Demuxed, span: TimeRange, bytes: u64) {
        let number = self.chunks.len() as u64;
        let samples = chunk.video.iter().flat_map(|track| &track.samples);
        self.chunks.push(ChunkFacts {
            number,
            start: span.start,
            duration: span.duration(),
            frames: samples.clone().count() as u64,
            key_frames: samples.filter(|sample| sample.sync.is_key()).count() as u64,
            bytes,
        });
        let start = self.chunks.first().map_or(span.start, |first| first.start);
        self.duration = self.duration.max(span.end - start);
        for warning in &chunk.warnings {
            self.warnings.push(format!("chunk {number}: {warning}"));
        }
        if let Some(track) = &chunk.video {
            self.video(number, track);
        }
        for track in &chunk.audio {
            self.audio(number, track);
        }
    }

    fn video(&mut self, chunk: u64, track: &VideoTrack) {
        let new = video_stream(track);
        let known = self
            .streams
            .iter_mut()
            .find(|stream| stream.kind == StreamKind::Video);
        let Some(known) = known else {
            if chunk > 0 {
                let warning = format!("chunk {chunk}: the first with video");
                self.warnings.push(warning);
            }
            self.streams.insert(0, new);
            return;
        };
        let shape = |stream: &Stream| {
            let size = (stream.width.unwrap_or(0), stream.height.unwrap_or(0));
            (stream.codec.clone(), size)
        };
        if shape(known) != shape(&new) {
            let (codec, (width, height)) = shape(&new);
            self.warnings.push(format!(
                "chunk {chunk}: the video changes to {codec} {width}x{height}"
            ));
        }
        known.merge(new);
    }

    fn audio(&mut self, chunk: u64, track: &AudioTrack) {
        let new = audio_stream(track);
        let known = self
            .streams
            .iter_mut()
            .find(|stream| stream.track == new.track);
        let number = track.number;
        let Some(known) = known else {
            if chunk > 0 {
                let warning = format!("chunk {chunk}: the first with audio track {number}");
                self.warnings.push(warning);
            }
            self.streams.push(new);
            self.streams.sort_by_key(|stream| stream.track);
            return;
        };
        let shape = |stream: &Stream| (stream.codec.clone(), stream.sample_rate, stream.channels);
        if shape(known) != shape(&new) {
            let (rate, channels) = (track.sample_rate, track.channels);
            self.warnings.push(format!(
                "chunk {chunk}: audio track {number} changes to {} {rate} Hz, {channels} channels",
                track.codec
            ));
        }
        known.merge(new);
    }
}

impl Stream {
    /// Takes in the same stream of a later chunk.
    fn merge(&mut self, later: Stream) {
        let sum = |one: Option<u64>, other: Option<u64>| Some(one? + other?);
        let either = |one: Option<bool>, other: Option<bool>| Some(one? || other?);
        self.samples += later.samples;
        self.bytes += later.bytes;
        self.key_frames = sum(self.key_frames, later.key_frames);
        self.idr = sum(self.idr, later.idr);
        self.open_gop = either(self.open_gop, later.open_gop);
        self.b_pyramid = either(self.b_pyramid, later.b_pyramid);
        if self.browser == Some(true) {
            (self.browser, self.note) = (later.browser, later.note);
        }
        if self.frame_rate.is_none() && self.samples > 0 {
            self.frame_rate = later.frame_rate;
        }
        self.language = self.language.take().or(later.language);
    }
}

fn first_pts(samples: &[Sample]) -> i64 {
    samples.iter().map(|sample| sample.pts).min().unwrap_or(0)
}

fn bytes(samples: &[Sample]) -> u64 {
    samples.iter().map(|sample| sample.data.len() as u64).sum()
}

fn count(samples: &[Sample], is: impl Fn(SyncKind) -> bool) -> u64 {
    samples.iter().filter(|sample| is(sample.sync)).count() as u64
}

fn video_stream(track: &VideoTrack) -> Stream {
    let known = |size: u32| (size > 0).then_some(size);
    let browser = track.browser_can_start();
    let note = match (browser, &track.codec) {
        (true, _) => None,
        (false, Codec::H264) => Some(NOT_FOR_BROWSERS.to_owned()),
        (false, codec) => Some(format!("not every browser decodes {codec}")),
    };
    Stream {
        kind: StreamKind::Video,
        track: None,
        codec: track.codec.clone(),
        profile: track.profile.clone(),
        level: track.level.clone(),
        width: known(track.width),
        height: known(track.height),
        pixel_aspect: track.pixel_aspect,
        frame_rate: track.frame_rate.map(Rate::from),
        timecode: first_timecode(track),
        sample_rate: None,
        channels: None,
        language: None,
        time_base: format!("1/{}", track.timescale),
        first_pts: first_pts(&track.samples),
        samples: track.samples.len() as u64,
        bytes: bytes(&track.samples),
        key_frames: Some(count(&track.samples, SyncKind::is_key)),
        idr: Some(count(&track.samples, |sync| sync == SyncKind::Idr)),
        open_gop: Some(track.open_gop),
        b_pyramid: Some(track.b_pyramid),
        browser: Some(browser),
        note,
    }
}

fn first_timecode(track: &VideoTrack) -> Option<String> {
    let (mark, rate) = (track.timecodes.first()?, track.frame_rate?);
    let label = mark.timecode.at(rate)?.plus(-i64::from(mark.frame));
    Some(label.to_string())
}

fn audio_stream(track: &AudioTrack) -> Stream {
    let known = |value: u32| (value > 0).then_some(value);
    let profile = (track.codec == Codec::Aac)
        .then(|| aac::parse_config(&track.config))
        .flatten()
        .map(|config| aac::profile(config.object_type));
    Stream {
        kind: StreamKind::Audio,
        track: Some(track.number),
        codec: track.codec.clone(),
        profile,
        level: None,
        width: None,
        height: None,
        pixel_aspect: None,
        frame_rate: None,
        timecode: None,
        sample_rate: known(track.sample_rate),
        channels: known(track.channels),
        language: track.language.clone(),
        time_base: format!("1/{}", track.timescale),
        first_pts: first_pts(&track.samples),
        samples: track.samples.len() as u64,
        bytes: bytes(&track.samples),
        key_frames: None,
        idr: None,
        open_gop: None,
        b_pyramid: None,
        browser: None,
        note: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use matchcut_model::timecode::{EmbeddedTimecode, TimecodeMark};

    fn sample(pts: i64, sync: SyncKind) -> Sample {
        Sample {
            pts,
            dts: pts,
            duration: 3600,
            sync,
            leading: false,
            reference: true,
            data: Bytes::from_static(&[1, 2, 3]),
        }
    }

    fn chunk(from: i64, first: SyncKind, height: u32) -> Demuxed {
        let times = (0..50).map(|n| from + n * 3600);
        let kinds = std::iter::once(first).chain(std::iter::repeat(SyncKind::None));
        let video = VideoTrack {
            codec: Codec::H264,
            timescale: 90_000,
            samples: times
                .zip(kinds)
                .map(|(pts, kind)| sample(pts, kind))
                .collect(),
            parameter_sets: crate::samples::ParameterSets::default(),
            width: 640,
            height,
            pixel_aspect: None,
            frame_rate: FrameRate::new(30_000, 1001),
            profile: Some("High".into()),
            level: Some("3.1".into()),
            open_gop: first == SyncKind::OpenGop,
            b_pyramid: true,
            mmco: true,
            random_access_points: Vec::new(),
            timecodes: vec![TimecodeMark {
                frame: 2,
                timecode: EmbeddedTimecode {
                    hours: 10,
                    minutes: 0,
                    seconds: 0,
                    frames: 1,
                    drop_frame: true,
                },
            }],
        };
        let audio = AudioTrack {
            number: TrackNumber(1),
            id: None,
            codec: Codec::Aac,
            timescale: 90_000,
            sample_rate: 48_000,
            channels: 2,
            frame_samples: 1024,
            language: Some("eng".into()),
            config: Bytes::from_static(&[0x11, 0x90]),
            samples: vec![
                sample(from, SyncKind::Idr),
                sample(from + 1920, SyncKind::Idr),
            ],
        };
        Demuxed {
            video: Some(video),
            audio: vec![audio],
            ..Demuxed::default()
        }
    }

    fn span(from: i64, to: i64) -> TimeRange {
        TimeRange::new(MediaTime::from_seconds(from), MediaTime::from_seconds(to))
    }

    #[test]
    fn chunks_add_up() {
        let mut probe = Probe::new("mpeg-ts");
        probe.add(&chunk(126_000, SyncKind::Idr, 360), span(0, 2), 1000);
        assert_eq!(probe.streams[0].browser, Some(true));
        probe.add(&chunk(306_000, SyncKind::OpenGop, 360), span(2, 4), 1200);
        let json = serde_json::to_value(&probe).unwrap();
        assert_eq!(json["duration"], 4.0);
        let video = &json["streams"][0];
        assert_eq!(video["kind"], "video");
        assert_eq!(video["frame_rate"]["exact"], "30000/1001");
        assert_eq!(video["timecode"], "09:59:59;29");
        assert_eq!(
            (&video["samples"], &video["bytes"]),
            (&100.into(), &300.into())
        );
        assert_eq!(
            (&video["key_frames"], &video["idr"]),
            (&2.into(), &1.into())
        );
        assert_eq!(video["open_gop"], true);
        // One open group is enough to keep a browser from starting there.
        assert_eq!(video["browser"], false);
        assert_eq!(video["note"], NOT_FOR_BROWSERS);
        assert_eq!(video["first_pts"], 126_000);
        let audio = &json["streams"][1];
        assert_eq!(
            (&audio["profile"], &audio["language"]),
            (&"LC".into(), &"eng".into())
        );
        assert_eq!(
            (&audio["track"], &audio["channels"]),
            (&1.into(), &2.into())
        );
        assert!(audio.get("width").is_none());
        let second = &json["chunks"][1];
        assert_eq!(
            (&second["start"], &second["duration"]),
            (&2.0.into(), &2.0.into())
        );
        assert_eq!(
            (&second["frames"], &second["bytes"]),
            (&50.into(), &1200.into())
        );
        assert!(probe.warnings.is_empty(), "{:?}", probe.warnings);
    }

    #[test]
    fn what_changes_is_told() {
        let mut probe = Probe::new("mpeg-ts");
        probe.add(&chunk(0, SyncKind::Idr, 360), span(0, 2), 1000);
        let mut other = chunk(180_000, SyncKind::Idr, 480);
        other.audio[0].channels = 6;
        other.warnings.push("a packet is missing".into());
        probe.add(&other, span(2, 4), 1000);
        assert_eq!(
            probe.warnings,
            [
                "chunk 1: a packet is missing",
                "chunk 1: the video changes to h264 640x480",
                "chunk 1: audio track 1 changes to aac 48000 Hz, 6 channels",
            ]
        );
    }
}
