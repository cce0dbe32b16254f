//! The pipeline spec: TOML text to checked data. Everything that is wrong is said at once, each
//! with its place and a suggestion; the order is parse, shape, types, options, wiring.

mod asked;
mod cases;
mod catalog;
mod diagnostic;
mod features;
mod graph;
mod options;
mod outside;
mod overrides;
mod owners;
mod parts;
mod rendering;
pub mod schema;
mod settings;
pub mod suggest;
mod tree;

use std::path::{Path, PathBuf};

use matchcut_media::render::RenderPlan;
use matchcut_model::replay::FeatureKey;
use matchcut_model::value::Name;
use matchcut_operators::sdk::Options;
use serde::Serialize;

pub use asked::{AskedReplay, parse_with};
pub use cases::{
    ExpectedRange, ExpectedSegment, Mismatch, SpecTest, TestObservation, TestOutcome, compare,
};
pub use catalog::{
    Catalog, FileSinkOptions, PartCheck, PartType, feed_types, sink_types, source_types,
};
pub use diagnostic::{Diagnostic, Diagnostics, Severity, Snippet};
pub use options::{pipeline_options, replay_options};
pub use overrides::Override;
pub use rendering::{
    FitChoice, RenderBy, RenderSettings, TransitionKind, TransitionSettings, frame_rate,
};
pub use settings::{Compat, Mode, Moment, Pipeline, ReplaySettings, Stretch, TimecodeSource};

use diagnostic::{Report, Texts};

/// A spec in which everything is right.
#[derive(Clone, Debug, Serialize)]
pub struct Spec {
    /// Where it was read, as the user named it.
    pub path: PathBuf,
    /// `[pipeline]`
    pub pipeline: Pipeline,
    /// `[sources.X]` in the order of the text, as are all parts.
    pub sources: Vec<SourceSpec>,
    /// `[operators.X]`
    pub operators: Vec<OperatorSpec>,
    /// `[replays.X]`
    pub replays: Vec<ReplaySpec>,
    /// `[sinks.X]`
    pub sinks: Vec<SinkSpec>,
    /// `[feeds.X]`
    pub feeds: Vec<FeedSpec>,
    /// `[[tests]]`
    pub tests: Vec<SpecTest>,
    /// What has no effect.
    #[serde(skip)]
    pub warnings: Diagnostics,
}

/// `[sources.X]`
#[derive(Clone, Debug, Serialize)]
pub struct SourceSpec {
    /// X.
    pub name: Name,
    /// Its `type`.
    pub kind: String,
    /// Where it is; a relative path is resolved already.
    pub uri: String,
    /// Its other options.
    pub options: Options,
}

/// `[operators.X]`
#[derive(Clone, Debug, Serialize)]
pub struct OperatorSpec {
    /// X.
    pub name: Name,
    /// Its `type`.
    pub kind: String,
    /// What it is wired to.
    pub inputs: Vec<Input>,
    /// Its options.
    pub options: Options,
}

/// `[replays.X]`
#[derive(Clone, Debug, Serialize)]
pub struct ReplaySpec {
    /// X.
    pub name: Name,
    /// Whose segments it chooses from.
    pub inputs: Vec<Input>,
    /// Its keys.
    pub settings: ReplaySettings,
    /// `render`, resolved.
    #[serde(skip)]
    pub render: Option<RenderPlan>,
    /// `weights`, read.
    pub weights: Vec<(FeatureKey, f64)>,
    /// `include`, read.
    pub include: Vec<FeatureKey>,
}

/// `[sinks.X]`
#[derive(Clone, Debug, Serialize)]
pub struct SinkSpec {
    /// X.
    pub name: Name,
    /// Its `type`.
    pub kind: String,
    /// What it takes.
    pub inputs: Vec<Input>,
    /// Its options with their defaults; relative paths are resolved already.
    pub options: Options,
}

/// `[feeds.X]`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeedSpec {
    /// X.
    pub name: Name,
    /// Its `type`.
    pub kind: String,
    /// Its options with their defaults; relative paths are resolved already.
    pub options: Options,
}

/// One entry of `inputs`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Frames of a source.
    Video(Name),
    /// Audio tracks of a source.
    Audio(Name),
    /// Marks that a source carries.
    Cues(Name),
    /// What an operator says.
    Operator(Name),
    /// A replay.
    Replay(Name),
}

