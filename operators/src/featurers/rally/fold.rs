//! The ordered part: tracks the ball look by look, and decides about each of its places when what follows
//! is known, so that nothing depends on where chunks are cut.

use std::collections::VecDeque;

use matchcut_model::time::MediaTime;

use super::look::Reading;
use super::play::{Open, Playing};
use super::track::{Sample, Tracker, Tracking};
use super::turn::{AHEAD, BEHIND, Turning};
use crate::sdk::{Emission, Fold, Step};

pub(super) struct RallyFold {
    pub(super) reading: Reading,
    pub(super) tracking: Tracking,
    pub(super) turning: Turning,
    pub(super) playing: Playing,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RallyState {
    tracker: Tracker,
    /// Places of the ball, as far back as decisions look.
    samples: VecDeque<Sample>,
    /// How many of them are decided.
    decided: usize,
    open: Open,
    /// Up to where everything is known.
    reach: MediaTime,
}

impl Fold for RallyFold {
    type State = RallyState;

    fn step(&self, step: &Step<'_>, state: &mut RallyState, emit: &mut Vec<Emission>) {
        for look in self.reading.looks(step.observations) {
            let seen = state.tracker.look(&look, &self.tracking);
            state.samples.extend(seen.ball);
            if seen.at_net == Some(true) {
                self.playing.at_net(look.time, &mut state.open, emit);
            }
        }
        let told = step.extent.map_or(step.watermark, |extent| extent.span.end);
        state.reach = state.reach.max(told).max(step.watermark);
        let end = step.end_of_event.then_some(step.watermark);
        self.decide(state, end, emit);
    }

    fn tail(&self, state: &RallyState, emit: &mut Vec<Emission>) {
        self.decide(&mut state.clone(), Some(MediaTime::FARTHEST), emit);
    }
}

impl RallyFold {
    /// Decides about what is known well enough; about everything at the `end`.
    fn decide(&self, state: &mut RallyState, end: Option<MediaTime>, emit: &mut Vec<Emission>) {
        let samples = state.samples.make_contiguous();
        while let Some(sample) = samples.get(state.decided) {
            if end.is_none() && sample.time + AHEAD >= state.reach {
                break;
            }
            let moment = self.turning.moment(samples, state.decided);
            self.playing
                .moment(sample, &moment, &mut state.open, &self.reading, emit);
            state.decided += 1;
        }
        let undecided = state.samples.get(state.decided).map(|sample| sample.time);
        let needed = undecided.unwrap_or(state.reach - AHEAD) - BEHIND;
        while state.decided > 0
            && state
                .samples
                .front()
                .is_some_and(|sample| sample.time < needed)
        {
            state.samples.pop_front();
            state.decided -= 1;
        }
        self.playing.close(state.reach, &mut state.open, end, emit);
    }
}
