//! The page of metrics by HTTP, from a thread of its own, for a process that serves nothing else.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use axum::http::header::CONTENT_TYPE;
use axum::{Router, routing};

use super::Metrics;

/// Serves `/metrics` and `/healthz` until the process ends; the address, for port 0 is any free one.
pub fn expose(metrics: &Metrics, listen: SocketAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let metrics = metrics.clone();
    let page = move || async move {
        let form = [(CONTENT_TYPE, super::CONTENT_TYPE)];
        (form, metrics.page())
    };
    let router = Router::new()
        .route("/metrics", routing::get(page))
        .route("/healthz", routing::get(|| async { "ok\n" }));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                axum::serve(listener, router).await
            });
            if let Err(error) = served {
                tracing::error!(%error, "metrics are served no more");
            }
        })?;
    Ok(address)
}
