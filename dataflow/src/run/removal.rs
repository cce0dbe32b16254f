//! Removing an event also from those outside who were told of it: what is told then is put into the outbox, in the place
//! of everything that was still to be told, and carried away by the same outlets until it has arrived. A run that is cut
//! short is gone on with by beginning again.

use std::path::Path;
use std::thread;
use std::time::Duration;

use matchcut_model::chunk::Epoch;
use matchcut_sinks::EventInfo;

use super::engine::RunError;
use super::log::{EventStore, Taken};
use super::meter::Meter;
use super::post::{Ever, Post, of_removal};
use super::publish::News;
use crate::plan::Plan;

/// How often is looked whether everything has arrived.
const LOOKING: Duration = Duration::from_millis(50);

/// The kinds of sinks that have something to take back.
pub const KINDS: [&str; 2] = ["kafka", "s3"];

/// A removal under way.
pub struct Removal {
    post: Post,
    store: EventStore,
}

impl Removal {
    /// Begins to take back what the event in `dir` has told others, or goes on with it; nothing where nobody was told
    /// anything.
    pub fn begin(
        plan: &Plan,
        info: &EventInfo,
        dir: &Path,
        meter: &Meter,
    ) -> Result<Option<Removal>, RunError> {
        let mut plan = plan.clone();
        plan.sinks
            .retain(|sink| KINDS.contains(&sink.kind.as_str()));
        if plan.sinks.is_empty() {
            return Ok(None);
        }
        let Taken::Begun(mut store) = EventStore::take(dir)? else {
            return Ok(None);
        };
        if !store.is_taken_back()? {
            let ever = Ever {
                epoch: Epoch(store.epochs().saturating_sub(1)),
                segments: store.all_segments()?,
                replays: store.all_replays()?,
            };
            let told = of_removal(&plan, info, &ever).map_err(|error| {
                let message =
                    format!("what sinks are told of the removal cannot be written: {error}");
                RunError::Start(message)
            })?;
            store.take_back(&told)?;
        }
        let post = Post::open_counted(&plan, info, Some(&store), meter)?;
        Ok(Some(Removal { post, store }))
    }

    /// Waits until everybody has been told, while `goes_on` says so; whether it came to that. `tell` hears what happens
    /// and how much is left. A sink that gives up is an error.
    pub fn wait(
        &mut self,
        goes_on: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(&[News], u64),
    ) -> Result<bool, RunError> {
        loop {
            let news = self.post.publishers().news();
            let left = self.store.to_carry()?;
            tell(&news, left);
            for one in &news {
                if let News::Trouble { sink, error } = one
                    && error.is_final
                {
                    return Err(RunError::Start(format!("sink \"{sink}\": {error}")));
                }
            }
            if left == 0 {
                return Ok(true);
            }
            if !goes_on() {
                return Ok(false);
            }
            thread::sleep(LOOKING);
        }
    }
}
