//! The committing thread: takes what the dataflow delivers epoch by epoch, decides on clips, puts the
//! epoch into the store in one transaction, then into the results, and only then does what is to be
//! published. A log that was stored before is passed through the same way, without storing it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::Receiver;
use matchcut_model::change::{Change, ClipRow, EpochChanges, EventState, Row};
use matchcut_model::chunk::Epoch;
use matchcut_model::failure::Failure;
use matchcut_model::replay::Feedback;
use matchcut_model::segment::SegmentId;
use matchcut_model::timeline::EventTimeline;
use matchcut_model::value::Name;
use matchcut_sinks::{Media, ReplayInfo, name_of_choice};
use matchcut_store::Posting;
use tracing::Span;

use super::admission::Gate;
use super::answers::Answers;
use super::asked::Asked;
use super::catchup::CatchUp;
use super::clip_plan::{ClipJob, ClipPlanner};
use super::clips::{ClipMaker, MadeClips, Piece};
use super::engine::{Progress, RunError};
use super::log::{Committed, EventStore, LogInput};
use super::meter::Meter;
use super::playlist::Wanted;
use super::post::{CLIPS, Post};
use super::target::{Place, Target};
use super::traces;
use crate::flow::{Control, Delivery, ScanRow};
use crate::plan::{Plan, PlanReplay};

/// What the committing thread receives.
pub(super) enum Told {
    /// From the dataflow.
    Delivery(Delivery<Row>),
    /// The source has ended.
    Ended {
        /// Why it ended early, if it did.
        broken: Option<Failure>,
    },
    /// Nothing more will come.
    WorkerStopped(String),
}

/// What was admitted in an epoch, until it is committed.
pub(super) struct Admitted {
    /// What it brings.
    pub input: LogInput,
    /// What was said of the chunk, where that is known already.
    pub rows: Vec<ScanRow>,
    /// How far the inputs were read, encoded.
    pub progress: Vec<u8>,
    /// The digest of an epoch that the store has.
    pub stored: Option<Vec<u8>>,
    /// It holds for this process only: an end that somebody wanted.
    pub provisional: bool,
}

/// Epochs under way, shared by the threads that admit, scan and commit them.
#[derive(Clone, Default)]
pub(super) struct UnderWay {
    admitted: Arc<Mutex<BTreeMap<u64, Admitted>>>,
    scanned: Arc<Mutex<BTreeMap<u64, Vec<ScanRow>>>>,
}

impl UnderWay {
    pub fn admit(&self, epoch: u64, admitted: Admitted) {
        let mut all = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(epoch, admitted);
    }

    /// Keeps what was said of the chunk of an epoch.
    pub fn scanned(&self, epoch: Epoch, rows: &[ScanRow]) {
        let mut all = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(epoch.0, rows.to_vec());
    }

    fn take(&self, epoch: u64) -> Option<Admitted> {
        let mut all = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut admitted = all.remove(&epoch)?;
        let mut all = self.scanned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rows) = all.remove(&epoch) {
            admitted.rows = rows;
        }
        Some(admitted)
    }
}

/// Commits epochs in order.
pub(super) struct Committer<'a> {
    pub plan: &'a Plan,
    /// The replays that there are, and what others can be asked for.
    pub asked: Asked,
    pub targets: &'a mut [Target],
    pub store: Option<&'a mut EventStore>,
    /// Sinks that carry messages.
    pub post: Post,
    pub under_way: UnderWay,
    pub answers: Answers,
    pub gate: Gate,
    pub planner: ClipPlanner,
    pub clips: ClipMaker,
    /// Versions of catch-up replays, for each target.
    pub catchups: Vec<CatchUp>,
    pub state: EventState,
    pub timeline: EventTimeline,
    pub media: Media,
    /// Segments whose clips could not all be made: they are tried once more at the end.
    pub unmade: BTreeSet<SegmentId>,
    pub feedback: Vec<Feedback>,
    pub broken: Option<Failure>,
    /// An end was committed that the store has too.
    pub ended: bool,
    /// What could not be carried, by sink.
    pub unsent: Vec<(Name, u64)>,
    pub started: Instant,
    pub meter: Meter,
}

