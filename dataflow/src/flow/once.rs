//! Rows that may be said several times and are there once. Differential's own `distinct` keeps what
//! went in and what came out, each in a trace; here one counter for each row is enough, since all
//! that is asked is whether a count begins or ceases to be positive.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, ExchangeData, Hashable, VecCollection};
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};

/// Each row of `rows` once, as long as anybody says it.
pub fn once<'scope, D: ExchangeData + Hash>(
    rows: VecCollection<'scope, u64, D, isize>,
    name: &str,
) -> VecCollection<'scope, u64, D, isize> {
    type Pending<D> = (Capability<u64>, Vec<(D, isize)>);
    let route = Exchange::new(|row: &(D, u64, isize)| row.0.hashed());
    rows.inner
        .unary_frontier(route, name, move |_, _| {
            let mut pending: BTreeMap<u64, Pending<D>> = BTreeMap::new();
            let mut counts: HashMap<D, isize> = HashMap::new();
            move |(input, frontier), output| {
                input.for_each(|capability, rows| {
                    let Some(capability) = capability.retain_least(0) else {
                        return;
                    };
                    for (row, epoch, diff) in rows.drain(..) {
                        pending
                            .entry(epoch)
                            .or_insert_with(|| (capability.delayed(&epoch), Vec::new()))
                            .1
                            .push((row, diff));
                    }
                });
                while let Some(first) = pending.first_entry() {
                    if frontier.less_equal(first.key()) {
                        break; // this epoch may still grow
                    }
                    let (epoch, (capability, mut changes)) = first.remove_entry();
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
