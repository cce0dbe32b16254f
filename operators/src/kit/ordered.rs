//! The ordered part: along the event, twice at every step, and then back from snapshot to snapshot.

use matchcut_model::chunk::Position;
use matchcut_model::observation::{Class, Observation};
use matchcut_model::segment::Segment;
use matchcut_model::time::MediaTime;

use super::event::Event;
use super::scans::Line;
use super::{Finding, Rule};
use crate::declared;
use crate::sdk::{Description, Emission, FoldBox, FoldState, Step};

/// A step that was taken.
struct Taken {
    number: usize,
    before: FoldState,
    emitted: Vec<Emission>,
    tail: Vec<Emission>,
    after: FoldState,
}

pub(super) fn fold(
    event: &Event,
    line: &Line,
    fold: &FoldBox,
    description: &Description,
    findings: &mut Vec<Finding>,
) {
    let mut find = |rule, message| findings.push(Finding { rule, message });
    let mut taken: Vec<Taken> = Vec::new();
    let mut state = fold.initial();
    for number in 0..=event.chunks.len() {
        let first = take(event, line, fold, number, &state);
        let again = take(event, line, fold, number, &state);
        for emission in &first.emitted {
            check(emission, false, number, description, &mut find);
        }
        for emission in &first.tail {
            check(emission, true, number, description, &mut find);
        }
        if first.emitted != again.emitted || first.after != again.after || first.tail != again.tail
        {
            let message = format!("step {number} gives something else when it is taken again");
            find(Rule::Deterministic, message);
        }
        state = first.after.clone();
        taken.push(first);
    }
    for first in taken.iter().rev() {
        let again = take(event, line, fold, first.number, &first.before);
        if first.emitted != again.emitted || first.after != again.after || first.tail != again.tail
        {
            let number = first.number;
            let message = format!(
                "step {number} gives something else when it is taken from its snapshot after later ones"
            );
            find(Rule::Restores, message);
        }
    }
}

fn take(event: &Event, line: &Line, fold: &FoldBox, number: usize, before: &FoldState) -> Taken {
    let chunk = event.chunks.get(number);
    let observations: Vec<Observation> = chunk.map(|c| event.observations(c)).unwrap_or_default();
    let segments: Vec<Segment> = chunk.map(|c| event.segments(c)).unwrap_or_default();
    let position = Position(number as u64);
    let step = Step {
        position,
        extent: chunk,
        watermark: chunk.map_or(event.end(), |chunk| chunk.span.end),
        end_of_event: chunk.is_none(),
        track: line.track,
        signature: line.signatures.get(&position).map(Vec::as_slice),
        observations: &observations,
        segments: &segments,
    };
    let mut after = before.clone();
    let (mut emitted, mut tail) = (Vec::new(), Vec::new());
    fold.step(&step, &mut after, &mut emitted);
    if !step.end_of_event {
        fold.tail(&after, &mut tail);
    }
    Taken {
        number,
        before: before.clone(),
        emitted,
        tail,
        after,
    }
}

fn check(
    emission: &Emission,
    open: bool,
    number: usize,
    description: &Description,
    find: &mut impl FnMut(Rule, String),
) {
    let ordered = |start: MediaTime, end: MediaTime| start <= end;
    let (class, in_order, attributes) = match emission {
        Emission::Observation {
            start,
            end,
            attributes,
        } => (Class::Featurer, ordered(*start, *end), attributes),
        Emission::Segment {
            start,
            end,
            attributes,
        } => {
            let good = end.map_or(open, |end| *start < end);
            (Class::Segmenter, good, attributes)
        }
        Emission::Optimized {
            marks, attributes, ..
        } => (
            Class::Optimizer,
            ordered(marks.start, marks.end),
            attributes,
        ),
        Emission::Labelled { attributes, .. } => (Class::Labeler, true, attributes),
        Emission::Failure { message } => {
            find(Rule::Answers, format!("step {number}: {message}"));
            return;
        }
    };
    if class != description.class {
        let own = description.class;
        find(
            Rule::Class,
            format!("step {number}: a {own} says what a {class} says"),
        );
    } else if !in_order {
        find(
            Rule::Class,
            format!("step {number}: not complete, or not in order: {emission:?}"),
        );
    }
    if let Err(message) = declared::check(attributes, &description.attributes) {
        find(Rule::Declared, format!("step {number}: {message}"));
    }
}
