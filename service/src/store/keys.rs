//! Access keys.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// A key as it lies in the store.
pub struct KeyRow {
    /// By what it is named.
    pub id: String,
    /// What signs.
    pub secret: String,
    /// What it may.
    pub role: String,
    /// Since when it is there, in UTC.
    pub created: String,
}

/// A key.
pub fn get(db: &Connection, id: &str) -> Result<Option<KeyRow>, StoreError> {
    let mut query = db.prepare_cached("SELECT * FROM access_keys WHERE id = ?1")?;
    Ok(query.query_row([id], key).optional()?)
}

/// All keys, the oldest first.
pub fn all(db: &Connection) -> Result<Vec<KeyRow>, StoreError> {
    let mut query = db.prepare_cached("SELECT * FROM access_keys ORDER BY created, id")?;
    let found = query.query_map([], key)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Keeps a new key.
pub fn add(db: &Connection, key: &KeyRow) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached("INSERT INTO access_keys VALUES (?1, ?2, ?3, ?4)")?;
    insert.execute(params![key.id, key.secret, key.role, key.created])?;
    Ok(())
}

/// Forgets a key; false where there was none.
pub fn remove(db: &Connection, id: &str) -> Result<bool, StoreError> {
    let mut delete = db.prepare_cached("DELETE FROM access_keys WHERE id = ?1")?;
    Ok(delete.execute([id])? > 0)
}

fn key(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        id: row.get("id")?,
        secret: row.get("secret")?,
        role: row.get("role")?,
        created: row.get("created")?,
    })
}
