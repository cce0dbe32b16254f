//! `dominant_color`: how much of the picture the pitch or court fills, and from that whether the
//! camera is far, near or close up. The colour is learned from the pictures unless it is given.
//!
//! Many courts have two colours, and one of them may be grey. The second is learned from pictures that
//! show the first: what fills nearly as much of them is court, too.

use std::sync::Arc;

use matchcut_model::frame::{Frame, FrameChoice, PixelFormat, ViewSpec};
use matchcut_model::observation::Class;
use matchcut_model::time::{FrameRate, MediaTime};
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sdk::{
    AttributeKind, AttributeSpec, ChunkContext, Description, EdgeKind, Emission, Fold, FoldBox,
    InputRule, Operator, OperatorType, OptionError, Options, Step, VideoScan, VideoScanner,
    options_of, parse_options, text_duration,
};
use crate::wire::{Reader, Writer};

const WIDTH: u32 = 64;
const HEIGHT: u32 = 36;
const PIXELS: usize = (WIDTH * HEIGHT) as usize;

/// Hues are counted in bins of 5 degrees.
const BINS: usize = 72;
const BIN_DEGREES: f64 = 360.0 / BINS as f64;

/// The learned colour is the strongest hue with so many bins on either side (35 degrees in all).
const SPREAD: usize = 3;

/// Whiter and darker pixels have no colour to speak of.
const LEAST_SATURATION: i32 = 38;
const LEAST_VALUE: i32 = 38;

/// Greys are counted by light, in bins of 20 from 60 to 220: darker ones are shadow and crowd, lighter
/// ones sky. They count in the lower half of the picture: above there are stands and walls.
const GREYS: usize = 8;
const GREY_FROM: i32 = 60;
const GREY_STEP: i32 = 20;
const GREY_BELOW: usize = (HEIGHT / 2 * WIDTH) as usize;

/// A grey is so many bins in a row.
const GREY_BINS: usize = 3;

const COUNTS: usize = BINS + GREYS;

/// From this share of the first colour a picture shows the court, in percent.
const SHOWN: u64 = 30;

/// A second colour has at least this share of what the first has where the court is shown, in percent.
const SECOND: u64 = 45;

/// Options of `dominant_color`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct DominantColorOptions {
    /// The hue of pitch or court in degrees, from and to (grass is about 60 to 150, clay 5 to 35,
    /// a blue court 190 to 240). A range over 360 may be written as [340, 20]. Learned from the
    /// pictures when left out, and then a second colour of the court, too.
    hue: Option<[f64; 2]>,
    /// How much of the past the learned hue stands for.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    memory: MediaTime,
    /// From this share of the picture the view is `far` (until it falls 0.03 below).
    far: f64,
    /// From this share it is `near` (until it falls 0.03 below), else `close_up`.
    near: f64,
    /// How many pictures a second are looked at; each gives a point.
    rate: u32,
}

impl Default for DominantColorOptions {
    fn default() -> Self {
        DominantColorOptions {
            hue: None,
            memory: MediaTime::from_seconds(180),
            far: 0.5,
            near: 0.15,
            rate: 5,
        }
    }
}

/// The operator type `dominant_color`.
pub(crate) struct DominantColor;

impl OperatorType for DominantColor {
    fn describe(&self) -> Description {
        Description {
            name: "dominant_color",
            class: Class::Featurer,
            summary: "Share of the picture that pitch or court fills, and the camera's view from \
                that: a point for every picture looked at.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: vec![
                AttributeSpec {
                    name: "view",
                    kind: AttributeKind::Text,
                    description: "far, near or close_up",
                },
                AttributeSpec {
                    name: "share",
                    kind: AttributeKind::Number,
                    description: "share of the picture that has the colour, 0 to 1",
                },
            ],
            options: options_of::<DominantColorOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: DominantColorOptions = parse_options(options)?;
        let mut errors = Vec::new();
        if options
            .hue
            .is_some_and(|hue| hue.iter().any(|h| !(0.0..=360.0).contains(h)))
        {
            errors.push(OptionError::new("hue", "hues are degrees from 0 to 360"));
        }
        if !(1..=60).contains(&options.rate) {
            errors.push(OptionError::new(
                "rate",
                "not between 1 and 60 pictures a second",
            ));
        }
        if !(0.0..=1.0).contains(&options.far) {
            errors.push(OptionError::new("far", "a share is a number from 0 to 1"));
        }
        if !(0.0..=1.0).contains(&options.near) {
            errors.push(OptionError::new("near", "a share is a number from 0 to 1"));
        } else if options.near > options.far {
            errors.push(OptionError::new("near", "larger than `far`"));
        }
        let memory = options.memory;
        if memory < MediaTime::from_seconds(1) || memory > MediaTime::from_seconds(36_000) {
            errors.push(OptionError::new("memory", "not between 1 s and 10 h"));
        }
        let Some(rate) = FrameRate::new(options.rate, 1).filter(|_| errors.is_empty()) else {
            return Err(errors);
        };
        let samples = (memory.flicks() / rate.frame_duration().flicks().max(1)).max(1);
        Ok(Operator::Video {
            scanner: Arc::new(ColorScanner { rate }),
            fold: FoldBox::new(ColorFold {
                options,
                samples: samples as u64,
            }),
        })
    }
}

