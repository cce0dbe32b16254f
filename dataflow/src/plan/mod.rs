//! The plan of a pipeline: a checked spec with every name resolved to an index, in the order in
//! which the dataflow is built. It is plain data that can be printed and drawn.

mod display;
mod draw;

pub use draw::{Graph, GraphEdge, GraphNode, NodeKind};

use std::collections::{BTreeMap, BTreeSet};

use matchcut_media::render::RenderPlan;
use matchcut_model::chunk::TrackNumber;
use matchcut_model::frame::ViewSpec;
use matchcut_model::observation::Class;
use matchcut_model::replay::{self, Priority, ReplayRequest, Score};
use matchcut_model::time::TimeRange;
use matchcut_model::value::Name;
use matchcut_operators::sdk::{EdgeKind, Operator, OptionError, Options};
use serde::Serialize;

use crate::spec::{Catalog, Compat, FeedSpec, Input, Mode, Pipeline, RenderBy, ReplaySpec, Spec};

/// A spec, compiled.
#[derive(Clone, Serialize)]
pub struct Plan {
    /// `[pipeline]`
    pub pipeline: Pipeline,
    /// Sources, in the order of the spec.
    pub sources: Vec<PlanSource>,
    /// Operators; each stands behind its inputs.
    pub operators: Vec<PlanOperator>,
    /// What is scaled from the frames of each source, once for all that want the same.
    pub views: Vec<PlanView>,
    /// Each segmenter with what updates its segments.
    pub chains: Vec<Chain>,
    /// Replays, in the order of the spec.
    pub replays: Vec<PlanReplay>,
    /// Sinks, in the order of the spec.
    pub sinks: Vec<PlanSink>,
    /// Feeds, in the order of the spec.
    pub feeds: Vec<FeedSpec>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanSource {
    /// Its name.
    pub name: Name,
    /// Its `type`.
    pub kind: String,
    /// Where it is.
    pub uri: String,
    /// Its options.
    pub options: Options,
}

/// What an input is, by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanInput {
    /// Frames of a source.
    Video(usize),
    /// Audio tracks of a source.
    Audio(usize),
    /// Marks that a source carries.
    Cues(usize),
    /// What an operator says.
    Operator(usize),
    /// A replay.
    Replay(usize),
}

/// An operator, built.
#[derive(Clone, Serialize)]
pub struct PlanOperator {
    /// Its place in [`Plan::operators`].
    pub index: usize,
    /// Its name.
    pub name: Name,
    /// Its class.
    pub class: Class,
    /// Its `type`.
    pub kind: String,
    /// Its inputs, in the order of the spec.
    pub inputs: Vec<PlanInput>,
    /// Operators whose observations it reads.
    pub observations: Vec<usize>,
    /// For optimizers and labelers: the segmenter whose segments it updates.
    pub segmenter: Option<usize>,
    /// For optimizers and labelers: its place in the chain of that segmenter, from 0.
    pub rank: u32,
    /// The view that it looks at, in [`Plan::views`].
    pub view: Option<usize>,
    /// Its options, with what the pipeline gives it.
    pub options: Options,
    /// The operator itself.
    #[serde(skip)]
    pub operator: Operator,
}

/// A view of the frames of a source, shared by all operators that want the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanView {
    /// The source.
    pub source: usize,
    /// The view.
    pub view: ViewSpec,
    /// Who looks at it.
    pub operators: Vec<usize>,
}

/// A segmenter with the optimizers and labelers of its segments, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chain {
    /// The segmenter.
    pub segmenter: usize,
    /// What updates its segments.
    pub updates: Vec<usize>,
}

