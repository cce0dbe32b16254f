//! The chunks of a playlist with the lines that belong to them, to be written into another one.

use matchcut_model::time::MediaTime;

use crate::playlist::{MapSection, MediaPlaylist};

/// Tags that say something of a playlist as a whole, or that are written anew.
const OF_PLAYLISTS: [&str; 17] = [
    "#EXTM3U",
    "#EXTINF",
    "#EXT-X-VERSION",
    "#EXT-X-TARGETDURATION",
    "#EXT-X-MEDIA-SEQUENCE",
    "#EXT-X-DISCONTINUITY-SEQUENCE",
    "#EXT-X-DISCONTINUITY",
    "#EXT-X-PLAYLIST-TYPE",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-ALLOW-CACHE",
    "#EXT-X-START",
    "#EXT-X-SERVER-CONTROL",
    "#EXT-X-PART-INF",
    "#EXT-X-PROGRAM-DATE-TIME",
    "#EXT-X-MAP",
    "#EXT-X-BYTERANGE",
    "#EXT-X-ENDLIST",
];

/// A chunk of a playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    /// As it stands in the playlist.
    pub uri: String,
    /// Other tags that stand before it: marks of breaks, keys.
    pub tags: Vec<String>,
    /// Its initialization section.
    pub map: Option<MapSection>,
    /// The bytes of the resource that it is.
    pub range: Option<matchcut_model::chunk::ByteRange>,
    /// The date of its start, in microseconds since the Unix epoch: what the playlist gives, carried on by
    /// durations up to a break.
    pub start: Option<i64>,
    /// How long it lasts.
    pub duration: MediaTime,
    /// Something else came before it.
    pub discontinuity: bool,
}

impl Block {
    /// Half of its length, in microseconds: what begins nearer belongs to the same place.
    pub(crate) fn half(&self) -> i64 {
        self.duration.to_ticks(1_000_000) / 2
    }

    /// The date of its end.
    pub(crate) fn end(&self) -> Option<i64> {
        Some(
            self.start?
                .saturating_add(self.duration.to_ticks(1_000_000)),
        )
    }
}

/// The chunks of a playlist, which was read from `text`. What cannot be read is left out.
pub(crate) fn blocks(text: &str, playlist: &MediaPlaylist) -> Vec<Block> {
    let lines: Vec<&str> = text.lines().collect();
    let mut before = 0;
    let mut date: Option<i64> = None;
    let mut all = Vec::with_capacity(playlist.segments.len());
    for segment in &playlist.segments {
        let own = lines.get(before..segment.line.saturating_sub(1));
        before = segment.line;
        let kept = |line: &&str| {
            let name = line.split(':').next().unwrap_or_default().trim();
            name.starts_with("#EXT") && !OF_PLAYLISTS.contains(&name)
        };
        let tags = own.unwrap_or_default().iter().map(|line| line.trim());
        let tags: Vec<String> = tags.filter(kept).map(str::to_owned).collect();
        if segment.discontinuity {
            date = None;
        }
        let duration = segment.duration.unwrap_or(playlist.target_duration);
        let block = Block {
            uri: segment.uri.clone(),
            tags,
            map: segment.map.clone(),
            range: segment.range,
            start: segment.program_date_time.or(date),
            duration,
            discontinuity: segment.discontinuity,
        };
        date = block.end();
        if segment.unusable.is_none() {
            all.push(block);
        }
    }
    all
}
