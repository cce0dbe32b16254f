//! `scene_change`: hard cuts. The scan compares every frame with the three before it at a very
//! small size; the fold asks whether a jump stands out from its neighbourhood and lasts.
//!
//! There are two ways to stand out. In a picture of much contrast a cut is large whatever else
//! moves. In a dark or flat one it is small, but many times what moves around it, and all over the
//! picture: half of its blocks, so that a caption that appears is none.
//!
//! Where only key frames are decoded there is no neighbourhood: a key frame is compared with the one
//! before it, and stands for a cut when most of the picture is another.

use std::collections::VecDeque;
use std::sync::Arc;

use matchcut_model::chunk::Position;
use matchcut_model::frame::{Frame, FrameChoice, ViewSpec};
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::small::{self, BYTES, HEIGHT, PIXELS};
use crate::sdk::{
    AttributeKind, AttributeSpec, ChunkContext, Description, EdgeKind, Emission, Fold, FoldBox,
    InputRule, Operator, OperatorType, OptionError, Options, Step, VideoScan, VideoScanner,
    options_of, parse_options, text_duration,
};
use crate::wire::{Reader, Writer};

/// The picture in blocks, for how far a change reaches: 8 by 6 of 4 by 3 pixels.
const ACROSS: usize = 8;
const BLOCKS: usize = 48;
const BLOCK_ROWS: usize = HEIGHT / (BLOCKS / ACROSS);
const BLOCK_BYTES: usize = BYTES / HEIGHT / ACROSS;
const BLOCK_PIXELS: f64 = (PIXELS / BLOCKS) as f64;

/// A frame is compared with so many before it, and a cut must last so many frames.
const LAGS: usize = 3;

/// Frames on either side that say how much the picture moves anyway.
const NEIGHBOURS: usize = 2;

/// A jump counts only as far as it exceeds its neighbours' mean times this.
const MOTION_WEIGHT: f64 = 1.5;

/// The same difference as a score when the middle one of the blocks jumps once as far as the picture
/// moves. With this a jump of three times the motion is a cut at the usual threshold.
const TIMES_WEIGHT: f64 = 6.6;

/// Movement that every picture is taken to have: what noise and encoding do to a still one.
const LEAST_MOTION: f64 = 2.0;

/// The same for the middle block of a key frame that is compared with the key frame before it: at the
/// usual threshold it must differ by 30. Pans over the same scene stay below 24.
const APART_WEIGHT: f64 = 20.0 / 30.0;

/// Frames further apart than this do not follow each other: those between were not decoded.
const APART: MediaTime = MediaTime::from_millis(250);

/// Which frames are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Compared {
    /// All of them.
    #[default]
    All,
    /// Key frames, and all frames of groups of pictures in which one is so large that it must show
    /// something new.
    Key,
}

/// Options of `scene_change`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct SceneChangeOptions {
    /// The `score` from which a jump is a cut. On film, sport and city footage cuts score 29 to
    /// 120 and everything else stays below 16.
    threshold: f64,
    /// Which frames are compared. `all`: every one. `key`: key frames, and the groups of pictures
    /// whose sizes tell of something new inside; nothing else is decoded when no other operator
    /// wants it, which is many times as fast. Encoders put a key frame at most cuts; one that does
    /// not, and spends few bits on a cut, hides it, and a cut may be told for the key frame after.
    frames: Compared,
    /// Cuts that follow the last one sooner than this are left out.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_shot: MediaTime,
}

impl Default for SceneChangeOptions {
    fn default() -> Self {
        SceneChangeOptions {
            threshold: 20.0,
            frames: Compared::All,
            min_shot: MediaTime::from_millis(200),
        }
    }
}

/// The operator type `scene_change`.
pub(crate) struct SceneChange;

impl OperatorType for SceneChange {
    fn describe(&self) -> Description {
        Description {
            name: "scene_change",
            class: Class::Featurer,
            summary: "Hard cuts, frame by frame: a point at the first frame of each new shot.",
            inputs: vec![InputRule::one(EdgeKind::Video)],
            attributes: vec![
                AttributeSpec {
                    name: "hard_cut",
                    kind: AttributeKind::Boolean,
                    description: "true at the first frame of a new shot",
                },
                AttributeSpec {
                    name: "score",
                    kind: AttributeKind::Number,
                    description: "how far the frame jumps from the one before it, more than its \
                        neighbourhood moves: mean absolute difference of luma, Cb and Cr added up \
                        (each 0 to 255), less 1.5 times the mean of the two frames on either side; \
                        or, if that is more, 6.6 times the difference of the middle one of 48 \
                        blocks over that mean plus 2",
                },
            ],
            options: options_of::<SceneChangeOptions>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: SceneChangeOptions = parse_options(options)?;
        if !(options.threshold > 0.0 && options.threshold <= 765.0) {
            let message = format!("{} is not between 0 and 765", options.threshold);
            return Err(vec![OptionError::new("threshold", message)]);
        }
        Ok(Operator::Video {
            scanner: Arc::new(SceneScanner {
                frames: match options.frames {
                    Compared::All => FrameChoice::All,
                    Compared::Key => FrameChoice::Likely,
                },
            }),
            fold: FoldBox::new(SceneFold { options }),
        })
    }
}

struct SceneScanner {
    frames: FrameChoice,
}

impl VideoScanner for SceneScanner {
    fn view(&self) -> ViewSpec {
        ViewSpec {
            frames: self.frames,
            ..small::VIEW
        }
    }

