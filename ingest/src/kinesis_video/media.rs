//! Fragments as they are ingested: one request that does not end, begun again behind the last fragment whenever
//! it breaks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use matchcut_aws::AwsError;
use matchcut_aws::kinesis_video::{Body, MediaStart, Secret};
use matchcut_model::chunk::{ChunkRef, Container, Position, Resource};
use matchcut_model::failure::{Domain, Failure, Retry};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::access::Access;
use super::config::{KinesisVideoConfig, Playback, Timestamps};
use super::matroska::{Fragment, Splitter};
use crate::error::SourceError;
use crate::item::SourceItem;

/// The first and the longest pause before a connection is made again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How far a stream of media was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaCursor {
    /// The position of the next fragment.
    next_position: u64,
    /// The number of the last one.
    last: Option<String>,
    /// The end was told.
    ended: bool,
}

/// A stream that is being read.
#[derive(Debug)]
pub struct MediaSource {
    name: String,
    config: Arc<KinesisVideoConfig>,
    access: Access,
    cursor: MediaCursor,
    /// Where it goes on, when that is known better than by the last number.
    token: Option<String>,
    open: Option<(Body, Splitter)>,
    waiting: VecDeque<Fragment>,
    /// Not before then is a connection made again.
    again: Instant,
    pause: Duration,
    last_news: Option<Instant>,
    /// Why the last connection failed, once it was told.
    trouble: Option<String>,
    /// The last request was refused.
    deaf: bool,
}

/// What a step brought.
enum Step {
    /// Maybe fragments.
    Read,
    /// The stream has broken or ended.
    Broken(Option<String>),
    /// Nothing, for too long.
    Silent,
}

impl MediaSource {
    /// A source that goes on where another one stood.
    pub(crate) fn resume(
        name: &str,
        config: &KinesisVideoConfig,
        access: Access,
        cursor: MediaCursor,
    ) -> Self {
        MediaSource {
            name: name.to_owned(),
            config: Arc::new(config.clone()),
            access,
            cursor,
            token: None,
            open: None,
            waiting: VecDeque::new(),
            again: Instant::now(),
            pause: PAUSES.0,
            last_news: None,
            trouble: None,
            deaf: false,
        }
    }

    /// How far it was read.
    pub fn cursor(&self) -> MediaCursor {
        self.cursor.clone()
    }

    fn begins(&self, fragment: &Fragment) -> Option<i64> {
        match self.config.options.timestamps {
            Timestamps::Producer => fragment.producer.or(fragment.server),
            Timestamps::Server => fragment.server.or(fragment.producer),
        }
    }

