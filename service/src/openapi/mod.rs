//! What the REST APIs are, as documents of OpenAPI 3.1. They are made of the routes themselves, so that there is no path
//! that they do not have.

mod mre;
pub mod own;

use axum::http::Method;
use serde_json::{Map, Value, json};

pub use mre::{control_plane, data_plane};

/// The version of the specification that documents follow.
const OPENAPI: &str = "3.1.0";

/// An operation: a method of a path.
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: String,
    /// Its name, unique in the document.
    pub id: String,
    /// What it does, in a line.
    pub summary: String,
    /// What it belongs to.
    pub tag: String,
    /// The least role that may.
    pub role: &'static str,
    /// Its parameters in query and headers, as OpenAPI writes them.
    pub parameters: Vec<Value>,
    /// Bodies by their types.
    pub bodies: Vec<(&'static str, Value)>,
    /// Answers by their status: what they say, and their bodies.
    pub answers: Vec<Answer>,
}

/// An answer: its status, what it means, and its body by type.
pub type Answer = (u16, &'static str, Option<(&'static str, Value)>);

/// What stands around operations.
pub struct About {
    /// The title.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Where its paths begin.
    pub root: &'static str,
    /// Schemas that operations refer to.
    pub schemas: Value,
}

/// A reference to one of the schemas of a document.
pub fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A parameter of the query.
pub fn query(name: &str, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": schema, "description": description })
}

/// A header of the request.
pub fn header(name: &str, schema: &Value, description: &str) -> Value {
    json!({ "name": name, "in": "header", "schema": schema, "description": description })
}

/// The document.
pub fn document(about: &About, operations: &[Operation]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let path = open_path(&operation.path);
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[operation.method.as_str().to_ascii_lowercase()] = written(operation);
    }
    json!({
        "openapi": OPENAPI,
        "info": {
            "title": about.title,
            "version": env!("CARGO_PKG_VERSION"),
            "description": about.description,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": about.root }],
        "security": [{ "signature": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": about.schemas,
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4, service execute-api, any region.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                },
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
            },
        },
    })
}

/// A path as OpenAPI has it, which knows no parameter of several segments.
fn open_path(path: &str) -> String {
    path.replace("{*", "{")
}

fn written(operation: &Operation) -> Value {
    let names = operation.path.split('/').filter_map(|part| {
        let name = part.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.trim_start_matches('*'))
    });
    let mut parameters: Vec<Value> = names
        .map(|name| {
            let schema = json!({ "type": "string", "minLength": 1 });
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect();
    parameters.extend(operation.parameters.iter().cloned());
    let content = |kind: &str, schema: &Value| json!({ kind: { "schema": schema } });
    let answers = operation.answers.iter().map(|(status, means, body)| {
        let mut answer = json!({ "description": means });
        if let Some((kind, schema)) = body {
            answer["content"] = content(kind, schema);
        }
        (status.to_string(), answer)
    });
    let answers: Map<String, Value> = answers.collect();
    let mut written = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "tags": [operation.tag],
        "x-role": operation.role,
        "parameters": parameters,
        "responses": answers,
    });
    if !operation.bodies.is_empty() {
        let bodies: Map<String, Value> = operation
            .bodies
            .iter()
            .map(|(kind, schema)| ((*kind).to_owned(), json!({ "schema": schema })))
            .collect();
        written["requestBody"] = json!({ "required": true, "content": bodies });
    }
    written
}
