//! HLS: a master or media playlist by http, https or from disk, recorded or live. A live playlist
//! is loaded again as RFC 8216, section 6.3.4, asks; positions follow its order.

mod cursor;
pub(crate) mod window;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use matchcut_model::chunk::{ChunkRef, Container, Position, Resource};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::time::MediaTime;
use tokio::time::Instant;
use url::Url;

use crate::config::{HlsOptions, LiveStart};
use crate::describe::TextDuration;
use crate::error::SourceError;
use crate::fetch::{Fetcher, Loaded};
use crate::hash::hash;
use crate::item::{Missing, SourceItem};
use crate::playlist::{self, MasterPlaylist, MediaPlaylist, Playlist, PlaylistError, Segment};
use crate::uri;
pub use cursor::HlsCursor;
use cursor::{Behind, Recent};
use window::{Mark, News, Window};

/// An HLS source that is being read.
#[derive(Debug)]
pub struct HlsSource {
    name: String,
    options: HlsOptions,
    fetcher: Fetcher,
    /// What the user gave, then the media playlist that was chosen.
    url: Url,
    state: State,
    queue: VecDeque<(SourceItem, Behind)>,
    window: Window,
    /// How far the playlist was taken into the queue.
    head: HlsCursor,
    /// How far the queue was read.
    tail: HlsCursor,
}

#[derive(Debug)]
enum State {
    New,
    Live(Live),
    Ended,
}

/// Between two loads of a live playlist.
#[derive(Debug)]
struct Live {
    next_load: Instant,
    last_news: Instant,
    /// The bytes of the last load: a half-written tail that does not change is whole after all.
    bytes: Bytes,
    target_duration: MediaTime,
    last_error: Option<String>,
}

impl HlsSource {
    /// A source that has not been opened yet.
    pub fn new(name: &str, url: Url, options: HlsOptions, fetcher: Fetcher) -> Self {
        Self::resume(name, url, options, fetcher, HlsCursor::default())
    }

    /// A source that goes on where another one stood.
    pub fn resume(
        name: &str,
        url: Url,
        options: HlsOptions,
        fetcher: Fetcher,
        cursor: HlsCursor,
    ) -> Self {
        HlsSource {
            name: name.to_owned(),
            options,
            fetcher,
            url,
            state: match cursor.ended {
                true => State::Ended,
                false => State::New,
            },
            queue: VecDeque::new(),
            window: cursor.window(),
            head: cursor.clone(),
            tail: cursor,
        }
    }

    /// How far it was read.
    pub fn cursor(&self) -> HlsCursor {
        self.tail.clone()
    }

    /// The next item. After an error, and after the end, there is only the end. Dropping the
    /// future loses nothing: the next call goes on where it stood.
    pub async fn next(&mut self) -> Result<SourceItem, SourceError> {
        loop {
            if let Some((item, behind)) = self.queue.pop_front() {
                self.tail.pass(behind, self.options.late_window);
                return Ok(item);
            }
            let step = match &self.state {
                State::Ended => {
                    self.tail.ended = true;
                    return Ok(SourceItem::End);
                }
                State::New => self.open().await,
                State::Live(live) => {
                    let until = live.next_load;
                    tokio::time::sleep_until(until).await;
                    self.reload().await
                }
            };
            if let Err(error) = step {
                self.state = State::Ended;
                return Err(error);
            }
        }
    }

