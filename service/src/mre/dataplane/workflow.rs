//! What segmenters, labelers and optimizers ask for before they work, and those who make clips. A plugin that works on a
//! chunk which the event laid down is told what there was at this chunk, whatever has come since: so that it says the
//! same when it is asked again.

use matchcut_operators::board::{self, View, Which, millis};
use serde_json::{Value, json};

use super::super::{object, text, texts};
use super::metadata;
use super::results::{body, whole};
use super::rows::{Event, NOT_ATTEMPTED, On, Said, is_complete, number, span};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, post};
use crate::errors::ApiError;
use crate::mre::data_schemas::body_of;
use crate::store::Row;

/// What is looked back from a mark for ranges that reach it, in seconds.
const LOOK_BACK: f64 = 60.0;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route(
            "/workflow/segment/state",
            post(segment_state).takes(|| body_of(|all| &all.segment_state)),
        )
        .route(
            "/workflow/labeling/segment/state",
            post(labeling_state).takes(|| body_of(|all| &all.labeling_state)),
        )
        .route(
            "/workflow/optimization/segment/state",
            post(optimization_state).takes(|| body_of(|all| &all.optimization_state)),
        )
        .route(
            "/workflow/engine/clipgen/segments",
            post(clip_segments).takes(|| body_of(|all| &all.clip_segments)),
        )
        .route(
            "/workflow/engine/clipgen/chunks",
            post(clip_chunks).takes(|| body_of(|all| &all.clip_chunks)),
        )
}

/// Where a plugin at its chunk finds what others have said.
struct Sight<'a> {
    context: &'a Context,
    event: &'a Event,
    chunk: u64,
    view: Option<View>,
    said: Option<Said<'a>>,
}

impl<'a> Sight<'a> {
    fn said(&mut self) -> Result<&Said<'a>, ApiError> {
        match self.said {
            Some(ref said) => Ok(said),
            None => Ok(self.said.insert(Said::read(self.context, self.event)?)),
        }
    }

    /// The rows of a plugin up to this chunk.
    fn rows(&mut self, plugin: &str, on: On<'_>) -> Result<Vec<Row>, ApiError> {
        if let Some(rows) = self.view.as_ref().and_then(|view| view.rows.get(plugin)) {
            let mine = |row: &&Row| match on {
                On::Track(track) => ["", track].contains(&text(row, "AudioTrack")),
                _ => true,
            };
            return Ok(rows.iter().filter(mine).cloned().collect());
        }
        if self.view.is_some() {
            return Ok(Vec::new());
        }
        let chunk = self.chunk;
        let mut rows = self.said()?.rows(plugin, on)?;
        rows.retain(|row| whole(row, "ChunkNumber").is_none_or(|own| own <= chunk));
        Ok(rows)
    }

    /// The complete segments that nobody has worked on by a code, by time.
    fn segments(
        &mut self,
        classifier: &str,
        open: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Row>, ApiError> {
        if let Some(view) = &self.view {
            return Ok(view.segments.clone());
        }
        let mut rows = self.rows(classifier, On::First)?;
        rows.retain(|row| is_complete(row) && open(row));
        Ok(rows)
    }
}

fn asked(call: &Call, schema: &crate::validation::Schema, unable: &str) -> Result<Row, ApiError> {
    let body = body(call, unable)?;
    schema.check(&body)?;
    object(body)
}

fn segment_state(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to get the state of the segment identified in prior chunks";
    let body = asked(call, &context.schemas.data.segment_state, unable)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let plugin = text(&body, "PluginName");
    let chunk = whole(&body, "ChunkNumber").unwrap_or_default();
    let start = number(&body, "ChunkStart").unwrap_or_default();
    let longest = number(&body, "MaxSegmentLength").unwrap_or_default();
    let track = None;
    let which = Which {
        plugin,
        chunk,
        track,
    };
    let mut sight = Sight {
        context,
        event: &event,
        chunk,
        view: board::view(event.names(), which),
        said: None,
    };
    let prior = match &sight.view {
        Some(view) => view.prior.clone(),
        None => {
            let rows = sight.said()?.rows(plugin, On::First)?;
            let mut before = rows.into_iter().rev();
            before.find(|row| millis(span(row).0) < millis(start))
        }
    };
    let mut output = Row::new();
    let from = match prior {
        None => start - longest,
        Some(prior) => {
            let (begin, end) = span(&prior);
            let (state, from) = match is_complete(&prior) {
                true => ("End", end),
                false => ("Start", begin),
            };
            output.insert("State".to_owned(), json!(state));
            output.insert("PriorSegment".to_owned(), Value::Object(prior));
            from
        }
    };
    let mut results = Row::new();
    for plugin in texts(&body, "DependentPlugins") {
        let mut rows = sight.rows(plugin, On::First)?;
        rows.retain(|row| millis(span(row).0) > millis(from));
        results.insert(plugin.to_owned(), json!({ "Items": rows }));
    }
    if !results.is_empty() {
        output.insert("DependentPluginResults".to_owned(), Value::Object(results));
    }
    Ok(Value::Object(output))
}

