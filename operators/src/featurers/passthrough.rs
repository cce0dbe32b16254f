//! `passthrough`: a point for every whole second of the event, whatever is seen or heard. It
//! exercises a pipeline, and stands in where a detector is still to come.

use matchcut_model::observation::Class;
use matchcut_model::time::{FLICKS_PER_SECOND, MediaTime};
use matchcut_model::value::{Attributes, Name, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, Emission, Fold, FoldBox, InputRule,
    Operator, OperatorType, OptionError, Options, Step, options_of, parse_options,
};

/// Options of `passthrough`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PassthroughOptions {
    /// How many attributes a point carries (1 to 1000): `passthrough`, `passthrough_2`, …
    attributes: u32,
}

impl Default for PassthroughOptions {
    fn default() -> Self {
        PassthroughOptions { attributes: 1 }
    }
}

/// The operator type `passthrough`.
pub(crate) struct Passthrough;

impl OperatorType for Passthrough {
    fn describe(&self) -> Description {
        Description {
            name: "passthrough",
            class: Class::Featurer,
            summary: "A point at every whole second of the event.",
            inputs: vec![
                InputRule::maybe(EdgeKind::Video),
                InputRule::maybe(EdgeKind::Audio),
            ],
            attributes: vec![AttributeSpec {
                name: "passthrough",
                kind: AttributeKind::Boolean,
                description: "always true; with more `attributes` also passthrough_2 and so on",
            }],
            options: options_of::<PassthroughOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: PassthroughOptions = parse_options(options)?;
        if !(1..=1000).contains(&options.attributes) {
            return Err(vec![OptionError::new(
                "attributes",
                "not between 1 and 1000",
            )]);
        }
        let further = (2..=options.attributes).map(|n| Name::from(format!("passthrough_{n}")));
        let names = std::iter::once(Name::from("passthrough")).chain(further);
        let attributes = names.map(|name| (name, Value::from(true))).collect();
        Ok(Operator::Fold(FoldBox::new(SecondsFold { attributes })))
    }
}

struct SecondsFold {
    attributes: Attributes,
}

impl Fold for SecondsFold {
    /// The first second that no chunk has covered yet: chunks may overlap by a frame.
    type State = Option<i64>;

    fn step(&self, step: &Step<'_>, state: &mut Option<i64>, emit: &mut Vec<Emission>) {
        let Some(extent) = step.extent else { return };
        let first = seconds_up(extent.span.start).max(0);
        let first = state.map_or(first, |next| first.max(next));
        let end = seconds_up(extent.span.end);
        for second in first..end {
            let at = MediaTime::from_seconds(second);
            let attributes = self.attributes.clone();
            emit.push(Emission::Observation {
                start: at,
                end: at,
                attributes,
            });
        }
        *state = Some(state.map_or(end, |next| end.max(next)));
    }
}

/// The first whole second at or after `time`.
fn seconds_up(time: MediaTime) -> i64 {
    -((-time.flicks()).div_euclid(FLICKS_PER_SECOND))
}
