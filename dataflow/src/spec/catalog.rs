//! The types that a spec can name: operators from the registry, sources, sinks. It is a value, so
//! that tests and embedders can bring types of their own.

use std::path::Path;

use matchcut_operators::sdk::{
    Description, EdgeKind, OperatorType, OptionError, OptionSpec, Options, options_of,
    parse_options,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use matchcut_kafka::{FeedOptions, KafkaOptions};
use matchcut_sinks::bucket::BucketOptions;
use matchcut_sinks::edl::EdlStyle;
use matchcut_sinks::export::{ExportFormat, Link};

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
    /// What the type itself says of the options and, for a source, of the URI (option `uri`).
    #[serde(skip)]
    pub check: fn(&PartCheck<'_>) -> Vec<OptionError>,
}

/// A source or sink as it was read, for [`PartType::check`].
#[derive(Clone, Copy, Debug)]
pub struct PartCheck<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its `type`.
    pub kind: &'a str,
    /// The URI of a source.
    pub uri: &'a str,
    /// Its other options.
    pub options: &'a Options,
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
    /// Feed types.
    pub feeds: Vec<PartType>,
}

impl Catalog {
    /// What is built in.
    pub fn built_in() -> Self {
        Catalog {
            operators: matchcut_operators::registry::all(),
            sources: source_types(),
            sinks: sink_types(),
            feeds: feed_types(),
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

    /// The feed type with this name.
    pub fn feed(&self, name: &str) -> Option<&PartType> {
        self.feeds.iter().find(|kind| kind.name == name)
    }

    /// The sink type with this name.
    pub fn sink(&self, name: &str) -> Option<&PartType> {
        self.sinks.iter().find(|kind| kind.name == name)
    }
}

/// The feed types: what brings what others say of a running event.
pub fn feed_types() -> Vec<PartType> {
    vec![PartType {
        name: "kafka",
        summary: "A topic of Apache Kafka, each message heard once.",
        options: options_of::<FeedOptions>(),
        inputs: Vec::new(),
        check: check_kafka_feed,
    }]
}

/// The source types of the ingest crate. What they have in common (`uri`) is not an option.
pub fn source_types() -> Vec<PartType> {
    matchcut_ingest::source_types()
        .into_iter()
        .map(|source| PartType {
            name: source.name,
            summary: source.summary,
            options: source
                .options
                .into_iter()
                .map(|option| OptionSpec {
                    name: option.name,
                    description: option.description,
                    default: option.default,
                    schema: option.schema,
                })
                .collect(),
            inputs: Vec::new(),
            check: check_source,
        })
        .collect()
}

/// Relative paths are resolved already.
fn check_source(part: &PartCheck<'_>) -> Vec<OptionError> {
    let PartCheck {
        name,
        kind,
        uri,
        options,
    } = *part;
    let errors = matchcut_ingest::SourceConfig::new(name, kind, uri, Path::new(""), options);
    let error = |error: matchcut_ingest::ConfigError| OptionError {
        option: error.option,
        message: error.message,
    };
    errors.err().into_iter().flatten().map(error).collect()
}

fn check_file_sink(part: &PartCheck<'_>) -> Vec<OptionError> {
    match parse_options::<FileSinkOptions>(part.options) {
        Ok(options) if options.dir.trim().is_empty() => {
            vec![OptionError::new(
                "dir",
                "a directory expected, this is empty",
            )]
        }
        Ok(_) => Vec::new(),
        Err(errors) => errors,
    }
}

fn check_kafka_sink(part: &PartCheck<'_>) -> Vec<OptionError> {
    let error = |(option, message): (&'static str, String)| OptionError::new(option, message);
    match parse_options::<KafkaOptions>(part.options) {
        Ok(options) => options.problems().into_iter().map(error).collect(),
        Err(errors) => errors,
    }
}

fn check_bucket(part: &PartCheck<'_>) -> Vec<OptionError> {
    let error = |(option, message): (&'static str, String)| OptionError::new(option, message);
    match parse_options::<BucketOptions>(part.options) {
        Ok(options) => options.problems().into_iter().map(error).collect(),
        Err(errors) => errors,
    }
}

fn check_kafka_feed(part: &PartCheck<'_>) -> Vec<OptionError> {
    let error = |(option, message): (&'static str, String)| OptionError::new(option, message);
    match parse_options::<FeedOptions>(part.options) {
        Ok(options) => options.problems().into_iter().map(error).collect(),
        Err(errors) => errors,
    }
}

/// Options of the `file` sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FileSinkOptions {
    /// The directory that results are written to; relative to the spec.
    #[schemars(extend("format" = "path"))]
    pub dir: String,
    /// The forms that results are written in; those of `[pipeline]` where nothing is said.
    pub exports: Option<Vec<ExportFormat>>,
    /// For which editor edit decision lists are written; as `[pipeline]` says where nothing is said.
    pub edl_style: Option<EdlStyle>,
    /// What the clips of OpenTimelineIO and Final Cut Pro XML refer to; as `[pipeline]` says where
    /// nothing is said.
    pub export_media: Option<Link>,
    /// Whether chunks of the source that playlists name are copied into the directory, so that it can be
    /// played wherever it is moved to. Without it playlists name chunks where they lie.
    pub copy_chunks: bool,
}

impl Default for FileSinkOptions {
    fn default() -> Self {
        FileSinkOptions {
            dir: "out".to_owned(),
            exports: None,
            edl_style: None,
            export_media: None,
            copy_chunks: false,
        }
    }
}

/// The sink types.
pub fn sink_types() -> Vec<PartType> {
    let inputs = vec![
        EdgeKind::Observations,
        EdgeKind::Segments,
        EdgeKind::Replays,
    ];
    vec![
        PartType {
            name: "file",
            summary: "JSON lines, clips, replays and exports in a directory.",
            options: options_of::<FileSinkOptions>(),
            inputs: inputs.clone(),
            check: check_file_sink,
        },
        PartType {
            name: "kafka",
            summary: "Topics of Apache Kafka, each message exactly once.",
            options: options_of::<KafkaOptions>(),
            inputs: inputs.clone(),
            check: check_kafka_sink,
        },
        PartType {
            name: "s3",
            summary: "A bucket of S3 with what a directory of results has, written as it comes.",
            options: options_of::<BucketOptions>(),
            inputs,
            check: check_bucket,
        },
    ]
}
