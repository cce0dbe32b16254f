//! Pictures of any format and shape brought to those of the output: 8 bits, 4:2:0, BT.709, square
//! pixels, no interlacing, cropped or with bars, and mixed with a colour where they fade.

use gstreamer as gst;
use gstreamer_video::{
    VideoColorimetry, VideoConverter, VideoConverterConfig, VideoFormat, VideoFrameExt,
    VideoFrameRef, VideoInfo, VideoInterlaceMode, VideoResamplerMethod,
};

use super::plan::Fit;
use crate::view::UnsupportedFormat;

/// The output of a film.
pub(super) struct Canvas {
    info: VideoInfo,
    fit: Fit,
    /// The last converter and what it was made for.
    known: Option<Chain>,
}

/// From one input format to the canvas.
struct Chain {
    input: VideoInfo,
    aspect: Option<(u32, u32)>,
    /// To 8 bits 4:2:0 at the size of the input, where fields have to be taken apart.
    woven: Option<(VideoConverter, VideoInfo)>,
    fitted: VideoConverter,
}

/// A part of a picture: left, top, width, height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rect(u32, u32, u32, u32);

/// Which part of the input is shown, and where.
fn place(input: (u32, u32), aspect: (u32, u32), output: (u32, u32), fit: Fit) -> (Rect, Rect) {
    let (w, h) = (u64::from(input.0), u64::from(input.1));
    let (h_aspect, v_aspect) = (u64::from(aspect.0.max(1)), u64::from(aspect.1.max(1)));
    let (ow, oh) = (u64::from(output.0), u64::from(output.1));
    // The shape of the input is w*h_aspect : h*v_aspect. Whole pairs of pixels, for the chroma.
    let even = |value: u64, most: u64| (value.div_ceil(2) * 2).clamp(2, most.max(2));
    let centre = |all: u64, part: u64| ((all - part.min(all)) / 4) * 2;
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let rect = |all: (u64, u64), part: (u64, u64)| {
        Rect(
            narrow(centre(all.0, part.0)),
            narrow(centre(all.1, part.1)),
            narrow(part.0),
            narrow(part.1),
        )
    };
    let wider = w * h_aspect * oh > h * v_aspect * ow;
    let (source, target) = match (fit, wider) {
        (Fit::Crop, true) => ((even(h * v_aspect * ow / (oh * h_aspect), w), h), (ow, oh)),
        (Fit::Crop, false) => ((w, even(w * h_aspect * oh / (ow * v_aspect), h)), (ow, oh)),
        (Fit::Pad, true) => ((w, h), (ow, even(ow * h * v_aspect / (w * h_aspect), oh))),
        (Fit::Pad, false) => ((w, h), (even(oh * w * h_aspect / (h * v_aspect), ow), oh)),
    };
    (rect((w, h), source), rect((ow, oh), target))
}

impl Canvas {
    pub(super) fn new((width, height): (u32, u32), fit: Fit) -> Result<Self, UnsupportedFormat> {
        let unsupported = |error: &dyn std::fmt::Display| {
            UnsupportedFormat(format!("I420 of {width}x{height} ({error})"))
        };
        let colour: VideoColorimetry = "bt709".parse().map_err(|error| {
            let error: gst::glib::BoolError = error;
            unsupported(&error)
        })?;
        let info = VideoInfo::builder(VideoFormat::I420, width, height)
            .colorimetry(&colour)
            .build()
            .map_err(|error| unsupported(&error))?;
        Ok(Canvas {
            info,
            fit,
            known: None,
        })
    }

    /// What the encoder is told of the pictures.
    pub(super) fn caps(&self, rate: (u32, u32)) -> gst::Caps {
        let whole = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", whole(self.info.width()))
            .field("height", whole(self.info.height()))
            .field("interlace-mode", "progressive")
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("colorimetry", "bt709")
            .field(
                "framerate",
                gst::Fraction::new(whole(rate.0), whole(rate.1)),
            )
            .build()
    }

    /// A picture of one colour.
    pub(super) fn blank(&self, colour: [u8; 3]) -> Result<gst::Buffer, UnsupportedFormat> {
        let mut buffer = self.buffer()?;
        self.mix(&mut buffer, colour, 0)?;
        Ok(buffer)
    }

