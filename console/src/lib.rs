//! What people watch in a terminal: the edges of an event's graph as something comes over them (`matchcut tap`), and
//! what a service does (`matchcut top`). This crate alone knows how the service is asked by HTTP, and the terminal.

mod client;
mod stream;
pub mod tap;
pub mod top;

pub use client::{ClientError, Credentials, Service, agent};