/// A replay, resolved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanReplay {
    /// Its name.
    pub name: Name,
    /// The segmenter whose segments it chooses from, as the end of its chain leaves them.
    pub segmenter: usize,
    /// Its inputs, as the spec names them.
    pub inputs: Vec<PlanInput>,
    /// What it asks for.
    pub request: ReplayRequest,
    /// Its features.
    pub features: Vec<PlanFeature>,
    /// Versions of its playlist that it keeps while the event runs; 0 keeps all.
    pub keep_versions: u32,
    /// How its video is rendered, when it is.
    #[serde(skip)]
    pub render: Option<RenderPlan>,
    /// Who renders it.
    pub render_by: RenderBy,
}

/// A feature of a replay: an implicit edge from an operator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanFeature {
    /// The operator that says it.
    pub operator: usize,
    /// As it is written.
    pub feature: String,
    /// Its weight; `None` for one of `include`.
    pub weight: Option<f64>,
}

/// A sink.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanSink {
    /// Its name.
    pub name: Name,
    /// Its `type`.
    pub kind: String,
    /// What it takes.
    pub inputs: Vec<PlanInput>,
    /// Its options with their defaults.
    pub options: Options,
}

/// Why a spec has no plan. A spec that was read by [`crate::spec::parse`] with the same catalog
/// always has one.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A part names another that is not there.
    #[error("\"{part}\" names \"{name}\", which does not exist")]
    NoSuchPart {
        /// Who names it.
        part: Name,
        /// What.
        name: Name,
    },
    /// A type that the catalog does not have.
    #[error("operator \"{operator}\" is of type \"{kind}\", which does not exist")]
    NoSuchType {
        /// The operator.
        operator: Name,
        /// Its type.
        kind: String,
    },
    /// Options that its type refuses.
    #[error("operator \"{operator}\" cannot be built")]
    Options {
        /// The operator.
        operator: Name,
        /// Why.
        errors: Vec<OptionError>,
    },
    /// Operators that wait for each other.
    #[error("operators in a circle: {}", names.join(", "))]
    Circle {
        /// Them.
        names: Vec<String>,
    },
    /// A part that needs segments of one segmenter and gets none, or those of several.
    #[error("\"{part}\" needs the segments of one segmenter, it gets those of {found}")]
    Segmenters {
        /// The part.
        part: Name,
        /// Of how many.
        found: usize,
    },
}

/// Compiles a checked spec.
pub fn compile(spec: &Spec, catalog: &Catalog) -> Result<Plan, PlanError> {
    let order = order(spec)?;
    let names = Names {
        sources: index(spec.sources.iter().map(|source| &source.name)),
        operators: index(order.iter().map(|at| &spec.operators[*at].name)),
        replays: index(spec.replays.iter().map(|replay| &replay.name)),
    };
    let mut operators: Vec<PlanOperator> = Vec::new();
    let mut views: Vec<PlanView> = Vec::new();
    let mut chains: Vec<Chain> = Vec::new();
    for (index, at) in order.into_iter().enumerate() {
        let operator = operator(spec, at, index, &operators, &names, catalog)?;
        place(operator, &mut operators, &mut views, &mut chains);
    }
    let mut replays = Vec::new();
    for replay in &spec.replays {
        replays.push(plan_replay(replay, &operators, &names)?);
    }
    let mut sinks = Vec::new();
    for sink in &spec.sinks {
        sinks.push(PlanSink {
            name: sink.name.clone(),
            kind: sink.kind.clone(),
            inputs: names.all(&sink.name, &sink.inputs)?,
            options: sink.options.clone(),
        });
    }
    let source = |source: &crate::spec::SourceSpec| PlanSource {
        name: source.name.clone(),
        kind: source.kind.clone(),
        uri: source.uri.clone(),
        options: source.options.clone(),
    };
    Ok(Plan {
        pipeline: spec.pipeline.clone(),
        sources: spec.sources.iter().map(source).collect(),
        operators,
        views,
        chains,
        replays,
        sinks,
        feeds: spec.feeds.clone(),
    })
}

type Index = BTreeMap<Name, usize>;

