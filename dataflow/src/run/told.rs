//! An event without media that is told entry by entry, and says after each what has changed. For
//! measuring how long that takes, on the same workers and channels as an event with media.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

use crossbeam_channel::{Receiver, Sender, unbounded};
use matchcut_model::change::{Change, EpochChanges, Row};
use matchcut_model::chunk::Epoch;
use timely::communication::WorkerGuards;

use super::engine::RunError;
use super::pool::Pool;
use crate::flow::{ChunkEntry, Control, Delivery, EventGraph, Scanned, Scanner, install};

/// A running event.
pub struct ToldEvent {
    entries: Option<Sender<(u64, Vec<Control>)>>,
    owner: Thread,
    deliveries: Receiver<Delivery<Row>>,
    next: u64,
    workers: WorkerGuards<()>,
}

impl ToldEvent {
    /// Starts the dataflow of `graph`.
    pub fn start(graph: &EventGraph, workers: usize) -> Result<Self, RunError> {
        let failed = |error: std::io::Error| RunError::Start(error.to_string());
        let pool = Pool::new("told", 1).map_err(failed)?;
        let (entries, told) = unbounded::<(u64, Vec<Control>)>();
        let (deliver, deliveries) = unbounded();
        let (tell_owner, owner) = unbounded();
        let slot = Mutex::new(Some((told, deliver)));
        let graph = graph.clone();
        let workers = timely::execute(timely::Config::process(workers.max(1)), move |worker| {
            // Nothing is decoded: an entry with media would say nothing.
            let scanner: Scanner = Arc::new(|entry| match entry {
                ChunkEntry::Scanned(scanned) => scanned.clone(),
                ChunkEntry::Placed { placed, .. } => Scanned {
                    position: placed.chunk.position,
                    rows: Vec::new(),
                },
            });
            let mut mine = None;
            if worker.index() == 0 {
                mine = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
            let (told, sender) = mine.unzip();
            let send = move |delivery| {
                if let Some(sender) = &sender {
                    let _: Result<(), _> = Sender::send(sender, delivery);
                }
            };
            let inputs = install(worker, &graph, 0, pool.clone(), scanner, send);
            let (Some(mut inputs), Some(told)) = (inputs, told) else {
                return;
            };
            let _ = tell_owner.send(thread::current());
            loop {
                match told.try_recv() {
                    Ok((epoch, controls)) => {
                        inputs.controls(epoch, controls.into_iter().map(|control| (control, 1)));
                    }
                    Err(error) if error.is_disconnected() => break,
                    // Sleeps until a peer or the next entry wakes this thread.
                    Err(_) => drop(worker.step_or_park(None)),
                }
            }
        })
        .map_err(RunError::Start)?;
        let owner = owner
            .recv()
            .map_err(|error| RunError::Worker(error.to_string()))?;
        Ok(ToldEvent {
            entries: Some(entries),
            owner,
            deliveries,
            next: 0,
            workers,
        })
    }

    /// Admits entries as one epoch and waits for what it changes.
    pub fn tell(&mut self, controls: Vec<Control>) -> Result<EpochChanges, RunError> {
        let stopped = || RunError::Worker("it hung up before the end of the event".to_owned());
        let entries = self.entries.as_ref().ok_or_else(stopped)?;
        entries.send((self.next, controls)).map_err(|_| stopped())?;
        self.owner.unpark();
        match self.deliveries.recv() {
            Ok(Delivery::Epoch { epoch, changes }) => {
                self.next = epoch + 1;
                let change = |(row, diff)| Change {
                    row,
                    diff: diff as i64,
                };
                let changes = changes.into_iter().map(change).collect();
                Ok(EpochChanges {
                    epoch: Epoch(epoch),
                    changes,
                })
            }
            _ => Err(stopped()),
        }
    }

    /// Ends the event and waits for the workers.
    pub fn close(mut self) -> Result<(), RunError> {
        self.entries = None;
        self.owner.unpark();
        for result in self.workers.join() {
            result.map_err(RunError::Worker)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use matchcut_model::chunk::Position;
    use matchcut_model::observation::{Class, Observation};
    use matchcut_model::replay::{Compat, ReplayRequest};
    use matchcut_model::time::MediaTime;
    use matchcut_model::value::{Attributes, Name, Value};

    use super::*;
    use crate::flow::{OperatorNode, ReplayDefinition};

    #[test]
    fn every_entry_is_answered_with_its_own_changes() {
        let cheers = OperatorNode {
            name: Name::new("cheers"),
            class: Class::Featurer,
            operator: None,
            observations: Vec::new(),
            segmenter: None,
            rank: 0,
        };
        let graph = EventGraph {
            operators: vec![cheers],
            window: 4,
            mre: false,
        };
        for workers in [1, 2] {
            let mut event = ToldEvent::start(&graph, workers).unwrap();
            for number in 0..3 {
                let observation = Observation {
                    start: MediaTime::from_seconds(number),
                    end: MediaTime::from_seconds(number),
                    operator: Name::new("cheers"),
                    track: None,
                    attributes: Attributes::from([("peak".into(), Value::Bool(true))]),
                };
                let told = Control::observation(Position(0), observation.clone());
                let changes = event.tell(vec![told]).unwrap();
                let expected = vec![Change::insert(observation)];
                assert_eq!(changes.epoch, Epoch(number.unsigned_abs()));
                assert_eq!(changes.changes, expected);
            }
            event.close().unwrap();
        }
    }

    #[test]
    fn a_replay_that_nothing_was_kept_for_says_so() {
        let graph = EventGraph {
            operators: Vec::new(),
            window: 4,
            mre: false,
        };
        let request = ReplayRequest {
            compat: Compat::Mre,
            ..ReplayRequest::default()
        };
        let definition = ReplayDefinition {
            name: Name::new("best"),
            segmenter: Name::new("rally"),
            request,
            asked: None,
        };
        let mut event = ToldEvent::start(&graph, 1).unwrap();
        let told = vec![Control::Replay(Arc::new(definition))];
        let changes = event.tell(told).unwrap().changes;
        let [
            Change {
                row: Row::Failure(failure),
                diff: 1,
            },
        ] = changes.as_slice()
        else {
            panic!("{changes:?}")
        };
        assert_eq!(failure.input, "best");
        assert!(failure.message.contains("compat = \"mre\""), "{failure}");
        event.close().unwrap();
    }
}
