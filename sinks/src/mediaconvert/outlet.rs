//! Submits jobs that stand in the outbox, follows them, and lets go of a row when its job is over. What may have been
//! submitted is written down before it is, so that a run that was killed asks for no job twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use matchcut_aws::mediaconvert::{Job, JobStatus};
use matchcut_aws::{AwsError, S3Address};
use matchcut_model::failure::Domain;

use super::job::{JobRequest, Posted};
use super::ledger::{Ledger, State};
use super::options::MediaConvertOptions;
use super::remote::{Fault, Remote, may_exist, now};
use crate::error::SinkError;
use crate::outlet::{self, Carried, Notice, Outlet, OutletError};

/// The longest pause between two questions, of the first.
const LONGEST_POLL: u32 = 10;

/// How far jobs are is told so often.
const TELL: Duration = Duration::from_secs(20);

/// How long a queue is waited for at a time; an end is noticed meanwhile.
const LISTEN: Duration = Duration::from_secs(2);

/// When a job is asked for next.
struct Poll {
    next: Instant,
    pause: Duration,
}

/// Carries jobs to MediaConvert.
pub struct MediaConvertSink {
    options: MediaConvertOptions,
    ledger: Ledger,
    /// Rows that are in the outbox, read.
    rows: BTreeMap<i64, Posted>,
    remote: Option<Remote>,
    polls: BTreeMap<String, Poll>,
    uploaded: BTreeSet<S3Address>,
    notices: Vec<Notice>,
    told: Instant,
    /// Something became of a job since that was told.
    changed: bool,
}

impl MediaConvertSink {
    /// For a run, named by `run`; what becomes of its jobs is written to `document`. Nothing is asked before there
    /// is something to do.
    pub fn new(options: MediaConvertOptions, document: &Path, run: &str) -> Result<Self, String> {
        Ok(MediaConvertSink {
            options,
            ledger: Ledger::open(document, run)?,
            rows: BTreeMap::new(),
            remote: None,
            polls: BTreeMap::new(),
            uploaded: BTreeSet::new(),
            notices: Vec::new(),
            told: Instant::now(),
            changed: false,
        })
    }

    fn remote(&mut self) -> Result<Remote, AwsError> {
        if let Some(remote) = &self.remote {
            return Ok(remote.clone());
        }
        let remote = Remote::connect(&self.options)?;
        self.remote = Some(remote.clone());
        Ok(remote)
    }

    fn notice(&mut self, text: String, is_warning: bool) {
        self.notices.push(Notice { text, is_warning });
    }

    fn save(&mut self) -> Result<(), Stop> {
        self.ledger.save().map_err(Stop::Disk)
    }

    /// Takes up the rows of a batch.
    fn take(&mut self, batch: &[outlet::Posted]) -> Result<(), OutletError> {
        let mut is_new = false;
        for row in batch {
            if self.rows.contains_key(&row.id) {
                continue;
            }
            let posted: Posted = row.read()?;
            is_new |= match &posted {
                Posted::Make(request) => self.ledger.add(request),
                Posted::Refused(refused) => {
                    let new = self.ledger.refuse(refused);
                    if new {
                        let text = format!("{} is not made: {}", refused.subject, refused.reason);
                        self.notices.push(Notice {
                            text,
                            is_warning: true,
                        });
                    }
                    new
                }
                Posted::Gone { .. } => false,
            };
            self.rows.insert(row.id, posted);
        }
        // Rows that have arrived do not come again.
        let there: BTreeSet<i64> = batch.iter().map(|row| row.id).collect();
        self.rows.retain(|id, _| there.contains(id));
        if is_new {
            self.ledger.save().map_err(disk)?;
        }
        Ok(())
    }

