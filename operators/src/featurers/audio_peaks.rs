//! `audio_peaks`: moments that are louder than what was heard before them, such as a crowd that
//! cheers. It looks back only, so a peak is known as soon as it is heard.

use std::collections::VecDeque;
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

/// Options of `audio_peaks`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct AudioPeaksOptions {
    /// The level is measured over pieces of this length (0.05 s to 10 s).
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    bin: MediaTime,
    /// How much of the past a piece is compared with (at least 4 pieces, at most 10 minutes).
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    history: MediaTime,
    /// A peak is louder than the mean of the past by so many standard deviations of it,
    deviations: f64,
    /// and by at least so many decibels,
    rise_db: f64,
    /// and its level is at least this, in decibels of full scale.
    min_level_db: f64,
}

impl Default for AudioPeaksOptions {
    fn default() -> Self {
        AudioPeaksOptions {
            bin: MediaTime::from_millis(500),
            history: MediaTime::from_seconds(30),
            deviations: 2.0,
            rise_db: 3.0,
            min_level_db: -40.0,
        }
    }
}

/// The operator type `audio_peaks`.
pub(crate) struct AudioPeaks;

impl OperatorType for AudioPeaks {
    fn describe(&self) -> Description {
        Description {
            name: "audio_peaks",
            class: Class::Featurer,
            summary: "Sudden loudness: a point where each burst begins, for each audio track.",
            inputs: vec![InputRule::one(EdgeKind::Audio)],
            attributes: vec![
                AttributeSpec {
                    name: "peak",
                    kind: AttributeKind::Boolean,
                    description: "true where a burst begins",
                },
                AttributeSpec {
                    name: "level_db",
                    kind: AttributeKind::Number,
                    description: "effective level of the first piece of the burst, in decibels \
                        of full scale",
                },
            ],
            options: options_of::<AudioPeaksOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: AudioPeaksOptions = parse_options(options)?;
        let mut errors = Vec::new();
        if options.bin < MediaTime::from_millis(50) || options.bin > MediaTime::from_seconds(10) {
            errors.push(OptionError::new("bin", "not between 0.05 s and 10 s"));
        } else if options.history < options.bin.times(LEAST_HISTORY as i64)
            || options.history > MediaTime::from_seconds(600)
        {
            let message = format!("not between {LEAST_HISTORY} times `bin` and 10 minutes");
            errors.push(OptionError::new("history", message));
        }
        if !(0.0..=100.0).contains(&options.deviations) {
            errors.push(OptionError::new("deviations", "not between 0 and 100"));
        }
        if !(0.0..=120.0).contains(&options.rise_db) {
            errors.push(OptionError::new("rise_db", "not between 0 and 120"));
        }
        if !(-120.0..=0.0).contains(&options.min_level_db) {
            errors.push(OptionError::new("min_level_db", "not between -120 and 0"));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Operator::Audio {
            scanner: Arc::new(LevelScanner { bin: options.bin }),
            fold: FoldBox::new(PeaksFold { options }),
        })
    }
}

/// So many pieces must have been heard before one can stand out.
const LEAST_HISTORY: usize = 4;

struct PeaksFold {
    options: AudioPeaksOptions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PeaksState {
    bins: Bins,
    /// Number and amplitude of the pieces of the past, oldest first.
    past: VecDeque<(i64, i64)>,
    in_burst: bool,
}

impl Fold for PeaksFold {
    type State = PeaksState;

    fn step(&self, step: &Step<'_>, state: &mut PeaksState, emit: &mut Vec<Emission>) {
        for bin in state.bins.take(step) {
            self.hear(&bin, state, emit);
        }
    }
}

impl PeaksFold {
    fn hear(&self, bin: &Bin, state: &mut PeaksState, emit: &mut Vec<Emission>) {
        let reach = self.options.history.flicks() / self.options.bin.flicks();
        while state
            .past
            .front()
            .is_some_and(|(index, _)| *index < bin.index - reach)
        {
            state.past.pop_front();
        }
        let loud = self.stands_out(bin, &state.past);
        let goes_on = state
            .past
            .back()
            .is_some_and(|(index, _)| index + 1 == bin.index);
        if loud && !(state.in_burst && goes_on) {
            let at = begin(bin.index, self.options.bin).max(MediaTime::ZERO);
            let attributes = Attributes::from([
                ("peak".into(), Value::from(true)),
                (
                    "level_db".into(),
                    Value::rounded(f64::from(bin.level()) / 100.0, 1),
                ),
            ]);
            emit.push(Emission::Observation {
                start: at,
                end: at,
                attributes,
            });
        }
        state.in_burst = loud;
        state.past.push_back((bin.index, bin.amplitude()));
    }

    /// The statistics are of amplitudes, not of decibels: pauses, however quiet, then hardly widen
    /// the spread.
    fn stands_out(&self, bin: &Bin, past: &VecDeque<(i64, i64)>) -> bool {
        if past.len() < LEAST_HISTORY {
            return false;
        }
        let amplitudes = past.iter().map(|(_, amplitude)| *amplitude);
        let count = past.len() as f64;
        let sum: i64 = amplitudes.clone().sum();
        let squares: i64 = amplitudes.map(|amplitude| amplitude * amplitude).sum();
        let mean = sum as f64 / count;
        let deviation = (squares as f64 / count - mean * mean).max(0.0).sqrt();
        let spread = mean + self.options.deviations * deviation;
        let risen = mean * 10f64.powf(self.options.rise_db / 20.0);
        let amplitude = bin.amplitude() as f64;
        f64::from(bin.level()) >= self.options.min_level_db * 100.0 && amplitude > spread.max(risen)
    }
}
