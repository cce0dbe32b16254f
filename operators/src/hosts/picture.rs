//! Pictures as a model takes them: size, colours, the order of dimensions, and how the values of pixels
//! become numbers.

use std::borrow::Cow;

use matchcut_model::frame::{PixelFormat, ViewSpec};
use matchcut_model::time::{FrameRate, MediaTime};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tensor::{Batch, Pixels, TensorInfo};
use crate::sdk::OptionError;

/// The order of the dimensions of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layout {
    /// Pictures, channels, rows, columns.
    Nchw,
    /// Pictures, rows, columns, channels.
    Nhwc,
}

/// The channels of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Color {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// Luma alone.
    Gray,
}

impl Color {
    pub(super) fn channels(self) -> usize {
        match self {
            Color::Rgb | Color::Bgr => 3,
            Color::Gray => 1,
        }
    }
}

/// Options of whatever gives pictures to a model.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PictureOptions {
    /// The order of the dimensions of the input, `nchw` or `nhwc`; what the model says where it says so,
    /// else `nchw`.
    layout: Option<Layout>,
    /// `rgb`, `bgr` or `gray`; `gray` for a model with one channel, else `rgb`.
    color: Option<Color>,
    /// Width of the pictures in pixels; needed where the model does not say it.
    width: Option<u32>,
    /// Height of the pictures in pixels; needed where the model does not say it.
    height: Option<u32>,
    /// What the value of a pixel (0 to 255) is multiplied with; 1/255 unless it is given. Models that
    /// take bytes get the values as they are.
    scale: Option<f64>,
    /// What is then taken away: one number, or one for each channel.
    mean: Vec<f64>,
    /// What it is then divided by: one number, or one for each channel.
    std: Vec<f64>,
    /// The shape of the programme's pictures, such as `16:9`: they keep it inside the model's input, and
    /// grey fills the rest, half of it on either side. Unless it is given they are stretched.
    letterbox: Option<String>,
    /// The value of the pixels that fill the rest, 0 to 255.
    fill: u8,
    /// How many pictures a second are looked at (0.01 to 240); 0 is every picture.
    rate: f64,
    /// How many pictures are given to the model at once.
    batch: Option<usize>,
}

impl Default for PictureOptions {
    fn default() -> Self {
        PictureOptions {
            layout: None,
            color: None,
            width: None,
            height: None,
            scale: None,
            mean: Vec::new(),
            std: Vec::new(),
            letterbox: None,
            fill: 114,
            rate: 5.0,
            batch: None,
        }
    }
}

/// Where the picture lies in the model's input, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Framing {
    /// Width of the input.
    pub(super) width: u32,
    /// Height of the input.
    pub(super) height: u32,
    /// The first column of the picture.
    pub(super) left: u32,
    /// The first row of the picture.
    pub(super) top: u32,
    /// Width of the picture.
    pub(super) inner_width: u32,
    /// Height of the picture.
    pub(super) inner_height: u32,
}

impl Framing {
    /// The picture fills the input.
    pub(super) fn stretched(width: u32, height: u32) -> Framing {
        Framing {
            width,
            height,
            left: 0,
            top: 0,
            inner_width: width,
            inner_height: height,
        }
    }

    /// The picture keeps its shape, in the middle.
    fn kept(width: u32, height: u32, shape: &str) -> Result<Framing, String> {
        let side = |text: &str| {
            text.trim()
                .parse()
                .ok()
                .filter(|n| (1..=10_000).contains(n))
        };
        let sides = shape.split_once(':');
        let sides: Option<(u64, u64)> = sides.and_then(|(a, b)| Some((side(a)?, side(b)?)));
        let Some((across, down)) = sides else {
            return Err(format!(
                "\"{shape}\" is no shape of a picture; two numbers are, such as 16:9"
            ));
        };
        let (wide, high) = (u64::from(width), u64::from(height));
        // The nearest whole pixel, and at least one.
        let scaled = |size: u64, by: u64, of: u64| ((2 * size * by + of) / (2 * of)).max(1);
        let (inner_width, inner_height) = match wide * down > high * across {
            true => (scaled(high, across, down).min(wide), high),
            false => (wide, scaled(wide, down, across).min(high)),
        };
        let pixels = |size: u64| u32::try_from(size).unwrap_or(1);
        Ok(Framing {
            width,
            height,
            left: pixels((wide - inner_width) / 2),
            top: pixels((high - inner_height) / 2),
            inner_width: pixels(inner_width),
            inner_height: pixels(inner_height),
        })
    }
}

