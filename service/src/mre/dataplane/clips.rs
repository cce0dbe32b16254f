//! Clips: what those who make them say, what is in them, what people think of them; and the jobs that make them.

use jiff::Timestamp;
use matchcut_operators::board::millis;
use serde_json::{Value, json};

use super::super::{object, rounded, text};
use super::results::{body, whole};
use super::rows::{AND as AND_TRACK, Event, Said, name, number, span};
use super::segments_of;
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get, post};
use crate::errors::ApiError;
use crate::mre::data_schemas::body_of;
use crate::runs::RunsError;
use crate::store::{Row, StoreError, jobs, kept};

/// What is looked back from the start of a clip for ranges that reach into it, in seconds.
const LOOK_BACK: f64 = 20.0;

/// The routes.
pub fn routes() -> Routes {
    let info = "/event/{event}/program/{program}/clipstart/{start}/clipduration/{duration}/track/{track}/classifier/{classifier}";
    let feedback = "/clip/preview/program/{program}/event/{event}";
    Routes::new()
        .route(
            "/clip/result",
            post(store).takes(|| body_of(|all| &all.clips)),
        )
        .route(&format!("{info}/org/previewinfo"), get(original))
        .route(&format!("{info}/opt/previewinfo"), get(optimized))
        .route(
            "/clip/preview/feedback",
            post(think).takes(|| body_of(|all| &all.feedback)),
        )
        .route(
            &format!(
                "{feedback}/classifier/{{classifier}}/start/{{start}}/track/{{track}}/feedback"
            ),
            get(thought),
        )
        .route(
            &format!("{feedback}/track/{{track}}/feedback"),
            get(thoughts),
        )
        .route("/job/create/{id}", post(create_job))
        .route("/job/update/{id}/{status}", post(update_job))
        .route("/job/status/{id}", get(job))
}

fn store(call: &Call, context: &Context) -> Answer {
    let body = body(call, "Unable to store the result of Clip Generation Engine")?;
    context.schemas.data.clips.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let of = name(text(&body, "Classifier"), None);
    let of = (event.id.as_str(), kept::RESULT, of.as_str());
    let results = body.get("Results").and_then(Value::as_array);
    let kept: Result<(), StoreError> = context.database.write(|db| {
        let results = results.into_iter().flatten().filter_map(Value::as_object);
        for result in results {
            let start = rounded(number(result, "Start").unwrap_or_default());
            let place = millis(start);
            let track = match result.get("AudioTrack") {
                Some(Value::String(track)) => track.clone(),
                Some(track) => track.to_string(),
                None => "1".to_owned(),
            };
            let mut row = kept::get(db, of, place)?.unwrap_or_default();
            row.insert("Start".to_owned(), json!(start));
            for kind in ["Original", "Optimized"] {
                let key = |what: &str| format!("{kind}{what}");
                if !result.contains_key(&key("ClipStatus")) {
                    continue;
                }
                for what in ["ClipStatus", "ClipLocation"] {
                    let Some(told) = result.get(&key(what)) else {
                        continue;
                    };
                    let tracks = row.entry(key(what)).or_insert_with(|| json!({}));
                    if let Some(tracks) = tracks.as_object_mut() {
                        tracks.insert(track.clone(), told.clone());
                    }
                }
                if let Some(told) = result.get(&key("ThumbnailLocation")) {
                    row.insert(key("ThumbnailLocation"), told.clone());
                }
            }
            kept::put(db, of, place, &row)?;
        }
        Ok(())
    });
    kept?;
    Ok(json!({}))
}

fn time(call: &Call, name: &str) -> Result<f64, ApiError> {
    let time: Option<f64> = call.param(name).parse().ok();
    let told = call.param(name);
    time.filter(|time| time.is_finite())
        .ok_or_else(|| ApiError::bad_request(format!("'{told}' is not a number")))
}

fn original(call: &Call, context: &Context) -> Answer {
    preview(call, context, false)
}

fn optimized(call: &Call, context: &Context) -> Answer {
    preview(call, context, true)
}

/// What is in a clip, by time from its start.
fn preview(call: &Call, context: &Context, optimized: bool) -> Answer {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let (start, length) = (time(call, "start")?, time(call, "duration")?);
    let track = call.param("track");
    let rows = Said::read(context, &event)?.all()?;
    let (mut ranges, mut chart, mut features) = (Vec::new(), Vec::new(), Vec::new());
    let (mut range_labels, mut feature_labels) = (Vec::new(), Vec::new());
    for row in &rows {
        let (from, to) = span(row);
        let near = from >= start - LOOK_BACK && from <= start + length && to >= start;
        if !near {
            continue;
        }
        let (plugin, label) = (text(row, "PluginName"), text(row, "Label"));
        let own = text(row, "AudioTrack");
        if millis(from) == millis(to) {
            let name = format!("{plugin}-{label}");
            if own.is_empty() || optimized && own == track {
                let at = rounded((from - start).max(0.0));
                features.push(json!({ name.clone(): 1, "featureAt": at }));
            }
            add(&mut feature_labels, name);
            continue;
        }
        add(&mut range_labels, plugin.to_owned());
        if optimized && !own.is_empty() && own != track {
            continue;
        }
        let begin = rounded((from - start).max(0.0));
        let lasts = rounded(to - from.max(start));
        ranges.push(json!({ "Marker": plugin, "Start": begin, "Duration": lasts, "Label": label }));
        let end = rounded((begin + lasts).min(length));
        chart.push(json!({ plugin: [begin, end], "Start": begin }));
    }
    let segments = segments_of(call, context)?;
    let mine = segments.iter().find(|segment| {
        let starts = [
            Some(segment.start),
            segment.marks(track).map(|(start, _)| start),
        ];
        let mut starts = starts.into_iter().flatten();
        starts.any(|own| millis(own) == millis(start))
    });
    let clip = mine.map_or_else(String::new, |segment| {
        let (original, changed) = segment.clips(track);
        if optimized { changed } else { original }
    });
    let location = match optimized {
        true => "OptimizedClipLocation",
        false => "OriginalClipLocation",
    };
    Ok(json!({
        "RangeEvents": ranges,
        "RangeEventsChart": chart,
        "RangeLabels": range_labels,
        "Features": features,
        "FeatureLabels": feature_labels,
        location: clip,
    }))
}

