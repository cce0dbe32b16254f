//! `channel_logo`: whether the logo of a channel stands in its corner. It is there while the programme runs and
//! gone in breaks, on most channels that have one.

mod mark;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use matchcut_model::frame::{Frame, FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::observation::Class;
use matchcut_model::time::FrameRate;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sdk::{
    AttributeKind, AttributeSpec, ChunkContext, Description, EdgeKind, InputRule, Operator,
    OperatorType, OptionError, Options, Said, VideoScan, VideoScanner, options_of, parse_options,
    pass_on, signature_of,
};
use mark::{Area, Mark};

/// The view: large enough that a logo of a twentieth of the picture has shape.
const WIDTH: usize = 640;
const HEIGHT: usize = 360;

/// A smaller logo has no shape in the view.
const SMALLEST: usize = 10;

/// Options of `channel_logo`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct LogoOptions {
    /// The logo: a PNG file, cut out of a picture of the programme or drawn by the channel (then with
    /// transparency); relative to the spec. It is scaled to `region`.
    #[schemars(extend("format" = "path"))]
    image: String,
    /// Where it stands in the picture: left, top, width and height as shares of the picture's size.
    region: Option<[f64; 4]>,
    /// How alike the picture must be to the logo, 0 to 1.
    threshold: f64,
    /// How many pictures a second are looked at; each gives a point.
    rate: u32,
}

impl Default for LogoOptions {
    fn default() -> Self {
        LogoOptions {
            image: String::new(),
            region: None,
            threshold: 0.5,
            rate: 1,
        }
    }
}

/// The operator type `channel_logo`.
pub(crate) struct ChannelLogo;

impl OperatorType for ChannelLogo {
    fn describe(&self) -> Description {
        Description {
            name: "channel_logo",
            class: Class::Featurer,
            summary: "Whether a channel's logo stands in its corner: a point for every picture looked at.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: vec![
                AttributeSpec {
                    name: "logo",
                    kind: AttributeKind::Boolean,
                    description: "whether it is seen",
                },
                AttributeSpec {
                    name: "confidence",
                    kind: AttributeKind::Number,
                    description: "how alike the picture is to it there, 0 to 1",
                },
            ],
            options: options_of::<LogoOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: LogoOptions = parse_options(options)?;
        let mut errors = Vec::new();
        if !(0.05..=0.95).contains(&options.threshold) {
            errors.push(OptionError::new("threshold", "not between 0.05 and 0.95"));
        }
        let rate = FrameRate::new(options.rate, 1).filter(|_| (1..=10).contains(&options.rate));
        if rate.is_none() {
            let message = "not between 1 and 10 pictures a second";
            errors.push(OptionError::new("rate", message));
        }
        let area = match options.region {
            None => Err("missing: where the logo stands in the picture".to_owned()),
            Some(region) => area(region),
        };
        let area = area.map_err(|message| errors.push(OptionError::new("region", message)));
        let mark = match (options.image.as_str(), area) {
            ("", _) => Err("missing: the path of a PNG file".to_owned()),
            (image, Ok(area)) => Mark::open(Path::new(image), area).map(Some),
            // What it is scaled to is not known.
            (_, Err(())) => Ok(None),
        };
        let mark = mark.map_err(|message| errors.push(OptionError::new("image", message)));
        match (mark, rate) {
            (Ok(Some(mark)), Some(rate)) if errors.is_empty() => Ok(Operator::Video {
                scanner: Arc::new(LogoScanner {
                    mark: Arc::new(mark),
                    threshold: options.threshold,
                    rate,
                }),
                fold: pass_on(),
            }),
            _ => Err(errors),
        }
    }
}

/// A region of shares in pixels of the view.
fn area([left, top, width, height]: [f64; 4]) -> Result<Area, String> {
    let shares = [left, top, width, height, left + width, top + height];
    let inside = |share: &f64| (0.0..=1.0).contains(share);
    let across = |share: f64| (share * WIDTH as f64).round() as usize;
    let down = |share: f64| (share * HEIGHT as f64).round() as usize;
    let area = Area {
        left: across(left),
        top: down(top),
        width: across(left + width).saturating_sub(across(left)),
        height: down(top + height).saturating_sub(down(top)),
    };
    match shares.iter().all(inside) {
        true if area.width >= SMALLEST && area.height >= SMALLEST => Ok(area),
        true => Err(format!(
            "too small: {SMALLEST} pixels of a picture of {WIDTH}x{HEIGHT} are the least"
        )),
        false => Err(format!(
            "{:?} is no part of a picture: left, top, width and height are shares of its size",
            [left, top, width, height]
        )),
    }
}

struct LogoScanner {
    mark: Arc<Mark>,
    threshold: f64,
    rate: FrameRate,
}

impl VideoScanner for LogoScanner {
    fn view(&self) -> ViewSpec {
        ViewSpec {
            width: WIDTH as u32,
            height: HEIGHT as u32,
            format: PixelFormat::Gray8,
            rate: Some(self.rate),
            frames: FrameChoice::All,
        }
    }

    fn start(&self, _chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(LogoScan {
            mark: Arc::clone(&self.mark),
            threshold: self.threshold,
            said: Vec::new(),
        })
    }
}

struct LogoScan {
    mark: Arc<Mark>,
    threshold: f64,
    said: Vec<Said>,
}

impl VideoScan for LogoScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let (size, found) = (WIDTH * HEIGHT, frame.data.len());
        if found != size {
            return Err(format!("expected pictures of {size} bytes, got {found}"));
        }
        let alike = self.mark.alike(frame.data, WIDTH, HEIGHT).max(0.0);
        self.said.push(Said {
            start: frame.time,
            end: frame.time,
            attributes: Attributes::from([
                ("logo".into(), Value::from(alike >= self.threshold)),
                ("confidence".into(), Value::rounded(alike, 2)),
            ]),
        });
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        signature_of(self.said)
    }
}
