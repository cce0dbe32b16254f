//! What plugins say and ask of each other: their results are kept, and go to the operator that waits for them; a
//! featurer that says something late, or unasked, is heard by the event as long as it runs.

use matchcut_operators::board::{self, Which, millis};
use serde_json::{Value, json};

use super::super::to_spec::operator_name;
use super::super::{object, rounded, text, texts};
use super::rows::{Event, NOT_ATTEMPTED, On, Said, name, number};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, post};
use crate::errors::ApiError;
use crate::mre::data_schemas::body_of;
use crate::runs::RunsError;
use crate::store::runs::RunState;
use crate::store::{Row, StoreError, kept};
use crate::work::Work;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/plugin/result",
            post(store).takes(|| body_of(|all| &all.result)),
        )
        .route(
            "/plugin/dependentplugins/output",
            post(dependents).takes(|| body_of(|all| &all.dependents)),
        )
}

/// The body of a call, as a schema has it.
pub fn body(call: &Call, unable: &str) -> Result<Value, ApiError> {
    call.json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))
}

/// A whole number of a body, which is not less than 0.
pub fn whole(row: &Row, key: &str) -> Option<u64> {
    row.get(key)?.as_u64()
}

fn store(call: &Call, context: &Context) -> Answer {
    let body = body(call, "Unable to store the result of the plugin")?;
    context.schemas.data.result.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let plugin = text(&body, "PluginName").to_owned();
    let class = text(&body, "PluginClass").to_owned();
    let results = body.get("Results").and_then(Value::as_array);
    let results: Vec<Row> = results
        .into_iter()
        .flatten()
        .filter_map(|row| row.as_object().cloned())
        .map(seconds)
        .collect();
    let track = whole(&body, "AudioTrack").filter(|track| *track > 0);
    let which = Which {
        plugin: &plugin,
        chunk: whole(&body, "ChunkNumber").unwrap_or_default(),
        track: track.and_then(|track| u32::try_from(track).ok()),
    };
    let track = track.map(|track| track.to_string());
    let track = track.as_deref();
    let kept: Result<(), StoreError> = context.database.write(|db| {
        for result in &results {
            let place = millis(number(result, "Start").unwrap_or_default());
            match class.as_str() {
                "Optimizer" | "Labeler" => {
                    let classifier = name(text(&body, "Classifier"), None);
                    let of = (event.id.as_str(), kept::RESULT, classifier.as_str());
                    let mut row = kept::get(db, of, place)?.unwrap_or_default();
                    row.insert("Start".to_owned(), json!(number(result, "Start")));
                    let changed = match class.as_str() {
                        "Optimizer" => optimize(&mut row, result, track.unwrap_or("1")),
                        _ => label(&mut row, result, &body),
                    };
                    if changed {
                        kept::put(db, of, place, &row)?;
                    }
                }
                _ => {
                    let own = name(&plugin, track);
                    let of = (event.id.as_str(), kept::RESULT, own.as_str());
                    kept::put(db, of, place, &whole_row(&event, result, &body, track))?;
                }
            }
        }
        Ok(())
    });
    kept?;
    let waited_for = board::save(event.names(), which, &results);
    if !waited_for && class == "Featurer" {
        hear(context, &event, &plugin, track, &results)?;
    }
    Ok(json!({}))
}

/// Times as MRE keeps them.
fn seconds(mut row: Row) -> Row {
    for key in ["Start", "End", "OptoStart", "OptoEnd"] {
        if let Some(time) = number(&row, key) {
            row.insert(key.to_owned(), json!(rounded(time)));
        }
    }
    row
}

/// A result with all that MRE keeps with it.
fn whole_row(event: &Event, result: &Row, body: &Row, track: Option<&str>) -> Row {
    let mut row = result.clone();
    let plugin = text(body, "PluginName");
    let start = row.get("Start").cloned().unwrap_or_default();
    let end = row.entry("End").or_insert_with(|| start.clone()).clone();
    if text(body, "PluginClass") == "Classifier" {
        for (mark, more) in [
            (
                "OptoStart",
                "OriginalClipStatus OriginalClipLocation OptimizedClipStatus OptimizedClipLocation",
            ),
            ("OptoEnd", ""),
        ] {
            let code = format!("{mark}Code");
            if row.contains_key(&code) {
                continue;
            }
            row.insert(code, json!(NOT_ATTEMPTED));
            row.insert(mark.to_owned(), json!({}));
            for key in more.split_whitespace() {
                row.insert(key.to_owned(), json!({}));
            }
            if mark == "OptoEnd" {
                row.insert("LabelCode".to_owned(), json!(NOT_ATTEMPTED));
                row.insert("Label".to_owned(), json!(""));
            }
        }
        if start != end {
            let chunk = body.get("ChunkNumber").cloned().unwrap_or_default();
            row.insert("NonOptoChunkNumber".to_owned(), chunk);
        }
    }
    for key in [
        "Program",
        "Event",
        "ProfileName",
        "ChunkSize",
        "ProcessingFrameRate",
        "ExecutionId",
        "PluginName",
        "Filename",
        "ChunkNumber",
        "PluginClass",
        "Location",
    ] {
        row.insert(key.to_owned(), body.get(key).cloned().unwrap_or_default());
    }
    let endpoint = text(body, "ModelEndpoint");
    row.insert("ModelEndpoint".to_owned(), json!(endpoint));
    let of_event = format!("{}#{}", event.program, event.name);
    row.insert("PK".to_owned(), json!(event.key(plugin, track)));
    row.insert("ProgramEvent".to_owned(), json!(of_event));
    let of_plugin = event.key(plugin, None);
    row.insert("ProgramEventPluginName".to_owned(), json!(of_plugin));
    if let Some(track) = track {
        row.insert("AudioTrack".to_owned(), json!(track));
    }
    row
}

