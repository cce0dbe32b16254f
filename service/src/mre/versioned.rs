//! What models, plugins and prompts have in common: versions. Each is published again under its name; `v0` is
//! a copy of the newest, which alone says which one that is, and the only one that may be told apart from
//! it afterwards is whether it is enabled.

use rusqlite::Transaction;
use serde_json::{Value, json};

use super::{enabled, object, schemas, texts};
use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, delete, get, put};
use crate::errors::ApiError;
use crate::store::names::{self, CONTENT_GROUP};
use crate::store::{Row, versioned};
use crate::validation::text_between;

/// What tells one kind from another.
pub trait Kind: 'static {
    /// In the store and in paths.
    const KEY: &'static str;
    /// How a message about one begins.
    const TITLE: &'static str;
    /// How a message calls one.
    const NOUN: &'static str;
    /// The longest name.
    const NAME_MAX: usize;
    /// The shortest name of a version in a path.
    const VERSION_MIN: usize;
}

/// The routes that all kinds have, but for those that publish.
pub fn routes<K: Kind>() -> Routes {
    let path = |rest: &str| format!("/{}{rest}", K::KEY);
    Routes::new()
        .route(&path("/all"), get(all::<K>))
        .route(&path("/contentgroup/{group}/all"), get(of_group::<K>))
        .route(
            &path("/{name}"),
            get(newest::<K>).merge(delete(remove_all::<K>)),
        )
        .route(
            &path("/{name}/status"),
            put(switch_newest::<K>).takes(schemas::status),
        )
        .route(&path("/{name}/version/all"), get(history::<K>))
        .route(
            &path("/{name}/version/{version}"),
            get(version::<K>).merge(delete(remove::<K>)),
        )
        .route(
            &path("/{name}/version/{version}/status"),
            put(switch::<K>).takes(schemas::status),
        )
}

/// The newest of all that `wanted` wants, without what is disabled unless the call asks for it.
pub fn list(call: &Call, context: &Context, kind: &str, wanted: impl Fn(&Row) -> bool) -> Answer {
    let mut rows = context.database.read(|db| versioned::newest(db, kind))?;
    let with_disabled = call.include_disabled();
    rows.retain(|row| (with_disabled || enabled(row)) && wanted(row));
    Ok(rows.into_iter().map(Value::Object).collect())
}

/// Publishes the next version of a name, and keeps the content groups that it names. `row` has everything
/// but the version. The answer is the version.
pub fn publish<K: Kind>(db: &Transaction<'_>, name: &str, row: Row) -> Result<String, ApiError> {
    for group in texts(&row, "ContentGroups") {
        names::put(db, CONTENT_GROUP, group)?;
    }
    let before = versioned::get(db, K::KEY, name, 0)?;
    let next = latest(before.as_ref()).saturating_add(1);
    let version = format!("v{next}");
    let with = |version: &str| {
        let mut whole = Row::new();
        whole.insert("Name".to_owned(), Value::from(name));
        whole.insert("Version".to_owned(), Value::from(version));
        whole.extend(row.clone());
        whole
    };
    let mut copy = with("v0");
    copy.insert("Latest".to_owned(), Value::from(next));
    versioned::put(db, K::KEY, name, 0, &copy)?;
    versioned::put(db, K::KEY, name, next, &with(&version))?;
    Ok(version)
}

/// The number of the newest version that a row `v0` tells of.
fn latest(row: Option<&Row>) -> u32 {
    let number = row
        .and_then(|row| row.get("Latest"))
        .and_then(Value::as_u64);
    number.and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
}

