//! The spec of an event that the service is to run: read, compiled, and held to what may be asked of a service. Its
//! results lie in the directory of the event, and nowhere else on this machine.

use std::path::{Component, Path, PathBuf};

use matchcut_dataflow::plan::{self, Plan, PlanError};
use matchcut_dataflow::run::asks::{AskError, Asks};
use matchcut_dataflow::run::clips::ClipMode;
use matchcut_dataflow::run::engine::{self, RunError};
use matchcut_dataflow::run::log::STORE_DIR;
use matchcut_dataflow::run::target::Target;
use matchcut_dataflow::spec::{self, AskedReplay, Catalog, Diagnostics, SpecError};
use serde_json::{Map, Value};

/// The types of operators that start programs of this machine.
const PROGRAMS: [&str; 1] = ["process"];

/// Why an event cannot be run as its spec says.
#[derive(Debug, thiserror::Error)]
pub enum BadSpec {
    /// What is wrong, by its place.
    #[error("the spec is wrong: {}", first(.0))]
    Found(Diagnostics),
    /// It cannot be compiled.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It cannot be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// It is no file of this machine that is read.
    #[error("{0}")]
    Other(String),
    /// A sink that writes elsewhere.
    #[error(
        "sink \"{sink}\" writes to {}, which is not in the directory of the event; give it a relative dir",
        dir.display()
    )]
    Outside {
        /// The sink.
        sink: String,
        /// Where.
        dir: PathBuf,
    },
}

fn first(found: &Diagnostics) -> &str {
    found.iter().next().map_or("", |found| &found.message)
}

/// The plan of a spec, for an event whose directory is `dir`, with what of it has no effect. Opens nothing.
pub fn plan(text: &str, dir: &Path) -> Result<(Plan, Diagnostics), BadSpec> {
    let catalog = Catalog::built_in();
    let spec =
        spec::parse(text, &dir.join("spec.toml"), &[], &catalog).map_err(|error| match error {
            SpecError::Invalid(found) | SpecError::Usage(found) => BadSpec::Found(found),
            error @ SpecError::Read { .. } => BadSpec::Other(error.to_string()),
        })?;
    let plan = plan::compile(&spec, &catalog)?;
    engine::check(&plan)?;
    for sink in plan.sinks.iter().filter(|sink| sink.kind == "file") {
        let out = Target::dir_of(sink);
        if !is_inside(dir, out) {
            return Err(BadSpec::Outside {
                sink: sink.name.to_string(),
                dir: out.to_owned(),
            });
        }
    }
    Ok((plan, spec.warnings))
}

/// What replays can be asked for beside those of a spec.
pub fn asks(text: &str, dir: &Path, plan: &Plan) -> Asks {
    Asks::new(text.to_owned(), &dir.join("spec.toml"), Vec::new(), plan)
}

/// The table of a replay that is asked for beside a spec, as TOML, with what of it has no effect; else what is wrong
/// with it.
pub fn replay(
    text: &str,
    dir: &Path,
    asked: &AskedReplay,
) -> Result<(Map<String, Value>, Diagnostics), BadSpec> {
    let (plan, _) = plan(text, dir)?;
    let (_, spec) = asks(text, dir, &plan)
        .spelled(asked)
        .map_err(|error| match error {
            AskError::Spec(SpecError::Invalid(found) | SpecError::Usage(found)) => {
                BadSpec::Found(found)
            }
            AskError::Plan(error) => BadSpec::Plan(error),
            error => BadSpec::Other(error.to_string()),
        })?;
    let table = toml::from_str(&asked.text).map_err(|error| BadSpec::Other(error.to_string()))?;
    Ok((table, spec.warnings))
}

/// Whether a path is the directory of an event or lies in it, and is not in its store.
fn is_inside(dir: &Path, path: &Path) -> bool {
    let Ok(rest) = path.strip_prefix(dir) else {
        return false;
    };
    let plain = |part: Component<'_>| {
        matches!(part, Component::Normal(_) | Component::CurDir) && part.as_os_str() != STORE_DIR
    };
    rest.components().all(plain)
}

/// Whether a spec, right or wrong, would start programs of this machine.
pub fn starts_programs(text: &str) -> bool {
    let Ok(spec) = text.parse::<toml::Table>() else {
        return false;
    };
    let operators = spec.get("operators").and_then(|part| part.as_table());
    let mut kinds = operators
        .into_iter()
        .flatten()
        .filter_map(|(_, operator)| operator.get("type")?.as_str());
    kinds.any(|kind| PROGRAMS.contains(&kind))
}

/// How clips are cut, by the name that the command line has for it.
pub fn clips(name: &str) -> Option<ClipMode> {
    Some(match name {
        "none" => ClipMode::None,
        "instant" => ClipMode::Instant,
        "exact" => ClipMode::Exact,
        "smart" => ClipMode::Smart,
        "render" => ClipMode::Render,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stay_in_the_directory_of_the_event() {
        let inside = |path: &str| is_inside(Path::new("/data/events/a"), Path::new(path));
        assert!(inside("/data/events/a") && inside("/data/events/a/out/x"));
        assert!(!inside("/data/events/b") && !inside("/data/events"));
        assert!(!inside("/data/events/a/../b") && !inside("/data/events/a/out/../../b"));
        assert!(!inside("/data/events/a/.matchcut/x") && !inside("/tmp"));
    }

    #[test]
    fn programs_are_seen_also_where_the_rest_is_wrong() {
        assert!(starts_programs(
            "[operators.x]\ntype = \"process\"\nnonsense = 1"
        ));
        assert!(starts_programs("operators = { x = { type = 'process' } }"));
        assert!(!starts_programs("[operators.x]\ntype = \"scene_change\""));
        assert!(!starts_programs("[sources.x]\ntype = \"process\""));
    }
}
