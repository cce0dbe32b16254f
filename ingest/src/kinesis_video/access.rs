//! What is at our addresses of a stream: playlists that go on over sessions, fragments of HLS, fragments as
//! Matroska. Shared by all that fetch of it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use matchcut_aws::kinesis_video::Stream;
use matchcut_model::chunk::ByteRange;
use tokio::sync::Mutex as AsyncMutex;
use url::Url;

use super::address::{self, InSession, Target};
use super::config::{KinesisVideoConfig, Playback};
use super::matroska::Splitter;
use super::session::{Sessions, millis, of_aws};
use crate::compose::{Block, Ledger, blocks};
use crate::error::FetchError;
use crate::fetch::Loaded;
use crate::hls::HlsCursor;
use crate::playlist::{self, MapSection, Playlist, variables::Variables};

/// Fragments that are held until they are fetched, and their bytes.
const HELD: (usize, usize) = (8, 256 << 20);

/// A playlist larger than this is not one.
const MAX_PLAYLIST_BYTES: u64 = 32 << 20;

/// What a stream has; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    stream: Stream,
    config: Arc<KinesisVideoConfig>,
    sessions: Result<Sessions, String>,
    /// The playlists that are made of those of sessions, by what follows their token.
    ledgers: AsyncMutex<HashMap<Vec<(String, String)>, Ledger>>,
    /// What the first of them goes on with.
    cursor: Mutex<Option<HlsCursor>>,
    held: Mutex<VecDeque<(String, Bytes)>>,
}

impl Access {
    /// Asks nothing yet. `cursor` is where the playlist was read to.
    pub(crate) fn new(url: &Url, config: &KinesisVideoConfig, cursor: HlsCursor) -> Self {
        let config = Arc::new(config.clone());
        let stream = config.stream(url);
        Access(Arc::new(Inner {
            name: address::name_of(url),
            sessions: Sessions::new(stream.clone(), Arc::clone(&config)),
            stream,
            config,
            ledgers: AsyncMutex::default(),
            cursor: Mutex::new(Some(cursor)),
            held: Mutex::default(),
        }))
    }

    /// The stream.
    pub(super) fn stream(&self) -> &Stream {
        &self.0.stream
    }

    /// The address of the stream.
    pub(super) fn address(&self) -> String {
        format!("kvs://{}", self.0.name)
    }

    /// The address of a fragment as Matroska.
    pub(super) fn address_of(&self, number: &str) -> String {
        address::of_fragment(&self.0.name, number)
    }

    /// Holds a fragment until it is fetched.
    pub(super) fn hold(&self, number: &str, bytes: Bytes) {
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.push_back((number.to_owned(), bytes));
        let (count, most) = HELD;
        let size =
            |held: &VecDeque<(String, Bytes)>| held.iter().map(|(_, b)| b.len()).sum::<usize>();
        while held.len() > count || (held.len() > 1 && size(&held) > most) {
            held.pop_front();
        }
    }

    fn held(&self, number: &str) -> Option<Bytes> {
        let held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        let found = held.iter().find(|(known, _)| known == number);
        found.map(|(_, bytes)| bytes.clone())
    }

    /// What is at an address.
    pub(crate) async fn fetch(
        &self,
        url: &Url,
        range: Option<ByteRange>,
        limit: u64,
    ) -> Result<Loaded, FetchError> {
        let bytes = match address::target_of(url) {
            Target::Matroska(number) => self.fragment(url, &number, limit).await?,
            Target::Session(what) if what.is_master() => self.master(url, &what).await?,
            Target::Session(what) if what.is_playlist() => self.playlist(url, &what).await?,
            Target::Session(what) => self.sessions(url)?.get(url, &what, limit).await?,
        };
        let bytes = match range {
            None => bytes,
            Some(range) => part(url, &bytes, range)?,
        };
        Ok(Loaded {
            url: url.clone(),
            bytes,
        })
    }

    fn sessions(&self, url: &Url) -> Result<&Sessions, FetchError> {
        self.0
            .sessions
            .as_ref()
            .map_err(|message| FetchError::Transport {
                uri: url.to_string(),
                message: message.clone(),
            })
    }

