//! Fades: the picture moves away from one colour, step by step, until it is what it is; or back.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Found, NOTHING, REMEMBERED, Row, crossing, faded};

/// How far from the colour a picture must come (the effective difference of its luma).
const LEAST_WAY: f64 = 16.0;

/// The picture has arrived when it has not moved on for so many frames, or for a third of the time
/// it took to come there, at most `LONGEST_WAIT`.
const WAIT: usize = 5;
const LONGEST_WAIT: usize = 20;

/// A larger share of the way in one step is a cut and no fade.
const LARGEST_STEP: f64 = 0.45;

/// The picture has arrived when it has gone this share of the way.
const ARRIVED: f64 = 0.97;

/// A plain picture whose light has changed by this fades already; by less it trembles.
const CHANGES: f64 = 0.7;
const TREMBLES: f64 = 0.3;

/// Luma up to which a plain picture is black, and from which it is white.
const BLACK: f64 = 40.0;
const WHITE: f64 = 200.0;

/// Looks for fades, frame by frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fades {
    /// Frames since the last plain one, while the picture comes out of it.
    rising: Option<usize>,
}

impl Fades {
    /// Looks at the newest of the rows.
    pub(super) fn advance(&mut self, rows: &VecDeque<Arc<Row>>) -> Option<Found> {
        let newest = rows.back()?;
        let before = rows.len().checked_sub(2).and_then(|at| rows.get(at));
        if newest.is_plain() {
            let found = match self.rising.take() {
                // Into one colour and out of another within a moment.
                Some(frames) => fade_in(rows, frames, rows.len() - 1),
                None => None,
            };
            let turns = before.is_some_and(|before| !before.is_plain());
            return found.or_else(|| turns.then(|| fade_out(rows)).flatten());
        }
        match self.rising {
            Some(frames) if frames + 2 < REMEMBERED => {
                self.rising = Some(frames + 1);
                let first = rows.len().checked_sub(frames + 2)?;
                let plain = rows.get(first)?.light();
                let levels: Vec<f64> = rows.range(first..).map(|row| row.away(plain)).collect();
                if has_stopped(&levels) {
                    self.rising = None;
                    return fade_in(rows, frames + 1, rows.len());
                }
            }
            Some(_) => self.rising = None,
            None if before.is_some_and(|before| before.is_plain()) => self.rising = Some(1),
            None => {}
        }
        None
    }

    /// Whether the picture comes out of one colour.
    pub(super) fn is_rising(&self) -> bool {
        self.rising.is_some()
    }

    /// Nothing follows.
    pub(super) fn finish(&mut self, rows: &VecDeque<Arc<Row>>) -> Option<Found> {
        let frames = self.rising.take()?;
        fade_in(rows, frames, rows.len())
    }
}

/// How many frames without a new height say that the picture has arrived.
fn patience(frames: usize) -> usize {
    (frames / 3).clamp(WAIT, LONGEST_WAIT)
}

fn highest(levels: &[f64]) -> usize {
    let mut at = 0;
    for (index, level) in levels.iter().enumerate() {
        // Trembling on the height is no rise.
        if *level > levels[at] * 1.02 {
            at = index;
        }
    }
    at
}

fn has_stopped(levels: &[f64]) -> bool {
    let at = highest(levels);
    levels.len() - 1 - at >= patience(at)
}

/// The fade that begins with the last plain frame, `frames` before the last of `rows[..until]`.
fn fade_in(rows: &VecDeque<Arc<Row>>, frames: usize, until: usize) -> Option<Found> {
    let first = begins(rows, until.checked_sub(frames + 1)?, until - 1)?;
    let plain = rows.get(first)?;
    let shown = rows.range(first..until);
    let levels: Vec<f64> = shown.map(|row| row.away(plain.light())).collect();
    let end = ramp(&levels)?;
    Some(Found {
        start: plain.time,
        end: rows.get(first + end)?.time,
        attributes: faded("in", color(plain)?),
    })
}

/// Where the picture leaves its colour: a picture of little contrast is plain for a while after it has
/// begun to change, and its light goes the way it will go on.
fn begins(rows: &VecDeque<Arc<Row>>, last_plain: usize, end: usize) -> Option<usize> {
    let light = |at: usize| rows.get(at).map(|row| row.light());
    let way = (light(end)? - light(last_plain)?).signum();
    let mut from = last_plain;
    while let Some(before) = from.checked_sub(1)
        && rows.get(before)?.contrast() <= 2.0 * NOTHING
        && (light(from)? - light(before)?) * way > -TREMBLES
    {
        from = before;
    }
    let colour = light(from)?;
    let still = |at: &usize| light(*at).is_some_and(|light| (light - colour).abs() < CHANGES);
    (from..=last_plain).rev().find(still)
}

/// The fade that ends with the newest frame.
fn fade_out(rows: &VecDeque<Arc<Row>>) -> Option<Found> {
    let plain = rows.back()?;
    // Back in time it is a fade out of the colour.
    let mut levels = Vec::new();
    for row in rows.iter().rev() {
        if !levels.is_empty() && row.is_plain() {
            break;
        }
        levels.push(row.away(plain.light()));
        if has_stopped(&levels) {
            break;
        }
    }
    let start = ramp(&levels)?;
    Some(Found {
        start: rows.get(rows.len().checked_sub(start + 1)?)?.time,
        end: plain.time,
        attributes: faded("out", color(plain)?),
    })
}

/// How many frames after the plain one the picture has arrived, if it went there step by step.
fn ramp(levels: &[f64]) -> Option<usize> {
    let top = highest(levels);
    let full = *levels.get(top)?;
    let steps = levels.windows(2).take(top).map(|pair| pair[1] - pair[0]);
    let largest = steps.fold(0.0_f64, f64::max);
    if full < LEAST_WAY || largest > full * LARGEST_STEP {
        return None;
    }
    let end = crossing(levels, full * ARRIVED)?.ceil() as usize;
    Some(end.min(top))
}

fn color(plain: &Row) -> Option<&'static str> {
    let light = plain.light();
    match () {
        _ if light <= BLACK => Some("black"),
        _ if light >= WHITE => Some("white"),
        _ => None,
    }
}
