//! JSON lines: how observations, segments and feedback are recorded in files, one to a line. What
//! `run` writes is read again unchanged, and a line written by hand needs only a few fields.
//!
//! ```text
//! {"operator":"cuts","class":"featurer","start":12.04,"end":12.04,"track":null,"attributes":{"hard_cut":true}}
//! {"operator":"rally","class":"segmenter","start":10.0,"end":31.2,"opto":{"1":[10.2,31.0]},"label":"…","attributes":{}}
//! {"start":10.0,"track":1,"side":"original","feedback":"like"}
//! ```
//!
//! Required are `operator`, `class` and `start`, and `end` for a complete segment. Every other
//! field may be missing or null; fields that are not known are ignored. Times are seconds. Beside
//! them stand exact ones: `start_flicks` and `end_flicks` hold where they agree with the seconds
//! to within half a millisecond, `opto_flicks` likewise; the others (`pts`, `timescale`, `frame`,
//! `utc`, `timecode` of the start, and with `end_` before them of the end) are for readers.
//!
//! A line of a labeler or an optimizer is read like an observation: what it says counts for the
//! segments it lies in.

mod fields;
mod plain;
mod read;
mod recording;
mod told;
mod write;

pub use fields::FieldError;
pub(crate) use fields::Fields;
pub use read::{
    LineError, LineProblem, Record, RecordReader, parse_feedback, parse_record, read_feedback,
    read_records, without_mark,
};
pub use recording::{Recording, UnknownSegmenter};
pub use told::{Told, Wish, parse_told};
pub use write::{ClipEntry, Cut, ExactTimes, ObservationLine, SegmentLine};
