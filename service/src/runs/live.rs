//! An event that is not over, as those see it who ask for it while it runs: what it has come to, and which
//! epochs stand. An epoch that only an interrupt brought is taken back when the event goes on, so it is
//! never told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use matchcut_dataflow::run::engine::Progress;
use matchcut_dataflow::run::publish::News;
use matchcut_model::change::EventState;
use tokio::sync::watch;

use crate::store::runs::Counts;

/// What others follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last epoch that stands.
    pub epoch: Option<u64>,
    /// Nothing more will come.
    pub over: bool,
}

#[derive(Default)]
struct Now {
    counts: Option<Counts>,
    finishing: bool,
}

/// An event that waits or runs.
pub struct Live {
    stop: Arc<AtomicBool>,
    ends: Arc<AtomicBool>,
    now: Mutex<Now>,
    standing: watch::Sender<Standing>,
}

impl Live {
    /// Of an event of which epochs up to `epoch` stand.
    pub fn new(epoch: Option<u64>) -> Live {
        let (standing, _) = watch::channel(Standing { epoch, over: false });
        Live {
            stop: Arc::default(),
            ends: Arc::default(),
            now: Mutex::default(),
            standing,
        }
    }

    /// Tells its source to be read no further.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// The same, and the event is over with it.
    pub fn end(&self) {
        self.ends.store(true, Ordering::SeqCst);
        self.stop();
    }

    /// What its run looks at to see whether a stop is the end.
    pub fn ending(&self) -> &Arc<AtomicBool> {
        &self.ends
    }

    /// What its run looks at to see whether it is to stop.
    pub fn stopping(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// What it has come to, where this process knows.
    pub fn counts(&self) -> Option<Counts> {
        self.with(|now| now.counts)
    }

    /// Whether everything is read, and only videos are still made.
    pub fn finishing(&self) -> bool {
        self.with(|now| now.finishing)
    }

    /// The last epoch that stands.
    pub fn epoch(&self) -> Option<u64> {
        self.standing.borrow().epoch
    }

    /// Follows which epochs stand.
    pub fn follow(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Epochs up to `epoch` stand.
    pub fn stands(&self, epoch: Option<u64>) {
        self.standing.send_if_modified(|standing| {
            let more = epoch > standing.epoch;
            if more {
                standing.epoch = epoch;
            }
            more
        });
    }

    /// Nothing more will come.
    pub fn over(&self) {
        self.standing.send_modify(|standing| standing.over = true);
    }

    /// Takes in what happened.
    pub fn progress(&self, progress: &Progress<'_>) {
        match progress {
            Progress::Committed {
                epoch,
                state,
                provisional,
                ..
            } => {
                let counts = counts(state);
                self.with(|now| now.counts = Some(counts));
                if !provisional {
                    self.stands(Some(epoch.0));
                }
            }
            Progress::Finishing => self.with(|now| now.finishing = true),
            Progress::Failure(failure) => {
                tracing::warn!(input = failure.input, "{}", failure.message);
            }
            Progress::Sink(News::Trouble { sink, error }) => tracing::warn!(%sink, "{error}"),
            Progress::Sink(News::Recovered { .. }) => {}
            Progress::Sink(News::Notice { sink, notice }) => match notice.is_warning {
                true => tracing::warn!(%sink, "{}", notice.text),
                false => tracing::info!(%sink, "{}", notice.text),
            },
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Now) -> T) -> T {
        act(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What stands.
pub fn counts(state: &EventState) -> Counts {
    Counts {
        segments: state.segments().len(),
        observations: state.observations().len(),
        replays: state.replays().len(),
        failures: state.failures().len(),
    }
}