fn index<'a>(names: impl Iterator<Item = &'a Name>) -> Index {
    names
        .enumerate()
        .map(|(at, name)| (name.clone(), at))
        .collect()
}

struct Names {
    sources: Index,
    operators: Index,
    replays: Index,
}

impl Names {
    fn one(&self, part: &Name, input: &Input) -> Result<PlanInput, PlanError> {
        let find = |index: &Index, name: &Name| {
            let missing = || PlanError::NoSuchPart {
                part: part.clone(),
                name: name.clone(),
            };
            index.get(name).copied().ok_or_else(missing)
        };
        Ok(match input {
            Input::Video(name) => PlanInput::Video(find(&self.sources, name)?),
            Input::Audio(name) => PlanInput::Audio(find(&self.sources, name)?),
            Input::Cues(name) => PlanInput::Cues(find(&self.sources, name)?),
            Input::Operator(name) => PlanInput::Operator(find(&self.operators, name)?),
            Input::Replay(name) => PlanInput::Replay(find(&self.replays, name)?),
        })
    }

    fn all(&self, part: &Name, inputs: &[Input]) -> Result<Vec<PlanInput>, PlanError> {
        inputs.iter().map(|input| self.one(part, input)).collect()
    }
}

/// Operators behind their inputs; else the order of the spec.
fn order(spec: &Spec) -> Result<Vec<usize>, PlanError> {
    let names = index(spec.operators.iter().map(|operator| &operator.name));
    let mut missing: Vec<BTreeSet<usize>> = Vec::new();
    for operator in &spec.operators {
        let mut before = BTreeSet::new();
        for input in &operator.inputs {
            if let Input::Operator(name) = input {
                let part = operator.name.clone();
                let at = names.get(name).copied();
                before.insert(at.ok_or(PlanError::NoSuchPart {
                    part,
                    name: name.clone(),
                })?);
            }
        }
        missing.push(before);
    }
    let mut ready: BTreeSet<usize> = (0..missing.len())
        .filter(|at| missing[*at].is_empty())
        .collect();
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); missing.len()];
    for (at, before) in missing.iter().enumerate() {
        before.iter().for_each(|input| users[*input].push(at));
    }
    let mut order = Vec::new();
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for user in &users[at] {
            missing[*user].remove(&at);
            if missing[*user].is_empty() {
                ready.insert(*user);
            }
        }
    }
    if order.len() < spec.operators.len() {
        let left = (0..missing.len()).filter(|at| !missing[*at].is_empty());
        let names = left.map(|at| spec.operators[at].name.to_string()).collect();
        return Err(PlanError::Circle { names });
    }
    Ok(order)
}

fn operator(
    spec: &Spec,
    at: usize,
    index: usize,
    before: &[PlanOperator],
    names: &Names,
    catalog: &Catalog,
) -> Result<PlanOperator, PlanError> {
    let declared = &spec.operators[at];
    let name = declared.name.clone();
    let Some((kind, description)) = catalog.operator(&declared.kind) else {
        return Err(PlanError::NoSuchType {
            operator: name,
            kind: declared.kind.clone(),
        });
    };
    let known = &description.options;
    let options = with_pipeline_options(&name, &declared.options, known, &spec.pipeline);
    let operator = kind.build(&options).map_err(|errors| PlanError::Options {
        operator: name.clone(),
        errors,
    })?;
    let class = kind.describe_with(&options).class;
    let inputs = names.all(&name, &declared.inputs)?;
    let input_operators = || {
        inputs.iter().filter_map(|input| match input {
            PlanInput::Operator(at) => before.get(*at),
            _ => None,
        })
    };
    let observations = input_operators()
        .filter(|o| o.class == Class::Featurer)
        .map(|o| o.index)
        .collect();
    let segmenter = match class {
        Class::Optimizer | Class::Labeler => Some(one_segmenter(&name, input_operators())?),
        Class::Featurer | Class::Segmenter => None,
    };
    Ok(PlanOperator {
        index,
        name,
        class,
        kind: declared.kind.clone(),
        inputs,
        observations,
        segmenter,
        rank: 0,
        view: None,
        options,
        operator,
    })
}