    async fn open(&mut self) -> Result<(), SourceError> {
        let begun = Instant::now();
        let loaded = self.load().await?;
        let (loaded, playlist) = match self.parse(&loaded, true)? {
            Playlist::Media(playlist) => (loaded, playlist),
            Playlist::Master(master) => {
                let (url, notices) = self.choose(&loaded.url, &master)?;
                let loaded_from = loaded.url;
                let loaded = self.fetch(&url).await?;
                let Playlist::Media(playlist) = self.parse(&loaded, true)? else {
                    let message = "a master playlist stands where a variant was announced";
                    return Err(self.refused(&loaded.url, message));
                };
                self.url = url;
                for message in notices {
                    self.notice(&loaded_from, message);
                }
                (loaded, playlist)
            }
        };
        let playlist = match playlist.complete {
            true => playlist,
            // It may still be written: its last line counts when it is finished.
            false => match self.parse(&loaded, false)? {
                Playlist::Media(playlist) => playlist,
                Playlist::Master(_) => playlist,
            },
        };
        if let Some(reason) = unreadable(&playlist) {
            let (name, uri) = (self.name.clone(), loaded.url.to_string());
            return Err(SourceError::Unreadable { name, uri, reason });
        }
        let fresh = self.window.next().is_none();
        if fresh && !playlist.complete && self.options.start == LiveStart::Live {
            self.window
                .enter_at(&playlist, playlist.target_duration.times(3));
        }
        self.admit(&loaded, &playlist);
        self.state = match playlist.complete {
            true => State::Ended,
            false => State::Live(Live {
                next_load: begun + pause(&self.options, playlist.target_duration, true),
                last_news: begun,
                bytes: loaded.bytes,
                target_duration: playlist.target_duration,
                last_error: None,
            }),
        };
        Ok(())
    }

    /// Loads a live playlist again. A load that fails is like one that brings nothing, until it
    /// has gone on for too long.
    async fn reload(&mut self) -> Result<(), SourceError> {
        let begun = Instant::now();
        let result = match self.load().await {
            Ok(loaded) => {
                let unchanged = matches!(&self.state, State::Live(l) if l.bytes == loaded.bytes);
                self.parse(&loaded, unchanged)
                    .map(|playlist| (loaded, playlist))
            }
            Err(error) => Err(error),
        };
        let (playlist, failed) = match result {
            Ok((loaded, Playlist::Media(playlist))) => (Some((loaded, playlist)), None),
            Ok((loaded, Playlist::Master(_))) => (
                None,
                Some(format!("{} became a master playlist", loaded.url)),
            ),
            Err(error) => (None, Some(error.to_string())),
        };
        let changed = playlist
            .as_ref()
            .is_some_and(|(loaded, playlist)| self.admit(loaded, playlist));
        let State::Live(live) = &mut self.state else {
            return Ok(());
        };
        live.last_error = failed;
        if changed {
            live.last_news = begun;
        }
        if let Some((loaded, playlist)) = playlist {
            live.bytes = loaded.bytes;
            live.target_duration = playlist.target_duration;
            if playlist.complete {
                self.state = State::Ended;
                return Ok(());
            }
        }
        let silent = begun.saturating_duration_since(live.last_news);
        let over = |limit: TextDuration| silent >= limit.std();
        match self.options.finished_after {
            Some(limit) if over(limit) => self.state = State::Ended,
            None if over(self.options.stale_after) => {
                return Err(SourceError::Stale {
                    name: self.name.clone(),
                    uri: self.url.to_string(),
                    after: self.options.stale_after.0,
                    last_error: live.last_error.take(),
                });
            }
            _ => live.next_load = begun + pause(&self.options, live.target_duration, changed),
        }
        Ok(())
    }

    async fn load(&self) -> Result<Loaded, SourceError> {
        self.fetch(&self.url).await
    }

    async fn fetch(&self, url: &Url) -> Result<Loaded, SourceError> {
        let name = || self.name.clone();
        let loaded = self.fetcher.playlist(url).await;
        loaded.map_err(|error| SourceError::Fetch {
            name: name(),
            error,
        })
    }

    fn parse(&self, loaded: &Loaded, whole: bool) -> Result<Playlist, SourceError> {
        let whole = whole || loaded.url.scheme() != "file";
        let parsed = playlist::parse(loaded.url.as_str(), &loaded.bytes, whole);
        parsed.map_err(|error| SourceError::Playlist {
            name: self.name.clone(),
            error,
        })
    }

    fn refused(&self, url: &Url, message: &str) -> SourceError {
        let (uri, text, message) = (url.to_string(), String::new(), message.to_owned());
        let error = PlaylistError {
            uri,
            line: 1,
            text,
            message,
        };
        SourceError::Playlist {
            name: self.name.clone(),
            error,
        }
    }

