//! The service: it runs events, which are asked for by our own API under `/api/v1/`; and it has the REST API of AWS Media
//! Replay Engine under `/controlplane/`, the look-up by which its clients find it, who may use it, and the file in
//! which it keeps what it was told. This crate alone knows axum; it is asked for by `matchcut serve` and
//! `matchcut access`.

mod api;
mod audit;
mod auth;
pub mod backup;
mod body;
mod config;
mod context;
mod endpoint;
mod errors;
mod limits;
pub mod metrics;
mod mre;
pub mod openapi;
#[doc(hidden)]
pub mod outside;
mod planes;
mod retention;
mod runs;
mod secrets;
mod server;
mod ssm;
mod store;
mod tls;
mod validation;
mod work;

pub use auth::{Access, AdminKey, NewAccess, Role, Signer};
pub use config::{Config, ConfigError, TlsFiles};
pub use mre::convert;
pub use secrets::{SecretError, Secrets};
pub use server::{ServeError, ServeOptions, serve};
pub use store::StoreError;
