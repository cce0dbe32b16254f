//! Streams of Kinesis Video: sessions of HLS, one after the other, as one playlist that goes on; or the fragments
//! themselves, as they are ingested. A fragment is known by its number, whatever session it comes in; addresses
//! carry no token, so that none gets into a log.

mod access;
mod address;
mod config;
mod matroska;
mod media;
mod session;

pub(crate) use access::Access;
pub(crate) use address::locate;
pub(crate) use config::options;
pub use config::{
    Delivery, KinesisVideoConfig, KinesisVideoOptions, Packing, Playback, Timestamps,
};
pub use media::{MediaCursor, MediaSource};
