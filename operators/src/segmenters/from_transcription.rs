//! `segment_from_transcription`: a clip for each phrase that is said. Phrases with a short pause between
//! them share one; what is said goes with the clip.

use matchcut_model::observation::{Class, Observation};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, longest};
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, Emission, Fold, FoldBox, InputRule,
    Operator, OperatorType, OptionError, Options, SETTLE, Step, options_of, parse_options,
    text_duration,
};
use crate::values::is_set;

/// Options of `segment_from_transcription`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TranscriptionOptions {
    /// The attribute that holds what is said. Ranges without it, or with nothing in it, are no phrases.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: String,
    /// Phrases are put together while the pause between them is at most this long.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    gap: MediaTime,
    /// The attribute that names who speaks: where it changes, a new clip begins.
    #[schemars(extend("x-names" = "attributes"))]
    speaker: Option<String>,
    /// Phrases are no longer put together when a clip would get longer than this, and a longer phrase
    /// ends here. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for TranscriptionOptions {
    fn default() -> Self {
        TranscriptionOptions {
            attribute: "transcription".to_owned(),
            gap: MediaTime::ZERO,
            speaker: None,
            max_segment: None,
        }
    }
}

/// The operator type `segment_from_transcription`.
pub(crate) struct SegmentFromTranscription;

impl OperatorType for SegmentFromTranscription {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        Description {
            name: "segment_from_transcription",
            class: Class::Segmenter,
            summary: "A clip for each phrase that is said; phrases with a short pause between them \
                share one.",
            inputs: vec![InputRule::some(EdgeKind::Observations)],
            attributes: vec![
                attribute(
                    "transcription",
                    AttributeKind::Text,
                    "what is said in the clip",
                ),
                attribute(
                    "speaker",
                    AttributeKind::Text,
                    "who says it, where `speaker` is given",
                ),
                attribute(
                    "phrases",
                    AttributeKind::Number,
                    "of how many phrases it is made",
                ),
            ],
            options: options_of::<TranscriptionOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: TranscriptionOptions = parse_options(options)?;
        let longest = longest(options.max_segment).map_err(|error| vec![error])?;
        Ok(Operator::Fold(FoldBox::new(TranscriptionFold {
            options,
            longest,
        })))
    }
}

struct TranscriptionFold {
    options: TranscriptionOptions,
    longest: MediaTime,
}

/// A clip that further phrases may still join.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clip {
    range: TimeRange,
    text: String,
    speaker: Option<String>,
    phrases: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TranscriptionState {
    line: Line,
    clip: Option<Clip>,
}

impl Fold for TranscriptionFold {
    type State = TranscriptionState;

    fn step(&self, step: &Step<'_>, state: &mut TranscriptionState, emit: &mut Vec<Emission>) {
        state.line.see(step);
        for phrase in step
            .observations
            .iter()
            .filter(|observation| !observation.is_point())
        {
            self.hear(phrase, state);
        }
        let settled = state
            .clip
            .as_ref()
            .is_some_and(|clip| state.line.reach() >= clip.range.end + self.options.gap + SETTLE);
        if settled || step.end_of_event {
            close(state);
        }
        state.line.flush(step, emit);
    }

    fn tail(&self, state: &TranscriptionState, emit: &mut Vec<Emission>) {
        state
            .line
            .tail(state.clip.as_ref().map(|clip| clip.range.start), emit);
    }
}

impl TranscriptionFold {
    fn hear(&self, phrase: &Observation, state: &mut TranscriptionState) {
        let said = phrase
            .attributes
            .get(self.options.attribute.as_str())
            .filter(|said| is_set(said));
        let Some(text) = said.map(|said| said.plain_text().trim().to_owned()) else {
            return;
        };
        if text.is_empty() {
            return;
        }
        let speaker = self.options.speaker.as_deref();
        let speaker = speaker
            .and_then(|name| phrase.attributes.get(name))
            .map(Value::plain_text);
        if let Some(clip) = &mut state.clip {
            let end = phrase.end.max(clip.range.end);
            if phrase.start <= clip.range.end + self.options.gap
                && end - clip.range.start <= self.longest
                && clip.speaker == speaker
            {
                clip.range.end = end;
                clip.text.push(' ');
                clip.text.push_str(&text);
                clip.phrases += 1;
                return;
            }
            close(state);
        }
        let start = state.line.clamp(phrase.start);
        let end = phrase.end.min(start + self.longest);
        if start < end {
            state.clip = Some(Clip {
                range: TimeRange { start, end },
                text,
                speaker,
                phrases: 1,
            });
        }
    }
}

