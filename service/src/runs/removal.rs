//! Removing events: from their directories, and before that from those outside who were told of them. Who is away is told
//! when he is there again, also after a restart; meanwhile it is said what is waited for.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use matchcut_dataflow::run::convert;
use matchcut_dataflow::run::meter::Meter;
use matchcut_dataflow::run::publish::News;
use matchcut_dataflow::run::removal::{KINDS, Removal};
use matchcut_dataflow::spec::Catalog;

use super::inner::Inner;
use super::{allowed, spec};
use crate::store::StoreError;
use crate::store::asked_by;
use crate::store::runs::{self, Run};

/// How long until what could not be begun is begun again, and how often is looked meanwhile whether it is to be.
const AGAIN: Duration = Duration::from_secs(10);
const LOOKING: Duration = Duration::from_millis(100);

/// How far the removal of an event is.
#[derive(Default)]
pub struct Removing {
    trouble: Mutex<Option<String>>,
    left: AtomicU64,
    /// Others are left as they are.
    forced: AtomicBool,
}

impl Removing {
    /// What is in the way.
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        trouble.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How much others are still to be told.
    pub fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Leaves others as they are.
    pub fn force(&self) {
        self.forced.store(true, Ordering::SeqCst);
    }

    fn is_forced(&self) -> bool {
        self.forced.load(Ordering::SeqCst)
    }

    fn say(&self, trouble: Option<String>) {
        let mut said = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        *said = trouble;
    }
}

/// Whether a spec has sinks that would have to be told.
fn tells_others(text: &str) -> bool {
    let spec: toml::Table = text.parse().unwrap_or_default();
    let sinks = spec.get("sinks").and_then(|part| part.as_table());
    let mut kinds = sinks
        .into_iter()
        .flatten()
        .filter_map(|(_, sink)| sink.get("type")?.as_str());
    kinds.any(|kind| KINDS.contains(&kind))
}

impl Inner {
    /// Removes what an event came to, and then the event. What cannot be removed is tried again at the next start.
    pub fn erase(self: &Arc<Self>, id: &str) {
        let found = self.database.read(|db| runs::get(db, id));
        let run = match found {
            Ok(Some(run)) => run,
            Ok(None) => return,
            Err(error) => return not_removed(id, &error),
        };
        if !tells_others(&run.spec) || !self.dir.join(id).is_dir() {
            return self.erase_here(id);
        }
        let removing = Arc::clone(self.lock().removing.entry(id.to_owned()).or_default());
        let inner = Arc::clone(self);
        let thread = thread::Builder::new().name(format!("remove {id}"));
        let spawned = thread.spawn(move || {
            let _span = tracing::error_span!("removal", event = run.id).entered();
            if inner.take_back(&run, &removing) {
                inner.erase_here(&run.id);
            }
        });
        if let Err(error) = spawned {
            not_removed(id, &error);
        }
    }

    /// Tells others; false where the service ends before they all are.
    fn take_back(&self, run: &Run, removing: &Removing) -> bool {
        let dir = self.dir.join(&run.id);
        let goes_on = || !removing.is_forced() && !*self.stopping.borrow();
        while goes_on() {
            match self.try_take_back(run, &dir, removing, &goes_on) {
                Ok(true) => return true,
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(error, "an event cannot be taken back yet");
                    removing.say(Some(error));
                }
            }
            let begun = Instant::now();
            while begun.elapsed() < AGAIN && goes_on() {
                thread::sleep(LOOKING);
            }
        }
        removing.is_forced()
    }

    fn try_take_back(
        &self,
        run: &Run,
        dir: &Path,
        removing: &Removing,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<bool, String> {
        let told = |error: &dyn std::fmt::Display| error.to_string();
        let by = self.database.read(|db| asked_by::get(db, &run.id));
        let by = by.map_err(|error: StoreError| told(&error))?;
        if let Some((_, what)) = by.filter(|(role, _)| role != "admin") {
            allowed::check(&run.spec, dir, &self.sources, what).map_err(|error| told(&error))?;
        }
        let (plan, _) = spec::plan(&run.spec, dir).map_err(|error| told(&error))?;
        let info = convert::event_info(&plan, &Catalog::built_in());
        let meter = Meter::of(&plan).called(&run.id);
        let begun = Removal::begin(&plan, &info, dir, &meter).map_err(|error| told(&error))?;
        // Models that its operators loaded need not wait with it.
        drop(plan);
        let Some(mut removal) = begun else {
            return Ok(true);
        };
        let mut tell = |news: &[News], left: u64| {
            removing.left.store(left, Ordering::Relaxed);
            for one in news {
                match one {
                    News::Trouble { sink, error } => {
                        tracing::warn!(%sink, "{error}");
                        removing.say(Some(format!("sink \"{sink}\": {error}")));
                    }
                    News::Recovered { .. } => removing.say(None),
                    News::Notice { sink, notice } => tracing::info!(%sink, "{}", notice.text),
                }
            }
        };
        removal
            .wait(goes_on, &mut tell)
            .map_err(|error| told(&error))
    }

    /// Removes what is here.
    fn erase_here(&self, id: &str) {
        let erased = match fs::remove_dir_all(self.dir.join(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.to_string()),
            _ => {
                let removed = self.database.write(|db| runs::remove(db, id));
                removed.map_err(|error: StoreError| error.to_string())
            }
        };
        if let Err(error) = erased {
            not_removed(id, &error);
        }
        self.lock().removing.remove(id);
    }
}

fn not_removed(id: &str, error: &dyn std::fmt::Display) {
    tracing::error!(event = id, %error, "an event cannot be removed");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_told_something_is_told_of_the_removal() {
        assert!(tells_others("[sinks.a]\ntype = \"kafka\""));
        assert!(tells_others(
            "sinks = { a = { type = 'file' }, b = { type = 's3' } }"
        ));
        assert!(!tells_others(
            "[sinks.a]\ntype = \"file\"\n[sources.b]\ntype = \"s3\""
        ));
        assert!(!tells_others("no spec"));
    }
}
