//! Puts what the loader tells, or an earlier process had committed, into the log: one entry an epoch, as credits
//! allow, noted for the committing thread and handed to the worker that owns the event.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use crossbeam_channel::Sender;
use matchcut_model::chunk::Epoch;

use super::admission::Gate;
use super::commit::{Admitted, Told, UnderWay};
use super::loader::{Entry, Loads};
use super::log::{InputProgress, LogInput, Logged};
use super::media::MediaStore;
use super::meter::Meter;
use crate::flow::{ChunkEntry, Control, ScanRow, Scanned};

/// An entry for the dataflow, or the end of the log.
pub(super) enum Feed {
    Chunk(u64, ChunkEntry),
    Controls(u64, Vec<(Control, i64)>),
    Close,
}

/// Puts entries into the log, one epoch each, as credits allow.
pub(super) struct Admitter {
    pub gate: Gate,
    pub ends: Arc<AtomicBool>,
    pub feed: Sender<Feed>,
    pub tell: Sender<Told>,
    pub owner: Thread,
    pub under_way: UnderWay,
    pub media: Arc<MediaStore>,
    pub meter: Meter,
}

impl Admitter {
    /// Passes on what an earlier process had committed.
    pub fn feed_again(&mut self, entries: Vec<Logged>) {
        for logged in entries {
            let epoch = logged.epoch;
            let feed = match (&logged.input, logged.scanned()) {
                (LogInput::Controls(controls), _) => Feed::Controls(epoch, controls.clone()),
                (_, Some(scanned)) => Feed::Chunk(epoch, ChunkEntry::Scanned(scanned)),
                (_, None) => continue,
            };
            let admitted = Admitted {
                input: logged.input,
                rows: Vec::new(),
                progress: Vec::new(),
                stored: Some(logged.digest),
                provisional: false,
            };
            self.under_way.admit(epoch, admitted);
            self.send(feed);
        }
    }

    /// The first entry: the replays of the spec.
    pub fn begin(&mut self, replays: Vec<Control>) -> bool {
        let controls = replays.into_iter().map(|control| (control, 1)).collect();
        let progress = InputProgress::default();
        self.controls(controls, &progress, false)
    }

    pub fn admit(&mut self, loads: Loads) -> bool {
        match loads {
            Loads::Entry(Entry::Chunk(placed, loaded), bytes, progress) => {
                let Some(epoch) = self.gate.admit(bytes) else {
                    return false;
                };
                self.media.pin(epoch, loaded);
                self.meter.placed(bytes);
                let input = LogInput::Chunk(Arc::clone(&placed));
                self.under_way(epoch, input, Vec::new(), &progress, false);
                self.send(Feed::Chunk(epoch.0, ChunkEntry::Placed { epoch, placed }))
            }
            Loads::Entry(Entry::Gap(position, rows, again), bytes, progress) => {
                let Some(epoch) = self.gate.admit(bytes) else {
                    return false;
                };
                self.meter.missing();
                let input = LogInput::Gap(position, again.map(Box::new));
                self.under_way(epoch, input, rows.clone(), &progress, false);
                let scanned = Scanned { position, rows };
                self.send(Feed::Chunk(epoch.0, ChunkEntry::Scanned(scanned)))
            }
            Loads::Entry(Entry::Controls(controls), _, progress) => {
                self.controls(controls, &progress, false)
            }
            Loads::End {
                at,
                broken,
                interrupted,
                progress,
            } => {
                // An end that is no end of the event is not kept: the run can be gone on with.
                let interrupted = interrupted && !self.ends.load(Ordering::SeqCst);
                let provisional = interrupted || broken.is_some();
                self.controls(vec![(Control::End(at), 1)], &progress, provisional);
                self.tell.send(Told::Ended { broken }).is_ok()
            }
        }
    }

    fn under_way(
        &self,
        epoch: Epoch,
        input: LogInput,
        rows: Vec<ScanRow>,
        progress: &InputProgress,
        provisional: bool,
    ) {
        let admitted = Admitted {
            input,
            rows,
            progress: serde_json::to_vec(progress).unwrap_or_default(),
            stored: None,
            provisional,
        };
        self.under_way.admit(epoch.0, admitted);
    }

    fn controls(
        &mut self,
        controls: Vec<(Control, i64)>,
        progress: &InputProgress,
        provisional: bool,
    ) -> bool {
        let Some(epoch) = self.gate.admit(0) else {
            return false;
        };
        let input = LogInput::Controls(controls.clone());
        self.under_way(epoch, input, Vec::new(), progress, provisional);
        self.send(Feed::Controls(epoch.0, controls))
    }

    pub fn close(&mut self) {
        self.send(Feed::Close);
    }

    fn send(&self, feed: Feed) -> bool {
        self.meter.in_flight(self.gate.in_flight());
        let sent = self.feed.send(feed).is_ok();
        self.owner.unpark();
        sent
    }
}
