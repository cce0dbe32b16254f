//! `label_template`: a label from a text with placeholders, filled in when everything inside the
//! segment is known.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use matchcut_model::observation::{Class, Observation};
use matchcut_model::segment::Segment;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sdk::{
    Description, EdgeKind, Emission, Fold, FoldBox, InputRule, MAX_SEGMENT, Operator, OperatorType,
    OptionError, Options, SETTLE, Step, options_of, parse_options, text_duration,
};
use crate::values::is_set;

/// Options of `label_template`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TemplateOptions {
    /// The text. Placeholders: {n} number of the segment from 1; {start}, {end} and {duration} in
    /// seconds; {clock} start as h:mm:ss; {attr:NAME} an attribute of the segment; and from what
    /// an input observed between mark-in and mark-out (both included): {count:OPERATOR.ATTRIBUTE}
    /// how often it is true, {count:OPERATOR.ATTRIBUTE=VALUE} how often it has a value, {first:…},
    /// {last:…} and {most:…} its first, last and most frequent value, {min:…} and {max:…} the
    /// smallest and largest number. {{ and }} stand for braces.
    template: String,
    /// What stands where a placeholder finds nothing.
    missing: String,
    /// Segments can be this long. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for TemplateOptions {
    fn default() -> Self {
        TemplateOptions {
            template: "Segment {n} at {clock}".to_owned(),
            missing: "-".to_owned(),
            max_segment: None,
        }
    }
}

/// The operator type `label_template`.
pub(crate) struct LabelTemplate;

impl OperatorType for LabelTemplate {
    fn describe(&self) -> Description {
        Description {
            name: "label_template",
            class: Class::Labeler,
            summary: "A label from a text with placeholders for times, attributes and counts.",
            inputs: vec![
                InputRule::one(EdgeKind::Segments),
                InputRule::any(EdgeKind::Observations),
            ],
            attributes: Vec::new(),
            options: options_of::<TemplateOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: TemplateOptions = parse_options(options)?;
        let parts = parse(&options.template)
            .map_err(|message| vec![OptionError::new("template", message)])?;
        let longest = options.max_segment.unwrap_or(MAX_SEGMENT);
        let fold = TemplateFold {
            parts,
            missing: options.missing,
            longest,
        };
        Ok(Operator::Fold(FoldBox::new(fold)))
    }
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Number,
    Start,
    End,
    Duration,
    Clock,
    Attribute(String),
    Observed(Summary, Source),
}

/// How observed values are summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Summary {
    Count,
    First,
    Last,
    Most,
    Min,
    Max,
}

/// Which values.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    operator: String,
    attribute: String,
    value: Option<String>,
}

const PLACEHOLDERS: &str = "{n}, {start}, {end}, {duration}, {clock}, {attr:NAME}, \
    {count:OPERATOR.ATTRIBUTE}, and first, last, most, min or max in place of count";