struct ColorScanner {
    rate: FrameRate,
}

impl VideoScanner for ColorScanner {
    fn view(&self) -> ViewSpec {
        let rate = Some(self.rate);
        ViewSpec {
            width: WIDTH,
            height: HEIGHT,
            format: PixelFormat::Rgb24,
            rate,
            frames: FrameChoice::All,
        }
    }

    fn start(&self, _chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(ColorScan::default())
    }
}

/// The signature: for each picture its time and how many pixels have which hue or grey.
#[derive(Default)]
struct ColorScan {
    rows: Writer,
}

impl VideoScan for ColorScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        if frame.data.len() != PIXELS * 3 {
            let size = frame.data.len();
            return Err(format!(
                "expected pictures of {} bytes, got {size}",
                PIXELS * 3
            ));
        }
        self.rows.i64(frame.time.flicks());
        for count in histogram(frame.data) {
            self.rows.u16(count);
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        Ok(self.rows.0)
    }
}

/// Pixels of each hue, then of each grey.
type Histogram = [u16; COUNTS];

fn histogram(rgb: &[u8]) -> Histogram {
    let mut counts = [0; COUNTS];
    for (at, pixel) in rgb.chunks_exact(3).enumerate() {
        let (red, green, blue) = (pixel[0], pixel[1], pixel[2]);
        let grey = || grey(red, green, blue).filter(|_| at >= GREY_BELOW);
        let bin = hue(red, green, blue).or_else(|| Some(BINS + grey()?));
        if let Some(count) = bin.and_then(|bin| counts.get_mut(bin)) {
            *count += 1;
        }
    }
    counts
}

/// The bin of a pixel without colour, by its light; `None` for shadow and sky.
fn grey(red: u8, green: u8, blue: u8) -> Option<usize> {
    let light = i32::from(red.max(green).max(blue)) - GREY_FROM;
    let bin = usize::try_from(light / GREY_STEP).ok()?;
    (light >= 0 && bin < GREYS).then_some(bin)
}

/// The bin of a pixel's hue; `None` for pixels without colour.
fn hue(red: u8, green: u8, blue: u8) -> Option<usize> {
    let (r, g, b) = (i32::from(red), i32::from(green), i32::from(blue));
    let value = r.max(g).max(b);
    let chroma = value - r.min(g).min(b);
    if value < LEAST_VALUE || chroma * 255 < LEAST_SATURATION * value {
        return None;
    }
    // Whole numbers throughout: sixths of the circle, each of 12 bins.
    let sixth = BINS as i32 / 6;
    let along = |difference: i32, base: i32| base * sixth * chroma + difference * sixth;
    let turned = if value == r {
        along(g - b, 0)
    } else if value == g {
        along(b - r, 2)
    } else {
        along(r - g, 4)
    };
    Some(turned.div_euclid(chroma).rem_euclid(BINS as i32) as usize)
}

fn read(signature: &[u8]) -> Option<Vec<(MediaTime, Histogram)>> {
    let mut reader = Reader(signature);
    let mut rows = Vec::new();
    while !reader.is_empty() {
        let time = MediaTime::from_flicks(reader.i64()?);
        let mut counts = [0; COUNTS];
        for count in &mut counts {
            *count = reader.u16()?;
        }
        rows.push((time, counts));
    }
    Some(rows)
}

struct ColorFold {
    options: DominantColorOptions,
    /// Pictures that the learned hue stands for.
    samples: u64,
}

/// Where the camera is, by the share of the picture that pitch or court fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum View {
    CloseUp,
    Near,
    Far,
}

impl View {
    fn name(self) -> &'static str {
        match self {
            View::CloseUp => "close_up",
            View::Near => "near",
            View::Far => "far",
        }
    }
}

/// A view is left only when the share is so far below where it begins, so that a share that
/// trembles there does not make the view tremble.
const MARGIN: f64 = 0.03;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ColorState {
    /// The hues of the past, where old pictures count less and less.
    learned: Vec<u64>,
    /// Hues and greys of pictures that show the first colour, kept in the same way.
    beside: Vec<u64>,
    /// The view of the last picture.
    view: Option<View>,
}

/// Counts are kept with this factor, so that forgetting a part of them works in whole numbers.
const UNIT: u64 = 1 << 20;

impl Fold for ColorFold {
    type State = ColorState;

    fn step(&self, step: &Step<'_>, state: &mut ColorState, emit: &mut Vec<Emission>) {
        for (time, counts) in step.signature.and_then(read).unwrap_or_default() {
            let share = match self.options.hue {
                Some([from, to]) => share_between(&counts, from, to),
                None => self.share_of_learned(&counts, state),
            };
            let view = self.view(share, state.view);
            state.view = Some(view);
            let attributes = Attributes::from([
                ("view".into(), Value::from(view.name())),
                ("share".into(), Value::rounded(share, 3)),
            ]);
            emit.push(Emission::Observation {
                start: time,
                end: time,
                attributes,
            });
        }
    }
}

