//! A whisper model on this machine, run by whisper.cpp: a file, no server. It is loaded once; each phrase is
//! heard afresh, one at a time, because what whisper.cpp keeps from one to the next changes what it hears.

use std::path::Path;
use std::sync::{Mutex, Once, PoisonError};

use whisper_rs::{
    FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, get_lang_str,
    install_logging_hooks,
};

use super::heard::{Hears, Part, Transcript};
use crate::hosts::speech::resample::RATE;
use crate::hosts::speech::samples::float;

/// What whisper.cpp takes at least: a tenth of a second.
const LEAST: usize = RATE as usize / 10;

/// whisper.cpp tells times in hundredths of a second.
const PER_SECOND: f64 = 100.0;

/// A model that is loaded.
pub(super) struct Whisper {
    /// Who holds it computes; all threads are his.
    context: Mutex<WhisperContext>,
    /// Numbers of tokens from here on are times and marks, not words.
    first_mark: i32,
    /// How it is run. Made once: whisper-rs never frees the texts in it.
    parameters: FullParams<'static, 'static>,
}

impl Whisper {
    /// Loads a file in the format of whisper.cpp (`ggml-base.bin`).
    pub(super) fn open(
        path: &Path,
        language: Option<String>,
        prompt: Option<String>,
        threads: usize,
    ) -> Result<Whisper, String> {
        // Its messages would stand between those of the program.
        static QUIET: Once = Once::new();
        QUIET.call_once(install_logging_hooks);
        if !path.is_file() {
            return Err(format!("there is no file \"{}\"", path.display()));
        }
        let failed = |error| {
            format!(
                "\"{}\" cannot be loaded ({error}): it must be a whisper model in the format of whisper.cpp, \
                 ggml-base.bin for example",
                path.display()
            )
        };
        let context = WhisperContext::new_with_params(path, WhisperContextParameters::default())
            .map_err(failed)?;
        let known = |language: &String| whisper_rs::get_lang_id(language).is_some();
        if let Some(language) = language.as_ref().filter(|language| !known(language)) {
            return Err(format!(
                "whisper knows no language \"{language}\": write it as in \"en\""
            ));
        }
        let ends = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains('\0'));
        if ends(&language) || ends(&prompt) {
            return Err("a character of `language` or `prompt` is zero".to_owned());
        }
        // Models for English alone cannot find out.
        let usual = if context.is_multilingual() {
            "auto"
        } else {
            "en"
        };
        let language = language.unwrap_or_else(|| usual.to_owned());
        // As whisper.cpp's own program listens.
        let mut parameters = FullParams::new(SamplingStrategy::BeamSearch {
            beam_size: 5,
            patience: -1.0,
        });
        parameters.set_n_threads(i32::try_from(threads).unwrap_or(1));
        parameters.set_language(Some(language.leak()));
        if let Some(prompt) = &prompt {
            parameters.set_initial_prompt(prompt);
        }
        // A phrase is heard alone: what was said before would make it depend on what failed.
        parameters.set_no_context(true);
        parameters.set_print_special(false);
        parameters.set_print_progress(false);
        parameters.set_print_realtime(false);
        parameters.set_print_timestamps(false);
        Ok(Whisper {
            first_mark: context.token_eot(),
            context: Mutex::new(context),
            parameters,
        })
    }
}

impl Hears for Whisper {
    fn transcribe(&self, samples: &[i16]) -> Result<Transcript, String> {
        let mut sound: Vec<f32> = samples.iter().copied().map(float).collect();
        sound.resize(sound.len().max(LEAST), 0.0);
        let failed = |error| format!("whisper failed: {error}");
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = context.create_state().map_err(failed)?;
        state
            .full(self.parameters.clone(), &sound)
            .map_err(failed)?;
        let mut parts = Vec::new();
        for segment in state.as_iter() {
            let text = segment
                .to_str_lossy()
                .map_err(|error| format!("whisper's text cannot be read: {error}"))?;
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            let tokens = (0..segment.n_tokens()).filter_map(|number| segment.get_token(number));
            let logarithms: Vec<f64> = tokens
                .map(|token| token.token_data())
                .filter(|token| token.id < self.first_mark)
                .map(|token| f64::from(token.plog))
                .collect();
            let mean = logarithms.iter().sum::<f64>() / logarithms.len().max(1) as f64;
            parts.push(Part {
                span: Some((
                    segment.start_timestamp() as f64 / PER_SECOND,
                    segment.end_timestamp() as f64 / PER_SECOND,
                )),
                text: text.to_owned(),
                confidence: (!logarithms.is_empty()).then(|| mean.exp().clamp(0.0, 1.0)),
            });
        }
        let language = get_lang_str(state.full_lang_id_from_state());
        Ok(Transcript {
            language: language.map(str::to_owned),
            parts,
        })
    }
}
