//! AWS behind a small interface: no other crate knows its SDKs. Who talks to AWS shares its options, its way
//! to credentials, its patience and its errors; a feature for each service brings what that needs.

mod address;
#[cfg(feature = "sdk")]
mod connect;
mod error;
#[cfg(feature = "kinesis_video")]
pub mod kinesis_video;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "mediaconvert")]
pub mod mediaconvert;
#[cfg(feature = "medialive")]
pub mod medialive;
mod options;
#[cfg(feature = "sdk")]
mod patience;
#[cfg(any(feature = "medialive", feature = "kinesis_video"))]
mod renewed;
#[cfg(feature = "sdk")]
mod runtime;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "sqs")]
pub mod sqs;
#[cfg(any(
    feature = "mediaconvert",
    feature = "medialive",
    feature = "kinesis_video"
))]
mod verbatim;

pub use address::S3Address;
#[cfg(feature = "sdk")]
pub use connect::Connection;
pub use error::AwsError;
pub use options::{AwsOptions, Keys};
#[cfg(feature = "sdk")]
pub use patience::Patience;
#[cfg(feature = "sdk")]
pub use runtime::wait;
