//! The log on stderr: what `MATCHCUT_LOG` asks for, without what would give secrets away. Spans go where traces go, if
//! they go anywhere.

use std::io;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::traces::Traces;

/// The SDKs of AWS trace answers as they come, and some of these give access to what they name.
const TELLS_ANSWERS: &str = "aws_smithy_runtime::client::orchestrator";

/// From now on events are written, and spans traced.
pub fn init(traces: &Traces) {
    let all = tracing_subscriber::registry();
    match traces.layer() {
        None => all.with(written()).init(),
        Some(traced) => all.with(traced).with(written()).init(),
    }
}

fn written<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl tracing_subscriber::Layer<S> {
    let filter =
        EnvFilter::try_from_env("MATCHCUT_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    fmt::layer()
        .with_writer(io::stderr)
        .with_filter(filter.and(filter_fn(gives_nothing_away)))
}

fn gives_nothing_away(about: &Metadata<'_>) -> bool {
    // A span of that level says what is asked, not what is answered.
    about.is_span() || *about.level() < Level::TRACE || !about.target().starts_with(TELLS_ANSWERS)
}
