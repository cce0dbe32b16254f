//! Smart cuts: what lies between the first restart after the mark-in and the last key frame before
//! the mark-out is copied, the pictures at both edges are encoded anew, so that a player shows the
//! very frames even when it knows nothing of edit lists.
//!
//! A copied picture must be a real restart where it follows an encoded one: in H.264 an IDR, for a
//! picture of an open group would go on counting from pictures that are no longer there; in HEVC
//! also a CRA, which becomes a broken link. Where there is no such picture everything is encoded.

use gstreamer as gst;
use gstreamer_video::VideoInterlaceMode;

use super::video::{OPEN_START, Sets, as_parameter_sets, rebuilt_dts, take_sets};
use super::{Cut, CutError, OutSample, Part, VideoPart};
use crate::decode::DecodeError;
use crate::decode::pictures::{Picture, pictures};
use crate::encode::{EncodeError, PictureEncoder, PictureSettings};
use crate::samples::{Codec, Sample, SyncKind, VideoTrack};

/// Constant rate factor of the edges: no difference can be seen from the source.
const QUALITY: u32 = 14;

/// Why a smart cut cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SmartError {
    /// The source has no codec whose edges can be encoded.
    #[error("a smart cut needs H.264 or HEVC pictures, not {0}; render it instead")]
    Codec(Codec),
    /// The edges could not be decoded.
    #[error("the edges of the clip cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// The edges could not be encoded.
    #[error("the edges of the clip cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// The pictures of an edge change their size.
    #[error("the pictures change their size inside what must be encoded; render it instead")]
    SizeChanges,
    /// No picture came out of the decoder.
    #[error("the decoder gave no picture of the edges: {0}")]
    NoPicture(String),
    /// The cut itself is not possible.
    #[error(transparent)]
    Cut(#[from] CutError),
}

/// Turns an exact cut into a smart one. Sound stays as it was.
pub fn smart(mut cut: Cut) -> Result<Cut, SmartError> {
    let mut encoded = 0;
    let mut hevc = false;
    for part in &mut cut.parts {
        let Part {
            video, duration, ..
        } = part;
        let Some(video) = video else { continue };
        hevc |= video.codec == Codec::Hevc;
        let end = video.media_time + duration.to_ticks(video.timescale);
        let (new, count) = smart_video(video, end)?;
        *video = new;
        encoded += count;
    }
    let report = &mut cut.report;
    report.hidden_video = Default::default();
    report.browser = !hevc;
    report.notes.retain(|note| note != OPEN_START);
    report.encoded_frames = encoded;
    report.notes.push(match encoded {
        0 => "every frame is copied".to_owned(),
        all if all == report.frames => {
            "every frame is encoded anew: no picture between the marks can start a decoder".into()
        }
        some => format!(
            "{some} of {} frames, at the edges, are encoded anew",
            report.frames
        ),
    });
    Ok(cut)
}

/// Which samples are copied, by index: from a restart to before a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inside {
    from: usize,
    to: usize,
}

fn restarts(codec: &Codec, sample: &OutSample) -> bool {
    sample.sync == SyncKind::Idr || (*codec == Codec::Hevc && sample.sync.is_key())
}

/// The longest run that can be copied; `None` where nothing can.
fn inside(part: &VideoPart, end: i64) -> Option<Inside> {
    let samples = &part.samples;
    let from = samples
        .iter()
        .position(|s| restarts(&part.codec, s) && s.pts >= part.media_time && s.pts < end)?;
    let start = samples[from].pts;
    // Pictures that are hidden behind the end are there because others refer to them.
    let hidden = samples[from..].iter().position(|s| s.pts >= end);
    let to = match hidden {
        None => samples.len(),
        Some(hidden) => {
            from + samples[from..=from + hidden]
                .iter()
                .rposition(|s| s.sync.is_key())
                .filter(|key| *key > 0)?
        }
    };
    let last = samples[from..to].iter().map(|s| s.pts).max()?;
    // Everything that is shown between them must be among what is copied.
    let elsewhere = samples[..from].iter().chain(&samples[to..]);
    let whole = elsewhere
        .filter(|s| s.pts >= start && s.pts <= last)
        .count()
        == 0;
    whole.then_some(Inside { from, to })
}

