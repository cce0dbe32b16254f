//! `matchcut graph`: the plan of a spec as a picture.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use matchcut_dataflow::plan::Graph;

use crate::render::{CommandError, load_plan};

/// Draw what a spec wires together.
#[derive(Args, Clone, Debug)]
pub struct GraphArgs {
    /// The pipeline spec.
    #[arg(value_name = "SPEC")]
    pub spec: PathBuf,
    /// Set a value of the spec: sources.x.uri=…; may be given several times.
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// The language of the picture.
    #[arg(long, value_enum, default_value_t = GraphFormat::Dot)]
    pub format: GraphFormat,
}

/// Languages of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// For Markdown pages that render Mermaid.
    Mermaid,
    /// A picture that every browser shows.
    Svg,
}

/// Prints the picture on stdout.
pub fn run(args: &GraphArgs) -> Result<ExitCode, CommandError> {
    let (_, plan) = load_plan(&args.spec, &args.set)?;
    let graph = Graph::new(&plan);
    let text = match args.format {
        GraphFormat::Dot => graph.dot(),
        GraphFormat::Mermaid => graph.mermaid(),
        GraphFormat::Svg => graph.svg(),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