    /// The address of the wanted variant, and what the user should know of it.
    fn choose(
        &self,
        base: &Url,
        master: &MasterPlaylist,
    ) -> Result<(Url, Vec<String>), SourceError> {
        let mut notices: Vec<_> = master.problems.iter().map(ToString::to_string).collect();
        let Some(variant) = master.choose(self.options.variant) else {
            let wanted = self.options.variant.to_string();
            let available = match master.variants.is_empty() {
                true => "none that can be read".to_owned(),
                false => master.available(),
            };
            let (name, uri) = (self.name.clone(), base.to_string());
            return Err(SourceError::NoVariant {
                name,
                uri,
                wanted,
                available,
            });
        };
        if !variant.separate_audio.is_empty() {
            let tracks = variant.separate_audio.join(", ");
            notices.push(format!(
                "the sound of this variant is in separate playlists ({tracks}), which are not \
                 read: only audio inside the chunks themselves is heard"
            ));
        }
        let url = uri::resolve(base, &variant.uri).map_err(|message| {
            let error = PlaylistError {
                uri: base.to_string(),
                line: variant.line,
                text: variant.uri.clone(),
                message: format!("not a usable URI: {message}"),
            };
            SourceError::Playlist {
                name: self.name.clone(),
                error,
            }
        })?;
        Ok((url, notices))
    }

    fn push(&mut self, item: SourceItem, behind: Behind) {
        self.head.pass(behind.clone(), self.options.late_window);
        self.queue.push_back((item, behind));
    }

    /// Tells something, once.
    fn notice_once(&mut self, url: &Url, key: u64, message: String) {
        if self.head.has_told(key) {
            return;
        }
        let told = Behind {
            told: Some(key),
            ..Behind::default()
        };
        self.push(SourceItem::Notice(notice(url, message)), told);
    }

    /// Tells something, once.
    fn notice(&mut self, url: &Url, message: String) {
        self.notice_once(url, hash(&[message.as_bytes()]), message);
    }

    /// Queues what a load brought; says whether it brought a chunk.
    fn admit(&mut self, loaded: &Loaded, playlist: &MediaPlaylist) -> bool {
        for problem in &playlist.problems {
            // The same line comes again with every load, at another place.
            let key = hash(&[problem.message.as_bytes(), problem.text.as_bytes()]);
            self.notice_once(&loaded.url, key, problem.to_string());
        }
        let mut grew = false;
        for (news, mark) in self.window.advance(playlist) {
            match news {
                News::Notice(message) => {
                    let behind = Behind {
                        mark: Some(mark),
                        ..Behind::default()
                    };
                    self.push(SourceItem::Notice(notice(&loaded.url, message)), behind);
                }
                News::SlidOut { sequence, count } => {
                    let last = sequence.saturating_add(count - 1);
                    let which = match count {
                        1 => format!("chunk number {sequence}"),
                        _ => format!("chunks number {sequence} to {last}"),
                    };
                    let message =
                        format!("{which} left the live playlist before it was loaded ({count})");
                    let each = Some(playlist.target_duration);
                    let input = loaded.url.to_string();
                    let item = missing(self.head.next_position, count, each, input, message);
                    let behind = Behind {
                        next_position: Some(self.head.next_position + count),
                        mark: Some(mark),
                        ..Behind::default()
                    };
                    self.push(item, behind);
                }
                News::Chunk(segment) => {
                    grew = true;
                    let position = self.head.next_position;
                    self.tell(&loaded.url, segment, position, mark);
                }
                News::Again(segment) => self.tell_again(&loaded.url, segment, mark),
            }
        }
        grew
    }

    fn tell(&mut self, base: &Url, segment: Segment, position: u64, mark: Mark) {
        let sequence = segment.sequence;
        let recent = self.window.identity(sequence).map(|identity| Recent {
            sequence,
            position,
            identity: identity.clone(),
        });
        let behind = Behind {
            next_position: Some(self.head.next_position.max(position + 1)),
            mark: Some(mark),
            recent,
            ..Behind::default()
        };
        let item = self.chunk(base, segment, position);
        self.push(item, behind);
    }

    /// A chunk that was replaced, or that is there at last, at its old position.
    fn tell_again(&mut self, base: &Url, segment: Segment, mark: Mark) {
        let sequence = segment.sequence;
        let mut recent = self.head.recent.iter();
        let told = recent.find(|told| told.sequence == sequence);
        let position = told.map(|told| told.position);
        let near = |position: &u64| {
            position.saturating_add(self.options.late_window) >= self.head.next_position
        };
        match position.filter(near) {
            Some(position) => self.tell(base, segment, position, mark),
            None => {
                let message = format!(
                    "number {sequence} changed too late: more than {} chunks were read after it",
                    self.options.late_window
                );
                self.notice(base, message);
            }
        }
    }

