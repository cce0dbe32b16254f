//! A class: the label with the largest number, and how sure the model is of it.

use matchcut_model::value::{Attributes, Value};

use super::super::tensor::TensorInfo;
use super::label_of;
use crate::sdk::{AttributeKind, AttributeSpec, OptionError};

pub(super) struct Class {
    pub(super) labels: Option<Vec<String>>,
    pub(super) softmax: bool,
    pub(super) min_confidence: f64,
    /// Whether a picture without a class is told too, with no attributes.
    pub(super) unseen: bool,
}

pub(super) fn attributes() -> Vec<AttributeSpec> {
    vec![
        AttributeSpec {
            name: "label",
            kind: AttributeKind::Text,
            description: "the class that the model is most sure of",
        },
        AttributeSpec {
            name: "confidence",
            kind: AttributeKind::Number,
            description: "how sure it is; the mean over the pictures of a range",
        },
    ]
}

impl Class {
    pub(super) fn check(&self, info: &TensorInfo) -> Result<(), OptionError> {
        // What comes after the batch.
        let sizes = info.shape.0.get(1..).unwrap_or_default();
        let known: Option<Vec<usize>> = sizes.iter().copied().collect();
        let (Some(labels), Some(sizes)) = (&self.labels, known) else {
            return Ok(());
        };
        let classes: usize = sizes.iter().product();
        if sizes.is_empty() || classes == labels.len() {
            return Ok(());
        }
        Err(OptionError::new(
            "labels",
            format!(
                "{} labels, but the output {info} has {classes} numbers for each picture; one label for \
                 each is expected",
                labels.len()
            ),
        ))
    }

    pub(super) fn read(&self, numbers: &[f32]) -> Option<Attributes> {
        let unseen = || self.unseen.then(Attributes::new);
        // The first of equal ones.
        let best = numbers
            .iter()
            .enumerate()
            .filter(|(_, number)| !number.is_nan())
            .rev()
            .max_by(|(_, a), (_, b)| a.total_cmp(b));
        let Some((class, number)) = best else {
            return unseen();
        };
        let confidence = match self.softmax {
            true => softmax(numbers, *number),
            false => f64::from(*number),
        };
        if confidence < self.min_confidence {
            return unseen();
        }
        Some(Attributes::from([
            (
                "label".into(),
                Value::from(label_of(self.labels.as_deref(), class)),
            ),
            ("confidence".into(), Value::rounded(confidence, 3)),
        ]))
    }
}

/// The probability of the largest of some logits.
fn softmax(logits: &[f32], largest: f32) -> f64 {
    let exponentials = logits
        .iter()
        .filter(|logit| !logit.is_nan())
        .map(|logit| (f64::from(*logit) - f64::from(largest)).exp());
    1.0 / exponentials.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(softmax: bool, min_confidence: f64) -> Class {
        Class {
            labels: Some(vec!["serve".to_owned(), "rally".to_owned()]),
            softmax,
            min_confidence,
            unseen: false,
        }
    }

    #[test]
    fn the_largest_counts_if_it_is_large_enough() {
        let said = class(false, 0.5).read(&[0.3, 0.7]).unwrap();
        assert_eq!(said.get("label"), Some(&Value::from("rally")));
        assert_eq!(said.get("confidence"), Some(&Value::from(0.7)));
        assert_eq!(class(false, 0.8).read(&[0.3, 0.7]), None);
        assert_eq!(class(false, 0.0).read(&[f32::NAN, f32::NAN]), None);
        let equal = class(false, 0.5).read(&[0.5, 0.5]).unwrap();
        assert_eq!(equal.get("label"), Some(&Value::from("serve")));
    }

    #[test]
    fn logits_become_probabilities() {
        // e^2 / (e^2 + e^0) = 0.8808
        let said = class(true, 0.5).read(&[0.0, 2.0]).unwrap();
        assert_eq!(said.get("confidence"), Some(&Value::from(0.881)));
        // Large logits do not overflow, and a class beyond the labels has a number.
        let said = class(true, 0.5).read(&[0.0, 0.0, 1e30]).unwrap();
        assert_eq!(said.get("label"), Some(&Value::from("2")));
        assert_eq!(said.get("confidence"), Some(&Value::from(1.0)));
    }
}
