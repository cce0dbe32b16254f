//! The report as one page of HTML with its plots inside: no script, nothing loaded from elsewhere.

use std::fmt::Write;

use crate::plot::escape;
use crate::report::{Report, Section, Verdict};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;max-width:920px;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.2rem}\
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}\
th,td{border-bottom:1px solid #8885;padding:.25rem .7rem;text-align:left}\
td:not(:first-child){font-variant-numeric:tabular-nums}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem}dt{opacity:.7}dd{margin:0}\
.pass{color:#0a7d48}.fail{color:#c22}\
svg{width:100%;height:auto;margin:1rem 0;font:12px system-ui,sans-serif;fill:currentColor}\
svg .title{font-weight:600;font-size:13px}svg .grid{stroke:#8884}\
svg .axis{text-anchor:middle;opacity:.7}svg .left{text-anchor:end;opacity:.7}\
svg .small{font-size:11px;opacity:.75}";

/// The page.
pub fn html(report: &Report) -> String {
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>matchcut bench</title>\n<style>{STYLE}</style>\n<h1>matchcut bench</h1>\n<dl>\n"
    );
    for (name, value) in &report.machine {
        let _ = writeln!(text, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    }
    text.push_str("</dl>\n");
    for part in &report.sections {
        text.push_str(&section(part));
    }
    text + "</html>\n"
}

fn section(part: &Section) -> String {
    let mut text = format!(
        "<h2>{}</h2>\n<p>{}</p>\n",
        escape(part.title),
        marked(&part.about)
    );
    let row = |cells: &mut dyn Iterator<Item = &str>, tag: &str| {
        let cells: Vec<String> = cells
            .map(|cell| format!("<{tag}>{}</{tag}>", marked(cell)))
            .collect();
        format!("<tr>{}</tr>\n", cells.concat())
    };
    text.push_str("<table>\n");
    text.push_str(&row(&mut part.head.iter().copied(), "th"));
    for cells in &part.rows {
        text.push_str(&row(&mut cells.iter().map(String::as_str), "td"));
    }
    text.push_str("</table>\n");
    for Verdict { what, holds } in &part.verdicts {
        let (class, said) = if *holds {
            ("pass", "pass")
        } else {
            ("fail", "FAIL")
        };
        let what = marked(what);
        let _ = writeln!(
            text,
            "<p><strong class=\"{class}\">{said}</strong>: {what}</p>"
        );
    }
    for plot in &part.plots {
        text.push_str(&plot.svg());
    }
    text
}

/// The two marks of Markdown that the sections use: bold and code.
fn marked(text: &str) -> String {
    let mut out = escape(text);
    for (mark, tag) in [("**", "strong"), ("`", "code")] {
        let parts: Vec<&str> = out.split(mark).collect();
        // An odd mark at the end stands for itself.
        if parts.len().is_multiple_of(2) {
            continue;
        }
        let mut joined = String::new();
        for (index, part) in parts.iter().enumerate() {
            match index % 2 {
                0 => joined.push_str(part),
                _ => joined += &format!("<{tag}>{part}</{tag}>"),
            }
        }
        out = joined;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::Plot;

    #[test]
    fn a_page_needs_nothing_else_and_text_stays_text() {
        let mut report = Report::new(vec![("cores", "2 <b>".into())]);
        let mut part = Section::new("Speed", "Fast & `good`, **2** times.", &["what"]);
        part.row(["**1.5**".to_owned()]);
        part.verdict("1.5 is at most 2", true);
        part.plot(Plot::Spread {
            title: "Spread".into(),
            unit: "ms",
            rows: vec![("a".into(), vec![1.0])],
        });
        report.add(part);
        let page = report.html();
        assert!(page.contains("<dd>2 &lt;b&gt;</dd>"));
        assert!(page.contains("Fast &amp; <code>good</code>, <strong>2</strong> times."));
        assert!(page.contains("<td><strong>1.5</strong></td>"));
        assert!(page.contains("<strong class=\"pass\">pass</strong>: 1.5 is at most 2"));
        for loader in ["http", "<script", "src=", "url(", "@import"] {
            assert!(!page.contains(loader), "{loader}");
        }
        assert_eq!(marked("a ** b"), "a ** b");
    }
}
