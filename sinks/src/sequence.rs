//! A list of edits: which frames of a source follow each other, where they stand on the record
//! side, and what each is called. Every export that an editor opens is rendered from one.
//!
//! Nothing here is rounded: source and record places are counts of frames, and a count times the
//! frame duration is an exact rational.

use matchcut_model::chunk::TrackNumber;
use matchcut_model::time::{FrameRate, TimeRange};
use matchcut_model::timecode::{Timecode, TimecodeRate};
use serde_json::{Map, Value as Json};

/// Frames `first .. end`, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct FrameRange {
    /// Number of the first frame.
    pub first: i64,
    /// Number of the frame after the last.
    pub end: i64,
}

impl FrameRange {
    /// Frames `first .. end`.
    pub fn new(first: i64, end: i64) -> Self {
        FrameRange { first, end }
    }

    /// Number of frames; 0 when the end is not after the first.
    pub fn len(self) -> i64 {
        self.end.saturating_sub(self.first).max(0)
    }

    /// Whether there is no frame in it.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The same frames, counted `by` further on.
    pub(crate) fn shifted(self, by: i64) -> Self {
        FrameRange::new(self.first + by, self.end + by)
    }
}

/// The colours that OpenTimelineIO, DaVinci Resolve and Avid all have for markers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colour {
    /// The first segmenter, and what has none.
    #[default]
    Blue,
    /// The second.
    Green,
    /// The third.
    Red,
    /// The fourth.
    Yellow,
    /// The fifth.
    Cyan,
}

impl Colour {
    const ALL: [Colour; 5] = [
        Colour::Blue,
        Colour::Green,
        Colour::Red,
        Colour::Yellow,
        Colour::Cyan,
    ];

    /// The colour of the segmenter with this place in the spec; they start again after the fifth.
    pub fn of(index: usize) -> Self {
        let place = index % Self::ALL.len();
        Self::ALL.get(place).copied().unwrap_or_default()
    }

    /// As "Blue".
    pub fn name(self) -> &'static str {
        match self {
            Colour::Blue => "Blue",
            Colour::Green => "Green",
            Colour::Red => "Red",
            Colour::Yellow => "Yellow",
            Colour::Cyan => "Cyan",
        }
    }
}

/// What is cut from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in the spec, in free text; becomes the reel.
    pub name: String,
    /// Its address without secrets, or the last part of its path; `None` where there is no media.
    pub address: Option<String>,
    /// The label of frame 0.
    pub zero: Timecode,
    /// How many frames it has.
    pub frames: i64,
}

/// A file that holds the frames of one edit and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipFile {
    /// Where it lies, relative to the directory of results.
    pub path: String,
    /// The frames that it holds.
    pub frames: FrameRange,
}

/// One cut before it has a place on the record side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cut {
    /// The frames of the source.
    pub source: FrameRange,
    /// The marks on the event timeline.
    pub marks: TimeRange,
    /// What it is called, in free text.
    pub name: String,
    /// The colour of its marker.
    pub colour: Colour,
    /// Why it is there, in free text; may be empty.
    pub note: String,
    /// Its segment.
    pub segment: Option<String>,
    /// Its score.
    pub score: Option<f64>,
    /// A file with its frames.
    pub file: Option<ClipFile>,
    /// What else is known of it, for forms that can carry it.
    pub details: Map<String, Json>,
}

/// A cut with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// What is cut.
    pub cut: Cut,
    /// Where it stands, counted from the start of the list.
    pub record: FrameRange,
}

/// A list of edits.
#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    /// The title, in free text.
    pub title: String,
    /// What is cut from.
    pub source: Source,
    /// The audio track.
    pub track: TrackNumber,
    /// Whether the source has pictures.
    pub video: bool,
    /// How frames are counted.
    pub rate: TimecodeRate,
    /// The label of the first frame on the record side.
    pub record_start: Timecode,
    /// Edits in record order.
    pub edits: Vec<Edit>,
    /// One sentence for each cut that holds no frame and is left out.
    pub warnings: Vec<String>,
}

/// What a list is about: a [`Sequence`] without edits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The title, in free text.
    pub title: String,
    /// What is cut from.
    pub source: Source,
    /// The audio track.
    pub track: TrackNumber,
    /// Whether the source has pictures.
    pub video: bool,
    /// The label of the first frame on the record side.
    pub record_start: Timecode,
}

impl Sequence {
    /// The cuts one after the other, without a frame between them.
    pub fn butted(subject: Subject, cuts: Vec<Cut>) -> Self {
        let mut at = 0;
        Self::lay(subject, cuts, |cut| {
            let start = at;
            at += cut.source.len();
            start
        })
    }

