//! Where results go: a directory of files, and the exports that other programs read (edit lists,
//! tables, chapters, JSON in the shape of MRE, a report). Everything is written from the same rows, sorted, without
//! the time of day, so that equal results give equal bytes.

pub mod bucket;
mod changes;
mod csv;
mod edits;
pub mod edl;
pub mod error;
mod exact;
pub mod export;
mod fcpxml;
mod file_sink;
pub mod files;
mod found;
pub mod info;
mod marks;
pub mod messages;
mod mre_json;
mod otio;
pub mod outlet;
mod place;
mod replay_document;
mod report;
pub mod sequence;
mod source_timecode;
mod tables;
mod vtt;

pub use edits::name_of_choice;
pub use error::SinkError;
pub use file_sink::{FileSink, Written};
pub use info::{EventInfo, Media, OperatorInfo, Profile, ReplayInfo, ReplayMedia};
pub use marks::FrameIndex;
