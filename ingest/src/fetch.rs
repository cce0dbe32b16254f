//! Turns references into bytes: http, https, S3 and files, whole or in part, decrypted where they are
//! encrypted, with limits of time and size and with retries. Dropping the future stops the
//! transfer.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use matchcut_model::chunk::{ByteRange, Encryption, Resource};
use matchcut_model::failure::Retry;
use reqwest::header::RANGE;
use reqwest::{Client, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio::sync::OnceCell;
use tokio::time::Instant;
use url::Url;

#[cfg(any(feature = "medialive", feature = "kinesis_video"))]
use crate::compose::Composer;
use crate::decrypt::decrypt;
use crate::describe::TextDuration;
use crate::error::FetchError;
use crate::hash::hash;
use crate::reach::Reach;
#[cfg(feature = "s3")]
use crate::s3::Access;
use crate::uri;

/// A playlist larger than this is not one.
const MAX_PLAYLIST_BYTES: u64 = 32 << 20;

/// Nor is that a key.
const MAX_KEY_BYTES: u64 = 4096;

/// Keys that are kept.
const MAX_KEYS: usize = 256;

/// The longest pause before a retry.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The longest pause that a server may ask for.
const LONGEST_RETRY_AFTER: u64 = 60;

/// Limits of a fetcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// Time limit of one request, from its start to its last byte.
    pub timeout: TextDuration,
    /// How often a request that failed for a reason that may pass is sent again.
    pub retries: u32,
    /// Pause before the first retry, of which up to a half is left out at random; it doubles with
    /// each, up to 8 s. A server that says when to come again (Retry-After) is obeyed.
    pub backoff: TextDuration,
    /// A chunk that the server does not have is asked for again for so long while the stream is
    /// live: playlists are often ahead of what they list.
    pub missing_after: TextDuration,
    /// Larger resources are refused.
    pub max_bytes: u64,
}

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions {
            timeout: TextDuration::seconds(20),
            retries: 3,
            backoff: TextDuration(matchcut_model::time::MediaTime::from_millis(250)),
            missing_after: TextDuration::seconds(10),
            max_bytes: 512 << 20,
        }
    }
}

/// Bytes with the address they came from in the end.
pub(crate) struct Loaded {
    pub url: Url,
    pub bytes: Bytes,
}

/// A key, fetched once.
type KeyCell = Arc<OnceCell<[u8; 16]>>;

/// Fetches resources; cheap to clone, its clones share connections and keys.
#[derive(Clone, Debug)]
pub struct Fetcher {
    options: FetchOptions,
    /// Made at the first use, since files need none.
    client: Arc<OnceLock<Client>>,
    keys: Arc<Mutex<HashMap<String, KeyCell>>>,
    /// Whether the source is live.
    live: Arc<AtomicBool>,
    /// How objects of S3 are reached.
    #[cfg(feature = "s3")]
    s3: Access,
    /// Who answers for addresses that are of this program alone.
    #[cfg(any(feature = "medialive", feature = "kinesis_video"))]
    composer: Composer,
    /// What may be reached.
    reach: Reach,
    /// Where the randomness of pauses comes from.
    seed: u64,
}

impl Default for Fetcher {
    fn default() -> Self {
        Fetcher::new(FetchOptions::default())
    }
}

impl Fetcher {
    /// A fetcher with these limits. Its pauses are not those of other processes, so that they do
    /// not come all at once to a server that has a bad moment.
    pub fn new(options: FetchOptions) -> Self {
        Fetcher::seeded(options, RandomState::new().hash_one(0))
    }

    /// A fetcher whose pauses are known beforehand.
    pub fn seeded(options: FetchOptions, seed: u64) -> Self {
        Fetcher {
            options,
            client: Arc::default(),
            keys: Arc::default(),
            live: Arc::default(),
            #[cfg(feature = "s3")]
            s3: Access::default(),
            #[cfg(any(feature = "medialive", feature = "kinesis_video"))]
            composer: Composer::None,
            reach: Reach::everything(),
            seed,
        }
    }

    /// The same, which reaches S3 in this way.
    #[cfg(feature = "s3")]
    pub(crate) fn with_s3(mut self, access: Access) -> Self {
        self.s3 = access;
        self
    }

