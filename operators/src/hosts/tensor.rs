//! Tensors between pictures, models and what is said of them: a name, a shape and numbers.

use std::fmt;

/// Numbers that a model gave.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) data: Vec<f32>,
}

impl Tensor {
    /// The numbers that belong to one picture of a batch, and their shape. A model for single pictures
    /// may leave the dimension of the batch out, so that `rank` dimensions are left for a picture.
    pub(super) fn of_picture(
        &self,
        number: usize,
        batch: usize,
        rank: usize,
    ) -> Result<(&[usize], &[f32]), String> {
        if batch == 1 && (self.shape.len() == rank || self.shape.is_empty()) {
            return Ok((&self.shape, &self.data));
        }
        let found = self
            .shape
            .split_first()
            .filter(|(first, _)| **first == batch);
        let numbers = found.and_then(|(_, shape)| {
            let size = shape.iter().product::<usize>();
            let numbers = self.data.get(number * size..(number + 1) * size)?;
            Some((shape, numbers))
        });
        numbers.ok_or_else(|| {
            format!(
                "the output \"{}\" has the shape {}, where {batch} come first: one for each picture",
                self.name,
                Shape::known(&self.shape)
            )
        })
    }
}

/// What is known of a tensor of a model before it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorInfo {
    pub(super) name: String,
    /// Its element type, in the words of whoever runs the model.
    pub(super) kind: String,
    pub(super) shape: Shape,
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" of {} {}", self.name, self.kind, self.shape)
    }
}

/// Dimensions; `None` is any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape(pub(super) Vec<Option<usize>>);

impl Shape {
    pub(super) fn known(shape: &[usize]) -> Shape {
        Shape(shape.iter().map(|size| Some(*size)).collect())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, size) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            match size {
                Some(size) => write!(f, "{size}")?,
                None => f.write_str("?")?,
            }
        }
        f.write_str("]")
    }
}

/// The pictures of a batch as the model takes them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Pixels {
    F32(Vec<f32>),
    U8(Vec<u8>),
}

/// What a model is given: pictures in one tensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Batch {
    pub(super) shape: Vec<usize>,
    pub(super) pixels: Pixels,
}

/// Whatever turns pictures into tensors.
pub(super) trait Model: Send + Sync {
    /// The tensors for a batch. An error costs what would have been said of the chunk.
    fn run(&self, batch: &Batch) -> Result<Vec<Tensor>, String>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[usize]) -> Tensor {
        Tensor {
            name: "y".to_owned(),
            shape: shape.to_vec(),
            data: (0..shape.iter().product::<usize>())
                .map(|n| n as f32)
                .collect(),
        }
    }

    #[test]
    fn pictures_of_a_batch() {
        let two = tensor(&[2, 3]);
        assert_eq!(
            two.of_picture(1, 2, 1),
            Ok((&[3][..], &[3.0, 4.0, 5.0][..]))
        );
        // Boxes of a model for single pictures, with and without the batch.
        assert_eq!(tensor(&[1, 6]).of_picture(0, 1, 2).unwrap().0, [1, 6]);
        assert_eq!(tensor(&[1, 4, 6]).of_picture(0, 1, 2).unwrap().0, [4, 6]);
        // One number for one picture.
        assert_eq!(tensor(&[]).of_picture(0, 1, 1).unwrap().1, [0.0]);
        assert_eq!(tensor(&[5]).of_picture(0, 1, 1).unwrap().1.len(), 5);
        assert_eq!(
            tensor(&[1, 5, 1, 1]).of_picture(0, 1, 1).unwrap().1.len(),
            5
        );
        assert_eq!(
            tensor(&[3, 2]).of_picture(0, 2, 1).unwrap_err(),
            "the output \"y\" has the shape [3, 2], where 2 come first: one for each picture"
        );
    }
}
