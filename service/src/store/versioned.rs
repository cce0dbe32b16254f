//! Rows that have versions: models, plugins and prompts.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Row, StoreError, row, text};

/// One version.
pub fn get(
    db: &Connection,
    kind: &str,
    name: &str,
    version: u32,
) -> Result<Option<Row>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT row FROM versioned WHERE kind = ?1 AND name = ?2 AND version = ?3",
    )?;
    let found: Option<String> = query
        .query_row(params![kind, name, version], |row| row.get(0))
        .optional()?;
    found.as_deref().map(row).transpose()
}

/// Version 0 of everything of a kind, by name.
pub fn newest(db: &Connection, kind: &str) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT row FROM versioned WHERE kind = ?1 AND version = 0 ORDER BY name",
    )?;
    let found = query.query_map([kind], |row| row.get::<_, String>(0))?;
    found.map(|text| row(&text?)).collect()
}

/// All versions but version 0, the oldest first. None where there is not even that.
pub fn history(db: &Connection, kind: &str, name: &str) -> Result<Option<Vec<Row>>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT version, row FROM versioned WHERE kind = ?1 AND name = ?2 ORDER BY version",
    )?;
    let found = query.query_map([kind, name], |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?))
    })?;
    let all: Vec<(u32, String)> = found.collect::<Result<_, _>>()?;
    if all.is_empty() {
        return Ok(None);
    }
    let versions = all.iter().filter(|(version, _)| *version > 0);
    let rows: Result<_, _> = versions.map(|(_, text)| row(text)).collect();
    rows.map(Some)
}

/// Keeps a version, in the place of one that is there.
pub fn put(
    db: &Connection,
    kind: &str,
    name: &str,
    version: u32,
    row: &Row,
) -> Result<(), StoreError> {
    let mut insert =
        db.prepare_cached("INSERT OR REPLACE INTO versioned VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![kind, name, version, text(row)?])?;
    Ok(())
}

/// Forgets one version; false where it was not there.
pub fn remove(db: &Connection, kind: &str, name: &str, version: u32) -> Result<bool, StoreError> {
    let mut delete =
        db.prepare_cached("DELETE FROM versioned WHERE kind = ?1 AND name = ?2 AND version = ?3")?;
    Ok(delete.execute(params![kind, name, version])? > 0)
}

/// Forgets all versions; false where there was none.
pub fn remove_all(db: &Connection, kind: &str, name: &str) -> Result<bool, StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM versioned WHERE kind = ?1 AND name = ?2")?;
    Ok(delete.execute(params![kind, name])? > 0)
}