    /// The same, for which `composer` answers for addresses that are of this program alone.
    #[cfg(any(feature = "medialive", feature = "kinesis_video"))]
    pub(crate) fn with_composer(mut self, composer: Composer) -> Self {
        self.composer = composer;
        self
    }

    /// The same, which reaches nothing else.
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// What is at an address, as it is.
    pub async fn get(&self, uri: &str) -> Result<Bytes, FetchError> {
        let url = address(uri)?;
        let loaded = self.load(&url, None, self.options.max_bytes, None, false);
        Ok(loaded.await?.bytes)
    }

    /// Says whether the source is live: then what is not there may still come.
    pub(crate) fn set_live(&self, live: bool) {
        self.live.store(live, Ordering::Relaxed);
    }

    /// The bytes of a resource, decrypted.
    pub async fn fetch(&self, resource: &Resource) -> Result<Bytes, FetchError> {
        let url = address(&resource.uri)?;
        let limit = self.options.max_bytes;
        let loaded = self.load(&url, resource.range, limit, None, true).await?;
        match &resource.encryption {
            None => Ok(loaded.bytes),
            Some(encryption) => self.decrypt(&resource.uri, loaded.bytes, encryption).await,
        }
    }

    async fn decrypt(
        &self,
        uri: &str,
        bytes: Bytes,
        encryption: &Encryption,
    ) -> Result<Bytes, FetchError> {
        let failed = |message: String| FetchError::Decrypt {
            uri: uri.to_owned(),
            key: encryption.key_uri.clone(),
            message,
        };
        let key = self.key(&encryption.key_uri).await;
        let key = key.map_err(|error| match error {
            FetchError::Key { .. } => error,
            error => FetchError::NoKey {
                uri: uri.to_owned(),
                error: Box::new(error),
            },
        })?;
        let iv = encryption.iv;
        let work = tokio::task::spawn_blocking(move || decrypt(bytes.into(), key, iv));
        let plain = work.await.map_err(|error| failed(error.to_string()))?;
        plain.map(Bytes::from).map_err(failed)
    }

    /// A key; asked for once, also when several chunks wait for it.
    async fn key(&self, uri: &str) -> Result<[u8; 16], FetchError> {
        let cell = {
            let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
            if keys.len() >= MAX_KEYS && !keys.contains_key(uri) {
                keys.clear();
            }
            keys.entry(uri.to_owned()).or_default().clone()
        };
        let fetch = async || {
            let url = address(uri)?;
            let loaded = self.load(&url, None, MAX_KEY_BYTES, None, true).await?;
            <[u8; 16]>::try_from(loaded.bytes.as_ref()).map_err(|_| FetchError::Key {
                uri: uri.to_owned(),
                length: loaded.bytes.len(),
            })
        };
        cell.get_or_try_init(fetch).await.copied()
    }

    /// The bytes of a playlist. A server that answers only when there is something new gets the
    /// time limit `patience` instead of the usual one.
    pub(crate) async fn playlist(
        &self,
        url: &Url,
        patience: Option<TextDuration>,
    ) -> Result<Loaded, FetchError> {
        self.load(url, None, MAX_PLAYLIST_BYTES, patience, false)
            .await
    }

