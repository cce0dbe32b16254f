//! Where the ball changes its way at once, as it does when it is hit or bounces: what it does just before a
//! moment and just after it differ by much. A flight that bends slowly, or comes nearer, is no such thing, since
//! over so short a time it is straight.

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

/// A change counts only when it is so large a part of the faster of both ways. Two ways that are equally fast
/// and part by 40 degrees differ by so much, and so does a ball that all but stops.
const PART: f64 = 0.7;

/// A fall has ended when no more than this is left of it.
const ENDED: f64 = 0.35;

/// A ball that bounces goes on with less than this of its speed, away from the camera's perspective.
const FASTER: f64 = 0.8;

pub(super) struct Turning {
    /// A slower ball does not move, in units a second.
    pub(super) min_speed: f64,
    /// A smaller change is none, in units a second.
    pub(super) min_change: f64,
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

    fn minus(self, other: Way) -> Way {
        Way {
            x: self.x - other.x,
            y: self.y - other.y,
        }
    }

    /// From 0 to half a turn, in degrees.
    fn angle(self, other: Way) -> f64 {
        let along = self.x * other.x + self.y * other.y;
        let across = self.x * other.y - self.y * other.x;
        across.abs().atan2(along).to_degrees()
    }
}

/// Why the ball changes its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    /// Whether it was hit; else it bounced.
    pub(super) hit: bool,
    /// By how many degrees.
    pub(super) degrees: f64,
}

/// What the ball does at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    /// Whether it moves.
    pub(super) moves: bool,
    /// Its speed after the moment, or before it where it is not seen after it.
    pub(super) speed: f64,
    pub(super) turn: Option<Turn>,
}

impl Turning {
    /// What the ball does at the moment of a sample. Samples are in order of time, no two at one.
    pub(super) fn moment(&self, samples: &[Sample], at: usize) -> Moment {
        let (before, after) = ways(samples, at);
        let speeds = [before, after].map(|way| way.map_or(0.0, Way::speed));
        let turns = self
            .change(samples, at)
            .is_some_and(|change| self.sharpest(samples, at, change));
        let turn = match (before, after, samples.get(at)) {
            (Some(before), Some(after), Some(sample)) if turns => Some(Turn {
                hit: is_hit(before, after, sample),
                degrees: before.angle(after),
            }),
            _ => None,
        };
        Moment {
            moves: turns || speeds.iter().any(|speed| *speed >= self.min_speed),
            speed: if after.is_some() {
                speeds[1]
            } else {
                speeds[0]
            },
            turn,
        }
    }

    /// By how much the ball changes its way, if that is much.
    fn change(&self, samples: &[Sample], at: usize) -> Option<f64> {
        let (before, after) = ways(samples, at);
        let (before, after) = (before?, after?);
        let change = after.minus(before).speed();
        let fastest = before.speed().max(after.speed());
        (change >= self.min_change && change >= PART * fastest).then_some(change)
    }

    /// Whether no change nearby is larger, nor as large and earlier.
    fn sharpest(&self, samples: &[Sample], at: usize, change: f64) -> bool {
        let Some(here) = samples.get(at) else {
            return false;
        };
        let near = |other: usize| {
            let other = samples.get(other);
            other.is_some_and(|other| (other.time - here.time).abs() <= APART)
        };
        let others = |number| self.change(samples, number);
        let before = (0..at).rev().take_while(|number| near(*number));
        let after = (at + 1..samples.len()).take_while(|number| near(*number));
        !before.filter_map(others).any(|other| other >= change)
            && !after.filter_map(others).any(|other| other > change)
    }
}

/// Whether a player has hit a ball that changes its way; else it has bounced. Only a fall that ends can be a
/// bounce. It is one unless a player is close, the ball is higher than his feet and leaves him fast.
fn is_hit(before: Way, after: Way, sample: &Sample) -> bool {
    let falls = before.y > 0.0 && after.y < ENDED * before.y;
    let faster = after.speed() > FASTER * before.speed();
    !falls
        || sample
            .player
            .is_some_and(|player| player.close && !player.at_feet && faster)
}

/// The way before a sample and the way after it, where the ball was seen.
fn ways(samples: &[Sample], at: usize) -> (Option<Way>, Option<Way>) {
    let Some(here) = samples.get(at) else {
        return (None, None);
    };
    let distance = |other: &&Sample| (other.time - here.time).abs();
    // The farthest within reach, else the next one; not beyond where another ball begins.
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
    let from = (0..=at)
        .rev()
        .find(|number| samples.get(*number).is_none_or(|s| s.fresh));
    let earlier = samples.get(from.unwrap_or(0)..at).unwrap_or_default();
    let later = samples
        .iter()
        .skip(at + 1)
        .take_while(|sample| !sample.fresh);
    let before = farthest(&mut earlier.iter().rev());
    let after = farthest(&mut { later });
    (
        before.map(|from| Way::between(&from, here)),
        after.map(|to| Way::between(here, &to)),
    )
}
