//! `label_score`: a segment is called after the score that stood for most of it, with who served and
//! what the point could decide.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use matchcut_model::observation::Class;
use matchcut_model::segment::Segment;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, Emission, Fold, FoldBox, InputRule,
    MAX_SEGMENT, Operator, OperatorType, OptionError, Options, SETTLE, Step, options_of,
    parse_options, text_duration,
};
use crate::values::{has, is_set};

/// Options of `label_score`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ScoreOptions {
    /// The label of a segment in which no score was read.
    missing: String,
    /// Whether the label begins with the names of both sides.
    names: bool,
    /// Whether the label ends with what the point could decide: break point, set point and so on.
    stakes: bool,
    /// Segments can be this long. The pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for ScoreOptions {
    fn default() -> Self {
        ScoreOptions {
            missing: "No score".to_owned(),
            names: true,
            stakes: true,
            max_segment: None,
        }
    }
}

/// What a point could decide, the weightiest first, with its words in a label.
const STAKES: [(&str, &str); 4] = [
    ("match_point", "match point"),
    ("set_point", "set point"),
    ("break_point", "break point"),
    ("game_point", "game point"),
];

/// The operator type `label_score`.
pub(crate) struct LabelScore;

impl OperatorType for LabelScore {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        let text = |name, description| attribute(name, AttributeKind::Text, description);
        let flag = |name, description| attribute(name, AttributeKind::Boolean, description);
        Description {
            name: "label_score",
            class: Class::Labeler,
            summary: "The score that stood for most of a segment, with who served and what the \
                point could decide.",
            inputs: vec![
                InputRule::one(EdgeKind::Segments),
                InputRule::some(EdgeKind::Observations),
            ],
            attributes: vec![
                text(
                    "score",
                    "the score that was read most often in the segment, the earlier one of equals",
                ),
                text(
                    "score_after",
                    "the last score read in the segment, where it is another",
                ),
                text("name_1", "who stands first in the box"),
                text("name_2", "who stands second"),
                attribute(
                    "server",
                    AttributeKind::Number,
                    "who served most of the time, 1 or 2",
                ),
                text(
                    "clock",
                    "soccer: the clock where it was first read in the segment",
                ),
                flag("game_point", "whether that score was one"),
                flag("break_point", "whether that score was one"),
                flag("set_point", "whether that score was one"),
                flag("match_point", "whether that score was one"),
                flag(
                    "score_change",
                    "true where the score changed within the segment",
                ),
            ],
            options: options_of::<ScoreOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: ScoreOptions = parse_options(options)?;
        Ok(Operator::Fold(FoldBox::new(ScoreFold {
            longest: options.max_segment.unwrap_or(MAX_SEGMENT),
            options,
        })))
    }
}

struct ScoreFold {
    options: ScoreOptions,
    longest: MediaTime,
}

/// A score that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    at: MediaTime,
    attributes: Attributes,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ScoreState {
    /// Segments that wait for the watermark, by start.
    waiting: BTreeSet<Segment>,
    seen: VecDeque<Seen>,
}

impl Fold for ScoreFold {
    type State = ScoreState;

    fn step(&self, step: &Step<'_>, state: &mut ScoreState, emit: &mut Vec<Emission>) {
        let scores = step
            .observations
            .iter()
            .filter(|o| o.attributes.get("score").is_some_and(is_set));
        state.seen.extend(scores.map(|observation| Seen {
            at: observation.start,
            attributes: observation.attributes.clone(),
        }));
        state.waiting.extend(step.segments.iter().cloned());
        let waiting = std::mem::take(&mut state.waiting);
        for segment in waiting {
            let end = segment.end.unwrap_or(segment.start());
            if step.end_of_event || step.watermark >= end + SETTLE {
                emit.push(self.label(&segment, end, state));
            } else {
                state.waiting.insert(segment);
            }
        }
        // A segment can be as long as that, and its segmenter may have taken as long to be sure.
        let oldest = step.watermark - self.longest.times(2) - SETTLE;
        let oldest = state
            .waiting
            .iter()
            .map(Segment::start)
            .fold(oldest, Ord::min);
        state.seen.retain(|seen| seen.at >= oldest);
    }
}

/// The value that stands most often, the one that stands first among equals.
fn most<'a>(values: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    let mut counts: BTreeMap<&Value, (usize, usize)> = BTreeMap::new();
    for (place, value) in values.enumerate() {
        counts.entry(value).or_insert((0, place)).0 += 1;
    }
    let most = counts
        .into_iter()
        .max_by_key(|(_, (count, place))| (*count, usize::MAX - place));
    most.map(|(value, _)| value)
}

