//! By which role events were asked for.

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;

/// What of a spec is of who asked for the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// All of it.
    Spec,
    /// Only where its source is; the rest is of an admin.
    Source,
}

/// Keeps the role of who asked for an event.
pub fn set(db: &Connection, id: &str, role: &str, what: What) -> Result<(), StoreError> {
    let what = match what {
        What::Spec => "spec",
        What::Source => "source",
    };
    let mut insert = db.prepare_cached("INSERT OR REPLACE INTO asked_by VALUES (?1, ?2, ?3)")?;
    insert.execute([id, role, what])?;
    Ok(())
}

/// The role of who asked for an event, where it was kept.
pub fn get(db: &Connection, id: &str) -> Result<Option<(String, What)>, StoreError> {
    let mut query = db.prepare_cached("SELECT role, what FROM asked_by WHERE id = ?1")?;
    let found = query.query_row([id], |row| {
        let what: String = row.get(1)?;
        let what = match what.as_str() {
            "source" => What::Source,
            _ => What::Spec,
        };
        Ok((row.get(0)?, what))
    });
    Ok(found.optional()?)
}
