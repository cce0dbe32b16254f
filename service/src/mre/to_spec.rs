//! From an event of MRE and its profile to a spec. A plugin is the operator whose type its name says (`SegmentByShot` is
//! `segment_by_shot`), or that its configuration names under `type`; one that is none is the function of Lambda that it
//! was registered with, or a program outside that fetches its work.

use std::collections::BTreeMap;

use matchcut_dataflow::spec::Catalog;
use matchcut_model::observation::Class;
use matchcut_operators::sdk::{Description, EdgeKind};
use rusqlite::Connection;
use serde_json::{Value, json};
use toml::Table;

use super::pipeline::{SLOTS, dependents};
use super::source::{self, MreOptions};
use super::{engine, plugins, replay_spec, text, texts};
use crate::store::named::{self, PROFILE};
use crate::store::{Row, StoreError, replays};

/// The type of plugins that programs outside are, or functions that need the data plane.
const OUTSIDE: &str = "plugin";

/// The account of functions that are nowhere: such a plugin is a program outside.
const NOWHERE: &str = ":000000000000:";

/// What a configuration says to matchcut, and not to the plugin.
const OWN: [&str; 4] = ["type", "wait", "look_ahead", "concurrency"];

/// The only source of a spec that is made here.
pub const SOURCE: &str = "video";

/// What of a spec no profile can say, in the configuration of its classifier.
pub const EXTRAS: &str = "matchcut";

