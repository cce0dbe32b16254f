//! HLS media playlists as lines: which tags stand before which chunk. To record and play back a
//! stream nothing more has to be understood of them; reading them is for `matchcut-ingest`.

use std::time::Duration;

/// Tags that are about the playlist and not about the chunk that follows.
const OF_THE_PLAYLIST: [&str; 9] = [
    "#EXTM3U",
    "#EXT-X-VERSION",
    "#EXT-X-TARGETDURATION",
    "#EXT-X-MEDIA-SEQUENCE",
    "#EXT-X-DISCONTINUITY-SEQUENCE",
    "#EXT-X-PLAYLIST-TYPE",
    "#EXT-X-INDEPENDENT-SEGMENTS",
    "#EXT-X-START",
    "#EXT-X-SERVER-CONTROL",
];

const END: &str = "#EXT-X-ENDLIST";

/// One chunk as a playlist has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Lines that stand before its address.
    pub tags: Vec<String>,
    /// Its address, as written.
    pub uri: String,
}

impl Listed {
    /// How long it says that it is.
    pub fn duration(&self) -> Duration {
        let text = self
            .tags
            .iter()
            .find_map(|tag| tag.strip_prefix("#EXTINF:"));
        let seconds = text
            .and_then(|text| text.split(',').next())
            .and_then(|number| number.trim().parse::<f64>().ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        seconds.unwrap_or_default()
    }
}

/// A media playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaList {
    /// The number of its first chunk.
    pub sequence: u64,
    /// Chunks, in order.
    pub chunks: Vec<Listed>,
    /// Whether nothing comes any more.
    pub ended: bool,
}

/// The value of an attribute of a tag, without quotes.
pub fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, mut rest) = tag.split_once(':')?;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => {
                let (value, next) = quoted.split_once('"')?;
                (value, next.strip_prefix(',').unwrap_or(next))
            }
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim() == name {
            return Some(value);
        }
        rest = next;
    }
    None
}

/// The stream of a master playlist with the highest bandwidth; `None` for a media playlist.
pub fn best_variant(text: &str) -> Option<String> {
    let mut best: Option<(u64, String)> = None;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    while let Some(line) = lines.next() {
        if !line.starts_with("#EXT-X-STREAM-INF:") {
            continue;
        }
        let bandwidth = attribute(line, "BANDWIDTH").and_then(|text| text.parse().ok());
        let Some(uri) = lines.find(|line| !line.starts_with('#')) else {
            break;
        };
        let bandwidth = bandwidth.unwrap_or(0);
        if best.as_ref().is_none_or(|(most, _)| bandwidth > *most) {
            best = Some((bandwidth, uri.to_owned()));
        }
    }
    best.map(|(_, uri)| uri)
}

/// Reads a media playlist.
pub fn parse(text: &str) -> MediaList {
    let mut list = MediaList::default();
    let mut tags = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == END {
            list.ended = true;
        } else if let Some(number) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
            list.sequence = number.trim().parse().unwrap_or(0);
        } else if !line.starts_with('#') {
            list.chunks.push(Listed {
                tags: std::mem::take(&mut tags),
                uri: line.to_owned(),
            });
        } else if line.starts_with("#EXT") && !is_of_the_playlist(line) {
            tags.push(line.to_owned());
        }
    }
    list
}

fn is_of_the_playlist(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or(line);
    OF_THE_PLAYLIST.contains(&name)
}

/// Writes a playlist that only grows, as an event has it.
pub fn write<'a>(
    chunks: impl Iterator<Item = &'a Listed>,
    target: Duration,
    ended: bool,
) -> String {
    let target = target.as_secs_f64().round().max(1.0);
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-MEDIA-SEQUENCE:0\n\
         #EXT-X-PLAYLIST-TYPE:EVENT\n"
    );
    for chunk in chunks {
        for line in chunk.tags.iter().chain([&chunk.uri]) {
            text.push_str(line);
            text.push('\n');
        }
    }
    if ended {
        text.push_str(END);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:7\n\
        #EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"600@0\"\n# a remark\n#EXTINF:5.96,title, more\n\
        a.m4s?x=1\n\n#EXT-X-DISCONTINUITY\n#EXTINF:4,\nb.m4s\n#EXT-X-ENDLIST\n";

    #[test]
    fn chunks_keep_what_is_said_of_them() {
        let list = parse(TEXT);
        assert_eq!((list.sequence, list.ended), (7, true));
        let tags: Vec<usize> = list.chunks.iter().map(|chunk| chunk.tags.len()).collect();
        assert_eq!(tags, [2, 2]);
        assert_eq!(list.chunks[0].duration(), Duration::from_millis(5960));
        let written = write(list.chunks.iter(), Duration::from_secs(6), true);
        let again = parse(&written);
        assert_eq!(again.chunks, list.chunks);
        assert!(again.ended && again.sequence == 0);
    }

    #[test]
    fn attributes_are_found_behind_quotes() {
        let tag = "#EXT-X-STREAM-INF:CODECS=\"avc1,mp4a\",BANDWIDTH=800,URI=\"x\"";
        assert_eq!(attribute(tag, "BANDWIDTH"), Some("800"));
        assert_eq!(attribute(tag, "URI"), Some("x"));
        assert_eq!(attribute(tag, "CODECS"), Some("avc1,mp4a"));
        assert_eq!(attribute(tag, "NAME"), None);
        assert_eq!(attribute("#EXTINF", "NAME"), None);
    }

    #[test]
    fn the_stream_with_the_highest_bandwidth_is_the_best() {
        let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=9\nhigh.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=3\nmid.m3u8\n";
        assert_eq!(best_variant(master).as_deref(), Some("high.m3u8"));
        assert_eq!(best_variant(TEXT), None);
    }
}
