//! `external`: observations that come from outside: from a recording given to `matchcut replay`, or
//! told to a running event. It looks at nothing itself.

use matchcut_model::observation::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sdk::{
    AttributeKind, AttributeSpec, Description, Emission, Fold, FoldBox, Operator, OperatorType,
    OptionError, Options, Step, options_of, parse_options,
};

/// Options of `external`: there are none.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ExternalOptions {}

/// The operator type `external`.
pub(crate) struct External;

impl OperatorType for External {
    fn describe(&self) -> Description {
        Description {
            name: "external",
            class: Class::Featurer,
            summary: "Observations that come from outside, with whatever attributes they carry.",
            inputs: Vec::new(),
            attributes: vec![AttributeSpec {
                name: "*",
                kind: AttributeKind::Any,
                description: "what the observations carry",
            }],
            options: options_of::<ExternalOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        parse_options::<ExternalOptions>(options)?;
        Ok(Operator::Fold(FoldBox::new(Nothing)))
    }
}

/// Says nothing of its own.
struct Nothing;

impl Fold for Nothing {
    type State = ();

    fn step(&self, _: &Step<'_>, (): &mut (), _: &mut Vec<Emission>) {}
}
