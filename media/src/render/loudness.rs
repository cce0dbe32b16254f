//! Loudness after EBU R128: measured over the whole result before it is encoded, then brought to the
//! target by one gain for each track, so that what is quiet stays quieter than what is loud.

use ebur128::{EbuR128, Mode};

use super::RenderError;
use super::plan::Loudness;
use super::soundtrack::{CHANNELS, RATE};

/// What was measured of an audio track, and what was done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Integrated loudness in LUFS; negative infinity for silence.
    pub integrated: f64,
    /// True peak in dBTP.
    pub true_peak: f64,
    /// What was added, in dB.
    pub gain: f64,
    /// The true peak allowed less than the target asked for.
    pub limited: bool,
}

/// Takes samples and says in the end how loud they were.
pub(super) struct Meter(EbuR128);

impl Meter {
    pub(super) fn new() -> Result<Meter, RenderError> {
        EbuR128::new(CHANNELS, RATE, Mode::I | Mode::TRUE_PEAK)
            .map(Meter)
            .map_err(|error| RenderError::Loudness(error.to_string()))
    }

    pub(super) fn add(&mut self, samples: &[f32]) -> Result<(), RenderError> {
        self.0
            .add_frames_f32(samples)
            .map_err(|error| RenderError::Loudness(error.to_string()))
    }

    pub(super) fn finish(&self, wanted: Loudness) -> Result<Measured, RenderError> {
        let failed = |error: ebur128::Error| RenderError::Loudness(error.to_string());
        let integrated = self.0.loudness_global().map_err(failed)?;
        let mut peak = 0.0f64;
        for channel in 0..CHANNELS {
            peak = peak.max(self.0.true_peak(channel).map_err(failed)?);
        }
        Ok(decide(integrated, 20.0 * peak.log10(), wanted))
    }
}

fn decide(integrated: f64, true_peak: f64, wanted: Loudness) -> Measured {
    let asked = wanted.target - integrated;
    let allowed = wanted.true_peak - true_peak;
    // Silence stays silence.
    let gain = if integrated.is_finite() {
        asked.min(allowed)
    } else {
        0.0
    };
    Measured {
        integrated,
        true_peak,
        gain,
        limited: integrated.is_finite() && allowed < asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gain_reaches_the_target_unless_the_peak_forbids_it() {
        let wanted = Loudness::default();
        let quieter = decide(-18.0, -2.0, wanted);
        assert_eq!((quieter.gain, quieter.limited), (-5.0, false));
        let peaky = decide(-33.0, -4.0, wanted);
        assert_eq!((peaky.gain, peaky.limited), (3.0, true));
        let silent = decide(f64::NEG_INFINITY, f64::NEG_INFINITY, wanted);
        assert_eq!((silent.gain, silent.limited), (0.0, false));
    }
}
