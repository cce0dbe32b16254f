//! Between axum and the handlers. A handler is a plain function of a call and the context; it runs where
//! waiting for the store holds up nobody.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{RawPathParams, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::context::{App, Context};
use crate::errors::ApiError;
use crate::ssm::base;

/// What was asked for.
pub struct Call {
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    /// The body, as it came.
    pub body: Bytes,
    /// Under what address the client reaches this server.
    pub base: String,
}

/// What a handler says. A text is sent as it is, as MRE's services do.
pub type Answer = Result<Value, ApiError>;

/// Answers a call.
pub type Handler = fn(&Call, &Context) -> Answer;

impl Call {
    /// A part of the path; empty where the route has none of this name.
    pub fn param(&self, name: &str) -> &str {
        find(&self.params, name).unwrap_or_default()
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    /// Whether what is disabled is wanted, too.
    pub fn include_disabled(&self) -> bool {
        self.query("include_disabled") == Some("true")
    }

    /// The body as JSON; else a word about where it is wrong.
    pub fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body).map_err(|error| error.to_string())
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = pairs.iter().find(|(key, _)| key == name)?;
    Some(&found.1)
}

/// The pairs of a query, decoded as forms are.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// Answers GET.
pub fn get(handler: Handler) -> MethodRouter<App> {
    routing::get(move |app, params, query, headers, body| {
        run(handler, app, params, (query, headers), body)
    })
}

/// Answers POST.
pub fn post(handler: Handler) -> MethodRouter<App> {
    routing::post(move |app, params, query, headers, body| {
        run(handler, app, params, (query, headers), body)
    })
}

/// Answers PUT.
pub fn put(handler: Handler) -> MethodRouter<App> {
    routing::put(move |app, params, query, headers, body| {
        run(handler, app, params, (query, headers), body)
    })
}

/// Answers PATCH.
pub fn patch(handler: Handler) -> MethodRouter<App> {
    routing::patch(move |app, params, query, headers, body| {
        run(handler, app, params, (query, headers), body)
    })
}

/// Answers DELETE.
pub fn delete(handler: Handler) -> MethodRouter<App> {
    routing::delete(move |app, params, query, headers, body| {
        run(handler, app, params, (query, headers), body)
    })
}

async fn run(
    handler: Handler,
    State(app): State<App>,
    params: RawPathParams,
    (RawQuery(query), headers): (RawQuery, HeaderMap),
    body: Bytes,
) -> Response {
    let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let call = Call {
        params: params.iter().map(own).collect(),
        query: pairs(&query.unwrap_or_default()),
        body,
        base: base(&app, &headers),
    };
    let context = Arc::clone(&app.context);
    let answer = tokio::task::spawn_blocking(move || handler(&call, &context)).await;
    match answer {
        Ok(Ok(Value::String(text))) => {
            ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
        }
        Ok(Ok(value)) => Json(value).into_response(),
        Ok(Err(error)) => error.into_response(),
        Err(error) => {
            tracing::error!(%error, "a handler failed");
            ApiError::internal().into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_as_forms_are() {
        let pairs = pairs("a=1&&b&c=x+y%2Bz&a=2&d=%C3%A9=");
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            pairs,
            [
                ("a", "1"),
                ("b", ""),
                ("c", "x y+z"),
                ("a", "2"),
                ("d", "é=")
            ]
        );
    }
}
