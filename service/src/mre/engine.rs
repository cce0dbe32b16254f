//! Asking engines of custom priorities what single observations are worth to a replay: once when it begins to be kept up to
//! date, and once when its event is over. Asking holds up nobody, and what was answered is kept, so that nobody is asked
//! it again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use matchcut_ingest::ask::{AskError, Question, ask};
use matchcut_ingest::reach::Reach;
use matchcut_model::replay::Score;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use url::Url;

use super::{enabled, now, text};
use crate::context::Context;
use crate::secrets::{Reference, SecretError, Secrets};
use crate::store::named::{self, PRIORITIES};
use crate::store::significance::{self, Of};
use crate::store::{Database, Row, StoreError, parameters};

/// The largest answer that is read, in bytes.
const LARGEST: usize = 1 << 20;

/// What of a value may stand in an address as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What an engine has answered, or why it has not.
#[derive(Clone, Debug, PartialEq)]
pub enum Answered {
    /// What observations are worth, by their ids.
    Worth(Row),
    /// It says nothing: weights count as they are, and this is why.
    Nothing(String),
    /// It cannot be asked, so the replay cannot be made.
    Broken(String),
}

impl Answered {
    fn to_json(&self) -> Value {
        match self {
            Answered::Worth(worth) => json!({ "worth": worth }),
            Answered::Nothing(why) => json!({ "nothing": why }),
            Answered::Broken(why) => json!({ "broken": why }),
        }
    }

    fn from_json(value: &Value) -> Option<Answered> {
        let word = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let worth = value.get("worth").and_then(Value::as_object);
        let worth = worth.map(|worth| Answered::Worth(worth.clone()));
        worth
            .or_else(|| word("nothing").map(Answered::Nothing))
            .or_else(|| word("broken").map(Answered::Broken))
    }
}

/// The engine that a request for a replay names.
pub fn of(replay: &Row) -> Option<&Row> {
    let priorities = replay.get("Priorities")?.as_object()?;
    let engine = priorities.get("CustomPrioritiesEngine")?.as_object()?;
    // Clients send an empty one where there is none.
    engine
        .contains_key("CustomPrioritiesEngineName")
        .then_some(engine)
}

/// Who asks.
pub struct Engines {
    database: Arc<Database>,
    secrets: Secrets,
    reach: Reach,
    timeout: Duration,
    /// What is under way.
    asking: Arc<Mutex<BTreeSet<Asked>>>,
}

/// The Id of an event, a replay of it, and which of its runs.
type Asked = (String, String, Of);

impl Engines {
    /// Engines that may be reached, and have so much time to answer.
    pub fn new(
        database: Arc<Database>,
        secrets: Secrets,
        reach: Reach,
        timeout: Duration,
    ) -> Engines {
        Engines {
            database,
            secrets,
            reach,
            timeout,
            asking: Arc::default(),
        }
    }

    /// What the engine of a replay has answered; asks it where it has not yet, and does not wait for it.
    pub fn ask(
        &self,
        (event, replay): significance::Key<'_>,
        of: Of,
        engine: &Row,
    ) -> Result<Option<Answered>, StoreError> {
        let key = (event, replay);
        let known = self.database.read(|db| significance::get(db, key, of))?;
        if let Some(known) = known {
            return Ok(Some(
                Answered::from_json(&known).ok_or(StoreError::Damaged)?,
            ));
        }
        let asked = (event.to_owned(), replay.to_owned(), of);
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        if asking.contains(&asked) {
            return Ok(None);
        }
        // It may have been kept between the two looks.
        if self
            .database
            .read(|db| significance::get(db, key, of))?
            .is_some()
        {
            return Ok(None);
        }
        let call = match self.call(engine)? {
            Ok(call) => call,
            Err(why) => {
                let broken = Answered::Broken(why);
                keep(&self.database, &asked, &broken)?;
                return Ok(Some(broken));
            }
        };
        asking.insert(asked.clone());
        drop(asking);
        let (database, reach) = (Arc::clone(&self.database), self.reach.clone());
        let (under_way, timeout) = (Arc::clone(&self.asking), self.timeout);
        let runtime = Handle::current();
        runtime.clone().spawn(async move {
            let answered = call.answer(&reach, timeout).await;
            let kept = runtime.spawn_blocking(move || {
                if let Err(error) = keep(&database, &asked, &answered) {
                    tracing::error!(%error, "what an engine of custom priorities says cannot be kept");
                }
                let mut asking = under_way.lock().unwrap_or_else(PoisonError::into_inner);
                asking.remove(&asked);
            });
            // It ends early only with the server.
            let _ = kept.await;
        });
        Ok(None)
    }