impl PictureOptions {
    /// Width, height and rate of pictures that are looked at as people do: as files, in colour.
    pub(super) fn for_people(&self) -> Result<(u32, u32, Option<FrameRate>), Vec<OptionError>> {
        let mut errors = Vec::new();
        let mut size = |name: &str, given: Option<u32>, usual: u32| {
            let size = given.unwrap_or(usual);
            if !(1..=LARGEST).contains(&size) {
                let message = format!("{size} is not between 1 and {LARGEST}");
                errors.push(OptionError::new(name, message));
            }
            size
        };
        let width = size("width", self.width, 512);
        let height = size("height", self.height, 288);
        match rate_of(self.rate) {
            Ok(rate) if errors.is_empty() => return Ok((width, height, rate)),
            Ok(_) => {}
            Err(message) => errors.push(OptionError::new("rate", message)),
        }
        Err(errors)
    }
}

/// Larger pictures are taken for a mistake.
const LARGEST: u32 = 4096;

/// Larger batches are taken for a mistake.
const LARGEST_BATCH: usize = 256;

/// How pictures are given to a model.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    /// Where pictures lie in the input.
    pub(super) framing: Framing,
    pub(super) color: Color,
    pub(super) rate: Option<FrameRate>,
    /// The value that fills what the picture leaves.
    fill: u8,
    /// Whether the input has no dimension for pictures.
    alone: bool,
    layout: Layout,
    /// Whether the model takes bytes.
    bytes: bool,
    /// What the values of pixels become, for each channel.
    tables: Vec<Vec<f32>>,
    /// Pictures at once.
    pub(super) batch: usize,
    /// Whether a batch with fewer pictures is filled up.
    full: bool,
}

