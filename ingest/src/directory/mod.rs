//! A directory of numbered media files, as MediaLive and harvesters write them: finished, or still
//! growing; on this machine, or a prefix of a bucket. Files that are still being written are not read;
//! files that come late or change are told again at their position.

mod cursor;
pub(crate) mod listing;
mod place;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use matchcut_model::chunk::{ChunkRef, Container, Position, Resource};
use matchcut_model::failure::{Domain, Failure, Retry};
use matchcut_model::time::MediaTime;
use tokio::time::Instant;
use url::Url;

use crate::config::DirectoryOptions;
use crate::error::SourceError;
use crate::hash::hash;
use crate::hls::window::{News, Window};
use crate::item::{Missing, SourceItem};
use crate::playlist::{self, Playlist, Segment};
use crate::uri;
pub use cursor::DirectoryCursor;
use cursor::{Behind, FileState, Told};
use listing::{Entry, Series};
pub use place::Place;

/// A directory that is being read.
#[derive(Debug)]
pub struct DirectorySource {
    name: String,
    place: Place,
    options: DirectoryOptions,
    queue: VecDeque<(SourceItem, Behind)>,
    /// How far the directory was taken into the queue.
    head: DirectoryCursor,
    /// How far the queue was read.
    tail: DirectoryCursor,
    state: State,
    /// Since when each file that was not told as it is has been so.
    unsettled: HashMap<String, (u64, i64, Instant)>,
    hole_since: Option<Instant>,
    last_growth: Option<Instant>,
}

#[derive(Debug)]
enum State {
    Look { at: Option<Instant> },
    Ended,
}

/// What a playlist says of a file, and where the playlist is.
struct Said {
    segment: Segment,
    base: Url,
}

/// What is in the directory.
struct Look {
    series: Series,
    /// What playlists in it say of its files, by name.
    said: BTreeMap<String, Said>,
    /// Numbers of the series that playlists list, there or not.
    listed: BTreeMap<u64, Option<MediaTime>>,
    /// A playlist says that nothing more will come.
    complete: bool,
}

impl DirectorySource {
    /// A source that has not been opened yet.
    pub fn new(name: &str, place: Place, options: DirectoryOptions) -> Self {
        Self::resume(name, place, options, DirectoryCursor::default())
    }

    /// A source that goes on where another one stood.
    pub fn resume(
        name: &str,
        place: Place,
        options: DirectoryOptions,
        cursor: DirectoryCursor,
    ) -> Self {
        DirectorySource {
            name: name.to_owned(),
            place,
            options,
            queue: VecDeque::new(),
            state: match cursor.ended {
                true => State::Ended,
                false => State::Look { at: None },
            },
            head: cursor.clone(),
            tail: cursor,
            unsettled: HashMap::new(),
            hole_since: None,
            last_growth: None,
        }
    }

