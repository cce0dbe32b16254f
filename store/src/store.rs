//! The file itself: one transaction for each epoch, and reading everything back.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::StoreError;
use crate::outbox::{self, Outbox, OutboxRow};
use crate::schema::{FORMAT, TABLES};

/// The name of the file in the directory of the store.
const FILE: &str = "event.sqlite";

/// A row that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRecord {
    /// What kind of row.
    pub kind: &'static str,
    /// 1 or -1.
    pub diff: i64,
    /// The row, as JSON.
    pub value: String,
}

/// Something that is to be published: by whom, and what.
pub type Posting = (Arc<str>, String);

/// Everything that one epoch commits.
#[derive(Clone, Debug, Default)]
pub struct EpochRecord<'a> {
    /// Its number.
    pub epoch: u64,
    /// What kind of input it is.
    pub kind: &'static str,
    /// The position of the chunk that it is about.
    pub position: Option<u64>,
    /// The input.
    pub input: &'a [u8],
    /// What was made of it outside the dataflow.
    pub results: &'a [u8],
    /// By this a later run of the log knows whether it came to the same changes.
    pub digest: &'a [u8],
    /// What it changed.
    pub changes: &'a [ChangeRecord],
    /// What is to be published now, in order.
    pub outbox: &'a [Posting],
    /// How far the inputs were read with it.
    pub progress: &'a [u8],
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its epoch.
    pub epoch: u64,
    /// What kind of input it is.
    pub kind: String,
    /// The input.
    pub input: Vec<u8>,
    /// What was made of it.
    pub results: Vec<u8>,
    /// Of what it changed.
    pub digest: Vec<u8>,
}

/// What a directory holds.
#[derive(Debug)]
pub enum StoreState {
    /// No store.
    None,
    /// A store in which no epoch was committed.
    Empty,
    /// A store to go on with.
    Begun(Store),
}

/// The store of one event.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    db: Connection,
    next: u64,
}

type Tried<T> = Result<T, StoreError>;

