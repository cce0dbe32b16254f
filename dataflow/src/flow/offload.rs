//! The media stage: blocking work leaves the workers. The operator keeps the capability of an epoch
//! while its work is outstanding, and is woken by a `SyncActivator` when a result is back, so that
//! the frontier says what is really finished.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::unbounded;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::{Capability, Operator};
use timely::{Container, ExchangeData};

use crate::run::pool::Pool;

/// Applies `work` to every record on the pool. Results come in any order within and across epochs.
/// A panic of `work` becomes `panicked(record, text)`: a lost result would hold the frontier for
/// ever.
pub fn offload<'scope, I, O>(
    input: StreamVec<'scope, u64, I>,
    name: &str,
    pool: Pool,
    route: impl Fn(&I) -> u64 + 'static,
    work: impl Fn(&I) -> O + Send + Sync + 'static,
    panicked: impl Fn(&I, String) -> O + Send + Sync + 'static,
) -> StreamVec<'scope, u64, O>
where
    I: ExchangeData + Send + Sync,
    O: Send + Clone + 'static,
    Vec<I>: Container,
    Vec<O>: Container,
{
    let worker = input.scope().worker();
    let work = Arc::new(work);
    let panicked = Arc::new(panicked);
    input.unary(Exchange::new(route), name, |_, info| {
        // Made on the worker's own thread, as it unparks the thread that made it.
        let activator = worker.sync_activator_for(info.address.to_vec());
        let (results, finished) = unbounded::<(u64, O)>();
        let mut outstanding: HashMap<u64, (Capability<u64>, usize)> = HashMap::new();
        move |input, output| {
            input.for_each(|capability, items| {
                let Some(capability) = capability.retain_least(0) else {
                    return;
                };
                let epoch = *capability.time();
                outstanding.entry(epoch).or_insert((capability, 0)).1 += items.len();
                for item in items.drain(..) {
                    let (work, panicked) = (Arc::clone(&work), Arc::clone(&panicked));
                    let (results, activator) = (results.clone(), activator.clone());
                    pool.run(move || {
                        let result = catch_unwind(AssertUnwindSafe(|| work(&item)))
                            .unwrap_or_else(|payload| panicked(&item, panic_text(&*payload)));
                        // Both fail only if the dataflow was dropped: nobody waits any more.
                        let _ = results.send((epoch, result));
                        let _ = activator.activate();
                    });
                }
            });
            for (epoch, result) in finished.try_iter() {
                let Some((capability, left)) = outstanding.get_mut(&epoch) else {
                    continue;
                };
                output.session(capability).give(result);
                *left -= 1;
                if *left == 0 {
                    outstanding.remove(&epoch);
                }
            }
        }
    })
}

fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a text".into())
}