impl ScoreFold {
    fn label(&self, segment: &Segment, end: MediaTime, state: &ScoreState) -> Emission {
        // A score that is read where one segment ends and the next begins is that of the next.
        let range = segment.start()..end;
        let mut inside: Vec<&Seen> = state
            .seen
            .iter()
            .filter(|seen| range.contains(&seen.at))
            .collect();
        inside.sort_by(|a, b| (a.at, &a.attributes).cmp(&(b.at, &b.attributes)));
        let of = |name: &'static str| {
            inside
                .iter()
                .filter_map(move |seen| seen.attributes.get(name))
        };
        let Some(score) = most(of("score")) else {
            return Emission::Labelled {
                segment: segment.start(),
                label: Some(self.options.missing.clone()),
                attributes: Attributes::new(),
            };
        };
        let mut attributes = Attributes::from([("score".into(), score.clone())]);
        let names = ["name_1", "name_2"].map(|name| most(of(name)).cloned());
        for (name, value) in ["name_1", "name_2"].into_iter().zip(&names) {
            attributes.extend(value.iter().map(|value| (Name::from(name), value.clone())));
        }
        attributes.extend(most(of("server")).map(|server| ("server".into(), server.clone())));
        let mut stakes = Vec::new();
        for (name, words) in STAKES {
            let during = || {
                inside
                    .iter()
                    .filter(|seen| seen.attributes["score"] == *score)
            };
            if during().any(|seen| seen.attributes.get(name).is_some()) {
                let so = during().any(|seen| has(&seen.attributes, name));
                attributes.insert(name.into(), so.into());
                if so {
                    stakes.push(words);
                }
            }
        }
        let clock = of("clock").next();
        attributes.extend(clock.map(|clock| ("clock".into(), clock.clone())));
        let last = of("score").next_back().filter(|last| *last != score);
        attributes.extend(last.map(|last| ("score_after".into(), last.clone())));
        if inside
            .iter()
            .any(|seen| has(&seen.attributes, "score_change"))
        {
            attributes.insert("score_change".into(), true.into());
        }
        let mut label = score.plain_text();
        if let (true, [Some(one), Some(two)]) = (self.options.names, &names) {
            label = format!("{} - {} {label}", one.plain_text(), two.plain_text());
        }
        // A match point is a set point and a game point, too: the weightiest says it.
        if let (true, Some(weightiest)) = (self.options.stakes, stakes.first()) {
            label = format!("{label}, {weightiest}");
        }
        Emission::Labelled {
            segment: segment.start(),
            label: Some(label),
            attributes,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::{Emitted, Script, fold_of, labels};

    fn tennis(script: &mut Script, at: i64, score: &str, server: i64, stake: &str) {
        let mut pairs = vec![
            ("score", json!(score)),
            ("name_1", json!("DJOKOVIC")),
            ("name_2", json!("WAWRINKA")),
            ("server", json!(server)),
        ];
        for (name, _) in STAKES {
            pairs.push((name, json!(name == stake)));
        }
        script.point("board", at, &pairs);
    }

    fn run(script: &Script, options: Json) -> Emitted {
        let fold = fold_of("label_score", options);
        let whole = script.clone().chunked(60_000).run(&fold);
        for chunk in [700, 1000, 6000] {
            let cut = script.clone().chunked(chunk).run(&fold);
            let emissions = |emitted: &Emitted| -> Vec<Emission> {
                emitted
                    .iter()
                    .map(|(_, emission)| emission.clone())
                    .collect()
            };
            assert_eq!(emissions(&cut), emissions(&whole), "chunks of {chunk} ms");
        }
        whole
    }

    fn attributes(emitted: &Emitted, names: &[&str]) -> Vec<String> {
        let row = |emission: &Emission| match emission {
            Emission::Labelled { attributes, .. } => names
                .iter()
                .map(|name| attributes[*name].plain_text())
                .collect::<Vec<_>>()
                .join(" "),
            other => panic!("{other:?}"),
        };
        emitted.iter().map(|(_, emission)| row(emission)).collect()
    }

    fn a_match() -> Script {
        let mut script = Script::new(1000, 60);
        script.segment(5000, 12_000);
        script.segment(12_000, 20_000);
        script.segment(30_000, 40_000);
        for at in [4000, 5000, 6000, 7000] {
            tennis(&mut script, at, "6-3 1-0 30-40", 1, "break_point");
        }
        for at in [10_000, 11_000] {
            tennis(&mut script, at, "6-3 1-0 40-40", 1, "");
        }
        // At the border: it belongs to what follows.
        for at in [12_000, 13_000, 14_000, 15_000] {
            tennis(
                &mut script,
                at,
                "6-3 5-0 40-0",
                2 - i64::from(at > 14_000),
                "match_point",
            );
        }
        script.point("view", 31_000, &[("view", json!("far"))]);
        script
    }

    #[test]
    fn the_score_that_stands_longest_names_the_segment() {
        let emitted = run(&a_match(), json!({}));
        let expected = [
            (5000, "DJOKOVIC - WAWRINKA 6-3 1-0 30-40, break point"),
            (12_000, "DJOKOVIC - WAWRINKA 6-3 5-0 40-0, match point"),
            (30_000, "No score"),
        ];
        assert_eq!(
            labels(&emitted),
            expected.map(|(at, label)| (at, label.to_owned()))
        );
        let names = ["server", "break_point", "match_point", "score_after"];
        assert_eq!(
            attributes(&emitted, &names),
            [
                "1 true false 6-3 1-0 40-40",
                "2 false true null",
                "null null null null",
            ]
        );
        let options = json!({"names": false, "stakes": false, "missing": "-"});
        let emitted = run(&a_match(), options);
        let texts: Vec<String> = labels(&emitted)
            .into_iter()
            .map(|(_, label)| label)
            .collect();
        assert_eq!(texts, ["6-3 1-0 30-40", "6-3 5-0 40-0", "-"]);
    }

    #[test]
    fn goals_are_told() {
        let mut script = Script::new(1000, 60);
        script.segment(2000, 10_000);
        for (at, score) in [(2000, "0-0"), (3000, "0-0"), (8000, "1-0"), (9000, "1-0")] {
            let change = json!(at == 8000);
            let pairs = [
                ("score", json!(score)),
                ("score_change", change),
                ("name_1", json!("RMA")),
                ("name_2", json!("SEV")),
                ("clock", json!(format!("04:{:02}", 40 + at / 1000))),
            ];
            script.point("board", at, &pairs);
        }
        let emitted = run(&script, json!({}));
        // As often as each other: the earlier one.
        assert_eq!(labels(&emitted), [(2000, "RMA - SEV 0-0".to_owned())]);
        assert_eq!(
            attributes(
                &emitted,
                &["score_after", "score_change", "set_point", "clock"]
            ),
            ["1-0 true null 04:42"]
        );
    }
}
