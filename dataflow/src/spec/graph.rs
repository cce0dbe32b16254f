//! Wiring: inputs resolved, edges typed, no circles, segments with one segmenter and one writer,
//! features that exist, and a warning for every part whose results go nowhere.

use std::collections::{BTreeMap, BTreeSet};

use matchcut_model::observation::Class;
use matchcut_model::replay::FeatureKey;
use matchcut_model::value::Name;
use matchcut_operators::sdk::{EdgeKind, OptionSpec};
use serde_json::Value as Json;

use super::Input;
use super::diagnostic::{Report, Span};
use super::features::feature;
use super::outside;
use super::owners::{one_segmenter, segment_owners, writers};
use super::parts::{Draft, Inputs, OperatorDraft, Word};
use super::suggest;
use super::tree::Tree;

/// What the words in a draft refer to, by part.
pub(super) struct Wiring {
    pub operators: Vec<Vec<Input>>,
    pub replays: Vec<WiredReplay>,
    pub sinks: Vec<Vec<Input>>,
}

pub(super) struct WiredReplay {
    pub inputs: Vec<Input>,
    pub weights: Vec<(FeatureKey, f64)>,
    pub include: Vec<FeatureKey>,
}

pub(super) fn check(draft: &Draft, report: &mut Report) -> Wiring {
    same_names(draft, report);
    let operators: Vec<Vec<Resolved>> = draft
        .operators
        .iter()
        .map(|o| {
            resolve_all(
                &o.inputs,
                &format!("operator \"{}\"", o.name.text),
                draft,
                report,
            )
        })
        .collect();
    for (operator, inputs) in draft.operators.iter().zip(&operators) {
        operator_edges(operator, inputs, draft, report);
        operator_words(operator, inputs, draft, report);
    }
    circles(draft, &operators, report);
    let owners = segment_owners(draft, &operators);
    writers(draft, &owners, report);

    let mut replays = Vec::new();
    for replay in &draft.replays {
        let owner = format!("replay \"{}\"", replay.name.text);
        let inputs = resolve_all(&replay.inputs, &owner, draft, report);
        kinds(&inputs, &owner, &[EdgeKind::Segments], draft, report);
        at_least_one(&replay.inputs, &owner, "segments", report);
        one_segmenter(&inputs, &owner, &owners, draft, report);
        let mut weights = Vec::new();
        for (word, weight) in &replay.weights {
            if let Some(feature) = feature(word, &owner, draft, report) {
                weights.push((feature, *weight));
            }
        }
        let include = replay
            .include
            .iter()
            .filter_map(|word| feature(word, &owner, draft, report))
            .collect();
        replays.push(WiredReplay {
            inputs: plain(&inputs),
            weights,
            include,
        });
    }
    let mut sinks = Vec::new();
    for sink in &draft.sinks {
        let owner = format!("sink \"{}\"", sink.name.text);
        let inputs = resolve_all(&sink.inputs, &owner, draft, report);
        if let Some(kind) = &sink.kind {
            kinds(&inputs, &owner, &kind.inputs, draft, report);
        }
        at_least_one(&sink.inputs, &owner, "results", report);
        sinks.push(plain(&inputs));
    }
    outside::check(draft, &sinks, report);
    let wiring = Wiring {
        operators: operators.iter().map(|o| plain(o)).collect(),
        replays,
        sinks,
    };
    // What is wired wrongly looks unused; only a spec that is right can be told so.
    if report.has_errors() {
        return wiring;
    }
    unused(draft, &wiring, &owners, report);
    if draft.operators.is_empty() {
        let message = format!("pipeline \"{}\" has no operators", draft.pipeline.name);
        report.warning(draft.pipeline_span, message, None);
    }
    wiring
}

/// An entry of `inputs` with its place; `None` for what nothing is called.
pub(super) struct Resolved {
    pub word: Word,
    pub input: Option<Input>,
}

fn plain(inputs: &[Resolved]) -> Vec<Input> {
    inputs
        .iter()
        .filter_map(|resolved| resolved.input.clone())
        .collect()
}