    /// Jobs that the queue tells of are asked for at once.
    fn listen(&mut self, longest: Duration) -> Result<(), Stop> {
        if self.options.queue_events.is_none() {
            return Ok(());
        }
        let (mut ids, mut tokens) = (BTreeSet::new(), BTreeSet::new());
        for job in self.ledger.entries().iter().flat_map(|entry| &entry.jobs) {
            ids.extend(job.id.clone());
            tokens.insert(job.token.clone());
        }
        let ours = |change: &super::events::Change| {
            let token = change.token.as_ref();
            ids.contains(&change.job) || token.is_some_and(|token| tokens.contains(token))
        };
        let now = Instant::now();
        for id in self.remote()?.changed(longest, ours)? {
            if let Some(poll) = self.polls.get_mut(&id) {
                poll.next = now;
            }
        }
        Ok(())
    }

    /// Does what can be done for a job now.
    fn advance(&mut self, request: &JobRequest) -> Result<(), Stop> {
        let over = |sink: &Self| {
            sink.ledger
                .get(&request.id)
                .is_none_or(|e| e.state.is_over())
        };
        if over(self) {
            return Ok(());
        }
        let last = request.steps.len().saturating_sub(1);
        for index in 0..request.steps.len() {
            let Some(entry) = self.ledger.get(&request.id) else {
                return Ok(());
            };
            let ready = index < last
                || entry
                    .jobs
                    .iter()
                    .take(last)
                    .all(|job| job.state == State::Complete);
            let Some(job) = entry.jobs.get(index).filter(|_| ready) else {
                continue;
            };
            match (job.state, job.id.clone()) {
                (State::Waiting, _) => self.submit(request, index)?,
                (State::Submitted | State::Progressing, Some(id)) => {
                    self.ask(request, index, &id)?
                }
                _ => {}
            }
            if over(self) {
                break;
            }
        }
        Ok(())
    }

    fn submit(&mut self, request: &JobRequest, index: usize) -> Result<(), Stop> {
        if self.ledger.in_flight() >= self.options.in_flight as usize {
            return Ok(());
        }
        let Some(step) = request.steps.get(index) else {
            return Ok(());
        };
        let remote = self.remote()?;
        for upload in &request.uploads {
            if self.uploaded.contains(&upload.to) {
                continue;
            }
            match remote.upload(upload) {
                Ok(()) => drop(self.uploaded.insert(upload.to.clone())),
                Err(Fault::Never(reason)) => {
                    let reason = format!("{} cannot be written: {reason}", upload.to);
                    return self.fail(request, index, reason);
                }
                Err(Fault::Later(error)) => return Err(error.into()),
            }
        }
        let asked = self.job(request, index).and_then(|job| job.asked);
        let first = asked.unwrap_or_else(now);
        self.set(request, index, |job| job.asked = Some(first));
        self.save()?;
        let created = remote.create(&step.token, &step.job.to_string(), asked);
        match created {
            Ok(job) => {
                tracing::info!(
                    job = job.id,
                    subject = request.subject,
                    "submitted to MediaConvert"
                );
                self.polls.remove(&job.id);
                self.know(request, index, job)
            }
            Err(error) => {
                if !may_exist(&error) && asked.is_none() {
                    self.set(request, index, |job| job.asked = None);
                    self.save()?;
                }
                match Fault::from(error) {
                    Fault::Never(reason) => self.fail(request, index, reason),
                    Fault::Later(error) => Err(error.into()),
                }
            }
        }
    }

    /// Who is told by a queue asks rarely.
    fn first_pause(&self) -> Duration {
        let first = self.options.first_poll();
        match self.options.queue_events {
            Some(_) => first * LONGEST_POLL,
            None => first,
        }
    }

