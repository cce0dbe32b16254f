//! Operators that run what others made: other programs, models in this process, servers that run models,
//! sandboxed components. What they say is checked like everything that comes from outside. What they share
//! (pictures as tensors, what tensors say) stands here; each kind has a directory of its own.

mod batches;
mod http;
#[cfg(feature = "lambda")]
mod lambda;
mod onnx;
mod output;
mod picture;
#[cfg(feature = "lambda")]
mod plugin;
mod process;
mod shots;
mod speech;
mod tensor;
mod transcribe;
#[cfg(feature = "wasm")]
mod wasm;

pub(crate) use http::{Endpoint, HttpInference};
pub use http::{Usage, usage};
#[cfg(feature = "lambda")]
pub(crate) use lambda::Lambda;
pub(crate) use onnx::Onnx;
#[cfg(feature = "lambda")]
pub(crate) use plugin::Plugin;
pub(crate) use process::Process;
pub use process::end_all;
pub(crate) use shots::Shots;
pub(crate) use speech::Speech;
pub(crate) use transcribe::Transcribe;
#[cfg(feature = "wasm")]
pub(crate) use wasm::Wasm;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sdk::{OptionError, Options, options_of, parse_options};

/// Takes the options that `T` has out of `rest` and reads them. Several structs share the options of one
/// operator in this way; who reads the last of them refuses what is left.
fn take<T>(rest: &mut Options, errors: &mut Vec<OptionError>) -> T
where
    T: JsonSchema + Default + Serialize + DeserializeOwned,
{
    let mut own = Options::new();
    for option in options_of::<T>() {
        if let Some(value) = rest.remove(&option.name) {
            own.insert(option.name, value);
        }
    }
    parse_options(&own).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        T::default()
    })
}
