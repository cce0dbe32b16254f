//! The server: opening what it needs, saying that it is ready, serving until it is told to stop, and
//! finishing what was asked for before.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderName, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router, middleware, routing};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tower_http::cors::{Any, CorsLayer};

use crate::api::{self, Problem};
use crate::audit::Audit;
use crate::auth::{Addresses, AdminKey, Gate, guard};
use crate::body::Bodies;
use crate::config::Config;
use crate::context::{App, Context, Shared};
use crate::errors::ApiError;
use crate::limits::Limits;
use crate::metrics::{Metrics, http};
use crate::mre::Engines;
use crate::runs::Runs;
use crate::secrets::Secrets;
use crate::store::{Database, StoreError};
use crate::tls::{Certificate, Peer, TlsListener};
use crate::{mre, openapi, planes, ssm};

/// What requests and events get to finish once the server is told to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// How often what is counted is tidied up, whether or not somebody reads it.
const TIDY: Duration = Duration::from_secs(5);
/// How often is looked which events are due.
const TICK: Duration = Duration::from_secs(1);

/// How the service is to run.
pub struct ServeOptions {
    /// Where it listens; port 0 is any free one.
    pub listen: SocketAddr,
    /// Where its store is.
    pub data: PathBuf,
    /// Under what address clients reach it, where that is not the one that they used.
    pub public_url: Option<String>,
    /// Whether requests without credentials are served to this machine.
    pub insecure_loopback: bool,
    /// How many events run at a time.
    pub max_events: usize,
    /// A key that is kept nowhere.
    pub admin: Option<AdminKey>,
    /// What its configuration file says.
    pub config: Config,
}

/// Why the service cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A way to listen that would be open to everybody.
    #[error(
        "--insecure-loopback serves requests without credentials, and {0} is not an address of this machine alone; \
         listen on 127.0.0.1, or leave the option out"
    )]
    NotLoopback(SocketAddr),
    /// It cannot listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Its store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A schema of the program is wrong.
    #[error("a schema of a request cannot be used: {0}")]
    Schema(String),
    /// Connections cannot be encrypted.
    #[error("{0}")]
    Tls(String),
    /// Nothing can be counted.
    #[error("metrics cannot be kept: {0}")]
    Metrics(String),
    /// Something of the system failed.
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
}

/// Serves until the process is told to stop (SIGTERM, SIGINT), and requests and events under way have come to an end;
/// the next start goes on with those events. `ready` is told the address once clients can come.
pub fn serve(
    options: ServeOptions,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> Result<(), ServeError> {
    if options.insecure_loopback && !options.listen.ip().is_loopback() {
        return Err(ServeError::NotLoopback(options.listen));
    }
    let database = Arc::new(Database::open(&options.data)?);
    let schemas = mre::Schemas::new().map_err(ServeError::Schema)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(run(options, database, schemas, ready));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn run(
    options: ServeOptions,
    database: Arc<Database>,
    schemas: mre::Schemas,
    ready: impl FnOnce(SocketAddr) -> io::Result<()>,
) -> Result<(), ServeError> {
    let failed = |source| ServeError::Listen {
        address: options.listen,
        source,
    };
    // Before anybody is told that the server is there, so that a signal is never missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let config = options.config;
    let certificate = match &config.tls {
        Some(files) => Some(Certificate::read(files).map_err(ServeError::Tls)?),
        None => None,
    };
    let audit = Audit::open(&options.data, &config.audit)?;
    let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
    let listen = listener.local_addr()?;
    let metrics = Metrics::install().map_err(ServeError::Metrics)?;
    // Only a server that has its address takes up events.
    let runs = {
        let (database, data) = (Arc::clone(&database), options.data.clone());
        let (most, sources) = (options.max_events, config.sources.clone());
        let open = move || Runs::open(database, &data, most, sources);
        let opened = tokio::task::spawn_blocking(open).await;
        opened.map_err(io::Error::other)??
    };
    let addresses = Addresses::open(&database)?;
    let engines = Engines::new(
        Arc::clone(&database),
        Secrets::new(Arc::clone(&database), config.key_source(&options.data)),
        config.sources.reach.clone(),
        config.priorities.timeout.std(),
    );
    let app: App = Arc::new(Shared {
        context: Arc::new(Context {
            database,
            addresses,
            retention: config.retention,
            engines,
            schemas,
            runs: runs.clone(),
            sources: config.sources,
            mre: config.mre,
        }),
        gate: Gate {
            admin: options.admin,
            open_to_this_machine: options.insecure_loopback,
            jwt: config.jwt,
            oidc: config.oidc,
        },
        bodies: Bodies::new(),
        metrics: metrics.clone(),
        limits: Limits::new(&config.limits),
        audit,
        scheme: match certificate {
            Some(_) => "https",
            None => "http",
        },
        listen,
        public_url: options.public_url,
        draining: AtomicBool::new(false),
    });
    tokio::spawn(async move {
        let mut every = tokio::time::interval(TIDY);
        loop {
            every.tick().await;
            metrics.tidy();
        }
    });
    ready(listen)?;

    let (stop, stopped) = watch::channel(false);
    let stopping = Arc::clone(&app);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.draining.store(true, Ordering::SeqCst);
        let runs = stopping.context.runs.clone();
        // Only an event that holds the lock for long would be in the way.
        let _ = tokio::task::spawn_blocking(move || runs.close()).await;
        stop.send_replace(true);
    });
    tokio::spawn(keep_time(Arc::clone(&app.context), stopped.clone()));
    let mut told = stopped.clone();
    let service = router(app).into_make_service_with_connect_info::<Peer>();
    let stopping = async move {
        // An error would mean that nobody is left to tell it.
        let _ = told.wait_for(|stop| *stop).await;
    };
    let serving = async move {
        match certificate {
            None => {
                let serving = axum::serve(listener, service);
                serving.with_graceful_shutdown(stopping).await
            }
            Some(certificate) => {
                let acceptor = certificate.acceptor().map_err(io::Error::other)?;
                tokio::spawn(certificate.keep_up(signal(SignalKind::hangup())?));
                let listener = TlsListener::new(listener, acceptor)?;
                let serving = axum::serve(listener, service);
                serving.with_graceful_shutdown(stopping).await
            }
        }
    };
    let events = async {
        let _ = stopped.clone().wait_for(|stop| *stop).await;
        let waited = tokio::task::spawn_blocking(move || runs.wait(DRAIN)).await;
        if !matches!(waited, Ok(true)) {
            tracing::warn!(
                "events were still under way after {DRAIN:?}; the next start goes on with them"
            );
        }
    };
    let late = async {
        let _ = stopped.clone().wait_for(|stop| *stop).await;
        tokio::time::sleep(DRAIN).await;
    };
    let requests = async {
        tokio::select! {
            served = serving => served,
            () = late => {
                tracing::warn!("requests were still under way after {DRAIN:?}");
                Ok(())
            }
        }
    };
    let (served, ()) = tokio::join!(requests, events);
    Ok(served?)
}

