//! `matchcut backup` and `matchcut restore`: a copy of what a service keeps, and the way back.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use matchcut_service::backup::{Copied, backup, restore};

use crate::render::{CommandError, count};

/// Copy everything that a service keeps, while it serves.
#[derive(Args, Clone, Debug)]
pub struct BackupArgs {
    /// The directory of the service.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The directory of the copy; it is made.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// Make the directory of a service out of a copy.
#[derive(Args, Clone, Debug)]
pub struct RestoreArgs {
    /// The directory of the copy.
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// The directory of the service; it is made.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}

/// Copies.
pub fn run(args: &BackupArgs) -> Result<ExitCode, CommandError> {
    let copied = backup(&args.data, &args.to)?;
    eprintln!("copied to {}: {}", args.to.display(), told(copied));
    Ok(ExitCode::SUCCESS)
}

/// Copies back.
pub fn run_restore(args: &RestoreArgs) -> Result<ExitCode, CommandError> {
    let copied = restore(&args.from, &args.data)?;
    eprintln!("restored to {}: {}", args.data.display(), told(copied));
    Ok(ExitCode::SUCCESS)
}

fn told(copied: Copied) -> String {
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let stores = count(number(copied.stores), "store");
    let files = count(number(copied.files), "file");
    format!("{stores}, {files}, {} MB", copied.bytes / 1_000_000)
}
