//! A copy of everything that a service keeps, taken while it serves and events run, and the way back. Stores are
//! copied by SQLite, each as it was at one moment, that of the service first: what it says of an event is then never
//! ahead of the event's own store, and files are copied behind the store that names them.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use matchcut_sinks::files::present;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

use crate::store::{FILE, PATIENCE};

/// What says that a copy is whole. It is written last.
const MANIFEST: &str = "backup.json";

/// Ends of the names of stores, and of what SQLite lays beside them.
const STORE: &str = ".sqlite";
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Locks belong to the processes that hold them.
const LOCK: &str = "lock";

/// Why there is no copy, or no way back from it.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no service.
    #[error("{0} has no {FILE}: it is no directory of a service")]
    NoService(PathBuf),
    /// There is something already.
    #[error("{0} is not empty; name a directory that is not there yet")]
    NotEmpty(PathBuf),
    /// The copy was never finished, or is none.
    #[error("{0} has no {MANIFEST}: it is no backup, or one that was not finished")]
    NotWhole(PathBuf),
    /// A store of the copy is damaged.
    #[error("{path} is damaged: {found}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite found.
        found: String,
    },
    /// A store could not be copied.
    #[error("{path} cannot be copied: {source}")]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A file could not be copied.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Stores.
    pub stores: u64,
    /// Other files.
    pub files: u64,
    /// Bytes of both.
    pub bytes: u64,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { path, source }
}

/// Copies the directory `data` of a service, which may serve meanwhile, to `to`, which is made.
pub fn backup(data: &Path, to: &Path) -> Result<Copied, BackupError> {
    if !data.join(FILE).is_file() {
        return Err(BackupError::NoService(data.to_owned()));
    }
    make(to)?;
    let mut copied = Copied::default();
    store(&data.join(FILE), &to.join(FILE), &mut copied)?;
    tree(data, to, Path::new(""), true, &mut copied)?;
    let manifest = to.join(MANIFEST);
    let about = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "created": jiff::Timestamp::now().to_string(),
        "stores": copied.stores,
        "files": copied.files,
        "bytes": copied.bytes,
    });
    let mut file = private(&manifest).map_err(at(&manifest))?;
    writeln!(file, "{about:#}").map_err(at(&manifest))?;
    file.sync_all().map_err(at(&manifest))?;
    let dir = File::open(to).map_err(at(to))?;
    dir.sync_all().map_err(at(to))?;
    Ok(copied)
}

/// Makes the directory `data` of a service, which must not be there yet, out of a copy. Every store is looked
/// through first.
pub fn restore(from: &Path, data: &Path) -> Result<Copied, BackupError> {
    if !from.join(MANIFEST).is_file() {
        return Err(BackupError::NotWhole(from.to_owned()));
    }
    look_through(from)?;
    make(data)?;
    let mut copied = Copied::default();
    store(&from.join(FILE), &data.join(FILE), &mut copied)?;
    tree(from, data, Path::new(""), true, &mut copied)?;
    Ok(copied)
}

