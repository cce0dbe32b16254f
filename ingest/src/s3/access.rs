//! The clients of one source: made at the first use, shared by all that fetch for it.

use std::sync::Arc;

use bytes::Bytes;
use matchcut_aws::s3::{Requester, S3};
use matchcut_aws::{AwsError, AwsOptions, Connection, Patience, S3Address};
use matchcut_model::chunk::ByteRange;
use tokio::sync::OnceCell;

use crate::error::FetchError;

/// How a bucket is reached; cheap to clone, its clones share connections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    options: AwsOptions,
    requester: Requester,
    patience: Patience,
    connection: OnceCell<Connection>,
    client: OnceCell<S3>,
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

    pub(crate) async fn connection(&self) -> Connection {
        let inner = &self.0;
        let connect = || Connection::new(&inner.options, inner.patience);
        inner.connection.get_or_init(connect).await.clone()
    }

    pub(crate) async fn client(&self) -> &S3 {
        let connect = async || S3::new(self.connection().await, self.0.requester.clone());
        self.0.client.get_or_init(connect).await
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
