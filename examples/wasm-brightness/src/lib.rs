//! Mean luma of small gray pictures, 5 a second: `luma` from 0 to 255, and `dark` below 40. The option
//! `dark` is another threshold.

wit_bindgen::generate!({
    path: "../../operators/wit",
    world: "operator",
});

use std::cell::Cell;

use matchcut::operator::types::{Attribute, AttributeKind, PixelFormat, Value, View};

struct Brightness;

thread_local! {
    /// The threshold of the chunk that is looked at.
    static DARK: Cell<f64> = const { Cell::new(40.0) };
}

/// Reads `{}` or `{"dark": NUMBER}`: an object with one number needs no library.
fn threshold(options: &str) -> Result<f64, String> {
    let inside = options
        .trim()
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let inside = inside.ok_or("an object expected")?.trim();
    if inside.is_empty() {
        return Ok(40.0);
    }
    let number = inside
        .strip_prefix("\"dark\"")
        .and_then(|text| text.trim_start().strip_prefix(':'));
    let number = number.ok_or("the only option is \"dark\"")?.trim();
    number
        .parse()
        .map_err(|_| format!("\"dark\": a number expected, this is {number}"))
}

impl Guest for Brightness {
    fn describe(options: String) -> Result<Description, String> {
        threshold(&options)?;
        let attribute = |name: &str, kind, description: &str| Attribute {
            name: name.to_owned(),
            kind,
            description: description.to_owned(),
        };
        Ok(Description {
            view: View {
                width: 64,
                height: 36,
                format: PixelFormat::Gray,
                rate: Some((5, 1)),
            },
            attributes: vec![
                attribute("luma", AttributeKind::Number, "mean luma, 0 to 255"),
                attribute("dark", AttributeKind::Boolean, "whether it is below the threshold"),
            ],
        })
    }

    fn start(options: String, _chunk: Chunk) -> Result<(), String> {
        DARK.set(threshold(&options)?);
        Ok(())
    }

    fn process_frame(frame: Frame) -> Result<Vec<Observation>, String> {
        let sum: u64 = frame.data.iter().map(|value| u64::from(*value)).sum();
        let luma = sum as f64 / frame.data.len().max(1) as f64;
        Ok(vec![Observation {
            start: frame.time,
            end: frame.time,
            attributes: vec![
                ("luma".to_owned(), Value::Number((luma * 100.0).round() / 100.0)),
                ("dark".to_owned(), Value::Boolean(luma < DARK.get())),
            ],
        }])
    }

    fn finish() -> Result<Vec<Observation>, String> {
        Ok(Vec::new())
    }
}

export!(Brightness);
