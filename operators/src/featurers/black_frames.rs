//! `black_frames`: ranges in which the picture is black, across chunk borders. They bound
//! programmes and commercials, and tell a lost signal.

use std::sync::Arc;

use matchcut_model::chunk::Position;
use matchcut_model::frame::{Frame, ViewSpec};
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::small::{self, PIXELS};
use crate::sdk::{
    AttributeKind, AttributeSpec, ChunkContext, Description, EdgeKind, Emission, Fold, FoldBox,
    InputRule, Operator, OperatorType, OptionError, Options, Step, VideoScan, VideoScanner,
    options_of, parse_options, text_duration,
};
use crate::wire::{Reader, Writer};

/// Luma of black and the distance from there to white, as video has it.
const BLACK: f64 = 16.0;
const RANGE: f64 = 219.0;

/// Options of `black_frames`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct BlackFramesOptions {
    /// What is at most so light is black, from 0 (black) to 1 (white).
    threshold: f64,
    /// So much of the picture must be black, 0 to 1: a logo in a corner may stay.
    share: f64,
    /// Shorter ranges are left out.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_duration: MediaTime,
}

impl Default for BlackFramesOptions {
    fn default() -> Self {
        BlackFramesOptions {
            threshold: 0.1,
            share: 0.98,
            min_duration: MediaTime::from_millis(100),
        }
    }
}

/// The operator type `black_frames`.
pub(crate) struct BlackFrames;

impl OperatorType for BlackFrames {
    fn describe(&self) -> Description {
        Description {
            name: "black_frames",
            class: Class::Featurer,
            summary: "Black pictures: a range from the first to the end of the last.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: vec![AttributeSpec {
                name: "black",
                kind: AttributeKind::Boolean,
                description: "true: the picture is black in this range",
            }],
            options: options_of::<BlackFramesOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: BlackFramesOptions = parse_options(options)?;
        let mut errors = Vec::new();
        if !(0.0..=0.5).contains(&options.threshold) {
            errors.push(OptionError::new("threshold", "not between 0 and 0.5"));
        }
        if !(0.5..=1.0).contains(&options.share) {
            errors.push(OptionError::new("share", "not between 0.5 and 1"));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let scanner = BlackScanner {
            lightest: (BLACK + RANGE * options.threshold) as u8,
            least: (options.share * PIXELS as f64).ceil() as usize,
        };
        Ok(Operator::Video {
            scanner: Arc::new(scanner),
            fold: FoldBox::new(BlackFold { options }),
        })
    }
}

struct BlackScanner {
    /// The luma up to which a pixel is black.
    lightest: u8,
    /// So many pixels must be black.
    least: usize,
}

impl VideoScanner for BlackScanner {
    fn view(&self) -> ViewSpec {
        small::VIEW
    }

    fn start(&self, _chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(BlackScan {
            lightest: self.lightest,
            least: self.least,
            last: None,
            turns: Writer::default(),
        })
    }
}

/// The signature: when the picture turns black or light again, and which.
struct BlackScan {
    lightest: u8,
    least: usize,
    last: Option<bool>,
    turns: Writer,
}

impl VideoScan for BlackScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let pixels = small::bytes(frame)?.chunks_exact(3);
        let dark = pixels.filter(|pixel| pixel[0] <= self.lightest).count();
        let black = dark >= self.least;
        if self.last != Some(black) {
            self.last = Some(black);
            self.turns.i64(frame.time.flicks());
            self.turns.u16(u16::from(black));
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        Ok(self.turns.0)
    }
}

fn read(signature: &[u8]) -> Option<Vec<(MediaTime, bool)>> {
    let mut reader = Reader(signature);
    let mut turns = Vec::new();
    while !reader.is_empty() {
        let time = MediaTime::from_flicks(reader.i64()?);
        turns.push((time, reader.u16()? != 0));
    }
    Some(turns)
}

struct BlackFold {
    options: BlackFramesOptions,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct BlackState {
    /// Where the next chunk must stand for its frames to follow.
    next: Option<Position>,
    /// Since when the picture is black.
    since: Option<MediaTime>,
    /// The end of the last chunk that was seen.
    reach: MediaTime,
}

impl Fold for BlackFold {
    type State = BlackState;

    fn step(&self, step: &Step<'_>, state: &mut BlackState, emit: &mut Vec<Emission>) {
        if step.end_of_event {
            let end = state.reach.min(step.watermark);
            self.close(state.since.take(), end, emit);
            return;
        }
        let turns = step.signature.and_then(read);
        if turns.is_none() || state.next.is_some_and(|next| next != step.position) {
            // Nobody knows what was shown in a hole.
            self.close(state.since.take(), state.reach, emit);
        }
        state.next = Some(Position(step.position.0.saturating_add(1)));
        for (time, black) in turns.unwrap_or_default() {
            match (state.since, black) {
                (None, true) => state.since = Some(time),
                (Some(_), false) => self.close(state.since.take(), time, emit),
                _ => {}
            }
        }
        if let Some(extent) = step.extent {
            state.reach = extent.span.end;
        }
    }

    fn tail(&self, state: &BlackState, emit: &mut Vec<Emission>) {
        self.close(state.since, state.reach, emit);
    }
}

impl BlackFold {
    fn close(&self, since: Option<MediaTime>, end: MediaTime, emit: &mut Vec<Emission>) {
        let Some(start) = since.map(|since| since.max(MediaTime::ZERO)) else {
            return;
        };
        if end <= start || end - start < self.options.min_duration {
            return;
        }
        emit.push(Emission::Observation {
            start,
            end,
            attributes: Attributes::from([("black".into(), Value::from(true))]),
        });
    }
}
