//! What people say of an event: thumbs, segments that are marked, trimmed or named, observations, what replays are to
//! weigh, and which there are to be. Lines are checked before any of them is taken.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use matchcut_dataflow::spec::AskedReplay;
use matchcut_model::lines::{Told, parse_told};
use serde_json::{Map, Value, json};

use super::{Named, Problem, blocking};
use crate::context::App;
use crate::runs::spec::{self, BadSpec};

/// `POST /events/ID/feedback`.
pub async fn say(State(app): State<App>, named: Named, body: Bytes) -> Result<Response, Problem> {
    let number = blocking(&app, move |runs| {
        let run = runs.get(&named.id)?;
        let dir = runs.dir(&named.id);
        let number = check(&body, |name, table| {
            let asked = AskedReplay::from_json(name, table)?;
            let checked = spec::replay(&run.spec, &dir, &asked);
            checked.map(drop).map_err(|error| match error {
                BadSpec::Found(found) => found.iter().next().map_or_else(String::new, |found| {
                    format!("replay \"{name}\": {}", found.message)
                }),
                error => error.to_string(),
            })
        })?;
        runs.say(&named.id, &body)?;
        Ok(number)
    });
    let number = number.await?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "lines": number }))).into_response())
}

/// How many lines say something; every one that is wrong otherwise. `ask` says what is wrong with a replay that is
/// asked for.
fn check(
    body: &[u8],
    ask: impl Fn(&str, &Map<String, Value>) -> Result<(), String>,
) -> Result<usize, Problem> {
    let (mut number, mut errors) = (0, Vec::new());
    for (index, line) in body.split(|byte| *byte == b'\n').enumerate() {
        let told = parse_told(line).map_err(|problem| problem.to_string());
        let checked = told.and_then(|told| match told {
            Some(Told::Asked(name, table)) => ask(&name, &table).map(|()| 1),
            told => Ok(usize::from(told.is_some())),
        });
        match checked {
            Ok(one) => number += one,
            Err(message) => errors.push(json!({
                "message": message,
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
    #[test]
    fn all_lines_are_right_or_none_is_taken() {
        let check = |body: &[u8]| {
            super::check(body, |name, _| match name {
                "late" => Ok(()),
                other => Err(format!("{other} is no name")),
            })
        };
        let good = br#"{"start": 44.72, "feedback": "like"}"#;
        assert_eq!(check(good).ok(), Some(1));
        let two = [good.as_slice(), b"\n\n", good, b"\n"].concat();
        assert_eq!(check(&two).ok(), Some(2));
        assert!(check(b"\n").is_err());
        let ask = |name: &str| check(format!("{{\"replay\":\"{name}\",\"ask\":{{}}}}").as_bytes());
        assert_eq!(ask("late").ok(), Some(1));
        assert!(ask("../late").is_err());
        assert!(check(&[good.as_slice(), b"\n{"].concat()).is_err());
    }
}
