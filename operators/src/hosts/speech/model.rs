//! The model: it is given 512 samples with the 64 before them and what it remembers, and says how
//! probably somebody speaks and what it remembers now.

use super::super::onnx::{Given, Sessions};
use super::samples::float;

/// Samples of a window.
pub(super) const WINDOW: usize = 512;

/// Samples before a window that the model sees too.
const CONTEXT: usize = 64;

/// Numbers that the model remembers.
const MEMORY: usize = 2 * 128;

/// What the model knows of what it heard.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Memory {
    pub(super) numbers: Vec<f32>,
    /// The last samples of the window before.
    pub(super) context: Vec<i16>,
}

impl Default for Memory {
    fn default() -> Self {
        Memory {
            numbers: vec![0.0; MEMORY],
            context: vec![0; CONTEXT],
        }
    }
}

impl Memory {
    /// Whether it can have been written by this program.
    pub(super) fn is_whole(&self) -> bool {
        self.numbers.len() == MEMORY && self.context.len() == CONTEXT
    }
}

pub(super) struct Silero {
    sessions: Sessions,
    /// Whether the model can be told the rate.
    told_rate: bool,
}

impl Silero {
    /// Refuses a model that is another one.
    pub(super) fn new(sessions: Sessions) -> Result<Silero, String> {
        let has = |name: &str| sessions.inputs().iter().any(|input| input.name == name);
        let count = sessions.inputs().len();
        let told_rate = has("sr");
        let fits = has("input") && has("state") && count == 2 + usize::from(told_rate);
        if !fits || sessions.outputs().len() != 2 {
            let names = |infos: &[super::super::tensor::TensorInfo]| {
                let names: Vec<String> = infos.iter().map(ToString::to_string).collect();
                names.join(", ")
            };
            return Err(format!(
                "this is not Silero VAD 5 or 6, which takes \"input\", \"state\" and \"sr\" and has two outputs: \
                 this takes {} and has {}",
                names(sessions.inputs()),
                names(sessions.outputs())
            ));
        }
        Ok(Silero {
            sessions,
            told_rate,
        })
    }

    /// How probably somebody speaks in a window.
    pub(super) fn hear(&self, window: &[i16; WINDOW], memory: &mut Memory) -> Result<f64, String> {
        let samples: Vec<f32> = memory
            .context
            .iter()
            .chain(window)
            .copied()
            .map(float)
            .collect();
        let shape = [1, samples.len()];
        let mut inputs = vec![
            ("input", Given::Floats(&shape, &samples)),
            ("state", Given::Floats(&[2, 1, 128], &memory.numbers)),
        ];
        if self.told_rate {
            inputs.push(("sr", Given::Integer(16_000)));
        }
        let outputs = self.sessions.run(&inputs)?;
        let [probability, state] = &outputs[..] else {
            return Err(format!(
                "the model gave {} tensors instead of 2",
                outputs.len()
            ));
        };
        let (&[probability], MEMORY) = (&probability.data[..], state.data.len()) else {
            return Err(format!(
                "the model gave {} and {} numbers instead of 1 and {MEMORY}",
                probability.data.len(),
                state.data.len()
            ));
        };
        memory.numbers.clone_from(&state.data);
        memory.context = window[WINDOW - CONTEXT..].to_vec();
        Ok(f64::from(probability))
    }
}
