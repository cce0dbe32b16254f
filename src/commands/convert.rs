//! `matchcut convert`: a spec as plugins and a profile of AWS Media Replay Engine, and the other way.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use matchcut_service::convert::{self, Wanted};
use serde_json::Value;

use crate::render::{CommandError, load_plan};

/// Make plugins and a profile of AWS Media Replay Engine of a spec, or a spec of a profile.
#[derive(Args, Clone, Debug)]
pub struct ConvertArgs {
    /// A spec (.toml), or a profile (.json): what this command made, or a profile as MRE tells it.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The content group of the plugins and the profile.
    #[arg(long, value_name = "NAME", default_value = "matchcut")]
    pub content_group: String,
    /// The length of a chunk that the profile says, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 6)]
    pub chunk_size: u64,
    /// Pictures a second that the profile says.
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub frame_rate: u64,
}

/// Prints what it comes to on stdout.
pub fn run(args: &ConvertArgs) -> Result<ExitCode, CommandError> {
    let read = || {
        fs::read_to_string(&args.file).map_err(|source| CommandError::Read {
            path: args.file.clone(),
            source,
        })
    };
    let usage = |message: String, hint: Option<&str>| CommandError::Usage {
        message,
        hint: hint.map(str::to_owned),
    };
    let extension = args
        .file
        .extension()
        .and_then(|extension| extension.to_str());
    let made = match extension {
        Some("toml") => {
            let (_, plan) = load_plan(&args.file, &[])?;
            let text = read()?;
            let spec = text
                .parse()
                .map_err(|error: toml::de::Error| usage(error.to_string(), None))?;
            let wanted = Wanted {
                content_group: args.content_group.clone(),
                chunk_seconds: args.chunk_size,
                frame_rate: args.frame_rate,
            };
            let made = convert::to_mre(&plan, &spec, &wanted);
            let made = made.map_err(|error| usage(error.to_string(), None))?;
            format!("{made:#}\n")
        }
        Some("json") => {
            let profile: Value = serde_json::from_str(&read()?)
                .map_err(|error| usage(format!("{}: {error}", args.file.display()), None))?;
            let spec = convert::to_toml(&profile);
            let spec = spec.map_err(|error| usage(error.to_string(), None))?;
            toml::to_string_pretty(&spec).map_err(|error| usage(error.to_string(), None))?
        }
        _ => {
            let message = format!("{} is neither .toml nor .json", args.file.display());
            return Err(usage(
                message,
                Some("a spec ends in .toml, a profile in .json"),
            ));
        }
    };
    io::stdout().lock().write_all(made.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
