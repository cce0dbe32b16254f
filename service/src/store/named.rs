//! Rows that have a name and no versions.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Row, StoreError, row, text};

/// Profiles.
pub const PROFILE: &str = "profile";
/// Context variables of profiles.
pub const PROFILE_VARIABLES: &str = "profile-variables";
/// Engines of custom priorities.
pub const PRIORITIES: &str = "custompriorities";
/// Parameters of the system.
pub const CONFIGURATION: &str = "configuration";

/// The row of a name.
pub fn get(db: &Connection, kind: &str, name: &str) -> Result<Option<Row>, StoreError> {
    let mut query = db.prepare_cached("SELECT row FROM named WHERE kind = ?1 AND name = ?2")?;
    let found: Option<String> = query
        .query_row(params![kind, name], |row| row.get(0))
        .optional()?;
    found.as_deref().map(row).transpose()
}

/// All rows of a kind, by name.
pub fn all(db: &Connection, kind: &str) -> Result<Vec<Row>, StoreError> {
    let mut query = db.prepare_cached("SELECT row FROM named WHERE kind = ?1 ORDER BY name")?;
    let found = query.query_map([kind], |row| row.get::<_, String>(0))?;
    found.map(|text| row(&text?)).collect()
}

/// Keeps a row, in the place of one that is there.
pub fn put(db: &Connection, kind: &str, name: &str, row: &Row) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO named VALUES (?1, ?2, ?3)")?;
    insert.execute(params![kind, name, text(row)?])?;
    Ok(())
}

/// Forgets a row; false where there was none.
pub fn remove(db: &Connection, kind: &str, name: &str) -> Result<bool, StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM named WHERE kind = ?1 AND name = ?2")?;
    Ok(delete.execute(params![kind, name])? > 0)
}
