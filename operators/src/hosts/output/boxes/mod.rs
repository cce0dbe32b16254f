//! Boxes: things in the picture, each with a class, a score and a place, and key points where the model
//! has them. Of boxes that lie on each other the surest stays.

mod found;
mod layout;
mod maps;
#[cfg(test)]
mod tests;

use matchcut_model::value::{Attributes, Value};

use super::super::tensor::{Tensor, TensorInfo};
use super::{OutputOptions, label_of, named};
use crate::sdk::{AttributeKind, AttributeSpec, OptionError};
pub(super) use found::Places;
use found::{Found, Raw, apart};
use layout::Row;
pub(super) use layout::{BoxLayout, Corners};

/// How boxes are read of the tensors of a model.
pub(super) struct Boxes {
    pub(super) labels: Option<Vec<String>>,
    /// Labels that are kept; all if there are none.
    pub(super) only: Vec<String>,
    pub(super) layout: BoxLayout,
    /// Whether each box is a column; the layout's own way unless it is given.
    pub(super) columns: Option<bool>,
    pub(super) corners: Option<Corners>,
    /// Names of tensors of `separate`.
    pub(super) scores: Option<String>,
    pub(super) classes: Option<String>,
    pub(super) keypoints_tensor: Option<String>,
    /// The number of the first class that has a label.
    pub(super) first_class: usize,
    /// Whether scores are logits.
    pub(super) sigmoid: bool,
    /// Names of the key points, in their order.
    pub(super) keypoints: Vec<String>,
    pub(super) min_confidence: f64,
    pub(super) max_overlap: f64,
    pub(super) places: Places,
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
                as shares of the picture; with `keypoints`, these too: by name a list of x, y (shares of \
                the picture) and confidence",
        },
    ]
}

/// What is wrong with options of boxes, or of no use with them.
pub(super) fn wrong(options: &OutputOptions, labels: Option<&[String]>) -> Vec<OptionError> {
    let mut errors = Vec::new();
    let mut wrong = |option: &str, message: String| errors.push(OptionError::new(option, message));
    if let Some(labels) = labels {
        for only in options.only.iter().filter(|only| !labels.contains(only)) {
            wrong("only", format!("\"{only}\" is none of the labels"));
        }
    }
    for (at, name) in options.keypoints.iter().enumerate() {
        if name.trim().is_empty() {
            wrong("keypoints", "a name is empty".to_owned());
        } else if options.keypoints[..at].contains(name) {
            wrong("keypoints", format!("\"{name}\" stands there twice"));
        }
    }
    let layout = options.boxes;
    if layout != BoxLayout::Separate {
        let given = [
            ("scores", options.scores.is_some()),
            ("classes", options.classes.is_some()),
            ("keypoints_tensor", options.keypoints_tensor.is_some()),
        ];
        for (option, _) in given.into_iter().filter(|(_, given)| *given) {
            wrong(option, "only with boxes = \"separate\"".to_owned());
        }
    } else if options.keypoints_tensor.is_some() == options.keypoints.is_empty() {
        let message = "`keypoints` (names) and `keypoints_tensor` go together";
        wrong("keypoints", message.to_owned());
    }
    if !layout.in_rows() && options.columns.is_some() {
        wrong("columns", "only where boxes stand in one tensor".to_owned());
    }
    errors
}

impl Boxes {
    fn classes(&self) -> Option<usize> {
        self.labels.as_ref().map(Vec::len)
    }

    fn in_columns(&self) -> bool {
        self.columns.unwrap_or(self.layout == BoxLayout::YoloV8)
    }

    /// What is expected of one tensor with boxes.
    fn expected(&self) -> String {
        let (each, more) = match self.in_columns() {
            true => ("rows", "row"),
            false => ("columns", "column"),
        };
        let text = match self.layout {
            BoxLayout::YoloV5 => format!("5 {each} and one for each class"),
            BoxLayout::YoloV8 => format!("4 {each} and one for each class"),
            _ => format!("6 {each} (left, top, right, bottom, score, class)"),
        };
        match self.keypoints.len() {
            0 => text,
            count => format!("{text}, then 3 (or 2) {more}s for each of {count} key points"),
        }
    }

    fn row(&self, numbers: usize) -> Option<Row> {
        Row::of(self.layout, numbers, self.classes(), self.keypoints.len())
    }

