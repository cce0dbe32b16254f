//! Small operator types for tests of the spec: they declare much and do nothing.

use matchcut_dataflow::spec::{Catalog, feed_types, sink_types, source_types};
use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use matchcut_operators::sdk::{
    AttributeKind, AttributeSpec, Description, EdgeKind, Emission, Fold, FoldBox, InputRule,
    Operator, OperatorType, OptionError, Options, Step, options_of, parse_options, text_duration,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

struct Silent;

impl Fold for Silent {
    type State = ();
    fn step(&self, _: &Step<'_>, _: &mut (), _: &mut Vec<Emission>) {}
}

fn rule(kind: EdgeKind, min: usize, max: Option<usize>) -> InputRule {
    InputRule { kind, min, max }
}

fn attribute(name: &'static str, kind: AttributeKind) -> AttributeSpec {
    AttributeSpec {
        name,
        kind,
        description: "for tests",
    }
}

struct Kind<O> {
    name: &'static str,
    class: Class,
    inputs: fn() -> Vec<InputRule>,
    attributes: fn() -> Vec<AttributeSpec>,
    check: fn(&O) -> Vec<OptionError>,
}

impl<O: JsonSchema + Default + Serialize + DeserializeOwned> OperatorType for Kind<O> {
    fn describe(&self) -> Description {
        Description {
            name: self.name,
            class: self.class,
            summary: "For tests.",
            inputs: (self.inputs)(),
            attributes: (self.attributes)(),
            options: options_of::<O>(),
        }
    }

    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>> {
        let options: O = parse_options(options)?;
        let errors = (self.check)(&options);
        if errors.is_empty() {
            Ok(Operator::Fold(FoldBox::new(Silent)))
        } else {
            Err(errors)
        }
    }
}

/// No options.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Threshold {
    /// How different.
    #[schemars(range(min = 0))]
    threshold: f64,
    /// Shots are not shorter.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    min_shot: MediaTime,
}

impl Default for Threshold {
    fn default() -> Self {
        Threshold {
            threshold: 27.0,
            min_shot: MediaTime::from_millis(500),
        }
    }
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Sequence {
    /// The attribute.
    #[schemars(extend("x-names" = "attributes"))]
    attribute: String,
    /// Starts.
    start: Vec<Vec<String>>,
    /// Ends.
    end: Vec<Vec<String>>,
    /// Around.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    padding: MediaTime,
    /// Longest.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    max_segment: MediaTime,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Bias {
    /// Keep.
    #[default]
    Safe,
    /// Drop.
    Unsafe,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Ranges {
    /// How far.
    #[serde(with = "text_duration")]
    #[schemars(with = "text_duration::Schema")]
    search_window: MediaTime,
    /// Which side.
    bias: Bias,
    /// By input.
    #[schemars(extend("x-names" = "inputs"))]
    bias_of: std::collections::BTreeMap<String, Bias>,
}

fn none<O>(_: &O) -> Vec<OptionError> {
    Vec::new()
}

fn sequences(options: &Sequence) -> Vec<OptionError> {
    let mut errors = Vec::new();
    for (name, list) in [("start", &options.start), ("end", &options.end)] {
        if list.is_empty() {
            let message = "at least one sequence expected".to_owned();
            errors.push(OptionError {
                option: Some(name.to_owned()),
                message,
            });
        }
    }
    errors
}

static SCENE_CHANGE: Kind<Threshold> = Kind {
    name: "scene_change",
    class: Class::Featurer,
    inputs: || vec![rule(EdgeKind::Video, 1, Some(1))],
    attributes: || {
        vec![
            attribute("hard_cut", AttributeKind::Boolean),
            attribute("score", AttributeKind::Number),
        ]
    },
    check: none,
};
static AUDIO_PEAKS: Kind<Nothing> = Kind {
    name: "audio_peaks",
    class: Class::Featurer,
    inputs: || vec![rule(EdgeKind::Audio, 1, Some(1))],
    attributes: || {
        vec![
            attribute("peak", AttributeKind::Boolean),
            attribute("level_db", AttributeKind::Number),
        ]
    },
    check: none,
};
static DOMINANT_COLOR: Kind<Nothing> = Kind {
    name: "dominant_color",
    class: Class::Featurer,
    inputs: || vec![rule(EdgeKind::Video, 1, Some(1))],
    attributes: || {
        vec![
            attribute("view", AttributeKind::Text),
            attribute("share", AttributeKind::Number),
        ]
    },
    check: none,
};
static PASSTHROUGH: Kind<Nothing> = Kind {
    name: "passthrough",
    class: Class::Featurer,
    inputs: || {
        vec![
            rule(EdgeKind::Video, 0, None),
            rule(EdgeKind::Observations, 0, None),
        ]
    },
    attributes: || vec![attribute("*", AttributeKind::Any)],
    check: none,
};
static EXTERNAL: Kind<Nothing> = Kind {
    name: "external",
    class: Class::Featurer,
    inputs: Vec::new,
    attributes: || vec![attribute("*", AttributeKind::Any)],
    check: none,
};
static SEQUENCE: Kind<Sequence> = Kind {
    name: "segment_by_sequence",
    class: Class::Segmenter,
    inputs: || vec![rule(EdgeKind::Observations, 1, None)],
    attributes: || vec![attribute("pattern", AttributeKind::Number)],
    check: sequences,
};
static OPTIMIZE: Kind<Ranges> = Kind {
    name: "optimize_to_ranges",
    class: Class::Optimizer,
    inputs: || {
        vec![
            rule(EdgeKind::Segments, 1, None),
            rule(EdgeKind::Observations, 0, None),
        ]
    },
    attributes: Vec::new,
    check: none,
};
static LABEL: Kind<Nothing> = Kind {
    name: "label_template",
    class: Class::Labeler,
    inputs: || {
        vec![
            rule(EdgeKind::Segments, 1, Some(1)),
            rule(EdgeKind::Observations, 0, None),
        ]
    },
    attributes: Vec::new,
    check: none,
};

/// The types above with the built-in sources and sinks.
pub fn catalog() -> Catalog {
    Catalog {
        operators: vec![
            &SCENE_CHANGE,
            &AUDIO_PEAKS,
            &DOMINANT_COLOR,
            &PASSTHROUGH,
            &EXTERNAL,
            &SEQUENCE,
            &OPTIMIZE,
            &LABEL,
        ],
        sources: source_types(),
        sinks: sink_types(),
        feeds: feed_types(),
    }
}