impl Committer<'_> {
    /// Takes over what an earlier process had published.
    pub fn take_up(&mut self) -> Result<(), RunError> {
        let (published, epochs) = match &self.store {
            Some(store) => (store.all_published()?, store.epochs()),
            None => return Ok(()),
        };
        for (key, value) in published {
            let made: Option<(SegmentId, MadeClips)> = serde_json::from_str(&value).ok();
            if let (true, Some((id, made))) = (key.starts_with("clips "), made) {
                self.keep(id, made);
            } else {
                self.asked.take_up(&key, &value);
            }
        }
        if epochs > 0 {
            for catchup in &mut self.catchups {
                catchup.resume();
            }
        }
        Ok(())
    }

    /// Commits until the dataflow ends.
    pub fn run(
        &mut self,
        told: &Receiver<Told>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), RunError> {
        let waiting = match &self.store {
            Some(store) => store.clips_to_make()?,
            None => Vec::new(),
        };
        let mut unpublished: BTreeMap<u64, BTreeMap<String, i64>> = BTreeMap::new();
        for row in waiting {
            let rows = unpublished.entry(row.epoch).or_default();
            rows.insert(row.payload, row.id);
        }
        for told in told {
            match told {
                Told::Delivery(Delivery::Epoch { epoch, changes }) => {
                    let unpublished = unpublished.remove(&epoch).unwrap_or_default();
                    self.commit(Epoch(epoch), changes, &unpublished, progress)?;
                }
                Told::Delivery(Delivery::End) => return Ok(()),
                Told::Ended { broken } => self.broken = broken,
                Told::WorkerStopped(reason) => return Err(RunError::Worker(reason)),
            }
        }
        Err(RunError::Worker(
            "it hung up before the end of the event".to_owned(),
        ))
    }

    fn commit(
        &mut self,
        epoch: Epoch,
        changes: Vec<(Row, isize)>,
        unpublished: &BTreeMap<String, i64>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), RunError> {
        let admitted = self.under_way.take(epoch.0).ok_or_else(|| {
            RunError::Worker(format!("epoch {epoch} was delivered and never admitted"))
        })?;
        let is_new = admitted.stored.is_none();
        let chunk = self.meter.traces().end(admitted.input.position());
        // What an earlier process had committed is only passed through.
        let span = match is_new {
            true => self.meter.traces().commit(&chunk, epoch),
            false => Span::none(),
        };
        let _timed = span.enter();
        let mut heard = Vec::new();
        let mut withdrawn = Vec::new();
        let placed = match &admitted.input {
            LogInput::Chunk(placed) => {
                self.timeline.insert(Arc::clone(placed));
                Some(&**placed)
            }
            LogInput::Controls(controls) => {
                heard = self.heard(controls);
                withdrawn = self.ask(controls)?;
                None
            }
            LogInput::Gap(..) => None,
        };
        let ends = admitted.input.ends();
        let seen = match &admitted.input {
            LogInput::Chunk(placed) => self.meter.take_seen(placed.chunk.position),
            LogInput::Gap(position, _) => {
                // It was seen and could not be read: nothing came of it.
                self.meter.take_seen(*position);
                None
            }
            LogInput::Controls(_) => None,
        };
        let mut changes: Vec<Change> = changes
            .into_iter()
            .map(|(row, diff)| Change {
                row,
                diff: diff as i64,
            })
            .collect();
        let (clips, jobs) = self.planner.update(&changes, &self.timeline, placed, ends);
        changes.extend(clips);
        let changes = EpochChanges { epoch, changes };
        let consolidated = changes.consolidated();
        self.state.apply_consolidated(epoch, consolidated.clone())?;
        span.record("changes", traces::number(consolidated.len() as u64));
        // Also what was told before, because what is told next builds on it.
        let ends_for_all = ends && !admitted.provisional;
        let mut outbox = self.post.of_epoch(
            &changes,
            (&self.state, &self.timeline),
            &heard,
            ends_for_all,
        )?;
        let of_clips: Arc<str> = CLIPS.into();
        outbox.extend(
            jobs.iter()
                .map(|job| (Arc::clone(&of_clips), clip_payload(job))),
        );
        match (&mut self.store, &admitted.stored) {
            (Some(store), Some(digest)) => store.verify(epoch.0, digest, &consolidated)?,
            (Some(store), None) if !admitted.provisional => store.commit(
                epoch.0,
                &Committed {
                    input: &admitted.input,
                    rows: &admitted.rows,
                    answers: &self.answers.take_new(),
                    changes: &consolidated,
                    outbox: &outbox,
                    progress: &admitted.progress,
                },
            )?,
            _ => {}
        }
        self.ended |= ends_for_all;
        if is_new {
            self.post.publishers().posted(seen);
        }
        for target in self.targets.iter_mut() {
            target.commit(&changes, &self.timeline)?;
        }
        self.gate.committed(epoch);
        self.meter.in_flight(self.gate.in_flight());
        self.meter.committed(&consolidated, is_new);
        self.meter.reached(epoch, self.timeline.end());
        if let Some(seen) = seen {
            self.meter.stage("committed", seen.elapsed());
        }
        if is_new {
            self.tell(epoch, &changes.changes, admitted.provisional, progress);
        }
        // Of a log that was stored before, only what is still in the outbox is published.
        let wanted = |payload: &str| is_new || unpublished.contains_key(payload);
        let (mut left, mut told) = (Vec::new(), Vec::new());
        for job in jobs.iter().filter(|job| wanted(&clip_payload(job))) {
            left.push(self.make(job));
            told.extend(self.told_of((epoch, false), job)?);
        }
        if !admitted.provisional && self.catch_up(epoch) {
            told.extend(self.post.of_versions()?);
        }
        self.withdraw(&withdrawn, is_new)?;
        if let Some(store) = &mut self.store
            && !(jobs.is_empty() && told.is_empty())
            && !admitted.provisional
        {
            let done: Vec<i64> = match is_new {
                // Earlier rows are done: there are no others.
                true => store.clips_to_make()?.iter().map(|row| row.id).collect(),
                false => unpublished.values().copied().collect(),
            };
            store.published(&done, &left, epoch.0, &told)?;
            self.post.publishers().posted(seen);
        }
        if let Some(seen) = seen.filter(|_| !jobs.is_empty()) {
            self.meter.stage("clips", seen.elapsed());
        }
        self.pass_on_news(progress);
        for failure in self.clips.take_failures() {
            self.meter.failure(&failure);
            progress(Progress::Failure(&failure));
        }
        Ok(())
    }

    fn tell(
        &self,
        epoch: Epoch,
        changes: &[Change],
        provisional: bool,
        progress: &mut dyn FnMut(Progress<'_>),
    ) {
        for change in changes.iter().filter(|change| change.diff > 0) {
            if let Row::Failure(failure) = &change.row {
                progress(Progress::Failure(failure));
            }
        }
        progress(Progress::Committed {
            epoch,
            changes,
            state: &self.state,
            elapsed: self.started.elapsed(),
            provisional,
        });
    }

    /// What is told of the clips of a segment that were made, or taken away.
    fn told_of(&self, when: (Epoch, bool), job: &ClipJob) -> Result<Vec<Posting>, RunError> {
        let segment = &job.segment;
        let made = self.media.clips.get(segment).map(|clips| MadeClips {
            clips: clips.clone(),
            thumbnail: self.media.thumbnails.get(segment).cloned(),
            complete: true,
        });
        self.post.of_clips(when, job, made.as_ref())
    }

    fn pass_on_news(&mut self, progress: &mut dyn FnMut(Progress<'_>)) {
        for news in self.post.publishers().news() {
            progress(Progress::Sink(&news));
        }
    }

    /// Exports tell what viewers said, too.
    fn heard(&mut self, controls: &[(Control, i64)]) -> Vec<Feedback> {
        let said = controls.iter().filter_map(|entry| match entry {
            (Control::Feedback { feedback, .. }, 1) => Some(*feedback),
            _ => None,
        });
        let said: Vec<Feedback> = said.collect();
        self.feedback.extend(&said);
        said
    }

    /// Takes in which replays there are to be; those that are not wanted any more.
    fn ask(&mut self, controls: &[(Control, i64)]) -> Result<Vec<Name>, RunError> {
        let (asked, withdrawn) = self.asked.apply(controls)?;
        for (replay, segmenter) in &asked {
            let info = ReplayInfo {
                request: replay.request.clone(),
                segmenter: Some(segmenter.clone()),
            };
            for target in self.targets.iter_mut() {
                target.ask(replay, self.plan, segmenter, &info);
            }
            self.post.ask(replay, segmenter, &info);
        }
        for name in &withdrawn {
            self.post.withdraw(name);
        }
        Ok(withdrawn)
    }

    /// Lets replays go whose rows are gone. Of a log that was stored before files stay, as what comes later may need
    /// them; what is not needed goes at the end.
    fn withdraw(&mut self, withdrawn: &[Name], is_new: bool) -> Result<(), RunError> {
        for name in withdrawn {
            self.asked.withdraw(name);
            self.media.replays.remove(name);
            for target in self.targets.iter_mut() {
                target.withdraw(name);
            }
            if is_new {
                self.sweep(name)?;
            }
        }
        Ok(())
    }

    fn sweep(&self, name: &Name) -> Result<(), RunError> {
        let mut targets = self.targets.iter();
        targets.try_for_each(|target| target.sweep(name))
    }

    /// Makes the clips of a segment; what is to be remembered of it.
    fn make(&mut self, job: &ClipJob) -> (String, Option<String>) {
        let places: Vec<Place> = self
            .targets
            .iter()
            .filter(|target| target.takes_segments_of(&job.segment.segmenter))
            .map(Target::place)
            .collect();
        self.clips.remove(job.gone.iter(), &places);
        if job.clips.is_empty() {
            self.media.clips.remove(&job.segment);
            let thumbnail = self.media.thumbnails.remove(&job.segment);
            self.clips.remove(thumbnail.iter(), &places);
            self.unmade.remove(&job.segment);
            self.meter.clips("removed");
            return (published_key(&job.segment), None);
        }
        let span = self.meter.traces().clip(&job.segment, job.clips.len());
        let made = span.in_scope(|| {
            self.clips
                .make(&job.segment, &job.clips, &self.timeline, &places)
        });
        if !made.complete {
            traces::failed(&span);
        }
        self.meter
            .clips(if made.complete { "made" } else { "failed" });
        let value = serde_json::to_string(&(&job.segment, &made)).ok();
        self.keep(job.segment.clone(), made);
        (published_key(&job.segment), value)
    }

    fn keep(&mut self, segment: SegmentId, made: MadeClips) {
        if made.complete {
            self.unmade.remove(&segment);
        } else {
            self.unmade.insert(segment.clone());
        }
        match made.thumbnail {
            Some(path) => drop(self.media.thumbnails.insert(segment.clone(), path)),
            None => drop(self.media.thumbnails.remove(&segment)),
        }
        self.media.clips.insert(segment, made.clips);
    }

    fn places_of_replay(&self, name: &Name) -> Vec<Place> {
        let takes = |target: &&Target| target.takes_replay(name);
        let targets = self.targets.iter().filter(takes);
        targets.map(Target::place).collect()
    }

    /// Publishes what an epoch changed of catch-up replays. An epoch of a log that was stored before
    /// only counts their versions. Whether there is a new version of any.
    fn catch_up(&mut self, epoch: Epoch) -> bool {
        if !self.clips.is_active() {
            return false;
        }
        let before: u64 = self.catchups.iter().map(CatchUp::versions).sum();
        let catchups = self.asked.replays().filter(|r| r.request.catchup);
        for replay in catchups {
            let pieces = pieces(&self.state, replay);
            let mine = self.catchups.iter_mut().zip(self.targets.iter());
            let mine = mine.filter(|(_, target)| target.takes_replay(&replay.name));
            let hls = self.clips.catch_up(
                &replay.name,
                &pieces,
                (epoch, replay.keep_versions),
                &self.timeline,
                mine.map(|(catchup, _)| catchup),
            );
            let media = self.media.replays.entry(replay.name.clone()).or_default();
            media.hls = hls.or(media.hls.take()).filter(|_| !pieces.is_empty());
        }
        self.catchups.iter().map(CatchUp::versions).sum::<u64>() > before
    }

    /// Makes what is still to be made and writes the final documents.
    pub fn finish(
        &mut self,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<String>, RunError> {
        progress(Progress::Finishing);
        let mut by_segment: BTreeMap<SegmentId, Vec<ClipRow>> = BTreeMap::new();
        for clip in self.state.clips() {
            let known = self.media.clips.contains_key(&clip.segment);
            if !known || self.unmade.contains(&clip.segment) {
                let clips = by_segment.entry(clip.segment.clone()).or_default();
                clips.push(clip.clone());
            }
        }
        let mut told = Vec::new();
        for (segment, clips) in by_segment {
            let job = ClipJob {
                segment,
                clips,
                gone: Vec::new(),
            };
            self.make(&job);
            let last = self.state.epoch().unwrap_or(Epoch(0));
            told.extend(self.told_of((last, true), &job)?);
        }
        // What was withdrawn in a log that was stored before.
        let gone: Vec<Name> = self.asked.gone().cloned().collect();
        for name in &gone {
            self.sweep(name)?;
        }
        let mut left = Vec::new();
        let mut anew = BTreeSet::new();
        for replay in self.asked.replays() {
            let places = self.places_of_replay(&replay.name);
            let pieces = pieces(&self.state, replay);
            let catchup = replay.request.catchup;
            let digest = self.clips.digest_of(replay, &pieces);
            if let Some(made) = self.asked.made_before(&replay.name, digest, &places) {
                let media = self.media.replays.entry(replay.name.clone()).or_default();
                media.mp4.clone_from(&made.mp4);
                if !catchup {
                    media.hls.clone_from(&made.hls);
                }
                continue;
            }
            let made = self.clips.replay(
                &replay.name,
                &pieces,
                (catchup, replay.render.as_ref(), replay.render_by),
                &self.timeline,
                &places,
            );
            let media = self.media.replays.entry(replay.name.clone()).or_default();
            media.mp4.clone_from(&made.mp4);
            if !catchup {
                media.hls.clone_from(&made.hls);
            }
            left.push(Asked::made(&replay.name, digest, &made));
            anew.insert(replay.name.clone());
        }
        if self.ended {
            self.clips.finish_catch_up(&mut self.catchups);
        }
        for failure in self.clips.take_failures() {
            self.meter.failure(&failure);
            progress(Progress::Failure(&failure));
        }
        let mut warnings = Vec::new();
        for target in self.targets.iter_mut() {
            let (timeline, media) = (&self.timeline, &self.media);
            warnings.extend(target.finish(&self.state, timeline, media, &self.feedback)?);
        }
        if let Some(store) = &mut self.store
            && self.ended
        {
            let again = store.is_finished()?;
            let ended = self.post.of_end(&self.state, &self.media, (&anew, again));
            told.extend(ended?);
            store.finish(&left, &told)?;
            self.post.publishers().posted(None);
        }
        let publishers = self.post.publishers();
        self.unsent = publishers.drain(&mut |news| progress(Progress::Sink(news)));
        Ok(warnings)
    }
}

/// What a replay plays, in order.
pub(super) fn pieces(state: &EventState, replay: &PlanReplay) -> Vec<Piece> {
    let track = replay.request.track;
    let chosen = state.chosen(&replay.name);
    chosen
        .map(|choice| {
            let segment = choice.segment.as_ref();
            let unnamed = || Wanted::range(choice.marks).id;
            Piece {
                marks: choice.marks,
                track,
                title: name_of_choice(state, choice),
                id: segment.map_or_else(unnamed, ToString::to_string),
                label: segment.and_then(|id| state.segment(id)?.label.clone()),
            }
        })
        .collect()
}

fn clip_payload(job: &ClipJob) -> String {
    published_key(&job.segment)
}

fn published_key(segment: &SegmentId) -> String {
    format!("clips {segment}")
}
