//! How a model lays out boxes, as a spec says it: which tensors, which numbers of a row, and what the
//! coordinates mean.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How boxes stand in the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum BoxLayout {
    /// Left, top, right, bottom, score, number of the class, then key points.
    XyxyScoreClass,
    /// Centre x, centre y, width, height, score of there being something, a score for each class, then
    /// key points.
    YoloV5,
    /// Centre x, centre y, width, height, a score for each class, then key points.
    YoloV8,
    /// Places, scores and classes in tensors of their own.
    Separate,
    /// Heat map, size, offset and key points in maps, as CenterFace gives them.
    CenterFace,
    /// Scores, places and key points at three scales, as YuNet gives them.
    Yunet,
}

impl BoxLayout {
    /// Whether boxes are rows (or columns) of one tensor.
    pub(super) fn in_rows(self) -> bool {
        matches!(
            self,
            BoxLayout::XyxyScoreClass | BoxLayout::YoloV5 | BoxLayout::YoloV8
        )
    }
}

/// What the four numbers of a place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in super::super) enum Corners {
    /// Left, top, right, bottom.
    Xyxy,
    /// Top, left, bottom, right.
    Yxyx,
    /// Left, top, width, height.
    Xywh,
    /// Centre x, centre y, width, height.
    Cxcywh,
}

impl Corners {
    /// What a layout means unless the spec says something else.
    pub(super) fn usual(layout: BoxLayout) -> Corners {
        match layout {
            BoxLayout::YoloV5 | BoxLayout::YoloV8 => Corners::Cxcywh,
            _ => Corners::Xyxy,
        }
    }

    /// Left, top, right, bottom.
    pub(super) fn edges(self, [a, b, c, d]: [f64; 4]) -> [f64; 4] {
        match self {
            Corners::Xyxy => [a, b, c, d],
            Corners::Yxyx => [b, a, d, c],
            Corners::Xywh => [a, b, a + c, b + d],
            Corners::Cxcywh => [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0],
        }
    }
}

/// Where the numbers of a box stand in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The score of there being something at all.
    pub(super) something: Option<usize>,
    /// The number of the class.
    pub(super) class: Option<usize>,
    /// The first score and how many there are.
    pub(super) scores: (usize, usize),
    /// The first number of the key points.
    pub(super) keypoints: usize,
    /// Numbers of each key point: x, y and, if there are three, a score.
    pub(super) each: usize,
}

impl Row {
    /// The places in a row of `numbers`, unless it does not fit. Without labels any number of classes is
    /// right.
    pub(super) fn of(
        layout: BoxLayout,
        numbers: usize,
        labels: Option<usize>,
        keypoints: usize,
    ) -> Option<Row> {
        let first = match layout {
            BoxLayout::XyxyScoreClass => {
                let rest = numbers.checked_sub(6)?;
                let each = [3, 2].into_iter().find(|each| rest == keypoints * each)?;
                return Some(Row {
                    something: None,
                    class: Some(5),
                    scores: (4, 1),
                    keypoints: 6,
                    each,
                });
            }
            BoxLayout::YoloV5 => 5,
            _ => 4,
        };
        [3, 2].into_iter().find_map(|each| {
            let classes = numbers.checked_sub(first + keypoints * each)?;
            let right = match labels {
                Some(labels) => classes == labels,
                None => classes > 0,
            };
            right.then_some(Row {
                something: (layout == BoxLayout::YoloV5).then_some(4),
                class: None,
                scores: (first, classes),
                keypoints: first + classes,
                each,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_every_kind() {
        let edges = [10.0, 20.0, 40.0, 30.0];
        assert_eq!(Corners::Xyxy.edges([10.0, 20.0, 40.0, 30.0]), edges);
        assert_eq!(Corners::Yxyx.edges([20.0, 10.0, 30.0, 40.0]), edges);
        assert_eq!(Corners::Xywh.edges([10.0, 20.0, 30.0, 10.0]), edges);
        assert_eq!(Corners::Cxcywh.edges([25.0, 25.0, 30.0, 10.0]), edges);
    }

    #[test]
    fn rows_of_well_known_models() {
        let row = |layout, numbers, labels, keypoints| {
            let row = Row::of(layout, numbers, labels, keypoints)?;
            Some((row.scores, row.keypoints, row.each))
        };
        // COCO by YOLOv8 and YOLOv5, its poses, a face with five points, end-to-end boxes and poses.
        assert_eq!(row(BoxLayout::YoloV8, 84, None, 0), Some(((4, 80), 84, 3)));
        assert_eq!(
            row(BoxLayout::YoloV5, 85, Some(80), 0),
            Some(((5, 80), 85, 3))
        );
        assert_eq!(row(BoxLayout::YoloV8, 56, None, 17), Some(((4, 1), 5, 3)));
        assert_eq!(row(BoxLayout::YoloV8, 15, Some(1), 5), Some(((4, 1), 5, 2)));
        assert_eq!(
            row(BoxLayout::XyxyScoreClass, 6, None, 0),
            Some(((4, 1), 6, 3))
        );
        assert_eq!(
            row(BoxLayout::XyxyScoreClass, 57, Some(1), 17),
            Some(((4, 1), 6, 3))
        );
        // Key points that nobody asked for are no classes.
        assert_eq!(row(BoxLayout::YoloV8, 56, Some(1), 0), None);
        assert_eq!(row(BoxLayout::XyxyScoreClass, 57, None, 0), None);
        assert_eq!(row(BoxLayout::YoloV5, 5, None, 0), None);
    }
}
