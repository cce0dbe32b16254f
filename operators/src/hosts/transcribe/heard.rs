//! What was heard of a phrase, whoever hears it.

/// Whoever turns sound into text.
pub(super) trait Hears: Send + Sync {
    /// What is said in a phrase: samples of 16 kHz, one channel. An error costs that phrase.
    fn transcribe(&self, samples: &[i16]) -> Result<Transcript, String>;
}

/// A part of a phrase.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Seconds from the begin of the phrase; all of it when it is not told.
    pub(super) span: Option<(f64, f64)>,
    pub(super) text: String,
    /// Mean probability of a token.
    pub(super) confidence: Option<f64>,
}

/// What the model made of a phrase.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Transcript {
    pub(super) language: Option<String>,
    pub(super) parts: Vec<Part>,
}