impl Picture {
    /// Fits options and the input of a model together. `input` is `None` where the model says nothing.
    pub(super) fn new(
        options: &PictureOptions,
        input: Option<&TensorInfo>,
        bytes: bool,
    ) -> Result<Picture, Vec<OptionError>> {
        let mut errors = Vec::new();
        let mut wrong = |option: &str, message: String| {
            errors.push(OptionError::new(option, message));
        };
        let dimensions = input.map(|input| input.shape.0.as_slice());
        if let (Some(found), Some(input)) = (dimensions, input)
            && !matches!(found.len(), 3 | 4)
        {
            wrong(
                "model",
                format!(
                    "the input {input} is not one for pictures: 4 dimensions are expected, [pictures, \
                     channels, height, width] or [pictures, height, width, channels], or 3 for one picture"
                ),
            );
        }
        let alone = dimensions.is_some_and(|found| found.len() == 3);
        let sizes: [Option<usize>; 4] = match dimensions {
            Some(&[a, b, c]) => [Some(1), a, b, c],
            Some(&[a, b, c, d]) => [a, b, c, d],
            _ => [None; 4],
        };
        let is_channels = |size: Option<usize>| matches!(size, Some(1 | 3));
        let layout = options.layout.unwrap_or({
            if is_channels(sizes[3]) && !is_channels(sizes[1]) {
                Layout::Nhwc
            } else {
                Layout::Nchw
            }
        });
        let (channels, height, width) = match layout {
            Layout::Nchw => (sizes[1], sizes[2], sizes[3]),
            Layout::Nhwc => (sizes[3], sizes[1], sizes[2]),
        };
        let color = options.color.unwrap_or(match channels {
            Some(1) => Color::Gray,
            _ => Color::Rgb,
        });
        if let (Some(channels), Some(input)) = (channels, input)
            && channels != color.channels()
        {
            let option = match (options.color, options.layout) {
                (None, Some(_)) => "layout",
                (None, None) => "model",
                (Some(_), _) => "color",
            };
            let message = format!(
                "the input {input} has {channels} channels in this layout, but pictures have {} (1 for \
                 gray, 3 for rgb and bgr)",
                color.channels()
            );
            wrong(option, message);
        }
        let mut size = |name: &str, given: Option<u32>, models: Option<usize>| {
            let models = models.and_then(|size| u32::try_from(size).ok());
            match (given, models) {
                (Some(given), Some(models)) if given != models => {
                    let input = input.map(ToString::to_string).unwrap_or_default();
                    wrong(
                        name,
                        format!("{given}, but the input {input} has the {name} {models}"),
                    );
                    models
                }
                (Some(size), _) | (None, Some(size)) if (1..=LARGEST).contains(&size) => size,
                (Some(size), _) | (None, Some(size)) => {
                    wrong(name, format!("{size} is not between 1 and {LARGEST}"));
                    1
                }
                (None, None) => {
                    let message = "not said by the model, so that it must be given, in pixels";
                    wrong(name, message.to_owned());
                    1
                }
            }
        };
        let width = size("width", options.width, width);
        let height = size("height", options.height, height);
        let framing = match &options.letterbox {
            Some(shape) => Framing::kept(width, height, shape).unwrap_or_else(|message| {
                wrong("letterbox", message);
                Framing::stretched(width, height)
            }),
            None => Framing::stretched(width, height),
        };
        let rate = rate_of(options.rate).unwrap_or_else(|message| {
            wrong("rate", message);
            None
        });
        let (batch, full) = batch_of(options.batch, sizes[0], input).unwrap_or_else(|message| {
            wrong("batch", message);
            (1, false)
        });
        if bytes && (options.scale.is_some() || !options.mean.is_empty() || !options.std.is_empty())
        {
            let option = match options.scale {
                Some(_) => "scale",
                None if options.mean.is_empty() => "std",
                None => "mean",
            };
            let message = "the model takes bytes, which are given as they are";
            wrong(option, message.to_owned());
        }
        let tables = tables(options, color.channels(), &mut wrong);
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Picture {
            framing,
            fill: options.fill,
            alone,
            color,
            rate,
            layout,
            bytes,
            tables,
            batch,
            full,
        })
    }

    /// The frames that are asked for.
    pub(super) fn view(&self) -> ViewSpec {
        ViewSpec {
            width: self.framing.inner_width,
            height: self.framing.inner_height,
            format: match self.color {
                Color::Gray => PixelFormat::Gray8,
                Color::Rgb | Color::Bgr => PixelFormat::Rgb24,
            },
            rate: self.rate,
            frames: matchcut_model::frame::FrameChoice::All,
        }
    }

    /// Bytes of a frame.
    pub(super) fn size(&self) -> usize {
        self.framing.inner_width as usize
            * self.framing.inner_height as usize
            * self.color.channels()
    }

    /// How long a picture stands for what follows it, at most.
    pub(super) fn interval(&self) -> MediaTime {
        match self.rate {
            Some(rate) => rate.frame_duration(),
            // Between pictures of any rate that is usual.
            None => MediaTime::from_millis(200),
        }
    }

    /// How many pictures the model is given where there are `count`.
    pub(super) fn pictures(&self, count: usize) -> usize {
        if self.full { self.batch } else { count }
    }

    /// Frames that follow each other in `frames`, as the model takes them.
    pub(super) fn batch_of(&self, frames: &[u8]) -> Batch {
        let (width, height) = (self.framing.width as usize, self.framing.height as usize);
        let channels = self.color.channels();
        let pictures = self.pictures(frames.len() / self.size().max(1));
        let mut shape = match self.layout {
            Layout::Nchw => vec![pictures, channels, height, width],
            Layout::Nhwc => vec![pictures, height, width, channels],
        };
        if self.alone {
            shape.remove(0);
        }
        let size = pictures * width * height * channels;
        let pixels = if self.bytes {
            let mut pixels = Vec::with_capacity(size);
            self.lay(frames, |_, value| pixels.push(value));
            pixels.resize(size, 0);
            Pixels::U8(pixels)
        } else {
            let mut pixels = Vec::with_capacity(size);
            self.lay(frames, |channel, value| {
                let table = self.tables.get(channel);
                let number = table.and_then(|table| table.get(usize::from(value)));
                pixels.push(number.copied().unwrap_or_default());
            });
            pixels.resize(size, 0.0);
            Pixels::F32(pixels)
        };
        Batch { shape, pixels }
    }

    /// Hands over all values in the order of the layout, each with its channel.
    fn lay(&self, frames: &[u8], mut put: impl FnMut(usize, u8)) {
        let channels = self.color.channels();
        // The channel of the frame that stands at a channel of the tensor.
        let from = |channel: usize| match self.color {
            Color::Bgr => 2 - channel,
            Color::Rgb | Color::Gray => channel,
        };
        for frame in frames.chunks_exact(self.size().max(1)) {
            let frame = &*self.framed(frame);
            match self.layout {
                Layout::Nchw => {
                    for channel in 0..channels {
                        let values = frame.iter().skip(from(channel)).step_by(channels);
                        values.for_each(|value| put(channel, *value));
                    }
                }
                Layout::Nhwc => {
                    for pixel in frame.chunks_exact(channels) {
                        for channel in 0..channels {
                            if let Some(value) = pixel.get(from(channel)) {
                                put(channel, *value);
                            }
                        }
                    }
                }
            }
        }
    }
}

