//! `matchcut medialive`: what a spec wants of a channel of MediaLive, shown, done and undone.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use matchcut_ingest::medialive::control::{self, Control, ControlError, Purpose, Seen};
use matchcut_ingest::medialive::plan::{ChannelDescription, Plan};
use matchcut_ingest::{SourceConfig, SourceKind};

use crate::render::{CommandError, load_plan};

/// Make a channel of MediaLive ready for a pipeline, and take it back.
#[derive(Args, Clone, Debug)]
pub struct MediaLiveArgs {
    #[command(subcommand)]
    command: MediaLiveCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum MediaLiveCommand {
    /// Print what would be changed at the channel, and change nothing.
    Plan {
        #[command(flatten)]
        of: Of,
        /// What would be taken away, instead of what would be attached.
        #[arg(long)]
        detach: bool,
        /// A list to read, or JSON.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Attach the output that the source reads. The channel must be idle, unless nothing is to be changed.
    Attach(Of),
    /// Take away what was attached, and nothing else. The channel must be idle.
    Detach(Of),
    /// Switch to the input of the spec, if it names one, and start the channel.
    Start(Of),
    /// Stop the channel.
    Stop(Of),
    /// Print the state of the channel and its alerts, whenever they change.
    Watch {
        #[command(flatten)]
        of: Of,
        /// End after the first look.
        #[arg(long)]
        once: bool,
    },
}

/// Which channel.
#[derive(Args, Clone, Debug)]
struct Of {
    /// The pipeline spec.
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
    /// Set a value of the spec: sources.x.channel=…; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each change.
    Text,
    /// One JSON document.
    Json,
}

impl Of {
    fn control(&self) -> Result<(Control, std::time::Duration), CommandError> {
        let (_, plan) = load_plan(&self.spec, &self.set)?;
        let usage = |message: String| CommandError::Usage {
            message,
            hint: None,
        };
        let mut found = plan
            .sources
            .iter()
            .filter(|source| source.kind == "medialive");
        let (Some(source), None) = (found.next(), found.next()) else {
            let message = "the spec needs one source of type \"medialive\"".to_owned();
            return Err(usage(message));
        };
        let base = std::env::current_dir()?;
        let config = SourceConfig::new(
            &source.name,
            &source.kind,
            &source.uri,
            &base,
            &source.options,
        );
        let config = config.map_err(|errors| {
            let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
            usage(texts.join("; "))
        })?;
        match &config.kind {
            SourceKind::MediaLive(config) => Ok((Control::new(config), config.options.watch.std())),
            _ => Err(usage("the source is of another type".to_owned())),
        }
    }
}

/// Runs it.
pub fn run(args: &MediaLiveArgs) -> Result<ExitCode, CommandError> {
    let mut out = io::stdout().lock();
    match &args.command {
        MediaLiveCommand::Plan { of, detach, format } => {
            let purpose = match detach {
                true => Purpose::Detach,
                false => Purpose::Attach,
            };
            let (control, _) = of.control()?;
            let (channel, plan) = control::wait(control.plan(purpose))?;
            match format {
                Format::Text => text(&mut out, &channel, &plan)?,
                Format::Json => {
                    let told = serde_json::json!({
                        "channel": channel.name, "state": channel.state, "changes": plan.changes,
                    });
                    serde_json::to_writer_pretty(&mut out, &told).map_err(io::Error::from)?;
                    writeln!(out)?;
                }
            }
        }
        MediaLiveCommand::Attach(of) => {
            changed(&mut out, &carry_out(of, Purpose::Attach)?)?;
        }
        MediaLiveCommand::Detach(of) => {
            changed(&mut out, &carry_out(of, Purpose::Detach)?)?;
        }
        MediaLiveCommand::Start(of) => {
            let (control, _) = of.control()?;
            let (input, started) =
                control::wait(async { Ok((control.switch().await?, control.start().await?)) })?;
            if let Some(input) = input {
                writeln!(out, "switched to the input \"{input}\"")?;
            }
            let said = match started {
                true => "the channel was started",
                false => "the channel runs already",
            };
            writeln!(out, "{said}")?;
        }
        MediaLiveCommand::Stop(of) => {
            let (control, _) = of.control()?;
            let said = match control::wait(control.stop())? {
                true => "the channel was stopped",
                false => "the channel is idle already",
            };
            writeln!(out, "{said}")?;
        }
        MediaLiveCommand::Watch { of, once } => {
            let (control, pause) = of.control()?;
            let mut seen = Seen::default();
            loop {
                match control::wait(control.look(&mut seen)) {
                    Ok((_, told)) => {
                        for told in told {
                            let sign = if told.trouble { "! " } else { "" };
                            writeln!(out, "{sign}{}", told.text)?;
                        }
                        out.flush()?;
                    }
                    Err(error) if *once => return Err(error.into()),
                    // It is looked at again: what fails now may not fail then.
                    Err(error) => eprintln!("warning: {error}"),
                }
                if *once {
                    break;
                }
                std::thread::sleep(pause);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn carry_out(of: &Of, purpose: Purpose) -> Result<Plan, CommandError> {
    let (control, _) = of.control()?;
    let done: Result<Plan, ControlError> = control::wait(control.carry_out(purpose));
    Ok(done?)
}

fn text(out: &mut impl Write, channel: &ChannelDescription, plan: &Plan) -> io::Result<()> {
    writeln!(out, "channel \"{}\" is {}", channel.name, channel.state)?;
    for change in &plan.changes {
        writeln!(out, "  {change}")?;
    }
    let others = channel.outputs.len();
    match plan.changes.is_empty() {
        true => writeln!(out, "nothing is to be changed"),
        false if channel.is_idle() => {
            writeln!(out, "output groups now: {others}; nothing was changed")
        }
        false => writeln!(
            out,
            "output groups now: {others}; nothing was changed; the channel must be idle for this"
        ),
    }
}

fn changed(out: &mut impl Write, plan: &Plan) -> io::Result<()> {
    for change in &plan.changes {
        writeln!(out, "{change}")?;
    }
    if plan.changes.is_empty() {
        writeln!(out, "nothing was to be changed")?;
    }
    Ok(())
}
