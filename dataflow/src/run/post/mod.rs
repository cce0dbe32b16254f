//! What sinks that lie outside are told of an epoch. It is put into the outbox in the transaction that commits
//! the epoch, and carried away from there by a thread for each sink.

mod bucket;
mod mediaconvert;
mod messages;

use std::collections::BTreeSet;
use std::sync::Arc;

use matchcut_kafka::{KafkaOptions, KafkaSink};
use matchcut_model::change::{EpochChanges, EventState};
use matchcut_model::chunk::Epoch;
use matchcut_model::replay::Feedback;
use matchcut_model::segment::SegmentId;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_operators::sdk::parse_options;
use matchcut_sinks::bucket::{BucketOptions, BucketSink, Tick};
use matchcut_sinks::files::safe_file_name;
use matchcut_sinks::mediaconvert::{MediaConvertOptions, MediaConvertSink};
use matchcut_sinks::messages::{MadeOf, Messages, Told};
use matchcut_sinks::outlet::Outlet;
use matchcut_sinks::{EventInfo, Media, ReplayInfo};
use matchcut_store::Posting;

use self::bucket::BucketTeller;
use self::mediaconvert::MediaConvertTeller;
use self::messages::MessageTeller;
use super::clip_plan::ClipJob;
use super::clips::MadeClips;
use super::engine::RunError;
use super::log::EventStore;
use super::meter::Meter;
use super::publish::{Publisher, Publishers};
use super::target::Target;
use super::wanted::Wanted;
use crate::plan::{Plan, PlanReplay, PlanSink};

/// The rows of the outbox that clips are made by.
pub(super) const CLIPS: &str = "clips";

/// What is put into the outbox, as JSON.
type Payloads = Result<Vec<String>, serde_json::Error>;

/// Knows what one sink is to be told. Each kind of sink has its own kind of payload, which its outlet reads.
trait Teller {
    /// Of an epoch; in order, each once. Files that follow from it are not written yet.
    fn of_epoch(&mut self, told: &Told<'_>) -> Payloads {
        let _ = told;
        Ok(Vec::new())
    }

    /// Of the clips of a segment that were made, or taken away; `at_end` when they were tried once more then.
    fn of_clips(&self, when: (Epoch, bool), clips: &MadeOf<'_>) -> Payloads {
        let _ = (when, clips);
        Ok(Vec::new())
    }

    /// When new versions of playlists were written.
    fn of_versions(&self) -> Payloads {
        Ok(Vec::new())
    }

    /// When everything is written.
    fn of_end(&self, end: &End<'_>) -> Payloads;

    /// A replay is asked for, or asked for otherwise than before; told before the epoch that brings it.
    fn ask(&mut self, replay: &PlanReplay, info: ReplayInfo) {
        let _ = (replay, info);
    }

    /// A replay is not wanted any more; told before the epoch that takes it back.
    fn withdraw(&mut self, name: &Name) {
        let _ = name;
    }
}

/// Who tells a sink, and who carries it there.
type Opened = (Box<dyn Teller>, Box<dyn Outlet>);

/// What an event comes to.
struct End<'a> {
    state: &'a EventState,
    media: &'a Media,
    wanted: &'a Wanted,
    /// Replays whose videos were made since it was written last.
    replays: &'a BTreeSet<Name>,
    /// It was written before.
    again: bool,
}

/// A sink that lies outside.
struct Addressee {
    /// Under this name what is for it stands in the outbox.
    kind: Arc<str>,
    wanted: Wanted,
    teller: Box<dyn Teller>,
}

/// All sinks of a spec that lie outside.
pub struct Post {
    addressees: Vec<Addressee>,
    publishers: Publishers,
}

/// The sinks that lie outside, of all sinks.
pub fn is_outside(sink: &PlanSink) -> bool {
    matches!(sink.kind.as_str(), "kafka" | "s3" | "mediaconvert")
}

/// What was ever told of an event.
pub(super) struct Ever {
    /// The last epoch.
    pub epoch: Epoch,
    /// All segments that there ever were.
    pub segments: BTreeSet<SegmentId>,
    /// All replays.
    pub replays: BTreeSet<Name>,
}

