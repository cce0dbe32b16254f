//! Views: the small pictures that operators look at, made straight from the decoder's planes by
//! averaging areas, each size once for all who asked. No full-size picture is ever converted.

use gstreamer_video as gst_video;
use gstreamer_video::VideoFrameExt;
use gstreamer_video::VideoFrameRef;
use matchcut_model::frame::{PixelFormat, ViewSpec};
use matchcut_model::time::{FrameRate, Timestamp};

mod color;
mod scale;

use color::ToRgb;
use scale::{Depth, Plane, Scaler};

/// Whether a view of `rate` takes the frame at `at`, when the frame before it in order of
/// presentation is at `previous`: it is the first at or after a point of the grid, which is
/// anchored at stream time 0. Compared in whole numbers, so no rounding moves a frame.
pub fn takes(rate: Option<FrameRate>, previous: Option<Timestamp>, at: Timestamp) -> bool {
    let (Some(rate), Some(previous)) = (rate, previous) else {
        return true;
    };
    let point = |t: Timestamp| {
        let scale = i128::from(t.timescale.max(1)) * i128::from(rate.den);
        (i128::from(t.ticks) * i128::from(rate.num)).div_euclid(scale)
    };
    point(previous) < point(at)
}

/// The decoder gave pixels in a layout that this crate does not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the decoder gives pixels as {0}; only grey and planar or semi-planar YUV (little-endian, up \
     to 16 bits) can be scaled"
)]
pub struct UnsupportedFormat(pub String);

/// Scales frames to a fixed list of views.
pub(crate) struct Viewer {
    views: Vec<ViewSpec>,
    planes: Vec<ScaledPlane>,
    packed: Vec<u8>,
}

/// One component at one size, kept between frames so that nothing is allocated per frame.
struct ScaledPlane {
    component: usize,
    width: u32,
    height: u32,
    scaler: Option<Scaler>,
    /// The frame it was last made from.
    made_for: u64,
    data: Vec<u8>,
}

impl Viewer {
    pub(crate) fn new(views: &[ViewSpec]) -> Self {
        Viewer {
            views: views.to_vec(),
            planes: Vec::new(),
            packed: Vec::new(),
        }
    }

    /// Makes the views for which `wanted` is true and hands each to `emit`. `serial` names the
    /// frame: it must differ from that of every other frame.
    pub(crate) fn render(
        &mut self,
        serial: u64,
        frame: &VideoFrameRef<&gstreamer::BufferRef>,
        wanted: &[bool],
        mut emit: impl FnMut(usize, &ViewSpec, &[u8]),
    ) -> Result<(), UnsupportedFormat> {
        let source = Source::of(frame)?;
        for index in 0..self.views.len() {
            if !wanted.get(index).copied().unwrap_or(false) {
                continue;
            }
            let spec = self.views[index];
            let pixels = spec.width as usize * spec.height as usize;
            let luma = self.component(serial, &source, 0, spec.width, spec.height);
            if spec.format == PixelFormat::Gray8 {
                emit(index, &spec, &self.planes[luma].data);
                continue;
            }
            let mut packed = std::mem::take(&mut self.packed);
            packed.clear();
            packed.resize(pixels * 3, 128);
            let chroma = (source.components == 3).then(|| {
                let cb = self.component(serial, &source, 1, spec.width, spec.height);
                (
                    cb,
                    self.component(serial, &source, 2, spec.width, spec.height),
                )
            });
            interleave(&mut packed, 0, &self.planes[luma].data);
            if let Some((cb, cr)) = chroma {
                interleave(&mut packed, 1, &self.planes[cb].data);
                interleave(&mut packed, 2, &self.planes[cr].data);
            }
            if spec.format == PixelFormat::Rgb24 {
                ToRgb::of(frame.info()).convert(&mut packed);
            }
            emit(index, &spec, &packed);
            self.packed = packed;
        }
        Ok(())
    }

    /// The place in `planes` of a component at a size, made from `source` if it was not yet.
    fn component(
        &mut self,
        serial: u64,
        source: &Source<'_>,
        component: usize,
        width: u32,
        height: u32,
    ) -> usize {
        let found = self
            .planes
            .iter()
            .position(|p| p.component == component && p.width == width && p.height == height);
        let index = found.unwrap_or_else(|| {
            self.planes.push(ScaledPlane {
                component,
                width,
                height,
                scaler: None,
                made_for: u64::MAX,
                data: Vec::new(),
            });
            self.planes.len() - 1
        });
        let target = &mut self.planes[index];
        if target.made_for == serial {
            return index;
        }
        let plane = source.planes[component];
        let scaler = match &mut target.scaler {
            Some(scaler) if scaler.fits(plane.width, plane.height) => scaler,
            other => other.insert(Scaler::new(plane.width, plane.height, width, height)),
        };
        scaler.scale(plane, &mut target.data);
        target.made_for = serial;
        index
    }
}

fn interleave(packed: &mut [u8], offset: usize, plane: &[u8]) {
    for (pixel, value) in packed.chunks_exact_mut(3).zip(plane) {
        pixel[offset] = *value;
    }
}

