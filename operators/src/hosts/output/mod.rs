//! What is said of the tensors of a model: a class, boxes, an embedding or plain values. The same for
//! models of this process and for those behind a server.

mod boxes;
mod class;
mod embedding;
mod merge;
mod values;

use std::path::Path;

use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::picture::Framing;
use super::tensor::{Tensor, TensorInfo};
use crate::sdk::{AttributeSpec, FoldBox, OptionError, Options, Said, pass_on};
use boxes::{BoxLayout, Boxes, Corners, Places};
use class::Class;
use embedding::Embedding;
pub(super) use merge::merged;
use values::{ValueOption, Values};

/// What the numbers of a model are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// One number for each label; the largest counts.
    #[default]
    Class,
    /// Things in the picture.
    Boxes,
    /// A vector that stands for the picture.
    Embedding,
    /// Numbers with names.
    Values,
}

/// Options of what is said of the tensors of a model.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OutputOptions {
    /// What the numbers of the model are: `class` (one for each label, the largest counts), `boxes`
    /// (things in the picture), `embedding` (a vector) or `values` (numbers with names).
    output: Kind,
    /// The name of the output tensor; the first of the model unless it is given.
    tensor: Option<String>,
    /// Names of classes, in their order. A class without a name is called by its number.
    labels: Option<Vec<String>>,
    /// A text file with a name on each line, instead of `labels`.
    #[schemars(extend("format" = "path"))]
    labels_file: Option<String>,
    /// `class`: whether the numbers are logits that softmax makes probabilities of.
    softmax: bool,
    /// `class`, `boxes`: what the model is less sure of is left out.
    min_confidence: f64,
    /// `class`: whether pictures of one label that follow each other become a range, instead of a point
    /// for each picture.
    ranges: bool,
    /// `boxes`: how they stand in the tensors. `xyxy_score_class`: rows of left, top, right, bottom, score,
    /// number of the class. `yolo_v5`: rows of centre x, centre y, width, height, score of there being
    /// something, a score for each class. `yolo_v8`: the same without the score of there being something,
    /// in columns. `separate`: places, scores and classes in tensors of their own. `center_face`, `yunet`:
    /// as these face detectors give them.
    boxes: BoxLayout,
    /// `boxes`: whether each box is a column of the tensor (with `yolo_v8` unless it is given) or a row.
    columns: Option<bool>,
    /// `boxes`: what the four numbers of a place are: `xyxy` (left, top, right, bottom), `yxyx`, `xywh`
    /// (left, top, width, height) or `cxcywh` (centre x, centre y, width, height). `cxcywh` with
    /// `yolo_v5` and `yolo_v8`, else `xyxy` unless it is given.
    corners: Option<Corners>,
    /// `boxes`: whether the model gives shares of width and height instead of pixels of its input.
    normalized: bool,
    /// `boxes` of `separate` tensors: the name of the tensor with the scores, one for each box or one for
    /// each class; `tensor` has the places (and may have the score as a fifth number).
    scores: Option<String>,
    /// `boxes` of `separate` tensors: the name of the tensor with the numbers of classes, where there is
    /// one score for each box.
    classes: Option<String>,
    /// `boxes`: the number of the first class that has a label: 1 for models that count what is no
    /// thing as class 0.
    first_class: usize,
    /// `boxes`: whether scores are logits that the logistic function makes probabilities of.
    sigmoid: bool,
    /// `boxes`: labels that are kept; all unless they are given.
    only: Vec<String>,
    /// `boxes`: names of the key points that each box has, in the order of the model.
    keypoints: Vec<String>,
    /// `boxes` of `separate` tensors: the name of the tensor with the key points.
    keypoints_tensor: Option<String>,
    /// `boxes`: of two boxes of one class that share more than this (area in common by area of both) the
    /// less sure one is left out; 1 keeps all.
    max_overlap: f64,
    /// `values`: what each number is called.
    values: Vec<ValueOption>,
}

impl Default for OutputOptions {
    fn default() -> Self {
        OutputOptions {
            output: Kind::Class,
            tensor: None,
            labels: None,
            labels_file: None,
            softmax: false,
            min_confidence: 0.5,
            ranges: false,
            boxes: BoxLayout::XyxyScoreClass,
            columns: None,
            corners: None,
            normalized: false,
            scores: None,
            classes: None,
            first_class: 0,
            sigmoid: false,
            only: Vec::new(),
            keypoints: Vec::new(),
            keypoints_tensor: None,
            max_overlap: 0.45,
            values: Vec::new(),
        }
    }
}

/// What is said of the tensors of a model.
pub(super) struct Output {
    tensor: Option<String>,
    reading: Reading,
    /// Points of one label become ranges.
    ranges: bool,
}

enum Reading {
    Class(Class),
    Boxes(Boxes),
    Embedding(Embedding),
    Values(Values),
}

