//! Boxes: things in the picture, each with a class, a score and a place. Of boxes that lie on each other
//! the surest stays.

use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::tensor::TensorInfo;
use super::label_of;
use crate::sdk::{AttributeKind, AttributeSpec, OptionError};

/// How boxes stand in the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum BoxLayout {
    /// A row for each box: left, top, right, bottom, score, number of the class.
    XyxyScoreClass,
    /// A row for each box: centre x, centre y, width, height, score of there being something, a score
    /// for each class.
    YoloV5,
    /// A column for each box: centre x, centre y, width, height, a score for each class.
    YoloV8,
}

/// More boxes than these, by score, are not compared with each other.
const MOST: usize = 1000;

pub(super) struct Boxes {
    pub(super) labels: Option<Vec<String>>,
    pub(super) layout: BoxLayout,
    pub(super) min_confidence: f64,
    pub(super) max_overlap: f64,
    /// What the coordinates are shares of.
    pub(super) size: (f64, f64),
}

pub(super) fn attributes() -> Vec<AttributeSpec> {
    vec![
        AttributeSpec {
            name: "count",
            kind: AttributeKind::Number,
            description: "how many boxes there are in the picture",
        },
        AttributeSpec {
            name: "label",
            kind: AttributeKind::Text,
            description: "the class of the box that the model is most sure of",
        },
        AttributeSpec {
            name: "confidence",
            kind: AttributeKind::Number,
            description: "how sure it is",
        },
        AttributeSpec {
            name: "boxes",
            kind: AttributeKind::Any,
            description: "all boxes, the surest first: label, confidence, and left, top, width and height \
                as shares of the picture",
        },
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Found {
    class: usize,
    score: f64,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl BoxLayout {
    fn expected(self) -> &'static str {
        match self {
            BoxLayout::XyxyScoreClass => "6 columns (left, top, right, bottom, score, class)",
            BoxLayout::YoloV5 => "5 columns and one for each class",
            BoxLayout::YoloV8 => "4 rows and one for each class",
        }
    }

    /// Whether so many numbers can be a box. Without labels any number of classes is right.
    fn fits(self, numbers: usize, labels: Option<usize>) -> bool {
        let classes = |first: usize| match labels {
            Some(labels) => numbers == first + labels,
            None => numbers > first,
        };
        match self {
            BoxLayout::XyxyScoreClass => numbers == 6,
            BoxLayout::YoloV5 => classes(5),
            BoxLayout::YoloV8 => classes(4),
        }
    }
}

impl Boxes {
    fn classes(&self) -> Option<usize> {
        self.labels.as_ref().map(Vec::len)
    }

    pub(super) fn check(&self, info: &TensorInfo, batch: usize) -> Result<(), OptionError> {
        let shape = &info.shape.0;
        let of_picture = match shape.len() {
            3 => shape.get(1..),
            2 if batch == 1 => Some(&shape[..]),
            _ => None,
        };
        let numbers = of_picture.and_then(|shape| match self.layout {
            BoxLayout::YoloV8 => shape.first(),
            _ => shape.last(),
        });
        let fits = match numbers {
            Some(Some(numbers)) => self.layout.fits(*numbers, self.classes()),
            Some(None) => true,
            None => false,
        };
        if fits {
            return Ok(());
        }
        let labels = match self.classes() {
            Some(count) if self.layout != BoxLayout::XyxyScoreClass => {
                format!(" ({count} labels are given)")
            }
            _ => String::new(),
        };
        Err(OptionError::new(
            "boxes",
            format!(
                "the output {info} does not fit: expected are the pictures of a batch ({batch}), then {}{labels}",
                self.layout.expected()
            ),
        ))
    }

    pub(super) fn read(
        &self,
        shape: &[usize],
        numbers: &[f32],
    ) -> Result<Option<Attributes>, String> {
        let &[rows, columns] = shape else {
            return Err(format!("{} dimensions for a picture, not 2", shape.len()));
        };
        let (boxes, each) = match self.layout {
            BoxLayout::YoloV8 => (columns, rows),
            _ => (rows, columns),
        };
        if !self.layout.fits(each, self.classes()) && boxes > 0 {
            return Err(format!(
                "[{rows}, {columns}] for a picture, where {} are expected",
                self.layout.expected()
            ));
        }
        let at = |number: usize, value: usize| {
            let index = match self.layout {
                BoxLayout::YoloV8 => value * boxes + number,
                _ => number * each + value,
            };
            numbers.get(index).copied().map_or(f64::NAN, f64::from)
        };
        let mut found: Vec<Found> = (0..boxes)
            .filter_map(|number| self.found(each, |value| at(number, value)))
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
        found.truncate(MOST);
        Ok(self.say(&self.apart(found)))
    }

    /// One box, if the model is sure enough of it.
    fn found(&self, each: usize, at: impl Fn(usize) -> f64) -> Option<Found> {
        let best = |from: usize| {
            let scores = (from..each).map(|value| (value - from, at(value)));
            scores
                .rev()
                .filter(|(_, score)| !score.is_nan())
                .max_by(|(_, a), (_, b)| a.total_cmp(b))
        };
        let (class, score) = match self.layout {
            BoxLayout::XyxyScoreClass => (at(5).max(0.0) as usize, at(4)),
            BoxLayout::YoloV5 => best(5).map(|(class, score)| (class, score * at(4)))?,
            BoxLayout::YoloV8 => best(4)?,
        };
        let corners = match self.layout {
            BoxLayout::XyxyScoreClass => [at(0), at(1), at(2), at(3)],
            _ => {
                let (half_width, half_height) = (at(2) / 2.0, at(3) / 2.0);
                [
                    at(0) - half_width,
                    at(1) - half_height,
                    at(0) + half_width,
                    at(1) + half_height,
                ]
            }
        };
        if corners.iter().any(|corner| !corner.is_finite()) {
            return None;
        }
        let (width, height) = self.size;
        let found = Found {
            class,
            score,
            left: (corners[0] / width).clamp(0.0, 1.0),
            top: (corners[1] / height).clamp(0.0, 1.0),
            right: (corners[2] / width).clamp(0.0, 1.0),
            bottom: (corners[3] / height).clamp(0.0, 1.0),
        };
        let sure = found.score >= self.min_confidence;
        (sure && found.left < found.right && found.top < found.bottom).then_some(found)
    }

    /// Without those that lie on a surer one of the same class.
    fn apart(&self, found: Vec<Found>) -> Vec<Found> {
        let mut kept: Vec<Found> = Vec::new();
        for one in found {
            let lies_on =
                |other: &Found| other.class == one.class && overlap(other, &one) > self.max_overlap;
            if !kept.iter().any(lies_on) {
                kept.push(one);
            }
        }
        kept
    }

    fn say(&self, found: &[Found]) -> Option<Attributes> {
        let best = found.first()?;
        let label = |one: &Found| Value::from(label_of(self.labels.as_deref(), one.class));
        let share = |share: f64| Value::rounded(share, 4);
        let boxes = found.iter().map(|one| {
            Value::Map(Attributes::from([
                ("label".into(), label(one)),
                ("confidence".into(), Value::rounded(one.score, 3)),
                ("left".into(), share(one.left)),
                ("top".into(), share(one.top)),
                ("width".into(), share(one.right - one.left)),
                ("height".into(), share(one.bottom - one.top)),
            ]))
        });
        Some(Attributes::from([
            ("count".into(), Value::from(found.len() as i64)),
            ("label".into(), label(best)),
            ("confidence".into(), Value::rounded(best.score, 3)),
            ("boxes".into(), Value::List(boxes.collect())),
        ]))
    }
}

/// The area in common by the area of both.
fn overlap(a: &Found, b: &Found) -> f64 {
    let area = |one: &Found| (one.right - one.left) * (one.bottom - one.top);
    let width = a.right.min(b.right) - a.left.max(b.left);
    let height = a.bottom.min(b.bottom) - a.top.max(b.top);
    let common = width.max(0.0) * height.max(0.0);
    common / (area(a) + area(b) - common)
}

#[cfg(test)]
mod tests {
    use super::super::super::tensor::Shape;
    use super::*;

    fn boxes(layout: BoxLayout, labels: &[&str]) -> Boxes {
        Boxes {
            labels: Some(labels.iter().map(|label| label.to_string()).collect()),
            layout,
            min_confidence: 0.5,
            max_overlap: 0.45,
            size: (100.0, 50.0),
        }
    }

    /// Label, confidence, left, top, width, height.
    fn rows(said: Option<Attributes>) -> Vec<(String, [f64; 5])> {
        let Some(said) = said else { return Vec::new() };
        let Some(Value::List(list)) = said.get("boxes") else {
            panic!("no boxes in {said:?}")
        };
        list.iter()
            .map(|one| {
                let Value::Map(one) = one else {
                    panic!("{one:?}")
                };
                let number = |name: &str| one.get(name).unwrap().as_f64().unwrap();
                let numbers = ["confidence", "left", "top", "width", "height"].map(number);
                (
                    one.get("label").unwrap().as_str().unwrap().to_owned(),
                    numbers,
                )
            })
            .collect()
    }

    #[test]
    fn rows_of_corners_score_and_class() {
        let numbers = [
            // Two that lie on each other, one of another class, one that is unsure, one without area.
            [10.0, 10.0, 50.0, 40.0, 0.7, 0.0],
            [12.0, 10.0, 52.0, 40.0, 0.9, 0.0],
            [10.0, 10.0, 50.0, 40.0, 0.8, 1.0],
            [0.0, 0.0, 9.0, 9.0, 0.4, 0.0],
            [5.0, 5.0, 5.0, 9.0, 0.9, 0.0],
        ];
        let said = boxes(BoxLayout::XyxyScoreClass, &["ball", "player"])
            .read(&[5, 6], numbers.as_flattened());
        assert_eq!(
            rows(said.unwrap()),
            [
                ("ball".to_owned(), [0.9, 0.12, 0.2, 0.4, 0.6]),
                ("player".to_owned(), [0.8, 0.1, 0.2, 0.4, 0.6]),
            ]
        );
    }

    #[test]
    fn both_kinds_of_yolo() {
        let row = [30.0, 25.0, 40.0, 30.0, 0.9, 0.1, 0.8];
        let said = boxes(BoxLayout::YoloV5, &["ball", "player"]).read(&[1, 7], &row);
        assert_eq!(
            rows(said.unwrap()),
            [("player".to_owned(), [0.72, 0.1, 0.2, 0.4, 0.6])]
        );
        // Two boxes in columns.
        let columns = [
            30.0, 1.0, 25.0, 1.0, 40.0, 1.0, 30.0, 1.0, 0.6, 0.1, 0.2, 0.3,
        ];
        let said = boxes(BoxLayout::YoloV8, &["ball", "player"]).read(&[6, 2], &columns);
        assert_eq!(
            rows(said.unwrap()),
            [("ball".to_owned(), [0.6, 0.1, 0.2, 0.4, 0.6])]
        );
        assert_eq!(
            boxes(BoxLayout::YoloV8, &["ball"])
                .read(&[6, 2], &columns)
                .unwrap_err(),
            "[6, 2] for a picture, where 4 rows and one for each class are expected"
        );
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let boxes = boxes(BoxLayout::XyxyScoreClass, &[]);
        assert_eq!(boxes.read(&[0, 6], &[]), Ok(None));
        let broken = [f32::NAN, 0.0, 9.0, 9.0, 0.9, 0.0];
        assert_eq!(boxes.read(&[1, 6], &broken), Ok(None));
    }

    #[test]
    fn shapes_are_checked_before_the_model_runs() {
        let info = |shape: &[Option<usize>]| TensorInfo {
            name: "y".to_owned(),
            kind: "float32".to_owned(),
            shape: Shape(shape.to_vec()),
        };
        let xyxy = boxes(BoxLayout::XyxyScoreClass, &[]);
        assert_eq!(xyxy.check(&info(&[None, None, Some(6)]), 8), Ok(()));
        assert_eq!(xyxy.check(&info(&[None, Some(6)]), 1), Ok(()));
        assert_eq!(
            xyxy.check(&info(&[None, Some(6)]), 8).unwrap_err().message,
            "the output \"y\" of float32 [?, 6] does not fit: expected are the pictures of a batch (8), \
             then 6 columns (left, top, right, bottom, score, class)"
        );
        let yolo = boxes(BoxLayout::YoloV8, &["ball", "player"]);
        assert_eq!(
            yolo.check(&info(&[Some(1), Some(6), Some(8400)]), 1),
            Ok(())
        );
        assert!(
            yolo.check(&info(&[Some(1), Some(84), Some(8400)]), 1)
                .is_err()
        );
    }
}
