//! What the service keeps, in one SQLite file: opening it, bringing an older one up to date, and one
//! transaction for each request that changes something. What the tables hold is in the files beside this one.

pub mod asked_by;
mod error;
pub mod events;
pub mod jobs;
pub mod kept;
pub mod keys;
pub mod named;
pub mod names;
pub mod parameters;
pub mod replays;
pub mod runs;
pub mod secrets;
pub mod significance;
pub mod variables;
pub mod vault;
pub mod versioned;

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use serde_json::{Map, Value};

pub use error::StoreError;

/// The name of the file in the directory of the service.
pub(crate) const FILE: &str = "service.sqlite";

/// What makes each version of the tables out of the one before it. Only ever appended to.
const MIGRATIONS: [&str; 6] = [
    include_str!("../schema.sql"),
    include_str!("../schema_runs.sql"),
    include_str!("../schema_asked_by.sql"),
    include_str!("../schema_dataplane.sql"),
    include_str!("../schema_asks.sql"),
    include_str!("../schema_retention.sql"),
];

/// What a command waits for another process that writes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A row of JSON.
pub type Row = Map<String, Value>;

/// The file.
pub struct Database {
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens the file in `dir`; makes both where they are not there, for their owner alone.
    pub fn open(dir: &Path) -> Result<Database, StoreError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| StoreError::Io { path, source }
        };
        if !dir.is_dir() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(dir).map_err(failed(dir))?;
        }
        let path = dir.join(FILE);
        make_private(&path).map_err(failed(&path))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let mut database = Database {
            connection: Mutex::new(connection),
        };
        database.migrate(&path)?;
        Ok(database)
    }

    fn migrate(&mut self, path: &Path) -> Result<(), StoreError> {
        self.write(|transaction| {
            let found: i64 = transaction.pragma_query_value(None, "user_version", |r| r.get(0))?;
            let known = MIGRATIONS.len();
            let done = usize::try_from(found).ok().filter(|done| *done <= known);
            let Some(done) = done else {
                let path = path.to_owned();
                return Err(StoreError::Newer { path, found, known });
            };
            for migration in MIGRATIONS.iter().skip(done) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", known.to_string())?;
            Ok(())
        })
    }

    /// Reads; what is read is of one moment.
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.lock();
        let transaction = connection.transaction().map_err(StoreError::from)?;
        work(&transaction)
    }

    /// Reads and changes; all of it is done, and on the disk, or none.
    pub fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let done = work(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(done)
    }

    /// A transaction that was cut short by a panic has been rolled back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        let locked = self.connection.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tables, empty and in memory, for what looks at how they are read.
pub(crate) fn in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    for migration in MIGRATIONS {
        connection.execute_batch(migration)?;
    }
    Ok(connection)
}

/// There are secrets in the file; what SQLite lays beside it gets the same mode.
fn make_private(path: &PathBuf) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).mode(0o600);
    let file = options.open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// A row out of its text.
fn row(text: &str) -> Result<Row, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Damaged)
}

/// The text of a row.
fn text(row: &Row) -> Result<String, StoreError> {
    serde_json::to_string(row).map_err(|_| StoreError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("data");
        let database = Database::open(&inside).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&inside), 0o700);
        assert_eq!(mode(&inside.join(FILE)), 0o600);
        assert_eq!(mode(&inside.join(format!("{FILE}-wal"))), 0o600);
        drop(database);
        fs::set_permissions(inside.join(FILE), Permissions::from_mode(0o644)).unwrap();
        Database::open(&inside).unwrap();
        assert_eq!(mode(&inside.join(FILE)), 0o600);
    }

    #[test]
    fn a_newer_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path()).unwrap();
        let version = MIGRATIONS.len() + 1;
        let newer = |tx: &Transaction<'_>| {
            tx.pragma_update(None, "user_version", version.to_string())
                .map_err(StoreError::from)
        };
        database.write(newer).unwrap();
        drop(database);
        let refused = Database::open(dir.path()).err().unwrap().to_string();
        assert!(refused.contains("by a newer matchcut"), "{refused}");
    }

    #[test]
    fn an_older_file_is_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let [first, ..] = MIGRATIONS;
        let older = Connection::open(dir.path().join(FILE)).unwrap();
        older.execute_batch(first).unwrap();
        older.pragma_update(None, "user_version", 1).unwrap();
        let kept = "INSERT INTO events VALUES ('Open', 'Final', '', '{\"Id\":\"a\"}', '{}', NULL)";
        older.execute_batch(kept).unwrap();
        drop(older);
        let database = Database::open(dir.path()).unwrap();
        let found = database.read(|db| events::of_id(db, "a"));
        assert_eq!(found.unwrap().unwrap()["Id"], "a");
        let open: Result<_, StoreError> = database.read(runs::open);
        assert!(open.unwrap().is_empty());
    }

    #[test]
    fn what_fails_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let database = Database::open(dir.path()).unwrap();
        let failed = database.write(|tx| {
            names::put(tx, names::PROGRAM, "Tennis")?;
            Err::<(), StoreError>(StoreError::Damaged)
        });
        assert!(matches!(failed, Err(StoreError::Damaged)));
        let left: Result<_, StoreError> = database.read(|db| names::all(db, names::PROGRAM));
        assert_eq!(left.unwrap(), Vec::<String>::new());
    }
}