    /// How far it was read.
    pub fn cursor(&self) -> DirectoryCursor {
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
            let at = match &self.state {
                State::Ended => {
                    self.tail.ended = true;
                    return Ok(SourceItem::End);
                }
                State::Look { at } => *at,
            };
            if let Some(at) = at {
                self.place.wait(at).await;
                for message in self.place.notices() {
                    self.notice("", message);
                }
            }
            let taken = match self.look().await {
                Ok(look) => self.take(look, Instant::now()),
                Err(error) => self.bear(error, Instant::now()),
            };
            if let Err(error) = taken {
                self.state = State::Ended;
                return Err(error);
            }
        }
    }

    /// A look that failed for a reason that may pass is like one that finds nothing new, until nothing was
    /// new for too long.
    fn bear(&mut self, error: SourceError, now: Instant) -> Result<(), SourceError> {
        let idle = self.last_growth.map(|at| now.duration_since(at));
        let patient = idle.is_some_and(|idle| idle < self.options.finished_after.std());
        if !self.options.follow || error.retry() == Retry::No || !patient {
            return Err(error);
        }
        let message = match error {
            SourceError::Aws { error, .. } => error.to_string(),
            error => error.to_string(),
        };
        self.notice("", format!("{message}; it is looked at again"));
        self.look_again(now);
        Ok(())
    }

    /// Decides when to look again: after a while, or when a wait is over.
    fn look_again(&mut self, now: Instant) {
        let mut at = now + self.options.poll.std();
        let waits = [
            self.hole_since
                .map(|since| since + self.options.missing_after.std()),
            self.last_growth
                .map(|since| since + self.options.finished_after.std()),
        ];
        for over in waits.into_iter().flatten() {
            at = at.min(over);
        }
        // Never a busy loop, whatever was configured.
        let at = at.max(now + Duration::from_millis(10));
        self.state = State::Look { at: Some(at) };
    }

    fn unreadable(&self, reason: String) -> SourceError {
        let uri = self.place.shown("");
        SourceError::Unreadable {
            name: self.name.clone(),
            uri,
            reason,
        }
    }

    async fn look(&mut self) -> Result<Look, SourceError> {
        let entries = self.place.list(&self.name).await?;
        let is_playlist = |entry: &&Entry| listing::stem(&entry.name, "m3u8").is_some();
        let mut playlists: Vec<Entry> = entries.iter().filter(is_playlist).cloned().collect();
        let (extension, prefix) = (&self.options.extension, self.options.prefix.as_deref());
        let series = listing::series(entries, extension, prefix)
            .map_err(|reason| self.unreadable(reason))?;
        let mut look = Look {
            series,
            said: BTreeMap::new(),
            listed: BTreeMap::new(),
            complete: false,
        };
        playlists.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in playlists {
            if let (Some(bytes), Some(base)) =
                (self.place.read(&entry).await, self.place.url(&entry.name))
            {
                look.read_playlist(&bytes, base, &self.options.extension);
            }
        }
        Ok(look)
    }

    /// Queues what can be read now, and decides when to look again.
    fn take(&mut self, mut look: Look, now: Instant) -> Result<(), SourceError> {
        let told = !self.options.follow;
        for name in look.series.ignored.iter().filter(|_| told) {
            let message = format!("\"{name}\" is not one of the numbered files; it is left out");
            self.notice(name, message);
        }
        if look.series.around.is_none() {
            self.count_through(&mut look.series);
        }
        if self.head.next_number.is_none() {
            self.begin(&look);
        }
        let next = self.head.next_number;
        let (old, unread): (Vec<_>, Vec<_>) = std::mem::take(&mut look.series.files)
            .into_iter()
            .partition(|(number, _)| next.is_some_and(|next| *number < next));
        let changed: Vec<(Told, Entry)> = old
            .into_iter()
            .filter_map(|(number, entry)| self.changed(&look.series, number, entry))
            .collect();
        let open = unread.iter().map(|(_, entry)| entry);
        let grew = self.observe(open.chain(changed.iter().map(|(_, entry)| entry)), now);
        if grew || self.last_growth.is_none() {
            self.last_growth = Some(now);
        }
        let idle = self
            .last_growth
            .is_some_and(|at| now.duration_since(at) >= self.options.finished_after.std());
        let over = !self.options.follow || look.complete || idle;
        for (told, entry) in changed {
            if over || self.settled(&entry, now) {
                self.admit(told.number, told.position, &entry, &look);
            }
        }
        let newest = unread.last().map(|(number, _)| *number);
        for (number, entry) in unread {
            if !over && !self.ready(&entry, newest > Some(number), &look, now) {
                break;
            }
            if let Some(hole) = self.hole_before(number, &look.series) {
                let since = *self.hole_since.get_or_insert(now);
                if !over && now.duration_since(since) < self.options.missing_after.std() {
                    break;
                }
                self.missing(hole, number, &look);
            }
            self.hole_since = None;
            self.admit(number, self.head.next_position, &entry, &look);
        }
        if !over {
            self.look_again(now);
            return Ok(());
        }
        self.state = State::Ended;
        if self.head.next_position == 0 {
            let extension = &self.options.extension;
            return Err(self.unreadable(match &self.options.prefix {
                Some(prefix) => format!("it has no file \"{prefix}\"NUMBER.{extension}"),
                None => format!("it has no .{extension} file"),
            }));
        }
        // What a playlist announced and never came.
        let announced = look.listed.last_key_value().map(|(number, _)| *number + 1);
        if let (Some(next), Some(end), true) =
            (self.head.next_number, announced, look.series.counted)
            && end > next
        {
            self.missing(next, end, &look);
        }
        Ok(())
    }

    /// Files that a playlist lists before the first one that is there belong to the event.
    fn begin(&mut self, look: &Look) {
        let listed = look.listed.first_key_value().map(|(number, _)| *number);
        let there = look
            .series
            .files
            .first_key_value()
            .map(|(number, _)| *number);
        if let (Some(listed), Some(there), true) = (listed, there, look.series.counted)
            && listed < there
        {
            self.head.first_number = listed;
            self.head.next_number = Some(listed);
        }
    }

    /// Files without numbers are counted in the order of their names; one that comes in between
    /// later moves no other.
    fn count_through(&mut self, series: &mut Series) {
        let (Some(next), Some(last)) = (self.head.next_number, self.head.recent.last()) else {
            return;
        };
        let Some(last) = last.file.as_ref().map(|file| file.name.clone()) else {
            return;
        };
        let (old, new): (Vec<_>, Vec<_>) = std::mem::take(&mut series.files)
            .into_values()
            .partition(|entry| entry.name <= last);
        let oldest = self.head.recent.first().and_then(|told| told.file.clone());
        for entry in old {
            let mut recent = self.head.recent.iter();
            let told = recent.find(|told| {
                let file = told.file.as_ref();
                file.is_some_and(|file| file.name == entry.name)
            });
            match told.map(|told| told.number) {
                Some(number) => {
                    series.files.insert(number, entry);
                }
                None if oldest
                    .as_ref()
                    .is_some_and(|oldest| oldest.name < entry.name) =>
                {
                    let message = "it came too late: later files were read before it".to_owned();
                    self.notice(&entry.name, message);
                }
                // Read long ago.
                None => {}
            }
        }
        series.files.extend((next..).zip(new));
    }

    /// A file with a number that was passed: where it stands, if it has to be told (again).
    fn changed(&mut self, series: &Series, number: u64, entry: Entry) -> Option<(Told, Entry)> {
        if let Some(told) = self.head.recent.iter().find(|told| told.number == number) {
            let now = state_of(&entry);
            let new = match &told.file {
                Some(before) => *before != now,
                None => entry.size > 0,
            };
            return new.then(|| (told.clone(), entry));
        }
        let first = number < self.head.first_number;
        let lost = |&(first, last): &(u64, u64)| (first..=last).contains(&number);
        let between = self
            .head
            .recent
            .first()
            .is_some_and(|oldest| oldest.number < number);
        if series.around.is_some()
            && (first || self.head.lost.iter().any(lost) || (!series.counted && between))
        {
            let window = self.options.late_window;
            let message = match first || between {
                true => format!("number {number} came too late: later files were read before it"),
                false => format!(
                    "number {number} came too late: more than {window} chunks were read after it"
                ),
            };
            self.notice(&entry.name, message);
        }
        None
    }

    /// The first missing number before `number`, if there is a hole.
    fn hole_before(&self, number: u64, series: &Series) -> Option<u64> {
        self.head
            .next_number
            .filter(|&next| series.counted && number > next)
    }

    /// Notes how files are, and whether anything changed.
    fn observe<'a>(&mut self, entries: impl Iterator<Item = &'a Entry>, now: Instant) -> bool {
        let mut grew = false;
        let mut unsettled = HashMap::new();
        for entry in entries {
            let since = match self.unsettled.get(&entry.name) {
                Some(&(size, modified, since))
                    if size == entry.size && modified == entry.modified =>
                {
                    since
                }
                _ => {
                    grew = true;
                    now
                }
            };
            unsettled.insert(entry.name.clone(), (entry.size, entry.modified, since));
        }
        self.unsettled = unsettled;
        grew
    }

    fn settled(&self, entry: &Entry, now: Instant) -> bool {
        let since = self.unsettled.get(&entry.name).map(|(.., since)| *since);
        since.is_some_and(|since| now.duration_since(since) >= self.options.stable_for.std())
    }

    /// Whether a file is whole: the writer went on to the next, or it stands still. A fragment is
    /// of use when a playlist names its initialization section.
    fn ready(&self, entry: &Entry, followed: bool, look: &Look, now: Instant) -> bool {
        let known = !fragmented(&entry.name) || look.said.contains_key(&entry.name);
        known && (self.settled(entry, now) || (followed && entry.size > 0))
    }

    fn failure(&self, position: Option<Position>, name: &str, message: String) -> Failure {
        Failure {
            position,
            input: self.place.shown(name),
            operator: None,
            message,
            domain: Domain::External,
            retry: Retry::No,
        }
    }

    fn push(&mut self, item: SourceItem, behind: Behind) {
        self.head.pass(behind.clone(), self.options.late_window);
        self.queue.push_back((item, behind));
    }

    /// Tells something, once.
    fn notice(&mut self, name: &str, message: String) {
        let key = hash(&[name.as_bytes(), message.as_bytes()]);
        if !self.head.has_told(key) {
            let item = SourceItem::Notice(self.failure(None, name, message));
            self.push(item, Behind::Notice(key));
        }
    }

    /// Tells that the files from `first` to before `end` are missing, as many at a time as have the
    /// same duration.
    fn missing(&mut self, first: u64, end: u64, look: &Look) {
        let mut first = first;
        while first < end {
            let each = look.listed.get(&first).copied().flatten();
            let mut listed = look.listed.range(first..end).map(|(n, each)| (*n, *each));
            let last = match each {
                // Numbers that nothing is known of reach to the next that is known.
                None => listed
                    .find(|(_, each)| each.is_some())
                    .map_or(end, |(number, _)| number),
                Some(_) => {
                    let run = (first..).zip(listed);
                    let run = run.take_while(|(n, (number, e))| n == number && *e == each);
                    first + run.count() as u64
                }
            };
            let count = last - first;
            let position = self.head.next_position;
            let message = match count {
                1 => format!("file number {first} is missing"),
                _ => format!("files number {first} to {} are missing ({count})", last - 1),
            };
            let place = Position(position);
            let failure = self.failure(Some(place), "", message);
            let item = SourceItem::Missing(Missing::new(place, count, each, failure));
            let behind = Behind::Hole {
                number: first,
                position,
                count,
            };
            self.push(item, behind);
            first = last;
        }
    }

    fn admit(&mut self, number: u64, position: u64, entry: &Entry, look: &Look) {
        let said = look.said.get(&entry.name);
        let each = said.and_then(|said| said.segment.duration);
        let place = Position(position);
        let behind = Behind::File(Told {
            number,
            position,
            file: Some(state_of(entry)),
        });
        let media = self.place.url(&entry.name);
        let item = match media.filter(|_| entry.size > 0) {
            None => {
                let failure = self.failure(Some(place), &entry.name, "the file is empty".into());
                SourceItem::Missing(Missing::new(place, 1, each, failure))
            }
            Some(media) => {
                let map = said.and_then(|said| Some((said, said.segment.map.as_ref()?)));
                let init = map.and_then(|(said, map)| {
                    let url = uri::resolve(&said.base, &map.uri).ok()?;
                    Some(Resource {
                        range: map.range,
                        ..Resource::whole(url)
                    })
                });
                let container = match init.is_some() || fragmented(&entry.name) {
                    true => Container::FragmentedMp4,
                    false => Container::MpegTs,
                };
                SourceItem::Chunk(ChunkRef {
                    init,
                    declared_duration: each,
                    discontinuity: said.is_some_and(|said| said.segment.discontinuity),
                    program_date_time: said.and_then(|said| said.segment.program_date_time),
                    ..ChunkRef::new(self.name.clone(), place, Resource::whole(media), container)
                })
            }
        };
        self.push(item, behind);
    }
}

