//! Replays that are asked for when their event has begun, or is over: they are asked of the event as any client of our
//! own API would. One that nobody has seen to, because its event began at that moment, is found by the next look.

use matchcut_dataflow::spec::AskedReplay;

use super::text;
use super::to_spec::{self, NoSpec};
use crate::context::Context;
use crate::errors::ApiError;
use crate::runs::{RunsError, spec};
use crate::store::runs::{Run, RunState};
use crate::store::{Row, StoreError, events, replays};

/// Asks for all replays that wait and whose events have begun.
pub fn tick(context: &Context) -> Result<(), StoreError> {
    for replay in context.database.read(replays::queued)? {
        ask(context, &replay)?;
    }
    Ok(())
}

/// Asks for a replay if its event has begun.
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
    if run.spec.is_empty() || has(context, &run, key.2)? {
        return Ok(());
    }
    let table = context
        .database
        .read(|db| to_spec::late(db, &event, replay));
    let asked = match table {
        Err(NoSpec::Store(error)) => return Err(error),
        Err(NoSpec::Wrong(reason)) => Err(reason),
        Ok(table) => AskedReplay::from_json(key.2, &table),
    };
    let dir = context.runs.dir(id);
    let right = asked.and_then(|asked| {
        let checked = spec::replay(&run.spec, &dir, &asked);
        checked
            .map(|(table, _)| table)
            .map_err(|error| error.to_string())
    });
    let status = match right {
        Ok(table) => match context.runs.ask(id, key.2, &table) {
            Ok(()) => match run.state {
                RunState::Queued | RunState::Failed | RunState::Stopped => return Ok(()),
                _ => "In Progress",
            },
            Err(RunsError::Store(error)) => return Err(error),
            Err(_) => return Ok(()),
        },
        Err(reason) => {
            tracing::error!(
                event = id,
                replay = key.2,
                reason,
                "a replay cannot be made"
            );
            "Error"
        }
    };
    context.database.write(|db| {
        // It may be made already.
        let now = replays::get(db, key)?;
        match now.is_some_and(|row| text(&row, "Status") == "Queued") {
            true => replays::set_status(db, key, status),
            false => Ok(()),
        }
    })
}

/// Takes back a replay of an event that has begun.
pub fn withdraw(context: &Context, event: &Row, replay: &str) -> Result<(), ApiError> {
    let id = text(event, "Id");
    let run = match context.runs.get(id) {
        Ok(run) => run,
        Err(RunsError::Store(error)) => return Err(error.into()),
        Err(_) => return Ok(()),
    };
    if !has(context, &run, replay)? {
        return Ok(());
    }
    match context.runs.withdraw(id, replay) {
        Err(RunsError::Store(error)) => Err(error.into()),
        _ => Ok(()),
    }
}

fn has(context: &Context, run: &Run, replay: &str) -> Result<bool, StoreError> {
    match context.runs.replays(run) {
        Ok(all) => Ok(all.iter().any(|(name, _)| name == replay)),
        Err(RunsError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}
