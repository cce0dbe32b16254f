//! Final Cut Pro XML, version 1.10: a project whose spine holds the edits of a replay. Times are
//! rational numbers of seconds, frames times the frame duration, reduced.

use std::fmt::Write;

use matchcut_model::time::FrameRate;

use crate::export::Link;
use crate::sequence::{Edit, Sequence, one_line, url_path};

/// The document. It lies in a directory `up` (`../` for each level) below the results.
pub(crate) fn write(list: &Sequence, event: &str, link: Link, up: &str) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = document(&mut text, list, event, link, up);
    text
}

/// What an edit plays.
struct Asset<'a> {
    id: String,
    name: &'a str,
    address: String,
    start: i64,
    frames: i64,
}

fn document(
    text: &mut String,
    list: &Sequence,
    event: &str,
    link: Link,
    up: &str,
) -> std::fmt::Result {
    let rate = list.frame_rate();
    let format = if list.rate.is_drop_frame() {
        "DF"
    } else {
        "NDF"
    };
    let zero = list.source.zero.frame();
    let source = Asset {
        id: "r2".into(),
        name: &list.source.name,
        // Where no media is known, an editor asks for it by this name.
        address: list
            .source
            .address
            .clone()
            .unwrap_or_else(|| url_path(&list.source.name)),
        start: zero,
        frames: list.source.frames.max(
            list.edits
                .iter()
                .map(|e| e.cut.source.end)
                .max()
                .unwrap_or(0),
        ),
    };
    let mut files: Vec<Asset<'_>> = Vec::new();
    // For each edit: its asset, and where in it the edit starts.
    let mut plays: Vec<(String, i64)> = Vec::new();
    for edit in &list.edits {
        let file = edit.cut.file.as_ref().filter(|_| link == Link::Clips);
        plays.push(match file {
            None => (source.id.clone(), zero + edit.cut.source.first),
            Some(file) => {
                let address = format!("{up}{}", url_path(&file.path));
                let start = edit.cut.source.first - file.frames.first;
                let known = files.iter().find(|asset| asset.address == address);
                let id = known.map_or_else(|| format!("r{}", files.len() + 3), |a| a.id.clone());
                if known.is_none() {
                    files.push(Asset {
                        id: id.clone(),
                        name: &edit.cut.name,
                        address,
                        start: 0,
                        frames: file.frames.len(),
                    });
                }
                (id, start)
            }
        });
    }
    let uses_source = plays.is_empty() || plays.iter().any(|(id, _)| *id == source.id);

    text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE fcpxml>\n");
    text.push_str("<fcpxml version=\"1.10\">\n  <resources>\n");
    writeln!(
        text,
        "    <format id=\"r1\"{} frameDuration=\"{}\" width=\"1920\" height=\"1080\"/>",
        format_name(rate).map_or(String::new(), |name| format!(" name=\"{name}\"")),
        seconds(1, list),
    )?;
    for asset in std::iter::once(&source)
        .filter(|_| uses_source)
        .chain(&files)
    {
        let video = if list.video {
            " hasVideo=\"1\" videoSources=\"1\""
        } else {
            ""
        };
        writeln!(
            text,
            "    <asset id=\"{}\" name=\"{}\" start=\"{}\" duration=\"{}\" format=\"r1\"{video} hasAudio=\"1\">\n\
             \x20     <media-rep kind=\"original-media\" src=\"{}\"/>\n\
             \x20   </asset>",
            asset.id,
            escape(asset.name),
            seconds(asset.start, list),
            seconds(asset.frames, list),
            escape(&asset.address),
        )?;
    }
    let start = list.record_start.frame();
    writeln!(
        text,
        "  </resources>\n\
         \x20 <library>\n\
         \x20   <event name=\"{}\">\n\
         \x20     <project name=\"{}\">\n\
         \x20       <sequence format=\"r1\" duration=\"{}\" tcStart=\"{}\" tcFormat=\"{format}\">\n\
         \x20         <note>{} frames a second, audio track {}</note>\n\
         \x20         <spine>",
        escape(event),
        escape(&list.title),
        seconds(list.len(), list),
        seconds(start, list),
        rate,
        list.track,
    )?;
    for (edit, (asset, at)) in list.edits.iter().zip(&plays) {
        asset_clip(text, edit, asset, *at, list, format)?;
    }
    text.push_str(
        "          </spine>\n        </sequence>\n      </project>\n    </event>\n  </library>\n</fcpxml>\n",
    );
    Ok(())
}

