//! `segment_by_sequence`: a clip begins and ends where an attribute runs through a given sequence
//! of values, such as a view that changes from near to far and back.

use std::collections::VecDeque;

use matchcut_model::observation::{Class, Observation};
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, longest};
use crate::sdk::{
    Description, EdgeKind, Emission, Fold, FoldBox, InputRule, Operator, OperatorType, OptionError,
    Options, SETTLE, Step, options_of, parse_options, text_duration,
};

/// Options of `segment_by_sequence`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SequenceOptions {
    /// The attribute whose values are looked at.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: String,
    /// Sequences of values that begin a clip, any of them: at the first sample of the last value,
    /// less `padding`.
    start: Vec<Vec<String>>,
    /// Sequences that end it, any of them: at the last sample of the first value, plus `padding`
    /// (a sequence of one value ends it where that value begins).
    end: Vec<Vec<String>>,
    /// Room on both sides of a clip, inside the event and free of the clip before.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    padding: MediaTime,
    /// A new value counts only when it stays for so many samples; shorter ones are passed over.
    hold: u32,
    /// A clip is closed when it gets longer than this. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        let pairs = |pairs: [[&str; 2]; 2]| pairs.map(|p| p.map(str::to_owned).to_vec()).to_vec();
        SequenceOptions {
            attribute: "view".to_owned(),
            start: pairs([["near", "far"], ["close_up", "far"]]),
            end: pairs([["far", "near"], ["far", "close_up"]]),
            padding: MediaTime::from_seconds(1),
            hold: 1,
            max_segment: None,
        }
    }
}

/// The operator type `segment_by_sequence`.
pub(crate) struct SegmentBySequence;

impl OperatorType for SegmentBySequence {
    fn describe(&self) -> Description {
        Description {
            name: "segment_by_sequence",
            class: Class::Segmenter,
            summary: "A clip from one sequence of attribute values to another.",
            inputs: vec![InputRule::some(EdgeKind::Observations)],
            attributes: Vec::new(),
            options: options_of::<SequenceOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: SequenceOptions = parse_options(options)?;
        let mut errors = Vec::new();
        for (name, patterns) in [("start", &options.start), ("end", &options.end)] {
            if patterns.is_empty() || patterns.iter().any(Vec::is_empty) {
                let message = "needs at least one sequence of at least one value, for example \
                    [[\"near\", \"far\"]]";
                errors.push(OptionError::new(name, message));
            }
            for pattern in patterns {
                if let Some(twice) = pattern.windows(2).find(|pair| pair[0] == pair[1]) {
                    let message = format!(
                        "\"{}\" stands twice in a row and can never match: a value that stays \
                         counts once",
                        twice[0]
                    );
                    errors.push(OptionError::new(name, message));
                }
            }
        }
        if options.hold == 0 {
            errors.push(OptionError::new("hold", "at least 1 sample"));
        }
        let longest = longest(options.max_segment).map_err(|error| errors.push(error));
        match longest {
            Ok(longest) if errors.is_empty() => Ok(Operator::Fold(FoldBox::new(SequenceFold {
                options,
                longest,
            }))),
            _ => Err(errors),
        }
    }
}

struct SequenceFold {
    options: SequenceOptions,
    longest: MediaTime,
}

/// Samples of one value in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    value: String,
    first: MediaTime,
    last: MediaTime,
    samples: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SequenceState {
    line: Line,
    /// The last runs, as many as a sequence can need; the last one goes on.
    runs: VecDeque<Run>,
    /// A value that has not stayed long enough yet.
    candidate: Option<Run>,
    /// Time of the last sample.
    seen: Option<MediaTime>,
    /// Mark-in of the open clip.
    open: Option<MediaTime>,
}

impl Fold for SequenceFold {
    type State = SequenceState;

    fn step(&self, step: &Step<'_>, state: &mut SequenceState, emit: &mut Vec<Emission>) {
        state.line.see(step);
        for observation in step.observations {
            self.sample(observation, state);
        }
        if let Some(start) = state.open {
            if state.line.reach() >= start + self.longest + SETTLE {
                self.close(start + self.longest, state);
            } else if step.end_of_event {
                self.close(state.line.reach().min(start + self.longest), state);
            }
        }
        state.line.flush(step, emit);
    }

