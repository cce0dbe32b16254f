//! The sliding window of a live playlist: what is new since the last load, what slid out before it
//! was read, what was replaced, and whether this is the same stream at all. Pure; the source loads
//! and waits.

use std::collections::BTreeMap;

use matchcut_model::chunk::ByteRange;
use matchcut_model::time::MediaTime;
use serde::{Deserialize, Serialize};

use crate::playlist::{MediaPlaylist, Segment};

/// How many chunks are remembered, to tell a late copy of a playlist from a restarted one.
const MEMORY: usize = 4096;

/// More chunks than this do not slide out between two reloads: the numbers have started anew
/// somewhere else, as they do when an encoder numbers by the time of day.
const MOST_SLID_OUT: u64 = 10_000;

/// Dates of one moment in two copies of a playlist differ by less, in microseconds.
const SAME_DATE: u64 = 1_000_000;

/// What a load brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A new chunk. `discontinuity` and `program_date_time` are filled in.
    Chunk(Segment),
    /// A chunk that was told before has other bytes now, or has bytes at last.
    Again(Segment),
    /// Chunks that slid out of the window before it was loaded.
    SlidOut {
        /// Media sequence number of the first.
        sequence: u64,
        /// How many.
        count: u64,
    },
    /// Something to tell.
    Notice(String),
}

/// What makes a chunk the same one in two loads. Its address may differ: servers put tokens into
/// paths and queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    name: String,
    range: Option<ByteRange>,
    /// The date that the playlist itself gives.
    date: Option<i64>,
    /// It could not be read.
    missing: bool,
    /// What was filled in when it was told.
    discontinuity: bool,
    filled_date: Option<i64>,
}

impl Identity {
    fn of(segment: &Segment) -> Self {
        let path = segment.uri.split(['?', '#']).next().unwrap_or_default();
        Identity {
            name: path.rsplit('/').next().unwrap_or_default().to_owned(),
            range: segment.range,
            date: segment.program_date_time,
            missing: segment.unusable.is_some(),
            discontinuity: segment.discontinuity,
            filled_date: segment.program_date_time,
        }
    }

    /// Its name, and its date: given, or carried on by durations.
    #[cfg(any(feature = "medialive", feature = "kinesis_video"))]
    pub(crate) fn name_and_date(&self) -> (String, Option<i64>) {
        (self.name.clone(), self.filled_date)
    }

    fn same(&self, other: &Identity) -> bool {
        self.same_media(other) && self.dates(other) != Some(false)
    }

    fn same_media(&self, other: &Identity) -> bool {
        self.name == other.name && self.range == other.range
    }

    /// Whether both have a date, filled in from chunks before them if need be, and it is the same.
    fn same_time(&self, other: &Identity) -> bool {
        let dates = self.filled_date.zip(other.filled_date);
        dates.is_some_and(|(a, b)| a.abs_diff(b) <= SAME_DATE)
    }

    /// Whether the dates agree; `None` where one of them has none.
    fn dates(&self, other: &Identity) -> Option<bool> {
        Some(self.date?.abs_diff(other.date?) <= SAME_DATE)
    }
}

/// How far a playlist was read; what [`Window`] needs to go on from there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Media sequence number of the next chunk.
    pub next: Option<u64>,
    pub discontinuity_sequence: u64,
    /// The date at the end of the last chunk.
    pub date: Option<i64>,
    /// How often the numbers started anew.
    pub generation: u64,
    /// Whether it was told that the numbers cannot be relied on.
    told: bool,
}

/// What is known of the playlist from earlier loads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    mark: Mark,
    seen: BTreeMap<u64, Identity>,
    /// What was seen before the numbers started anew: an old copy from another server may still
    /// come.
    before: BTreeMap<u64, Identity>,
    old_copy_told: bool,
}

/// News with how far the playlist is read when they are taken.
pub(crate) type Marked = (News, Mark);

impl Window {
    /// Goes on from `mark`, with the last chunks that were read before it.
    pub(crate) fn resume(mark: Mark, seen: impl IntoIterator<Item = (u64, Identity)>) -> Self {
        Window {
            mark,
            seen: seen.into_iter().collect(),
            ..Window::default()
        }
    }

    /// The number that comes next.
    pub(crate) fn next(&self) -> Option<u64> {
        self.mark.next
    }

    /// What is remembered of a chunk.
    pub(crate) fn identity(&self, sequence: u64) -> Option<&Identity> {
        self.seen.get(&sequence)
    }

