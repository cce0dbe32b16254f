//! Edit decision lists in the CMX 3600 form: one event a segment, source marks as frames of the
//! event, record times butted together. Out points are exclusive, as the form has it. What editors
//! expect beyond the form differs from one to the next: that is a style.

mod text;

use std::fmt::Write;

use matchcut_model::chunk::TrackNumber;
use matchcut_model::timecode::Timecode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sequence::{Edit, FrameRange, Sequence, one_line};
use text::{channels, file_name, marker_text, reel_name, title_text};

/// Event numbers have three digits; a longer list is split.
pub const MAX_EVENTS: usize = 999;

/// For which editor edit decision lists are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EdlStyle {
    /// The form and the name of each clip, nothing else.
    #[default]
    Cmx3600,
    /// Avid Media Composer: the source file of each event, and a locator with its label.
    Avid,
    /// Adobe Premiere Pro, which takes the name of a clip for the file to link: reel `AX`, the name
    /// of the source, the label as a comment.
    Premiere,
    /// DaVinci Resolve: a coloured marker with the label on each event.
    Resolve,
    /// Markers of DaVinci Resolve instead of cuts: one for each segment, at its place on a timeline
    /// that holds the whole event (or the replay).
    Marker,
}

/// How lists are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdlOptions {
    /// Record time of the first event.
    pub start_timecode: String,
    /// Drop-frame labels where they exist (29.97 and 59.94 frames a second).
    pub drop_frame: bool,
    /// Lines end with CR LF, for old tools.
    pub crlf: bool,
    /// For which editor.
    pub style: EdlStyle,
}

impl Default for EdlOptions {
    fn default() -> Self {
        EdlOptions {
            start_timecode: "00:00:00:00".into(),
            drop_frame: true,
            crlf: false,
            style: EdlStyle::Cmx3600,
        }
    }
}

/// The name of part `index` (from 0) of a list: `event_1.edl`, then `event_1_part2.edl`.
pub fn part_file_name(stem: &str, index: usize) -> String {
    match index {
        0 => format!("{stem}.edl"),
        _ => format!("{stem}_part{}.edl", index + 1),
    }
}

/// Writes a list as complete documents. There is one, unless there are more than [`MAX_EVENTS`]
/// events. Record times run on from one part to the next.
pub fn write(sequence: &Sequence, options: &EdlOptions) -> Vec<String> {
    let markers: Vec<Marker>;
    let events: Vec<Event<'_>> = if options.style == EdlStyle::Marker {
        markers = joined(&sequence.edits);
        markers.iter().map(Event::Marker).collect()
    } else {
        sequence.edits.iter().map(Event::Cut).collect()
    };
    let part_count = events.len().div_ceil(MAX_EVENTS).max(1);
    let parts = (0..part_count).map(|part| {
        let mut text = String::new();
        let mut title = title_text(&sequence.title);
        if part_count > 1 {
            title = format!("{title} ({} of {part_count})", part + 1);
        }
        let mode = if sequence.rate.is_drop_frame() {
            "DROP FRAME"
        } else {
            "NON-DROP FRAME"
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "TITLE: {title}\nFCM: {mode}");
        let events = events.iter().skip(part * MAX_EVENTS).take(MAX_EVENTS);
        for (number, event) in (1..).zip(events) {
            let _ = match event {
                Event::Cut(edit) => write_cut(&mut text, number, edit, sequence, options.style),
                Event::Marker(marker) => write_marker(&mut text, number, marker, sequence),
            };
        }
        if options.crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        }
    });
    parts.collect()
}

