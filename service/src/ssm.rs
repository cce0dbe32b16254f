//! What MRE's clients ask of AWS Systems Manager: where the two planes are, so that a client finds this server by
//! `AWS_ENDPOINT_URL` alone, and parameters that an admin puts there, such as where engines of custom priorities are.

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rusqlite::Transaction;
use serde_json::{Value, json};

use crate::auth::Role;
use crate::context::{App, Shared};
use crate::errors::{ApiError, Kind};
use crate::planes;
use crate::store::{Database, StoreError, parameters};

/// The longest name and value of a parameter, in bytes, as at AWS.
const LONGEST_NAME: usize = 2048;
const LONGEST_VALUE: usize = 8192;

/// The parameters that there are, and the plane of each.
const PARAMETERS: [(&str, &str); 2] = [
    ("/MRE/ControlPlane/EndpointURL", "controlplane"),
    ("/MRE/DataPlane/EndpointURL", "dataplane"),
];

/// `POST /`.
pub async fn answer(
    State(app): State<App>,
    Extension(role): Extension<Role>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let target = headers.get("x-amz-target").and_then(|t| t.to_str().ok());
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return error("SerializationException", "The body is not JSON");
    };
    let base = base(&app, &headers);
    let region = region(&headers).map(str::to_owned);
    let action = target.and_then(|target| target.strip_prefix("AmazonSSM."));
    let Some(action) = action.map(str::to_owned) else {
        return error("UnknownOperationException", "");
    };
    let app = app.clone();
    let answered = tokio::task::spawn_blocking(move || {
        let place = |plane: &str| planes::address(&base, plane, region.as_deref());
        let shelf = Shelf {
            database: &app.context.database,
            place: &place,
        };
        shelf.answer(&action, &asked, role)
    });
    match answered.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failed)) => refusal(failed.into()),
        Err(_) => refusal(ApiError::internal()),
    }
}

/// The address of this server: the one that it was told to tell, else the one that the client has just used.
pub fn base(app: &Shared, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    match (&app.public_url, host) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(host)) => format!("{}://{host}", app.scheme),
        (None, None) => format!("{}://{}", app.scheme, app.listen),
    }
}

/// The region that a request was signed for.
fn region(headers: &HeaderMap) -> Option<&str> {
    let signed = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, scope) = signed.split_once("Credential=")?;
    scope.split('/').nth(2)
}

/// All parameters: those that this server is found by, and those that were put.
struct Shelf<'a> {
    database: &'a Database,
    place: &'a dyn Fn(&str) -> String,
}

/// What is wrong with a request.
fn invalid(message: &str) -> Response {
    error("ValidationException", message)
}

impl Shelf<'_> {
    fn answer(&self, action: &str, asked: &Value, role: Role) -> Result<Response, StoreError> {
        let name = asked.get("Name").and_then(Value::as_str);
        if action == "GetParameters" {
            return Ok(match self.several(asked)? {
                Some(found) => amz_json(StatusCode::OK, &found),
                None => invalid("Names is not a list of texts"),
            });
        }
        if !matches!(action, "GetParameter" | "PutParameter" | "DeleteParameter") {
            return Ok(error("UnknownOperationException", ""));
        }
        let Some(name) = name else {
            return Ok(invalid("Name is not a text"));
        };
        if action == "GetParameter" {
            return Ok(match self.one(name)? {
                Some(found) => amz_json(StatusCode::OK, &json!({ "Parameter": found })),
                None => error("ParameterNotFound", ""),
            });
        }
        if role < Role::Admin {
            let message = format!("{action} needs the role admin");
            return Ok(error("AccessDeniedException", &message));
        }
        if PARAMETERS.iter().any(|(known, _)| *known == name) {
            let message = format!("{name} is told by this server itself: see --public-url");
            return Ok(invalid(&message));
        }
        if action == "DeleteParameter" {
            let removed = self.database.write(|db| parameters::remove(db, name))?;
            return Ok(match removed {
                true => amz_json(StatusCode::OK, &json!({})),
                false => error("ParameterNotFound", ""),
            });
        }
        self.put(name, asked)
    }

    fn put(&self, name: &str, asked: &Value) -> Result<Response, StoreError> {
        let word = |key: &str| asked.get(key).and_then(Value::as_str);
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "_.-/".contains(letter);
        if !(1..=LONGEST_NAME).contains(&name.len()) || !name.chars().all(plain) {
            return Ok(invalid("Name has letters, digits and _ . - / alone"));
        }
        let kind = word("Type").unwrap_or("String");
        if kind != "String" {
            let message = "only parameters of Type String are kept; for what is secret there is matchcut secret set";
            return Ok(error("UnsupportedParameterType", message));
        }
        let value = word("Value").filter(|value| (1..=LONGEST_VALUE).contains(&value.len()));
        let Some(value) = value else {
            return Ok(invalid("Value is not a text of 1 to 8192 bytes"));
        };
        let overwrite = asked.get("Overwrite") == Some(&Value::Bool(true));
        let put = |db: &Transaction<'_>| parameters::put(db, name, (kind, value), overwrite);
        Ok(match self.database.write(put)? {
            Some(version) => {
                let told = json!({ "Version": version, "Tier": "Standard" });
                amz_json(StatusCode::OK, &told)
            }
            None => error(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ),
        })
    }

    fn several(&self, asked: &Value) -> Result<Option<Value>, StoreError> {
        let Some(names) = asked.get("Names").and_then(Value::as_array) else {
            return Ok(None);
        };
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for name in names {
            let Some(name) = name.as_str() else {
                return Ok(None);
            };
            match self.one(name)? {
                Some(parameter) => found.push(parameter),
                None => invalid.push(name),
            }
        }
        Ok(Some(
            json!({ "Parameters": found, "InvalidParameters": invalid }),
        ))
    }

    fn one(&self, name: &str) -> Result<Option<Value>, StoreError> {
        let fixed = PARAMETERS.into_iter().find(|(known, _)| *known == name);
        let (value, version) = match fixed {
            Some((_, plane)) => (json!((self.place)(plane)), json!(1)),
            None => match self.database.read(|db| parameters::get(db, name))? {
                Some(mut row) => (
                    row.remove("Value").unwrap_or_default(),
                    row.remove("Version").unwrap_or_default(),
                ),
                None => return Ok(None),
            },
        };
        Ok(Some(json!({
            "Name": name,
            "Type": "String",
            "Value": value,
            "Version": version,
            "DataType": "text",
        })))
    }
}

