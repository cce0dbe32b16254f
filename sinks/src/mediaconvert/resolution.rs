//! The sizes of outputs with the quality and the rate that AWS Media Replay Engine gives them.

/// A size of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Its name in a spec, "720p" or "9:16".
    pub name: &'static str,
    /// Its name in a file name.
    pub tag: &'static str,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Quality level of QVBR, 1 to 10: larger is better.
    pub quality: u32,
    /// At most so many bits a second.
    pub max_bitrate: u32,
}

const fn size(
    (name, tag): (&'static str, &'static str),
    (width, height): (u32, u32),
    quality: u32,
    max_bitrate: u32,
) -> Resolution {
    Resolution {
        name,
        tag,
        width,
        height,
        quality,
        max_bitrate,
    }
}

/// The nine sizes of AWS Media Replay Engine.
pub const RESOLUTIONS: [Resolution; 9] = [
    size(("4K", "4K"), (3840, 2160), 9, 6_000_000),
    size(("2K", "2K"), (2560, 1440), 9, 6_000_000),
    size(("16:9", "16x9"), (1920, 1080), 9, 6_000_000),
    size(("1:1", "1x1"), (1080, 1080), 9, 6_000_000),
    size(("4:5", "4x5"), (864, 1080), 9, 6_000_000),
    size(("9:16", "9x16"), (608, 1080), 9, 6_000_000),
    size(("720p", "720p"), (1280, 720), 8, 4_000_000),
    size(("480p", "480p"), (854, 480), 7, 1_000_000),
    size(("360p", "360p"), (640, 360), 7, 700_000),
];

impl Resolution {
    /// By name, in either case; what follows a blank is for people: `720p (1280 x 720)`.
    pub fn named(text: &str) -> Option<Self> {
        let name = text.split_whitespace().next().unwrap_or_default();
        let mut known = RESOLUTIONS.into_iter();
        known.find(|known| known.name.eq_ignore_ascii_case(name))
    }
}

/// The size of the source, where nothing else is asked for: quality and rate of the largest HD size.
pub(super) const SOURCE_QUALITY: (u32, u32) = (9, 6_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_found_as_people_write_them() {
        for (text, size) in [
            ("9:16", Some((608, 1080))),
            ("4k", Some((3840, 2160))),
            ("720p (1280 x 720)", Some((1280, 720))),
            ("1080p", None),
            ("", None),
        ] {
            let found = Resolution::named(text).map(|known| (known.width, known.height));
            assert_eq!(found, size, "{text}");
        }
    }

    #[test]
    fn tags_fit_file_names() {
        for known in RESOLUTIONS {
            assert!(known.tag.chars().all(|c| c.is_ascii_alphanumeric()));
        }
    }
}