    /// Whom to call; else why there is nobody.
    fn call(&self, asked: &Row) -> Result<Result<Call, String>, StoreError> {
        let name = text(asked, "CustomPrioritiesEngineName");
        let told = |why: String| format!("the custom priorities engine '{name}' {why}");
        let found = self.database.read(|db| named::get(db, PRIORITIES, name))?;
        let Some(engine) = found else {
            return Ok(Err(told("does not exist".to_owned())));
        };
        if !enabled(&engine) {
            return Ok(Err(told("is disabled".to_owned())));
        }
        let parameter = text(&engine, "EndpointSsmParam");
        let value = self.database.read(|db| parameters::get(db, parameter))?;
        let Some(value) = value else {
            let why = format!(
                "is at the address that the parameter '{parameter}' holds, and there is none of this name"
            );
            return Ok(Err(told(why)));
        };
        let variables = asked.get("CustomPrioritiesEngineEndpointPathVariables");
        let variables = variables.and_then(Value::as_object);
        let url = filled(text(&value, "Value"), variables.unwrap_or(&Row::new()));
        let url = match url.and_then(|url| Url::parse(&url).map_err(|error| error.to_string())) {
            Ok(url) => url,
            Err(why) => {
                let why = format!("has no address: that of the parameter '{parameter}': {why}");
                return Ok(Err(told(why)));
            }
        };
        if let Err(denied) = self.reach.check(&url) {
            return Ok(Err(told(format!("cannot be asked: {denied}"))));
        }
        let key = Reference::parse(text(&engine, "SecretsManagerApiKeyArn"));
        let key = match key.map(|reference| self.secrets.read(&reference)) {
            Ok(Ok(key)) => key,
            Ok(Err(SecretError::Store(error))) => return Err(error),
            Ok(Err(error)) => return Ok(Err(told(format!("has no key: {error}")))),
            Err(why) => return Ok(Err(told(format!("has no key: {why}")))),
        };
        let name = name.to_owned();
        Ok(Ok(Call { name, url, key }))
    }
}

fn keep(
    database: &Database,
    (event, replay, of): &Asked,
    answered: &Answered,
) -> Result<(), StoreError> {
    let answer = answered.to_json();
    database.write(|db| significance::put(db, (event, replay), *of, &answer, &now()))
}

/// Who is called, and how it knows us.
struct Call {
    name: String,
    url: Url,
    key: crate::secrets::Secret,
}

impl Call {
    async fn answer(&self, reach: &Reach, timeout: Duration) -> Answered {
        let question = Question {
            url: &self.url,
            headers: &[
                ("content-type", "application/json"),
                ("x-api-key", self.key.reveal()),
            ],
            timeout,
            max_bytes: LARGEST,
        };
        let asked = ask(reach, question).await;
        let name = &self.name;
        let read = match asked {
            Ok(body) => worth(&body),
            Err(error @ AskError::Denied(_)) => {
                let why = format!("the custom priorities engine '{name}' cannot be asked: {error}");
                return Answered::Broken(why);
            }
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(worth) if worth.is_empty() => Answered::Nothing(format!(
                "the custom priorities engine '{name}' names no events: weights count as they are"
            )),
            Ok(worth) => Answered::Worth(worth),
            Err(why) => Answered::Nothing(format!(
                "the custom priorities engine '{name}' does not answer, so weights count as they are: {why}"
            )),
        }
    }
}

/// `{"events": [{"id": …, "significance": NUMBER}, …]}`; what has no significance says nothing.
fn worth(body: &[u8]) -> Result<Row, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| format!("no JSON: {error}"))?;
    let events = body.get("events").and_then(Value::as_array);
    let events = events.ok_or("its answer has no list \"events\"")?;
    let mut worth = Row::new();
    for event in events {
        let id = match event.get("id") {
            Some(Value::String(id)) => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => return Err("its answer has an event without an id".to_owned()),
        };
        match event.get("significance") {
            None | Some(Value::Null) => {}
            Some(number) => {
                let number = number.as_f64();
                let number = number.filter(|number| Score::within_bounds(*number).is_some());
                let wrong =
                    || format!("the significance of \"{id}\" is no number from -1e9 to 1e9");
                let number = number.ok_or_else(wrong)?;
                worth.insert(id, json!(number));
            }
        }
    }
    Ok(worth)
}