    /// A picture in the format of the output. `aspect` is the shape of its pixels, where the caps do
    /// not say it.
    pub(super) fn take(
        &mut self,
        info: &VideoInfo,
        buffer: &gst::BufferRef,
        aspect: Option<(u32, u32)>,
    ) -> Result<gst::Buffer, UnsupportedFormat> {
        let known = self
            .known
            .take()
            .filter(|chain| chain.input == *info && chain.aspect == aspect);
        let chain = match known {
            Some(chain) => chain,
            None => self.chain(info, aspect)?,
        };
        let mut out = self.buffer()?;
        let frame = readable(buffer, info)?;
        match &chain.woven {
            None => convert(&chain.fitted, &frame, &mut out, &self.info)?,
            Some((weave, flat)) => {
                let mut whole = new_buffer(flat)?;
                convert(weave, &frame, &mut whole, flat)?;
                {
                    let writable = whole.make_mut();
                    let mut frame = VideoFrameRef::from_buffer_ref_writable(writable, flat)
                        .map_err(|error| UnsupportedFormat(error.to_string()))?;
                    for plane in 0..3 {
                        let stride = frame.plane_stride()[plane as usize].max(0) as usize;
                        let (width, height) = (
                            frame.comp_width(plane) as usize,
                            frame.comp_height(plane) as usize,
                        );
                        if let Ok(data) = frame.plane_data_mut(plane) {
                            take_fields_apart(data, stride, width, height);
                        }
                    }
                }
                let frame = readable(&whole, flat)?;
                convert(&chain.fitted, &frame, &mut out, &self.info)?;
            }
        }
        self.known = Some(chain);
        Ok(out)
    }

    fn chain(
        &self,
        info: &VideoInfo,
        aspect: Option<(u32, u32)>,
    ) -> Result<Chain, UnsupportedFormat> {
        let failed =
            |error: &dyn std::fmt::Display| UnsupportedFormat(format!("{} ({error})", info.name()));
        let interlaced = info.interlace_mode() != VideoInterlaceMode::Progressive;
        let mut woven = None;
        let mut from = info.clone();
        if interlaced {
            let flat = |mode| {
                VideoInfo::builder(VideoFormat::I420, info.width(), info.height())
                    .colorimetry(&info.colorimetry())
                    .fps(info.fps())
                    .interlace_mode(mode)
                    .build()
                    .map_err(|error| failed(&error))
            };
            let weave = VideoConverter::new(info, &flat(info.interlace_mode())?, None)
                .map_err(|error| failed(&error))?;
            from = flat(VideoInterlaceMode::Progressive)?;
            woven = Some((weave, from.clone()));
        }
        let par = match (info.par().numer(), info.par().denom()) {
            (1, 1) | (0, _) | (_, 0) => aspect.unwrap_or((1, 1)),
            (h, v) => (h.unsigned_abs(), v.unsigned_abs()),
        };
        let size = (self.info.width(), self.info.height());
        let (source, target) = place((info.width(), info.height()), par, size, self.fit);
        let whole = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let mut config = VideoConverterConfig::new();
        config.set_src_x(whole(source.0));
        config.set_src_y(whole(source.1));
        config.set_src_width(Some(whole(source.2)));
        config.set_src_height(Some(whole(source.3)));
        config.set_dest_x(whole(target.0));
        config.set_dest_y(whole(target.1));
        config.set_dest_width(Some(whole(target.2)));
        config.set_dest_height(Some(whole(target.3)));
        config.set_fill_border(true);
        config.set_border_argb(0xff00_0000);
        config.set_resampler_method(VideoResamplerMethod::Cubic);
        // The converter does not change rates; neither has one that matters here.
        let to = VideoInfo::builder(VideoFormat::I420, size.0, size.1)
            .colorimetry(&self.info.colorimetry())
            .fps(from.fps())
            .build()
            .map_err(|error| failed(&error))?;
        let fitted = VideoConverter::new(&from, &to, Some(config)).map_err(|e| failed(&e))?;
        Ok(Chain {
            input: info.clone(),
            aspect,
            woven,
            fitted,
        })
    }

    /// Leaves `keep` of 256 of the picture, and the rest of it to a colour.
    pub(super) fn mix(
        &self,
        buffer: &mut gst::Buffer,
        colour: [u8; 3],
        keep: u32,
    ) -> Result<(), UnsupportedFormat> {
        let keep = keep.min(256);
        let yuv = bt709(colour);
        let writable = buffer.make_mut();
        let mut frame = VideoFrameRef::from_buffer_ref_writable(writable, &self.info)
            .map_err(|error| UnsupportedFormat(error.to_string()))?;
        for (plane, value) in (0u32..).zip(yuv) {
            let add = u32::from(value) * (256 - keep) + 128;
            if let Ok(data) = frame.plane_data_mut(plane) {
                for byte in data {
                    *byte = ((u32::from(*byte) * keep + add) >> 8) as u8;
                }
            }
        }
        Ok(())
    }

    fn buffer(&self) -> Result<gst::Buffer, UnsupportedFormat> {
        new_buffer(&self.info)
    }
}

