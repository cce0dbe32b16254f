//! What an operator says of itself: class, edges, attributes, options. Documentation, validation
//! and the JSON Schema of the spec all come from here.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use matchcut_model::observation::Class;
use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::Operator;

/// What flows along an edge of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// Frames of a source: `court.video`.
    Video,
    /// Audio tracks of a source: `court.audio`.
    Audio,
    /// Marks that a source carries: `court.cues`.
    Cues,
    /// Results of featurers.
    Observations,
    /// Results of segmenters, optimizers and labelers.
    Segments,
    /// Selections.
    Replays,
    /// Media files of segments.
    Clips,
}

impl fmt::Display for EdgeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EdgeKind::Video => "video",
            EdgeKind::Audio => "audio",
            EdgeKind::Cues => "cues",
            EdgeKind::Observations => "observations",
            EdgeKind::Segments => "segments",
            EdgeKind::Replays => "replays",
            EdgeKind::Clips => "clips",
        })
    }
}

/// How many inputs of a kind an operator takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct InputRule {
    /// The kind.
    pub kind: EdgeKind,
    /// At least so many.
    pub min: usize,
    /// At most so many; `None` is any number.
    pub max: Option<usize>,
}

impl InputRule {
    /// Exactly one input of `kind`.
    pub fn one(kind: EdgeKind) -> Self {
        InputRule {
            kind,
            min: 1,
            max: Some(1),
        }
    }

    /// Any number of inputs of `kind`.
    pub fn any(kind: EdgeKind) -> Self {
        InputRule {
            kind,
            min: 0,
            max: None,
        }
    }

    /// At least one input of `kind`.
    pub fn some(kind: EdgeKind) -> Self {
        InputRule {
            kind,
            min: 1,
            max: None,
        }
    }

    /// At most one input of `kind`.
    pub fn maybe(kind: EdgeKind) -> Self {
        InputRule {
            kind,
            min: 0,
            max: Some(1),
        }
    }
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AttributeKind {
    /// true or false
    Boolean,
    /// A number.
    Number,
    /// Text.
    Text,
    /// Whatever the inputs carry (pass-through operators).
    Any,
}

/// An attribute that an operator emits.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct AttributeSpec {
    /// Its name, or `*` for whatever the inputs carry.
    pub name: &'static str,
    /// Its type.
    pub kind: AttributeKind,
    /// What it means, with its unit.
    pub description: &'static str,
}

/// An option of an operator, from the documentation of its options struct.
#[derive(Clone, Debug, Serialize)]
pub struct OptionSpec {
    /// Key in the spec.
    pub name: String,
    /// What it means.
    pub description: String,
    /// Its default, as JSON.
    pub default: serde_json::Value,
    /// Its JSON Schema.
    pub schema: serde_json::Value,
}

/// Everything an operator type says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Description {
    /// The `type` in the spec.
    pub name: &'static str,
    /// Its class.
    pub class: Class,
    /// One sentence.
    pub summary: &'static str,
    /// What it can be wired to.
    pub inputs: Vec<InputRule>,
    /// What it emits.
    pub attributes: Vec<AttributeSpec>,
    /// Its options.
    pub options: Vec<OptionSpec>,
}

/// A name that is known only while the program runs (an attribute of another program), as long as names
/// that are written into the program. Each is kept once.
pub fn intern(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(known) => known,
        None => {
            let name: &'static str = Box::leak(name.into());
            names.insert(name);
            name
        }
    }
}

/// Options of one operator of a spec, as JSON.
pub type Options = serde_json::Map<String, serde_json::Value>;

/// An option that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OptionError {
    /// The key, or `None` when several options do not go together.
    pub option: Option<String>,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl OptionError {
    /// An error of one option.
    pub fn new(option: &str, message: impl Into<String>) -> Self {
        OptionError {
            option: Some(option.to_owned()),
            message: message.into(),
        }
    }
}

/// An operator type: an entry of the registry.
pub trait OperatorType: Send + Sync {
    /// What it is.
    fn describe(&self) -> Description;

