//! What the service signs with.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// The secret of a name; `new` becomes it where there is none.
pub fn get_or_add(db: &Connection, name: &str, new: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut query = db.prepare_cached("SELECT secret FROM secrets WHERE name = ?1")?;
    let found: Option<Vec<u8>> = query.query_row([name], |row| row.get(0)).optional()?;
    if let Some(found) = found {
        return Ok(found);
    }
    db.execute("INSERT INTO secrets VALUES (?1, ?2)", params![name, new])?;
    Ok(new.to_vec())
}
