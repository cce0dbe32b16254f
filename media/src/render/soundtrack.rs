//! The sound of the result: every clip has exactly the samples of its frames, counted on the
//! result's own clock, so that nothing drifts however many clips there are.

use std::ops::ControlFlow;

use gstreamer_audio::{AudioBufferRef, AudioInfo};
use matchcut_model::time::{MediaTime, TimeRange};

use super::film::Format;
use super::loudness::{Measured, Meter};
use super::mixing::to_stereo;
use super::plan::Loudness;
use super::resample::Resampler;
use super::{Element, Fades, Progress, RenderError, Source};
use crate::audio::{UnsupportedSamples, interleave};
use crate::cut::{AudioPart, Cut, RenderedSound};
use crate::decode::run::{self, Setup, Unit};
use crate::decode::{Deadline, DecodeError, codec};
use crate::encode::{PRIMING, SoundEncoder};
use crate::samples::{AudioTrack, Codec, Sample, SyncKind};

/// Samples a second of the result.
pub(super) const RATE: u32 = 48_000;
/// Channels of the result.
pub(super) const CHANNELS: u32 = 2;
const WIDTH: usize = CHANNELS as usize;
const TIME_LIMIT: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

type Out<'a> = &'a mut dyn FnMut(&[f32]) -> Result<(), RenderError>;

/// How many audio tracks a cut gives.
fn slots(cut: &Cut) -> usize {
    let sounds = cut.parts.iter().flat_map(|part| &part.audio);
    sounds.map(|sound| sound.slot + 1).max().unwrap_or(0)
}

/// Measures every audio track of the result.
pub(super) fn measure(
    source: &mut Source<'_>,
    wanted: Loudness,
    watch: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Vec<Option<Measured>>, RenderError> {
    let format = Format::of(source)?;
    let mut meters: Vec<Meter> = Vec::new();
    let mut at = MediaTime::ZERO;
    let (mut first, mut clip) = (0, 0);
    for element in source.elements.clone() {
        let cut = source.cut(element)?;
        at += source.duration(cut.as_ref());
        let end = format.frame(at).max(first);
        let span = TimeRange::new(format.rate.time_of(first), format.rate.time_of(end));
        first = end;
        if let Element::Clip(index) = element {
            clip = index;
        }
        let Some(cut) = cut else { continue };
        let any = element == Element::Transition;
        while !any && meters.len() < slots(&cut) {
            meters.push(Meter::new()?);
        }
        for (slot, meter) in meters.iter_mut().enumerate() {
            let of = if any { 0 } else { slot };
            let fades = source.fades(element);
            element_sound(Some(&cut), of, span, fades, &mut |samples| {
                meter.add(samples)
            })?;
        }
        let progress = Progress {
            clip,
            clips: source.pieces.count(),
            frames: 0,
        };
        if watch(progress).is_break() {
            return Err(RenderError::Cancelled);
        }
    }
    meters
        .iter()
        .map(|meter| meter.finish(wanted).map(Some))
        .collect()
}

/// The audio tracks of the result on their way through the encoder.
pub(super) struct Soundtracks<'a> {
    bitrate: u32,
    gains: &'a [Option<Measured>],
    tracks: Vec<(SoundEncoder, Option<String>)>,
    /// Samples so far.
    length: i64,
}

impl<'a> Soundtracks<'a> {
    pub(super) fn new(bitrate: u32, gains: &'a [Option<Measured>]) -> Self {
        Soundtracks {
            bitrate,
            gains,
            tracks: Vec::new(),
            length: 0,
        }
    }

    /// Adds what is heard in `span` of the result. With `any`, every track gets the first of `cut`.
    pub(super) fn add(
        &mut self,
        cut: Option<&Cut>,
        any: bool,
        span: TimeRange,
        fades: Fades,
    ) -> Result<(), RenderError> {
        while let Some(cut) = cut.filter(|cut| !any && self.tracks.len() < slots(cut)) {
            let slot = self.tracks.len();
            let mut sounds = cut.parts.iter().flat_map(|part| &part.audio);
            let language = sounds
                .find(|sound| sound.slot == slot)
                .and_then(|sound| sound.language.clone());
            let mut encoder = SoundEncoder::start(RATE, CHANNELS, self.bitrate)?;
            silence(self.length, &mut |samples| Ok(encoder.push(samples)?))?;
            self.tracks.push((encoder, language));
        }
        for (slot, (encoder, _)) in self.tracks.iter_mut().enumerate() {
            let gain = self.gains.get(slot).copied().flatten();
            let factor = gain.map_or(1.0, |measured| 10f64.powf(measured.gain / 20.0)) as f32;
            let of = if any { 0 } else { slot };
            let mut louder = Vec::new();
            element_sound(cut, of, span, fades, &mut |samples| {
                louder.clear();
                louder.extend(samples.iter().map(|sample| sample * factor));
                Ok(encoder.push(&louder)?)
            })?;
        }
        self.length = span.end.to_ticks(RATE);
        Ok(())
    }