    /// The cuts at places of their own: `place` gives the first record frame of each. They may
    /// overlap.
    pub fn placed(subject: Subject, cuts: Vec<Cut>, place: impl Fn(&Cut) -> i64) -> Self {
        let mut sequence = Self::lay(subject, cuts, place);
        sequence.edits.sort_by_key(|edit| edit.record.first);
        sequence
    }

    fn lay(subject: Subject, cuts: Vec<Cut>, mut start: impl FnMut(&Cut) -> i64) -> Self {
        let Subject {
            title,
            source,
            track,
            video,
            record_start,
        } = subject;
        let (mut edits, mut warnings) = (Vec::new(), Vec::new());
        for cut in cuts {
            if cut.source.is_empty() {
                warnings.push(format!(
                    "edit lists of track {track}: \"{}\" holds no frame (in {}, out {}) and is left out",
                    one_line(&cut.name),
                    cut.source.first,
                    cut.source.end,
                ));
                continue;
            }
            let first = start(&cut);
            let record = FrameRange::new(first, first + cut.source.len());
            edits.push(Edit { cut, record });
        }
        Sequence {
            title,
            source,
            track,
            video,
            rate: record_start.rate(),
            record_start,
            edits,
            warnings,
        }
    }

    /// Frames from the start of the list to the end of its last edit.
    pub fn len(&self) -> i64 {
        let ends = self.edits.iter().map(|edit| edit.record.end);
        ends.max().unwrap_or(0)
    }

    /// Whether there is no edit.
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Frames a second.
    pub fn frame_rate(&self) -> FrameRate {
        self.rate.frame_rate()
    }
}

/// Free text on one line, so that a label cannot add lines to a list.
pub(crate) fn one_line(text: &str) -> String {
    let clean = text.replace(
        |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}',
        " ",
    );
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is named by a part of a relative address: everything but unreserved characters, `/` and what
/// is encoded already stands as `%XX`.
pub(crate) fn url_path(path: &str) -> String {
    let mut url = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                url.push(char::from(byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn subject(num: u32, den: u32) -> Subject {
        let rate = TimecodeRate::new(FrameRate::new(num, den).unwrap(), true);
        Subject {
            title: "Final".into(),
            source: Source {
                name: "court".into(),
                address: Some("https://example.com/court.m3u8".into()),
                zero: Timecode::from_frame(0, rate),
                frames: 100_000,
            },
            track: TrackNumber(1),
            video: true,
            record_start: Timecode::from_frame(0, rate),
        }
    }

    pub(crate) fn cut(first: i64, end: i64, name: &str) -> Cut {
        Cut {
            source: FrameRange::new(first, end),
            name: name.into(),
            ..Cut::default()
        }
    }

    #[test]
    fn cuts_butt_and_those_without_a_frame_are_told() {
        let cuts = vec![
            cut(10, 12, "a"),
            cut(9, 9, "empty"),
            cut(9, 3, "back\nward"),
        ];
        let cuts = cuts.into_iter().chain([cut(0, 1, "b")]).collect();
        let list = Sequence::butted(subject(25, 1), cuts);
        let records: Vec<_> = list.edits.iter().map(|edit| edit.record).collect();
        assert_eq!(records, [FrameRange::new(0, 2), FrameRange::new(2, 3)]);
        assert_eq!((list.len(), list.is_empty()), (3, false));
        assert_eq!(
            list.warnings,
            [
                "edit lists of track 1: \"empty\" holds no frame (in 9, out 9) and is left out",
                "edit lists of track 1: \"back ward\" holds no frame (in 9, out 3) and is left out",
            ]
        );
    }

    #[test]
    fn placed_cuts_stand_in_order_of_their_places() {
        let cuts = vec![cut(50, 60, "late"), cut(10, 55, "early")];
        let list = Sequence::placed(subject(25, 1), cuts, |cut| cut.source.first + 100);
        let records: Vec<_> = list.edits.iter().map(|edit| edit.record).collect();
        assert_eq!(
            records,
            [FrameRange::new(110, 155), FrameRange::new(150, 160)]
        );
        assert_eq!(list.len(), 160);
    }

    #[test]
    fn paths_become_addresses() {
        assert_eq!(
            url_path("clips/a b#1?é.mp4"),
            "clips/a%20b%231%3F%C3%A9.mp4"
        );
    }

    #[test]
    fn colours_go_round() {
        assert_eq!(Colour::of(0).name(), "Blue");
        assert_eq!(Colour::of(4).name(), "Cyan");
        assert_eq!(Colour::of(5), Colour::Blue);
    }
}
