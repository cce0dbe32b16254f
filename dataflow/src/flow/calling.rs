//! The runtime of ordered parts that call out: as an ordered fold, but the steps are taken on a thread of
//! their own, one epoch after the other, while the worker goes on. The capability of an epoch is kept
//! until its answers are back, so that the frontier says what is really finished.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::unbounded;
use differential_dataflow::{AsCollection, VecCollection};
use matchcut_model::chunk::Position;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

use super::epochs::Epochs;
use super::fold::{FoldOutput, Item, OrderedFold, Track};
use crate::run::pool::Pool;

/// Folds the items of one operator of the spec in order of position, away from the worker.
pub fn calling_fold<'scope>(
    input: VecCollection<'scope, u64, (Position, Item), isize>,
    ordered: OrderedFold,
) -> VecCollection<'scope, u64, FoldOutput, isize> {
    let OrderedFold {
        name,
        fold,
        per_track,
        window,
        route,
    } = ordered;
    let worker = input.inner.scope().worker();
    input
        .inner
        .unary_frontier(
            Exchange::new(move |_| route),
            &format!("Call {name}"),
            move |_, info| {
                // Made on the worker's own thread, as it unparks the thread that made it.
                let activator = worker.sync_activator_for(info.address.to_vec());
                let (answer, answers) = unbounded::<(u64, Vec<(FoldOutput, isize)>)>();
                let track = Arc::new(Mutex::new(Track::new(fold, per_track)));
                // One thread: epochs are asked about in their order.
                let mut pool = None;
                let mut epochs = Epochs::new();
                let mut asked: BTreeMap<u64, Capability<u64>> = BTreeMap::new();
                move |(input, frontier), output| {
                    input.for_each(|capability, rows| {
                        epochs.receive_differences(capability.retain_least(0), rows);
                    });
                    while let Some((epoch, capability, changes)) = epochs.next(frontier) {
                        asked.insert(epoch, capability);
                        let (track, answer) = (Arc::clone(&track), answer.clone());
                        let activator = activator.clone();
                        let job = move || {
                            let mut track = track.lock().unwrap_or_else(PoisonError::into_inner);
                            // Both fail only if the dataflow was dropped: nobody waits any more.
                            let _ = answer.send((epoch, track.advance(window, changes)));
                            let _ = activator.activate();
                        };
                        let threads = || Pool::new(&format!("call {name}"), 1);
                        match pool.get_or_insert_with(threads) {
                            Ok(pool) => pool.run(job),
                            // A machine without another thread still gets its results.
                            Err(_) => job(),
                        }
                    }
                    for (epoch, rows) in answers.try_iter() {
                        let Some(capability) = asked.remove(&epoch) else {
                            continue;
                        };
                        let mut session = output.session(&capability);
                        for (row, diff) in rows {
                            session.give((row, epoch, diff));
                        }
                    }
                }
            },
        )
        .as_collection()
}
