//! `audio_silence`: ranges in which nothing is heard, across chunk borders. A range that is still
//! open when the event ends is closed there.

use std::sync::Arc;

use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::levels::{Bin, Bins, LevelScanner, begin};
use crate::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, Emission, Fold, FoldBox, InputRule,
    Operator, OperatorType, OptionError, Options, Step, options_of, parse_options, text_duration,
};

/// Resolution of the edges of a silence.
const BIN: MediaTime = MediaTime::from_millis(20);

/// So many missing bins do not end a silence: a few samples lost where chunks meet.
const BRIDGED: i64 = 5;

/// Options of `audio_silence`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct AudioSilenceOptions {
    /// What is below this effective level (over 20 ms, in decibels of full scale) is silent.
    threshold_db: f64,
    /// Shorter silences are left out.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_duration: MediaTime,
}

impl Default for AudioSilenceOptions {
    fn default() -> Self {
        AudioSilenceOptions {
            threshold_db: -50.0,
            min_duration: MediaTime::from_seconds(2),
        }
    }
}

/// The operator type `audio_silence`.
pub(crate) struct AudioSilence;

impl OperatorType for AudioSilence {
    fn describe(&self) -> Description {
        Description {
            name: "audio_silence",
            class: Class::Featurer,
            summary: "Silence: a range from its first to its last instant, for each audio track.",
            inputs: vec![InputRule::one(EdgeKind::Audio)],
            attributes: vec![AttributeSpec {
                name: "silence",
                kind: AttributeKind::Boolean,
                description: "true: nothing is heard in this range",
            }],
            options: options_of::<AudioSilenceOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: AudioSilenceOptions = parse_options(options)?;
        if !(-120.0..=0.0).contains(&options.threshold_db) {
            return Err(vec![OptionError::new(
                "threshold_db",
                "not between -120 and 0",
            )]);
        }
        Ok(Operator::Audio {
            scanner: Arc::new(LevelScanner { bin: BIN }),
            fold: FoldBox::new(SilenceFold { options }),
        })
    }
}

struct SilenceFold {
    options: AudioSilenceOptions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SilenceState {
    bins: Bins,
    /// First and last silent bin of the silence that goes on.
    silent: Option<(i64, i64)>,
}

impl Fold for SilenceFold {
    type State = SilenceState;

    fn step(&self, step: &Step<'_>, state: &mut SilenceState, emit: &mut Vec<Emission>) {
        let limit = if step.end_of_event {
            step.watermark
        } else {
            MediaTime::MAX
        };
        for bin in state.bins.take(step) {
            state.silent = match state.silent {
                Some((first, last)) if bin.index - last <= BRIDGED + 1 && self.is_silent(&bin) => {
                    Some((first, bin.index))
                }
                other => {
                    self.close(other, limit, emit);
                    self.is_silent(&bin).then_some((bin.index, bin.index))
                }
            };
        }
        if step.end_of_event {
            self.close(state.silent.take(), limit, emit);
        }
    }

    fn tail(&self, state: &SilenceState, emit: &mut Vec<Emission>) {
        let open = state.bins.open().filter(|bin| self.is_silent(bin));
        let silent = match (state.silent, open) {
            (Some((first, last)), Some(bin)) if bin.index - last <= BRIDGED + 1 => {
                Some((first, bin.index))
            }
            (silent, _) => silent,
        };
        self.close(silent, MediaTime::MAX, emit);
    }
}

impl SilenceFold {
    fn is_silent(&self, bin: &Bin) -> bool {
        f64::from(bin.level()) < self.options.threshold_db * 100.0
    }

    fn close(&self, silent: Option<(i64, i64)>, limit: MediaTime, emit: &mut Vec<Emission>) {
        let Some((first, last)) = silent else { return };
        let start = begin(first, BIN).max(MediaTime::ZERO);
        let end = begin(last + 1, BIN).min(limit);
        if end <= start || end - start < self.options.min_duration {
            return;
        }
        let attributes = Attributes::from([("silence".into(), Value::from(true))]);
        emit.push(Emission::Observation {
            start,
            end,
            attributes,
        });
    }
}
