//! What people say while an event runs, one JSON object a line: thumbs, and segments as
//! `segments.jsonl` has them, with what they change.

use serde_json::Value as Json;

use super::fields::Fields;
use super::read::{LineProblem, feedback, object, segment};
use crate::replay::Feedback;
use crate::segment::Segment;

/// A line of a feedback file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Thumbs up or down.
    Feedback(Feedback),
    /// A segment: with an end it is marked, with optimized marks trimmed, with a label named.
    Segment(Segment),
    /// What was said of the segment before is taken back.
    Retract(Segment),
}

/// Reads one line; a blank one is `None`. A line with `feedback` is a verdict, one with a `class` of
/// `segmenter` says something of a segment.
pub fn parse_told(line: &[u8]) -> Result<Option<Told>, LineProblem> {
    let Some(map) = object(line)? else {
        return Ok(None);
    };
    let fields = Fields::new(&map);
    if fields.get("feedback").is_some() {
        return Ok(Some(Told::Feedback(feedback(&fields)?)));
    }
    match fields.get("class") {
        Some(Json::String(class)) if class == "segmenter" => {}
        Some(_) => {
            let problem = "is not \"segmenter\"; people speak of segments";
            return Err(fields.error("class", problem).into());
        }
        None => {
            let problem = "is missing, and so is class; a line says like or dislike, or has the \
                           class \"segmenter\"";
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::TrackNumber;
    use crate::replay::Verdict;
    use crate::time::MediaTime;

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
    fn what_says_nothing_is_told_so() {
        for (line, problem) in [
            (
                r#"{"start":3}"#,
                "feedback: is missing, and so is class; a line says like or dislike, or has the \
                 class \"segmenter\"",
            ),
            (
                r#"{"class":"featurer","start":3}"#,
                "class: is not \"segmenter\"; people speak of segments",
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
