//! One source of any type, behind one interface.

use std::path::PathBuf;

use matchcut_model::failure::Domain;

use crate::config::{SourceConfig, SourceKind};
use crate::directory::DirectorySource;
use crate::error::SourceError;
use crate::fetch::Fetcher;
use crate::hls::HlsSource;
use crate::item::SourceItem;
use crate::uri;

/// A source that is being read. It needs a tokio runtime with time and I/O.
#[derive(Debug)]
pub struct Source {
    fetcher: Fetcher,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Hls(Box<HlsSource>),
    Directory(Box<DirectorySource>),
    File { name: String, path: Option<PathBuf> },
}

impl Source {
    /// A source as it is configured. Nothing is opened before the first item is asked for.
    pub fn new(config: &SourceConfig) -> Self {
        let fetcher = Fetcher::new(config.fetch_options());
        let name = &config.name;
        let path = uri::to_path(&config.uri).unwrap_or_else(|| config.uri.as_str().into());
        let kind = match &config.kind {
            SourceKind::Hls(options) => {
                let (uri, options) = (config.uri.clone(), options.clone());
                Kind::Hls(Box::new(HlsSource::new(
                    name,
                    uri,
                    options,
                    fetcher.clone(),
                )))
            }
            SourceKind::Directory(options) => {
                Kind::Directory(Box::new(DirectorySource::new(name, path, options.clone())))
            }
            SourceKind::File(_) => Kind::File {
                name: name.clone(),
                path: Some(path),
            },
        };
        Source { fetcher, kind }
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