/// The next segment after the one that the client had last, and by what it asks for the one after this.
fn next(segments: Vec<Row>, body: &Row, event: &Event, classifier: &str) -> Option<(Row, Value)> {
    let after = body
        .get("LastEvaluatedKeys")
        .and_then(|keys| keys.get(classifier)?.get("Start")?.as_f64());
    let mut left = segments
        .into_iter()
        .filter(|row| after.is_none_or(|after| millis(span(row).0) > millis(after)));
    let segment = left.next()?;
    let start = segment.get("Start").cloned().unwrap_or_default();
    let mut item = json!({ "Item": segment.clone() });
    if left.next().is_some() {
        item["LastEvaluatedKey"] = json!({ "PK": event.key(classifier, None), "Start": start });
    }
    Some((segment, item))
}

fn labeling_state(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to get the complete, unlabeled segments along with the associated dependent plugins result";
    let body = asked(call, &context.schemas.data.labeling_state, unable)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let classifier = text(&body, "Classifier");
    let chunk = whole(&body, "ChunkNumber").unwrap_or_default();
    let view = board::view_for(event.names(), chunk, "Labeler", None);
    let mut sight = Sight {
        context,
        event: &event,
        chunk,
        view,
        said: None,
    };
    let open = |row: &Row| text(row, "LabelCode") == NOT_ATTEMPTED;
    let segments = sight.segments(classifier, open)?;
    let Some((segment, item)) = next(segments, &body, &event, classifier) else {
        return Ok(json!({}));
    };
    let (start, end) = span(&segment);
    let inside = millis(start)..=millis(end);
    let mut outputs = Row::new();
    for plugin in texts(&body, "DependentPlugins") {
        let mut rows = sight.rows(plugin, On::First)?;
        rows.retain(|row| inside.contains(&millis(span(row).0)));
        outputs.insert(plugin.to_owned(), json!({ "Items": rows }));
    }
    Ok(json!({ "Segment": item, "DependentPluginsOutput": outputs }))
}

fn optimization_state(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to get the non-optimized segments and dependent detectors output";
    let body = asked(call, &context.schemas.data.optimization_state, unable)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let classifier = text(&body, "Classifier");
    let chunk = whole(&body, "ChunkNumber").unwrap_or_default();
    let track = whole(&body, "AudioTrack");
    let number_of_track = track.and_then(|track| u32::try_from(track).ok());
    let track = track.map(|track| track.to_string());
    let window = number(&body, "SearchWindowSeconds").unwrap_or_default();
    let view = board::view_for(event.names(), chunk, "Optimizer", number_of_track);
    let mut sight = Sight {
        context,
        event: &event,
        chunk,
        view,
        said: None,
    };
    let own = track.as_deref().unwrap_or("1");
    let open = |row: &Row| {
        let done = |mark: &str| row.get(mark).is_some_and(|marks| marks.get(own).is_some());
        !done("OptoStart") && !done("OptoEnd")
    };
    let segments = sight.segments(classifier, open)?;
    let Some((segment, item)) = next(segments, &body, &event, classifier) else {
        return Ok(json!({}));
    };
    let (start, end) = span(&segment);
    let detectors = body.get("Detectors").and_then(Value::as_array);
    let detectors: Vec<&Row> = detectors
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let mut output = Vec::new();
    for (mark, at) in [("Start", start), ("End", end)] {
        for detector in &detectors {
            let name = text(detector, "Name");
            let on = match (text(detector, "SupportedMediaType"), &track) {
                ("Audio", Some(track)) => On::Track(track),
                ("Audio", None) => {
                    return Err(ApiError::bad_request(format!(
                        "Unable to get the segment state for optimization: Error in retrieving the output of the \
                         dependent detector '{name}' with an audio track of 'None'"
                    )));
                }
                _ => On::First,
            };
            let rows = sight.rows(name, on)?;
            output
                .push(json!({ "DependentDetector": name, mark: around(&rows, mark, at, window) }));
        }
    }
    Ok(json!({ "Segment": item, "DependentDetectorsOutput": output }))
}

