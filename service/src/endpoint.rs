//! Between axum and the handlers. A handler is a plain function of a call and the context; it runs where
//! waiting for the store holds up nobody.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, RawPathParams, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodFilter, MethodRouter};
use axum::{Json, Router};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::auth::Role;
use crate::context::{App, Context};
use crate::errors::ApiError;
use crate::ssm::base;

/// What was asked for.
pub struct Call {
    params: Vec<(String, String)>,
    query: Vec<(String, String)>,
    /// The body, as it came.
    pub body: Bytes,
    /// What who asks is allowed.
    pub role: Role,
    /// Under what address the client reaches this server.
    pub base: String,
}

/// What a handler says. A text is sent as it is, as MRE's services do.
pub type Answer = Result<Value, ApiError>;

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

/// Answers calls; a plain function of a call and the context.
pub trait Handler: Fn(&Call, &Context) -> Answer + Copy + Send + Sync + 'static {}

impl<F: Fn(&Call, &Context) -> Answer + Copy + Send + Sync + 'static> Handler for F {}

/// What is known of a route beside how it is answered.
#[derive(Clone, Debug)]
pub struct Described {
    /// The method.
    pub method: Method,
    /// The path, below the plane.
    pub path: String,
    /// Module and function that answer: `models.register`.
    pub id: String,
    /// The schema of the body, where there is one.
    pub body: Option<fn() -> Value>,
}

/// The methods of a path.
pub struct Methods {
    router: MethodRouter<App>,
    described: Vec<Described>,
}

impl Methods {
    fn new<H: Handler>(method: Method, filter: MethodFilter, handler: H) -> Methods {
        let described = Described {
            method,
            path: String::new(),
            id: id_of(std::any::type_name::<H>()),
            body: None,
        };
        Methods {
            router: routing::on(filter, move |app, role, params, query, headers, body| {
                run(handler, app, role, params, (query, headers), body)
            }),
            described: vec![described],
        }
    }

    /// These, and others of the same path.
    pub fn merge(mut self, others: Methods) -> Methods {
        self.router = self.router.merge(others.router);
        self.described.extend(others.described);
        self
    }

    /// With the schema that bodies are held to.
    pub fn takes(mut self, body: fn() -> Value) -> Methods {
        for described in &mut self.described {
            described.body = Some(body);
        }
        self
    }
}

/// `matchcut_service::mre::models::register` is `models.register`; where a function serves several kinds, the kind's
/// module counts.
fn id_of(name: &str) -> String {
    let (function, kind) = match name.split_once('<') {
        Some((function, kind)) => (function, kind),
        None => (name, name),
    };
    let function = function.rsplit("::").next().unwrap_or(function);
    let module = kind.rsplit("::").nth(1).unwrap_or_default();
    format!("{module}.{function}")
}

/// Routes that know what they are.
#[derive(Default)]
pub struct Routes {
    router: Router<App>,
    described: Vec<Described>,
}

impl Routes {
    /// None.
    pub fn new() -> Routes {
        Routes::default()
    }

    /// With the methods of one more path.
    pub fn route(mut self, path: &str, methods: Methods) -> Routes {
        self.router = self.router.route(path, methods.router);
        let described = methods.described.into_iter();
        self.described.extend(described.map(|described| Described {
            path: path.to_owned(),
            ..described
        }));
        self
    }

    /// With those of others.
    pub fn merge(mut self, others: Routes) -> Routes {
        self.router = self.router.merge(others.router);
        self.described.extend(others.described);
        self
    }

    /// What answers.
    pub fn router(self) -> Router<App> {
        self.router
    }

    /// What is known of all of them.
    pub fn described(&self) -> &[Described] {
        &self.described
    }
}

/// Answers GET.
pub fn get(handler: impl Handler) -> Methods {
    Methods::new(Method::GET, MethodFilter::GET, handler)
}

/// Answers POST.
pub fn post(handler: impl Handler) -> Methods {
    Methods::new(Method::POST, MethodFilter::POST, handler)
}

/// Answers PUT.
pub fn put(handler: impl Handler) -> Methods {
    Methods::new(Method::PUT, MethodFilter::PUT, handler)
}

/// Answers PATCH.
pub fn patch(handler: impl Handler) -> Methods {
    Methods::new(Method::PATCH, MethodFilter::PATCH, handler)
}

/// Answers DELETE.
pub fn delete(handler: impl Handler) -> Methods {
    Methods::new(Method::DELETE, MethodFilter::DELETE, handler)
}

async fn run(
    handler: impl Handler,
    State(app): State<App>,
    Extension(role): Extension<Role>,
    params: RawPathParams,
    (RawQuery(query), headers): (RawQuery, HeaderMap),
    body: Bytes,
) -> Response {
    let own = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let call = Call {
        params: params.iter().map(own).collect(),
        query: pairs(&query.unwrap_or_default()),
        body,
        role,
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
    fn a_route_is_called_by_who_answers() {
        let id = |name| id_of(name);
        assert_eq!(
            id("matchcut_service::mre::models::register"),
            "models.register"
        );
        assert_eq!(
            id("matchcut_service::mre::versioned::all<matchcut_service::mre::models::Model>"),
            "models.all"
        );
    }

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
