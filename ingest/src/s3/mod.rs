//! Chunks in S3, or on a server that speaks as S3 does, as MediaLive writes them: a playlist that is read as
//! over HTTP, or a prefix of numbered objects that is listed as a directory is. A queue of events may say
//! when it is worth to list again; nothing depends on it.

mod access;
mod config;
mod notice;
mod place;
mod wake;

pub(crate) use access::Access;
pub use config::{S3Config, S3Options};
pub(crate) use config::{is_playlist, options};
pub use place::S3Place;
