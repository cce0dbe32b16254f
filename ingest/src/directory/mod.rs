//! A directory of numbered transport stream files, as MediaLive and harvesters write them:
//! finished, or still growing. Files that are still being written are not read.

mod listing;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};

use matchcut_model::chunk::{ChunkRef, Container, Position, Resource};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::time::MediaTime;
use tokio::time::Instant;

use crate::config::DirectoryOptions;
use crate::error::SourceError;
use crate::hls::window::{News, Window};
use crate::item::{Missing, SourceItem};
use crate::playlist::{self, Playlist, Segment};
use crate::uri;
use listing::{Entry, Series};

/// A directory that is being read.
#[derive(Debug)]
pub struct DirectorySource {
    name: String,
    path: PathBuf,
    options: DirectoryOptions,
    queue: VecDeque<SourceItem>,
    next_position: u64,
    /// The number that comes next, once one was read.
    next_number: Option<u64>,
    state: State,
    /// Since when each unread file has had its size.
    sizes: HashMap<String, (u64, Instant)>,
    hole_since: Option<Instant>,
    last_growth: Option<Instant>,
    /// Files that were read, or told to be late.
    told: HashSet<String>,
}

#[derive(Debug)]
enum State {
    Look { at: Option<Instant> },
    Ended,
}

/// What is in the directory.
struct Look {
    series: Series,
    /// What playlists in it say of its files, by name.
    said: BTreeMap<String, Segment>,
    /// A playlist says that nothing more will come.
    complete: bool,
}

impl DirectorySource {
    /// A source that has not been opened yet.
    pub fn new(name: &str, path: PathBuf, options: DirectoryOptions) -> Self {
        DirectorySource {
            name: name.to_owned(),
            path,
            options,
            queue: VecDeque::new(),
            next_position: 0,
            next_number: None,
            state: State::Look { at: None },
            sizes: HashMap::new(),
            hole_since: None,
            last_growth: None,
            told: HashSet::new(),
        }
    }

    /// The next item. After an error, and after the end, there is only the end. Dropping the
    /// future loses nothing: the next call goes on where it stood.
    pub async fn next(&mut self) -> Result<SourceItem, SourceError> {
        loop {
            if let Some(item) = self.queue.pop_front() {
                return Ok(item);
            }
            let at = match &self.state {
                State::Ended => return Ok(SourceItem::End),
                State::Look { at } => *at,
            };
            if let Some(at) = at {
                tokio::time::sleep_until(at).await;
            }
            match self.look().await {
                Ok(look) => {
                    if let Err(error) = self.take(look, Instant::now()) {
                        self.state = State::Ended;
                        return Err(error);
                    }
                }
                Err(error) => {
                    self.state = State::Ended;
                    return Err(error);
                }
            }
        }
    }

    fn failed(&self, path: &Path, error: &std::io::Error) -> SourceError {
        SourceError::Io {
            name: self.name.clone(),
            path: path.display().to_string(),
            message: error.to_string(),
            domain: Domain::User,
        }
    }

    fn unreadable(&self, reason: String) -> SourceError {
        let uri = self.path.display().to_string();
        SourceError::Unreadable {
            name: self.name.clone(),
            uri,
            reason,
        }
    }

    async fn look(&self) -> Result<Look, SourceError> {
        let failed = |error| self.failed(&self.path, &error);
        let mut listed = tokio::fs::read_dir(&self.path).await.map_err(failed)?;
        let mut entries = Vec::new();
        let mut playlists = Vec::new();
        while let Some(entry) = listed.next_entry().await.map_err(failed)? {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // A file may go away between the two calls; links are followed.
            let Ok(found) = tokio::fs::metadata(entry.path()).await else {
                continue;
            };
            if !found.is_file() {
                continue;
            }
            if listing::stem(&name, "m3u8").is_some() {
                playlists.push(entry.path());
            }
            entries.push(Entry {
                name,
                size: found.len(),
            });
        }
        let (extension, prefix) = (&self.options.extension, self.options.prefix.as_deref());
        let series = listing::series(entries, extension, prefix)
            .map_err(|reason| self.unreadable(reason))?;
        let mut look = Look {
            series,
            said: BTreeMap::new(),
            complete: false,
        };
        playlists.sort();
        for path in playlists {
            look.read_playlist(&path).await;
        }
        Ok(look)
    }

