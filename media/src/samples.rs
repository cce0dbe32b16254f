//! What a demuxer hands on: the tracks of one chunk as compressed samples in decode order, with
//! the timestamps of the stream. Decoding, probing and cutting all start from these values.

use bytes::Bytes;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::cue::{Cue, CueTime};
use matchcut_model::time::{FrameRate, MediaTime, Timestamp};
use matchcut_model::timecode::TimecodeMark;
use serde::{Deserialize, Serialize};

/// How samples are compressed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// ITU-T H.264, AVC.
    H264,
    /// ITU-T H.265, HEVC.
    Hevc,
    /// AAC; samples are raw frames.
    Aac,
    /// MPEG-1 or MPEG-2 audio (layer 1 to 3).
    Mp3,
    /// AC-3 or E-AC-3.
    Ac3,
    /// Something that is carried but not understood.
    Other(String),
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Codec::H264 => "h264",
            Codec::Hevc => "hevc",
            Codec::Aac => "aac",
            Codec::Mp3 => "mp3",
            Codec::Ac3 => "ac3",
            Codec::Other(name) => name,
        })
    }
}

/// Whether decoding can start at a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncKind {
    /// Yes, and nothing after it refers to anything before it (IDR; every audio frame).
    Idr,
    /// Yes, but pictures shown before it (leading pictures) may refer to the previous group.
    OpenGop,
    /// No.
    None,
}

impl SyncKind {
    /// Whether decoding can start here.
    pub fn is_key(self) -> bool {
        self != SyncKind::None
    }
}

/// One access unit or audio frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it is shown, in ticks of the track's timescale.
    pub pts: i64,
    /// When it is decoded.
    pub dts: i64,
    /// How long it lasts; 0 when the container does not say.
    pub duration: i64,
    /// Whether decoding can start here.
    pub sync: SyncKind,
    /// Shown before the key frame that it follows in decode order.
    pub leading: bool,
    /// Whether other samples may refer to it (`true` when unknown).
    pub reference: bool,
    /// Video: NAL units with Annex B start codes, without access unit delimiters. AAC: a raw frame.
    pub data: Bytes,
}

/// The sets a video decoder must have before the first slice, without start codes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ParameterSets {
    /// Video parameter sets (HEVC).
    pub vps: Vec<Bytes>,
    /// Sequence parameter sets.
    pub sps: Vec<Bytes>,
    /// Picture parameter sets.
    pub pps: Vec<Bytes>,
}

impl ParameterSets {
    /// Whether a decoder could start with them.
    pub fn is_complete(&self, codec: &Codec) -> bool {
        !self.sps.is_empty()
            && !self.pps.is_empty()
            && (*codec != Codec::Hevc || !self.vps.is_empty())
    }

    /// All sets with start codes, in the order a decoder wants them.
    pub fn annex_b(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for set in self.vps.iter().chain(&self.sps).chain(&self.pps) {
            out.extend_from_slice(&[0, 0, 0, 1]);
            out.extend_from_slice(set);
        }
        out
    }
}

/// A place in a chunk where a player can start without anything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RandomAccessPoint {
    /// Transport stream: offset of the program association table that stands right before the key
    /// frame. Fragmented MP4: offset of the `moof` that begins with the key frame.
    pub byte_offset: u64,
    /// PTS of the key frame.
    pub pts: i64,
    /// Whether the key frame is an IDR.
    pub sync: SyncKind,
}

/// The video of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoTrack {
    /// How it is compressed.
    pub codec: Codec,
    /// Ticks in a second of every time here; 90 000 in a transport stream.
    pub timescale: u32,
    /// Access units in decode order.
    pub samples: Vec<Sample>,
    /// The latest parameter sets, also when they stand in the samples.
    pub parameter_sets: ParameterSets,
    /// Width in pixels after cropping; 0 when unknown.
    pub width: u32,
    /// Height in pixels after cropping; 0 when unknown.
    pub height: u32,
    /// Width and height of a pixel, when it is not square.
    pub pixel_aspect: Option<(u32, u32)>,
    /// Nominal frame rate, when the stream says or shows it.
    pub frame_rate: Option<FrameRate>,
    /// Name of the profile.
    pub profile: Option<String>,
    /// Level as the standard writes it, "4.1".
    pub level: Option<String>,
    /// A key frame that is not an IDR was seen.
    pub open_gop: bool,
    /// H.264: B pictures serve as references (B-pyramid).
    pub b_pyramid: bool,
    /// H.264: a picture carries memory management commands, which may name pictures of an earlier
    /// group. Chromium fails on them when decoding starts at an open group of pictures.
    pub mmco: bool,
    /// Transport stream and fragmented MP4: where a byte range can start. Empty elsewhere.
    pub random_access_points: Vec<RandomAccessPoint>,
    /// Timecode that the pictures carry, by their number in order of presentation: of the first that
    /// has one, and of every one whose timecode does not follow from the one before.
    pub timecodes: Vec<TimecodeMark>,
}

