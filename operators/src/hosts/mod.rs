//! Operators that run what others made: models in this process, servers that run models, sandboxed
//! components. What they share (pictures as tensors, what tensors say) stands here; each kind has a
//! directory of its own.

mod batches;
mod http;
mod onnx;
mod output;
mod picture;
mod speech;
mod tensor;
#[cfg(feature = "wasm")]
mod wasm;

pub(crate) use http::HttpInference;
pub use http::{Usage, usage};
pub(crate) use onnx::Onnx;
pub(crate) use speech::Speech;
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
