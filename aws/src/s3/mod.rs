//! Objects of S3 and of servers that speak as S3 does: listed, read whole or in part, written where nothing
//! stands yet, removed.

mod put;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::RequestPayer;
use bytes::{Bytes, BytesMut};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::put::{Content, Encryption, PART, Writing};
use crate::error::causes;
use crate::{AwsError, Connection, S3Address};

/// Pages of a list that are read at most: 1000 objects each.
const PAGES: usize = 10_000;

/// As whom a bucket is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Requester {
    /// Whether who asks pays for requests and transfer, as buckets of the kind "requester pays" want it.
    pub requester_pays: bool,
    /// The account that must own the bucket, 12 digits: a bucket of somebody else is refused.
    pub expected_owner: Option<String>,
}

impl Requester {
    /// What is wrong, by option.
    pub fn check(&self) -> Vec<(&'static str, String)> {
        let account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        match &self.expected_owner {
            Some(owner) if !account(owner) => {
                let text = "the 12 digits of an account expected";
                vec![("expected_owner", text.to_owned())]
            }
            _ => Vec::new(),
        }
    }
}

/// An object of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Changes with its content, where the server tells.
    pub etag: Option<String>,
    /// When it was written, in nanoseconds since the Unix epoch; 0 where the server does not tell.
    pub modified: i64,
}

/// A client of S3; cheap to clone.
#[derive(Clone, Debug)]
pub struct S3 {
    client: Client,
    connection: Connection,
    requester: Requester,
}

impl S3 {
    /// A client. Nothing is asked.
    pub fn new(connection: Connection, requester: Requester) -> Self {
        let config = Builder::from(&connection.config).force_path_style(connection.path_style);
        S3 {
            client: Client::from_conf(config.build()),
            connection,
            requester,
        }
    }

    fn payer(&self) -> Option<RequestPayer> {
        self.requester
            .requester_pays
            .then_some(RequestPayer::Requester)
    }

    fn error<E>(
        &self,
        what: &S3Address,
        permission: &'static str,
        error: aws_sdk_s3::error::SdkError<E, aws_smithy_runtime_api::http::Response>,
    ) -> AwsError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let limit = self.connection.patience.timeout;
        AwsError::of(&what.to_string(), permission, limit, error)
    }

    /// The objects whose keys begin with that of `prefix` and go on without another slash, by key.
    pub async fn list(&self, prefix: &S3Address) -> Result<Vec<Listed>, AwsError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let page = self
                .connection
                .patience
                .ask(|| self.page(prefix, &after))
                .await?;
            all.extend(page.contents().iter().filter_map(|object| {
                Some(Listed {
                    key: object.key()?.to_owned(),
                    size: u64::try_from(object.size().unwrap_or_default()).unwrap_or_default(),
                    etag: object.e_tag().map(str::to_owned),
                    modified: object
                        .last_modified()
                        .and_then(|at| i64::try_from(at.as_nanos()).ok())
                        .unwrap_or_default(),
                })
            }));
            let next = page.next_continuation_token().map(str::to_owned);
            if !page.is_truncated().unwrap_or(false) || next.is_none() || next == after {
                return Ok(all);
            }
            after = next;
        }
        Err(AwsError::Broken {
            what: prefix.to_string(),
            message: format!("it has more than {PAGES} pages of objects"),
        })
    }

    async fn page(
        &self,
        prefix: &S3Address,
        after: &Option<String>,
    ) -> Result<aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output, AwsError> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&prefix.bucket)
            .prefix(&prefix.key)
            .delimiter("/")
            .set_continuation_token(after.clone())
            .set_request_payer(self.payer())
            .set_expected_bucket_owner(self.requester.expected_owner.clone());
        let answered = request.send().await;
        answered.map_err(|error| self.error(prefix, "s3:ListBucket", error))
    }

    /// The bytes of an object, or of a part of it; `limit` is how many there may be. One try, whatever
    /// [`crate::Patience::retries`] says: who fetches knows what may still come.
    pub async fn get(
        &self,
        object: &S3Address,
        part: Option<(u64, u64)>,
        limit: u64,
    ) -> Result<Bytes, AwsError> {
        let timeout = self.connection.patience.timeout;
        let reading = self.read(object, part, limit);
        match tokio::time::timeout(timeout, reading).await {
            Ok(read) => read,
            Err(_) => Err(AwsError::timed_out(&object.to_string(), timeout)),
        }
    }

    async fn read(
        &self,
        object: &S3Address,
        part: Option<(u64, u64)>,
        limit: u64,
    ) -> Result<Bytes, AwsError> {
        let range = part.map(|(offset, length)| {
            let last = offset.saturating_add(length.max(1) - 1);
            format!("bytes={offset}-{last}")
        });
        let request = self
            .client
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_range(range)
            .set_request_payer(self.payer())
            .set_expected_bucket_owner(self.requester.expected_owner.clone());
        let what = || object.to_string();
        let short = |(offset, length)| AwsError::Range {
            what: what(),
            offset,
            length,
        };
        let answered = request.send().await.map_err(|error| {
            let status = error.raw_response().map(|raw| raw.status().as_u16());
            match (part, status) {
                (Some(part), Some(416)) => short(part),
                _ => self.error(object, "s3:GetObject", error),
            }
        })?;
        let limit = part.map_or(limit, |(_, length)| limit.min(length));
        let large = || AwsError::TooLarge {
            what: what(),
            limit,
        };
        let length = answered.content_length().unwrap_or_default();
        if u64::try_from(length).unwrap_or_default() > limit {
            return Err(large());
        }
        let mut body = answered.body;
        let mut bytes = BytesMut::new();
        loop {
            match body.try_next().await {
                Ok(Some(more)) if (bytes.len() + more.len()) as u64 > limit => return Err(large()),
                Ok(Some(more)) => bytes.extend_from_slice(&more),
                Ok(None) => break,
                Err(error) => {
                    let message = causes(&error);
                    return Err(AwsError::Transport {
                        what: what(),
                        message,
                    });
                }
            }
        }
        match part {
            Some(part) if (bytes.len() as u64) < part.1 => Err(short(part)),
            _ => Ok(bytes.freeze()),
        }
    }

    /// The size of an object, or `None` where there is none.
    pub async fn size(&self, object: &S3Address) -> Result<Option<u64>, AwsError> {
        let ask = async || {
            let request = self
                .client
                .head_object()
                .bucket(&object.bucket)
                .key(&object.key)
                .set_request_payer(self.payer())
                .set_expected_bucket_owner(self.requester.expected_owner.clone());
            match request.send().await {
                Ok(found) => {
                    let size = found.content_length().unwrap_or_default();
                    Ok(Some(u64::try_from(size).unwrap_or_default()))
                }
                Err(error) => match self.error(object, "s3:GetObject", error) {
                    AwsError::NotFound { .. } => Ok(None),
                    error => Err(error),
                },
            }
        };
        self.connection.patience.ask(ask).await
    }

    /// Removes an object. One that is not there is no error.
    pub async fn remove(&self, object: &S3Address) -> Result<(), AwsError> {
        let ask = async || {
            let request = self
                .client
                .delete_object()
                .bucket(&object.bucket)
                .key(&object.key)
                .set_request_payer(self.payer())
                .set_expected_bucket_owner(self.requester.expected_owner.clone());
            let removed = request.send().await.map(drop);
            removed.map_err(|error| self.error(object, "s3:DeleteObject", error))
        };
        self.connection.patience.ask(ask).await
    }
}