/// Lets events begin and end when it is their time.
async fn keep_time(context: Arc<Context>, mut stopped: watch::Receiver<bool>) {
    loop {
        let now = Arc::clone(&context);
        let ticked = tokio::task::spawn_blocking(move || mre::tick(&now)).await;
        if let Ok(Err(error)) = ticked {
            tracing::error!(%error, "it cannot be seen which events are due");
        }
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}

/// All routes, and what stands before them: counting outermost, so that refusals are counted, too.
fn router(app: App) -> Router {
    let guarded = middleware::from_fn_with_state(Arc::clone(&app), guard);
    let counted = middleware::from_fn(http::count);
    let routes = Router::new()
        .route("/", routing::post(ssm::answer))
        .route("/healthz", routing::get(alive))
        .route("/readyz", routing::get(ready))
        .route("/metrics", routing::get(http::show))
        .route("/openapi/{api}", routing::get(described))
        .nest("/controlplane", mre::routes().router())
        .nest("/external", mre::routes().router())
        .nest("/dataplane", mre::data_routes().router())
        .nest(api::ROOT, api::routes())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::disable())
        .layer(guarded)
        .layer(cors())
        .layer(counted)
        .with_state(app);
    planes::found_by_all(routes)
}

/// MRE's services let pages of any origin ask; what counts is the signature.
fn cors() -> CorsLayer {
    let signed = [
        "content-type",
        "x-amz-date",
        "authorization",
        "x-api-key",
        "x-amz-security-token",
        "x-amz-content-sha256",
        "idempotency-key",
        "if-match",
        "last-event-id",
        "range",
    ];
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(signed.map(HeaderName::from_static))
        .expose_headers([ETAG])
}

async fn no_such_path(uri: Uri) -> Response {
    refusal(uri.path(), ApiError::not_found("There is no such path"))
}

async fn no_such_method(uri: Uri) -> Response {
    refusal(uri.path(), ApiError::method_not_allowed())
}

/// A refusal as clients of the API that a path belongs to read it.
pub fn refusal(path: &str, error: ApiError) -> Response {
    match path.starts_with("/api/") {
        true => Problem::from(error).into_response(),
        false => error.into_response(),
    }
}

/// `GET /openapi/API.json`: what an API is.
async fn described(Path(name): Path<String>) -> Response {
    let document = match name.as_str() {
        "v1.json" => openapi::own::own(),
        "controlplane.json" => openapi::control_plane(),
        "dataplane.json" => openapi::data_plane(),
        _ => return ApiError::not_found("There is no such path").into_response(),
    };
    Json(document).into_response()
}

/// `GET /healthz`: the process answers.
async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the store answers, and the server is not about to stop.
async fn ready(State(app): State<App>) -> Response {
    if app.draining.load(Ordering::SeqCst) {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    let asked = tokio::task::spawn_blocking(move || {
        let answer: Result<i64, StoreError> = app
            .context
            .database
            .read(|db| Ok(db.query_row("SELECT count(*) FROM names", [], |row| row.get(0))?));
        answer
    });
    match asked.await {
        Ok(Ok(_)) => "ok\n".into_response(),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the store does not answer\n",
        )
            .into_response(),
    }
}
