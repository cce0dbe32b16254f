//! Rows that may be said several times and are there once. Differential's own `distinct` keeps what
//! went in and what came out, each in a trace; here one counter for each row is enough, since all
//! that is asked is whether a count begins or ceases to be positive.

use std::hash::Hash;

use differential_dataflow::consolidation::consolidate;
use differential_dataflow::{AsCollection, ExchangeData, Hashable, VecCollection};
use rustc_hash::{FxHashMap, FxHashSet};
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Operator;

use super::epochs::Epochs;

/// How often each row is said. Nearly every one is said once, and takes no room for a number.
struct Counts<D> {
    single: FxHashSet<D>,
    others: FxHashMap<D, isize>,
}

impl<D> Default for Counts<D> {
    fn default() -> Self {
        Counts {
            single: FxHashSet::default(),
            others: FxHashMap::default(),
        }
    }
}

impl<D: Eq + Hash> Counts<D> {
    fn get(&self, row: &D) -> isize {
        match self.single.contains(row) {
            true => 1,
            false => self.others.get(row).copied().unwrap_or_default(),
        }
    }

    /// Changes the count of a row from `before` to `now`.
    fn set(&mut self, row: D, before: isize, now: isize) {
        match before {
            0 => {}
            1 => drop(self.single.remove(&row)),
            _ => drop(self.others.remove(&row)),
        }
        match now {
            0 => {}
            1 => drop(self.single.insert(row)),
            _ => drop(self.others.insert(row, now)),
        }
    }
}

/// Each row of `rows` once, as long as anybody says it.
pub fn once<'scope, D: ExchangeData + Hash>(
    rows: VecCollection<'scope, u64, D, isize>,
    name: &str,
) -> VecCollection<'scope, u64, D, isize> {
    let route = Exchange::new(|row: &(D, u64, isize)| row.0.hashed());
    rows.inner
        .unary_frontier(route, name, move |_, _| {
            let mut epochs = Epochs::new();
            let mut counts = Counts::default();
            move |(input, frontier), output| {
                input.for_each(|capability, rows| {
                    epochs.receive_differences(capability.retain_least(0), rows)
                });
                while let Some((epoch, capability, mut changes)) = epochs.next(frontier) {
                    consolidate(&mut changes);
                    let mut session = output.session(&capability);
                    for (row, diff) in changes {
                        let before = counts.get(&row);
                        let now = before + diff;
                        let said = isize::from(now > 0) - isize::from(before > 0);
                        if said != 0 {
                            session.give((row.clone(), epoch, said));
                        }
                        counts.set(row, before, now);
                    }
                }
            }
        })
        .as_collection()
}
