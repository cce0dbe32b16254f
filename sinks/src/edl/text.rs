//! Names as edit lists can hold them.

use matchcut_model::chunk::TrackNumber;

use crate::sequence::one_line;

/// The channel column, and the audio track that needs a line of its own since the column can name
/// only the first two.
pub(super) fn channels(track: TrackNumber, video: bool) -> (&'static str, Option<TrackNumber>) {
    match (track.0, video) {
        (1, true) => ("B", None),
        (2, true) => ("A2/V", None),
        (_, true) => ("V", Some(track)),
        (1, false) => ("A", None),
        (2, false) => ("A2", None),
        (_, false) => ("NONE", Some(track)),
    }
}

/// At most 8 capital letters, digits and underscores; `AX` where nothing is left.
pub(super) fn reel_name(source: &str) -> String {
    let name: String = source
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .take(8)
        .collect();
    // These names stand for black and colour bars.
    let reserved = matches!(name.as_str(), "BL" | "BLACK" | "BARS");
    if reserved || !name.contains(|c: char| c.is_ascii_alphanumeric()) {
        "AX".into()
    } else {
        name
    }
}

/// Printable ASCII, at most 70 characters.
pub(super) fn title_text(title: &str) -> String {
    let ascii: String = one_line(title)
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .take(70)
        .collect();
    let ascii = ascii.trim();
    if ascii.is_empty() {
        "matchcut".into()
    } else {
        ascii.to_owned()
    }
}

/// The text of a Resolve marker, whose fields are set apart by bars; never empty.
pub(super) fn marker_text(name: &str) -> String {
    let text = one_line(&name.replace('|', "/"));
    if text.is_empty() { "-".into() } else { text }
}

/// The last part of an address or path.
pub(super) fn file_name(address: &str) -> String {
    let parts = address.trim_end_matches('/').rsplit('/');
    one_line(parts.into_iter().next().unwrap_or(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_the_form() {
        for (source, reel) in [("", "AX"), ("__", "AX"), ("bl", "AX"), ("cam 2", "CAM_2")] {
            assert_eq!(reel_name(source), reel);
        }
        assert_eq!(title_text(" \n"), "matchcut");
        assert_eq!(marker_text("a|b\nc"), "a/b c");
        assert_eq!(file_name("https://example.com/live/"), "live");
    }
}
