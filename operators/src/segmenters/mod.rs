//! Segmenters: where a clip begins and ends.

mod by_commercials;
mod by_key_moment;
mod by_sequence;
mod by_shot;
mod from_transcription;
mod line;
mod passthrough;

pub(crate) use by_commercials::SegmentByCommercials;
pub(crate) use by_key_moment::SegmentByKeyMoment;
pub(crate) use by_sequence::SegmentBySequence;
pub(crate) use by_shot::SegmentByShot;
pub(crate) use from_transcription::SegmentFromTranscription;
pub(crate) use passthrough::SegmentPassthrough;
