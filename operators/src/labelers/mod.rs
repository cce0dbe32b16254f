//! Labelers: what a segment is called.

mod passthrough;
mod template;

pub(crate) use passthrough::LabelPassthrough;
pub(crate) use template::LabelTemplate;
