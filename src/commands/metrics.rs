//! Where the metrics of a command go: to whoever asks at an address, and into a file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::Args;
use matchcut_service::metrics::{Metrics, expose};

use crate::render::CommandError;

/// How often the file is written anew, and what is counted is tidied up.
const EVERY: Duration = Duration::from_secs(5);

/// Options of commands that run an event.
#[derive(Args, Clone, Debug)]
pub struct MetricsArgs {
    /// Show metrics for Prometheus at http://ADDRESS:PORT/metrics while it runs; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,
    /// Write metrics into a file for Prometheus' node_exporter, every 5 s and at the end.
    #[arg(long, value_name = "FILE")]
    pub metrics_file: Option<PathBuf>,
}

/// Metrics that go somewhere, until this is dropped.
pub struct Shown(Option<(Sender<()>, JoinHandle<()>)>);

impl MetricsArgs {
    /// Begins to keep metrics, if somebody wants them.
    pub fn show(&self) -> Result<Shown, CommandError> {
        if self.metrics.is_none() && self.metrics_file.is_none() {
            return Ok(Shown(None));
        }
        let failed = |what: String, error: &dyn std::fmt::Display| CommandError::Usage {
            message: format!("{what}: {error}"),
            hint: None,
        };
        let metrics = Metrics::install()
            .map_err(|error| failed("no metrics can be kept".to_owned(), &error))?;
        if let Some(listen) = self.metrics {
            let address = expose(&metrics, listen)
                .map_err(|error| failed(format!("metrics cannot be shown at {listen}"), &error))?;
            eprintln!("metrics at http://{address}/metrics");
        }
        let file = self.metrics_file.clone();
        if let Some(file) = &file {
            let what = format!("metrics cannot be written to {}", file.display());
            metrics.write(file).map_err(|error| failed(what, &error))?;
        }
        let (stop, stopped) = mpsc::channel();
        let write = move || {
            loop {
                let waited = stopped.recv_timeout(EVERY);
                if let Some(file) = &file
                    && let Err(error) = metrics.write(file)
                {
                    tracing::warn!(%error, file = %file.display(), "metrics cannot be written");
                }
                metrics.tidy();
                if waited != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("metrics file".to_owned());
        let thread = thread
            .spawn(write)
            .map_err(|error| failed("metrics cannot be kept".to_owned(), &error))?;
        Ok(Shown(Some((stop, thread))))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