    async fn load(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        limit: u64,
        patience: Option<TextDuration>,
        await_missing: bool,
    ) -> Result<Loaded, FetchError> {
        let begun = Instant::now();
        let timeout = patience.unwrap_or(self.options.timeout);
        let mut left = self.options.retries;
        let mut count = 0;
        loop {
            let attempt = self.attempt(url, range, limit);
            let result = match tokio::time::timeout(timeout.std(), attempt).await {
                Ok(result) => result,
                Err(_) => Err(FetchError::Timeout {
                    uri: url.to_string(),
                    after: timeout.0,
                }),
            };
            let error = match result {
                Ok(loaded) => return Ok(loaded),
                Err(error) => error,
            };
            let mut pause = pause(self.options.backoff.std(), count, self.seed, url.as_str());
            let awaited = await_missing
                && self.live.load(Ordering::Relaxed)
                && matches!(
                    error,
                    FetchError::NotFound {
                        status: Some(_),
                        ..
                    }
                )
                && begun.elapsed() + pause < self.options.missing_after.std();
            if awaited {
                pause = pause.min(Duration::from_secs(1));
            } else if left > 0 && error.retry() == Retry::WithBackoff {
                left -= 1;
            } else {
                return Err(error);
            }
            if let FetchError::Status {
                retry_after: Some(seconds),
                ..
            } = error
            {
                let asked = Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER));
                pause = pause.max(asked);
            }
            tracing::debug!(%error, ?pause, "trying again");
            tokio::time::sleep(pause).await;
            count += 1;
        }
    }

    async fn attempt(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<Loaded, FetchError> {
        self.reach
            .check(url)
            .map_err(|denied| FetchError::Address {
                uri: denied.what.clone(),
                message: denied.to_string(),
            })?;
        match url.scheme() {
            "file" => {
                let bytes = read_file(url, range, limit).await?;
                Ok(Loaded {
                    url: url.clone(),
                    bytes,
                })
            }
            "http" | "https" => self.request(url, range, limit).await,
            #[cfg(feature = "s3")]
            "s3" => Ok(Loaded {
                url: url.clone(),
                bytes: self.object(url, range, limit).await?,
            }),
            #[cfg(any(feature = "medialive", feature = "kinesis_video"))]
            "medialive" | "kvs" => self.composer.fetch(url, range, limit).await,
            other => Err(FetchError::Address {
                uri: url.to_string(),
                message: format!("\"{other}\" is not a scheme that can be fetched"),
            }),
        }
    }

    #[cfg(feature = "s3")]
    async fn object(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<Bytes, FetchError> {
        let fetched = self.s3.fetch(url.as_str(), range, limit).await;
        #[cfg(feature = "medialive")]
        if let (Err(FetchError::NotFound { .. }), Some(other)) =
            (&fetched, self.composer.instead_of(url.as_str()))
            && let Ok(bytes) = self.s3.fetch(&other, range, limit).await
        {
            return Ok(bytes);
        }
        fetched
    }

    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let agent = concat!("matchcut/", env!("CARGO_PKG_VERSION"));
        let client = self
            .reach
            .keep(Client::builder().user_agent(agent))
            .build()
            .map_err(|e| describe(&e))?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn request(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<Loaded, FetchError> {
        let broken = |message| FetchError::Transport {
            uri: url.to_string(),
            message,
        };
        let mut request = self.client().map_err(broken)?.get(url.clone());
        if let Some(ByteRange { offset, length }) = range {
            let last = offset.saturating_add(length.max(1) - 1);
            request = request.header(RANGE, format!("bytes={offset}-{last}"));
        }
        let response = request
            .send()
            .await
            .map_err(|error| broken(describe(&error)))?;
        let status = response.status();
        let uri = || url.to_string();
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                return Err(FetchError::NotFound {
                    uri: uri(),
                    status: Some(status.as_u16()),
                });
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                let range = range.unwrap_or(ByteRange {
                    offset: 0,
                    length: 0,
                });
                let size = total_of(&response).unwrap_or_default();
                return Err(FetchError::Range {
                    uri: uri(),
                    range,
                    size,
                });
            }
            status if !status.is_success() => {
                return Err(FetchError::Status {
                    uri: uri(),
                    status: status.as_u16(),
                    retry_after: retry_after(&response),
                });
            }
            _ => {}
        }
        let arrived_at = response.url().clone();
        let bytes = match range {
            None => collect(url, response, limit).await?,
            Some(range) if status == StatusCode::PARTIAL_CONTENT => {
                let bytes = collect(url, response, limit.min(range.length)).await?;
                cut(url, bytes, ByteRange { offset: 0, ..range }, range)?
            }
            // A server that knows nothing of parts sends the whole.
            Some(range) => cut(url, collect(url, response, limit).await?, range, range)?,
        };
        Ok(Loaded {
            url: arrived_at,
            bytes,
        })
    }
}

fn address(uri: &str) -> Result<Url, FetchError> {
    Url::parse(uri).map_err(|error| FetchError::Address {
        uri: uri.to_owned(),
        message: error.to_string(),
    })
}