    /// A fragment as it was ingested, held or kept by the stream.
    async fn fragment(&self, url: &Url, number: &str, limit: u64) -> Result<Bytes, FetchError> {
        if let Some(bytes) = self.held(number) {
            return Ok(bytes);
        }
        let aws = |error| of_aws(url, error);
        let mut body = self
            .0
            .stream
            .fragments(&[number.to_owned()])
            .await
            .map_err(aws)?;
        let damaged = |message: String| FetchError::Io {
            uri: url.to_string(),
            message,
        };
        let mut splitter = Splitter::new(limit);
        let mut found = Vec::new();
        while let Some(bytes) = body.next().await.map_err(aws)? {
            found.extend(splitter.take(&bytes).map_err(damaged)?);
        }
        found.extend(splitter.end());
        let fragment = found.into_iter().find(|fragment| fragment.number == number);
        fragment
            .map(|fragment| fragment.bytes)
            .ok_or_else(|| FetchError::NotFound {
                uri: url.to_string(),
                status: Some(404),
            })
    }

    /// The playlist that a session begins with, under our names.
    async fn master(&self, url: &Url, what: &InSession) -> Result<Bytes, FetchError> {
        let got = self
            .sessions(url)?
            .get(url, what, MAX_PLAYLIST_BYTES)
            .await?;
        Ok(under_our_names(&self.0.name, &String::from_utf8_lossy(&got)).into())
    }

    /// A playlist that goes on over sessions.
    async fn playlist(&self, url: &Url, what: &InSession) -> Result<Bytes, FetchError> {
        let mut ledgers = self.0.ledgers.lock().await;
        if !ledgers.contains_key(&what.query) {
            let cursor = self
                .0
                .cursor
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            let ledger = cursor.as_ref().map(Ledger::resume).unwrap_or_default();
            ledgers.insert(what.query.clone(), ledger);
        }
        let Some(ledger) = ledgers.get_mut(&what.query) else {
            return Ok(Bytes::new());
        };
        if ledger.is_complete() {
            return Ok(ledger.text().into());
        }
        let sessions = self.sessions(url)?;
        let on_demand = self.0.config.options.playback == Playback::OnDemand;
        if let (true, Some(from), Some(to)) = (on_demand, self.0.config.from, self.0.config.to) {
            let from = ledger.edge().map_or(from, millis);
            self.stretch(url, what, ledger, (from, to)).await?;
            ledger.end();
            return Ok(ledger.text().into());
        }
        // A session that is begun anew goes on where this one has got to.
        sessions.reached(ledger.edge().map(millis)).await;
        let got = match sessions.get(url, what, MAX_PLAYLIST_BYTES).await {
            Ok(got) => got,
            // Nothing was ingested of late.
            Err(FetchError::NotFound { .. }) => return Ok(ledger.text().into()),
            Err(error) => return Err(error),
        };
        let (new, complete) = self.read(url, ledger, &got)?;
        let hole = ledger.edge().zip(
            new.first()
                .and_then(|(_, block)| Some(block.start?.saturating_sub(block.half()))),
        );
        if let Some((edge, start)) = hole.filter(|(edge, start)| start > edge) {
            // What was ingested while nobody could look is kept by the stream.
            self.stretch(url, what, ledger, (millis(edge), millis(start)))
                .await?;
        }
        add(ledger, new);
        if complete {
            ledger.end();
        }
        Ok(ledger.text().into())
    }