    fn start(&self, _chunk: &ChunkContext) -> Box<dyn VideoScan> {
        Box::new(SceneScan::default())
    }
}

/// The signature: number of frames; for each its time and the differences to the frames before it
/// in the chunk; the first and the last pictures, for the comparisons across chunk borders.
#[derive(Default)]
struct SceneScan {
    frames: u32,
    rows: Writer,
    first: Vec<Vec<u8>>,
    last: VecDeque<Vec<u8>>,
}

impl VideoScan for SceneScan {
    fn frame(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let data = small::bytes(frame)?;
        self.rows.i64(frame.time.flicks());
        for lag in 1..=LAGS {
            let before = self
                .last
                .len()
                .checked_sub(lag)
                .and_then(|at| self.last.get(at));
            let difference = before.map(|before| Difference::of(before, data));
            write(&mut self.rows, difference);
        }
        if self.first.len() < LAGS {
            self.first.push(data.to_vec());
        }
        // The oldest buffer is used again: this runs for every frame.
        let mut newest = if self.last.len() == LAGS {
            self.last.pop_front().unwrap_or_default()
        } else {
            Vec::new()
        };
        newest.clear();
        newest.extend_from_slice(data);
        self.last.push_back(newest);
        self.frames += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, String> {
        let mut writer = Writer::default();
        writer.u32(self.frames);
        writer.bytes(&self.rows.0);
        for picture in self.first.iter().chain(&self.last) {
            writer.bytes(picture);
        }
        Ok(writer.0)
    }
}

/// How far two pictures are apart: sums of absolute differences of all channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Difference {
    /// Of the whole picture.
    all: u32,
    /// Of the middle one of the blocks.
    middle: u32,
}

impl Difference {
    fn of(a: &[u8], b: &[u8]) -> Self {
        let mut blocks = [0_u32; BLOCKS];
        let runs = a.chunks_exact(BLOCK_BYTES).zip(b.chunks_exact(BLOCK_BYTES));
        for (run, (a, b)) in runs.enumerate() {
            let (row, column) = (run / ACROSS, run % ACROSS);
            if let Some(block) = blocks.get_mut(row / BLOCK_ROWS * ACROSS + column) {
                let apart = a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)));
                *block += apart.sum::<u32>();
            }
        }
        let all = blocks.iter().sum();
        let (_, middle, _) = blocks.select_nth_unstable(BLOCKS / 2);
        Difference {
            all,
            middle: *middle,
        }
    }

    fn least(self, other: Self) -> Self {
        Difference {
            all: self.all.min(other.all),
            middle: self.middle.min(other.middle),
        }
    }
}

/// Stands for a difference to a picture that is not in the chunk.
const UNKNOWN: u32 = u32::MAX;

fn write(rows: &mut Writer, difference: Option<Difference>) {
    rows.u32(difference.map_or(UNKNOWN, |difference| difference.all));
    rows.u32(difference.map_or(UNKNOWN, |difference| difference.middle));
}

/// What the scan said of one chunk.
struct Scanned<'a> {
    rows: Vec<(MediaTime, [Option<Difference>; LAGS])>,
    first: Vec<&'a [u8]>,
    last: Vec<&'a [u8]>,
}

fn read(signature: &[u8]) -> Option<Scanned<'_>> {
    let mut reader = Reader(signature);
    let frames = reader.u32()? as usize;
    let mut rows = Vec::new();
    for _ in 0..frames {
        let time = MediaTime::from_flicks(reader.i64()?);
        let mut differences = [None; LAGS];
        for slot in &mut differences {
            let (all, middle) = (reader.u32()?, reader.u32()?);
            *slot = (all != UNKNOWN).then_some(Difference { all, middle });
        }
        rows.push((time, differences));
    }
    let kept = frames.min(LAGS);
    let first = (0..kept)
        .map(|_| reader.bytes(BYTES))
        .collect::<Option<Vec<_>>>()?;
    let last = (0..kept)
        .map(|_| reader.bytes(BYTES))
        .collect::<Option<Vec<_>>>()?;
    reader.is_empty().then_some(Scanned { rows, first, last })
}

struct SceneFold {
    options: SceneChangeOptions,
}