impl ColorFold {
    fn view(&self, share: f64, last: Option<View>) -> View {
        let from = |view: View, begins: f64| {
            share
                >= if last.is_some_and(|last| last >= view) {
                    begins - MARGIN
                } else {
                    begins
                }
        };
        if from(View::Far, self.options.far) {
            View::Far
        } else if from(View::Near, self.options.near) {
            View::Near
        } else {
            View::CloseUp
        }
    }

    fn share_of_learned(&self, counts: &Histogram, state: &mut ColorState) -> f64 {
        state.learned.resize(BINS, 0);
        for (sum, count) in state.learned.iter_mut().zip(counts) {
            *sum = *sum - *sum / self.samples + u64::from(*count) * UNIT;
        }
        // The strongest neighbourhood, the lower hue among equals.
        let peaks = (0..BINS).rev();
        let first = peaks.max_by_key(|peak| sum(&state.learned, hues(*peak)));
        let first = first.unwrap_or(0);
        let pixels = |bins: &[usize]| -> u64 {
            let of = bins.iter().filter_map(|bin| counts.get(*bin));
            of.map(|count| u64::from(*count)).sum()
        };
        let first_bins: Vec<usize> = hues(first).collect();
        let shown = pixels(&first_bins);
        if shown * 100 < SHOWN * PIXELS as u64 {
            return shown as f64 / PIXELS as f64;
        }
        state.beside.resize(COUNTS, 0);
        for (sum, count) in state.beside.iter_mut().zip(counts) {
            *sum = *sum - *sum / self.samples + u64::from(*count) * UNIT;
        }
        let all = match second(first, &state.beside) {
            Some(second_bins) => shown + pixels(&second_bins),
            None => shown,
        };
        all as f64 / PIXELS as f64
    }
}

/// The bins of the hues around `peak`.
fn hues(peak: usize) -> impl Iterator<Item = usize> {
    (peak + BINS - SPREAD..=peak + BINS + SPREAD).map(|bin| bin % BINS)
}

fn sum(learned: &[u64], bins: impl Iterator<Item = usize>) -> u64 {
    bins.filter_map(|bin| learned.get(bin)).sum()
}

/// The bins of the court's second colour, a hue or a grey, if it has one.
fn second(first: usize, beside: &[u64]) -> Option<Vec<usize>> {
    let apart = |peak: &usize| {
        let distance = peak.abs_diff(first);
        distance.min(BINS - distance) > 2 * SPREAD
    };
    let other_hues = (0..BINS)
        .filter(apart)
        .map(|peak| hues(peak).collect::<Vec<_>>());
    let greys = (BINS..=COUNTS - GREY_BINS).map(|from| (from..from + GREY_BINS).collect());
    let strength = |bins: &Vec<usize>| sum(beside, bins.iter().copied());
    let strongest = other_hues.chain(greys).max_by_key(strength)?;
    let enough = sum(beside, hues(first)).saturating_mul(SECOND);
    (strength(&strongest).saturating_mul(100) >= enough).then_some(strongest)
}

/// The share of the pixels whose hue lies between two angles.
fn share_between(counts: &Histogram, from: f64, to: f64) -> f64 {
    let inside = |bin: usize| {
        let centre = (bin as f64 + 0.5) * BIN_DEGREES;
        if from <= to {
            (from..=to).contains(&centre)
        } else {
            centre >= from || centre <= to
        }
    };
    let hits: u32 = (0..BINS)
        .filter(|bin| inside(*bin))
        .map(|bin| u32::from(counts[bin]))
        .sum();
    f64::from(hits) / PIXELS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hues_of_well_known_colours() {
        let degrees = |r, g, b| hue(r, g, b).map(|bin| bin as f64 * BIN_DEGREES);
        assert_eq!(degrees(255, 0, 0), Some(0.0));
        assert_eq!(degrees(255, 255, 0), Some(60.0));
        assert_eq!(degrees(0, 255, 0), Some(120.0));
        assert_eq!(degrees(0, 0, 255), Some(240.0));
        assert_eq!(degrees(255, 0, 128), Some(325.0));
        assert_eq!(degrees(60, 120, 50), Some(110.0));
        assert_eq!(degrees(128, 128, 128), None);
        assert_eq!(degrees(20, 30, 20), None);
    }

    #[test]
    fn a_range_may_run_over_the_top() {
        let mut counts = [0; COUNTS];
        counts[71] = 100;
        counts[1] = 50;
        counts[36] = 7;
        assert_eq!(share_between(&counts, 340.0, 20.0), 150.0 / PIXELS as f64);
        assert_eq!(share_between(&counts, 170.0, 190.0), 7.0 / PIXELS as f64);
    }
}
