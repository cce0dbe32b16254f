//! `text_by_prompt`: what a text means, by a language model: the sentiment of a phrase, names in it, a
//! topic. An observation for each text, at the same place.

use std::sync::Arc;

use matchcut_model::observation::{Class, Observation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::shape::Shape;
use super::transcript::Line;
use super::{Asks, fill, names, options_with_endpoint, read};
use crate::sdk::{
    Answer, Caller, Description, EdgeKind, Emission, FoldBox, InputRule, Operator, OperatorType,
    OptionError, Options, Step,
};

const PROMPT: &str = "\
What feeling does each of these numbered texts express? Answer for each, in order.

{texts}";

/// Options of `text_by_prompt`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TextOptions {
    /// The question. {texts} are the texts of one chunk, numbered from 1.
    prompt: String,
    /// The attribute of the inputs that holds the text.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: String,
    /// What is asked of each text: names with "text", "number", "boolean" or a list of words to choose
    /// from.
    answer: Shape,
}

impl Default for TextOptions {
    fn default() -> Self {
        let answer = json!({
            "sentiment": ["positive", "negative", "neutral", "mixed"],
            "confidence": "number",
        });
        TextOptions {
            prompt: PROMPT.to_owned(),
            attribute: "text".to_owned(),
            answer: serde_json::from_value(answer).unwrap_or_default(),
        }
    }
}

/// The operator type `text_by_prompt`.
pub(crate) struct TextByPrompt;

impl OperatorType for TextByPrompt {
    fn describe(&self) -> Description {
        Description {
            name: "text_by_prompt",
            class: Class::Featurer,
            summary: "What a text means, by a language model; its sentiment unless something else is asked.",
            inputs: vec![InputRule::some(EdgeKind::Observations)],
            attributes: TextOptions::default().answer.attributes(),
            options: options_with_endpoint::<TextOptions>(),
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        let (own, _) = read::<TextOptions>(options, &mut Vec::new());
        Description {
            attributes: own.answer.attributes(),
            ..self.describe()
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let mut errors = Vec::new();
        let (options, endpoint) = read::<TextOptions>(options, &mut errors);
        errors.extend(options.answer.check(&[]));
        if options.answer.0.is_empty() {
            errors.push(OptionError::new("answer", "nothing is asked"));
        }
        if let Err(message) = names(&options.prompt, "texts") {
            errors.push(OptionError::new("prompt", message));
        }
        match endpoint {
            Some(endpoint) if errors.is_empty() => Ok(Operator::Fold(FoldBox::calling(Texts {
                options,
                asks: Arc::new(endpoint),
            }))),
            _ => Err(errors),
        }
    }
}

struct Texts {
    options: TextOptions,
    asks: Arc<dyn Asks>,
}

impl Caller for Texts {
    fn call(&self, step: &Step<'_>, _: &[u8]) -> Result<Answer, String> {
        let line = |o: &Observation| Line::of(o, &self.options.attribute);
        let lines: Vec<Line> = step.observations.iter().filter_map(line).collect();
        if lines.is_empty() {
            return Ok(Answer::default());
        }
        let numbered = |(number, line): (usize, &Line)| format!("{number}. {}\n", line.text);
        let texts: String = (1..).zip(&lines).map(numbered).collect();
        let question = fill(&self.options.prompt, &[("texts", &texts)]);
        let each = self.options.answer.schema(&[]);
        let schema = json!({
            "type": "object",
            "required": ["answers"],
            "additionalProperties": false,
            "properties": {"answers": {
                "type": "array", "items": each, "minItems": lines.len(), "maxItems": lines.len(),
            }},
        });
        let answer = self.asks.ask(&question, &schema)?;
        let answers = answer.get("answers").and_then(Json::as_array);
        let answers = answers.ok_or("the answer has no list \"answers\"")?;
        if answers.len() != lines.len() {
            let (got, asked) = (answers.len(), lines.len());
            return Err(format!("{got} answers to {asked} texts"));
        }
        let said = lines.into_iter().zip(answers);
        let emissions: Result<Vec<Emission>, String> = said
            .map(|(line, answer)| {
                Ok(Emission::Observation {
                    start: line.start,
                    end: line.end,
                    attributes: self.options.answer.read(answer)?,
                })
            })
            .collect();
        Ok(Answer {
            emissions: emissions?,
            ..Answer::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchcut_model::chunk::Position;
    use matchcut_model::time::MediaTime;
    use matchcut_model::value::{Attributes, Value};

    fn said(at: i64, text: &str) -> Observation {
        Observation {
            start: MediaTime::from_seconds(at),
            end: MediaTime::from_seconds(at + 1),
            operator: "speech".into(),
            track: None,
            attributes: Attributes::from([("text".into(), Value::from(text))]),
        }
    }

    #[test]
    fn every_text_gets_its_answer() {
        let asks = |question: &str, _: &Json| {
            let lines = question
                .lines()
                .filter(|line| line.starts_with(char::is_numeric));
            let answer = |line: &str| match line.ends_with('!') {
                true => json!({"sentiment": "positive", "confidence": 0.9}),
                false => json!({"sentiment": "neutral", "confidence": 0.5}),
            };
            let mut answers: Vec<Json> = lines.map(answer).collect();
            answers.truncate(2);
            Ok(json!({ "answers": answers }))
        };
        let texts = Texts {
            options: TextOptions::default(),
            asks: Arc::new(asks),
        };
        let observations = [said(1, "Goal!"), said(3, " "), said(5, "Half time.")];
        let mut step = Step::at(Position(0), MediaTime::from_seconds(6));
        step.observations = &observations;
        let answer = texts.call(&step, &[]).unwrap();
        let observed: Vec<(i64, String)> = answer
            .emissions
            .iter()
            .map(|emission| match emission {
                Emission::Observation {
                    start, attributes, ..
                } => (
                    start.to_millis(),
                    attributes.get("sentiment").unwrap().plain_text(),
                ),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            observed,
            [(1000, "positive".to_owned()), (5000, "neutral".to_owned())]
        );

        let observations = [said(1, "a"), said(2, "b"), said(3, "c")];
        step.observations = &observations;
        assert_eq!(
            texts.call(&step, &[]),
            Err("2 answers to 3 texts".to_owned())
        );
        assert_eq!(
            texts.call(&Step::at(Position(1), MediaTime::ZERO), &[]),
            Ok(Answer::default())
        );
    }
}
