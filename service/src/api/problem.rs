//! What a client of our own API is told when something does not work: problem details (RFC 9457).

use std::path::Path;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use matchcut_dataflow::plan::PlanError;
use matchcut_dataflow::spec::{Diagnostic, Diagnostics, Severity};
use serde_json::{Value, json};

use crate::errors::ApiError;
use crate::runs::RunsError;
use crate::runs::spec::BadSpec;
use crate::store::StoreError;

/// An error that is sent.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    errors: Vec<Value>,
}

impl Problem {
    /// A status, and a sentence for people.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            status,
            detail: detail.into(),
            errors: Vec::new(),
        }
    }

    /// 400.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// 500 of which a client learns nothing; what failed is for the log.
    pub fn internal(error: &dyn std::fmt::Display) -> Problem {
        tracing::error!(%error, "a request failed");
        let detail = "An internal server error occurred.";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// 422: what is wrong with a spec for an event whose directory would be `dir`, which no client is told.
    pub fn of_spec(error: &BadSpec, dir: &Path) -> Problem {
        let mut problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            error
                .to_string()
                .replace(&format!("{}/", dir.display()), ""),
        );
        problem.errors = match error {
            BadSpec::Found(found) => {
                problem.detail = "The spec is wrong.".to_owned();
                findings(found, Severity::Error)
            }
            BadSpec::Plan(PlanError::Options { errors, .. }) => {
                let one = |error: &_| json!({ "message": format!("{error}") });
                errors.iter().map(one).collect()
            }
            _ => Vec::new(),
        };
        problem
    }
}

impl Problem {
    /// 422: lines that are wrong, by their places.
    pub fn of_lines(errors: Vec<Value>) -> Problem {
        let detail = "Some lines are wrong; none was taken.";
        let mut problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
        problem.errors = errors;
        problem
    }
}

/// Findings in a spec, by their places.
pub fn findings(found: &Diagnostics, severity: Severity) -> Vec<Value> {
    findings_if(found, |found| found.severity == severity)
}

/// Those of them that are wanted.
pub fn findings_if(found: &Diagnostics, wanted: impl Fn(&Diagnostic) -> bool) -> Vec<Value> {
    let one = |found: &Diagnostic| {
        json!({
            "message": found.message,
            "line": found.line,
            "column": found.column,
            "hint": found.hint,
        })
    };
    found
        .iter()
        .filter(|found| wanted(found))
        .map(one)
        .collect()
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Problem {
        Problem::new(error.kind.status(), error.message)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        if error.is_full() {
            tracing::error!(%error, "the disk of the service is full");
            let detail = "The disk of the service is full. Free space and ask again.";
            return Problem::new(StatusCode::INSUFFICIENT_STORAGE, detail);
        }
        Problem::internal(&error)
    }
}

impl From<RunsError> for Problem {
    fn from(error: RunsError) -> Problem {
        let error = match error {
            RunsError::Store(error) => return error.into(),
            error => error,
        };
        let status = match &error {
            RunsError::Unknown(_) => StatusCode::NOT_FOUND,
            RunsError::Taken(_) | RunsError::State { .. } => StatusCode::CONFLICT,
            RunsError::OtherRequest => StatusCode::UNPROCESSABLE_ENTITY,
            RunsError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            RunsError::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.errors.is_empty() {
            body["errors"] = Value::Array(self.errors);
        }
        let headers = [(CONTENT_TYPE, "application/problem+json")];
        (self.status, headers, body.to_string()).into_response()
    }
}