/// Operators and replays are called by the same kind of name.
fn same_names(draft: &Draft, report: &mut Report) {
    for replay in &draft.replays {
        if draft
            .operators
            .iter()
            .any(|operator| operator.name.text == replay.name.text)
        {
            let message = format!(
                "\"{}\" is the name of an operator and of a replay",
                replay.name.text
            );
            let hint = Some("an input with this name could be either; rename one".to_owned());
            report.error(replay.name.span, message, hint);
        }
    }
}

fn resolve_all(inputs: &Inputs, owner: &str, draft: &Draft, report: &mut Report) -> Vec<Resolved> {
    inputs
        .words
        .iter()
        .map(|word| Resolved {
            input: resolve(word, owner, draft, report),
            word: word.clone(),
        })
        .collect()
}

fn resolve(word: &Word, owner: &str, draft: &Draft, report: &mut Report) -> Option<Input> {
    let text = word.text.as_str();
    let is_operator = |name: &str| draft.operators.iter().any(|o| o.name.text == name);
    let is_source = |name: &str| draft.sources.iter().any(|s| s.name.text == name);
    if is_operator(text) {
        return Some(Input::Operator(text.into()));
    }
    if draft.replays.iter().any(|replay| replay.name.text == text) {
        return Some(Input::Replay(text.into()));
    }
    let message = format!("input \"{text}\" of {owner} does not exist");
    if is_source(text) {
        let message = format!("input \"{text}\" of {owner} is a source as a whole");
        let hint = Some(format!(
            "write \"{text}.video\", \"{text}.audio\" or \"{text}.cues\""
        ));
        report.error(word.span, message, hint);
        return None;
    }
    if let Some((name, view)) = text.split_once('.') {
        if is_source(name) {
            match view {
                "video" => return Some(Input::Video(name.into())),
                "audio" => return Some(Input::Audio(name.into())),
                "cues" => return Some(Input::Cues(name.into())),
                _ => {
                    let hint = suggest::hint(view, "a source has", &["video", "audio", "cues"]);
                    let message = format!("source \"{name}\" has no \"{view}\"");
                    report.error(word.span, message, hint);
                    return None;
                }
            }
        }
        if is_operator(name) {
            let hint = Some(format!("an operator is named as a whole: \"{name}\""));
            report.error(word.span, message, hint);
            return None;
        }
    }
    let names = input_names(draft);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    report.no_such(word.span, message, suggest::hint(text, "there are", &names));
    None
}

fn input_names(draft: &Draft) -> Vec<String> {
    let sources = draft.sources.iter().flat_map(|source| {
        ["video", "audio", "cues"].map(|view| format!("{}.{view}", source.name.text))
    });
    let operators = draft
        .operators
        .iter()
        .map(|operator| operator.name.text.clone());
    let replays = draft.replays.iter().map(|replay| replay.name.text.clone());
    sources.chain(operators).chain(replays).collect()
}

pub(super) fn operator_of<'a>(draft: &'a Draft, name: &str) -> Option<(usize, &'a OperatorDraft)> {
    draft
        .operators
        .iter()
        .enumerate()
        .find(|(_, operator)| operator.name.text == name)
}

pub(super) fn class_of(operator: &OperatorDraft) -> Option<Class> {
    operator
        .description
        .as_ref()
        .map(|description| description.class)
}

/// What an input carries; `None` when its type is not known.
fn kind_of(input: &Input, draft: &Draft) -> Option<EdgeKind> {
    match input {
        Input::Video(_) => Some(EdgeKind::Video),
        Input::Audio(_) => Some(EdgeKind::Audio),
        Input::Cues(_) => Some(EdgeKind::Cues),
        Input::Replay(_) => Some(EdgeKind::Replays),
        Input::Operator(name) => {
            let (_, operator) = operator_of(draft, name)?;
            Some(match class_of(operator)? {
                Class::Featurer => EdgeKind::Observations,
                Class::Segmenter | Class::Optimizer | Class::Labeler => EdgeKind::Segments,
            })
        }
    }
}

