//! `matchcut secret`: what the service shows to others, kept by name.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use matchcut_service::{Config, SecretError, Secrets, ServeError};

use crate::render::CommandError;

/// More than any secret has: what is longer is read no further.
const LONGEST: u64 = 1 << 20;

/// Keep, list and remove secrets by which the service is known to others, such as keys of APIs.
#[derive(Args, Clone, Debug)]
pub struct SecretArgs {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum SecretCommand {
    /// Keep a secret under a name; it is read from stdin, and never shown.
    Set {
        #[command(flatten)]
        service: Service,
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the names, and when each was last set.
    List {
        #[command(flatten)]
        service: Service,
    },
    /// Forget a secret.
    Remove {
        #[command(flatten)]
        service: Service,
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[derive(Args, Clone, Debug)]
struct Service {
    /// The directory of the service.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The configuration of the service, which may name the key of the secrets [default: the file secrets.key in the
    /// directory of the service, which is made for the first secret].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Service {
    fn open(&self) -> Result<Secrets, CommandError> {
        let config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        Ok(Secrets::open(&self.data, &config).map_err(ServeError::from)?)
    }
}

/// Runs it.
pub fn run(args: &SecretArgs) -> Result<ExitCode, CommandError> {
    let mut out = io::stdout().lock();
    match &args.command {
        SecretCommand::Set { service, name } => {
            let secrets = service.open()?;
            let mut text = String::new();
            let read = io::stdin().lock().take(LONGEST).read_to_string(&mut text);
            read.map_err(|error| usage(format!("stdin: {error}"), None))?;
            secrets.set(name, &text).map_err(failed)?;
        }
        SecretCommand::List { service } => {
            for (name, changed) in service.open()?.list().map_err(ServeError::from)? {
                writeln!(out, "{changed} {name}")?;
            }
        }
        SecretCommand::Remove { service, name } => {
            if !service.open()?.remove(name).map_err(ServeError::from)? {
                let data = service.data.display();
                let hint = format!("matchcut secret list --data {data}");
                return Err(usage(format!("{data} has no secret {name}"), Some(hint)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn usage(message: String, hint: Option<String>) -> CommandError {
    CommandError::Usage { message, hint }
}

fn failed(error: SecretError) -> CommandError {
    match error {
        SecretError::Store(error) => ServeError::from(error).into(),
        error => usage(error.to_string(), None),
    }
}
