//! What was seen at one moment: balls and players, in whole numbers, so that a state can be compared.

use matchcut_model::observation::Observation;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};

/// The picture is so many units wide, and high in shares of its height.
pub(super) const UNIT: i64 = 100_000;

/// More balls or players than these, the surest, are not looked at.
const MOST: usize = 24;

/// A place in units across and down, both of the picture's width.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) x: i64,
    pub(super) y: i64,
}

impl Place {
    /// How far away another one is.
    pub(super) fn distance(self, other: Place) -> f64 {
        let (x, y) = ((self.x - other.x) as f64, (self.y - other.y) as f64);
        (x * x + y * y).sqrt()
    }
}

/// A part of the picture in units of its own width and height: left, top, right, bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area(pub(super) [i64; 4]);

/// A player's box, in units of the picture's width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Player {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
    /// Where he stands, in units of the picture's own width and height.
    feet: Place,
}

impl Player {
    /// How far a place is from the box; 0 inside.
    pub(super) fn distance(&self, place: Place) -> f64 {
        let nearest = Place {
            x: place.x.clamp(self.left, self.right.max(self.left)),
            y: place.y.clamp(self.top, self.bottom.max(self.top)),
        };
        nearest.distance(place)
    }

    /// Whether a place is as low as his feet: in the lowest seventh of the box, or below it.
    pub(super) fn at_feet(&self, place: Place) -> bool {
        place.y > self.bottom - (self.bottom - self.top) / 7
    }

    pub(super) fn stands_in(&self, Area([left, top, right, bottom]): Area) -> bool {
        (left..=right).contains(&self.feet.x) && (top..=bottom).contains(&self.feet.y)
    }
}

/// What was seen at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) time: MediaTime,
    /// Middles of balls, the surest first.
    pub(super) balls: Vec<Place>,
    pub(super) players: Vec<Player>,
}

/// How boxes are read.
pub(super) struct Reading {
    pub(super) ball: Vec<String>,
    pub(super) players: Vec<String>,
    pub(super) min_confidence: f64,
    /// Width and height of the picture.
    pub(super) aspect: (i64, i64),
}

impl Reading {
    /// What observations say, those of one moment together.
    pub(super) fn looks(&self, observations: &[Observation]) -> Vec<Look> {
        let moments = observations.chunk_by(|a, b| a.start == b.start);
        moments.filter_map(|moment| self.look(moment)).collect()
    }

    fn look(&self, moment: &[Observation]) -> Option<Look> {
        let (mut balls, mut players) = (Vec::new(), Vec::new());
        for observation in moment {
            let Some(Value::List(boxes)) = observation.attributes.get("boxes") else {
                continue;
            };
            for one in boxes {
                let Value::Map(one) = one else { continue };
                let label = one.get("label").and_then(Value::as_str).unwrap_or_default();
                let Some((confidence, edges)) = self.edges(one) else {
                    continue;
                };
                if self.ball.iter().any(|name| name == label) {
                    balls.push((confidence, edges));
                } else if self.players.iter().any(|name| name == label) {
                    players.push((confidence, edges));
                }
            }
        }
        if balls.is_empty() && players.is_empty() {
            return None;
        }
        for boxes in [&mut balls, &mut players] {
            boxes.sort_by_key(|(confidence, edges)| (-confidence, *edges));
            boxes.truncate(MOST);
        }
        let ball = |(_, [left, top, right, bottom]): &(i64, [i64; 4])| Place {
            x: (left + right) / 2,
            y: self.down((top + bottom) / 2),
        };
        let player = |(_, [left, top, right, bottom]): &(i64, [i64; 4])| Player {
            left: *left,
            top: self.down(*top),
            right: *right,
            bottom: self.down(*bottom),
            feet: Place {
                x: (left + right) / 2,
                y: *bottom,
            },
        };
        Some(Look {
            time: moment.first()?.start,
            balls: balls.iter().map(ball).collect(),
            players: players.iter().map(player).collect(),
        })
    }

    /// A share of the height in units of the width.
    fn down(&self, y: i64) -> i64 {
        y * self.aspect.1 / self.aspect.0
    }

    /// A length down, in units of the width, as a share of the height.
    pub(super) fn share_down(&self, y: i64) -> f64 {
        (y * self.aspect.0) as f64 / (self.aspect.1 * UNIT) as f64
    }

    /// Thousandths of confidence, and left, top, right, bottom in units of width and height.
    fn edges(&self, one: &Attributes) -> Option<(i64, [i64; 4])> {
        let number = |name: &str| one.get(name).and_then(Value::as_f64);
        let confidence = number("confidence").unwrap_or(1.0);
        if confidence < self.min_confidence {
            return None;
        }
        let [left, top, width, height] = ["left", "top", "width", "height"].map(number);
        let [left, top, width, height] = [left?, top?, width?, height?];
        // What lies far outside of the picture is a mistake, and would be too large a number.
        let units = |share: f64| (share.clamp(-1.0, 2.0) * UNIT as f64).round() as i64;
        let edges = [left, top, left + width, top + height].map(units);
        Some(((confidence.clamp(0.0, 1.0) * 1000.0).round() as i64, edges))
    }
}