    /// What it is with these options, where that depends on them: another program or a model has
    /// attributes of its own. Only asked about options that [`OperatorType::build`] takes.
    fn describe_with(&self, _options: &Options) -> Description {
        self.describe()
    }

    /// Whether what it is depends on its options. Nothing is known of it while those are wrong.
    fn varies(&self) -> bool {
        false
    }

    /// A configured operator. All wrong options are reported together.
    fn build(&self, options: &Options) -> Result<Operator, Vec<OptionError>>;
}

/// Reads options into a struct with `#[serde(default, deny_unknown_fields)]`. Each option is tried
/// alone first, so that every wrong one is named.
pub fn parse_options<T: DeserializeOwned>(options: &Options) -> Result<T, Vec<OptionError>> {
    let mut errors = Vec::new();
    for (key, value) in options {
        let alone = Options::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = serde_json::from_value::<T>(alone.into()) {
            errors.push(OptionError {
                option: Some(key.clone()),
                message: error.to_string(),
            });
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    serde_json::from_value(options.clone().into()).map_err(|error| {
        vec![OptionError {
            option: None,
            message: error.to_string(),
        }]
    })
}

/// The options of a struct with their documentation and defaults.
pub fn options_of<T: JsonSchema + Default + Serialize>() -> Vec<OptionSpec> {
    // An option's schema stands alone, so that it refers to nothing outside itself.
    let inline = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = inline
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value();
    let defaults = serde_json::to_value(T::default()).unwrap_or_default();
    let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) else {
        return Vec::new();
    };
    let text = |value: Option<&serde_json::Value>| {
        value
            .and_then(|v| v.as_str())
            .unwrap_or_default()
            .replace('\n', " ")
    };
    properties
        .iter()
        .map(|(name, property)| OptionSpec {
            name: name.clone(),
            description: text(property.get("description")),
            default: defaults.get(name).cloned().unwrap_or_default(),
            schema: property.clone(),
        })
        .collect()
}

/// Serde for options that are durations: text such as `"5s"`, or a number of seconds. Use with
/// `#[serde(with = "text_duration")] #[schemars(with = "text_duration::Schema")]`.
pub mod text_duration {
    use super::*;

    /// Text such as `500ms`, `5s` or `1m30s`, or a number of seconds.
    #[derive(Deserialize, JsonSchema)]
    #[serde(untagged)]
    pub enum Schema {
        /// A number of seconds.
        Seconds(f64),
        /// A number with a unit.
        Text(String),
    }

    /// Reads either form; negative durations are refused.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MediaTime, D::Error> {
        use serde::de::Error;
        let value = serde_json::Value::deserialize(deserializer)?;
        let time = match &value {
            serde_json::Value::String(text) => text.parse().map_err(D::Error::custom)?,
            serde_json::Value::Number(number) => number
                .as_f64()
                .and_then(MediaTime::from_seconds_f64)
                .ok_or_else(|| D::Error::custom("not a number of seconds"))?,
            other => {
                let text = format!("{other} is not a duration; write for example \"5s\"");
                return Err(D::Error::custom(text));
            }
        };
        if time.is_negative() {
            return Err(D::Error::custom("a duration cannot be negative"));
        }
        Ok(time)
    }

    /// Writes text such as `5s` or `0.5s`.
    pub fn serialize<S: serde::Serializer>(
        time: &MediaTime,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}s", time.rounded_seconds()))
    }

    /// The same for an option that may be left out: `Option<MediaTime>`, `null` when absent. Use
    /// with `#[serde(with = "text_duration::optional")]
    /// #[schemars(with = "Option<text_duration::Schema>")]`.
    pub mod optional {
        use super::*;

        /// Reads either form or `null`.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<MediaTime>, D::Error> {
            use serde::de::Error;
            match Option::<serde_json::Value>::deserialize(deserializer)? {
                None | Some(serde_json::Value::Null) => Ok(None),
                Some(value) => super::deserialize(value)
                    .map(Some)
                    .map_err(D::Error::custom),
            }
        }

        /// Writes text or `null`.
        pub fn serialize<S: serde::Serializer>(
            time: &Option<MediaTime>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                None => serializer.serialize_none(),
                Some(time) => super::serialize(time, serializer),
            }
        }
    }
}
