//! Context variables of an event. Whoever has read them changes them under the condition that nobody else has meanwhile: a
//! tag says what was read, and `If-Match` what must still hold.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Named, Problem};
use crate::context::App;
use crate::store::variables;

/// The longest name, in letters, and how many there may be.
const LONGEST_NAME: usize = 150;
const MOST: usize = 1000;

type Variables = Map<String, Value>;

/// `GET /events/ID/variables`.
pub async fn read(State(app): State<App>, named: Named) -> Result<Response, Problem> {
    change(app, named, None, |before| Ok(before.clone())).await
}

/// `PUT /events/ID/variables`.
pub async fn replace(
    State(app): State<App>,
    named: Named,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let given = given(&headers, &body)?;
    let wanted = condition(&headers)?;
    change(app, named, Some(wanted), move |_| Ok(given)).await
}

/// `PATCH /events/ID/variables`: null removes.
pub async fn merge(
    State(app): State<App>,
    named: Named,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let given = given(&headers, &body)?;
    let wanted = condition(&headers)?;
    change(app, named, Some(wanted), move |before| {
        let mut after = before.clone();
        after.extend(given);
        Ok(after)
    })
    .await
}

/// What must hold before something is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// Nothing.
    None,
    /// One of these tags is that of what is there.
    Tags(Vec<String>),
}

/// What `If-Match` says.
fn condition(headers: &HeaderMap) -> Result<Condition, Problem> {
    let mut tags = Vec::new();
    let mut any = true;
    for value in headers.get_all(IF_MATCH) {
        let wrong = |_| Problem::bad_request("If-Match is no list of tags");
        let value = value.to_str().map_err(wrong)?;
        any = false;
        for tag in value.split(',').map(str::trim) {
            if tag == "*" {
                return Ok(Condition::None);
            }
            tags.push(tag.to_owned());
        }
    }
    Ok(match any {
        true => Condition::None,
        false => Condition::Tags(tags),
    })
}

/// Changes variables, or reads them where there is no condition; what there is then, with its tag.
async fn change(
    app: App,
    named: Named,
    wanted: Option<Condition>,
    work: impl FnOnce(&Variables) -> Result<Variables, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let id = named.id;
    let done = tokio::task::spawn_blocking(move || {
        let database = &app.context.database;
        let missing = || Problem::not_found(format!("there is no event \"{id}\""));
        let Some(wanted) = wanted else {
            return database.read(|db| variables::get(db, &id)?.ok_or_else(missing));
        };
        database.write(|db| {
            let before = variables::get(db, &id)?.ok_or_else(missing)?;
            let tag = tag(&before);
            if let Condition::Tags(tags) = &wanted
                && !tags.contains(&tag)
            {
                let detail = format!("the variables have changed: their tag is {tag} now");
                return Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail));
            }
            let mut after = work(&before)?;
            after.retain(|_, value| !value.is_null());
            if after.len() > MOST {
                let detail = format!("an event has at most {MOST} variables");
                return Err(Problem::bad_request(detail));
            }
            variables::set(db, &id, &after)?;
            Ok(after)
        })
    });
    let after = done
        .await
        .unwrap_or_else(|error| Err(Problem::internal(&error)))?;
    Ok(([(ETAG, tag(&after))], Json(after)).into_response())
}

/// Says what variables hold, in whatever order they stand.
fn tag(variables: &Variables) -> String {
    let mut sorted: Vec<_> = variables.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut digest = Sha256::new();
    for (name, value) in sorted {
        for part in [name.clone(), value.to_string()] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
    }
    let digest = digest.finalize();
    let short = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
    format!("\"{}\"", short.collect::<String>())
}

/// The variables of a body.
fn given(headers: &HeaderMap, body: &[u8]) -> Result<Variables, Problem> {
    super::only_json(headers)?;
    let wrong = |error: String| Problem::bad_request(format!("the body is wrong: {error}"));
    let given: Variables =
        serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
    for (name, value) in &given {
        if !(1..=LONGEST_NAME).contains(&name.chars().count()) {
            let told = format!("the name of a variable has 1 to {LONGEST_NAME} letters");
            return Err(wrong(told));
        }
        if value.is_object() || value.is_array() {
            let told = format!("{name} is no text, number or boolean");
            return Err(wrong(told));
        }
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Variables {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_tag_says_what_variables_hold() {
        let one = tag(&of(r#"{"a":1,"b":"x"}"#));
        assert_eq!(one.len(), 34);
        assert_eq!(one, tag(&of(r#"{"b":"x","a":1}"#)));
        for other in [
            "{}",
            r#"{"a":1}"#,
            r#"{"a":"1","b":"x"}"#,
            r#"{"a":1,"bx":""}"#,
        ] {
            assert_ne!(one, tag(&of(other)), "{other}");
        }
    }

    #[test]
    fn a_condition_names_tags() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IF_MATCH, value.parse().unwrap());
            }
            condition(&headers).unwrap()
        };
        assert_eq!(of(&[]), Condition::None);
        assert_eq!(of(&["*"]), Condition::None);
        let tags = ["\"a\"", "\"b\"", "\"c\""].map(str::to_owned).to_vec();
        assert_eq!(of(&["\"a\", \"b\"", "\"c\""]), Condition::Tags(tags));
        assert_eq!(of(&[""]), Condition::Tags(vec![String::new()]));
    }
}
