//! What consumers of topics are told while an event runs: a message for each thing that came, changed
//! or went, in the order of the epochs. Messages are plain data with names that a second telling gives
//! again, so that whoever carries them can tell which ones have arrived.

mod event_bus;
mod replays;
mod segments;

use std::collections::BTreeMap;

use matchcut_model::change::{Change, EpochChanges, EventState, Row};
use matchcut_model::chunk::Epoch;
use matchcut_model::lines::ClipEntry;
use matchcut_model::replay::Feedback;
use matchcut_model::segment::SegmentId;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::exact::{Exact, input_name};
use crate::info::{EventInfo, ReplayInfo, ReplayMedia};

/// What a message is about; each has a topic of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// What featurers observed, and what of it no longer holds.
    Observations,
    /// Every change of a segment.
    Segments,
    /// What holds of each segment now; a segment that is gone has no value.
    SegmentsState,
    /// Every change of what a replay shows.
    Replays,
    /// What each replay shows now.
    ReplaysState,
    /// Clips that can be played, and those that are gone.
    Clips,
    /// The notifications of MRE, by their states.
    Events,
    /// What went wrong.
    Errors,
}

impl Topic {
    /// All of them.
    pub const ALL: [Topic; 8] = [
        Topic::Observations,
        Topic::Segments,
        Topic::SegmentsState,
        Topic::Replays,
        Topic::ReplaysState,
        Topic::Clips,
        Topic::Events,
        Topic::Errors,
    ];

    /// What its name ends with, version included; what stands before is the user's.
    pub fn suffix(self) -> &'static str {
        match self {
            Topic::Observations => "observations.v1",
            Topic::Segments => "segments.v1",
            Topic::SegmentsState => "segments.state.v1",
            Topic::Replays => "replays.v1",
            Topic::ReplaysState => "replays.state.v1",
            Topic::Clips => "clips.v1",
            Topic::Events => "events.v1",
            Topic::Errors => "errors.v1",
        }
    }

    /// Whether only the last message of each key counts.
    pub fn is_state(self) -> bool {
        matches!(self, Topic::SegmentsState | Topic::ReplaysState)
    }
}

/// A message, with the attributes of CloudEvents 1.0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// What it is about.
    pub topic: Topic,
    /// By this it is kept in order: the event, on topics of state with what the state is of.
    pub key: String,
    /// CloudEvents `id`: the same whenever it is told.
    pub id: String,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    pub kind: String,
    /// CloudEvents `subject`.
    pub subject: String,
    /// The data, as JSON; nothing says that what the key names is gone.
    pub value: Option<String>,
}

/// What an epoch changed and what holds behind it.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The differences.
    pub changes: &'a EpochChanges,
    /// What holds now.
    pub state: &'a EventState,
    /// Where chunks stand, with this epoch.
    pub timeline: &'a EventTimeline,
    /// What viewers said in it.
    pub heard: &'a [Feedback],
    /// Whether whoever is told takes the segments of a segmenter.
    pub takes: &'a dyn Fn(&Name) -> bool,
    /// Whether the event ends with it.
    pub ends: bool,
}

/// The clips of a segment that were made, or taken away.
#[derive(Clone, Copy, Debug)]
pub struct MadeOf<'a> {
    /// The segment.
    pub segment: &'a SegmentId,
    /// Its clips.
    pub made: &'a [ClipEntry],
    /// Its thumbnail.
    pub thumbnail: Option<&'a str>,
    /// Files that are gone.
    pub gone: &'a [String],
}

/// Makes the messages of an event, epoch by epoch.
#[derive(Clone, Debug)]
pub struct Messages {
    info: EventInfo,
    /// The first chunk was told.
    begun: bool,
    /// Replays that were asked for since the last epoch.
    asked: Vec<Name>,
    /// What was said last of each replay.
    replays: BTreeMap<Name, String>,
}

type Tried = Result<Vec<Message>, serde_json::Error>;

impl Messages {
    /// For an event of which nothing was told.
    pub fn new(info: EventInfo) -> Self {
        Messages {
            info,
            begun: false,
            asked: Vec::new(),
            replays: BTreeMap::new(),
        }
    }

    /// A replay is asked for, or asked for otherwise than before: to be told with the next epoch.
    pub fn ask(&mut self, name: &Name, replay: ReplayInfo) {
        if self.info.replays.insert(name.clone(), replay).is_none() {
            self.asked.push(name.clone());
        }
    }

