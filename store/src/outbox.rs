//! What is still to be published, as it is read by those who publish it. Each has a connection of its own, so
//! that a publication that takes long holds up nobody who commits.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use crate::StoreError;
use crate::store::sqlite;

/// Somebody else may be writing.
const WAIT: Duration = Duration::from_secs(30);

/// Something that is still to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxRow {
    /// Its number: later ones have greater numbers, and none is used twice in a store.
    pub id: i64,
    /// The epoch that wants it.
    pub epoch: u64,
    /// What.
    pub payload: String,
}

/// The rows of one kind, in order.
#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    db: Connection,
    kind: String,
}

impl Outbox {
    pub(crate) fn open(path: &Path, kind: &str) -> Result<Self, StoreError> {
        let failed = sqlite(path, "cannot be opened");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(&failed)?;
        let set_up = || {
            db.busy_timeout(WAIT)?;
            // A deletion that a power cut takes back costs a row that is published and skipped.
            db.pragma_update(None, "synchronous", "NORMAL")?;
            db.pragma_update(None, "cache_size", -256)
        };
        set_up().map_err(failed)?;
        Ok(Outbox {
            path: path.to_owned(),
            db,
            kind: kind.to_owned(),
        })
    }

    /// The first rows, at most `limit`.
    pub fn first(&self, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        read(&self.db, &self.kind, Some(limit)).map_err(sqlite(&self.path, "cannot be read"))
    }

    /// How many rows there are.
    pub fn len(&self) -> Result<u64, StoreError> {
        let query = "SELECT count(*) FROM outbox WHERE kind = ?1";
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let counted = self.db.query_row(query, [&self.kind], count);
        let counted = counted.map_err(sqlite(&self.path, "cannot be read"))?;
        Ok(counted.unsigned_abs())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.len()? == 0)
    }

    /// The rows up to `id`, and that one, are published.
    pub fn done(&mut self, id: i64) -> Result<(), StoreError> {
        let query = "DELETE FROM outbox WHERE kind = ?1 AND id <= ?2";
        let deleted = self.db.execute(query, params![self.kind, id]);
        deleted
            .map(drop)
            .map_err(sqlite(&self.path, "cannot be written"))
    }
}

pub(crate) fn read(
    db: &Connection,
    kind: &str,
    limit: Option<usize>,
) -> rusqlite::Result<Vec<OutboxRow>> {
    let query = "SELECT id, epoch, payload FROM outbox WHERE kind = ?1 ORDER BY id LIMIT ?2";
    let limit = limit.and_then(|limit| i64::try_from(limit).ok());
    let mut select = db.prepare_cached(query)?;
    let rows = select.query_map(params![kind, limit.unwrap_or(-1)], |row| {
        Ok(OutboxRow {
            id: row.get(0)?,
            epoch: row.get::<_, i64>(1)?.unsigned_abs(),
            payload: row.get(2)?,
        })
    })?;
    rows.collect()
}