/// A refusal as clients of AWS's JSON services read it.
pub fn refusal(error: ApiError) -> Response {
    let name = match error.kind {
        Kind::Forbidden | Kind::Unauthorized => "AccessDeniedException",
        Kind::TooMany => "ThrottlingException",
        Kind::TooLarge => "RequestEntityTooLargeException",
        _ => "InternalServerError",
    };
    let body = json!({ "__type": name, "message": error.message });
    amz_json(error.kind.status(), &body)
}

fn error(name: &str, message: &str) -> Response {
    let body = json!({ "__type": name, "message": message });
    amz_json(StatusCode::BAD_REQUEST, &body)
}

fn amz_json(status: StatusCode, body: &Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/x-amz-json-1.1")];
    (status, headers, body.to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(response: Response) -> Value {
        let body = axum::body::to_bytes(response.into_body(), 1 << 16).await;
        serde_json::from_slice(&body.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn addresses_end_in_a_slash_and_other_names_are_invalid() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf {
            database: &Database::open(dir.path()).unwrap(),
            place: &|plane: &str| format!("http://localhost:1/{plane}/"),
        };
        let asked =
            json!({ "Names": ["/MRE/DataPlane/EndpointURL", "/x"], "WithDecryption": true });
        let found = shelf.several(&asked).unwrap().unwrap();
        assert_eq!(
            found["Parameters"][0]["Value"],
            "http://localhost:1/dataplane/"
        );
        assert_eq!(found["InvalidParameters"], json!(["/x"]));
        assert_eq!(shelf.several(&json!({ "Names": [1] })).unwrap(), None);
        assert_eq!(shelf.several(&json!({})).unwrap(), None);
    }

    #[tokio::test]
    async fn an_admin_puts_parameters() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = Shelf {
            database: &Database::open(dir.path()).unwrap(),
            place: &|plane: &str| plane.to_owned(),
        };
        let ask = async |action: &str, asked: Value| {
            told(shelf.answer(action, &asked, Role::Admin).unwrap()).await
        };
        let put = json!({ "Name": "/engine", "Value": "https://a/{game}", "Type": "String" });
        let viewer = shelf.answer("PutParameter", &put, Role::Operator).unwrap();
        assert_eq!(told(viewer).await["__type"], "AccessDeniedException");
        assert_eq!(ask("PutParameter", put.clone()).await["Version"], 1);
        let again = ask("PutParameter", put.clone()).await;
        assert_eq!(again["__type"], "ParameterAlreadyExists");
        let over = json!({ "Name": "/engine", "Value": "https://b/", "Overwrite": true });
        assert_eq!(ask("PutParameter", over).await["Version"], 2);
        let name = json!({ "Name": "/engine" });
        assert_eq!(
            ask("GetParameter", name.clone()).await["Parameter"],
            json!({ "Name": "/engine", "Type": "String", "Value": "https://b/", "Version": 2, "DataType": "text" })
        );
        for (wrong, kind) in [
            (
                json!({ "Name": "a b", "Value": "x" }),
                "ValidationException",
            ),
            (json!({ "Name": "a", "Value": "" }), "ValidationException"),
            (
                json!({ "Name": "/MRE/DataPlane/EndpointURL", "Value": "x", "Overwrite": true }),
                "ValidationException",
            ),
            (
                json!({ "Name": "a", "Value": "x", "Type": "SecureString" }),
                "UnsupportedParameterType",
            ),
        ] {
            assert_eq!(ask("PutParameter", wrong).await["__type"], kind);
        }
        assert_eq!(ask("DeleteParameter", name.clone()).await, json!({}));
        assert_eq!(
            ask("GetParameter", name).await["__type"],
            "ParameterNotFound"
        );
    }
}
