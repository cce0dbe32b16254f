//! The ordered part of `speech`: windows of 512 samples, one after the other, from the first sample of a
//! stretch of sound. Where samples are missing everything begins anew.

use matchcut_model::time::MediaTime;

use super::model::{Memory, Silero, WINDOW};
use super::ranges::{Rules, Speaking, Sum};
use super::resample::time_of;
use super::samples::{self, BRIDGED, Run};
use crate::sdk::{Answer, Caller, Emission, Step};
use crate::wire::{Reader, Writer};

pub(super) struct Listener {
    pub(super) model: Silero,
    pub(super) rules: Rules,
}

/// What is carried from one chunk to the next.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    /// The number of the sample that comes next; `None` before the first.
    next: Option<i64>,
    /// Samples that are not a whole window yet.
    waiting: Vec<i16>,
    memory: Memory,
    speaking: Option<Speaking>,
}

impl Caller for Listener {
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        let mut heard = match state {
            [] => Heard::default(),
            state => Heard::read(state).ok_or("what was heard before cannot be read")?,
        };
        let runs = match step.signature {
            Some(signature) => {
                samples::read(signature).ok_or("the samples of the chunk cannot be read")?
            }
            None => Vec::new(),
        };
        let mut emissions = Vec::new();
        for run in &runs {
            self.run(&mut heard, run, &mut emissions)?;
        }
        let mut tail = Vec::new();
        if step.end_of_event {
            self.end(&mut heard, &mut emissions)?;
        } else {
            let end = heard.next.map(time_of);
            tail.extend(
                heard
                    .speaking
                    .zip(end)
                    .and_then(|(open, end)| self.rules.close(&open, end)),
            );
        }
        Ok(Answer {
            emissions,
            tail,
            state: heard.write(),
        })
    }
}

impl Listener {
    fn run(&self, heard: &mut Heard, run: &Run, emit: &mut Vec<Emission>) -> Result<(), String> {
        let missing = run.first - heard.next.unwrap_or(run.first);
        let mut samples = &run.samples[..];
        if missing > BRIDGED {
            self.end(heard, emit)?;
        } else if missing > 0 {
            heard
                .waiting
                .resize(heard.waiting.len() + missing as usize, 0);
        } else {
            // What was heard already.
            let known = usize::try_from(-missing).unwrap_or_default();
            samples = samples.get(known..).unwrap_or_default();
        }
        if samples.is_empty() {
            return Ok(());
        }
        heard.next = Some(run.first + run.samples.len() as i64);
        let mut waiting = std::mem::take(&mut heard.waiting);
        waiting.extend_from_slice(samples);
        let first = run.first + run.samples.len() as i64 - waiting.len() as i64;
        let (windows, rest) = waiting.as_chunks::<WINDOW>();
        for (number, window) in windows.iter().enumerate() {
            let time = time_of(first + (number * WINDOW) as i64);
            let probability = self.model.hear(window, &mut heard.memory)?;
            self.rules
                .take(&mut heard.speaking, time, probability, emit);
        }
        heard.waiting = rest.to_vec();
        Ok(())
    }

    /// Nothing follows what was heard: the last samples are a window with silence.
    fn end(&self, heard: &mut Heard, emit: &mut Vec<Emission>) -> Result<(), String> {
        let mut last = std::mem::take(heard);
        let Some(next) = last.next else {
            return Ok(());
        };
        if !last.waiting.is_empty() {
            let time = time_of(next - last.waiting.len() as i64);
            let mut window = [0; WINDOW];
            window
                .iter_mut()
                .zip(&last.waiting)
                .for_each(|(to, from)| *to = *from);
            let probability = self.model.hear(&window, &mut last.memory)?;
            self.rules.take(&mut last.speaking, time, probability, emit);
        }
        let closed = last
            .speaking
            .and_then(|open| self.rules.close(&open, time_of(next)));
        emit.extend(closed);
        Ok(())
    }
}

impl Heard {
    fn write(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let Some(next) = self.next else {
            return Vec::new();
        };
        writer.i64(next);
        samples_to(&mut writer, &self.waiting);
        samples_to(&mut writer, &self.memory.context);
        writer.u32(self.memory.numbers.len() as u32);
        self.memory
            .numbers
            .iter()
            .for_each(|number| writer.u32(number.to_bits()));
        if let Some(speaking) = &self.speaking {
            writer.i64(speaking.start.flicks());
            sum_to(&mut writer, &speaking.sum);
            if let Some((since, sum)) = &speaking.pause {
                writer.i64(since.flicks());
                sum_to(&mut writer, sum);
            }
        }
        writer.0
    }

    fn read(state: &[u8]) -> Option<Heard> {
        let mut reader = Reader(state);
        let next = Some(reader.i64()?);
        let waiting = samples_from(&mut reader)?;
        let context = samples_from(&mut reader)?;
        let count = reader.u32()? as usize;
        let bytes = Reader(reader.bytes(count.checked_mul(4)?)?);
        let numbers = bytes.0.chunks_exact(4).map_while(|four| Reader(four).u32());
        let memory = Memory {
            numbers: numbers.map(f32::from_bits).collect(),
            context,
        };
        let mut speaking = None;
        if !reader.is_empty() {
            let start = MediaTime::from_flicks(reader.i64()?);
            let sum = sum_from(&mut reader)?;
            let mut pause = None;
            if !reader.is_empty() {
                let since = MediaTime::from_flicks(reader.i64()?);
                pause = Some((since, sum_from(&mut reader)?));
            }
            speaking = Some(Speaking { start, sum, pause });
        }
        memory.is_whole().then_some(Heard {
            next,
            waiting,
            memory,
            speaking,
        })
    }
}

fn samples_to(writer: &mut Writer, samples: &[i16]) {
    writer.u32(samples.len() as u32);
    samples.iter().for_each(|sample| writer.u16(*sample as u16));
}

fn samples_from(reader: &mut Reader<'_>) -> Option<Vec<i16>> {
    let count = reader.u32()? as usize;
    let bytes = reader.bytes(count.checked_mul(2)?)?;
    Some(
        bytes
            .chunks_exact(2)
            .map_while(|two| Reader(two).u16())
            .map(|s| s as i16)
            .collect(),
    )
}

fn sum_to(writer: &mut Writer, sum: &Sum) {
    writer.i64(sum.millionths);
    writer.i64(sum.windows);
}

fn sum_from(reader: &mut Reader<'_>) -> Option<Sum> {
    Some(Sum {
        millionths: reader.i64()?,
        windows: reader.i64()?,
    })
}