fn state_of(entry: &Entry) -> FileState {
    FileState {
        name: entry.name.clone(),
        size: entry.size,
        modified: entry.modified,
        tag: entry.tag.clone(),
    }
}

/// Whether a name is that of a fragment, which needs an initialization section.
fn fragmented(name: &str) -> bool {
    let fragments = ["m4s", "mp4", "m4v", "cmfv"];
    fragments
        .iter()
        .any(|extension| listing::stem(name, extension).is_some())
}

impl Look {
    /// Takes what a playlist says of the files: durations, breaks, dates, which there should be,
    /// and that it is over.
    fn read_playlist(&mut self, bytes: &Bytes, base: Url, extension: &str) {
        let parsed = playlist::parse(base.as_str(), bytes, false);
        let Ok(Playlist::Media(playlist)) = parsed else {
            return;
        };
        let mut segments = Vec::new();
        for (news, _) in Window::default().advance(&playlist) {
            let News::Chunk(segment) = news else { continue };
            let name = segment.uri.rsplit('/').next().unwrap_or_default();
            if segment.range.is_none() {
                segments.push((name.to_owned(), segment));
            }
        }
        let files: std::collections::HashSet<&str> = self
            .series
            .files
            .values()
            .map(|entry| entry.name.as_str())
            .collect();
        if !segments
            .iter()
            .any(|(name, _)| files.contains(name.as_str()))
        {
            return;
        }
        self.complete |= playlist.complete;
        for (name, segment) in segments {
            if let Some(number) = self.series.number_of(&name, extension) {
                self.listed.entry(number).or_insert(segment.duration);
            }
            let base = base.clone();
            self.said.entry(name).or_insert(Said { segment, base });
        }
    }
}