    /// Asks for a job, when it is time.
    fn ask(&mut self, request: &JobRequest, index: usize, id: &str) -> Result<(), Stop> {
        let longest = self.options.first_poll() * LONGEST_POLL;
        let pause = self.first_pause();
        let poll = self.polls.entry(id.to_owned()).or_insert_with(|| Poll {
            next: Instant::now(),
            pause,
        });
        if Instant::now() < poll.next {
            return Ok(());
        }
        poll.next = Instant::now() + poll.pause;
        poll.pause = poll.pause.mul_f64(1.5).min(longest);
        match self.remote()?.get(id) {
            Ok(job) => self.know(request, index, job),
            Err(AwsError::NotFound { .. }) => self.fail(
                request,
                index,
                "MediaConvert does not know the job any more".to_owned(),
            ),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes over what MediaConvert says of a job.
    fn know(&mut self, request: &JobRequest, index: usize, job: Job) -> Result<(), Stop> {
        for warning in &job.warnings {
            tracing::warn!(job = job.id, warning, "MediaConvert warns");
        }
        let state = match job.status {
            JobStatus::Submitted => State::Submitted,
            JobStatus::Progressing => State::Progressing,
            JobStatus::Complete => State::Complete,
            JobStatus::Canceled | JobStatus::Error => State::Failed,
        };
        let before = self.job(request, index).cloned();
        self.set(request, index, |known| {
            known.id = Some(job.id.clone());
            known.asked = None;
            known.percent = job.percent;
            known.state = state;
        });
        let pause = self.first_pause();
        self.polls.entry(job.id.clone()).or_insert_with(|| Poll {
            next: Instant::now() + pause,
            pause,
        });
        match job.status {
            JobStatus::Canceled => return self.fail(request, index, "it was cancelled".to_owned()),
            JobStatus::Error => {
                let code = job
                    .error_code
                    .map(|code| format!("error {code}: "))
                    .unwrap_or_default();
                let message = job
                    .error_message
                    .unwrap_or_else(|| "without a reason".to_owned());
                return self.fail(request, index, format!("{code}{message}"));
            }
            _ => {}
        }
        let last = index + 1 == request.steps.len();
        match state {
            State::Complete if last => self.complete(request)?,
            _ => {
                let entry = self.ledger.get_mut(&request.id);
                if let Some(entry) = entry.filter(|entry| !entry.state.is_over()) {
                    entry.state = match state {
                        State::Submitted if entry.state == State::Waiting => State::Submitted,
                        State::Submitted => entry.state,
                        _ => State::Progressing,
                    };
                }
            }
        }
        if self.job(request, index) != before.as_ref() {
            self.save()?;
        }
        Ok(())
    }

    fn complete(&mut self, request: &JobRequest) -> Result<(), Stop> {
        if let Some(entry) = self.ledger.get_mut(&request.id) {
            entry.state = State::Complete;
        }
        self.ledger.outdate(&request.subject, &request.id);
        self.changed = true;
        tracing::info!(subject = request.subject, outputs = ?request.outputs, "made by MediaConvert");
        let remote = self.remote()?;
        for object in &request.leftovers {
            if let Err(error) = remote.remove(object) {
                tracing::warn!(%error, "a part that is no longer needed stays in S3");
            }
        }
        Ok(())
    }

    /// It failed, which holds up nobody.
    fn fail(&mut self, request: &JobRequest, index: usize, reason: String) -> Result<(), Stop> {
        self.set(request, index, |job| {
            job.state = State::Failed;
            job.asked = None;
        });
        let id = self.job(request, index).and_then(|job| job.id.clone());
        let named = id.map(|id| format!(" (job {id})")).unwrap_or_default();
        if let Some(entry) = self.ledger.get_mut(&request.id) {
            entry.state = State::Failed;
            entry.error = Some(reason.clone());
        }
        self.changed = true;
        self.notice(format!("{} failed{named}: {reason}", request.subject), true);
        self.cancel_rest(request)?;
        self.save()
    }

    /// Something else is wanted instead.
    fn supersede(&mut self, request: &JobRequest) -> Result<(), Stop> {
        let Some(entry) = self.ledger.get(&request.id) else {
            return Ok(());
        };
        if matches!(entry.state, State::Failed | State::Superseded) {
            return Ok(());
        }
        self.cancel_rest(request)?;
        if let Some(entry) = self.ledger.get_mut(&request.id) {
            entry.state = State::Superseded;
        }
        self.save()
    }

    /// Cancels what is still with MediaConvert.
    fn cancel_rest(&mut self, request: &JobRequest) -> Result<(), Stop> {
        for index in 0..request.steps.len() {
            let job = self.job(request, index).cloned().unwrap_or_default();
            if let (State::Submitted | State::Progressing, Some(id)) = (job.state, job.id) {
                self.remote()?.cancel(&id)?;
                self.set(request, index, |job| job.state = State::Superseded);
            }
        }
        Ok(())
    }

    fn job(&self, request: &JobRequest, index: usize) -> Option<&super::ledger::Job> {
        self.ledger.get(&request.id)?.jobs.get(index)
    }

    fn set(
        &mut self,
        request: &JobRequest,
        index: usize,
        act: impl FnOnce(&mut super::ledger::Job),
    ) {
        let entry = self.ledger.get_mut(&request.id);
        if let Some(job) = entry.and_then(|entry| entry.jobs.get_mut(index)) {
            act(job);
        }
    }

    fn is_over(&self, row: &outlet::Posted) -> bool {
        match self.rows.get(&row.id) {
            Some(Posted::Make(request)) => {
                let entry = self.ledger.get(&request.id);
                entry.is_none_or(|entry| entry.state.is_over())
            }
            _ => true,
        }
    }

    /// Does what can be done for all rows.
    fn work(&mut self, batch: &[outlet::Posted]) -> Result<(), Stop> {
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        for (id, row) in &self.rows {
            newest.insert(row.subject().to_owned(), *id);
        }
        for row in batch {
            let Some(posted) = self.rows.get(&row.id) else {
                continue;
            };
            let is_newest = newest.get(posted.subject()) == Some(&row.id);
            match posted.clone() {
                Posted::Make(request) if is_newest => self.advance(&request)?,
                Posted::Make(request) => self.supersede(&request)?,
                Posted::Gone { subject } if is_newest => {
                    self.ledger.outdate(&subject, "");
                    self.save()?;
                }
                Posted::Gone { .. } | Posted::Refused(_) => {}
            }
        }
        Ok(())
    }

    /// How far everything is, from time to time.
    fn tell(&mut self, is_done: bool) {
        let due = self.told.elapsed() >= TELL;
        let wanted = if is_done { self.changed } else { due };
        if !wanted {
            return;
        }
        let (complete, failed, open, estimate) = self.ledger.counts();
        let mut text = format!("{complete} of {} made", complete + failed + open);
        if failed > 0 {
            text.push_str(&format!(", {failed} failed"));
        }
        text.push_str(&format!(", about {:.2} US dollars", estimate.usd));
        let entries = self.ledger.entries().iter();
        let working: Vec<String> = entries
            .filter(|entry| entry.state == State::Progressing)
            .take(3)
            .map(|entry| format!("{} {} %", entry.subject, entry.percent()))
            .collect();
        if !working.is_empty() {
            text.push_str(&format!("; {}", working.join(", ")));
        }
        if is_done {
            text.push_str(&format!("; see {}", self.ledger.path().display()));
        }
        self.notice(text, false);
        self.told = Instant::now();
        self.changed = false;
    }

    /// When there is something to do again.
    fn again(&self) -> Duration {
        let now = Instant::now();
        let open = self.ledger.entries().iter().flat_map(|entry| &entry.jobs);
        let open = open.filter(|job| matches!(job.state, State::Submitted | State::Progressing));
        let next = open.filter_map(|job| self.polls.get(job.id.as_ref()?));
        let next = next
            .map(|poll| poll.next.saturating_duration_since(now))
            .min();
        let longest = match self.options.queue_events {
            // The queue itself is waited for.
            Some(_) => Duration::from_millis(10),
            None => self.options.first_poll(),
        };
        next.unwrap_or(longest).min(longest)
    }
}

impl Outlet for MediaConvertSink {
    fn carry(&mut self, batch: &[outlet::Posted]) -> Result<Carried, OutletError> {
        self.take(batch)?;
        let flying = self.ledger.in_flight() > 0;
        let heard = match flying {
            true => self.listen(LISTEN),
            false => Ok(()),
        };
        let worked = heard.and_then(|()| self.work(batch));
        let rows = batch.iter().take_while(|row| self.is_over(row)).count();
        let is_done = rows == batch.len();
        self.tell(is_done);
        worked
            .map_err(|stop| {
                // The next try reads credentials anew: those that have expired are replaced from outside.
                self.remote = None;
                stop.into()
            })
            .map(|()| match is_done {
                true => Carried::All,
                false => Carried::Some {
                    rows,
                    again: self.again(),
                },
            })
    }

    fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn patience(&self) -> Duration {
        self.options.patience()
    }
}

/// Why work is broken off, to be begun again after a pause.
enum Stop {
    Aws(AwsError),
    Disk(SinkError),
}

impl From<AwsError> for Stop {
    fn from(error: AwsError) -> Self {
        Stop::Aws(error)
    }
}

impl From<Stop> for OutletError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Aws(error) => OutletError {
                message: error.to_string(),
                hint: None,
                domain: error.domain(),
                is_final: false,
            },
            Stop::Disk(error) => disk(error),
        }
    }
}