    /// Takes a loaded playlist; gives what is new.
    pub(crate) fn advance(&mut self, playlist: &MediaPlaylist) -> Vec<Marked> {
        let mut news = Vec::new();
        let (Some(first), Some(last)) = (playlist.segments.first(), playlist.segments.last())
        else {
            return news;
        };
        let Some(next) = self.mark.next else {
            self.take(&playlist.segments, false, &mut news);
            return news;
        };
        if first.sequence > next && self.is_from_before(&playlist.segments) {
            self.old_copy(first.sequence, last.sequence, next, &mut news);
            return news;
        }
        if first.sequence > next && first.sequence - next > MOST_SLID_OUT {
            let text = format!(
                "the playlist jumped to number {} where {next} was expected: the stream was \
                 restarted",
                first.sequence
            );
            self.restart(&playlist.segments, text, &mut news);
            return news;
        }
        if first.sequence > next {
            let count = first.sequence - next;
            let missed = first.discontinuity_sequence > self.mark.discontinuity_sequence;
            // Dates do not add up over what was not seen.
            self.mark.date = None;
            self.mark.next = Some(first.sequence);
            let sequence = next;
            self.push(News::SlidOut { sequence, count }, &mut news);
            self.take(&playlist.segments, missed, &mut news);
            return news;
        }
        let known: Vec<(&Segment, Identity, &Identity)> = playlist
            .segments
            .iter()
            .zip(dates(&playlist.segments))
            .filter_map(|(segment, filled_date)| {
                let seen = self.seen.get(&segment.sequence)?;
                let now = Identity {
                    filled_date,
                    ..Identity::of(segment)
                };
                Some((segment, now, seen))
            })
            .collect();
        let same = match known.is_empty() {
            // Nothing in common: it goes on right here, or it went back beyond memory.
            true => first.sequence == next,
            false => known.iter().all(|(_, now, seen)| now.same(seen)),
        };
        if same {
            let filled = known
                .iter()
                .filter(|(_, now, seen)| seen.missing && !now.missing);
            let again: Vec<Segment> = filled.map(|(segment, ..)| (*segment).clone()).collect();
            self.again(again, &mut news);
            self.take(from(playlist, next), false, &mut news);
            return news;
        }
        if let Some(index) = self.renumbered(&playlist.segments) {
            self.renumber(playlist, index, next, last.sequence, &mut news);
            return news;
        }
        // Numbers and dates agree, names do not: the same stream by another packager.
        if !known.is_empty() && known.iter().all(|(_, now, seen)| now.same_time(seen)) {
            let matching = known.iter().filter(|(_, now, seen)| now.same_media(seen));
            if matching.count() == 0 {
                let text = "its chunks have other names than before, with the same numbers and \
                            dates: what was read already is not read again";
                if !std::mem::replace(&mut self.mark.told, true) {
                    self.push(News::Notice(text.into()), &mut news);
                }
                self.remember(&playlist.segments);
                self.take(from(playlist, next), false, &mut news);
                return news;
            }
        }
        // Some stand where they stood: the others were replaced.
        if known.iter().any(|(_, now, seen)| now.same(seen)) {
            let replaced = known.iter().filter(|(_, now, seen)| !now.same(seen));
            let replaced: Vec<Segment> = replaced.map(|(segment, ..)| (*segment).clone()).collect();
            self.again(replaced, &mut news);
            self.take(from(playlist, next), false, &mut news);
            return news;
        }
        if self.is_old(&playlist.segments) {
            self.old_copy(first.sequence, last.sequence, next, &mut news);
            return news;
        }
        let text = format!(
            "the playlist started anew at number {} where {next} was expected: the stream was \
             restarted",
            first.sequence
        );
        self.restart(&playlist.segments, text, &mut news);
        news
    }

    /// Where the chunk that was read last stands now, if all before it stand as they stood
    /// under other numbers.
    fn renumbered(&self, segments: &[Segment]) -> Option<usize> {
        let (&last, read) = self.seen.last_key_value()?;
        let index = segments
            .iter()
            .rposition(|segment| read.same(&Identity::of(segment)))?;
        let back = |index: usize, by: usize| segments.get(index.checked_sub(by)?);
        let unlike = (1..=index).any(|by| {
            let now = back(index, by).map(Identity::of);
            let seen = last
                .checked_sub(by as u64)
                .and_then(|sequence| self.seen.get(&sequence));
            matches!((now, seen), (Some(now), Some(seen)) if !seen.same(&now))
        });
        (!unlike).then_some(index)
    }

