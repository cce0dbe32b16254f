//! One event, on the thread that it has for itself: it is begun or gone on with in its directory, as
//! `matchcut run --resume` does it.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use matchcut_dataflow::run::clips::ClipMode;
use matchcut_dataflow::run::convert;
use matchcut_dataflow::run::engine::{self, Progress, Results, RunError, RunOptions};
use matchcut_dataflow::run::home::{Dirs, Home, How};
use matchcut_dataflow::run::log::{self, EventStore};
use matchcut_dataflow::run::meter::Meter;
use matchcut_dataflow::run::post::Post;
use matchcut_dataflow::run::turns::Turns;
use matchcut_dataflow::spec::Catalog;
use matchcut_ingest::reach::Reach;
use matchcut_model::value::Name;
use matchcut_operators::board;

use super::allowed::{self, NotAllowed};
use super::live::{Live, counts};
use super::said;
use super::spec::{self, BadSpec};
use crate::api::{Folds, chunks_of};
use crate::config::Sources;
use crate::store::asked_by::What;
use crate::store::runs::{Counts, Run, RunState};

/// How a run ended.
pub enum Ending {
    /// The event is over, and everything is written and sent.
    Complete,
    /// It was told to stop, and can be gone on with.
    Interrupted,
    /// Why it is not.
    Failed(String),
}

/// What came of a run.
pub struct Ended {
    /// How it ended.
    pub ending: Ending,
    /// The last epoch that stands, where there is any.
    pub epoch: Option<u64>,
    /// What it came to, where that is known anew.
    pub counts: Option<Counts>,
    /// How much of what was said of it was heard, in bytes.
    pub heard: u64,
}

/// Why a run could not be.
#[derive(Debug, thiserror::Error)]
enum Broken {
    /// Its spec is no longer right.
    #[error("{0}")]
    Spec(#[from] BadSpec),
    /// It reaches what it may not.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// It failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// What an event is held to that somebody below admin asked for, and what of its spec is theirs.
pub type Held<'a> = Option<(&'a Sources, What)>;

/// Runs an event in `dir`, which decodes when it has one of `turns`; whatever goes wrong, also by a mistake of this program, is how it ended.
pub fn run(run: &Run, dir: &Path, live: &Live, held: Held<'_>, shared: (&Turns, &Folds)) -> Ended {
    let failed = |reason: String| Ended {
        ending: Ending::Failed(reason),
        epoch: live.epoch(),
        counts: live.counts(),
        heard: 0,
    };
    // Whatever is logged on this thread says which event it is about.
    let _span = tracing::error_span!("event", id = run.id).entered();
    caught(|| try_run(run, dir, live, held, shared)).unwrap_or_else(failed)
}

/// Does it; a panic is an error as any other.
fn caught<T>(work: impl FnOnce() -> Result<T, Broken>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(payload) => Err(format!("it panicked: {}", words(&*payload))),
    }
}

fn words(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    text.or(owned).unwrap_or("for an unknown reason")
}

