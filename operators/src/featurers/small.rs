//! The small view that all operators share which ask how the whole picture changes: it is scaled
//! once for all of them.

use matchcut_model::frame::{Frame, FrameChoice, PixelFormat, ViewSpec};

/// Its width in pixels. At this size noise and small motion are averaged away and what is left is the
/// picture's layout and tone: cuts stand out more than at larger sizes, and a comparison costs a
/// microsecond.
pub(super) const WIDTH: usize = 32;

/// Its height in pixels.
pub(super) const HEIGHT: usize = 18;

/// Its pixels.
pub(super) const PIXELS: usize = WIDTH * HEIGHT;

/// Its bytes: luma, Cb and Cr of each pixel.
pub(super) const BYTES: usize = PIXELS * 3;

/// The view, every frame.
pub(super) const VIEW: ViewSpec = ViewSpec {
    width: WIDTH as u32,
    height: HEIGHT as u32,
    format: PixelFormat::Yuv444,
    rate: None,
    frames: FrameChoice::All,
};

/// The bytes of a frame of this view; an error for any other.
pub(super) fn bytes<'a>(frame: &Frame<'a>) -> Result<&'a [u8], String> {
    let size = frame.data.len();
    if size != BYTES {
        return Err(format!("expected pictures of {BYTES} bytes, got {size}"));
    }
    Ok(frame.data)
}
