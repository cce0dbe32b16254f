//! Between specs and what MRE keeps of a pipeline: plugins and a profile of them. Either can be made of the other, and
//! nothing of what it means is lost on the way: what a profile cannot say stands in the configuration of its classifier.

use matchcut_dataflow::plan::Plan;
use matchcut_model::observation::Class;
use serde_json::{Map, Value, json};
use toml::Table;

use super::to_spec::{self, EXTRAS, NoSpec, SOURCE};
use super::{schemas, text};
use crate::store::Row;
use crate::validation::Schema;

/// The function of plugins that are operators of matchcut: there is none.
const NO_FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:matchcut:$LATEST";

/// Types of operators that are plugins of MRE already: what they come to depends on how they are registered.
const OF_MRE: [&str; 2] = ["lambda", "plugin"];

/// Parts of a spec beside its pipeline, sources and operators.
const BESIDE: [&str; 4] = ["replays", "sinks", "feeds", "tests"];

/// What a profile needs and a spec does not say.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The content group of the plugins and the profile.
    pub content_group: String,
    /// The length of a chunk, in seconds.
    pub chunk_seconds: u64,
    /// Pictures a second that plugins are told to look at; operators have rates of their own.
    pub frame_rate: u64,
}

/// Why one cannot be made of the other.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// What a profile cannot be.
    #[error("no profile can be made of this spec: {}", .0.join("; "))]
    NoProfile(Vec<String>),
    /// What is no profile.
    #[error("no spec can be made of this profile: {0}")]
    NoSpec(String),
}

/// Plugins to register, and a profile of them to create: `{"plugins": […], "profile": {…}}`. `spec` is the text of the
/// plan as a table.
pub fn to_mre(plan: &Plan, spec: &Table, wanted: &Wanted) -> Result<Value, ConvertError> {
    let mut wrong = Vec::new();
    let source = match &plan.sources[..] {
        [source] => source.name.to_string(),
        sources => {
            wrong.push(format!(
                "a profile has one source, this spec has {}",
                sources.len()
            ));
            String::new()
        }
    };
    let mut placed: Vec<(Class, Value)> = Vec::new();
    let mut plugins = Vec::new();
    let mut operators: Vec<_> = plan.operators.iter().collect();
    operators.sort_by(|one, other| one.name.cmp(&other.name));
    for operator in operators {
        let name = operator.name.as_str();
        if OF_MRE.contains(&operator.kind.as_str()) {
            wrong.push(format!(
                "operator \"{name}\" is a plugin of MRE (type \"{}\"): register it there",
                operator.kind
            ));
        }
        let table = spec.get("operators").and_then(|all| all.get(name));
        let mut configuration = table.map(from_toml).unwrap_or_default();
        let inputs = configuration.get("inputs").cloned().unwrap_or_default();
        let inputs: Vec<String> = serde_json::from_value(inputs).unwrap_or_default();
        let audio = inputs
            .iter()
            .any(|input| *input == format!("{source}.audio"));
        let inputs = inputs.iter().map(|input| renamed(input, &source));
        configuration.insert("inputs".to_owned(), inputs.collect());
        plugins.push(json!({
            "Name": name,
            "Class": slot(operator.class),
            "ExecutionType": "Sync",
            "SupportedMediaType": if audio { "Audio" } else { "Video" },
            "ContentGroups": [wanted.content_group],
            "ExecuteLambdaQualifiedARN": NO_FUNCTION,
        }));
        let plugin = json!({ "Name": name, "Configuration": configuration });
        placed.push((operator.class, plugin));
    }
    let mut profile = json!({
        "Name": plan.pipeline.name,
        "ContentGroups": [wanted.content_group],
        "ChunkSize": wanted.chunk_seconds,
        "MaxSegmentLengthSeconds": (plan.pipeline.max_segment.to_millis() + 999) / 1000,
        "ProcessingFrameRate": wanted.frame_rate,
    });
    let about = &plan.pipeline.description;
    if (3..=250).contains(&about.chars().count()) {
        profile["Description"] = json!(about);
    }
    for class in [Class::Segmenter, Class::Optimizer, Class::Labeler] {
        let mut all = placed.iter().filter(|(of, _)| *of == class);
        let (first, more) = (all.next(), all.count());
        if more > 0 {
            wrong.push(format!(
                "a profile has one {}, this spec has {} {class}s",
                slot(class),
                more + 1
            ));
        }
        match first {
            Some((_, plugin)) => profile[slot(class)] = plugin.clone(),
            None if class == Class::Segmenter => {
                wrong.push("a profile has a Classifier, this spec has no segmenter".to_owned());
            }
            None => {}
        }
    }
    if let Some(classifier) = profile.get_mut("Classifier") {
        let extras = extras(spec, &source);
        if !extras.is_empty() {
            classifier["Configuration"][EXTRAS] = Value::Object(extras);
        }
    }
    let featurers = placed.iter().filter(|(class, _)| *class == Class::Featurer);
    let featurers: Vec<Value> = featurers.map(|(_, plugin)| plugin.clone()).collect();
    if !featurers.is_empty() {
        profile["Featurers"] = json!(featurers);
    }
    for (what, schema, values) in [
        (
            "the profile",
            schemas::profile(),
            std::slice::from_ref(&profile),
        ),
        ("a plugin", schemas::plugin(), plugins.as_slice()),
    ] {
        let schema = Schema::new(schema).map_err(|error| ConvertError::NoProfile(vec![error]))?;
        for value in values {
            if let Err(error) = schema.check(value) {
                let name = value
                    .get("Name")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                wrong.push(format!("{what} \"{name}\": {}", error.message));
            }
        }
    }
    match wrong.is_empty() {
        true => Ok(json!({ "plugins": plugins, "profile": profile })),
        false => Err(ConvertError::NoProfile(wrong)),
    }
}

