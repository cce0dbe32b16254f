//! `audio_loudness`: momentary and short-term loudness after EBU R 128, for each second and audio track.
//! Weighted energies of 100 ms are put together over chunk borders as if there were none.

use std::collections::VecDeque;
use std::sync::Arc;

use matchcut_model::frame::AudioBlock;
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kweight::{Echo, KWeighting, PRODUCTS, STATES};
use super::levels::first_from;
use crate::sdk::{
    AttributeKind, AttributeSpec, AudioScan, AudioScanner, ChunkContext, Description, EdgeKind,
    Emission, Fold, FoldBox, InputRule, Operator, OperatorType, OptionError, Options, Step,
    options_of, parse_options,
};
use crate::wire::{Reader, Writer};

/// The grid of energies, anchored at event time 0.
const BLOCK: MediaTime = MediaTime::from_millis(100);

/// Blocks of the momentary and of the short-term window, and of a second.
const MOMENTARY: usize = 4;
const SHORT_TERM: usize = 30;
const SECOND: i64 = 10;

/// Digital silence, in LUFS.
const FLOOR: f64 = -120.0;

/// Chunks follow each other without a hole when their sound is no further apart.
const SEAM: MediaTime = MediaTime::from_millis(1);

/// Options of `audio_loudness`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LoudnessOptions {
    /// Seconds whose short-term loudness is at least this many LUFS are `loud`.
    loud: f64,
}

impl Default for LoudnessOptions {
    fn default() -> Self {
        LoudnessOptions { loud: -16.0 }
    }
}

/// The operator type `audio_loudness`.
pub(crate) struct AudioLoudness;

impl OperatorType for AudioLoudness {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        Description {
            name: "audio_loudness",
            class: Class::Featurer,
            summary: "Loudness after EBU R 128: a range for each second of each audio track.",
            inputs: vec![InputRule::one(EdgeKind::Audio)],
            attributes: vec![
                attribute(
                    "momentary",
                    AttributeKind::Number,
                    "the highest momentary loudness (over 400 ms) of the second, in LUFS",
                ),
                attribute(
                    "short_term",
                    AttributeKind::Number,
                    "loudness of the 3 seconds that end with this one, in LUFS; from the third \
                     second without a hole on",
                ),
                attribute(
                    "loud",
                    AttributeKind::Boolean,
                    "whether it is at least as loud as the option says",
                ),
            ],
            options: options_of::<LoudnessOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: LoudnessOptions = parse_options(options)?;
        if !(-70.0..=0.0).contains(&options.loud) {
            return Err(vec![OptionError::new("loud", "not between -70 and 0 LUFS")]);
        }
        Ok(Operator::Audio {
            scanner: Arc::new(LoudnessScanner),
            fold: FoldBox::new(LoudnessFold { options }),
        })
    }
}

struct LoudnessScanner;

impl AudioScanner for LoudnessScanner {
    fn start(&self, _chunk: &ChunkContext) -> Box<dyn AudioScan> {
        Box::new(LoudnessScan { runs: Vec::new() })
    }
}

/// How much each channel counts, in the usual order of channels: those at the sides more, the
/// low-frequency one not at all.
fn weights(channels: usize) -> Vec<f64> {
    const SIDE: f64 = 1.41;
    match channels {
        4 => vec![1.0, 1.0, SIDE, SIDE],
        5 => vec![1.0, 1.0, 1.0, SIDE, SIDE],
        6 => vec![1.0, 1.0, 1.0, 0.0, SIDE, SIDE],
        8 => vec![1.0, 1.0, 1.0, 0.0, 1.0, 1.0, SIDE, SIDE],
        _ => vec![1.0; channels],
    }
}

/// Energy of a part of a block.
#[derive(Clone, Debug, Default)]
struct Part {
    index: i64,
    samples: u32,
    /// Sum of the weighted squares, as after silence.
    energy: f64,
    /// What the state at the start adds: for each channel with its states alone, and of all with
    /// their products. Empty where nothing is left of it.
    cross: Vec<[f64; STATES]>,
    products: [f64; PRODUCTS],
}

