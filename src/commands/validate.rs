//! `matchcut validate`: checks specs and opens no source.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use matchcut_dataflow::spec::{self, Catalog, Diagnostics, Override, Spec, SpecError};

use crate::render::{BAD_SPEC, BAD_USAGE, CommandError, count};

/// Check specs without opening a source.
#[derive(Args, Clone, Debug)]
pub struct ValidateArgs {
    /// Pipeline specs.
    #[arg(value_name = "SPEC", required = true)]
    pub specs: Vec<PathBuf>,
    /// Set a value of the spec: sources.x.uri=…; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Refuse specs that have warnings, too.
    #[arg(long)]
    pub deny_warnings: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t = ValidateFormat::Text)]
    pub format: ValidateFormat,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ValidateFormat {
    /// Findings on stderr, a line for each good spec on stdout.
    Text,
    /// One JSON array on stdout.
    Json,
}

/// Checks every spec; the worst decides the exit code.
pub fn run(args: &ValidateArgs) -> Result<ExitCode, CommandError> {
    let catalog = Catalog::built_in();
    let overrides: Vec<Override> = args.set.iter().cloned().map(Override).collect();
    let mut out = io::stdout().lock();
    let mut documents = Vec::new();
    let mut worst = 0;
    for path in &args.specs {
        let name = path.display().to_string();
        let (code, found, note) = match spec::load(path, &overrides, &catalog) {
            Ok(spec) if spec.warnings.is_empty() || !args.deny_warnings => {
                (0, spec.warnings.clone(), format!("ok ({})", summary(&spec)))
            }
            Ok(spec) => (BAD_SPEC, spec.warnings, "warnings are denied".to_owned()),
            Err(SpecError::Invalid(found)) => (BAD_SPEC, found, String::new()),
            Err(SpecError::Usage(found)) => (BAD_USAGE, found, String::new()),
            Err(error @ SpecError::Read { .. }) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let text = format!("{error}: {}", cause.unwrap_or_default());
                (1, Diagnostics::default(), text)
            }
        };
        worst = severer(worst, code);
        match args.format {
            ValidateFormat::Text => {
                eprint!("{found}");
                match code {
                    0 => writeln!(out, "{name}: {note}")?,
                    _ if found.is_empty() => eprintln!("error: {note}"),
                    _ => eprintln!("{name}: {}", verdict(&found)),
                }
            }
            ValidateFormat::Json => documents.push(serde_json::json!({
                "spec": name,
                "ok": code == 0,
                "note": note,
                "diagnostics": found,
            })),
        }
    }
    if args.format == ValidateFormat::Json {
        serde_json::to_writer_pretty(&mut out, &documents).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    Ok(ExitCode::from(worst))
}

/// A wrong command line before a wrong spec before a file that cannot be read.
fn severer(a: u8, b: u8) -> u8 {
    [BAD_USAGE, BAD_SPEC, 1]
        .into_iter()
        .find(|code| a == *code || b == *code)
        .unwrap_or(0)
}

fn verdict(found: &Diagnostics) -> String {
    let errors = found.errors();
    let warnings = found.0.len() - errors;
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(count(errors, "error"));
    }
    if warnings > 0 {
        parts.push(count(warnings, "warning"));
    }
    parts.join(", ")
}

fn summary(spec: &Spec) -> String {
    let parts = [
        (spec.sources.len(), "source"),
        (spec.operators.len(), "operator"),
        (spec.replays.len(), "replay"),
        (spec.sinks.len(), "sink"),
        (spec.tests.len(), "test"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, what)| *number > 0 || *what == "operator")
        .map(|(number, what)| count(number, what))
        .collect();
    parts.join(", ")
}