/// An address with its variables in their places, as Python's `str.format` puts them there; what of a value has a meaning in
/// addresses is escaped, so that it leads nowhere else.
fn filled(template: &str, variables: &Row) -> Result<String, String> {
    let values: BTreeMap<&str, String> = variables
        .iter()
        .filter_map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return None,
            };
            Some((
                name.as_str(),
                utf8_percent_encode(&value, PLAIN).to_string(),
            ))
        })
        .collect();
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, found) = rest.split_at(at);
        filled.push_str(before);
        if let Some(after) = found.strip_prefix("{{") {
            filled.push('{');
            rest = after;
        } else if let Some(after) = found.strip_prefix("}}") {
            filled.push('}');
            rest = after;
        } else {
            let inside = found
                .strip_prefix('{')
                .and_then(|found| found.split_once('}'));
            let (name, after) = inside.ok_or("a brace stands alone")?;
            let value = values.get(name);
            let value = value.ok_or_else(|| {
                format!(
                    "CustomPrioritiesEngineEndpointPathVariables has no text or number \"{name}\""
                )
            })?;
            // Two dots alone would lead out of where they stand.
            if matches!(value.as_str(), "" | "." | "..") {
                return Err(format!("\"{name}\" cannot be a part of an address"));
            }
            filled.push_str(value);
            rest = after;
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// What a replay is to know of its engine before it can be made.
pub enum Waits {
    /// It has none.
    NoEngine,
    /// It is too early, or the engine is being asked.
    Yes,
    /// What it says for this run.
    No(Of, Answered),
}

/// Whether a replay waits for its engine; `over` says whether its event is, nothing where it does not go on.
pub fn waits(
    context: &Context,
    event: &str,
    replay: &Row,
    over: Option<bool>,
) -> Result<Waits, StoreError> {
    let Some(engine) = of(replay) else {
        return Ok(Waits::NoEngine);
    };
    let catchup = replay.get("Catchup") == Some(&Value::Bool(true));
    let run = match over {
        Some(true) => Of::Over,
        Some(false) if catchup => Of::Running,
        _ => return Ok(Waits::Yes),
    };
    let key = (event, text(replay, "ReplayId"));
    Ok(match context.engines.ask(key, run, engine)? {
        Some(answered) => Waits::No(run, answered),
        None => Waits::Yes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: Value) -> Row {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn variables_stand_in_the_address_and_lead_nowhere_else() {
        let variables =
            row(json!({ "game": "a b/../c?d=e@f", "season": 2026, "dots": "..", "list": [] }));
        let of = |template: &str| filled(template, &variables);
        assert_eq!(
            of("https://stats.example.com/{season}/{game}/{{x}}?a={game}"),
            Ok("https://stats.example.com/2026/a%20b%2F..%2Fc%3Fd%3De%40f/{x}?a=a%20b%2F..%2Fc%3Fd%3De%40f".to_owned())
        );
        assert_eq!(of("https://a/"), Ok("https://a/".to_owned()));
        for template in [
            "{none}", "{list}", "{dots}", "{", "}", "{}", "{game", "{game!r}",
        ] {
            assert!(of(template).is_err(), "{template}");
        }
    }

    #[test]
    fn an_answer_says_what_ids_are_worth() {
        let of = |body: &str| worth(body.as_bytes());
        assert_eq!(
            of(
                r#"{"events":[{"id":"x1","significance":7},{"id":"x2"},{"id":3,"significance":0.5},{"id":"x4","significance":null}]}"#
            ),
            Ok(row(json!({ "x1": 7.0, "3": 0.5 })))
        );
        assert_eq!(of(r#"{"events":[]}"#), Ok(Row::new()));
        for body in [
            "",
            "{}",
            r#"{"events":{}}"#,
            r#"{"events":[{"significance":1}]}"#,
            r#"{"events":[{"id":"a","significance":"7"}]}"#,
            r#"{"events":[{"id":"a","significance":1e10}]}"#,
        ] {
            assert!(of(body).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_kept_reads_again() {
        for answered in [
            Answered::Worth(row(json!({ "a": 1.0 }))),
            Answered::Nothing("no".to_owned()),
            Answered::Broken("never".to_owned()),
        ] {
            assert_eq!(Answered::from_json(&answered.to_json()), Some(answered));
        }
        assert_eq!(Answered::from_json(&json!({})), None);
    }

    #[test]
    fn an_empty_engine_is_none() {
        let replay =
            |engine: Value| row(json!({ "Priorities": { "CustomPrioritiesEngine": engine } }));
        assert!(of(&replay(json!({ "CustomPrioritiesEngineName": "Stats" }))).is_some());
        assert!(of(&replay(json!({}))).is_none() && of(&Row::new()).is_none());
    }
}
