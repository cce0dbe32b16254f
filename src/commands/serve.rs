//! `matchcut serve`: the service, until it is told to stop.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use clap::Args;
use matchcut_service::{AdminKey, Config, ServeError, ServeOptions};

use crate::render::CommandError;

/// Serve: run events by a REST API, and answer that of AWS Media Replay Engine.
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
    /// Events that run at a time; others wait [default: one for each core].
    #[arg(long, value_name = "EVENTS", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub max_events: Option<u16>,
    /// A file with what else is to be said: TLS, tokens, limits, the audit log, what events may reach.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
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
    let config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    let scheme = match config.tls {
        Some(_) => "https",
        None => "http",
    };
    let options = ServeOptions {
        listen: args.listen,
        data: args.data.clone(),
        public_url: args.public_url.clone(),
        insecure_loopback: args.insecure_loopback,
        max_events: args.max_events.map_or_else(cores, usize::from),
        admin,
        config,
    };
    let served = matchcut_service::serve(options, |listen| {
        let mut out = io::stdout();
        writeln!(out, "matchcut is ready at {scheme}://{listen}/")?;
        out.flush()
    });
    // Of events that were not through in time.
    matchcut_operators::hosts::end_all();
    match served {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ ServeError::NotLoopback(_)) => Err(usage(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
