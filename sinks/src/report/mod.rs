//! `report.html`: one page that shows an event to a person, with everything inside but the media
//! files, which stand beside it. It opens from a disk, without a server and without a network.

mod data;

use std::borrow::Cow;
use std::io::{self, Write};

use matchcut_model::change::EventState;
use serde::Serialize;

use crate::info::EventInfo;

pub(crate) use data::{FileLink, ReportData, report_data};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What was observed, as the page is told it. It is far more than all the rest, and can be made beside
/// it.
pub(crate) fn lanes(state: &EventState, info: &EventInfo) -> Result<String, serde_json::Error> {
    /// About so many bytes tell an observation.
    const EACH: usize = 56;
    script_json(&data::lanes(state, info), state.observations().len() * EACH)
}

/// The page, with the text of its [`lanes`], in pieces that follow each other.
pub(crate) fn render(
    data: &ReportData<'_>,
    lanes: String,
) -> Result<Vec<Cow<'static, str>>, serde_json::Error> {
    let title = format!("{} · matchcut report", data.title);
    let mut parts: [(&str, Cow<'static, str>); 6] = [
        ("{{title}}", escape_html(&title).into()),
        ("{{heading}}", escape_html(data.title).into()),
        ("{{style}}", STYLE.into()),
        ("{{lanes}}", lanes.into()),
        ("{{data}}", script_json(data, 0)?.into()),
        ("{{script}}", SCRIPT.into()),
    ];
    // One pass from left to right, so that nothing inside a part is taken for a place.
    let mut page: Vec<Cow<'static, str>> = Vec::new();
    let mut rest = PAGE;
    while let Some(open) = rest.find("{{") {
        let (before, place) = rest.split_at(open);
        page.push(before.into());
        match parts.iter_mut().find(|(name, _)| place.starts_with(*name)) {
            Some((name, text)) => {
                page.push(std::mem::take(text));
                rest = place.get(name.len()..).unwrap_or_default();
            }
            None => {
                page.push("{{".into());
                rest = place.get(2..).unwrap_or_default();
            }
        }
    }
    page.push(rest.into());
    Ok(page)
}

/// Text as HTML shows it.
fn escape_html(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// JSON of about `size` bytes that can stand inside a script element: nothing in it ends the element or
/// opens a comment.
fn script_json(value: &impl Serialize, size: usize) -> Result<String, serde_json::Error> {
    let mut out = InScript(Vec::with_capacity(size));
    serde_json::to_writer(&mut out, value)?;
    String::from_utf8(out.0).map_err(serde::ser::Error::custom)
}

/// Takes JSON and escapes what must not stand inside a script element. These characters stand in
/// strings only, where the escaped form means the same.
struct InScript(Vec<u8>);

impl Write for InScript {
    fn write(&mut self, mut bytes: &[u8]) -> io::Result<usize> {
        let length = bytes.len();
        loop {
            // Nearly everything stays as it is.
            let special = |byte: &u8| matches!(byte, b'<' | b'>' | b'&' | 0xe2);
            let plain = bytes.iter().position(special).unwrap_or(bytes.len());
            let (as_it_is, others) = bytes.split_at(plain);
            self.0.extend_from_slice(as_it_is);
            bytes = others;
            let Some((&first, rest)) = bytes.split_first() else {
                return Ok(length);
            };
            let (escaped, taken): (&[u8], usize) = match first {
                b'<' => (b"\\u003c", 1),
                b'>' => (b"\\u003e", 1),
                b'&' => (b"\\u0026", 1),
                // Pieces of a text end between characters.
                0xe2 if rest.starts_with(&[0x80, 0xa8]) => (b"\\u2028", 3),
                0xe2 if rest.starts_with(&[0x80, 0xa9]) => (b"\\u2029", 3),
                _ => (std::slice::from_ref(&first), 1),
            };
            self.0.extend_from_slice(escaped);
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_stays_text() {
        assert_eq!(
            escape_html("<b title=\"x\">'&</b>"),
            "&lt;b title=&quot;x&quot;&gt;&#39;&amp;&lt;/b&gt;"
        );
        let json = script_json(&"</script><!-- \u{2028}&", 0).unwrap();
        assert_eq!(json, "\"\\u003c/script\\u003e\\u003c!-- \\u2028\\u0026\"");
        assert_eq!(
            serde_json::from_str::<String>(&json).unwrap(),
            "</script><!-- \u{2028}&"
        );
    }

    #[test]
    fn places_in_the_data_are_not_filled() {
        let mut data = ReportData::default();
        data.title = "{{script}} {{data}}";
        let page = render(&data, "[]".to_owned()).unwrap().concat();
        assert!(page.contains("<h1>{{script}} {{data}}</h1>"));
        assert_eq!(page.matches("\"use strict\"").count(), 1);
        assert!(!page.contains("{{style}}") && !page.contains("{{title}}"));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = render(&ReportData::default(), "[]".to_owned())
            .unwrap()
            .concat();
        for loader in ["http://", "https://", "src=\"//", "@import", "url("] {
            assert!(!page.contains(loader), "{loader}");
        }
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("</script"));
    }
}
