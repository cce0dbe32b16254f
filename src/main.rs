//! The command line of matchcut. Each subcommand is a file in `commands`; no logic lives here.

mod allocator;
mod commands;
mod failures;
mod log;
mod render;
mod results;
mod traces;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use commands::{
    access, backup, bench, clip, convert, doctor, graph, medialive, operator, operators, probe,
    replay, run, schema, secret, select, serve, tap, test, top, validate,
};

use render::BAD_USAGE;
use traces::Traces;

#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator;

/// Live or recorded HLS in, clips and highlight replays out.
#[derive(Parser, Debug)]
#[command(name = "matchcut", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(run::RunArgs),
    Replay(replay::ReplayArgs),
    Select(select::SelectArgs),
    Clip(clip::ClipArgs),
    Probe(probe::ProbeArgs),
    Validate(validate::ValidateArgs),
    Graph(graph::GraphArgs),
    Test(test::TestArgs),
    Schema(schema::SchemaArgs),
    Operators(operators::OperatorsArgs),
    Operator(operator::OperatorArgs),
    #[command(name = "medialive")]
    MediaLive(medialive::MediaLiveArgs),
    Serve(serve::ServeArgs),
    Tap(tap::TapArgs),
    Top(top::TopArgs),
    Access(access::AccessArgs),
    Secret(secret::SecretArgs),
    Backup(backup::BackupArgs),
    Restore(backup::RestoreArgs),
    Convert(convert::ConvertArgs),
    Bench(bench::BenchArgs),
    Doctor(doctor::DoctorArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Results go to stdout and messages to stderr, so that both can be used on their own.
    let traces = match &command {
        Command::Run(_) | Command::Serve(_) => Traces::from_env(),
        _ => Ok(Traces::default()),
    };
    let traces = match traces {
        Ok(traces) => traces,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    log::init(&traces);
    match &command {
        Command::Replay(_) | Command::Select(_) | Command::Test(_) => allocator::be_quick(),
        _ => allocator::be_small(),
    }
    let result = match command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Clip(args) => clip::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::Graph(args) => graph::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Operators(args) => operators::run(&args),
        Command::Operator(args) => operator::run(&args),
        Command::MediaLive(args) => medialive::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Tap(args) => tap::run(&args),
        Command::Top(args) => top::run(&args),
        Command::Access(args) => access::run(&args),
        Command::Secret(args) => secret::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => backup::run_restore(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Select(args) => {
            return select::run(&args).unwrap_or_else(|error| {
                eprintln!("error: {error}");
                error.exit_code()
            });
        }
        Command::Completions { shell } => {
            let mut command = Cli::command();
            clap_complete::generate(shell, &mut command, "matchcut", &mut io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    matchcut_operators::hosts::end_all();
    traces.end();
    result.unwrap_or_else(|error| error.report())
}
