//! Rows that may be said several times and are there once. Differential's own `distinct` keeps what
//! went in and what came out, each in a trace; here one counter for each row is enough, since all
//! that is asked is whether a count begins or ceases to be positive.

use std::collections::hash_map::Entry;
use std::hash::Hash;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, ExchangeData, Hashable, VecCollection};
use rustc_hash::FxHashMap;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::epochs::{CompleteEpoch, Epochs};

/// Each row of `rows` once, as long as anybody says it.
pub fn once<'scope, D: ExchangeData + Hash>(
    rows: VecCollection<'scope, u64, D, isize>,
    name: &str,
) -> VecCollection<'scope, u64, D, isize> {
    let route = Exchange::new(|row: &(D, u64, isize)| row.0.hashed());
    rows.inner
        .unary_frontier(route, name, move |_, _| {
            let mut epochs = Epochs::new();
            let mut counts: FxHashMap<D, isize> = FxHashMap::default();
            move |(input, frontier), output| {
                input.for_each(|capability, rows| epochs.receive(capability.retain_least(0), rows));
                while let Some(complete) = epochs.next(frontier) {
                    let CompleteEpoch {
                        epoch,
                        capability,
                        rows: mut changes,
                    } = complete;
                    consolidate(&mut changes);
                    let mut session = output.session(&capability);
                    for (row, diff) in changes {
                        match counts.entry(row) {
                            Entry::Vacant(unknown) => {
                                if diff > 0 {
                                    session.give((unknown.key().clone(), epoch, 1));
                                }
                                unknown.insert(diff);
                            }
                            Entry::Occupied(mut known) => {
                                let before = *known.get() > 0;
                                *known.get_mut() += diff;
                                let now = *known.get() > 0;
                                if before != now {
                                    let change = if now { 1 } else { -1 };
                                    session.give((known.key().clone(), epoch, change));
                                }
                                if *known.get() == 0 {
                                    known.remove();
                                }
                            }
                        }
                    }
                }
            }
        })
        .as_collection()
}