impl VideoTrack {
    /// The PTS of a sample with its timescale.
    pub fn pts(&self, sample: &Sample) -> Timestamp {
        Timestamp {
            ticks: sample.pts,
            timescale: self.timescale,
        }
    }

    /// Whether a browser can start decoding at every key frame of this track. `false` for H.264
    /// with open groups and memory management commands, which Chromium refuses.
    pub fn browser_can_start(&self) -> bool {
        self.codec == Codec::H264 && !(self.open_gop && self.mmco)
    }

    /// Duration of one frame in ticks: from the frame rate, else the smallest distance of two
    /// neighbours in presentation order.
    pub fn frame_ticks(&self) -> Option<i64> {
        if let Some(rate) = self.frame_rate {
            return Some(rate.frame_duration().to_ticks(self.timescale).max(1));
        }
        let mut pts: Vec<i64> = self.samples.iter().map(|s| s.pts).collect();
        pts.sort_unstable();
        pts.windows(2).map(|w| w[1] - w[0]).filter(|d| *d > 0).min()
    }
}

/// One audio track of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioTrack {
    /// Its number in stream order, from 1.
    pub number: TrackNumber,
    /// What stays the same of it from chunk to chunk: the PID in a transport stream, the track ID in a
    /// fragmented MP4, something made of the name of a separate rendition.
    pub id: Option<u32>,
    /// How it is compressed.
    pub codec: Codec,
    /// Ticks in a second of every time here.
    pub timescale: u32,
    /// Samples (PCM) a second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// PCM samples in one compressed frame (1024 for AAC-LC); 0 when unknown.
    pub frame_samples: u32,
    /// ISO 639-2 code, when the stream says one.
    pub language: Option<String>,
    /// AAC: the AudioSpecificConfig. Empty for others.
    pub config: Bytes,
    /// Frames in order.
    pub samples: Vec<Sample>,
}

impl AudioTrack {
    /// The PTS of a sample with its timescale.
    pub fn pts(&self, sample: &Sample) -> Timestamp {
        Timestamp {
            ticks: sample.pts,
            timescale: self.timescale,
        }
    }

    /// How long one compressed frame lasts.
    pub fn frame_duration(&self) -> MediaTime {
        MediaTime::from_ticks(i64::from(self.frame_samples), self.sample_rate)
    }
}

/// No PID and hardly a track ID is so large.
const RENDITION: u32 = 1 << 31;

/// A separate audio rendition of a chunk, read by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioRendition {
    /// What was read of it; its video is left out.
    pub demuxed: Demuxed,
    /// What it is called, for warnings.
    pub name: String,
    /// Its language as the playlist says, for tracks that do not say it themselves.
    pub language: Option<String>,
    /// Its times count modulo 2^33 at 90 kHz: a transport stream or packed audio.
    pub wraps: bool,
}

/// The contents of one chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demuxed {
    /// The first video stream.
    pub video: Option<VideoTrack>,
    /// All audio streams, numbered from 1 in stream order.
    pub audio: Vec<AudioTrack>,
    /// What the stream marks in itself (SCTE-35), in stream order.
    pub cues: Vec<Cue>,
    /// What was not as it should be, yet did not prevent reading; each names the place.
    pub warnings: Vec<String>,
}

impl Demuxed {
    /// The audio track with this number.
    pub fn audio_track(&self, number: TrackNumber) -> Option<&AudioTrack> {
        self.audio.iter().find(|track| track.number == number)
    }

    /// Moves every time by `turns` turns of the 33-bit clock of a transport stream: its demuxer
    /// sees one chunk, and only the timeline knows how often the clock has wrapped before it.
    pub fn turn_clock(&mut self, turns: i64) {
        let ticks = turns.saturating_mul(1 << 33);
        let audio = self.audio.iter_mut().flat_map(|track| &mut track.samples);
        let video = self.video.iter_mut().flat_map(|track| &mut track.samples);
        for sample in audio.chain(video) {
            sample.pts = sample.pts.saturating_add(ticks);
            sample.dts = sample.dts.saturating_add(ticks);
        }
        for point in self
            .video
            .iter_mut()
            .flat_map(|track| &mut track.random_access_points)
        {
            point.pts = point.pts.saturating_add(ticks);
        }
        for cue in &mut self.cues {
            if let CueTime::Pts(pts) = &mut cue.at {
                pts.ticks = pts.ticks.saturating_add(ticks);
            }
        }
    }

    /// Adds what follows on the same clock: the next segment of a rendition. Tracks belong together in
    /// their order.
    pub fn append(&mut self, next: Demuxed) {
        match (&mut self.video, next.video) {
            (Some(video), Some(more)) => {
                video.samples.extend(more.samples);
                video.open_gop |= more.open_gop;
                video.b_pyramid |= more.b_pyramid;
                video.mmco |= more.mmco;
            }
            (video @ None, more) => *video = more,
            (Some(_), None) => {}
        }
        for (index, more) in next.audio.into_iter().enumerate() {
            match self.audio.get_mut(index) {
                Some(track) => track.samples.extend(more.samples),
                None => self.audio.push(more),
            }
        }
        self.cues.extend(next.cues);
        self.warnings.extend(next.warnings);
    }