fn parse(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
        } else if brace == "}" {
            return Err("a } without { before it; write }} for a brace".to_owned());
        } else {
            let Some((inside, after)) = rest.split_once('}') else {
                return Err("a { without } after it; write {{ for a brace".to_owned());
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(placeholder(inside)?);
            rest = after;
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

fn placeholder(inside: &str) -> Result<Part, String> {
    let unknown = || format!("{{{inside}}} is not a placeholder; there are {PLACEHOLDERS}");
    let Some((kind, what)) = inside.split_once(':') else {
        return Ok(match inside {
            "n" => Part::Number,
            "start" => Part::Start,
            "end" => Part::End,
            "duration" => Part::Duration,
            "clock" => Part::Clock,
            _ => return Err(unknown()),
        });
    };
    let summary = match kind {
        "attr" if !what.is_empty() => return Ok(Part::Attribute(what.to_owned())),
        "count" => Summary::Count,
        "first" => Summary::First,
        "last" => Summary::Last,
        "most" => Summary::Most,
        "min" => Summary::Min,
        "max" => Summary::Max,
        _ => return Err(unknown()),
    };
    let (what, value) = match what.split_once('=') {
        Some((what, value)) if summary == Summary::Count => (what, Some(value.to_owned())),
        Some(_) => return Err(format!("{{{inside}}}: only count takes a value")),
        None => (what, None),
    };
    match what.split_once('.') {
        Some((operator, attribute)) if !operator.is_empty() && !attribute.is_empty() => {
            let (operator, attribute) = (operator.to_owned(), attribute.to_owned());
            Ok(Part::Observed(
                summary,
                Source {
                    operator,
                    attribute,
                    value,
                },
            ))
        }
        _ => Err(format!(
            "{{{inside}}}: write OPERATOR.ATTRIBUTE after the colon"
        )),
    }
}

struct TemplateFold {
    parts: Vec<Part>,
    missing: String,
    longest: MediaTime,
}

/// A value that some placeholder asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    at: MediaTime,
    /// Index of the placeholder in the template.
    part: usize,
    value: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TemplateState {
    /// Segments so far.
    count: u64,
    /// Segments that wait for the watermark, by start, with their numbers.
    waiting: BTreeSet<(Segment, u64)>,
    seen: VecDeque<Seen>,
}

impl Fold for TemplateFold {
    type State = TemplateState;

    fn step(&self, step: &Step<'_>, state: &mut TemplateState, emit: &mut Vec<Emission>) {
        for observation in step.observations {
            self.observe(observation, state);
        }
        for segment in step.segments {
            state.count += 1;
            state.waiting.insert((segment.clone(), state.count));
        }
        let waiting = std::mem::take(&mut state.waiting);
        for (segment, number) in waiting {
            let end = segment.end.unwrap_or(segment.start());
            if step.end_of_event || step.watermark >= end + SETTLE {
                emit.push(Emission::Labelled {
                    segment: segment.start(),
                    label: Some(self.fill(&segment, number, state)),
                    attributes: Attributes::new(),
                });
            } else {
                state.waiting.insert((segment, number));
            }
        }
        // A segment can be as long as that, and its segmenter may have taken as long to be sure.
        let oldest = step.watermark - self.longest.times(2) - SETTLE;
        let oldest = state
            .waiting
            .iter()
            .map(|(segment, _)| segment.start())
            .fold(oldest, Ord::min);
        state.seen.retain(|seen| seen.at >= oldest);
    }
}

impl TemplateFold {
    fn observe(&self, observation: &Observation, state: &mut TemplateState) {
        for (part, placeholder) in self.parts.iter().enumerate() {
            let Part::Observed(_, source) = placeholder else {
                continue;
            };
            if observation.operator != source.operator.as_str() {
                continue;
            }
            let value = observation.attributes.get(source.attribute.as_str());
            if let Some(value) = value.filter(|value| match &source.value {
                Some(wanted) => value.plain_text() == *wanted,
                None => true,
            }) {
                state.seen.push_back(Seen {
                    at: observation.start,
                    part,
                    value: value.clone(),
                });
            }
        }
    }

    fn fill(&self, segment: &Segment, number: u64, state: &TemplateState) -> String {
        let start = segment.start();
        let end = segment.end.unwrap_or(start);
        let mut text = String::new();
        for (index, part) in self.parts.iter().enumerate() {
            let filled = match part {
                Part::Text(fixed) => Some(fixed.clone()),
                Part::Number => Some(number.to_string()),
                Part::Start => Some(start.to_string()),
                Part::End => Some(end.to_string()),
                Part::Duration => Some((end - start).to_string()),
                Part::Clock => Some(clock(start)),
                Part::Attribute(name) => {
                    segment.attributes.get(name.as_str()).map(Value::plain_text)
                }
                Part::Observed(summary, source) => {
                    let inside = state
                        .seen
                        .iter()
                        .filter(|seen| seen.part == index && (start..=end).contains(&seen.at));
                    summarize(*summary, source.value.is_some(), inside.collect())
                }
            };
            text.push_str(filled.as_deref().unwrap_or(&self.missing));
        }
        text
    }
}

fn summarize(summary: Summary, any_value: bool, mut seen: Vec<&Seen>) -> Option<String> {
    // By time; values seen at one time in the order of values, whatever order they came in.
    seen.sort_by(|a, b| (a.at, &a.value).cmp(&(b.at, &b.value)));
    let numbers = || seen.iter().filter_map(|seen| seen.value.as_f64());
    match summary {
        Summary::Count => {
            let counted = seen.iter().filter(|seen| any_value || is_set(&seen.value));
            Some(counted.count().to_string())
        }
        Summary::First => seen.first().map(|seen| seen.value.plain_text()),
        Summary::Last => seen.last().map(|seen| seen.value.plain_text()),
        Summary::Most => {
            let mut counts: BTreeMap<&Value, usize> = BTreeMap::new();
            for seen in &seen {
                *counts.entry(&seen.value).or_default() += 1;
            }
            // The smallest value among equally frequent ones.
            let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
            most.map(|(value, _)| value.plain_text())
        }
        Summary::Min => numbers()
            .min_by(f64::total_cmp)
            .map(|n| Value::from(n).plain_text()),
        Summary::Max => numbers()
            .max_by(f64::total_cmp)
            .map(|n| Value::from(n).plain_text()),
    }
}

fn clock(time: MediaTime) -> String {
    let seconds = time.to_millis().max(0) / 1000;
    format!(
        "{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, fold_of, labels};
    use serde_json::json;

    fn script() -> Script {
        let mut script = Script::new(1000, 60);
        script.segment_with(5000, 12_000, &[("theme", json!("Serve"))]);
        script.segment(20_000, 31_500);
        for (at, level) in [(4000, -10.0), (5000, -20.5), (9000, -12.0), (12_000, -15.0)] {
            script.point(
                "cheers",
                at,
                &[("peak", json!(true)), ("level_db", json!(level))],
            );
        }
        for (at, view) in [
            (5500, "near"),
            (6000, "far"),
            (7000, "far"),
            (11_000, "close_up"),
        ] {
            script.point("view", at, &[("view", json!(view))]);
        }
        script
    }

    fn label(template: &str) -> Vec<String> {
        let mut all = BTreeSet::new();
        for chunk in [1000, 6000, 60_000] {
            let fold = fold_of("label_template", json!({"template": template}));
            let found = labels(&script().chunked(chunk).run(&fold));
            assert_eq!(
                found.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
                [5000, 20_000]
            );
            all.insert(
                found
                    .into_iter()
                    .map(|(_, label)| label)
                    .collect::<Vec<_>>(),
            );
        }
        assert_eq!(all.len(), 1, "chunks make a difference: {all:?}");
        all.pop_first().unwrap()
    }

    #[test]
    fn placeholders_are_filled_in() {
        let times = label("{n}: {start} to {end}, {duration} s, {clock} {{{attr:theme}}}");
        assert_eq!(times[0], "1: 5.000 to 12.000, 7.000 s, 0:00:05 {Serve}");
        assert_eq!(times[1], "2: 20.000 to 31.500, 11.500 s, 0:00:20 {-}");
    }

    #[test]
    fn observations_inside_count_edges_included() {
        let counts = label("{count:cheers.peak} cheers, {count:view.view=far} far");
        assert_eq!(counts, ["3 cheers, 2 far", "0 cheers, 0 far"]);
        let values = label("{first:view.view} {last:view.view} {most:view.view}");
        assert_eq!(values, ["near close_up far", "- - -"]);
        let numbers = label("{min:cheers.level_db}..{max:cheers.level_db}");
        assert_eq!(numbers, ["-20.5..-12", "-..-"]);
    }

    #[test]
    fn wrong_templates_are_explained() {
        for (template, told) in [
            ("{what}", "{what} is not a placeholder"),
            ("{count:cheers}", "write OPERATOR.ATTRIBUTE"),
            ("{min:a.b=1}", "only count takes a value"),
            ("{n", "a { without }"),
            ("n}", "a } without {"),
            ("{attr:}", "is not a placeholder"),
        ] {
            let error = parse(template).unwrap_err();
            assert!(error.contains(told), "{template}: {error}");
        }
    }
}
