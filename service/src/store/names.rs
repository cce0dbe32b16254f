//! Content groups and programs: things that have a name and nothing else.

use rusqlite::{Connection, params};

use super::StoreError;

/// Content groups.
pub const CONTENT_GROUP: &str = "contentgroup";
/// Programs.
pub const PROGRAM: &str = "program";

/// All names, sorted.
pub fn all(db: &Connection, kind: &str) -> Result<Vec<String>, StoreError> {
    let mut query = db.prepare_cached("SELECT name FROM names WHERE kind = ?1 ORDER BY name")?;
    let found = query.query_map([kind], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Keeps a name, which may be there already.
pub fn put(db: &Connection, kind: &str, name: &str) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO names VALUES (?1, ?2)")?;
    insert.execute(params![kind, name])?;
    Ok(())
}

/// Forgets a name, which may not be there.
pub fn remove(db: &Connection, kind: &str, name: &str) -> Result<(), StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM names WHERE kind = ?1 AND name = ?2")?;
    delete.execute(params![kind, name])?;
    Ok(())
}