fn disk(error: SinkError) -> OutletError {
    OutletError {
        hint: error.hint().map(str::to_owned),
        message: error.to_string(),
        domain: Domain::External,
        is_final: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cost::Estimate;
    use super::super::job::{Refused, Step};
    use super::*;
    use serde_json::json;

    fn make(id: &str, subject: &str) -> Posted {
        Posted::Make(Box::new(JobRequest {
            id: id.to_owned(),
            subject: subject.to_owned(),
            frames: 25,
            steps: vec![Step {
                token: id.to_owned(),
                job: json!({}),
            }],
            uploads: Vec::new(),
            outputs: Vec::new(),
            leftovers: Vec::new(),
            estimate: Estimate::default(),
        }))
    }

    /// Nothing is in flight, so nobody is asked: what is decided without MediaConvert.
    #[test]
    fn what_is_refused_or_superseded_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cloud.json");
        let options = MediaConvertOptions {
            in_flight: 0,
            ..MediaConvertOptions::default()
        };
        let open = || MediaConvertSink::new(options.clone(), &path, "run 1").unwrap();
        let refused = Posted::Refused(Refused {
            subject: "clip 1".to_owned(),
            reason: "it holds no frame".to_owned(),
        });
        let gone = Posted::Gone {
            subject: "clip 3".to_owned(),
        };
        let rows = [
            refused,
            make("a", "clip 2"),
            make("c", "clip 3"),
            make("b", "clip 2"),
            gone,
        ];
        let rows: Vec<outlet::Posted> = (1i64..)
            .zip(&rows)
            .map(|(id, row)| outlet::Posted {
                id,
                payload: serde_json::to_string(row).unwrap(),
            })
            .collect();
        let states = |sink: &MediaConvertSink| -> Vec<State> {
            sink.ledger
                .entries()
                .iter()
                .map(|entry| entry.state)
                .collect()
        };
        let mut sink = open();
        let carried = sink.carry(&rows).unwrap();
        // Of "clip 2" the later job is wanted, and of "clip 3" none.
        assert!(
            matches!(carried, Carried::Some { rows: 3, .. }),
            "{carried:?}"
        );
        use State::{Failed, Superseded, Waiting};
        assert_eq!(states(&sink), [Failed, Superseded, Superseded, Waiting]);
        let notices = sink.notices();
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].text, "clip 1 is not made: it holds no frame");
        // A run that is taken up knows all that, and does not say it again.
        let mut again = open();
        assert_eq!(
            again.carry(rows.get(3..).unwrap()).unwrap(),
            Carried::Some {
                rows: 0,
                again: options.first_poll(),
            }
        );
        assert_eq!(
            (states(&again), again.notices()),
            (states(&sink), Vec::new())
        );
    }
}