    /// Queues what can be read now, and decides when to look again.
    fn take(&mut self, look: Look, now: Instant) -> Result<(), SourceError> {
        for name in look.series.ignored.iter().filter(|_| !self.options.follow) {
            let message = format!("\"{name}\" is not one of the numbered files; it is left out");
            self.queue
                .push_back(SourceItem::Notice(self.failure(None, name, message)));
        }
        let unread: Vec<(u64, Entry)> = match self.next_number {
            Some(next) => {
                for (number, entry) in look.series.files.range(..next) {
                    self.late(*number, entry);
                }
                look.series
                    .files
                    .range(next..)
                    .map(|(n, e)| (*n, e.clone()))
                    .collect()
            }
            None => look
                .series
                .files
                .iter()
                .map(|(n, e)| (*n, e.clone()))
                .collect(),
        };
        self.observe(&unread, now);
        let idle = self
            .last_growth
            .is_some_and(|at| now.duration_since(at) >= self.options.finished_after.std());
        let over = !self.options.follow || look.complete || idle;
        let newest = unread.last().map(|(number, _)| *number);
        for (number, entry) in unread {
            if !over && !self.ready(&entry, newest > Some(number), now) {
                break;
            }
            if let Some(hole) = self.hole_before(number, &look.series) {
                let since = *self.hole_since.get_or_insert(now);
                if !over && now.duration_since(since) < self.options.missing_after.std() {
                    break;
                }
                self.missing(number - hole, hole, format!("{hole} to {}", number - 1));
            }
            self.hole_since = None;
            self.admit(number, &entry, look.said.get(&entry.name));
        }
        if over {
            self.state = State::Ended;
            if self.next_position == 0 {
                let extension = &self.options.extension;
                return Err(self.unreadable(match &self.options.prefix {
                    Some(prefix) => format!("it has no file \"{prefix}\"NUMBER.{extension}"),
                    None => format!("it has no .{extension} file"),
                }));
            }
        } else {
            let poll = self
                .options
                .poll
                .std()
                .max(std::time::Duration::from_millis(10));
            self.state = State::Look {
                at: Some(now + poll),
            };
        }
        Ok(())
    }

    /// The first missing number before `number`, if there is a hole.
    fn hole_before(&self, number: u64, series: &Series) -> Option<u64> {
        self.next_number
            .filter(|&next| series.counted && number > next)
    }

    /// Notes sizes, and whether anything grew.
    fn observe(&mut self, unread: &[(u64, Entry)], now: Instant) {
        let mut grew = self.last_growth.is_none();
        let mut sizes = HashMap::new();
        for (_, entry) in unread {
            let since = match self.sizes.get(&entry.name) {
                Some((size, since)) if *size == entry.size => *since,
                _ => {
                    grew = true;
                    now
                }
            };
            sizes.insert(entry.name.clone(), (entry.size, since));
        }
        self.sizes = sizes;
        if grew {
            self.last_growth = Some(now);
        }
    }

    /// Whether a file is whole: the writer went on to the next, or its size stands still.
    fn ready(&self, entry: &Entry, followed: bool, now: Instant) -> bool {
        let stable = self
            .sizes
            .get(&entry.name)
            .is_some_and(|(_, since)| now.duration_since(*since) >= self.options.stable_for.std());
        stable || (followed && entry.size > 0)
    }

    fn failure(&self, position: Option<Position>, name: &str, message: String) -> Failure {
        Failure {
            position,
            input: self.path.join(name).display().to_string(),
            operator: None,
            message,
            domain: Domain::External,
            retry: Retry::No,
        }
    }

    /// A file that came after its number was passed over.
    fn late(&mut self, number: u64, entry: &Entry) {
        if !self.told.contains(&entry.name) {
            self.told.insert(entry.name.clone());
            let message = format!("number {number} came too late: later files were read before it");
            self.queue
                .push_back(SourceItem::Notice(self.failure(None, &entry.name, message)));
        }
    }

    fn missing(&mut self, count: u64, first: u64, which: String) {
        let position = Position(self.next_position);
        self.next_position += count;
        let message = match count {
            1 => format!("file number {first} is missing"),
            _ => format!("files number {which} are missing ({count})"),
        };
        let failure = self.failure(Some(position), "", message);
        let missing = Missing {
            position,
            count,
            each: None,
            failure,
        };
        self.queue.push_back(SourceItem::Missing(missing));
    }

    fn admit(&mut self, number: u64, entry: &Entry, said: Option<&Segment>) {
        self.next_number = Some(number.saturating_add(1));
        self.told.insert(entry.name.clone());
        let position = Position(self.next_position);
        let path = self.path.join(&entry.name);
        let each: Option<MediaTime> = said.and_then(|said| said.duration);
        let Some(media) = uri::from_path(&path).filter(|_| entry.size > 0) else {
            self.next_position += 1;
            let failure = self.failure(Some(position), &entry.name, "the file is empty".into());
            let missing = Missing {
                position,
                count: 1,
                each,
                failure,
            };
            self.queue.push_back(SourceItem::Missing(missing));
            return;
        };
        self.next_position += 1;
        self.queue.push_back(SourceItem::Chunk(ChunkRef {
            source: self.name.clone(),
            position,
            media: Resource::whole(media),
            init: None,
            container: Container::MpegTs,
            window: None,
            declared_duration: each,
            discontinuity: said.is_some_and(|said| said.discontinuity),
            program_date_time: said.and_then(|said| said.program_date_time),
            audio: Vec::new(),
            cut_from: None,
            cues: Vec::new(),
        }));
    }
}

impl Look {
    /// Takes what a playlist says of the files: durations, breaks, dates, and that it is over.
    async fn read_playlist(&mut self, path: &Path) {
        let Ok(bytes) = tokio::fs::read(path).await else {
            return;
        };
        let parsed = playlist::parse(&path.display().to_string(), &bytes, false);
        let Ok(Playlist::Media(playlist)) = parsed else {
            return;
        };
        let files = self.series.files.values();
        let names: HashSet<&str> = files.map(|entry| entry.name.as_str()).collect();
        let mut ours = false;
        for news in Window::default().advance(&playlist) {
            let News::Chunk(segment) = news else { continue };
            let name = segment
                .uri
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_owned();
            if segment.range.is_none() && names.contains(name.as_str()) {
                ours = true;
                self.said.entry(name).or_insert(segment);
            }
        }
        self.complete |= ours && playlist.complete;
    }
}