impl Store {
    /// Begins a new store in `dir`, in the place of one that is there. `identity` says what is run, for
    /// who wants to go on with it.
    pub fn create(dir: &Path, identity: &str) -> Tried<Self> {
        fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
        let path = dir.join(FILE);
        for suffix in ["", "-wal", "-shm"] {
            let old = dir.join(format!("{FILE}{suffix}"));
            match fs::remove_file(&old) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::Io { path: old, source });
                }
                _ => {}
            }
        }
        let failed = sqlite(&path, "cannot be made");
        let db = Connection::open(&path).map_err(&failed)?;
        let mut store = Store { path, db, next: 0 };
        store.set_up()?;
        let failed = sqlite(&store.path, "cannot be made");
        let begun = (|| {
            let transaction = store.db.transaction()?;
            transaction.execute_batch(TABLES)?;
            set(&transaction, "format", FORMAT.to_string().as_bytes())?;
            set(&transaction, "identity", identity.as_bytes())?;
            set(&transaction, "incarnation", incarnation().as_bytes())?;
            transaction.commit()
        })();
        begun.map_err(failed)?;
        Ok(store)
    }

    /// What `dir` holds. A store whose making was cut short counts as empty.
    pub fn open(dir: &Path) -> Tried<StoreState> {
        let path = dir.join(FILE);
        if !path.exists() {
            return Ok(StoreState::None);
        }
        let failed = sqlite(&path, "cannot be opened");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&path, flags).map_err(&failed)?;
        let mut store = Store { path, db, next: 0 };
        store.set_up()?;
        let failed = sqlite(&store.path, "cannot be read");
        let tables: i64 = store
            .db
            .query_row(
                "SELECT count(*) FROM sqlite_master WHERE name = 'meta'",
                [],
                |row| row.get(0),
            )
            .map_err(&failed)?;
        if tables == 0 {
            return Ok(StoreState::Empty);
        }
        let found = store.meta("format")?.unwrap_or_default();
        let found = String::from_utf8_lossy(&found).into_owned();
        if found != FORMAT.to_string() {
            let (path, expected) = (store.path, FORMAT);
            return Err(StoreError::Format {
                path,
                found,
                expected,
            });
        }
        let last: Option<i64> = store
            .db
            .query_row("SELECT max(epoch) FROM log", [], |row| row.get(0))
            .map_err(failed)?;
        Ok(match last {
            None => StoreState::Empty,
            Some(last) => {
                store.next = last.unsigned_abs() + 1;
                StoreState::Begun(store)
            }
        })
    }

    /// A killed process loses nothing that was committed, and neither does a power cut.
    fn set_up(&self) -> Tried<()> {
        let set_up = || {
            self.db.pragma_update(None, "journal_mode", "WAL")?;
            self.db.pragma_update(None, "synchronous", "FULL")?;
            self.db.pragma_update(None, "cache_size", -1024)
        };
        set_up().map_err(sqlite(&self.path, "cannot be set up"))
    }

    /// The number of epochs committed: the next one.
    pub fn next_epoch(&self) -> u64 {
        self.next
    }

    /// What is run.
    pub fn identity(&self) -> Tried<String> {
        let identity = self.meta("identity")?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&identity).into_owned())
    }

    /// Tells this store from one that stood in its place before, or will: numbers of its outbox mean
    /// something only together with it.
    pub fn incarnation(&self) -> Tried<String> {
        let incarnation = self.meta("incarnation")?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&incarnation).into_owned())
    }

    /// Commits one epoch: all of it or nothing.
    pub fn commit(&mut self, record: &EpochRecord<'_>) -> Tried<()> {
        if record.epoch != self.next {
            let (epoch, expected) = (record.epoch, self.next);
            return Err(StoreError::Order { epoch, expected });
        }
        let failed = sqlite(&self.path, "cannot be written");
        let mut write = || {
            let epoch = record.epoch as i64;
            let transaction = self.db.transaction()?;
            transaction
                .prepare_cached(
                    "INSERT INTO log (epoch, kind, position, input, results, digest) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    epoch,
                    record.kind,
                    record.position.map(|position| position as i64),
                    pack(record.input),
                    pack(record.results),
                    record.digest
                ])?;
            {
                let mut insert = transaction.prepare_cached(
                    "INSERT INTO changes (epoch, seq, kind, diff, value) \
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                for (seq, change) in (0i64..).zip(record.changes) {
                    insert.execute(params![epoch, seq, change.kind, change.diff, change.value])?;
                }
            }
            post(&transaction, record.epoch, record.outbox)?;
            set(&transaction, "progress", record.progress)?;
            transaction.commit()
        };
        write().map_err(failed)?;
        self.next += 1;
        Ok(())
    }

    /// How far the inputs were read with the last epoch.
    pub fn progress(&self) -> Tried<Vec<u8>> {
        Ok(self.meta("progress")?.unwrap_or_default())
    }

    /// Hands every entry of the log to `each`, in order.
    pub fn read_log<E: From<StoreError>>(
        &self,
        mut each: impl FnMut(LogRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = || sqlite(&self.path, "cannot be read");
        let mut select = self
            .db
            .prepare("SELECT epoch, kind, input, results, digest FROM log ORDER BY epoch")
            .map_err(failed())?;
        let mut rows = select.query([]).map_err(failed())?;
        while let Some(row) = rows.next().map_err(failed())? {
            let packed = log_record(row).map_err(failed())?;
            let unpacked = |bytes: &[u8]| {
                unpack(bytes).map_err(|error| StoreError::Damaged {
                    path: self.path.clone(),
                    epoch: packed.epoch,
                    reason: error.to_string(),
                })
            };
            let (input, results) = (unpacked(&packed.input)?, unpacked(&packed.results)?);
            each(LogRecord {
                input,
                results,
                ..packed
            })?;
        }
        Ok(())
    }

    /// What `kind` is still to publish, in order.
    pub fn outbox(&self, kind: &str) -> Tried<Vec<OutboxRow>> {
        outbox::read(&self.db, kind, None).map_err(sqlite(&self.path, "cannot be read"))
    }

    /// How much somebody else than `kind` is still to publish.
    pub fn posted_by_others(&self, kind: &str) -> Tried<u64> {
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let query = "SELECT count(*) FROM outbox WHERE kind <> ?1";
        let counted = self.db.query_row(query, [kind], count);
        let counted = counted.map_err(sqlite(&self.path, "cannot be read"))?;
        Ok(counted.unsigned_abs())
    }

    /// A second way to the outbox, for a thread that publishes what `kind` names.
    pub fn open_outbox(&self, kind: &str) -> Tried<Outbox> {
        Outbox::open(&self.path, kind)
    }

    /// Notes what became of publications, in one transaction: the rows are done, what each left behind
    /// is kept under its key (`None`: nothing is there any more), and others are told of it.
    pub fn published(
        &mut self,
        done: &[i64],
        left: &[(String, Option<String>)],
        (epoch, told): (u64, &[Posting]),
    ) -> Tried<()> {
        if done.is_empty() && left.is_empty() && told.is_empty() {
            return Ok(());
        }
        let failed = sqlite(&self.path, "cannot be written");
        let mut write = || {
            let transaction = self.db.transaction()?;
            for id in done {
                transaction
                    .prepare_cached("DELETE FROM outbox WHERE id = ?1")?
                    .execute([id])?;
            }
            for (key, value) in left {
                match value {
                    Some(value) => leave(&transaction, key, value)?,
                    None => drop(
                        transaction
                            .prepare_cached("DELETE FROM published WHERE key = ?1")?
                            .execute([key])?,
                    ),
                }
            }
            post(&transaction, epoch, told)?;
            transaction.commit()
        };
        write().map_err(failed)
    }

    /// What was published, by key.
    pub fn all_published(&self) -> Tried<Vec<(String, String)>> {
        let read = || {
            let mut select = self
                .db
                .prepare("SELECT key, value FROM published ORDER BY key")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(sqlite(&self.path, "cannot be read"))
    }

    /// What an epoch changed, in order.
    pub fn changes(&self, epoch: u64) -> Tried<Vec<(String, i64, String)>> {
        let read = || {
            let mut select = self.db.prepare_cached(
                "SELECT kind, diff, value FROM changes WHERE epoch = ?1 ORDER BY seq",
            )?;
            let rows = select.query_map([epoch as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(sqlite(&self.path, "cannot be read"))
    }

    /// The values of all rows of a kind that ever came, each once.
    pub fn ever(&self, kind: &str) -> Tried<Vec<String>> {
        let read = || {
            let mut select = self
                .db
                .prepare("SELECT DISTINCT value FROM changes WHERE kind = ?1 ORDER BY value")?;
            let rows = select.query_map([kind], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(sqlite(&self.path, "cannot be read"))
    }

    /// Notes that the event is removed: others are told this, in the place of all that they were still to be told.
    pub fn take_back(&mut self, told: &[Posting]) -> Tried<()> {
        let epoch = self.next.saturating_sub(1);
        let failed = sqlite(&self.path, "cannot be written");
        let mut write = || {
            let transaction = self.db.transaction()?;
            transaction.execute("DELETE FROM outbox", [])?;
            post(&transaction, epoch, told)?;
            set(&transaction, "taken back", b"1")?;
            transaction.commit()
        };
        write().map_err(failed)
    }

    /// Whether the event is removed.
    pub fn is_taken_back(&self) -> Tried<bool> {
        Ok(self.meta("taken back")?.is_some())
    }

    /// Notes that the run is over and all of its results are written, and tells others of it.
    pub fn finish(&mut self, epoch: u64, left: &[(String, String)], told: &[Posting]) -> Tried<()> {
        let failed = sqlite(&self.path, "cannot be written");
        let mut write = || {
            let transaction = self.db.transaction()?;
            for (key, value) in left {
                leave(&transaction, key, value)?;
            }
            post(&transaction, epoch, told)?;
            set(&transaction, "finished", b"1")?;
            transaction.commit()
        };
        write().map_err(failed)
    }

    /// Whether the run is over and all of its results are written.
    pub fn is_finished(&self) -> Tried<bool> {
        Ok(self.meta("finished")?.is_some())
    }

    fn meta(&self, key: &str) -> Tried<Option<Vec<u8>>> {
        self.db
            .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| {
                row.get(0)
            })
            .optional()
            .map_err(sqlite(&self.path, "cannot be read"))
    }
}

fn leave(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO published (key, value) VALUES (?1, ?2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![key, value])
    .map(drop)
}

fn post(db: &Connection, epoch: u64, postings: &[Posting]) -> rusqlite::Result<()> {
    if postings.is_empty() {
        return Ok(());
    }
    let mut insert =
        db.prepare_cached("INSERT INTO outbox (epoch, kind, payload) VALUES (?1, ?2, ?3)")?;
    for (kind, payload) in postings {
        insert.execute(params![epoch as i64, &**kind, payload])?;
    }
    Ok(())
}

/// A name that no other store has had.
fn incarnation() -> String {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    if let Ok(since) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        hasher.write_u128(since.as_nanos());
    }
    format!("{:016x}", hasher.finish())
}

fn log_record(row: &rusqlite::Row<'_>) -> rusqlite::Result<LogRecord> {
    Ok(LogRecord {
        epoch: row.get::<_, i64>(0)?.unsigned_abs(),
        kind: row.get(1)?,
        input: row.get(2)?,
        results: row.get(3)?,
        digest: row.get(4)?,
    })
}

fn set(db: &Connection, key: &str, value: &[u8]) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO meta (key, value) VALUES (?1, ?2) \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    )?
    .execute(params![key, value])
    .map(drop)
}

pub(crate) fn sqlite(
    path: &Path,
    what: &'static str,
) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Sqlite {
        path: path.clone(),
        what,
        source,
    }
}

/// Frame tables and signatures shrink to a fraction, quickly.
fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    // Writing to a vector cannot fail.
    let _ = packed.write_all(bytes);
    packed.finish().unwrap_or_default()
}

fn unpack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    DeflateDecoder::new(bytes).read_to_end(&mut unpacked)?;
    Ok(unpacked)
}
