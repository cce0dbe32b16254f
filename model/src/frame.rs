//! Decoded media as operators see it: frames already scaled to the view that was asked for, and
//! blocks of audio samples, with times on the event timeline.

use serde::{Deserialize, Serialize};

use crate::chunk::TrackNumber;
use crate::time::{FrameRate, MediaTime, Timestamp};

/// The layout of pixels in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PixelFormat {
    /// One byte of luma a pixel.
    Gray8,
    /// Three bytes a pixel: luma, Cb, Cr (chroma replicated, BT.601/709 as in the source).
    Yuv444,
    /// Three bytes a pixel: red, green, blue.
    Rgb24,
}

impl PixelFormat {
    /// Bytes of one pixel.
    pub const fn bytes_per_pixel(self) -> usize {
        match self {
            PixelFormat::Gray8 => 1,
            PixelFormat::Yuv444 | PixelFormat::Rgb24 => 3,
        }
    }
}

/// Which frames a view takes. What no view takes need not be decoded.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum FrameChoice {
    /// All.
    #[default]
    All,
    /// Those at which a shot may begin, as far as can be told without decoding: key frames, and all
    /// frames of groups of pictures in which one is so large that it must show something new. It
    /// depends on the stream's own groups, so a chunk that begins amid one loses the rest of it.
    Likely,
}

/// The frames an operator wants. Equal views are computed once and shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ViewSpec {
    /// Width in pixels. The picture is scaled to exactly `width` x `height` by averaging areas.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Layout.
    pub format: PixelFormat,
    /// At most this many frames a second, taken on a grid that is anchored at stream time 0, so
    /// that chunk borders do not matter: a frame is taken when it is the first at or after a
    /// grid point. `None` is every frame.
    pub rate: Option<FrameRate>,
    /// Which frames at all.
    #[serde(default)]
    pub frames: FrameChoice,
}

/// One scaled frame. Rows are packed without padding.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it is shown, on the event timeline.
    pub time: MediaTime,
    /// As the stream wrote it.
    pub pts: Timestamp,
    /// Index in the chunk in order of presentation, over all frames (not only those of the view).
    pub index: u64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Layout of `data`.
    pub format: PixelFormat,
    /// `width * height * bytes_per_pixel` bytes.
    pub data: &'a [u8],
}

/// A run of audio samples of one track.
#[derive(Clone, Copy, Debug)]
pub struct AudioBlock<'a> {
    /// When its first sample is heard, on the event timeline.
    pub time: MediaTime,
    /// Which track.
    pub track: TrackNumber,
    /// Samples a second of each channel.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u32,
    /// Interleaved samples, full scale is -1.0 to 1.0.
    pub samples: &'a [f32],
}

impl AudioBlock<'_> {
    /// Number of samples of each channel.
    pub fn frames(&self) -> usize {
        self.samples.len() / (self.channels.max(1) as usize)
    }

    /// When sample `index` is heard.
    pub fn time_of(&self, index: usize) -> MediaTime {
        self.time + MediaTime::from_ticks(index as i64, self.sample_rate)
    }
}