fn try_run(
    run: &Run,
    dir: &Path,
    live: &Live,
    held: Held<'_>,
    (turns, folds): (&Turns, &Folds),
) -> Result<Ended, Broken> {
    if let Some((sources, what)) = held {
        allowed::check(&run.spec, dir, sources, what)?;
    }
    let clips: ClipMode = spec::clips(&run.clips).unwrap_or_default();
    // What an event that is over cannot read it is not told again.
    let to_hear = match run.state {
        RunState::Revising => said::length(dir),
        _ => 0,
    };
    let (plan, _) = spec::plan(&run.spec, dir)?;
    let asks = spec::asks(&run.spec, dir, &plan);
    // Events may be called the same by their specs; their ids differ.
    let meter = Meter::of(&plan).called(&run.id);
    let info = convert::event_info(&plan, &Catalog::built_in());
    let dirs = Dirs::new(&plan, Some(dir))?.with_buckets(&plan);
    let identity = log::identity(&plan, clips);
    // The directory is the event's own: what is there without a log is what a crash has left.
    let how = How::Resume {
        force: true,
        revises: true,
    };
    let (mut targets, mut store) = match dirs.take(&plan, &identity, how, &info)? {
        Home::New(targets, store) => (targets, store),
        Home::Resumed(targets, store) => {
            // The last epoch may be in the store and not yet in the files; what is before is in both.
            live.stands(store.epochs().checked_sub(2));
            (targets, Some(store))
        }
        // It is asked for with what was said since.
        Home::Finished(_) => return Err(RunError::Start("the event is over".to_owned()).into()),
    };
    let post = Post::open_counted(&plan, &info, store.as_ref(), &meter)?;
    let told = |error: io::Error| RunError::Start(format!("what is said cannot be heard: {error}"));
    said::prepare(dir).map_err(told)?;
    // For as long as it runs: there programs outside find what they are to do.
    let names = (plan.pipeline.program(), plan.pipeline.event());
    let _desk = board::open(names, &run.id, &chunks_of(dir));
    let options = RunOptions {
        clips,
        ends: Arc::clone(live.ending()),
        feedback: vec![said::path(dir)],
        asks: Some(Arc::new(asks)),
        revises: true,
        shared: Some(turns.clone()),
        called: Some(run.id.clone()),
        reach: held.map_or_else(Reach::everything, |(sources, _)| {
            sources.reach.and_files(dir)
        }),
        ..RunOptions::default()
    };
    let results = Results {
        targets: &mut targets,
        store: store.as_mut(),
        post,
    };
    // Its own flag: the engine raises it for itself when it fails.
    let stop = live.stopping();
    let outcome = engine::run(&plan, &options, results, stop, &mut |progress| {
        if let Progress::Committed {
            epoch,
            provisional: false,
            ..
        } = progress
        {
            folds.ahead(run.number, &dir.join("changes.jsonl"), epoch.0);
        }
        live.progress(&progress);
    })?;
    for warning in &outcome.warnings {
        tracing::warn!("{warning}");
    }
    let finished = match &store {
        Some(store) => store.is_finished().map_err(RunError::from)?,
        None => false,
    };
    let ending = match (&outcome.broken, unsent(&outcome.unsent)) {
        (Some(broken), _) => Ending::Failed(broken.message.clone()),
        (None, _) if !finished && stop.load(Ordering::SeqCst) => Ending::Interrupted,
        (None, Some(reason)) => Ending::Failed(reason),
        (None, None) if outcome.timeline.is_empty() => {
            Ending::Failed("nothing of the source could be read".to_owned())
        }
        (None, None) => Ending::Complete,
    };
    Ok(Ended {
        ending,
        epoch: store.as_ref().and_then(last),
        counts: Some(counts(&outcome.state)),
        heard: outcome
            .heard
            .first()
            .copied()
            .unwrap_or_default()
            .max(to_hear),
    })
}

fn last(store: &EventStore) -> Option<u64> {
    store.epochs().checked_sub(1)
}

/// What a sink could not be told; it is kept, and sent when the event is resumed.
fn unsent(left: &[(Name, u64)]) -> Option<String> {
    let one = |(sink, number): &(Name, u64)| format!("sink \"{sink}\": {number} not published");
    let all: Vec<String> = left.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_words() {
        let done = |work: fn() -> Result<u8, Broken>| caught(work);
        assert_eq!(done(|| Ok(1)), Ok(1));
        assert_eq!(
            done(|| Err(RunError::NoSource.into())),
            Err("the spec declares no source".to_owned())
        );
        let panicked = done(|| panic!("epoch {} twice", 3));
        assert_eq!(panicked, Err("it panicked: epoch 3 twice".to_owned()));
        let panicked = done(|| panic!("no more"));
        assert_eq!(panicked, Err("it panicked: no more".to_owned()));
    }
}
