//! Which edges are wanted: names as the spec has them, patterns of names, and what is the same for every spec.

use std::collections::BTreeSet;

use glob::Pattern;
use matchcut_dataflow::spec::suggest::nearest;
use serde_json::Value;

use super::TapError;
use super::line::{Kind, Line};

/// What every event has beside what its spec names.
const OF_ALL: [&str; 3] = ["clips", "chunks", "errors"];

/// A part of an event that something is told of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Whether it is a replay, or an operator whose observations (featurer, optimizer, labeler) or segments are told.
    pub class: String,
    /// Whose segments an optimizer or labeler updates.
    pub segmenter: Option<String>,
}

impl Part {
    /// Out of what the service says.
    pub fn read(item: &Value) -> Option<Part> {
        let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Part {
            name: text("name")?,
            class: text("class")?,
            segmenter: text("segmenter"),
        })
    }
}

/// The edges that are wanted.
#[derive(Debug)]
pub struct Names {
    patterns: Vec<Pattern>,
    /// Segmenters whose segments are those that a wanted operator updates.
    updated: BTreeSet<String>,
}

impl Names {
    /// As they are written on a command line.
    pub fn new(written: &[String]) -> Result<Names, TapError> {
        let read = |text: &String| {
            Pattern::new(text).map_err(|error| TapError::Name {
                message: format!("{text} is no pattern of names: {}", error.msg),
                hint: None,
            })
        };
        Ok(Names {
            patterns: written.iter().map(read).collect::<Result<_, _>>()?,
            updated: BTreeSet::new(),
        })
    }

    /// Those that are neither a part nor of every event.
    pub fn unknown(&self, parts: &[Part]) -> Vec<TapError> {
        let is_known = |pattern: &&Pattern| {
            let of_all = OF_ALL.iter().any(|name| pattern.matches(name));
            of_all || parts.iter().any(|part| pattern.matches(&part.name))
        };
        let unknown = self.patterns.iter().filter(|pattern| !is_known(pattern));
        let said = |pattern: &Pattern| {
            let text = pattern.as_str();
            let names = parts.iter().map(|part| part.name.as_str()).chain(OF_ALL);
            let names: Vec<&str> = names.collect();
            let hint = match nearest(text, names.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there are: {}", names.join(", ")),
            };
            TapError::Name {
                message: format!("the event has no operator or replay \"{text}\""),
                hint: Some(hint),
            }
        };
        unknown.map(said).collect()
    }

    /// Takes in whose segments wanted optimizers and labelers update.
    pub fn resolve(&mut self, parts: &[Part]) {
        let wanted = parts.iter().filter(|part| self.takes_name(&part.name));
        let updated: Vec<String> = wanted.filter_map(|part| part.segmenter.clone()).collect();
        self.updated.extend(updated);
    }

    fn takes_name(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Whether a line is of a wanted edge.
    pub fn take(&self, line: &Line) -> bool {
        let Some(name) = line.name() else {
            return false;
        };
        self.takes_name(name) || line.kind == Kind::Segment && self.updated.contains(name)
    }

    /// The files that tell of what is wanted: of what became of the event, and of what that follows from.
    pub fn files(&self, parts: &[Part]) -> (bool, bool) {
        let wanted = |class: &[&str]| {
            let mut found = parts
                .iter()
                .filter(|part| class.contains(&part.class.as_str()));
            found.any(|part| self.takes_name(&part.name))
        };
        // What a pattern does not find yet may come with a replay that is asked for later.
        let has_more = self
            .patterns
            .iter()
            .any(|pattern| is_open(pattern.as_str()));
        let changes = has_more
            || !self.updated.is_empty()
            || self.takes_name("clips")
            || wanted(&["segmenter", "replay"]);
        let log = self.takes_name("chunks")
            || self.takes_name("errors")
            || wanted(&["featurer", "optimizer", "labeler"]);
        (changes, log)
    }
}

/// Whether a text names more than one thing.
fn is_open(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<Part> {
        let part = |name: &str, class: &str, segmenter: Option<&str>| Part {
            name: name.to_owned(),
            class: class.to_owned(),
            segmenter: segmenter.map(str::to_owned),
        };
        vec![
            part("cuts", "featurer", None),
            part("cheers", "featurer", None),
            part("rally", "segmenter", None),
            part("trim", "optimizer", Some("rally")),
            part("best", "replay", None),
        ]
    }

    fn names(written: &[&str]) -> Names {
        let written: Vec<String> = written.iter().map(|text| (*text).to_owned()).collect();
        let mut names = Names::new(&written).unwrap();
        names.resolve(&parts());
        names
    }

    fn takes(names: &Names, kind: &str, key: &str, name: &str) -> bool {
        let text = format!(
            "{{\"epoch\":1,\"kind\":\"{kind}\",\"diff\":1,\"value\":{{\"{key}\":\"{name}\"}}}}"
        );
        names.take(&Line::read(&text).unwrap())
    }

    #[test]
    fn a_name_takes_what_it_says_and_a_pattern_several() {
        let one = names(&["cuts"]);
        assert!(takes(&one, "observation", "operator", "cuts"));
        assert!(!takes(&one, "observation", "operator", "cheers"));
        assert!(!takes(&one, "error", "operator", "cuts"));
        let some = names(&["c*", "best"]);
        assert!(takes(&some, "observation", "operator", "cheers"));
        assert!(takes(&some, "clip", "operator", "rally") && takes(&some, "gap", "reason", "x"));
        assert!(takes(&some, "replay", "replay", "best"));
        assert!(!takes(&some, "segment", "operator", "rally"));
        // An optimizer says something of segments, which are its segmenter's.
        let trim = names(&["trim"]);
        assert!(takes(&trim, "segment", "operator", "rally"));
        assert!(takes(&trim, "observation", "operator", "trim"));
        assert!(!takes(&trim, "clip", "operator", "rally"));
        assert!(!takes(&trim, "something", "operator", "trim"));
    }

    #[test]
    fn only_what_tells_of_it_is_read() {
        let files = |written: &[&str]| names(written).files(&parts());
        assert_eq!(files(&["rally"]), (true, false));
        assert_eq!(files(&["cuts", "errors"]), (false, true));
        assert_eq!(files(&["trim"]), (true, true));
        assert_eq!(files(&["clips", "chunks"]), (true, true));
        // A replay of this name may be asked for.
        assert_eq!(files(&["che*"]), (true, true));
    }

    #[test]
    fn a_slip_is_told_with_what_was_meant() {
        let said = |written: &[&str]| -> Vec<(String, String)> {
            let unknown = names(written).unknown(&parts());
            let text = |error: TapError| match error {
                TapError::Name { message, hint } => (message, hint.unwrap_or_default()),
                other => panic!("{other}"),
            };
            unknown.into_iter().map(text).collect()
        };
        assert_eq!(said(&["rally", "clips", "b?st"]), []);
        let slip = "the event has no operator or replay \"ralley\"".to_owned();
        let far = "the event has no operator or replay \"x*\"".to_owned();
        let all = "there are: cuts, cheers, rally, trim, best, clips, chunks, errors".to_owned();
        assert_eq!(
            said(&["ralley", "x*"]),
            [(slip, "did you mean \"rally\"?".to_owned()), (far, all)]
        );
    }
}
