//! Replays that are asked for when their event has begun, or is over: they are asked of the event as any client of our
//! own API would. One that nobody has seen to, because its event began at that moment, is found by the next look.

use matchcut_dataflow::spec::AskedReplay;
use serde_json::{Map, Value};

use super::engine::{self, Answered, Waits};
use super::to_spec::{self, NoSpec};
use super::{now, text};
use crate::context::Context;
use crate::errors::ApiError;
use crate::runs::{RunsError, spec};
use crate::store::runs::{Run, RunState};
use crate::store::significance::{self, Of};
use crate::store::{Row, StoreError, events, replays};

/// What a row says of its status, where there is more to say than a word.
const MESSAGE: &str = "StatusMessage";

/// Asks for all replays that wait and whose events have begun, and once more for those whose engines may say something
/// else now that their events are over.
pub fn tick(context: &Context) -> Result<(), StoreError> {
    let waiting = context.database.read(|db| {
        let mut waiting = replays::queued(db)?;
        waiting.extend(significance::to_ask_again(db)?);
        Ok::<_, StoreError>(waiting)
    })?;
    for replay in waiting {
        ask(context, &replay)?;
    }
    Ok(())
}

/// Whether an event is over; nothing where it does not go on.
fn is_over(state: RunState) -> Option<bool> {
    match state {
        RunState::Complete | RunState::Revising => Some(true),
        RunState::Running | RunState::Draining | RunState::Ending => Some(false),
        RunState::Queued | RunState::Failed | RunState::Stopped | RunState::Deleting => None,
    }
}

/// Asks for a replay if its event has begun, and its engine has answered where it has one.
pub fn ask(context: &Context, replay: &Row) -> Result<(), StoreError> {
    let key = (
        text(replay, "Program"),
        text(replay, "Event"),
        text(replay, "ReplayId"),
    );
    let event = context.database.read(|db| events::get(db, key.0, key.1))?;
    let Some(event) = event else {
        return Ok(());
    };
    let id = text(&event, "Id");
    let run = match context.runs.get(id) {
        Ok(run) => run,
        Err(RunsError::Store(error)) => return Err(error),
        // It is made with the event when that begins.
        Err(_) => return Ok(()),
    };
    // Of an event that could not be begun there is nothing to choose from.
    if run.spec.is_empty() {
        return Ok(());
    }
    let (of, said) = match engine::waits(context, id, replay, is_over(run.state))? {
        Waits::Yes => return Ok(()),
        Waits::NoEngine => (None, Answered::Worth(Row::new())),
        Waits::No(of, said) => (Some(of), said),
    };
    let before = table(context, &run, key.2)?;
    if before.is_some() && of != Some(Of::Over) {
        return Ok(());
    }
    let (worth, message) = match said {
        Answered::Worth(worth) => (Ok(worth), None),
        Answered::Nothing(why) => (Ok(Row::new()), Some(why)),
        Answered::Broken(why) => (Err(why.clone()), Some(why)),
    };
    let asked = match &worth {
        Err(reason) => Err(reason.clone()),
        Ok(worth) => {
            let table = context
                .database
                .read(|db| to_spec::late(db, &event, replay, worth));
            match table {
                Err(NoSpec::Store(error)) => return Err(error),
                Err(NoSpec::Wrong(reason)) => Err(reason),
                Ok(table) => AskedReplay::from_json(key.2, &table),
            }
        }
    };
    let dir = context.runs.dir(id);
    let right = asked.and_then(|asked| {
        let checked = spec::replay(&run.spec, &dir, &asked);
        checked
            .map(|(table, _)| table)
            .map_err(|error| error.to_string())
    });
    let told = match right {
        // It stands as it is.
        Ok(table) if before.as_ref().is_some_and(|before| same(before, &table)) => None,
        Ok(table) => match context.runs.ask(id, key.2, &table) {
            Ok(()) => match run.state {
                RunState::Queued | RunState::Failed | RunState::Stopped => return Ok(()),
                _ => Some("In Progress"),
            },
            Err(RunsError::Store(error)) => return Err(error),
            Err(_) => return Ok(()),
        },
        // What was made while the event ran stays.
        Err(_) if before.is_some() => None,
        Err(reason) => {
            tracing::error!(
                event = id,
                replay = key.2,
                reason,
                "a replay cannot be made"
            );
            Some("Error")
        }
    };
    if let Some(message) = &message {
        tracing::warn!(event = id, replay = key.2, "{message}");
    }
    context.database.write(|db| {
        let Some(mut row) = replays::get(db, key)? else {
            return Ok(());
        };
        // It may be made already.
        if let Some(status) = told.filter(|_| text(&row, "Status") == "Queued") {
            row.insert("Status".to_owned(), status.into());
        }
        match message {
            Some(message) => drop(row.insert(MESSAGE.to_owned(), message.into())),
            None => drop(row.shift_remove(MESSAGE)),
        }
        if let Some(of) = of {
            row.insert("LastModified".to_owned(), now().into());
            significance::take(db, (id, key.2), of)?;
        }
        replays::set(db, key, &row)
    })
}

/// Whether two tables say the same of what observations are worth; nothing else of a replay changes.
fn same(before: &Value, table: &Map<String, Value>) -> bool {
    before.get("significance") == table.get("significance")
}

/// Takes back a replay of an event that has begun.
pub fn withdraw(context: &Context, event: &Row, replay: &str) -> Result<(), ApiError> {
    let id = text(event, "Id");
    let run = match context.runs.get(id) {
        Ok(run) => run,
        Err(RunsError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(()),
    };
    if table(context, &run, replay)?.is_none() {
        return Ok(());
    }
    match context.runs.withdraw(id, replay) {
        Err(RunsError::Store(error)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// The table by which an event has a replay.
fn table(context: &Context, run: &Run, replay: &str) -> Result<Option<Value>, StoreError> {
    match context.runs.replays(run) {
        Ok(all) => {
            let mut all = all.into_iter();
            Ok(all.find(|(name, _)| name == replay).map(|(_, table)| table))
        }
        Err(RunsError::Store(error)) => Err(error),
        Err(_) => Ok(None),
    }
}
