//! What became of the jobs of a sink, in a document among the results: people find outputs, progress, costs and errors
//! in it, and a run that is taken up finds which jobs there are already.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::cost::Estimate;
use super::job::{JobRequest, Refused};
use crate::error::SinkError;
use crate::files::{create_dir, write_atomically};

/// How far something is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// It is not with MediaConvert yet.
    #[default]
    Waiting,
    /// It waits in a queue of MediaConvert.
    Submitted,
    /// It is worked on.
    Progressing,
    /// Its outputs are there.
    Complete,
    /// It failed, was refused or cancelled.
    Failed,
    /// Something else is wanted instead of it.
    Superseded,
}

impl State {
    pub(super) fn is_over(self) -> bool {
        matches!(self, State::Complete | State::Failed | State::Superseded)
    }
}

/// A job of MediaConvert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Job {
    /// Its client request token.
    pub token: String,
    /// The id that MediaConvert gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When it was asked for, in seconds since the Unix epoch, while it is not known whether it was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<i64>,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<i32>,
}

/// What became of one thing that is made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub id: String,
    pub subject: String,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub frames: u64,
    pub outputs: Vec<String>,
    pub estimate: Estimate,
    pub jobs: Vec<Job>,
}

impl Entry {
    fn of(request: &JobRequest) -> Self {
        let job = |token: &String| Job {
            token: token.clone(),
            ..Job::default()
        };
        Entry {
            id: request.id.clone(),
            subject: request.subject.clone(),
            frames: request.frames,
            outputs: request.outputs.clone(),
            estimate: request.estimate,
            jobs: request.steps.iter().map(|step| job(&step.token)).collect(),
            ..Entry::default()
        }
    }

    /// The share of its jobs that is done, of 100.
    pub(super) fn percent(&self) -> i32 {
        let done = |job: &Job| match job.state {
            State::Complete => 100,
            _ => job.percent.unwrap_or(0),
        };
        let all: i32 = self.jobs.iter().map(done).sum();
        all / i32::try_from(self.jobs.len().max(1)).unwrap_or(1)
    }
}

/// The document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Document {
    /// Names the run.
    run: String,
    /// What its jobs come to, those that failed left out.
    estimate: Estimate,
    entries: Vec<Entry>,
}

/// What became of the jobs of a sink.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    document: Document,
}

impl Ledger {
    /// What is known of the jobs of this run; nothing of another one.
    pub(super) fn open(path: &Path, run: &str) -> Result<Self, String> {
        let new = || Document {
            run: run.to_owned(),
            ..Document::default()
        };
        let document = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|_| new()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => new(),
            // What may be there must not be asked for twice.
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let document = if document.run == run { document } else { new() };
        Ok(Ledger {
            path: path.to_owned(),
            document,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it, whole.
    pub(super) fn save(&mut self) -> Result<(), SinkError> {
        let counted = self.document.entries.iter();
        let counted = counted.filter(|entry| entry.state != State::Failed);
        self.document.estimate =
            counted.fold(Estimate::default(), |sum, entry| sum.plus(entry.estimate));
        if let Some(parent) = self.path.parent() {
            create_dir(parent)?;
        }
        let json = serde_json::to_vec_pretty(&self.document);
        let mut json = json.map_err(|source| SinkError::Json {
            path: self.path.clone(),
            source,
        })?;
        json.push(b'\n');
        write_atomically(&self.path, &json)
    }

    /// Takes up a job that is to be made; whether it is new.
    pub(super) fn add(&mut self, request: &JobRequest) -> bool {
        if self.get(&request.id).is_some() {
            return false;
        }
        self.document.entries.push(Entry::of(request));
        true
    }

    /// Takes up that there is no job; whether it is new.
    pub(super) fn refuse(&mut self, refused: &Refused) -> bool {
        let id = format!("{}: {}", refused.subject, refused.reason);
        if self.get(&id).is_some() {
            return false;
        }
        self.document.entries.push(Entry {
            id,
            subject: refused.subject.clone(),
            state: State::Failed,
            error: Some(refused.reason.clone()),
            ..Entry::default()
        });
        true
    }

    pub(super) fn get(&self, id: &str) -> Option<&Entry> {
        self.document.entries.iter().find(|entry| entry.id == id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Entry> {
        let mut entries = self.document.entries.iter_mut();
        entries.find(|entry| entry.id == id)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.document.entries
    }

    /// What was made of `subject` and is not `id` is no longer what is wanted.
    pub(super) fn outdate(&mut self, subject: &str, id: &str) {
        let entries = self.document.entries.iter_mut();
        for entry in entries.filter(|entry| entry.subject == subject && entry.id != id) {
            if entry.state == State::Complete {
                entry.state = State::Superseded;
            }
        }
    }

    /// Jobs that are with MediaConvert.
    pub(super) fn in_flight(&self) -> usize {
        let jobs = self.document.entries.iter().flat_map(|entry| &entry.jobs);
        let flying = |job: &&Job| matches!(job.state, State::Submitted | State::Progressing);
        jobs.filter(flying).count()
    }

    /// How many are complete, failed and neither, and what those that did not fail come to.
    pub(super) fn counts(&self) -> (usize, usize, usize, Estimate) {
        let count = |wanted: &dyn Fn(State) -> bool| {
            let entries = self.document.entries.iter();
            entries.filter(|entry| wanted(entry.state)).count()
        };
        (
            count(&|state| state == State::Complete),
            count(&|state| state == State::Failed),
            count(&|state| !state.is_over()),
            self.document.estimate,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mediaconvert::Step;
    use serde_json::json;

    fn request(id: &str, subject: &str) -> JobRequest {
        JobRequest {
            id: id.to_owned(),
            subject: subject.to_owned(),
            frames: 25,
            steps: vec![Step {
                token: id.to_owned(),
                job: json!({}),
            }],
            uploads: Vec::new(),
            outputs: vec![format!("s3://b/{id}.mp4")],
            leftovers: Vec::new(),
            estimate: Estimate {
                minutes: 1.0,
                usd: 0.01,
            },
        }
    }

    #[test]
    fn what_is_known_of_a_run_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mediaconvert/cloud.json");
        let mut ledger = Ledger::open(&path, "run 1").unwrap();
        assert!(ledger.add(&request("a", "clip 1")) && !ledger.add(&request("a", "clip 1")));
        let refused = Refused {
            subject: "clip 2".to_owned(),
            reason: "it holds no frame".to_owned(),
        };
        assert!(ledger.refuse(&refused) && !ledger.refuse(&refused));
        let job = &mut ledger.get_mut("a").unwrap().jobs[0];
        (job.id, job.state, job.percent) = (Some("1-a".into()), State::Progressing, Some(40));
        ledger.save().unwrap();
        let mut again = Ledger::open(&path, "run 1").unwrap();
        assert_eq!(again.entries(), ledger.entries());
        assert_eq!((again.in_flight(), again.entries()[0].percent()), (1, 40));
        let (complete, failed, open, estimate) = again.counts();
        assert_eq!((complete, failed, open, estimate.usd), (0, 1, 1, 0.01));
        again.get_mut("a").unwrap().state = State::Complete;
        again.outdate("clip 1", "b");
        assert_eq!(again.get("a").unwrap().state, State::Superseded);
        assert!(Ledger::open(&path, "run 2").unwrap().entries().is_empty());
    }
}
