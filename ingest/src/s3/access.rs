//! The clients of one source: made at the first use, shared by all that fetch for it, and made anew when
//! their credentials are not taken any more.

use std::sync::Arc;

use bytes::Bytes;
use matchcut_aws::s3::{Requester, S3};
use matchcut_aws::{AwsError, AwsOptions, Connection, Patience, S3Address};
use matchcut_model::chunk::ByteRange;
use tokio::sync::Mutex;

use crate::error::FetchError;

/// How a bucket is reached; cheap to clone, its clones share connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    options: AwsOptions,
    requester: Requester,
    patience: Patience,
    clients: Mutex<Option<(Connection, S3)>>,
}

impl Access {
    /// Asks nothing yet.
    pub(crate) fn new(options: AwsOptions, requester: Requester, patience: Patience) -> Self {
        Access(Arc::new(Inner {
            options,
            requester,
            patience,
            ..Inner::default()
        }))
    }

    async fn clients(&self) -> (Connection, S3) {
        let inner = &self.0;
        let mut held = inner.clients.lock().await;
        match held.as_ref() {
            Some(clients) => clients.clone(),
            None => {
                let connection = Connection::new(&inner.options, inner.patience).await;
                let client = S3::new(connection.clone(), inner.requester.clone());
                held.insert((connection, client)).clone()
            }
        }
    }

    pub(crate) async fn connection(&self) -> Connection {
        self.clients().await.0
    }

    pub(crate) async fn client(&self) -> S3 {
        self.clients().await.1
    }

    /// Takes note of an error: of credentials that are not taken, those that there are by then are read
    /// the next time.
    pub(crate) async fn note(&self, error: &AwsError) {
        if error.of_credentials() {
            *self.0.clients.lock().await = None;
        }
    }

    /// The bytes of an object or of a part of it, in one try.
    pub(crate) async fn fetch(
        &self,
        uri: &str,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<Bytes, FetchError> {
        let object = S3Address::of_uri(uri).map_err(|message| FetchError::Address {
            uri: uri.to_owned(),
            message,
        })?;
        let part = range.map(|range| (range.offset, range.length));
        let uri = || object.to_string();
        let fetched = self.client().await.get(&object, part, limit).await;
        if let Err(error) = &fetched {
            self.note(error).await;
        }
        fetched.map_err(|error| match error {
            AwsError::NotFound { .. } => FetchError::NotFound {
                uri: uri(),
                status: Some(404),
            },
            AwsError::TooLarge { limit, .. } => FetchError::TooLarge { uri: uri(), limit },
            error => FetchError::Aws {
                uri: uri(),
                error: Box::new(error),
            },
        })
    }
}
