//! The types that a spec can name: operators from the registry, sources, sinks. It is a value, so
//! that tests and embedders can bring types of their own.

use matchcut_operators::sdk::{Description, EdgeKind, OperatorType, OptionSpec, options_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A type of source or sink.
#[derive(Clone, Debug, Serialize)]
pub struct PartType {
    /// The `type` in the spec.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Its options without `type`, `inputs` and `uri`.
    pub options: Vec<OptionSpec>,
    /// What a sink takes; nothing for a source.
    pub inputs: Vec<EdgeKind>,
}

/// All types that a spec can name.
#[derive(Clone)]
pub struct Catalog {
    /// Operator types.
    pub operators: Vec<&'static dyn OperatorType>,
    /// Source types.
    pub sources: Vec<PartType>,
    /// Sink types.
    pub sinks: Vec<PartType>,
}

impl Catalog {
    /// What is built in.
    pub fn built_in() -> Self {
        Catalog {
            operators: matchcut_operators::registry::all(),
            sources: source_types(),
            sinks: sink_types(),
        }
    }

    /// The operator type with this name.
    pub fn operator(&self, name: &str) -> Option<(&'static dyn OperatorType, Description)> {
        self.operators.iter().find_map(|kind| {
            let description = kind.describe();
            (description.name == name).then_some((*kind, description))
        })
    }

    /// The source type with this name.
    pub fn source(&self, name: &str) -> Option<&PartType> {
        self.sources.iter().find(|kind| kind.name == name)
    }

    /// The sink type with this name.
    pub fn sink(&self, name: &str) -> Option<&PartType> {
        self.sinks.iter().find(|kind| kind.name == name)
    }
}

/// The source types of the ingest crate. What they have in common (`uri`) is not an option.
pub fn source_types() -> Vec<PartType> {
    let kind = |name, summary| PartType { name, summary, options: Vec::new(), inputs: Vec::new() };
    vec![
        kind("hls", "An HLS playlist, master or media, live or recorded: http, https or a file."),
        kind("directory", "A directory of numbered .ts files, finished or still growing."),
        kind("file", "An MP4, MKV or TS file, cut into chunks at key frames."),
    ]
}

/// Options of the `file` sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileSinkOptions {
    /// The directory that results are written to; relative to the spec.
    #[schemars(extend("format" = "path"))]
    pub dir: String,
}

impl Default for FileSinkOptions {
    fn default() -> Self {
        FileSinkOptions { dir: "out".to_owned() }
    }
}

/// The sink types.
pub fn sink_types() -> Vec<PartType> {
    vec![PartType {
        name: "file",
        summary: "JSON lines, clips, replays and exports in a directory.",
        options: options_of::<FileSinkOptions>(),
        inputs: vec![EdgeKind::Observations, EdgeKind::Segments, EdgeKind::Replays],
    }]
}
