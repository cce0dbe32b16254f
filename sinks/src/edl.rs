//! Edit decision lists in the CMX 3600 form: one event a segment, source marks as frames of the
//! event, record times butted together. Out points are exclusive, as the form has it.

use std::fmt::Write;

use matchcut_model::chunk::TrackNumber;
use matchcut_model::timecode::{Timecode, TimecodeError};

/// Event numbers have three digits; a longer list is split.
pub const MAX_EVENTS: usize = 999;

/// How lists are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdlOptions {
    /// Record time of the first event.
    pub start_timecode: String,
    /// Drop-frame labels where they exist (29.97 and 59.94 frames a second).
    pub drop_frame: bool,
    /// Lines end with CR LF, for old tools.
    pub crlf: bool,
}

impl Default for EdlOptions {
    fn default() -> Self {
        EdlOptions {
            start_timecode: "00:00:00:00".into(),
            drop_frame: true,
            crlf: false,
        }
    }
}

/// One cut of a list: frames `source_in .. source_out` of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Number of the first frame.
    pub source_in: i64,
    /// Number of the frame after the last.
    pub source_out: i64,
    /// What the clip is called.
    pub name: String,
}

/// What a list is about.
#[derive(Clone, Debug)]
pub struct EdlSubject<'a> {
    /// The title, in free text.
    pub title: &'a str,
    /// The name of the source, in free text; becomes the reel.
    pub source: &'a str,
    /// The audio track.
    pub track: TrackNumber,
    /// Whether the source has video.
    pub video: bool,
    /// The label of frame 0 of the source. The whole list counts as it does, with or without
    /// drop-frame.
    pub source_zero: Timecode,
}

/// Lists, and what had to be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EdlFiles {
    /// Complete documents. There is one, unless there are more than [`MAX_EVENTS`] events. Record
    /// times run on from one part to the next.
    pub parts: Vec<String>,
    /// One line for each cut that holds no frame.
    pub warnings: Vec<String>,
}

/// The name of part `index` (from 0) of a list: `event_1.edl`, then `event_1_part2.edl`.
pub fn part_file_name(stem: &str, index: usize) -> String {
    match index {
        0 => format!("{stem}.edl"),
        _ => format!("{stem}_part{}.edl", index + 1),
    }
}

/// Writes the cuts in their order. Cuts without a frame are skipped and told.
pub fn write(
    subject: &EdlSubject<'_>,
    cuts: &[Cut],
    options: &EdlOptions,
) -> Result<EdlFiles, TimecodeError> {
    let source_zero = subject.source_zero;
    let rate = source_zero.rate();
    let mut record = Timecode::parse(&options.start_timecode, rate)?;
    let reel = reel_name(subject.source);
    let (channels, more) = channels(subject.track, subject.video);

    let mut files = EdlFiles::default();
    let mut usable = Vec::new();
    for cut in cuts {
        if cut.source_out > cut.source_in {
            usable.push(cut);
        } else {
            files.warnings.push(format!(
                "EDL of track {}: \"{}\" holds no frame (in {}, out {}) and is left out",
                subject.track,
                one_line(&cut.name),
                cut.source_in,
                cut.source_out,
            ));
        }
    }

    let part_count = usable.len().div_ceil(MAX_EVENTS).max(1);
    for part in 0..part_count {
        let mut text = String::new();
        let mut title = title_text(subject.title);
        if part_count > 1 {
            title = format!("{title} ({} of {part_count})", part + 1);
        }
        let mode = if rate.is_drop_frame() {
            "DROP FRAME"
        } else {
            "NON-DROP FRAME"
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "TITLE: {title}\nFCM: {mode}");
        for (index, cut) in usable
            .iter()
            .skip(part * MAX_EVENTS)
            .take(MAX_EVENTS)
            .enumerate()
        {
            let record_in = record;
            record = record.plus(cut.source_out - cut.source_in);
            let _ = writeln!(
                text,
                "\n{:03}  {reel:<8} {channels:<5} C        {} {} {record_in} {record}",
                index + 1,
                source_zero.plus(cut.source_in),
                source_zero.plus(cut.source_out),
            );
            if let Some(track) = more {
                let _ = writeln!(text, "AUD  {track:>2}");
            }
            let name = one_line(&cut.name);
            if !name.is_empty() {
                let _ = writeln!(text, "* FROM CLIP NAME: {name}");
            }
        }
        files.parts.push(if options.crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        });
    }
    Ok(files)
}