/// Why there is no spec.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// The file cannot be read.
    #[error("spec \"{}\" cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A `--set` leads nowhere: the command line is wrong, not the spec.
    #[error("{0}")]
    Usage(Diagnostics),
    /// The spec is wrong.
    #[error("{0}")]
    Invalid(Diagnostics),
}

/// Reads and checks the spec in the file `path`.
pub fn load(path: &Path, overrides: &[Override], catalog: &Catalog) -> Result<Spec, SpecError> {
    let failed = |source| SpecError::Read {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::read(path).map_err(failed)?;
    let text = String::from_utf8(bytes)
        .map_err(|e| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))?;
    parse(&text, path, overrides, catalog)
}

/// Checks the text of a spec. `path` names it in messages; relative paths in it are relative to
/// the directory of `path`.
pub fn parse(
    text: &str,
    path: &Path,
    overrides: &[Override],
    catalog: &Catalog,
) -> Result<Spec, SpecError> {
    check(
        path,
        texts(text, path, overrides),
        catalog,
        |usage, report| {
            let mut root = tree::document(text, 0, report);
            overrides::apply(overrides, &mut root, catalog, usage, report);
            root
        },
    )
}

/// The texts that a spec is read from, with their names.
fn texts(text: &str, path: &Path, overrides: &[Override]) -> Vec<(String, String)> {
    let mut texts = vec![(path.display().to_string(), text.to_owned())];
    texts.extend(overrides.iter().map(|o| ("--set".to_owned(), o.0.clone())));
    texts
}

/// Checks the tree that `read` makes. What it reports first is wrong use of the command line.
fn check(
    path: &Path,
    texts: Vec<(String, String)>,
    catalog: &Catalog,
    read: impl FnOnce(&mut Report, &mut Report) -> tree::Table,
) -> Result<Spec, SpecError> {
    let mut report = Report::new(Texts(texts.clone()));
    let mut usage = Report::new(Texts(texts));
    let root = read(&mut usage, &mut report);
    if usage.has_errors() {
        return Err(SpecError::Usage(usage.finish()));
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let draft = parts::read(&root, base, catalog, &mut report);
    let wiring = graph::check(&draft, &mut report);
    let tests = cases::read(&root, &draft, &mut report);

    let failed = report.has_errors();
    let diagnostics = report.finish();
    if failed {
        return Err(SpecError::Invalid(diagnostics));
    }
    Ok(assemble(path, draft, wiring, tests, diagnostics))
}

fn assemble(
    path: &Path,
    draft: parts::Draft,
    wiring: graph::Wiring,
    tests: Vec<SpecTest>,
    warnings: Diagnostics,
) -> Spec {
    let sources = draft.sources.into_iter().map(|source| SourceSpec {
        name: Name::from(source.name.text),
        kind: source.kind,
        uri: source.uri,
        options: source.options,
    });
    let operators = draft
        .operators
        .into_iter()
        .zip(wiring.operators)
        .map(|(operator, inputs)| OperatorSpec {
            name: Name::from(operator.name.text),
            kind: operator.kind,
            inputs,
            options: operator.options,
        });
    let replays = draft
        .replays
        .into_iter()
        .zip(wiring.replays)
        .map(|(replay, wired)| ReplaySpec {
            name: Name::from(replay.name.text),
            inputs: wired.inputs,
            settings: replay.settings,
            render: replay.render,
            weights: wired.weights,
            include: wired.include,
        });
    let sinks = draft
        .sinks
        .into_iter()
        .zip(wiring.sinks)
        .map(|(sink, inputs)| SinkSpec {
            name: Name::from(sink.name.text),
            kind: sink
                .kind
                .map(|kind| kind.name.to_owned())
                .unwrap_or_default(),
            inputs,
            options: sink.options,
        });
    let feeds = draft.feeds.into_iter().map(|feed| FeedSpec {
        name: Name::from(feed.name.text),
        kind: feed.kind,
        options: feed.options,
    });
    Spec {
        path: path.to_owned(),
        pipeline: draft.pipeline,
        feeds: feeds.collect(),
        sources: sources.collect(),
        operators: operators.collect(),
        replays: replays.collect(),
        sinks: sinks.collect(),
        tests,
        warnings,
    }
}
