//! The report: sections of text and tables in Markdown, and whether every limit holds.

use std::fmt::Write;

/// One table and what it says.
pub struct Section {
    title: &'static str,
    about: String,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    verdicts: Vec<(String, bool)>,
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
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Says whether a limit holds.
    pub fn verdict(&mut self, what: impl Into<String>, holds: bool) {
        self.verdicts.push((what.into(), holds));
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
        for (what, holds) in &self.verdicts {
            let _ = write!(
                text,
                "\n**{}**: {what}\n",
                if *holds { "pass" } else { "FAIL" }
            );
        }
        text
    }
}

/// All of it.
pub struct Report {
    machine: Vec<(&'static str, String)>,
    sections: Vec<Section>,
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
            .all(|(_, holds)| *holds)
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