    fn renumber(
        &mut self,
        playlist: &MediaPlaylist,
        index: usize,
        next: u64,
        last: u64,
        news: &mut Vec<Marked>,
    ) {
        self.seen.clear();
        let (old, new) = playlist.segments.split_at(index + 1);
        let was = next.saturating_sub(1);
        let now = old.last().map_or(0, |segment| segment.sequence);
        self.remember(old);
        self.mark.generation += 1;
        self.mark.next = Some(now.saturating_add(1));
        if !std::mem::replace(&mut self.mark.told, true) {
            let text =
                format!("the numbers of its chunks changed: what was number {was} is now {now}");
            self.push(News::Notice(text), news);
        }
        self.take(new, false, news);
        self.mark.next = Some(last.saturating_add(1));
    }

    fn old_copy(&mut self, first: u64, last: u64, next: u64, news: &mut Vec<Marked>) {
        if !std::mem::replace(&mut self.old_copy_told, true) {
            let text = format!(
                "an old copy of the playlist came (numbers {first} to {last} where {next} was \
                 expected); it is passed over"
            );
            self.push(News::Notice(text), news);
        }
    }

    /// Whether these chunks were seen before the numbers started anew.
    fn is_from_before(&self, segments: &[Segment]) -> bool {
        let seen = |segment: &Segment| {
            let seen = self.before.get(&segment.sequence);
            seen.map(|seen| seen.same(&Identity::of(segment)))
        };
        let mut known = segments.iter().filter_map(seen).peekable();
        known.peek().is_some() && known.all(|same| same)
    }

    /// Whether these chunks are from before: they were seen then, or their dates lie behind what
    /// was read.
    fn is_old(&self, segments: &[Segment]) -> bool {
        if self.is_from_before(segments) {
            return true;
        }
        let dated = segments
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, s)| Some((index, s.program_date_time?)));
        match (dated, self.mark.date) {
            (Some((index, date)), Some(read)) => {
                let after = segments.iter().skip(index).filter_map(|s| s.duration);
                let length: MediaTime = after.fold(MediaTime::ZERO, |sum, d| sum + d);
                date.saturating_add(length.to_ticks(1_000_000)) <= read
            }
            _ => false,
        }
    }

    fn restart(&mut self, segments: &[Segment], text: String, news: &mut Vec<Marked>) {
        self.before = std::mem::take(&mut self.seen);
        self.mark.date = None;
        self.mark.generation += 1;
        self.mark.next = segments.first().map(|segment| segment.sequence);
        self.push(News::Notice(text), news);
        self.take(segments, true, news);
    }

    /// Tells chunks again that were told before.
    fn again(&mut self, segments: Vec<Segment>, news: &mut Vec<Marked>) {
        for mut segment in segments {
            let mut now = Identity::of(&segment);
            if let Some(seen) = self.seen.get(&segment.sequence) {
                segment.discontinuity |= seen.discontinuity;
                segment.program_date_time = segment.program_date_time.or(seen.filled_date);
                now.discontinuity = segment.discontinuity;
                now.filled_date = segment.program_date_time;
            }
            self.seen.insert(segment.sequence, now);
            self.push(News::Again(segment), news);
        }
    }

    /// Forgets the chunks before `count` from the end as if they had been read.
    pub(crate) fn enter_at(&mut self, playlist: &MediaPlaylist, behind: MediaTime) {
        let mut left = behind;
        let mut start = playlist.segments.len();
        for (index, segment) in playlist.segments.iter().enumerate().rev() {
            if left <= MediaTime::ZERO {
                break;
            }
            left -= segment.duration.unwrap_or(playlist.target_duration);
            start = index;
        }
        let mut skipped = Vec::new();
        self.take(&playlist.segments[..start], false, &mut skipped);
    }

    fn push(&self, what: News, news: &mut Vec<Marked>) {
        news.push((what, self.mark.clone()));
    }

    fn take(&mut self, segments: &[Segment], mut broken: bool, news: &mut Vec<Marked>) {
        for segment in segments {
            let mut identity = Identity::of(segment);
            let mut segment = segment.clone();
            segment.discontinuity |= std::mem::take(&mut broken);
            if segment.discontinuity {
                self.mark.date = None;
            }
            let date = segment.program_date_time.or(self.mark.date);
            segment.program_date_time = date;
            let length = segment
                .duration
                .map(|duration| duration.to_ticks(1_000_000));
            self.mark.date = date
                .zip(length)
                .map(|(date, length)| date.saturating_add(length));
            self.mark.discontinuity_sequence = segment.discontinuity_sequence;
            self.mark.next = Some(segment.sequence.saturating_add(1));
            identity.discontinuity = segment.discontinuity;
            identity.filled_date = date;
            self.seen.insert(segment.sequence, identity);
            self.push(News::Chunk(segment), news);
        }
        self.limit();
    }

    /// Notes chunks that were read under other numbers or names.
    fn remember(&mut self, segments: &[Segment]) {
        for segment in segments {
            self.seen.insert(segment.sequence, Identity::of(segment));
        }
        self.limit();
    }

    fn limit(&mut self) {
        while self.seen.len() > MEMORY {
            self.seen.pop_first();
        }
    }
}