/// The part with its edges encoded, and how many frames those are.
fn smart_video(part: &VideoPart, end: i64) -> Result<(VideoPart, u64), SmartError> {
    if !matches!(part.codec, Codec::H264 | Codec::Hevc) {
        return Err(SmartError::Codec(part.codec.clone()));
    }
    let samples = &part.samples;
    let shown = |pts: i64| pts >= part.media_time && pts < end;
    let mut out: Vec<OutSample> = Vec::new();
    let encoded = match inside(part, end) {
        None => {
            out = encode(part, 0..samples.len(), &shown)?;
            out.len()
        }
        Some(Inside { from, to }) => {
            let start = samples[from].pts;
            let head = |pts: i64| shown(pts) && pts < start;
            let mut encoded = 0;
            if let Some(last) = samples.iter().rposition(|s| head(s.pts)) {
                out = encode(part, 0..last + 1, &head)?;
                encoded += out.len();
            }
            copy(part, from, to, &mut out);
            let copied_to = out.iter().map(|s| s.pts).max().unwrap_or(start);
            let tail = |pts: i64| shown(pts) && pts > copied_to;
            if let Some(last) = samples.iter().rposition(|s| tail(s.pts)) {
                // What is shown before an open group's key frame needs the group before.
                let first = match samples.get(to).map(|s| s.sync) {
                    Some(SyncKind::Idr) => to,
                    _ => samples[..to]
                        .iter()
                        .rposition(|s| s.sync.is_key())
                        .unwrap_or(0),
                };
                let new = encode(part, first..last + 1, &tail)?;
                encoded += new.len();
                out.extend(new);
            }
            encoded
        }
    };
    let pts: Vec<i64> = out.iter().map(|s| s.pts).collect();
    let dts = rebuilt_dts(&pts);
    let shift = dts.first().copied().unwrap_or(0);
    for (sample, dts) in out.iter_mut().zip(dts) {
        (sample.pts, sample.dts) = (sample.pts - shift, dts - shift);
    }
    let mut sets = Sets::new();
    if let Some(first) = out.first() {
        take_sets(&mut sets, &part.codec, &first.data);
    }
    let new = VideoPart {
        media_time: out.iter().map(|s| s.pts).min().unwrap_or(0),
        samples: out,
        sets: as_parameter_sets(&sets, &part.codec),
        sets_change: true,
        seamless: true,
        room: 0,
        open_start: false,
        ..part.clone()
    };
    Ok((new, encoded as u64))
}

/// Copies samples, with parameter sets in front of every one that can start a decoder.
fn copy(part: &VideoPart, from: usize, to: usize, out: &mut Vec<OutSample>) {
    let mut sets = Sets::new();
    take_sets(&mut sets, &part.codec, &part.sets.annex_b());
    let follows = !out.is_empty();
    let start = part.samples[from].pts;
    for (index, sample) in part.samples[..to].iter().enumerate() {
        let mut own = Sets::new();
        take_sets(&mut own, &part.codec, &sample.data);
        let complete = as_parameter_sets(&own, &part.codec).is_complete(&part.codec);
        sets.extend(own);
        // The leading pictures of the first one are shown before it, and were encoded.
        if index < from || sample.pts < start {
            continue;
        }
        let mut sample = sample.clone();
        if sample.sync.is_key() && !complete {
            let sets = as_parameter_sets(&sets, &part.codec).annex_b();
            sample.data = [&sets[..], &sample.data[..]].concat().into();
        }
        sample.splice = follows && index == from && part.codec == Codec::Hevc;
        sample.key = sample.sync == SyncKind::Idr || index == from;
        out.push(sample);
    }
}

/// Decodes the samples of a range and encodes the pictures that are `wanted`: one closed group
/// without pictures that are stored out of order.
fn encode(
    part: &VideoPart,
    range: std::ops::Range<usize>,
    wanted: &dyn Fn(i64) -> bool,
) -> Result<Vec<OutSample>, SmartError> {
    let mut track = part.as_track(range.clone());
    if range.start > 0 {
        let mut sets = Sets::new();
        take_sets(&mut sets, &part.codec, &part.sets.annex_b());
        for sample in &part.samples[..range.start] {
            take_sets(&mut sets, &part.codec, &sample.data);
        }
        track.parameter_sets = as_parameter_sets(&sets, &part.codec);
    }
    let mut expected: Vec<i64> = track
        .samples
        .iter()
        .map(|s| s.pts)
        .filter(|pts| wanted(*pts))
        .collect();
    expected.sort_unstable();
    let mut edge = Edge {
        part,
        expected: &expected,
        encoder: None,
        last: None,
    };
    let mut failed = None;
    let said = pictures(&track, |picture| {
        let pts = track.samples[picture.sample].pts;
        if !wanted(pts) {
            return Ok(());
        }
        edge.add(pts, &picture).map_err(|error| {
            failed = Some(error);
            DecodeError::Stopped
        })
    });
    if let Some(failed) = failed {
        return Err(failed);
    }
    let said = said?;
    edge.finish(said)
}

