//! Reading the headers of compressed streams: just what demuxing, probing and cutting need to know.
//! Every function here takes bytes from outside and answers `None` when they make no sense.

pub mod aac;
pub mod ac3;
pub mod bits;
pub mod h264;
pub mod hevc;
pub mod mpeg2;
pub mod mpeg_audio;
pub mod nal;
pub(crate) mod sei;
