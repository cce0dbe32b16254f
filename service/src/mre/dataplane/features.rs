//! What plugins found within a stretch of an event, by attribute: for replays, exports and searches.

use matchcut_operators::board::millis;
use serde_json::{Value, json};

use super::super::{object, rounded, text, texts};
use super::results::body;
use super::rows::{AND, Event, On, Said, is_complete, name, number, span};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get, post, put};
use crate::errors::ApiError;
use crate::mre::data_schemas::body_of;
use crate::store::{Row, StoreError, kept};

/// Segments of a page of an export.
const PAGE: usize = 200;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/event/program/export/all/segments", put(export).takes(|| body_of(|all| &all.export)))
        .route("/replay/feature/in/segment", post(features).takes(|| body_of(|all| &all.features)))
        .route(
            "/feature/in/segment/program/{program}/event/{event}/plugin/{plugin}/attrn/{attribute}/attrv/{value}/start/{start}/end/{end}",
            get(feature),
        )
        .route(
            "/replay/feature/program/{program}/event/{event}/outputattribute/{attribute}/plugin/{plugin}",
            get(values),
        )
        .route(
            "/program/{program}/event/{event}/start/{start}/end/{end}/plugins/output/attributes",
            post(outputs).takes(|| body_of(|all| &all.attributes)),
        )
        .route(
            "/event/{event}/program/{program}/classifier/{classifier}/start/{start}/attrName/{attribute}/attrVal/{value}",
            put(set_attribute),
        )
}

fn time(call: &Call, name: &str) -> Result<f64, ApiError> {
    let told = call.param(name);
    let time: Option<f64> = told.parse().ok();
    time.filter(|time| time.is_finite())
        .ok_or_else(|| ApiError::bad_request(format!("'{told}' is not a number")))
}

fn within(row: &Row, start: f64, end: f64) -> bool {
    (millis(start)..=millis(end)).contains(&millis(span(row).0))
}

/// Start, end and some attributes of a row.
fn only(row: &Row, attributes: &[&str]) -> Row {
    let wanted = ["Start", "End"].iter().chain(attributes);
    wanted
        .filter_map(|key| Some(((*key).to_owned(), row.get(*key)?.clone())))
        .collect()
}

fn features(call: &Call, context: &Context) -> Answer {
    let body = body(call, "Unable to get the features in the segment")?;
    context.schemas.data.features.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let track = body.get("AudioTrack").map(Value::to_string);
    let on = track.as_deref().map_or(On::First, On::Track);
    let at = |key: &str| number(&body, key).unwrap_or_default();
    let attributes: Vec<&str> = texts(&body, "OutputAttributes").collect();
    let rows = Said::read(context, &event)?.rows(text(&body, "PluginName"), on)?;
    let inside = rows
        .iter()
        .filter(|row| within(row, at("Start"), at("End")));
    Ok(inside
        .map(|row| Value::Object(only(row, &attributes)))
        .collect())
}

fn feature(call: &Call, context: &Context) -> Answer {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let (start, end) = (time(call, "start")?, time(call, "end")?);
    let attribute = call.param("attribute");
    let wanted = call.param("value") == "True";
    let rows = Said::read(context, &event)?.rows(call.param("plugin"), On::Any)?;
    let mut inside = rows.iter().filter(|row| within(row, start, end));
    let found = inside.find(|row| row.get(attribute) == Some(&Value::Bool(wanted)));
    let told = |row| only(row, &[attribute, "OptoStart", "OptoEnd"]);
    Ok(Value::Object(found.map(told).unwrap_or_default()))
}

fn values(call: &Call, context: &Context) -> Answer {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let (plugin, attribute) = (call.param("plugin"), call.param("attribute"));
    let rows = Said::read(context, &event)?.rows(plugin, On::Any)?;
    let mut values: Vec<Value> = Vec::new();
    for value in rows.iter().filter_map(|row| row.get(attribute)) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    Ok(json!({ format!("{plugin} | {attribute}"): values }))
}

fn outputs(call: &Call, context: &Context) -> Answer {
    let body = body(call, "Unable to get the output of the plugins")?;
    context.schemas.data.attributes.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let (start, end) = (time(call, "start")?, time(call, "end")?);
    let attributes: Vec<&str> = texts(&body, "pluginAttributes").collect();
    let mut output = Row::new();
    for row in Said::read(context, &event)?.all()? {
        if !within(&row, start, end) {
            continue;
        }
        let mut told = only(&row, &attributes);
        if !attributes.contains(&"End") {
            told.remove("End");
        }
        let list = output.entry(text(&row, "PluginName"));
        if let Some(list) = list.or_insert_with(|| json!([])).as_array_mut() {
            list.push(Value::Object(told));
        }
    }
    Ok(Value::Object(output))
}

