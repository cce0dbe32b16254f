//! `audio_events`: what is heard, from the spectrum of each 20 ms: a crowd, speech, a hit such as that of a
//! racket, or nothing. The samples at both ends of a chunk go along in its signature, so that a piece cut
//! by a chunk border is put together exactly.

use std::collections::VecDeque;
use std::sync::Arc;

use matchcut_model::frame::AudioBlock;
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::first_from;
use super::spectrum::{BANDS, Bands, Spectrum};
use crate::sdk::{
    AttributeKind, AttributeSpec, AudioScan, AudioScanner, ChunkContext, Description, EdgeKind,
    Emission, Fold, FoldBox, InputRule, Operator, OperatorType, OptionError, Options, Step,
    options_of, parse_options, text_duration,
};
use crate::wire::{Reader, Writer};

/// The grid of spectra, anchored at event time 0.
const PIECE: MediaTime = MediaTime::from_millis(20);

/// So many of them are judged together: 400 ms.
const WINDOW: usize = 20;

/// A hit is compared with so many pieces before it, and has died away after so many.
const BEFORE: usize = 5;
const AFTER: usize = 6;

/// Hits follow each other no faster.
const BETWEEN_HITS: i64 = 10;

/// How long a hit is told to be.
const HIT: MediaTime = MediaTime::from_millis(100);

/// Sound of successive chunks is put together when it is no further apart.
const SEAM: MediaTime = MediaTime::from_millis(1);

/// Options of `audio_events`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct EventsOptions {
    /// What is below this effective level, in decibels of full scale, is `quiet`.
    quiet_db: f64,
    /// From so many decibels of change within 400 ms on (standard deviation) sound may be `speech`.
    speech_modulation_db: f64,
    /// Up to so many decibels of change it may be `crowd`.
    crowd_modulation_db: f64,
    /// A `hit` rises so many decibels above what was before it, above 1.2 kHz.
    hit_rise_db: f64,
    /// Shorter ranges of crowd, speech or quiet are left out.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_duration: MediaTime,
}

impl Default for EventsOptions {
    fn default() -> Self {
        EventsOptions {
            quiet_db: -50.0,
            speech_modulation_db: 4.5,
            crowd_modulation_db: 3.5,
            hit_rise_db: 12.0,
            min_duration: MediaTime::from_seconds(1),
        }
    }
}

/// The operator type `audio_events`.
pub(crate) struct AudioEvents;

impl OperatorType for AudioEvents {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        Description {
            name: "audio_events",
            class: Class::Featurer,
            summary: "Crowd, speech, hits and quiet: a range for each, for each audio track.",
            inputs: vec![InputRule::one(EdgeKind::Audio)],
            attributes: vec![
                attribute(
                    "event",
                    AttributeKind::Text,
                    "crowd (even, broad noise), speech, hit (a short sharp sound), or quiet",
                ),
                attribute(
                    "confidence",
                    AttributeKind::Number,
                    "how clearly it is one, 0 to 1",
                ),
                attribute(
                    "level_db",
                    AttributeKind::Number,
                    "effective level in decibels of full scale",
                ),
            ],
            options: options_of::<EventsOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: EventsOptions = parse_options(options)?;
        let mut errors = Vec::new();
        let mut inside = |name: &str, value: f64, least: f64, most: f64| {
            if !(least..=most).contains(&value) {
                errors.push(OptionError::new(
                    name,
                    format!("not between {least} and {most} dB"),
                ));
            }
        };
        inside("quiet_db", options.quiet_db, -100.0, 0.0);
        inside(
            "speech_modulation_db",
            options.speech_modulation_db,
            0.0,
            40.0,
        );
        inside(
            "crowd_modulation_db",
            options.crowd_modulation_db,
            0.0,
            40.0,
        );
        inside("hit_rise_db", options.hit_rise_db, 1.0, 60.0);
        if options.crowd_modulation_db > options.speech_modulation_db {
            errors.push(OptionError::new(
                "crowd_modulation_db",
                "more than `speech_modulation_db`: a crowd sounds evener than speech",
            ));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Operator::Audio {
            scanner: Arc::new(EventsScanner),
            fold: FoldBox::new(EventsFold { options }),
        })
    }
}

