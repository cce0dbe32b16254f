//! `transitions`: fades and dissolves, where a shot ends without a cut. The scan condenses every
//! frame to a few numbers; the fold looks for the shapes that mixing pictures has.

mod dissolve;
mod fade;

use std::collections::VecDeque;
use std::sync::Arc;

use matchcut_model::chunk::Position;
use matchcut_model::frame::{Frame, ViewSpec};
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::small::{self, HEIGHT, PIXELS, WIDTH};
use crate::sdk::{
    AttributeKind, AttributeSpec, ChunkContext, Description, EdgeKind, Emission, Fold, FoldBox,
    InputRule, Operator, OperatorType, OptionError, Options, Step, VideoScan, VideoScanner,
    options_of, parse_options, text_duration,
};
use crate::wire::{Reader, Writer};
use dissolve::Dissolves;
use fade::Fades;

/// Blocks of the picture, across and down, and the values kept of a frame: luma, Cb and Cr of each.
const ACROSS: usize = 8;
const DOWN: usize = 6;
const BLOCKS: usize = ACROSS * DOWN;
const VALUES: usize = BLOCKS * 3;
const BLOCK_PIXELS: u32 = (PIXELS / BLOCKS) as u32;

/// Options of `transitions`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TransitionsOptions {
    /// Whether fades to and from black and white are told.
    fades: bool,
    /// Whether dissolves (a picture turns into the next one) are told.
    dissolves: bool,
    /// Shorter transitions are left out.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_duration: MediaTime,
}

impl Default for TransitionsOptions {
    fn default() -> Self {
        TransitionsOptions {
            fades: true,
            dissolves: true,
            min_duration: MediaTime::from_millis(200),
        }
    }
}

/// The operator type `transitions`.
pub(crate) struct Transitions;

impl OperatorType for Transitions {
    fn describe(&self) -> Description {
        let attribute = |name, kind, description| AttributeSpec {
            name,
            kind,
            description,
        };
        Description {
            name: "transitions",
            class: Class::Featurer,
            summary: "Fades and dissolves: a range for each, from the first frame that changes to \
                the last.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: vec![
                attribute(
                    "fade",
                    AttributeKind::Text,
                    "in (the picture comes out of one colour) or out (it goes into it)",
                ),
                attribute("color", AttributeKind::Text, "of a fade: black or white"),
                attribute(
                    "dissolve",
                    AttributeKind::Boolean,
                    "true: the picture turns into the next one",
                ),
            ],
            options: options_of::<TransitionsOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: TransitionsOptions = parse_options(options)?;
        if !options.fades && !options.dissolves {
            let message = "neither `fades` nor `dissolves` are told".to_owned();
            return Err(vec![OptionError {
                option: None,
                message,
            }]);
        }
        Ok(Operator::Video {
            scanner: Arc::new(TransitionScanner),
            fold: FoldBox::new(TransitionFold { options }),
        })
    }
}

struct TransitionScanner;

impl VideoScanner for TransitionScanner {
    fn view(&self) -> ViewSpec {
        small::VIEW
    }

    fn start(&self, _chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(TransitionScan::default())
    }
}

/// The signature: of each frame its time, sum and sum of squares of its luma, and the means of its
/// blocks.
#[derive(Default)]
struct TransitionScan {
    rows: Writer,
}

impl VideoScan for TransitionScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let pixels = small::bytes(frame)?.chunks_exact(3);
        let (mut sum, mut squares) = (0_u32, 0_u32);
        let mut blocks = [0_u32; VALUES];
        for (at, pixel) in pixels.enumerate() {
            let luma = u32::from(pixel[0]);
            sum += luma;
            squares += luma * luma;
            let (row, column) = (at / WIDTH * DOWN / HEIGHT, at % WIDTH * ACROSS / WIDTH);
            let first = (row * ACROSS + column) * 3;
            for (total, value) in blocks.iter_mut().skip(first).zip(pixel) {
                *total += u32::from(*value);
            }
        }
        self.rows.i64(frame.time.flicks());
        self.rows.u32(sum);
        self.rows.u32(squares);
        let means = blocks.map(|total| ((total + BLOCK_PIXELS / 2) / BLOCK_PIXELS) as u8);
        self.rows.bytes(&means);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        Ok(self.rows.0)
    }
}

/// A frame as the fold sees it.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    time: MediaTime,
    sum: u32,
    squares: u32,
    blocks: Vec<u8>,
}

/// Contrast (the standard deviation of luma) up to which a picture shows nothing.
const NOTHING: f64 = 2.0;

