//! Content groups and programs. Both are names, and come by themselves where something else names them.

use serde_json::{Value, json};

use crate::context::Context;
use crate::endpoint::{Answer, Call, Routes, delete, get, put};
use crate::errors::ApiError;
use crate::store::names::{self, CONTENT_GROUP, PROGRAM};
use crate::validation::text_between;

/// The longest name of a content group.
const GROUP_MAX: usize = 50;
/// The longest name of a program.
const PROGRAM_MAX: usize = 150;

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .route("/contentgroup/all", get(list_groups))
        .route(
            "/contentgroup/{name}",
            put(put_group).merge(delete(delete_group)),
        )
        .route("/program/all", get(list_programs))
        .route(
            "/program/{name}",
            put(put_program).merge(delete(delete_program)),
        )
}

fn list_groups(_: &Call, context: &Context) -> Answer {
    list(context, CONTENT_GROUP)
}

fn list_programs(_: &Call, context: &Context) -> Answer {
    list(context, PROGRAM)
}

fn list(context: &Context, kind: &str) -> Answer {
    let names = context.database.read(|db| names::all(db, kind))?;
    let row = |name: String| json!({ "Name": name });
    Ok(Value::Array(names.into_iter().map(row).collect()))
}

fn put_group(call: &Call, context: &Context) -> Answer {
    keep(call, context, CONTENT_GROUP, GROUP_MAX)
}

fn put_program(call: &Call, context: &Context) -> Answer {
    keep(call, context, PROGRAM, PROGRAM_MAX)
}

fn keep(call: &Call, context: &Context, kind: &str, max: usize) -> Answer {
    let name = call.param("name");
    text_between(name, 3, max)?;
    context.database.write(|db| names::put(db, kind, name))?;
    Ok(json!({}))
}

fn delete_group(call: &Call, context: &Context) -> Answer {
    forget(call, context, CONTENT_GROUP, GROUP_MAX)
}

fn delete_program(call: &Call, context: &Context) -> Answer {
    forget(call, context, PROGRAM, PROGRAM_MAX)
}

fn forget(call: &Call, context: &Context, kind: &str, max: usize) -> Answer {
    let name = call.param("name");
    text_between(name, 3, max)?;
    let removed: Result<(), ApiError> = context
        .database
        .write(|db| Ok(names::remove(db, kind, name)?));
    removed.map(|()| json!({}))
}
