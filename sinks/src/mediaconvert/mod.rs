//! Jobs of AWS Elemental MediaConvert: clips and replays as MediaConvert makes them from chunks in S3, planned as
//! plain data. A plan is a function of what is to be made, the timeline and the options, and asks nobody; the
//! outlet submits what is planned, follows it, and writes down what came of it.

mod chunks;
mod cost;
mod events;
mod fades;
mod job;
mod ledger;
mod options;
mod outlet;
mod outputs;
mod plan;
mod remote;
mod resolution;
mod shape;

pub use chunks::{Mapping, NoInput};
pub use cost::Estimate;
pub use fades::colour_png;
pub use job::{JobRequest, Posted, Refused, Step, Upload, UploadFrom};
pub use options::{Acceleration, Format, MediaConvertOptions};
pub use outlet::MediaConvertSink;
pub use plan::{Asset, Between, Fit, Look, Loudness, Maker, Piece, Wish};
pub use resolution::{RESOLUTIONS, Resolution};
