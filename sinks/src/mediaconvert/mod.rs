//! Jobs of AWS Elemental MediaConvert: clips and replays as MediaConvert makes them from chunks in S3, planned as
//! plain data. A plan is a function of what is to be made, the timeline and the options, and asks nobody.

mod chunks;
mod cost;
mod fades;
mod job;
mod options;
mod outputs;
mod plan;
mod resolution;
mod shape;

pub use chunks::{Mapping, NoInput};
pub use cost::Estimate;
pub use fades::colour_png;
pub use job::{JobRequest, Posted, Refused, Step, Upload, UploadFrom};
pub use options::{Acceleration, Format, MediaConvertOptions};
pub use plan::{Asset, Between, Fit, Look, Loudness, Maker, Piece, Wish};
pub use resolution::{RESOLUTIONS, Resolution};
