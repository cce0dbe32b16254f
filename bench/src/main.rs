//! The bench harness. It measures what matchcut promises of its cost, always against something else
//! in the same run, since only ratios carry from one machine and one day to another.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use matchcut_bench::child::{self, Task};
use matchcut_bench::material::Material;
use matchcut_bench::report::{Report, Section};
use matchcut_bench::{
    Error, analysis, cut, kafka, machine, memory, peers, quality, replay, selection, service,
};

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Topic {
    /// A whole run against decoding alone.
    Analysis,
    /// How soon a new segment is in a replay.
    Selection,
    /// Highlights of a match from recorded observations.
    Replay,
    /// An exact clip against copying and encoding again with ffmpeg.
    Cut,
    /// Hard cuts against those who find them, too.
    Peers,
    /// What is seen in real clips, against what was read by eye and what others find.
    Quality,
    /// A backlog of messages against Kafka's own producer benchmark.
    Kafka,
    /// How long readers of the service wait while events run.
    Service,
    /// Peak memory, and that it does not grow with the length.
    Memory,
}

/// Measure matchcut on this machine.
#[derive(Parser, Debug)]
#[command(name = "matchcut-bench")]
struct Args {
    /// What to measure [default: everything].
    topics: Vec<Topic>,
    /// Pairs of runs that are compared; medians are told.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pairs: u16,
    /// Chunks decoded side by side [default: one for each core].
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Minutes of media of the longer run of `memory`.
    #[arg(long, default_value_t = memory::LONG, value_parser = clap::value_parser!(u32).range(6..))]
    minutes: u32,
    /// Where `quality` looks for the annotated clips; may be given several times.
    #[arg(long, default_value = quality::CLIPS, value_name = "DIR")]
    clips: Vec<PathBuf>,
    /// Where the report and the generated material go.
    #[arg(long, default_value = "out/bench", value_name = "DIR")]
    out: PathBuf,
    /// Exit with 1 when a limit is exceeded.
    #[arg(long)]
    check: bool,
    /// Do one measured task and print its figures: what the bench starts itself with.
    #[arg(long, hide = true, requires = "playlist")]
    task: Option<Task>,
    /// What the task works on.
    #[arg(long, hide = true)]
    playlist: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match (&args.task, &args.playlist) {
        (Some(task), Some(playlist)) => {
            child::perform(*task, playlist, threads(&args)).map(|()| ExitCode::SUCCESS)
        }
        _ => bench(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn threads(args: &Args) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    args.threads.map_or_else(cores, usize::from)
}

fn bench(args: &Args) -> Result<ExitCode, Error> {
    let mut topics = args.topics.clone();
    if topics.is_empty() {
        topics = Topic::value_variants().to_vec();
    }
    topics.sort_unstable();
    topics.dedup();
    let (pairs, threads) = (usize::from(args.pairs), threads(args));
    let mut report = Report::new(machine::describe());
    for topic in topics {
        let sections: Vec<Section> = match topic {
            Topic::Analysis => {
                vec![analysis::measure(
                    &Material::ready(&args.out)?,
                    pairs,
                    threads,
                )?]
            }
            Topic::Memory => vec![memory::measure(&args.out, args.minutes)?],
            Topic::Peers => {
                let material = Material::ready(&args.out)?;
                vec![peers::measure(&material, &args.out, pairs, threads)?]
            }
            Topic::Kafka => vec![kafka::measure(pairs)?],
            Topic::Service => vec![service::measure(&args.out)?],
            Topic::Selection => vec![selection::measure()?],
            Topic::Replay => vec![replay::measure(&args.out, pairs)?],
            Topic::Cut => vec![cut::measure(&Material::ready(&args.out)?, pairs)?],
            Topic::Quality => quality::measure(&args.clips, &args.out, pairs)?,
        };
        for section in sections {
            eprintln!("{}", section.markdown());
            report.add(section);
        }
    }
    report.write(&args.out)?;
    println!("{}", report.markdown());
    eprintln!("written to {}/report.html", args.out.display());
    let exceeded = args.check && !report.holds();
    Ok(if exceeded {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