fn kinds(inputs: &[Resolved], owner: &str, taken: &[EdgeKind], draft: &Draft, report: &mut Report) {
    for Resolved { word, input } in inputs {
        if let Some(kind) = input.as_ref().and_then(|input| kind_of(input, draft))
            && !taken.contains(&kind)
        {
            report.error(word.span, wrong_kind(&word.text, owner, taken, kind), None);
        }
    }
}

fn wrong_kind(text: &str, owner: &str, taken: &[EdgeKind], kind: EdgeKind) -> String {
    let verb = if matches!(kind, EdgeKind::Video | EdgeKind::Audio | EdgeKind::Cues) {
        "is"
    } else {
        "gives"
    };
    let taken: Vec<String> = taken.iter().map(ToString::to_string).collect();
    let expected = match taken.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    };
    format!("input \"{text}\" of {owner}: {expected} expected, \"{text}\" {verb} {kind}")
}

fn at_least_one(inputs: &Inputs, owner: &str, what: &str, report: &mut Report) {
    if let (true, Some(key)) = (inputs.words.is_empty() && inputs.whole, inputs.key) {
        report.error(key, format!("{owner} has no inputs; {what} expected"), None);
    }
}

/// The inputs of an operator against the rules of its type.
fn operator_edges(
    operator: &OperatorDraft,
    inputs: &[Resolved],
    draft: &Draft,
    report: &mut Report,
) {
    let Some(description) = &operator.description else {
        return;
    };
    let owner = format!("operator \"{}\"", operator.name.text);
    let taken: Vec<EdgeKind> = description.inputs.iter().map(|rule| rule.kind).collect();
    let mut counts: BTreeMap<EdgeKind, usize> = BTreeMap::new();
    // Too few inputs are only said when none of those that are there is in doubt.
    let mut certain = operator.inputs.whole;
    for (at, Resolved { word, input }) in inputs.iter().enumerate() {
        if inputs[..at]
            .iter()
            .any(|earlier| earlier.word.text == word.text)
        {
            continue;
        }
        let kind = input.as_ref().and_then(|input| kind_of(input, draft));
        let Some(kind) = kind else {
            certain = false;
            continue;
        };
        let Some(rule) = description.inputs.iter().find(|rule| rule.kind == kind) else {
            report.error(
                word.span,
                wrong_kind(&word.text, &owner, &taken, kind),
                None,
            );
            certain = false;
            continue;
        };
        let count = counts.entry(kind).or_default();
        *count += 1;
        if let Some(max) = rule.max
            && *count > max
        {
            let text = &word.text;
            let message =
                format!("{owner} takes {max} input of {kind}, \"{text}\" is one too many");
            report.error(word.span, message, None);
        }
    }
    for rule in description.inputs.iter().filter(|_| certain) {
        let count = counts.get(&rule.kind).copied().unwrap_or_default();
        if count < rule.min {
            let at = operator.inputs.key.unwrap_or(operator.name.span);
            let message = match rule.min {
                1 => format!("{owner} needs an input of {}", rule.kind),
                min => format!(
                    "{owner} needs {min} inputs of {}, it has {count}",
                    rule.kind
                ),
            };
            report.error(
                at,
                message,
                input_hint(rule.kind, &operator.name.text, draft),
            );
        }
    }
}

/// What there is of a kind, if it is little.
fn input_hint(kind: EdgeKind, own: &str, draft: &Draft) -> Option<String> {
    let names: Vec<String> = match kind {
        EdgeKind::Video | EdgeKind::Audio | EdgeKind::Cues => draft
            .sources
            .iter()
            .map(|source| format!("{}.{kind}", source.name.text))
            .collect(),
        _ => draft
            .operators
            .iter()
            .filter(|o| o.name.text != own)
            .filter(|o| kind_of(&Input::Operator(o.name.text.as_str().into()), draft) == Some(kind))
            .map(|o| o.name.text.clone())
            .collect(),
    };
    (!names.is_empty() && names.len() <= 8)
        .then(|| format!("the spec has {}", suggest::list(&names)))
}