/// The pause before retry `count`, counted from 0: twice as long each time, of which up to a half
/// is left out.
fn pause(backoff: Duration, count: u32, seed: u64, uri: &str) -> Duration {
    let whole = backoff
        .saturating_mul(1 << count.min(16))
        .min(LONGEST_PAUSE);
    let hash = hash(&[uri.as_bytes(), &seed.to_le_bytes(), &count.to_le_bytes()]);
    // The high bits are the ones that are mixed best.
    let share = (hash >> 40) as f64 / f64::from(1 << 24);
    whole.mul_f64(1.0 - share / 2.0)
}

/// The seconds that a server asks to wait: a number, or a date.
fn retry_after(response: &Response) -> Option<u64> {
    let text = response.headers().get(reqwest::header::RETRY_AFTER)?;
    let text = text.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let wait = date.duration_since(jiff::Timestamp::now());
    u64::try_from(wait.as_secs()).ok()
}

/// The size after the slash of a Content-Range.
fn total_of(response: &Response) -> Option<u64> {
    let header = response.headers().get(reqwest::header::CONTENT_RANGE)?;
    header.to_str().ok()?.rsplit('/').next()?.parse().ok()
}

/// The message of an error with its causes: the outer one alone says only that a request failed.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = inner.source();
    }
    text
}

async fn collect(url: &Url, mut response: Response, limit: u64) -> Result<Bytes, FetchError> {
    let too_large = || FetchError::TooLarge {
        uri: url.to_string(),
        limit,
    };
    if response
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(part)) => {
                if bytes.len() as u64 + part.len() as u64 > limit {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&part);
            }
            Ok(None) => return Ok(bytes.freeze()),
            Err(error) => {
                let message = describe(&error);
                return Err(FetchError::Transport {
                    uri: url.to_string(),
                    message,
                });
            }
        }
    }
}

/// `part` of the bytes; `asked` is what an error names.
fn cut(url: &Url, bytes: Bytes, part: ByteRange, asked: ByteRange) -> Result<Bytes, FetchError> {
    let size = bytes.len() as u64;
    let end = part.offset.saturating_add(part.length);
    match (usize::try_from(part.offset), usize::try_from(end)) {
        (Ok(start), Ok(end)) if end <= bytes.len() => Ok(bytes.slice(start..end)),
        _ => {
            let size = asked.offset - part.offset + size;
            Err(FetchError::Range {
                uri: url.to_string(),
                range: asked,
                size,
            })
        }
    }
}

async fn read_file(url: &Url, range: Option<ByteRange>, limit: u64) -> Result<Bytes, FetchError> {
    let path = uri::to_path(url).ok_or_else(|| FetchError::Address {
        uri: url.to_string(),
        message: "not a path of this machine".into(),
    })?;
    // People read paths more easily than escaped URIs.
    let shown = path.display().to_string();
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => FetchError::NotFound {
            uri: shown.clone(),
            status: None,
        },
        _ => FetchError::Io {
            uri: shown.clone(),
            message: error.to_string(),
        },
    };
    let mut file = tokio::fs::File::open(&path).await.map_err(failed)?;
    let size = file.metadata().await.map_err(failed)?.len();
    let part = range.unwrap_or(ByteRange {
        offset: 0,
        length: size,
    });
    if part.length > limit {
        return Err(FetchError::TooLarge { uri: shown, limit });
    }
    if part.offset.saturating_add(part.length) > size {
        return Err(FetchError::Range {
            uri: shown,
            range: part,
            size,
        });
    }
    file.seek(std::io::SeekFrom::Start(part.offset))
        .await
        .map_err(failed)?;
    let mut bytes = Vec::with_capacity(usize::try_from(part.length).unwrap_or_default());
    file.take(part.length)
        .read_to_end(&mut bytes)
        .await
        .map_err(failed)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        let of = |count, seed| pause(Duration::from_millis(100), count, seed, "http://x/a.ts");
        for count in 0..20 {
            let whole = Duration::from_millis(100 << count.min(10)).min(LONGEST_PAUSE);
            let pauses = [of(count, 1), of(count, 2), of(count, 3)];
            for pause in pauses {
                assert!(pause <= whole && pause >= whole / 2, "{count}: {pause:?}");
            }
            assert_ne!(pauses[0], pauses[1]);
            assert_eq!(of(count, 1), pauses[0]);
        }
    }
}
