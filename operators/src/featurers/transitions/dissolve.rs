//! Dissolves: for a while every picture is a mixture of the one before and the one after, with a
//! share of the new one that grows evenly. What moves never lies on the line between two pictures.

use std::collections::VecDeque;
use std::sync::Arc;

use matchcut_model::time::MediaTime;
use matchcut_model::value::{Attributes, Value};

use super::{BLOCKS, Found, Row, VALUES, crossing, ends};

/// Windows, in frames, in which a dissolve is looked for: each half as long again as the last.
const WINDOWS: [usize; 7] = [10, 15, 22, 33, 50, 75, 112];

/// The shortest dissolve, in frames: less is a cut between blurred pictures.
const SHORTEST: f64 = 4.0;

/// Frames of each shot that must be in the window.
const SIDE: usize = 2;

/// How far the pictures on the two sides must be apart: luma, Cb and Cr added up.
const LEAST_CHANGE: f64 = 15.0;

/// The middle one of the blocks must differ by this share of it: all of the picture changes, and not
/// somebody in it or a title over it.
const ALL_OVER: f64 = 0.6;

/// How far a mixture may lie beside the line between the two, as a share of its length, and how far
/// each side may lie from its end.
const OFF_LINE: f64 = 0.15;
const OFF_SIDE: f64 = 0.15;

/// How far the share of the new picture may be from growing evenly.
const UNEVEN: f64 = 0.1;

/// Pictures whose light correlates more than this are the same one, lighter or darker.
const SAME: f64 = 0.9;

/// Looks for dissolves, frame by frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dissolves {
    /// The end of the last one, or of a fade.
    told: Option<MediaTime>,
}

impl Dissolves {
    /// Until then the picture fades, and does not dissolve.
    pub(super) fn pass(&mut self, fade_end: MediaTime) {
        self.told = Some(fade_end);
    }

    /// Looks at the newest of the rows.
    pub(super) fn advance(&mut self, rows: &VecDeque<Arc<Row>>) -> Option<Found> {
        let newest = rows.back()?;
        for window in WINDOWS {
            let first = rows.len().checked_sub(window + 1)?;
            let oldest = rows.get(first)?;
            if self.told.is_some_and(|told| oldest.time < told) {
                return None;
            }
            if !may_be(oldest, newest) {
                continue;
            }
            let within: Vec<&Row> = rows.range(first..).map(|row| &**row).collect();
            // What goes into one colour or comes out of it fades.
            if within.iter().any(|row| row.is_plain()) {
                return None;
            }
            if let Some((start, end)) = mixture(&within) {
                let (start, end) = (within.get(start)?.time, within.get(end)?.time);
                self.told = Some(end);
                let attributes = Attributes::from([("dissolve".into(), Value::from(true))]);
                return Some(Found {
                    start,
                    end,
                    attributes,
                });
            }
        }
        None
    }
}

/// Whether these are two pictures all over.
fn may_be(a: &Row, b: &Row) -> bool {
    let mut blocks = [0_u32; BLOCKS];
    for (block, (a, b)) in blocks
        .iter_mut()
        .zip(a.blocks.chunks_exact(3).zip(b.blocks.chunks_exact(3)))
    {
        *block = a
            .iter()
            .zip(b)
            .map(|(a, b)| u32::from(a.abs_diff(*b)))
            .sum();
    }
    let change = f64::from(blocks.iter().sum::<u32>()) / BLOCKS as f64;
    let (_, middle, _) = blocks.select_nth_unstable(BLOCKS / 2);
    change >= LEAST_CHANGE && f64::from(*middle) >= change * ALL_OVER && correlation(a, b) < SAME
}

/// Correlation of the luma of the blocks.
fn correlation(a: &Row, b: &Row) -> f64 {
    let luma = |row: &Row| -> Vec<f64> {
        let values = row.blocks.iter().step_by(3).map(|value| f64::from(*value));
        let values: Vec<f64> = values.collect();
        let mean = values.iter().sum::<f64>() / BLOCKS as f64;
        values.into_iter().map(|value| value - mean).collect()
    };
    let (a, b) = (luma(a), luma(b));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    if scale > 0.0 {
        product(&a, &b) / scale
    } else {
        0.0
    }
}

/// Where in the window one picture turns into the other, if it does.
fn mixture(rows: &[&Row]) -> Option<(usize, usize)> {
    let (from, to) = (values(rows.first()?), values(rows.last()?));
    let way: Vec<f64> = to.iter().zip(&from).map(|(to, from)| to - from).collect();
    let length = norm(&way);
    let mut shares = Vec::with_capacity(rows.len());
    let mut beside = Vec::with_capacity(rows.len());
    for row in rows {
        let gone: Vec<f64> = values(row).iter().zip(&from).map(|(v, f)| v - f).collect();
        let share = gone.iter().zip(&way).map(|(g, w)| g * w).sum::<f64>() / (length * length);
        let off: Vec<f64> = gone.iter().zip(&way).map(|(g, w)| g - share * w).collect();
        shares.push(share);
        beside.push(norm(&off) / length);
    }
    let (quarter, three_quarters) = (crossing(&shares, 0.25)?, crossing(&shares, 0.75)?);
    if (three_quarters - quarter) * 2.0 < SHORTEST {
        return None;
    }
    let (start, end) = ends(quarter, three_quarters, rows.len());
    if start < SIDE || end + SIDE >= rows.len() {
        return None;
    }
    let slope = 0.5 / (three_quarters - quarter);
    for (at, (share, beside)) in shares.iter().zip(&beside).enumerate() {
        let even = 0.25 + slope * (at as f64 - quarter);
        let (expected, off) = match () {
            _ if at < start => (0.0, OFF_SIDE),
            _ if at > end => (1.0, OFF_SIDE),
            _ => (even.clamp(0.0, 1.0), UNEVEN),
        };
        let line = if at < start || at > end {
            OFF_SIDE
        } else {
            OFF_LINE
        };
        if (share - expected).abs() > off || *beside > line {
            return None;
        }
    }
    Some((start, end))
}

fn values(row: &Row) -> [f64; VALUES] {
    let mut values = [0.0; VALUES];
    for (value, byte) in values.iter_mut().zip(&row.blocks) {
        *value = f64::from(*byte);
    }
    values
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}
