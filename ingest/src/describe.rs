//! What a source type says of itself. Documentation, validation and the JSON Schema of the spec
//! come from the options structs, their comments and their defaults.

use matchcut_model::time::MediaTime;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use crate::config::{DirectoryOptions, FileOptions, HlsOptions};
use crate::error::ConfigError;

/// Options of one source of a spec, as JSON, without `type` and `uri`.
pub type Options = serde_json::Map<String, serde_json::Value>;

/// An option of a source.
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

/// Everything a source type says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct SourceDescription {
    /// The `type` in the spec.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// What its `uri` is.
    pub uri: &'static str,
    /// Its options.
    pub options: Vec<OptionSpec>,
}

/// All source types.
pub fn source_types() -> Vec<SourceDescription> {
    #[cfg_attr(not(any(feature = "s3", feature = "kinesis_video")), allow(unused_mut))]
    let mut types = vec![
        SourceDescription {
            name: "hls",
            summary: "Chunks of an HLS playlist, recorded or live.",
            uri: "A master or media playlist: http, https or file URI, or a path",
            options: options_of::<HlsOptions>(),
        },
        SourceDescription {
            name: "directory",
            summary: "Numbered transport stream files of a directory, finished or still growing.",
            uri: "The directory: file URI or path",
            options: options_of::<DirectoryOptions>(),
        },
        SourceDescription {
            name: "file",
            summary: "One MP4, Matroska or transport stream file, divided at its key frames.",
            uri: "The file: file URI or path",
            options: options_of::<FileOptions>(),
        },
    ];
    #[cfg(feature = "s3")]
    types.push(SourceDescription {
        name: "s3",
        summary: "Chunks in S3: of a playlist, or the numbered objects of a prefix, finished or growing.",
        uri: "A playlist or a prefix: s3://bucket/path/index.m3u8, s3://bucket/prefix/",
        options: crate::s3::options(),
    });
    #[cfg(feature = "medialive")]
    types.push(SourceDescription {
        name: "medialive",
        summary: "Chunks that a channel of MediaLive writes into S3, from both of its pipelines.",
        uri: "The prefix below which the channel writes: s3://bucket/prefix/",
        options: crate::medialive::options(),
    });
    #[cfg(feature = "kinesis_video")]
    types.push(SourceDescription {
        name: "kinesis_video",
        summary: "Fragments of a stream of Kinesis Video, live, replayed or on demand.",
        uri: "The stream, by name or ARN: kvs://court, kvs://arn:aws:kinesisvideo:...",
        options: crate::kinesis_video::options(),
    });
    types
}

/// The options of a struct with their documentation and defaults.
pub(crate) fn options_of<T: JsonSchema + Default + Serialize>() -> Vec<OptionSpec> {
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

/// Reads options. Each is tried alone first, so that every wrong one is named.
pub(crate) fn parse_options<T: DeserializeOwned>(options: &Options) -> Result<T, Vec<ConfigError>> {
    let alone = |(key, value): (&String, &serde_json::Value)| {
        let alone = Options::from_iter([(key.clone(), value.clone())]);
        let error = serde_json::from_value::<T>(alone.into()).err()?;
        Some(ConfigError {
            option: Some(key.clone()),
            message: error.to_string(),
        })
    };
    let errors: Vec<_> = options.iter().filter_map(alone).collect();
    if !errors.is_empty() {
        return Err(errors);
    }
    serde_json::from_value(options.clone().into()).map_err(|error| {
        vec![ConfigError {
            option: None,
            message: error.to_string(),
        }]
    })
}

/// Takes the options that `T` has out of `rest` and reads them.
#[cfg(any(feature = "s3", feature = "kinesis_video"))]
pub(crate) fn take_options<T>(rest: &mut Options, errors: &mut Vec<ConfigError>) -> T
where
    T: JsonSchema + Default + Serialize + DeserializeOwned,
{
    let mut own = Options::new();
    for option in options_of::<T>() {
        if let Some(value) = rest.remove(&option.name) {
            own.insert(option.name, value);
        }
    }
    parse_options(&own).unwrap_or_else(|wrong| {
        errors.extend(wrong);
        T::default()
    })
}

/// The options of the type itself, when those that it shares with others were taken: what is left beside them
/// is no option.
#[cfg(any(feature = "s3", feature = "kinesis_video"))]
pub(crate) fn own_options<T>(mut rest: Options, errors: &mut Vec<ConfigError>) -> T
where
    T: JsonSchema + Default + Serialize + DeserializeOwned,
{
    let own = take_options(&mut rest, errors);
    if let Err(unknown) = parse_options::<T>(&rest) {
        errors.extend(unknown);
    }
    own
}

/// A duration in the spec: text such as `500ms`, `5s` or `1m30s`, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "DurationSchema")]
pub struct TextDuration(#[schemars(skip)] pub MediaTime);

/// Text such as `500ms`, `5s` or `1m30s`, or a number of seconds.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum DurationSchema {
    /// A number of seconds.
    Seconds(f64),
    /// A number with a unit.
    Text(String),
}

impl TextDuration {
    /// Whole seconds.
    pub const fn seconds(seconds: i64) -> Self {
        TextDuration(MediaTime::from_seconds(seconds))
    }

    /// For timers.
    pub fn std(self) -> std::time::Duration {
        std::time::Duration::from_secs_f64(self.0.as_seconds_f64().max(0.0))
    }
}

impl Serialize for TextDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{}s", self.0.rounded_seconds()))
    }
}

impl<'de> Deserialize<'de> for TextDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let value = serde_json::Value::deserialize(deserializer)?;
        let time: MediaTime = match &value {
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
        Ok(TextDuration(time))
    }
}
