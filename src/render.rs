//! What the commands that read specs share: loading one with `--set`, and saying what went wrong
//! on stderr with the exit code that belongs to it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use matchcut_console::ClientError;
use matchcut_console::tap::TapError;
use matchcut_dataflow::plan::{self, Plan, PlanError};
use matchcut_dataflow::run::engine::RunError;
use matchcut_dataflow::run::log::ResumeError;
use matchcut_dataflow::spec::{self, Catalog, Override, Spec, SpecError};
use matchcut_model::lines::LineError;

/// Exit code of a spec that is wrong (EX_CONFIG).
pub const BAD_SPEC: u8 = 78;

/// Exit code of a command line that is wrong.
pub const BAD_USAGE: u8 = 2;

/// Wrong lines of a file that are shown; the rest is most often the same mistake again.
const LINES_SHOWN: usize = 20;

/// Why a command that works on a spec could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// No usable spec.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A spec without a plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A name on the command line that nothing has.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What would be right.
        hint: Option<String>,
    },
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Lines that cannot be read.
    #[error("{}", listed(.0))]
    Lines(Vec<LineError>),
    /// The event could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Nothing of a stream can be read.
    #[error("{uri} cannot be read: {message}")]
    Probe {
        /// What was asked for.
        uri: String,
        /// Why.
        message: String,
    },
    /// A clip cannot be cut.
    #[error("cannot cut the clip: {message}")]
    Clip {
        /// Why.
        message: String,
    },
    /// Something cannot be done to a channel of MediaLive.
    #[error(transparent)]
    Channel(#[from] matchcut_ingest::medialive::control::ControlError),
    /// A stream cannot be recorded, played or measured.
    #[error("{message}")]
    Bench {
        /// Why.
        message: String,
    },
    /// The service cannot run.
    #[error(transparent)]
    Service(#[from] matchcut_service::ServeError),
    /// The configuration of the service is wrong.
    #[error(transparent)]
    Config(#[from] matchcut_service::ConfigError),
    /// A service does not tell something.
    #[error(transparent)]
    Client(#[from] matchcut_console::ClientError),
    /// Nothing of an edge can be told.
    #[error(transparent)]
    Tap(#[from] TapError),
    /// There is no copy of a service, or no way back.
    #[error(transparent)]
    Backup(#[from] matchcut_service::backup::BackupError),
    /// GStreamer cannot be asked.
    #[error("GStreamer cannot be used: {message}")]
    Doctor {
        /// Why.
        message: String,
    },
    /// The result cannot be written.
    #[error("cannot write the result")]
    Write(#[from] io::Error),
    /// A test could not be run.
    #[error("test \"{name}\" cannot be run: {message}")]
    Test {
        /// The test.
        name: String,
        /// Why.
        message: String,
    },
}

impl CommandError {
    /// The exit code that belongs to it.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            CommandError::Spec(SpecError::Invalid(_))
            | CommandError::Plan(_)
            | CommandError::Config(matchcut_service::ConfigError::Wrong(_)) => {
                ExitCode::from(BAD_SPEC)
            }
            // A file that is not text is a spec that is wrong, not one that cannot be read.
            CommandError::Spec(SpecError::Read { source, .. })
                if source.kind() == io::ErrorKind::InvalidData =>
            {
                ExitCode::from(BAD_SPEC)
            }
            CommandError::Spec(SpecError::Usage(_))
            | CommandError::Usage { .. }
            | CommandError::Tap(TapError::Name { .. })
            | CommandError::Client(ClientError::Address(_))
            | CommandError::Run(RunError::OneDirectory { .. }) => ExitCode::from(BAD_USAGE),
            // Whoever reads a pipe may stop reading; that is no failure.
            CommandError::Write(error) | CommandError::Tap(TapError::Write(error))
                if error.kind() == io::ErrorKind::BrokenPipe =>
            {
                ExitCode::SUCCESS
            }
            _ => ExitCode::FAILURE,
        }
    }

    /// Says it on stderr; findings in a spec start a line each with their place.
    pub fn report(&self) -> ExitCode {
        match self {
            CommandError::Spec(SpecError::Invalid(found) | SpecError::Usage(found)) => {
                eprint!("{found}");
            }
            CommandError::Config(matchcut_service::ConfigError::Wrong(found)) => eprint!("{found}"),
            CommandError::Write(error) | CommandError::Tap(TapError::Write(error))
                if error.kind() == io::ErrorKind::BrokenPipe => {}
            CommandError::Usage { message, hint }
            | CommandError::Tap(TapError::Name { message, hint }) => {
                eprintln!("error: {message}");
                if let Some(hint) = hint {
                    eprintln!("  help: {hint}");
                }
            }
            CommandError::Client(error) | CommandError::Tap(TapError::Client(error)) => {
                eprintln!("error: {error}");
                if let Some(hint) = error.hint() {
                    eprintln!("  help: {hint}");
                }
            }
            CommandError::Plan(PlanError::Options { errors, .. }) => {
                eprintln!("error: {self}");
                for error in errors {
                    eprintln!("  {error}");
                }
            }
            CommandError::Lines(errors) => {
                for error in errors.iter().take(LINES_SHOWN) {
                    eprintln!("{error}");
                }
                if errors.len() > LINES_SHOWN {
                    eprintln!("and {} more", errors.len() - LINES_SHOWN);
                }
            }
            CommandError::Run(RunError::Sink(error)) => {
                eprintln!("error: {error}");
                if let Some(hint) = error.hint() {
                    eprintln!("  help: {hint}");
                }
            }
            CommandError::Run(error @ RunError::OneDirectory { .. }) => {
                eprintln!("error: {error}");
                eprintln!("  help: give one of them another dir");
            }
            CommandError::Run(error @ RunError::NoOutbox(_)) => {
                eprintln!("error: {error}");
                eprintln!("  help: add --out DIR, or a sink of type \"file\"");
            }
            CommandError::Run(RunError::Log(error)) => {
                eprintln!("error: {error}");
                if let Some(hint) = resume_hint(error) {
                    eprintln!("  help: {hint}");
                }
            }
            error => {
                eprintln!("error: {error}");
                let mut source = std::error::Error::source(error);
                // Transparent errors show their own text already; what caused them comes below.
                while let Some(cause) = source {
                    eprintln!("  because: {cause}");
                    source = cause.source();
                }
            }
        }
        self.exit_code()
    }
}

/// What helps against an error of the store.
fn resume_hint(error: &ResumeError) -> Option<&'static str> {
    match error {
        ResumeError::Changed { .. } => Some(
            "run it with the spec and options it was begun with; or begin anew with --force; or \
             apply the new spec to what was observed: matchcut replay SPEC --observations \
             DIR/observations.jsonl",
        ),
        ResumeError::Diverged { .. } | ResumeError::Entry { .. } => {
            Some("begin anew with --force, or go on with the version that wrote it")
        }
        ResumeError::Store(error) => error.hint(),
    }
}

fn listed(errors: &[LineError]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Reads a spec and says its warnings on stderr.
pub fn load(path: &Path, set: &[String]) -> Result<(Spec, Catalog), CommandError> {
    let catalog = Catalog::built_in();
    let overrides: Vec<Override> = set.iter().cloned().map(Override).collect();
    let spec = spec::load(path, &overrides, &catalog)?;
    eprint!("{}", spec.warnings);
    Ok((spec, catalog))
}

/// Reads a spec and compiles it.
pub fn load_plan(path: &Path, set: &[String]) -> Result<(Spec, Plan), CommandError> {
    let (spec, catalog) = load(path, set)?;
    let plan = plan::compile(&spec, &catalog)?;
    Ok((spec, plan))
}

/// `1 source`, `3 operators`.
pub fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}

/// Text in lines of at most `width` characters, each behind `indent` blanks.
pub fn wrapped(text: &str, indent: usize, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && indent + line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let indent = " ".repeat(indent);
    lines
        .iter()
        .map(|line| format!("{indent}{line}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_and_wrapped() {
        assert_eq!(count(1, "source"), "1 source");
        assert_eq!(count(0, "source"), "0 sources");
        assert_eq!(wrapped("one two three", 2, 10), "  one two\n  three\n");
    }
}
