//! HLS: a master or media playlist by http, https, from S3 or from disk, recorded or live. A live playlist
//! is loaded again as RFC 8216, section 6.3.4, asks; positions follow its order.

mod cursor;
mod follow;
mod resource;
mod tell;
pub(crate) mod window;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use matchcut_model::time::MediaTime;
use tokio::time::Instant;
use url::Url;

use crate::config::{Audio, HlsOptions, LiveStart};
use crate::describe::TextDuration;
use crate::error::SourceError;
use crate::fetch::{Fetcher, Loaded};
use crate::item::SourceItem;
use crate::playlist::variables::Variables;
use crate::playlist::{
    self, AudioRendition, DateRange, MasterPlaylist, MediaPlaylist, Playlist, PlaylistError,
    Segment,
};
use crate::uri;
use cursor::Behind;
pub use cursor::HlsCursor;
use follow::{Follower, Role, Slot};
use window::{Mark, News, Window};

/// An HLS source that is being read.
#[derive(Debug)]
pub struct HlsSource {
    name: String,
    options: HlsOptions,
    fetcher: Fetcher,
    /// What the user gave, then the media playlist that was chosen.
    url: Url,
    /// Variables of the master playlist.
    imports: Variables,
    state: State,
    /// Each apart, so that nothing stays of a long playlist once it is told.
    queue: VecDeque<Box<(SourceItem, Behind)>>,
    window: Window,
    /// News that wait for other renditions.
    waiting: VecDeque<Waiting>,
    /// The chunks that were taken last, on the time of their durations.
    axis: VecDeque<Slot>,
    followers: Vec<Follower>,
    /// Ranges of dates of the last load, with the number of the chunk that they stand before.
    ranges: Vec<(u64, DateRange)>,
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
    /// The server answers when there is something new.
    blocks: bool,
    /// It said that nothing will be added.
    complete: bool,
    last_error: Option<String>,
}

/// News that were taken and not told yet.
#[derive(Debug)]
struct Waiting {
    news: News,
    mark: Mark,
    base: Url,
    slot: Option<Slot>,
    since: Instant,
    /// The target duration, for chunks that say nothing.
    each: MediaTime,
}

