//! `[[tests]]` of a spec: observations that are given, segments and replays that are expected.
//! Running one needs the dataflow; reading one and comparing what came out are here.

use std::collections::BTreeMap;
use std::fmt;

use matchcut_model::chunk::TrackNumber;
use matchcut_model::observation::{Class, Observation};
use matchcut_model::segment::Segment;
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Attributes, Name, Value};
use matchcut_operators::sdk::AttributeKind;
use serde::Serialize;

use super::diagnostic::{Report, Span};
use super::features::attribute_kind;
use super::parts::{Draft, OperatorDraft};
use super::suggest;
use super::tree::{Entry, Node, Table, Tree};

/// One of `[[tests]]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpecTest {
    /// What it is called.
    pub name: String,
    /// What is given, sorted by start.
    pub observations: Vec<TestObservation>,
    /// The end of the event: as given, else the end of the last observation.
    pub end: MediaTime,
    /// The segments that must come out, no others; `None` when they do not matter.
    pub segments: Option<Vec<ExpectedSegment>>,
    /// What these replays must select, in order.
    pub replays: BTreeMap<Name, Vec<ExpectedRange>>,
}

/// A given observation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct TestObservation(pub Observation);

/// A segment that must come out. Marks are the original ones, as in `segments.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedSegment {
    /// Its segmenter; `None` in a spec with one.
    pub operator: Option<Name>,
    /// Mark-in.
    pub start: MediaTime,
    /// Mark-out; `None` when it does not matter.
    pub end: Option<MediaTime>,
    /// Optimized marks by track, those that matter.
    pub opto: BTreeMap<TrackNumber, ExpectedRange>,
    /// Its label, if it matters.
    pub label: Option<String>,
}

/// Start and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedRange {
    /// Start.
    pub start: MediaTime,
    /// End.
    pub end: MediaTime,
}

/// What came out of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestOutcome {
    /// Final segments.
    pub segments: Vec<Segment>,
    /// Original marks of the segments of each replay, in order.
    pub replays: BTreeMap<Name, Vec<TimeRange>>,
}

/// One difference between what was expected and what came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What it is about: `segment rally 10.000`, `replay best`.
    pub what: String,
    /// What the spec says.
    pub expected: String,
    /// What came out.
    pub got: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}\n  expected  {}\n  got       {}",
            self.what, self.expected, self.got
        )
    }
}

impl fmt::Display for ExpectedRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

fn same(a: MediaTime, b: MediaTime) -> bool {
    // The text formats carry milliseconds; a test compares what a reader sees.
    a.to_millis() == b.to_millis()
}

/// What differs, in the order of the spec.
pub fn compare(expected: &SpecTest, got: &TestOutcome) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    if let Some(segments) = &expected.segments {
        compare_segments(segments, &got.segments, &mut mismatches);
    }
    for (name, ranges) in &expected.replays {
        let selected = got.replays.get(name).map(Vec::as_slice).unwrap_or_default();
        let equal = ranges.len() == selected.len()
            && ranges
                .iter()
                .zip(selected)
                .all(|(want, have)| same(want.start, have.start) && same(want.end, have.end));
        if !equal {
            mismatches.push(Mismatch {
                what: format!("replay \"{name}\""),
                expected: listed(ranges),
                got: listed(selected),
            });
        }
    }
    mismatches
}