/// Options that name inputs (`"x-names": "inputs"` in the schema: the keys of a table, or texts)
/// or an attribute that an input must emit (`"x-names": "attributes"`).
fn operator_words(
    operator: &OperatorDraft,
    inputs: &[Resolved],
    draft: &Draft,
    report: &mut Report,
) {
    let Some(description) = &operator.description else {
        return;
    };
    if !operator.inputs.whole || inputs.iter().any(|resolved| resolved.input.is_none()) {
        return;
    }
    for option in description
        .options
        .iter()
        .filter(|option| !names_of(option).is_empty())
    {
        let Some(entry) = operator.table.get(&option.name) else {
            // A default can be as wrong as what is written.
            if let ("attributes", Some(word)) = (names_of(option), option.default.as_str())
                && let Some(known) = attributes_of_inputs(inputs, draft)
                && !known.contains(&word)
            {
                let message = format!(
                    "\"{}\" of operator \"{}\" is \"{word}\" when left out, and no input has that \
                     attribute",
                    option.name, operator.name.text
                );
                let hint = suggest::hint("", "they have", &known);
                report.error(operator.name.span, message, hint);
            }
            continue;
        };
        let words: Vec<(&str, Span)> = match &entry.node.value {
            Tree::Text(text) => vec![(text, entry.node.span)],
            Tree::Table(table) => table
                .0
                .iter()
                .map(|e| (e.key.as_str(), e.key_span))
                .collect(),
            Tree::Array(items) => items
                .iter()
                .filter_map(|item| match &item.value {
                    Tree::Text(text) => Some((text.as_str(), item.span)),
                    _ => None,
                })
                .collect(),
            _ => continue,
        };
        let is_text = matches!(entry.node.value, Tree::Text(_));
        let owner = format!("\"{}\" of operator \"{}\"", option.name, operator.name.text);
        match names_of(option) {
            // A text here is a choice of the type's own ("safe"), not a name.
            "inputs" if !is_text => {
                let known: Vec<&str> = inputs.iter().map(|r| r.word.text.as_str()).collect();
                for (word, span) in words.into_iter().filter(|(word, _)| !known.contains(word)) {
                    let message = format!("{owner}: \"{word}\" is no input of it");
                    report.no_such(span, message, suggest::hint(word, "its inputs are", &known));
                }
            }
            "attributes" => {
                let Some(known) = attributes_of_inputs(inputs, draft) else {
                    continue;
                };
                for (word, span) in words.into_iter().filter(|(word, _)| !known.contains(word)) {
                    let message = format!("{owner}: no input has an attribute \"{word}\"");
                    report.no_such(span, message, suggest::hint(word, "they have", &known));
                }
            }
            _ => {}
        }
    }
}

fn names_of(option: &OptionSpec) -> &str {
    option
        .schema
        .get("x-names")
        .and_then(Json::as_str)
        .unwrap_or_default()
}

/// What the featurers among the inputs emit; `None` when one of them emits anything.
fn attributes_of_inputs(inputs: &[Resolved], draft: &Draft) -> Option<Vec<&'static str>> {
    let mut names = Vec::new();
    for resolved in inputs {
        if let Some(Input::Operator(name)) = &resolved.input {
            let (_, operator) = operator_of(draft, name)?;
            let description = operator.description.as_ref()?;
            if description.class == Class::Featurer {
                names.extend(
                    description
                        .attributes
                        .iter()
                        .map(|attribute| attribute.name),
                );
            }
        }
    }
    (!names.contains(&"*")).then_some(names)
}

