//! What is wrong with a spec, as data: file, line, column, the text there and a suggestion. The
//! renderer at the end prints what a person reads; editors and services take the data.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The spec cannot be used.
    Error,
    /// It can, but it says something that has no effect.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// The line of text that a diagnostic is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Snippet {
    /// The line, without its end.
    pub text: String,
    /// Number of characters to underline, from the column on; at least 1.
    pub underline: usize,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file as the user named it, or `--set`.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// First and one past the last byte of the text that is meant.
    pub span: (usize, usize),
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: lower case, no period.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line itself.
    pub snippet: Snippet,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Diagnostic {
            file,
            line,
            column,
            severity,
            message,
            snippet,
            ..
        } = self;
        writeln!(f, "{file}:{line}:{column}: {severity}: {message}")?;
        let gutter = line.to_string().len();
        // The caret line repeats tabs, so that it stays below its text at any tab width.
        let pad: String = snippet
            .text
            .chars()
            .take(column.saturating_sub(1))
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, " {:gutter$} |", "")?;
        writeln!(f, " {line} | {}", snippet.text)?;
        writeln!(
            f,
            " {:gutter$} | {pad}{}",
            "",
            "^".repeat(snippet.underline)
        )?;
        if let Some(hint) = &self.hint {
            writeln!(f, " {:gutter$} help: {hint}", "")?;
        }
        Ok(())
    }
}

/// All findings of one spec, by position.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many are errors.
    pub fn errors(&self) -> usize {
        self.0
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .count()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By position.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|diagnostic| diagnostic.fmt(f))
    }
}

impl std::error::Error for Diagnostics {}

/// A place in one of the texts that make up a spec: the file, or one `--set` argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    /// Which text.
    pub origin: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The texts of one spec by origin: the file is 0, `--set` arguments follow.
#[derive(Clone, Debug)]
pub(super) struct Texts(pub Vec<(String, String)>);

impl Texts {
    fn diagnostic(&self, finding: Finding) -> Diagnostic {
        let empty = (String::new(), String::new());
        let (file, text) = self.0.get(finding.span.origin).unwrap_or(&empty);
        let start = floor_char(text, finding.span.start);
        let end = floor_char(text, finding.span.end.max(start));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_text = text[line_start..].split('\n').next().unwrap_or_default();
        let line_text = line_text.strip_suffix('\r').unwrap_or(line_text);
        let column = text[line_start..start].chars().count() + 1;
        // A span over several lines is underlined to the end of its first.
        let rest = line_text.chars().count().saturating_sub(column - 1);
        let underline = text[start..end].chars().count().min(rest).max(1);
        Diagnostic {
            file: file.clone(),
            line: text[..line_start].matches('\n').count() + 1,
            column,
            span: (start, end),
            severity: finding.severity,
            message: finding.message,
            hint: finding.hint,
            snippet: Snippet {
                text: line_text.to_owned(),
                underline,
            },
        }
    }

    /// Line number of a byte of a text, from 0.
    pub(super) fn line_of(&self, span: Span) -> usize {
        self.0.get(span.origin).map_or(0, |(_, text)| {
            text[..floor_char(text, span.start)].matches('\n').count()
        })
    }

    /// The line of a text, from 0.
    pub(super) fn line(&self, origin: usize, line: usize) -> &str {
        self.0
            .get(origin)
            .and_then(|(_, text)| text.split('\n').nth(line))
            .unwrap_or_default()
    }
}

fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What a finding follows from; a broken line makes some of them meaningless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The text is no TOML.
    Syntax,
    /// A key or part that is not there.
    Missing,
    /// A name that nothing has.
    UnknownName,
    /// Everything else.
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub span: Span,
    pub severity: Severity,
    pub message: String,
    pub hint: Option<String>,
    pub cause: Cause,
}

/// Collects findings while a spec is read.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub texts: Texts,
    findings: Vec<Finding>,
}

impl Report {
    pub(super) fn new(texts: Texts) -> Self {
        Report {
            texts,
            findings: Vec::new(),
        }
    }

    pub(super) fn error(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.push(span, Severity::Error, Cause::Other, message.into(), hint);
    }

    pub(super) fn missing(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.push(span, Severity::Error, Cause::Missing, message.into(), hint);
    }

    pub(super) fn no_such(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.push(
            span,
            Severity::Error,
            Cause::UnknownName,
            message.into(),
            hint,
        );
    }

    pub(super) fn syntax(&mut self, span: Span, message: impl Into<String>) {
        self.push(span, Severity::Error, Cause::Syntax, message.into(), None);
    }

    pub(super) fn warning(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        self.push(span, Severity::Warning, Cause::Other, message.into(), hint);
    }

    fn push(
        &mut self,
        span: Span,
        severity: Severity,
        cause: Cause,
        message: String,
        hint: Option<String>,
    ) {
        self.findings.push(Finding {
            span,
            severity,
            message,
            hint,
            cause,
        });
    }

    pub(super) fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// Sorted, without those that only follow from a line that is no TOML.
    pub(super) fn finish(self) -> Diagnostics {
        let broken: Vec<Broken> = self
            .findings
            .iter()
            .filter(|f| f.cause == Cause::Syntax)
            .map(|f| Broken::new(&self.texts, f.span))
            .collect();
        let header_broken = broken.iter().any(|b| b.is_header);
        let mut findings: Vec<Finding> = self
            .findings
            .into_iter()
            .filter(|finding| {
                let line = self.texts.line_of(finding.span);
                let origin = finding.span.origin;
                let inside = |b: &Broken| b.origin == origin && b.section.contains(&line);
                match finding.cause {
                    Cause::Syntax => true,
                    _ if broken.iter().any(|b| b.origin == origin && b.line == line) => false,
                    Cause::Missing => !header_broken && !broken.iter().any(inside),
                    Cause::UnknownName => !header_broken,
                    // Whether a part is used cannot be told from half a spec.
                    Cause::Other => finding.severity == Severity::Error || broken.is_empty(),
                }
            })
            .collect();
        findings.sort_by(|a, b| {
            (a.span, a.severity, &a.message).cmp(&(b.span, b.severity, &b.message))
        });
        findings.dedup_by(|a, b| a.span == b.span && a.message == b.message);
        // After one slip the parser stumbles over the rest of the line as well.
        findings.dedup_by(|later, first| {
            later.cause == Cause::Syntax
                && first.cause == Cause::Syntax
                && later.span.origin == first.span.origin
                && self.texts.line_of(later.span) == self.texts.line_of(first.span)
        });
        Diagnostics(
            findings
                .into_iter()
                .map(|f| self.texts.diagnostic(f))
                .collect(),
        )
    }
}

/// A line that is no TOML, with the lines of the table it stands in.
struct Broken {
    origin: usize,
    line: usize,
    is_header: bool,
    section: std::ops::Range<usize>,
}

impl Broken {
    fn new(texts: &Texts, span: Span) -> Self {
        let line = texts.line_of(span);
        let is_header = |line: usize| texts.line(span.origin, line).trim_start().starts_with('[');
        let count = texts
            .0
            .get(span.origin)
            .map_or(0, |(_, text)| text.split('\n').count());
        let start = (0..=line).rev().find(|line| is_header(*line)).unwrap_or(0);
        let end = (line + 1..count)
            .find(|line| is_header(*line))
            .unwrap_or(count);
        Broken {
            origin: span.origin,
            line,
            is_header: is_header(line),
            section: start..end,
        }
    }
}
