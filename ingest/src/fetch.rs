//! Turns references into bytes: http, https and files, whole or in part, with limits of time and
//! size and with retries. Dropping the future stops the transfer.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use matchcut_model::chunk::{ByteRange, Resource};
use matchcut_model::failure::Retry;
use reqwest::header::RANGE;
use reqwest::{Client, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use url::Url;

use crate::describe::TextDuration;
use crate::error::FetchError;
use crate::uri;

/// A playlist larger than this is not one.
const MAX_PLAYLIST_BYTES: u64 = 32 << 20;

/// Limits of a fetcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchOptions {
    /// Time limit of one request, from its start to its last byte.
    pub timeout: TextDuration,
    /// How often a request that failed for a reason that may pass is sent again.
    pub retries: u32,
    /// Pause before the first retry; it doubles with each, up to 8 s.
    pub backoff: TextDuration,
    /// Larger resources are refused.
    pub max_bytes: u64,
}

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions {
            timeout: TextDuration::seconds(20),
            retries: 3,
            backoff: TextDuration(matchcut_model::time::MediaTime::from_millis(250)),
            max_bytes: 512 << 20,
        }
    }
}

/// Bytes with the address they came from in the end.
pub(crate) struct Loaded {
    pub url: Url,
    pub bytes: Bytes,
}

/// Fetches resources; cheap to clone, its clones share connections.
#[derive(Clone, Debug, Default)]
pub struct Fetcher {
    options: FetchOptions,
    /// Made at the first use, since files need none.
    client: Arc<OnceLock<Client>>,
}

impl Fetcher {
    /// A fetcher with these limits.
    pub fn new(options: FetchOptions) -> Self {
        Fetcher {
            options,
            client: Arc::default(),
        }
    }

    /// The bytes of a resource.
    pub async fn fetch(&self, resource: &Resource) -> Result<Bytes, FetchError> {
        let url = Url::parse(&resource.uri).map_err(|error| FetchError::Address {
            uri: resource.uri.clone(),
            message: error.to_string(),
        })?;
        let loaded = self
            .load(&url, resource.range, self.options.max_bytes)
            .await?;
        Ok(loaded.bytes)
    }

    /// The bytes of a playlist.
    pub(crate) async fn playlist(&self, url: &Url) -> Result<Loaded, FetchError> {
        self.load(url, None, MAX_PLAYLIST_BYTES).await
    }

    async fn load(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<Loaded, FetchError> {
        let mut pause = self.options.backoff.std();
        let mut left = self.options.retries;
        loop {
            let attempt = self.attempt(url, range, limit);
            let result = match tokio::time::timeout(self.options.timeout.std(), attempt).await {
                Ok(result) => result,
                Err(_) => {
                    let after = self.options.timeout.0;
                    Err(FetchError::Timeout {
                        uri: url.to_string(),
                        after,
                    })
                }
            };
            match result {
                Err(error) if left > 0 && error.retry() == Retry::WithBackoff => {
                    tracing::debug!(%error, ?pause, "trying again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(8));
                    left -= 1;
                }
                result => return result,
            }
        }
    }

    async fn attempt(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<Loaded, FetchError> {
        match url.scheme() {
            "file" => {
                let bytes = read_file(url, range, limit).await?;
                Ok(Loaded {
                    url: url.clone(),
                    bytes,
                })
            }
            "http" | "https" => self.request(url, range, limit).await,
            other => Err(FetchError::Address {
                uri: url.to_string(),
                message: format!("\"{other}\" is not a scheme that can be fetched"),
            }),
        }
    }

    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let agent = concat!("matchcut/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder()
            .user_agent(agent)
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

/// The size after the slash of a Content-Range.
fn total_of(response: &Response) -> Option<u64> {
    let header = response.headers().get(reqwest::header::CONTENT_RANGE)?;
    header.to_str().ok()?.rsplit('/').next()?.parse().ok()
}

/// The message of an error with its causes: the outer one alone says only that a request failed.
fn describe(error: &dyn std::error::Error) -> String {
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
