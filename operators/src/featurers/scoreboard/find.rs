//! Finds what may be a score box: places with the edges of letters that stay where they are from
//! one picture to the next, of a box's size. What it says is decided by reading it.

use super::image::{Area, Grey};

/// Side of a tile in pixels.
const TILE: usize = 8;

/// Steps of brightness from which two neighbours are an edge.
const STEP: i32 = 24;

/// So many edge pixels make a tile count.
const LEAST_EDGES: u32 = 6;

/// Tiles so far apart, across and down, belong together.
const GAP_ACROSS: usize = 3;
const GAP_DOWN: usize = 1;

/// Boxes are cut out with so much around their edges.
pub(super) const MARGIN: usize = 6;

/// Boxes of a picture that are looked at, the ones with most edges.
const MOST_BOXES: usize = 5;

/// The edges of a picture: for each pixel whether brightness steps up or down to the right and
/// down.
struct Edges(Vec<u8>);

fn edges(picture: &Grey) -> Edges {
    let (width, height) = (picture.width, picture.height);
    let mut codes = vec![0; width * height];
    for y in 0..height.saturating_sub(2) {
        let (row, below) = (y * width, (y + 2) * width);
        for x in 0..width.saturating_sub(2) {
            let here = i32::from(picture.data[row + x]);
            let right = i32::from(picture.data[row + x + 2]) - here;
            let down = i32::from(picture.data[below + x]) - here;
            let code = |step: i32| match step {
                STEP.. => 1,
                step if step <= -STEP => 2,
                _ => 0,
            };
            codes[row + x] = code(right) | code(down) << 2;
        }
    }
    Edges(codes)
}

/// Places in the last of these pictures, in order of time, that have steady edges and the size of a
/// score box; at most five.
pub(super) fn boxes(pictures: &[&Grey]) -> Vec<Area> {
    let Some(first) = pictures.first() else {
        return Vec::new();
    };
    let (width, height) = (first.width, first.height);
    let (across, down) = (width / TILE, height / TILE);
    let found: Vec<Edges> = pictures.iter().map(|picture| edges(picture)).collect();
    // Steady in one pair of pictures: a digit that changes was there before, or is there after.
    let mut steady = vec![0u32; across * down];
    for pair in found.windows(2) {
        for ty in 0..down {
            for tx in 0..across {
                let (mut one, mut other, mut both) = (0u32, 0u32, 0u32);
                for y in ty * TILE..(ty + 1) * TILE {
                    let row = y * width + tx * TILE;
                    let codes = pair[0].0[row..row + TILE].iter();
                    for (a, b) in codes.zip(&pair[1].0[row..row + TILE]) {
                        one += u32::from(*a != 0);
                        other += u32::from(*b != 0);
                        both += u32::from(*a != 0 && a == b);
                    }
                }
                if both >= LEAST_EDGES && both * 10 >= one.max(other) * 6 {
                    let tile = &mut steady[ty * across + tx];
                    *tile = (*tile).max(both);
                }
            }
        }
    }
    let mut boxes = groups(&steady, across, down);
    boxes.retain(|(area, _)| {
        let (w, h) = (
            area.width() * 1000 / width.max(1),
            area.height() * 1000 / height.max(1),
        );
        (40..=600).contains(&w) && (22..=180).contains(&h) && area.width() >= area.height()
    });
    boxes.sort_by(|(a, more), (b, less)| less.cmp(more).then(a.cmp(b)));
    boxes.truncate(MOST_BOXES);
    let mut areas: Vec<Area> = boxes
        .into_iter()
        .map(|(area, _)| area.grown(MARGIN, width, height))
        .collect();
    areas.sort();
    areas
}

