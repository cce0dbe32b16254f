//! One source of any type, behind one interface.

use std::path::PathBuf;

use matchcut_model::failure::Domain;

#[cfg(feature = "kinesis_video")]
use crate::compose::Composer;
use crate::config::{SourceConfig, SourceKind};
use crate::cursor::SourceCursor;
use crate::directory::{DirectoryCursor, DirectorySource, Place};
use crate::error::SourceError;
use crate::fetch::Fetcher;
use crate::hls::{HlsCursor, HlsSource};
use crate::item::SourceItem;
#[cfg(feature = "kinesis_video")]
use crate::kinesis_video::{Access, Delivery, KinesisVideoConfig, MediaSource};
#[cfg(feature = "medialive")]
use crate::medialive::MediaLiveSource;
#[cfg(feature = "s3")]
use crate::s3::{S3Config, S3Place, is_playlist};
use crate::uri;

/// A source that is being read. It needs a tokio runtime with time and I/O.
#[derive(Debug)]
pub struct Source {
    fetcher: Fetcher,
    kind: Kind,
    /// Whether it is in S3.
    #[cfg(feature = "s3")]
    remote: bool,
}

#[derive(Debug)]
enum Kind {
    Hls(Box<HlsSource>),
    Directory(Box<DirectorySource>),
    File {
        name: String,
        path: Option<PathBuf>,
    },
    #[cfg(feature = "medialive")]
    MediaLive(Box<MediaLiveSource>),
    #[cfg(feature = "kinesis_video")]
    KinesisVideo(Box<HlsSource>),
    #[cfg(feature = "kinesis_video")]
    KinesisMedia(Box<MediaSource>),
}

/// What fetches for a source, and reaches what may be reached for it.
fn fetcher(config: &SourceConfig) -> Fetcher {
    Fetcher::new(config.fetch_options()).with_reach(config.reach.clone())
}

impl Source {
    /// A source as it is configured. Nothing is opened before the first item is asked for.
    pub fn new(config: &SourceConfig) -> Self {
        Self::open(config, None)
    }

    /// A source that goes on behind `cursor`, with the same positions: of a recording or a finished
    /// directory exactly the items that the source that made the cursor would have given after
    /// it, of a live one what is still offered of them. A file is one item, which comes again.
    pub fn resume(config: &SourceConfig, cursor: SourceCursor) -> Result<Self, SourceError> {
        let kind = match &config.kind {
            SourceKind::Hls(_) => "hls",
            SourceKind::Directory(_) => "directory",
            SourceKind::File(_) => "file",
            #[cfg(feature = "s3")]
            SourceKind::S3(_) if is_playlist(&config.uri) => "s3 with a playlist",
            #[cfg(feature = "s3")]
            SourceKind::S3(_) => "s3 with a prefix",
            #[cfg(feature = "medialive")]
            SourceKind::MediaLive(_) => "medialive",
            #[cfg(feature = "kinesis_video")]
            SourceKind::KinesisVideo(options) => match options.options.delivery {
                Delivery::Hls => "kinesis_video with delivery hls",
                Delivery::Media => "kinesis_video with delivery media",
            },
        };
        if kind != cursor.kind() {
            return Err(SourceError::Cursor {
                name: config.name.clone(),
                kind,
                cursor: cursor.kind(),
            });
        }
        Ok(Self::open(config, Some(cursor)))
    }

    fn open(config: &SourceConfig, cursor: Option<SourceCursor>) -> Self {
        #[cfg(feature = "s3")]
        if let SourceKind::S3(options) = &config.kind {
            return Self::open_s3(config, options, cursor);
        }
        #[cfg(feature = "medialive")]
        if let SourceKind::MediaLive(options) = &config.kind {
            let cursor = match cursor {
                Some(SourceCursor::MediaLive(cursor)) => cursor,
                _ => HlsCursor::default(),
            };
            // An address of this program alone: the playlist is made of those of both pipelines.
            let mut url = config.uri.clone();
            let _ = url.set_scheme("medialive");
            let (source, fetcher) =
                MediaLiveSource::resume(&config.name, url, options, cursor, &config.reach);
            return Source {
                fetcher,
                kind: Kind::MediaLive(Box::new(source)),
                remote: true,
            };
        }
        #[cfg(feature = "kinesis_video")]
        if let SourceKind::KinesisVideo(options) = &config.kind {
            return Self::open_kinesis(config, options, cursor);
        }
        let fetcher = fetcher(config);
        let name = &config.name;
        let path = uri::to_path(&config.uri).unwrap_or_else(|| config.uri.as_str().into());
        let kind = match (&config.kind, cursor) {
            (SourceKind::Hls(options), cursor) => {
                let cursor = match cursor {
                    Some(SourceCursor::Hls(cursor)) => cursor,
                    _ => HlsCursor::default(),
                };
                let (uri, options) = (config.uri.clone(), options.clone());
                let source = HlsSource::resume(name, uri, options, fetcher.clone(), cursor);
                Kind::Hls(Box::new(source))
            }
            (SourceKind::Directory(options), cursor) => {
                let cursor = match cursor {
                    Some(SourceCursor::Directory(cursor)) => cursor,
                    _ => DirectoryCursor::default(),
                };
                let source =
                    DirectorySource::resume(name, Place::Local(path), options.clone(), cursor);
                Kind::Directory(Box::new(source))
            }
            (SourceKind::File(_), _) => Kind::File {
                name: name.clone(),
                path: Some(path),
            },
            #[cfg(feature = "s3")]
            (SourceKind::S3(_), _) => Kind::File {
                name: name.clone(),
                path: None,
            },
            #[cfg(feature = "medialive")]
            (SourceKind::MediaLive(_), _) => Kind::File {
                name: name.clone(),
                path: None,
            },
            #[cfg(feature = "kinesis_video")]
            (SourceKind::KinesisVideo(_), _) => Kind::File {
                name: name.clone(),
                path: None,
            },
        };
        Source {
            fetcher,
            kind,
            #[cfg(feature = "s3")]
            remote: false,
        }
    }

