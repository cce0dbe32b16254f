//! Whether the plugins that a profile names make a pipeline: all there and enabled, each in its place, with what
//! it depends on and without circles; and the profile as it is kept, with the versions that these have now.

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{enabled, models, plugins, text, texts};
use crate::errors::ApiError;
use crate::store::Row;

/// The slots of a profile that hold one plugin.
pub const SLOTS: [&str; 3] = ["Classifier", "Optimizer", "Labeler"];

/// A plugin in its place.
struct Placed<'a> {
    class: &'static str,
    plugin: &'a Row,
}

/// The rows of all plugins that are named, by name.
type Known = BTreeMap<String, Row>;

/// Checks the pipeline of a profile. What is not right in what the client sent is 4xx; what MRE finds out
/// only when it builds its state machine is 500, as there.
pub fn complete(
    db: &Connection,
    name: &str,
    profile: &mut Row,
    unable: &str,
) -> Result<(), ApiError> {
    let placed = placed(profile);
    check_models(db, &placed)?;
    check_doubles(name, &placed)?;
    let known = known(db, &placed)?;
    for one in &placed {
        check_one(name, one, &placed, &known)?;
    }
    for one in &placed {
        let failed = |message: String| ApiError::view(format!("{unable}: {message}"));
        check_class(one, &known).map_err(failed)?;
        check_executions(one, &known).map_err(failed)?;
        check_levels(one).map_err(failed)?;
    }
    enrich(profile, &known);
    Ok(())
}

fn placed(profile: &Row) -> Vec<Placed<'_>> {
    let object = |value: &'static str| profile.get(value).and_then(Value::as_object);
    let single = SLOTS.into_iter().filter_map(|class| {
        let plugin = object(class)?;
        Some(Placed { class, plugin })
    });
    let featurers = profile.get("Featurers").and_then(Value::as_array);
    let featurers = featurers.into_iter().flatten().filter_map(Value::as_object);
    let class = "Featurer";
    single
        .chain(featurers.map(|plugin| Placed { class, plugin }))
        .collect()
}

/// The names of all plugins in the order in which MRE lists what replays can weigh: featurers, the classifier, the
/// labeler, each before what it depends on.
pub fn names_by_feature(profile: &Row) -> Vec<&str> {
    let placed = placed(profile);
    let of = |class: &'static str| placed.iter().filter(move |one| one.class == class);
    let order = ["Featurer", "Classifier", "Labeler"]
        .into_iter()
        .flat_map(of);
    let plugins = order.flat_map(|one| std::iter::once(one.plugin).chain(dependents(one.plugin)));
    plugins.map(|plugin| text(plugin, "Name")).collect()
}

/// What a plugin of a profile depends on.
pub fn dependents(plugin: &Row) -> impl Iterator<Item = &Row> {
    let list = plugin.get("DependentPlugins").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object)
}

