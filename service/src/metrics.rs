//! What is counted, as Prometheus reads it: which build serves, and how many requests of which route, method
//! and status took how long.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::context::App;
use crate::errors::ApiError;

/// Upper bounds of the buckets of how long requests took, in seconds.
const BUCKETS: [f64; 11] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

/// A pair of label names and values.
type Labels<const N: usize> = [(&'static str, String); N];

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    durations: Family<Labels<2>, Histogram>,
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Metrics {
        let mut registry = Registry::with_prefix("matchcut");
        let build: Family<Labels<1>, Gauge> = Family::default();
        build
            .get_or_create(&[("version", env!("CARGO_PKG_VERSION").to_owned())])
            .set(1);
        registry.register("build_info", "The build that serves", build);
        let requests: Family<Labels<3>, Counter> = Family::default();
        let told = "Requests by route, method and status";
        registry.register("http_requests", told, requests.clone());
        let durations: Family<Labels<2>, Histogram> =
            Family::new_with_constructor(|| Histogram::new(BUCKETS));
        let told = "How long requests took, in seconds";
        registry.register("http_request_duration_seconds", told, durations.clone());
        Metrics {
            registry,
            requests,
            durations,
        }
    }

    fn count(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let (route, method) = (route.to_owned(), method.to_owned());
        let labels = [("route", route), ("method", method)];
        self.durations
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        let [route, method] = labels;
        let status = ("status", status.to_string());
        self.requests.get_or_create(&[route, method, status]).inc();
    }
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
pub async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = name(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    app.metrics.count(route, method, status, begun.elapsed());
    response
}

/// `GET /metrics`.
pub async fn show(State(app): State<App>) -> Response {
    let mut page = String::new();
    match text::encode(&mut page, &app.metrics.registry) {
        Ok(()) => {
            let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, form)], page).into_response()
        }
        Err(_) => ApiError::internal().into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_route_method_and_status() {
        let metrics = Metrics::new();
        for status in [200, 200, 404] {
            let took = Duration::from_millis(3);
            metrics.count("/model/{name}", "GET", status, took);
        }
        let mut page = String::new();
        text::encode(&mut page, &metrics.registry).unwrap();
        let labels = r#"route="/model/{name}",method="GET""#;
        for line in [
            concat!(
                "matchcut_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            )
            .to_owned(),
            format!("matchcut_http_requests_total{{{labels},status=\"200\"}} 2"),
            format!("matchcut_http_requests_total{{{labels},status=\"404\"}} 1"),
            format!("matchcut_http_request_duration_seconds_count{{{labels}}} 3"),
            format!("matchcut_http_request_duration_seconds_bucket{{le=\"0.002\",{labels}}} 0"),
            format!("matchcut_http_request_duration_seconds_bucket{{le=\"0.005\",{labels}}} 3"),
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
