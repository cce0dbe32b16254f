//! One writer at a time. The lock is one of the operating system on an open file, so that it goes with
//! the process however that ends, and a killed run blocks nobody.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::StoreError;

/// Who only looks whether somebody writes holds the lock for a moment: it is tried so often, with such pauses.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(5);

/// Holds the lock of a directory until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of `dir`, which is made if need be.
    pub fn take(dir: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(StoreError::io(dir))?;
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io(&path))?;
        match locked(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only for the message.
                let _ = file.read_to_string(&mut pid);
                let pid = match pid.trim() {
                    "" => "unknown".to_owned(),
                    pid => pid.to_owned(),
                };
                let dir = dir.to_owned();
                return Err(StoreError::InUse { dir, pid });
            }
            Err(TryLockError::Error(source)) => return Err(StoreError::Io { path, source }),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        written.map_err(StoreError::io(&path))?;
        Ok(Lock { _file: file })
    }

    /// Whether somebody holds the lock of `dir` now; not where there is none.
    pub fn is_held(dir: &Path) -> bool {
        let Ok(file) = File::open(dir.join("lock")) else {
            return false;
        };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

fn locked(file: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    file.try_lock()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_seen_who_holds_it_without_taking_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!Lock::is_held(dir.path()));
        let lock = Lock::take(dir.path()).unwrap();
        assert!(Lock::is_held(dir.path()));
        let other = Lock::take(dir.path());
        assert!(matches!(other, Err(StoreError::InUse { .. })), "{other:?}");
        drop(lock);
        assert!(!Lock::is_held(dir.path()));
        Lock::take(dir.path()).unwrap();
    }
}