    /// All tracks, each as long as the pictures.
    pub(super) fn finish(self, duration: MediaTime) -> Result<Vec<RenderedSound>, RenderError> {
        let length = duration.to_ticks(RATE);
        let mut out = Vec::new();
        for (mut encoder, language) in self.tracks {
            let missing = length - i64::try_from(encoder.pushed()).unwrap_or(length);
            silence(missing, &mut |samples| Ok(encoder.push(samples)?))?;
            let (config, frames) = encoder.finish()?;
            out.push(RenderedSound {
                rate: RATE,
                channels: CHANNELS,
                language,
                config,
                frames,
                priming: PRIMING,
                length,
            });
        }
        Ok(out)
    }
}

fn silence(mut samples: i64, out: Out<'_>) -> Result<(), RenderError> {
    let zeros = [0.0; 1024 * WIDTH];
    while samples > 0 {
        let now = usize::try_from(samples).unwrap_or(1024).min(1024);
        out(&zeros[..now * WIDTH])?;
        samples -= now as i64;
    }
    Ok(())
}

/// Hands on the sound of an element: as many samples as `span` has on the clock of the result.
fn element_sound(
    cut: Option<&Cut>,
    slot: usize,
    span: TimeRange,
    fades: Fades,
    out: Out<'_>,
) -> Result<(), RenderError> {
    let begin = span.start.to_ticks(RATE);
    let length = span.end.to_ticks(RATE) - begin;
    let mut writer = Writer {
        out,
        at: 0,
        length,
        into: fades.into.to_ticks(RATE),
        fade_out: fades.out.to_ticks(RATE),
        faded: Vec::new(),
    };
    let mut at = MediaTime::ZERO;
    for part in cut.map(|cut| cut.parts.as_slice()).unwrap_or_default() {
        for sound in part.audio.iter().filter(|sound| sound.slot == slot) {
            let start = at + sound.delay;
            let end = (start + sound.duration).to_ticks(RATE);
            writer.silence_until(start.to_ticks(RATE))?;
            play(sound, &mut |samples| writer.write(samples, end))?;
            // What a decoder keeps back at the end.
            writer.silence_until(end)?;
        }
        at += part.duration;
    }
    writer.silence_until(length)
}

/// Counts what is written, and fades it.
struct Writer<'a> {
    out: Out<'a>,
    at: i64,
    length: i64,
    into: i64,
    fade_out: i64,
    faded: Vec<f32>,
}

impl Writer<'_> {
    fn silence_until(&mut self, until: i64) -> Result<(), RenderError> {
        let missing = until.min(self.length) - self.at;
        if missing > 0 {
            silence(missing, self.out)?;
            self.at += missing;
        }
        Ok(())
    }

    fn write(&mut self, samples: &[f32], until: i64) -> Result<(), RenderError> {
        let room = usize::try_from(until.min(self.length) - self.at).unwrap_or(0);
        let count = (samples.len() / WIDTH).min(room);
        let samples = &samples[..count * WIDTH];
        self.faded.clear();
        for (index, frame) in (self.at..).zip(samples.chunks_exact(WIDTH)) {
            let gain = self.gain(index);
            self.faded.extend(frame.iter().map(|sample| sample * gain));
        }
        self.at += count as i64;
        (self.out)(&self.faded)
    }

    fn gain(&self, index: i64) -> f32 {
        let left = self.length - 1 - index;
        let share = |at: i64, all: i64| (at + 1) as f32 / (all + 1) as f32;
        if index < self.into {
            share(index, self.into)
        } else if left < self.fade_out {
            share(left, self.fade_out)
        } else {
            1.0
        }
    }
}