struct EventsScanner;

impl AudioScanner for EventsScanner {
    fn start(&self, _chunk: &ChunkContext) -> Box<dyn AudioScan> {
        Box::new(EventsScan::default())
    }
}

/// Samples of one piece, as whole numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Piece {
    index: i64,
    samples: Vec<i16>,
}

/// Sound without a hole, inside one chunk: the spectra of its whole pieces, and the samples of its first
/// and last piece, which may be parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Run {
    start: MediaTime,
    end: MediaTime,
    sample_rate: u32,
    head: Piece,
    /// Spectra of the pieces from the one after `head` on.
    inner: Vec<Bands>,
    /// `None` when the head is all there is.
    tail: Option<Piece>,
}

#[derive(Default)]
struct EventsScan {
    runs: Vec<Run>,
    spectrum: Option<Spectrum>,
}

impl AudioScan for EventsScan {
    fn block(&mut self, block: &AudioBlock<'_>) -> Result<(), String> {
        if block.sample_rate == 0 || block.channels == 0 {
            return Err("samples without rate or channels".to_owned());
        }
        let frames = block.frames();
        if frames == 0 {
            return Ok(());
        }
        let goes_on = self
            .runs
            .last()
            .is_some_and(|run| run.sample_rate == block.sample_rate && close(run.end, block.time));
        if !goes_on {
            self.runs.push(Run {
                start: block.time,
                sample_rate: block.sample_rate,
                head: Piece {
                    index: index(block.time),
                    samples: Vec::new(),
                },
                ..Run::default()
            });
        }
        let Some(run) = self.runs.last_mut() else {
            return Ok(());
        };
        let channels = block.channels as usize;
        let mut at = 0;
        while at < frames {
            let index = index(block.time_of(at));
            let until = first_from(block, PIECE.times(index + 1)).clamp(at + 1, frames);
            let samples = block.samples[at * channels..until * channels].chunks_exact(channels);
            let samples = samples.map(|frame| whole(frame.iter().sum::<f32>() / channels as f32));
            let piece = match &mut run.tail {
                None if index <= run.head.index => &mut run.head,
                tail => {
                    // The piece before this one is whole: its spectrum says enough.
                    if let Some(done) = tail.take_if(|tail| tail.index < index) {
                        let spectrum = self.spectrum.get_or_insert_with(Spectrum::new);
                        run.inner
                            .push(spectrum.bands(&done.samples, run.sample_rate));
                    }
                    tail.get_or_insert_with(|| Piece {
                        index,
                        samples: Vec::new(),
                    })
                }
            };
            piece.samples.extend(samples);
            at = until;
        }
        run.end = block.time_of(frames);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        let mut writer = Writer::default();
        for run in &self.runs {
            writer.i64(run.start.flicks());
            writer.i64(run.end.flicks());
            writer.u32(run.sample_rate);
            write_piece(&mut writer, &run.head);
            writer.u32(run.inner.len() as u32);
            for value in run.inner.iter().flatten() {
                writer.u16(*value as u16);
            }
            writer.u16(u16::from(run.tail.is_some()));
            if let Some(tail) = &run.tail {
                write_piece(&mut writer, tail);
            }
        }
        Ok(writer.0)
    }
}

fn close(one: MediaTime, other: MediaTime) -> bool {
    (one - other).max(other - one) <= SEAM
}

fn index(time: MediaTime) -> i64 {
    time.flicks().div_euclid(PIECE.flicks())
}

/// Casts saturate, and a broken sample (NaN) becomes 0.
fn whole(sample: f32) -> i16 {
    (sample * 32_767.0).round() as i16
}

fn write_piece(writer: &mut Writer, piece: &Piece) {
    writer.i64(piece.index);
    writer.u32(piece.samples.len() as u32);
    for sample in &piece.samples {
        writer.u16(*sample as u16);
    }
}

fn read_piece(reader: &mut Reader<'_>) -> Option<Piece> {
    let index = reader.i64()?;
    let length = reader.u32()? as usize;
    let bytes = reader.bytes(length.checked_mul(2)?)?;
    let samples = bytes
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    Some(Piece {
        index,
        samples: samples.collect(),
    })
}

