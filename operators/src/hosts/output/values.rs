//! Values: numbers of the model's tensors under names of their own, or whether they are above or below
//! a threshold.

use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::tensor::{Tensor, TensorInfo};
use super::named;
use crate::sdk::{AttributeKind, AttributeSpec, OptionError, intern};

/// One number of a tensor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ValueOption {
    /// What it is called.
    name: String,
    /// The name of the tensor, if it is another than that of `tensor`.
    #[serde(default)]
    tensor: Option<String>,
    /// Its place among the numbers of a picture, from 0.
    #[serde(default)]
    index: usize,
    /// Decimals that are kept, 3 unless they are given.
    #[serde(default)]
    decimals: Option<u8>,
    /// Says whether the number is above this, instead of the number.
    #[serde(default)]
    above: Option<f64>,
    /// Says whether the number is below this, instead of the number.
    #[serde(default)]
    below: Option<f64>,
}

pub(super) struct Values(Vec<ValueOption>);

pub(super) fn attributes(options: &[ValueOption]) -> Vec<AttributeSpec> {
    if options.is_empty() {
        return vec![AttributeSpec {
            name: "*",
            kind: AttributeKind::Any,
            description: "the names in `values`",
        }];
    }
    let one = |option: &ValueOption| {
        let is_number = option.above.is_none() && option.below.is_none();
        AttributeSpec {
            name: intern(&option.name),
            kind: match is_number {
                true => AttributeKind::Number,
                false => AttributeKind::Boolean,
            },
            description: match is_number {
                true => "a number of the model",
                false => "whether a number of the model is above or below a threshold",
            },
        }
    };
    options.iter().map(one).collect()
}

impl Values {
    pub(super) fn new(options: &[ValueOption]) -> Result<Values, Vec<OptionError>> {
        let mut errors = Vec::new();
        let mut wrong = |message: String| errors.push(OptionError::new("values", message));
        if options.is_empty() {
            wrong("missing: with output = \"values\" every number needs a name".to_owned());
        }
        for (at, option) in options.iter().enumerate() {
            if option.name.trim().is_empty() {
                wrong("a name is empty".to_owned());
            }
            if options[..at]
                .iter()
                .any(|earlier| earlier.name == option.name)
            {
                wrong(format!("\"{}\" stands there twice", option.name));
            }
            if option.above.is_some() && option.below.is_some() {
                wrong(format!("\"{}\" has both `above` and `below`", option.name));
            }
            if option.decimals.is_some_and(|decimals| decimals > 9) {
                wrong(format!("\"{}\" has more than 9 decimals", option.name));
            }
        }
        match errors.is_empty() {
            true => Ok(Values(options.to_vec())),
            false => Err(errors),
        }
    }

    pub(super) fn check(
        &self,
        outputs: &[TensorInfo],
        usual: Option<&str>,
    ) -> Result<(), OptionError> {
        for option in &self.0 {
            let wanted = option.tensor.as_deref().or(usual);
            let info = named(outputs, wanted, |info| &info.name).map_err(|message| {
                let option = if option.tensor.is_some() {
                    "values"
                } else {
                    "tensor"
                };
                OptionError::new(option, message)
            })?;
            let sizes = info.shape.0.get(1..).unwrap_or_default();
            let known: Option<Vec<usize>> = sizes.iter().copied().collect();
            let numbers = known.map(|sizes| sizes.iter().product::<usize>());
            if info.shape.0.len() > 1 && numbers.is_some_and(|numbers| option.index >= numbers) {
                return Err(OptionError::new(
                    "values",
                    format!(
                        "\"{}\" is number {}, counted from 0, but the output {info} has {} for each \
                         picture",
                        option.name,
                        option.index,
                        numbers.unwrap_or_default()
                    ),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn read(
        &self,
        tensors: &[Tensor],
        usual: Option<&str>,
        number: usize,
        batch: usize,
    ) -> Result<Attributes, String> {
        let value = |option: &ValueOption| {
            let wanted = option.tensor.as_deref().or(usual);
            let tensor = named(tensors, wanted, |tensor| &tensor.name)?;
            let (_, numbers) = tensor.of_picture(number, batch, 1)?;
            let number = numbers.get(option.index).copied().map(f64::from);
            let number = number.ok_or_else(|| {
                format!(
                    "\"{}\" is number {}, counted from 0, but the output \"{}\" has {} for each picture",
                    option.name,
                    option.index,
                    tensor.name,
                    numbers.len()
                )
            })?;
            let value = match (option.above, option.below) {
                (Some(above), _) => Value::from(number > above),
                (None, Some(below)) => Value::from(number < below),
                (None, None) => Value::rounded(number, option.decimals.unwrap_or(3).into()),
            };
            Ok((option.name.as_str().into(), value))
        };
        self.0.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(json: serde_json::Value) -> Vec<ValueOption> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn numbers_and_thresholds() {
        let options = values(serde_json::json!([
            {"name": "luma", "decimals": 2},
            {"name": "dark", "below": 40.0},
            {"name": "bright", "index": 1, "above": 1.0},
        ]));
        let tensors = [Tensor {
            name: "y".to_owned(),
            shape: vec![2, 2],
            data: vec![39.996, 1.0, 12.345, 1.5],
        }];
        let said = |number| {
            let values = Values::new(&options).unwrap();
            serde_json::to_value(values.read(&tensors, None, number, 2).unwrap()).unwrap()
        };
        // Rounded for the reader, compared as it is.
        assert_eq!(
            said(0),
            serde_json::json!({"bright": false, "dark": true, "luma": 40})
        );
        assert_eq!(
            said(1),
            serde_json::json!({"bright": true, "dark": true, "luma": 12.35})
        );
        let missing = Values::new(&values(serde_json::json!([{"name": "a", "index": 2}])));
        assert_eq!(
            missing.unwrap().read(&tensors, None, 0, 2).unwrap_err(),
            "\"a\" is number 2, counted from 0, but the output \"y\" has 2 for each picture"
        );
    }

    #[test]
    fn wrong_options_are_named() {
        let options = values(serde_json::json!([
            {"name": "a", "above": 1, "below": 2}, {"name": "a"}
        ]));
        let errors = Values::new(&options).err().unwrap();
        let texts: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(
            texts,
            [
                "\"a\" has both `above` and `below`",
                "\"a\" stands there twice"
            ]
        );
        assert!(Values::new(&[]).is_err());
    }
}
