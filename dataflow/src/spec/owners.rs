//! Whose segments an operator carries: a segmenter makes them, optimizers and labelers update them. Two
//! that write the same part of one segment, or a replay of several segmenters, are errors of the spec.

use std::collections::{BTreeMap, BTreeSet};

use matchcut_model::observation::Class;

use super::Input;
use super::diagnostic::Report;
use super::graph::{Resolved, class_of, operator_of};
use super::parts::Draft;
use super::suggest;

/// For every operator, the segmenters whose segments it carries: itself, or what it updates.
pub(super) fn segment_owners(draft: &Draft, inputs: &[Vec<Resolved>]) -> Vec<BTreeSet<usize>> {
    let mut owners: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); inputs.len()];
    for (at, operator) in draft.operators.iter().enumerate() {
        if class_of(operator) == Some(Class::Segmenter) {
            owners[at].insert(at);
        }
    }
    // As many rounds as the longest chain; circles end because sets only grow.
    loop {
        let mut changed = false;
        for (at, operator) in draft.operators.iter().enumerate() {
            if !matches!(class_of(operator), Some(Class::Optimizer | Class::Labeler)) {
                continue;
            }
            for resolved in &inputs[at] {
                if let Some(Input::Operator(name)) = &resolved.input
                    && let Some((from, _)) = operator_of(draft, name)
                {
                    let more: Vec<usize> = owners[from].difference(&owners[at]).copied().collect();
                    changed |= !more.is_empty();
                    owners[at].extend(more);
                }
            }
        }
        if !changed {
            return owners;
        }
    }
}

/// One segment has one segmenter, one optimizer and one labeler.
pub(super) fn writers(draft: &Draft, owners: &[BTreeSet<usize>], report: &mut Report) {
    let mut written: BTreeMap<(usize, Class), usize> = BTreeMap::new();
    for (at, operator) in draft.operators.iter().enumerate() {
        let Some(class @ (Class::Optimizer | Class::Labeler)) = class_of(operator) else {
            continue;
        };
        let name = &operator.name;
        if owners[at].len() > 1 {
            let segmenters: Vec<&str> = owners[at]
                .iter()
                .map(|s| draft.operators[*s].name.text.as_str())
                .collect();
            let message = format!(
                "{class} \"{}\" gets the segments of {}; it can update those of one",
                name.text,
                suggest::list(&segmenters)
            );
            report.error(operator.inputs.key.unwrap_or(name.span), message, None);
            continue;
        }
        for segmenter in &owners[at] {
            if let Some(first) = written.insert((*segmenter, class), at) {
                let what = if class == Class::Optimizer {
                    "marks"
                } else {
                    "label"
                };
                let message = format!(
                    "operators \"{}\" and \"{}\" both write the {what} of segments of \"{}\"",
                    draft.operators[first].name.text,
                    name.text,
                    draft.operators[*segmenter].name.text
                );
                let hint =
                    format!("a segmenter has at most one {class}; give the other one its own");
                report.error(name.span, message, Some(hint));
            }
        }
    }
}

/// A replay chooses from one segmenter's segments; `rally` and `trim` are the same ones when `trim`
/// updates those of `rally`.
pub(super) fn one_segmenter(
    inputs: &[Resolved],
    owner: &str,
    owners: &[BTreeSet<usize>],
    draft: &Draft,
    report: &mut Report,
) {
    let mut first: Option<(usize, &str)> = None;
    for Resolved { word, input } in inputs {
        let Some(Input::Operator(name)) = input else {
            continue;
        };
        let Some((at, _)) = operator_of(draft, name) else {
            continue;
        };
        for segmenter in &owners[at] {
            let Some((first_segmenter, earlier)) = first else {
                first = Some((*segmenter, &word.text));
                continue;
            };
            if earlier == word.text {
                continue;
            }
            let message = match first_segmenter == *segmenter {
                true => format!(
                    "inputs \"{earlier}\" and \"{}\" of {owner} are the same segments, of \"{}\"",
                    word.text, draft.operators[*segmenter].name.text
                ),
                false => format!(
                    "inputs \"{earlier}\" and \"{}\" of {owner} are segments of two segmenters",
                    word.text
                ),
            };
            let hint = "a replay chooses from the segments of one; name one input".to_owned();
            report.error(word.span, message, Some(hint));
        }
    }
}