fn read(signature: &[u8]) -> Option<Vec<Run>> {
    let mut reader = Reader(signature);
    let mut runs = Vec::new();
    while !reader.is_empty() {
        let mut run = Run {
            start: MediaTime::from_flicks(reader.i64()?),
            end: MediaTime::from_flicks(reader.i64()?),
            sample_rate: reader.u32()?,
            head: read_piece(&mut reader)?,
            ..Run::default()
        };
        for _ in 0..reader.u32()? {
            let mut bands = Bands::default();
            for value in &mut bands {
                *value = reader.u16()? as i16;
            }
            run.inner.push(bands);
        }
        if reader.u16()? != 0 {
            run.tail = Some(read_piece(&mut reader)?);
        }
        runs.push(run);
    }
    Some(runs)
}

/// What a window sounds like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sound {
    Quiet,
    Crowd,
    Speech,
    Other,
}

impl Sound {
    fn name(self) -> Option<&'static str> {
        match self {
            Sound::Quiet => Some("quiet"),
            Sound::Crowd => Some("crowd"),
            Sound::Speech => Some("speech"),
            Sound::Other => None,
        }
    }
}

/// A judged window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// Its number on the grid.
    index: i64,
    sound: Sound,
    /// How clearly, in hundredths.
    confidence: i64,
    /// Level in tenths of a decibel.
    level: i64,
}

/// Windows of one sound in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    first: i64,
    last: i64,
    sound: Sound,
    confidence: i64,
    level: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct EventsState {
    /// Where the sound heard so far ends, and its rate.
    end: Option<(MediaTime, u32)>,
    /// The last piece, which the next chunk may go on with.
    part: Option<Piece>,
    /// Number of the last spectrum, and the last ones.
    index: i64,
    spectra: VecDeque<Bands>,
    last_hit: Option<i64>,
    /// Hits that wait for their window to be judged: number of the piece, rise and level in tenths.
    hits: VecDeque<(i64, i64, i64)>,
    /// The last windows: before, and the one that is judged next.
    windows: VecDeque<Window>,
    open: Option<Open>,
}

struct EventsFold {
    options: EventsOptions,
}

impl Fold for EventsFold {
    type State = EventsState;

    fn step(&self, step: &Step<'_>, state: &mut EventsState, emit: &mut Vec<Emission>) {
        let mut spectrum = None;
        for run in step.signature.and_then(read).unwrap_or_default() {
            let mut bands = |piece: &Piece| {
                let spectrum = spectrum.get_or_insert_with(Spectrum::new);
                spectrum.bands(&piece.samples, run.sample_rate)
            };
            let joins = state
                .end
                .is_some_and(|(end, rate)| rate == run.sample_rate && close(end, run.start));
            let mut head = run.head.clone();
            match state.part.take() {
                Some(mut part) if joins && part.index == head.index => {
                    part.samples.append(&mut head.samples);
                    head = part;
                }
                Some(part) if joins => self.hear(part.index, bands(&part), state, emit),
                Some(part) => {
                    self.last(part, state, emit);
                    self.hole(state, emit);
                }
                None => {}
            }
            state.end = Some((run.end, run.sample_rate));
            let Some(tail) = run.tail else {
                state.part = Some(head);
                continue;
            };
            let first = head.index;
            if is_whole(&head, run.sample_rate) {
                self.hear(first, bands(&head), state, emit);
            }
            for (index, bands) in (first + 1..).zip(&run.inner) {
                self.hear(index, *bands, state, emit);
            }
            state.part = Some(tail);
        }
        if step.end_of_event {
            if let Some(part) = state.part.take() {
                self.last(part, state, emit);
            }
            self.hole(state, emit);
        }
    }

    fn tail(&self, state: &EventsState, emit: &mut Vec<Emission>) {
        self.close(state.open, emit);
    }
}

/// Whether nearly all of a piece was heard.
fn is_whole(piece: &Piece, sample_rate: u32) -> bool {
    piece.samples.len() * 1000 >= sample_rate as usize * 18
}