/// The planes of a decoded frame.
struct Source<'a> {
    planes: [Plane<'a>; 3],
    /// 1 for grey, 3 for YUV.
    components: usize,
}

impl<'a> Source<'a> {
    fn of(frame: &'a VideoFrameRef<&gstreamer::BufferRef>) -> Result<Self, UnsupportedFormat> {
        let format = frame.format_info();
        let unsupported = || UnsupportedFormat(format.name().to_string());
        let components = match format.n_components() {
            1 if format.is_gray() => 1,
            // A fourth component is transparency, which nobody looks at.
            3 | 4 if format.is_yuv() => 3,
            _ => return Err(unsupported()),
        };
        if format.is_complex() || format.is_tiled() {
            return Err(unsupported());
        }
        let luma = plane_of(frame, 0).ok_or_else(unsupported)?;
        let mut planes = [luma; 3];
        for (component, plane) in planes.iter_mut().enumerate().take(components).skip(1) {
            *plane = plane_of(frame, component).ok_or_else(unsupported)?;
        }
        Ok(Source { planes, components })
    }
}

fn plane_of<'a>(
    frame: &'a VideoFrameRef<&gstreamer::BufferRef>,
    component: usize,
) -> Option<Plane<'a>> {
    let format = frame.format_info();
    let plane = *format.plane().get(component)?;
    let step = usize::try_from(*format.pixel_stride().get(component)?).ok()?;
    let bits = *format.depth().get(component)?;
    let shift = *format.shift().get(component)?;
    let depth = match bits {
        8 if shift == 0 => Depth::Eight,
        9..=16 if format.is_le() && step >= 2 && bits + shift <= 16 => {
            Depth::Sixteen { bits, shift }
        }
        _ => return None,
    };
    let stride = usize::try_from(*frame.plane_stride().get(plane as usize)?).ok()?;
    let data = frame.plane_data(plane).ok()?;
    let offset = *format.poffset().get(component)? as usize;
    Plane {
        data: data.get(offset..)?,
        stride,
        step,
        depth,
        width: frame.comp_width(component as u32),
        height: frame.comp_height(component as u32),
    }
    .checked()
}

impl ToRgb {
    fn of(info: &gst_video::VideoInfo) -> Self {
        use gst_video::{VideoColorMatrix, VideoColorRange};
        let colorimetry = info.colorimetry();
        let matrix = match colorimetry.matrix() {
            VideoColorMatrix::Bt709 => color::BT709,
            VideoColorMatrix::Bt601 => color::BT601,
            VideoColorMatrix::Bt2020 => color::BT2020,
            VideoColorMatrix::Smpte240m => color::SMPTE240M,
            VideoColorMatrix::Fcc => color::FCC,
            // What a stream does not say is guessed from its size, as players do.
            _ if info.height() > 576 => color::BT709,
            _ => color::BT601,
        };
        ToRgb::new(matrix, colorimetry.range() == VideoColorRange::Range0_255)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ticks: i64, timescale: u32) -> Timestamp {
        Timestamp { ticks, timescale }
    }

    #[test]
    fn the_grid_is_anchored_at_stream_time_zero() {
        let five = FrameRate::new(5, 1);
        // 25 fps from 1.4 s on: grid points lie at 1.4, 1.6 and 1.8.
        let frames: Vec<Timestamp> = (0..15).map(|n| at(126_000 + n * 3600, 90_000)).collect();
        let taken = |frames: &[Timestamp], mut previous: Option<Timestamp>| {
            let mut ticks = Vec::new();
            for frame in frames {
                if takes(five, previous, *frame) {
                    ticks.push(frame.ticks);
                }
                previous = Some(*frame);
            }
            ticks
        };
        let before = Some(at(126_000 - 3600, 90_000));
        assert_eq!(taken(&frames, before), [126_000, 144_000, 162_000]);
        // The same frames are taken when the run is cut anywhere.
        for cut in 1..frames.len() {
            let mut both = taken(&frames[..cut], before);
            both.extend(taken(&frames[cut..], Some(frames[cut - 1])));
            assert_eq!(both, [126_000, 144_000, 162_000], "cut at {cut}");
        }
        // 29.97: frame n is at n * 1001/30000 s; grid points 0.2 and 0.4 lie between frames.
        let ntsc: Vec<Timestamp> = (0..15).map(|n| at(n * 1001, 30_000)).collect();
        assert_eq!(
            taken(&ntsc, Some(at(-1001, 30_000))),
            [0, 6 * 1001, 12 * 1001]
        );
        // A view slower than the frames that come takes each of them.
        let slow: Vec<Timestamp> = (0..4).map(|n| at(n * 2, 1)).collect();
        assert_eq!(taken(&slow, Some(at(-2, 1))), [0, 2, 4, 6]);
        // Before time 0 the grid goes on.
        assert!(takes(five, Some(at(-1, 10)), at(0, 10)));
        assert!(!takes(five, Some(at(-2, 10)), at(-1, 10)));
    }

    #[test]
    fn without_a_rate_every_frame_is_taken() {
        assert!(takes(None, Some(at(5, 1)), at(5, 1)));
    }
}