    fn tail(&self, state: &SequenceState, emit: &mut Vec<Emission>) {
        state.line.tail(state.open, emit);
    }
}

impl SequenceFold {
    fn sample(&self, observation: &Observation, state: &mut SequenceState) {
        let Some(value) = observation.attributes.get(self.options.attribute.as_str()) else {
            return;
        };
        let value = value.plain_text();
        let at = observation.start;
        if state.seen.is_some_and(|seen| at < seen) {
            return;
        }
        state.seen = Some(at);
        if let Some(start) = state.open.filter(|start| at > *start + self.longest) {
            self.close(start + self.longest, state);
        }
        let sample = |value| Run {
            value,
            first: at,
            last: observation.end.max(at),
            samples: 1,
        };
        match state.runs.back_mut() {
            Some(run) if run.value == value => {
                run.last = run.last.max(observation.end.max(at));
                state.candidate = None;
            }
            _ => {
                let run = match state.candidate.take() {
                    Some(run) if run.value == value => Run {
                        last: run.last.max(observation.end.max(at)),
                        samples: run.samples.saturating_add(1),
                        ..run
                    },
                    _ => sample(value),
                };
                if run.samples >= self.options.hold {
                    state.runs.push_back(run);
                    self.turn(state);
                } else {
                    state.candidate = Some(run);
                }
            }
        }
    }

    /// A new run has begun: does it complete a sequence?
    fn turn(&self, state: &mut SequenceState) {
        if let Some(start) = state.open
            && let Some(pattern) = matching(&self.options.end, &state.runs)
        {
            let first = &state.runs[state.runs.len() - pattern.len()];
            let end = if pattern.len() == 1 {
                first.first
            } else {
                first.last
            };
            self.close(
                (end + self.options.padding).min(start + self.longest),
                state,
            );
        }
        if state.open.is_none() && matching(&self.options.start, &state.runs).is_some() {
            let start = state.runs.back().map_or(MediaTime::ZERO, |run| run.first);
            state.open = Some(state.line.clamp(start - self.options.padding));
            keep_last(&mut state.runs, 1);
        }
        let patterns = self.options.start.iter().chain(&self.options.end);
        keep_last(&mut state.runs, patterns.map(Vec::len).max().unwrap_or(1));
    }

