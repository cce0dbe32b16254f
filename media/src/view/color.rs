//! YUV to RGB of pictures that are already small, by the matrix and range that the stream names.
//! Whole numbers with 16 bits of fraction, so that every machine gives the same bytes.

/// Shares of red and blue in luma, ITU-R BT.601.
pub(super) const BT601: (f64, f64) = (0.299, 0.114);
/// ITU-R BT.709.
pub(super) const BT709: (f64, f64) = (0.2126, 0.0722);
/// ITU-R BT.2020, non-constant luminance.
pub(super) const BT2020: (f64, f64) = (0.2627, 0.0593);
/// SMPTE 240M.
pub(super) const SMPTE240M: (f64, f64) = (0.212, 0.087);
/// FCC 73.682.
pub(super) const FCC: (f64, f64) = (0.30, 0.11);

/// A conversion: factors with 16 bits of fraction.
pub(super) struct ToRgb {
    black: i32,
    luma: i32,
    red_cr: i32,
    green_cb: i32,
    green_cr: i32,
    blue_cb: i32,
}

impl ToRgb {
    /// With the shares of red and blue in luma, for full or limited range.
    pub(super) fn new((kr, kb): (f64, f64), full: bool) -> Self {
        let kg = 1.0 - kr - kb;
        let (luma, chroma) = if full {
            (1.0, 2.0)
        } else {
            (255.0 / 219.0, 2.0 * 255.0 / 224.0)
        };
        let fixed = |v: f64| (v * 65_536.0).round() as i32;
        ToRgb {
            black: if full { 0 } else { 16 },
            luma: fixed(luma),
            red_cr: fixed(chroma * (1.0 - kr)),
            green_cb: fixed(chroma * (1.0 - kb) * kb / kg),
            green_cr: fixed(chroma * (1.0 - kr) * kr / kg),
            blue_cb: fixed(chroma * (1.0 - kb)),
        }
    }

    /// Converts packed YUV pixels in place.
    pub(super) fn convert(&self, pixels: &mut [u8]) {
        for pixel in pixels.chunks_exact_mut(3) {
            let y = (i32::from(pixel[0]) - self.black) * self.luma + 32_768;
            let (cb, cr) = (i32::from(pixel[1]) - 128, i32::from(pixel[2]) - 128);
            let clamp = |v: i32| (v >> 16).clamp(0, 255) as u8;
            pixel[0] = clamp(y + cr * self.red_cr);
            pixel[1] = clamp(y - cb * self.green_cb - cr * self.green_cr);
            pixel[2] = clamp(y + cb * self.blue_cb);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rgb(to: &ToRgb, yuv: [u8; 3]) -> [u8; 3] {
        let mut pixel = yuv;
        to.convert(&mut pixel);
        pixel
    }

    #[test]
    fn known_colours_of_both_matrices_and_ranges() {
        // Values of the primaries as the recommendations define them, rounded to 8 bits.
        let sd = ToRgb::new(BT601, false);
        assert_eq!(rgb(&sd, [16, 128, 128]), [0, 0, 0]);
        assert_eq!(rgb(&sd, [235, 128, 128]), [255, 255, 255]);
        let near = |a: [u8; 3], b: [u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(b) <= 2);
        assert!(near(rgb(&sd, [81, 90, 240]), [255, 0, 0]));
        assert!(near(rgb(&sd, [145, 54, 34]), [0, 255, 0]));
        assert!(near(rgb(&sd, [41, 240, 110]), [0, 0, 255]));
        let hd = ToRgb::new(BT709, false);
        assert!(near(rgb(&hd, [63, 102, 240]), [255, 0, 0]));
        assert!(near(rgb(&hd, [173, 42, 26]), [0, 255, 0]));
        assert!(near(rgb(&hd, [32, 240, 118]), [0, 0, 255]));
        let full = ToRgb::new(BT601, true);
        assert_eq!(rgb(&full, [0, 128, 128]), [0, 0, 0]);
        assert_eq!(rgb(&full, [255, 128, 128]), [255, 255, 255]);
        assert!(near(rgb(&full, [76, 85, 255]), [255, 0, 0]));
    }
}
