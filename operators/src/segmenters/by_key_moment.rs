//! `segment_by_key_moment`: a clip around each key moment, such as a cheer. Moments whose clips
//! would overlap share one.

use std::collections::BTreeMap;

use matchcut_model::observation::{Class, Observation};
use matchcut_model::time::{MediaTime, TimeRange};
use matchcut_model::value::Value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, longest};
use crate::sdk::{
    Description, EdgeKind, Emission, Fold, FoldBox, InputRule, Operator, OperatorType, OptionError,
    Options, SETTLE, Step, options_of, parse_options, text_duration,
};
use crate::values::has;

/// Room around the moments of one kind.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Roll {
    /// How long before the moment a clip begins; as for other moments when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    pre_roll: Option<MediaTime>,
    /// How long after the moment it ends; as for other moments when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    post_roll: Option<MediaTime>,
}

/// Options of `segment_by_key_moment`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct KeyMomentOptions {
    /// The attribute that is true at a key moment.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: String,
    /// How long before the moment a clip begins.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    pre_roll: MediaTime,
    /// How long after the moment it ends.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    post_roll: MediaTime,
    /// The attribute that says of what kind a moment is, for `rolls`.
    #[schemars(extend("x-names" = "attributes"))]
    label: Option<String>,
    /// Other room around moments of some kinds, by the value of `label`: a goal needs more of what led to
    /// it than a foul, for example { goal = { pre_roll = "25s" }, foul = { pre_roll = "5s", post_roll = "5s" } }.
    rolls: BTreeMap<String, Roll>,
    /// Moments are no longer put together when a clip would get longer than this. The pipeline's
    /// `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for KeyMomentOptions {
    fn default() -> Self {
        KeyMomentOptions {
            attribute: "peak".to_owned(),
            pre_roll: MediaTime::from_seconds(15),
            post_roll: MediaTime::from_seconds(15),
            label: None,
            rolls: BTreeMap::new(),
            max_segment: None,
        }
    }
}

impl KeyMomentOptions {
    /// Room before and after a moment.
    fn room(&self, roll: Option<&Roll>) -> (MediaTime, MediaTime) {
        let pre = roll.and_then(|roll| roll.pre_roll).unwrap_or(self.pre_roll);
        let post = roll
            .and_then(|roll| roll.post_roll)
            .unwrap_or(self.post_roll);
        (pre, post)
    }

    /// The longest room before any moment.
    fn longest_pre_roll(&self) -> MediaTime {
        self.rolls
            .values()
            .map(|roll| self.room(Some(roll)).0)
            .fold(self.pre_roll, Ord::max)
    }
}

/// The operator type `segment_by_key_moment`.
pub(crate) struct SegmentByKeyMoment;

impl OperatorType for SegmentByKeyMoment {
    fn describe(&self) -> Description {
        Description {
            name: "segment_by_key_moment",
            class: Class::Segmenter,
            summary: "A clip around each key moment; moments close together share one.",
            inputs: vec![InputRule::some(EdgeKind::Observations)],
            attributes: Vec::new(),
            options: options_of::<KeyMomentOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: KeyMomentOptions = parse_options(options)?;
        let longest = longest(options.max_segment).map_err(|error| vec![error])?;
        let too_long = |pre: MediaTime, post: MediaTime, whose: &str| {
            let message = format!(
                "`pre_roll` and `post_roll`{whose} together are longer than the longest segment \
                 ({longest} s)"
            );
            (pre + post > longest).then_some(message)
        };
        let mut errors = Vec::new();
        if let Some(message) = too_long(options.pre_roll, options.post_roll, "") {
            errors.push(OptionError {
                option: None,
                message,
            });
        }
        for (value, roll) in &options.rolls {
            let (pre, post) = options.room(Some(roll));
            if roll.pre_roll.is_none() && roll.post_roll.is_none() {
                let message = format!("`{value}`: give `pre_roll`, `post_roll` or both");
                errors.push(OptionError::new("rolls", message));
            } else if let Some(message) = too_long(pre, post, &format!(" of `{value}`")) {
                errors.push(OptionError::new("rolls", message));
            }
        }
        if options.label.is_none() && !options.rolls.is_empty() {
            let message = "which attribute says of what kind a moment is? Give `label`";
            errors.push(OptionError::new("rolls", message));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Operator::Fold(FoldBox::new(KeyMomentFold {
            options,
            longest,
        })))
    }
}

struct KeyMomentFold {
    options: KeyMomentOptions,
    longest: MediaTime,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct KeyMomentState {
    line: Line,
    /// The clip that further moments may still join.
    clip: Option<TimeRange>,
}

impl Fold for KeyMomentFold {
    type State = KeyMomentState;

    fn step(&self, step: &Step<'_>, state: &mut KeyMomentState, emit: &mut Vec<Emission>) {
        state.line.see(step);
        for observation in step.observations {
            if has(&observation.attributes, &self.options.attribute) {
                self.moment(observation, state);
            }
        }
        let pre_roll = self.options.longest_pre_roll();
        let settled = state
            .clip
            .is_some_and(|clip| state.line.reach() >= clip.end + pre_roll + SETTLE);
        if settled || step.end_of_event {
            close(state);
        }
        state.line.flush(step, emit);
    }