fn listed<T: fmt::Display>(items: &[T]) -> String {
    match items {
        [] => "nothing".to_owned(),
        _ => items
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

fn compare_segments(expected: &[ExpectedSegment], got: &[Segment], out: &mut Vec<Mismatch>) {
    let mut left: Vec<&Segment> = got.iter().collect();
    left.sort_by(|a, b| a.id.cmp(&b.id));
    for want in expected {
        let is_it = |have: &&Segment| {
            same(have.id.start, want.start)
                && want
                    .operator
                    .as_ref()
                    .is_none_or(|operator| *operator == have.id.segmenter)
        };
        let what = match &want.operator {
            Some(operator) => format!("segment of \"{operator}\" at {}", want.start),
            None => format!("segment at {}", want.start),
        };
        let Some(at) = left.iter().position(is_it) else {
            let got = "no segment that starts there".to_owned();
            out.push(Mismatch {
                what,
                expected: described(want),
                got,
            });
            continue;
        };
        let have = left.remove(at);
        let mut differ = |field: &str, expected: String, got: String| {
            out.push(Mismatch {
                what: format!("{what}, {field}"),
                expected,
                got,
            });
        };
        if let Some(end) = want.end
            && have.end.is_none_or(|have| !same(have, end))
        {
            let got = have.end.map_or("open".to_owned(), |end| end.to_string());
            differ("end", end.to_string(), got);
        }
        for (track, marks) in &want.opto {
            let have = have.opto.get(track);
            if have.is_none_or(|have| !same(have.start, marks.start) || !same(have.end, marks.end))
            {
                let got = have.map_or("not optimized".to_owned(), ToString::to_string);
                differ(
                    &format!("optimized marks on track {track}"),
                    marks.to_string(),
                    got,
                );
            }
        }
        if let Some(label) = &want.label
            && have.label.as_ref() != Some(label)
        {
            let got = have
                .label
                .as_ref()
                .map_or("no label".to_owned(), |l| format!("\"{l}\""));
            differ("label", format!("\"{label}\""), got);
        }
    }
    for have in left {
        let end = have.end.map_or("open".to_owned(), |end| end.to_string());
        out.push(Mismatch {
            what: format!("segment of \"{}\" at {}", have.id.segmenter, have.id.start),
            expected: "no such segment".to_owned(),
            got: format!("{}..{end}", have.id.start),
        });
    }
}

fn described(want: &ExpectedSegment) -> String {
    match want.end {
        Some(end) => format!("{}..{end}", want.start),
        None => format!("{}..", want.start),
    }
}

// Reading.

const TEST_KEYS: [&str; 5] = ["name", "observations", "end", "segments", "replays"];
const SEGMENT_KEYS: [&str; 5] = ["operator", "start", "end", "opto", "label"];
const OBSERVATION_KEYS: [&str; 6] = ["operator", "at", "start", "end", "track", "attributes"];

pub(super) fn read(root: &Table, draft: &Draft, report: &mut Report) -> Vec<SpecTest> {
    let Some(entry) = root.get("tests") else {
        return Vec::new();
    };
    let Some(items) = array(&entry.node, "[[tests]]", report) else {
        return Vec::new();
    };
    let mut tests: Vec<SpecTest> = Vec::new();
    for item in items {
        let Some(table) = table(item, "a test", report) else {
            continue;
        };
        if let Some(test) = test(table, item.span, draft, report) {
            if tests.iter().any(|earlier| earlier.name == test.name) {
                let message = format!("there are two tests \"{}\"", test.name);
                report.error(item.span, message, None);
            }
            tests.push(test);
        }
    }
    tests
}

fn array<'a>(node: &'a Node, what: &str, report: &mut Report) -> Option<&'a [Node]> {
    match &node.value {
        Tree::Array(items) => Some(items),
        Tree::Broken => None,
        other => expected(node.span, what, "an array", other, report),
    }
}

fn table<'a>(node: &'a Node, what: &str, report: &mut Report) -> Option<&'a Table> {
    match &node.value {
        Tree::Table(table) => Some(table),
        Tree::Broken => None,
        other => expected(node.span, what, "a table", other, report),
    }
}

fn text(node: &Node, what: &str, report: &mut Report) -> Option<String> {
    match &node.value {
        Tree::Text(text) => Some(text.clone()),
        Tree::Broken => None,
        other => expected(node.span, what, "text", other, report),
    }
}

fn expected<T>(
    span: Span,
    what: &str,
    wanted: &str,
    have: &Tree,
    report: &mut Report,
) -> Option<T> {
    report.error(
        span,
        format!("{what}: {wanted} expected, this is {}", have.kind()),
        None,
    );
    None
}

