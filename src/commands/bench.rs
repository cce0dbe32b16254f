//! `matchcut bench`: streams recorded with their arrival times and played back, whole or disturbed;
//! how long a pipeline takes on such a playback; and a whole match to tune replays with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use matchcut_bench::disturb::{Chances, Plan as Playing, Script};
use matchcut_bench::latency;
use matchcut_bench::outlet::{Directory, Http, Outlet, Readable};
use matchcut_bench::playback::{self, Pace};
use matchcut_bench::record::record;
use matchcut_bench::report::Report;
use matchcut_bench::trace::Trace;
use matchcut_bench::{Error, live, machine, replay, usopen};
use matchcut_dataflow::run::convert;
use matchcut_dataflow::run::engine::RunOptions;
use matchcut_dataflow::run::home::Dirs;
use matchcut_dataflow::run::target::Begin;
use matchcut_dataflow::spec::Catalog;

use super::run::Clips;
use crate::render::{CommandError, count, load, load_plan};

/// Record, play back and measure streams.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Clone, Debug)]
enum What {
    /// Record a stream with its arrival times.
    Record(RecordArgs),
    /// Play a recorded stream into a growing directory, or as live HLS on this machine.
    Play(PlayArgs),
    /// Run a pipeline on a playback, and measure how soon its results are there.
    Run(RunArgs),
    /// Write a whole match as recorded observations, to be used with `matchcut replay`.
    Generate(GenerateArgs),
}

#[derive(Args, Clone, Debug)]
struct RecordArgs {
    /// An HLS playlist, or a directory of numbered chunks.
    uri: String,
    /// A new directory for the chunks and their trace.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// End after so many seconds [default: with the stream].
    #[arg(long, value_name = "SECONDS")]
    limit: Option<u64>,
}

/// How a recorded stream is played.
#[derive(Args, Clone, Debug)]
struct Playback {
    /// How fast: 1 as it was recorded, 4 four times so fast, max all at once.
    #[arg(long, default_value = "1")]
    pace: Pace,
    /// A script (TOML) of what goes wrong; the shares below are added to it.
    #[arg(long, value_name = "FILE.toml")]
    script: Option<PathBuf>,
    /// Share of the chunks that come after some of their successors, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    disorder: Option<f64>,
    /// Share of the chunks that never come.
    #[arg(long, value_name = "SHARE")]
    loss: Option<f64>,
    /// Share of the chunks that come twice.
    #[arg(long, value_name = "SHARE")]
    duplicates: Option<f64>,
    /// Share of the chunks that come cut off, and whole later.
    #[arg(long, value_name = "SHARE")]
    corrections: Option<f64>,
    /// Share of the chunks that stay cut off.
    #[arg(long, value_name = "SHARE")]
    truncation: Option<f64>,
    /// Share of the chunks before which nothing comes for a while.
    #[arg(long, value_name = "SHARE")]
    stalls: Option<f64>,
    /// What chance is made of: the same seed, the same playback.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Args, Clone, Debug)]
struct PlayArgs {
    /// A recorded trace or its directory, a playlist, or a directory of chunks.
    trace: PathBuf,
    #[command(flatten)]
    playback: Playback,
    /// A directory that grows.
    #[arg(long, value_name = "DIR", required_unless_present = "http")]
    dir: Option<PathBuf>,
    /// Live HLS on this port of the loopback interface, 0 for a free one.
    #[arg(long, value_name = "PORT", conflicts_with = "dir")]
    http: Option<u16>,
    /// Go on serving for so many seconds when all was played.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "http")]
    linger: u64,
}

/// How a playback reaches the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// As live HLS, from a server on this machine.
    Hls,
    /// As a directory that grows.
    Directory,
}

#[derive(Args, Clone, Debug)]
struct RunArgs {
    /// The pipeline spec. Its source is replaced by the playback.
    #[arg(value_name = "SPEC")]
    spec: PathBuf,
    /// A recorded trace or its directory, a playlist, or a directory of chunks.
    #[arg(long)]
    trace: PathBuf,
    #[command(flatten)]
    playback: Playback,
    /// How the playback reaches the pipeline [default: as the source of the spec reads].
    #[arg(long, value_enum)]
    by: Option<By>,
    /// Set a value of the spec; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// A directory for the report, and for the results in `results`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace the results that the directory holds.
    #[arg(long)]
    force: bool,
    /// How clips are cut.
    #[arg(long, value_enum, default_value_t = Clips::Exact)]
    clips: Clips,
    /// Workers of the dataflow.
    #[arg(short, long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Chunks decoded side by side [default: one for each core].
    #[arg(long, value_name = "THREADS", value_parser = clap::value_parser!(u16).range(1..=256))]
    decode_threads: Option<u16>,
    /// What an hour of a virtual processor costs, in dollars.
    #[arg(long, value_name = "DOLLARS", default_value_t = live::PRICE)]
    price: f64,
    /// How the report is printed on stdout.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Markdown, which reads as text.
    Text,
    /// One JSON document.
    Json,
}

