//! What sinks that carry messages are told of an epoch. It is put into the outbox in the transaction that
//! commits the epoch, and carried away from there by a thread for each sink.

use std::sync::Arc;

use matchcut_kafka::{KafkaOptions, KafkaSink};
use matchcut_model::change::{EpochChanges, EventState};
use matchcut_model::chunk::Epoch;
use matchcut_model::timeline::EventTimeline;
use matchcut_operators::sdk::parse_options;
use matchcut_sinks::messages::{MadeOf, Message, Messages, Told};
use matchcut_sinks::outlet::Outlet;
use matchcut_sinks::{EventInfo, Media};
use matchcut_store::Posting;

use super::clip_plan::ClipJob;
use super::clips::MadeClips;
use super::engine::RunError;
use super::log::EventStore;
use super::publish::{Publisher, Publishers};
use super::wanted::Wanted;
use crate::plan::{Plan, PlanSink};

/// The rows of the outbox that clips are made by.
pub(super) const CLIPS: &str = "clips";

/// A sink that carries messages.
struct Addressee {
    /// Under this name its messages stand in the outbox.
    kind: Arc<str>,
    wanted: Wanted,
    messages: Messages,
}

/// All sinks of a spec that carry messages.
pub struct Post {
    addressees: Vec<Addressee>,
    publishers: Publishers,
}

/// The sinks that carry messages, of all sinks.
pub fn carries_messages(sink: &PlanSink) -> bool {
    sink.kind == "kafka"
}

fn kind_of(sink: &PlanSink) -> String {
    format!("sink {}", sink.name)
}

impl Post {
    /// For a run whose results nobody waits for.
    pub fn none() -> Self {
        Post {
            addressees: Vec::new(),
            publishers: Publishers::default(),
        }
    }

    /// Opens the sinks of a plan, and begins to carry what is still in the outbox.
    pub fn open(
        plan: &Plan,
        info: &EventInfo,
        store: Option<&EventStore>,
    ) -> Result<Self, RunError> {
        let mut post = Post::none();
        for sink in plan.sinks.iter().filter(|sink| carries_messages(sink)) {
            let store = store.ok_or_else(|| RunError::NoOutbox(sink.name.clone()))?;
            let kind = kind_of(sink);
            let outlet = outlet(sink, info, &store.incarnation()?);
            let outbox = store.open_outbox(&kind)?;
            let publisher = Publisher::start(sink.name.clone(), outbox, outlet)
                .map_err(|error| RunError::Start(error.to_string()))?;
            post.publishers.add(publisher);
            post.addressees.push(Addressee {
                kind: kind.into(),
                wanted: Wanted::named_by(sink, plan),
                messages: Messages::new(info.clone()),
            });
        }
        Ok(post)
    }

    /// Those who carry.
    pub fn publishers(&mut self) -> &mut Publishers {
        &mut self.publishers
    }

    /// What an epoch tells them.
    pub(super) fn of_epoch(
        &mut self,
        changes: &EpochChanges,
        state: &EventState,
        timeline: &EventTimeline,
        ends: bool,
    ) -> Result<Vec<Posting>, RunError> {
        let mut postings = Vec::new();
        for addressee in &mut self.addressees {
            let own = addressee.wanted.part_of(changes);
            let messages = addressee
                .messages
                .of_epoch(&Told {
                    changes: &own,
                    state,
                    timeline,
                    ends,
                })
                .map_err(unwritable)?;
            addressee.post(&messages, &mut postings)?;
        }
        Ok(postings)
    }

    /// What they are told of the clips of a segment; `at_end` when they were tried once more at the end.
    pub(super) fn of_clips(
        &self,
        (epoch, at_end): (Epoch, bool),
        job: &ClipJob,
        made: Option<&MadeClips>,
    ) -> Result<Vec<Posting>, RunError> {
        let mut postings = Vec::new();
        for addressee in &self.addressees {
            if !addressee.wanted.takes_segments_of(&job.segment.segmenter) {
                continue;
            }
            let clips = MadeOf {
                segment: &job.segment,
                made: made.map(|made| made.clips.as_slice()).unwrap_or_default(),
                thumbnail: made.and_then(|made| made.thumbnail.as_deref()),
                gone: &job.gone,
            };
            let messages = addressee.messages.of_clips(epoch, at_end, &clips);
            addressee.post(&messages, &mut postings)?;
        }
        Ok(postings)
    }

    /// What they are told when everything is written.
    pub(super) fn of_end(
        &self,
        state: &EventState,
        media: &Media,
    ) -> Result<Vec<Posting>, RunError> {
        let mut postings = Vec::new();
        for addressee in &self.addressees {
            let takes = |name: &_| addressee.wanted.takes_replay(name);
            let messages = addressee.messages.of_end(state, &media.replays, takes);
            addressee.post(&messages, &mut postings)?;
        }
        Ok(postings)
    }
}

impl Addressee {
    fn post(&self, messages: &[Message], postings: &mut Vec<Posting>) -> Result<(), RunError> {
        for message in messages {
            let payload = serde_json::to_string(message).map_err(unwritable)?;
            postings.push((Arc::clone(&self.kind), payload));
        }
        Ok(())
    }
}

fn unwritable(error: serde_json::Error) -> RunError {
    RunError::Start(format!("a message cannot be written: {error}"))
}

/// What is wrong in its options was said when the spec was read.
fn outlet(sink: &PlanSink, info: &EventInfo, incarnation: &str) -> Box<dyn Outlet> {
    let options: KafkaOptions = parse_options(&sink.options).unwrap_or_default();
    let event = (info.program.as_str(), info.event.as_str());
    Box::new(KafkaSink::new(options, event, &sink.name, incarnation))
}
