//! A whole run with every built-in operator that asks no model, and a segmenter, against decoding alone.
//! Looking at the frames must cost little beside making them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use matchcut_dataflow::plan::{self, Plan};
use matchcut_dataflow::run::clips::ClipMode;
use matchcut_dataflow::run::engine::{self, Progress, Results, RunOptions};
use matchcut_dataflow::run::post::Post;
use matchcut_dataflow::spec::{self, Catalog, Override};

use crate::Error;
use crate::child::{self, Done, Figures, Task};
use crate::material::Material;
use crate::report::Section;
use crate::stats::Sample;

const SPEC: &str = include_str!("../analysis.toml");

/// An operator that needs a file.
const WITH_LOGO: &str = include_str!("../logo.toml");

/// A logo that is nowhere to be seen.
const LOGO: &[u8] = include_bytes!("../logo.png");

/// Recent media that a run keeps for clips.
const RECENT_BYTES: u64 = 32 << 20;

/// A run may take so many times what decoding takes.
const LIMIT: f64 = 1.1;

fn plan_of(playlist: &Path) -> Result<Plan, Error> {
    let catalog = Catalog::built_in();
    let uri = Override(format!("sources.programme.uri={}", playlist.display()));
    let logo = playlist.with_file_name("logo.png");
    fs::write(&logo, LOGO)?;
    let logo = Override(format!("operators.logo.image={}", logo.display()));
    let text = format!("{SPEC}\n{WITH_LOGO}");
    let spec = spec::parse(&text, Path::new("analysis.toml"), &[uri, logo], &catalog)?;
    Ok(plan::compile(&spec, &catalog)?)
}

/// The run, in this process.
pub fn run_all(playlist: &Path, threads: usize) -> Result<Done, Error> {
    let options = RunOptions {
        decode_threads: threads,
        max_epochs: threads * 2 + 2,
        clips: ClipMode::None,
        recent_bytes: RECENT_BYTES,
        ..RunOptions::default()
    };
    let mut failures = Vec::new();
    let mut listen = |progress: Progress<'_>| {
        if let Progress::Failure(failure) = progress {
            failures.push(failure.to_string());
        }
    };
    let stop = Arc::new(AtomicBool::new(false));
    let outcome = engine::run(
        &plan_of(playlist)?,
        &options,
        Results {
            targets: &mut [],
            store: None,
            post: Post::none(),
        },
        &stop,
        &mut listen,
    )?;
    failures.extend(outcome.broken.map(|failure| failure.to_string()));
    if let Some(failure) = failures.first() {
        return Err(failure.as_str().into());
    }
    let state = &outcome.state;
    Ok(Done {
        frames: state.chunks().map(|chunk| chunk.frames).sum(),
        results: state.observations().len() + state.segments().len(),
    })
}

/// Runs and decoding in turn.
pub fn measure(material: &Material, pairs: usize, threads: usize) -> Result<Section, Error> {
    // What is read from a disk once is read from memory later: nobody should be first.
    child::measure(Task::Decode, &material.playlist, threads)?;
    let mut measured = Vec::new();
    for pair in 1..=pairs {
        let decode = child::measure(Task::Decode, &material.playlist, threads)?;
        let run = child::measure(Task::Run, &material.playlist, threads)?;
        if run.frames != decode.frames {
            let (run, decode) = (run.frames, decode.frames);
            return Err(format!("the run saw {run} frames, decoding {decode}").into());
        }
        let ratio = ratio(&run, &decode, wall);
        eprintln!("analysis, pair {pair} of {pairs}: {ratio:.3} times decoding");
        measured.push((decode, run));
    }
    Ok(section(material, threads, &measured))
}

fn wall(figures: &Figures) -> f64 {
    figures.wall.as_secs_f64()
}

fn processor(figures: &Figures) -> f64 {
    figures.processor.as_secs_f64()
}

fn ratio(run: &Figures, decode: &Figures, of: fn(&Figures) -> f64) -> f64 {
    of(run) / of(decode)
}

fn section(material: &Material, threads: usize, measured: &[(Figures, Figures)]) -> Section {
    let (frames, results) = measured
        .first()
        .map_or((0, 0), |(_, run)| (run.frames, run.results));
    let about = format!(
        "Scene changes on every frame, fades, black pictures and court colour, sound by four operators \
         and a segmenter, without clips, against decoding the video alone; {threads} chunks at a \
         time. {}: {frames} frames, {results} observations and segments. Median of {} pairs of \
         runs in turn, smallest and largest ratio in brackets.",
        material.describe(),
        measured.len(),
    );
    let head = ["", "decoding alone", "whole run", "ratio"];
    let mut section = Section::new("Analysis against decoding", about, &head);
    let mut verdicts = Vec::new();
    for (name, of) in [
        ("wall clock", wall as fn(&Figures) -> f64),
        ("processor time", processor),
    ] {
        let decode = Sample::new(measured.iter().map(|(decode, _)| of(decode))).median();
        let run = Sample::new(measured.iter().map(|(_, run)| of(run))).median();
        let ratios = Sample::new(measured.iter().map(|(decode, run)| ratio(run, decode, of)));
        let (least, most) = ratios.range();
        let median = ratios.median();
        section.row([
            format!("{name}, s"),
            format!("{decode:.2}"),
            format!("{run:.2}"),
            format!("**{median:.3}** ({least:.3} to {most:.3})"),
        ]);
        let text = format!("{name} {median:.3} times that of decoding, at most {LIMIT} allowed");
        verdicts.push((text, median <= LIMIT));
    }
    let rate = |figures: &Figures| figures.frames as f64 / wall(figures);
    let decode = Sample::new(measured.iter().map(|(decode, _)| rate(decode))).median();
    let run = Sample::new(measured.iter().map(|(_, run)| rate(run))).median();
    section.row([
        "frames a second".to_owned(),
        format!("{decode:.0}"),
        format!("{run:.0}"),
        format!("{:.3}", run / decode),
    ]);
    for (text, holds) in verdicts {
        section.verdict(text, holds);
    }
    section
}
