//! How many requests of which route, method and status there were, and how long they took: counted for Prometheus, and
//! each a span for whoever collects them.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use metrics::Unit;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use crate::context::App;

const REQUESTS: &str = "matchcut_http_requests_total";
const DURATION: &str = "matchcut_http_request_duration_seconds";

/// Says what is counted here.
pub(super) fn describe() {
    metrics::describe_counter!(REQUESTS, "Requests by route, method and status");
    metrics::describe_histogram!(DURATION, Unit::Seconds, "How long requests took");
}

fn record(route: &str, method: &'static str, status: u16, took: Duration) {
    let route = route.to_owned();
    metrics::histogram!(DURATION, "route" => route.clone(), "method" => method).record(took);
    let status = status.to_string();
    metrics::counter!(REQUESTS, "route" => route, "method" => method, "status" => status)
        .increment(1);
}

/// A name of a method that cannot be made up by a client.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Counts a request.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let named = route.as_ref().map_or("none", MatchedPath::as_str);
    let span = span(named, method);
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    // OpenTelemetry has no numbers without a sign.
    span.record("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
    record(named, method, status, begun.elapsed());
    response
}

/// A span of a request, named as OpenTelemetry wants it. Paths have ids of events in them, and queries secrets; the route
/// has neither.
fn span(route: &str, method: &'static str) -> Span {
    tracing::info_span!(
        parent: None,
        "request",
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        otel.status_code = Empty,
    )
}

/// `GET /metrics`.
pub(crate) async fn show(State(app): State<App>) -> Response {
    ([(CONTENT_TYPE, super::CONTENT_TYPE)], app.metrics.page()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let recorder = super::super::builder().unwrap().build_recorder();
        let page = metrics::with_local_recorder(&recorder, || {
            for status in [200, 200, 404] {
                record("/model/{name}", "GET", status, Duration::from_millis(3));
            }
            recorder.handle().render()
        });
        let labels = r#"route="/model/{name}",method="GET""#;
        for line in [
            format!("matchcut_http_requests_total{{{labels},status=\"200\"}} 2"),
            format!("matchcut_http_requests_total{{{labels},status=\"404\"}} 1"),
            format!("matchcut_http_request_duration_seconds_count{{{labels}}} 3"),
            format!("matchcut_http_request_duration_seconds_bucket{{{labels},le=\"0.0025\"}} 0"),
            format!("matchcut_http_request_duration_seconds_bucket{{{labels},le=\"0.005\"}} 3"),
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