fn set_attribute(call: &Call, context: &Context) -> Answer {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let start = rounded(time(call, "start")?);
    let of = name(call.param("classifier"), None);
    let of = (event.id.as_str(), kept::RESULT, of.as_str());
    let kept: Result<(), StoreError> = context.database.write(|db| {
        let mut row = kept::get(db, of, millis(start))?.unwrap_or_default();
        row.insert("Start".to_owned(), json!(start));
        row.insert(
            call.param("attribute").to_owned(),
            json!(call.param("value")),
        );
        kept::put(db, of, millis(start), &row)
    });
    kept?;
    Ok(json!({}))
}

/// The names in a list of names, or of objects that have one.
fn names<'a>(body: &'a Row, key: &str) -> Vec<&'a str> {
    let list = body.get(key).and_then(Value::as_array);
    let name = |value: &'a Value| value.as_str().or_else(|| value.get("Name")?.as_str());
    list.into_iter().flatten().filter_map(name).collect()
}

fn export(call: &Call, context: &Context) -> Answer {
    let body = body(call, "Unable to export the segments")?;
    context.schemas.data.export.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Name"))?;
    let limit = body.get("Limit").and_then(Value::as_u64);
    let limit = limit.map_or(PAGE, |limit| usize::try_from(limit).unwrap_or(PAGE));
    let after = body.get("LastStartValue");
    let after = after.and_then(|after| after.as_f64().or_else(|| after.get("Start")?.as_f64()));
    let attributes = names(&body, "OutputAttributes");
    let said = Said::read(context, &event)?;
    let classifier = text(&body, "Classifier");
    let mut rows = said.rows(classifier, On::First)?;
    rows.retain(|row| {
        is_complete(row) && after.is_none_or(|after| millis(span(row).0) > millis(after))
    });
    let more = rows.len() > limit;
    rows.truncate(limit);
    let mut found: Vec<Row> = Vec::new();
    for plugin in names(&body, "PluginsInProfile") {
        if plugin != classifier {
            found.extend(said.rows(plugin, On::Any)?);
        }
    }
    let thoughts: Result<Vec<(String, Row)>, StoreError> = context
        .database
        .read(|db| kept::of_kind(db, &event.id, kept::FEEDBACK));
    let thoughts = thoughts?;
    let mut segments = Vec::new();
    for row in &rows {
        let (start, end) = span(row);
        let holds = |row: &&Row| within(row, start, end);
        let truthy = |row: &Row, key: &str| match row.get(key) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => true,
        };
        let inside: Vec<&Row> = found.iter().filter(holds).chain([row]).collect();
        let seen = |key: &&&str| inside.iter().any(|row| truthy(row, key));
        let features: Vec<&&str> = attributes.iter().filter(seen).collect();
        let mut segment = only(
            row,
            &[
                "OptoStart",
                "OptoEnd",
                "OriginalClipLocation",
                "OptimizedClipLocation",
                "OriginalThumbnailLocation",
                "OptimizedThumbnailLocation",
                "HourElapsed",
                "Label",
            ],
        );
        let mine = thoughts.iter().filter(|(name, thought)| {
            let own = name.split(AND).next() == Some(classifier);
            own && millis(span(thought).0) == millis(start)
        });
        let feedback: Vec<Value> = mine
            .map(|(_, thought)| {
                let track = thought.get("AudioTrack").map(Value::to_string);
                let mut said = Row::new();
                for side in ["OriginalFeedback", "OptimizedFeedback"] {
                    let told = thought.get(side).and_then(|told| told.get("Feedback"));
                    if let Some(told) = told.filter(|told| told.as_str() != Some("-")) {
                        said.insert(side.to_owned(), told.clone());
                    }
                }
                json!({ track.unwrap_or_default(): said })
            })
            .collect();
        segment.insert("FeaturesFound".to_owned(), json!(features));
        segment.insert("Feedback".to_owned(), json!(feedback));
        segments.push(Value::Object(segment));
    }
    let last = rows.last().filter(|_| more);
    let last = last.map_or_else(|| json!(""), |row| json!({ "Start": span(row).0 }));
    Ok(json!({ "Segments": segments, "LastStartValue": last }))
}