impl Picture {
    /// The picture with what fills the rest of the input.
    fn framed<'a>(&self, frame: &'a [u8]) -> Cow<'a, [u8]> {
        let Framing { width, height, .. } = self.framing;
        if self.framing == Framing::stretched(width, height) {
            return Cow::Borrowed(frame);
        }
        let bytes = |pixels: u32| pixels as usize * self.color.channels();
        let row = bytes(self.framing.inner_width);
        let (left, top) = (bytes(self.framing.left), self.framing.top as usize);
        let mut framed = vec![self.fill; bytes(width) * height as usize];
        let rows = framed.chunks_exact_mut(bytes(width).max(1)).skip(top);
        for (to, from) in rows.zip(frame.chunks_exact(row.max(1))) {
            if let Some(to) = to.get_mut(left..left + row) {
                to.copy_from_slice(from);
            }
        }
        Cow::Owned(framed)
    }
}

/// A rate that is given as a number; `None` is every frame.
pub(super) fn rate_of(rate: f64) -> Result<Option<FrameRate>, String> {
    if rate == 0.0 {
        return Ok(None);
    }
    if !(0.01..=240.0).contains(&rate) {
        return Err(format!(
            "{rate} is not between 0.01 and 240 pictures a second, nor 0 for every picture"
        ));
    }
    Ok(FrameRate::new((rate * 1000.0).round() as u32, 1000))
}

/// How many pictures are given at once, and whether it must be so many.
fn batch_of(
    given: Option<usize>,
    models: Option<usize>,
    input: Option<&TensorInfo>,
) -> Result<(usize, bool), String> {
    match (given, models) {
        (Some(given), Some(models)) if given != models => Err(format!(
            "{given}, but the input {} takes {models} pictures at once; leave `batch` out",
            input.map(ToString::to_string).unwrap_or_default()
        )),
        (_, Some(models)) if (1..=LARGEST_BATCH).contains(&models) => Ok((models, true)),
        (Some(given), None) if (1..=LARGEST_BATCH).contains(&given) => Ok((given, false)),
        (None, None) => Ok((8, false)),
        (Some(count), _) | (None, Some(count)) => {
            Err(format!("{count} is not between 1 and {LARGEST_BATCH}"))
        }
    }
}

