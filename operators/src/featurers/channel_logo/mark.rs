//! The logo as edges, and how alike a part of a picture is to it. Edges stay where what is behind a logo
//! changes and shines through; how strong they are hardly counts, which way they go does.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// A part of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A larger file is no logo.
const LARGEST: u64 = 64 << 20;

/// Of what is behind a transparent logo: grey.
const BEHIND: f64 = 128.0;

/// An edge of the logo: a difference of luma, over two pixels, of a tenth of its strongest.
const LEAST: f64 = 0.1;

/// Differences in a picture are full edges from here on.
const FULL: f64 = 16.0;

/// How many pixels beside its place the logo may stand: regions are rounded.
const AROUND: isize = 1;

/// Fewer edges are no shape.
const EDGES: usize = 40;

/// An edge of the logo, relative to the corner of its area: its place, direction and weight.
struct Edge {
    x: usize,
    y: usize,
    across: f64,
    down: f64,
    weight: f64,
}

pub(super) struct Mark {
    area: Area,
    edges: Vec<Edge>,
    /// The sum of their weights.
    whole: f64,
}

impl Mark {
    /// Reads a PNG file and scales it to its area.
    pub(super) fn open(path: &Path, area: Area) -> Result<Mark, String> {
        let failed = |error: &dyn std::fmt::Display| {
            format!("\"{}\" cannot be read as PNG: {error}", path.display())
        };
        let file = File::open(path).map_err(|error| failed(&error))?;
        if file.metadata().map_err(|error| failed(&error))?.len() > LARGEST {
            return Err(failed(&"larger than 64 MiB"));
        }
        let mut decoder = png::Decoder::new(BufReader::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|error| failed(&error))?;
        let size = reader
            .output_buffer_size()
            .filter(|size| *size as u64 <= 4 * LARGEST);
        let mut pixels = vec![0; size.ok_or_else(|| failed(&"too many pixels"))?];
        let info = reader
            .next_frame(&mut pixels)
            .map_err(|error| failed(&error))?;
        let channels = info.color_type.samples();
        let luma: Vec<f64> = pixels
            .chunks_exact(channels)
            .map(|pixel| {
                let values: Vec<f64> = pixel.iter().map(|value| f64::from(*value)).collect();
                let over = |luma: f64, alpha: f64| BEHIND + (luma - BEHIND) * alpha / 255.0;
                match values[..] {
                    [grey] => grey,
                    [grey, alpha] => over(grey, alpha),
                    [red, green, blue] => luma_of(red, green, blue),
                    [red, green, blue, alpha] => over(luma_of(red, green, blue), alpha),
                    _ => BEHIND,
                }
            })
            .collect();
        let (width, height) = (info.width as usize, info.height as usize);
        let scaled = scaled(&luma, width, height, area.width, area.height);
        Mark::new(&scaled, area).ok_or_else(|| {
            format!(
                "\"{}\" has hardly an edge at {}x{} pixels: it cannot be told from any other picture",
                path.display(),
                area.width,
                area.height
            )
        })
    }

    /// A logo as luma of its area.
    pub(super) fn new(luma: &[f64], area: Area) -> Option<Mark> {
        let at = |x: usize, y: usize| luma.get(y * area.width + x).copied().unwrap_or(BEHIND);
        let mut edges = Vec::new();
        for y in 1..area.height.saturating_sub(1) {
            for x in 1..area.width.saturating_sub(1) {
                let across = at(x + 1, y) - at(x - 1, y);
                let down = at(x, y + 1) - at(x, y - 1);
                let weight = across.hypot(down);
                edges.push(Edge {
                    x,
                    y,
                    across: across / weight.max(1e-9),
                    down: down / weight.max(1e-9),
                    weight,
                });
            }
        }
        let strongest = edges.iter().map(|edge| edge.weight).fold(0.0, f64::max);
        edges.retain(|edge| edge.weight > (strongest * LEAST).max(1.0));
        let whole = edges.iter().map(|edge| edge.weight).sum();
        (edges.len() >= EDGES).then_some(Mark { area, edges, whole })
    }

    /// How alike a picture is to the logo in its area: 1 where every edge goes the same way, about 0 where
    /// anything else is shown.
    pub(super) fn alike(&self, luma: &[u8], width: usize, height: usize) -> f64 {
        let shifts = (-AROUND..=AROUND).flat_map(|y| (-AROUND..=AROUND).map(move |x| (x, y)));
        shifts
            .map(|(x, y)| self.alike_at(luma, width, height, x, y))
            .fold(-1.0, f64::max)
    }

    fn alike_at(&self, luma: &[u8], width: usize, height: usize, by_x: isize, by_y: isize) -> f64 {
        let pixel = |x: usize, y: usize| luma.get(y * width + x).copied().map(f64::from);
        let sum: f64 = self
            .edges
            .iter()
            .filter_map(|edge| {
                let x = (self.area.left + edge.x).checked_add_signed(by_x)?;
                let y = (self.area.top + edge.y).checked_add_signed(by_y)?;
                if x == 0 || y == 0 || x + 1 >= width || y + 1 >= height {
                    return None;
                }
                let across = pixel(x + 1, y)? - pixel(x - 1, y)?;
                let down = pixel(x, y + 1)? - pixel(x, y - 1)?;
                let along = across * edge.across + down * edge.down;
                Some(edge.weight * along / across.hypot(down).max(FULL))
            })
            .sum();
        sum / self.whole
    }
}

/// Luma of BT.709.
fn luma_of(red: f64, green: f64, blue: f64) -> f64 {
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// A picture in another size: each pixel is the mean of the area that it covers.
fn scaled(
    luma: &[f64],
    width: usize,
    height: usize,
    to_width: usize,
    to_height: usize,
) -> Vec<f64> {
    let mut to = Vec::with_capacity(to_width * to_height);
    for y in 0..to_height {
        let rows = covered(y, height, to_height);
        for x in 0..to_width {
            let columns = covered(x, width, to_width);
            let (mut sum, mut weights) = (0.0, 0.0);
            for (row, tall) in rows.clone() {
                for (column, wide) in columns.clone() {
                    let value = luma.get(row * width + column).copied().unwrap_or(BEHIND);
                    sum += value * tall * wide;
                    weights += tall * wide;
                }
            }
            to.push(sum / f64::max(weights, 1e-9));
        }
    }
    to
}

/// Which of `count` pixels pixel `number` of `to` covers, and how much of each.
fn covered(number: usize, count: usize, to: usize) -> impl Iterator<Item = (usize, f64)> + Clone {
    let step = count as f64 / to.max(1) as f64;
    let (from, until) = (number as f64 * step, (number + 1) as f64 * step);
    (from as usize..(until.ceil() as usize).min(count)).map(move |pixel| {
        let (begin, end) = (pixel as f64, (pixel + 1) as f64);
        (pixel, end.min(until) - begin.max(from))
    })
}