/// What sinks of a plan are told when the event is removed. Jobs of MediaConvert are not taken back: what they made is
/// where they were told to put it.
pub(super) fn of_removal(
    plan: &Plan,
    info: &EventInfo,
    ever: &Ever,
) -> Result<Vec<Posting>, serde_json::Error> {
    let mut postings = Vec::new();
    for sink in &plan.sinks {
        let wanted = Wanted::named_by(sink, plan);
        let mut payloads = Vec::new();
        match sink.kind.as_str() {
            "kafka" => {
                let segments = &ever.segments;
                let takes = |id: &&SegmentId| wanted.takes_segments_of(&id.segmenter);
                let messages = Messages::new(info.clone());
                let messages = messages.of_removal(
                    ever.epoch,
                    segments.iter().filter(takes),
                    // Those that were asked for beside the spec are told as well.
                    &ever.replays,
                );
                for message in messages {
                    payloads.push(serde_json::to_string(&message)?);
                }
            }
            "s3" => {
                let tick = Tick {
                    ended: true,
                    removed: true,
                };
                payloads.push(serde_json::to_string(&tick)?);
            }
            _ => {}
        }
        let kind: Arc<str> = kind_of(sink).into();
        let posted = payloads.into_iter();
        postings.extend(posted.map(|payload| (Arc::clone(&kind), payload)));
    }
    Ok(postings)
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
        Post::open_counted(plan, info, store, &Meter::of(plan))
    }

    /// The same, with what counts.
    pub fn open_counted(
        plan: &Plan,
        info: &EventInfo,
        store: Option<&EventStore>,
        meter: &Meter,
    ) -> Result<Self, RunError> {
        let mut post = Post::none();
        for sink in plan.sinks.iter().filter(|sink| is_outside(sink)) {
            let store = store.ok_or_else(|| RunError::NoOutbox(sink.name.clone()))?;
            let kind = kind_of(sink);
            let wanted = Wanted::named_by(sink, plan);
            let mut info = info.clone();
            info.replays.retain(|name, _| wanted.takes_replay(name));
            let (teller, outlet) = open_sink(sink, plan, &info, store)?;
            let outbox = store.open_outbox(&kind)?;
            let publisher = Publisher::start(sink.name.clone(), outbox, outlet, meter)
                .map_err(|error| RunError::Start(error.to_string()))?;
            post.publishers.add(publisher);
            post.addressees.push(Addressee {
                kind: kind.into(),
                wanted,
                teller,
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
        (state, timeline): (&EventState, &EventTimeline),
        heard: &[Feedback],
        ends: bool,
    ) -> Result<Vec<Posting>, RunError> {
        let mut postings = Vec::new();
        for addressee in &mut self.addressees {
            let own = addressee.wanted.part_of(changes);
            let wanted = &addressee.wanted;
            let told = Told {
                changes: &own,
                state,
                timeline,
                heard,
                takes: &|segmenter| wanted.takes_segments_of(segmenter),
                ends,
            };
            let payloads = addressee.teller.of_epoch(&told);
            addressee.post(payloads, &mut postings)?;
        }
        Ok(postings)
    }

    /// What they are told of the clips of a segment; `at_end` when they were tried once more at the end.
    pub(super) fn of_clips(
        &self,
        when: (Epoch, bool),
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
            let payloads = addressee.teller.of_clips(when, &clips);
            addressee.post(payloads, &mut postings)?;
        }
        Ok(postings)
    }

    /// What they are told when playlists have new versions.
    pub(super) fn of_versions(&self) -> Result<Vec<Posting>, RunError> {
        let mut postings = Vec::new();
        for addressee in &self.addressees {
            addressee.post(addressee.teller.of_versions(), &mut postings)?;
        }
        Ok(postings)
    }

    /// A replay is asked for, or asked for otherwise than before.
    pub(super) fn ask(&mut self, replay: &PlanReplay, segmenter: &Name, info: &ReplayInfo) {
        for addressee in &mut self.addressees {
            if addressee.wanted.asks_for(replay, segmenter) {
                addressee.teller.ask(replay, info.clone());
            }
        }
    }

    /// A replay is not wanted any more.
    pub(super) fn withdraw(&mut self, name: &Name) {
        for addressee in &mut self.addressees {
            addressee.teller.withdraw(name);
        }
    }

    /// What they are told when everything is written, the videos of `replays` anew; `again` when it was written
    /// before.
    pub(super) fn of_end(
        &self,
        state: &EventState,
        media: &Media,
        (replays, again): (&BTreeSet<Name>, bool),
    ) -> Result<Vec<Posting>, RunError> {
        let mut postings = Vec::new();
        for addressee in &self.addressees {
            let wanted = &addressee.wanted;
            let payloads = addressee.teller.of_end(&End {
                state,
                media,
                wanted,
                replays,
                again,
            });
            addressee.post(payloads, &mut postings)?;
        }
        Ok(postings)
    }
}

impl Addressee {
    fn post(&self, payloads: Payloads, postings: &mut Vec<Posting>) -> Result<(), RunError> {
        let payloads = payloads.map_err(|error| {
            RunError::Start(format!(
                "what {} is told cannot be written: {error}",
                self.kind
            ))
        })?;
        let posted = payloads.into_iter();
        postings.extend(posted.map(|payload| (Arc::clone(&self.kind), payload)));
        Ok(())
    }
}

/// What is wrong in the options of a sink was said when the spec was read.
fn open_sink(
    sink: &PlanSink,
    plan: &Plan,
    info: &EventInfo,
    store: &EventStore,
) -> Result<Opened, RunError> {
    let (program, event) = (info.program.as_str(), info.event.as_str());
    if sink.kind == "s3" {
        let options: BucketOptions = parse_options(&sink.options).unwrap_or_default();
        let dir = Target::spool_of(sink, store.dir());
        let record = dir.with_extension("jsonl");
        let named = (program, event, sink.name.as_str());
        let outlet = BucketSink::new(options, named, &dir, &record);
        let outlet = outlet
            .map_err(|message| RunError::Start(format!("sink \"{}\": {message}", sink.name)))?;
        return Ok((Box::new(BucketTeller), Box::new(outlet)));
    }
    let incarnation = store.incarnation()?;
    if sink.kind == "mediaconvert" {
        let options: MediaConvertOptions = parse_options(&sink.options).unwrap_or_default();
        // Beside the results, where people look for them.
        let name = format!("{}.json", safe_file_name(&sink.name));
        let document = store.dir().join("mediaconvert").join(name);
        let outlet = MediaConvertSink::new(options.clone(), &document, &incarnation);
        let outlet = outlet
            .map_err(|message| RunError::Start(format!("sink \"{}\": {message}", sink.name)))?;
        let teller = MediaConvertTeller::new(sink, plan, options, info, &incarnation);
        return Ok((Box::new(teller), Box::new(outlet)));
    }
    let options: KafkaOptions = parse_options(&sink.options).unwrap_or_default();
    let outlet = KafkaSink::new(options, (program, event), &sink.name, &incarnation);
    Ok((Box::new(MessageTeller::new(info.clone())), Box::new(outlet)))
}
