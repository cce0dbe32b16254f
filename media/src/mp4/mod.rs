//! ISO base media files: a reader of boxes, tracks and sample tables that trusts nothing, and the
//! builder that the writer of cuts uses.

pub(crate) mod boxes;
pub(crate) mod describe;
pub(crate) mod movie;
pub(crate) mod sample_entry;
pub(crate) mod sample_table;
pub(crate) mod units;

/// No time of a sample lies farther from 0, in ticks: what says so is damaged, and differences and
/// sums of times that are nearer fit.
pub(crate) const MOST_TICKS: i64 = 1 << 60;

/// A time of a sample, if it is one.
pub(crate) fn ticks(parts: &[i64]) -> Option<i64> {
    let sum = parts
        .iter()
        .try_fold(0i64, |sum, part| sum.checked_add(*part))?;
    (-MOST_TICKS..=MOST_TICKS).contains(&sum).then_some(sum)
}

/// Why an MP4 cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mp4Error {
    /// A box that must be there is not.
    #[error("no \"{0}\" box: this is no {1}")]
    Missing(&'static str, &'static str),
    /// A box ends before its fields.
    #[error("the \"{0}\" box is damaged or cut off")]
    Damaged(&'static str),
    /// No track with pictures or sound.
    #[error("no video or audio track; the tracks are: {0}")]
    NoTracks(String),
    /// Tracks, but not one complete sample.
    #[error("not one complete sample in {0}")]
    NoSamples(&'static str),
}
