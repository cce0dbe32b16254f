//! The one thing of AWS Systems Manager that MRE's clients ask for: where the two planes are. So a client finds this
//! server by `AWS_ENDPOINT_URL` alone.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::context::{App, Shared};
use crate::errors::{ApiError, Kind};
use crate::planes;

/// The parameters that there are, and the plane of each.
const PARAMETERS: [(&str, &str); 2] = [
    ("/MRE/ControlPlane/EndpointURL", "controlplane"),
    ("/MRE/DataPlane/EndpointURL", "dataplane"),
];

/// `POST /`.
pub async fn answer(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|t| t.to_str().ok());
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return error("SerializationException", "The body is not JSON");
    };
    let base = base(&app, &headers);
    let region = region(&headers);
    let place = |plane: &str| planes::address(&base, plane, region);
    match target {
        Some("AmazonSSM.GetParameters") => match parameters(&place, &asked) {
            Some(found) => amz_json(StatusCode::OK, &found),
            None => error("ValidationException", "Names is not a list of texts"),
        },
        Some("AmazonSSM.GetParameter") => match asked.get("Name").and_then(Value::as_str) {
            Some(name) => match parameter(&place, name) {
                Some(found) => amz_json(StatusCode::OK, &json!({ "Parameter": found })),
                None => error("ParameterNotFound", ""),
            },
            None => error("ValidationException", "Name is not a text"),
        },
        _ => error("UnknownOperationException", ""),
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

fn parameters(place: &dyn Fn(&str) -> String, asked: &Value) -> Option<Value> {
    let names = asked.get("Names")?.as_array()?;
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in names {
        let name = name.as_str()?;
        match parameter(place, name) {
            Some(parameter) => found.push(parameter),
            None => invalid.push(name),
        }
    }
    Some(json!({ "Parameters": found, "InvalidParameters": invalid }))
}

fn parameter(place: &dyn Fn(&str) -> String, name: &str) -> Option<Value> {
    let (_, plane) = PARAMETERS.into_iter().find(|(known, _)| *known == name)?;
    Some(json!({
        "Name": name,
        "Type": "String",
        "Value": place(plane),
        "Version": 1,
        "DataType": "text",
    }))
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

    #[test]
    fn addresses_end_in_a_slash_and_other_names_are_invalid() {
        let asked =
            json!({ "Names": ["/MRE/DataPlane/EndpointURL", "/x"], "WithDecryption": true });
        let place = |plane: &str| format!("http://localhost:1/{plane}/");
        let found = parameters(&place, &asked).unwrap();
        assert_eq!(
            found["Parameters"][0]["Value"],
            "http://localhost:1/dataplane/"
        );
        assert_eq!(found["InvalidParameters"], json!(["/x"]));
        assert_eq!(parameters(&place, &json!({ "Names": [1] })), None);
        assert_eq!(parameters(&place, &json!({})), None);
    }
}