fn time(node: &Node, what: &str, report: &mut Report) -> Option<MediaTime> {
    let seconds = match &node.value {
        Tree::Text(text) => match text.parse::<MediaTime>() {
            Ok(time) => return Some(time),
            Err(error) => {
                report.error(node.span, format!("{what}: {error}"), None);
                return None;
            }
        },
        Tree::Integer(value) => *value as f64,
        Tree::Float(value) => *value,
        Tree::Broken => return None,
        other => return expected(node.span, what, "a time", other, report),
    };
    let time = MediaTime::from_seconds_f64(seconds).filter(|time| !time.is_negative());
    if time.is_none() {
        report.error(
            node.span,
            format!("{what}: {seconds} is no time of an event"),
            None,
        );
    }
    time
}

fn only(table: &Table, what: &str, known: &[&str], report: &mut Report) {
    for entry in table
        .0
        .iter()
        .filter(|entry| !known.contains(&entry.key.as_str()))
    {
        let hint = suggest::hint(&entry.key, "its keys are", known);
        report.error(
            entry.key_span,
            format!("{what} has no key \"{}\"", entry.key),
            hint,
        );
    }
}

/// `start` and `end` of a table, both needed and in order.
fn range(node: &Node, what: &str, report: &mut Report) -> Option<ExpectedRange> {
    let (start, end) = match &node.value {
        Tree::Array(items) if items.len() == 2 => {
            (time(&items[0], what, report), time(&items[1], what, report))
        }
        Tree::Table(table) => {
            only(table, what, &["start", "end"], report);
            let mut of = |key: &str| match table.get(key) {
                Some(entry) => time(&entry.node, &format!("\"{key}\" of {what}"), report),
                None => {
                    report.missing(node.span, format!("\"{key}\" of {what} is missing"), None);
                    None
                }
            };
            (of("start"), of("end"))
        }
        Tree::Broken => return None,
        _ => {
            let hint =
                Some("write { start = \"1s\", end = \"2s\" } or [\"1s\", \"2s\"]".to_owned());
            report.error(node.span, format!("{what}: start and end expected"), hint);
            return None;
        }
    };
    let range = ExpectedRange {
        start: start?,
        end: end?,
    };
    if range.end < range.start {
        report.error(node.span, format!("{what} ends before it starts"), None);
        return None;
    }
    Some(range)
}

fn test(table: &Table, at: Span, draft: &Draft, report: &mut Report) -> Option<SpecTest> {
    only(table, "a test", &TEST_KEYS, report);
    let name = match table.get("name") {
        Some(entry) => text(&entry.node, "\"name\" of a test", report),
        None => {
            report.missing(at, "\"name\" of a test is missing", None);
            None
        }
    };
    let title = format!("test \"{}\"", name.as_deref().unwrap_or("?"));
    let mut observations = Vec::new();
    if let Some(entry) = table.get("observations")
        && let Some(items) = array(&entry.node, &format!("\"observations\" of {title}"), report)
    {
        observations.extend(
            items
                .iter()
                .filter_map(|item| observation(item, draft, report)),
        );
    }
    observations.sort_by(|a, b| a.0.cmp(&b.0));
    let last = observations
        .iter()
        .map(|o| o.0.end)
        .max()
        .unwrap_or(MediaTime::ZERO);
    let mut end = last;
    if let Some(entry) = table.get("end")
        && let Some(given) = time(&entry.node, &format!("\"end\" of {title}"), report)
    {
        if given < last {
            let message = format!("{title} ends at {given}, its last observation at {last}");
            report.error(entry.node.span, message, None);
        }
        end = given;
    }
    let mut segments = None;
    if let Some(entry) = table.get("segments")
        && let Some(items) = array(&entry.node, &format!("\"segments\" of {title}"), report)
    {
        segments = Some(
            items
                .iter()
                .filter_map(|item| segment(item, draft, report))
                .collect(),
        );
    }
    let mut replays = BTreeMap::new();
    if let Some(entry) = table.get("replays")
        && let Some(table) = self::table(&entry.node, &format!("\"replays\" of {title}"), report)
    {
        for entry in &table.0 {
            if let Some((name, ranges)) = replay(entry, draft, report) {
                replays.insert(name, ranges);
            }
        }
    }
    if table.get("segments").is_none() && table.get("replays").is_none() {
        let hint = Some("say what must come out: segments = […] or replays.NAME = […]".to_owned());
        report.warning(at, format!("{title} expects nothing"), hint);
    }
    Some(SpecTest {
        name: name?,
        observations,
        end,
        segments,
        replays,
    })
}