fn check_models(db: &Connection, placed: &[Placed<'_>]) -> Result<(), ApiError> {
    for one in placed {
        for plugin in std::iter::once(one.plugin).chain(dependents(one.plugin)) {
            if let Some(Value::Object(model)) = plugin.get("ModelEndpoint") {
                models::check(db, model)?;
            }
        }
    }
    Ok(())
}

fn check_doubles(name: &str, placed: &[Placed<'_>]) -> Result<(), ApiError> {
    let names: Vec<&str> = placed.iter().map(|one| text(one.plugin, "Name")).collect();
    for (index, one) in placed.iter().enumerate() {
        let before = names.iter().take(index);
        if before
            .into_iter()
            .any(|other| *other == text(one.plugin, "Name"))
        {
            return Err(ApiError::conflict(format!(
                "Unable to create profile '{name}': Provided list of {}s contains duplicates",
                one.class
            )));
        }
    }
    Ok(())
}

fn known(db: &Connection, placed: &[Placed<'_>]) -> Result<Known, ApiError> {
    let mut known = Known::new();
    for one in placed {
        for plugin in std::iter::once(one.plugin).chain(dependents(one.plugin)) {
            let name = text(plugin, "Name");
            if !known.contains_key(name)
                && let Some(row) = plugins::newest(db, name)?
            {
                known.insert(name.to_owned(), row);
            }
        }
    }
    Ok(known)
}

fn check_one(
    name: &str,
    one: &Placed<'_>,
    placed: &[Placed<'_>],
    known: &Known,
) -> Result<(), ApiError> {
    let unable = format!("Unable to create profile '{name}'");
    let plugin = text(one.plugin, "Name");
    let row = match known.get(plugin) {
        None => {
            return Err(ApiError::not_found(format!(
                "{unable}: Plugin '{plugin}' not found in the system"
            )));
        }
        Some(row) if !enabled(row) => {
            return Err(ApiError::bad_request(format!(
                "{unable}: Plugin '{plugin}' is disabled in the system"
            )));
        }
        Some(row) => row,
    };
    let named = |wanted: &str| {
        let mut all = placed.iter().flat_map(|one| dependents(one.plugin));
        all.any(|given| text(given, "Name") == wanted)
    };
    if let Some(missing) = texts(row, "DependentPlugins").find(|wanted| !named(wanted)) {
        return Err(ApiError::bad_request(format!(
            "{unable}: Required Dependent plugin '{missing}' for plugin '{plugin}' not present in the request"
        )));
    }
    for given in dependents(one.plugin) {
        let dependency = text(given, "Name");
        let told = format!("{unable}: Dependent plugin '{dependency}' for plugin '{plugin}'");
        match known.get(dependency) {
            None => {
                return Err(ApiError::not_found(format!(
                    "{told} not found in the system"
                )));
            }
            Some(row) if !enabled(row) => {
                return Err(ApiError::bad_request(format!(
                    "{told} is disabled in the system"
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn check_class(one: &Placed<'_>, known: &Known) -> Result<(), String> {
    let name = text(one.plugin, "Name");
    let class = known.get(name).map(|row| text(row, "Class"));
    match class {
        Some(class) if class != one.class => Err(format!(
            "Plugin '{name}' is of the class '{class}' and cannot be used as the {}",
            one.class
        )),
        _ => Ok(()),
    }
}

/// A plugin that needs a model has one.
fn check_executions(one: &Placed<'_>, known: &Known) -> Result<(), String> {
    for plugin in std::iter::once(one.plugin).chain(dependents(one.plugin)) {
        let name = text(plugin, "Name");
        let needs = known.get(name).map(|row| text(row, "ExecutionType"));
        if needs == Some("SyncModel") && !plugin.contains_key("ModelEndpoint") {
            return Err(format!("Plugin '{name}' needs a ModelEndpoint"));
        }
    }
    Ok(())
}

/// Plugins that others wait for are on the level after them; one on two levels would wait for itself, or might.
/// As MRE does it: a plugin may stand on several levels, but what others depend on has only one.
fn check_levels(one: &Placed<'_>) -> Result<(), String> {
    let mut level_of: BTreeMap<&str, usize> = BTreeMap::new();
    let mut parents = vec![text(one.plugin, "Name")];
    let mut level = 1;
    while !parents.is_empty() {
        let mut items: Vec<&str> = Vec::new();
        for plugin in dependents(one.plugin) {
            let name = text(plugin, "Name");
            if !texts(plugin, "DependentFor").any(|parent| parents.contains(&parent)) {
                continue;
            }
            for parent in &parents {
                if *level_of.entry(parent).or_insert(level - 1) != level - 1 {
                    return Err(format!(
                        "Possible circular dependency found between the dependent plugins '{parent}' and '{name}'"
                    ));
                }
            }
            if !items.contains(&name) {
                level_of.entry(name).or_insert(level);
                items.push(name);
            }
        }
        parents = items;
        level += 1;
    }
    Ok(())
}

/// Gives every plugin the version that it has now, and its own configuration where the profile has none.
fn enrich(profile: &mut Row, known: &Known) {
    for slot in SLOTS {
        if let Some(Value::Object(plugin)) = profile.get_mut(slot) {
            enrich_plugin(plugin, known);
        }
    }
    if let Some(Value::Array(featurers)) = profile.get_mut("Featurers") {
        for plugin in featurers.iter_mut().filter_map(Value::as_object_mut) {
            let priority = plugin.entry("IsPriorityForReplay");
            priority.or_insert(Value::Bool(true));
            enrich_plugin(plugin, known);
        }
    }
}

fn enrich_plugin(plugin: &mut Row, known: &Known) {
    if let Some(Value::Array(list)) = plugin.get_mut("DependentPlugins") {
        for dependent in list.iter_mut().filter_map(Value::as_object_mut) {
            enrich_plugin(dependent, known);
        }
    }
    let Some(row) = known.get(text(plugin, "Name")) else {
        return;
    };
    let latest = row.get("Latest").and_then(Value::as_u64).unwrap_or(0);
    plugin.insert("Version".to_owned(), Value::from(format!("v{latest}")));
    let own = plugin.get("Configuration").and_then(Value::as_object);
    if own.is_none_or(Row::is_empty) {
        let default = row.get("Configuration").cloned();
        plugin.insert(
            "Configuration".to_owned(),
            default.unwrap_or_else(|| json!({})),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(dependents: Value) -> Result<(), String> {
        let plugin = json!({ "Name": "root", "DependentPlugins": dependents });
        let plugin = plugin.as_object().unwrap();
        let class = "Classifier";
        check_levels(&Placed { class, plugin })
    }

    #[test]
    fn circles_among_dependents_are_found() {
        let one = |name: &str, parents: &[&str]| json!({ "Name": name, "DependentFor": parents });
        assert_eq!(levels(json!([])), Ok(()));
        assert_eq!(
            levels(json!([one("a", &["root"]), one("b", &["a"])])),
            Ok(())
        );
        assert_eq!(
            levels(json!([one("a", &["root", "b"]), one("b", &["a"])])),
            Err(
                "Possible circular dependency found between the dependent plugins 'a' and 'b'"
                    .to_owned()
            )
        );
    }
}
