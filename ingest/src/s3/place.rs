//! A prefix of a bucket as a place of numbered files.

use std::collections::HashMap;

use bytes::Bytes;
use matchcut_aws::{AwsError, S3Address};
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::Access;
use super::wake::Wake;
use crate::directory::listing::Entry;

/// A playlist larger than this is not one.
const MAX_PLAYLIST_BYTES: u64 = 32 << 20;

/// A prefix of a bucket.
#[derive(Debug)]
pub struct S3Place {
    access: Access,
    folder: S3Address,
    wake: Option<Wake>,
    /// Playlists that were read, with their tags: only those that changed are read again.
    playlists: HashMap<String, (Entry, Bytes)>,
}

impl S3Place {
    pub(crate) fn new(access: Access, folder: S3Address, queue: Option<&str>) -> Self {
        S3Place {
            access,
            folder,
            wake: queue.map(Wake::new),
            playlists: HashMap::new(),
        }
    }

    pub(crate) async fn list(&mut self) -> Result<Vec<Entry>, AwsError> {
        let listed = self.access.client().await.list(&self.folder).await;
        if let Err(error) = &listed {
            self.access.note(error).await;
        }
        let listed = listed?;
        let entries = listed.into_iter().filter_map(|object| {
            let name = object.key.strip_prefix(&self.folder.key)?;
            let named = !name.is_empty() && !name.contains('/');
            named.then(|| Entry {
                name: name.to_owned(),
                size: object.size,
                // Equal bytes that were written again are no change.
                modified: match object.etag {
                    Some(_) => 0,
                    None => object.modified,
                },
                tag: object.etag,
            })
        });
        Ok(entries.collect())
    }

    pub(crate) async fn read(&mut self, entry: &Entry) -> Option<Bytes> {
        if let Some((known, bytes)) = self.playlists.get(&entry.name)
            && known == entry
        {
            return Some(bytes.clone());
        }
        let object = self.object(&entry.name);
        let client = self.access.client().await;
        match client.get(&object, None, MAX_PLAYLIST_BYTES).await {
            Ok(bytes) => {
                let known = (entry.clone(), bytes.clone());
                self.playlists.insert(entry.name.clone(), known);
                Some(bytes)
            }
            Err(error) => {
                tracing::debug!(%error, "a playlist beside the objects is not read");
                None
            }
        }
    }

    fn object(&self, name: &str) -> S3Address {
        self.folder.at(format!("{}{name}", self.folder.key))
    }

    pub(crate) fn url(&self, name: &str) -> Option<Url> {
        Url::parse(&self.object(name).uri()).ok()
    }

    pub(crate) fn shown(&self, name: &str) -> String {
        self.object(name).to_string()
    }

    pub(crate) fn notices(&mut self) -> Vec<String> {
        self.wake.as_mut().map(Wake::notices).unwrap_or_default()
    }

    pub(crate) async fn wait(&mut self, until: Instant) {
        match &mut self.wake {
            Some(wake) => wake.wait(&self.access, &self.folder, until).await,
            None => sleep_until(until).await,
        }
    }
}