    /// Closes the open clip. What comes next begins with the run that goes on.
    fn close(&self, end: MediaTime, state: &mut SequenceState) {
        if let Some(start) = state.open.take() {
            state.line.mark(start, end);
            keep_last(&mut state.runs, 1);
        }
    }
}

fn keep_last(runs: &mut VecDeque<Run>, count: usize) {
    while runs.len() > count {
        runs.pop_front();
    }
}

/// The first of the sequences that the last runs complete.
fn matching<'a>(patterns: &'a [Vec<String>], runs: &VecDeque<Run>) -> Option<&'a Vec<String>> {
    patterns.iter().find(|pattern| {
        runs.len() >= pattern.len()
            && runs
                .iter()
                .rev()
                .zip(pattern.iter().rev())
                .all(|(run, value)| run.value == *value)
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{Script, fold_of, millis, segments};
    use serde_json::json;

    /// One sample a second: `n` near, `f` far, `c` close up.
    fn script(views: &str) -> Script {
        let mut script = Script::new(1000, views.len() as i64);
        for (second, view) in views.chars().enumerate() {
            let view = match view {
                'n' => "near",
                'f' => "far",
                _ => "close_up",
            };
            script.point("view", second as i64 * 1000, &[("view", json!(view))]);
        }
        script
    }

    fn run(options: serde_json::Value, views: &str) -> Vec<(i64, Option<i64>)> {
        segments(&script(views).run(&fold_of("segment_by_sequence", options)))
    }

    #[test]
    fn the_marks_are_those_of_the_samples() {
        // MRE gives {3.0, 8.0} here: its run builder is one sample late.
        assert_eq!(run(json!({}), "nnnffffnnn"), [(2000, Some(7000))]);
    }

    #[test]
    fn an_open_clip_is_partial_until_the_event_ends() {
        // MRE gives {Start 3.0} and never closes it.
        let fold = fold_of("segment_by_sequence", json!({}));
        let script = script("nnnffff");
        assert_eq!(segments(&script.tail(&fold)), [(2000, None)]);
        assert_eq!(segments(&script.run(&fold)), [(2000, Some(7000))]);
    }

    #[test]
    fn a_clip_goes_on_over_chunks() {
        // MRE with state Start at 2.0 and then far x 4, near x 3 from 0: {2.0, 5.0}, which mixes
        // two time bases in the vector; with the far samples at 3 to 6 it ends at 7.
        let fold = fold_of("segment_by_sequence", json!({}));
        for chunk in [1, 2, 3, 5] {
            let script = script("nnnffffnnn").chunked(chunk * 1000);
            assert_eq!(
                segments(&script.run(&fold)),
                [(2000, Some(7000))],
                "chunks of {chunk} s"
            );
        }
    }

    #[test]
    fn alternatives_do_not_hide_the_next_clip() {
        // MRE finds only {2.0, 5.0} with two end alternatives, {2.0, 5.0} and {6.0, 9.0} with one.
        let both = [(1000, Some(4000)), (5000, Some(8000))];
        assert_eq!(run(json!({}), "nnffnnffnn"), both);
        assert_eq!(run(json!({"end": [["far", "near"]]}), "nnffnnffnn"), both);
    }

    #[test]
    fn padding_stays_inside_the_event_and_off_the_clip_before() {
        // 4 s of padding reach before the event, over the near run and past the end.
        let options = json!({"padding": "4s"});
        assert_eq!(
            run(options, "nnffnnffnn"),
            [(0, Some(7000)), (7000, Some(10_000))]
        );
    }

    #[test]
    fn a_view_must_hold() {
        let options = json!({"hold": 2, "padding": 0});
        // The single close-up at 4 s and the single near at 6 s are passed over.
        assert_eq!(run(options, "nnffcfnffnnn"), [(2000, Some(8000))]);
        let options = json!({"padding": 0});
        assert_eq!(
            run(options, "nnfffcfffnn"),
            [(2000, Some(4000)), (6000, Some(8000))]
        );
    }

    #[test]
    fn a_clip_is_closed_at_its_greatest_length() {
        let options = json!({"max_segment": "3s", "padding": 0});
        for chunk in [1, 2, 7, 20] {
            let fold = fold_of("segment_by_sequence", options.clone());
            let script = script("nnffffffffnnffnn").chunked(chunk * 1000);
            let expected = [(2000, Some(5000)), (12_000, Some(13_000))];
            assert_eq!(
                segments(&script.run(&fold)),
                expected,
                "chunks of {chunk} s"
            );
        }
    }

    #[test]
    fn one_value_is_a_sequence_too() {
        let options = json!({"start": [["far"]], "end": [["near"]], "padding": 0});
        assert_eq!(
            run(options, "ffcfnnffn"),
            [(0, Some(4000)), (6000, Some(8000))]
        );
    }

    #[test]
    fn ranges_count_to_their_end() {
        let mut script = Script::new(1000, 30);
        for (from, to, view) in [(0, 10, "near"), (10, 20, "far"), (20, 30, "near")] {
            script.range("view", from * 1000, to * 1000, &[("view", json!(view))]);
        }
        let fold = fold_of("segment_by_sequence", json!({}));
        assert_eq!(segments(&script.run(&fold)), [(9000, Some(21_000))]);
        assert_eq!(millis(script.end()), 30_000);
    }

    #[test]
    fn wrong_sequences_are_named() {
        let options = json!({"start": [["far", "far"]], "end": [], "hold": 0});
        let kind = crate::registry::find("segment_by_sequence").unwrap();
        let errors = kind.build(options.as_object().unwrap()).err().unwrap();
        let named: Vec<_> = errors.iter().filter_map(|e| e.option.as_deref()).collect();
        assert_eq!(named, ["start", "end", "hold"]);
    }
}