fn asset_clip(
    text: &mut String,
    edit: &Edit,
    asset: &str,
    start: i64,
    list: &Sequence,
    format: &str,
) -> std::fmt::Result {
    let name = escape(&edit.cut.name);
    let frames = seconds(edit.cut.source.len(), list);
    let start = seconds(start, list);
    writeln!(
        text,
        "            <asset-clip ref=\"{asset}\" name=\"{name}\" offset=\"{}\" start=\"{start}\" \
         duration=\"{frames}\" format=\"r1\" tcFormat=\"{format}\" audioRole=\"dialogue.track-{}\">",
        seconds(list.record_start.frame() + edit.record.first, list),
        list.track,
    )?;
    let note = escape(&edit.cut.note);
    let note = match note.is_empty() {
        true => note,
        false => format!(" note=\"{note}\""),
    };
    writeln!(
        text,
        "              <marker start=\"{start}\" duration=\"{}\" value=\"{name}\"{note}/>\n\
         \x20           </asset-clip>",
        seconds(1, list),
    )
}

/// What Final Cut Pro calls full HD at a rate, if it has a name for it. The size of the picture is not
/// known here; an editor fits what is larger or smaller.
fn format_name(rate: FrameRate) -> Option<&'static str> {
    Some(match (rate.num, rate.den) {
        (24_000, 1001) => "FFVideoFormat1080p2398",
        (24, 1) => "FFVideoFormat1080p24",
        (25, 1) => "FFVideoFormat1080p25",
        (30_000, 1001) => "FFVideoFormat1080p2997",
        (30, 1) => "FFVideoFormat1080p30",
        (50, 1) => "FFVideoFormat1080p50",
        (60_000, 1001) => "FFVideoFormat1080p5994",
        (60, 1) => "FFVideoFormat1080p60",
        _ => return None,
    })
}

/// Frames as seconds: a reduced fraction, or a whole number.
fn seconds(frames: i64, list: &Sequence) -> String {
    let rate = list.frame_rate();
    let (num, den) = (
        i128::from(frames) * i128::from(rate.den),
        i128::from(rate.num),
    );
    let divisor = gcd(num.unsigned_abs(), den.unsigned_abs()).max(1) as i128;
    match (num / divisor, den / divisor) {
        (num, 1) => format!("{num}s"),
        (num, den) => format!("{num}/{den}s"),
    }
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Free text inside a pair of quotes: one line, without what XML cannot hold.
fn escape(text: &str) -> String {
    let mut safe = String::new();
    for c in one_line(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // Not characters of XML 1.0.
            '\u{FFFE}' | '\u{FFFF}' => safe.push('\u{FFFD}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::tests::{cut, subject};

    #[test]
    fn times_are_reduced_fractions() {
        let list = |num, den| Sequence::butted(subject(num, den), Vec::new());
        let ntsc = list(30_000, 1001);
        for (frames, text) in [
            (0, "0s"),
            (1, "1001/30000s"),
            (30, "1001/1000s"),
            (30_000, "1001s"),
            (107_892, "8999991/2500s"),
        ] {
            assert_eq!(seconds(frames, &ntsc), text, "{frames}");
        }
        assert_eq!(seconds(25, &list(25, 1)), "1s");
        assert_eq!(seconds(7, &list(50, 1)), "7/50s");
        assert_eq!(seconds(1001, &list(24_000, 1001)), "1002001/24000s");
    }

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        let list = Sequence::butted(
            subject(25, 1),
            vec![cut(0, 1, "a\" x=\"1\n<b>\u{1}&\u{FFFF}")],
        );
        let text = write(&list, "e", Link::Source, "");
        assert!(
            text.contains("name=\"a&quot; x=&quot;1 &lt;b&gt; &amp;\u{FFFD}\" offset=\"0s\""),
            "{text}"
        );
    }
}
