//! `label_by_prompt`: the label of a segment from a language model, which is shown what was observed
//! inside. Each segment is asked about once, when all of it is known.

use std::sync::Arc;

use matchcut_model::observation::Class;
use matchcut_model::time::{MediaTime, TimeRange};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::shape::Shape;
use super::transcript::{Line, shown, text_of};
use super::{Asks, fill, names, options_with_endpoint, read};
use crate::sdk::{
    Answer, Caller, Description, EdgeKind, Emission, FoldBox, InputRule, MAX_SEGMENT, Operator,
    OperatorType, OptionError, Options, SETTLE, Step, text_duration,
};

const PROMPT: &str = "\
Below is what was observed in a piece of a programme, each line with its time in seconds. Name the piece in at most \
eight words, as an editor would.

{observed}";

/// Options of `label_by_prompt`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LabelOptions {
    /// The question. {observed} is what the inputs observed inside, {start} and {end} are the marks.
    prompt: String,
    /// Which attribute of the inputs is shown; all of them when left out.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: Option<String>,
    /// More that is asked besides the label: names with "text", "number", "boolean" or a list of words to
    /// choose from.
    answer: Shape,
    /// Segments can be this long. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
    /// At most so many bytes of observations are shown; the oldest are left out first.
    max_observed: usize,
}

impl Default for LabelOptions {
    fn default() -> Self {
        LabelOptions {
            prompt: PROMPT.to_owned(),
            attribute: None,
            answer: Shape::default(),
            max_segment: None,
            max_observed: 20_000,
        }
    }
}

/// The operator type `label_by_prompt`.
pub(crate) struct LabelByPrompt;

impl OperatorType for LabelByPrompt {
    fn describe(&self) -> Description {
        Description {
            name: "label_by_prompt",
            class: Class::Labeler,
            summary: "A label from a language model, which is shown what was observed in the segment.",
            inputs: vec![
                InputRule::one(EdgeKind::Segments),
                InputRule::some(EdgeKind::Observations),
            ],
            attributes: Vec::new(),
            options: options_with_endpoint::<LabelOptions>(),
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        let (own, _) = read::<LabelOptions>(options, &mut Vec::new());
        Description {
            attributes: own.answer.attributes(),
            ..self.describe()
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let mut errors = Vec::new();
        let (options, endpoint) = read::<LabelOptions>(options, &mut errors);
        errors.extend(options.answer.check(&["label"]));
        if let Err(message) = names(&options.prompt, "observed") {
            errors.push(OptionError::new("prompt", message));
        }
        match endpoint {
            Some(endpoint) if errors.is_empty() => {
                let longest = options.max_segment.unwrap_or(MAX_SEGMENT);
                Ok(Operator::Fold(FoldBox::calling(Labels {
                    options,
                    longest,
                    asks: Arc::new(endpoint),
                })))
            }
            _ => Err(errors),
        }
    }
}

struct Labels {
    options: LabelOptions,
    longest: MediaTime,
    asks: Arc<dyn Asks>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    waiting: Vec<TimeRange>,
    lines: Vec<Line>,
}

impl Caller for Labels {
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        let text = |error: serde_json::Error| error.to_string();
        let mut state: State = match state {
            [] => State::default(),
            bytes => serde_json::from_slice(bytes).map_err(text)?,
        };
        let lines =
            step.observations
                .iter()
                .filter_map(|observation| match &self.options.attribute {
                    Some(attribute) => Line::of(observation, attribute),
                    None => Some(Line::of_everything(observation)),
                });
        state.lines.extend(lines);
        state.lines.sort();
        let marked = step.segments.iter();
        let marked = marked.filter_map(|s| Some(TimeRange::new(s.start(), s.end?)));
        state.waiting.extend(marked);
        state.waiting.sort();

        let mut answer = Answer::default();
        let known =
            |segment: &TimeRange| step.end_of_event || segment.end + SETTLE <= step.watermark;
        let (ready, waiting) = state.waiting.drain(..).partition(known);
        state.waiting = waiting;
        for segment in ready {
            answer.emissions.push(self.label(segment, &state.lines));
        }
        // A segment that is marked later reaches back so far.
        let old = step.watermark - self.longest - SETTLE;
        state.lines.retain(|line| line.end >= old);
        answer.state = serde_json::to_vec(&state).map_err(text)?;
        Ok(answer)
    }
}

impl Labels {
    fn label(&self, segment: TimeRange, lines: &[Line]) -> Emission {
        let inside = |line: &&Line| line.start <= segment.end && line.end >= segment.start;
        let observed: Vec<&Line> = lines.iter().filter(inside).collect();
        let observed = text_of(observed.into_iter(), self.options.max_observed);
        let question = fill(
            &self.options.prompt,
            &[
                ("observed", &observed),
                ("start", &shown(segment.start)),
                ("end", &shown(segment.end)),
            ],
        );
        let shape = self.options.answer.with_texts(&["label"]);
        let read = |answer: Json| {
            let mut attributes = shape.read(&answer)?;
            let label = attributes.remove("label").map(|label| label.plain_text());
            Ok((label, attributes))
        };
        match self.asks.ask(&question, &shape.schema(&[])).and_then(read) {
            Ok((label, attributes)) => Emission::Labelled {
                segment: segment.start,
                label,
                attributes,
            },
            Err(message) => Emission::Failure {
                message: format!(
                    "no label for the segment at {} s: {message}",
                    shown(segment.start)
                ),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::chunk::Position;
    use matchcut_model::observation::Observation;
    use matchcut_model::segment::Segment;
    use matchcut_model::value::{Attributes, Value};
    use serde_json::json;

    #[test]
    fn a_segment_is_asked_about_once_all_of_it_is_known() {
        let options = LabelOptions {
            answer: serde_json::from_value(json!({"goals": "number"})).unwrap(),
            ..LabelOptions::default()
        };
        // Counts the lines that it is shown.
        let asks = |question: &str, schema: &Json| {
            assert_eq!(schema["required"], json!(["goals", "label"]));
            let lines: Vec<&str> = question.lines().filter(|l| l.starts_with('[')).collect();
            match lines.len() {
                0 => Err("nothing to see".to_owned()),
                goals => Ok(json!({"label": lines[0], "goals": goals})),
            }
        };
        let labels = Labels {
            options,
            longest: MediaTime::from_seconds(60),
            asks: Arc::new(asks),
        };
        let second = MediaTime::from_seconds;
        let goal = |at| Observation {
            start: second(at),
            end: second(at),
            operator: "goal".into(),
            track: None,
            attributes: Attributes::from([("by".into(), Value::from("A"))]),
        };
        let segment = |start, end| Segment::new("play".into(), second(start), Some(second(end)));

        let observations = [goal(3), goal(5), goal(9)];
        let segments = [segment(1, 6), segment(7, 8)];
        let mut step = Step::at(Position(0), second(6));
        (step.observations, step.segments) = (&observations, &segments);
        let first = labels.call(&step, &[]).unwrap();
        assert!(first.emissions.is_empty());

        let step = Step::at(Position(1), second(20));
        let second_answer = labels.call(&step, &first.state).unwrap();
        assert_eq!(
            second_answer.emissions,
            [
                Emission::Labelled {
                    segment: second(1),
                    label: Some("[3.0] goal: by=A".to_owned()),
                    attributes: Attributes::from([("goals".into(), Value::from(2))]),
                },
                Emission::Failure {
                    message: "no label for the segment at 7.0 s: nothing to see".to_owned(),
                },
            ]
        );
        let again = labels.call(&step, &second_answer.state).unwrap();
        assert!(again.emissions.is_empty());
    }
}