/// Why an event has no spec.
#[derive(Debug, thiserror::Error)]
pub enum NoSpec {
    /// What is missing or cannot be run.
    #[error("{0}")]
    Wrong(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A plugin that a profile uses.
pub struct Used {
    /// As the profile has it.
    plugin: Row,
    /// As it was registered.
    registered: Row,
    class: Class,
    /// The plugins that it reads.
    reads: Vec<String>,
}

/// All of them, by the names of their operators.
pub type Plugins = BTreeMap<String, Used>;

/// A replay that is asked for, by its id; or what is wrong with it.
pub type Asked = (String, Result<toml::Value, String>);

/// What an event comes to.
pub struct Made {
    /// Its spec, without replays.
    pub spec: Table,
    /// How its clips are cut.
    pub clips: &'static str,
    /// The replays that are asked for.
    pub replays: Vec<Asked>,
}

/// The spec of an event.
pub(crate) fn spec(db: &Connection, event: &Row, options: &MreOptions) -> Result<Made, NoSpec> {
    let name = text(event, "Profile");
    let profile = named::get(db, PROFILE, name)?;
    let profile = profile.ok_or_else(|| NoSpec::Wrong(format!("Profile '{name}' not found")))?;
    let source = source::source(event, &profile, options).map_err(NoSpec::Wrong)?;
    let used = used(&profile, &|name| plugins::newest(db, name))?;
    let spec = tables(event, &profile, &used, source)?;
    let made = |key: &str| event.get(key) != Some(&Value::Bool(false));
    let clips = match made("GenerateOrigClips") || made("GenerateOptoClips") {
        true => "exact",
        false => "none",
    };
    Ok(Made {
        spec,
        clips,
        replays: asked(db, event, &used)?,
    })
}

/// The tables of a spec: pipeline, source and operators, and what else its profile keeps of a spec that it was made of.
pub fn tables(
    event: &Row,
    profile: &Row,
    used: &Plugins,
    mut source: Value,
) -> Result<Table, NoSpec> {
    let mut pipeline = pipeline(event, profile);
    let mut spec = Table::new();
    let classifier = profile
        .get("Classifier")
        .and_then(|it| it.get("Configuration"));
    let extras = classifier.and_then(|it| it.get(EXTRAS)?.as_object());
    // Nobody's pipeline says all that the spec said; an event says itself what its source is, and what it says counts.
    let nobodys = event.is_empty();
    for (part, value) in extras.into_iter().flatten() {
        match (part.as_str(), value) {
            ("pipeline", Value::Object(said)) => merge(&mut pipeline, said, nobodys),
            // Options of another type would mean nothing.
            ("source", Value::Object(said)) => {
                if nobodys || said.get("type") == source.get("type") {
                    merge(&mut source, said, nobodys);
                }
            }
            _ => drop(spec.insert(part.clone(), table(value.clone()))),
        }
    }
    if let Some(extras) = extras.filter(|_| nobodys) {
        leave_out(
            &mut pipeline,
            extras.get("pipeline").and_then(Value::as_object),
        );
    }
    spec.insert("pipeline".to_owned(), table(pipeline));
    spec.insert("sources".to_owned(), table(json!({ SOURCE: source })));
    let mut operators = Table::new();
    for (name, one) in used {
        let operator = operator(name, one, used, (event, profile))?;
        operators.insert(name.clone(), table(operator));
    }
    spec.insert("operators".to_owned(), operators.into());
    Ok(spec)
}

/// Adds what is said; it takes the place of what is there only where it `counts`.
fn merge(value: &mut Value, said: &Row, counts: bool) {
    let Some(value) = value.as_object_mut() else {
        return;
    };
    for (key, said) in said {
        if counts || !value.contains_key(key) {
            value.insert(key.clone(), said.clone());
        }
    }
}

/// What a spec did not say of its pipeline is left out again.
fn leave_out(pipeline: &mut Value, said: Option<&Row>) {
    if let Some(pipeline) = pipeline.as_object_mut() {
        for key in ["max_segment", "timecode"] {
            if said.is_none_or(|said| !said.contains_key(key)) {
                pipeline.remove(key);
            }
        }
    }
}

/// The operator whose segments replays choose from: the last of its chain.
fn last(used: &Plugins) -> &str {
    let chain = [Class::Labeler, Class::Optimizer, Class::Segmenter];
    let of_class = |class: Class| used.iter().find(|(_, one)| one.class == class);
    let last = chain.into_iter().find_map(of_class);
    last.map_or("", |(name, _)| name.as_str())
}

/// The table of a replay that is asked for when its event has begun, with what its engine says.
pub fn late(db: &Connection, event: &Row, replay: &Row, significance: &Row) -> Result<Row, NoSpec> {
    let name = text(event, "Profile");
    let profile = named::get(db, PROFILE, name)?;
    let profile = profile.ok_or_else(|| NoSpec::Wrong(format!("Profile '{name}' not found")))?;
    let used = used(&profile, &|name| plugins::newest(db, name))?;
    match replay_spec::replay(replay, last(&used), significance) {
        Ok(Value::Object(table)) => Ok(table),
        Ok(_) => Err(NoSpec::Wrong("the replay is no table".to_owned())),
        Err(reason) => Err(NoSpec::Wrong(reason)),
    }
}

/// The replays that are asked for and not there yet; without those that wait for what their engine says.
fn asked(db: &Connection, event: &Row, used: &Plugins) -> Result<Vec<Asked>, StoreError> {
    let input = last(used);
    let rows = replays::of_event(db, text(event, "Program"), text(event, "Name"))?;
    let open = rows
        .iter()
        .filter(|row| !matches!(text(row, "Status"), "Complete" | "Error"))
        .filter(|row| engine::of(row).is_none());
    let made = open.map(|row| {
        let replay = replay_spec::replay(row, input, &Row::new()).map(table);
        (text(row, "ReplayId").to_owned(), replay)
    });
    Ok(made.collect())
}

/// What an operator is called: the name of its plugin, as far as it can stand in `inputs`.
pub fn operator_name(plugin: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let letter = |letter: char| if plain(letter) { letter } else { '_' };
    plugin.chars().map(letter).collect()
}

fn pipeline(event: &Row, profile: &Row) -> Value {
    let longest = profile
        .get("MaxSegmentLengthSeconds")
        .and_then(Value::as_u64);
    let timecode = match text(event, "TimecodeSource") {
        "" => "NOT_EMBEDDED",
        source => source,
    };
    json!({
        "name": text(profile, "Name"),
        "description": text(event, "Description"),
        "program": text(event, "Program"),
        "event": text(event, "Name"),
        "max_segment": format!("{}s", longest.unwrap_or(300)),
        "timecode": timecode.to_ascii_lowercase(),
    })
}

/// Who knows plugins by their names.
pub type Newest<'a> = &'a dyn Fn(&str) -> Result<Option<Row>, StoreError>;

/// The plugins that a profile uses.
pub fn used(profile: &Row, newest: Newest<'_>) -> Result<Plugins, NoSpec> {
    let mut used = Plugins::new();
    let slot = |slot: &str| profile.get(slot).and_then(Value::as_object);
    let single = SLOTS.into_iter().filter_map(|name| {
        let class = match name {
            "Classifier" => Class::Segmenter,
            "Optimizer" => Class::Optimizer,
            _ => Class::Labeler,
        };
        Some((class, slot(name)?))
    });
    let featurers = profile.get("Featurers").and_then(Value::as_array);
    let featurers = featurers.into_iter().flatten().filter_map(Value::as_object);
    for (class, plugin) in single.chain(featurers.map(|plugin| (Class::Featurer, plugin))) {
        let parts = std::iter::once((class, plugin));
        let parts = parts.chain(dependents(plugin).map(|plugin| (Class::Featurer, plugin)));
        for (class, part) in parts {
            let name = text(part, "Name");
            let reads = dependents(plugin).filter(|dependent| {
                let mut readers = texts(dependent, "DependentFor");
                readers.any(|reader| reader == name)
            });
            let reads = reads.map(|dependent| operator_name(text(dependent, "Name")));
            let registered = newest(name)?;
            let registered = registered
                .ok_or_else(|| NoSpec::Wrong(format!("Plugin '{name}' not found in the system")))?;
            let one = used.entry(operator_name(name)).or_insert_with(|| Used {
                plugin: part.clone(),
                registered,
                class,
                reads: Vec::new(),
            });
            for read in reads {
                if !one.reads.contains(&read) {
                    one.reads.push(read);
                }
            }
        }
    }
    Ok(used)
}

fn operator(
    name: &str,
    used: &Used,
    all: &Plugins,
    (event, profile): (&Row, &Row),
) -> Result<Value, NoSpec> {
    let own = text(&used.plugin, "Name");
    let empty = Row::new();
    let given = used.plugin.get("Configuration").and_then(Value::as_object);
    let given = given.unwrap_or(&empty);
    let kind = match text(given, "type") {
        "" => snake(own),
        kind => kind.to_owned(),
    };
    if kind == OUTSIDE {
        return Ok(outside(name, used, all, (event, profile)));
    }
    let catalog = Catalog::built_in();
    let found = catalog.operator(&kind).map(|(_, description)| description);
    let found = found.filter(|description| description.class == used.class || kind == "process");
    let mut made = Row::new();
    let Some(description) = found else {
        if given.contains_key("type") {
            return Err(NoSpec::Wrong(format!(
                "Plugin '{own}' is no {} of matchcut: there is no type {kind}",
                used.class
            )));
        }
        // What reads others needs the data plane, and so does all but a featurer.
        let alone = used.class == Class::Featurer && used.reads.is_empty();
        return Ok(match alone && function(used).is_some() {
            true => lambda(used, given, (event, profile)),
            false => outside(name, used, all, (event, profile)),
        });
    };
    made.insert("type".to_owned(), json!(kind));
    made.insert(
        "inputs".to_owned(),
        json!(inputs(name, used, all, &description)),
    );
    let own = |key: &String| key != "type" && key != EXTRAS;
    for (key, value) in given.iter().filter(|(key, _)| own(key)) {
        let option = description
            .options
            .iter()
            .find(|option| option.name == **key);
        let schema = option.map(|option| &option.schema);
        made.insert(key.clone(), typed(value, schema));
    }
    Ok(Value::Object(made))
}

/// What an operator is wired to: what its type takes, of what the profile has for it.
fn inputs(name: &str, used: &Used, all: &Plugins, description: &Description) -> Vec<String> {
    let media = match text(&used.registered, "SupportedMediaType") {
        "Audio" => EdgeKind::Audio,
        _ => EdgeKind::Video,
    };
    let segments = match used.class {
        Class::Labeler => [Class::Optimizer, Class::Segmenter],
        _ => [Class::Segmenter, Class::Segmenter],
    };
    let of_class = |class: Class| all.iter().find(|(_, one)| one.class == class);
    let segments = segments
        .into_iter()
        .find_map(of_class)
        .map(|(name, _)| name);
    let mut inputs = Vec::new();
    for rule in &description.inputs {
        let may = rule.min > 0 || used.reads.is_empty() && rule.kind == media;
        match rule.kind {
            EdgeKind::Video if may => inputs.push(format!("{SOURCE}.video")),
            EdgeKind::Audio if may => inputs.push(format!("{SOURCE}.audio")),
            EdgeKind::Cues => inputs.push(format!("{SOURCE}.cues")),
            EdgeKind::Segments => inputs.extend(segments.cloned()),
            EdgeKind::Observations => inputs.extend(used.reads.iter().cloned()),
            _ => {}
        }
    }
    inputs.retain(|input| input != name);
    inputs
}

/// A featurer that is a function, invoked as MRE does it.
fn lambda(used: &Used, given: &Row, (event, profile): (&Row, &Row)) -> Value {
    let registered = &used.registered;
    let audio = text(registered, "SupportedMediaType") == "Audio";
    let media = if audio { "audio" } else { "video" };
    let classifier = profile.get("Classifier").and_then(Value::as_object);
    let outputs = registered
        .get("OutputAttributes")
        .and_then(Value::as_object);
    let outputs: Row = outputs
        .into_iter()
        .flatten()
        .map(|(name, about)| {
            let kind = match about
                .get("Type")
                .or(about.get("type"))
                .and_then(Value::as_str)
            {
                Some("bool" | "boolean" | "Boolean") => "boolean",
                Some("number" | "float" | "integer" | "Number") => "number",
                _ if name == "Label" => "text",
                _ => return (name.clone(), Value::Null),
            };
            (name.clone(), json!(kind))
        })
        .filter(|(_, kind)| !kind.is_null())
        .collect();
    let longest = profile
        .get("MaxSegmentLengthSeconds")
        .and_then(Value::as_u64);
    let mut made = json!({
        "type": "lambda",
        "inputs": [format!("{SOURCE}.{media}")],
        "media": media,
        "function": text(registered, "ExecuteLambdaQualifiedARN"),
        "configuration": given,
        "mre_plugin": text(&used.plugin, "Name"),
        "mre_program": text(event, "Program"),
        "mre_event": text(event, "Name"),
        "mre_profile": text(profile, "Name"),
        "mre_classifier": classifier.map_or("", |classifier| text(classifier, "Name")),
        "event_start": text(event, "Start"),
        "max_segment": format!("{}s", longest.unwrap_or(300)),
    });
    if !outputs.is_empty() {
        made["output_attributes"] = Value::Object(outputs);
    }
    for (key, from) in [
        ("chunk_size", "ChunkSize"),
        ("processing_frame_rate", "ProcessingFrameRate"),
    ] {
        if let Some(value) = profile.get(from) {
            made[key] = value.clone();
        }
    }
    made
}

/// The function that a plugin is.
fn function(used: &Used) -> Option<&str> {
    let function = text(&used.registered, "ExecuteLambdaQualifiedARN");
    (!function.contains(NOWHERE) && !function.is_empty()).then_some(function)
}

/// A plugin that asks and tells through the data plane: a program outside, or a function.
fn outside(name: &str, used: &Used, all: &Plugins, (event, profile): (&Row, &Row)) -> Value {
    let empty = Row::new();
    let given = used.plugin.get("Configuration").and_then(Value::as_object);
    let given = given.unwrap_or(&empty);
    let plain = lambda(used, given, (event, profile));
    let audio = text(&used.registered, "SupportedMediaType") == "Audio"
        && matches!(used.class, Class::Featurer | Class::Optimizer);
    let media = if audio { "audio" } else { "video" };
    let segments = match used.class {
        Class::Optimizer => &[Class::Segmenter][..],
        Class::Labeler => &[Class::Optimizer, Class::Segmenter][..],
        Class::Featurer | Class::Segmenter => &[][..],
    };
    let of_class = |class: &Class| all.iter().find(|(_, one)| one.class == *class);
    let segments = segments.iter().find_map(of_class);
    let mut inputs = vec![format!("{SOURCE}.{media}")];
    inputs.extend(used.reads.iter().filter(|read| *read != name).cloned());
    inputs.extend(segments.map(|(name, _)| name.clone()));
    let dependents = used.reads.iter().filter_map(|read| {
        let plugin = all.get(read)?;
        Some(json!({ "operator": read, "name": text(&plugin.plugin, "Name") }))
    });
    let dependents: Vec<Value> = dependents.collect();
    let configuration: Row = given
        .iter()
        .filter(|(key, _)| !OWN.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let outputs = used.registered.get("OutputAttributes");
    let outputs = outputs.and_then(Value::as_object).unwrap_or(&empty);
    let mut made = json!({
        "type": OUTSIDE,
        "class": used.class.to_string(),
        "inputs": inputs,
        "media": media,
        "dependents": dependents,
        "configuration": configuration,
        "mre_outputs": outputs,
        "mre_parts": parts_of(profile, all),
    });
    for key in [
        "mre_plugin",
        "mre_program",
        "mre_event",
        "mre_profile",
        "event_start",
        "max_segment",
        "chunk_size",
        "processing_frame_rate",
    ] {
        if let Some(value) = plain.get(key) {
            made[key] = value.clone();
        }
    }
    // Where the type of one is not known, all are taken as they come.
    let typed_outputs = plain.get("output_attributes").and_then(Value::as_object);
    if let Some(known) = typed_outputs.filter(|known| known.len() == outputs.len()) {
        made["output_attributes"] = json!(known);
    }
    for key in OWN {
        let value = given.get(key).map(|value| typed(value, None));
        if let Some(value) = value.filter(|_| key != "type") {
            made[key] = value;
        }
    }
    if let Some(function) = function(used).filter(|_| text(given, "type") != OUTSIDE) {
        made["function"] = json!(function);
    }
    made
}

/// The plugins of a profile, as MRE tells a plugin of them.
fn parts_of(profile: &Row, all: &Plugins) -> Value {
    let configuration = |plugin: &Row| plugin.get("Configuration").cloned();
    let part = |plugin: &Row| {
        let dependents: Vec<Value> = dependents(plugin)
            .map(|dependent| {
                let name = text(dependent, "Name");
                let registered = all.get(&operator_name(name));
                let media = registered.map(|one| text(&one.registered, "SupportedMediaType"));
                json!({
                    "Name": name,
                    "Configuration": configuration(dependent).unwrap_or_else(|| json!({})),
                    "DependentFor": dependent.get("DependentFor"),
                    "Level": 1,
                    "SupportedMediaType": media.unwrap_or("Video"),
                })
            })
            .collect();
        json!({
            "Name": text(plugin, "Name"),
            "Configuration": configuration(plugin).unwrap_or_else(|| json!({})),
            "DependentPlugins": dependents,
        })
    };
    let mut parts = Row::new();
    for slot in SLOTS {
        if let Some(plugin) = profile.get(slot).and_then(Value::as_object) {
            parts.insert(slot.to_owned(), part(plugin));
        }
    }
    let featurers = profile.get("Featurers").and_then(Value::as_array);
    let featurers = featurers.into_iter().flatten().filter_map(Value::as_object);
    let featurers: Vec<Value> = featurers.map(part).collect();
    if !featurers.is_empty() {
        parts.insert("Featurers".to_owned(), json!(featurers));
    }
    Value::Object(parts)
}

/// A value of a configuration. Those of MRE are texts; where an option is none, it is read out of it.
fn typed(value: &Value, schema: Option<&Value>) -> Value {
    let Some(text) = value.as_str() else {
        return value.clone();
    };
    let kind = schema.and_then(|schema| schema.get("type"));
    let is_text = match kind {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.contains(&json!("string")),
        _ => false,
    };
    match text {
        _ if is_text => value.clone(),
        "True" => json!(true),
        "False" => json!(false),
        text => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
    }
}

/// `DetectSceneChange` as `detect_scene_change`.
fn snake(name: &str) -> String {
    let mut made = String::new();
    let mut before = '_';
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
            made.push('_');
        }
        match letter.is_ascii_alphanumeric() {
            true => made.push(letter.to_ascii_lowercase()),
            false => made.push('_'),
        }
        before = letter;
    }
    made
}

/// JSON as TOML, which has no null.
fn table(value: Value) -> toml::Value {
    match value {
        Value::Null => toml::Value::Table(Table::new()),
        Value::Bool(value) => value.into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.into(),
        Value::Array(list) => {
            let list = list.into_iter().filter(|value| !value.is_null());
            toml::Value::Array(list.map(table).collect())
        }
        Value::Object(row) => {
            let row = row.into_iter().filter(|(_, value)| !value.is_null());
            toml::Value::Table(row.map(|(key, value)| (key, table(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_plugins_are_types_of_operators() {
        for (name, kind) in [
            ("SegmentByShot", "segment_by_shot"),
            ("scene_change", "scene_change"),
            ("Scene Change", "scene_change"),
            ("AudioPeaks", "audio_peaks"),
        ] {
            assert_eq!(snake(name), kind);
        }
        assert_eq!(operator_name("Scene.Change 2"), "Scene_Change_2");
    }

    #[test]
    fn values_are_read_where_an_option_is_no_text() {
        let typed = |value: Value, schema: Value| typed(&value, Some(&schema));
        assert_eq!(
            typed(json!("27.5"), json!({ "type": "number" })),
            json!(27.5)
        );
        assert_eq!(typed(json!("27"), json!({ "type": "string" })), json!("27"));
        assert_eq!(
            typed(json!("True"), json!({ "type": "boolean" })),
            json!(true)
        );
        assert_eq!(typed(json!("2s"), json!({ "anyOf": [] })), json!("2s"));
        let list = json!([["near", "far"]]);
        assert_eq!(
            typed(json!(list.to_string()), json!({ "type": "array" })),
            list
        );
        assert_eq!(typed(json!(3), json!({ "type": "number" })), json!(3));
    }
}
