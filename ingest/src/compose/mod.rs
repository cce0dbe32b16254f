//! Playlists that are made here of others: of the two pipelines of a channel, or of one session after the
//! other. Who follows such a playlist sees one that goes on, with numbers that stay.

mod blocks;
mod ledger;

pub(crate) use blocks::{Block, blocks};
pub(crate) use ledger::Ledger;

#[cfg(any(feature = "medialive", feature = "kinesis_video"))]
use std::sync::Arc;

use matchcut_model::chunk::ByteRange;
use url::Url;

use crate::error::FetchError;
use crate::fetch::Loaded;
#[cfg(feature = "kinesis_video")]
use crate::kinesis_video::Access as Kinesis;
#[cfg(feature = "medialive")]
use crate::medialive::Pipelines;

/// Who answers for addresses that nobody else knows.
#[derive(Clone, Debug, Default)]
pub(crate) enum Composer {
    /// Nobody.
    #[default]
    None,
    /// The pipelines of a channel of MediaLive.
    #[cfg(feature = "medialive")]
    Pipelines(Arc<Pipelines>),
    /// A stream of Kinesis Video.
    #[cfg(feature = "kinesis_video")]
    Kinesis(Kinesis),
}

impl Composer {
    /// The address of the same chunk of another pipeline.
    #[cfg(feature = "medialive")]
    pub(crate) fn instead_of(&self, uri: &str) -> Option<String> {
        match self {
            Composer::Pipelines(pipelines) => pipelines.instead_of(uri),
            _ => None,
        }
    }

    /// What is at an address.
    pub(crate) async fn fetch(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<Loaded, FetchError> {
        match self {
            #[cfg(feature = "medialive")]
            Composer::Pipelines(pipelines) => pipelines.playlist().await,
            #[cfg(feature = "kinesis_video")]
            Composer::Kinesis(access) => access.fetch(url, range, limit).await,
            Composer::None => {
                let _ = (range, limit);
                Err(FetchError::Address {
                    uri: url.to_string(),
                    message: "nobody here knows such addresses".to_owned(),
                })
            }
        }
    }
}
