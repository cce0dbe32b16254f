//! Pictures as a model takes them: size, colours, the order of dimensions, and how the values of pixels
//! become numbers.

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
            rate: 5.0,
            batch: None,
        }
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
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) color: Color,
    pub(super) rate: Option<FrameRate>,
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
            && found.len() != 4
        {
            wrong(
                "model",
                format!(
                    "the input {input} is not one for pictures: 4 dimensions are expected, [pictures, \
                     channels, height, width] or [pictures, height, width, channels]"
                ),
            );
        }
        let sizes: [Option<usize>; 4] = dimensions
            .and_then(|found| found.try_into().ok())
            .unwrap_or_default();
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
            width,
            height,
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
            width: self.width,
            height: self.height,
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
        self.width as usize * self.height as usize * self.color.channels()
    }

    /// How long a picture stands for what follows it, at most.
    pub(super) fn interval(&self) -> MediaTime {
        match self.rate {
            Some(rate) => rate.frame_duration(),
            // Between pictures of any rate that is usual.
            None => MediaTime::from_millis(200),
        }
    }

    /// Frames that follow each other in `frames`, as the model takes them.
    pub(super) fn batch_of(&self, frames: &[u8]) -> Batch {
        let (width, height) = (self.width as usize, self.height as usize);
        let channels = self.color.channels();
        let count = frames.len() / self.size().max(1);
        let pictures = if self.full { self.batch } else { count };
        let shape = match self.layout {
            Layout::Nchw => vec![pictures, channels, height, width],
            Layout::Nhwc => vec![pictures, height, width, channels],
        };
        let size = pictures * self.size();
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
        assert_eq!((picture.width, picture.height, picture.batch), (4, 2, 8));
        assert_eq!(picture.color, Color::Rgb);
        assert_eq!(picture.layout, Layout::Nchw);
        let model = input(&[Some(1), Some(36), Some(64), Some(1)]);
        let picture = Picture::new(&options(serde_json::json!({})), Some(&model), false).unwrap();
        assert_eq!((picture.width, picture.height, picture.batch), (64, 36, 1));
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
}
