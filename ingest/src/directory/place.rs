//! Where the files of a series lie: a directory of this machine, or a prefix of a bucket.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use matchcut_model::failure::Domain;
use tokio::time::Instant;
use url::Url;

use super::listing::Entry;
use crate::error::SourceError;
#[cfg(feature = "s3")]
use crate::s3::S3Place;
use crate::uri;

/// Where the files of a series lie.
#[derive(Debug)]
pub enum Place {
    /// A directory of this machine.
    Local(PathBuf),
    /// A prefix of a bucket.
    #[cfg(feature = "s3")]
    S3(Box<S3Place>),
}

impl Place {
    /// What is there, in any order.
    pub(super) async fn list(&mut self, source: &str) -> Result<Vec<Entry>, SourceError> {
        match self {
            Place::Local(path) => list(path).await.map_err(|error| SourceError::Io {
                name: source.to_owned(),
                path: path.display().to_string(),
                message: error.to_string(),
                domain: Domain::User,
            }),
            #[cfg(feature = "s3")]
            Place::S3(place) => place.list().await.map_err(|error| SourceError::Aws {
                name: source.to_owned(),
                error: Box::new(error),
            }),
        }
    }

    /// The bytes of a small file (a playlist), if it can be read.
    pub(super) async fn read(&mut self, entry: &Entry) -> Option<Bytes> {
        match self {
            Place::Local(path) => {
                let bytes = tokio::fs::read(path.join(&entry.name)).await.ok()?;
                Some(bytes.into())
            }
            #[cfg(feature = "s3")]
            Place::S3(place) => place.read(entry).await,
        }
    }

    /// The address of a file.
    pub(super) fn url(&self, name: &str) -> Option<Url> {
        match self {
            Place::Local(path) => uri::from_path(&path.join(name)),
            #[cfg(feature = "s3")]
            Place::S3(place) => place.url(name),
        }
    }

    /// A file as people read it; the place itself for an empty name.
    pub(super) fn shown(&self, name: &str) -> String {
        match self {
            Place::Local(path) if name.is_empty() => path.display().to_string(),
            Place::Local(path) => path.join(name).display().to_string(),
            #[cfg(feature = "s3")]
            Place::S3(place) => place.shown(name),
        }
    }

    /// What there is to tell of the place itself.
    pub(super) fn notices(&mut self) -> Vec<String> {
        match self {
            Place::Local(_) => Vec::new(),
            #[cfg(feature = "s3")]
            Place::S3(place) => place.notices(),
        }
    }

    /// Waits until it is time to look again, or something says that there is news.
    pub(super) async fn wait(&mut self, until: Instant) {
        match self {
            Place::Local(_) => tokio::time::sleep_until(until).await,
            #[cfg(feature = "s3")]
            Place::S3(place) => place.wait(until).await,
        }
    }
}

async fn list(path: &Path) -> std::io::Result<Vec<Entry>> {
    let mut listed = tokio::fs::read_dir(path).await?;
    let mut entries = Vec::new();
    while let Some(entry) = listed.next_entry().await? {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // A file may go away between the two calls; links are followed.
        let Ok(found) = tokio::fs::metadata(entry.path()).await else {
            continue;
        };
        if found.is_file() {
            entries.push(Entry {
                name,
                size: found.len(),
                modified: modified(&found),
                tag: None,
            });
        }
    }
    Ok(entries)
}

/// When a file was changed last, in nanoseconds since the Unix epoch; 0 where nobody knows.
fn modified(found: &std::fs::Metadata) -> i64 {
    let since = found.modified().ok().and_then(|at| {
        let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_nanos()).ok()
    });
    since.unwrap_or_default()
}
