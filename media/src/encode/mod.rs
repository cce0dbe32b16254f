//! Encoding pictures and sound, element by element like decoding: what the encoder gives comes out
//! with the place of each picture, never with a time that was rounded on the way.

mod picture;
mod sound;

pub(crate) use picture::{Encoded, PictureEncoder, PictureSettings};
pub(crate) use sound::{PRIMING, SoundEncoder};

use crate::decode::element::StageError;
use crate::doctor::is_present;

/// What `matchcut doctor` looks for: elements, what they are for, and their Debian package.
pub(crate) const ENCODERS: &[(&[&str], &str, &str)] = &[
    (
        &["x264enc"],
        "smart and rendered clips (H.264)",
        "gstreamer1.0-plugins-ugly",
    ),
    (
        &["x265enc"],
        "smart clips of HEVC",
        "gstreamer1.0-plugins-bad",
    ),
    (
        &["avenc_aac"],
        "rendered clips with sound (AAC)",
        "gstreamer1.0-libav",
    ),
];

/// Why something could not be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The encoder is not installed.
    #[error(
        "encoding {codec} needs the GStreamer element {element}, which is not installed; mend it \
         with `apt-get install {package}` (run `matchcut doctor` for all that is missing)"
    )]
    MissingElement {
        /// The codec.
        codec: &'static str,
        /// The element.
        element: &'static str,
        /// The Debian package that brings it.
        package: &'static str,
    },
    /// The encoder failed.
    #[error("the encoder {element} failed: {message}")]
    Encoder {
        /// Which element.
        element: String,
        /// What it said.
        message: String,
    },
}

impl From<StageError> for EncodeError {
    fn from(StageError { element, message }: StageError) -> Self {
        EncodeError::Encoder { element, message }
    }
}

/// An error unless the element is installed.
fn need(element: &'static str, codec: &'static str) -> Result<&'static str, EncodeError> {
    if is_present(element) {
        return Ok(element);
    }
    let package = ENCODERS
        .iter()
        .find(|(elements, _, _)| elements.contains(&element))
        .map_or("", |(_, _, package)| package);
    Err(EncodeError::MissingElement {
        codec,
        element,
        package,
    })
}