/// Sound without a hole, inside one chunk.
struct Run {
    start: MediaTime,
    end: MediaTime,
    sample_rate: u32,
    weights: Vec<f64>,
    filter: KWeighting,
    states: Vec<[f64; STATES]>,
    echo: Echo,
    parts: Vec<Part>,
}

struct LoudnessScan {
    runs: Vec<Run>,
}

impl AudioScan for LoudnessScan {
    fn block(&mut self, block: &AudioBlock<'_>) -> Result<(), String> {
        if block.sample_rate == 0 || block.channels == 0 || block.channels > 64 {
            return Err("samples without rate or channels".to_owned());
        }
        let channels = block.channels as usize;
        let goes_on = self.runs.last().is_some_and(|run| {
            run.sample_rate == block.sample_rate
                && run.weights.len() == channels
                && close(run.end, block.time)
        });
        if !goes_on {
            self.runs.push(Run {
                start: block.time,
                end: block.time,
                sample_rate: block.sample_rate,
                weights: weights(channels),
                filter: KWeighting::new(block.sample_rate),
                states: vec![[0.0; STATES]; channels],
                echo: Echo::new(block.sample_rate),
                parts: Vec::new(),
            });
        }
        if let Some(run) = self.runs.last_mut() {
            run.hear(block);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        let mut writer = Writer::default();
        let number = |writer: &mut Writer, value: f64| writer.u64(value.to_bits());
        for run in &self.runs {
            writer.i64(run.start.flicks());
            writer.i64(run.end.flicks());
            writer.u32(run.sample_rate);
            writer.u16(run.weights.len() as u16);
            for value in run.states.iter().flatten() {
                number(&mut writer, *value);
            }
            let echo = run.echo.to_numbers();
            writer.u16(echo.len() as u16);
            for value in echo {
                number(&mut writer, value);
            }
            writer.u32(run.parts.len() as u32);
            for part in &run.parts {
                writer.i64(part.index);
                writer.u32(part.samples);
                number(&mut writer, part.energy);
                writer.u16(part.cross.len() as u16);
                if !part.cross.is_empty() {
                    for value in part.cross.iter().flatten().chain(&part.products) {
                        number(&mut writer, *value);
                    }
                }
            }
        }
        Ok(writer.0)
    }
}

fn close(one: MediaTime, other: MediaTime) -> bool {
    (one - other).max(other - one) <= SEAM
}

impl Run {
    fn hear(&mut self, block: &AudioBlock<'_>) {
        let channels = self.weights.len();
        let frames = block.frames();
        let mut at = 0;
        while at < frames {
            let index = block.time_of(at).flicks().div_euclid(BLOCK.flicks());
            let until = first_from(block, BLOCK.times(index + 1)).clamp(at + 1, frames);
            if self.parts.last().is_none_or(|part| part.index != index) {
                self.parts.push(Part {
                    index,
                    ..Part::default()
                });
            }
            let samples = &block.samples[at * channels..until * channels];
            self.add(samples);
            at = until;
        }
        self.end = block.time_of(frames);
    }

