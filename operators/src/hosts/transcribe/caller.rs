//! The ordered part of `transcribe`: collects sound from one chunk into the next until phrases are whole,
//! and says what the model made of them.

use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};

use super::heard::{Hears, Transcript};
use super::phrases::{Rules, Sound};
use crate::hosts::speech::resample::time_of;
use crate::hosts::speech::samples::{self, BRIDGED, Run};
use crate::sdk::{Answer, Caller, Emission, Step};
use crate::wire::{Reader, Writer};

pub(super) struct Transcriber {
    pub(super) rules: Rules,
    pub(super) model: Box<dyn Hears>,
}

impl Caller for Transcriber {
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        let mut waiting = read(state).ok_or("what was heard before cannot be read")?;
        let runs = step.signature.map_or(Some(Vec::new()), samples::read);
        let runs = runs.ok_or("the samples of the chunk cannot be read")?;
        let mut phrases = Vec::new();
        for run in &runs {
            phrases.extend(self.take(&mut waiting, run));
        }
        if step.end_of_event {
            phrases.extend(self.rules.take(&mut waiting, true));
        }
        let mut answer = Answer::default();
        for phrase in &phrases {
            match self.model.transcribe(&phrase.samples) {
                Ok(transcript) => said(phrase, transcript, &mut answer.emissions),
                Err(message) => {
                    let at = time_of(phrase.first);
                    let message = format!("the phrase at {at} s is not transcribed: {message}");
                    answer.emissions.push(Emission::Failure { message });
                }
            }
        }
        answer.state = write(&waiting);
        Ok(answer)
    }
}

impl Transcriber {
    /// Adds the sound of a run; the phrases that are whole then.
    fn take(&self, waiting: &mut Sound, run: &Run) -> Vec<Sound> {
        let mut phrases = Vec::new();
        if waiting.samples.is_empty() {
            // What comes again was dealt with.
            waiting.first = waiting.first.max(run.first);
        }
        let next = waiting.first + waiting.samples.len() as i64;
        let missing = run.first - next;
        if missing > BRIDGED {
            phrases.extend(self.rules.take(waiting, true));
            waiting.first = run.first;
        } else if missing > 0 {
            let silence = waiting.samples.len() + missing as usize;
            waiting.samples.resize(silence, 0);
        }
        let known = usize::try_from(-missing).unwrap_or_default();
        waiting
            .samples
            .extend(run.samples.get(known..).unwrap_or_default());
        phrases.extend(self.rules.take(waiting, false));
        phrases
    }
}

fn said(phrase: &Sound, transcript: Transcript, emit: &mut Vec<Emission>) {
    let start = time_of(phrase.first);
    let end = time_of(phrase.first + phrase.samples.len() as i64);
    let within = |seconds: f64| {
        let time = MediaTime::from_seconds_f64(seconds).map(|time| start + time);
        time.unwrap_or(end).clamp(start, end)
    };
    for part in transcript.parts {
        let span = part.span.map(|(from, to)| (within(from), within(to)));
        let (from, to) = span.unwrap_or((start, end));
        let mut attributes = Attributes::from([("text".into(), Value::from(part.text))]);
        if let Some(language) = &transcript.language {
            attributes.insert("language".into(), Value::from(language.as_str()));
        }
        if let Some(confidence) = part.confidence {
            attributes.insert("confidence".into(), Value::rounded(confidence, 2));
        }
        emit.push(Emission::Observation {
            start: from,
            end: to.max(from),
            attributes,
        });
    }
}

fn write(waiting: &Sound) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.i64(waiting.first);
    for sample in &waiting.samples {
        writer.bytes(&sample.to_le_bytes());
    }
    writer.0
}

fn read(state: &[u8]) -> Option<Sound> {
    if state.is_empty() {
        return Some(Sound::default());
    }
    let mut reader = Reader(state);
    let first = reader.i64()?;
    let mut samples = Vec::new();
    while !reader.is_empty() {
        samples.push(reader.u16()? as i16);
    }
    Some(Sound { first, samples })
}
