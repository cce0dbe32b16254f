//! The log on stderr: what `MATCHCUT_LOG` asks for, without what would give secrets away.

use std::io;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::prelude::*;

/// The SDKs of AWS trace answers as they come, and some of these give access to what they name.
const TELLS_ANSWERS: &str = "aws_smithy_runtime::client::orchestrator";

/// From now on events are written.
pub fn init() {
    let filter =
        EnvFilter::try_from_env("MATCHCUT_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(gives_nothing_away))
        .with(tracing_subscriber::fmt::layer().with_writer(io::stderr))
        .init();
}

fn gives_nothing_away(about: &Metadata<'_>) -> bool {
    // A span of that level says what is asked, not what is answered.
    about.is_span() || *about.level() < Level::TRACE || !about.target().starts_with(TELLS_ANSWERS)
}
