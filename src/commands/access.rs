//! `matchcut access`: who may use the service.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use matchcut_service::{Access, Role, ServeError};

use crate::render::CommandError;

/// Make, list and take away access keys of the service.
#[derive(Args, Clone, Debug)]
pub struct AccessArgs {
    #[command(subcommand)]
    command: AccessCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum AccessCommand {
    /// Make a key, and print it; its secret is not shown again.
    Add {
        /// The directory of the service.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// What it may do: viewer, editor, operator or admin.
        #[arg(long, default_value_t = Role::Viewer)]
        role: Role,
    },
    /// List the keys: name, role, and since when each is there.
    List {
        /// The directory of the service.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Take a key away; a server that runs refuses it from then on.
    Remove {
        /// The directory of the service.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The name of the key.
        #[arg(value_name = "ACCESS_KEY_ID")]
        id: String,
    },
}

/// Runs it.
pub fn run(args: &AccessArgs) -> Result<ExitCode, CommandError> {
    let open = |dir: &PathBuf| Access::open(dir).map_err(ServeError::from);
    let mut out = io::stdout().lock();
    match &args.command {
        AccessCommand::Add { data, role } => {
            let key = open(data)?.add(*role).map_err(ServeError::from)?;
            writeln!(out, "AWS_ACCESS_KEY_ID={}", key.id)?;
            writeln!(out, "AWS_SECRET_ACCESS_KEY={}", key.secret)?;
            eprintln!("a key for the role {role}; its secret is not shown again");
        }
        AccessCommand::List { data } => {
            for (id, role, created) in open(data)?.list().map_err(ServeError::from)? {
                writeln!(out, "{id} {role:<8} {created}")?;
            }
        }
        AccessCommand::Remove { data, id } => {
            if !open(data)?.remove(id).map_err(ServeError::from)? {
                return Err(CommandError::Usage {
                    message: format!("{} has no access key {id}", data.display()),
                    hint: Some(format!("matchcut access list --data {}", data.display())),
                });
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
