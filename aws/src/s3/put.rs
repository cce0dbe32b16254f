//! Files become objects: small ones in one request, large ones in parts, each with a checksum that the server
//! compares. An object is there whole or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ServerSideEncryption, StorageClass,
};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::S3;
use crate::{AwsError, S3Address};

/// A file larger than this goes in parts of this size, in bytes.
pub const PART: u64 = 8 << 20;

/// An object has at most so many parts.
const MAX_PARTS: u64 = 10_000;

/// How objects are encrypted where they lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// As the bucket is set to.
    #[default]
    Bucket,
    /// With keys of S3.
    S3,
    /// With a key of AWS KMS.
    Kms,
}

/// How an object is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Writing {
    /// `Content-Type`.
    pub content_type: String,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// The class of storage, in AWS's words; the usual one where there is none.
    pub storage_class: Option<String>,
    /// How it is encrypted.
    pub encryption: Encryption,
    /// The key of KMS, by id, ARN or alias; that of the account where there is none.
    pub kms_key: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// What an object is to hold.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Bytes),
    /// What a file holds.
    File(PathBuf),
}

impl Writing {
    fn tagging(&self) -> Option<String> {
        let escaped = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let tags = self.tags.iter();
        let tags = tags.map(|(key, value)| format!("{}={}", escaped(key), escaped(value)));
        let all = tags.collect::<Vec<_>>().join("&");
        (!all.is_empty()).then_some(all)
    }

    fn class(&self) -> Option<StorageClass> {
        self.storage_class.as_deref().map(StorageClass::from)
    }

    fn encrypted(&self) -> Option<ServerSideEncryption> {
        match self.encryption {
            Encryption::Bucket => None,
            Encryption::S3 => Some(ServerSideEncryption::Aes256),
            Encryption::Kms => Some(ServerSideEncryption::AwsKms),
        }
    }
}

impl S3 {
    /// Writes an object, over what stands there.
    pub async fn put(
        &self,
        object: &S3Address,
        bytes: Bytes,
        writing: &Writing,
    ) -> Result<(), AwsError> {
        self.put_if(object, bytes, writing, None).await
    }

    /// Writes an object where none stands: [`AwsError::Exists`] where one does, which stays as it is.
    pub async fn put_new(
        &self,
        object: &S3Address,
        bytes: Bytes,
        content_type: &str,
    ) -> Result<(), AwsError> {
        let writing = Writing {
            content_type: content_type.to_owned(),
            ..Writing::default()
        };
        self.put_if(object, bytes, &writing, Some("*".to_owned()))
            .await
    }

    async fn put_if(
        &self,
        object: &S3Address,
        bytes: Bytes,
        writing: &Writing,
        none_match: Option<String>,
    ) -> Result<(), AwsError> {
        let ask = async || {
            let request = self
                .client
                .put_object()
                .bucket(&object.bucket)
                .key(&object.key)
                .body(ByteStream::from(bytes.clone()))
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .set_if_none_match(none_match.clone())
                .content_type(&writing.content_type)
                .set_cache_control(writing.cache_control.clone())
                .set_storage_class(writing.class())
                .set_server_side_encryption(writing.encrypted())
                .set_ssekms_key_id(writing.kms_key.clone())
                .set_tagging(writing.tagging())
                .set_request_payer(self.payer())
                .set_expected_bucket_owner(self.requester.expected_owner.clone());
            let written = request.send().await.map(drop);
            written.map_err(|error| self.error(object, "s3:PutObject", error))
        };
        self.connection.patience.ask(ask).await
    }

    /// Writes a file as an object, over what stands there: the file as it is when this begins.
    pub async fn put_file(
        &self,
        object: &S3Address,
        file: &Path,
        writing: &Writing,
    ) -> Result<(), AwsError> {
        let failed = |error: std::io::Error| AwsError::Broken {
            what: object.to_string(),
            message: format!("{}: {error}", file.display()),
        };
        // Replaced meanwhile, it is still the same to who has it open.
        let file = Arc::new(File::open(file).map_err(failed)?);
        let size = file.metadata().map_err(failed)?.len();
        if size <= PART {
            let bytes = read(&file, 0, size).await.map_err(failed)?;
            return self.put(object, bytes, writing).await;
        }
        let upload = self.begin(object, writing).await?;
        let part = PART.max(size.div_ceil(MAX_PARTS));
        let sent = async {
            let mut parts = Vec::new();
            for (number, offset) in (1..).zip((0..size).step_by(step(part))) {
                let length = part.min(size - offset);
                let bytes = read(&file, offset, length).await.map_err(failed)?;
                parts.push(self.part(object, &upload, number, bytes).await?);
            }
            self.complete(object, &upload, parts).await
        };
        let sent = sent.await;
        if sent.is_err() {
            // Parts of an upload that nobody ends are paid for.
            self.abort(object, &upload).await;
        }
        sent
    }

