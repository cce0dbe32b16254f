//! Reading the body of a request as a whole, with bounds on its size, on the time that it takes and on
//! what all of them hold in memory. One that is too large is read on and thrown away before the
//! answer goes out: most clients do not look at an answer before they have sent everything.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::errors::ApiError;

/// The largest body, in bytes.
pub const LIMIT: usize = 10 * 1024 * 1024;

/// What is read on of a body that is too large, in bytes.
const DISCARDED: usize = 64 * 1024 * 1024;

/// What a body may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A body of at most this length needs no permit, in bytes.
const SMALL: u64 = 64 * 1024;

/// How many bodies that are not small are read at a time.
const AT_A_TIME: usize = 16;

/// How bodies are read.
pub struct Bodies {
    permits: Semaphore,
}

impl Bodies {
    /// Reads none yet.
    pub fn new() -> Bodies {
        let permits = Semaphore::new(AT_A_TIME);
        Bodies { permits }
    }

    /// The whole body.
    pub async fn read(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
        let length = headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        // Without a length a body comes in chunks, or there is none.
        let small = match length {
            Some(length) => length <= SMALL,
            None => http_body::Body::is_end_stream(&body),
        };
        let reading = async {
            let _permit = match small {
                true => None,
                false => self.permits.acquire().await.ok(),
            };
            collect(body).await
        };
        timeout(PATIENCE, reading)
            .await
            .map_err(|_| ApiError::timeout())?
    }
}

async fn collect(mut body: Body) -> Result<Bytes, ApiError> {
    let mut kept: Vec<u8> = Vec::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::bad_request("The body broke off"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen <= LIMIT {
            kept.extend_from_slice(&data);
        } else {
            kept = Vec::new();
        }
        if seen > DISCARDED {
            break;
        }
    }
    match seen > LIMIT {
        true => Err(ApiError::too_large(LIMIT)),
        false => Ok(Bytes::from(kept)),
    }
}