enum Event<'a> {
    Cut(&'a Edit),
    Marker(&'a Marker),
}

/// A marker with all that begins at its frame.
struct Marker {
    record: FrameRange,
    name: String,
    colour: &'static str,
}

/// One marker a frame: of two at one frame Resolve keeps one, so they are joined.
fn joined(edits: &[Edit]) -> Vec<Marker> {
    let mut markers: Vec<Marker> = Vec::new();
    for edit in edits {
        let name = marker_text(&edit.cut.name);
        match markers.last_mut() {
            Some(last) if last.record.first == edit.record.first => {
                last.record.end = last.record.end.max(edit.record.end);
                last.name = format!("{} / {name}", last.name);
            }
            _ => markers.push(Marker {
                record: edit.record,
                name,
                colour: edit.cut.colour.name(),
            }),
        }
    }
    markers
}

fn write_cut(
    text: &mut String,
    number: usize,
    edit: &Edit,
    sequence: &Sequence,
    style: EdlStyle,
) -> std::fmt::Result {
    let Sequence {
        source,
        record_start,
        ..
    } = sequence;
    let (channels, more) = channels(sequence.track, sequence.video);
    let reel = match style {
        EdlStyle::Premiere => "AX".to_owned(),
        _ => reel_name(&source.name),
    };
    let record_in = record_start.plus(edit.record.first);
    writeln!(
        text,
        "\n{number:03}  {reel:<8} {channels:<5} C        {} {} {record_in} {}",
        source.zero.plus(edit.cut.source.first),
        source.zero.plus(edit.cut.source.end),
        record_start.plus(edit.record.end),
    )?;
    if let Some(TrackNumber(track)) = more {
        writeln!(text, "AUD  {track:>2}")?;
    }
    let name = one_line(&edit.cut.name);
    if style == EdlStyle::Premiere {
        let file = source.address.as_deref().map(file_name);
        let file = file.unwrap_or_else(|| one_line(&source.name));
        if !file.is_empty() {
            writeln!(text, "* FROM CLIP NAME: {file}")?;
        }
        return match name.is_empty() {
            true => Ok(()),
            false => writeln!(text, "* COMMENT: {name}"),
        };
    }
    if !name.is_empty() {
        writeln!(text, "* FROM CLIP NAME: {name}")?;
    }
    match style {
        EdlStyle::Avid => {
            if let Some(address) = &source.address {
                writeln!(text, "* SOURCE FILE: {}", file_name(address))?;
            }
            let colour = edit.cut.colour.name().to_uppercase();
            writeln!(text, "* LOC: {record_in} {colour:<7} {name}")
        }
        EdlStyle::Resolve => {
            let (colour, name) = (edit.cut.colour.name(), marker_text(&edit.cut.name));
            let frames = edit.record.len();
            writeln!(text, " |C:ResolveColor{colour} |M:{name} |D:{frames}")
        }
        EdlStyle::Cmx3600 | EdlStyle::Premiere | EdlStyle::Marker => Ok(()),
    }
}

/// An event of one frame, whose comment is the marker.
fn write_marker(
    text: &mut String,
    number: usize,
    marker: &Marker,
    sequence: &Sequence,
) -> std::fmt::Result {
    let at: Timecode = sequence.record_start.plus(marker.record.first);
    let next = at.plus(1);
    let Marker { colour, name, .. } = marker;
    writeln!(
        text,
        "\n{number:03}  001      V     C        {at} {next} {at} {next}\n \
         |C:ResolveColor{colour} |M:{name} |D:{}",
        marker.record.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::tests::{cut, subject};
    use crate::sequence::{Colour, Cut};
    use matchcut_model::time::FrameRate;
    use matchcut_model::timecode::TimecodeRate;

    fn list(num: u32, den: u32, cuts: Vec<Cut>) -> Sequence {
        Sequence::butted(subject(num, den), cuts)
    }

    fn styled(style: EdlStyle) -> EdlOptions {
        EdlOptions {
            style,
            ..EdlOptions::default()
        }
    }

    #[test]
    fn a_whole_list() {
        // 10.2 to 31.0 s and 3700.25 to 3702 s at 25 frames a second.
        let cuts = vec![cut(255, 775, "rally 1"), cut(92_507, 92_550, "rally 2")];
        assert_eq!(
            write(&list(25, 1, cuts), &EdlOptions::default()),
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
        let mut drop = list(30_000, 1001, vec![cut(1799, 1801, "x")]);
        let text = write(&drop, &EdlOptions::default()).remove(0);
        assert!(text.contains("\nFCM: DROP FRAME\n"));
        assert!(text.contains(" 00:00:59;29 00:01:00;03 00:00:00;00 00:00:00;02\n"));
        let plain = TimecodeRate::non_drop(FrameRate::new(30_000, 1001).unwrap());
        drop.rate = plain;
        drop.record_start = Timecode::from_frame(0, plain);
        drop.source.zero = drop.record_start;
        let text = write(&drop, &EdlOptions::default()).remove(0);
        assert!(text.contains("\nFCM: NON-DROP FRAME\n"));
        assert!(text.contains(" 00:00:59:29 00:01:00:01 00:00:00:00 00:00:00:02\n"));
    }

    #[test]
    fn splits_after_999_events_and_goes_on_in_record_time() {
        let cuts = (0..2000).map(|n| cut(n * 50, n * 50 + 25, "x")).collect();
        let parts = write(&list(25, 1, cuts), &EdlOptions::default());
        let events = |text: &String| text.matches("  COURT    B ").count();
        let counts: Vec<_> = parts.iter().map(events).collect();
        assert_eq!(counts, [999, 999, 2]);
        assert!(parts[0].starts_with("TITLE: Final (1 of 3)\n"));
        assert!(parts[1].contains("\n001  COURT "));
        assert!(
            parts[1].contains(" 00:16:39:00 00:16:40:00\n"),
            "record times run on"
        );
        assert_eq!(part_file_name("event_1", 0), "event_1.edl");
        assert_eq!(part_file_name("event_1", 1), "event_1_part2.edl");
    }

    #[test]
    fn odd_input_adds_no_lines() {
        let mut odd = list(
            50,
            1,
            vec![cut(0, 1, "a\r\n002  AX V C 00:00:00:00\u{85}end\t!")],
        );
        odd.title = "Größe\n7".into();
        odd.source.name = "cam/1-feed.ts".into();
        odd.record_start = Timecode::parse("01:00:00:00", odd.rate).unwrap();
        let options = EdlOptions {
            crlf: true,
            ..EdlOptions::default()
        };
        assert_eq!(
            write(&odd, &options),
            ["TITLE: Gr__e 7\r\n\
              FCM: NON-DROP FRAME\r\n\
              \r\n\
              001  CAM_1_FE B     C        00:00:00:00 00:00:00:01 01:00:00:00 01:00:00:01\r\n\
              * FROM CLIP NAME: a 002 AX V C 00:00:00:00 end !\r\n"]
        );
        let none = write(&list(25, 1, vec![]), &EdlOptions::default());
        assert_eq!(none, ["TITLE: Final\nFCM: NON-DROP FRAME\n"]);
    }

    #[test]
    fn styles_differ_in_what_stands_below_an_event() {
        let mut cuts = vec![cut(255, 775, "ace | deuce"), cut(900, 901, "")];
        cuts[1].colour = Colour::Green;
        let list = list(25, 1, cuts);
        let below = |style| -> Vec<String> {
            let text = write(&list, &styled(style)).remove(0);
            text.lines().skip(3).map(str::to_owned).collect()
        };
        assert_eq!(
            below(EdlStyle::Avid),
            [
                "001  COURT    B     C        00:00:10:05 00:00:31:00 00:00:00:00 00:00:20:20",
                "* FROM CLIP NAME: ace | deuce",
                "* SOURCE FILE: court.m3u8",
                "* LOC: 00:00:00:00 BLUE    ace | deuce",
                "",
                "002  COURT    B     C        00:00:36:00 00:00:36:01 00:00:20:20 00:00:20:21",
                "* SOURCE FILE: court.m3u8",
                "* LOC: 00:00:20:20 GREEN   ",
            ]
        );
        assert_eq!(
            below(EdlStyle::Premiere),
            [
                "001  AX       B     C        00:00:10:05 00:00:31:00 00:00:00:00 00:00:20:20",
                "* FROM CLIP NAME: court.m3u8",
                "* COMMENT: ace | deuce",
                "",
                "002  AX       B     C        00:00:36:00 00:00:36:01 00:00:20:20 00:00:20:21",
                "* FROM CLIP NAME: court.m3u8",
            ]
        );
        assert_eq!(
            below(EdlStyle::Resolve),
            [
                "001  COURT    B     C        00:00:10:05 00:00:31:00 00:00:00:00 00:00:20:20",
                "* FROM CLIP NAME: ace | deuce",
                " |C:ResolveColorBlue |M:ace / deuce |D:520",
                "",
                "002  COURT    B     C        00:00:36:00 00:00:36:01 00:00:20:20 00:00:20:21",
                " |C:ResolveColorGreen |M:- |D:1",
            ]
        );
        assert_eq!(
            below(EdlStyle::Marker),
            [
                "001  001      V     C        00:00:00:00 00:00:00:01 00:00:00:00 00:00:00:01",
                " |C:ResolveColorBlue |M:ace / deuce |D:520",
                "",
                "002  001      V     C        00:00:20:20 00:00:20:21 00:00:20:20 00:00:20:21",
                " |C:ResolveColorGreen |M:- |D:1",
            ]
        );
    }

    #[test]
    fn markers_of_one_frame_are_joined() {
        let cuts = vec![cut(10, 20, "rally"), cut(10, 40, "game"), cut(11, 12, "x")];
        let list = Sequence::placed(subject(25, 1), cuts, |cut| cut.source.first);
        let text = write(&list, &styled(EdlStyle::Marker)).remove(0);
        assert!(text.contains("|M:rally / game |D:30\n"), "{text}");
        assert!(
            text.contains("\n002  001      V     C        00:00:00:11"),
            "{text}"
        );
        assert!(!text.contains("\n003"), "{text}");
    }

    #[test]
    fn channels_name_the_track() {
        let line = |track, video| {
            let mut list = list(25, 1, vec![cut(0, 1, "")]);
            (list.track, list.video) = (TrackNumber(track), video);
            let text = write(&list, &EdlOptions::default()).remove(0);
            text.lines().skip(3).map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(line(1, true)[0].starts_with("001  COURT    B     C "));
        assert!(line(2, true)[0].starts_with("001  COURT    A2/V  C "));
        assert!(line(3, true)[0].starts_with("001  COURT    V     C "));
        assert_eq!(line(3, true)[1], "AUD   3");
        assert!(line(1, false)[0].starts_with("001  COURT    A     C "));
    }

    #[test]
    fn source_times_may_count_from_the_time_of_day() {
        let mut list = list(25, 1, vec![cut(25, 50, "")]);
        list.source.zero = list.rate.at_utc(1_767_268_800_000_000);
        let text = write(&list, &EdlOptions::default()).remove(0);
        assert!(text.contains(" 12:00:01:00 12:00:02:00 00:00:00:00 00:00:01:00\n"));
        // Over midnight labels start again.
        list.source.zero = Timecode::parse("23:59:58:00", list.rate).unwrap();
        list.edits[0].cut.source = FrameRange::new(25, 75);
        let text = write(&list, &EdlOptions::default()).remove(0);
        assert!(
            text.contains(" 23:59:59:00 00:00:01:00 00:00:00:00 "),
            "{text}"
        );
    }
}