fn add(list: &mut Vec<String>, name: String) {
    if !list.contains(&name) {
        list.push(name);
    }
}

fn think(call: &Call, context: &Context) -> Answer {
    let body = body(call, "Unable to save clip preview")?;
    context.schemas.data.feedback.check(&body)?;
    let body = object(body)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let classifier = text(&body, "Classifier");
    let start = rounded(number(&body, "StartTime").unwrap_or_default());
    let track = whole(&body, "AudioTrack").unwrap_or(1);
    let key = event.key(classifier, None);
    let mut row = json!({
        "PK": format!("{key}#{start}#{track}"),
        "ProgramEventTrack": format!("{}#{}#{track}", event.program, event.name),
        "ProgramEventClassifierStart": format!("{key}#{start}"),
        "Program": event.program,
        "Event": event.name,
        "Classifier": classifier,
        "Start": start,
        "AudioTrack": track,
        "Reviewer": text(&body, "Reviewer"),
    });
    for side in ["OriginalFeedback", "OptimizedFeedback"] {
        if let Some(said) = body.get(side) {
            row[side] = said.clone();
        }
    }
    let row = object(row)?;
    let of = format!("{classifier}{AND_TRACK}{track}");
    let of = (event.id.as_str(), kept::FEEDBACK, of.as_str());
    let kept: Result<(), StoreError> = context
        .database
        .write(|db| kept::put(db, of, millis(start), &row));
    kept?;
    tell(context, &event, &row, track)?;
    Ok(json!({}))
}

/// What somebody thinks counts for replays of an event that runs.
fn tell(context: &Context, event: &Event, row: &Row, track: u64) -> Result<(), ApiError> {
    if event.run(context)?.is_none_or(|run| run.state.is_over()) {
        return Ok(());
    }
    let mut lines = String::new();
    for side in ["Original", "Optimized"] {
        let said = row.get(&format!("{side}Feedback"));
        let said = said.and_then(|said| said.get("Feedback")?.as_str());
        let Some(said) = said.map(str::to_ascii_lowercase) else {
            continue;
        };
        if !["like", "dislike", "-"].contains(&said.as_str()) {
            continue;
        }
        let line = json!({
            "start": row.get("Start"),
            "track": track,
            "side": side.to_ascii_lowercase(),
            "feedback": said,
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    if lines.is_empty() {
        return Ok(());
    }
    match context.runs.say(&event.id, lines.as_bytes()) {
        Ok(()) | Err(RunsError::State { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn thought(call: &Call, context: &Context) -> Answer {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let of = format!(
        "{}{AND_TRACK}{}",
        call.param("classifier"),
        call.param("track")
    );
    let of = (event.id.as_str(), kept::FEEDBACK, of.as_str());
    let place = millis(time(call, "start")?);
    let found: Result<Option<Row>, StoreError> =
        context.database.read(|db| kept::get(db, of, place));
    Ok(Value::Object(found?.unwrap_or_default()))
}

fn thoughts(call: &Call, context: &Context) -> Answer {
    let event = Event::of(context, call.param("program"), call.param("event"))?;
    let all: Result<Vec<(String, Row)>, StoreError> = context
        .database
        .read(|db| kept::of_kind(db, &event.id, kept::FEEDBACK));
    let end = format!("{AND_TRACK}{}", call.param("track"));
    let mut mine: Vec<Row> = all?
        .into_iter()
        .filter(|(name, _)| name.ends_with(&end))
        .map(|(_, row)| row)
        .collect();
    mine.sort_by(|a, b| span(a).0.total_cmp(&span(b).0));
    Ok(json!(mine))
}

fn create_job(call: &Call, context: &Context) -> Answer {
    put_job(call, context, "CREATED")
}

fn update_job(call: &Call, context: &Context) -> Answer {
    put_job(call, context, call.param("status"))
}

fn put_job(call: &Call, context: &Context, status: &str) -> Answer {
    let id = call.param("id");
    let row = object(json!({ "JobId": id, "Status": status }))?;
    let now = Timestamp::now().as_second();
    let kept: Result<(), StoreError> = context.database.write(|db| jobs::put(db, id, &row, now));
    kept?;
    Ok(json!({}))
}

fn job(call: &Call, context: &Context) -> Answer {
    let found: Result<Option<Row>, StoreError> =
        context.database.read(|db| jobs::get(db, call.param("id")));
    Ok(found?.into_iter().map(Value::Object).collect())
}