impl Output {
    /// For pictures that lie so in the input; everything that is wrong is named.
    pub(super) fn new(
        options: &OutputOptions,
        framing: Framing,
    ) -> Result<Output, Vec<OptionError>> {
        let mut errors = Vec::new();
        if !(0.0..=1.0).contains(&options.min_confidence) {
            errors.push(OptionError::new("min_confidence", "a number from 0 to 1"));
        }
        if !(0.0..=1.0).contains(&options.max_overlap) {
            errors.push(OptionError::new("max_overlap", "a number from 0 to 1"));
        }
        if options.ranges && options.output != Kind::Class {
            errors.push(OptionError::new("ranges", "only for output = \"class\""));
        }
        let labels = labels(options).unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        let reading = match options.output {
            Kind::Class => Reading::Class(Class {
                labels,
                softmax: options.softmax,
                min_confidence: options.min_confidence,
                // Ranges end where something else is seen, or nothing.
                unseen: options.ranges,
            }),
            Kind::Boxes => {
                errors.extend(boxes::wrong(options, labels.as_deref()));
                Reading::Boxes(Boxes {
                    labels,
                    only: options.only.clone(),
                    layout: options.boxes,
                    columns: options.columns,
                    corners: options.corners,
                    scores: options.scores.clone(),
                    classes: options.classes.clone(),
                    keypoints_tensor: options.keypoints_tensor.clone(),
                    first_class: options.first_class,
                    sigmoid: options.sigmoid,
                    keypoints: options.keypoints.clone(),
                    min_confidence: options.min_confidence,
                    max_overlap: options.max_overlap,
                    places: Places::new(framing, options.normalized),
                })
            }
            Kind::Embedding => Reading::Embedding(Embedding),
            Kind::Values => match Values::new(&options.values) {
                Ok(values) => Reading::Values(values),
                Err(wrong) => {
                    errors.extend(wrong);
                    Reading::Embedding(Embedding)
                }
            },
        };
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Output {
            tensor: options.tensor.clone(),
            reading,
            ranges: options.ranges,
        })
    }

    /// Whether the outputs of a model can be read in this way, as far as their shapes are known.
    pub(super) fn check(&self, outputs: &[TensorInfo], batch: usize) -> Result<(), OptionError> {
        match &self.reading {
            Reading::Values(values) => values.check(outputs, self.tensor.as_deref()),
            Reading::Boxes(boxes) => boxes.check(outputs, self.tensor.as_deref(), batch),
            reading => {
                let info = named(outputs, self.tensor.as_deref(), |info| &info.name)
                    .map_err(|message| OptionError::new("tensor", message))?;
                match reading {
                    Reading::Class(class) => class.check(info),
                    _ => Ok(()),
                }
            }
        }
    }

    /// What is said of picture `number` of a batch.
    pub(super) fn read(
        &self,
        time: MediaTime,
        tensors: &[Tensor],
        number: usize,
        batch: usize,
    ) -> Result<Option<Said>, String> {
        let tensor = || named(tensors, self.tensor.as_deref(), |tensor| &tensor.name);
        let attributes = match &self.reading {
            Reading::Class(class) => class.read(tensor()?.of_picture(number, batch, 1)?.1),
            Reading::Boxes(boxes) => boxes.read(tensors, self.tensor.as_deref(), number, batch)?,
            Reading::Embedding(embedding) => {
                Some(embedding.read(tensor()?.of_picture(number, batch, 1)?.1))
            }
            Reading::Values(values) => {
                Some(values.read(tensors, self.tensor.as_deref(), number, batch)?)
            }
        };
        Ok(attributes.map(|attributes| Said {
            start: time,
            end: time,
            attributes,
        }))
    }

    /// The ordered part that goes with it; a picture stands for what follows it, up to `interval`.
    pub(super) fn fold(&self, interval: MediaTime) -> FoldBox {
        match self.ranges {
            true => merged(interval),
            false => pass_on(),
        }
    }
}

/// The attributes with these options, which need not be right.
pub(super) fn attributes_with(options: &Options) -> Vec<AttributeSpec> {
    let mut rest = options.clone();
    let options: OutputOptions = super::take(&mut rest, &mut Vec::new());
    match options.output {
        Kind::Class => class::attributes(),
        Kind::Boxes => boxes::attributes(),
        Kind::Embedding => embedding::attributes(),
        Kind::Values => values::attributes(&options.values),
    }
}

/// The attributes of every kind of output.
pub(super) fn all_attributes() -> Vec<AttributeSpec> {
    let mut all = class::attributes();
    for more in [
        boxes::attributes(),
        embedding::attributes(),
        values::attributes(&[]),
    ] {
        for attribute in more {
            if all.iter().all(|known| known.name != attribute.name) {
                all.push(attribute);
            }
        }
    }
    all
}

/// The one that is called so, else the first.
fn named<'a, T>(
    all: &'a [T],
    wanted: Option<&str>,
    name: impl Fn(&T) -> &String,
) -> Result<&'a T, String> {
    let found = match wanted {
        Some(wanted) => all.iter().find(|one| name(one) == wanted),
        None => all.first(),
    };
    found.ok_or_else(|| {
        let names: Vec<String> = all.iter().map(|one| format!("\"{}\"", name(one))).collect();
        match wanted {
            Some(wanted) => format!(
                "the model has no output \"{wanted}\"; it has {}",
                names.join(", ")
            ),
            None => "the model has no output".to_owned(),
        }
    })
}

/// The names of the classes, if any are given.
fn labels(options: &OutputOptions) -> Result<Option<Vec<String>>, OptionError> {
    let Some(path) = &options.labels_file else {
        return Ok(options.labels.clone());
    };
    if options.labels.is_some() {
        let message = "given as well as `labels`; give one of them";
        return Err(OptionError::new("labels_file", message));
    }
    let text = std::fs::read_to_string(Path::new(path)).map_err(|error| {
        OptionError::new("labels_file", format!("cannot read \"{path}\": {error}"))
    })?;
    let lines = text.lines().map(|line| line.trim().to_owned()).collect();
    Ok(Some(lines))
}

/// What a class is called.
fn label_of(labels: Option<&[String]>, class: usize) -> String {
    let label = labels.and_then(|labels| labels.get(class));
    label.cloned().unwrap_or_else(|| class.to_string())
}