/// Power of a level in tenths of a decibel.
fn power(level: i16) -> f64 {
    10f64.powf(f64::from(level) / 100.0)
}

/// Level in tenths of a decibel of a power.
fn level(power: f64) -> i64 {
    (100.0 * power.max(1e-12).log10()).round() as i64
}

impl EventsFold {
    /// The next spectrum.
    fn hear(&self, index: i64, bands: Bands, state: &mut EventsState, emit: &mut Vec<Emission>) {
        if !state.spectra.is_empty() && index != state.index + 1 {
            if index <= state.index {
                // Timestamps that go back: what is heard already stays.
                return;
            }
            self.hole(state, emit);
        }
        state.index = index;
        state.spectra.push_back(bands);
        while state.spectra.len() > WINDOW + BEFORE + AFTER {
            state.spectra.pop_front();
        }
        self.strike(state);
        if (index + 1).rem_euclid(WINDOW as i64) == 0 {
            self.judge(state, emit);
        }
    }

    /// The last piece before a hole.
    fn last(&self, part: Piece, state: &mut EventsState, emit: &mut Vec<Emission>) {
        if let Some((_, rate)) = state.end.filter(|(_, rate)| is_whole(&part, *rate)) {
            let bands = Spectrum::new().bands(&part.samples, rate);
            self.hear(part.index, bands, state, emit);
        }
    }

    /// Nothing is heard for a while, or ever again: what is open ends.
    fn hole(&self, state: &mut EventsState, emit: &mut Vec<Emission>) {
        if let Some(window) = state.windows.back().copied() {
            self.decide(window, None, state, emit);
        }
        state.windows.clear();
        self.close(state.open.take(), emit);
        state.hits.clear();
        state.spectra.clear();
        state.part = None;
    }

    /// Whether a hit lies so far back that it is known how it went on.
    fn strike(&self, state: &mut EventsState) {
        let Some(at) = state
            .spectra
            .len()
            .checked_sub(AFTER + 1)
            .filter(|at| *at >= BEFORE)
        else {
            return;
        };
        let high = |bands: &Bands| {
            bands[3..]
                .iter()
                .map(|value| i64::from(*value))
                .sum::<i64>()
                / (BANDS as i64 - 3)
        };
        let values: Vec<i64> = state.spectra.iter().map(high).collect();
        let peak = values[at];
        let before = values[at - BEFORE..at]
            .iter()
            .max()
            .copied()
            .unwrap_or(peak);
        let mean = values[at - BEFORE..at].iter().sum::<i64>() / BEFORE as i64;
        let after = values[at + 3..].iter().sum::<i64>() / (AFTER as i64 - 2);
        let rise = peak - mean;
        let index = state.index - AFTER as i64;
        let apart = state
            .last_hit
            .is_none_or(|last| index - last >= BETWEEN_HITS);
        let needed = (self.options.hit_rise_db * 10.0) as i64;
        let loud = f64::from(peak as i32) / 10.0 > self.options.quiet_db - 15.0;
        // It stands out of what was before, and has fallen by half of its rise soon after.
        if rise >= needed
            && peak - before >= needed / 2
            && 2 * (peak - after) >= rise
            && loud
            && apart
        {
            let all: f64 = state.spectra[at].iter().map(|value| power(*value)).sum();
            state.last_hit = Some(index);
            state.hits.push_back((index, rise, level(all)));
        }
    }

