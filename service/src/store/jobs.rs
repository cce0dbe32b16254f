//! Jobs that transcode, which MRE's clip makers follow. One that nobody has touched for long is forgotten.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Row, StoreError, row, text};

/// How long a job is remembered, in seconds.
const REMEMBERED: i64 = 18_000;

/// The row of a job.
pub fn get(db: &Connection, id: &str) -> Result<Option<Row>, StoreError> {
    let mut query = db.prepare_cached("SELECT row FROM jobs WHERE id = ?1")?;
    let found: Option<String> = query.query_row([id], |row| row.get(0)).optional()?;
    found.as_deref().map(row).transpose()
}

/// Keeps a job at a time, in seconds, and forgets those that are old.
pub fn put(db: &Connection, id: &str, row: &Row, now: i64) -> Result<(), StoreError> {
    db.execute("DELETE FROM jobs WHERE at < ?1", [now - REMEMBERED])?;
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO jobs VALUES (?1, ?2, ?3)")?;
    insert.execute(params![id, text(row)?, now])?;
    Ok(())
}
