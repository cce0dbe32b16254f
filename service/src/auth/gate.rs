//! The gate before every route: reads the body, which signatures cover, finds out who asks, and lets
//! through who may.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;

use super::local::is_local;
use super::sigv4::{Authorization, Received, Refusal};
use super::{AdminKey, Role};
use crate::context::{App, Shared};
use crate::errors::ApiError;
use crate::planes::as_asked;
use crate::server::refusal;
use crate::ssm;
use crate::store::keys;

/// What is open to everybody: whether the server lives, and what it counts.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The services that clients sign for.
const SERVICES: [&str; 2] = ["execute-api", "ssm"];

/// What is said where nothing is presented.
const MISSING: &str = "Missing Authentication Token";

/// What is said of a key that is not known.
const UNKNOWN: &str = "The security token included in the request is invalid.";

/// Who may pass.
pub struct Gate {
    /// The key that the environment brings.
    pub admin: Option<AdminKey>,
    /// Whether requests without credentials are served to this machine.
    pub open_to_this_machine: bool,
}

/// Lets a request through, or does not.
pub async fn guard(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if OPEN.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
    let addresses = &app.context.addresses;
    match addresses.opens(request.method(), request.uri(), now) {
        Some(Ok(())) => return next.run(request).await,
        Some(Err(error)) => return refusal(request.uri().path(), error),
        None => {}
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let passed = async {
        let body = app.bodies.read(&parts.headers, body).await?;
        let shared = Arc::clone(&app);
        let asked = move || {
            let passed = check(&shared, &parts, &body, peer);
            passed.map(|role| {
                let mut request = Request::from_parts(parts, Body::from(body));
                request.extensions_mut().insert(role);
                request
            })
        };
        let checked = tokio::task::spawn_blocking(asked).await;
        checked.unwrap_or_else(|_| Err(ApiError::internal()))
    };
    match passed.await {
        Ok(request) => next.run(request).await,
        Err(error) if path == "/" => ssm::refusal(error),
        Err(error) => refusal(&path, error),
    }
}

/// The role of who asks, which suffices.
fn check(app: &Shared, parts: &Parts, body: &Bytes, peer: SocketAddr) -> Result<Role, ApiError> {
    let path = parts.uri.path();
    let role = match parts.headers.get(AUTHORIZATION) {
        Some(header) => {
            let header = header.to_str().map_err(|_| refuse(Refusal::Malformed))?;
            signer(app, header, parts, body)?
        }
        None if app.gate.open_to_this_machine && is_local(peer, &parts.headers) => Role::Admin,
        None => return Err(ApiError::forbidden(MISSING)),
    };
    let needed = Role::needed(&parts.method, path);
    match role >= needed {
        true => Ok(role),
        false => Err(ApiError::forbidden(format!(
            "This access key has the role {role}, and {} {path} needs {needed}",
            parts.method
        ))),
    }
}

/// The role of the key that signed.
fn signer(app: &Shared, header: &str, parts: &Parts, body: &Bytes) -> Result<Role, ApiError> {
    let authorization = Authorization::parse(header).map_err(refuse)?;
    if !SERVICES.contains(&&*authorization.service) {
        let service = &authorization.service;
        return Err(ApiError::forbidden(format!(
            "The credential is for the service {service}, and this is execute-api"
        )));
    }
    let id = &authorization.key_id;
    let (secret, role) = match &app.gate.admin {
        Some(admin) if admin.id == *id => (admin.secret.clone(), Role::Admin),
        _ => {
            let found = app.context.database.read(|db| keys::get(db, id))?;
            let found = found.ok_or_else(|| ApiError::forbidden(UNKNOWN))?;
            let role = found.role.parse().map_err(|_| ApiError::internal())?;
            (found.secret, role)
        }
    };
    let received = Received {
        method: &parts.method,
        path: as_asked(&parts.extensions).unwrap_or(parts.uri.path()),
        query: parts.uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body,
    };
    let verified = authorization.verify(&received, &secret, Timestamp::now());
    verified.map(|()| role).map_err(refuse)
}

fn refuse(refusal: Refusal) -> ApiError {
    ApiError::forbidden(refusal.to_string())
}