impl Row {
    fn light(&self) -> f64 {
        f64::from(self.sum) / PIXELS as f64
    }

    fn contrast(&self) -> f64 {
        let (mean, squares) = (self.light(), f64::from(self.squares) / PIXELS as f64);
        (squares - mean * mean).max(0.0).sqrt()
    }

    /// How far the picture is from a plain one of this luma: the effective difference.
    fn away(&self, plain: f64) -> f64 {
        let (mean, squares) = (self.light(), f64::from(self.squares) / PIXELS as f64);
        (squares - 2.0 * plain * mean + plain * plain)
            .max(0.0)
            .sqrt()
    }

    /// Whether it is of one colour.
    fn is_plain(&self) -> bool {
        self.contrast() <= NOTHING
    }
}

fn read(signature: &[u8]) -> Option<Vec<Arc<Row>>> {
    let mut reader = Reader(signature);
    let mut rows = Vec::new();
    while !reader.is_empty() {
        rows.push(Arc::new(Row {
            time: MediaTime::from_flicks(reader.i64()?),
            sum: reader.u32()?,
            squares: reader.u32()?,
            blocks: reader.bytes(VALUES)?.to_vec(),
        }));
    }
    Some(rows)
}

/// So many frames are remembered: the longest transition that is found, and the shot before it.
const REMEMBERED: usize = 256;

/// A transition that was found.
struct Found {
    start: MediaTime,
    end: MediaTime,
    attributes: Attributes,
}

struct TransitionFold {
    options: TransitionsOptions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TransitionState {
    /// Where the next chunk must stand for its frames to follow.
    next: Option<Position>,
    /// The last frames, oldest first.
    rows: VecDeque<Arc<Row>>,
    fades: Fades,
    dissolves: Dissolves,
}

impl Fold for TransitionFold {
    type State = TransitionState;

    fn step(&self, step: &Step<'_>, state: &mut TransitionState, emit: &mut Vec<Emission>) {
        let rows = step.signature.and_then(read);
        let follows = state.next.is_none_or(|next| next == step.position);
        if step.end_of_event || rows.is_none() || !follows {
            let fade = state
                .fades
                .finish(&state.rows)
                .filter(|_| self.options.fades);
            self.tell(fade, emit);
            state.rows.clear();
            state.fades = Fades::default();
            state.dissolves = Dissolves::default();
        }
        state.next = Some(Position(step.position.0.saturating_add(1)));
        for row in rows.unwrap_or_default() {
            state.rows.push_back(row);
            if state.rows.len() > REMEMBERED {
                state.rows.pop_front();
            }
            let fade = state.fades.advance(&state.rows);
            if let Some(fade) = &fade {
                state.dissolves.pass(fade.end);
            }
            if self.options.fades {
                self.tell(fade, emit);
            }
            if self.options.dissolves && !state.fades.is_rising() {
                self.tell(state.dissolves.advance(&state.rows), emit);
            }
        }
    }
}

impl TransitionFold {
    fn tell(&self, found: Option<Found>, emit: &mut Vec<Emission>) {
        if let Some(found) = found
            && found.end - found.start >= self.options.min_duration
        {
            emit.push(Emission::Observation {
                start: found.start.max(MediaTime::ZERO),
                end: found.end.max(MediaTime::ZERO),
                attributes: found.attributes,
            });
        }
    }
}

/// Where a ramp that runs from one level to another begins and ends, from the two frames at which it
/// has gone a quarter and three quarters of its way: both lie on the slope, while its ends are lost
/// in what moves before and after. Positions are kept inside `0..frames`.
fn ends(quarter: f64, three_quarters: f64, frames: usize) -> (usize, usize) {
    let half = (three_quarters - quarter) / 2.0;
    let last = frames.saturating_sub(1) as f64;
    let place = |at: f64| at.round().clamp(0.0, last) as usize;
    (place(quarter - half), place(three_quarters + half))
}

/// Where `values` first reach `level`, between two of them if need be.
fn crossing(values: &[f64], level: f64) -> Option<f64> {
    let at = values.iter().position(|value| *value >= level)?;
    let Some(before) = at.checked_sub(1).and_then(|before| values.get(before)) else {
        return Some(0.0);
    };
    let step = values.get(at)? - before;
    Some(
        at as f64 - 1.0
            + if step > 0.0 {
                (level - before) / step
            } else {
                1.0
            },
    )
}

/// A fade as attributes.
fn faded(direction: &str, color: &str) -> Attributes {
    Attributes::from([
        ("fade".into(), Value::from(direction)),
        ("color".into(), Value::from(color)),
    ])
}