/// A frame with its differences to the one, two and three before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Jump {
    time: MediaTime,
    lags: [Option<Difference>; LAGS],
    /// The difference to the frame before it when that is too long ago to follow.
    apart: Option<Difference>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SceneState {
    /// Where the next chunk must stand for its frames to follow.
    next: Option<Position>,
    /// The last pictures, oldest first.
    pictures: VecDeque<Arc<[u8]>>,
    /// The last frames: those to be decided and those beside them.
    recent: VecDeque<Jump>,
    /// How many at the end of `recent` are still to be decided.
    undecided: usize,
    /// When the last frame is shown, and how many before it follow each other, up to `LAGS`.
    seen: Option<MediaTime>,
    following: usize,
    last_cut: Option<MediaTime>,
}

impl Fold for SceneFold {
    type State = SceneState;

    fn step(&self, step: &Step<'_>, state: &mut SceneState, emit: &mut Vec<Emission>) {
        if step.end_of_event {
            self.flush(state, emit);
            return;
        }
        let scanned = step.signature.and_then(read);
        if scanned.is_none() || state.next.is_some_and(|next| next != step.position) {
            // Pictures on the two sides of a hole say nothing of a cut.
            self.flush(state, emit);
            state.pictures.clear();
            state.seen = None;
        }
        state.next = Some(Position(step.position.0.saturating_add(1)));
        let Some(scanned) = scanned else { return };

        let before = state.pictures.clone();
        for (index, (time, mut lags)) in scanned.rows.into_iter().enumerate() {
            if let Some(picture) = scanned.first.get(index) {
                for lag in index + 1..=LAGS {
                    let older = (before.len() + index).checked_sub(lag);
                    lags[lag - 1] = older
                        .and_then(|at| before.get(at))
                        .map(|old| Difference::of(old, picture));
                }
            }
            let is_apart = |seen| time - seen >= APART;
            let mut apart = None;
            if self.options.frames == Compared::Key && state.seen.is_some_and(is_apart) {
                self.flush(state, emit);
                state.following = 0;
                apart = lags[0];
            }
            if self.options.frames == Compared::Key {
                lags.iter_mut()
                    .skip(state.following)
                    .for_each(|lag| *lag = None);
            }
            state.seen = Some(time);
            state.following = (state.following + 1).min(LAGS);
            state.recent.push_back(Jump { time, lags, apart });
            state.undecided += 1;
            while state.undecided > NEIGHBOURS {
                self.decide(state, emit);
            }
        }
        for picture in scanned.last {
            state.pictures.push_back(Arc::from(picture));
        }
        while state.pictures.len() > LAGS {
            state.pictures.pop_front();
        }
    }
}

impl SceneFold {
    /// Decides about the oldest undecided frame.
    fn decide(&self, state: &mut SceneState, emit: &mut Vec<Emission>) {
        let at = state.recent.len() - state.undecided;
        state.undecided -= 1;
        if let Some(score) = score(&state.recent, at).filter(|s| *s >= self.options.threshold) {
            let time = state.recent[at].time;
            if state
                .last_cut
                .is_none_or(|last| time - last >= self.options.min_shot)
            {
                state.last_cut = Some(time);
                let attributes = Attributes::from([
                    ("hard_cut".into(), Value::from(true)),
                    ("score".into(), Value::rounded(score, 1)),
                ]);
                emit.push(Emission::Observation {
                    start: time,
                    end: time,
                    attributes,
                });
            }
        }
        while state.recent.len() > state.undecided + NEIGHBOURS {
            state.recent.pop_front();
        }
    }

    /// Decides about everything with what is there: nothing follows.
    fn flush(&self, state: &mut SceneState, emit: &mut Vec<Emission>) {
        while state.undecided > 0 {
            self.decide(state, emit);
        }
        state.recent.clear();
    }
}

/// How far frame `at` jumps beyond the motion around it; `None` without a frame before it. A flash
/// of one or two frames goes back to where it came from, so the frames after a jump must differ
/// from the frame before it, and the frame of the jump from those further back.
fn score(frames: &VecDeque<Jump>, at: usize) -> Option<f64> {
    let frame = frames.get(at)?;
    if let Some(apart) = frame.apart {
        return Some(APART_WEIGHT * f64::from(apart.middle) / BLOCK_PIXELS);
    }
    let mut jump = frame.lags[0]?;
    for lag in 1..LAGS {
        let after = frames.get(at + lag).and_then(|later| later.lags[lag]);
        for other in [after, frame.lags[lag]].into_iter().flatten() {
            jump = jump.least(other);
        }
    }
    let around = (at.saturating_sub(NEIGHBOURS)..=at + NEIGHBOURS).filter(|other| *other != at);
    let moves: Vec<u32> = around
        .filter_map(|other| Some(frames.get(other)?.lags[0]?.all))
        .collect();
    let motion = moves.iter().sum::<u32>() as f64 / (moves.len().max(1) * PIXELS) as f64;
    let beyond = f64::from(jump.all) / PIXELS as f64 - MOTION_WEIGHT * motion;
    let times = f64::from(jump.middle) / BLOCK_PIXELS / (motion + LEAST_MOTION);
    Some(beyond.max(TIMES_WEIGHT * times))
}
