//! The only crate that knows GStreamer: probe, decode, scale, cut, mux, thumbnails.

mod audio;
pub mod bitstream;
pub mod cut;
pub mod decode;
pub mod demux;
pub mod doctor;
mod encode;
pub mod file;
pub mod hls;
pub mod init;
pub mod mp4;
pub mod probe;
pub mod render;
pub mod samples;
pub mod thumbnail;
pub mod view;
