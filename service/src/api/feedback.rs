//! What people say of an event while it runs: thumbs, segments that are marked, trimmed or named, observations, and what
//! replays are to weigh. Lines are checked before any of them is taken.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use matchcut_model::lines::parse_told;
use serde_json::{Value, json};

use super::{Named, Problem, blocking};
use crate::context::App;

/// `POST /events/ID/feedback`.
pub async fn say(State(app): State<App>, named: Named, body: Bytes) -> Result<Response, Problem> {
    let number = check(&body)?;
    blocking(&app, move |runs| Ok(runs.say(&named.id, &body)?)).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "lines": number }))).into_response())
}

/// How many lines say something; every one that is wrong otherwise.
fn check(body: &[u8]) -> Result<usize, Problem> {
    let (mut number, mut errors) = (0, Vec::new());
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        match parse_told(line) {
            Ok(told) => number += usize::from(told.is_some()),
            Err(problem) => errors.push(json!({
                "message": problem.to_string(),
                "line": index + 1,
                "column": 1,
                "hint": Value::Null,
            })),
        }
    }
    match errors.is_empty() {
        true if number == 0 => Err(Problem::bad_request(
            "the body says nothing: one JSON object a line",
        )),
        true => Ok(number),
        false => Err(Problem::of_lines(errors)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lines_are_right_or_none_is_taken() {
        let good = br#"{"start": 44.72, "feedback": "like"}"#;
        assert_eq!(check(good).ok(), Some(1));
        let two = [good.as_slice(), b"\n\n", good, b"\n"].concat();
        assert_eq!(check(&two).ok(), Some(2));
        assert!(check(b"\n").is_err());
        assert!(check(&[good.as_slice(), b"\n{"].concat()).is_err());
    }
}