#[derive(Args, Clone, Debug)]
struct GenerateArgs {
    /// The annotated observations: demo/usopen2019/observations.jsonl.
    observations: PathBuf,
    /// A directory for usopen.toml and observations.jsonl.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The same seed, the same bytes.
    #[arg(long, default_value_t = usopen::SEED)]
    seed: u64,
}

/// Runs it.
pub fn run(args: &BenchArgs) -> Result<ExitCode, CommandError> {
    match &args.what {
        What::Record(args) => record_stream(args),
        What::Play(args) => play(args),
        What::Run(args) => measure(args),
        What::Generate(args) => generate(args),
    }
}

fn failed(error: impl Into<Error>) -> CommandError {
    CommandError::Bench {
        message: error.into().to_string(),
    }
}

fn stop_at_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let handler = {
        let stop = Arc::clone(&stop);
        move || stop.store(true, Ordering::SeqCst)
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!(%error, "interrupts end the process at once");
    }
    stop
}

fn record_stream(args: &RecordArgs) -> Result<ExitCode, CommandError> {
    let limit = args.limit.map(Duration::from_secs);
    let done = record(&args.uri, &args.out, limit, &stop_at_interrupt()).map_err(failed)?;
    eprintln!(
        "{}, {} bytes, {} in {:.1} s",
        count(done.chunks, "chunk"),
        done.bytes,
        count(done.playlists, "version") + " of the playlist",
        done.time.as_secs_f64(),
    );
    println!("{}", args.out.join(matchcut_bench::trace::FILE).display());
    Ok(match done.chunks {
        0 => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

impl Playback {
    fn plan(&self, trace: &Trace) -> Result<Playing, CommandError> {
        let mut script = match &self.script {
            None => Script::default(),
            Some(path) => {
                let read = fs::read_to_string(path);
                let text = read.map_err(|source| CommandError::Read {
                    path: path.clone(),
                    source,
                })?;
                let parsed = Script::parse(&text);
                parsed.map_err(|error| failed(format!("{}: {error}", path.display())))?
            }
        };
        script.seed = self.seed.unwrap_or(script.seed);
        let own = &mut script.chances;
        let Chances {
            disorder,
            loss,
            duplicates,
            corrections,
            truncation,
            stalls,
        } = own;
        for (share, given) in [
            (disorder, self.disorder),
            (loss, self.loss),
            (duplicates, self.duplicates),
            (corrections, self.corrections),
            (truncation, self.truncation),
            (stalls, self.stalls),
        ] {
            *share = given.unwrap_or(*share);
        }
        script.plan(trace).map_err(failed)
    }
}

fn play(args: &PlayArgs) -> Result<ExitCode, CommandError> {
    let trace = Arc::new(Trace::open(&args.trace).map_err(failed)?);
    let plan = args.playback.plan(&trace)?;
    let stop = stop_at_interrupt();
    let readable = Readable::default();
    let mut outlet: Box<dyn Outlet> = match (&args.dir, args.http) {
        (Some(dir), _) => {
            println!("{}", dir.display());
            Box::new(Directory::new(Arc::clone(&trace), dir, readable).map_err(failed)?)
        }
        (None, port) => {
            let http = Http::start(Arc::clone(&trace), port.unwrap_or(0), readable);
            let http = http.map_err(failed)?;
            println!("{}", http.address());
            Box::new(http)
        }
    };
    eprintln!("{}", live::describe(&trace, &plan, args.playback.pace));
    playback::play(&plan, outlet.as_mut(), args.playback.pace, &stop).map_err(failed)?;
    if args.http.is_some() {
        let mut left = args.linger * 10;
        while left > 0 && !stop.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(100));
            left -= 1;
        }
    }
    Ok(match stop.load(Ordering::SeqCst) {
        true => ExitCode::from(130),
        false => ExitCode::SUCCESS,
    })
}

/// The overrides that put the playback in the place of the source.
fn source(
    args: &RunArgs,
    uri: impl Fn(By) -> Result<String, Error>,
) -> Result<Vec<String>, CommandError> {
    // What is set may be an option that only the other type of source has.
    let (spec, _) = load(&args.spec, &[])?;
    let mut sources = spec.sources.iter();
    let (Some(source), None) = (sources.next(), sources.next()) else {
        return Err(failed("a spec with one source is needed"));
    };
    let name = &source.name;
    let kind = source.kind.as_str();
    let own = if kind == "directory" {
        By::Directory
    } else {
        By::Hls
    };
    let by = args.by.unwrap_or(own);
    let mut set = Vec::new();
    let other = match by {
        By::Hls => "hls",
        By::Directory => "directory",
    };
    if other != kind {
        set.push(format!("sources.{name}.type={other}"));
    }
    if by == By::Directory {
        set.push(format!("sources.{name}.follow=true"));
    }
    set.push(format!("sources.{name}.uri={}", uri(by).map_err(failed)?));
    set.extend(args.set.iter().cloned());
    Ok(set)
}

fn measure(args: &RunArgs) -> Result<ExitCode, CommandError> {
    let trace = Arc::new(Trace::open(&args.trace).map_err(failed)?);
    let playing = args.playback.plan(&trace)?;
    let readable = Readable::default();
    let results = args.out.join("results");
    let media = args.out.join("media");
    let outlet: std::cell::RefCell<Option<Box<dyn Outlet + Send>>> = std::cell::RefCell::new(None);
    let set = source(args, |by| {
        let (trace, readable) = (Arc::clone(&trace), readable.clone());
        let (address, made): (String, Box<dyn Outlet + Send>) = match by {
            By::Hls => {
                let http = Http::start(trace, 0, readable)?;
                (http.address(), Box::new(http))
            }
            By::Directory => {
                if media.exists() && args.force {
                    fs::remove_dir_all(&media)?;
                }
                let address = std::path::absolute(&media)?.display().to_string();
                (address, Box::new(Directory::new(trace, &media, readable)?))
            }
        };
        *outlet.borrow_mut() = Some(made);
        Ok(address)
    })?;
    let mut outlet = outlet.into_inner().ok_or_else(|| failed("no playback"))?;
    let (_, plan) = load_plan(&args.spec, &set)?;
    let info = convert::event_info(&plan, &Catalog::built_in());
    let begin = match args.force {
        true => Begin::Replace,
        false => Begin::New,
    };
    let mut targets = Dirs::new(&plan, Some(&results))?.targets(&plan, begin, &info)?;
    let mut options = RunOptions {
        workers: usize::from(args.workers),
        clips: args.clips.into(),
        ..RunOptions::default()
    };
    if let Some(threads) = args.decode_threads {
        options.decode_threads = usize::from(threads);
        options.max_epochs = options.decode_threads * 2 + 2;
    }
    eprintln!("{}", live::describe(&trace, &playing, args.playback.pace));
    let stop = stop_at_interrupt();
    let pace = args.playback.pace;
    let played = {
        let (playing, stop) = (playing.clone(), Arc::clone(&stop));
        thread::Builder::new()
            .name("play".to_owned())
            .spawn(move || playback::play(&playing, outlet.as_mut(), pace, &stop))
            .map_err(failed)?
    };
    let measured = latency::run(&plan, &options, &mut targets, &results, &readable, &stop);
    stop.store(true, Ordering::SeqCst);
    played
        .join()
        .map_err(|_| failed("the playback panicked"))?
        .map_err(failed)?;
    let measured = measured.map_err(failed)?;
    let stored = live::stored(&results).map_err(failed)?;
    let mut report = Report::new(machine::describe());
    let sections = live::sections(&live::Run {
        pipeline: &plan.pipeline.name,
        playback: live::describe(&trace, &playing, pace),
        measured: &measured,
        stored,
        price: args.price,
    });
    for section in sections {
        report.add(section);
    }
    report.write(&args.out).map_err(failed)?;
    match args.format {
        Format::Text => print!("{}", report.markdown()),
        Format::Json => print!("{}", report.json()),
    }
    eprintln!("written to {}", args.out.join("report.html").display());
    Ok(ExitCode::SUCCESS)
}

fn generate(args: &GenerateArgs) -> Result<ExitCode, CommandError> {
    let made = replay::generate(&args.observations, args.seed, &args.out).map_err(failed)?;
    eprintln!("{}", count(made, "observation"));
    let show = |name: &str| println!("{}", Path::new(&args.out).join(name).display());
    show("usopen.toml");
    show("observations.jsonl");
    Ok(ExitCode::SUCCESS)
}