fn operator<'a>(
    entry: &Entry,
    what: &str,
    class: Class,
    draft: &'a Draft,
    report: &mut Report,
) -> Option<&'a OperatorDraft> {
    let name = text(&entry.node, &format!("\"operator\" of {what}"), report)?;
    let of_class = |o: &OperatorDraft| o.description.as_ref().is_none_or(|d| d.class == class);
    let Some(found) = draft.operators.iter().find(|o| o.name.text == name) else {
        let names: Vec<&str> = draft
            .operators
            .iter()
            .filter(|o| of_class(o))
            .map(|o| o.name.text.as_str())
            .collect();
        let message = format!("{what}: there is no operator \"{name}\"");
        report.no_such(
            entry.node.span,
            message,
            suggest::hint(&name, "there are", &names),
        );
        return None;
    };
    if !of_class(found) {
        let have = found
            .description
            .as_ref()
            .map(|d| d.class.to_string())
            .unwrap_or_default();
        let article = if have.starts_with('o') { "an" } else { "a" };
        let message = format!("{what}: a {class} expected, \"{name}\" is {article} {have}");
        report.error(entry.node.span, message, None);
        return None;
    }
    Some(found)
}

fn observation(node: &Node, draft: &Draft, report: &mut Report) -> Option<TestObservation> {
    let what = "an observation";
    let table = table(node, what, report)?;
    let found = match table.get("operator") {
        Some(entry) => operator(entry, what, Class::Featurer, draft, report),
        None => {
            report.missing(
                node.span,
                format!("\"operator\" of {what} is missing"),
                None,
            );
            None
        }
    };
    let mut of = |key: &str| {
        let entry = table.get(key)?;
        time(&entry.node, &format!("\"{key}\" of {what}"), report)
    };
    let (at, start, end) = (of("at"), of("start"), of("end"));
    let has = |key: &str| table.get(key).is_some();
    let range = match (has("at"), has("start")) {
        (true, false) if !has("end") => at.map(|at| (at, at)),
        (false, true) => start.and_then(|start| match has("end") {
            true => end.map(|end| (start, end)),
            false => Some((start, start)),
        }),
        _ => {
            let hint = Some("write at = \"1s\", or start = \"1s\", end = \"2s\"".to_owned());
            report.error(
                node.span,
                format!("{what}: a time or a range expected"),
                hint,
            );
            None
        }
    };
    if let Some((start, end)) = range
        && end < start
    {
        report.error(node.span, format!("{what} ends before it starts"), None);
    }
    let mut track = None;
    if let Some(entry) = table.get("track") {
        match entry.node.value {
            Tree::Integer(value) if (1..=20).contains(&value) => {
                track = Some(TrackNumber(value as u32));
            }
            Tree::Broken => {}
            _ => report.error(entry.node.span, "a track is a number from 1 to 20", None),
        }
    }
    let mut attributes = Attributes::new();
    let mut take = |entry: &Entry, report: &mut Report| {
        if let Some(value) = attribute(entry, found, report) {
            attributes.insert(Name::new(&entry.key), value);
        }
    };
    for entry in &table.0 {
        if entry.key == "attributes"
            && let Tree::Table(inner) = &entry.node.value
        {
            inner.0.iter().for_each(|entry| take(entry, report));
        } else if !OBSERVATION_KEYS.contains(&entry.key.as_str()) {
            take(entry, report);
        }
    }
    let (start, end) = range?;
    let operator = Name::new(&found?.name.text);
    Some(TestObservation(Observation {
        start,
        end,
        operator,
        track,
        attributes,
    }))
}

