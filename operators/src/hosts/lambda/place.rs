//! Where a chunk lies for a function: where its source has it, if that is an object of S3 as it is, else
//! where it is staged under a key that comes from its content.

use bytes::Bytes;
use matchcut_aws::s3::S3;
use matchcut_aws::{AwsError, S3Address, wait};
use matchcut_model::chunk::PlacedChunk;

use crate::sdk::ChunkMedia;

/// A chunk in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::hosts) struct Place {
    pub(in crate::hosts) object: S3Address,
    /// It was put there for the function.
    pub(in crate::hosts) staged: bool,
}

/// The object that a chunk is, if it is one: all of it, not encrypted, without a part elsewhere.
pub(in crate::hosts) fn as_it_is(placed: &PlacedChunk) -> Option<Place> {
    let chunk = &placed.chunk;
    let alone = chunk.media.range.is_none() && chunk.media.encryption.is_none();
    let whole = alone && chunk.init.is_none() && chunk.window.is_none();
    let object = S3Address::of_uri(&chunk.media.uri).ok().filter(|_| whole)?;
    let staged = false;
    Some(Place { object, staged })
}

/// Puts a chunk where the function finds it; what stands there already holds the same.
pub(in crate::hosts) fn stage(
    s3: &S3,
    stage: &S3Address,
    placed: &PlacedChunk,
    media: &dyn ChunkMedia,
) -> Result<Place, String> {
    let file = media.file()?;
    let content = blake3::hash(&file.bytes).to_hex();
    let content = content.get(..32).unwrap_or_default();
    // MRE reads the number of a chunk behind the last underscore of its name, and refuses 0.
    let number = placed.chunk.position.0.saturating_add(1);
    let key = format!("{}{content}_{number:05}.{}", stage.key, file.extension);
    let object = stage.at(key);
    let content_type = match file.extension {
        "ts" => "video/mp2t",
        _ => "video/mp4",
    };
    let bytes = Bytes::from(file.bytes);
    let put = wait(async {
        if s3.size(&object).await? == Some(bytes.len() as u64) {
            return Ok(());
        }
        match s3.put_new(&object, bytes, content_type).await {
            // Somebody else was quicker.
            Err(AwsError::Exists { .. }) => Ok(()),
            put => put,
        }
    });
    put.map_err(|error| format!("the chunk cannot be staged: {error}"))?;
    let staged = true;
    Ok(Place { object, staged })
}