/// The dates of chunks, carried by durations up to a break.
fn dates(segments: &[Segment]) -> Vec<Option<i64>> {
    let mut date: Option<i64> = None;
    let dated = segments.iter().map(|segment| {
        if segment.discontinuity {
            date = None;
        }
        let here = segment.program_date_time.or(date);
        let length = segment
            .duration
            .map(|duration| duration.to_ticks(1_000_000));
        date = here
            .zip(length)
            .map(|(date, length)| date.saturating_add(length));
        here
    });
    dated.collect()
}

/// The chunks from number `next` on.
fn from(playlist: &MediaPlaylist, next: u64) -> &[Segment] {
    let start = playlist
        .segments
        .partition_point(|segment| segment.sequence < next);
    playlist.segments.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playlist::{Playlist, parse};

    fn playlist(text: &str) -> MediaPlaylist {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n{text}");
        match parse("live.m3u8", text.as_bytes(), true).unwrap() {
            Playlist::Media(playlist) => playlist,
            Playlist::Master(_) => panic!("a master playlist"),
        }
    }

    fn numbered(first: u64, names: &[&str]) -> MediaPlaylist {
        let chunks: String = names
            .iter()
            .map(|name| format!("#EXTINF:2,\n{name}.ts\n"))
            .collect();
        playlist(&format!("#EXT-X-MEDIA-SEQUENCE:{first}\n{chunks}"))
    }

    /// News in short: a name, `|name` after a break, `-2` for two that slid out, `!` for a notice.
    fn short(news: Vec<Marked>) -> String {
        let word = |(news, _): Marked| match news {
            News::Chunk(s) => {
                let name = s.uri.split(".ts").next().unwrap_or_default().to_owned();
                if s.discontinuity {
                    format!("|{name}")
                } else {
                    name
                }
            }
            News::Again(s) => format!("~{}", s.uri.split(".ts").next().unwrap_or_default()),
            News::SlidOut { count, .. } => format!("-{count}"),
            News::Notice(_) => "!".into(),
        };
        news.into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn only_new_chunks_are_news() {
        let mut window = Window::default();
        assert_eq!(
            short(window.advance(&numbered(7, &["a", "b", "c"]))),
            "a b c"
        );
        assert_eq!(short(window.advance(&numbered(7, &["a", "b", "c"]))), "");
        assert_eq!(short(window.advance(&numbered(8, &["b", "c", "d"]))), "d");
        assert_eq!(short(window.advance(&numbered(11, &["e"]))), "e");
    }

    #[test]
    fn what_slid_out_is_counted() {
        let mut window = Window::default();
        window.advance(&numbered(0, &["a", "b"]));
        let news = window.advance(&numbered(5, &["f", "g"]));
        assert_eq!(
            news[0].0,
            News::SlidOut {
                sequence: 2,
                count: 3
            }
        );
        assert_eq!(short(news), "-3 f g");
        // A break among what slid out is a break before what comes next.
        let text = "#EXT-X-MEDIA-SEQUENCE:9\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXTINF:2,\nj.ts\n";
        assert_eq!(short(window.advance(&playlist(text))), "-2 |j");
    }

    #[test]
    fn an_old_copy_says_nothing() {
        let mut window = Window::default();
        window.advance(&numbered(0, &["a", "b", "c", "d"]));
        assert_eq!(short(window.advance(&numbered(0, &["a", "b"]))), "");
        assert_eq!(
            short(window.advance(&numbered(1, &["b.ts?token=2", "c"]))),
            ""
        );
        assert_eq!(short(window.advance(&numbered(3, &["d", "e"]))), "e");
    }

    #[test]
    fn a_restart_is_a_new_stretch() {
        let mut window = Window::default();
        window.advance(&numbered(100, &["a", "b"]));
        assert_eq!(short(window.advance(&numbered(0, &["x", "y"]))), "! |x y");
        assert_eq!(short(window.advance(&numbered(1, &["y", "z"]))), "z");
        // The same names and numbers at another time of day.
        let at = |hour: u32| {
            let date = format!("#EXT-X-PROGRAM-DATE-TIME:2024-05-01T{hour:02}:00:00Z");
            playlist(&format!("{date}\n#EXTINF:2,\n0.ts\n"))
        };
        let mut window = Window::default();
        assert_eq!(short(window.advance(&at(10))), "0");
        assert_eq!(short(window.advance(&at(10))), "");
        assert_eq!(short(window.advance(&at(11))), "! |0");
    }

    #[test]
    fn a_window_without_numbers_is_followed_by_name() {
        let mut window = Window::default();
        assert_eq!(
            short(window.advance(&numbered(0, &["a", "b", "c"]))),
            "a b c"
        );
        assert_eq!(short(window.advance(&numbered(0, &["b", "c", "d"]))), "! d");
        assert_eq!(short(window.advance(&numbered(0, &["b", "c", "d"]))), "");
        assert_eq!(short(window.advance(&numbered(0, &["c", "d", "e"]))), "e");
    }

    #[test]
    fn what_is_replaced_is_told_again() {
        let mut window = Window::default();
        window.advance(&numbered(7, &["a", "b", "c"]));
        assert_eq!(
            short(window.advance(&numbered(7, &["a", "x", "c", "d"]))),
            "~x d"
        );
        assert_eq!(
            short(window.advance(&numbered(7, &["a", "x", "c", "d"]))),
            ""
        );
        // A gap that is filled.
        let mut window = Window::default();
        let gap = |gap: &str| playlist(&format!("#EXTINF:2,\na.ts\n{gap}#EXTINF:2,\nb.ts\n"));
        window.advance(&gap("#EXT-X-GAP\n"));
        assert_eq!(short(window.advance(&gap("#EXT-X-GAP\n"))), "");
        assert_eq!(short(window.advance(&gap(""))), "~b");
        assert_eq!(short(window.advance(&gap(""))), "");
    }

    #[test]
    fn old_copies_and_other_names_are_known_by_their_dates() {
        let at = |first: u64, second: u32, names: &[&str]| {
            let chunk = |name: &&str| format!("#EXTINF:2,\n{name}.ts\n");
            let chunks: String = names.iter().map(chunk).collect();
            let date = format!("#EXT-X-PROGRAM-DATE-TIME:2024-05-01T10:00:{second:02}Z\n");
            playlist(&format!("#EXT-X-MEDIA-SEQUENCE:{first}\n{date}{chunks}"))
        };
        let mut window = Window::default();
        window.advance(&at(100, 20, &["a", "b"]));
        // So old that nothing of it is known, from a server with other numbers.
        assert_eq!(short(window.advance(&at(3, 10, &["u", "v"]))), "!");
        assert_eq!(short(window.advance(&at(3, 10, &["u", "v"]))), "");
        // A restart, then a copy from before it.
        assert_eq!(short(window.advance(&at(0, 30, &["x", "y"]))), "! |x y");
        assert_eq!(short(window.advance(&at(100, 20, &["a", "b"]))), "");
        assert_eq!(short(window.advance(&at(1, 32, &["y", "z"]))), "z");
        // Another packager of the same stream.
        assert_eq!(
            short(window.advance(&at(1, 32, &["q1", "q2", "q3"]))),
            "! q3"
        );
    }

    #[test]
    fn a_window_goes_on_where_another_one_stood() {
        let mut window = Window::default();
        let news = window.advance(&numbered(7, &["a", "b", "c"]));
        let mark = news[1].1.clone();
        let seen = [7, 8].map(|n| (n, window.identity(n).unwrap().clone()));
        let mut resumed = Window::resume(mark, seen);
        assert_eq!(short(resumed.advance(&numbered(7, &["a", "b", "c"]))), "c");
        assert_eq!(short(resumed.advance(&numbered(8, &["b", "c", "d"]))), "d");
    }

    #[test]
    fn dates_are_carried_by_durations_up_to_a_break() {
        let text = "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n#EXTINF:2,\na.ts\n\
            #EXTINF:1.5,\nb.ts\n#EXTINF:2,\nc.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\nd.ts\n";
        let dates = |news: Vec<Marked>| -> Vec<Option<i64>> {
            let date = |(news, _): Marked| match news {
                News::Chunk(segment) => segment.program_date_time,
                _ => None,
            };
            news.into_iter().map(date).collect()
        };
        let mut window = Window::default();
        let expected = [Some(10_000_000), Some(12_000_000), Some(13_500_000), None];
        assert_eq!(dates(window.advance(&playlist(text))), expected);
        let mut window = Window::default();
        window.enter_at(&playlist(text), MediaTime::from_seconds(5));
        assert_eq!(dates(window.advance(&playlist(text))), expected[1..]);
    }
}
