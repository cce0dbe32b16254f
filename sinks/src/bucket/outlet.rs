//! Makes the bucket follow the directory. What the outbox has for it only says that something changed; what is
//! to be done follows from the two sides, so that doing it twice, or after a while, comes to the same.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use matchcut_aws::s3::{Content, S3, Writing};
use matchcut_aws::{AwsError, Connection, S3Address, wait};
use matchcut_model::failure::Domain;
use serde::{Deserialize, Serialize};

use super::options::BucketOptions;
use super::record::{Entry, Record};
use super::tree::{Found, content_type, is_growing, is_immutable, rank, scan};
use crate::files::present;
use crate::outlet::{Carried, Outlet, OutletError, Posted};

/// What the outbox has for a bucket: the directory has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Whether everything is written.
    pub ended: bool,
    /// Whether the event is removed, and nothing of it is to stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// A bucket that follows a directory.
pub struct BucketSink {
    options: BucketOptions,
    dir: PathBuf,
    record: Record,
    place: S3Address,
    s3: Option<S3>,
}

impl BucketSink {
    /// The bucket that follows `dir`; what it has is recorded in the file `record`. Nothing is asked before
    /// there is something to do.
    pub fn new(
        options: BucketOptions,
        (program, event, sink): (&str, &str, &str),
        dir: &Path,
        record: &Path,
    ) -> Result<Self, String> {
        let place = options.prefix(program, event, sink)?;
        let record = Record::open(record, &place.to_string());
        Ok(BucketSink {
            options,
            dir: dir.to_owned(),
            record,
            place,
            s3: None,
        })
    }

    fn object(&self, path: &str) -> S3Address {
        self.place.at(format!("{}{path}", self.place.key))
    }

    fn client(&mut self) -> Result<S3, AwsError> {
        if let Some(s3) = &self.s3 {
            return Ok(s3.clone());
        }
        let (aws, patience) = (self.options.aws(), self.options.patience());
        let connection = wait(async { Ok(Connection::new(&aws, patience).await) })?;
        let s3 = S3::new(connection, self.options.requester());
        self.s3 = Some(s3.clone());
        Ok(s3)
    }

    fn writing(&self, path: &str) -> Writing {
        let cache = match is_immutable(path) {
            true => &self.options.cache_control,
            false => &self.options.cache_control_latest,
        };
        Writing {
            content_type: content_type(path).to_owned(),
            cache_control: (!cache.is_empty()).then(|| cache.clone()),
            storage_class: self.options.storage_class.clone(),
            encryption: self.options.encryption,
            kms_key: self.options.kms_key.clone(),
            tags: self.options.tags.clone(),
        }
    }

    /// Makes the bucket equal to the directory.
    fn follow(&mut self, ended: bool) -> Result<(), OutletError> {
        let found = scan(&self.dir, ended).map_err(|error| unreadable(&self.dir, &error))?;
        let there: BTreeSet<&str> = found.iter().map(|one| one.path.as_str()).collect();
        let gone = self.record.paths().filter(|path| {
            !there.contains(path.as_str()) && !is_growing(path, ended) && self.options.remove
        });
        let gone: Vec<String> = gone.cloned().collect();
        for same_rank in found.chunk_by(|a, b| a.rank == b.rank) {
            self.write(same_rank)?;
        }
        self.remove(gone)
    }

    /// Removes everything that was written; what names others goes before what it names. A bucket that nothing is
    /// removed from keeps it.
    fn clear(&mut self) -> Result<(), OutletError> {
        if !self.options.remove {
            return Ok(());
        }
        let mut paths: Vec<String> = self.record.paths().cloned().collect();
        paths.sort_by_key(|path| std::cmp::Reverse(rank(path)));
        self.remove(paths)
    }

    fn remove(&mut self, gone: Vec<String>) -> Result<(), OutletError> {
        if gone.is_empty() {
            return Ok(());
        }
        let s3 = self.client().map_err(|error| self.failed(error))?;
        for path in gone {
            let object = self.object(&path);
            wait(s3.remove(&object)).map_err(|error| self.failed(error))?;
            self.recorded(|record| record.remove(&path))?;
        }
        Ok(())
    }

    /// Writes what the bucket does not have yet of files that do not name each other.
    fn write(&mut self, files: &[Found]) -> Result<(), OutletError> {
        let mut batch = Vec::new();
        let mut entries = Vec::new();
        for file in files {
            let known = self.record.get(&file.path);
            if known.is_some_and(|has| (has.size, has.modified) == (file.size, file.modified)) {
                continue;
            }
            let Some(digest) = digest(&self.dir, file)? else {
                // Gone meanwhile; who took it away has said so.
                continue;
            };
            let entry = Entry {
                size: file.size,
                modified: file.modified,
                digest,
            };
            if known.is_some_and(|has| has.digest == entry.digest) {
                self.recorded(|record| record.put(&file.path, entry))?;
                continue;
            }
            let content = match &file.content {
                Some(bytes) => Content::Bytes(Bytes::from(bytes.clone())),
                None => Content::File(self.dir.join(&file.path)),
            };
            batch.push((self.object(&file.path), content, self.writing(&file.path)));
            entries.push((file.path.as_str(), entry));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let s3 = self.client().map_err(|error| self.failed(error))?;
        let parallel = self.options.parallel as usize;
        let written = wait(async { Ok(s3.put_all(batch, parallel).await) });
        let written = written.map_err(|error| self.failed(error))?;
        let mut first = None;
        for ((path, entry), written) in entries.into_iter().zip(written) {
            match written {
                Ok(()) => {
                    tracing::debug!(path, "written to the bucket");
                    self.recorded(|record| record.put(path, entry))?;
                }
                Err(_) if !self.dir.join(path).exists() => {}
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        match first {
            Some(error) => Err(self.failed(error)),
            None => Ok(()),
        }
    }

    fn recorded(
        &mut self,
        act: impl FnOnce(&mut Record) -> io::Result<()>,
    ) -> Result<(), OutletError> {
        act(&mut self.record).map_err(|error| unreadable(&self.dir, &error))
    }

    /// The next try reads credentials anew: those that have expired are replaced from outside.
    fn failed(&mut self, error: AwsError) -> OutletError {
        self.s3 = None;
        OutletError {
            message: error.to_string(),
            hint: None,
            domain: error.domain(),
            is_final: false,
        }
    }
}

impl Outlet for BucketSink {
    fn carry(&mut self, batch: &[Posted]) -> Result<Carried, OutletError> {
        let mut ended = false;
        for row in batch {
            let tick = row.read::<Tick>()?;
            if tick.removed {
                return self.clear().map(|()| Carried::All);
            }
            ended |= tick.ended;
        }
        self.follow(ended).map(|()| Carried::All)
    }

    fn patience(&self) -> Duration {
        self.options.drain()
    }
}

fn digest(dir: &Path, file: &Found) -> Result<Option<String>, OutletError> {
    let mut hasher = blake3::Hasher::new();
    if let Some(content) = &file.content {
        hasher.update(content);
        return Ok(Some(hasher.finalize().to_hex().to_string()));
    }
    let path = dir.join(&file.path);
    let read = fs::File::open(&path).and_then(|open| hasher.update_reader(open).map(drop));
    let read = present(read).map_err(|error| unreadable(&path, &error))?;
    Ok(read.map(|()| hasher.finalize().to_hex().to_string()))
}

fn unreadable(path: &Path, error: &io::Error) -> OutletError {
    OutletError {
        message: format!("{}: {error}", path.display()),
        hint: None,
        domain: Domain::External,
        is_final: false,
    }
}
