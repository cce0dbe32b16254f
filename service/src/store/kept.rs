//! What clients keep in MRE's data plane about an event: rows of some kind, each with a name and a place in order.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Row, StoreError, row, text};

/// Results of plugins; by plugin and track, at their starts.
pub const RESULT: &str = "result";
/// Chunks; by profile, at their starts.
pub const CHUNK: &str = "chunk";
/// Key frames; by file, at their numbers.
pub const FRAME: &str = "frame";
/// Executions of the workflow; at the numbers of their chunks.
pub const EXECUTION: &str = "execution";
/// What people think of clips; by segmenter and track, at the starts of the segments.
pub const FEEDBACK: &str = "feedback";
/// What replays have chosen; by replay.
pub const REPLAY: &str = "replay";

/// Whose rows: the Id of the event, the kind, the name.
pub type Of<'a> = (&'a str, &'a str, &'a str);

/// A row.
pub fn get(
    db: &Connection,
    (event, kind, name): Of<'_>,
    place: i64,
) -> Result<Option<Row>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT row FROM kept WHERE event = ?1 AND kind = ?2 AND name = ?3 AND place = ?4",
    )?;
    let found: Option<String> = query
        .query_row(params![event, kind, name, place], |row| row.get(0))
        .optional()?;
    found.as_deref().map(row).transpose()
}

/// Keeps a row, in the place of one that is there.
pub fn put(
    db: &Connection,
    (event, kind, name): Of<'_>,
    place: i64,
    row: &Row,
) -> Result<(), StoreError> {
    let mut insert =
        db.prepare_cached("INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3, ?4, ?5)")?;
    insert.execute(params![event, kind, name, place, text(row)?])?;
    Ok(())
}

/// The rows of a name, in order.
pub fn all(db: &Connection, (event, kind, name): Of<'_>) -> Result<Vec<(i64, Row)>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT place, row FROM kept WHERE event = ?1 AND kind = ?2 AND name = ?3 ORDER BY place",
    )?;
    let found = query.query_map([event, kind, name], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?))
    })?;
    found
        .map(|found| {
            let (place, text) = found?;
            Ok((place, row(&text)?))
        })
        .collect()
}

/// The last row of a name whose place is at most this.
pub fn last(
    db: &Connection,
    (event, kind, name): Of<'_>,
    at_most: i64,
) -> Result<Option<Row>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT row FROM kept WHERE event = ?1 AND kind = ?2 AND name = ?3 AND place <= ?4
         ORDER BY place DESC LIMIT 1",
    )?;
    let found: Option<String> = query
        .query_row(params![event, kind, name, at_most], |row| row.get(0))
        .optional()?;
    found.as_deref().map(row).transpose()
}

/// All rows of a kind, with their names, in order.
pub fn of_kind(db: &Connection, event: &str, kind: &str) -> Result<Vec<(String, Row)>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT name, row FROM kept WHERE event = ?1 AND kind = ?2 ORDER BY name, place",
    )?;
    let found = query.query_map([event, kind], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?))
    })?;
    found
        .map(|found| {
            let (name, text) = found?;
            Ok((name, row(&text)?))
        })
        .collect()
}

/// Forgets everything that is kept about an event.
pub fn remove_all(db: &Connection, event: &str) -> Result<(), StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM kept WHERE event = ?1")?;
    delete.execute([event])?;
    Ok(())
}
