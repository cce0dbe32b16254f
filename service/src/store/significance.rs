//! What engines of custom priorities have answered: whoever has answered once for a run of a replay is not asked for
//! it again.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::{Row, StoreError, row};

/// Which run of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Of {
    /// It is kept up to date while its event runs.
    Running,
    /// Its event is over.
    Over,
}

impl Of {
    fn name(self) -> &'static str {
        match self {
            Of::Running => "running",
            Of::Over => "over",
        }
    }
}

/// The Id of an event, and the id of a replay of it.
pub type Key<'a> = (&'a str, &'a str);

/// What was answered.
pub fn get(db: &Connection, (event, replay): Key<'_>, of: Of) -> Result<Option<Value>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT answer FROM significance WHERE event = ?1 AND replay = ?2 AND run = ?3",
    )?;
    let found: Option<String> = query
        .query_row([event, replay, of.name()], |row| row.get(0))
        .optional()?;
    let read = |text: String| serde_json::from_str(&text).map_err(|_| StoreError::Damaged);
    found.map(read).transpose()
}

/// Keeps what was answered; what was kept before stays.
pub fn put(
    db: &Connection,
    (event, replay): Key<'_>,
    of: Of,
    answer: &Value,
    at: &str,
) -> Result<(), StoreError> {
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO significance (event, replay, run, answer, at) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute(params![event, replay, of.name(), answer.to_string(), at])?;
    Ok(())
}

/// Notes that a replay was made by what was answered.
pub fn take(db: &Connection, (event, replay): Key<'_>, of: Of) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(
        "UPDATE significance SET taken = 1 WHERE event = ?1 AND replay = ?2 AND run = ?3",
    )?;
    update.execute([event, replay, of.name()])?;
    Ok(())
}

/// Forgets what was answered for a replay, so that it is asked again.
pub fn forget(db: &Connection, (event, replay): Key<'_>) -> Result<(), StoreError> {
    let mut delete =
        db.prepare_cached("DELETE FROM significance WHERE event = ?1 AND replay = ?2")?;
    delete.execute([event, replay])?;
    Ok(())
}

/// Forgets everything of an event.
pub fn remove_all(db: &Connection, event: &str) -> Result<(), StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM significance WHERE event = ?1")?;
    delete.execute([event])?;
    Ok(())
}

/// Replays that were kept up to date, whose events are over, and that were not made since by what their engines say then.
pub fn to_ask_again(db: &Connection) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT replays.row FROM replays
         JOIN events ON events.program = replays.program AND events.name = replays.event
         JOIN runs ON runs.id = json_extract(events.row, '$.Id')
         WHERE json_extract(replays.row, '$.Priorities.CustomPrioritiesEngine') IS NOT NULL
         AND json_extract(replays.row, '$.Catchup')
         AND json_extract(replays.row, '$.Status') = 'Complete'
         AND runs.state = 'complete'
         AND NOT EXISTS (SELECT 1 FROM significance
             WHERE significance.event = runs.id AND significance.run = 'over'
             AND significance.replay = replays.id AND significance.taken)",
    )?;
    let found = query.query_map([], |row| row.get::<_, String>(0))?;
    found.map(|text| row(&text?)).collect()
}
