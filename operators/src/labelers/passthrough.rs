//! `label_passthrough`: a fixed label, or one of the segment's attributes as it is.

use matchcut_model::observation::Class;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sdk::{
    Description, EdgeKind, Emission, Fold, FoldBox, InputRule, Operator, OperatorType, OptionError,
    Options, Step, options_of, parse_options,
};

/// Options of `label_passthrough`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct PassthroughOptions {
    /// The label of every segment.
    label: String,
    /// The attribute of the segment whose value is the label; `label` where a segment has none.
    attribute: Option<String>,
}

impl Default for PassthroughOptions {
    fn default() -> Self {
        PassthroughOptions {
            label: "Segment".to_owned(),
            attribute: None,
        }
    }
}

/// The operator type `label_passthrough`.
pub(crate) struct LabelPassthrough;

impl OperatorType for LabelPassthrough {
    fn describe(&self) -> Description {
        Description {
            name: "label_passthrough",
            class: Class::Labeler,
            summary: "The same label for every segment, or one of its attributes.",
            inputs: vec![
                InputRule::one(EdgeKind::Segments),
                InputRule::any(EdgeKind::Observations),
            ],
            attributes: Vec::new(),
            options: options_of::<PassthroughOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: PassthroughOptions = parse_options(options)?;
        Ok(Operator::Fold(FoldBox::new(PassthroughFold { options })))
    }
}

struct PassthroughFold {
    options: PassthroughOptions,
}

impl Fold for PassthroughFold {
    type State = ();

    fn step(&self, step: &Step<'_>, _state: &mut (), emit: &mut Vec<Emission>) {
        for segment in step.segments {
            let value = self.options.attribute.as_deref();
            let value = value.and_then(|name| segment.attributes.get(name));
            let label = value.map_or_else(|| self.options.label.clone(), Value::plain_text);
            emit.push(Emission::Labelled {
                segment: segment.start(),
                label: Some(label),
                attributes: Attributes::new(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Script, fold_of, labels};
    use serde_json::json;

    #[test]
    fn constant_or_attribute() {
        let mut script = Script::new(5000, 4);
        script.segment_with(1000, 4000, &[("theme", json!("Weather"))]);
        script.segment(6000, 8000);
        let fold = fold_of(
            "label_passthrough",
            json!({"attribute": "theme", "label": "News"}),
        );
        let found = labels(&script.run(&fold));
        assert_eq!(
            found,
            [(1000, "Weather".to_owned()), (6000, "News".to_owned())]
        );
    }
}