    /// A replay is not wanted any more.
    pub fn withdraw(&mut self, name: &Name) {
        self.info.replays.remove(name);
    }

    /// What an epoch tells. Epochs are to be told in order, each once.
    pub fn of_epoch(&mut self, told: &Told<'_>) -> Tried {
        let exact = Exact::new(told.timeline, &self.info);
        let epoch = told.changes.epoch;
        let net = told.changes.consolidated();
        let mut out = Outgoing::new(&self.info, epoch, format!("{epoch}"));
        let has_chunk = net
            .iter()
            .any(|change| change.diff > 0 && matches!(change.row, Row::Chunk(_)));
        if has_chunk && !std::mem::replace(&mut self.begun, true) {
            out.notify(
                "EVENT_START",
                json!({ "Event": event_bus::event(&self.info) }),
            );
            for name in self.info.replays.keys() {
                out.notify("REPLAY_CREATED", event_bus::asked(&self.info, name));
            }
        } else if self.begun {
            for name in &self.asked {
                out.notify("REPLAY_CREATED", event_bus::asked(&self.info, name));
            }
        }
        self.asked.clear();
        for feedback in told.heard {
            let starts = feedback.start.to_millis();
            let meant = told.state.segments().filter(|segment| {
                segment.start().to_millis() == starts && (told.takes)(&segment.id.segmenter)
            });
            for segment in meant {
                let (state, detail) = event_bus::of_feedback(&self.info, feedback, segment);
                out.notify(state, detail);
            }
        }
        for Change { row, diff } in &net {
            match row {
                Row::Failure(failure) if *diff > 0 => {
                    out.push(
                        Topic::Errors,
                        "matchcut.error",
                        failure.operator.as_ref().map_or("", Name::as_str),
                        json!({
                            "position": failure.position,
                            "input": input_name(&failure.input),
                            "operator": failure.operator,
                            "message": failure.message,
                            "domain": failure.domain,
                            "retry": failure.retry,
                        }),
                    );
                    out.notify("WORKFLOW_FAILED", event_bus::failed(&self.info, failure));
                }
                Row::Observation(observation) => {
                    let (kind, change) = match *diff > 0 {
                        true => ("matchcut.observation.observed", "observed"),
                        false => ("matchcut.observation.retracted", "retracted"),
                    };
                    let line = serde_json::to_value(exact.observation(observation))?;
                    let data = json!({ "change": change, "observation": line });
                    out.push(Topic::Observations, kind, &observation.operator, data);
                }
                _ => {}
            }
        }
        segments::tell(&net, &exact, &mut out)?;
        replays::tell(&net, told, &exact, &mut self.replays, &mut out)?;
        if told.ends {
            out.notify(
                "EVENT_END",
                json!({ "Event": event_bus::event(&self.info) }),
            );
        }
        Ok(out.messages)
    }

    /// What is told when the clips of a segment were made, or taken away, for an epoch; or once more at the
    /// end, after the epoch that was the last.
    pub fn of_clips(&self, epoch: Epoch, at_end: bool, clips: &MadeOf<'_>) -> Vec<Message> {
        let segment = clips.segment.to_string();
        let telling = match at_end {
            true => format!("end/clips/{segment}"),
            false => format!("{epoch}/clips/{segment}"),
        };
        let mut out = Outgoing::new(&self.info, epoch, telling);
        for path in clips.gone {
            let data = json!({
                "change": "gone",
                "segment": segment,
                "operator": clips.segment.segmenter,
                "start": clips.segment.start.rounded_seconds(),
                "path": path,
            });
            out.push(Topic::Clips, "matchcut.clip.gone", &segment, data);
        }
        for clip in clips.made {
            let data = json!({
                "change": "ready",
                "segment": segment,
                "operator": clips.segment.segmenter,
                "start": clips.segment.start.rounded_seconds(),
                "track": clip.track,
                "clip": clip,
                "thumbnail": clips.thumbnail,
            });
            out.push(Topic::Clips, "matchcut.clip.ready", &segment, data);
        }
        if !clips.made.is_empty() {
            let detail = event_bus::clips(&self.info, clips.segment, clips.made, clips.thumbnail);
            out.notify("CLIP_GEN_DONE_WITH_CLIPS", detail);
        }
        out.messages
    }