/// Decodes the sound of a part from its first heard sample on, with two channels at the rate of the
/// result. More may come than is heard.
fn play(sound: &AudioPart, out: Out<'_>) -> Result<(), RenderError> {
    let track = as_track(sound);
    let units: Vec<Unit<'_>> = track
        .samples
        .iter()
        .map(|sample| Unit {
            sample,
            prefix: Vec::new(),
        })
        .collect();
    let (_, element) = codec::choose_audio(&track)?;
    let setup = Setup {
        element,
        caps: codec::audio_caps(&track),
        threads: 1,
        max_errors: -1,
    };
    let mut player = Player {
        track: &track,
        media_time: sound.media_time,
        resampler: None,
        place: None,
        at: 0,
        decoded: Vec::new(),
        stereo: Vec::new(),
    };
    let mut failed = None;
    let deadline = Deadline::after(TIME_LIMIT);
    let run = run::run(&setup, &units, deadline, |output| {
        player.take(&output, out).map_err(|error| {
            failed = Some(error);
            DecodeError::Stopped
        })
    });
    if let Some(failed) = failed {
        return Err(failed);
    }
    run?;
    match &mut player.resampler {
        Some((_, resampler)) => resampler.finish(out),
        None => Ok(()),
    }
}

/// Puts decoded blocks where they belong.
struct Player<'a> {
    track: &'a AudioTrack,
    /// Samples of the source before the first that is heard.
    media_time: i64,
    resampler: Option<(u32, Resampler)>,
    /// The unit of the last block, and how many samples of it came.
    place: Option<(usize, i64)>,
    /// Samples handed to the resampler, at the decoder's rate.
    at: i64,
    decoded: Vec<f32>,
    stereo: Vec<f32>,
}

impl Player<'_> {
    fn take(&mut self, output: &run::Decoded, out: Out<'_>) -> Result<(), RenderError> {
        let info = AudioInfo::from_caps(&output.caps)
            .map_err(|_| DecodeError::from(UnsupportedSamples(output.caps.to_string())))?;
        let buffer =
            AudioBufferRef::from_buffer_ref_readable(&output.buffer, &info).map_err(|error| {
                let text = format!("{} ({error})", info.format());
                DecodeError::from(UnsupportedSamples(text))
            })?;
        let rate = info.rate().max(1);
        let count = i64::try_from(buffer.n_samples()).unwrap_or(0);
        let (unit, before) = match (output.unit, self.place) {
            (Some(unit), Some((last, before))) if unit == last => (unit, before),
            (Some(unit), _) => (unit, 0),
            (None, Some(place)) => place,
            (None, None) => (0, 0),
        };
        self.place = Some((unit, before + count));
        let Some(sample) = self.track.samples.get(unit) else {
            return Ok(());
        };
        interleave(&buffer, &mut self.decoded).map_err(DecodeError::from)?;
        to_stereo(&self.decoded, info.channels() as usize, &mut self.stereo);
        // Where it begins, on the decoder's clock from the first heard sample.
        let since = MediaTime::from_ticks(sample.pts - self.media_time, self.track.sample_rate);
        let begin = since.to_ticks(rate) + before;
        if self
            .resampler
            .as_ref()
            .is_none_or(|(known, _)| *known != rate)
        {
            self.resampler = Some((rate, Resampler::new(rate)?));
        }
        let Some((_, resampler)) = &mut self.resampler else {
            return Ok(());
        };
        // Less than this is rounding; more is sound that is missing.
        let slack = i64::from(rate) / 200;
        if begin > self.at + slack {
            let missing = begin - self.at;
            silence(missing, &mut |zeros| resampler.push(zeros, out))?;
            self.at = begin;
        }
        let skip = if begin < 0 || self.at - begin > slack {
            (self.at - begin).clamp(0, count)
        } else {
            0
        };
        let heard = &self.stereo[usize::try_from(skip).unwrap_or(0) * WIDTH..];
        self.at += count - skip;
        resampler.push(heard, out)
    }
}

fn as_track(sound: &AudioPart) -> AudioTrack {
    let mut at = 0;
    let samples = sound.samples.iter().map(|(duration, data)| {
        let pts = at;
        at += i64::from(*duration);
        Sample {
            pts,
            dts: pts,
            duration: i64::from(*duration),
            sync: SyncKind::Idr,
            leading: false,
            reference: true,
            data: data.clone(),
        }
    });
    let samples: Vec<Sample> = samples.collect();
    let usual = sound.samples.first().map_or(0, |(duration, _)| *duration);
    AudioTrack {
        id: None,
        number: sound.number,
        codec: sound.codec.clone(),
        timescale: sound.sample_rate,
        sample_rate: sound.sample_rate,
        channels: sound.channels,
        frame_samples: if sound.codec == Codec::Aac {
            1024
        } else {
            usual
        },
        language: sound.language.clone(),
        config: sound.config.clone(),
        samples,
    }
}
