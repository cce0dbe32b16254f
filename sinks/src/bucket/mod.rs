//! A bucket of S3 that has what a directory of results has. The directory is written as any other; whenever it
//! has changed, this makes the bucket follow: what is named goes before what names it, and what is gone is
//! removed last, so that whoever reads the bucket at any moment finds everything that he is told of.

mod options;
mod outlet;
mod record;
mod tree;

pub use options::{BucketError, BucketOptions};
pub use outlet::{BucketSink, Tick};