/// The number of `v12`. None for what no version is called.
pub fn number(version: &str) -> Option<u32> {
    let digits = version.strip_prefix('v')?;
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

fn name<K: Kind>(call: &Call) -> Result<&str, ApiError> {
    let name = call.param("name");
    text_between(name, 3, K::NAME_MAX).map(|()| name)
}

fn name_and_version<K: Kind>(call: &Call) -> Result<(&str, &str), ApiError> {
    let name = name::<K>(call)?;
    let version = call.param("version");
    text_between(version, K::VERSION_MIN, 5).map(|()| (name, version))
}

fn no_name<K: Kind>(name: &str) -> ApiError {
    ApiError::not_found(format!("{} '{name}' not found", K::TITLE))
}

fn no_version<K: Kind>(name: &str, version: &str) -> ApiError {
    let title = K::TITLE;
    ApiError::not_found(format!(
        "{title} '{name}' with version '{version}' not found"
    ))
}

fn all<K: Kind>(call: &Call, context: &Context) -> Answer {
    list(call, context, K::KEY, |_| true)
}

fn of_group<K: Kind>(call: &Call, context: &Context) -> Answer {
    let group = call.param("group");
    text_between(group, 3, 50)?;
    list(call, context, K::KEY, |row| in_group(row, group))
}

/// Whether a row names a content group.
pub fn in_group(row: &Row, group: &str) -> bool {
    texts(row, "ContentGroups").any(|named| named == group)
}

fn newest<K: Kind>(call: &Call, context: &Context) -> Answer {
    let name = name::<K>(call)?;
    let found = context
        .database
        .read(|db| versioned::get(db, K::KEY, name, 0))?;
    found.map(Value::Object).ok_or_else(|| no_name::<K>(name))
}

fn version<K: Kind>(call: &Call, context: &Context) -> Answer {
    let (name, version) = name_and_version::<K>(call)?;
    let missing = || no_version::<K>(name, version);
    let number = number(version).ok_or_else(missing)?;
    let found = context
        .database
        .read(|db| versioned::get(db, K::KEY, name, number))?;
    found.map(Value::Object).ok_or_else(missing)
}

fn history<K: Kind>(call: &Call, context: &Context) -> Answer {
    let name = name::<K>(call)?;
    let found = context
        .database
        .read(|db| versioned::history(db, K::KEY, name))?;
    let rows = found.ok_or_else(|| no_name::<K>(name))?;
    Ok(rows.into_iter().map(Value::Object).collect())
}

fn remove_all<K: Kind>(call: &Call, context: &Context) -> Answer {
    let name = name::<K>(call)?;
    let removed = context
        .database
        .write(|db| versioned::remove_all(db, K::KEY, name))?;
    match removed {
        true => Ok(json!({})),
        false => Err(no_name::<K>(name)),
    }
}

fn remove<K: Kind>(call: &Call, context: &Context) -> Answer {
    let (name, version) = name_and_version::<K>(call)?;
    let noun = K::NOUN;
    context.database.write(|db| {
        let copy = versioned::get(db, K::KEY, name, 0)?.ok_or_else(|| no_name::<K>(name))?;
        let number = number(version).ok_or_else(|| no_version::<K>(name, version))?;
        if number == 0 {
            let message = format!("Deletion of version 'v0' of the {noun} is prohibited");
            return Err(ApiError::bad_request(message));
        }
        if number == latest(Some(&copy)) {
            return Err(ApiError::bad_request(format!(
                "Deletion of version '{version}' of the {noun} is blocked as it is the latest {noun} revision. \
                 Publish a new version to unblock the deletion of version '{version}'"
            )));
        }
        match versioned::remove(db, K::KEY, name, number)? {
            true => Ok(json!({})),
            false => Err(no_version::<K>(name, version)),
        }
    })
}

/// What the body of a switch says.
pub fn switch_of(call: &Call, context: &Context, unable: &str) -> Result<bool, ApiError> {
    let body = call
        .json()
        .map_err(|error| ApiError::view(format!("{unable}: {error}")))?;
    context.schemas.status.check(&body)?;
    Ok(enabled(&object(body)?))
}

fn switch_newest<K: Kind>(call: &Call, context: &Context) -> Answer {
    let name = name::<K>(call)?;
    let title = K::TITLE;
    let unable = format!("Unable to update the status of the latest version of {title} '{name}'");
    let on = switch_of(call, context, &unable)?;
    context.database.write(|db| {
        let copy = versioned::get(db, K::KEY, name, 0)?.ok_or_else(|| no_name::<K>(name))?;
        for number in [0, latest(Some(&copy))] {
            set::<K>(db, name, number, on)?;
        }
        Ok(json!({}))
    })
}

fn switch<K: Kind>(call: &Call, context: &Context) -> Answer {
    let (name, version) = name_and_version::<K>(call)?;
    let title = K::TITLE;
    let unable =
        format!("Unable to update the status of the {title} '{name}' with version '{version}'");
    let on = switch_of(call, context, &unable)?;
    let missing = || no_version::<K>(name, version);
    let number = number(version).ok_or_else(missing)?;
    context
        .database
        .write(|db| match set::<K>(db, name, number, on)? {
            true => Ok(json!({})),
            false => Err(missing()),
        })
}

/// Switches one version; false where it is not there.
fn set<K: Kind>(db: &Transaction<'_>, name: &str, number: u32, on: bool) -> Result<bool, ApiError> {
    let Some(mut row) = versioned::get(db, K::KEY, name, number)? else {
        return Ok(false);
    };
    row.insert("Enabled".to_owned(), Value::from(on));
    versioned::put(db, K::KEY, name, number, &row)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_v_and_a_number_is_a_version() {
        assert_eq!(number("v0"), Some(0));
        assert_eq!(number("v12"), Some(12));
        for other in ["V2", "v02", "v", "2", "v+2", "v-1", "v99999999999"] {
            assert_eq!(number(other), None, "{other}");
        }
    }
}
