//! Chapters as WebVTT: a cue for each segment, with its label as text.

use std::fmt::Write;

use matchcut_model::time::{MediaTime, TimeRange};

use crate::sequence::one_line;

/// The document. Cues that begin and end within a millisecond are left out, since a cue has to end
/// after it begins.
pub(crate) fn write(chapters: impl IntoIterator<Item = (TimeRange, String)>) -> String {
    let mut text = "WEBVTT\n".to_owned();
    for (range, title) in chapters {
        let (start, end) = (range.start.to_millis(), range.end.to_millis());
        if end > start && start >= 0 {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "\n{} --> {}\n{}\n",
                clock(start),
                clock(end),
                escape(&title)
            );
        }
    }
    text
}

/// Pieces that are played one after the other.
pub(crate) fn butted(
    pieces: impl IntoIterator<Item = (MediaTime, String)>,
) -> Vec<(TimeRange, String)> {
    let mut at = MediaTime::ZERO;
    let mut chapters = Vec::new();
    for (duration, title) in pieces {
        chapters.push((TimeRange::new(at, at + duration), title));
        at += duration;
    }
    chapters
}

/// `HH:MM:SS.mmm`, with more digits for the hours where they are needed.
fn clock(millis: i64) -> String {
    let seconds = millis / 1000;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        millis % 1000
    )
}

/// One line, on which nothing is a tag or an arrow; never empty, since an empty line ends a cue.
fn escape(title: &str) -> String {
    let safe = one_line(title)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    if safe.is_empty() { "-".into() } else { safe }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_document() {
        let pieces = [
            (1500, "A & <b>\n\n00:00 --> x"),
            (0, "nothing"),
            (3_600_000, ""),
        ];
        let pieces =
            pieces.map(|(millis, title)| (MediaTime::from_millis(millis), title.to_owned()));
        assert_eq!(
            write(butted(pieces)),
            "WEBVTT\n\
             \n00:00:00.000 --> 00:00:01.500\nA &amp; &lt;b&gt; 00:00 --&gt; x\n\
             \n00:00:01.500 --> 01:00:01.500\n-\n"
        );
        assert_eq!(write([]), "WEBVTT\n");
        assert_eq!(clock(360_000_000), "100:00:00.000");
    }
}
