//! `segment_by_shot`: clips of whole shots. Shots are put together until a clip is long enough.

use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::line::{Line, longest};
use crate::sdk::{
    Description, EdgeKind, Emission, Fold, FoldBox, InputRule, Operator, OperatorType, OptionError,
    Options, SETTLE, Step, options_of, parse_options, text_duration,
};
use crate::values::has;

/// Options of `segment_by_shot`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ShotOptions {
    /// The attribute that is true where a shot begins.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: String,
    /// Shots are put together until a clip has this length. What is left at the end of the event
    /// is a clip if it has at least half of it.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_duration: MediaTime,
    /// A clip is closed when it gets longer than this, and the next one begins there. The
    /// pipeline's `max_segment` when left out.
    #[serde(with = "text_duration::optional")]
    #[schemars(with = "Option<text_duration::Schema>")]
    max_segment: Option<MediaTime>,
}

impl Default for ShotOptions {
    fn default() -> Self {
        ShotOptions {
            attribute: "hard_cut".to_owned(),
            min_duration: MediaTime::ZERO,
            max_segment: None,
        }
    }
}

/// The operator type `segment_by_shot`.
pub(crate) struct SegmentByShot;

impl OperatorType for SegmentByShot {
    fn describe(&self) -> Description {
        Description {
            name: "segment_by_shot",
            class: Class::Segmenter,
            summary: "A clip for each shot, or for several short ones together.",
            inputs: vec![InputRule::some(EdgeKind::Observations)],
            attributes: Vec::new(),
            options: options_of::<ShotOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: ShotOptions = parse_options(options)?;
        let longest = longest(options.max_segment).map_err(|error| vec![error])?;
        if options.min_duration > longest {
            let message = format!("longer than the longest segment ({longest} s)");
            return Err(vec![OptionError::new("min_duration", message)]);
        }
        Ok(Operator::Fold(FoldBox::new(ShotFold { options, longest })))
    }
}

struct ShotFold {
    options: ShotOptions,
    longest: MediaTime,
}

impl Fold for ShotFold {
    /// The next clip begins where the last one ended.
    type State = Line;

    fn step(&self, step: &Step<'_>, line: &mut Line, emit: &mut Vec<Emission>) {
        line.see(step);
        for observation in step.observations {
            if has(&observation.attributes, &self.options.attribute) {
                self.cut(observation.start, line);
            }
        }
        if step.end_of_event {
            self.split(line.reach(), line);
            let left = line.reach() - line.clamp(MediaTime::ZERO);
            if line.begin().is_some() && left.times(2) >= self.options.min_duration {
                line.mark(MediaTime::ZERO, line.reach());
            }
        } else {
            self.split(line.reach() - SETTLE, line);
        }
        line.flush(step, emit);
    }

    fn tail(&self, line: &Line, emit: &mut Vec<Emission>) {
        let open = line.begin().map(|begin| line.taken().unwrap_or(begin));
        line.tail(open.filter(|start| *start < line.reach()), emit);
    }
}

impl ShotFold {
    fn cut(&self, at: MediaTime, line: &mut Line) {
        self.split(at, line);
        if at - line.clamp(MediaTime::ZERO) >= self.options.min_duration {
            line.mark(MediaTime::ZERO, at);
        }
    }

    /// Closes clips that would be too long at `until`.
    fn split(&self, until: MediaTime, line: &mut Line) {
        while line.begin().is_some() {
            let end = line.clamp(MediaTime::ZERO) + self.longest;
            if until <= end {
                break;
            }
            line.mark(MediaTime::ZERO, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Script, fold_of, segments};
    use serde_json::json;

    fn script(cuts: &[i64], end: i64) -> Script {
        let mut script = Script::new(100, end / 100);
        for cut in cuts {
            script.point(
                "cuts",
                *cut,
                &[("hard_cut", json!(true)), ("score", json!(60))],
            );
        }
        script
    }

    fn run(options: serde_json::Value, cuts: &[i64], end: i64) -> Vec<(i64, Option<i64>)> {
        let fold = fold_of("segment_by_shot", options);
        let whole = segments(&script(cuts, end).chunked(end).run(&fold));
        for chunk in [100, 700, 2000, 6000] {
            assert_eq!(
                segments(&script(cuts, end).chunked(chunk).run(&fold)),
                whole
            );
        }
        whole
    }

    #[test]
    fn shots_are_put_together_up_to_the_minimum() {
        // As MRE: shots (0,3) (3,4) (7,1) (8,1.8) and MIN_DURATION 5 give {0,7} and {7,9.8}.
        let cuts = [3000, 7000, 8000];
        let clips = run(json!({"min_duration": "5s"}), &cuts, 9800);
        assert_eq!(clips, [(0, Some(7000)), (7000, Some(9800))]);
        // Less than half of the minimum is left: no clip.
        assert_eq!(
            run(json!({"min_duration": "5s"}), &cuts, 9400),
            [(0, Some(7000))]
        );
    }

    #[test]
    fn without_a_minimum_every_shot_is_a_clip() {
        let clips = run(json!({}), &[3000, 7000], 9000);
        assert_eq!(
            clips,
            [(0, Some(3000)), (3000, Some(7000)), (7000, Some(9000))]
        );
        assert_eq!(run(json!({}), &[0], 5000), [(0, Some(5000))]);
    }

    #[test]
    fn long_shots_are_split() {
        let clips = run(json!({"max_segment": "4s"}), &[9000], 20_000);
        let ends = [4000, 8000, 9000, 13_000, 17_000, 20_000];
        assert_eq!(
            clips.iter().map(|clip| clip.1.unwrap()).collect::<Vec<_>>(),
            ends
        );
        assert_eq!(
            clips.iter().map(|clip| clip.0).collect::<Vec<_>>()[1..],
            ends[..5]
        );
    }

    #[test]
    fn the_running_shot_is_partial() {
        let fold = fold_of("segment_by_shot", json!({}));
        assert_eq!(
            segments(&script(&[3000], 5000).tail(&fold)),
            [(0, Some(3000)), (3000, None)]
        );
    }
}