    fn add(&mut self, samples: &[f32]) {
        let channels = self.weights.len();
        let Some(part) = self.parts.last_mut() else {
            return;
        };
        for frame in samples.chunks_exact(channels) {
            let said = self.echo.next(&self.filter);
            if let Some(said) = &said {
                part.cross.resize(channels, [0.0; STATES]);
                let mut product = part.products.iter_mut();
                for (at, one) in said.iter().enumerate() {
                    for (other, sum) in said[at..].iter().zip(&mut product) {
                        *sum += one * other;
                    }
                }
            }
            part.samples += 1;
            for (channel, sample) in frame.iter().enumerate() {
                let sample = if sample.is_finite() {
                    f64::from(*sample)
                } else {
                    0.0
                };
                let value = self.filter.next(&mut self.states[channel], sample);
                part.energy += self.weights[channel] * value * value;
                if let Some(said) = &said {
                    for (sum, said) in part.cross[channel].iter_mut().zip(said) {
                        *sum += value * said;
                    }
                }
            }
        }
    }
}

/// A run as it was written.
struct Heard {
    start: MediaTime,
    end: MediaTime,
    sample_rate: u32,
    states: Vec<[f64; STATES]>,
    echo: Echo,
    parts: Vec<Part>,
}

fn read(signature: &[u8]) -> Option<Vec<Heard>> {
    let mut reader = Reader(signature);
    let mut runs = Vec::new();
    while !reader.is_empty() {
        let start = MediaTime::from_flicks(reader.i64()?);
        let end = MediaTime::from_flicks(reader.i64()?);
        let sample_rate = reader.u32()?;
        let channels = usize::from(reader.u16()?);
        let mut states = Vec::new();
        for _ in 0..channels {
            states.push(four(&mut reader)?);
        }
        let count = reader.u16()?;
        let echo: Option<Vec<f64>> = (0..count).map(|_| number(&mut reader)).collect();
        let echo = Echo::from_numbers(&echo?)?;
        let mut parts = Vec::new();
        for _ in 0..reader.u32()? {
            let mut part = Part {
                index: reader.i64()?,
                samples: reader.u32()?,
                energy: number(&mut reader)?,
                ..Part::default()
            };
            let crossed = usize::from(reader.u16()?);
            if crossed != 0 && crossed != channels {
                return None;
            }
            for _ in 0..crossed {
                part.cross.push(four(&mut reader)?);
            }
            if crossed > 0 {
                for product in &mut part.products {
                    *product = number(&mut reader)?;
                }
            }
            parts.push(part);
        }
        runs.push(Heard {
            start,
            end,
            sample_rate,
            states,
            echo,
            parts,
        });
    }
    Some(runs)
}

fn number(reader: &mut Reader<'_>) -> Option<f64> {
    reader
        .u64()
        .map(f64::from_bits)
        .filter(|value| value.is_finite())
}

fn four(reader: &mut Reader<'_>) -> Option<[f64; STATES]> {
    let mut four = [0.0; STATES];
    for value in &mut four {
        *value = number(reader)?;
    }
    Some(four)
}

/// A number that can be compared for being the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Exact(u64);

impl Exact {
    fn new(value: f64) -> Self {
        Exact(value.to_bits())
    }

    fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

/// A block as far as it was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    index: i64,
    samples: u32,
    sample_rate: u32,
    energy: Exact,
}

impl Block {
    /// Whether nearly all of it was heard.
    fn is_whole(&self) -> bool {
        u64::from(self.samples) * 1000 >= u64::from(self.sample_rate) * 98
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LoudnessState {
    /// Where the sound heard so far ends, its rate, and what the filter remembers of it.
    end: Option<(MediaTime, u32)>,
    filter: Vec<[Exact; STATES]>,
    open: Option<Block>,
    /// The last whole blocks without a hole between them.
    blocks: VecDeque<Block>,
    /// The highest momentary loudness of the second so far, in energy, and how many values it is of.
    highest: Exact,
    values: u32,
}

struct LoudnessFold {
    options: LoudnessOptions,
}

impl Fold for LoudnessFold {
    type State = LoudnessState;

    fn step(&self, step: &Step<'_>, state: &mut LoudnessState, emit: &mut Vec<Emission>) {
        for run in step.signature.and_then(read).unwrap_or_default() {
            self.hear(&run, state, emit);
        }
        if step.end_of_event
            && let Some(block) = state.open.take()
        {
            self.complete(block, state, emit);
        }
    }
}

impl LoudnessFold {
    fn hear(&self, run: &Heard, state: &mut LoudnessState, emit: &mut Vec<Emission>) {
        let joins = state
            .end
            .is_some_and(|(end, rate)| rate == run.sample_rate && close(end, run.start))
            && state.filter.len() == run.states.len();
        let before: Vec<[f64; STATES]> = if joins {
            state
                .filter
                .iter()
                .map(|states| states.map(Exact::get))
                .collect()
        } else {
            vec![[0.0; STATES]; run.states.len()]
        };
        let weights = weights(before.len());
        for part in &run.parts {
            let mut energy = part.energy;
            for ((states, weight), cross) in before.iter().zip(&weights).zip(&part.cross) {
                let with_states: f64 = states.iter().zip(cross).map(|(a, b)| a * b).sum();
                let mut products = part.products.iter();
                let mut of_states = 0.0;
                for (at, one) in states.iter().enumerate() {
                    for (other, product) in states.iter().enumerate().skip(at).zip(&mut products) {
                        let twice = if other.0 == at { 1.0 } else { 2.0 };
                        of_states += twice * one * other.1 * product;
                    }
                }
                energy += weight * (2.0 * with_states + of_states);
            }
            let part = Block {
                index: part.index,
                samples: part.samples,
                sample_rate: run.sample_rate,
                energy: Exact::new(energy.max(0.0)),
            };
            match &mut state.open {
                Some(open) if open.index == part.index => {
                    open.samples = open.samples.saturating_add(part.samples);
                    open.energy = Exact::new(open.energy.get() + energy);
                }
                // Timestamps that go back: what is complete stays as it is.
                Some(open) if open.index > part.index => {}
                open => {
                    if let Some(block) = open.replace(part) {
                        self.complete(block, state, emit);
                    }
                }
            }
        }
        let after = before.iter().zip(&run.states);
        state.filter = after
            .map(|(before, after)| run.echo.carried(before, after).map(Exact::new))
            .collect();
        state.end = Some((run.end, run.sample_rate));
    }

    fn complete(&self, block: Block, state: &mut LoudnessState, emit: &mut Vec<Emission>) {
        let follows = state
            .blocks
            .back()
            .is_none_or(|last| last.index + 1 == block.index);
        if !follows || !block.is_whole() {
            state.blocks.clear();
        }
        if block.index.rem_euclid(SECOND) == 0 {
            (state.highest, state.values) = (Exact::default(), 0);
        }
        if block.is_whole() {
            state.blocks.push_back(block);
            if state.blocks.len() > SHORT_TERM {
                state.blocks.pop_front();
            }
            if let Some(energy) = mean(&state.blocks, MOMENTARY) {
                state.highest = Exact::new(state.highest.get().max(energy));
                state.values += 1;
            }
        }
        let last_of_second = (block.index + 1).rem_euclid(SECOND) == 0;
        if last_of_second && state.values > 0 {
            let mut attributes = Attributes::from([(
                "momentary".into(),
                Value::rounded(loudness(state.highest.get()), 2),
            )]);
            if let Some(energy) = mean(&state.blocks, SHORT_TERM) {
                let short_term = loudness(energy);
                attributes.insert("short_term".into(), Value::rounded(short_term, 2));
                attributes.insert("loud".into(), Value::from(short_term >= self.options.loud));
            }
            let end = BLOCK.times(block.index + 1);
            let start = (end - MediaTime::from_seconds(1)).max(MediaTime::ZERO);
            if start < end {
                emit.push(Emission::Observation {
                    start,
                    end,
                    attributes,
                });
            }
        }
    }
}

/// Mean energy of the last `count` blocks.
fn mean(blocks: &VecDeque<Block>, count: usize) -> Option<f64> {
    let first = blocks.len().checked_sub(count)?;
    let (mut energy, mut samples) = (0.0, 0u64);
    for block in blocks.range(first..) {
        energy += block.energy.get();
        samples += u64::from(block.samples);
    }
    Some(energy / samples.max(1) as f64)
}

/// LUFS of a mean energy.
fn loudness(energy: f64) -> f64 {
    if energy <= 0.0 {
        return FLOOR;
    }
    (-0.691 + 10.0 * energy.log10()).max(FLOOR)
}
