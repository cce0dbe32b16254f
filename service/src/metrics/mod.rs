//! Metrics as Prometheus reads them. Whoever counts does so through the facade of the `metrics` crate; this is the
//! recorder behind it, of which a process has one, and the ways in which its page is shown.

mod expose;
pub(crate) mod http;

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use matchcut_dataflow::run::meter;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

pub use expose::expose;

/// The type of the page: the text format of Prometheus.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 15] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
];

/// The recorder of this process; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

fn builder() -> Result<PrometheusBuilder, String> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, &BUCKETS)
        .map_err(|error| error.to_string())
}

impl Metrics {
    /// From now on what is counted in this process is kept. Once is enough; the second time gives the same.
    pub fn install() -> Result<Metrics, String> {
        static INSTALLED: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
        let installed = INSTALLED.get_or_init(|| {
            let handle = builder()?
                .install_recorder()
                .map_err(|error| error.to_string())?;
            Collector::default().describe();
            metrics::describe_gauge!("matchcut_build_info", "The build that runs");
            metrics::gauge!("matchcut_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            http::describe();
            meter::describe();
            Ok(handle)
        });
        let handle = installed.clone()?;
        Ok(Metrics { handle })
    }

    /// Everything that is counted, in the text format of Prometheus, with what the system says of the process.
    pub fn page(&self) -> String {
        Collector::default().collect();
        self.handle.render()
    }

    /// Puts the page into a file, as the textfile collector of node_exporter reads it; never half of one.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let mut new = file.as_os_str().to_owned();
        new.push(".new");
        std::fs::write(&new, self.page())?;
        std::fs::rename(&new, file)
    }

    /// Durations lie in memory until somebody reads them; with this they do not pile up.
    pub fn tidy(&self) {
        self.handle.run_upkeep();
    }
}