fn attribute(
    entry: &Entry,
    operator: Option<&OperatorDraft>,
    report: &mut Report,
) -> Option<Value> {
    let json = entry.node.json(report)?;
    if let Some(operator) = operator
        && let Some(description) = &operator.description
    {
        let name = &operator.name.text;
        match attribute_kind(&entry.key, &description.attributes) {
            Err(known) => {
                let message = format!("operator \"{name}\" has no attribute \"{}\"", entry.key);
                let hint = suggest::hint(&entry.key, "it has", &known);
                report.no_such(entry.key_span, message, hint);
                return None;
            }
            Ok(kind) => {
                let (fits, wanted) = match kind {
                    AttributeKind::Any => (true, ""),
                    AttributeKind::Boolean => (json.is_boolean(), "true or false"),
                    AttributeKind::Number => (json.is_number(), "a number"),
                    AttributeKind::Text => (json.is_string(), "text"),
                };
                if !fits {
                    let what = format!("attribute \"{}\" of operator \"{name}\"", entry.key);
                    return expected(entry.node.span, &what, wanted, &entry.node.value, report);
                }
            }
        }
    }
    Some(Value::from(json))
}

fn segment(node: &Node, draft: &Draft, report: &mut Report) -> Option<ExpectedSegment> {
    let what = "an expected segment";
    let table = table(node, what, report)?;
    only(table, what, &SEGMENT_KEYS, report);
    let mut name = None;
    match table.get("operator") {
        Some(entry) => {
            let found = operator(entry, what, Class::Segmenter, draft, report);
            name = found.map(|found| Name::new(&found.name.text));
        }
        None => {
            let segmenters: Vec<&str> = draft
                .operators
                .iter()
                .filter(|o| {
                    o.description
                        .as_ref()
                        .is_some_and(|d| d.class == Class::Segmenter)
                })
                .map(|o| o.name.text.as_str())
                .collect();
            if segmenters.len() > 1 {
                let message = format!("{what}: its \"operator\" must be named in this spec");
                let hint = Some(format!("segmenters: {}", suggest::list(&segmenters)));
                report.missing(node.span, message, hint);
            }
        }
    }
    let start = match table.get("start") {
        Some(entry) => time(&entry.node, &format!("\"start\" of {what}"), report),
        None => {
            report.missing(node.span, format!("\"start\" of {what} is missing"), None);
            None
        }
    };
    let end = table
        .get("end")
        .and_then(|entry| time(&entry.node, &format!("\"end\" of {what}"), report));
    let label = table
        .get("label")
        .and_then(|entry| text(&entry.node, &format!("\"label\" of {what}"), report));
    let mut opto = BTreeMap::new();
    if let Some(entry) = table.get("opto")
        && let Some(tracks) = self::table(&entry.node, &format!("\"opto\" of {what}"), report)
    {
        for entry in &tracks.0 {
            match entry.key.parse::<u32>() {
                Ok(track @ 1..=20) => {
                    if let Some(marks) = range(&entry.node, "optimized marks", report) {
                        opto.insert(TrackNumber(track), marks);
                    }
                }
                _ => report.error(entry.key_span, "a track is a number from 1 to 20", None),
            }
        }
    }
    Some(ExpectedSegment {
        operator: name,
        start: start?,
        end,
        opto,
        label,
    })
}

fn replay(entry: &Entry, draft: &Draft, report: &mut Report) -> Option<(Name, Vec<ExpectedRange>)> {
    if !draft
        .replays
        .iter()
        .any(|replay| replay.name.text == entry.key)
    {
        let names: Vec<&str> = draft.replays.iter().map(|r| r.name.text.as_str()).collect();
        let message = format!("there is no replay \"{}\"", entry.key);
        report.no_such(
            entry.key_span,
            message,
            suggest::hint(&entry.key, "there are", &names),
        );
        return None;
    }
    let what = format!("expected replay \"{}\"", entry.key);
    let items = array(&entry.node, &what, report)?;
    let ranges = items
        .iter()
        .filter_map(|item| range(item, &what, report))
        .collect();
    Some((Name::new(&entry.key), ranges))
}
