//! Playlists (RFC 8216 and its successor) from text to chunks and streams: exact durations, keys and
//! sections where they apply, cues, and line numbers for every complaint. A line that cannot be used
//! is a problem that names it; the rest of the playlist is kept.

mod attributes;
pub(crate) mod cues;
mod master;
mod media;
pub(crate) mod variables;

use std::fmt;

pub use cues::DateRange;
pub use master::{AudioRendition, MasterPlaylist, VariantStream};
pub use media::{Key, MapSection, MediaPlaylist, Part, Segment};
use variables::Variables;

/// A line that cannot be used, or not as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineProblem {
    /// Counted from 1.
    pub line: usize,
    /// The line, shortened.
    pub text: String,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: \"{}\"", self.line, self.message, self.text)
    }
}

/// A playlist that cannot be used at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{uri}:{line}: {message}{}", quoted(text))]
pub struct PlaylistError {
    /// The playlist.
    pub uri: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The line itself, shortened; empty when it is about no single line.
    pub text: String,
    /// What is wrong.
    pub message: String,
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": \"{text}\"")
    }
}

/// Either kind of playlist.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Playlist {
    /// A list of streams.
    Master(MasterPlaylist),
    /// A list of chunks.
    Media(MediaPlaylist),
}

/// A line with its number.
#[derive(Clone, Copy, Debug)]
struct Line<'a> {
    number: usize,
    text: &'a str,
    /// Whether it was valid UTF-8.
    valid: bool,
}

impl<'a> Line<'a> {
    /// The value of a tag, if this line is that tag.
    fn tag(&self, name: &str) -> Option<&'a str> {
        let rest = self.text.strip_prefix(name)?;
        match rest.strip_prefix(':') {
            Some(value) => Some(value.trim()),
            None if rest.trim().is_empty() => Some(""),
            None => None,
        }
    }

    /// The name of a tag, with its `#`.
    fn name(&self) -> &'a str {
        self.text
            .split_once(':')
            .map_or(self.text, |(name, _)| name)
            .trim()
    }

    /// What stands after the name of a tag.
    fn value(&self) -> &'a str {
        self.text
            .split_once(':')
            .map_or("", |(_, value)| value)
            .trim()
    }

    fn problem(&self, message: impl Into<String>) -> LineProblem {
        let (line, text) = (self.number, shorten(self.text));
        LineProblem {
            line,
            text,
            message: message.into(),
        }
    }
}

/// At most 80 characters, without control characters, for messages.
fn shorten(text: &str) -> String {
    let mut short: String = text
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(80)
        .collect();
    if text.chars().nth(80).is_some() {
        short.push('…');
    }
    short
}

/// Reads a playlist. With `whole` false, its last line counts only when a line end follows: a
/// playlist on disk may be half written.
pub fn parse(uri: &str, bytes: &[u8], whole: bool) -> Result<Playlist, PlaylistError> {
    parse_with(uri, bytes, whole, &Variables::new())
}

/// Reads a playlist that may import variables of its master playlist.
pub(crate) fn parse_with(
    uri: &str,
    bytes: &[u8],
    whole: bool,
    imports: &Variables,
) -> Result<Playlist, PlaylistError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let end = match bytes.iter().rposition(|&byte| byte == b'\n') {
        Some(last) if !whole => last + 1,
        None if !whole => 0,
        _ => bytes.len(),
    };
    let text = String::from_utf8_lossy(&bytes[..end]);
    let lines: Vec<Line<'_>> = text
        .split('\n')
        .enumerate()
        .map(|(index, line)| {
            let valid = !line.contains('\u{fffd}');
            Line {
                number: index + 1,
                text: line.trim(),
                valid,
            }
        })
        .filter(|line| !line.text.is_empty())
        .collect();
    // Comments before the first tag are common, though not allowed.
    let comments = lines
        .iter()
        .take_while(|line| line.text.starts_with('#') && !line.text.starts_with("#EXT"));
    let lines = &lines[comments.count()..];
    let error = |line: usize, text: &str, message: String| PlaylistError {
        uri: uri.to_owned(),
        line,
        text: shorten(text),
        message,
    };
    let Some((first, lines)) = lines.split_first() else {
        return Err(error(1, "", "the playlist is empty".into()));
    };
    if !first.text.starts_with("#EXTM3U") {
        let message = "this is not an HLS playlist, which starts with #EXTM3U";
        return Err(error(first.number, first.text, message.into()));
    }
    let is = |names: &[&str]| {
        lines
            .iter()
            .any(|line| names.iter().any(|name| line.tag(name).is_some()))
    };
    let mut variables = Variables::new();
    let mut undefined: Vec<LineProblem> = Vec::new();
    // A variable stands for its value in what comes after it.
    let substituted: Vec<Option<String>> = lines
        .iter()
        .map(|line| {
            let text = variables::substitute(line.text, &variables);
            let tag = Line {
                text: text.as_deref().unwrap_or(line.text),
                ..*line
            };
            if let Some(value) = tag.tag("#EXT-X-DEFINE")
                && let Err(message) = variables::define(&mut variables, value, imports, uri)
            {
                undefined.push(line.problem(message));
            }
            text
        })
        .collect();
    let lines: Vec<Line<'_>> = lines
        .iter()
        .zip(&substituted)
        .map(|(line, text)| Line {
            text: text.as_deref().unwrap_or(line.text),
            ..*line
        })
        .collect();
    let lines = lines.as_slice();
    if is(&[
        "#EXT-X-STREAM-INF",
        "#EXT-X-I-FRAME-STREAM-INF",
        "#EXT-X-MEDIA",
    ]) && !is(&["#EXTINF"])
    {
        let mut master = master::read(lines, variables);
        master.problems.extend(undefined);
        master.problems.sort_by_key(|problem| problem.line);
        return Ok(Playlist::Master(master));
    }
    let refuse = |line: &Line<'_>, message: &str| error(line.number, line.text, message.into());
    for line in lines {
        if line.tag("#EXT-X-SKIP").is_some() {
            let message = "this is a delta update, which makes sense only beside an earlier load";
            return Err(refuse(line, message));
        }
        if line.tag("#EXT-X-I-FRAMES-ONLY").is_some() {
            let message = "this playlist has key frames only; give the playlist of the stream";
            return Err(refuse(line, message));
        }
    }
    let known = |line: &&Line<'_>| line.text.starts_with("#EXT") || !line.text.starts_with('#');
    if lines.iter().all(|line| !known(&line)) {
        return Err(error(
            first.number,
            "",
            "the playlist has no content".into(),
        ));
    }
    let mut media = media::read(lines);
    media.problems.extend(undefined);
    media.problems.sort_by_key(|problem| problem.line);
    Ok(Playlist::Media(media))
}

#[cfg(test)]
mod tests;
