//! `report.html`: one page that shows an event to a person, with everything inside but the media
//! files, which stand beside it. It opens from a disk, without a server and without a network.

mod data;

use serde::Serialize;

pub(crate) use data::{FileLink, ReportData, report_data};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The page.
pub(crate) fn render(data: &ReportData<'_>) -> Result<String, serde_json::Error> {
    let title = format!("{} · matchcut report", data.title);
    let parts = [
        ("{{title}}", escape_html(&title)),
        ("{{heading}}", escape_html(data.title)),
        ("{{style}}", STYLE.to_owned()),
        ("{{data}}", script_json(data)?),
        ("{{script}}", SCRIPT.to_owned()),
    ];
    // One pass from left to right, so that nothing inside a part is taken for a place.
    let mut page = String::new();
    let mut rest = PAGE;
    while let Some(open) = rest.find("{{") {
        let (before, place) = rest.split_at(open);
        page.push_str(before);
        match parts.iter().find(|(name, _)| place.starts_with(name)) {
            Some((name, text)) => {
                page.push_str(text);
                rest = place.get(name.len()..).unwrap_or_default();
            }
            None => {
                page.push_str("{{");
                rest = place.get(2..).unwrap_or_default();
            }
        }
    }
    page.push_str(rest);
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

/// JSON that can stand inside a script element: nothing in it ends the element or opens a comment.
fn script_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    // These characters stand in strings only, where the escaped form means the same.
    Ok(json
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029"))
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
        let json = script_json(&"</script><!-- \u{2028}&").unwrap();
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
        let page = render(&data).unwrap();
        assert!(page.contains("<h1>{{script}} {{data}}</h1>"));
        assert_eq!(page.matches("\"use strict\"").count(), 1);
        assert!(!page.contains("{{style}}") && !page.contains("{{title}}"));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = render(&ReportData::default()).unwrap();
        for loader in ["http://", "https://", "src=\"//", "@import", "url("] {
            assert!(!page.contains(loader), "{loader}");
        }
        assert!(!SCRIPT.contains("innerHTML") && !SCRIPT.contains("</script"));
    }
}
