//! Lists of events: a page at a time, the newest start first.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::events::check_time;
use super::text;
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, get};
use crate::errors::ApiError;
use crate::store::{Row, StoreError, events};
use crate::validation::{one_of, python, text_between};

/// How many events a page holds where nothing is said.
const PAGE: usize = 100;

/// What an event that is about to start is: one that starts within this time.
const SOON: SignedDuration = SignedDuration::from_hours(1);

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/event/all", get(all))
        .route("/event/contentgroup/{group}/all", get(of_group))
        .route("/event/by/{program}", get(of_program))
        .route("/event/future/all", get(soon))
        .route("/event/range/{from}/{to}", get(range))
        .route(
            "/event/queued/all/limit/{limit}/closestEventFirst/{closest}",
            get(queued),
        )
}

fn all(call: &Call, context: &Context) -> Answer {
    page(call, context, |_| true)
}

fn of_group(call: &Call, context: &Context) -> Answer {
    let group = call.param("group");
    text_between(group, 3, 50)?;
    page(call, context, |event| text(event, "ContentGroup") == group)
}

fn of_program(call: &Call, context: &Context) -> Answer {
    let program = call.param("program");
    text_between(program, 3, 150)?;
    page(call, context, |event| text(event, "Program") == program)
}

/// What a list is asked for beside its path.
struct Wanted<'a> {
    limit: usize,
    keys: Vec<&'a str>,
    between: Option<(&'a str, &'a str)>,
    group: Option<&'a str>,
    program: Option<&'a str>,
    with_replays: bool,
}

impl<'a> Wanted<'a> {
    fn of(call: &'a Call) -> Result<Wanted<'a>, ApiError> {
        let limit = match call.query("limit") {
            None => PAGE,
            Some(text) => count(text)?,
        };
        let keys = call.query("ProjectionExpression").unwrap_or_default();
        let keys = keys.split(',').map(str::trim);
        let from = call.query("timeFilterStart");
        let between = from.zip(call.query("timeFilterEnd"));
        if let Some((from, to)) = between {
            check_time(from)?;
            check_time(to)?;
        }
        Ok(Wanted {
            limit,
            keys: keys.filter(|key| !key.is_empty()).collect(),
            between,
            group: call.query("ContentGroup"),
            program: call.query("Program"),
            with_replays: call.query("hasReplays") == Some("true"),
        })
    }

    fn has(&self, event: &Row) -> bool {
        let is = |key, wanted: Option<&str>| wanted.is_none_or(|wanted| text(event, key) == wanted);
        let start = text(event, "Start");
        let replays = event.get("hasReplays") == Some(&Value::Bool(true));
        self.between
            .is_none_or(|(from, to)| (from..=to).contains(&start))
            && is("ContentGroup", self.group)
            && is("Program", self.program)
            && (replays || !self.with_replays)
    }

    fn project(&self, mut event: Row) -> Value {
        if !self.keys.is_empty() {
            event.retain(|key, _| self.keys.contains(&&**key));
        }
        Value::Object(event)
    }
}

/// A number of events that is wanted.
fn count(text: &str) -> Result<usize, ApiError> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| {
        let told = python(&Value::from(text));
        ApiError::bad_request(format!("{told} is not a number of events"))
    })
}

fn page(call: &Call, context: &Context, mine: impl Fn(&Row) -> bool) -> Answer {
    let wanted = Wanted::of(call)?;
    let key = match call.query("LastEvaluatedKey").filter(|key| !key.is_empty()) {
        None => Row::new(),
        Some(key) => serde_json::from_str(key)
            .map_err(|_| ApiError::bad_request("LastEvaluatedKey is not one of this list"))?,
    };
    let after = (
        text(&key, "Start"),
        text(&key, "Program"),
        text(&key, "Name"),
    );
    let after = (!after.0.is_empty()).then_some(after);
    let mut found: Vec<Row> = Vec::new();
    context.database.read(|db| {
        events::newest_first(db, after, |event| {
            if mine(&event) && wanted.has(&event) {
                found.push(event);
            }
            // One more says whether there are any after these.
            found.len() <= wanted.limit
        })
    })?;
    let mut last = Value::from("");
    if found.len() > wanted.limit {
        found.truncate(wanted.limit);
        if let Some(event) = found.last() {
            let of = |key| text(event, key);
            last = json!({ "Name": of("Name"), "Program": of("Program"), "Start": of("Start") });
        }
    }
    let items: Vec<Value> = found
        .into_iter()
        .map(|event| wanted.project(event))
        .collect();
    Ok(json!({ "LastEvaluatedKey": last, "Items": items }))
}

/// All events that are wanted, the newest start first.
fn those(context: &Context, wanted: impl Fn(&Row) -> bool) -> Result<Vec<Row>, StoreError> {
    let mut found: Vec<Row> = Vec::new();
    context.database.read(|db| {
        events::newest_first(db, None, |event| {
            if wanted(&event) {
                found.push(event);
            }
            true
        })
    })?;
    Ok(found)
}

fn list(events: Vec<Row>) -> Answer {
    Ok(events.into_iter().map(Value::Object).collect())
}

fn soon(_: &Call, context: &Context) -> Answer {
    let now = Timestamp::now();
    let told = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let until = told(now.checked_add(SOON).unwrap_or(now));
    let now = told(now);
    list(those(context, |event| {
        (&*now..=&*until).contains(&text(event, "Start"))
    })?)
}

fn range(call: &Call, context: &Context) -> Answer {
    let (from, to) = (call.param("from"), call.param("to"));
    check_time(from)?;
    check_time(to)?;
    list(those(context, |event| {
        (from..=to).contains(&text(event, "Start"))
    })?)
}

fn queued(call: &Call, context: &Context) -> Answer {
    let limit = count(call.param("limit"))?;
    one_of(call.param("closest"), &["Y", "N"])?;
    let mut found = those(context, |event| text(event, "Status") == "Queued")?;
    if call.param("closest") == "Y" {
        found.reverse();
    }
    found.truncate(limit);
    list(found)
}