    pub(super) fn check(
        &self,
        outputs: &[TensorInfo],
        usual: Option<&str>,
        batch: usize,
    ) -> Result<(), OptionError> {
        let find = |option: &str, name: Option<&str>| {
            named(outputs, name, |info| &info.name)
                .map_err(|message| OptionError::new(option, message))
        };
        match self.layout {
            BoxLayout::Separate => {
                let info = find("tensor", usual)?;
                let numbers = info.shape.0.last().copied().flatten();
                let of_five = numbers == Some(5);
                if numbers.is_some_and(|numbers| numbers != 4 && numbers != 5) {
                    let message = format!(
                        "the output {info} does not fit: a place of 4 numbers for each box is expected \
                         (or 5, with the score)"
                    );
                    return Err(OptionError::new("boxes", message));
                }
                match (&self.scores, of_five) {
                    (Some(name), _) => find("scores", Some(name)).map(drop)?,
                    (None, true) => {}
                    (None, false) => {
                        let names: Vec<_> = outputs.iter().map(|o| format!("\"{o}\"")).collect();
                        let message = format!(
                            "missing: with boxes = \"separate\" the name of the tensor with the scores; \
                             the model has {}",
                            names.join(", ")
                        );
                        return Err(OptionError::new("scores", message));
                    }
                }
                if let Some(name) = &self.classes {
                    find("classes", Some(name))?;
                }
                if let Some(name) = &self.keypoints_tensor {
                    find("keypoints_tensor", Some(name))?;
                }
                Ok(())
            }
            BoxLayout::CenterFace => {
                let first = find("tensor", usual)?;
                let at = outputs.iter().position(|info| info.name == first.name);
                let maps = outputs.get(at.unwrap_or_default()..).unwrap_or_default();
                let needed = if self.keypoints.is_empty() { 3 } else { 4 };
                let channels = [1, 2, 2, self.keypoints.len() * 2];
                let fits = |(info, channels): (&TensorInfo, usize)| {
                    info.shape.0.len() == 4 && info.shape.0[1].is_none_or(|found| found == channels)
                };
                if maps.len() >= needed && maps.iter().zip(channels).take(needed).all(fits) {
                    return Ok(());
                }
                let message = format!(
                    "the outputs from {first} on do not fit: expected are maps of a score (1 channel), \
                     sizes (2), offsets (2) and, with `keypoints`, two channels for each of them"
                );
                Err(OptionError::new("boxes", message))
            }
            BoxLayout::Yunet => {
                for stride in maps::STRIDES {
                    for kind in maps::KINDS {
                        find("boxes", Some(&format!("{kind}_{stride}")))?;
                    }
                }
                Ok(())
            }
            _ => self.check_rows(find("tensor", usual)?, batch),
        }
    }