/// Groups of tiles that lie close together, with the number of their edges.
fn groups(tiles: &[u32], across: usize, down: usize) -> Vec<(Area, u32)> {
    let mut seen = vec![false; tiles.len()];
    let mut groups = Vec::new();
    for (start, edges) in tiles.iter().enumerate() {
        if *edges == 0 || seen[start] {
            continue;
        }
        seen[start] = true;
        let mut open = vec![start];
        let mut area: Option<Area> = None;
        let mut weight = 0;
        while let Some(tile) = open.pop() {
            let (x, y) = (tile % across, tile / across);
            weight += tiles[tile];
            let own = Area {
                left: x * TILE,
                top: y * TILE,
                right: (x + 1) * TILE,
                bottom: (y + 1) * TILE,
            };
            area = Some(area.map_or(own, |area| area.join(&own)));
            for ny in y.saturating_sub(GAP_DOWN)..=(y + GAP_DOWN).min(down - 1) {
                for nx in x.saturating_sub(GAP_ACROSS)..=(x + GAP_ACROSS).min(across - 1) {
                    let next = ny * across + nx;
                    if tiles[next] > 0 && !seen[next] {
                        seen[next] = true;
                        open.push(next);
                    }
                }
            }
        }
        groups.extend(area.map(|area| (area, weight)));
    }
    groups
}

/// Whether two pictures of one box show the same, but for the noise of coding.
pub(super) fn same(one: &Grey, other: &Grey) -> bool {
    if (one.width, one.height) != (other.width, other.height) {
        return false;
    }
    // A digit is small in a box: what counts is how much changes in the tile that changes most.
    let mut worst = 0;
    for y in (0..one.height).step_by(TILE) {
        for x in (0..one.width).step_by(TILE) {
            let mut changed = 0;
            for row in y..(y + TILE).min(one.height) {
                let line = row * one.width;
                let (from, to) = (line + x, line + (x + TILE).min(one.width));
                changed += one.data[from..to]
                    .iter()
                    .zip(&other.data[from..to])
                    .filter(|(a, b)| a.abs_diff(**b) > 40)
                    .count();
            }
            worst = worst.max(changed);
        }
    }
    worst <= 6
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise that moves, and a box of stripes that does not.
    fn picture(seed: u32, with_box: bool) -> Grey {
        let mut noise = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut grey = Grey::filled(640, 360, 0);
        for value in &mut grey.data {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *value = (noise >> 24) as u8;
        }
        if with_box {
            for y in 300..332 {
                for x in 40..200 {
                    grey.data[y * 640 + x] = if x / 4 % 2 == 0 { 20 } else { 230 };
                }
            }
        }
        grey
    }

    #[test]
    fn what_stays_put_in_a_moving_picture_is_found() {
        let pictures: Vec<Grey> = (1..4).map(|seed| picture(seed, true)).collect();
        let refs: Vec<&Grey> = pictures.iter().collect();
        let found = boxes(&refs);
        assert_eq!(found.len(), 1, "{found:?}");
        let (area, truth) = (
            found[0],
            Area {
                left: 40,
                top: 300,
                right: 200,
                bottom: 332,
            },
        );
        assert!(
            area.overlap(&truth) > 0.95 && area.width() < 190 && area.height() < 60,
            "{area:?}"
        );
        let without: Vec<Grey> = (1..4).map(|seed| picture(seed, false)).collect();
        assert_eq!(boxes(&without.iter().collect::<Vec<_>>()), []);
        assert_eq!(boxes(&[]), []);
    }

    #[test]
    fn noise_is_the_same_and_a_digit_is_not() {
        let one = picture(1, true).crop(&Area {
            left: 40,
            top: 300,
            right: 200,
            bottom: 332,
        });
        let mut noisy = one.clone();
        for (at, value) in noisy.data.iter_mut().enumerate() {
            *value = value.saturating_add((at % 7) as u8 * 3);
        }
        assert!(same(&one, &noisy));
        for y in 10..18 {
            for x in 100..104 {
                noisy.data[y * 160 + x] ^= 0xff;
            }
        }
        assert!(!same(&one, &noisy));
    }
}