/// What is read of a master playlist.
struct Chosen {
    url: Url,
    followers: Vec<(Role, Url)>,
    notices: Vec<String>,
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
            imports: Variables::new(),
            state: match cursor.ended {
                true => State::Ended,
                false => State::New,
            },
            queue: VecDeque::new(),
            window: cursor.window(),
            waiting: VecDeque::new(),
            axis: cursor.axis.clone(),
            followers: Vec::new(),
            ranges: Vec::new(),
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
            if let Some((item, behind)) = self.queue.pop_front().map(|told| *told) {
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
                self.end();
                return Err(error);
            }
        }
    }

    fn end(&mut self) {
        self.fetcher.set_live(false);
        self.state = State::Ended;
    }

    async fn open(&mut self) -> Result<(), SourceError> {
        let begun = Instant::now();
        let given = self.fetch(&self.url, None).await?;
        let mut chosen = Chosen {
            url: self.url.clone(),
            followers: Vec::new(),
            notices: Vec::new(),
        };
        let mut imports = Variables::new();
        let master_url = given.url.clone();
        let loaded = match self.parse(&given, true, &imports)? {
            Playlist::Media(_) => given,
            Playlist::Master(master) => {
                chosen = self.choose(&given.url, &master)?;
                imports = master.variables;
                self.fetch(&chosen.url, None).await?
            }
        };
        let Playlist::Media(playlist) = self.parse(&loaded, true, &imports)? else {
            let message = "a master playlist stands where a variant was announced";
            return Err(self.refused(&loaded.url, message));
        };
        let playlist = match playlist.complete {
            true => playlist,
            // It may still be written: its last line counts when it is finished.
            false => match self.parse(&loaded, false, &imports)? {
                Playlist::Media(playlist) => playlist,
                Playlist::Master(_) => playlist,
            },
        };
        if let Some(reason) = unreadable(&playlist) {
            let (name, uri) = (self.name.clone(), loaded.url.to_string());
            return Err(SourceError::Unreadable { name, uri, reason });
        }
        let marks = self.head.followed.clone();
        let followers = chosen.followers.into_iter();
        let mut followers: Vec<Follower> = followers
            .map(|(role, url)| Follower::new(role, url, &marks))
            .collect();
        let loads = self.load_followers(&followers, &imports).await;
        // Nothing waits from here on: all of it happens, or nothing.
        self.url = chosen.url;
        self.imports = imports;
        for message in chosen.notices {
            self.notice(&master_url, message);
        }
        if playlist.complete {
            // What did not come will not come.
            for (follower, load) in followers.iter_mut().zip(&loads) {
                follower.complete = load.is_err();
            }
        }
        self.followers = followers;
        self.admit_followers(loads);
        let fresh = self.window.next().is_none();
        if fresh && !playlist.complete && self.options.start == LiveStart::Live {
            self.window
                .enter_at(&playlist, playlist.target_duration.times(3));
        }
        self.take(&loaded, &playlist, begun);
        self.tell_waiting(begun, playlist.target_duration, playlist.complete);
        self.fetcher.set_live(!playlist.complete);
        if playlist.complete && self.waiting.is_empty() {
            self.end();
            return Ok(());
        }
        let blocks = self.blocks(&playlist);
        self.state = State::Live(Live {
            next_load: begun + self.pause(playlist.target_duration, true, blocks),
            last_news: begun,
            bytes: loaded.bytes,
            target_duration: playlist.target_duration,
            blocks,
            complete: playlist.complete,
            last_error: None,
        });
        Ok(())
    }

    /// Loads a live playlist again. A load that fails is like one that brings nothing, until it
    /// has gone on for too long.
    async fn reload(&mut self) -> Result<(), SourceError> {
        let begun = Instant::now();
        let (result, loads) = {
            let State::Live(live) = &self.state else {
                return Ok(());
            };
            let result = match live.complete {
                true => None,
                false => Some(self.load_again(live).await),
            };
            (
                result,
                self.load_followers(&self.followers, &self.imports).await,
            )
        };
        self.admit_followers(loads);
        let (playlist, failed) = match result {
            None => (None, None),
            Some(Ok((loaded, Playlist::Media(playlist)))) => (Some((loaded, playlist)), None),
            Some(Ok((loaded, Playlist::Master(_)))) => (
                None,
                Some(format!("{} became a master playlist", loaded.url)),
            ),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        let mut changed = playlist
            .as_ref()
            .is_some_and(|(loaded, playlist)| self.take(loaded, playlist, begun));
        let State::Live(live) = &mut self.state else {
            return Ok(());
        };
        let recovered = live.last_error.is_some() && failed.is_none();
        live.last_error = failed;
        if changed || (recovered && self.options.only_heard) {
            live.last_news = begun;
        }
        let deaf = live.last_error.is_some() && self.options.only_heard;
        if let Some((loaded, playlist)) = playlist {
            live.bytes = loaded.bytes;
            live.target_duration = playlist.target_duration;
            live.complete = playlist.complete;
        }
        let (target, complete) = (live.target_duration, live.complete);
        let (blocks, last_news) = (live.blocks, live.last_news);
        let late = self.tell_waiting(begun, target, false);
        changed &= late.is_none();
        if complete && self.waiting.is_empty() {
            self.end();
            return Ok(());
        }
        let silent = begun.saturating_duration_since(last_news);
        let over = |limit: TextDuration| silent >= limit.std();
        match self.options.finished_after.filter(|_| !deaf) {
            Some(limit) if over(limit) => {
                self.tell_waiting(begun, target, true);
                self.end();
            }
            None if over(self.options.stale_after) => {
                self.tell_waiting(begun, target, true);
                let State::Live(live) = &mut self.state else {
                    return Ok(());
                };
                return Err(SourceError::Stale {
                    name: self.name.clone(),
                    uri: self.url.to_string(),
                    after: self.options.stale_after.0,
                    last_error: live.last_error.take(),
                });
            }
            _ => {
                let failed = matches!(&self.state, State::Live(l) if l.last_error.is_some());
                let pause = self.pause(target, changed, blocks && !failed);
                if let State::Live(live) = &mut self.state {
                    live.next_load = begun + pause;
                }
            }
        }
        Ok(())
    }

    /// From the beginning of one load to the next one.
    fn pause(&self, target: MediaTime, changed: bool, blocks: bool) -> Duration {
        if let Some(reload) = self.options.reload {
            // Never a busy loop, whatever was configured.
            return reload.std().max(Duration::from_millis(10));
        }
        let target = Duration::from_secs_f64(target.as_seconds_f64().clamp(0.5, 3600.0));
        match (changed, blocks) {
            // The server makes it wait.
            (true, true) => Duration::from_millis(10),
            (true, false) => target,
            (false, _) => target / 2,
        }
    }

    /// Whether reloads wait at the server until there is something new.
    fn blocks(&self, playlist: &MediaPlaylist) -> bool {
        let alone = self.options.reload.is_none() && self.followers.is_empty();
        alone && playlist.can_block_reload && self.url.scheme().starts_with("http")
    }

    /// Loads the playlist again.
    async fn load_again(&self, live: &Live) -> Result<(Loaded, Playlist), SourceError> {
        let mut url = self.url.clone();
        let mut patience = None;
        if let (true, Some(next)) = (live.blocks, self.window.next()) {
            let mut pairs = url.query_pairs_mut();
            let part = self.head.parts.filter(|(sequence, ..)| *sequence == next);
            pairs.append_pair("_HLS_msn", &next.to_string());
            if self.options.parts {
                let part = part.map_or(0, |(_, count, _)| count);
                pairs.append_pair("_HLS_part", &part.to_string());
            }
            drop(pairs);
            let wait = self.options.timeout.0 + live.target_duration.times(3);
            patience = Some(TextDuration(wait));
        }
        let loaded = self.fetch(&url, patience).await?;
        let playlist = self.parse(&loaded, live.bytes == loaded.bytes, &self.imports)?;
        Ok((loaded, playlist))
    }

    /// Loads the playlists of other renditions that may have grown.
    async fn load_followers(
        &self,
        followers: &[Follower],
        imports: &Variables,
    ) -> Vec<Result<Option<(Loaded, MediaPlaylist)>, SourceError>> {
        let mut loads = Vec::new();
        for follower in followers {
            if follower.complete {
                loads.push(Ok(None));
                continue;
            }
            let loaded = self.fetch(&follower.url, None).await;
            loads.push(
                loaded.and_then(|loaded| match self.parse(&loaded, false, imports)? {
                    Playlist::Media(playlist) => Ok(Some((loaded, playlist))),
                    Playlist::Master(_) => {
                        let message = "a master playlist stands where a rendition was announced";
                        Err(self.refused(&loaded.url, message))
                    }
                }),
            );
        }
        loads
    }

    /// Takes what came of other renditions. What did not is told once; chunks wait for it for a
    /// while.
    fn admit_followers(
        &mut self,
        loads: Vec<Result<Option<(Loaded, MediaPlaylist)>, SourceError>>,
    ) {
        let mut notices = Vec::new();
        for (follower, load) in self.followers.iter_mut().zip(loads) {
            match load {
                Ok(None) => {}
                Ok(Some((loaded, playlist))) => {
                    let told = follower.take(&loaded.url, &playlist);
                    notices.extend(told.into_iter().map(|text| (loaded.url.clone(), text)));
                }
                Err(error) => {
                    let text = format!("{} cannot be loaded: {error}", follower.role.words());
                    notices.push((follower.url.clone(), text));
                }
            }
        }
        for (url, text) in notices {
            self.notice(&url, text);
        }
    }

    async fn fetch(
        &self,
        url: &Url,
        patience: Option<TextDuration>,
    ) -> Result<Loaded, SourceError> {
        let loaded = self.fetcher.playlist(url, patience).await;
        loaded.map_err(|error| SourceError::Fetch {
            name: self.name.clone(),
            error,
        })
    }

    fn parse(
        &self,
        loaded: &Loaded,
        whole: bool,
        imports: &Variables,
    ) -> Result<Playlist, SourceError> {
        let whole = whole || loaded.url.scheme() != "file";
        let parsed = playlist::parse_with(loaded.url.as_str(), &loaded.bytes, whole, imports);
        parsed.map_err(|error| SourceError::Playlist {
            name: self.name.clone(),
            error,
        })
    }

    fn refused(&self, url: &Url, message: &str) -> SourceError {
        self.refused_at(url, 1, String::new(), message.to_owned())
    }

    fn refused_at(&self, url: &Url, line: usize, text: String, message: String) -> SourceError {
        let uri = url.to_string();
        SourceError::Playlist {
            name: self.name.clone(),
            error: PlaylistError {
                uri,
                line,
                text,
                message,
            },
        }
    }

    /// What is read of a master playlist.
    fn choose(&self, base: &Url, master: &MasterPlaylist) -> Result<Chosen, SourceError> {
        let none = |wanted: String| SourceError::NoVariant {
            name: self.name.clone(),
            uri: base.to_string(),
            wanted,
            available: match master.variants.is_empty() {
                true => "none that can be read".to_owned(),
                false => master.available(),
            },
        };
        let resolve = |text: &str, line: usize| {
            uri::resolve(base, text).map_err(|message| {
                let message = format!("not a usable URI: {message}");
                self.refused_at(base, line, text.to_owned(), message)
            })
        };
        let mut notices: Vec<_> = master.problems.iter().map(ToString::to_string).collect();
        let wanted = self.options.variant;
        let variant = master
            .choose(wanted)
            .ok_or_else(|| none(wanted.to_string()))?;
        let url = resolve(&variant.uri, variant.line)?;
        let mut followers = Vec::new();
        for audio in self.choose_audio(base, &master.separate_audio(variant))? {
            let Some(uri) = &audio.uri else { continue };
            let role = Role::Audio {
                name: audio.name.clone(),
                language: audio.language.clone(),
            };
            let url = resolve(uri, audio.line)?;
            // Some packagers list the variant itself.
            if !variant.audio_only {
                followers.push((role, url));
            }
        }
        if let Some(wanted) = self.options.cut_variant {
            let cut = master
                .choose(wanted)
                .ok_or_else(|| none(wanted.to_string()))?;
            let cut_url = resolve(&cut.uri, cut.line)?;
            if cut_url != url {
                followers.push((Role::Cut, cut_url));
            }
        }
        if self.options.parts && !followers.is_empty() {
            notices.push("parts are not read where other renditions are followed".into());
        }
        Ok(Chosen {
            url,
            followers,
            notices,
        })
    }

    fn choose_audio<'a>(
        &self,
        base: &Url,
        separate: &[&'a AudioRendition],
    ) -> Result<Vec<&'a AudioRendition>, SourceError> {
        match &self.options.audio {
            Audio::None => Ok(Vec::new()),
            Audio::All => Ok(separate.to_vec()),
            Audio::Default => {
                let default = separate.iter().find(|audio| audio.default);
                Ok(default.or(separate.first()).into_iter().copied().collect())
            }
            Audio::Names(names) => {
                let find = |name: &String| {
                    let found = separate.iter().find(|audio| audio.name == *name);
                    let names = separate.iter().map(|audio| format!("\"{}\"", audio.name));
                    found.copied().ok_or_else(|| SourceError::NoAudio {
                        name: self.name.clone(),
                        uri: base.to_string(),
                        wanted: name.clone(),
                        available: match separate.is_empty() {
                            true => "none in playlists of its own".into(),
                            false => names.collect::<Vec<_>>().join(", "),
                        },
                    })
                };
                names.iter().map(find).collect()
            }
        }
    }

    /// Takes what a load brought; says whether it brought a chunk.
    fn take(&mut self, loaded: &Loaded, playlist: &MediaPlaylist, now: Instant) -> bool {
        self.problems(&loaded.url, playlist);
        let after = playlist.media_sequence + playlist.segments.len() as u64;
        let numbered = playlist.date_ranges.iter().map(|range| {
            let before = playlist.segments.get(range.before);
            (
                before.map_or(after, |segment| segment.sequence),
                range.clone(),
            )
        });
        self.ranges = numbered.collect();
        let mut grew = false;
        for (news, mark) in self.window.advance(playlist) {
            grew |= matches!(news, News::Chunk(_));
            let slot = self.slot(&news, playlist.target_duration);
            if let Some(slot) = &slot {
                follow::extend(&mut self.axis, slot.clone(), self.waiting.len());
            }
            self.waiting.push_back(Waiting {
                news,
                mark,
                base: loaded.url.clone(),
                slot,
                since: now,
                each: playlist.target_duration,
            });
        }
        if self.options.parts && self.followers.is_empty() {
            self.tell_waiting(now, playlist.target_duration, true);
            grew |= self.tell_open(&loaded.url, playlist);
        }
        grew
    }

    /// Where news stand on the time that durations add up to.
    fn slot(&self, news: &News, target: MediaTime) -> Option<Slot> {
        let start = self.axis.back().map_or(self.head.clock, |slot| slot.end);
        let (sequence, length) = match news {
            News::Chunk(segment) => (segment.sequence, segment.duration.unwrap_or(target)),
            News::SlidOut { sequence, count } => {
                let count = i64::try_from(*count).unwrap_or_default();
                (*sequence, target.times(count))
            }
            News::Again(_) | News::Notice(_) => return None,
        };
        let segment = match news {
            News::Chunk(segment) => segment.clone(),
            _ => Segment::default(),
        };
        Some(Slot {
            sequence,
            discontinuity_sequence: segment.discontinuity_sequence,
            discontinuity: segment.discontinuity,
            start,
            end: start + length,
            date: segment.program_date_time,
        })
    }
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
        let extension = resource::extension_of(path);
        let packed = match extension.as_str() {
            extension if resource::packed(extension) => Some("packed audio"),
            "vtt" | "webvtt" => Some("subtitles"),
            _ => None,
        };
        let packed = packed.map(|what| format!("\"{}\" is {what}, without video", segment.uri));
        segment.unusable.clone().or(packed)
    };
    let reasons: Option<Vec<String>> = playlist.segments.iter().map(reason).collect();
    reasons.and_then(|reasons| reasons.into_iter().next())
}
