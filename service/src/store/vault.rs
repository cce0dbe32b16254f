//! Secrets that others are to know the service by: names, and what each is sealed as. Nothing here can open one.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// What a name is sealed as.
pub fn get(db: &Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let mut query = db.prepare_cached("SELECT sealed FROM vault WHERE name = ?1")?;
    Ok(query.query_row([name], |row| row.get(0)).optional()?)
}

/// Keeps a secret, in the place of one that is there.
pub fn put(db: &Connection, name: &str, sealed: &[u8], at: &str) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO vault VALUES (?1, ?2, ?3)")?;
    insert.execute(params![name, sealed, at])?;
    Ok(())
}

/// All names, and when each was last set.
pub fn all(db: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let mut query = db.prepare_cached("SELECT name, changed FROM vault ORDER BY name")?;
    let found = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Forgets a secret; false where there was none.
pub fn remove(db: &Connection, name: &str) -> Result<bool, StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM vault WHERE name = ?1")?;
    Ok(delete.execute([name])? > 0)
}