/// The spec of a profile with its plugins, as [`to_mre`] makes them or as MRE tells them; of plugins that are not there
/// only the names count. Where its video comes from stands with the event.
pub fn to_toml(given: &Value) -> Result<Table, ConvertError> {
    let wrong = |error: NoSpec| ConvertError::NoSpec(error.to_string());
    let profile = given.get("profile").unwrap_or(given);
    let profile = profile
        .as_object()
        .filter(|profile| !text(profile, "Name").is_empty());
    let profile = profile.ok_or_else(|| ConvertError::NoSpec("it has no \"Name\"".to_owned()))?;
    let plugins = given.get("plugins").and_then(Value::as_array);
    let plugins: Vec<&Row> = plugins
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let newest = |name: &str| {
        let found = plugins.iter().find(|plugin| text(plugin, "Name") == name);
        Ok(Some(
            found.map_or_else(Row::new, |plugin| (*plugin).clone()),
        ))
    };
    let used = to_spec::used(profile, &newest).map_err(wrong)?;
    let source = json!({ "type": "hls", "uri": "index.m3u8" });
    let mut spec = to_spec::tables(&Row::new(), profile, &used, source).map_err(wrong)?;
    if let Some(pipeline) = spec.get_mut("pipeline").and_then(toml::Value::as_table_mut) {
        pipeline.retain(|_, value| value.as_str() != Some(""));
    }
    Ok(spec)
}

/// What MRE calls a place for operators of a class.
fn slot(class: Class) -> &'static str {
    match class {
        Class::Featurer => "Featurer",
        Class::Segmenter => "Classifier",
        Class::Optimizer => "Optimizer",
        Class::Labeler => "Labeler",
    }
}

/// What a profile cannot say of a spec.
fn extras(spec: &Table, source: &str) -> Map<String, Value> {
    let mut extras = Map::new();
    let pipeline = spec.get("pipeline").map(from_toml).unwrap_or_default();
    let pipeline = pipeline.into_iter().filter(|(key, _)| key != "name");
    let pipeline: Map<String, Value> = pipeline.collect();
    if !pipeline.is_empty() {
        extras.insert("pipeline".to_owned(), Value::Object(pipeline));
    }
    if let Some(table) = spec.get("sources").and_then(|all| all.get(source)) {
        extras.insert("source".to_owned(), Value::Object(from_toml(table)));
    }
    for part in BESIDE {
        if let Some(table) = spec.get(part) {
            extras.insert(part.to_owned(), json!(table));
        }
    }
    extras
}

/// An input, where the source has another name.
fn renamed(input: &str, source: &str) -> Value {
    match input.split_once('.') {
        Some((of, media)) if of == source => json!(format!("{SOURCE}.{media}")),
        _ => json!(input),
    }
}