/// What an operator leaves out of its options and the pipeline knows: the longest segment, the names of the
/// program and the event, its own name.
fn with_pipeline_options(
    name: &Name,
    options: &Options,
    known: &[matchcut_operators::sdk::OptionSpec],
    pipeline: &Pipeline,
) -> Options {
    let mut options = options.clone();
    let values = [
        (
            "max_segment",
            format!("{}s", pipeline.max_segment.rounded_seconds()),
        ),
        ("mre_program", pipeline.program().to_owned()),
        ("mre_event", pipeline.event().to_owned()),
        ("mre_profile", pipeline.name.clone()),
        ("mre_plugin", name.to_string()),
    ];
    for (key, text) in values {
        if known.iter().any(|option| option.name == key) && !options.contains_key(key) {
            options.insert(key.to_owned(), text.into());
        }
    }
    options
}

/// The segmenter that all segments among `inputs` come from.
fn one_segmenter<'a>(
    part: &Name,
    inputs: impl Iterator<Item = &'a PlanOperator>,
) -> Result<usize, PlanError> {
    let segmenters: BTreeSet<usize> = inputs
        .filter_map(|operator| match operator.class {
            Class::Featurer => None,
            Class::Segmenter => Some(operator.index),
            Class::Optimizer | Class::Labeler => operator.segmenter,
        })
        .collect();
    match segmenters.first() {
        Some(one) if segmenters.len() == 1 => Ok(*one),
        _ => Err(PlanError::Segmenters {
            part: part.clone(),
            found: segmenters.len(),
        }),
    }
}

/// Adds an operator with its place in the views and chains.
fn place(
    mut operator: PlanOperator,
    operators: &mut Vec<PlanOperator>,
    views: &mut Vec<PlanView>,
    chains: &mut Vec<Chain>,
) {
    let index = operator.index;
    if operator.class == Class::Segmenter {
        chains.push(Chain {
            segmenter: index,
            updates: Vec::new(),
        });
    }
    if let Some(segmenter) = operator.segmenter
        && let Some(chain) = chains.iter_mut().find(|chain| chain.segmenter == segmenter)
    {
        operator.rank = chain.updates.len() as u32;
        chain.updates.push(index);
    }
    let source = operator.inputs.iter().find_map(|input| match input {
        PlanInput::Video(source) => Some(*source),
        _ => None,
    });
    if let (Operator::Video { scanner, .. }, Some(source)) = (&operator.operator, source) {
        let wanted = scanner.view();
        let known = views
            .iter()
            .position(|v| v.source == source && v.view == wanted);
        let at = known.unwrap_or_else(|| {
            views.push(PlanView {
                source,
                view: wanted,
                operators: Vec::new(),
            });
            views.len() - 1
        });
        views[at].operators.push(index);
        operator.view = Some(at);
    }
    operators.push(operator);
}

fn plan_replay(
    replay: &ReplaySpec,
    operators: &[PlanOperator],
    names: &Names,
) -> Result<PlanReplay, PlanError> {
    let inputs = names.all(&replay.name, &replay.inputs)?;
    let of_operators = inputs.iter().filter_map(|input| match input {
        PlanInput::Operator(at) => operators.get(*at),
        _ => None,
    });
    let segmenter = one_segmenter(&replay.name, of_operators)?;
    let mut features = Vec::new();
    let weighed = replay
        .weights
        .iter()
        .map(|(feature, weight)| (feature, Some(*weight)));
    let included = replay.include.iter().map(|feature| (feature, None));
    for (feature, weight) in weighed.chain(included) {
        if let Some(name) = &feature.operator {
            let operator =
                names
                    .operators
                    .get(name)
                    .copied()
                    .ok_or_else(|| PlanError::NoSuchPart {
                        part: replay.name.clone(),
                        name: name.clone(),
                    })?;
            features.push(PlanFeature {
                operator,
                feature: feature.to_string(),
                weight,
            });
        }
    }
    let name = replay.name.clone();
    Ok(PlanReplay {
        name,
        segmenter,
        inputs,
        request: request(replay),
        features,
        keep_versions: replay.settings.keep_versions,
        render: replay.render.clone(),
        render_by: replay
            .settings
            .render
            .as_ref()
            .map_or(RenderBy::Local, |render| render.by),
    })
}

