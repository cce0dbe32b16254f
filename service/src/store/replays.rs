//! Requests for replays.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Row, StoreError, row, text};

/// Which event, and which of its replays.
pub type Key<'a> = (&'a str, &'a str, &'a str);

/// Keeps a new request.
pub fn add(db: &Connection, (program, event, id): Key<'_>, row: &Row) -> Result<(), StoreError> {
    let mut insert =
        db.prepare_cached("INSERT INTO replays (program, event, id, row) VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![program, event, id, text(row)?])?;
    Ok(())
}

/// The row of a request.
pub fn get(db: &Connection, (program, event, id): Key<'_>) -> Result<Option<Row>, StoreError> {
    let mut query =
        db.prepare_cached("SELECT row FROM replays WHERE program = ?1 AND event = ?2 AND id = ?3")?;
    let found: Option<String> = query
        .query_row([program, event, id], |row| row.get(0))
        .optional()?;
    found.as_deref().map(row).transpose()
}

/// Changes a request.
pub fn set(db: &Connection, (program, event, id): Key<'_>, row: &Row) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(
        "UPDATE replays SET row = ?4 WHERE program = ?1 AND event = ?2 AND id = ?3",
    )?;
    update.execute(params![program, event, id, text(row)?])?;
    Ok(())
}

/// Changes how far a request is.
pub fn set_status(
    db: &Connection,
    (program, event, id): Key<'_>,
    status: &str,
) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(
        "UPDATE replays SET row = json_set(row, '$.Status', ?4)
         WHERE program = ?1 AND event = ?2 AND id = ?3",
    )?;
    update.execute([program, event, id, status])?;
    Ok(())
}

/// Forgets a request.
pub fn remove(db: &Connection, (program, event, id): Key<'_>) -> Result<(), StoreError> {
    let mut delete =
        db.prepare_cached("DELETE FROM replays WHERE program = ?1 AND event = ?2 AND id = ?3")?;
    delete.execute([program, event, id])?;
    Ok(())
}

/// Forgets all requests of an event.
pub fn remove_all(db: &Connection, program: &str, event: &str) -> Result<(), StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM replays WHERE program = ?1 AND event = ?2")?;
    delete.execute([program, event])?;
    Ok(())
}

/// Requests that nothing has been done about, the oldest first.
pub fn queued(db: &Connection) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT row FROM replays WHERE json_extract(row, '$.Status') = 'Queued' ORDER BY number",
    )?;
    let found = query.query_map([], |row| row.get::<_, String>(0))?;
    found.map(|text| row(&text?)).collect()
}

/// All requests, the newest first.
pub fn all(db: &Connection) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached("SELECT row FROM replays ORDER BY number DESC")?;
    let found = query.query_map([], |row| row.get::<_, String>(0))?;
    found.map(|text| row(&text?)).collect()
}

/// The requests of an event, the newest first.
pub fn of_event(db: &Connection, program: &str, event: &str) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT row FROM replays WHERE program = ?1 AND event = ?2 ORDER BY number DESC",
    )?;
    let found = query.query_map([program, event], |row| row.get::<_, String>(0))?;
    found.map(|text| row(&text?)).collect()
}
