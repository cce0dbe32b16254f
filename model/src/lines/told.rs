//! What others say while an event runs, one JSON object a line: thumbs, segments as `segments.jsonl` has
//! them with what they change, observations as `observations.jsonl` has them, what a replay is to weigh, and
//! replays that nobody had asked for before.

use serde_json::{Map, Value as Json};

use super::fields::{FieldError, Fields};
use super::read::{LineProblem, feedback, object, observation, segment};
use crate::observation::Observation;
use crate::replay::{FeatureKey, Feedback, ParseFeatureKeyError, Priority, Score};
use crate::segment::Segment;
use crate::time::MediaTime;
use crate::value::Name;

/// What a replay is to weigh from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The replay.
    pub replay: Name,
    /// All its weights; `None` leaves them as they are.
    pub weights: Option<Vec<Priority>>,
    /// How long it is to be.
    pub duration: Option<MediaTime>,
    /// How much longer it may be.
    pub tolerance: Option<MediaTime>,
}

/// A line of a feedback file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Thumbs up or down.
    Feedback(Feedback),
    /// A segment: with an end it is marked, with optimized marks trimmed, with a label named.
    Segment(Segment),
    /// What was said of the segment before is taken back.
    Retract(Segment),
    /// Somebody outside observed something.
    Observation(Observation),
    /// What was observed no longer holds.
    Unobserved(Observation),
    /// A replay is to weigh other things.
    Wish(Wish),
    /// A replay is asked for, or asked for anew, by the table that a spec would have for it.
    Asked(Name, Map<String, Json>),
    /// A replay is no longer wanted.
    Withdrawn(Name),
}

/// Reads one line; a blank one is `None`. A line with `feedback` is a verdict, one with a `class` of
/// `segmenter` says something of a segment, one of `featurer` is an observation, and one with `replay` is about a
/// replay.
pub fn parse_told(line: &[u8]) -> Result<Option<Told>, LineProblem> {
    let Some(map) = object(line)? else {
        return Ok(None);
    };
    let fields = Fields::new(&map);
    if fields.get("feedback").is_some() {
        return Ok(Some(Told::Feedback(feedback(&fields)?)));
    }
    if fields.get("replay").is_some() {
        return Ok(Some(replay(&fields)?));
    }
    match fields.get("class") {
        Some(Json::String(class)) if class == "segmenter" => {}
        Some(Json::String(class)) if class == "featurer" => {
            let observed = observation(&fields)?;
            return Ok(Some(match fields.flag("retract")?.unwrap_or(false) {
                true => Told::Unobserved(observed),
                false => Told::Observation(observed),
            }));
        }
        Some(_) => {
            let problem = "is neither \"segmenter\" nor \"featurer\"; others speak of segments and of what they observe";
            return Err(fields.error("class", problem).into());
        }
        None => {
            let problem = "is missing, and so are class and replay; a line says like or dislike, has the \
                           class \"segmenter\" or \"featurer\", or says what a replay weighs";
            return Err(fields.error("feedback", problem).into());
        }
    }
    let said = segment(&fields)?.segment;
    if fields.flag("retract")?.unwrap_or(false) {
        return Ok(Some(Told::Retract(said)));
    }
    if said.end.is_none() && said.opto.is_empty() && said.label.is_none() {
        let problem = "is missing; a line says where a segment ends, or gives it opto or label";
        return Err(fields.error("end", problem).into());
    }
    Ok(Some(Told::Segment(said)))
}

fn replay(fields: &Fields<'_>) -> Result<Told, FieldError> {
    let name = Name::new(fields.required_text("replay")?);
    if fields.flag("retract")?.unwrap_or(false) {
        return Ok(Told::Withdrawn(name));
    }
    match fields.get("ask") {
        None => Ok(Told::Wish(wish(fields)?)),
        Some(Json::Object(table)) => Ok(Told::Asked(name, table.clone())),
        Some(_) => Err(fields.error("ask", "is no table of a replay")),
    }
}