/// What the values 0 to 255 become, for each channel.
fn tables(
    options: &PictureOptions,
    channels: usize,
    wrong: &mut impl FnMut(&str, String),
) -> Vec<Vec<f32>> {
    let mut for_each = |name: &str, numbers: &[f64], usual: f64| -> Vec<f64> {
        match numbers {
            [] => vec![usual; channels],
            [one] => vec![*one; channels],
            some if some.len() == channels => some.to_vec(),
            some => {
                wrong(
                    name,
                    format!("{} numbers for {channels} channels", some.len()),
                );
                vec![usual; channels]
            }
        }
    };
    let means = for_each("mean", &options.mean, 0.0);
    let deviations = for_each("std", &options.std, 1.0);
    if deviations.contains(&0.0) {
        wrong("std", "nothing can be divided by 0".to_owned());
    }
    let scale = options.scale.unwrap_or(1.0 / 255.0);
    let of_channel = |(mean, deviation): (&f64, &f64)| {
        (0..=255)
            .map(|value| ((f64::from(value) * scale - mean) / deviation) as f32)
            .collect()
    };
    means.iter().zip(&deviations).map(of_channel).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tensor::Shape;
    use super::*;

    fn input(shape: &[Option<usize>]) -> TensorInfo {
        TensorInfo {
            name: "x".to_owned(),
            kind: "float32".to_owned(),
            shape: Shape(shape.to_vec()),
        }
    }

    fn options(json: serde_json::Value) -> PictureOptions {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_the_model_says_need_not_be_given() {
        let model = input(&[None, Some(3), Some(2), Some(4)]);
        let picture = Picture::new(&options(serde_json::json!({})), Some(&model), false).unwrap();
        assert_eq!(picture.framing, Framing::stretched(4, 2));
        assert_eq!(picture.batch, 8);
        assert_eq!(picture.color, Color::Rgb);
        assert_eq!(picture.layout, Layout::Nchw);
        let model = input(&[Some(1), Some(36), Some(64), Some(1)]);
        let picture = Picture::new(&options(serde_json::json!({})), Some(&model), false).unwrap();
        assert_eq!(picture.framing, Framing::stretched(64, 36));
        assert_eq!(picture.batch, 1);
        assert_eq!(picture.color, Color::Gray);
        assert_eq!(picture.layout, Layout::Nhwc);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let said = |json, shape: &[Option<usize>]| {
            let errors = Picture::new(&options(json), Some(&input(shape)), false).unwrap_err();
            let text = |error: &OptionError| format!("{}: {error}", error.option.as_ref().unwrap());
            errors.iter().map(text).collect::<Vec<_>>()
        };
        assert_eq!(
            said(
                serde_json::json!({"width": 9, "color": "gray", "batch": 4}),
                &[Some(1), Some(3), Some(2), Some(4)]
            ),
            [
                "color: the input \"x\" of float32 [1, 3, 2, 4] has 3 channels in this layout, but \
                 pictures have 1 (1 for gray, 3 for rgb and bgr)",
                "width: 9, but the input \"x\" of float32 [1, 3, 2, 4] has the width 4",
                "batch: 4, but the input \"x\" of float32 [1, 3, 2, 4] takes 1 pictures at once; leave \
                 `batch` out",
            ]
        );
        assert_eq!(
            said(
                serde_json::json!({"mean": [1, 2]}),
                &[None, Some(3), None, None]
            ),
            [
                "width: not said by the model, so that it must be given, in pixels",
                "height: not said by the model, so that it must be given, in pixels",
                "mean: 2 numbers for 3 channels",
            ]
        );
        let two = said(
            serde_json::json!({"width": 1, "height": 1}),
            &[None, Some(5)],
        );
        assert!(
            two[0].starts_with("model: the input \"x\" of float32 [?, 5] is not one for pictures")
        );
    }

    #[test]
    fn values_in_every_layout() {
        let frame = [1, 2, 3, 4, 5, 6];
        let values = |json: serde_json::Value| {
            let mut all = serde_json::json!({"width": 2, "height": 1, "scale": 1});
            all.as_object_mut()
                .unwrap()
                .extend(json.as_object().unwrap().clone());
            let picture = Picture::new(&options(all), None, false).unwrap();
            let batch = picture.batch_of(&frame);
            match batch.pixels {
                Pixels::F32(values) => (batch.shape, values),
                Pixels::U8(_) => panic!("bytes"),
            }
        };
        let nchw = values(serde_json::json!({}));
        assert_eq!(nchw, (vec![1, 3, 1, 2], vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        let nhwc = values(serde_json::json!({"layout": "nhwc", "color": "bgr"}));
        assert_eq!(nhwc, (vec![1, 1, 2, 3], vec![3.0, 2.0, 1.0, 6.0, 5.0, 4.0]));
        let normal = values(serde_json::json!({"mean": [1, 2, 3], "std": [2]}));
        assert_eq!(normal.1, [0.0, 1.5, 0.0, 1.5, 0.0, 1.5]);
    }

    #[test]
    fn a_batch_of_a_fixed_size_is_filled_up() {
        let model = input(&[Some(3), Some(1), Some(1), Some(2)]);
        let picture = Picture::new(&options(serde_json::json!({})), Some(&model), true).unwrap();
        let batch = picture.batch_of(&[7, 8]);
        assert_eq!(batch.shape, [3, 1, 1, 2]);
        assert_eq!(batch.pixels, Pixels::U8(vec![7, 8, 0, 0, 0, 0]));
    }

    #[test]
    fn a_picture_keeps_its_shape_in_the_middle() {
        let framing = |width, height, shape| {
            let kept = Framing::kept(width, height, shape).unwrap();
            (kept.left, kept.top, kept.inner_width, kept.inner_height)
        };
        assert_eq!(framing(640, 640, "16:9"), (0, 140, 640, 360));
        assert_eq!(framing(640, 384, "16:9"), (0, 12, 640, 360));
        assert_eq!(framing(640, 640, "9:16"), (140, 0, 360, 640));
        assert_eq!(framing(64, 36, "16:9"), (0, 0, 64, 36));
        assert_eq!(framing(4, 4, "10000:1"), (0, 1, 4, 1));
        for wrong in ["wide", "16", "16:0", "16:9:1", "-1:2"] {
            assert!(Framing::kept(640, 640, wrong).is_err(), "{wrong}");
        }

        let all = serde_json::json!({
            "width": 2, "height": 4, "color": "gray", "letterbox": "1:1", "fill": 9,
        });
        let picture = Picture::new(&options(all.clone()), None, true).unwrap();
        assert_eq!((picture.view().width, picture.view().height), (2, 2));
        let batch = picture.batch_of(&[1, 2, 3, 4]);
        assert_eq!(batch.shape, [1, 1, 4, 2]);
        assert_eq!(batch.pixels, Pixels::U8(vec![9, 9, 1, 2, 3, 4, 9, 9]));
        let mut wrong = all;
        wrong["letterbox"] = "wide".into();
        let errors = Picture::new(&options(wrong), None, true).unwrap_err();
        assert_eq!(errors[0].option.as_deref(), Some("letterbox"));
    }

    #[test]
    fn a_model_for_one_picture_may_leave_its_dimension_out() {
        let model = input(&[Some(3), None, None]);
        let size = serde_json::json!({"width": 2, "height": 1});
        let picture = Picture::new(&options(size), Some(&model), false).unwrap();
        assert_eq!((picture.batch, picture.color), (1, Color::Rgb));
        assert_eq!(picture.batch_of(&[0; 6]).shape, [3, 1, 2]);
    }
}