    /// A window is complete: what does it sound like?
    fn judge(&self, state: &mut EventsState, emit: &mut Vec<Emission>) {
        let index = state.index.div_euclid(WINDOW as i64);
        let Some(first) = state.spectra.len().checked_sub(WINDOW) else {
            return;
        };
        let mut sums = [0.0; BANDS];
        let mut levels = Vec::with_capacity(WINDOW);
        for bands in state.spectra.range(first..) {
            let mut all = 0.0;
            for (sum, value) in sums.iter_mut().zip(bands) {
                let power = power(*value);
                *sum += power;
                all += power;
            }
            levels.push((10.0 * f64::max(all, 1e-9).log10()).max(-80.0));
        }
        let total: f64 = sums.iter().sum();
        let level = level(total / WINDOW as f64);
        let mean = levels.iter().sum::<f64>() / WINDOW as f64;
        let squares: f64 = levels
            .iter()
            .map(|level| (level - mean) * (level - mean))
            .sum();
        let modulation = (squares / WINDOW as f64).sqrt();
        let share =
            |bands: std::ops::Range<usize>| sums[bands].iter().sum::<f64>() / total.max(1e-12);
        let (voice, upper) = (share(0..5), share(3..BANDS));
        let options = &self.options;
        let decibels = level as f64 / 10.0;
        let (sound, clear) = if decibels < options.quiet_db {
            (Sound::Quiet, (options.quiet_db - decibels) / 20.0 + 0.5)
        } else if modulation <= options.crowd_modulation_db && upper >= 0.05 {
            let even = 1.0 - modulation / (2.0 * options.crowd_modulation_db.max(0.1));
            (Sound::Crowd, even * (0.5 + (upper * 2.0).min(0.5)))
        } else if modulation >= options.speech_modulation_db && voice >= 0.7 {
            let changing = modulation / (2.0 * options.speech_modulation_db.max(0.1));
            (Sound::Speech, changing.min(1.0) * voice)
        } else {
            (Sound::Other, 0.0)
        };
        let confidence = (clear.clamp(0.0, 1.0) * 100.0).round() as i64;
        let window = Window {
            index,
            sound,
            confidence,
            level,
        };
        if let Some(before) = state.windows.back().copied() {
            self.decide(before, Some(window), state, emit);
        }
        state.windows.push_back(window);
        while state.windows.len() > 2 {
            state.windows.pop_front();
        }
    }

    /// What a window counts as, seen with those beside it: one between two of another sound is of theirs.
    fn decide(
        &self,
        window: Window,
        next: Option<Window>,
        state: &mut EventsState,
        emit: &mut Vec<Emission>,
    ) {
        let before = state.open.filter(|open| open.last + 1 == window.index);
        let mut sound = window.sound;
        if let (Some(before), Some(next)) = (before, next)
            && before.sound == next.sound
            && sound != before.sound
        {
            sound = before.sound;
        }
        let end = (window.index + 1) * WINDOW as i64;
        while let Some((index, rise, level)) = state.hits.front().copied().filter(|hit| hit.0 < end)
        {
            state.hits.pop_front();
            // The consonants of speech are sharp, too.
            if sound != Sound::Speech {
                let confidence = (rise as f64 / (20.0 * self.options.hit_rise_db)).min(1.0);
                let start = PIECE.times(index).max(MediaTime::ZERO);
                emit.push(event("hit", start, start + HIT, confidence, level));
            }
        }
        match &mut state.open {
            Some(open) if before.is_some() && open.sound == sound => {
                open.last = window.index;
                open.confidence += if window.sound == sound {
                    window.confidence
                } else {
                    0
                };
                open.level += window.level;
            }
            open => {
                let done = open.replace(Open {
                    first: window.index,
                    last: window.index,
                    sound,
                    confidence: if window.sound == sound {
                        window.confidence
                    } else {
                        0
                    },
                    level: window.level,
                });
                self.close(done, emit);
            }
        }
    }

    fn close(&self, open: Option<Open>, emit: &mut Vec<Emission>) {
        let Some(open) = open else { return };
        let Some(name) = open.sound.name() else {
            return;
        };
        let window = PIECE.times(WINDOW as i64);
        let start = window.times(open.first).max(MediaTime::ZERO);
        let end = window.times(open.last + 1);
        if end - start >= self.options.min_duration && start < end {
            let count = open.last - open.first + 1;
            let confidence = open.confidence as f64 / 100.0 / count as f64;
            emit.push(event(name, start, end, confidence, open.level / count));
        }
    }
}

fn event(name: &str, start: MediaTime, end: MediaTime, confidence: f64, level: i64) -> Emission {
    let attributes = Attributes::from([
        ("event".into(), Value::from(name)),
        ("confidence".into(), Value::rounded(confidence, 2)),
        ("level_db".into(), Value::rounded(level as f64 / 10.0, 1)),
    ]);
    Emission::Observation {
        start,
        end,
        attributes,
    }
}
