//! How far a source was read: a small value to keep beside the results, from which
//! [`crate::Source::resume`] goes on.

use serde::{Deserialize, Serialize};

use crate::directory::DirectoryCursor;
use crate::hls::HlsCursor;

/// How far a source was read: everything that it has returned lies behind it. Small and bounded,
/// and independent of the process that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceCursor {
    /// Of an `hls` source.
    Hls(HlsCursor),
    /// Of a `directory` source.
    Directory(DirectoryCursor),
    /// Of a `file` source, which is one item: it is told again as a whole, and who divides it into
    /// chunks knows which of them it has.
    File,
    /// Of an `s3` source that reads a playlist.
    S3Playlist(HlsCursor),
    /// Of an `s3` source that lists a prefix.
    S3Listing(DirectoryCursor),
    /// Of a `medialive` source.
    MediaLive(HlsCursor),
    /// Of a `kinesis_video` source with sessions of HLS.
    KinesisVideo(HlsCursor),
    /// Of a `kinesis_video` source with media as they were ingested.
    #[cfg(feature = "kinesis_video")]
    KinesisMedia(crate::kinesis_video::MediaCursor),
}

impl SourceCursor {
    /// The type of source that it belongs to.
    pub fn kind(&self) -> &'static str {
        match self {
            SourceCursor::Hls(_) => "hls",
            SourceCursor::Directory(_) => "directory",
            SourceCursor::File => "file",
            SourceCursor::S3Playlist(_) => "s3 with a playlist",
            SourceCursor::S3Listing(_) => "s3 with a prefix",
            SourceCursor::MediaLive(_) => "medialive",
            SourceCursor::KinesisVideo(_) => "kinesis_video with delivery hls",
            #[cfg(feature = "kinesis_video")]
            SourceCursor::KinesisMedia(_) => "kinesis_video with delivery media",
        }
    }
}
