//! Replays that are asked for while an event runs, or when it is over: a table as a spec has it becomes a replay of
//! the plan. The table stands in the log with the replay, so that a run that is taken up asks the same.

use std::path::{Path, PathBuf};

use matchcut_media::render::Transition;
use matchcut_model::replay::Compat;
use matchcut_model::value::Name;
use serde_json::{Map, Value as Json};

use crate::flow::ReplayDefinition;
use crate::plan::{self, Plan, PlanError, PlanReplay};
use crate::spec::{AskedReplay, Catalog, Override, Spec, SpecError, parse_with};

/// Why a replay cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Its table is wrong.
    #[error("{}", first(.0))]
    Spec(SpecError),
    /// It cannot be compiled.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It is no table.
    #[error("it is no table: {0}")]
    Table(String),
    /// What it needs is kept only where the spec says so.
    #[error(
        "a replay with compat = \"mre\" must stand in the spec before the event begins: what it needs was not kept"
    )]
    Mre,
    /// A file that nobody who may name files has named.
    #[error(
        "a replay that is asked for beside the spec may name no file that the spec does not name: {}", .0.display()
    )]
    File(PathBuf),
}

fn first(error: &SpecError) -> String {
    match error {
        SpecError::Invalid(found) | SpecError::Usage(found) => {
            let first = found
                .iter()
                .find(|found| found.severity == crate::spec::Severity::Error);
            first.map_or_else(|| error.to_string(), |found| found.message.clone())
        }
        SpecError::Read { .. } => error.to_string(),
    }
}

/// The file that a replay shows between its clips.
fn file(replay: &PlanReplay) -> Option<&PathBuf> {
    match &replay.render.as_ref()?.transition {
        Transition::Image { path, .. } | Transition::Clip { path, .. } => Some(path),
        Transition::None | Transition::Fade { .. } => None,
    }
}

/// The spec that an event is run by, and what may be asked for beside it.
#[derive(Clone, Debug)]
pub struct Asks {
    text: String,
    path: PathBuf,
    overrides: Vec<Override>,
    operators: Vec<Name>,
    mre: bool,
    /// What replays of the spec show between their clips.
    files: Vec<PathBuf>,
}

impl Asks {
    /// For the event of `plan`, which comes from `text`.
    pub fn new(text: String, path: &Path, overrides: Vec<Override>, plan: &Plan) -> Self {
        let mre = |replay: &PlanReplay| replay.request.compat == Compat::Mre;
        Asks {
            text,
            path: path.to_owned(),
            overrides,
            operators: plan.operators.iter().map(|o| o.name.clone()).collect(),
            mre: plan.replays.iter().any(mre),
            files: plan.replays.iter().filter_map(file).cloned().collect(),
        }
    }

    /// The replay that a table asks for.
    pub fn replay(&self, name: &Name, table: &Map<String, Json>) -> Result<PlanReplay, AskError> {
        let asked = AskedReplay::from_json(name, table).map_err(AskError::Table)?;
        self.spelled(&asked).map(|(replay, _)| replay)
    }

    /// The same of a text, with the spec that there would be.
    pub fn spelled(&self, asked: &AskedReplay) -> Result<(PlanReplay, Spec), AskError> {
        let catalog = Catalog::built_in();
        let spec = parse_with(&self.text, &self.path, &self.overrides, asked, &catalog);
        let spec = spec.map_err(AskError::Spec)?;
        let plan = plan::compile(&spec, &catalog)?;
        let mut replays = plan.replays.into_iter();
        let replay = replays.find(|replay| replay.name.as_str() == asked.name);
        let replay = replay.ok_or_else(|| AskError::Table("it is empty".to_owned()))?;
        if replay.request.compat == Compat::Mre && !self.mre {
            return Err(AskError::Mre);
        }
        match file(&replay) {
            Some(path) if !self.files.contains(path) => Err(AskError::File(path.clone())),
            _ => Ok((replay, spec)),
        }
    }

    /// What of a replay is told to the dataflow; `asked` is the text of its table.
    pub fn definition(&self, replay: &PlanReplay, asked: &str) -> Option<ReplayDefinition> {
        Some(ReplayDefinition {
            name: replay.name.clone(),
            segmenter: self.operators.get(replay.segmenter)?.clone(),
            request: replay.request.clone(),
            asked: Some(asked.into()),
        })
    }

    /// The replay of a definition that was asked for, as it is now.
    pub fn of_definition(&self, definition: &ReplayDefinition) -> Result<PlanReplay, AskError> {
        let text = definition.asked.as_deref().unwrap_or_default();
        let table =
            serde_json::from_str(text).map_err(|error| AskError::Table(error.to_string()))?;
        let mut replay = self.replay(&definition.name, &table)?;
        replay.request.clone_from(&definition.request);
        Ok(replay)
    }
}