/// What a replay of a spec asks for.
pub fn request(replay: &ReplaySpec) -> ReplayRequest {
    let settings = &replay.settings;
    let mode = match settings.mode {
        Mode::Duration => replay::Mode::Duration,
        Mode::Features => replay::Mode::Features,
        Mode::Timestamps => replay::Mode::Timestamps,
    };
    let compat = match settings.compat {
        Compat::None => replay::Compat::None,
        Compat::Mre => replay::Compat::Mre,
    };
    // Each mode has features of its own; the others were warned of and have no effect.
    let priorities = match settings.mode {
        Mode::Duration => replay
            .weights
            .iter()
            .filter_map(|(key, weight)| {
                Some(Priority::weighted(key.clone(), Score::from_f64(*weight)?))
            })
            .collect(),
        Mode::Features => replay
            .include
            .iter()
            .cloned()
            .map(Priority::included)
            .collect(),
        Mode::Timestamps => Vec::new(),
    };
    let range = |stretch: &crate::spec::Stretch| {
        let (start, end) = stretch.bounds();
        TimeRange::new(start, end)
    };
    ReplayRequest {
        mode,
        duration: settings.duration,
        tolerance: settings.tolerance,
        equal_distribution: settings.equal_distribution,
        include_liked: settings.include_liked,
        ignore_disliked: settings.ignore_disliked,
        disregard_zero_weight: settings.disregard_zero_weight,
        track: TrackNumber(settings.track),
        catchup: settings.catchup,
        compat,
        priorities,
        timestamps: settings.timestamps.iter().map(range).collect(),
        significance: settings
            .significance
            .iter()
            .filter_map(|(id, worth)| Some((id.clone(), Score::within_bounds(*worth)?)))
            .collect(),
    }
}

impl Plan {
    /// The operator with this name.
    pub fn operator(&self, name: &str) -> Option<&PlanOperator> {
        self.operators
            .iter()
            .find(|operator| operator.name == *name)
    }

    /// What an input carries.
    pub fn kind_of(&self, input: PlanInput) -> EdgeKind {
        match input {
            PlanInput::Video(_) => EdgeKind::Video,
            PlanInput::Audio(_) => EdgeKind::Audio,
            PlanInput::Cues(_) => EdgeKind::Cues,
            PlanInput::Replay(_) => EdgeKind::Replays,
            PlanInput::Operator(at) => match self.operators.get(at).map(|o| o.class) {
                Some(Class::Featurer) => EdgeKind::Observations,
                _ => EdgeKind::Segments,
            },
        }
    }

    /// An input as the spec writes it.
    pub fn name_of(&self, input: PlanInput) -> String {
        let source = |at: usize| self.sources.get(at).map(|s| s.name.to_string());
        match input {
            PlanInput::Video(at) => source(at).map(|name| format!("{name}.video")),
            PlanInput::Audio(at) => source(at).map(|name| format!("{name}.audio")),
            PlanInput::Cues(at) => source(at).map(|name| format!("{name}.cues")),
            PlanInput::Operator(at) => self.operators.get(at).map(|o| o.name.to_string()),
            PlanInput::Replay(at) => self.replays.get(at).map(|r| r.name.to_string()),
        }
        .unwrap_or_default()
    }
}
