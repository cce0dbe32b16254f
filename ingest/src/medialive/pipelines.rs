//! The playlists that the pipelines of a channel write, loaded and made into one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use matchcut_aws::S3Address;
use tokio::time::Instant;
use url::Url;

use super::config::{MediaLiveConfig, PipelineChoice};
use super::merge::{Merge, Offer};
use super::source::Notices;
use crate::compose::blocks;
use crate::error::FetchError;
use crate::fetch::Loaded;
use crate::hls::HlsCursor;
use crate::playlist::{self, Playlist, variables::Variables};
use crate::s3::Access;
use crate::uri;

/// A playlist larger than this is not one.
const MAX_PLAYLIST_BYTES: u64 = 32 << 20;

/// The playlist that the output writes: `index` with the modifier of its only output.
const PLAYLIST: &str = "index_1.m3u8";

/// The pipelines of a channel.
#[derive(Debug)]
pub(crate) struct Pipelines {
    access: Access,
    playlists: [Option<Url>; 2],
    merge: Mutex<Merge>,
    begun: Instant,
    /// The channel ran, and does not run any more.
    pub(super) stopped: AtomicBool,
    notices: Arc<Notices>,
}

impl Pipelines {
    pub(super) fn new(
        config: &MediaLiveConfig,
        access: Access,
        cursor: &HlsCursor,
        notices: Arc<Notices>,
    ) -> Self {
        let read = match config.options.pipelines {
            PipelineChoice::Both => [true, true],
            PipelineChoice::First => [true, false],
            PipelineChoice::Second => [false, true],
        };
        let url = |index: usize, prefix: &S3Address| {
            let address = prefix.at(format!("{}{PLAYLIST}", prefix.key));
            read[index]
                .then(|| Url::parse(&address.uri()).ok())
                .flatten()
        };
        let [first, second] = &config.prefixes;
        Pipelines {
            access,
            playlists: [url(0, first), url(1, second)],
            merge: Mutex::new(Merge::new(cursor, read, config.options.take_over.std())),
            begun: Instant::now(),
            stopped: AtomicBool::new(false),
            notices,
        }
    }

    /// The address of the same chunk, as the other pipeline has written it.
    pub(crate) fn instead_of(&self, uri: &str) -> Option<String> {
        let merge = self.merge.lock().unwrap_or_else(PoisonError::into_inner);
        merge.instead_of(uri)
    }

    /// What one of them offers; nothing where there is no playlist yet.
    async fn offer(&self, url: &Option<Url>) -> Result<Option<Offer>, FetchError> {
        let Some(url) = url else { return Ok(None) };
        let loaded = self.access.fetch(url.as_str(), None, MAX_PLAYLIST_BYTES);
        let bytes = match loaded.await {
            Ok(bytes) => bytes,
            Err(FetchError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let parsed = playlist::parse_with(url.as_str(), &bytes, true, &Variables::new());
        let playlist = match parsed {
            Ok(Playlist::Media(playlist)) => playlist,
            Ok(Playlist::Master(_)) => return Ok(None),
            Err(error) => {
                let (uri, message) = (url.to_string(), error.to_string());
                return Err(FetchError::Io { uri, message });
            }
        };
        let mut all = blocks(&String::from_utf8_lossy(&bytes), &playlist);
        for block in &mut all {
            // What cannot be resolved stays, and is told where it is read.
            if let Ok(absolute) = uri::resolve(url, &block.uri) {
                block.uri = absolute.into();
            }
        }
        Ok(Some(Offer {
            blocks: all,
            target: playlist.target_duration,
            complete: playlist.complete,
        }))
    }

    /// The playlist that is made of both.
    pub(crate) async fn playlist(&self) -> Result<Loaded, FetchError> {
        let [first, second] = &self.playlists;
        let (first_offer, second_offer) = tokio::join!(self.offer(first), self.offer(second));
        let url = first.as_ref().or(second.as_ref()).cloned();
        let url = url.ok_or_else(|| FetchError::Address {
            uri: "medialive".to_owned(),
            message: "neither pipeline has an address".to_owned(),
        })?;
        let offers = match (first_offer, second_offer) {
            (Err(error), Ok(None) | Err(_)) | (Ok(None), Err(error)) => return Err(error),
            (a, b) => [a, b].map(|offer| {
                // The other one goes on; how long this one may be away is decided there.
                offer.unwrap_or_else(|error| {
                    tracing::info!(%error, "a pipeline cannot be read");
                    None
                })
            }),
        };
        let stopped = self.stopped.load(Ordering::SeqCst);
        let mut merge = self.merge.lock().unwrap_or_else(PoisonError::into_inner);
        for text in merge.take(&offers, self.begun.elapsed(), stopped) {
            self.notices.tell(text, true);
        }
        Ok(Loaded {
            url,
            bytes: merge.text().into(),
        })
    }
}