/// Takes over what an optimizer says of a segment: marks come with their codes.
fn optimize(row: &mut Row, result: &Row, track: &str) -> bool {
    let mut changed = false;
    for mark in ["OptoStart", "OptoEnd"] {
        let code = format!("{mark}Code");
        let Some(told) = result.get(&code) else {
            continue;
        };
        row.insert(code, told.clone());
        changed = true;
        let Some(time) = result.get(mark) else {
            continue;
        };
        let tracks = row.entry(mark).or_insert_with(|| json!({}));
        if let Some(tracks) = tracks.as_object_mut() {
            tracks.insert(track.to_owned(), time.clone());
        }
        for more in ["Description", "DetectorResults"] {
            let key = format!("{mark}{more}");
            if let Some(told) = result.get(&key) {
                row.insert(key, told.clone());
            }
        }
    }
    changed
}

/// Takes over what a labeler says of a segment: a label comes with its code.
fn label(row: &mut Row, result: &Row, body: &Row) -> bool {
    let Some(code) = result.get("LabelCode") else {
        return false;
    };
    row.insert("LabelCode".to_owned(), code.clone());
    let declared = texts(body, "OutputAttributesNameList");
    for key in std::iter::once("Label").chain(declared) {
        if let Some(told) = result.get(key) {
            row.insert(key.to_owned(), told.clone());
        }
    }
    true
}

/// Tells an event that runs what nobody waits for.
fn hear(
    context: &Context,
    event: &Event,
    plugin: &str,
    track: Option<&str>,
    results: &[Row],
) -> Result<(), ApiError> {
    let operator = operator_name(plugin);
    let Some(run) = event.run(context)? else {
        return Ok(());
    };
    if run.state == RunState::Complete || !Work::hears(&run, &operator) {
        return Ok(());
    }
    let mut lines = String::new();
    for result in results {
        let is_attribute = |key: &str| !["Start", "End"].contains(&key);
        let attributes: Row = result
            .iter()
            .filter(|(key, value)| is_attribute(key) && !value.is_null())
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let mut line = json!({
            "operator": operator,
            "class": "featurer",
            "start": result.get("Start"),
            "attributes": attributes,
        });
        if let Some(end) = result
            .get("End")
            .filter(|end| result.get("Start") != Some(end))
        {
            line["end"] = end.clone();
        }
        if let Some(track) = track.and_then(|track| track.parse::<u32>().ok()) {
            line["track"] = json!(track);
        }
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    match context.runs.say(&event.id, lines.as_bytes()) {
        // It has ended in this moment.
        Ok(()) | Err(RunsError::State { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn dependents(call: &Call, context: &Context) -> Answer {
    let body = body(
        call,
        "Unable to get the output of one or more dependent plugins",
    )?;
    context.schemas.data.dependents.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let chunk = whole(&body, "ChunkNumber").unwrap_or_default();
    let track = whole(&body, "AudioTrack").map(|track| track.to_string());
    let wanted = body.get("DependentPlugins").and_then(Value::as_array);
    let wanted = wanted.into_iter().flatten().filter_map(Value::as_object);
    let mut said: Option<Said<'_>> = None;
    let mut output = Row::new();
    for wanted in wanted {
        let plugin = text(wanted, "Name");
        let on = match (text(wanted, "SupportedMediaType"), &track) {
            ("Audio", Some(track)) => On::Track(track),
            ("Audio", None) => {
                return Err(ApiError::bad_request(format!(
                    "Unable to get the output of dependent plugin '{plugin}' with an audio track of 'None'"
                )));
            }
            _ => On::First,
        };
        let of_chunk = |row: &Row| whole(row, "ChunkNumber") == Some(chunk);
        let laid = board::dependent_rows(event.names(), chunk, plugin);
        let rows: Vec<Row> = match laid {
            Some(rows) => rows,
            None => {
                let said = match &said {
                    Some(said) => said,
                    None => said.insert(Said::read(context, &event)?),
                };
                said.rows(plugin, on)?
            }
        };
        let items: Vec<Row> = rows.into_iter().filter(of_chunk).collect();
        output.insert(plugin.to_owned(), json!({ "Items": items }));
    }
    Ok(Value::Object(output))
}