/// The channel column, and the audio track that needs a line of its own since the column can name
/// only the first two.
fn channels(track: TrackNumber, video: bool) -> (&'static str, Option<u32>) {
    match (track.0, video) {
        (1, true) => ("B", None),
        (2, true) => ("A2/V", None),
        (more, true) => ("V", Some(more)),
        (1, false) => ("A", None),
        (2, false) => ("A2", None),
        (more, false) => ("NONE", Some(more)),
    }
}

/// At most 8 capital letters, digits and underscores; `AX` where nothing is left.
fn reel_name(source: &str) -> String {
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
fn title_text(title: &str) -> String {
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

/// Free text on one line, so that a label cannot add events to the list.
fn one_line(text: &str) -> String {
    let clean = text.replace(
        |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}',
        " ",
    );
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::time::FrameRate;
    use matchcut_model::timecode::TimecodeRate;

    fn zero(num: u32, den: u32, drop: bool) -> Timecode {
        let rate = TimecodeRate::new(FrameRate::new(num, den).unwrap(), drop);
        Timecode::from_frame(0, rate)
    }

    fn subject(num: u32, den: u32) -> EdlSubject<'static> {
        EdlSubject {
            title: "Final",
            source: "court",
            track: TrackNumber(1),
            video: true,
            source_zero: zero(num, den, true),
        }
    }

    fn cut(source_in: i64, source_out: i64, name: &str) -> Cut {
        Cut {
            source_in,
            source_out,
            name: name.into(),
        }
    }

    #[test]
    fn a_whole_list() {
        // 10.2 to 31.0 s and 3700.25 to 3702 s at 25 frames a second.
        let cuts = [cut(255, 775, "rally 1"), cut(92_507, 92_550, "rally 2")];
        let files = write(&subject(25, 1), &cuts, &EdlOptions::default()).unwrap();
        assert_eq!(files.warnings, Vec::<String>::new());
        assert_eq!(
            files.parts,
            ["TITLE: Final\n\
              FCM: NON-DROP FRAME\n\
              \n\
              001  COURT    B     C        00:00:10:05 00:00:31:00 00:00:00:00 00:00:20:20\n\
              * FROM CLIP NAME: rally 1\n\
              \n\
              002  COURT    B     C        01:01:40:07 01:01:42:00 00:00:20:20 00:00:22:13\n\
              * FROM CLIP NAME: rally 2\n"]
        );
    }

    #[test]
    fn drop_frame_says_so_and_can_be_refused() {
        let cuts = [cut(1799, 1801, "x")];
        let drop = write(&subject(30_000, 1001), &cuts, &EdlOptions::default()).unwrap();
        assert!(drop.parts[0].contains("\nFCM: DROP FRAME\n"));
        assert!(drop.parts[0].contains(" 00:00:59;29 00:01:00;03 00:00:00;00 00:00:00;02\n"));
        let non_drop = EdlSubject {
            source_zero: zero(30_000, 1001, false),
            ..subject(30_000, 1001)
        };
        let plain = write(&non_drop, &cuts, &EdlOptions::default()).unwrap();
        assert!(plain.parts[0].contains("\nFCM: NON-DROP FRAME\n"));
        assert!(plain.parts[0].contains(" 00:00:59:29 00:01:00:01 00:00:00:00 00:00:00:02\n"));
    }

    #[test]
    fn splits_after_999_events_and_goes_on_in_record_time() {
        let cuts: Vec<Cut> = (0..2000).map(|n| cut(n * 50, n * 50 + 25, "x")).collect();
        let files = write(&subject(25, 1), &cuts, &EdlOptions::default()).unwrap();
        assert_eq!(files.parts.len(), 3);
        let events = |text: &str| text.matches("  COURT    B ").count();
        let counts: Vec<_> = files.parts.iter().map(|part| events(part)).collect();
        assert_eq!(counts, [999, 999, 2]);
        assert!(files.parts[0].starts_with("TITLE: Final (1 of 3)\n"));
        assert!(files.parts[1].contains("\n001  COURT "));
        assert!(
            files.parts[1].contains(" 00:16:39:00 00:16:40:00\n"),
            "record times run on"
        );
        assert_eq!(part_file_name("event_1", 0), "event_1.edl");
        assert_eq!(part_file_name("event_1", 1), "event_1_part2.edl");
    }

    #[test]
    fn options_and_odd_input() {
        let start = EdlOptions {
            start_timecode: "01:00:00:00".into(),
            crlf: true,
            ..EdlOptions::default()
        };
        let cuts = [
            cut(9, 9, "empty"),
            cut(9, 3, "back to front"),
            cut(0, 1, "a\r\n002  AX V C 00:00:00:00\u{85}end\t!"),
        ];
        let source = EdlSubject {
            title: "Größe\n7",
            source: "cam/1-feed.ts",
            ..subject(50, 1)
        };
        let files = write(&source, &cuts, &start).unwrap();
        assert_eq!(
            files.parts,
            ["TITLE: Gr__e 7\r\n\
              FCM: NON-DROP FRAME\r\n\
              \r\n\
              001  CAM_1_FE B     C        00:00:00:00 00:00:00:01 01:00:00:00 01:00:00:01\r\n\
              * FROM CLIP NAME: a 002 AX V C 00:00:00:00 end !\r\n"]
        );
        assert_eq!(files.warnings.len(), 2);
        assert!(files.warnings[1].contains("\"back to front\" holds no frame (in 9, out 3)"));
        let wrong = EdlOptions {
            start_timecode: "25:00".into(),
            ..EdlOptions::default()
        };
        assert!(write(&subject(25, 1), &cuts, &wrong).is_err());
        let none = write(&subject(25, 1), &[], &EdlOptions::default()).unwrap();
        assert_eq!(none.parts, ["TITLE: Final\nFCM: NON-DROP FRAME\n"]);
    }

    #[test]
    fn channels_name_the_track() {
        let line = |track, video| {
            let subject = EdlSubject {
                track: TrackNumber(track),
                video,
                ..subject(25, 1)
            };
            let files = write(&subject, &[cut(0, 1, "")], &EdlOptions::default()).unwrap();
            files.parts[0]
                .lines()
                .skip(3)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert!(line(1, true)[0].starts_with("001  COURT    B     C "));
        assert!(line(2, true)[0].starts_with("001  COURT    A2/V  C "));
        assert!(line(3, true)[0].starts_with("001  COURT    V     C "));
        assert_eq!(line(3, true)[1], "AUD   3");
        assert!(line(1, false)[0].starts_with("001  COURT    A     C "));
        for (source, reel) in [("", "AX"), ("__", "AX"), ("bl", "AX"), ("cam 2", "CAM_2")] {
            assert_eq!(reel_name(source), reel);
        }
    }

    #[test]
    fn source_times_count_from_their_zero() {
        let noon = zero(25, 1, true).rate().at_utc(1_767_268_800_000_000);
        let subject = EdlSubject {
            source_zero: noon,
            ..subject(25, 1)
        };
        let files = write(&subject, &[cut(25, 50, "")], &EdlOptions::default()).unwrap();
        assert!(files.parts[0].contains(" 12:00:01:00 12:00:02:00 00:00:00:00 00:00:01:00\n"));
    }
}