    /// Adds the tracks of separate audio renditions of the same stretch of time, each read by itself:
    /// they take the numbers after those that are there, in the order given. A transport stream and
    /// packed audio count modulo 2^33, so each rendition is moved by whole turns of that clock until
    /// it is nearest to what is there; times of other containers are taken as they are.
    pub fn add_audio(&mut self, renditions: impl IntoIterator<Item = AudioRendition>) {
        let mut next = self
            .audio
            .iter()
            .map(|track| track.number.0)
            .max()
            .unwrap_or(0);
        for rendition in renditions {
            let AudioRendition {
                mut demuxed,
                name,
                language,
                wraps,
            } = rendition;
            if let (true, Some(here), Some(there)) = (wraps, self.start(), demuxed.start()) {
                let turn = MediaTime::from_ticks(1 << 33, 90_000).flicks();
                let distance = (here - there).flicks();
                demuxed.turn_clock((distance + turn / 2).div_euclid(turn));
            }
            for warning in demuxed.warnings {
                self.warnings
                    .push(format!("audio rendition \"{name}\": {warning}"));
            }
            if demuxed.audio.is_empty() {
                // Its number is kept for it: the next chunk may have it.
                next += 1;
            }
            let id = RENDITION | crate::demux::checksum(name.as_bytes()) >> 1;
            for mut track in demuxed.audio {
                next += 1;
                track.id = Some(id);
                track.number = TrackNumber(next);
                track.language = track.language.or_else(|| language.clone());
                self.audio.push(track);
            }
        }
    }

    /// Takes the separate audio renditions of another variant of the same chunk, on the same clock and
    /// with their numbers. Tracks of its own get the numbers that those of the other variant have, in
    /// order; one more than there are has none and is left out.
    pub fn share_audio(&mut self, other: &Demuxed) {
        let separate = |track: &&AudioTrack| track.id.is_some_and(|id| id & RENDITION != 0);
        let own: Vec<TrackNumber> = other
            .audio
            .iter()
            .filter(|track| !separate(track))
            .map(|track| track.number)
            .collect();
        self.audio.truncate(own.len());
        for (track, number) in self.audio.iter_mut().zip(own) {
            track.number = number;
        }
        self.audio
            .extend(other.audio.iter().filter(separate).cloned());
    }

    /// When its first picture is shown, or without pictures its first sound is heard.
    fn start(&self) -> Option<MediaTime> {
        let video = self
            .video
            .iter()
            .flat_map(|track| track.samples.iter().map(|sample| track.pts(sample).time()));
        video.min().or_else(|| {
            let audio = self
                .audio
                .iter()
                .flat_map(|track| track.samples.iter().map(|sample| track.pts(sample).time()));
            audio.min()
        })
    }

    /// Whether it holds no sample at all.
    pub fn is_empty(&self) -> bool {
        self.video.as_ref().is_none_or(|v| v.samples.is_empty())
            && self.audio.iter().all(|a| a.samples.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(number: u32) -> AudioTrack {
        AudioTrack {
            number: TrackNumber(number),
            id: Some(256 + number),
            codec: Codec::Aac,
            timescale: 90_000,
            sample_rate: 48_000,
            channels: 2,
            frame_samples: 1024,
            language: None,
            config: Bytes::new(),
            samples: Vec::new(),
        }
    }

    fn with(tracks: u32) -> Demuxed {
        Demuxed {
            audio: (1..=tracks).map(track).collect(),
            ..Demuxed::default()
        }
    }

    fn rendition(name: &str, tracks: u32) -> AudioRendition {
        AudioRendition {
            demuxed: with(tracks),
            name: name.to_owned(),
            language: None,
            wraps: true,
        }
    }

    fn numbers(chunk: &Demuxed) -> Vec<u32> {
        chunk.audio.iter().map(|track| track.number.0).collect()
    }

    #[test]
    fn a_rendition_that_did_not_come_keeps_its_number() {
        let mut chunk = with(1);
        chunk.add_audio([rendition("en", 1), rendition("fr", 0), rendition("de", 1)]);
        assert_eq!(numbers(&chunk), [1, 2, 4]);
    }

    #[test]
    fn another_variant_is_heard_with_the_sound_that_was_analysed() {
        let mut analysed = with(1);
        analysed.add_audio([rendition("en", 0), rendition("fr", 1)]);
        // As it was numbered by the tracks of the chunks before.
        analysed.audio[0].number = TrackNumber(4);
        let fr = analysed.audio[1].clone();
        for own in [1, 2] {
            let mut variant = with(own);
            variant.share_audio(&analysed);
            assert_eq!(numbers(&variant), [4, 3], "{own} of its own");
            assert_eq!(variant.audio[1], fr);
        }
        let mut silent = with(0);
        silent.share_audio(&analysed);
        assert_eq!(numbers(&silent), [3]);
    }
}