    fn chunk(&self, base: &Url, segment: Segment, position: u64) -> SourceItem {
        let media = uri::resolve(base, &segment.uri);
        let init = segment.map.as_ref().map(|map| {
            uri::resolve(base, &map.uri).map(|url| Resource {
                uri: url.into(),
                range: map.range,
                encryption: None,
            })
        });
        let reason = match (&segment.unusable, &media, &init) {
            (Some(reason), _, _) => Some(reason.clone()),
            (None, Err(message), _) | (None, _, Some(Err(message))) => Some(message.clone()),
            _ => None,
        };
        let (media, init) = match (reason, media, init.transpose()) {
            (None, Ok(media), Ok(init)) => (media, init),
            (reason, media, _) => {
                let input = media.map_or(segment.uri, Url::into);
                let reason = reason.unwrap_or_default();
                let message = format!("not read: {reason} (line {} of {base})", segment.line);
                return missing(position, 1, segment.duration, input, message);
            }
        };
        SourceItem::Chunk(ChunkRef {
            container: container_of(&media, init.is_some()),
            init,
            declared_duration: segment.duration,
            discontinuity: segment.discontinuity,
            program_date_time: segment.program_date_time,
            ..ChunkRef::new(
                self.name.clone(),
                Position(position),
                Resource {
                    uri: media.into(),
                    range: segment.range,
                    encryption: None,
                },
                Container::MpegTs,
            )
        })
    }
}

fn missing(
    position: u64,
    count: u64,
    each: Option<MediaTime>,
    input: String,
    message: String,
) -> SourceItem {
    let position = Position(position);
    let failure = Failure {
        position: Some(position),
        input,
        operator: None,
        message,
        domain: Domain::External,
        retry: Retry::No,
    };
    SourceItem::Missing(Missing {
        position,
        count,
        each,
        failure,
    })
}

/// From the beginning of one load to the next one.
fn pause(options: &HlsOptions, target: MediaTime, changed: bool) -> Duration {
    if let Some(reload) = options.reload {
        // Never a busy loop, whatever was configured.
        return reload.std().max(Duration::from_millis(10));
    }
    let target = Duration::from_secs_f64(target.as_seconds_f64().clamp(0.5, 3600.0));
    if changed { target } else { target / 2 }
}

/// What a notice says of a playlist.
fn notice(url: &Url, message: String) -> Failure {
    Failure {
        position: None,
        input: url.to_string(),
        operator: None,
        message,
        domain: Domain::External,
        retry: Retry::No,
    }
}

/// An initialization section, or the name, says how a chunk is packed.
fn container_of(media: &Url, has_init: bool) -> Container {
    let extension = extension_of(media.path());
    let fragmented = ["mp4", "m4s", "m4v", "m4a", "cmfv", "cmfa"].contains(&extension.as_str());
    if has_init || fragmented {
        Container::FragmentedMp4
    } else {
        Container::MpegTs
    }
}

fn extension_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.rsplit_once('.')
        .map(|(_, extension)| extension.to_lowercase())
        .unwrap_or_default()
}

/// Why nothing in the playlist can be read, if so. A live playlist may be empty at first.
fn unreadable(playlist: &MediaPlaylist) -> Option<String> {
    if playlist.segments.is_empty() {
        return playlist
            .complete
            .then(|| "it is complete and has no chunk".to_owned());
    }
    let reason = |segment: &Segment| {
        let path = segment.uri.split(['?', '#']).next().unwrap_or_default();
        let extension = extension_of(path);
        let packed = match extension.as_str() {
            "aac" | "mp3" | "ac3" | "ec3" => Some("packed audio"),
            "vtt" | "webvtt" => Some("subtitles"),
            _ => None,
        };
        let packed = packed.map(|what| format!("\"{}\" is {what}, without video", segment.uri));
        segment.unusable.clone().or(packed)
    };
    let reasons: Option<Vec<String>> = playlist.segments.iter().map(reason).collect();
    reasons.and_then(|reasons| reasons.into_iter().next())
}
