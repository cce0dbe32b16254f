//! The Open Inference Protocol, version 2 (KServe, Triton, MLServer, OpenVINO): tensors to and from a
//! server, as JSON or, where the server knows that extension, as bytes behind the JSON.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::super::tensor::{Batch, Model, Pixels, Tensor};
use super::client::{Answered, Client, quoted};
use crate::sdk::OptionError;

/// The element type of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Datatype {
    /// Floating point numbers.
    #[default]
    Fp32,
    /// The values of pixels as they are.
    Uint8,
}

/// Options of the Open Inference Protocol.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OipOptions {
    /// `oip`: the version of the model; the server's choice unless it is given.
    version: Option<String>,
    /// `oip`: the name of the input tensor.
    input: String,
    /// `oip`: its element type, `fp32` or `uint8`.
    datatype: Datatype,
    /// `oip`: whether tensors travel as bytes behind the JSON, which fewer servers understand.
    binary: bool,
}

impl Default for OipOptions {
    fn default() -> Self {
        OipOptions {
            version: None,
            input: "input".to_owned(),
            datatype: Datatype::Fp32,
            binary: false,
        }
    }
}

impl OipOptions {
    /// Whether the input is bytes.
    pub(super) fn bytes(&self) -> bool {
        self.datatype == Datatype::Uint8
    }
}

/// A model behind a server.
pub(super) struct OipModel {
    client: Arc<Client>,
    path: String,
    input: String,
    binary: bool,
}

impl OipModel {
    pub(super) fn new(
        client: Arc<Client>,
        model: &str,
        options: &OipOptions,
    ) -> Result<OipModel, Vec<OptionError>> {
        let fits = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !text.is_empty() && text.chars().all(plain)
        };
        let mut errors = Vec::new();
        if !fits(model) {
            let message = "the name of a model expected, of letters, digits, -, _ and .";
            errors.push(OptionError::new("model", message));
        }
        let version = match &options.version {
            Some(version) if !fits(version) => {
                errors.push(OptionError::new("version", "letters and digits expected"));
                String::new()
            }
            Some(version) => format!("/versions/{version}"),
            None => String::new(),
        };
        if options.input.is_empty() {
            errors.push(OptionError::new("input", "the name of a tensor expected"));
        }
        match errors.is_empty() {
            true => Ok(OipModel {
                client,
                path: format!("/v2/models/{model}{version}/infer"),
                input: options.input.clone(),
                binary: options.binary,
            }),
            false => Err(errors),
        }
    }

    /// The body of a request, and the length of its JSON where bytes follow.
    fn request(&self, batch: &Batch) -> Result<(Vec<u8>, Option<usize>), String> {
        let datatype = match batch.pixels {
            Pixels::F32(_) => "FP32",
            Pixels::U8(_) => "UINT8",
        };
        let mut input = json!({"name": self.input, "shape": batch.shape, "datatype": datatype});
        if !self.binary {
            input["data"] = match &batch.pixels {
                Pixels::F32(values) => json!(values),
                Pixels::U8(values) => json!(values),
            };
            let body = serde_json::to_vec(&json!({"inputs": [input]}));
            return Ok((body.map_err(|error| error.to_string())?, None));
        }
        let bytes = match &batch.pixels {
            Pixels::F32(values) => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Pixels::U8(values) => values.clone(),
        };
        input["parameters"] = json!({"binary_data_size": bytes.len()});
        let head = json!({"inputs": [input], "parameters": {"binary_data_output": true}});
        let mut body = serde_json::to_vec(&head).map_err(|error| error.to_string())?;
        let length = body.len();
        body.extend(bytes);
        Ok((body, Some(length)))
    }
}

impl Model for OipModel {
    fn run(&self, batch: &Batch) -> Result<Vec<Tensor>, String> {
        let (body, length) = self.request(batch)?;
        let length = length.map(|length| length.to_string());
        let kind = match length {
            Some(_) => "application/octet-stream",
            None => "application/json",
        };
        let mut headers = vec![("Content-Type", kind)];
        headers.extend(
            length
                .as_deref()
                .map(|length| ("Inference-Header-Content-Length", length)),
        );
        let answer = self.client.post(&self.path, &body, &headers)?;
        tensors(&answer).map_err(|message| {
            self.client.counters.failure();
            format!("the answer to {} cannot be used: {message}", self.path)
        })
    }
}

#[derive(Deserialize)]
struct Response {
    outputs: Vec<OutputTensor>,
}

#[derive(Deserialize)]
struct OutputTensor {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    data: Option<Json>,
    #[serde(default)]
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    #[serde(default)]
    binary_data_size: Option<usize>,
}

