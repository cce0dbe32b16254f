//! From the bytes of a chunk to its compressed samples, for every container that chunks come in.
//! Pure functions: what is complete is kept, what is odd becomes a warning, what cannot be read an
//! error that says why.

mod ancillary;
mod audio;
mod cues;
mod es;
mod fmp4;
mod jumps;
mod mpeg2;
mod numbers;
mod packed;
mod packet;
mod psi;
pub(crate) mod rate;
mod times;
mod ts;
pub(crate) mod video;

use bytes::Bytes;
use matchcut_model::chunk::Container;

use crate::mp4::Mp4Error;
use crate::samples::Demuxed;

pub use numbers::TrackNumbers;
pub(crate) use psi::crc as checksum;

/// Why nothing could be read from a chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DemuxError {
    /// There are no bytes.
    #[error("the chunk is empty")]
    Empty,
    /// No packets were found.
    #[error(
        "not an MPEG transport stream: no run of 188-byte packets in {bytes} bytes (they begin {head})"
    )]
    NotTransportStream {
        /// Size of the chunk.
        bytes: usize,
        /// Its first bytes, in hexadecimal.
        head: String,
    },
    /// Packets, but no program association table.
    #[error("no program association table (PAT) in {packets} transport stream packets")]
    NoPat {
        /// Number of packets.
        packets: usize,
    },
    /// A PAT, but no program map table.
    #[error("no program map table (PMT) on PID {pids}, though the PAT names it")]
    NoPmt {
        /// The PIDs the PAT names.
        pids: String,
    },
    /// A PMT without video or audio.
    #[error("no video or audio stream; the program map table lists {listed}")]
    NoStreams {
        /// What it lists instead.
        listed: String,
    },
    /// Streams, but not one complete sample of them.
    #[error("not one complete video or audio sample; {detail}")]
    NoSamples {
        /// What was found instead.
        detail: String,
    },
    /// The payload is scrambled.
    #[error("the payload of all {packets} packets is scrambled; only clear streams can be read")]
    Scrambled {
        /// Number of packets.
        packets: usize,
    },
    /// A fragmented MP4 without its initialization section.
    #[error("a fragmented MP4 chunk needs the initialization section that EXT-X-MAP names")]
    NoInit,
    /// The boxes of an MP4 make no sense.
    #[error(transparent)]
    Mp4(#[from] Mp4Error),
    /// A part of a file cannot be read from its bytes alone.
    #[error("a part of a file is read through the file, not from its bytes")]
    FilePart,
    /// Packed audio without a single frame.
    #[error(
        "no packed audio: not one frame of AAC (ADTS), MP3 or AC-3 in {bytes} bytes (they begin {head})"
    )]
    NotPackedAudio {
        /// Size of the chunk.
        bytes: usize,
        /// Its first bytes, in hexadecimal.
        head: String,
    },
}

/// The first bytes of what could not be read, to tell by.
fn head(media: &[u8]) -> String {
    let head: Vec<String> = media
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    head.join(" ")
}

/// Reads a chunk. `init` is the initialization section of a fragmented MP4.
pub fn demux(
    container: Container,
    init: Option<&[u8]>,
    media: &Bytes,
) -> Result<Demuxed, DemuxError> {
    if media.is_empty() {
        return Err(DemuxError::Empty);
    }
    match container {
        Container::MpegTs => ts::demux(media),
        Container::FragmentedMp4 => fmp4::demux(init, media),
        Container::FilePart => Err(DemuxError::FilePart),
        Container::PackedAudio => packed::demux(media),
        Container::Matroska => crate::file::demux_matroska(media),
    }
}
