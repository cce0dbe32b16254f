//! The gate before every route: reads the body, which signatures cover, finds out who asks and how often, lets
//! through who may, and has logged what was changed and who was refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use jsonwebtoken::Algorithm;

use super::bearer::{self, BadToken};
use super::local::is_local;
use super::sigv4::{Authorization, Received, Refusal};
use super::{AdminKey, Bearer, Oidc, Role};
use crate::audit::Entry;
use crate::context::{App, Shared};
use crate::errors::ApiError;
use crate::planes::as_asked;
use crate::server::refusal;
use crate::ssm;
use crate::store::keys;
use crate::tls::Peer;

/// What is open to everybody: whether the server lives, and what it counts.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The services that clients sign for.
const SERVICES: [&str; 2] = ["execute-api", "ssm"];

/// What is said where nothing is presented.
const MISSING: &str = "Missing Authentication Token";

/// What is said of a key that is not known.
const UNKNOWN: &str = "The security token included in the request is invalid.";

/// Who asks where nothing has to be presented.
const THIS_MACHINE: &str = "this machine";

/// Who may pass.
pub struct Gate {
    /// The key that the environment brings.
    pub admin: Option<AdminKey>,
    /// Whether requests without credentials are served to this machine.
    pub open_to_this_machine: bool,
    /// Who checks tokens that are signed with a shared secret.
    pub jwt: Option<Bearer>,
    /// Who checks tokens of an issuer.
    pub oidc: Option<Oidc>,
}

/// Who asks, as far as it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The id of a key, or the subject of a token.
    pub who: String,
    /// What is allowed.
    pub role: Role,
}

/// Why a request does not pass.
struct Refused {
    error: ApiError,
    /// Who asked, or says so.
    who: String,
    /// Whether what was presented is wrong.
    wrong: bool,
    /// How long to wait.
    wait: Option<Duration>,
    /// Whether it is logged.
    logged: bool,
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        Refused {
            error,
            who: "-".to_owned(),
            wrong: false,
            wait: None,
            logged: false,
        }
    }
}

impl Refused {
    fn wrong(error: ApiError, who: &str) -> Refused {
        Refused {
            who: who.to_owned(),
            wrong: true,
            logged: true,
            ..error.into()
        }
    }

    fn too_many(wait: Duration) -> Refused {
        Refused {
            wait: Some(wait),
            ..ApiError::too_many().into()
        }
    }
}

/// What is asked, for the log.
#[derive(Clone)]
struct Asked {
    method: Method,
    /// A look-up of parameters, which goes by POST.
    looks_up: bool,
    path: String,
    peer: SocketAddr,
}

impl Asked {
    /// Whether something may be other than before.
    fn changes(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD) && !self.looks_up
    }

    fn note(&self, app: &Shared, who: &str, role: Option<Role>, status: StatusCode) {
        app.audit.note(&Entry {
            who,
            role: role.map(Role::name),
            method: self.method.as_str(),
            path: &self.path,
            status: status.as_u16(),
            address: self.peer.ip(),
        });
    }
}

/// Lets a request through, or does not.
pub async fn guard(
    State(app): State<App>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
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
    let target = parts.headers.get("x-amz-target").map(HeaderValue::as_bytes);
    let asked = Asked {
        method: parts.method.clone(),
        looks_up: parts.uri.path() == "/"
            && target.is_some_and(|target| target.starts_with(b"AmazonSSM.Get")),
        path: parts.uri.path().to_owned(),
        peer,
    };
    let passed = async {
        if parts.headers.contains_key(AUTHORIZATION) {
            app.limits.may_try(peer).map_err(Refused::too_many)?;
        }
        let body = app.bodies.read(&parts.headers, body).await?;
        let waits = asked.changes() || parts.headers.contains_key(AUTHORIZATION);
        let (shared, asked) = (Arc::clone(&app), asked.clone());
        let check = move || {
            let caller = check(&shared, &parts, &body, peer)?;
            shared
                .limits
                .known(&caller.who)
                .map_err(Refused::too_many)?;
            if asked.changes() && !shared.audit.is_ready() {
                let message = "Nothing can be changed while the audit log cannot be written";
                return Err(ApiError::unavailable(message).into());
            }
            let mut request = Request::from_parts(parts, Body::from(body));
            request.extensions_mut().insert(caller.role);
            Ok((caller, request))
        };
        // A signature may have to be looked up, and the log to be written; else there is nothing to wait for.
        if !waits {
            return check();
        }
        let checked = tokio::task::spawn_blocking(check).await;
        checked.unwrap_or_else(|_| Err(ApiError::internal().into()))
    };
    match passed.await {
        Ok((_, request)) if !asked.changes() => next.run(request).await,
        Ok((caller, request)) => {
            // Also when who asked does not wait for the answer: what is changed is logged.
            let changed = tokio::spawn(async move {
                let response = next.run(request).await;
                let status = response.status();
                let noted = tokio::task::spawn_blocking(move || {
                    asked.note(&app, &caller.who, Some(caller.role), status);
                });
                // It ends before the process does, and does not panic.
                let _ = noted.await;
                response
            });
            let failed = |_| refusal("/api/", ApiError::internal());
            changed.await.unwrap_or_else(failed)
        }
        Err(refused) => refuse_all(app, asked, refused).await,
    }
}