/// The tensors of an answer.
fn tensors(answer: &Answered) -> Result<Vec<Tensor>, String> {
    let (head, mut bytes) = match answer.json_length {
        Some(length) => answer
            .body
            .split_at_checked(length)
            .ok_or("it is shorter than its header says")?,
        None => (&answer.body[..], &[][..]),
    };
    let response: Response =
        serde_json::from_slice(head).map_err(|error| format!("{error} in \"{}\"", quoted(head)))?;
    let mut tensors = Vec::new();
    for output in response.outputs {
        let binary = output
            .parameters
            .and_then(|parameters| parameters.binary_data_size);
        let data = match (output.data, binary) {
            (Some(data), _) => {
                let mut numbers = Vec::new();
                flatten(&data, &mut numbers)?;
                numbers
            }
            (None, Some(size)) => {
                let (own, rest) = bytes
                    .split_at_checked(size)
                    .ok_or_else(|| format!("the bytes of \"{}\" are missing", output.name))?;
                bytes = rest;
                numbers(own, &output.datatype)?
            }
            (None, None) => return Err(format!("the output \"{}\" has no data", output.name)),
        };
        let expected = output
            .shape
            .iter()
            .try_fold(1_usize, |all, size| all.checked_mul(*size));
        if expected != Some(data.len()) {
            return Err(format!(
                "the output \"{}\" has {} numbers for the shape {:?}",
                output.name,
                data.len(),
                output.shape
            ));
        }
        tensors.push(Tensor {
            name: output.name,
            shape: output.shape,
            data,
        });
    }
    Ok(tensors)
}

/// Numbers in a list, or in lists in lists.
fn flatten(data: &Json, numbers: &mut Vec<f32>) -> Result<(), String> {
    match data {
        Json::Array(items) => items.iter().try_for_each(|item| flatten(item, numbers)),
        Json::Number(number) => {
            numbers.push(number.as_f64().unwrap_or(f64::NAN) as f32);
            Ok(())
        }
        Json::Bool(yes) => {
            numbers.push(f32::from(u8::from(*yes)));
            Ok(())
        }
        other => Err(format!("{other} stands where a number belongs")),
    }
}

/// Numbers of a type in little-endian bytes.
fn numbers(bytes: &[u8], datatype: &str) -> Result<Vec<f32>, String> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes
            .as_chunks::<N>()
            .0
            .iter()
            .map(|chunk| read(*chunk))
            .collect()
    }
    Ok(match datatype {
        "FP32" => each(bytes, f32::from_le_bytes),
        "FP64" => each(bytes, |chunk| f64::from_le_bytes(chunk) as f32),
        "INT64" => each(bytes, |chunk| i64::from_le_bytes(chunk) as f32),
        "INT32" => each(bytes, |chunk| i32::from_le_bytes(chunk) as f32),
        "UINT8" | "BOOL" => each(bytes, |chunk| f32::from(u8::from_le_bytes(chunk))),
        other => return Err(format!("tensors of {other} are not read")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &[u8], json_length: Option<usize>) -> Answered {
        Answered {
            body: body.to_vec(),
            json_length,
        }
    }

    #[test]
    fn answers_in_json_and_in_bytes() {
        let nested = br#"{"outputs": [{"name": "y", "shape": [2, 2], "datatype": "FP32", "data": [[1, 2.5], [true, 4]]}]}"#;
        let expected = Tensor {
            name: "y".to_owned(),
            shape: vec![2, 2],
            data: vec![1.0, 2.5, 1.0, 4.0],
        };
        let expected = [expected];
        assert_eq!(tensors(&answer(nested, None)).unwrap(), expected);
        let head = br#"{"outputs": [{"name": "y", "shape": [2, 2], "datatype": "FP64", "parameters": {"binary_data_size": 32}}]}"#;
        let mut body = head.to_vec();
        body.extend(
            [1.0_f64, 2.5, 1.0, 4.0]
                .iter()
                .flat_map(|n| n.to_le_bytes()),
        );
        assert_eq!(tensors(&answer(&body, Some(head.len()))).unwrap(), expected);
        body.pop();
        let missing = tensors(&answer(&body, Some(head.len()))).unwrap_err();
        assert_eq!(missing, "the bytes of \"y\" are missing");
    }

    #[test]
    fn answers_that_are_none_are_told() {
        let said = |body: &str| tensors(&answer(body.as_bytes(), None)).unwrap_err();
        assert_eq!(
            said(r#"{"outputs": [{"name": "y", "shape": [3], "datatype": "FP32", "data": [1]}]}"#),
            "the output \"y\" has 1 numbers for the shape [3]"
        );
        assert_eq!(
            said(
                r#"{"outputs": [{"name": "y", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}"#
            ),
            "\"a\" stands where a number belongs"
        );
        assert!(said("<html>").ends_with("in \"<html>\""));
        assert_eq!(
            tensors(&answer(b"{}", Some(9))).unwrap_err(),
            "it is shorter than its header says"
        );
    }
}
