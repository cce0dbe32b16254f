//! What a client is told when something does not work: a status, and `{"Code", "Message"}` as MRE's
//! services write it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::runs::RunsError;
use crate::store::StoreError;

/// The kinds of errors, each with its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request is wrong.
    BadRequest,
    /// The token that was presented is not accepted.
    Unauthorized,
    /// Who asks is not known, or may not.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// There is such a path, but not for this method.
    MethodNotAllowed,
    /// The body did not come in time.
    Timeout,
    /// Something of this name is there already.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// It is asked too often.
    TooMany,
    /// What is needed is not there at the moment.
    Unavailable,
    /// What MRE says of everything else that a handler expects to fail.
    View,
    /// What MRE says where a handler itself fails.
    Internal,
}

/// An error that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// What kind.
    pub kind: Kind,
    /// For people.
    pub message: String,
}

impl Kind {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Kind::BadRequest => StatusCode::BAD_REQUEST,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Timeout => StatusCode::REQUEST_TIMEOUT,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::View | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `Code` of the answer.
    pub fn code(self) -> &'static str {
        match self {
            Kind::BadRequest => "BadRequestError",
            Kind::Unauthorized => "UnauthorizedError",
            Kind::TooMany => "TooManyRequestsError",
            Kind::Unavailable => "ServiceUnavailableError",
            Kind::Forbidden => "ForbiddenError",
            Kind::NotFound => "NotFoundError",
            Kind::MethodNotAllowed => "MethodNotAllowedError",
            Kind::Timeout => "RequestTimeoutError",
            Kind::Conflict => "ConflictError",
            Kind::TooLarge => "PayloadTooLargeError",
            Kind::View => "ChaliceViewError",
            Kind::Internal => "InternalServerError",
        }
    }
}

impl ApiError {
    fn new(kind: Kind, message: impl Into<String>) -> ApiError {
        let message = message.into();
        ApiError { kind, message }
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        Self::new(Kind::BadRequest, message)
    }

    /// 401.
    pub fn unauthorized(message: impl Into<String>) -> ApiError {
        Self::new(Kind::Unauthorized, message)
    }

    /// 429.
    pub fn too_many() -> ApiError {
        Self::new(Kind::TooMany, "Too Many Requests")
    }

    /// 503.
    pub fn unavailable(message: impl Into<String>) -> ApiError {
        Self::new(Kind::Unavailable, message)
    }

    /// 403.
    pub fn forbidden(message: impl Into<String>) -> ApiError {
        Self::new(Kind::Forbidden, message)
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> ApiError {
        Self::new(Kind::NotFound, message)
    }

    /// 405.
    pub fn method_not_allowed() -> ApiError {
        Self::new(
            Kind::MethodNotAllowed,
            "This path does not know this method",
        )
    }

    /// 408.
    pub fn timeout() -> ApiError {
        Self::new(
            Kind::Timeout,
            "The body of the request did not come in time",
        )
    }

    /// 409.
    pub fn conflict(message: impl Into<String>) -> ApiError {
        Self::new(Kind::Conflict, message)
    }

    /// 413.
    pub fn too_large(limit: usize) -> ApiError {
        let message = format!("Payload Too Large: a body holds at most {limit} bytes");
        Self::new(Kind::TooLarge, message)
    }

    /// 500 with a message of its own.
    pub fn view(message: impl Into<String>) -> ApiError {
        Self::new(Kind::View, message)
    }

    /// 500 of which a client learns nothing.
    pub fn internal() -> ApiError {
        Self::new(Kind::Internal, "An internal server error occurred.")
    }
}

impl From<StoreError> for ApiError {
    /// What failed is for the log of the server: it names files.
    fn from(error: StoreError) -> ApiError {
        tracing::error!(%error, "the store failed");
        ApiError::internal()
    }
}

impl From<RunsError> for ApiError {
    fn from(error: RunsError) -> ApiError {
        match error {
            RunsError::Store(error) => error.into(),
            error => ApiError::view(error.to_string()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = json!({ "Code": self.kind.code(), "Message": self.message });
        (self.kind.status(), Json(body)).into_response()
    }
}