/// Pictures of an edge on their way through the encoder.
struct Edge<'a> {
    part: &'a VideoPart,
    /// When each of its pictures is shown.
    expected: &'a [i64],
    encoder: Option<PictureEncoder>,
    last: Option<(gst::Caps, gst::Buffer)>,
}

impl Edge<'_> {
    fn add(&mut self, pts: i64, picture: &Picture<'_>) -> Result<(), SmartError> {
        if self.encoder.is_none() {
            let settings = settings(self.part, picture);
            self.encoder = Some(PictureEncoder::start(&settings)?);
        } else if self
            .last
            .as_ref()
            .is_some_and(|(caps, _)| caps != picture.caps)
        {
            return Err(SmartError::SizeChanges);
        }
        // A picture that the decoder lost is replaced by the one beside it.
        let until = self.expected.partition_point(|expected| *expected <= pts);
        if let Some(encoder) = &mut self.encoder {
            let last = self.last.as_ref().map_or(picture.buffer, |(_, last)| last);
            while encoder.pushed() + 1 < until as u64 {
                encoder.push(last)?;
            }
            encoder.push(picture.buffer)?;
        }
        self.last = Some((picture.caps.clone(), picture.buffer.clone()));
        Ok(())
    }

    fn finish(self, said: Option<String>) -> Result<Vec<OutSample>, SmartError> {
        let (Some(mut encoder), Some((_, last))) = (self.encoder, self.last) else {
            return Err(SmartError::NoPicture(
                said.unwrap_or_else(|| "it gave no reason".to_owned()),
            ));
        };
        while encoder.pushed() < self.expected.len() as u64 {
            encoder.push(&last)?;
        }
        encoder.finish()?;
        let mut out = Vec::with_capacity(self.expected.len());
        while let Some(encoded) = encoder.take() {
            let place = usize::try_from(encoded.place).unwrap_or(usize::MAX);
            let Some(pts) = self.expected.get(place) else {
                continue;
            };
            out.push(OutSample {
                dts: *pts,
                pts: *pts,
                key: encoded.key,
                sync: if encoded.key {
                    SyncKind::Idr
                } else {
                    SyncKind::None
                },
                splice: false,
                data: encoded.data.into(),
            });
        }
        if out.len() != self.expected.len() {
            let message = format!("{} of {} pictures came out", out.len(), self.expected.len());
            return Err(SmartError::Encode(EncodeError::Encoder {
                element: "video encoder".to_owned(),
                message,
            }));
        }
        Ok(out)
    }
}

/// The encoder is to give what the source is: size, sampling, depth, colour and scan.
fn settings(part: &VideoPart, picture: &Picture<'_>) -> PictureSettings {
    let rate = part.frame_rate.map_or((25, 1), |rate| (rate.num, rate.den));
    let whole = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let interlaced = picture.info.interlace_mode() != VideoInterlaceMode::Progressive;
    let mut caps = picture.caps.copy();
    if let Some(structure) = caps.make_mut().structure_mut(0) {
        structure.set(
            "framerate",
            gst::Fraction::new(whole(rate.0), whole(rate.1)),
        );
        if interlaced {
            structure.set("interlace-mode", "interleaved");
        }
        if let Some((h, v)) = part.pixel_aspect {
            structure.set("pixel-aspect-ratio", gst::Fraction::new(whole(h), whole(v)));
        }
    }
    PictureSettings {
        codec: part.codec.clone(),
        caps,
        quality: QUALITY,
        max_kbits: None,
        b_frames: 0,
        group: 0,
        interlaced,
    }
}

impl VideoPart {
    /// Samples of a range as a track that can be decoded.
    pub(crate) fn as_track(&self, range: std::ops::Range<usize>) -> VideoTrack {
        let sample = |sample: &OutSample| Sample {
            pts: sample.pts,
            dts: sample.dts,
            duration: 0,
            sync: sample.sync,
            leading: false,
            reference: true,
            data: sample.data.clone(),
        };
        VideoTrack {
            timecodes: Vec::new(),
            codec: self.codec.clone(),
            timescale: self.timescale,
            samples: self
                .samples
                .get(range)
                .unwrap_or_default()
                .iter()
                .map(sample)
                .collect(),
            parameter_sets: self.sets.clone(),
            width: self.width,
            height: self.height,
            pixel_aspect: self.pixel_aspect,
            frame_rate: self.frame_rate,
            profile: None,
            level: None,
            open_gop: self.open_start,
            b_pyramid: false,
            mmco: false,
            random_access_points: Vec::new(),
        }
    }
}
