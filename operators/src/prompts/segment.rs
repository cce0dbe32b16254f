//! `segment_by_prompt`: stories of a programme, told apart by a language model from what was said. What
//! it says of the last minutes is provisional: when it sees more it may say otherwise, and segments are
//! withdrawn and appear anew.

use std::sync::Arc;

use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_model::value::Attributes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::shape::Shape;
use super::transcript::{Line, meant, shown, text_of};
use super::{Asks, fill, names, options_with_endpoint, read};
use crate::sdk::{
    Answer, AttributeSpec, Caller, Description, EdgeKind, Emission, FoldBox, InputRule,
    MAX_SEGMENT, Operator, OperatorType, OptionError, Options, Step, text_duration,
};

/// What a story says of itself besides its times.
const TEXTS: [&str; 2] = ["title", "summary"];

const PROMPT: &str = "\
Below is what was said in a television programme, each line with its time in seconds.
Divide it into stories: stretches about one topic, in order, without overlap. A story begins at the start of a line \
and ends at the end of a line. Leave out greetings, advertisements and what belongs to no story.
The last story so far was: {previous}
If the first lines go on with it, begin with it again, with the same start.

{transcript}";

/// Options of `segment_by_prompt`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SegmentOptions {
    /// The question. {transcript} is what was said since the last story that is final, {previous} the
    /// last story so far, {from} and {to} the times that the transcript covers.
    prompt: String,
    /// The attribute of the inputs that holds what was said.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: String,
    /// More that is asked of each story besides title and summary: names with "text", "number", "boolean"
    /// or a list of words to choose from.
    answer: Shape,
    /// The model is asked when so much more of the event is known, and at its end.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    every: MediaTime,
    /// A story that ended so long ago, and was followed by another, is final.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    window: MediaTime,
    /// Shorter stories are left out.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_segment: MediaTime,
    /// Longer stories are cut off. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
    /// At most so many bytes of transcript are shown; the oldest lines are left out first.
    max_transcript: usize,
}

impl Default for SegmentOptions {
    fn default() -> Self {
        SegmentOptions {
            prompt: PROMPT.to_owned(),
            attribute: "text".to_owned(),
            answer: Shape::default(),
            every: MediaTime::from_seconds(60),
            window: MediaTime::from_seconds(200),
            min_segment: MediaTime::from_seconds(30),
            max_segment: None,
            max_transcript: 60_000,
        }
    }
}

/// The operator type `segment_by_prompt`.
pub(crate) struct SegmentByPrompt;

impl OperatorType for SegmentByPrompt {
    fn describe(&self) -> Description {
        Description {
            name: "segment_by_prompt",
            class: Class::Segmenter,
            summary: "Stories of a programme, told apart by a language model from what was said.",
            inputs: vec![InputRule::some(EdgeKind::Observations)],
            attributes: attributes(&Shape::default()),
            options: options_with_endpoint::<SegmentOptions>(),
        }
    }

    fn describe_with(&self, options: &Options) -> Description {
        let (own, _) = read::<SegmentOptions>(options, &mut Vec::new());
        Description {
            attributes: attributes(&own.answer),
            ..self.describe()
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let mut errors = Vec::new();
        let (options, endpoint) = read::<SegmentOptions>(options, &mut errors);
        errors.extend(options.answer.check(&["start", "end", "title", "summary"]));
        if let Err(message) = names(&options.prompt, "transcript") {
            errors.push(OptionError::new("prompt", message));
        }
        if options.every < MediaTime::from_seconds(1) {
            errors.push(OptionError::new("every", "shorter than a second"));
        }
        let longest = options.max_segment.unwrap_or(MAX_SEGMENT);
        if options.min_segment > longest {
            let message = format!("longer than the longest segment ({longest} s)");
            errors.push(OptionError::new("min_segment", message));
        }
        match endpoint {
            Some(endpoint) if errors.is_empty() => Ok(Operator::Fold(FoldBox::calling(Stories {
                shape: options.answer.with_texts(&TEXTS),
                options,
                longest,
                asks: Arc::new(endpoint),
            }))),
            _ => Err(errors),
        }
    }
}

fn attributes(answer: &Shape) -> Vec<AttributeSpec> {
    answer.with_texts(&TEXTS).attributes()
}

struct Stories {
    options: SegmentOptions,
    shape: Shape,
    longest: MediaTime,
    asks: Arc<dyn Asks>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Story {
    start: MediaTime,
    end: MediaTime,
    attributes: Attributes,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// What was said after the last story that is final.
    lines: Vec<Line>,
    /// Stories that may still change.
    stories: Vec<Story>,
    /// What is before it is final.
    settled: MediaTime,
    /// The watermark at the last question.
    asked: MediaTime,
    /// Whether something was said since then.
    news: bool,
}

impl Caller for Stories {
    fn call(&self, step: &Step<'_>, state: &[u8]) -> Result<Answer, String> {
        let text = |error: serde_json::Error| error.to_string();
        let mut state: State = match state {
            [] => State::default(),
            bytes => serde_json::from_slice(bytes).map_err(text)?,
        };
        let mut answer = Answer::default();
        let said = step.observations.iter();
        let lines = said.filter_map(|said| Line::of(said, &self.options.attribute));
        let lines = lines.filter(|line| line.end >= state.settled);
        let before = state.lines.len();
        state.lines.extend(lines);
        state.news |= state.lines.len() > before;
        state.lines.sort();

        let now = step.watermark;
        self.settle(&mut state, now, &mut answer.emissions);
        let due = now - state.asked >= self.options.every || step.end_of_event;
        if due && state.news {
            state.asked = now;
            state.news = false;
            match self.ask(&state, now) {
                Ok(stories) => state.stories = stories,
                // What was said of it before stands.
                Err(message) => answer.emissions.push(Emission::Failure { message }),
            }
        }
        if step.end_of_event {
            let last = state.stories.drain(..).map(complete);
            answer.emissions.extend(last);
        }
        answer.tail = self.tail(&state, now);
        answer.state = serde_json::to_vec(&state).map_err(text)?;
        Ok(answer)
    }
}

fn complete(story: Story) -> Emission {
    Emission::Segment {
        start: story.start,
        end: Some(story.end),
        attributes: story.attributes,
    }
}

impl Stories {
    /// Stories that nothing can change any more leave.
    fn settle(&self, state: &mut State, now: MediaTime, emit: &mut Vec<Emission>) {
        while let [first, rest @ ..] = &state.stories[..] {
            let followed = !rest.is_empty() && first.end + self.options.window <= now;
            if !followed && first.start + self.longest + self.options.window > now {
                break;
            }
            state.settled = first.end;
            emit.push(complete(state.stories.remove(0)));
        }
        let settled = state.settled;
        state.lines.retain(|line| line.end > settled);
        // Where no story is found for long, what was said there is of none.
        let old = now - self.longest - self.options.window;
        if state.stories.is_empty() && old > settled {
            state.lines.retain(|line| line.end > old);
        }
    }

