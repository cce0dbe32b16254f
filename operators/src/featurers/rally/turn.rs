//! Where the ball changes its direction at once: its way just before a moment and its way just after it
//! point elsewhere. A flight that bends slowly is no such thing, since over so short a time it is straight.

use matchcut_model::time::MediaTime;

use super::track::{LOST, Sample};

/// A way is looked at for so long; to the next look where looks are rarer.
const WAY: MediaTime = MediaTime::from_millis(120);

/// Of turns that are no farther apart the sharpest counts.
const APART: MediaTime = MediaTime::from_millis(150);

/// How much of what follows a moment must be known before it is decided.
pub(super) const AHEAD: MediaTime = MediaTime::from_millis(150 + 500);

/// How much of what went before it must be remembered.
pub(super) const BEHIND: MediaTime = AHEAD;

pub(super) struct Turning {
    /// In units a second.
    pub(super) min_speed: f64,
    /// In radians.
    pub(super) min_turn: f64,
}

/// A way, in units a second.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    x: f64,
    y: f64,
}

impl Way {
    fn between(from: &Sample, to: &Sample) -> Way {
        let seconds = (to.time - from.time).as_seconds_f64();
        Way {
            x: (to.place.x - from.place.x) as f64 / seconds,
            y: (to.place.y - from.place.y) as f64 / seconds,
        }
    }

    fn speed(self) -> f64 {
        (self.x * self.x + self.y * self.y).sqrt()
    }

    /// From 0 to half a turn, in radians.
    fn angle(self, other: Way) -> f64 {
        let along = self.x * other.x + self.y * other.y;
        let across = self.x * other.y - self.y * other.x;
        across.abs().atan2(along)
    }
}

/// What the ball does at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Whether it moves.
    pub(super) moves: bool,
    /// Its speed after the moment, or before it where it is not seen after it.
    pub(super) speed: f64,
    /// By how much it turns there, in radians, where that is a hit or bounce.
    pub(super) turn: Option<f64>,
    /// Whether it turns from falling to rising and keeps its way across.
    pub(super) falls_then_rises: bool,
}

impl Turning {
    /// What the ball does at the moment of a sample. Samples are in order of time, no two at one.
    pub(super) fn moment(&self, samples: &[Sample], at: usize) -> Moment {
        let (before, after) = ways(samples, at);
        let speeds = [before, after].map(|way| way.map_or(0.0, Way::speed));
        let angle = self.angle(samples, at);
        let turn = angle.filter(|angle| self.sharpest(samples, at, *angle));
        Moment {
            moves: speeds.iter().any(|speed| *speed >= self.min_speed),
            speed: if after.is_some() {
                speeds[1]
            } else {
                speeds[0]
            },
            turn,
            falls_then_rises: match (before, after) {
                (Some(before), Some(after)) => {
                    before.y > 0.0 && after.y < 0.0 && before.x * after.x >= 0.0
                }
                _ => false,
            },
        }
    }

    /// By how much the ball turns, if it is enough and it moves on both sides.
    fn angle(&self, samples: &[Sample], at: usize) -> Option<f64> {
        let (before, after) = ways(samples, at);
        let (before, after) = (before?, after?);
        let moves = before.speed() >= self.min_speed && after.speed() >= self.min_speed;
        let angle = before.angle(after);
        (moves && angle >= self.min_turn).then_some(angle)
    }

    /// Whether no turn nearby is sharper, nor as sharp and earlier.
    fn sharpest(&self, samples: &[Sample], at: usize, angle: f64) -> bool {
        let Some(here) = samples.get(at) else {
            return false;
        };
        let near = |other: usize| {
            let other = samples.get(other);
            other.is_some_and(|other| (other.time - here.time).abs() <= APART)
        };
        let others = |number| self.angle(samples, number);
        let before = (0..at).rev().take_while(|number| near(*number));
        let after = (at + 1..samples.len()).take_while(|number| near(*number));
        !before.filter_map(others).any(|other| other >= angle)
            && !after.filter_map(others).any(|other| other > angle)
    }
}

/// The way before a sample and the way after it, where the ball was seen.
fn ways(samples: &[Sample], at: usize) -> (Option<Way>, Option<Way>) {
    let Some(here) = samples.get(at) else {
        return (None, None);
    };
    let distance = |other: &&Sample| (other.time - here.time).abs();
    // The farthest within reach, else the next one.
    let farthest = |one: &mut dyn Iterator<Item = &'_ Sample>| -> Option<Sample> {
        let mut found = None;
        for other in one {
            let apart = distance(&other);
            if apart > WAY && (found.is_some() || apart > LOST) {
                break;
            }
            found = Some(*other);
            if apart > WAY {
                break;
            }
        }
        found
    };
    let before = farthest(&mut samples.iter().take(at).rev());
    let after = farthest(&mut samples.iter().skip(at + 1));
    (
        before.map(|from| Way::between(&from, here)),
        after.map(|to| Way::between(here, &to)),
    )
}
