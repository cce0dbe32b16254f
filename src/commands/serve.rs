//! `matchcut serve`: the service, until it is told to stop.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use matchcut_dataflow::run::meter;
use matchcut_service::metrics::Metrics;
use matchcut_service::{AdminKey, ServeError, ServeOptions};

use crate::render::CommandError;

/// Serve the REST API of AWS Media Replay Engine.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Where to listen; port 0 takes any free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// A directory for what the service keeps; it is made where there is none.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The address under which clients reach it, when that is not the one that they ask at (behind a proxy).
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Serve requests without credentials, to this machine alone.
    #[arg(long)]
    pub insecure_loopback: bool,
}

/// Runs it.
pub fn run(args: &ServeArgs) -> Result<ExitCode, CommandError> {
    let usage = |message| CommandError::Usage {
        message,
        hint: None,
    };
    let admin = AdminKey::from_env().map_err(usage)?;
    let options = ServeOptions {
        listen: args.listen,
        data: args.data.clone(),
        public_url: args.public_url.clone(),
        insecure_loopback: args.insecure_loopback,
        admin,
    };
    // What events count is said here, as the service does not know how they are run.
    Metrics::install().map_err(usage)?;
    meter::describe();
    let served = matchcut_service::serve(options, |listen| {
        let mut out = io::stdout();
        writeln!(out, "matchcut is ready at http://{listen}/")?;
        out.flush()
    });
    match served {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ ServeError::NotLoopback(_)) => Err(usage(error.to_string())),
        Err(error) => Err(error.into()),
    }
}