    #[cfg(feature = "s3")]
    fn open_s3(config: &SourceConfig, options: &S3Config, cursor: Option<SourceCursor>) -> Self {
        let access = options.access();
        let fetcher = fetcher(config).with_s3(access.clone());
        let (name, uri) = (&config.name, &config.uri);
        let kind = match (is_playlist(uri), S3Config::folder(uri)) {
            (false, Ok(folder)) => {
                let cursor = match cursor {
                    Some(SourceCursor::S3Listing(cursor)) => cursor,
                    _ => DirectoryCursor::default(),
                };
                let place = S3Place::new(access, folder, options.options.queue.as_deref());
                let place = Place::S3(Box::new(place));
                let source = DirectorySource::resume(name, place, options.as_listing(), cursor);
                Kind::Directory(Box::new(source))
            }
            // What is no address of S3 was refused before; as a playlist it would say so once more.
            _ => {
                let cursor = match cursor {
                    Some(SourceCursor::S3Playlist(cursor)) => cursor,
                    _ => HlsCursor::default(),
                };
                let (uri, options) = (uri.clone(), options.as_playlist());
                let source = HlsSource::resume(name, uri, options, fetcher.clone(), cursor);
                Kind::Hls(Box::new(source))
            }
        };
        Source {
            fetcher,
            kind,
            remote: true,
        }
    }

    #[cfg(feature = "kinesis_video")]
    fn open_kinesis(
        config: &SourceConfig,
        options: &KinesisVideoConfig,
        cursor: Option<SourceCursor>,
    ) -> Self {
        let (name, url) = (&config.name, &config.uri);
        let played = match &cursor {
            Some(SourceCursor::KinesisVideo(cursor)) => cursor.clone(),
            _ => HlsCursor::default(),
        };
        let access = Access::new(url, options, played.clone());
        let fetcher = fetcher(config).with_composer(Composer::Kinesis(access.clone()));
        let kind = match options.options.delivery {
            Delivery::Hls => {
                let (url, options) = (url.clone(), options.as_playlist());
                let source = HlsSource::resume(name, url, options, fetcher.clone(), played);
                Kind::KinesisVideo(Box::new(source))
            }
            Delivery::Media => {
                let cursor = match cursor {
                    Some(SourceCursor::KinesisMedia(cursor)) => cursor,
                    _ => Default::default(),
                };
                let source = MediaSource::resume(name, options, access, cursor);
                Kind::KinesisMedia(Box::new(source))
            }
        };
        Source {
            fetcher,
            kind,
            #[cfg(feature = "s3")]
            remote: true,
        }
    }

    /// How far it was read: everything that [`Source::next`] has returned lies behind it.
    pub fn cursor(&self) -> SourceCursor {
        match &self.kind {
            #[cfg(feature = "s3")]
            Kind::Hls(source) if self.remote => SourceCursor::S3Playlist(source.cursor()),
            #[cfg(feature = "s3")]
            Kind::Directory(source) if self.remote => SourceCursor::S3Listing(source.cursor()),
            Kind::Hls(source) => SourceCursor::Hls(source.cursor()),
            Kind::Directory(source) => SourceCursor::Directory(source.cursor()),
            Kind::File { .. } => SourceCursor::File,
            #[cfg(feature = "medialive")]
            Kind::MediaLive(source) => SourceCursor::MediaLive(source.cursor()),
            #[cfg(feature = "kinesis_video")]
            Kind::KinesisVideo(source) => SourceCursor::KinesisVideo(source.cursor()),
            #[cfg(feature = "kinesis_video")]
            Kind::KinesisMedia(source) => SourceCursor::KinesisMedia(source.cursor()),
        }
    }

    /// What fetches the chunks of this source.
    pub fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The next item, in playlist order; waits for it when the source is live. After
    /// [`SourceItem::End`] or an error there is only `End`. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<SourceItem, SourceError> {
        match &mut self.kind {
            Kind::Hls(source) => source.next().await,
            Kind::Directory(source) => source.next().await,
            #[cfg(feature = "medialive")]
            Kind::MediaLive(source) => source.next().await,
            #[cfg(feature = "kinesis_video")]
            Kind::KinesisVideo(source) => source.next().await,
            #[cfg(feature = "kinesis_video")]
            Kind::KinesisMedia(source) => source.next().await,
            Kind::File { name, path } => {
                let Some(file) = path.clone() else {
                    return Ok(SourceItem::End);
                };
                let found = tokio::fs::metadata(&file).await;
                *path = None;
                let message = match found {
                    Ok(found) if found.is_file() => return Ok(SourceItem::File(file)),
                    Ok(_) => "not a file".to_owned(),
                    Err(error) => error.to_string(),
                };
                let (name, path) = (name.clone(), file.display().to_string());
                Err(SourceError::Io {
                    name,
                    path,
                    message,
                    domain: Domain::User,
                })
            }
        }
    }
}