    /// Writes many objects, so many at a time; what came of each, in their order.
    pub async fn put_all(
        &self,
        all: Vec<(S3Address, Content, Writing)>,
        parallel: usize,
    ) -> Vec<Result<(), AwsError>> {
        let turns = Arc::new(Semaphore::new(parallel.max(1)));
        let mut tasks = Vec::with_capacity(all.len());
        for (object, content, writing) in all {
            let (s3, turns) = (self.clone(), Arc::clone(&turns));
            let what = object.to_string();
            let task = tokio::spawn(async move {
                let _turn = turns.acquire().await;
                match content {
                    Content::Bytes(bytes) => s3.put(&object, bytes, &writing).await,
                    Content::File(path) => s3.put_file(&object, &path, &writing).await,
                }
            });
            tasks.push((what, task));
        }
        let mut done = Vec::with_capacity(tasks.len());
        for (what, task) in tasks {
            let result = task.await;
            done.push(result.unwrap_or_else(|error| {
                let message = error.to_string();
                Err(AwsError::Broken { what, message })
            }));
        }
        done
    }

    async fn begin(&self, object: &S3Address, writing: &Writing) -> Result<String, AwsError> {
        let ask = async || {
            let request = self
                .client
                .create_multipart_upload()
                .bucket(&object.bucket)
                .key(&object.key)
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .content_type(&writing.content_type)
                .set_cache_control(writing.cache_control.clone())
                .set_storage_class(writing.class())
                .set_server_side_encryption(writing.encrypted())
                .set_ssekms_key_id(writing.kms_key.clone())
                .set_tagging(writing.tagging())
                .set_request_payer(self.payer())
                .set_expected_bucket_owner(self.requester.expected_owner.clone());
            let begun = request.send().await;
            let begun = begun.map_err(|error| self.error(object, "s3:PutObject", error))?;
            begun.upload_id.ok_or_else(|| AwsError::Broken {
                what: object.to_string(),
                message: "the server began an upload in parts and gave it no id".to_owned(),
            })
        };
        self.connection.patience.ask(ask).await
    }

    async fn part(
        &self,
        object: &S3Address,
        upload: &str,
        number: i32,
        bytes: Bytes,
    ) -> Result<CompletedPart, AwsError> {
        let ask = async || {
            let request = self
                .client
                .upload_part()
                .bucket(&object.bucket)
                .key(&object.key)
                .upload_id(upload)
                .part_number(number)
                .body(ByteStream::from(bytes.clone()))
                .checksum_algorithm(ChecksumAlgorithm::Crc32)
                .set_request_payer(self.payer())
                .set_expected_bucket_owner(self.requester.expected_owner.clone());
            let sent = request.send().await;
            let sent = sent.map_err(|error| self.error(object, "s3:PutObject", error))?;
            Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .set_checksum_crc32(sent.checksum_crc32)
                .build())
        };
        self.connection.patience.ask(ask).await
    }

    async fn complete(
        &self,
        object: &S3Address,
        upload: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<(), AwsError> {
        let all = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let ask = async || {
            let request = self
                .client
                .complete_multipart_upload()
                .bucket(&object.bucket)
                .key(&object.key)
                .upload_id(upload)
                .multipart_upload(all.clone())
                .set_request_payer(self.payer())
                .set_expected_bucket_owner(self.requester.expected_owner.clone());
            let ended = request.send().await.map(drop);
            ended.map_err(|error| self.error(object, "s3:PutObject", error))
        };
        self.connection.patience.ask(ask).await
    }

    async fn abort(&self, object: &S3Address, upload: &str) {
        let request = self
            .client
            .abort_multipart_upload()
            .bucket(&object.bucket)
            .key(&object.key)
            .upload_id(upload)
            .set_request_payer(self.payer())
            .set_expected_bucket_owner(self.requester.expected_owner.clone());
        if let Err(error) = request.send().await {
            let error = self.error(object, "s3:AbortMultipartUpload", error);
            tracing::debug!(%error, "an upload in parts is left behind");
        }
    }
}

fn step(part: u64) -> usize {
    usize::try_from(part).unwrap_or(usize::MAX)
}

/// Reads a part of a file away from the threads that wait for the network.
async fn read(file: &Arc<File>, offset: u64, length: u64) -> std::io::Result<Bytes> {
    let file = Arc::clone(file);
    let work = move || {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(Bytes::from(bytes))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_as_a_query() {
        let mut writing = Writing::default();
        assert_eq!(writing.tagging(), None);
        writing.tags = [("cost centre", "a&b"), ("keep", "30 d")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let tagging = writing.tagging();
        assert_eq!(tagging.as_deref(), Some("cost%20centre=a%26b&keep=30%20d"));
    }
}
