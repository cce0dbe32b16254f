//! The model: it is given 100 pictures that follow each other and says for each how probably a shot changes
//! between it and the next one.

use super::super::onnx::{Given, Sessions};
use super::super::tensor::{Pixels, TensorInfo};
use super::pictures::{HEIGHT, SIZE, WIDTH};

/// Pictures that the model sees at once.
pub(super) const WINDOW: usize = 100;

/// The first of them that it says something useful of: it sees as many before and after.
pub(super) const CONTEXT: usize = 25;

/// Of how many it says something useful.
pub(super) const STEP: usize = WINDOW - 2 * CONTEXT;

/// A model that is loaded.
pub(super) struct TransNet {
    sessions: Sessions,
    input: String,
    bytes: bool,
}

impl TransNet {
    /// Refuses a model that is another one.
    pub(super) fn new(sessions: Sessions) -> Result<TransNet, String> {
        let wanted = [1, WINDOW, HEIGHT, WIDTH, 3];
        let fits = |input: &TensorInfo| {
            let sizes = &input.shape.0;
            let same = |(size, wanted): (&Option<usize>, usize)| size.is_none_or(|s| s == wanted);
            sizes.len() == wanted.len() && sizes.iter().zip(wanted).all(same)
        };
        match (sessions.inputs(), sessions.outputs()) {
            ([input], [_, ..]) if fits(input) && ["float32", "uint8"].contains(&&*input.kind) => {
                Ok(TransNet {
                    input: input.name.clone(),
                    bytes: input.kind == "uint8",
                    sessions,
                })
            }
            (inputs, outputs) => {
                let names = |infos: &[TensorInfo]| {
                    let names: Vec<String> = infos.iter().map(ToString::to_string).collect();
                    names.join(", ")
                };
                Err(format!(
                    "this is not TransNetV2, which takes one tensor of [1, {WINDOW}, {HEIGHT}, {WIDTH}, 3] numbers and \
                     gives {WINDOW} probabilities: this takes {} and gives {}",
                    names(inputs),
                    names(outputs)
                ))
            }
        }
    }

    /// How probably a shot changes after each of the pictures that stand in the middle of a window.
    pub(super) fn look(&self, pixels: &[u8]) -> Result<Vec<f64>, String> {
        let shape = [1, WINDOW, HEIGHT, WIDTH, 3];
        let pixels = pixels.get(..WINDOW * SIZE).unwrap_or_default();
        let pixels = match self.bytes {
            true => Pixels::U8(pixels.to_vec()),
            false => Pixels::F32(pixels.iter().map(|value| f32::from(*value)).collect()),
        };
        let tensors = self
            .sessions
            .run(&[(&self.input, Given::Pixels(&shape, &pixels))])?;
        let numbers = tensors.first().map_or(&[][..], |tensor| &tensor.data);
        if numbers.len() != WINDOW {
            return Err(format!(
                "the model gave {} numbers instead of {WINDOW}",
                numbers.len()
            ));
        }
        if let Some(number) = numbers.iter().find(|n| !(0.0..=1.0).contains(*n)) {
            return Err(format!(
                "the model gave {number}, which is no probability: export it with a sigmoid at its end"
            ));
        }
        let middle = &numbers[CONTEXT..CONTEXT + STEP];
        Ok(middle.iter().map(|number| f64::from(*number)).collect())
    }
}