    fn ask(&self, state: &State, now: MediaTime) -> Result<Vec<Story>, String> {
        let transcript = text_of(state.lines.iter(), self.options.max_transcript);
        let previous = state.stories.last().map_or("none".to_owned(), |story| {
            let title = story
                .attributes
                .get("title")
                .map(|title| title.plain_text());
            format!(
                "{} ({} - {})",
                title.unwrap_or_default(),
                shown(story.start),
                shown(story.end)
            )
        });
        let from = state.lines.first().map_or(state.settled, |line| line.start);
        let question = fill(
            &self.options.prompt,
            &[
                ("transcript", &transcript),
                ("previous", &previous),
                ("from", &shown(from)),
                ("to", &shown(now)),
            ],
        );
        let time = || json!({"type": "number", "description": "seconds"});
        let story = self.shape.schema(&[("start", time()), ("end", time())]);
        let schema = json!({
            "type": "object",
            "required": ["stories"],
            "additionalProperties": false,
            "properties": {"stories": {"type": "array", "items": story}},
        });
        let answer = self.asks.ask(&question, &schema)?;
        let stories = answer.get("stories").and_then(Json::as_array);
        let stories = stories.ok_or("the answer has no list \"stories\"")?;
        let read: Result<Vec<Story>, String> = stories
            .iter()
            .map(|story| self.read(story, state))
            .collect();
        Ok(self.in_order(read?, state.settled, now))
    }

    fn read(&self, story: &Json, state: &State) -> Result<Story, String> {
        let time = |name: &str, edge: fn(&Line) -> MediaTime| {
            let seconds = story.get(name).and_then(Json::as_f64);
            let edges = state.lines.iter().map(edge);
            let time = seconds.and_then(|seconds| meant(seconds, edges));
            time.ok_or_else(|| format!("a story's \"{name}\" is no time in seconds: {story}"))
        };
        Ok(Story {
            start: time("start", |line| line.start)?,
            end: time("end", |line| line.end)?,
            attributes: self.shape.read(story)?,
        })
    }

    /// What can be used: in order, apart from each other, not where all is final, long enough.
    fn in_order(&self, mut stories: Vec<Story>, settled: MediaTime, now: MediaTime) -> Vec<Story> {
        stories.sort_by_key(|story| (story.start, story.end));
        let mut taken = settled;
        let mut good: Vec<Story> = Vec::new();
        for mut story in stories {
            story.start = story.start.max(taken);
            story.end = story.end.min(now).min(story.start + self.longest);
            if story.end - story.start >= self.options.min_segment && story.end > story.start {
                taken = story.end;
                good.push(story);
            }
        }
        good
    }