    fn tail(&self, state: &KeyMomentState, emit: &mut Vec<Emission>) {
        state.line.tail(state.clip.map(|clip| clip.start), emit);
    }
}

impl KeyMomentFold {
    fn moment(&self, moment: &Observation, state: &mut KeyMomentState) {
        let kind = self.options.label.as_deref();
        let kind = kind
            .and_then(|name| moment.attributes.get(name))
            .map(Value::plain_text);
        let roll = kind.and_then(|kind| self.options.rolls.get(&kind));
        let (pre_roll, post_roll) = self.options.room(roll);
        let start = state.line.clamp(moment.start - pre_roll);
        let end = moment.end.max(moment.start) + post_roll;
        if let Some(clip) = &mut state.clip {
            let joined = TimeRange {
                start: start.min(clip.start),
                end: end.max(clip.end),
            };
            if start < clip.end && joined.end - joined.start <= self.longest {
                *clip = joined;
                return;
            }
            close(state);
        }
        let start = state.line.clamp(start);
        let end = end.min(start + self.longest);
        if start < end {
            state.clip = Some(TimeRange { start, end });
        }
    }
}

fn close(state: &mut KeyMomentState) {
    if let Some(clip) = state.clip.take() {
        state.line.mark(clip.start, clip.end);
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Script, fold_of, segments};
    use serde_json::json;

    fn run(options: serde_json::Value, moments: &[i64], end: i64) -> Vec<(i64, Option<i64>)> {
        let mut script = Script::new(1000, end / 1000);
        for moment in moments {
            script.point("cheers", *moment, &[("peak", json!(true))]);
        }
        let fold = fold_of("segment_by_key_moment", options);
        let whole = segments(&script.clone().chunked(end).run(&fold));
        for chunk in [1000, 6000, 10_000] {
            let chunked = segments(&script.clone().chunked(chunk).run(&fold));
            assert_eq!(chunked, whole, "chunks of {chunk} ms");
        }
        whole
    }

    #[test]
    fn moments_close_together_share_a_clip() {
        // MRE works in whole seconds, loses the second moment and gives {0, 18} only.
        assert_eq!(run(json!({}), &[3400, 22_000], 40_000), [(0, Some(37_000))]);
        // MRE gives {0, 18} and {18, 40}: the second moment only ends the first clip.
        assert_eq!(
            run(json!({}), &[3400, 22_000, 30_000], 40_000),
            [(0, Some(40_000))]
        );
    }

    #[test]
    fn moments_far_apart_have_clips_of_their_own() {
        let clips = run(json!({}), &[20_000, 60_000, 118_000], 120_000);
        let expected = [
            (5000, Some(35_000)),
            (45_000, Some(75_000)),
            (103_000, Some(120_000)),
        ];
        assert_eq!(clips, expected);
    }

    #[test]
    fn a_clip_is_not_joined_beyond_its_greatest_length() {
        let options = json!({"pre_roll": 5, "post_roll": 5, "max_segment": "20s"});
        let clips = run(options, &[10_000, 18_000, 24_000, 26_000, 60_000], 100_000);
        // 18 joins 10 to 5..23; with 24 it would last 24 s, so the next clip begins at 23.
        let expected = [
            (5000, Some(23_000)),
            (23_000, Some(31_000)),
            (55_000, Some(65_000)),
        ];
        assert_eq!(clips, expected);
    }

    #[test]
    fn moments_of_some_kinds_have_more_room() {
        let options = json!({
            "attribute": "action", "label": "action", "pre_roll": 5, "post_roll": 5,
            "rolls": {"goal": {"pre_roll": "20s", "post_roll": "10s"}, "foul": {"post_roll": 2}},
        });
        let mut script = Script::new(100_000, 1);
        for (at, action) in [
            (10_000, "foul"),
            (30_000, "shot"),
            (60_000, "shot"),
            (64_000, "goal"),
        ] {
            script.point("data", at, &[("action", json!(action))]);
        }
        let fold = fold_of("segment_by_key_moment", options);
        // The goal's clip begins before that of the shot that led to it: they are one.
        let expected = [
            (5000, Some(12_000)),
            (25_000, Some(35_000)),
            (44_000, Some(74_000)),
        ];
        for chunk in [1000, 6000, 10_000, 100_000] {
            let clips = segments(&script.clone().chunked(chunk).run(&fold));
            assert_eq!(clips, expected, "chunks of {chunk} ms");
        }
    }

    #[test]
    fn rolls_that_cannot_be_used_are_explained() {
        for (options, told) in [
            (json!({"rolls": {"goal": {"pre_roll": 20}}}), "Give `label`"),
            (
                json!({"label": "action", "rolls": {"goal": {}}}),
                "`goal`: give `pre_roll`",
            ),
            (
                json!({"label": "action", "rolls": {"goal": {"pre_roll": 290}}}),
                "`post_roll` of `goal` together are longer",
            ),
        ] {
            let kind = crate::registry::find("segment_by_key_moment").unwrap();
            let errors = kind.build(options.as_object().unwrap()).err().unwrap();
            assert_eq!(errors.len(), 1);
            assert_eq!(errors[0].option.as_deref(), Some("rolls"));
            assert!(errors[0].message.contains(told), "{}", errors[0].message);
        }
    }
}