    /// The next item. After an error, and after the end, there is only the end. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Result<SourceItem, SourceError> {
        loop {
            if self.cursor.ended {
                return Ok(SourceItem::End);
            }
            if let Some(fragment) = self.waiting.pop_front() {
                let over = self.begins(&fragment).zip(self.config.to);
                if over.is_some_and(|(begins, to)| begins > to) {
                    self.open = None;
                    self.cursor.ended = true;
                    continue;
                }
                // What was asked for by its time may begin before it.
                let early = self.begins(&fragment).zip(self.config.from);
                if early.is_some_and(|(begins, from)| begins < from) {
                    continue;
                }
                return Ok(SourceItem::Chunk(self.chunk(fragment)));
            }
            let news = *self.last_news.get_or_insert_with(Instant::now);
            let options = &self.config.options;
            // Who cannot ask cannot know that nothing comes.
            let heard = options.finished_after.filter(|_| !self.deaf);
            let limit = heard.unwrap_or(options.stale_after).std();
            let step = match &mut self.open {
                None => self.connect(news + limit).await,
                Some(_) => self.read(news + limit).await,
            };
            match step {
                Step::Read => {}
                Step::Broken(why) => {
                    self.open = None;
                    self.again = Instant::now() + self.pause;
                    self.pause = (self.pause * 2).min(PAUSES.1);
                    if let Some(why) = why
                        && self.trouble.as_ref() != Some(&why)
                    {
                        self.trouble = Some(why.clone());
                        return Ok(self.notice(why));
                    }
                }
                Step::Silent => return self.silent(),
            }
        }
    }

    fn silent(&mut self) -> Result<SourceItem, SourceError> {
        self.open = None;
        self.cursor.ended = true;
        let options = &self.config.options;
        match options.finished_after {
            Some(_) if !self.deaf => Ok(SourceItem::End),
            _ => Err(SourceError::Stale {
                name: self.name.clone(),
                uri: self.access.address(),
                after: options.stale_after.0,
                last_error: self.trouble.take(),
            }),
        }
    }

    /// Where the next request begins.
    fn start(&self) -> MediaStart {
        let options = &self.config.options;
        if let Some(token) = &self.token {
            return MediaStart::Token(Secret(token.clone()));
        }
        if let Some(last) = &self.cursor.last {
            return MediaStart::After(last.clone());
        }
        match (self.config.from, options.playback) {
            (Some(millis), _) => MediaStart::At {
                producer: options.timestamps == Timestamps::Producer,
                millis,
            },
            (None, Playback::Live) => MediaStart::Now,
            (None, _) => MediaStart::Earliest,
        }
    }

    async fn connect(&mut self, until: Instant) -> Step {
        if self.again >= until {
            sleep_until(until).await;
            return Step::Silent;
        }
        sleep_until(self.again).await;
        let start = self.start();
        let asked = self.access.stream().media(&start);
        let answered = match timeout_at(until, asked).await {
            Ok(answered) => answered,
            Err(_) => return Step::Silent,
        };
        match answered {
            Ok(body) => {
                let splitter = Splitter::new(self.config.options.max_bytes);
                if std::mem::replace(&mut self.deaf, false) {
                    self.last_news = Some(Instant::now());
                }
                self.open = Some((body, splitter));
                Step::Read
            }
            Err(error) => {
                // A token may have become too old; the number of the last fragment has not.
                let refused = matches!(
                    error,
                    AwsError::Service { status: 400, .. } | AwsError::NotFound { .. }
                );
                if refused {
                    self.token = None;
                }
                self.deaf = true;
                Step::Broken(Some(error.to_string()))
            }
        }
    }

    async fn read(&mut self, until: Instant) -> Step {
        let Some((body, splitter)) = &mut self.open else {
            return Step::Read;
        };
        // A connection that says nothing may be dead without knowing it.
        let patience = Instant::now() + self.config.options.timeout.std();
        let next = match timeout_at(until.min(patience), body.next()).await {
            Ok(next) => next,
            Err(_) if Instant::now() >= until => return Step::Silent,
            Err(_) => return Step::Broken(None),
        };
        let (found, broken) = match next {
            Ok(Some(bytes)) => match splitter.take(&bytes) {
                Ok(found) => (found, None),
                Err(message) => (Vec::new(), Some(Some(message))),
            },
            Ok(None) => (Vec::from_iter(splitter.end()), Some(splitter.error.take())),
            Err(error) => (Vec::new(), Some(Some(error.to_string()))),
        };
        if !found.is_empty() {
            self.last_news = Some(Instant::now());
            self.pause = PAUSES.0;
            self.trouble = None;
        }
        self.waiting.extend(found);
        match broken {
            Some(why) => Step::Broken(why),
            None => Step::Read,
        }
    }

    fn chunk(&mut self, fragment: Fragment) -> ChunkRef {
        let begins = self.begins(&fragment);
        let position = Position(self.cursor.next_position);
        let media = Resource::whole(self.access.address_of(&fragment.number));
        self.access.hold(&fragment.number, fragment.bytes);
        self.cursor.next_position += 1;
        self.cursor.last = Some(fragment.number);
        self.token = fragment.token;
        ChunkRef {
            program_date_time: begins.and_then(|millis| millis.checked_mul(1000)),
            ..ChunkRef::new(self.name.clone(), position, media, Container::Matroska)
        }
    }

    fn notice(&self, message: String) -> SourceItem {
        SourceItem::Notice(Failure {
            position: None,
            input: self.access.address(),
            operator: None,
            message,
            domain: Domain::External,
            retry: Retry::WithBackoff,
        })
    }
}
