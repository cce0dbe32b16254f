//! The report: sections of text, tables and plots, and whether every limit holds; as Markdown, as
//! JSON and as one page of HTML.

use std::fmt::Write;

use serde::Serialize;

use crate::page;
use crate::plot::Plot;

/// One table and what it says.
#[derive(Serialize)]
pub struct Section {
    pub(crate) title: &'static str,
    pub(crate) about: String,
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) plots: Vec<Plot>,
}

/// Whether a limit holds.
#[derive(Serialize)]
pub struct Verdict {
    pub(crate) what: String,
    pub(crate) holds: bool,
}

impl Section {
    /// A section with the columns of its table.
    pub fn new(title: &'static str, about: impl Into<String>, head: &[&'static str]) -> Self {
        let (about, head) = (about.into(), head.to_vec());
        Section {
            title,
            about,
            head,
            rows: Vec::new(),
            verdicts: Vec::new(),
            plots: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Says whether a limit holds.
    pub fn verdict(&mut self, what: impl Into<String>, holds: bool) {
        let what = what.into();
        self.verdicts.push(Verdict { what, holds });
    }

    /// Adds a plot, for the page.
    pub fn plot(&mut self, plot: Plot) {
        self.plots.push(plot);
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.about);
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let head: Vec<String> = self.head.iter().map(ToString::to_string).collect();
        text += &line(&head);
        text += &line(&vec!["---".to_owned(); head.len()]);
        for row in &self.rows {
            text += &line(row);
        }
        for Verdict { what, holds } in &self.verdicts {
            let said = if *holds { "pass" } else { "FAIL" };
            let _ = write!(text, "\n**{said}**: {what}\n");
        }
        text
    }
}

/// All of it.
#[derive(Serialize)]
pub struct Report {
    #[serde(serialize_with = "as_object")]
    pub(crate) machine: Vec<(&'static str, String)>,
    pub(crate) sections: Vec<Section>,
}

fn as_object<S: serde::Serializer>(
    facts: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(facts.iter().map(|(name, value)| (name, value)))
}

impl Report {
    /// A report of measurements on a machine.
    pub fn new(machine: Vec<(&'static str, String)>) -> Self {
        Report {
            machine,
            sections: Vec::new(),
        }
    }

    /// Adds a section.
    pub fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    /// Whether every limit holds.
    pub fn holds(&self) -> bool {
        self.sections
            .iter()
            .flat_map(|section| &section.verdicts)
            .all(|verdict| verdict.holds)
    }

    /// As JSON; plots with their quantiles in place of every number.
    pub fn json(&self) -> String {
        // Strings, numbers and names: nothing in it can fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// As one page that needs nothing else.
    pub fn html(&self) -> String {
        page::html(self)
    }

    /// Writes `report.md`, `report.json` and `report.html`.
    pub fn write(&self, dir: &std::path::Path) -> std::io::Result<()> {
        std::fs::create_dir_all(dir)?;
        std::fs::write(dir.join("report.md"), self.markdown())?;
        std::fs::write(dir.join("report.json"), self.json())?;
        std::fs::write(dir.join("report.html"), self.html())
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = "# Bench\n\n".to_owned();
        for (name, value) in &self.machine {
            let _ = writeln!(text, "- {name}: {value}");
        }
        for section in &self.sections {
            text.push('\n');
            text += &section.markdown();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_markdown_and_knows_whether_limits_hold() {
        let mut report = Report::new(vec![("cores", "2".into())]);
        let mut section = Section::new("Speed", "Fast or not.", &["what", "ratio"]);
        section.row(["run".to_owned(), "1.10".to_owned()]);
        section.verdict("1.10 is at most 1.25", true);
        report.add(section);
        assert_eq!(
            report.markdown(),
            "# Bench\n\n- cores: 2\n\n## Speed\n\nFast or not.\n\n| what | ratio |\n\
             | --- | --- |\n| run | 1.10 |\n\n**pass**: 1.10 is at most 1.25\n"
        );
        assert!(report.holds());
        let mut worse = Section::new("Size", "", &[]);
        worse.verdict("3 is at most 2", false);
        report.add(worse);
        assert!(!report.holds());
        assert!(report.markdown().ends_with("**FAIL**: 3 is at most 2\n"));
    }
}
