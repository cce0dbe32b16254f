//! `optimize_passthrough`: the original marks as they are, as optimized ones.

use matchcut_model::observation::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tracks::Tracks;
use super::{code_specs, codes};
use crate::sdk::{
    Description, EdgeKind, Emission, Fold, FoldBox, InputRule, Operator, OperatorType, OptionError,
    Options, Step, options_of, parse_options,
};

/// `optimize_passthrough` has no options.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PassthroughOptions {}

/// The operator type `optimize_passthrough`.
pub(crate) struct OptimizePassthrough;

impl OperatorType for OptimizePassthrough {
    fn describe(&self) -> Description {
        Description {
            name: "optimize_passthrough",
            class: Class::Optimizer,
            summary: "The original marks, on every audio track.",
            inputs: vec![
                InputRule::one(EdgeKind::Segments),
                InputRule::any(EdgeKind::Observations),
            ],
            attributes: code_specs(),
            options: options_of::<PassthroughOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let PassthroughOptions {} = parse_options(options)?;
        Ok(Operator::Fold(FoldBox::new(PassthroughFold)))
    }
}

struct PassthroughFold;

impl Fold for PassthroughFold {
    type State = Tracks;

    fn step(&self, step: &Step<'_>, tracks: &mut Tracks, emit: &mut Vec<Emission>) {
        tracks.see(step);
        for segment in step.segments {
            let Some(marks) = segment.range() else {
                continue;
            };
            for track in tracks.all() {
                emit.push(Emission::Optimized {
                    segment: segment.start(),
                    track,
                    marks,
                    attributes: codes(track, true, true),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Script, fold_of, optimized};
    use serde_json::json;

    #[test]
    fn marks_stay_on_every_track() {
        let mut script = Script::new(5000, 4).tracks(&[1, 2]);
        script.segment(3000, 8000);
        let fold = fold_of("optimize_passthrough", json!({}));
        let marks = optimized(&script.run(&fold));
        assert_eq!(marks, [(3000, 1, 3000, 8000), (3000, 2, 3000, 8000)]);
        let marks = optimized(&script.tracks(&[]).run(&fold));
        assert_eq!(marks, [(3000, 1, 3000, 8000)]);
    }
}