/// What reaches a mark, or else what is nearest on the side to which it may be moved.
fn around(rows: &[Row], mark: &str, at: f64, window: f64) -> Vec<Row> {
    let within =
        |time: f64, from: f64, to: f64| (millis(from)..=millis(to)).contains(&millis(time));
    let some = |is: &dyn Fn(f64, f64) -> bool| -> Vec<Row> {
        let is = |row: &&Row| {
            let (start, end) = span(row);
            is(start, end)
        };
        rows.iter().filter(is).cloned().collect()
    };
    let reach = some(&|start, end| within(start, at - LOOK_BACK, at) && millis(end) >= millis(at));
    match (reach.is_empty(), mark) {
        (false, _) => reach,
        (true, "Start") => some(&|_, end| within(end, at - window, at)),
        (true, _) => some(&|start, _| within(start, at, at + window)),
    }
}

fn clip_segments(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to get the non-optimized and optimized segments";
    let body = asked(call, &context.schemas.data.clip_segments, unable)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let classifier = text(&body, "Classifier");
    let mut rows = Said::read(context, &event)?.rows(classifier, On::First)?;
    rows.retain(|row| row.contains_key("OptoStart") && row.contains_key("OptoEnd"));
    let key = event.key(classifier, None);
    let items: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "PK": key,
                "Start": row.get("Start"),
                "End": row.get("End"),
                "OptoStart": row.get("OptoStart"),
                "OptoEnd": row.get("OptoEnd"),
            })
        })
        .collect();
    Ok(json!({ "Items": items }))
}

fn clip_chunks(call: &Call, context: &Context) -> Answer {
    let unable = "Unable to get all the chunk metadata";
    let body = asked(call, &context.schemas.data.clip_chunks, unable)?;
    let event = Event::of(context, text(&body, "Program"), text(&body, "Event"))?;
    let at = |key: &str| millis(number(&body, key).unwrap_or_default());
    let (start, end) = (at("Start"), at("End"));
    let chunks = metadata::chunks(context, &event, text(&body, "Profile"))?;
    let first = chunks.iter().rposition(|row| millis(span(row).0) <= start);
    let inside = |row: &Row| (start..=end).contains(&millis(span(row).0));
    let mut seen: Vec<&str> = Vec::new();
    let mut told = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let file = text(chunk, "Filename");
        if (Some(index) != first && !inside(chunk)) || seen.contains(&file) {
            continue;
        }
        seen.push(file);
        told.push(json!({
            "Filename": file,
            "Duration": chunk.get("Duration"),
            "S3Bucket": chunk.get("S3Bucket"),
            "S3Key": chunk.get("S3Key"),
        }));
    }
    Ok(Value::Array(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detectors_are_looked_for_around_a_mark() {
        let row = |start: f64, end: f64| {
            let row = json!({ "Start": start, "End": end });
            row.as_object().unwrap().clone()
        };
        let rows = [
            row(3.0, 4.0),
            row(8.0, 9.5),
            row(12.0, 13.0),
            row(30.0, 40.0),
        ];
        let starts = |mark: &str, at: f64, window: f64| -> Vec<f64> {
            let found = around(&rows, mark, at, window);
            found.iter().map(|row| span(row).0).collect()
        };
        // A range that reaches the mark.
        assert_eq!(starts("Start", 9.0, 5.0), [8.0]);
        assert_eq!(starts("End", 35.0, 0.0), [30.0]);
        // None does: before a start, after an end.
        assert_eq!(starts("Start", 10.0, 5.0), [8.0]);
        assert_eq!(starts("Start", 10.0, 0.4), Vec::<f64>::new());
        assert_eq!(starts("End", 10.0, 5.0), [12.0]);
        // A mark at 0 s is one, too.
        assert_eq!(starts("Start", 0.0, 5.0), Vec::<f64>::new());
        assert_eq!(starts("End", 0.0, 5.0), [3.0]);
    }
}