fn new_buffer(info: &VideoInfo) -> Result<gst::Buffer, UnsupportedFormat> {
    gst::Buffer::with_size(info.size()).map_err(|error| UnsupportedFormat(error.to_string()))
}

fn readable<'a>(
    buffer: &'a gst::BufferRef,
    info: &'a VideoInfo,
) -> Result<VideoFrameRef<&'a gst::BufferRef>, UnsupportedFormat> {
    VideoFrameRef::from_buffer_ref_readable(buffer, info)
        .map_err(|error| UnsupportedFormat(format!("{} ({error})", info.name())))
}

fn convert(
    converter: &VideoConverter,
    from: &VideoFrameRef<&gst::BufferRef>,
    to: &mut gst::Buffer,
    info: &VideoInfo,
) -> Result<(), UnsupportedFormat> {
    let writable = to.make_mut();
    let mut frame = VideoFrameRef::from_buffer_ref_writable(writable, info)
        .map_err(|error| UnsupportedFormat(error.to_string()))?;
    converter.frame_ref(from, &mut frame);
    Ok(())
}

/// Every second line is made of the lines around it, as if the picture had been taken at the time of
/// the first field: (-1 4 2 4 -1) / 8, which keeps what does not move.
fn take_fields_apart(data: &mut [u8], stride: usize, width: usize, height: usize) {
    if height < 4 || width > stride || data.len() < stride * (height - 1) + width {
        return;
    }
    let at = |data: &[u8], row: usize, x: usize| i32::from(data[row * stride + x]);
    let mut above = vec![0u8; width];
    for row in (1..height).step_by(2) {
        let own: Vec<u8> = data[row * stride..row * stride + width].to_vec();
        for x in 0..width {
            let up = at(data, row - 1, x);
            let down = at(data, (row + 1).min(height - 1 - (height - 1) % 2), x);
            let before = if row >= 2 {
                i32::from(above[x])
            } else {
                i32::from(own[x])
            };
            let after = if row + 2 < height {
                at(data, row + 2, x)
            } else {
                i32::from(own[x])
            };
            let value = 4 * (up + down) + 2 * i32::from(own[x]) - before - after;
            data[row * stride + x] = ((value + 4) >> 3).clamp(0, 255) as u8;
        }
        above = own;
    }
}

/// A colour as luma and chroma.
fn bt709([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
    let luma = 16 + (11_966 * r + 40_254 * g + 4_064 * b + 32_768) / 65_536;
    let blue = 128 + (-6_596 * r - 22_189 * g + 28_785 * b + 32_768).div_euclid(65_536);
    let red = 128 + (28_785 * r - 26_145 * g - 2_640 * b + 32_768).div_euclid(65_536);
    [luma, blue, red].map(|value| value.clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_kept() {
        let hd = (1920, 1080);
        let all = Rect(0, 0, 1920, 1080);
        let square = (1, 1);
        for fit in [Fit::Crop, Fit::Pad] {
            assert_eq!(
                place(hd, square, (1280, 720), fit),
                (all, Rect(0, 0, 1280, 720))
            );
        }
        // Upright from lying: a strip of the middle, or bars above and below.
        assert_eq!(
            place(hd, square, (1080, 1080), Fit::Crop),
            (Rect(420, 0, 1080, 1080), Rect(0, 0, 1080, 1080))
        );
        assert_eq!(
            place(hd, square, (608, 1080), Fit::Pad),
            (all, Rect(0, 368, 608, 342))
        );
        assert_eq!(
            place((720, 1280), square, (1280, 720), Fit::Crop),
            (Rect(0, 436, 720, 406), Rect(0, 0, 1280, 720))
        );
        // 720x576 with pixels of 64:45 is 16:9.
        let pal = place((720, 576), (64, 45), (1280, 720), Fit::Pad);
        assert_eq!(pal, (Rect(0, 0, 720, 576), Rect(0, 0, 1280, 720)));
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        assert_eq!(bt709([0, 0, 0]), [16, 128, 128]);
        assert_eq!(bt709([255, 255, 255]), [235, 128, 128]);
        assert_eq!(bt709([255, 0, 0]), [63, 102, 240]);
    }

    #[test]
    fn what_does_not_move_stays_where_fields_are_taken_apart() {
        let (width, height) = (4, 9);
        let mut still = vec![90u8; width * height];
        take_fields_apart(&mut still, width, width, height);
        assert!(still.iter().all(|value| *value == 90));
        // The second field is of another time: its lines go.
        let mut combed: Vec<u8> = (0..height)
            .flat_map(|row| vec![if row % 2 == 0 { 100 } else { 20 }; width])
            .collect();
        take_fields_apart(&mut combed, width, width, height);
        assert!(
            combed.iter().all(|value| (90..=110).contains(value)),
            "{combed:?}"
        );
    }
}
