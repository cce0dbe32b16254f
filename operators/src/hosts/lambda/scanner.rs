//! Invokes the function for a chunk: within limits, again where that may help, and not twice for the same
//! question.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use matchcut_aws::lambda::{Function, Returned};
use matchcut_aws::{AwsError, S3Address, wait};
use matchcut_model::chunk::{PlacedChunk, TrackNumber};
use matchcut_model::failure::Retry;
use serde_json::Value as Json;

use super::clients::Clients;
use super::options::LambdaOptions;
use super::payload::{payload, stream_start};
use super::place::{as_it_is, stage};
use super::results::{Shape, failure, kind, read};
use crate::hosts::http::{Counters, FIRST_PAUSE, Limits, pause, quoted};
use crate::sdk::{AttributeSpec, ChunkMedia, ChunkScanner, signature_of};

/// Answers that are remembered: a chunk is looked at again when the one before it came late.
const REMEMBERED: usize = 256;

/// What MRE's helper raises for something that may pass; MRE's workflow invokes the plugin again then.
const MAY_PASS: &str = "MREExecutionError";

type Answers = VecDeque<(blake3::Hash, Vec<u8>)>;

pub(in crate::hosts) struct Plugin {
    own: LambdaOptions,
    attributes: Vec<AttributeSpec>,
    stage: Option<S3Address>,
    clients: Clients,
    limits: Limits,
    counters: Arc<Counters>,
    answers: Mutex<Answers>,
}

impl Plugin {
    pub(in crate::hosts) fn new(
        own: LambdaOptions,
        attributes: Vec<AttributeSpec>,
        stage: Option<S3Address>,
        clients: Clients,
    ) -> Self {
        Plugin {
            limits: Limits::new(0.0, own.concurrency),
            counters: Counters::new(format!("function {}", own.function), None),
            answers: Mutex::default(),
            own,
            attributes,
            stage,
            clients,
        }
    }

    fn remembered(&self, question: &blake3::Hash) -> Option<Vec<u8>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let found = answers.iter().find(|(known, _)| known == question)?;
        Some(found.1.clone())
    }

    fn remember(&self, question: blake3::Hash, answer: &[u8]) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push_back((question, answer.to_vec()));
        while answers.len() > REMEMBERED {
            answers.pop_front();
        }
    }

    /// What the function returns, asked again where that may help.
    fn ask(&self, function: &Function, payload: &[u8]) -> Result<Vec<u8>, String> {
        let mut tries = 0;
        loop {
            let answered = {
                let _place = self.limits.wait();
                self.counters.request(payload.len(), tries > 0);
                wait(function.invoke(payload.to_vec()))
            };
            let (message, again) = match answered {
                Ok(returned) => {
                    self.counters.response(returned.payload.len());
                    match failed(&returned) {
                        None => return Ok(returned.payload),
                        Some(failed) => failed,
                    }
                }
                Err(error) => {
                    // One that was too slow may still be running.
                    let slow = matches!(error, AwsError::Timeout { .. });
                    let again = !slow && error.retry() == Retry::WithBackoff;
                    (error.to_string(), again)
                }
            };
            if !again || tries >= self.own.retries {
                self.counters.failure();
                return Err(match tries {
                    0 => message,
                    tries => format!("{message} (invoked {} times)", tries + 1),
                });
            }
            thread::sleep(pause(FIRST_PAUSE, tries));
            tries += 1;
        }
    }
}

/// Why a function failed, if it did, and whether that may pass. Not every server says in a header that one
/// failed.
pub(in crate::hosts) fn failed(returned: &Returned) -> Option<(String, bool)> {
    let said: Json = serde_json::from_slice(&returned.payload).unwrap_or_default();
    let raised = failure(&said).filter(|_| said.get("Output").is_none());
    let message = raised.or_else(|| {
        let how = returned.failed.as_ref()?;
        let said = quoted(&returned.payload);
        Some(format!("it failed ({how}): {said}; see its log"))
    });
    Some((message?, kind(&said) == Some(MAY_PASS)))
}

impl ChunkScanner for Plugin {
    fn at_once(&self) -> usize {
        self.own.concurrency
    }

    fn scan(
        &self,
        placed: &PlacedChunk,
        track: Option<TrackNumber>,
        media: &dyn ChunkMedia,
    ) -> Result<Vec<u8>, String> {
        let name = format!("function {}", self.own.function);
        let named = |message: String| match message.starts_with(&name) {
            true => message,
            false => format!("{name}: {message}"),
        };
        let (function, s3) = self
            .clients
            .get()
            .map_err(|error| named(error.to_string()))?;
        let place = match (as_it_is(placed), &self.stage) {
            (Some(place), _) => place,
            (None, Some(prefix)) => stage(s3, prefix, placed, media).map_err(named)?,
            (None, None) => {
                let text = "the chunk does not lie in S3 as it is; set \"stage\" to where it may be put for \
                            the function, such as s3://bucket/prefix/";
                return Err(named(text.to_owned()));
            }
        };
        let payload = payload(&self.own, placed, track, &place);
        let question = payload.to_string();
        let hash = blake3::hash(question.as_bytes());
        let answer = match self.remembered(&hash) {
            Some(answer) => Ok(answer),
            None => self
                .ask(function, question.as_bytes())
                .and_then(|returned| {
                    let shape = Shape {
                        attributes: &self.attributes,
                        time_base: self.own.time_base,
                        stream_start: stream_start(&payload).unwrap_or_default(),
                        placed,
                    };
                    let answer = signature_of(read(&returned, &shape)?)?;
                    self.remember(hash, &answer);
                    Ok(answer)
                }),
        };
        if place.staged && self.own.remove_staged {
            // It costs a little to be left there, and the answer nothing.
            if let Err(error) = wait(s3.remove(&place.object)) {
                tracing::warn!(%error, "a staged chunk is left where it is");
            }
        }
        answer.map_err(named)
    }
}