/// A table as JSON.
fn from_toml(table: &toml::Value) -> Map<String, Value> {
    match json!(table) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::runs::spec;

    const SPEC: &str = r#"
[pipeline]
name = "court"
description = "Points of a match"
max_segment = "90s"
correction_window = 20

[sources.tv]
type = "hls"
uri = "https://example.com/index.m3u8"
reload = "2s"

[operators.view]
type = "dominant_color"
inputs = ["tv.video"]
hue = [20, 50]

[operators.quiet]
type = "audio_silence"
inputs = ["tv.audio"]
threshold_db = -38.5

[operators.points]
type = "segment_by_sequence"
inputs = ["view"]
start = [["near", "far"]]
end = [["far", "near"]]

[operators.trim]
type = "optimize_to_ranges"
inputs = ["points", "quiet"]

[operators.named]
type = "label_template"
inputs = ["trim"]
template = "Point {n}"

[replays.best]
inputs = ["named"]
duration = "120s"
weights = { "view.view=far" = 10 }
"#;

    fn wanted() -> Wanted {
        Wanted {
            content_group: "Tennis".to_owned(),
            chunk_seconds: 6,
            frame_rate: 5,
        }
    }

    fn made(text: &str) -> Result<Value, ConvertError> {
        let (plan, _) = spec::plan(text, Path::new("/nowhere")).unwrap();
        to_mre(&plan, &text.parse().unwrap(), &wanted())
    }

    #[test]
    fn a_spec_is_itself_after_having_been_a_profile() {
        let bundle = made(SPEC).unwrap();
        assert_eq!(bundle["profile"]["Classifier"]["Name"], "points");
        assert_eq!(bundle["profile"]["Featurers"][0]["Name"], "quiet");
        assert_eq!(bundle["plugins"][2]["SupportedMediaType"], "Audio");
        let back = to_toml(&bundle).unwrap();
        // The source alone is called otherwise.
        let expected: Table = SPEC
            .replace("[sources.tv]", "[sources.video]")
            .replace("\"tv.", "\"video.")
            .parse()
            .unwrap();
        assert_eq!(back, expected);
        // And a profile is itself after having been a spec.
        let again = made(&back.to_string()).unwrap();
        assert_eq!(again["plugins"], bundle["plugins"]);
        assert_eq!(again["profile"], bundle["profile"]);
    }

    #[test]
    fn what_no_profile_can_be_is_told_at_once() {
        let more = SPEC.replace(
            "[operators.named]",
            "[operators.no]\ntype = \"segment_by_shot\"\n\
            inputs = [\"view\"]\nattribute = \"view\"\n[operators.named]",
        );
        let Err(ConvertError::NoProfile(wrong)) = made(&more) else {
            panic!("two segmenters")
        };
        assert_eq!(
            wrong[0],
            "a profile has one Classifier, this spec has 2 segmenters"
        );
        assert!(
            wrong[1].starts_with("the profile \"court\"") || wrong[1].contains("\"no\""),
            "{wrong:?}"
        );
        let nobody = to_toml(&json!({ "plugins": [] })).unwrap_err();
        assert_eq!(
            nobody.to_string(),
            "no spec can be made of this profile: it has no \"Name\""
        );
    }

    #[test]
    fn a_profile_of_mre_is_a_spec() {
        let profile = json!({
            "Name": "Shots", "MaxSegmentLengthSeconds": 300, "ChunkSize": 20,
            "Classifier": {
                "Name": "SegmentByShot",
                "DependentPlugins": [{
                    "Name": "SceneChange", "DependentFor": ["SegmentByShot"],
                    "Configuration": { "threshold": "21.5" },
                }],
            },
        });
        let spec = to_toml(&profile).unwrap();
        let expected: Table = r#"
            [pipeline]
            name = "Shots"
            max_segment = "300s"
            timecode = "not_embedded"
            [sources.video]
            type = "hls"
            uri = "index.m3u8"
            [operators.SceneChange]
            type = "scene_change"
            inputs = ["video.video"]
            threshold = 21.5
            [operators.SegmentByShot]
            type = "segment_by_shot"
            inputs = ["SceneChange"]
        "#
        .parse()
        .unwrap();
        assert_eq!(spec, expected);
    }
}
