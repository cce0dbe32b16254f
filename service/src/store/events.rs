//! Events.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Row, StoreError, row, text};

/// The row of an event.
pub fn get(db: &Connection, program: &str, name: &str) -> Result<Option<Row>, StoreError> {
    let mut query = db.prepare_cached("SELECT row FROM events WHERE program = ?1 AND name = ?2")?;
    let found: Option<String> = query
        .query_row([program, name], |row| row.get(0))
        .optional()?;
    found.as_deref().map(row).transpose()
}

/// Keeps a new event; false where there is one of this name.
pub fn add(
    db: &Connection,
    (program, name, start): (&str, &str, &str),
    row: &Row,
    variables: &Row,
    auth: Option<&Row>,
) -> Result<bool, StoreError> {
    let mut insert =
        db.prepare_cached("INSERT OR IGNORE INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let auth = auth.map(text).transpose()?;
    let added = insert.execute(params![
        program,
        name,
        start,
        text(row)?,
        text(variables)?,
        auth
    ])?;
    Ok(added > 0)
}

/// Changes the row of an event.
pub fn set(
    db: &Connection,
    (program, name, start): (&str, &str, &str),
    row: &Row,
) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(
        "UPDATE events SET start = ?3, row = ?4 WHERE program = ?1 AND name = ?2",
    )?;
    update.execute(params![program, name, start, text(row)?])?;
    Ok(())
}

/// Changes what the source of an event wants to see.
pub fn set_auth(db: &Connection, program: &str, name: &str, auth: &Row) -> Result<(), StoreError> {
    let mut update =
        db.prepare_cached("UPDATE events SET auth = ?3 WHERE program = ?1 AND name = ?2")?;
    update.execute(params![program, name, text(auth)?])?;
    Ok(())
}

/// The variables of an event.
pub fn variables(db: &Connection, program: &str, name: &str) -> Result<Option<Row>, StoreError> {
    let mut query =
        db.prepare_cached("SELECT variables FROM events WHERE program = ?1 AND name = ?2")?;
    let found: Option<String> = query
        .query_row([program, name], |row| row.get(0))
        .optional()?;
    found.as_deref().map(row).transpose()
}

/// Changes the variables of an event.
pub fn set_variables(
    db: &Connection,
    program: &str,
    name: &str,
    variables: &Row,
) -> Result<(), StoreError> {
    let mut update =
        db.prepare_cached("UPDATE events SET variables = ?3 WHERE program = ?1 AND name = ?2")?;
    update.execute(params![program, name, text(variables)?])?;
    Ok(())
}

/// Forgets an event.
pub fn remove(db: &Connection, program: &str, name: &str) -> Result<(), StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM events WHERE program = ?1 AND name = ?2")?;
    delete.execute([program, name])?;
    Ok(())
}

/// Whether another event than this has a ProgramId.
pub fn has_program_id(
    db: &Connection,
    id: &str,
    (program, name): (&str, &str),
) -> Result<bool, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT count(*) FROM events
         WHERE json_extract(row, '$.ProgramId') = ?1 AND NOT (program = ?2 AND name = ?3)",
    )?;
    let others: i64 = query.query_row([id, program, name], |row| row.get(0))?;
    Ok(others > 0)
}

/// Events that wait, and that nothing has tried to run.
pub fn not_begun(db: &Connection) -> Result<Vec<Row>, StoreError> {
    listed(
        db,
        "SELECT row FROM events WHERE json_extract(row, '$.Status') = 'Queued'
         AND NOT EXISTS (SELECT 1 FROM runs WHERE id = json_extract(row, '$.Id'))",
    )
}

/// Events that are under way.
pub fn in_progress(db: &Connection) -> Result<Vec<Row>, StoreError> {
    listed(
        db,
        "SELECT row FROM events WHERE json_extract(row, '$.Status') = 'In Progress'",
    )
}

fn listed(db: &Connection, query: &str) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached(query)?;
    let found = query.query_map([], |row| row.get::<_, String>(0))?;
    found.map(|text| row(&text?)).collect()
}

/// The event whose `Id` this is.
pub fn of_id(db: &Connection, id: &str) -> Result<Option<Row>, StoreError> {
    let mut query =
        db.prepare_cached("SELECT row FROM events WHERE json_extract(row, '$.Id') = ?1")?;
    let found: Option<String> = query.query_row([id], |row| row.get(0)).optional()?;
    found.as_deref().map(row).transpose()
}

/// Notes that an event has replays.
pub fn set_has_replays(db: &Connection, id: &str) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(
        "UPDATE events SET row = json_set(row, '$.hasReplays', json('true'))
         WHERE json_extract(row, '$.Id') = ?1",
    )?;
    update.execute([id])?;
    Ok(())
}

/// Changes the status of the event whose `Id` this is, where there is one.
pub fn set_status(db: &Connection, id: &str, status: &str) -> Result<(), StoreError> {
    let mut update = db.prepare_cached(
        "UPDATE events SET row = json_set(row, '$.Status', ?2) WHERE json_extract(row, '$.Id') = ?1",
    )?;
    update.execute([id, status])?;
    Ok(())
}

/// Tells events, the newest start first, until `more` has enough. `after` is the last one that was told before:
/// start, program, name.
pub fn newest_first(
    db: &Connection,
    after: Option<(&str, &str, &str)>,
    mut more: impl FnMut(Row) -> bool,
) -> Result<(), StoreError> {
    let (start, program, name) = match after {
        Some((start, program, name)) => (Some(start), program, name),
        None => (None, "", ""),
    };
    let mut query = db.prepare_cached(
        "SELECT row FROM events
         WHERE ?1 IS NULL OR start < ?1 OR (start = ?1 AND (program, name) > (?2, ?3))
         ORDER BY start DESC, program, name",
    )?;
    let mut found = query.query(params![start, program, name])?;
    while let Some(next) = found.next()? {
        if !more(row(&next.get::<_, String>(0)?)?) {
            break;
        }
    }
    Ok(())
}