fn wish(fields: &Fields<'_>) -> Result<Wish, FieldError> {
    let weights = match fields.object("weights")? {
        None => None,
        Some(weights) => {
            let mut priorities = Vec::new();
            for name in weights.names() {
                let key: FeatureKey = name.parse().map_err(|error: ParseFeatureKeyError| {
                    fields.error("weights", error.to_string())
                })?;
                let weight = weights.number(name)?.and_then(Score::from_f64);
                let weight = weight.ok_or_else(|| weights.error(name, "is no weight"))?;
                priorities.push(Priority::weighted(key, weight));
            }
            Some(priorities)
        }
    };
    let wish = Wish {
        replay: Name::new(fields.required_text("replay")?),
        weights,
        duration: fields.seconds("duration")?,
        tolerance: fields.seconds("tolerance")?,
    };
    for (field, time) in [("duration", wish.duration), ("tolerance", wish.tolerance)] {
        if time.is_some_and(MediaTime::is_negative) {
            return Err(fields.error(field, "is negative"));
        }
    }
    if wish.weights.is_none() && wish.duration.is_none() && wish.tolerance.is_none() {
        let problem = "is missing; a line with replay gives it weights, duration or tolerance, asks for it \
                       (ask), or takes it back (retract)";
        return Err(fields.error("weights", problem));
    }
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::TrackNumber;
    use crate::replay::Verdict;

    fn parse(line: &str) -> Result<Option<Told>, String> {
        parse_told(line.as_bytes()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn lines_say_thumbs_or_segments() {
        let Ok(Some(Told::Feedback(thumb))) = parse(r#"{"start":12.04,"feedback":"like"}"#) else {
            panic!("no feedback")
        };
        assert_eq!(thumb.verdict, Verdict::Like);
        assert_eq!(thumb.start, MediaTime::from_millis(12_040));
        let line = r#"{"operator":"rally","class":"segmenter","start":3,"opto":{"2":[3.5,7]}}"#;
        let Ok(Some(Told::Segment(trim))) = parse(line) else {
            panic!("no segment")
        };
        assert_eq!((trim.end, trim.opto.len()), (None, 1));
        assert_eq!(trim.opto[&TrackNumber(2)].to_string(), "3.500..7.000");
        let line = r#"{"operator":"rally","class":"segmenter","start":3,"retract":true}"#;
        assert!(matches!(parse(line), Ok(Some(Told::Retract(_)))));
        assert_eq!(parse("  "), Ok(None));
    }

    #[test]
    fn lines_say_observations_and_wishes() {
        let line =
            r#"{"operator":"radar","class":"featurer","start":3,"attributes":{"speed":212}}"#;
        let Ok(Some(Told::Observation(observed))) = parse(line) else {
            panic!("no observation")
        };
        assert_eq!(observed.start, MediaTime::from_seconds(3));
        assert!(observed.is_point());
        let taken_back = line.replace("\"start\"", "\"retract\":true,\"start\"");
        assert_eq!(
            parse(&taken_back),
            Ok(Some(Told::Unobserved(observed.clone())))
        );
        let line =
            r#"{"replay":"best","weights":{"cheers.peak":90,"view.view=far":2.5},"duration":90}"#;
        let Ok(Some(Told::Wish(wish))) = parse(line) else {
            panic!("no wish")
        };
        assert_eq!(wish.duration, Some(MediaTime::from_seconds(90)));
        let weights = wish.weights.unwrap();
        let weighed: Vec<(String, f64)> = weights
            .iter()
            .map(|p| (p.key.to_string(), p.weight.unwrap().as_f64()))
            .collect();
        assert_eq!(weighed[0], ("cheers.peak".to_owned(), 90.0));
        assert_eq!(weighed[1], ("view.view=far".to_owned(), 2.5));
    }

    #[test]
    fn replays_are_asked_for_and_taken_back() {
        let line = r#"{"replay":"late","ask":{"inputs":["rally"],"duration":"60s"}}"#;
        let Ok(Some(Told::Asked(name, table))) = parse(line) else {
            panic!("nothing asked")
        };
        assert_eq!(name.as_str(), "late");
        assert_eq!(table["duration"], "60s");
        let gone = parse(r#"{"replay":"late","retract":true}"#);
        assert_eq!(gone, Ok(Some(Told::Withdrawn(Name::new("late")))));
        let wrong = parse(r#"{"replay":"late","ask":"please"}"#);
        assert_eq!(wrong, Err("ask: is no table of a replay".to_owned()));
    }

    #[test]
    fn what_says_nothing_is_told_so() {
        for (line, problem) in [
            (
                r#"{"start":3}"#,
                "feedback: is missing, and so are class and replay; a line says like or dislike, has \
                 the class \"segmenter\" or \"featurer\", or says what a replay weighs",
            ),
            (
                r#"{"class":"labeler","start":3}"#,
                "class: is neither \"segmenter\" nor \"featurer\"; others speak of segments and of \
                 what they observe",
            ),
            (
                r#"{"replay":"best"}"#,
                "weights: is missing; a line with replay gives it weights, duration or tolerance, asks for \
                 it (ask), or takes it back (retract)",
            ),
            (
                r#"{"replay":"best","weights":{"cheers":9}}"#,
                "weights: \"cheers\" is not a feature; write OPERATOR.ATTRIBUTE or \
                 OPERATOR.ATTRIBUTE=VALUE, for example \"cheers.peak\" or \"view.view=far\"",
            ),
            (
                r#"{"class":"segmenter","operator":"rally","start":3}"#,
                "end: is missing; a line says where a segment ends, or gives it opto or label",
            ),
            (
                r#"{"class":"segmenter","operator":"rally","start":3,"end":2}"#,
                "end: 2.000 is before start 3.000",
            ),
        ] {
            assert_eq!(parse(line), Err(problem.to_owned()), "{line}");
        }
    }
}