/// Operators that wait for each other.
fn circles(draft: &Draft, inputs: &[Vec<Resolved>], report: &mut Report) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; inputs.len()];
    for start in 0..inputs.len() {
        if marks[start] != Mark::New {
            continue;
        }
        // An own stack: a spec may chain more operators than the call stack holds.
        let mut stack = vec![(start, 0)];
        marks[start] = Mark::Open;
        while let Some((at, next)) = stack.last_mut() {
            let at = *at;
            let Some(resolved) = inputs[at].get(*next) else {
                marks[at] = Mark::Done;
                stack.pop();
                continue;
            };
            *next += 1;
            let Some(Input::Operator(name)) = &resolved.input else {
                continue;
            };
            let Some((to, _)) = operator_of(draft, name) else {
                continue;
            };
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::Open;
                    stack.push((to, 0));
                }
                Mark::Open => {
                    let from = stack.iter().position(|(op, _)| *op == to).unwrap_or(0);
                    let mut names: Vec<&str> = stack[from..]
                        .iter()
                        .map(|(op, _)| draft.operators[*op].name.text.as_str())
                        .collect();
                    names.push(&draft.operators[to].name.text);
                    // Each takes from the next; read the other way round it is the flow.
                    names.reverse();
                    let flow = names.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>();
                    let message = format!("operators in a circle: {}", flow.join(" -> "));
                    report.error(resolved.word.span, message, None);
                }
                Mark::Done => {}
            }
        }
    }
}

/// Warns of parts whose results go nowhere. Without sinks, replays and segments are the results,
/// and where there are none of either, whatever operators say.
fn unused(draft: &Draft, wiring: &Wiring, owners: &[BTreeSet<usize>], report: &mut Report) {
    let mut operators: BTreeSet<usize> = BTreeSet::new();
    let mut replays: BTreeSet<usize> = BTreeSet::new();
    let mut sources: BTreeSet<Name> = BTreeSet::new();
    let mut todo: Vec<Input> = Vec::new();
    let replay_input = |at: usize| Input::Replay(draft.replays[at].name.text.as_str().into());
    let operator_input = |at: usize| Input::Operator(draft.operators[at].name.text.as_str().into());
    if draft.sinks.is_empty() {
        let gives_segments = |at: &usize| {
            class_of(&draft.operators[*at]).is_none_or(|class| class != Class::Featurer)
        };
        let all = 0..draft.operators.len();
        let mut results: Vec<usize> = all.clone().filter(gives_segments).collect();
        if results.is_empty() && draft.replays.is_empty() {
            results = all.collect();
        }
        todo.extend(results.into_iter().map(operator_input));
        todo.extend((0..draft.replays.len()).map(replay_input));
    } else {
        todo.extend(wiring.sinks.iter().flatten().cloned());
    }
    while let Some(input) = todo.pop() {
        match input {
            Input::Video(name) | Input::Audio(name) | Input::Cues(name) => {
                sources.insert(name);
            }
            Input::Replay(name) => {
                let found = draft
                    .replays
                    .iter()
                    .position(|r| r.name.text == name.as_str());
                if let Some(at) = found.filter(|at| replays.insert(*at)) {
                    let replay = &wiring.replays[at];
                    todo.extend(replay.inputs.iter().cloned());
                    let features = replay.weights.iter().map(|(f, _)| f).chain(&replay.include);
                    todo.extend(
                        features
                            .filter_map(|f| f.operator.clone())
                            .map(Input::Operator),
                    );
                }
            }
            Input::Operator(name) => {
                let found = operator_of(draft, &name).map(|(at, _)| at);
                if let Some(at) = found.filter(|at| operators.insert(*at)) {
                    todo.extend(wiring.operators[at].iter().cloned());
                    // Whoever takes a segment takes what is done to it.
                    let updates = (0..owners.len())
                        .filter(|other| !owners[*other].is_disjoint(&owners[at]))
                        .map(operator_input);
                    todo.extend(updates);
                }
            }
        }
    }
    let mut warn = |kind: &str, name: &Word| {
        let message = format!("{kind} \"{}\" is not used", name.text);
        let hint = Some("nothing that leads to a result takes it".to_owned());
        report.warning(name.span, message, hint);
    };
    for source in draft
        .sources
        .iter()
        .filter(|s| !sources.contains(s.name.text.as_str()))
    {
        warn("source", &source.name);
    }
    for (_, operator) in draft
        .operators
        .iter()
        .enumerate()
        .filter(|(at, _)| !operators.contains(at))
    {
        warn("operator", &operator.name);
    }
    for (_, replay) in draft
        .replays
        .iter()
        .enumerate()
        .filter(|(at, _)| !replays.contains(at))
    {
        warn("replay", &replay.name);
    }
}
