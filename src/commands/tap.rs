//! `matchcut tap`: what comes over an edge of the graph of an event, as it comes.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use matchcut_console::tap::{How, Told, of_dir, of_service};

use super::service::ServiceArgs;
use crate::render::CommandError;

/// Follow parts of an event: print each change of them as a line of JSON, as it comes.
#[derive(Args, Clone, Debug)]
pub struct TapArgs {
    /// Operators (their observations), segmenters (their segments) and replays (what they select) as the spec names
    /// them, or patterns such as 'c*'; also clips, chunks and errors.
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<String>,
    #[command(flatten)]
    pub service: ServiceArgs,
    /// The event of the service.
    #[arg(long, value_name = "ID", required_unless_present = "out")]
    pub event: Option<String>,
    /// The directory of a run on this machine, instead of a service.
    #[arg(long, value_name = "DIR", conflicts_with = "event")]
    pub out: Option<PathBuf>,
    /// Begin with what there was already. Of an event that is over everything is told in any case.
    #[arg(long)]
    pub from_start: bool,
    /// Print what there was, and wait for nothing.
    #[arg(long)]
    pub no_follow: bool,
}

/// Runs it.
pub fn run(args: &TapArgs) -> Result<ExitCode, CommandError> {
    let how = How {
        from_start: args.from_start || args.no_follow,
        follow: !args.no_follow,
    };
    let mut printed = Printed(BufWriter::new(io::stdout().lock()));
    match (&args.out, &args.event) {
        (Some(dir), _) => of_dir(dir, &args.names, how, &mut printed)?,
        (None, event) => {
            let event = event.as_deref().unwrap_or_default();
            of_service(
                &args.service.service()?,
                event,
                &args.names,
                how,
                &mut printed,
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines on stdout, and words about them on stderr.
struct Printed<'a>(BufWriter<StdoutLock<'a>>);

impl Told for Printed<'_> {
    fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.0, "{line}")
    }

    fn pause(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn note(&mut self, text: &str) {
        eprintln!("{text}");
    }
}
