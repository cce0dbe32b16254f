//! Context variables of an event that runs: those of MRE's event where it is one, else its own.

use rusqlite::Connection;
use serde_json::Value;

use super::runs::{self, RunState};
use super::{Row, StoreError, events, named};

/// The kind of row that those of other events are.
const VARIABLES: &str = "event-variables";

/// Whose they are at MRE.
fn of_mre(db: &Connection, id: &str) -> Result<Option<(String, String)>, StoreError> {
    let word = |event: &Row, key: &str| {
        let word = event.get(key).and_then(Value::as_str);
        word.map(str::to_owned).ok_or(StoreError::Damaged)
    };
    let event = events::of_id(db, id)?;
    event
        .map(|event| Ok((word(&event, "Program")?, word(&event, "Name")?)))
        .transpose()
}

/// The variables of an event, where there is one of this id.
pub fn get(db: &Connection, id: &str) -> Result<Option<Row>, StoreError> {
    if let Some((program, name)) = of_mre(db, id)? {
        return events::variables(db, &program, &name);
    }
    let run = runs::get(db, id)?;
    if run.is_none_or(|run| run.state == RunState::Deleting) {
        return Ok(None);
    }
    Ok(Some(named::get(db, VARIABLES, id)?.unwrap_or_default()))
}

/// Changes all variables of an event.
pub fn set(db: &Connection, id: &str, variables: &Row) -> Result<(), StoreError> {
    match of_mre(db, id)? {
        Some((program, name)) => events::set_variables(db, &program, &name, variables),
        None => named::put(db, VARIABLES, id, variables),
    }
}

/// Forgets the variables of an event that is no event of MRE.
pub fn remove(db: &Connection, id: &str) -> Result<(), StoreError> {
    named::remove(db, VARIABLES, id).map(drop)
}