    /// What is told when everything of the event is written: its replays, with their videos. When it is written
    /// `again` because something was said after the end, only what is new is told.
    pub fn of_end(
        &self,
        state: &EventState,
        videos: &BTreeMap<Name, ReplayMedia>,
        takes: impl Fn(&Name) -> bool,
        again: bool,
    ) -> Vec<Message> {
        let epoch = state.epoch().unwrap_or(Epoch(0));
        let telling = match again {
            true => format!("{epoch}/end"),
            false => "end".to_owned(),
        };
        let mut out = Outgoing::new(&self.info, epoch, telling);
        for replay in state.replays().filter(|replay| takes(&replay.name)) {
            let media = videos.get(&replay.name).cloned().unwrap_or_default();
            let state = match media.mp4.is_some() || media.hls.is_some() {
                true => "REPLAY_PROCESSED_WITH_CLIP",
                false => "REPLAY_PROCESSED",
            };
            let data = json!({
                "change": "video",
                "replay": replay.name,
                "mp4": media.mp4,
                "hls": media.hls,
            });
            out.push(Topic::Clips, "matchcut.replay.video", &replay.name, data);
            out.notify(state, event_bus::replay(&self.info, replay, &media));
        }
        if again {
            return out.messages;
        }
        let complete = json!({
            "Event": self.info.event,
            "Program": self.info.program,
        });
        out.notify("EVENT_COMPLETE", complete);
        out.messages
    }

    /// What is told when the event is removed after an epoch: of all these nothing holds any more.
    pub fn of_removal<'a>(
        &self,
        epoch: Epoch,
        segments: impl IntoIterator<Item = &'a SegmentId>,
        replays: impl IntoIterator<Item = &'a Name>,
    ) -> Vec<Message> {
        let mut out = Outgoing::new(&self.info, epoch, "removed".to_owned());
        for segment in segments {
            let name = segment.to_string();
            out.state(Topic::SegmentsState, "matchcut.segment.state", &name, None);
        }
        for replay in replays {
            out.state(Topic::ReplaysState, "matchcut.replay.state", replay, None);
        }
        out.messages
    }

    /// The event, as consumers know it.
    pub fn info(&self) -> &EventInfo {
        &self.info
    }
}

/// The messages of one telling, as they are collected.
struct Outgoing<'a> {
    info: &'a EventInfo,
    epoch: Epoch,
    telling: String,
    messages: Vec<Message>,
}

impl<'a> Outgoing<'a> {
    fn new(info: &'a EventInfo, epoch: Epoch, telling: String) -> Self {
        Outgoing {
            info,
            epoch,
            telling,
            messages: Vec::new(),
        }
    }

    /// What every value says first.
    fn head(&self) -> Map<String, Json> {
        let mut head = Map::new();
        head.insert("event".into(), self.info.event.as_str().into());
        head.insert("program".into(), self.info.program.as_str().into());
        head.insert("epoch".into(), self.epoch.0.into());
        head
    }

    fn id(&self) -> String {
        format!("{}/{}/{}", self.info.id, self.telling, self.messages.len())
    }

    /// A message that is kept in order with all others of the event.
    fn push(&mut self, topic: Topic, kind: &str, subject: &str, data: Json) {
        let key = self.info.id.clone();
        self.put(topic, key, kind, subject, Some(data));
    }

    /// What holds now of something that a name tells from all others of the event.
    fn state(&mut self, topic: Topic, kind: &str, name: &str, data: Option<Json>) {
        let key = format!("{}/{name}", self.info.id);
        self.put(topic, key, kind, name, data);
    }

    fn put(&mut self, topic: Topic, key: String, kind: &str, subject: &str, data: Option<Json>) {
        let value = data.map(|data| {
            let mut value = self.head();
            match data {
                Json::Object(fields) => value.extend(fields),
                other => drop(value.insert("data".into(), other)),
            }
            Json::Object(value).to_string()
        });
        let id = self.id();
        self.messages.push(Message {
            topic,
            key,
            id,
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            value,
        });
    }

    /// A notification of MRE.
    fn notify(&mut self, state: &str, detail: Json) {
        let mut value = Map::new();
        value.insert("State".into(), state.into());
        if let Json::Object(fields) = detail {
            value.extend(fields);
        }
        let (key, id) = (self.info.id.clone(), self.id());
        self.messages.push(Message {
            topic: Topic::Events,
            key,
            id,
            kind: format!("matchcut.mre.{}", state.to_ascii_lowercase()),
            subject: self.info.event.clone(),
            value: Some(Json::Object(value).to_string()),
        });
    }
}
