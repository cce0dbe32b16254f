//! The sliding window of a live playlist: what is new since the last load, what slid out before it
//! was read, and whether this is the same stream at all. Pure; the source loads and waits.

use std::collections::BTreeMap;

use matchcut_model::chunk::ByteRange;
use matchcut_model::time::MediaTime;

use crate::playlist::{MediaPlaylist, Segment};

/// How many chunks are remembered, to tell a late copy of a playlist from a restarted one.
const MEMORY: usize = 4096;

/// What a load brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A new chunk. `discontinuity` and `program_date_time` are filled in.
    Chunk(Segment),
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
#[derive(Clone, Debug)]
struct Identity {
    name: String,
    range: Option<ByteRange>,
    date: Option<i64>,
}

impl Identity {
    fn of(segment: &Segment) -> Self {
        let path = segment.uri.split(['?', '#']).next().unwrap_or_default();
        Identity {
            name: path.rsplit('/').next().unwrap_or_default().to_owned(),
            range: segment.range,
            date: segment.program_date_time,
        }
    }

    fn same(&self, other: &Identity) -> bool {
        let dates_agree = match (self.date, other.date) {
            (Some(a), Some(b)) => a.abs_diff(b) <= 1_000_000,
            _ => true,
        };
        self.name == other.name && self.range == other.range && dates_agree
    }
}

/// What is known of the playlist from earlier loads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// Media sequence number of the next chunk.
    next: Option<u64>,
    discontinuity_sequence: u64,
    seen: BTreeMap<u64, Identity>,
    /// The date at the end of the last chunk.
    date: Option<i64>,
    /// Whether it was told that the numbers cannot be relied on.
    told: bool,
}

/// More chunks than this do not slide out between two reloads: the numbers have started anew
/// somewhere else, as they do when an encoder numbers by the time of day.
const MOST_SLID_OUT: u64 = 10_000;

impl Window {
    /// Takes a loaded playlist; gives what is new.
    pub(crate) fn advance(&mut self, playlist: &MediaPlaylist) -> Vec<News> {
        let mut news = Vec::new();
        let (Some(first), Some(last)) = (playlist.segments.first(), playlist.segments.last())
        else {
            return news;
        };
        let Some(next) = self.next else {
            self.take(&playlist.segments, false, &mut news);
            return news;
        };
        if first.sequence > next && first.sequence - next > MOST_SLID_OUT {
            news.push(News::Notice(format!(
                "the playlist jumped to number {} where {next} was expected: the stream was \
                 restarted",
                first.sequence
            )));
            self.seen.clear();
            self.date = None;
            self.take(&playlist.segments, true, &mut news);
            return news;
        }
        if first.sequence > next {
            news.push(News::SlidOut {
                sequence: next,
                count: first.sequence - next,
            });
            // Dates do not add up over what was not seen.
            self.date = None;
            let missed = first.discontinuity_sequence > self.discontinuity_sequence;
            self.take(&playlist.segments, missed, &mut news);
            return news;
        }
        let mut known = playlist.segments.iter().filter_map(|segment| {
            self.seen
                .get(&segment.sequence)
                .map(|seen| seen.same(&Identity::of(segment)))
        });
        let same = match known.next() {
            Some(same) => same && known.all(|same| same),
            // Nothing in common: it goes on right here, or it went back beyond memory.
            None => first.sequence == next,
        };
        if same {
            let start = playlist
                .segments
                .partition_point(|segment| segment.sequence < next);
            self.take(&playlist.segments[start..], false, &mut news);
            return news;
        }
        let last_read = self
            .seen
            .last_key_value()
            .map(|(_, identity)| identity.clone());
        let found = last_read.and_then(|read| {
            playlist
                .segments
                .iter()
                .rposition(|segment| read.same(&Identity::of(segment)))
        });
        self.seen.clear();
        match found {
            Some(index) => {
                if !std::mem::replace(&mut self.told, true) {
                    news.push(News::Notice(format!(
                        "the numbers of its chunks changed: what was number {} is now {}",
                        next.saturating_sub(1),
                        playlist.segments[index].sequence
                    )));
                }
                self.remember(&playlist.segments[..=index]);
                self.take(&playlist.segments[index + 1..], false, &mut news);
                self.next = Some(last.sequence.saturating_add(1));
            }
            None => {
                news.push(News::Notice(format!(
                    "the playlist started anew at number {} where {next} was expected: the stream \
                     was restarted",
                    first.sequence
                )));
                self.date = None;
                self.take(&playlist.segments, true, &mut news);
            }
        }
        news
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

    fn take(&mut self, segments: &[Segment], mut broken: bool, news: &mut Vec<News>) {
        self.remember(segments);
        for segment in segments {
            let mut segment = segment.clone();
            segment.discontinuity |= std::mem::take(&mut broken);
            if segment.discontinuity {
                self.date = None;
            }
            let date = segment.program_date_time.or(self.date);
            segment.program_date_time = date;
            let length = segment
                .duration
                .map(|duration| duration.to_ticks(1_000_000));
            self.date = date
                .zip(length)
                .map(|(date, length)| date.saturating_add(length));
            self.discontinuity_sequence = segment.discontinuity_sequence;
            self.next = Some(segment.sequence.saturating_add(1));
            news.push(News::Chunk(segment));
        }
    }

    fn remember(&mut self, segments: &[Segment]) {
        for segment in segments {
            self.seen.insert(segment.sequence, Identity::of(segment));
        }
        while self.seen.len() > MEMORY {
            self.seen.pop_first();
        }
    }
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
    fn short(news: Vec<News>) -> String {
        let word = |news: News| match news {
            News::Chunk(s) => {
                let name = s.uri.split(".ts").next().unwrap_or_default().to_owned();
                if s.discontinuity {
                    format!("|{name}")
                } else {
                    name
                }
            }
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
            news[0],
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
    fn dates_are_carried_by_durations_up_to_a_break() {
        let text = "#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:10Z\n#EXTINF:2,\na.ts\n\
            #EXTINF:1.5,\nb.ts\n#EXTINF:2,\nc.ts\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\nd.ts\n";
        let dates = |news: Vec<News>| -> Vec<Option<i64>> {
            let date = |news| match news {
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
