//! From probabilities to ranges, by the rules of Silero's own program: speech begins at a threshold, ends
//! after a pause, and what is too short is left out.

use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};

use crate::sdk::Emission;

/// Speech ends when the probability is so much below the threshold.
const MARGIN: f64 = 0.15;

/// The least probability at which it ends.
const FLOOR: f64 = 0.01;

pub(super) struct Rules {
    pub(super) threshold: f64,
    pub(super) min_speech: MediaTime,
    pub(super) min_silence: MediaTime,
    pub(super) padding: MediaTime,
}

/// Probabilities that were added up, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) millionths: i64,
    pub(super) windows: i64,
}

impl Sum {
    fn add(&mut self, probability: f64) {
        self.millionths += (probability * 1e6).round() as i64;
        self.windows += 1;
    }
}

/// Speech that goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speaking {
    pub(super) start: MediaTime,
    pub(super) sum: Sum,
    /// Where a pause began that may end it, and the sum up to there.
    pub(super) pause: Option<(MediaTime, Sum)>,
}

impl Rules {
    /// Takes the probability of the window that begins at `time`.
    pub(super) fn take(
        &self,
        speaking: &mut Option<Speaking>,
        time: MediaTime,
        probability: f64,
        emit: &mut Vec<Emission>,
    ) {
        let begins = probability >= self.threshold;
        let Some(open) = speaking else {
            if begins {
                let mut sum = Sum::default();
                sum.add(probability);
                *speaking = Some(Speaking {
                    start: time,
                    sum,
                    pause: None,
                });
            }
            return;
        };
        if begins {
            open.pause = None;
        } else if probability < (self.threshold - MARGIN).max(FLOOR) {
            let (since, sum) = *open.pause.get_or_insert((time, open.sum));
            if time - since >= self.min_silence {
                let start = open.start;
                *speaking = None;
                emit.extend(self.range(start, since, sum, None));
                return;
            }
        }
        open.sum.add(probability);
    }

    /// Speech that ends because nothing follows: at `end`, where the samples end.
    pub(super) fn close(&self, speaking: &Speaking, end: MediaTime) -> Option<Emission> {
        self.range(speaking.start, end, speaking.sum, Some(end))
    }

    fn range(
        &self,
        start: MediaTime,
        end: MediaTime,
        sum: Sum,
        limit: Option<MediaTime>,
    ) -> Option<Emission> {
        if end - start <= self.min_speech {
            return None;
        }
        let mean = sum.millionths as f64 / sum.windows.max(1) as f64 / 1e6;
        let end = end + self.padding;
        Some(Emission::Observation {
            start: (start - self.padding).max(MediaTime::ZERO),
            end: limit.map_or(end, |limit| end.min(limit)),
            attributes: Attributes::from([
                ("speech".into(), Value::from(true)),
                ("confidence".into(), Value::rounded(mean, 3)),
            ]),
        })
    }
}
