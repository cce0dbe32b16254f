//! What came of a run that is over, from its log alone: nothing is read, decoded or written.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};

use matchcut_model::change::{Change, EpochChanges, EventState};
use matchcut_model::chunk::Epoch;

use super::convert;
use super::engine::RunError;
use super::log::{EventStore, LogInput, Logged};
use super::pool::Pool;
use crate::flow::{ChunkEntry, Delivery, Scanned, Scanner, install};
use crate::plan::Plan;

/// The state at the end of the log.
pub fn look_back(plan: &Plan, store: &EventStore) -> Result<EventState, RunError> {
    let mut log: Vec<Logged> = Vec::new();
    store.read(|logged| {
        log.push(logged);
        Ok(())
    })?;
    let graph = convert::graph(plan, |_| false);
    let pool = Pool::new("log", 1).map_err(|error| RunError::Start(error.to_string()))?;
    let (sender, deliveries) = mpsc::channel();
    let slot = Mutex::new(Some((sender, log)));
    let guards = timely::execute(timely::Config::process(1), move |worker| {
        let Some((sender, log)) = slot.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return;
        };
        let scanner: Scanner = Arc::new(|entry| match entry {
            ChunkEntry::Scanned(scanned) => scanned.clone(),
            ChunkEntry::Placed { placed, .. } => Scanned {
                position: placed.chunk.position,
                rows: Vec::new(),
            },
        });
        let send = move |delivery| drop(sender.send(delivery));
        let Some(mut inputs) = install(worker, &graph, 0, pool.clone(), scanner, send) else {
            return;
        };
        for logged in log {
            match (&logged.input, logged.scanned()) {
                (LogInput::Controls(controls), _) => {
                    let entries = controls.iter().cloned();
                    inputs.controls(
                        logged.epoch,
                        entries.map(|(entry, diff)| (entry, diff as isize)),
                    );
                }
                (_, Some(scanned)) => inputs.chunk(logged.epoch, ChunkEntry::Scanned(scanned)),
                (_, None) => {}
            }
            worker.step();
        }
    })
    .map_err(RunError::Start)?;
    for result in guards.join() {
        result.map_err(RunError::Worker)?;
    }
    let mut state = EventState::default();
    for delivery in deliveries.try_iter() {
        if let Delivery::Epoch { epoch, changes } = delivery {
            let change = |(row, diff)| Change {
                row,
                diff: diff as i64,
            };
            state.apply(&EpochChanges {
                epoch: Epoch(epoch),
                changes: changes.into_iter().map(change).collect(),
            })?;
        }
    }
    Ok(state)
}