/// Tells a refusal, and has it logged and counted.
async fn refuse_all(app: App, asked: Asked, refused: Refused) -> Response {
    let Refused {
        error,
        who,
        wrong,
        wait,
        logged,
    } = refused;
    let mut response = match asked.path.as_str() {
        "/" => ssm::refusal(error),
        path => refusal(path, error),
    };
    let status = response.status();
    if status == StatusCode::UNAUTHORIZED {
        let told = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, told);
    }
    if let Some(wait) = wait {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if wrong {
        app.limits.failed(asked.peer);
    }
    if logged {
        let noted = tokio::task::spawn_blocking(move || asked.note(&app, &who, None, status));
        // It ends before the process does, and does not panic.
        let _ = noted.await;
    }
    response
}

/// Who asks, whose role suffices.
fn check(app: &Shared, parts: &Parts, body: &Bytes, peer: SocketAddr) -> Result<Caller, Refused> {
    let path = parts.uri.path();
    let mut presented = parts.headers.get_all(AUTHORIZATION).iter();
    let (caller, kind) = match (presented.next(), presented.next()) {
        (Some(header), None) => {
            let malformed = || Refused::wrong(refuse(Refusal::Malformed), "-");
            let header = header.to_str().map_err(|_| malformed())?;
            match bearer::token(header) {
                Some(token) if app.gate.jwt.is_some() || app.gate.oidc.is_some() => {
                    (holder(&app.gate, token)?, "token")
                }
                _ => (signer(app, header, parts, body)?, "access key"),
            }
        }
        (Some(_), Some(_)) => return Err(Refused::wrong(refuse(Refusal::Malformed), "-")),
        (None, _) if app.gate.open_to_this_machine && is_local(peer, &parts.headers) => {
            let who = THIS_MACHINE.to_owned();
            let role = Role::Admin;
            (Caller { who, role }, "request")
        }
        (None, _) => {
            app.limits.anonymous(peer).map_err(Refused::too_many)?;
            return Err(Refused {
                logged: true,
                ..ApiError::forbidden(MISSING).into()
            });
        }
    };
    let (role, needed) = (caller.role, Role::needed(&parts.method, path));
    match role >= needed {
        true => Ok(caller),
        false => Err(Refused {
            who: caller.who,
            logged: true,
            ..ApiError::forbidden(format!(
                "This {kind} has the role {role}, and {} {path} needs {needed}",
                parts.method
            ))
            .into()
        }),
    }
}

/// Who bears a token.
fn holder(gate: &Gate, token: &str) -> Result<Caller, Refused> {
    let header = bearer::header(token);
    let caller = header.and_then(|header| match (header.alg, &gate.jwt, &gate.oidc) {
        (Algorithm::HS512, Some(jwt), _) => jwt.caller(token),
        (Algorithm::RS256 | Algorithm::ES256, _, Some(oidc)) => oidc.caller(token, &header),
        _ => Err(BadToken::Unverified),
    });
    caller.map_err(|error| match error {
        BadToken::NoKeys => ApiError::unavailable(error.to_string()).into(),
        BadToken::NoRole => Refused::wrong(ApiError::forbidden(error.to_string()), "-"),
        error => Refused::wrong(ApiError::unauthorized(error.to_string()), "-"),
    })
}

/// The key that signed.
fn signer(app: &Shared, header: &str, parts: &Parts, body: &Bytes) -> Result<Caller, Refused> {
    let authorization =
        Authorization::parse(header).map_err(|refusal| Refused::wrong(refuse(refusal), "-"))?;
    let id = &authorization.key_id;
    if !SERVICES.contains(&&*authorization.service) {
        let service = &authorization.service;
        let told = format!("The credential is for the service {service}, and this is execute-api");
        return Err(Refused::wrong(ApiError::forbidden(told), id));
    }
    let (secret, role) = match &app.gate.admin {
        Some(admin) if admin.id == *id => (admin.secret.clone(), Role::Admin),
        _ => {
            let found = app.context.database.read(|db| keys::get(db, id));
            let found: Option<_> = found.map_err(ApiError::from)?;
            let unknown = || Refused::wrong(ApiError::forbidden(UNKNOWN), id);
            let found = found.ok_or_else(unknown)?;
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
    verified.map_err(|refusal| Refused::wrong(refuse(refusal), id))?;
    Ok(Caller {
        who: authorization.key_id,
        role,
    })
}

fn refuse(refusal: Refusal) -> ApiError {
    ApiError::forbidden(refusal.to_string())
}