    fn check_rows(&self, info: &TensorInfo, batch: usize) -> Result<(), OptionError> {
        let shape = &info.shape.0;
        let of_picture = match shape.len() {
            3 => shape.get(1..),
            2 if batch == 1 => Some(&shape[..]),
            _ => None,
        };
        let numbers = of_picture.and_then(|shape| match self.in_columns() {
            true => shape.first(),
            false => shape.last(),
        });
        let fits = match numbers {
            Some(Some(numbers)) => self.row(*numbers).is_some(),
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
        // The same numbers the other way round are a frequent surprise.
        let turned = of_picture.and_then(|shape| match self.in_columns() {
            true => shape.last(),
            false => shape.first(),
        });
        let turn = match turned {
            Some(Some(numbers)) if self.row(*numbers).is_some() => {
                format!("; with columns = {} it would", !self.in_columns())
            }
            _ => String::new(),
        };
        Err(OptionError::new(
            "boxes",
            format!(
                "the output {info} does not fit: expected are the pictures of a batch ({batch}), then \
                 {}{labels}{turn}",
                self.expected()
            ),
        ))
    }

    /// What is said of picture `number` of a batch.
    pub(super) fn read(
        &self,
        tensors: &[Tensor],
        usual: Option<&str>,
        number: usize,
        batch: usize,
    ) -> Result<Option<Attributes>, String> {
        let raw = match self.layout {
            BoxLayout::Separate => self.separate(tensors, usual, number, batch)?,
            BoxLayout::CenterFace => self.center_face(tensors, usual, number, batch)?,
            BoxLayout::Yunet => self.yunet(tensors, number, batch)?,
            _ => {
                let tensor = named(tensors, usual, |tensor| &tensor.name)?;
                let (shape, numbers) = tensor.of_picture(number, batch, 2)?;
                self.rows(shape, numbers)
                    .map_err(|message| format!("the output \"{}\": {message}", tensor.name))?
            }
        };
        let found = raw.into_iter().filter_map(|raw| self.keep(raw)).collect();
        Ok(self.say(&apart(found, self.max_overlap)))
    }

    /// The box in the picture, if it is one of those that are kept.
    fn keep(&self, raw: Raw) -> Option<Found> {
        let class = raw.class.checked_sub(self.first_class)?;
        let wanted =
            self.only.is_empty() || self.only.contains(&label_of(self.labels.as_deref(), class));
        let sure = raw.score >= self.min_confidence;
        (wanted && sure)
            .then(|| self.places.place(Raw { class, ..raw }))
            .flatten()
    }

    fn score(&self, number: f64) -> Result<f64, String> {
        if self.sigmoid {
            return Ok(1.0 / (1.0 + (-number).exp()));
        }
        if number > 1.001 {
            return Err(format!(
                "a score is {number:.1}, but a share of 1 is expected: are there `keypoints`, other \
                 `labels`, or logits (`sigmoid`)?"
            ));
        }
        Ok(number)
    }

    fn rows(&self, shape: &[usize], numbers: &[f32]) -> Result<Vec<Raw>, String> {
        let &[rows, columns] = shape else {
            return Err(format!("{} dimensions for a picture, not 2", shape.len()));
        };
        let (boxes, each) = match self.in_columns() {
            true => (columns, rows),
            false => (rows, columns),
        };
        if boxes == 0 {
            return Ok(Vec::new());
        }
        let row = self.row(each).ok_or_else(|| {
            let expected = self.expected();
            format!("[{rows}, {columns}] for a picture, where {expected} are expected")
        })?;
        let corners = self.corners.unwrap_or(Corners::usual(self.layout));
        let mut found = Vec::new();
        for number in 0..boxes {
            let at = |value: usize| {
                let index = match self.in_columns() {
                    true => value * boxes + number,
                    false => number * each + value,
                };
                numbers.get(index).copied().map_or(f64::NAN, f64::from)
            };
            let Some((best, score)) = best(row.scores.0, row.scores.1, at) else {
                continue;
            };
            let mut score = self.score(score)?;
            if let Some(something) = row.something {
                score *= self.score(at(something))?;
            }
            if score.is_nan() || score < self.min_confidence {
                continue;
            }
            found.push(Raw {
                class: row.class.map_or(best, |class| at(class).max(0.0) as usize),
                score,
                edges: corners.edges([at(0), at(1), at(2), at(3)]),
                keypoints: points(self.keypoints.len(), row.each, |value| {
                    at(row.keypoints + value)
                }),
            });
        }
        Ok(found)
    }

    fn separate(
        &self,
        tensors: &[Tensor],
        usual: Option<&str>,
        number: usize,
        batch: usize,
    ) -> Result<Vec<Raw>, String> {
        let places = named(tensors, usual, |tensor| &tensor.name)?;
        // Models for one picture leave its dimension out, in all their tensors.
        let alone = places.shape.len() == 2 && batch == 1;
        let of = |name: Option<&str>| {
            let tensor = named(tensors, name, |tensor| &tensor.name)?;
            match alone {
                true => Ok((tensor.shape.as_slice(), tensor.data.as_slice())),
                false => tensor.of_picture(number, batch, usize::MAX),
            }
        };
        let other = |name: &Option<String>| match name {
            Some(name) => of(Some(name)).map(Some),
            None => Ok(None),
        };
        let (shape, numbers) = of(usual)?;
        let &[boxes, each @ (4 | 5)] = shape else {
            return Err(format!(
                "the output \"{}\" has {shape:?} for a picture, where 4 numbers for each box are expected",
                places.name
            ));
        };
        let scores = other(&self.scores)?;
        let classes = other(&self.classes)?;
        let keypoints = other(&self.keypoints_tensor)?;
        let columns = match &scores {
            Some((shape, _)) if shape.first() == Some(&boxes) || boxes == 0 => {
                shape.get(1).copied().unwrap_or(1)
            }
            Some((shape, _)) => {
                return Err(format!(
                    "scores are {shape:?} for a picture with {boxes} boxes"
                ));
            }
            None if each == 5 => 1,
            None => return Err("there are no scores".to_owned()),
        };
        let corners = self.corners.unwrap_or(Corners::usual(self.layout));
        let mut found = Vec::new();
        for number in 0..boxes {
            let place = |value: usize| at(numbers, number * each + value);
            let scored = match &scores {
                Some((_, scores)) if columns == 1 => Some((self.first_class, at(scores, number))),
                // The columns before the first class are not things.
                Some((_, scores)) => {
                    let from = self.first_class.min(columns);
                    best(from, columns - from, |value| {
                        at(scores, number * columns + value)
                    })
                    .map(|(class, score)| (class + from, score))
                }
                None => Some((self.first_class, place(4))),
            };
            let Some((best, score)) = scored else {
                continue;
            };
            let score = self.score(score)?;
            if score.is_nan() || score < self.min_confidence {
                continue;
            }
            let class = match &classes {
                Some((_, classes)) => at(classes, number).max(0.0) as usize,
                None => best,
            };
            let points = match &keypoints {
                Some((_, points_of)) => {
                    let all = points_of.len() / boxes.max(1);
                    let each = if all == self.keypoints.len() * 2 {
                        2
                    } else {
                        3
                    };
                    points(self.keypoints.len(), each, |value| {
                        at(points_of, number * all + value)
                    })
                }
                None => Vec::new(),
            };
            found.push(Raw {
                class,
                score,
                edges: corners.edges([place(0), place(1), place(2), place(3)]),
                keypoints: points,
            });
        }
        Ok(found)
    }

    fn center_face(
        &self,
        tensors: &[Tensor],
        usual: Option<&str>,
        number: usize,
        batch: usize,
    ) -> Result<Vec<Raw>, String> {
        let first = named(tensors, usual, |tensor| &tensor.name)?;
        let from = tensors.iter().position(|tensor| tensor.name == first.name);
        let map = |at: usize| {
            let tensor = tensors.get(from.unwrap_or_default() + at);
            tensor
                .ok_or_else(|| format!("there is no output {at} after \"{}\"", first.name))?
                .of_picture(number, batch, 3)
        };
        let maps = maps::CenterFace {
            scores: map(0)?,
            sizes: map(1)?.1,
            offsets: map(2)?.1,
            keypoints: match self.keypoints.is_empty() {
                true => None,
                false => Some(map(3)?.1),
            },
        };
        maps::center_face(
            &maps,
            self.places.input(),
            self.keypoints.len(),
            self.min_confidence,
        )
    }

    fn yunet(&self, tensors: &[Tensor], number: usize, batch: usize) -> Result<Vec<Raw>, String> {
        let mut found = Vec::new();
        for stride in maps::STRIDES {
            let mut numbers: [&[f32]; 4] = [&[]; 4];
            for (numbers, kind) in numbers.iter_mut().zip(maps::KINDS) {
                let tensor = maps::yunet_tensor(tensors, kind, stride)?;
                *numbers = tensor.of_picture(number, batch, 2)?.1;
            }
            found.extend(maps::yunet(
                numbers,
                stride,
                self.places.input().0,
                self.keypoints.len(),
                self.min_confidence,
            ));
        }
        Ok(found)
    }

    fn say(&self, found: &[Found]) -> Option<Attributes> {
        let best = found.first()?;
        let label = |one: &Found| Value::from(label_of(self.labels.as_deref(), one.class));
        let share = |share: f64| Value::rounded(share, 4);
        let boxes = found.iter().map(|one| {
            let mut said = Attributes::from([
                ("label".into(), label(one)),
                ("confidence".into(), Value::rounded(one.score, 3)),
                ("left".into(), share(one.left)),
                ("top".into(), share(one.top)),
                ("width".into(), share(one.right - one.left)),
                ("height".into(), share(one.bottom - one.top)),
            ]);
            if !one.keypoints.is_empty() {
                let points = self.keypoints.iter().zip(&one.keypoints);
                let points = points.map(|(name, [x, y, score])| {
                    let point = vec![share(*x), share(*y), Value::rounded(*score, 3)];
                    (name.as_str().into(), Value::List(point))
                });
                said.insert("keypoints".into(), Value::Map(points.collect()));
            }
            Value::Map(said)
        });
        Some(Attributes::from([
            ("count".into(), Value::from(found.len() as i64)),
            ("label".into(), label(best)),
            ("confidence".into(), Value::rounded(best.score, 3)),
            ("boxes".into(), Value::List(boxes.collect())),
        ]))
    }
}

/// A number of a tensor; what is missing is no number.
fn at(numbers: &[f32], index: usize) -> f64 {
    numbers.get(index).copied().map_or(f64::NAN, f64::from)
}

/// The largest of `count` scores from `first` on, the first among equals, and which it is.
fn best(first: usize, count: usize, at: impl Fn(usize) -> f64) -> Option<(usize, f64)> {
    let scores = (0..count).map(|class| (class, at(first + class)));
    scores
        .rev()
        .filter(|(_, score)| !score.is_nan())
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
}

/// Key points of `each` numbers; one that has no score of its own is as sure as its box.
fn points(count: usize, each: usize, at: impl Fn(usize) -> f64) -> Vec<[f64; 3]> {
    (0..count)
        .map(|point| {
            let score = if each > 2 { at(point * each + 2) } else { 1.0 };
            [at(point * each), at(point * each + 1), score]
        })
        .collect()
}
