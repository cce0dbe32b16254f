//! Boxes in maps, as face detectors give them: each number belongs to a place of a grid over the
//! picture.

use super::super::super::tensor::Tensor;
use super::found::Raw;

/// Maps of CenterFace for one picture: [1, h, w] scores, [2, h, w] logarithms of height and width in
/// cells, [2, h, w] offsets down and across in cells, and maybe [2n, h, w] key points, each down and across
/// as shares of the box.
pub(super) struct CenterFace<'a> {
    pub(super) scores: (&'a [usize], &'a [f32]),
    pub(super) sizes: &'a [f32],
    pub(super) offsets: &'a [f32],
    pub(super) keypoints: Option<&'a [f32]>,
}

/// Boxes of which the model is sure enough. `input` is the size of its input in pixels.
pub(super) fn center_face(
    maps: &CenterFace<'_>,
    input: (f64, f64),
    keypoints: usize,
    min_confidence: f64,
) -> Result<Vec<Raw>, String> {
    let &[1, rows, columns] = maps.scores.0 else {
        return Err(format!(
            "{:?} for a picture, where a map of scores [1, rows, columns] is expected",
            maps.scores.0
        ));
    };
    let cells = rows * columns;
    let down = input.1 / rows.max(1) as f64;
    let across = input.0 / columns.max(1) as f64;
    let number = |map: &[f32], channel: usize, cell: usize| {
        map.get(channel * cells + cell)
            .copied()
            .map_or(f64::NAN, f64::from)
    };
    let sure = maps.scores.1.iter().take(cells).enumerate();
    let sure = sure.filter(|(_, score)| f64::from(**score) >= min_confidence);
    let found = sure.map(|(cell, score)| {
        let height = number(maps.sizes, 0, cell).exp() * down;
        let width = number(maps.sizes, 1, cell).exp() * across;
        let centre_y = ((cell / columns) as f64 + number(maps.offsets, 0, cell) + 0.5) * down;
        let centre_x = ((cell % columns) as f64 + number(maps.offsets, 1, cell) + 0.5) * across;
        let (left, top) = (centre_x - width / 2.0, centre_y - height / 2.0);
        let points = maps.keypoints.into_iter().flat_map(|map| {
            (0..keypoints).map(move |point| {
                let y = number(map, point * 2, cell);
                let x = number(map, point * 2 + 1, cell);
                [left + x * width, top + y * height, 1.0]
            })
        });
        Raw {
            class: 0,
            score: f64::from(*score),
            edges: [left, top, left + width, top + height],
            keypoints: points.collect(),
        }
    });
    Ok(found.collect())
}

/// The sizes of a cell of YuNet's grids, in pixels of its input.
pub(super) const STRIDES: [usize; 3] = [8, 16, 32];

/// The tensors of YuNet at each scale: class and object scores, places, key points.
pub(super) const KINDS: [&str; 4] = ["cls", "obj", "bbox", "kps"];

/// Boxes of one scale of YuNet: numbers of one picture, in the order of [`KINDS`].
pub(super) fn yunet(
    [classes, objects, places, points]: [&[f32]; 4],
    stride: usize,
    input_width: f64,
    keypoints: usize,
    min_confidence: f64,
) -> Vec<Raw> {
    let size = stride as f64;
    let columns = ((input_width / size) as usize).max(1);
    let share = |numbers: &[f32], cell: usize| {
        let number = numbers.get(cell).copied().map_or(0.0, f64::from);
        number.clamp(0.0, 1.0)
    };
    let cells = classes.len().min(objects.len());
    let found = (0..cells).filter_map(|cell| {
        let score = (share(classes, cell) * share(objects, cell)).sqrt();
        if score.is_nan() || score < min_confidence {
            return None;
        }
        let place: [f32; 4] = places.get(cell * 4..cell * 4 + 4)?.try_into().ok()?;
        let [x, y, width, height] = place.map(f64::from);
        let (column, row) = ((cell % columns) as f64, (cell / columns) as f64);
        let (x, y) = ((column + x) * size, (row + y) * size);
        let width = width.exp() * size;
        let height = height.exp() * size;
        let of_cell = points.get(cell * 10..cell * 10 + 10).unwrap_or_default();
        let keypoints = of_cell.chunks_exact(2).take(keypoints).map(|point| {
            [
                (f64::from(point[0]) + column) * size,
                (f64::from(point[1]) + row) * size,
                1.0,
            ]
        });
        Some(Raw {
            class: 0,
            score,
            edges: [
                x - width / 2.0,
                y - height / 2.0,
                x + width / 2.0,
                y + height / 2.0,
            ],
            keypoints: keypoints.collect(),
        })
    });
    found.collect()
}

/// The tensor of a scale of YuNet.
pub(super) fn yunet_tensor<'a>(
    tensors: &'a [Tensor],
    kind: &str,
    stride: usize,
) -> Result<&'a Tensor, String> {
    let name = format!("{kind}_{stride}");
    super::super::named(tensors, Some(&name), |tensor| &tensor.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_face_in_the_maps_of_center_face() {
        // A grid of 2 x 3 cells over 12 x 8 pixels; the face is in row 1, column 2.
        let scores = [0.1, 0.2, 0.3, 0.1, 0.2, 0.9];
        let at = |channels: usize, values: &[f32]| {
            let mut map = vec![0.0; channels * 6];
            for (channel, value) in values.iter().enumerate() {
                map[channel * 6 + 5] = *value;
            }
            map
        };
        let sizes = at(2, &[0.0, 2.0_f32.ln()]);
        let offsets = at(2, &[-0.5, 0.0]);
        let points = at(2, &[0.5, 0.25]);
        let maps = CenterFace {
            scores: (&[1, 2, 3], &scores),
            sizes: &sizes,
            offsets: &offsets,
            keypoints: Some(&points),
        };
        let found = center_face(&maps, (12.0, 8.0), 1, 0.5).unwrap();
        let [face] = found.as_slice() else {
            panic!("{found:?}")
        };
        // The centre is 2.5 cells across and 1 down, the box 2 cells wide and 1 high.
        let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
        let edges = [6.0, 2.0, 14.0, 6.0];
        assert!(face.edges.iter().zip(edges).all(|(a, b)| near(*a, b)));
        assert!(near(face.keypoints[0][0], 8.0) && near(face.keypoints[0][1], 4.0));
        assert!(near(face.score, 0.9));
        let wrong = CenterFace {
            scores: (&[2, 2, 3], &scores),
            ..maps
        };
        assert!(center_face(&wrong, (12.0, 8.0), 0, 0.5).is_err());
    }

    #[test]
    fn a_face_at_one_scale_of_yunet() {
        // Four cells of 8 pixels in a row; the third has a face.
        let scores = [0.0, 0.1, 0.81, 0.2];
        let mut places = [0.0; 16];
        places[8..12].copy_from_slice(&[0.5, 0.25, 2.0_f32.ln(), 0.0]);
        let mut points = [0.0; 40];
        points[20..22].copy_from_slice(&[0.25, 0.5]);
        let numbers: [&[f32]; 4] = [&scores, &[1.0; 4], &places, &points];
        let found = yunet(numbers, 8, 32.0, 1, 0.6);
        let [face] = found.as_slice() else {
            panic!("{found:?}")
        };
        let near = |a: f64, b: f64| (a - b).abs() < 1e-5;
        assert!(near(face.score, 0.9));
        let edges = [12.0, -2.0, 28.0, 6.0];
        assert!(face.edges.iter().zip(edges).all(|(a, b)| near(*a, b)));
        assert_eq!(face.keypoints, [[18.0, 4.0, 1.0]]);
    }
}
