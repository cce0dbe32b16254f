//! A playlist that only grows, whatever the ones that it is made of do: each chunk keeps its number.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write;

use jiff::Timestamp;
use matchcut_model::time::MediaTime;

use super::Block;
use crate::hls::HlsCursor;

/// Chunks that stay in it.
const KEEP: usize = 1024;

/// A chunk in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// What it is known by, whoever offers it.
    key: String,
    block: Block,
}

/// A playlist that only grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// The number of its first chunk.
    first: u64,
    entries: VecDeque<Entry>,
    keys: HashSet<String>,
    /// Breaks before its first chunk.
    breaks: u64,
    target: MediaTime,
    complete: bool,
    /// The date at which the next chunk begins.
    edge: Option<i64>,
    /// The number behind what was written out the last time, and the time before.
    written: (u64, u64),
}

impl Ledger {
    /// Goes on behind what was read of it: the chunk that was told last comes first, so that it is known.
    pub(crate) fn resume(cursor: &HlsCursor) -> Self {
        let Some((next, date, last)) = cursor.reached() else {
            return Ledger::default();
        };
        let mut ledger = Ledger {
            first: next,
            edge: date,
            ..Ledger::default()
        };
        if let Some((name, start)) = last {
            ledger.first = next.saturating_sub(1);
            let block = Block {
                uri: name.clone(),
                start,
                ..Block::default()
            };
            ledger.keys.insert(name.clone());
            ledger.entries.push_back(Entry { key: name, block });
        }
        ledger
    }

    /// Whether a chunk is in it.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// The date at which the next chunk begins.
    pub(crate) fn edge(&self) -> Option<i64> {
        self.edge
    }

    /// Whether nothing was ever added.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.first == 0
    }

    /// Whether nothing more comes.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self) {
        self.complete = true;
    }

    /// The longest chunk there may be, as the playlists say.
    pub(crate) fn target(&mut self, target: MediaTime) {
        self.target = self.target.max(target);
    }

    /// Adds a chunk.
    pub(crate) fn push(&mut self, key: String, block: Block) {
        self.target(block.duration);
        self.edge = block.end();
        self.keys.insert(key.clone());
        self.entries.push_back(Entry { key, block });
    }

    /// Its text. What has been in it twice before may have gone, when it has become long.
    pub(crate) fn text(&mut self) -> String {
        while self.entries.len() > KEEP && self.first < self.written.1 {
            let Some(gone) = self.entries.pop_front() else {
                break;
            };
            self.keys.remove(&gone.key);
            self.breaks += u64::from(gone.block.discontinuity);
            self.first += 1;
        }
        let end = self.first.saturating_add(self.entries.len() as u64);
        self.written = (end, self.written.0);
        let target = self.target.to_ticks(1000).max(1000) as u64;
        let mut text = format!(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:{}\n\
             #EXT-X-DISCONTINUITY-SEQUENCE:{}\n",
            target.div_ceil(1000),
            self.first,
            self.breaks
        );
        let mut map = None;
        for Entry { block, .. } in &self.entries {
            // Writing into text cannot fail.
            let _ = write(&mut text, block, &mut map);
        }
        if self.complete {
            text.push_str("#EXT-X-ENDLIST\n");
        }
        text
    }
}

fn write<'a>(
    text: &mut String,
    block: &'a Block,
    map: &mut Option<&'a crate::playlist::MapSection>,
) -> std::fmt::Result {
    if block.discontinuity {
        writeln!(text, "#EXT-X-DISCONTINUITY")?;
    }
    for tag in &block.tags {
        writeln!(text, "{tag}")?;
    }
    if let Some(own) = block.map.as_ref().filter(|own| *map != Some(*own)) {
        write!(text, "#EXT-X-MAP:URI=\"{}\"", own.uri)?;
        if let Some(range) = own.range {
            write!(text, ",BYTERANGE=\"{}@{}\"", range.length, range.offset)?;
        }
        writeln!(text)?;
        *map = Some(own);
    }
    if let Some(date) = block
        .start
        .and_then(|at| Timestamp::from_microsecond(at).ok())
    {
        writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{date}")?;
    }
    // Exact: seconds with as many digits as microseconds need.
    let micros = block.duration.to_ticks(1_000_000);
    writeln!(
        text,
        "#EXTINF:{}.{:06},",
        micros / 1_000_000,
        micros % 1_000_000
    )?;
    if let Some(range) = block.range {
        writeln!(text, "#EXT-X-BYTERANGE:{}@{}", range.length, range.offset)?;
    }
    writeln!(text, "{}", block.uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playlist::{self, Playlist, variables::Variables};

    fn block(n: i64) -> Block {
        Block {
            uri: format!("s3://b/{n}.ts"),
            tags: vec![format!("#EXT-X-CUE-OUT:{n}")],
            start: Some(1_700_000_000_000_000 + n * 2_000_000),
            duration: MediaTime::from_millis(2000),
            discontinuity: n % 100 == 0,
            ..Block::default()
        }
    }

    #[test]
    fn what_is_written_is_read_and_numbers_stay() {
        let mut ledger = Ledger::default();
        for n in 0..3000 {
            ledger.push(n.to_string(), block(n));
        }
        let read = |ledger: &mut Ledger| {
            let parsed =
                playlist::parse_with("x", ledger.text().as_bytes(), true, &Variables::new());
            let Playlist::Media(playlist) = parsed.unwrap() else {
                panic!()
            };
            assert_eq!(playlist.problems, []);
            playlist
        };
        // Nothing goes before it was read twice.
        for first in [0, 0, 3000 - KEEP as u64] {
            let playlist = read(&mut ledger);
            assert_eq!(playlist.media_sequence, first);
            let segment = &playlist.segments[0];
            assert_eq!(segment.uri, format!("s3://b/{first}.ts"));
            assert_eq!(segment.duration, Some(MediaTime::from_seconds(2)));
            assert_eq!(segment.program_date_time, block(first as i64).start);
            let last = playlist.segments.last().unwrap();
            assert_eq!((last.sequence, last.discontinuity_sequence), (2999, 30));
            assert_eq!(last.cues.len(), 1);
        }
        assert!(ledger.knows("2999") && !ledger.knows("0"));
        ledger.end();
        assert!(read(&mut ledger).complete);
    }
}
