//! A box that was found, the place of the model's coordinates in the picture, and which of boxes that lie
//! on each other stays.

use super::super::super::picture::Framing;

/// More boxes than these, by score, are not compared with each other.
const MOST: usize = 1000;

/// What a model says of one box, in its own coordinates.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Raw {
    /// The number of its class, as the model counts.
    pub(super) class: usize,
    pub(super) score: f64,
    /// Left, top, right, bottom.
    pub(super) edges: [f64; 4],
    /// Key points: x, y, score.
    pub(super) keypoints: Vec<[f64; 3]>,
}

/// One box, as shares of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) class: usize,
    pub(super) score: f64,
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
    pub(super) keypoints: Vec<[f64; 3]>,
}

/// How the model's coordinates lead into the picture.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Places {
    framing: Framing,
    /// What a coordinate of 1 is in pixels of the model's input.
    unit: (f64, f64),
}

impl Places {
    /// For coordinates in pixels, or as shares of the model's input where they are `normalized`.
    pub(in super::super) fn new(framing: Framing, normalized: bool) -> Places {
        let size = (f64::from(framing.width), f64::from(framing.height));
        Places {
            framing,
            unit: if normalized { size } else { (1.0, 1.0) },
        }
    }

    /// Width and height of the model's input.
    pub(super) fn input(&self) -> (f64, f64) {
        (
            f64::from(self.framing.width),
            f64::from(self.framing.height),
        )
    }

    fn x(&self, x: f64) -> f64 {
        (x * self.unit.0 - f64::from(self.framing.left)) / f64::from(self.framing.inner_width)
    }

    fn y(&self, y: f64) -> f64 {
        (y * self.unit.1 - f64::from(self.framing.top)) / f64::from(self.framing.inner_height)
    }

    /// The box in the picture; `None` where nothing of it is in there, or its place is no number.
    pub(super) fn place(&self, raw: Raw) -> Option<Found> {
        let numbers = raw.edges.iter().chain(raw.keypoints.iter().flatten());
        if !numbers.chain([&raw.score]).all(|number| number.is_finite()) {
            return None;
        }
        let [left, top, right, bottom] = raw.edges;
        let found = Found {
            class: raw.class,
            score: raw.score,
            left: self.x(left).clamp(0.0, 1.0),
            top: self.y(top).clamp(0.0, 1.0),
            right: self.x(right).clamp(0.0, 1.0),
            bottom: self.y(bottom).clamp(0.0, 1.0),
            keypoints: raw
                .keypoints
                .iter()
                .map(|[x, y, score]| [self.x(*x), self.y(*y), *score])
                .collect(),
        };
        (found.left < found.right && found.top < found.bottom).then_some(found)
    }
}

/// The surest first, without those that lie on a surer one of the same class.
pub(super) fn apart(mut found: Vec<Found>, max_overlap: f64) -> Vec<Found> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.class.cmp(&b.class)));
    found.truncate(MOST);
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        let lies_on =
            |other: &Found| other.class == one.class && overlap(other, &one) > max_overlap;
        if !kept.iter().any(lies_on) {
            kept.push(one);
        }
    }
    kept
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
    use super::*;

    #[test]
    fn a_letterboxed_place_leads_back_into_the_picture() {
        // 16:9 in the middle of a square of 640: 140 rows of grey above and below.
        let framing = Framing {
            width: 640,
            height: 640,
            left: 0,
            top: 140,
            inner_width: 640,
            inner_height: 360,
        };
        let raw = Raw {
            class: 0,
            score: 0.9,
            edges: [160.0, 100.0, 320.0, 320.0],
            keypoints: vec![[320.0, 230.0, 0.5]],
        };
        let found = Places::new(framing, false).place(raw.clone()).unwrap();
        // What lies above the picture is cut off.
        assert_eq!(
            [found.left, found.top, found.right, found.bottom],
            [0.25, 0.0, 0.5, 0.5]
        );
        assert_eq!(found.keypoints, [[0.5, 0.25, 0.5]]);
        let shares = Raw {
            edges: raw.edges.map(|pixels| pixels / 640.0),
            keypoints: vec![[0.5, 230.0 / 640.0, 0.5]],
            ..raw.clone()
        };
        let again = Places::new(framing, true).place(shares).unwrap();
        assert_eq!(again, found);
        // A box in the grey is none.
        let grey = Raw {
            edges: [0.0, 0.0, 640.0, 140.0],
            ..raw
        };
        assert_eq!(Places::new(framing, false).place(grey), None);
    }
}
