//! A channel of MediaLive: what is attached to it so that it writes chunks into S3, its start and stop with the
//! event, and the chunks of its two pipelines as one stream.

mod config;
pub mod control;
mod merge;
mod pipelines;
pub mod plan;
mod source;
mod watch;

pub(crate) use config::options;
pub use config::{MediaLiveConfig, MediaLiveOptions, PipelineChoice};
pub(crate) use pipelines::Pipelines;
pub use source::MediaLiveSource;
