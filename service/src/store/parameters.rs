//! Parameters that clients put where those of AWS Systems Manager are: each a value with the number of its version.

use rusqlite::Connection;
use serde_json::json;

use super::{Row, StoreError, named};

/// The kind of row that they are.
const PARAMETER: &str = "parameter";

/// A parameter.
pub fn get(db: &Connection, name: &str) -> Result<Option<Row>, StoreError> {
    named::get(db, PARAMETER, name)
}

/// The number of its version, where there is one.
fn version(row: &Row) -> u64 {
    let version = row.get("Version").and_then(|version| version.as_u64());
    version.unwrap_or_default()
}

/// Keeps a value; the number of its version, or nothing where there is one of this name that is not to be replaced.
pub fn put(
    db: &Connection,
    name: &str,
    (kind, value): (&str, &str),
    overwrite: bool,
) -> Result<Option<u64>, StoreError> {
    let before = get(db, name)?;
    if before.is_some() && !overwrite {
        return Ok(None);
    }
    let version = before.as_ref().map_or(0, version) + 1;
    let parameter = json!({ "Type": kind, "Value": value, "Version": version });
    if let Some(row) = parameter.as_object() {
        named::put(db, PARAMETER, name, row)?;
    }
    Ok(Some(version))
}

/// Forgets a parameter; false where there was none.
pub fn remove(db: &Connection, name: &str) -> Result<bool, StoreError> {
    named::remove(db, PARAMETER, name)
}