/// A new directory for its owner alone, or an empty one.
fn make(dir: &Path) -> Result<(), BackupError> {
    if dir.is_dir() {
        let mut entries = fs::read_dir(dir).map_err(at(dir))?;
        return match entries.next() {
            None => Ok(()),
            Some(_) => Err(BackupError::NotEmpty(dir.to_owned())),
        };
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(dir).map_err(at(dir))
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// Copies a store as it is at one moment, whoever writes to it.
fn store(from: &Path, to: &Path, copied: &mut Copied) -> Result<(), BackupError> {
    let failed = |source| BackupError::Store {
        path: from.to_owned(),
        source,
    };
    // An empty file is a store to SQLite; this one is for its owner alone.
    private(to).map_err(at(to))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(from, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    let name = to.to_string_lossy();
    connection
        .execute("VACUUM INTO ?1", [&*name])
        .map_err(failed)?;
    let file = File::open(to).map_err(at(to))?;
    file.sync_all().map_err(at(to))?;
    copied.stores += 1;
    copied.bytes += file.metadata().map_err(at(to))?.len();
    Ok(())
}

/// Copies what is below `under`: in each directory stores first, then what lies in it, deeper and beside.
fn tree(
    from: &Path,
    to: &Path,
    under: &Path,
    top: bool,
    copied: &mut Copied,
) -> Result<(), BackupError> {
    let dir = from.join(under);
    let Some(entries) = present(fs::read_dir(&dir)).map_err(at(&dir))? else {
        return Ok(());
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(at(&dir))?.file_name());
    }
    // Hidden directories hold stores: they come before the files that those name.
    names.sort();
    for name in names {
        let path = under.join(&name);
        let text = name.to_string_lossy();
        let (source, target) = (from.join(&path), to.join(&path));
        let Some(about) = present(fs::symlink_metadata(&source)).map_err(at(&source))? else {
            continue;
        };
        if about.is_dir() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(&target).map_err(at(&target))?;
            tree(from, to, &path, false, copied)?;
        } else if top && (text == FILE || text == MANIFEST) || text == LOCK || is_beside(&text) {
            continue;
        } else if text.ends_with(STORE) {
            store(&source, &target, copied)?;
        } else if about.is_file() {
            // What was removed meanwhile, no store of the copy misses: it has gone for a later epoch, which is
            // computed again.
            if let Some(bytes) = present(fs::copy(&source, &target)).map_err(at(&source))? {
                copied.files += 1;
                copied.bytes += bytes;
            }
        }
    }
    Ok(())
}

/// Whether it lies beside a store.
fn is_beside(name: &str) -> bool {
    let of_store = |end: &str| {
        let store = name.strip_suffix(end);
        store.is_some_and(|store| store.ends_with(STORE))
    };
    BESIDE.into_iter().any(of_store)
}

/// Whether every store of a copy is sound.
fn look_through(dir: &Path) -> Result<(), BackupError> {
    for entry in fs::read_dir(dir).map_err(at(dir))? {
        let path = entry.map_err(at(dir))?.path();
        if path.is_dir() {
            look_through(&path)?;
        } else if path.extension().is_some_and(|end| end == "sqlite") {
            let checked = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
                .and_then(|db| {
                    db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
                });
            let found = match checked {
                Ok(found) if found == "ok" => continue,
                Ok(found) => found,
                Err(error) => error.to_string(),
            };
            return Err(BackupError::Damaged { path, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(path: &Path) -> i64 {
        let db = Connection::open(path).unwrap();
        db.query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap()
    }

    /// A service with an event, whose stores are open and have what is in no file yet but the log.
    fn service(dir: &Path) -> Vec<Connection> {
        let event = dir.join("events/e1/.matchcut");
        fs::create_dir_all(&event).unwrap();
        fs::create_dir_all(dir.join("events/e1/clips")).unwrap();
        fs::write(dir.join("events/e1/clips/a.mp4"), "frames").unwrap();
        fs::write(dir.join("lock"), "1").unwrap();
        [dir.join(FILE), event.join("event.sqlite")]
            .map(|path| {
                let db = Connection::open(path).unwrap();
                db.pragma_update(None, "journal_mode", "WAL").unwrap();
                db.execute_batch("CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)")
                    .unwrap();
                db
            })
            .into()
    }

    #[test]
    fn what_is_open_is_copied_whole_and_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let [data, copy, back] = ["data", "copy", "back"].map(|name| dir.path().join(name));
        let open = service(&data);
        let copied = backup(&data, &copy).unwrap();
        assert_eq!((copied.stores, copied.files), (2, 1));
        open[1].execute_batch("INSERT INTO t VALUES (3)").unwrap();
        assert_eq!(restore(&copy, &back).unwrap().stores, 2);
        let store = "events/e1/.matchcut/event.sqlite";
        assert_eq!((rows(&back.join(FILE)), rows(&back.join(store))), (2, 2));
        assert_eq!(
            fs::read(back.join("events/e1/clips/a.mp4")).unwrap(),
            b"frames"
        );
        assert!(!back.join(MANIFEST).exists() && !back.join("lock").exists());
        let mode = |path: &Path| {
            use std::os::unix::fs::PermissionsExt;
            fs::metadata(path).unwrap().permissions().mode() & 0o777
        };
        assert_eq!((mode(&back), mode(&back.join(FILE))), (0o700, 0o600));
        assert_eq!((mode(&copy), mode(&copy.join(store))), (0o700, 0o600));
    }

    #[test]
    fn what_is_there_is_kept_and_what_is_not_whole_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let [data, copy, back] = ["data", "copy", "back"].map(|name| dir.path().join(name));
        let none = backup(&data, &copy).unwrap_err().to_string();
        assert!(none.ends_with("is no directory of a service"), "{none}");
        drop(service(&data));
        backup(&data, &copy).unwrap();
        let twice = backup(&data, &copy).unwrap_err();
        assert!(matches!(twice, BackupError::NotEmpty(_)), "{twice}");
        let over = restore(&copy, &data).unwrap_err();
        assert!(matches!(over, BackupError::NotEmpty(_)), "{over}");
        // A page of a store is overwritten.
        let store = copy.join("events/e1/.matchcut/event.sqlite");
        let mut bytes = fs::read(&store).unwrap();
        let end = bytes.len();
        bytes[end - 4000..].fill(0x5a);
        fs::write(&store, bytes).unwrap();
        let damaged = restore(&copy, &back).unwrap_err();
        assert!(
            matches!(&damaged, BackupError::Damaged { path, .. } if *path == store),
            "{damaged}"
        );
        assert!(!back.exists());
        fs::remove_file(copy.join(MANIFEST)).unwrap();
        let half = restore(&copy, &back).unwrap_err();
        assert!(matches!(half, BackupError::NotWhole(_)), "{half}");
    }
}