    /// Adds what the stream keeps of a stretch of time.
    async fn stretch(
        &self,
        url: &Url,
        what: &InSession,
        ledger: &mut Ledger,
        (from, to): (i64, i64),
    ) -> Result<(), FetchError> {
        let mut from = from;
        while from <= to {
            let end = Sessions::longest(from, to);
            let session = self.sessions(url)?.stretch(from, end, false).await;
            let session = match session.map_err(|error| of_aws(url, error)) {
                Ok(session) => session,
                // Nothing is kept of it.
                Err(FetchError::NotFound { .. }) => {
                    from = end.saturating_add(1);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let got = self
                .sessions(url)?
                .get_of(&session, url, what, MAX_PLAYLIST_BYTES);
            let (new, _) = self.read(url, ledger, &got.await?)?;
            let last = new.last().and_then(|(_, block)| block.start);
            add(ledger, new);
            // One playlist shows so many fragments, and one session so many hours.
            from = match last {
                Some(last) => millis(last).saturating_add(1),
                None => end.saturating_add(1),
            };
        }
        Ok(())
    }

    /// The fragments of a playlist of a session that are new, and whether it says that nothing more comes.
    fn read(
        &self,
        url: &Url,
        ledger: &Ledger,
        got: &Bytes,
    ) -> Result<(Vec<(String, Block)>, bool), FetchError> {
        let unread = |message: String| FetchError::Io {
            uri: url.to_string(),
            message,
        };
        let text = String::from_utf8_lossy(got);
        let parsed = playlist::parse_with(url.as_str(), got, true, &Variables::new());
        let playlist = match parsed
            .map_err(|error| unread(format!("line {}: {}", error.line, error.message)))?
        {
            Playlist::Media(playlist) => playlist,
            Playlist::Master(_) => return Err(unread("a playlist of chunks expected".to_owned())),
        };
        let mut new = Vec::new();
        for mut block in blocks(&text, &playlist) {
            let at = block.start.map(millis);
            let name = &self.0.name;
            block.uri = address::ours(name, &block.uri, at);
            block.map = block.map.map(|map| MapSection {
                uri: address::ours(name, &map.uri, None),
                ..map
            });
            let key = key_of(&block.uri);
            let before = match (block.start, ledger.edge()) {
                (Some(start), Some(edge)) => start < edge.saturating_sub(block.half()),
                _ => false,
            };
            if !before && !ledger.knows(&key) {
                new.push((key, block));
            }
        }
        Ok((new, playlist.complete))
    }
}

/// The number of a fragment, with what says how it is packed.
fn key_of(uri: &str) -> String {
    let path = uri.split('?').next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn add(ledger: &mut Ledger, new: Vec<(String, Block)>) {
    for (key, block) in new {
        if !ledger.knows(&key) {
            ledger.push(key, block);
        }
    }
}

/// A playlist of playlists, with our names in it.
fn under_our_names(stream: &str, text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().map(str::trim) {
        let ours = match line.split_once("URI=\"") {
            Some((before, rest)) if line.starts_with('#') => match rest.split_once('"') {
                Some((uri, after)) => {
                    format!(
                        "{before}URI=\"{}\"{after}",
                        address::ours(stream, uri, None)
                    )
                }
                None => line.to_owned(),
            },
            _ if line.starts_with('#') || line.is_empty() => line.to_owned(),
            _ => address::ours(stream, line, None),
        };
        out.push_str(&ours);
        out.push('\n');
    }
    out
}

fn part(url: &Url, bytes: &Bytes, range: ByteRange) -> Result<Bytes, FetchError> {
    let end = range.offset.saturating_add(range.length);
    match (usize::try_from(range.offset), usize::try_from(end)) {
        (Ok(start), Ok(end)) if end <= bytes.len() => Ok(bytes.slice(start..end)),
        _ => Err(FetchError::Range {
            uri: url.to_string(),
            range,
            size: bytes.len() as u64,
        }),
    }
}

/// Keeps a part of a body together.
pub(super) fn joined(parts: &[&[u8]]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_out_of_playlists() {
        let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"eng\",\
                    URI=\"getHLSMediaPlaylist.m3u8?SessionToken=hidden&TrackNumber=2\"\n\
                    #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\n\
                    getHLSMediaPlaylist.m3u8?SessionToken=hidden&TrackNumber=1\n";
        assert_eq!(
            under_our_names("court", text),
            "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"eng\",\
             URI=\"kvs://court/getHLSMediaPlaylist.m3u8?TrackNumber=2\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a\"\n\
             kvs://court/getHLSMediaPlaylist.m3u8?TrackNumber=1\n"
        );
    }
}
