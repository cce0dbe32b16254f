//! What a rendered clip or replay is to be like: plain data, with the sizes that AWS Media Replay
//! Engine offers.

use std::path::PathBuf;
use std::str::FromStr;

use matchcut_model::time::{FrameRate, MediaTime};

/// A size of pictures, with the quality and the rate that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Its name, "720p" or "9:16".
    pub name: &'static str,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Constant rate factor of H.264: smaller is better.
    pub quality: u32,
    /// At most so many bits a second.
    pub max_bitrate: u32,
}

const fn resolution(
    name: &'static str,
    width: u32,
    height: u32,
    quality: u32,
    max_bitrate: u32,
) -> Resolution {
    Resolution {
        name,
        width,
        height,
        quality,
        max_bitrate,
    }
}

/// The nine outputs of AWS Media Replay Engine, with its rates.
pub const RESOLUTIONS: [Resolution; 9] = [
    resolution("4K", 3840, 2160, 20, 6_000_000),
    resolution("2K", 2560, 1440, 20, 6_000_000),
    resolution("16:9", 1920, 1080, 20, 6_000_000),
    resolution("1:1", 1080, 1080, 20, 6_000_000),
    resolution("4:5", 864, 1080, 20, 6_000_000),
    resolution("9:16", 608, 1080, 20, 6_000_000),
    resolution("720p", 1280, 720, 21, 4_000_000),
    resolution("480p", 854, 480, 23, 1_000_000),
    resolution("360p", 640, 360, 23, 700_000),
];

/// A name that is none of the resolutions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no resolution; there are 4K, 2K, 16:9, 1:1, 4:5, 9:16, 720p, 480p and 360p")]
pub struct UnknownResolution(pub String);

impl FromStr for Resolution {
    type Err = UnknownResolution;

    /// By name, in either case; what follows a blank is for people: `720p (1280 x 720)`.
    fn from_str(text: &str) -> Result<Self, UnknownResolution> {
        let name = text.split_whitespace().next().unwrap_or_default();
        RESOLUTIONS
            .into_iter()
            .find(|known| known.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownResolution(text.to_owned()))
    }
}

impl std::fmt::Display for Resolution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} x {})", self.name, self.width, self.height)
    }
}

/// What happens to pictures of another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fit {
    /// The output is filled, and what stands out at two sides is cut off.
    #[default]
    Crop,
    /// Everything is shown, with black bars at two sides.
    Pad,
}

/// What stands between two clips.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Transition {
    /// Nothing: a hard cut.
    #[default]
    None,
    /// The end of a clip goes over into a colour, and the beginning of the next comes out of it; its
    /// sound goes with it. Nothing becomes longer.
    Fade {
        /// How long a clip takes to disappear.
        out: MediaTime,
        /// How long the next one takes to appear.
        into: MediaTime,
        /// Red, green and blue.
        colour: [u8; 3],
    },
    /// A still picture (PNG or JPEG), in silence.
    Image {
        /// Where it is.
        path: PathBuf,
        /// How long it is shown.
        duration: MediaTime,
    },
    /// A video, with its sound.
    Clip {
        /// Where it is: MP4, Matroska or WebM.
        path: PathBuf,
    },
}

/// How loud it is to be (EBU R128).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loudness {
    /// Integrated loudness in LUFS; -23 in broadcasting.
    pub target: f64,
    /// What the true peak must not exceed, in dBTP; -1 in broadcasting. Where it would, all is
    /// quieter than the target instead.
    pub true_peak: f64,
}

impl Default for Loudness {
    fn default() -> Self {
        Loudness {
            target: -23.0,
            true_peak: -1.0,
        }
    }
}

/// How to render.
#[derive(Clone, Debug, PartialEq)]
pub struct RenderPlan {
    /// Size, quality and rate; by default the size of the first clip.
    pub resolution: Option<Resolution>,
    /// What happens to pictures of another shape.
    pub fit: Fit,
    /// Frames a second; by default those of the first clip.
    pub frame_rate: Option<FrameRate>,
    /// Another quality than that of the resolution: the constant rate factor of H.264, 0 to 51.
    pub quality: Option<u32>,
    /// Another maximum than that of the resolution, in bits a second.
    pub max_bitrate: Option<u32>,
    /// What stands between two clips.
    pub transition: Transition,
    /// How loud it is to be; as it is by default.
    pub loudness: Option<Loudness>,
    /// Bits a second of each audio track.
    pub audio_bitrate: u32,
}

impl Default for RenderPlan {
    fn default() -> Self {
        RenderPlan {
            resolution: None,
            fit: Fit::Crop,
            frame_rate: None,
            quality: None,
            max_bitrate: None,
            transition: Transition::None,
            loudness: None,
            audio_bitrate: 128_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolutions_are_known_by_name_and_by_label() {
        let parsed: Resolution = "9:16 (608 x 1080)".parse().unwrap();
        assert_eq!((parsed.width, parsed.height), (608, 1080));
        assert_eq!("4k".parse::<Resolution>().unwrap().width, 3840);
        for known in RESOLUTIONS {
            assert_eq!(known.to_string().parse::<Resolution>().unwrap(), known);
        }
        let error = "1080p".parse::<Resolution>().unwrap_err().to_string();
        assert!(error.contains("1080p") && error.contains("16:9"), "{error}");
    }
}
