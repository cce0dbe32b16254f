//! Where chunks come from: HLS, a directory, a file, S3, MediaLive, Kinesis Video. A source gives references to chunks in
//! playlist order, says what is missing, and ends; a fetcher turns a reference into bytes.

pub mod ask;
#[cfg(any(feature = "medialive", feature = "kinesis_video"))]
mod compose;
pub mod config;
mod cursor;
mod decrypt;
pub mod describe;
pub mod directory;
pub mod error;
pub mod fetch;
mod hash;
pub mod hls;
pub mod item;
#[cfg(feature = "kinesis_video")]
pub mod kinesis_video;
#[cfg(feature = "medialive")]
pub mod medialive;
pub mod playlist;
pub mod reach;
#[cfg(feature = "s3")]
pub mod s3;
mod source;
#[doc(hidden)]
pub mod testing;
pub mod uri;

pub use config::{DirectoryOptions, FileOptions, HlsOptions, SourceConfig, SourceKind};
pub use cursor::SourceCursor;
pub use describe::{SourceDescription, TextDuration, source_types};
pub use error::{ConfigError, FetchError, SourceError};
pub use fetch::{FetchOptions, Fetcher};
pub use item::{Missing, SourceItem};
pub use source::Source;
