//! `matchcut top`: what a service does now, in a terminal.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use matchcut_console::top;

use super::service::ServiceArgs;
use crate::render::CommandError;

/// Watch a service: its events, how far they are, what they cost, what waits and what went wrong.
#[derive(Args, Clone, Debug)]
pub struct TopArgs {
    #[command(flatten)]
    pub service: ServiceArgs,
    /// Print it once as a table, and end.
    #[arg(long)]
    pub once: bool,
    /// How often to look, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub every: u64,
}

/// Runs it.
pub fn run(args: &TopArgs) -> Result<ExitCode, CommandError> {
    let service = args.service.service()?;
    // Before the terminal is taken: whoever may not look reads why as ever.
    let first = top::look(&service)?;
    if args.once {
        top::print(&first, &mut io::stdout().lock())?;
        return Ok(ExitCode::SUCCESS);
    }
    if !io::stdout().is_terminal() {
        return Err(CommandError::Usage {
            message: "this is no terminal".to_owned(),
            hint: Some("--once prints what there is".to_owned()),
        });
    }
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let handled = ctrlc::set_handler(move || told.store(true, Ordering::SeqCst));
    handled.map_err(io::Error::other)?;
    top::show(&service, Duration::from_secs(args.every), &stop)?;
    Ok(ExitCode::SUCCESS)
}