    /// What is provisional. A story that goes on to the end of what is known has no end yet.
    fn tail(&self, state: &State, now: MediaTime) -> Vec<Emission> {
        let last = state.stories.len().saturating_sub(1);
        let stories = state.stories.iter().cloned().enumerate();
        stories
            .map(|(index, story)| {
                let open = index == last && story.end + self.options.every >= now;
                Emission::Segment {
                    start: story.start,
                    end: (!open).then_some(story.end),
                    attributes: story.attributes,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    use matchcut_model::chunk::Position;
    use matchcut_model::observation::Observation;
    use matchcut_model::value::Value;

    fn second(second: i64) -> MediaTime {
        MediaTime::from_seconds(second)
    }

    /// One sentence every 10 s; the topic is in it.
    fn said(index: i64) -> Observation {
        let topic = match index {
            0..7 => "storm",
            7..15 => "vote",
            _ => "match",
        };
        Observation {
            start: second(index * 10) + MediaTime::from_millis(40),
            end: second(index * 10 + 9),
            operator: "speech".into(),
            track: None,
            attributes: Attributes::from([("text".into(), Value::from(format!("{topic}!")))]),
        }
    }

    /// Reads the transcript as a model would: a story for each run of equal topics.
    fn reader(question: &str) -> Json {
        let mut stories: Vec<(f64, f64, String)> = Vec::new();
        for line in question.lines().filter(|line| line.starts_with('[')) {
            let (times, topic) = line[1..].split_once("] ").unwrap();
            let (start, end) = times.split_once(" - ").unwrap();
            let (start, end) = (start.parse().unwrap(), end.parse().unwrap());
            match stories.last_mut() {
                Some(last) if last.2 == topic => last.1 = end,
                _ => stories.push((start, end, topic.to_owned())),
            }
        }
        let stories: Vec<Json> = stories
            .into_iter()
            .map(|(start, end, topic)| json!({"start": start, "end": end, "title": topic, "summary": ""}))
            .collect();
        json!({"stories": stories})
    }

    fn stories(asks: impl Asks) -> Stories {
        let options = SegmentOptions {
            every: second(30),
            window: second(60),
            ..SegmentOptions::default()
        };
        Stories {
            shape: Shape::default().with_texts(&TEXTS),
            options,
            longest: second(300),
            asks: Arc::new(asks),
        }
    }

    fn written(emissions: &[Emission]) -> Vec<String> {
        let text = |emission: &Emission| match emission {
            Emission::Segment {
                start,
                end,
                attributes,
            } => format!(
                "{} {start}-{}",
                attributes.get("title").unwrap().plain_text(),
                end.map_or("open".to_owned(), |end| end.to_string())
            ),
            Emission::Failure { message } => message.clone(),
            other => format!("{other:?}"),
        };
        emissions.iter().map(text).collect()
    }

    /// All that is final, and the tail after each step of 20 s.
    fn run(stories: &Stories) -> (Vec<String>, Vec<Vec<String>>) {
        let (mut state, mut all, mut tails) = (Vec::new(), Vec::new(), Vec::new());
        for position in 0..13 {
            let observations = [said(position * 2), said(position * 2 + 1)];
            let mut step = Step::at(Position(position as u64), second(position * 20 + 20));
            step.observations = match position {
                12 => &[],
                _ => &observations,
            };
            step.end_of_event = position == 12;
            let answer = stories.call(&step, &state).unwrap();
            state = answer.state;
            all.extend(written(&answer.emissions));
            tails.push(written(&answer.tail));
        }
        (all, tails)
    }

    #[test]
    fn stories_follow_what_is_said_and_are_revised() {
        let (all, tails) = run(&stories(|question: &str, _: &Json| Ok(reader(question))));
        assert_eq!(
            all,
            [
                "storm! 0.040-69.000",
                "vote! 70.040-149.000",
                "match! 150.040-239.000"
            ]
        );
        // At 80 s the next story is there, and still too short to be one.
        assert_eq!(tails[1], ["storm! 0.040-open"]);
        assert_eq!(tails[3], ["storm! 0.040-open"]);
        assert_eq!(tails[5], ["storm! 0.040-69.000", "vote! 70.040-open"]);
        assert!(tails[12].is_empty());
    }

    #[test]
    fn a_model_that_fails_costs_what_it_would_have_said() {
        let asked = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&asked);
        let (all, _) = run(&stories(move |question: &str, _: &Json| {
            let mut asked = counted.lock().unwrap();
            *asked += 1;
            match *asked {
                2 => Err("busy".to_owned()),
                _ => Ok(reader(question)),
            }
        }));
        assert_eq!(
            all,
            [
                "busy",
                "storm! 0.040-69.000",
                "vote! 70.040-149.000",
                "match! 150.040-239.000"
            ]
        );
        // Every 40 s, and at the end there is nothing new.
        assert_eq!(*asked.lock().unwrap(), 6);
    }

    #[test]
    fn nonsense_is_put_in_order_or_refused() {
        let stories = stories(|_: &str, _: &Json| Ok(json!({})));
        let story = |start, end| Story {
            start: second(start),
            end: second(end),
            attributes: Attributes::new(),
        };
        let given = vec![
            story(90, 200),
            story(0, 100),
            story(500, 900),
            story(210, 220),
        ];
        let good = stories.in_order(given, second(40), second(600));
        let times: Vec<_> = good.iter().map(|story| (story.start, story.end)).collect();
        let expected = [(40, 100), (100, 200), (500, 600)];
        assert_eq!(
            times,
            expected.map(|(start, end)| (second(start), second(end)))
        );

        let state = State::default();
        assert_eq!(
            stories.ask(&state, second(1)),
            Err("the answer has no list \"stories\"".to_owned())
        );
    }
}
