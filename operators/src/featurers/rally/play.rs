//! From what the ball does to what is told: hits and bounces, and the ranges in which it is in play.

use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Name, Value};

use super::look::{Reading, UNIT};
use super::track::{Closest, Sample};
use super::turn::{AHEAD, Moment};
use crate::sdk::Emission;

pub(super) struct Playing {
    pub(super) hold: MediaTime,
    pub(super) min_duration: MediaTime,
    pub(super) min_hits: u32,
    /// Whether it is known where the net is.
    pub(super) net: bool,
}

/// A range that goes on while something is seen again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    start: MediaTime,
    last: MediaTime,
}

/// A rally that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rally {
    range: Range,
    hits: u32,
    bounces: u32,
    volleys: u32,
    /// The greatest speed, in units a second.
    speed: i64,
    /// Whether the last turn was a hit, so that the ball is in the air since.
    hit_last: bool,
}

/// What goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    rally: Option<Rally>,
    at_net: Option<Range>,
}

impl Playing {
    /// Takes note of what the ball does at the moment of a sample, in order of time.
    pub(super) fn moment(
        &self,
        sample: &Sample,
        moment: &Moment,
        open: &mut Open,
        reading: &Reading,
        emit: &mut Vec<Emission>,
    ) {
        if !moment.moves {
            return;
        }
        let at = sample.time;
        self.close_rally(at, open, None, emit);
        let speed = moment.speed.round() as i64;
        let rally = open.rally.get_or_insert(Rally {
            range: Range {
                start: at,
                last: at,
            },
            hits: 0,
            bounces: 0,
            volleys: 0,
            speed,
            hit_last: false,
        });
        rally.range.last = at;
        rally.speed = rally.speed.max(speed);
        let Some(turn) = moment.turn else { return };
        let hit = turn.hit;
        let mut said = Attributes::from([
            (Name::from(if hit { "hit" } else { "bounce" }), true.into()),
            ("turn".into(), Value::rounded(turn.degrees, 0)),
            ("speed".into(), widths(speed)),
            (
                "x".into(),
                Value::rounded(sample.place.x as f64 / UNIT as f64, 3),
            ),
            (
                "y".into(),
                Value::rounded(reading.share_down(sample.place.y), 3),
            ),
        ]);
        if hit {
            rally.hits = rally.hits.saturating_add(1);
            if self.net {
                let at_net = |player: Closest| player.close && player.at_net;
                let volley = rally.hit_last && sample.player.is_some_and(at_net);
                rally.volleys = rally.volleys.saturating_add(u32::from(volley));
                said.insert("volley".into(), volley.into());
            }
        } else {
            rally.bounces = rally.bounces.saturating_add(1);
        }
        rally.hit_last = hit;
        emit.push(Emission::Observation {
            start: at,
            end: at,
            attributes: said,
        });
    }

    /// Takes note of a player at the net, in order of time.
    pub(super) fn at_net(&self, at: MediaTime, open: &mut Open, emit: &mut Vec<Emission>) {
        self.close_net(at, open, None, emit);
        let range = open.at_net.get_or_insert(Range {
            start: at,
            last: at,
        });
        range.last = at;
    }

    /// Closes what has ended where everything is known up to `reach`.
    pub(super) fn close(
        &self,
        reach: MediaTime,
        open: &mut Open,
        end: Option<MediaTime>,
        emit: &mut Vec<Emission>,
    ) {
        // What the ball does is known a little later than where it is.
        self.close_rally(reach - AHEAD, open, end, emit);
        self.close_net(reach, open, end, emit);
    }

    fn close_rally(
        &self,
        at: MediaTime,
        open: &mut Open,
        end: Option<MediaTime>,
        emit: &mut Vec<Emission>,
    ) {
        let over = |rally: &mut Rally| end.is_some() || at > rally.range.last + self.hold;
        let Some(rally) = open.rally.take_if(over) else {
            return;
        };
        let Range { start, last } = rally.range;
        if last - start < self.min_duration || rally.hits < self.min_hits {
            return;
        }
        let number = |number: u32| Value::from(i64::from(number));
        let mut said = Attributes::from([
            (Name::from("rally"), Value::from(true)),
            ("hits".into(), number(rally.hits)),
            ("bounces".into(), number(rally.bounces)),
            ("speed".into(), widths(rally.speed)),
        ]);
        if self.net {
            said.insert("volleys".into(), number(rally.volleys));
        }
        emit.push(self.range(start, last, end, said));
    }

    fn close_net(
        &self,
        at: MediaTime,
        open: &mut Open,
        end: Option<MediaTime>,
        emit: &mut Vec<Emission>,
    ) {
        let over = |range: &mut Range| end.is_some() || at > range.last + self.hold;
        if let Some(Range { start, last }) = open.at_net.take_if(over) {
            let said = Attributes::from([("at_net".into(), Value::from(true))]);
            emit.push(self.range(start, last, end, said));
        }
    }

    /// A range up to a while after the last time, or to the end of the event.
    fn range(
        &self,
        start: MediaTime,
        last: MediaTime,
        end: Option<MediaTime>,
        attributes: Attributes,
    ) -> Emission {
        let held = last + self.hold;
        Emission::Observation {
            start,
            end: end.map_or(held, |end| held.min(end.max(last))),
            attributes,
        }
    }
}

fn widths(units: i64) -> Value {
    Value::rounded(units as f64 / UNIT as f64, 3)
}
