//! What every request can reach: the store, the schemas of bodies, the gate, the metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::audit::Audit;
use crate::auth::{Addresses, Gate};
use crate::body::Bodies;
use crate::config::Sources;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::mre::{Engines, MreOptions, Schemas};
use crate::runs::Runs;
use crate::store::Database;

/// What handlers work with.
pub struct Context {
    /// What is kept.
    pub database: Arc<Database>,
    /// What bodies must be like.
    pub schemas: Schemas,
    /// The events that run.
    pub runs: Runs,
    /// What events may reach that somebody below admin asks for.
    pub sources: Sources,
    /// How events of MRE get their video.
    pub(crate) mre: MreOptions,
    /// Who asks engines of custom priorities.
    pub engines: Engines,
    /// For how many seconds events are kept when they are over, where nothing else is said; nothing for ever.
    pub retention: Option<i64>,
    /// What signs addresses of files.
    pub addresses: Addresses,
}

/// What the server works with.
pub struct Shared {
    /// For handlers.
    pub context: Arc<Context>,
    /// Who may do what.
    pub gate: Gate,
    /// How bodies are read.
    pub bodies: Bodies,
    /// What is counted.
    pub metrics: Metrics,
    /// How often may be asked.
    pub limits: Limits,
    /// What is logged of those who ask.
    pub audit: Audit,
    /// The address that the server listens on.
    pub listen: SocketAddr,
    /// Under what address clients reach it, where that is another.
    pub public_url: Option<String>,
    /// `https`, or `http` where connections are not encrypted.
    pub scheme: &'static str,
    /// Whether it is stopping.
    pub draining: std::sync::atomic::AtomicBool,
}

/// The state of the router.
pub type App = Arc<Shared>;