fn close(state: &mut TranscriptionState) {
    let Some(clip) = state.clip.take() else {
        return;
    };
    let mut attributes = Attributes::from([
        ("transcription".into(), Value::from(clip.text)),
        ("phrases".into(), Value::from(clip.phrases)),
    ]);
    attributes.extend(
        clip.speaker
            .map(|speaker| ("speaker".into(), Value::from(speaker))),
    );
    state
        .line
        .mark_with(clip.range.start, clip.range.end, attributes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Script, fold_of, millis};
    use serde_json::json;

    /// Start, end and what is said, the same for chunks of every length.
    fn run(
        options: serde_json::Value,
        phrases: &[(i64, i64, &str, &str)],
    ) -> Vec<(i64, i64, String)> {
        let mut script = Script::new(60_000, 1);
        for (start, end, text, speaker) in phrases {
            script.range(
                "speech",
                *start,
                *end,
                &[("transcription", json!(text)), ("speaker", json!(speaker))],
            );
        }
        // Other observations are no phrases.
        script.range("quiet", 0, 60_000, &[("silence", json!(true))]);
        script.point("speech", 30_000, &[("transcription", json!("a word"))]);
        let fold = fold_of("segment_from_transcription", options);
        let clips = |chunk: i64| -> Vec<(i64, i64, String)> {
            let emitted = script.clone().chunked(chunk).run(&fold);
            let clip = |emission: &Emission| match emission {
                Emission::Segment {
                    start,
                    end: Some(end),
                    attributes,
                } => {
                    let text = format!(
                        "{} {}",
                        attributes["phrases"].plain_text(),
                        attributes["transcription"].plain_text()
                    );
                    (millis(*start), millis(*end), text)
                }
                other => panic!("{other:?}"),
            };
            emitted.iter().map(|(_, emission)| clip(emission)).collect()
        };
        let whole = clips(60_000);
        for chunk in [700, 1000, 6000] {
            assert_eq!(clips(chunk), whole, "chunks of {chunk} ms");
        }
        whole
    }

    const PHRASES: &[(i64, i64, &str, &str)] = &[
        (1000, 4000, "What a shot!", "a"),
        (4500, 7000, "He has won it.", "a"),
        (9000, 12_000, " ", "a"),
        (9500, 12_000, "Unbelievable.", "b"),
        (40_000, 58_000, "And so it ends.", "b"),
    ];

    fn rows(expected: &[(i64, i64, &str)]) -> Vec<(i64, i64, String)> {
        expected
            .iter()
            .map(|(start, end, text)| (*start, *end, (*text).to_owned()))
            .collect()
    }

    #[test]
    fn each_phrase_is_a_clip() {
        let expected = [
            (1000, 4000, "1 What a shot!"),
            (4500, 7000, "1 He has won it."),
            (9500, 12_000, "1 Unbelievable."),
            (40_000, 58_000, "1 And so it ends."),
        ];
        assert_eq!(run(json!({}), PHRASES), rows(&expected));
    }

    #[test]
    fn short_pauses_are_bridged() {
        let expected = [
            (1000, 12_000, "3 What a shot! He has won it. Unbelievable."),
            (40_000, 58_000, "1 And so it ends."),
        ];
        assert_eq!(run(json!({"gap": "2.5s"}), PHRASES), rows(&expected));
        let expected = [
            (1000, 7000, "2 What a shot! He has won it."),
            (9500, 12_000, "1 Unbelievable."),
            (40_000, 58_000, "1 And so it ends."),
        ];
        assert_eq!(
            run(json!({"gap": "2.5s", "speaker": "speaker"}), PHRASES),
            rows(&expected)
        );
    }

    #[test]
    fn no_clip_is_longer_than_allowed() {
        let expected = [
            (1000, 7000, "2 What a shot! He has won it."),
            (9500, 12_000, "1 Unbelievable."),
            (40_000, 50_000, "1 And so it ends."),
        ];
        assert_eq!(
            run(json!({"gap": "5s", "max_segment": "10s"}), PHRASES),
            rows(&expected)
        );
    }
}
