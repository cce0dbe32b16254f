//! An embedding: a vector that stands for the picture, for whoever compares pictures.

use matchcut_model::value::{Attributes, Value};

use crate::sdk::{AttributeKind, AttributeSpec};

pub(super) struct Embedding;

pub(super) fn attributes() -> Vec<AttributeSpec> {
    vec![AttributeSpec {
        name: "embedding",
        kind: AttributeKind::Any,
        description: "the numbers of the vector",
    }]
}

impl Embedding {
    pub(super) fn read(&self, numbers: &[f32]) -> Attributes {
        let numbers = numbers
            .iter()
            .map(|number| Value::rounded(f64::from(*number), 6))
            .collect();
        Attributes::from([("embedding".into(), Value::List(numbers))])
    }
}
