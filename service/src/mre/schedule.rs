//! When events of MRE run: one whose start has passed at once, another at its start less the time that it has to get
//! ready. A live one is ended when its time is over. An event that nothing ran while the service was away is
//! begun late.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::to_spec::{self, NoSpec};
use super::{events, late, source, text};
use crate::context::Context;
use crate::runs::{RunsError, Wanted, spec};
use crate::store::{Row, StoreError, events as store_events, replays};

/// Begins what is due, and ends what is over. To be called again and again.
pub fn tick(context: &Context) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let (queued, running) = context.database.read(|db| {
        let told: Result<_, StoreError> =
            Ok((store_events::not_begun(db)?, store_events::in_progress(db)?));
        told
    })?;
    for event in queued.iter().filter(|event| is_due(event, now)) {
        begin(context, event)?;
    }
    for event in running.iter().filter(|event| is_past(event, now)) {
        match context.runs.end(text(event, "Id")) {
            Ok(()) | Err(RunsError::Unknown(_) | RunsError::State { .. }) => {}
            Err(RunsError::Store(error)) => return Err(error),
            Err(error) => tracing::warn!(%error, "an event cannot be ended"),
        }
    }
    expire(context, now)?;
    late::tick(context)
}

/// Removes what was to be kept for a while that is over.
fn expire(context: &Context, now: Timestamp) -> Result<(), StoreError> {
    for id in context.runs.expired(now.as_second())? {
        if let Some(event) = context.database.read(|db| store_events::of_id(db, &id))? {
            events::forget(context, &event)?;
        }
        tracing::info!(event = id, "an event was kept for as long as it was to be");
        match context.runs.delete(&id, false) {
            Err(RunsError::Store(error)) => return Err(error),
            Err(error) => tracing::warn!(%error, "an event cannot be removed"),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Longer is nothing that is waited for, and no time of day can overflow by it.
const LONGEST_MINUTES: i64 = 60 * 24 * 366;

fn minutes(event: &Row, key: &str) -> SignedDuration {
    let minutes = event.get(key).and_then(Value::as_i64);
    SignedDuration::from_mins(minutes.unwrap_or_default().clamp(0, LONGEST_MINUTES))
}

/// A time and what is between it and another; the time itself where there is no such other.
fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(time)
}

fn start(event: &Row) -> Option<Timestamp> {
    text(event, "Start").parse().ok()
}

fn is_due(event: &Row, now: Timestamp) -> bool {
    let early = -minutes(event, "BootstrapTimeInMinutes");
    start(event).is_some_and(|start| after(start, early) <= now)
}

/// A recording ends by itself, unless it is one that somebody puts into a bucket: its time counts from when it was asked
/// for.
fn is_past(event: &Row, now: Timestamp) -> bool {
    let created: Option<Timestamp> = text(event, "Created").parse().ok();
    let live = start(event).filter(|start| Some(*start) > created);
    let filled = created.filter(|_| source::ends_by_time(event));
    let filled = filled.map(|created| after(created, minutes(event, "BootstrapTimeInMinutes")));
    let duration = minutes(event, "DurationMinutes");
    live.or(filled)
        .is_some_and(|start| after(start, duration) <= now)
}

fn begin(context: &Context, event: &Row) -> Result<(), StoreError> {
    let id = text(event, "Id");
    let made = context
        .database
        .read(|db| to_spec::spec(db, event, &context.mre));
    let to_spec::Made {
        spec: mut made,
        clips,
        replays,
    } = match made {
        Ok(made) => made,
        Err(NoSpec::Store(error)) => return Err(error),
        Err(NoSpec::Wrong(reason)) => {
            return context.runs.refuse(id, text(event, "Name"), "", &reason);
        }
    };
    let dir = context.runs.dir(id);
    let name = match spec::plan(&made.to_string(), &dir) {
        Ok((plan, _)) => plan.pipeline.name,
        Err(error) => {
            let (name, spec) = (text(event, "Name"), made.to_string());
            return context.runs.refuse(id, name, &spec, &error.to_string());
        }
    };
    // A replay that cannot be is no reason for the event not to be.
    for (replay, asked) in replays {
        let tried = asked.and_then(|asked| {
            let with = with_replay(&made, &replay, asked);
            let planned = spec::plan(&with.to_string(), &dir);
            planned.map(|_| with).map_err(|error| error.to_string())
        });
        match tried {
            Ok(with) => made = with,
            Err(reason) => {
                tracing::error!(event = id, replay, reason, "a replay cannot be made");
                let key = (text(event, "Program"), text(event, "Name"), replay.as_str());
                context
                    .database
                    .write(|db| replays::set_status(db, key, "Error"))?;
            }
        }
    }
    let made = made.to_string();
    let wanted = Wanted {
        id,
        name: &name,
        spec: &made,
        clips,
        asked: None,
        by: None,
        retention: context.retention,
    };
    match context.runs.create(&wanted) {
        Ok(_) | Err(RunsError::Taken(_) | RunsError::Stopping) => Ok(()),
        Err(RunsError::Store(error)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "an event cannot be begun");
            Ok(())
        }
    }
}

/// A spec with one more replay.
fn with_replay(spec: &toml::Table, id: &str, replay: toml::Value) -> toml::Table {
    let mut spec = spec.clone();
    let replays = spec.entry("replays");
    let replays = replays.or_insert_with(|| toml::Table::new().into());
    if let Some(replays) = replays.as_table_mut() {
        replays.insert(id.to_owned(), replay);
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: Value) -> Row {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn events_are_due_before_their_start_and_live_ones_end() {
        let now: Timestamp = "2026-07-12T13:00:00Z".parse().unwrap();
        let event = |start: &str, bootstrap: u32, duration: u32, created: &str| {
            row(json!({
                "Start": start,
                "BootstrapTimeInMinutes": bootstrap,
                "DurationMinutes": duration,
                "Created": created,
            }))
        };
        let early = "2026-07-01T00:00:00Z";
        assert!(is_due(&event("2020-01-01T00:00:00Z", 0, 1, early), now));
        assert!(!is_due(&event("2026-07-12T13:10:00Z", 9, 1, early), now));
        assert!(is_due(&event("2026-07-12T13:10:00Z", 10, 1, early), now));
        assert!(!is_past(&event("2020-01-01T00:00:00Z", 0, 1, early), now));
        assert!(!is_past(&event("2026-07-12T12:00:00Z", 0, 61, early), now));
        assert!(is_past(&event("2026-07-12T12:00:00Z", 0, 60, early), now));
        // Whatever a client says, nothing breaks.
        for minutes in [i64::MIN, -1, i64::MAX] {
            for start in [
                "2026-07-12T12:00:00Z",
                "-009999-01-02T01:59:59Z",
                "9999-12-30T22:00:00Z",
            ] {
                let odd = row(json!({
                    "Start": start,
                    "BootstrapTimeInMinutes": minutes,
                    "DurationMinutes": minutes,
                    "Created": "-009999-01-02T01:59:59Z",
                }));
                let begun = start < "2026-07-12T13:00:00Z";
                assert_eq!(
                    is_due(&odd, now),
                    begun || minutes == 0,
                    "{start} {minutes}"
                );
                let over = start.starts_with("2026") && minutes < 0;
                assert_eq!(is_past(&odd, now), over, "{start} {minutes}");
            }
        }
    }
}
