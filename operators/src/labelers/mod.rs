//! Labelers: what a segment is called.

mod passthrough;
mod score;
mod template;

pub(crate) use passthrough::LabelPassthrough;
pub(crate) use score::LabelScore;
pub(crate) use template::LabelTemplate;
